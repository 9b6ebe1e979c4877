"""Texts that are continued, by a language model with random weights."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any, List

import pons.testing
import pytest
import torch
from conftest import Models, error_of
from text_models.generator import Generator
from text_models.lookup import FoundModel
from text_models.placement import Placement
from text_models.runtime import Device, Runtime
from text_models.sampling import Sampling
from text_models.settings import Settings
from tiny_models import GPT_POSITIONS
from transformers import AutoTokenizer, GPT2LMHeadModel

Client = pons.testing.Client


@pytest.fixture
def model(worker: Client, models: Models) -> str:
    """Return the id of a language model."""
    return str(worker.call("create_model", model=str(models.get("gpt")))["resource_id"])


def likeliest(folder: Path, prompt: str, tokens: int) -> str:
    """Return the likeliest continuation, worked out token by token, without what is tested."""
    network = GPT2LMHeadModel.from_pretrained(str(folder))
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    ids: List[int] = tokenizer(prompt)["input_ids"]
    start = len(ids)
    with torch.no_grad():
        for _ in range(tokens):
            ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
    return str(tokenizer.decode(ids[start:]))


def test_the_model_says_itself_that_it_continues_texts(worker: Client, models: Models) -> None:
    told = worker.call("create_model", model=str(models.get("gpt")))
    assert (told["task"], told["max_tokens"]) == ("generate", GPT_POSITIONS)
    assert "dimensions" not in told


def test_without_a_temperature_the_likeliest_words_follow(worker: Client, models: Models, model: str) -> None:
    answer = worker.call("generate", resource_id=model, prompt="the river", sampling={"max_new_tokens": 9})
    expected = likeliest(models.get("gpt"), "the river", 9)
    assert answer == {"text": expected, "tokens": 9, "finish": "length"}


def test_a_stream_is_the_answer_in_pieces(worker: Client, model: str) -> None:
    args = {"resource_id": model, "prompt": "the river", "sampling": {"max_new_tokens": 9}}
    *pieces, last = worker.call_raw("generate", args, stream=True)
    assert len(pieces) == 9
    assert "".join(piece["result"]["text"] for piece in pieces) == last["result"]["text"]
    assert last["result"] == worker.call("generate", **args)


def test_prompts_of_a_batch_do_not_disturb_each_other(worker: Client, models: Models, model: str) -> None:
    texts = ["the river", "snow", "a boat on the wind and rain"]
    answer = worker.call(
        "execute_resource", resource_id=model, inputs={"texts": texts, "sampling": {"max_new_tokens": 6}}
    )
    assert [each["text"] for each in answer["results"]] == [likeliest(models.get("gpt"), text, 6) for text in texts]
    assert worker.call("execute_resource", resource_id=model, inputs={"texts": []}) == {"results": []}


def test_the_same_seed_chooses_the_same_words(worker: Client, model: str) -> None:
    def said(**sampling: Any) -> Any:
        chosen = {"max_new_tokens": 12, "temperature": 1.5, **sampling}
        return worker.call("generate", resource_id=model, prompt="the river", sampling=chosen)["text"]

    assert said(seed=5) == said(seed=5)
    assert len({said(seed=seed) for seed in range(6)}) > 1
    greedy = worker.call("generate", resource_id=model, prompt="the river", sampling={"max_new_tokens": 12})["text"]
    assert said(seed=5, top_k=1) == greedy
    assert said(seed=5, top_p=1e-6) == greedy


def test_the_token_for_the_end_ends_the_text(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("gpt"), tmp_path / "model"))
    network = GPT2LMHeadModel.from_pretrained(str(folder))
    word = AutoTokenizer.from_pretrained(str(folder))(likeliest(folder, "the river", 3).split()[-1])["input_ids"][0]
    network.generation_config.eos_token_id = word
    network.save_pretrained(str(folder))
    model = worker.call("create_model", model=str(folder))["resource_id"]
    answer = worker.call("generate", resource_id=model, prompt="the river", sampling={"max_new_tokens": 9})
    words = likeliest(folder, "the river", 9).split()
    ended = words.index(likeliest(folder, "the river", 3).split()[-1])
    assert answer == {"text": " ".join(words[:ended]), "tokens": ended, "finish": "end"}


def test_a_prompt_has_to_leave_room(worker: Client, model: str) -> None:
    error = error_of(worker.call, "generate", resource_id=model, prompt="a " * 100, sampling={"max_new_tokens": 64})
    assert error.details["errors"][0]["path"] == "/prompt"
    assert f"has 100 tokens, and the model takes {GPT_POSITIONS - 64}" in error.message
    error = error_of(worker.call, "generate", resource_id=model, prompt="a", sampling={"max_new_tokens": GPT_POSITIONS})
    assert error.details["errors"][0]["path"] == "/sampling/max_new_tokens"
    error = error_of(worker.call, "execute_resource", resource_id=model, inputs={"texts": ["a", "a " * 100]})
    assert error.details["errors"][0]["path"] == "/inputs/texts/1"


def test_of_a_prompt_that_is_cut_the_end_counts(worker: Client, models: Models, model: str) -> None:
    long = "boat " * 200 + "the river and snow"
    sampling = {"max_new_tokens": GPT_POSITIONS - 4}
    answer = worker.call("generate", resource_id=model, prompt=long, sampling=sampling, truncate=True)
    assert answer == worker.call("generate", resource_id=model, prompt="the river and snow", sampling=sampling)


@pytest.mark.parametrize(
    ("sampling", "path"),
    [
        ({"max_new_tokens": 0}, "/sampling/max_new_tokens"),
        ({"temperature": -1}, "/sampling/temperature"),
        ({"top_p": 0}, "/sampling/top_p"),
        ({"top_k": -1}, "/sampling/top_k"),
        ({"seed": -1}, "/sampling/seed"),
        ({"temperature": "hot"}, "/sampling/temperature"),
    ],
)
def test_a_number_out_of_its_range_is_named(worker: Client, model: str, sampling: Any, path: str) -> None:
    error = error_of(worker.call, "generate", resource_id=model, prompt="the", sampling=sampling)
    assert error.code == "invalid_args"
    assert error.details["errors"][0]["path"] == path


def test_an_empty_prompt_is_refused(worker: Client, model: str) -> None:
    error = error_of(worker.call, "generate", resource_id=model, prompt="")
    assert error.details["errors"] == [
        {"path": "/prompt", "message": "the prompt is empty", "expected": "a text of at least one token"}
    ]


def test_a_stream_that_is_left_stops_the_computation(models: Models) -> None:
    # All of it would take hours: it ends only because it is stopped.
    folder = models.get("gpt", positions=65536)
    found = FoundModel("gpt", folder, "directory")
    generator = Generator(Runtime(Settings()), found, Placement("float32", Device("cpu"), False))
    stream = generator.stream("the river", Sampling(max_new_tokens=60000), truncate=False, path="")
    assert next(stream).text
    assert any(thread.name.startswith("generation") for thread in threading.enumerate())
    stream.close()
    assert not any(thread.name.startswith("generation") for thread in threading.enumerate())


def test_what_fails_in_the_computation_is_raised_where_it_is_awaited(
    worker: Client, models: Models, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models.get("gpt"), tmp_path / "model"))
    # A tokenizer that knows more words than the model: the last one has no vector.
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.add_tokens(["elephant"])
    tokenizer.save_pretrained(str(folder))
    model = worker.call("create_model", model=str(folder))["resource_id"]
    for stream in (True, False):
        (reply,) = worker.call_raw("generate", {"resource_id": model, "prompt": "elephant"}, stream=stream)
        assert reply["code"] == "worker_error"
        assert reply["details"]["type"] == "IndexError"
