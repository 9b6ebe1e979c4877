"""Pipelines of Transformers, with models of random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pons.testing
import pytest
import torch
from conftest import Models, error_of
from tiny_models import BERT_HIDDEN, BERT_POSITIONS, LABELS
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

Client = pons.testing.Client

TEXTS = ["the river boat", "snow and rain, and wind", "song"]


def created(worker: Client, task: str, folder: Path, **more: Any) -> str:
    return str(worker.call("create_pipeline", task=task, model=str(folder), **more)["resource_id"])


def run(worker: Client, pipeline: str, **inputs: Any) -> Any:
    return worker.call("execute_resource", resource_id=pipeline, inputs=inputs)


def scores(folder: Path, text: str) -> Any:
    """Return the probability of each label, without what is tested."""
    encoded = AutoTokenizer.from_pretrained(str(folder))(text, return_tensors="pt")
    with torch.no_grad():
        logits = AutoModelForSequenceClassification.from_pretrained(str(folder))(**encoded).logits
    return torch.softmax(logits, dim=-1)[0].numpy()


def test_texts_are_classified(worker: Client, models: Models) -> None:
    folder = models.get("classifier")
    pipeline = created(worker, "text-classification", folder)
    answer = run(worker, pipeline, texts=TEXTS, batch_size=2)
    assert answer["truncated"] == []
    for text, result in zip(TEXTS, answer["results"]):
        expected = scores(folder, text)
        assert result["label"] == LABELS[expected.argmax()]
        assert result["score"] == pytest.approx(expected.max(), abs=1e-5)
    (best,) = run(worker, pipeline, texts=TEXTS[:1], top_k=3)["results"]
    assert [each["label"] for each in best] == [LABELS[index] for index in np.argsort(-scores(folder, TEXTS[0]))]


def test_gaps_are_filled(worker: Client, models: Models) -> None:
    folder = models.get("gap_filler")
    pipeline = created(worker, "fill-mask", folder)
    (result,) = run(worker, pipeline, texts=["the [MASK] boat"], top_k=2)["results"]
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    with torch.no_grad():
        logits = AutoModelForMaskedLM.from_pretrained(str(folder))(
            **tokenizer("the [MASK] boat", return_tensors="pt")
        ).logits
    assert [each["token"] for each in result] == logits[0, 2].topk(2).indices.tolist()
    error = error_of(run, worker, pipeline, texts=["the [MASK]", "the boat"])
    assert error.details["errors"] == [
        {
            "path": "/inputs/texts/1",
            "message": "nothing to fill in: the text has no [MASK]",
            "expected": "a text with [MASK]",
        }
    ]


def test_tokens_are_classified(worker: Client, models: Models) -> None:
    results = run(worker, created(worker, "token-classification", models.get("tagger")), texts=TEXTS)["results"]
    assert [entry["word"] for entry in results[0]] == ["the", "river", "boat"]
    assert all(entry["entity"] in LABELS for result in results for entry in result)


def test_tokens_get_vectors(worker: Client, models: Models) -> None:
    results = run(worker, created(worker, "feature-extraction", models.get("bert")), texts=TEXTS)["results"]
    assert [np.shape(result) for result in results] == [(5, BERT_HIDDEN), (8, BERT_HIDDEN), (3, BERT_HIDDEN)]


def test_texts_are_continued(worker: Client, models: Models) -> None:
    pipeline = created(worker, "text-generation", models.get("gpt"))
    model = worker.call("create_model", model=str(models.get("gpt")))["resource_id"]
    inputs = {"texts": TEXTS, "sampling": {"max_new_tokens": 5}}
    assert run(worker, pipeline, **inputs) == run(worker, model, **inputs)
    whole = worker.call("generate", resource_id=pipeline, prompt=TEXTS[0], sampling={"max_new_tokens": 5})
    assert whole == run(worker, pipeline, **inputs)["results"][0]


@pytest.mark.parametrize(
    ("task", "name"),
    [("text-classification", "classifier"), ("fill-mask", "gap_filler"), ("token-classification", "tagger")],
)
def test_what_is_too_long_is_refused_or_cut_at_a_token(worker: Client, models: Models, task: str, name: str) -> None:
    pipeline = created(worker, task, models.get(name))
    long = "[MASK] " + "storm " * 200
    error = error_of(run, worker, pipeline, texts=["[MASK]", long])
    assert error.details["errors"][0]["path"] == "/inputs/texts/1"
    assert f"has 203 tokens, and the model takes {BERT_POSITIONS}" in error.message
    answer = run(worker, pipeline, texts=["[MASK]", long], truncate=True)
    assert answer["truncated"] == [1]
    just_fits = ("[MASK] " + "storm " * (BERT_POSITIONS - 3)).strip()
    assert answer["results"][1] == run(worker, pipeline, texts=["[MASK]", just_fits])["results"][1]


def test_a_model_without_the_head_for_the_task_is_refused(worker: Client, models: Models) -> None:
    error = error_of(created, worker, "text-classification", models.get("bert"))
    assert error.code == "model_error"
    assert "lacks 2 of the model's weights: classifier.bias, classifier.weight" in error.message


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"texts": "snow"}, "/texts"),
        ({"texts": ["snow", 3]}, "/texts/1"),
        ({"texts": ["snow"], "batch_size": 0}, "/inputs/batch_size"),
        ({"texts": ["snow"], "sampling": {}}, "/inputs/sampling"),
        ({"texts": ["snow"], "top_k": 2}, "/inputs/top_k"),
        ({"texts": ["snow"], "labels": []}, "/labels"),
    ],
)
def test_inputs_of_a_wrong_type_are_named(worker: Client, models: Models, inputs: Any, path: str) -> None:
    error = error_of(run, worker, created(worker, "token-classification", models.get("tagger")), **inputs)
    assert error.code == "invalid_args"
    assert error.details["errors"][0]["path"].endswith(path)


def test_a_task_that_is_not_known_is_refused_with_those_that_are(worker: Client, models: Models) -> None:
    error = error_of(created, worker, "translation", models.get("bert"))
    assert error.details["errors"][0]["path"] == "/task"
    assert "fill-mask" in error.details["errors"][0]["expected"]
