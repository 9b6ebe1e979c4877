"""All frameworks at once: each in its own environment, behind one socket, asking each other."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from host import Host, wait_for_end

MODEL = "all-minilm-l6-v2"


def encoder(host: Host) -> str:
    """Return the id of the real model. Where its package is missing the test is not run."""
    reply = host.call("transformers:create_model", {"model": MODEL}, timeout_ms=300_000)
    if not reply["success"] and reply["code"] == "invalid_args":
        pytest.skip(f"the model {MODEL} is not there: {reply['error']}")
    assert reply["success"], reply
    return str(reply["result"]["resource_id"])


def worker_of(host: Host, adapter: str) -> dict[str, Any]:
    workers = host.result("host:workers")["workers"]
    return next(worker for worker in workers if worker["adapter"] == adapter and worker["state"] in ("idle", "busy"))


def test_every_adapter_answers(everybody: Host) -> None:
    names = [each["name"] for each in everybody.result("host:list_frameworks")["frameworks"]]
    assert {"caller", "echo", "transformers"} <= set(names)
    requests = {name: everybody.send(f"{name}:ping", timeout_ms=300_000) for name in names}
    for name, request in requests.items():
        assert everybody.reply(request)["success"], name


def test_one_framework_asks_another(everybody: Host) -> None:
    model = encoder(everybody)
    texts = {"model": model, "a": "A ship put to sea.", "b": "The yacht left the harbour."}
    near = everybody.result("caller:alike", texts)
    far = everybody.result("caller:alike", {**texts, "b": "Fry the onions until golden."})
    assert far < near <= 1


def test_a_chain_goes_from_one_adapter_to_the_next_but_not_round(everybody: Host) -> None:
    def chain(command: str) -> dict[str, Any]:
        return {"command": "caller:relay", "args": {"command": command, "args": {}}}

    assert everybody.result("echo:call", chain("transformers:ping"), timeout_ms=300_000)["status"] == "ok"
    assert everybody.error("echo:call", chain("echo:echo"))["code"] == "call_cycle"


def test_a_framework_that_dies_takes_nothing_from_the_others(everybody: Host) -> None:
    everybody.result("transformers:ping", timeout_ms=300_000)
    victim = worker_of(everybody, "transformers")
    requests = [everybody.send("echo:echo", {"n": n}) for n in range(200)]
    os.kill(victim["pid"], signal.SIGKILL)
    wait_for_end(victim["pid"])
    for n, request in enumerate(requests):
        assert everybody.reply(request)["result"] == {"n": n}
    assert everybody.result("transformers:ping", timeout_ms=300_000)["status"] == "ok"
    assert worker_of(everybody, "transformers")["incarnation"] > victim["incarnation"]


def test_memory_of_all_of_them(everybody: Host) -> None:
    for adapter in ("caller", "transformers"):
        everybody.result(f"{adapter}:ping", timeout_ms=300_000)
    sizes = {each["worker_id"]: each["memory_rss_bytes"] >> 20 for each in everybody.result("host:workers")["workers"]}
    print("resident MiB:", sizes, "host:", everybody.result("host:get_stats")["host"]["memory_rss_bytes"] >> 20)
    assert all(sizes.values())
