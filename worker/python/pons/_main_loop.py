"""Serves one request after the other, on the main thread.

While no handler runs the main thread reads the channel itself. A second thread reads in its place once a handler has
been running for a few milliseconds, so that a cancellation, replies to the handler's own requests and the end of the
file are seen; it runs nothing of the program. ``_turn`` is held by whoever reads.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Coroutine, Optional, Tuple

from ._channel import Channel
from ._frames import FrameDecoder, NoFrames
from ._interrupt import MainSlot
from ._outbox import Outbox
from ._reading_turn import READ, REST, ReadingTurn
from ._request import Request
from ._server import Outlet, Server

if TYPE_CHECKING:
    import asyncio

    from ._app import App

__all__ = ["LOST_EXIT", "SPLICED", "MainLoop", "end_process"]

_TICK = 0.004  # seconds
_REPEAT = 100  # milliseconds until a handler that has not noticed its cancellation is interrupted again
_END_GRACE = 1.0  # seconds for a handler to return after the end of the file
LOST_EXIT = 3
SPLICED = 4096  # bytes by which a frame of the host may exceed the limit: it puts in an id, a time and a session


class _Stop(BaseException):
    """SIGTERM came while the main thread waited for a request."""


def end_process(name: str) -> None:
    """The host is gone, and a handler does not return: nothing else of the process is run."""
    text = f"{name}: the host is gone, and what runs did not return within {int(_END_GRACE * 1000)} ms\n"
    if select.select([], [2], [], 0)[1]:
        os.write(2, text.encode())
    os._exit(LOST_EXIT)


class MainLoop:
    """See the module. ``run()`` on the main thread; the channel's descriptors are the process's."""

    def __init__(self, app: App, channel: Channel) -> None:
        self._app = app
        self._channel = channel
        self._decoder = FrameDecoder()
        self._outbox = Outbox(channel.output)
        self.server = Server(app, Outlet(self._outbox.send, self._outbox.post, self._listen))
        self._slot = MainSlot()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._status = 0
        self._over = False  # the host is gone, or the channel broken
        self._stopping = False  # SIGTERM

        self._turn = threading.Lock()
        self._bell = threading.Lock()  # released to wake the reader
        self._bell.acquire()
        self._ended = threading.Lock()  # released when the main thread has left its loop
        self._ended.acquire()
        self._call_fd, self._called_fd = os.pipe()[::-1]
        os.set_blocking(self._called_fd, False)
        self._reads = 0
        self._main_reads = False
        self._main_waits = False  # interruptible by SIGTERM
        self._wanted = False  # the main thread wants the turn back
        self._read_now = False
        self._resting = False

    def run(self) -> int:
        """The exit status."""
        self._slot.install()
        signal.signal(signal.SIGTERM, self._on_term)
        threading.Thread(target=self._watch, name="pons-reader", daemon=True).start()
        server, slot = self.server, self._slot
        while True:
            request = self._next()
            if request is None:
                break
            server.serve(request, slot, self._run_coroutine)
            if server.exit_status is not None:
                self._status = server.exit_status
                break
        self._ended.release()
        return self._status

    def leave(self) -> None:
        """In a child that a handler has forked: the channel is not the child's."""
        self.server.forked = True
        self._outbox.close()
        for fd in {self._channel.input, self._channel.output, self._call_fd, self._called_fd}:
            os.close(fd)

    # The main thread

    def _next(self) -> Optional[Request]:
        """The request whose turn it is; None: no more are served."""
        if not self._turn.acquire(False):
            self._take_back()
        self._main_reads = True
        self._reads += 1
        try:
            while not (self._over or self._stopping):
                request = self.server.ledger.begin_next()
                if request is not None:
                    return request
                self._receive()
            return None
        finally:
            self._main_reads = False
            self._turn.release()
            if self._resting:
                self._resting = False
                self._ring()

    def _take_back(self) -> None:
        self._wanted = True
        os.write(self._call_fd, b"x")
        self._turn.acquire()
        self._wanted = False

    def _receive(self) -> None:
        space = self._decoder.space()
        count = -1
        try:
            try:
                self._main_waits = True
                if not self._stopping:
                    count = self._channel.read_into(space)
            finally:
                self._main_waits = False
        except _Stop:
            return
        if count >= 0:
            self._received(count)

    def _on_term(self, *_: object) -> None:
        self._stopping = True
        if self._main_waits:
            self._main_waits = False  # at most once
            raise _Stop

    def _run_coroutine(
        self, request: Request, coroutine: Coroutine[Any, Any, Any]
    ) -> Tuple[Any, Optional[BaseException]]:
        if self._loop is None:
            import asyncio  # slow, and not needed by most

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        loop = self._loop
        task = loop.create_task(coroutine)
        request.interrupt = lambda _: loop.call_soon_threadsafe(task.cancel)
        if request.cancelled:
            task.cancel()
        while True:
            try:
                return loop.run_until_complete(task), None
            except BaseException as error:
                if task.done():
                    return None, error
                # Another task wanted to exit: whoever waits for that one is told by asyncio.

    # The thread that reads while a handler runs

    def _watch(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        turn = ReadingTurn()
        while not self._over:
            step = READ if self._read_now else turn.on_tick(self._reads, self._main_reads)
            if step is READ:
                self._read_in_turn()
            elif step is REST:
                self._resting = True
                if self._main_reads:  # otherwise it has gone meanwhile, and may not have seen that this one rests
                    self._bell.acquire()
                self._resting = False
            else:
                self._bell.acquire(timeout=_TICK)
        end = time.monotonic() + _END_GRACE
        while not self._ended.acquire(timeout=_REPEAT / 1000):
            self._slot.repeat()
            if time.monotonic() >= end:
                end_process(self._app.name)

    def _read_in_turn(self) -> None:
        self._read_now = False
        if not self._turn.acquire(False):
            return
        try:
            while not (self._wanted or self._over):
                self._receive_or_be_called()
        finally:
            self._turn.release()

    def _receive_or_be_called(self) -> None:
        unsent = self._outbox.flush_some()
        if self._outbox.is_broken:
            return self._end()
        may_answer = not self._outbox.is_full
        poll = self._channel.poller(reading=may_answer, writing=unsent)
        poll.register(self._called_fd, select.POLLIN)
        for fd, events in poll.poll(_REPEAT if self._slot.repeat() else None):
            if fd == self._called_fd:
                os.read(fd, 64)
            elif fd == self._channel.input and events & ~select.POLLOUT:
                if not may_answer:
                    return self._end()
                self._received(self._channel.read_into(self._decoder.space()))

    def _listen(self) -> None:
        self._read_now = True
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # rung already
            self._bell.release()

    # Whoever reads

    def _received(self, count: int) -> None:
        if count == 0:
            return self._end()
        decoder, server = self._decoder, self.server
        decoder.commit(count)
        decoder.max_frame = server.max_frame + SPLICED
        try:
            while True:
                frame = decoder.next()
                if frame is None:
                    return
                if type(frame) is bytes:
                    server.accept(frame)
                else:
                    server.refuse_oversized(frame.length)  # type: ignore[union-attr]
        except NoFrames as text:
            print(f'{self._app.name}: this is no stream of frames, it begins with "{text}"', file=sys.stderr)
            self._status = 1
            self._end()

    def _end(self) -> None:
        self._over = True
        self.server.host_gone()
