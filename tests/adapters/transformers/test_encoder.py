"""Vectors of texts, by encoders with random weights: the same numbers as the reference, whatever the batches."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pons.testing
import pytest
from conftest import Models, error_of
from sentence_transformers import SentenceTransformer
from tiny_models import BERT_HIDDEN, BERT_POSITIONS

Client = pons.testing.Client

TEXTS = ["the river boat and snow", "", "violin", "storm " * 200, "one two, three four five six seven!", "zebra"]
MODES = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]


def created(worker: Client, folder: Path, **more: Any) -> str:
    return str(worker.call("create_model", model=str(folder), **more)["resource_id"])


@pytest.mark.parametrize("pooling", [[mode] for mode in MODES] + [["cls_token", "mean_tokens", "lasttoken"]])
@pytest.mark.parametrize("normalize", [True, False])
def test_every_pooling_gives_the_vectors_of_the_reference(
    worker: Client, models: Models, pooling: List[str], normalize: bool
) -> None:
    folder = models.get("sentence_encoder", pooling, normalize=normalize)
    answer = worker.call("embed", resource_id=created(worker, folder), texts=TEXTS, batch_size=4)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    assert answer["dimensions"] == BERT_HIDDEN * len(pooling)
    np.testing.assert_allclose(np.array(answer["embeddings"]), expected, atol=2e-5)


def test_texts_are_prepared_as_the_models_files_say(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("sentence_encoder", ["mean_tokens"]), tmp_path / "model"))
    prompts = {"default_prompt_name": "song", "prompts": {"song": "a song: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts), encoding="utf-8")
    answer = worker.call("embed", resource_id=created(worker, folder), texts=["the river"])
    reference = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(np.array(answer["embeddings"]), reference.encode(["the river"]), atol=2e-5)
    np.testing.assert_allclose(
        np.array(answer["embeddings"]), reference.encode(["a song: the river"], prompt=""), atol=2e-5
    )


def test_small_letters_where_the_model_wants_them(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("sentence_encoder", ["mean_tokens"]), tmp_path / "model"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")

    def of(text: str) -> Any:
        return worker.call("embed", resource_id=created(worker, folder), texts=[text])["embeddings"]

    assert of("RIVER") != of("river")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 32, "do_lower_case": true}', encoding="utf-8")
    assert of("RIVER") == of("river")


def test_what_is_too_long_is_cut_and_said_or_refused(worker: Client, models: Models) -> None:
    model = created(worker, models.get("sentence_encoder", ["mean_tokens"]))
    long = "storm " * 200
    answer = worker.call("embed", resource_id=model, texts=["river", long, long])
    assert answer["truncated"] == [1, 2]
    assert answer["tokens"] == [3, 32, 32]
    # 30 words and the model's own two tokens are all that counts.
    assert answer["embeddings"][1] == pytest.approx(
        worker.call("embed", resource_id=model, texts=["storm " * 30])["embeddings"][0], abs=1e-6
    )
    error = error_of(worker.call, "embed", resource_id=model, texts=["river", long], truncate=False)
    assert error.code == "invalid_args"
    assert [each["path"] for each in error.details["errors"]] == ["/texts/1"]
    assert "has 202 tokens, and the model takes 32" in error.message


def test_without_a_limit_of_its_own_a_model_takes_as_much_as_it_has_positions(worker: Client, models: Models) -> None:
    model = created(worker, models.get("bert"))
    answer = worker.call("embed", resource_id=model, texts=["storm " * 200])
    assert answer["tokens"] == [BERT_POSITIONS]


def test_a_normalized_vector_has_length_one_and_the_caller_may_choose(worker: Client, models: Models) -> None:
    model = created(worker, models.get("sentence_encoder", ["mean_tokens"], normalize=False))

    def lengths(**more: Any) -> Any:
        return np.linalg.norm(worker.call("embed", resource_id=model, texts=TEXTS[:3], **more)["embeddings"], axis=1)

    assert lengths(normalize=True) == pytest.approx([1, 1, 1], abs=1e-5)
    assert abs(lengths() - 1).max() > 0.1


def test_the_batch_size_changes_nothing(worker: Client, models: Models) -> None:
    model = created(worker, models.get("bert"))
    texts = [" ".join(TEXTS[index % 3 :: 2])[: 5 + index] for index in range(70)]
    alone = np.array([worker.call("embed", resource_id=model, texts=[text])["embeddings"][0] for text in texts])
    for size in (1, 7, 70, 1024):
        together = worker.call("embed", resource_id=model, texts=texts, batch_size=size)
        np.testing.assert_allclose(np.array(together["embeddings"]), alone, atol=1e-5)


def test_no_texts_no_vectors(worker: Client, models: Models) -> None:
    answer = worker.call("embed", resource_id=created(worker, models.get("bert")), texts=[])
    assert answer == {"embeddings": [], "dimensions": BERT_HIDDEN, "tokens": [], "truncated": []}


def test_over_messagepack_vectors_are_bytes(start: Callable[..., Client], models: Models) -> None:
    folder = models.get("bert")
    by_json, by_msgpack = start("json"), start("msgpack")
    lists = by_json.call("embed", resource_id=created(by_json, folder), texts=TEXTS)["embeddings"]
    array = by_msgpack.call("embed", resource_id=created(by_msgpack, folder), texts=TEXTS)["embeddings"]
    assert (array["dtype"], array["shape"]) == ("float32", [len(TEXTS), BERT_HIDDEN])
    np.testing.assert_array_equal(np.frombuffer(array["data"], "<f4").reshape(array["shape"]), np.float32(lists))


def test_executing_a_model_embeds(worker: Client, models: Models) -> None:
    model = created(worker, models.get("bert"))
    inputs = {"texts": TEXTS, "normalize": False, "batch_size": 2}
    expected = worker.call("embed", resource_id=model, **inputs)
    assert worker.call("execute_resource", resource_id=model, inputs=inputs) == expected


def test_progress_is_told(worker: Client, models: Models) -> None:
    model = created(worker, models.get("bert"))
    frames = worker.call_raw("embed", {"resource_id": model, "texts": TEXTS, "batch_size": 2}, stream=True)
    assert frames[0]["progress"] == {"done": 0, "total": len(TEXTS), "message": "embedding"}


def test_similarity_is_the_cosine(worker: Client, models: Models) -> None:
    model = created(worker, models.get("sentence_encoder", ["mean_tokens"], normalize=False))
    vectors = np.array(worker.call("embed", resource_id=model, texts=TEXTS)["embeddings"])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    own = worker.call("similarity", resource_id=model, texts=TEXTS)
    np.testing.assert_allclose(np.array(own["similarity"]), units @ units.T, atol=1e-5)
    assert own["truncated"] == own["others_truncated"] == [3]
    others = worker.call("similarity", resource_id=model, texts=TEXTS[:2], others=TEXTS[2:])
    np.testing.assert_allclose(np.array(others["similarity"]), units[:2] @ units[2:].T, atol=1e-5)
    assert (others["truncated"], others["others_truncated"]) == ([], [1])
    error = error_of(worker.call, "similarity", resource_id=model, texts=["a"], others=[TEXTS[3]], truncate=False)
    assert error.details["errors"][0]["path"] == "/others/0"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_shorter_numbers_take_half_the_memory(worker: Client, models: Models, dtype: str) -> None:
    full = worker.call("create_model", model=str(models.get("bert")))
    half = worker.call("create_model", model=str(models.get("bert")), dtype=dtype)
    assert half["dtype"] == dtype
    assert half["memory_bytes"] < 0.52 * full["memory_bytes"]
    wanted = np.array(worker.call("embed", resource_id=full["resource_id"], texts=TEXTS)["embeddings"])
    found = np.array(worker.call("embed", resource_id=half["resource_id"], texts=TEXTS)["embeddings"])
    assert (wanted * found).sum(axis=1).min() > 0.995


def test_a_quantized_model_is_smaller_and_nearly_the_same(worker: Client, models: Models) -> None:
    full = worker.call("create_model", model=str(models.get("bert")))
    small = worker.call("create_model", model=str(models.get("bert")), quantized=True)
    assert small["quantized"] is True
    assert small["memory_bytes"] < 0.5 * full["memory_bytes"]
    wanted = np.array(worker.call("embed", resource_id=full["resource_id"], texts=TEXTS)["embeddings"])
    found = np.array(worker.call("embed", resource_id=small["resource_id"], texts=TEXTS)["embeddings"])
    cosines = (wanted * found).sum(axis=1)
    assert 0.95 < cosines.min() < 0.999999


@pytest.mark.parametrize(("more", "path"), [({"dtype": "float16"}, "/dtype"), ({"device": "cuda"}, "/device")])
def test_quantized_does_not_go_with_everything(worker: Client, models: Models, more: Any, path: str) -> None:
    error = error_of(created, worker, models.get("bert"), quantized=True, **more)
    assert error.details["errors"][0]["path"] == path
