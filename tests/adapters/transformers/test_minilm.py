"""The real model: the same vectors as the reference computes, and what they are good for."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np
import pons.testing
import pytest
from conftest import MODEL, error_of
from sentence_transformers import SentenceTransformer

Client = pons.testing.Client

SENTENCES = Path(__file__).parent / "data/sentences.tsv"
LONG = "The choir sang in the rain while the train waited. " * 60  # above 256 tokens


@pytest.fixture(scope="session")
def sentences() -> List[Tuple[str, str]]:
    """Return (label, text) of the bundled set."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return [(row["label"], row["text"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


@pytest.fixture
def model(worker: Client, minilm: str) -> str:
    """Return the id of the real model in the worker."""
    return str(worker.call("create_model", model=minilm)["resource_id"])


@pytest.fixture
def reference(minilm: str) -> Callable[[List[str]], Any]:
    """Return what computes the vectors of texts without what is tested."""
    encoder = SentenceTransformer(minilm, device="cpu")
    return lambda texts: encoder.encode(texts, batch_size=16)


def cosines(left: Any, right: Any) -> Any:
    left, right = np.array(left, dtype=np.float64), np.array(right, dtype=np.float64)
    return (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def accuracy(vectors: Any, labels: List[str]) -> float:
    """Return the share of texts whose nearest neighbour has their label."""
    alike = np.array(vectors) @ np.array(vectors).T
    np.fill_diagonal(alike, -2)
    return float(np.mean([labels[nearest] == label for nearest, label in zip(alike.argmax(axis=1), labels)]))


def test_it_is_found_by_its_name(start: Callable[..., Client], minilm: str, tmp_path: Path) -> None:
    worker = start(model_cache_dir=os.environ.get("PONS_TEST_MODELS", str(tmp_path)))
    told = worker.call("create_model", model=MODEL)
    assert (told["directory"], told["task"], told["max_tokens"], told["dimensions"]) == (minilm, "embed", 256, 384)


def test_vectors_are_those_of_the_reference(
    worker: Client, model: str, sentences: List[Tuple[str, str]], reference: Any, figure: Callable[[str], None]
) -> None:
    texts = [text for _, text in sentences] + [LONG, "", "naïve café, 東京 and 🚲", "a", "\n\t"]
    answer = worker.call("embed", resource_id=model, texts=texts)
    alike = cosines(answer["embeddings"], reference(texts))
    figure(f"{MODEL}: cosine to the reference's vectors at least {alike.min():.7f} over {len(texts)} texts")
    assert alike.min() >= 0.9999
    assert answer["dimensions"] == 384
    assert answer["truncated"] == [len(sentences)]


def test_the_nearest_neighbour_classifies_as_with_the_reference(
    worker: Client, model: str, sentences: List[Tuple[str, str]], reference: Any, figure: Callable[[str], None]
) -> None:
    labels, texts = [label for label, _ in sentences], [text for _, text in sentences]
    assert len(texts) >= 100
    assert len(set(labels)) >= 5
    ours = accuracy(worker.call("embed", resource_id=model, texts=texts)["embeddings"], labels)
    theirs = accuracy(reference(texts), labels)
    chance = 1 / len(set(labels))
    figure(
        f"{MODEL}: nearest neighbour finds {ours:.1%} of {len(texts)} labels of {len(set(labels))} kinds"
        f" (reference {theirs:.1%}, chance {chance:.1%})"
    )
    # Two neighbours that are equally near may change places with the last digit.
    assert ours == pytest.approx(theirs, abs=1.5 / len(texts))
    assert 4 * chance < ours < 1


@pytest.mark.parametrize("count", [1, 2, 3, 16, 100, 256])
def test_batches_of_any_size_give_the_same_vectors(
    worker: Client, model: str, sentences: List[Tuple[str, str]], reference: Any, count: int
) -> None:
    texts = [sentences[index % len(sentences)][1] for index in range(count)]
    answer = worker.call("embed", resource_id=model, texts=texts, batch_size=count)
    assert len(answer["embeddings"]) == count
    assert cosines(answer["embeddings"], reference(texts)).min() >= 0.9999


def test_a_text_longer_than_the_model_takes_is_cut_or_refused(worker: Client, model: str, reference: Any) -> None:
    answer = worker.call("embed", resource_id=model, texts=["short", LONG])
    assert (answer["truncated"], answer["tokens"][1]) == ([1], 256)
    assert cosines(answer["embeddings"], reference(["short", LONG])).min() >= 0.9999
    error = error_of(worker.call, "embed", resource_id=model, texts=["short", LONG], truncate=False)
    assert error.code == "invalid_args"
    assert error.details["errors"][0]["path"] == "/texts/1"
    assert "the model takes 256" in error.message


def test_alike_in_sense_is_alike_in_number(worker: Client, model: str) -> None:
    texts = ["The yacht left the harbour.", "A sailing boat put to sea.", "Fry the onions in butter."]
    alike = worker.call("similarity", resource_id=model, texts=texts)["similarity"]
    assert alike[0][1] > alike[0][2] + 0.2
    assert [alike[index][index] for index in range(3)] == pytest.approx([1, 1, 1], abs=1e-5)


def test_quantized_it_is_smaller_and_classifies_nearly_as_well(
    worker: Client, minilm: str, model: str, sentences: List[Tuple[str, str]], figure: Callable[[str], None]
) -> None:
    labels, texts = [label for label, _ in sentences], [text for _, text in sentences]
    full = worker.call("list_models")["models"][0]
    small = worker.call("create_model", model=minilm, quantized=True)
    assert small["memory_bytes"] < 0.7 * full["memory_bytes"]
    rounded = worker.call("embed", resource_id=small["resource_id"], texts=texts)["embeddings"]
    vectors = worker.call("embed", resource_id=model, texts=texts)["embeddings"]
    assert 0.9 < cosines(rounded, vectors).min() < 0.9999
    ours, exact = accuracy(rounded, labels), accuracy(vectors, labels)
    figure(
        f"{MODEL}: quantized {small['memory_bytes'] / 1e6:.0f} MB instead of {full['memory_bytes'] / 1e6:.0f} MB,"
        f" nearest neighbour {ours:.1%} instead of {exact:.1%}"
    )
    assert ours > exact - 0.15


def test_weights_that_were_cut_short_are_named(worker: Client, minilm: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(minilm, tmp_path / "model"))
    file = folder / "model.safetensors"
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)
    error = error_of(worker.call, "create_model", model=str(folder))
    assert error.code == "model_error"
    assert error.details["file"] == str(file)
    assert "was cut short" in error.message
