"""A bridge of the classic contract is served after its import line was changed, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from host import Host, python_worker


@pytest.fixture
def host(start: Callable[..., Host], tmp_path: Path) -> Host:
    classic = (Path(__file__).parent / "classic_bridge.py").read_text(encoding="utf-8")
    (tmp_path / "bridge.py").write_text(
        classic.replace("from base_bridge import BaseBridge", "from pons import BaseBridge"), encoding="utf-8"
    )
    entry = python_worker("./bridge.py", "--mode", "pool-worker", "--worker-id", "words-7")
    return start({"adapters": {"words": entry}})


def test_its_handlers_are_commands(host: Host) -> None:
    document = host.result("words:create_document", {"text": "the end of the end"})
    assert document == {"resource_id": "document-1", "length": 18}
    counted = host.result("words:count_words", {"resource_id": "document-1"})
    assert counted["counts"] == {"end": 2}
    assert counted["elapsed"] > 0
    host.wait_log("framework is ready")


def test_it_has_the_attributes_of_the_contract(host: Host) -> None:
    found = host.result("words:who")
    assert found["mode"] == "pool-worker"
    assert found["worker_id"] == "words-7"
    handlers = ["cleanup", "count_words", "create_document", "fail", "get_info", "get_stats", "ping", "who"]
    assert found["handlers"] == handlers


def test_what_a_handler_raises_is_an_error_and_counted(host: Host) -> None:
    error = host.error("words:fail", {"what": "count"})
    assert (error["code"], error["error"]) == ("worker_error", "Cannot count")
    assert error["details"]["type"] == "ValueError"
    assert host.error("words:count_words", {"resource_id": "document-9"})["details"]["type"] == "KeyError"
    host.result("words:who")
    stats = host.result("words:get_stats")
    assert (stats["request_count"], stats["error_count"]) == (3, 2)


def test_its_own_common_commands_add_to_those_of_every_worker(host: Host) -> None:
    ping = host.result("words:ping")
    assert (ping["status"], ping["framework"]) == ("ok", "words")
    info = host.result("words:get_info")
    assert (info["name"], info["version"], info["capabilities"]) == ("words", "2.1", ["counting"])
    assert info["stop_words"] == ["a", "of", "the"]
    described = {command["name"]: command["description"] for command in info["commands"]}
    assert described["create_document"] == "Keep a text."
    host.result("words:create_document", {"text": "a"})
    cleaned = host.result("words:cleanup")
    assert (cleaned["documents_removed"], cleaned["resources_removed"]) == (1, 0)
    assert host.error("words:count_words", {"resource_id": "document-1"})["code"] == "worker_error"
