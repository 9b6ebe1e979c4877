"""Reverse requests of a handler: what is sent, what comes back, and what ends them."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
from fake_host import FakeHost

Start = Callable[..., FakeHost]

CALLER = """
import asyncio, contextvars
@app.command
def ask(ctx: pons.Context, options: dict = {}):
    try:
        return ctx.call("llama:chat", {"q": 1}, **options)
    except pons.Error as error:
        return [str(error), error.code, error.retryable, error.details]
@app.command
async def aask(ctx: pons.Context):
    return await asyncio.gather(ctx.acall("llama:chat", {"q": 1}), pons.current().acall("llama:chat", {"q": 2}))
@app.command
async def impatient(ctx: pons.Context):
    try:
        return await asyncio.wait_for(ctx.acall("llama:chat"), 0.01)
    except asyncio.TimeoutError:
        return "gave up"
@app.command
def chunks(ctx: pons.Context, stop: bool = False):
    stream = ctx.stream("llama:chat")
    got = []
    for chunk in stream:
        got.append(chunk)
        if stop: break
    return [got, stream.result]
@app.command
async def achunks(ctx: pons.Context):
    stream = ctx.stream("llama:chat")
    return [[chunk async for chunk in stream], stream.result]
@app.command
def threads(ctx: pons.Context):
    got = []
    with_context = contextvars.copy_context().run
    one = threading.Thread(target=with_context, args=(lambda: got.append(pons.current().call("llama:chat", {"q": 1})),))
    two = threading.Thread(target=lambda: got.append(ctx.call("llama:chat", {"q": 1})))
    for thread in (one, two):
        thread.start()
        thread.join()
    return got
@app.command
def abandon(ctx: pons.Context):
    def late():
        try: ctx.call("llama:chat")
        except pons.Error as error: print(error.code, flush=True)
    threading.Thread(target=late).start()
    ctx.call("llama:begin")
"""


def answer(host: FakeHost, asked: Dict[str, Any], **reply: Any) -> None:
    host.send_frame({"id": asked["id"], **({"success": True} if "success" not in reply else {}), **reply})


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_a_call_names_its_parent_and_gets_the_reply(start: Start, parameters: str) -> None:
    host = start(CALLER, parameters)
    request = host.send("ask", meta={"correlation_id": "c"}, session_id="s")
    asked = host.asked()
    assert asked == {
        "id": asked["id"],
        "command": "llama:chat",
        "args": {"q": 1},
        "parent_id": request,
        "meta": {"correlation_id": "c"},
    }
    answer(host, asked, result={"text": "hi"})
    assert host.reply(request)["result"] == {"text": "hi"}


def test_its_options_are_said(start: Start) -> None:
    host = start(CALLER)
    request = host.send("ask", {"options": {"session_id": None, "timeout_ms": 250, "idempotent": True}})
    asked = host.asked()
    assert (asked["session_id"], asked["timeout_ms"], asked["idempotent"]) == (None, 250, True)
    answer(host, asked, result=None)
    host.reply(request)


def test_a_failed_call_raises_the_error_of_its_reply(start: Start) -> None:
    host = start(CALLER)
    request = host.send("ask")
    error = {"error": "too much", "code": "rate_limit", "retryable": True, "details": {"limit": 3}}
    answer(host, host.asked(), success=False, **error)
    assert host.reply(request)["result"] == ["too much", "rate_limit", True, {"limit": 3}]


@pytest.mark.parametrize("parameters", ["", "tasks=4"])
def test_coroutines_call_together(start: Start, parameters: str) -> None:
    host = start(CALLER, parameters)
    request = host.send("aask")
    both = [host.asked(), host.asked()]
    for asked in reversed(both):
        answer(host, asked, result=asked["args"]["q"])
    assert host.reply(request)["result"] == [1, 2]


def test_a_coroutine_that_gives_up_cancels_its_call(start: Start) -> None:
    host = start(CALLER)
    request = host.send("impatient")
    asked = host.asked()
    cancel = host.asked()
    assert (cancel["command"], cancel["args"], cancel["parent_id"]) == ("host:cancel", {"id": asked["id"]}, request)
    assert host.reply(request)["result"] == "gave up"


@pytest.mark.parametrize("command", ["chunks", "achunks"])
def test_a_call_streams(start: Start, command: str) -> None:
    host = start(CALLER)
    request = host.send(command)
    asked = host.asked()
    assert asked["stream"] is True
    for seq, chunk in enumerate("ab"):
        answer(host, asked, partial=True, seq=seq, result=chunk)
    answer(host, asked, partial=True, progress={"done": 1})
    answer(host, asked, result="all")
    assert host.reply(request)["result"] == [["a", "b"], "all"]


def test_leaving_a_stream_cancels_it(start: Start) -> None:
    host = start(CALLER)
    request = host.send("chunks", {"stop": True})
    asked = host.asked()
    answer(host, asked, partial=True, seq=0, result="a")
    assert host.asked()["args"] == {"id": asked["id"]}
    assert host.reply(request)["result"] == [["a"], None]


def test_threads_of_a_handler_call_too(start: Start) -> None:
    host = start(CALLER)
    request = host.send("threads")
    for _ in range(2):
        asked = host.asked()
        assert asked["parent_id"] == request
        answer(host, asked, result="hi")
    assert host.reply(request)["result"] == ["hi", "hi"]


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_a_handler_that_waits_for_a_call_is_cancelled(start: Start, parameters: str) -> None:
    host = start(CALLER, parameters)
    request = host.send("ask")
    asked = host.asked()
    assert host.cancel(request) is True
    assert host.reply(request)["code"] == "cancelled"
    answer(host, asked, result="late")  # belongs to nothing any more
    assert host.call("ping")["status"] == "ok"


def test_a_call_that_outlives_its_request_is_over(start: Start) -> None:
    host = start(CALLER)
    request = host.send("abandon")
    asked = {document["command"]: document for document in (host.asked(), host.asked())}
    answer(host, asked["llama:begin"], result=None)
    host.reply(request)
    host.wait_for_log("cancelled\n")


def test_a_reply_to_nothing_is_dropped(start: Start) -> None:
    host = start(CALLER)
    for frame in ({"id": 99, "success": True}, {"id": [], "success": True}, {"success": False}, {"event": "x"}):
        host.send_frame(frame)
    assert host.call("ping")["status"] == "ok"
