"""Files with weights and their faults, each named."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
from conftest import Models, error_of
from text_models.weights import check_safetensors, check_weights


@pytest.fixture
def folder(models: Models, tmp_path: Path) -> Path:
    """Return a copy of a model's folder that a test may break."""
    return Path(shutil.copytree(models.get("bert"), tmp_path / "model"))


def written(folder: Path, body: bytes) -> Path:
    file = folder / "model.safetensors"
    file.write_bytes(body)
    return file


def test_good_weights_pass(folder: Path) -> None:
    assert check_weights(folder) == [folder / "model.safetensors"]


def test_a_file_that_was_cut_short_is_named_with_both_sizes(folder: Path) -> None:
    file = folder / "model.safetensors"
    body = file.read_bytes()
    written(folder, body[:-100])
    error = error_of(check_weights, folder)
    assert error.code == "model_error"
    assert error.details["file"] == str(file)
    assert (
        f"{file}: was cut short: it has {len(body) - 100} bytes, and its header describes {len(body)}" == error.message
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no safetensors file (0 bytes"),
        (b"\x00" * 20, "is no safetensors file"),
        (b"<html>not found</html>", "is no safetensors file"),
        (struct.pack("<Q", 6) + b"{nope}", "its header is not JSON"),
        (struct.pack("<Q", 2) + b"\xff\xff", "its header is not JSON"),
        (struct.pack("<Q", 2) + b"[]", "its header describes no tensors"),
        (struct.pack("<Q", 7) + b'{"x":1}', "its header describes no tensors"),
        (struct.pack("<Q", 2) + b"{}" + b"x", "is too long"),
    ],
)
def test_what_is_no_such_file_is_named(folder: Path, body: bytes, said: str) -> None:
    file = written(folder, body)
    error = error_of(check_safetensors, file)
    assert error.code == "model_error"
    assert str(file) in error.message
    assert said in error.message


def test_a_folder_without_weights_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert f"{folder}: holds no weights" in error_of(check_weights, folder).message


def test_each_file_of_an_index_is_looked_at(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "part-1.safetensors")
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert error_of(check_weights, folder).details["file"] == str(folder / "part-2.safetensors")
    shutil.copy(folder / "part-1.safetensors", folder / "part-2.safetensors")
    assert check_weights(folder) == [folder / "part-1.safetensors", folder / "part-2.safetensors"]


@pytest.mark.parametrize("index", ["{}", "[]", '{"weight_map": {"a": "../x"}}', "{"])
def test_a_broken_index_is_named(folder: Path, index: str) -> None:
    file = folder / "model.safetensors.index.json"
    file.write_text(index, encoding="utf-8")
    assert error_of(check_weights, folder).details["file"] == str(file)


def test_pytorch_weights_are_taken_where_there_is_nothing_better(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert check_weights(folder) == [folder / "model.safetensors"]
    (folder / "model.safetensors").unlink()
    assert check_weights(folder) == [folder / "pytorch_model.bin"]
