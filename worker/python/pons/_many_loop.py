"""Serves many requests together.

Plain handlers run on a pool of threads, asynchronous ones and the common commands on the main thread's event loop. A
thread of its own reads the channel, and runs nothing of the program.

``ping`` is answered by the event loop: a worker whose loop is blocked is seen as hung.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import signal
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Optional, Tuple

from ._channel import Channel
from ._context import Context, _current
from ._frames import FrameDecoder, NoFrames
from ._interrupt import Slot, ThreadSlot
from ._main_loop import SPLICED, end_process
from ._outbox import Outbox
from ._request import Request
from ._server import Outlet, Plan, Server, end_child

if TYPE_CHECKING:
    from ._app import App

__all__ = ["ManyLoop"]

_END_GRACE = 1.0  # seconds for handlers to return after the end of the file


class ManyLoop:
    """See the module. ``run()`` on the main thread."""

    def __init__(self, app: App, channel: Channel) -> None:
        self._app = app
        self._channel = channel
        self._outbox = Outbox(channel.output)
        self.server = Server(app, Outlet(self._outbox.send, self._outbox.post, lambda: None))
        self._loop = asyncio.new_event_loop()
        self._jobs: queue.SimpleQueue[Tuple[Request, Plan]] = queue.SimpleQueue()
        self._later: Deque[Tuple[Request, Plan]] = deque()  # asynchronous ones beyond the limit; of the loop
        self._running = 0
        self._status = 0
        self._stopping = False
        self._over = False
        self._left = False
        self._ended = threading.Lock()  # released when the main thread has left its loop
        self._ended.acquire()

    def run(self) -> int:
        """The exit status."""
        asyncio.set_event_loop(self._loop)
        self._loop.add_signal_handler(signal.SIGTERM, self._stop)
        for number in range(self._app.threads):
            threading.Thread(target=self._work, name=f"pons-{number}", daemon=True).start()
        threading.Thread(target=self._read, name="pons-reader", daemon=True).start()
        while not self._left:
            with contextlib.suppress(
                SystemExit, KeyboardInterrupt
            ):  # of a task: whoever waits for it is told by asyncio
                self._loop.run_forever()
        self._ended.release()
        return self._status if self.server.exit_status is None else self.server.exit_status

    def leave(self) -> None:
        """In a child that a handler has forked: the channel is not the child's."""
        self.server.forked = True
        self._outbox.close()
        for fd in {self._channel.input, self._channel.output}:
            os.close(fd)

    # The thread that reads

    def _read(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        decoder = FrameDecoder()
        try:
            while not self._outbox.is_broken:
                if self._outbox.flush_some():
                    may_answer = not self._outbox.is_full
                    ready = dict(self._channel.poller(reading=may_answer, writing=True).poll())
                    if not ready.get(self._channel.input, 0) & ~select.POLLOUT:
                        continue
                    if not may_answer:
                        break
                count = self._channel.read_into(decoder.space())
                if count == 0:
                    break
                decoder.commit(count)
                decoder.max_frame = self.server.max_frame + SPLICED
                self._cut(decoder)
        except NoFrames as text:
            print(f'{self._app.name}: this is no stream of frames, it begins with "{text}"', file=sys.stderr)
            self._status = 1
        self._over = True
        self.server.host_gone()
        self._loop.call_soon_threadsafe(self._leave_if_idle)
        if not self._ended.acquire(timeout=_END_GRACE):
            end_process(self._app.name)

    def _cut(self, decoder: FrameDecoder) -> None:
        while True:
            frame = decoder.next()
            if frame is None:
                return
            if not isinstance(frame, bytes):
                self.server.refuse_oversized(frame.length)
                continue
            request = self.server.accept(frame)
            if request is not None:
                self._hand_over(request)

    def _hand_over(self, request: Request) -> None:
        try:
            plan = self.server.plan(request)
        except BaseException as error:
            self._loop.call_soon_threadsafe(self._refuse, request, error)
            return
        if plan[0].is_async or plan[0].common:
            self._loop.call_soon_threadsafe(self._start, request, plan)
        else:
            self._jobs.put((request, plan))

    # The threads of the pool

    def _work(self) -> None:
        slot = ThreadSlot()
        while True:
            request, plan = self._jobs.get()
            if self._may_begin(request):
                self.server.run(request, plan, slot)
                self._after()

    def _may_begin(self, request: Request) -> bool:
        return not (self._stopping or self._over) and self.server.ledger.take_waiting(request)

    # The event loop

    def _refuse(self, request: Request, error: BaseException) -> None:
        if self.server.ledger.take_waiting(request):
            self.server.fail(request, error)

    def _start(self, request: Request, plan: Plan) -> None:
        if plan[0].common:
            if self._may_begin(request):
                self.server.run(request, plan, Slot())
                self._after()
        elif self._running >= self._app.tasks:
            self._later.append((request, plan))
        elif self._may_begin(request):
            self._running += 1
            task = self._loop.create_task(self._serve(request, plan))
            request.interrupt = lambda _: self._loop.call_soon_threadsafe(task.cancel)
            if request.cancelled:  # not at once: a task that is cancelled before its first step runs nothing of itself
                self._loop.call_soon(task.cancel)

    async def _serve(self, request: Request, plan: Plan) -> None:
        value: Any = None
        raised: Optional[BaseException] = None
        context = Context(self.server, request, None)
        _current.set(context)
        try:
            arguments = self.server.bound(plan, request, context)
            value = await self.server.coroutine(plan[0], arguments, context)
        except BaseException as error:
            raised = error
        if self.server.forked:
            end_child(raised)
        self.server.finish(request, value, raised)
        self._running -= 1
        while self._later and self._running < self._app.tasks:
            self._start(*self._later.popleft())
        self._after()

    def _stop(self) -> None:
        """SIGTERM: what runs is finished, nothing else begins."""
        self._stopping = True
        self._leave_if_idle()

    def _after(self) -> None:
        if self._stopping or self._over or self.server.exit_status is not None:
            self._loop.call_soon_threadsafe(self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        if self.server.ledger.begun == 0 or self.server.exit_status is not None:
            self._left = True
            self._loop.stop()
