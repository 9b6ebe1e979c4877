"""What a handler may know of the request that it serves, and do while it serves it."""

from __future__ import annotations

import contextvars
import math
import queue
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from ._calls import INHERIT, Item, OpenCall, Stream, taken, threadsafe
from ._codec import RequestId
from ._errors import Error
from ._interrupt import Slot
from ._request import Request

if TYPE_CHECKING:
    from ._server import Server

__all__ = ["Context", "current"]

_PROGRESS_INTERVAL = 0.1  # seconds

_current: contextvars.ContextVar[Optional[Context]] = contextvars.ContextVar("pons.current", default=None)


def current() -> Context:
    """The context of the request that the caller serves.

    Known in the handler, in what it calls, and in the asyncio tasks that it starts. A thread that the handler starts
    has it if it is started with ``contextvars.copy_context().run``; or give it the context itself, which may be used
    from any thread.

    Raises
    ------
    RuntimeError
        No request is being served here.
    """
    context = _current.get()
    if context is None:
        raise RuntimeError(
            "No request is being served here: hand the context over, or run this in contextvars.copy_context()"
        )
    return context


class Context:
    """The request that a handler serves. May be used from any thread, until the handler has returned."""

    __slots__ = ("_next_progress", "_request", "_seq", "_server", "_slot")

    def __init__(self, server: Server, request: Request, slot: Optional[Slot]) -> None:
        self._server = server
        self._request = request
        self._slot = slot
        self._seq = 0
        self._next_progress = -math.inf

    @property
    def id(self) -> RequestId:
        """The host's id of the request."""
        return self._request.id

    @property
    def command(self) -> str:
        """Without namespace."""
        return self._request.command

    @property
    def codec(self) -> str:
        """``"json"`` or ``"msgpack"``, of the request and so of its reply."""
        return self._request.codec.name

    @property
    def session_id(self) -> Optional[str]:
        """The session that the request belongs to, or None.

        What is kept under it elsewhere than in ``session`` is not in the snapshots: declare ``export_session`` then.
        """
        if self._request.session_id is not None:
            self._server.sessions.note_named(self._request.session_id)
        return self._request.session_id

    @property
    def session(self) -> Dict[str, Any]:
        """What is kept for the session, a dict: the same one for all of its requests.

        Raises
        ------
        Error
            ``invalid_args``: the request belongs to no session.
        """
        if self._request.session_id is None:
            raise Error(f"{self._request.command} needs a session: the request has no session_id", code="invalid_args")
        return self._server.sessions.data(self._request.session_id)

    @property
    def meta(self) -> Dict[str, Any]:
        """The caller's ``meta``: ``correlation_id``, ``user_id``, ``traceparent`` ..."""
        return self._request.meta

    @property
    def streaming(self) -> bool:
        """Whether the caller accepts partial replies. Without it they are not sent."""
        return self._request.stream

    @property
    def deadline(self) -> Optional[float]:
        """When the caller gives up, on the clock of ``time.monotonic()``; None without one."""
        return None if self._request.deadline == math.inf else self._request.deadline

    def remaining(self) -> float:
        """Seconds until the deadline, never negative; ``math.inf`` without one."""
        return max(0.0, self._request.deadline - time.monotonic()) if self._request.deadline != math.inf else math.inf

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: cancelled, too late, or the host is gone."""
        return self._request.cancelled or self._request.is_late

    @property
    def options(self) -> Dict[str, Any]:
        """The adapter's ``options``."""
        return self._server.options

    def progress(self, done: float, total: Optional[float] = None, message: Optional[str] = None) -> None:
        """Says how far the work is.

        Nothing happens unless ``streaming``; at most ten a second are sent, the others are dropped.
        """
        now = time.monotonic()
        if not self._request.stream or now < self._next_progress:
            return
        amount: Dict[str, Any] = {"done": done}
        if total is not None:
            amount["total"] = total
        if message is not None:
            amount["message"] = message
        self._next_progress = now + _PROGRESS_INTERVAL
        self._guarded(self._server.send_progress, self._request, amount)

    def send_partial(self, chunk: Any) -> None:
        """Sends one chunk ahead of the result; nothing happens unless ``streaming``.

        Blocks while the host does not read.

        Raises
        ------
        ResultError
            The chunk cannot be said in the request's codec.
        """
        if not self._request.stream:
            return
        self._guarded(self._server.send_chunk, self._request, self._seq, chunk)
        self._seq += 1

    def call(
        self,
        command: str,
        args: Optional[Dict[str, Any]] = None,
        *,
        timeout_ms: Optional[float] = None,
        session_id: Optional[str] = INHERIT,
        idempotent: Optional[bool] = None,
        meta: Optional[Dict[str, Any]] = None,
    ) -> Any:
        """Asks another adapter, or another worker of one's own, and waits for its result.

        Parameters
        ----------
        command
            With its namespace, such as ``"llama:chat"``.
        args
            What it takes.
        timeout_ms
            Time allowed, in milliseconds; never more than this request has left.
        session_id
            None: in no session. Not given: the one of this request, unless this adapter itself is called.
        idempotent
            Whether it may be run again after a worker was lost.
        meta
            Instead of the ``meta`` of this request.

        Raises
        ------
        Error
            The call failed: with the code and details of its reply.
        Cancelled
            This request was cancelled meanwhile.
        """
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        options = self._options(timeout_ms, session_id, idempotent, meta)
        return taken(self._guarded(self._wait, command, args or {}, options, items))

    async def acall(
        self,
        command: str,
        args: Optional[Dict[str, Any]] = None,
        *,
        timeout_ms: Optional[float] = None,
        session_id: Optional[str] = INHERIT,
        idempotent: Optional[bool] = None,
        meta: Optional[Dict[str, Any]] = None,
    ) -> Any:
        """The same as ``call``, for coroutines. A task that is cancelled cancels its call."""
        import asyncio  # slow, and not needed by most

        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()
        options = self._options(timeout_ms, session_id, idempotent, meta)
        calls = self._server.calls  # shielded: a plain handler may have a loop of its own
        call = self._guarded(calls.open, self._request, command, args or {}, options, threadsafe(loop, items))
        try:
            return taken(await items.get())
        finally:
            self._guarded(calls.give_up, call)

    def stream(
        self,
        command: str,
        args: Optional[Dict[str, Any]] = None,
        *,
        timeout_ms: Optional[float] = None,
        session_id: Optional[str] = INHERIT,
        idempotent: Optional[bool] = None,
        meta: Optional[Dict[str, Any]] = None,
    ) -> Stream:
        """The chunks of a call that streams: for ``for`` and ``async for``; parameters as of ``call``.

        It is sent when the loop begins.
        """
        options = {"stream": True, **self._options(timeout_ms, session_id, idempotent, meta)}
        calls = self._server.calls

        def open_call(sink: Callable[[Item], Any]) -> OpenCall:
            return calls.open(self._request, command, args or {}, options, sink)

        def give_up(call: OpenCall) -> None:
            if self._slot is None:
                calls.give_up(call)
            else:
                self._slot.deferring(calls.give_up, call)

        return Stream(open_call, give_up, self._guarded)

    def _wait(
        self, command: str, args: Dict[str, Any], options: Dict[str, Any], items: queue.SimpleQueue[Item]
    ) -> Item:
        call = self._server.calls.open(self._request, command, args, options, items.put)
        try:
            return items.get()
        finally:
            self._server.calls.give_up(call)

    def _options(
        self,
        timeout_ms: Optional[float],
        session_id: Optional[str],
        idempotent: Optional[bool],
        meta: Optional[Dict[str, Any]],
    ) -> Dict[str, Any]:
        options: Dict[str, Any] = {}
        if timeout_ms is not None:
            options["timeout_ms"] = timeout_ms
        if session_id is not INHERIT:
            options["session_id"] = session_id
        if idempotent is not None:
            options["idempotent"] = idempotent
        meta = self._request.meta if meta is None else meta
        if meta:
            options["meta"] = meta
        return options

    def _guarded(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments) if self._slot is None else self._slot.shielded(function, *arguments)
