"""What a handler asks of others while it serves, through the real host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import pytest

from host import ROOT, Host, python_worker

FRONT = """
import threading, time
import pons

app = pons.App("front", version="1.0")


@app.command
def reversed_twice(text: str, ctx: pons.Context) -> str:
    once = ctx.call("bare:reverse", {"text": text})["text"]
    return ctx.call("bare:reverse", {"text": once})["text"]


@app.command
async def reversed_later(text: str, ctx: pons.Context) -> str:
    return (await ctx.acall("bare:reverse", {"text": text}))["text"]


@app.command
def reversed_by_a_thread(text: str, ctx: pons.Context) -> list:
    found = []
    thread = threading.Thread(target=lambda: found.append(ctx.call("bare:reverse", {"text": text})["text"]))
    thread.start()
    thread.join()
    return found


@app.command
def chunks(until: int, ctx: pons.Context) -> list:
    return list(ctx.stream("back:count", {"until": until}))


@app.command
def of_nobody(ctx: pons.Context) -> str:
    try:
        ctx.call("nobody:there")
    except pons.Error as error:
        return error.code
    return "answered"


@app.command
def of_itself(ctx: pons.Context) -> None:
    ctx.call("front:of_nobody")


@app.command
def waits(ctx: pons.Context) -> None:
    ctx.call("back:forever", {"remaining": ctx.remaining()})


app.run()
"""

BACK = """
import time
import pons

app = pons.App("back", version="1.0")


@app.command
def count(until: int):
    yield from range(until)


@app.command
def forever(remaining: float, ctx: pons.Context) -> None:
    print("no more time than the caller:", ctx.remaining() <= remaining)
    try:
        time.sleep(1000)
    except pons.Cancelled:
        print("the called one was cancelled")
        raise


app.run()
"""


@pytest.fixture
def host(start: Callable[..., Host], tmp_path: Path) -> Host:
    (tmp_path / "front.py").write_text(FRONT, encoding="utf-8")
    (tmp_path / "back.py").write_text(BACK, encoding="utf-8")
    bare = {"command": [sys.executable, str(ROOT / "tests/workers/bare_worker.py")], "channel": "stdio"}
    adapters = {"front": python_worker("./front.py"), "back": python_worker("./back.py"), "bare": bare}
    return start({"adapters": adapters, "defaults": {"timeouts": {"queue": "60s", "request": "60s"}}})


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_a_handler_calls_another_adapter_twice(host: Host, codec: str) -> None:
    assert host.result("front:reversed_twice", {"text": "pons"}, codec) == "pons"


def test_coroutines_and_threads_call_as_well(host: Host) -> None:
    assert host.result("front:reversed_later", {"text": "pons"}) == "snop"
    assert host.result("front:reversed_by_a_thread", {"text": "pons"}) == ["snop"]


def test_the_chunks_of_a_call_arrive_one_by_one(host: Host) -> None:
    assert host.result("front:chunks", {"until": 3}) == [0, 1, 2]


def test_a_call_that_fails_raises_its_error(host: Host) -> None:
    assert host.result("front:of_nobody") == "unknown_namespace"


def test_a_worker_that_can_only_wait_for_itself_is_told_so(host: Host) -> None:
    assert host.error("front:of_itself")["code"] == "call_cycle"
    assert host.result("front:of_nobody") == "unknown_namespace"


def test_cancelling_a_request_cancels_what_it_asked_for(host: Host) -> None:
    request = host.send("front:waits")
    host.wait_log("no more time than the caller: True")
    host.result("host:cancel", {"id": request})
    assert host.reply(request)["code"] == "cancelled"
    host.wait_log("the called one was cancelled")
    assert host.result("back:ping")["status"] == "ok"
    assert host.result("front:reversed_twice", {"text": "a"}) == "a"


def test_the_deadline_of_a_request_is_that_of_its_calls(host: Host) -> None:
    host.result("front:of_nobody")
    host.result("back:ping")
    assert host.error("front:waits", timeout_ms=1000)["code"] == "deadline_exceeded"
    host.wait_log("no more time than the caller: True")
    host.wait_log("the called one was cancelled")
