"""From a model's name to its folder."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import pons
import pytest
from conftest import error_of
from text_models.carried import CarriedModel, read_carried
from text_models.lookup import ModelLookup
from text_models.settings import Settings


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


def carried_in(site: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes, installed: str = "1.0") -> CarriedModel:
    """Install a package that carries a model, by hand: a folder and what pip writes about it."""
    folder = model_folder(site / "tiny_package/model")
    (folder / "model.safetensors").write_bytes(weights)
    about = site / f"tiny_package-{installed}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: tiny-package\nVersion: {installed}\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(site))
    digest = hashlib.sha256(b"good").hexdigest()
    return CarriedModel("tiny", "tiny-package", "1.0", "tiny_package/model/model.safetensors", digest)


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    found = ModelLookup(Settings(), []).find(str(folder))
    assert (found.directory, found.source, found.name) == (folder, "directory", str(folder))


def test_a_name_is_looked_for_in_the_cache(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "maker/mine")
    found = ModelLookup(Settings(tmp_path), []).find("maker/mine")
    assert (found.directory, found.source) == (folder, "cache")


def test_what_was_downloaded_before_is_found_by_its_name(tmp_path: Path) -> None:
    snapshot = model_folder(tmp_path / "models--maker--mine/snapshots/abc")
    (tmp_path / "models--maker--mine/refs").mkdir()
    (tmp_path / "models--maker--mine/refs/main").write_text("abc\n", encoding="ascii")
    lookup = ModelLookup(Settings(tmp_path), [])
    assert lookup.find("maker/mine").directory == snapshot
    assert lookup.available() == [{"name": "maker/mine", "source": "cache", "directory": str(snapshot)}]


def test_a_package_carries_a_model_and_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = carried_in(tmp_path, monkeypatch, b"good")
    (tmp_path / "tiny_package/__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    lookup = ModelLookup(Settings(tmp_path / "none"), [carried])
    found = lookup.find("tiny")
    assert (found.directory, found.source) == (tmp_path / "tiny_package/model", "package")
    assert lookup.available() == [{"name": "tiny", "source": "package", "directory": str(found.directory)}]


def test_weights_with_another_checksum_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of(ModelLookup(Settings(tmp_path), [carried_in(tmp_path, monkeypatch, b"bad")]).find, "tiny")
    assert error.code == "model_error"
    assert error.details["file"] == str(tmp_path / "tiny_package/model/model.safetensors")
    assert "SHA-256" in error.message


def test_another_version_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of(ModelLookup(Settings(tmp_path), [carried_in(tmp_path, monkeypatch, b"good", "2.0")]).find, "tiny")
    assert error.code == "model_error"
    assert "tiny-package 2.0 is installed, and 1.0 is wanted" in error.message


def test_a_package_that_is_not_installed_is_named_with_its_version(tmp_path: Path) -> None:
    carried = CarriedModel("tiny", "no-such-package", "1.0", "x/y", "")
    lookup = ModelLookup(Settings(tmp_path), [carried])
    error = error_of(lookup.find, "tiny")
    assert error.code == "invalid_args"
    assert "package no-such-package==1.0, which carries it, is not installed" in error.message
    assert lookup.available() == [{"name": "tiny", "source": "package", "directory": None}]


def test_a_model_that_is_nowhere_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    error = error_of(ModelLookup(Settings(tmp_path), []).find, "mine")
    assert error.details["errors"][0]["path"] == "/model"
    assert str(tmp_path) in error.message
    assert "allow_download is off" in error.message
    missing = error_of(ModelLookup(Settings(tmp_path / "none"), []).find, "mine")
    assert f"the folder {tmp_path / 'none'} (option model_cache_dir) does not exist" in missing.message


@pytest.mark.parametrize("name", ["", "../mine", "a/../../mine"])
def test_a_name_cannot_leave_the_cache(tmp_path: Path, name: str) -> None:
    model_folder(tmp_path / "mine")
    (tmp_path / "cache").mkdir()
    assert error_of(ModelLookup(Settings(tmp_path / "cache"), []).find, name).code == "invalid_args"


def test_a_directory_that_is_not_there_or_holds_no_model_is_named(tmp_path: Path) -> None:
    lookup = ModelLookup(Settings(), [])
    assert f"{tmp_path}/none does not exist" in error_of(lookup.find, f"{tmp_path}/none").message
    assert "holds no model: it has no config.json" in error_of(lookup.find, str(tmp_path)).message
    assert "is no directory" in error_of(lookup.find, __file__).message


def test_a_download_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    # An address at which nobody listens: the download is allowed, tried, and fails at once.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    error = error_of(ModelLookup(Settings(tmp_path, allow_download=True), []).find, "maker/mine")
    assert isinstance(error, pons.Error)
    assert error.code == "model_error"
    assert "Model maker/mine is not on disk, and its download failed" in error.message


def test_adapter_yaml_pins_its_model_by_version_and_checksum() -> None:
    (carried,) = read_carried()
    assert carried.name == "all-minilm-l6-v2"
    assert carried.version == "0.1.0"
    assert len(carried.sha256) == 64
    try:
        installed = metadata.version(carried.package)
    except metadata.PackageNotFoundError:
        return
    assert installed == carried.version
