"""common:cancel through a worker process: what runs, what waits, what has ended."""

from __future__ import annotations

import random
import select
import socket
import time
from typing import Callable

import pytest
from fake_host import DEADLINE, FakeHost

Start = Callable[..., FakeHost]

BLOCKS = """
import queue, socket, select
left, right = socket.socketpair()
lock = threading.Lock()
lock.acquire()
WAYS = {
    "sleep": lambda: time.sleep(3600),
    "socket": lambda: left.recv(1),
    "select": lambda: select.select([left], [], []),
    "lock": lambda: lock.acquire(),
    "queue": lambda: queue.Queue().get(),
    "event": lambda: threading.Event().wait(),
    "loop": lambda: [None for _ in iter(int, 1)],
}
@app.command
def block(way: str, ctx: pons.Context):
    ctx.send_partial("running")
    WAYS[way]()
@app.command
def greet(): return "hello"
"""


@pytest.mark.parametrize("way", ["sleep", "socket", "select", "lock", "queue", "event", "loop"])
def test_a_handler_on_the_main_thread_is_cancelled_out_of_whatever_it_waits_for(start: Start, way: str) -> None:
    host = start(BLOCKS)
    request = host.send("block", {"way": way}, stream=True)
    host.reply(request)
    assert host.cancel(request) is True
    assert host.reply(request)["code"] == "cancelled"
    assert host.call("greet") == "hello"


def test_a_handler_on_a_thread_is_cancelled_between_two_byte_codes(start: Start) -> None:
    host = start(BLOCKS, "threads=2")
    request = host.send("block", {"way": "loop"}, stream=True)
    host.reply(request)
    assert host.cancel(request) is True
    assert host.reply(request)["code"] == "cancelled"
    assert host.call("greet") == "hello"


@pytest.mark.parametrize("parameters", ["", "tasks=4"])
def test_an_asynchronous_handlers_task_is_cancelled(start: Start, parameters: str) -> None:
    host = start(
        """
import asyncio
@app.command
async def wait(ctx: pons.Context):
    try:
        ctx.send_partial("running")
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("cleaned up")
        raise
@app.command
async def greet(): return "hello"
""",
        parameters,
    )
    request = host.send("wait", stream=True)
    host.reply(request)
    assert host.cancel(request) is True
    assert host.reply(request)["code"] == "cancelled"
    assert host.call("greet") == "hello"
    assert host.log() == "cleaned up\n"


def test_a_generator_that_is_cancelled_is_closed(start: Start) -> None:
    host = start(
        """
@app.command
def count():
    try:
        while True:
            yield 1
            time.sleep(0.001)
    finally:
        print("closed")
"""
    )
    request = host.send("count", stream=True)
    host.reply(request)
    host.cancel(request)
    while host.reply(request).get("partial"):
        pass
    assert host.call("ping")["status"] == "ok"
    assert host.log() == "closed\n"


def test_a_handler_may_refuse_to_be_cancelled(start: Start) -> None:
    host = start(
        """
@app.command
def stubborn(ctx: pons.Context):
    try:
        ctx.send_partial("running")
        time.sleep(3600)
    except pons.Cancelled: return [ctx.cancelled, "went on"]
"""
    )
    request = host.send("stubborn", stream=True)
    host.reply(request)
    host.cancel(request)
    assert host.reply(request)["result"] == [True, "went on"]


def test_a_request_that_waits_is_answered_without_being_run(start: Start) -> None:
    host = start(BLOCKS)
    running = host.send("block", {"way": "sleep"}, stream=True)
    host.reply(running)
    waiting = host.send("greet")
    assert host.cancel(waiting) is True
    error = host.reply(waiting)
    assert (error["code"], error["error"]) == ("cancelled", "The request was cancelled before it ran")
    host.cancel(running)
    host.reply(running)
    assert host.call("get_stats")["errors"] == 2


def test_what_is_not_there_is_not_found(start: Start) -> None:
    host = start(BLOCKS)
    done = host.send("greet")
    host.reply(done)
    assert host.cancel(done) is False
    assert host.cancel(0) is False
    assert host.failure("common:cancel", {})["code"] == "invalid_args"


def test_a_ping_waits_for_the_handler(start: Start) -> None:
    """So that a worker that hangs is seen as hung."""
    host = start(BLOCKS)
    running = host.send("block", {"way": "sleep"}, stream=True)
    host.reply(running)
    ping = host.send("ping")
    assert host.cancel(running) is True  # is read and answered meanwhile, after the ping
    assert host.frame()["id"] == running
    assert host.frame()["id"] == ping


