"""What a sentence encoder's own files say of its use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import pytest
from conftest import error_of
from text_models.sentence_setup import SentenceSetup, read_sentence_setup


def write(file: Path, document: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def steps(folder: Path, *kinds: str, transformer: str = "") -> None:
    paths = [transformer if kind == "Transformer" else f"{index}_{kind}" for index, kind in enumerate(kinds)]
    write(folder / "modules.json", [{"path": path, "type": f"some.library.{kind}"} for path, kind in zip(paths, kinds)])


def test_a_folder_without_modules_is_a_plain_encoder(tmp_path: Path) -> None:
    assert read_sentence_setup(tmp_path) == SentenceSetup(tmp_path, ("mean",), normalize=True)


def test_files_of_older_versions_are_read(tmp_path: Path) -> None:
    steps(tmp_path, "Transformer", "Pooling", "Normalize")
    write(tmp_path / "1_Pooling/config.json", {"pooling_mode_cls_token": False, "pooling_mode_max_tokens": True})
    write(tmp_path / "sentence_bert_config.json", {"max_seq_length": 77, "do_lower_case": True})
    assert read_sentence_setup(tmp_path) == SentenceSetup(tmp_path, ("max",), True, 77, True)


def test_files_of_newer_versions_are_read(tmp_path: Path) -> None:
    steps(tmp_path, "Transformer", "Pooling", transformer="0_Transformer")
    write(tmp_path / "1_Pooling/config.json", {"pooling_mode": "lasttoken"})
    write(tmp_path / "config_sentence_transformers.json", {"default_prompt_name": "q", "prompts": {"q": "query: "}})
    expected = SentenceSetup(tmp_path / "0_Transformer", ("lasttoken",), normalize=False, prompt="query: ")
    assert read_sentence_setup(tmp_path) == expected


def test_several_modes_are_joined_in_their_order(tmp_path: Path) -> None:
    steps(tmp_path, "Transformer", "Pooling")
    write(tmp_path / "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True})
    assert read_sentence_setup(tmp_path).pooling == ("cls", "mean")


@pytest.mark.parametrize(
    ("pooling", "said"),
    [
        ({"pooling_mode": "median"}, "pools by ['median']; known are cls"),
        ({}, "pools by []"),
        ([], "is no map"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves the prompt out of the pooling"),
    ],
)
def test_a_pooling_that_is_not_known_is_refused_by_name(tmp_path: Path, pooling: Any, said: str) -> None:
    steps(tmp_path, "Transformer", "Pooling")
    write(tmp_path / "config_sentence_transformers.json", {"default_prompt_name": "q", "prompts": {"q": "query: "}})
    write(tmp_path / "1_Pooling/config.json", pooling)
    error = error_of(read_sentence_setup, tmp_path)
    assert error.code == "model_error"
    assert error.details["file"] == str(tmp_path / "1_Pooling/config.json")
    assert said in error.message


@pytest.mark.parametrize(
    ("kinds", "said"),
    [(["Transformer", "Pooling", "Dense"], "has the step Dense"), (["Transformer"], "has no Pooling")],
)
def test_steps_that_cannot_be_done_are_refused(tmp_path: Path, kinds: List[str], said: str) -> None:
    steps(tmp_path, *kinds)
    write(tmp_path / "1_Pooling/config.json", {"pooling_mode": "mean"})
    assert said in error_of(read_sentence_setup, tmp_path).message


@pytest.mark.parametrize("modules", [[{"type": "x"}], {"a": 1}, 3])
def test_broken_modules_are_named(tmp_path: Path, modules: Any) -> None:
    write(tmp_path / "modules.json", modules)
    assert error_of(read_sentence_setup, tmp_path).details["file"] == str(tmp_path / "modules.json")


def test_other_broken_files_are_named(tmp_path: Path) -> None:
    steps(tmp_path, "Transformer", "Pooling")
    assert "1_Pooling/config.json: cannot be read" in error_of(read_sentence_setup, tmp_path).message
    write(tmp_path / "1_Pooling/config.json", {"pooling_mode": "mean"})
    write(tmp_path / "sentence_bert_config.json", {"max_seq_length": "long"})
    assert "max_seq_length is 'long'" in error_of(read_sentence_setup, tmp_path).message
    write(tmp_path / "config_sentence_transformers.json", {"default_prompt_name": "q"})
    assert "names the prompt 'q' and does not have it" in error_of(read_sentence_setup, tmp_path).message
