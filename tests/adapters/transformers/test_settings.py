"""The adapter's options, and what they put into the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pons
import pytest
from text_models.settings import Settings, prepare_environment, read_settings


def test_without_options_nothing_is_downloaded_and_the_cache_is_the_users_own() -> None:
    settings = read_settings({})
    assert settings == Settings()
    assert not settings.allow_download
    assert settings.model_cache_dir == Path.home() / ".cache/pons/models"


def test_options_are_taken(tmp_path: Path) -> None:
    options = {
        "model_cache_dir": str(tmp_path),
        "device": "cuda:1",
        "threads": 3,
        "allow_download": True,
        "preload": ["x"],
    }
    assert read_settings(options) == Settings(tmp_path, "cuda:1", 3, True, ["x"])


def test_the_option_debug_belongs_to_the_sdk() -> None:
    assert read_settings({"debug": False}) == Settings()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"devise": "cpu"}, "options.devise: unknown key"),
        ({"device": "gpu"}, "options.device: 'gpu' is not auto, cpu"),
        ({"device": "cuda:x"}, "options.device: 'cuda:x' is not"),
        ({"threads": -1}, "options.threads: -1 is not an integer from 0"),
        ({"threads": True}, "options.threads: True is not"),
        ({"allow_download": "yes"}, "options.allow_download: 'yes' is not true or false"),
        ({"preload": "x"}, "options.preload: 'x' is not a list"),
        ({"model_cache_dir": "models"}, "options.model_cache_dir: models is relative"),
        ({"model_cache_dir": 3}, "options.model_cache_dir: 3 is not the path"),
        ({"model_cache_dir": __file__}, "is not a folder"),
    ],
)
def test_a_wrong_option_is_named(options: Dict[str, Any], said: str) -> None:
    with pytest.raises(pons.ConfigurationError) as raised:
        read_settings(options)
    assert said in str(raised.value)


def test_no_network_unless_it_is_allowed() -> None:
    environment: Dict[str, str] = {}
    prepare_environment(Settings(), environment)
    assert environment["HF_HUB_OFFLINE"] == "1"
    prepare_environment(Settings(allow_download=True), environment)
    assert environment["HF_HUB_OFFLINE"] == "0"


def test_the_tokenizers_get_as_many_threads_as_the_host_gives() -> None:
    environment = {"OMP_NUM_THREADS": "3"}
    prepare_environment(Settings(), environment)
    assert environment["RAYON_NUM_THREADS"] == "3"
    prepare_environment(Settings(threads=2), environment)
    assert (environment["OMP_NUM_THREADS"], environment["RAYON_NUM_THREADS"]) == ("2", "2")
