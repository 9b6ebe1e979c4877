"""The adapter under a real host."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import struct
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from conftest import MODEL, Models
from sentence_transformers import SentenceTransformer

import host as hosts
from host import Host, read_frames

SENTENCES = Path(__file__).parent / "data/sentences.tsv"

Serve = Callable[..., Host]


def created(host: Host, folder: Any, **more: Any) -> str:
    return str(host.result("transformers:create_model", {"model": str(folder), **more})["resource_id"])


def ask(path: Path, requests: List[Dict[str, Any]]) -> List[Any]:
    """Return the results of requests, sent one after the other over a connection of their own."""
    results: List[Any] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(hosts.DEADLINE)
        connection.connect(str(path))
        with connection.makefile("rb") as stream:
            replies = read_frames(stream)
            for number, request in enumerate(requests, 1):
                body = json.dumps({"id": number, **request}).encode()
                connection.sendall(struct.pack(">I", len(body)) + body)
                reply = next(replies)
                assert reply["success"], reply
                results.append(reply["result"])
    return results


def ask_together(path: Path, batches: List[List[Dict[str, Any]]]) -> List[List[Any]]:
    """Return the results of several clients that ask at once."""
    answers: List[List[Any]] = [[] for _ in batches]
    begin = threading.Barrier(len(batches))

    def one(index: int) -> None:
        begin.wait(hosts.DEADLINE)
        answers[index] = ask(path, batches[index])

    clients = [threading.Thread(target=one, args=(index,)) for index in range(len(batches))]
    for client in clients:
        client.start()
    for client in clients:
        client.join(hosts.DEADLINE)
        assert not client.is_alive()
    return answers


def test_a_model_from_its_creation_to_its_end(serve: Serve, models: Models) -> None:
    host = serve()
    model = created(host, models.get("bert"))
    args = {"resource_id": model, "texts": ["the river", "snow"]}
    lists = host.result("transformers:embed", args)["embeddings"]
    array = host.result("transformers:embed", args, codec="msgpack")["embeddings"]
    np.testing.assert_array_equal(np.frombuffer(array["data"], "<f4").reshape(array["shape"]), np.float32(lists))
    assert host.result("transformers:list_models")["models"][0]["resource_id"] == model
    assert host.result("transformers:get_stats")["model_memory_bytes"] > 0
    assert host.result("transformers:get_info")["framework"] == "Transformers"
    host.result("transformers:delete_resource", {"resource_id": model})
    assert host.error("transformers:embed", args)["code"] == "resource_not_found"


def test_mistakes_cost_their_request_only(serve: Serve, models: Models, tmp_path: Path) -> None:
    host = serve()
    model = created(host, models.get("bert"))
    broken = Path(shutil.copytree(models.get("bert"), tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"broken")
    mistakes: List[Any] = [
        ("create_model", {"model": str(tmp_path / "none")}, "invalid_args", f"{tmp_path / 'none'} does not exist"),
        (
            "create_model",
            {"model": str(broken)},
            "model_error",
            f"{broken / 'model.safetensors'}: is no safetensors file",
        ),
        ("create_model", {"model": 3}, "invalid_args", "/model: expected a string"),
        ("embed", {"resource_id": model, "texts": "snow"}, "invalid_args", "/texts: expected a list"),
        ("embed", {"resource_id": model, "texts": ["snow", None]}, "invalid_args", "/texts/1: expected a string"),
        (
            "embed",
            {"resource_id": model, "texts": ["a " * 99], "truncate": False},
            "invalid_args",
            "the model takes 64",
        ),
    ]
    for command, args, code, said in mistakes:
        error = host.error(f"transformers:{command}", args)
        assert (error["code"], said in error["error"]) == (code, True), error
    assert host.result("transformers:embed", {"resource_id": model, "texts": ["snow"]})["tokens"] == [3]
    assert [worker["restarts"] for worker in host.result("host:workers")["workers"]] == [0]


def test_text_is_streamed_and_a_cancel_stops_it_at_the_next_token(serve: Serve, models: Models) -> None:
    # The whole of it would take hours, and nobody ends the worker before that.
    host = serve(timeouts={"request": "1h", "max": "1h", "cancel_grace": "1h"})
    model = created(host, models.get("gpt", positions=65536))
    args = {"resource_id": model, "prompt": "the river", "sampling": {"max_new_tokens": 60000}}
    request = host.send("transformers:generate", args, stream=True)
    host.wait_partial(request, lambda partial: partial.get("seq", 0) >= 3)
    assert all(set(partial["result"]) == {"text"} for partial in host.partials(request))
    host.result("host:cancel", {"id": request})
    assert host.reply(request)["code"] == "cancelled"
    short = {**args, "sampling": {"max_new_tokens": 3}}
    assert host.result("transformers:generate", short)["tokens"] == 3
    assert [worker["restarts"] for worker in host.result("host:workers")["workers"]] == [0]


def test_a_model_of_the_option_preload_is_in_every_worker(serve: Serve, models: Models, tmp_path: Path) -> None:
    folder = models.get("bert")
    path = tmp_path / "pons.sock"
    options = {"preload": ["bert"], "model_cache_dir": str(folder.parent), "threads": 1}
    host = serve("--socket", str(path), options=options, pool={"size": 2, "min_ready": 2})
    host.result("host:start_bridge", {"name": "transformers"})
    asked = {"command": "transformers:embed", "args": {"model": "bert", "texts": ["snow"] * 64}}
    answers = ask_together(path, [[asked] * 4] * 4)
    assert all(answer == answers[0][0] for each in answers for answer in each)
    assert len(host.result("host:workers")["workers"]) == 2


def test_options_that_cannot_be_kept_are_told_to_the_caller(serve: Serve) -> None:
    host = serve(options={"preload": ["/nowhere/at/all"]})
    error = host.error("transformers:list_models")
    assert "options.preload: /model: /nowhere/at/all does not exist" in json.dumps(error)


def test_four_clients_at_once_get_the_vectors_of_the_reference(
    serve: Serve, minilm: str, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    path = tmp_path / "pons.sock"
    host = serve("--socket", str(path))
    model = created(host, minilm)
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    parts = [texts[index::4] for index in range(4)]
    batches = [
        [
            {"command": "transformers:embed", "args": {"resource_id": model, "texts": part[start : start + 8]}}
            for start in range(0, len(part), 8)
        ]
        for part in parts
    ]
    answers = ask_together(path, batches)
    reference = SentenceTransformer(minilm, device="cpu")
    for part, answer in zip(parts, answers):
        vectors = np.array([vector for result in answer for vector in result["embeddings"]])
        assert (vectors * reference.encode(part)).sum(axis=1).min() >= 0.9999
    rss = host.result("transformers:get_stats")["memory_rss_bytes"]
    figure(f"{MODEL}: a worker that holds the model has {rss / 1e6:.0f} MB resident")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_the_largest_batch_goes_through_in_both_codecs(serve: Serve, minilm: str, codec: str) -> None:
    host = serve()
    args = {"resource_id": created(host, minilm), "texts": ["The train was late again."] * 256, "batch_size": 256}
    embeddings = host.result("transformers:embed", args, codec=codec)["embeddings"]
    shape = embeddings["shape"] if codec == "msgpack" else list(np.shape(embeddings))
    assert shape == [256, 384]
