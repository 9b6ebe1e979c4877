"""Slot: Cancelled appears inside the handler or not at all, whenever it is thrown."""

from __future__ import annotations

import asyncio
import json
import queue
import random
import signal
import sys
import threading
import time
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List

import pons
import pytest
from pons._codec import JSON
from pons._interrupt import CANCEL_SIGNAL, MainSlot, Slot, ThreadSlot
from pons._request import Request
from pons._server import Outlet, Server

ROUNDS = 2000


def make_request(number: int) -> Request:
    return Request({"id": number, "command": "work"}, JSON)


def spin(seconds: float) -> str:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return "done"


class Canceller:
    """A thread that cancels each request that it is given, after a time."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.done = threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def cancel_after(self, request: Request, seconds: float) -> None:
        self._work.put((request, seconds))

    def stop(self) -> None:
        self._work.put(None)

    def _run(self) -> None:
        while True:
            job = self._work.get()
            if job is None:
                return
            request, seconds = job
            spin(seconds)
            request.cancelled = True
            if request.interrupt is not None:
                request.interrupt(request)
            self.done.release()


@pytest.fixture
def canceller() -> Iterator[Canceller]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    one = Canceller()
    yield one
    one.stop()
    sys.setswitchinterval(interval)


def check_outcomes(slot: Slot, canceller: Canceller) -> None:
    """Cancels at random times. Any Cancelled outside of the handler fails the test by itself."""
    chance = random.Random(3)
    for number in range(1, ROUNDS):
        request = make_request(number)
        canceller.cancel_after(request, chance.uniform(0, 150e-6))
        must_be_cancelled = number % 4 == 0
        value, error = slot.run(request, spin, {"seconds": 3600 if must_be_cancelled else chance.uniform(0, 150e-6)})
        spin(chance.uniform(0, 30e-6))  # the SDK's own code: nothing may come here
        if error is None:
            assert value == "done"
            assert not must_be_cancelled
        else:
            assert isinstance(error, pons.Cancelled)
        canceller.done.acquire()
        spin(10e-6)


def test_the_main_thread_is_interrupted_inside_the_handler_only(canceller: Canceller) -> None:
    old = signal.getsignal(CANCEL_SIGNAL)
    slot = MainSlot()
    slot.install()
    try:
        check_outcomes(slot, canceller)
    finally:
        signal.signal(CANCEL_SIGNAL, old)


def on_a_thread(work: Any) -> Any:
    result: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            result.put((work(), None))
        except BaseException as error:
            result.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    value, error = result.get(timeout=120)
    if error is not None:
        raise error
    return value


def test_a_thread_is_interrupted_inside_the_handler_only(canceller: Canceller) -> None:
    on_a_thread(lambda: check_outcomes(ThreadSlot(), canceller))


def test_what_is_shielded_is_never_left_half_way(canceller: Canceller) -> None:
    def run() -> List[int]:
        slot = ThreadSlot()
        chance = random.Random(5)
        steps: List[int] = []

        def two_steps() -> None:
            steps.append(1)
            spin(chance.uniform(0, 40e-6))
            steps.append(2)

        def handler() -> None:
            while True:
                slot.shielded(two_steps)
                spin(chance.uniform(0, 10e-6))

        for number in range(1, 700):
            request = make_request(number)
            canceller.cancel_after(request, chance.uniform(0, 200e-6))
            _, error = slot.run(request, handler, {})
            assert isinstance(error, pons.Cancelled)
            canceller.done.acquire()
        return steps

    steps = on_a_thread(run)
    assert len(steps) % 2 == 0
    assert steps == [1, 2] * (len(steps) // 2)


def test_a_request_that_was_cancelled_before_it_began_is_not_run() -> None:
    request = make_request(1)
    request.cancelled = True
    ran: List[int] = []
    _, error = Slot().run(request, lambda: ran.append(1), {})
    assert isinstance(error, pons.Cancelled)
    assert ran == []


def test_cancelled_comes_once_and_a_handler_may_go_on() -> None:
    slot = Slot()
    request = make_request(1)

    def handler() -> str:
        request.cancelled = True
        with pytest.raises(pons.Cancelled):
            slot.shielded(lambda: None)
        slot.shielded(lambda: None)
        return "went on"

    assert slot.run(request, handler, {}) == ("went on", None)


@pytest.mark.parametrize(
    "raised", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), RecursionError(), GeneratorExit()]
)
def test_whatever_a_handler_raises_is_handed_back(raised: BaseException) -> None:
    def handler() -> None:
        raise raised

    assert Slot().run(make_request(1), handler, {}) == (None, raised)


async def leave_early(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        return


WAYS: Dict[str, Callable[[pons.Context], Any]] = {
    "call": lambda ctx: ctx.call("x:y"),
    "acall": lambda ctx: asyncio.run(ctx.acall("x:y")),
    "acall, given up": lambda ctx: asyncio.run(asyncio.wait_for(ctx.acall("x:y"), 0)),
    "stream": lambda ctx: list(ctx.stream("x:y")),
    "stream, left": lambda ctx: next(iter(ctx.stream("x:y"))),
    "async stream, left": lambda ctx: asyncio.run(leave_early(aiter_of(ctx.stream("x:y")))),
    "partial": lambda ctx: ctx.send_partial("x"),
    "progress": lambda ctx: ctx.progress(1),
}


def aiter_of(stream: Any) -> Any:
    return stream.__aiter__()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("frame", [0, 1])
def test_a_frame_is_sent_whole_also_if_the_cancellation_comes_in_the_midst_of_it(way: str, frame: int) -> None:
    sent: List[str] = []

    def send(body: bytes) -> None:
        document = json.loads(body)
        sent.append("begin")
        if len(sent) == 2 * frame + 1 and not request.ended:
            server.host_gone()
        sent.append("end")
        if document.get("command") == "x:y" and "left" in way:
            server.accept(json.dumps({"id": document["id"], "success": True, "partial": True, "seq": 0}).encode())

    app = pons.App("t")
    app.command("work")(lambda ctx: WAYS[way](ctx))
    server = Server(app, Outlet(send, send, lambda: None if frame == 0 or "left" in way else finish()))

    def finish() -> None:
        server.accept(b'{"id":1,"success":true,"result":null}')

    request = make_request(7)
    request.stream = True
    server.ledger.accept(request)
    server.ledger.begin_next()
    old = signal.getsignal(CANCEL_SIGNAL)
    slot = MainSlot()
    slot.install()
    try:
        server.serve(request, slot, lambda *_: (None, None))
    finally:
        signal.signal(CANCEL_SIGNAL, old)
    assert sent == ["begin", "end"] * (len(sent) // 2)
    assert request.ended


@pytest.mark.parametrize("kind", [MainSlot, ThreadSlot])
def test_a_cancellation_while_a_generator_is_freed_comes_later(kind: Any) -> None:
    def check() -> Any:
        slot = kind()
        request = make_request(1)
        steps: List[int] = []

        def chunks() -> Iterator[int]:
            try:
                yield 1
            finally:
                slot.deferring(lambda: steps.append(1) or cancel())

        def cancel() -> None:
            request.cancelled = True
            slot.interrupt(request)

        def handler() -> None:
            for _ in chunks():
                break
            steps.append(2)
            assert slot.repeat() is True
            spin(3600)

        if kind is MainSlot:
            slot.install()
        return slot.run(request, handler, {}), steps

    old = signal.getsignal(CANCEL_SIGNAL)
    try:
        (_, error), steps = check() if kind is MainSlot else on_a_thread(check)
    finally:
        signal.signal(CANCEL_SIGNAL, old)
    assert isinstance(error, pons.Cancelled)
    assert steps == [1, 2]
