"""Several requests together: on threads, and on the event loop."""

from __future__ import annotations

from typing import Callable

import pytest
from fake_host import FakeHost

Start = Callable[..., FakeHost]

GATES = """
import asyncio
@app.command
def wait(ctx: pons.Context, name: str):
    ctx.send_partial(threading.current_thread() is threading.main_thread())
    return [name, ctx.call("x:gate", {"name": name}), pons.current() is ctx]
@app.command
async def await_(ctx: pons.Context, name: str):
    ctx.send_partial(threading.current_thread() is threading.main_thread())
    return [name, await ctx.acall("x:gate", {"name": name}), pons.current() is ctx]
@app.command
def quick(): return 1
"""


@pytest.mark.parametrize(
    ("parameters", "command"), [("threads=3", "wait"), ("tasks=3", "await_"), ("threads=3, tasks=3", "await_")]
)
def test_requests_run_together_and_are_answered_as_they_end(start: Start, parameters: str, command: str) -> None:
    host = start(GATES, parameters)
    assert host.call("get_info")["concurrency"] == 3
    requests = {host.send(command, {"name": name}, stream=True): name for name in "abc"}
    gates = {asked["parent_id"]: asked for asked in (host.asked(), host.asked(), host.asked())}
    assert host.call("ping")["status"] == "ok"
    for request, name in reversed(list(requests.items())):
        host.send_frame({"id": gates[request]["id"], "success": True, "result": name.upper()})
        on_main = host.reply(request)
        assert on_main["result"] is (command == "await_")
        assert host.reply(request)["result"] == [name, name.upper(), True]


@pytest.mark.parametrize(("parameters", "command"), [("threads=2", "wait"), ("tasks=2", "await_")])
def test_what_goes_beyond_waits_and_can_be_cancelled(start: Start, parameters: str, command: str) -> None:
    host = start(GATES, parameters)
    requests = [host.send(command, {"name": name}) for name in "abcd"]
    gates = [host.asked(), host.asked()]
    assert host.cancel(requests[3]) is True
    assert host.reply(requests[3])["error"] == "The request was cancelled before it ran"
    for asked in gates:
        host.send_frame({"id": asked["id"], "success": True, "result": 1})
    host.send_frame({"id": host.asked()["id"], "success": True, "result": 1})
    assert [host.reply(request)["success"] for request in requests[:3]] == [True] * 3


def test_plain_handlers_do_not_block_the_loop(start: Start) -> None:
    host = start(GATES, "tasks=2")
    plain = host.send("wait", {"name": "a"})
    gate = host.asked()
    task = host.send("await_", {"name": "b"})
    host.send_frame({"id": host.asked()["id"], "success": True, "result": 1})
    assert host.reply(task)["success"]
    host.send_frame({"id": gate["id"], "success": True, "result": 1})
    assert host.reply(plain)["success"]


def test_unknown_commands_are_answered(start: Start) -> None:
    host = start(GATES, "threads=2")
    assert host.failure("nope")["error"] == "Unknown command: nope"
    assert host.failure("x:y")["error"] == "Unknown namespace: x"
    assert host.failure("quick", {"a": 1})["code"] == "invalid_args"
    assert host.call("get_stats")["errors"] == 3


def test_a_start_that_fails_ends_it(start: Start) -> None:
    host = start("@app.on_start\ndef load(): raise pons.ConfigurationError('no model')\n", "threads=2", handshake=False)
    assert host.failure("get_info")["code"] == "invalid_configuration"
    assert host.exit_status() == 78


def test_a_thousand_requests_at_once_each_have_their_reply(start: Start) -> None:
    host = start(GATES, "threads=8")
    requests = [host.send("quick") for _ in range(1000)]
    replies = [host.frame() for _ in requests]
    assert sorted(reply["id"] for reply in replies) == requests
    assert all(reply["result"] == 1 for reply in replies)


@pytest.mark.parametrize("parameters", ["", "tasks=2"])
def test_a_task_that_wants_to_exit_takes_nobody_along(start: Start, parameters: str) -> None:
    host = start(
        """
import asyncio
async def leave(): sys.exit(4)
@app.command
async def aside(ctx: pons.Context):
    asyncio.ensure_future(leave())
    return await ctx.acall("x:gate")
@app.command
async def awaited(): await asyncio.gather(leave())
""",
        parameters,
    )
    request = host.send("aside")
    host.send_frame({"id": host.asked()["id"], "success": True, "result": "fine"})
    assert host.reply(request)["result"] == "fine"
    assert host.failure("awaited")["details"]["type"] == "SystemExit"
    host.hang_up()
    assert host.exit_status() == 0