def test_cancellations_at_random_moments_never_harm_the_worker(start: Start) -> None:
    """Each request gets exactly one reply, whenever its cancellation comes; and the stream of frames stays whole."""
    host = start(
        """
@app.command
def work(steps: int, ctx: pons.Context):
    for step in range(steps):
        ctx.send_partial("x" * 50)
        time.sleep(0.0001)
    return "done"
"""
    )
    chance = random.Random(11)
    cancelled = 0
    for _ in range(400):
        request = host.send("work", {"steps": chance.randrange(0, 60)}, stream=True)
        for _ in range(chance.randrange(0, 12)):
            if "partial" not in host.reply(request):
                break
        else:
            cancel = host.send("common:cancel", {"id": request})
            reply = host.reply(request)
            while "partial" in reply:
                reply = host.reply(request)
            host.reply(cancel)
            assert reply["success"] or reply["code"] == "cancelled"
            cancelled += not reply["success"]
    assert cancelled > 0
    assert host.call("ping")["status"] == "ok"
    assert host.log() == ""


def test_a_cancellation_that_goes_unnoticed_is_repeated(start: Start) -> None:
    """As when its signal comes just before the system call that waits."""
    host = start(
        """
import signal
from pons._interrupt import CANCEL_SIGNAL
@app.command
def miss(ctx: pons.Context):
    noticing = signal.getsignal(CANCEL_SIGNAL)
    lost = []
    def lose(*_):
        lost.append(1)
        if len(lost) == 3: signal.signal(CANCEL_SIGNAL, noticing)
    signal.signal(CANCEL_SIGNAL, lose)
    ctx.send_partial("running")
    while True: time.sleep(3600)
"""
    )
    for end in (host.cancel, lambda _: host.hang_up()):
        request = host.send("miss", stream=True)
        host.reply(request)
        end(request)
        assert host.reply(request)["code"] == "cancelled"
    assert host.exit_status() == 0


@pytest.mark.parametrize("parameters", ["", "tasks=2"])
def test_an_asynchronous_generator_that_never_waits_is_cancelled_and_closed(start: Start, parameters: str) -> None:
    host = start(
        """
@app.command
async def count():
    try:
        while True: yield 1
    finally:
        print("closed")
@app.command
async def unsendable():
    try:
        yield object()
    finally:
        print("closed")
""",
        parameters,
    )
    request = host.send("count", stream=True)
    host.reply(request)
    cancel = host.send("common:cancel", {"id": request})
    reply = host.reply(request)
    end = time.monotonic() + DEADLINE
    while reply.get("partial") and time.monotonic() < end:
        reply = host.reply(request)
    assert reply.get("code") == "cancelled"
    assert host.reply(cancel)["result"] == {"found": True}
    assert host.failure("unsendable", stream=True)["code"] == "worker_error"
    assert host.log() == "closed\nclosed\n"


def test_tasks_that_are_cancelled_while_they_begin_are_answered(start: Start) -> None:
    host = start(
        """
import asyncio
sys.setswitchinterval(1e-6)  # threads take turns as often as they can
@app.command
async def wait(): await asyncio.sleep(3600)
""",
        "tasks=64",
    )
    for _ in range(30):
        requests = [host.send("wait") for _ in range(16)]
        cancels = [host.send("common:cancel", {"id": request}) for request in requests]
        for request, cancel in zip(requests, cancels):
            assert host.reply(cancel)["result"]["found"] is True
            assert host.reply(request)["code"] == "cancelled"


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_a_host_that_cancels_and_does_not_read_is_not_answered_without_end(start: Start, parameters: str) -> None:
    host = start(
        """
@app.command
def fill(ctx: pons.Context):
    ctx.send_partial("running")
    while not ctx.cancelled: ctx.send_partial("x" * 100_000)
""",
        parameters,
    )
    request = host.send("fill", stream=True)
    host.reply(request)
    asked = b'{"id":5,"command":"common:cancel","args":{"id":"' + b"x" * 100 + b'"}}'
    many = (len(asked).to_bytes(4, "big") + asked) * 400
    sent = 0
    while select.select([], [host.channel], [], 1.0)[1]:  # until it does not read any more
        sent += host.channel.send(many, socket.MSG_DONTWAIT)
        assert sent < 4 << 20
    host.channel.close()
    assert host.exit_status() == 0
