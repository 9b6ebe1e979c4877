"""Reverse requests: what a handler asks of others while it serves (docs/protocol.md, section 6)."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Iterator, Tuple

from ._codec import Codec
from ._errors import Cancelled, Error
from ._request import Request

if TYPE_CHECKING:
    import asyncio

__all__ = ["INHERIT", "Calls", "OpenCall", "Stream", "threadsafe"]

CHUNK, RESULT, FAILURE, CANCELLED = "chunk", "result", "failure", "cancelled"
Item = Tuple[str, Any]


class _Inherit:
    def __repr__(self) -> str:
        return "the session of the request"


INHERIT: Any = _Inherit()
"""For ``session_id``: the called adapter sees the session of the request."""


class OpenCall:
    """One reverse request. What comes for it is put into ``sink``, from any thread, until it is over."""

    __slots__ = ("id", "parent", "sink")

    def __init__(self, call_id: int, parent: Request, sink: Callable[[Item], Any]) -> None:
        self.id = call_id
        self.parent = parent
        self.sink = sink


class Calls:
    """All open reverse requests of a worker.

    Parameters
    ----------
    send
        Sends a document in a codec; thread-safe.
    listen
        Called before anybody waits: the channel must be read although a handler runs.
    """

    def __init__(self, send: Callable[[Dict[str, Any], Codec], None], listen: Callable[[], None]) -> None:
        self._send = send
        self._listen = listen
        self._ids = itertools.count(1)
        self._open: Dict[int, OpenCall] = {}
        self._lock = threading.Lock()

    def open(
        self, parent: Request, command: str, args: Any, options: Dict[str, Any], sink: Callable[[Item], Any]
    ) -> OpenCall:
        """Sends the request. ``options``: further keys of it. Raises Error if the parent request is over."""
        call = OpenCall(next(self._ids), parent, sink)
        with self._lock:
            if parent.ended:
                raise Error("The request that this call belongs to is over", code="bad_request")
            self._open[call.id] = call
            parent.calls.append(call)
        if parent.cancelled:
            sink((CANCELLED, None))
        document = {"id": call.id, "command": command, "args": args, "parent_id": parent.id, **options}
        try:
            self._send(document, parent.codec)
        except BaseException:
            self.close(call)
            raise
        self._listen()
        return call

    def on_reply(self, document: Dict[str, Any]) -> None:
        """A frame with ``success``; what belongs to no open call is dropped."""
        call_id = document.get("id")
        call = self._open.get(call_id) if isinstance(call_id, int) else None
        if call is None:
            return
        if document.get("partial"):
            if "progress" not in document:
                call.sink((CHUNK, document.get("result")))
            return
        self.close(call)
        if document.get("success") is True:
            call.sink((RESULT, document.get("result")))
            return
        details = document.get("details")
        error = Error(
            str(document.get("error", "The call failed")),
            code=str(document.get("code", "worker_error")),
            retryable=document.get("retryable"),
            details=details if isinstance(details, dict) else None,
        )
        call.sink((FAILURE, error))

    def close(self, call: OpenCall) -> bool:
        """Nothing more comes for it. False if it was over already."""
        with self._lock:
            if self._open.pop(call.id, None) is None:
                return False
            call.parent.calls.remove(call)
            return True

    def give_up(self, call: OpenCall) -> None:
        """Nobody waits for it any more: the host is told, unless its parent is over, which it knows."""
        if self.close(call) and not call.parent.ended and not call.parent.cancelled:
            self._send(
                {"id": 0, "command": "host:cancel", "args": {"id": call.id}, "parent_id": call.parent.id},
                call.parent.codec,
            )

    def cancel_all(self, parent: Request) -> None:
        """The parent was cancelled: whoever waits for one of its calls is woken."""
        for call in list(parent.calls):
            call.sink((CANCELLED, None))

    def end_all(self, parent: Request) -> None:
        """The parent has its reply: the host ends its calls."""
        for call in list(parent.calls):
            if self.close(call):
                call.sink((FAILURE, Error("The request that this call belongs to is over", code="cancelled")))


def taken(item: Item) -> Any:
    """The result of a call that is over; raises Error or Cancelled."""
    kind, value = item
    if kind == FAILURE:
        raise value
    if kind == CANCELLED:
        raise Cancelled("The request was cancelled")
    return value


def threadsafe(loop: asyncio.AbstractEventLoop, items: asyncio.Queue[Item]) -> Callable[[Item], Any]:
    """A sink for a coroutine that waits on ``items``."""

    def sink(item: Item) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(items.put_nowait, item)

    return sink


class Stream:
    """The chunks of a call, iterated plainly or asynchronously; afterwards ``result`` is its result.

    Leaving the loop early cancels the call. Raises Error if it fails.
    """

    def __init__(
        self,
        open_call: Callable[[Callable[[Item], Any]], OpenCall],
        give_up: Callable[[OpenCall], Any],
        shielded: Callable[..., Any],
    ) -> None:
        self._open_call = open_call
        self._give_up = give_up
        self._shielded = shielded
        self.result: Any = None

    def __iter__(self) -> Iterator[Any]:
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        call: OpenCall = self._shielded(self._open_call, items.put)
        try:
            while True:
                item = self._shielded(items.get)
                if item[0] != CHUNK:
                    self.result = taken(item)
                    return
                yield item[1]
        finally:
            self._give_up(call)

    async def __aiter__(self) -> AsyncIterator[Any]:
        import asyncio

        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()
        call = self._shielded(self._open_call, threadsafe(loop, items))
        try:
            while True:
                item = await items.get()
                if item[0] != CHUNK:
                    self.result = taken(item)
                    return
                yield item[1]
        finally:
            self._give_up(call)
