"""The core of a worker: what a frame asks, and the one reply to each request.

Reads nothing and starts nothing by itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Dict, List, NoReturn, Optional, Tuple

from ._calls import Calls
from ._codec import JSON, Codec
from ._commands import Command, CommandTable
from ._common import CommonCommands
from ._context import Context, _current
from ._errors import Error, InvalidArgs
from ._frame_head import head_of
from ._frames import DEFAULT_MAX_FRAME
from ._interrupt import Outcome, Slot
from ._ledger import Ledger
from ._replies import error_body, error_of, too_large, untold
from ._request import BadFrame, Request, decode
from ._results import plain
from ._sessions import Sessions

if TYPE_CHECKING:
    from ._app import App

__all__ = ["Outlet", "Server"]

Plan = Tuple[Command, Dict[str, Any]]
RunCoroutine = Callable[[Request, Coroutine[Any, Any, Any]], Outcome]


class Outlet:
    """Where frames go.

    ``send`` may block, ``post`` must not; ``listen``: the channel must be read although a handler runs.
    """

    def __init__(
        self, send: Callable[[bytes], None], post: Callable[[bytes], None], listen: Callable[[], None]
    ) -> None:
        self.send = send
        self.post = post
        self.listen = listen


class Server:
    """See the module. ``exit_status``: set to end the worker after the reply under way."""

    def __init__(self, app: App, outlet: Outlet) -> None:
        self.app = app
        self.outlet = outlet
        self.ledger: Ledger = Ledger()
        self.sessions: Sessions = Sessions(self.ledger, app.session_format)
        self.calls: Calls = Calls(self._send_call, outlet.listen)
        self.max_frame: int = DEFAULT_MAX_FRAME
        self.stack_signal: int = 0
        self.exit_status: Optional[int] = None
        self.debug: bool = app.debug
        self.forked = False
        """This is a child that a handler has forked."""
        self.common: CommonCommands = CommonCommands(self)
        self._commands = CommandTable()
        for command in [*app.commands, *self.common.commands()]:
            self._commands.add(command)
        app.hooks.equip(self.sessions)

    @property
    def options(self) -> Dict[str, Any]:
        """The adapter's ``options``."""
        return self.app.options

    # What comes in: called by whoever reads the channel

    def accept(self, body: bytes) -> Optional[Request]:
        """Takes a frame. A request that is to be served, which waits in the ledger now; None for all else."""
        try:
            document, codec = decode(body)
            if "command" not in document:
                self._accept_other(document, codec)
                return None
            request = Request(document, codec)
        except BadFrame as bad:
            self._refuse(body, bad)
            return None
        if request.command == "common:cancel":
            self._cancel(request)
            return None
        self.ledger.accept(request)
        return request

    def _refuse(self, body: bytes, bad: BadFrame) -> None:
        head = head_of(body, bad.codec)
        if "success" in head and "command" not in head:  # whoever waits for it must know
            self.calls.on_reply({"id": head.get("id"), "success": False, "error": f"The reply cannot be read: {bad}"})
        else:
            self.outlet.post(error_body(bad.codec, bad.request_id, bad.error, False))

    def _accept_other(self, document: Dict[str, Any], codec: Codec) -> None:
        if "event" in document:
            return
        if "success" not in document:
            raise BadFrame("The frame has none of the keys command, success and event", "bad_request", codec)
        self.calls.on_reply(document)

    def refuse_oversized(self, length: int) -> None:
        """A frame above the limit has been skipped."""
        self.outlet.post(error_body(JSON, 0, too_large(length, self.max_frame), False))

    def _cancel(self, request: Request) -> None:
        wanted = request.args.get("id")
        if not isinstance(wanted, (int, str)):
            missing = InvalidArgs(
                [{"path": "/id", "message": "common:cancel needs the id of a request", "expected": "an id"}]
            )
            self.outlet.post(error_body(request.codec, request.id, missing, False))
            return
        found = self.ledger.find(wanted)
        body = request.codec.success(request.id, request.codec.encode({"found": found is not None}))
        self.outlet.post(body)  # before the reply that the cancellation brings about
        if found is None:
            return
        if self.ledger.take_waiting(found):
            refused = Error("The request was cancelled before it ran", code="cancelled")
            self.outlet.post(error_body(found.codec, found.id, refused, False))
            self.ledger.finish(found, False)
        else:
            self._interrupt(found)

    def _interrupt(self, request: Request) -> None:
        request.cancelled = (
            True  # before its interrupt is looked up: a handler that begins now looks at this after setting that
        )
        self.calls.cancel_all(request)
        if request.interrupt is not None:
            request.interrupt(request)

    def host_gone(self) -> None:
        """End of file on the channel: nobody waits for anything any more."""
        for request in self.ledger.open_requests():
            request.why = "host_gone"
            self._interrupt(request)

    # What is served

    def plan(self, request: Request) -> Plan:
        """The command that a request means, and its arguments as they came. Raises Error."""
        command = self._commands.find(request.command, (self.app.name, self.app.adapter))
        if request.idempotent is None:
            request.idempotent = command.idempotent
        args = request.args
        if request.resource_id is not None and "resource_id" not in args and command.takes("resource_id"):
            args["resource_id"] = request.resource_id  # handlers look in one place only
        return command.resolve(args) if command.resolve is not None else (command, args)

    def bound(self, plan: Plan, request: Request, context: Context) -> Dict[str, Any]:
        """The keyword arguments of a handler. Raises Error, and whatever the classes of its arguments raise."""
        if request.is_late:
            raise Error("The deadline passed before the request ran", code="deadline_exceeded")
        command, args = plan
        arguments = command.bind(args)
        if command.context_parameter is not None:
            arguments[command.context_parameter] = context
        return arguments

    def serve(self, request: Request, slot: Slot, run_coroutine: RunCoroutine) -> None:
        """Runs a request that has begun, on the thread of ``slot``, and answers it."""
        try:
            plan = self.plan(request)
        except BaseException as error:
            return self.fail(request, error)
        self.run(request, plan, slot, run_coroutine)

    def run(self, request: Request, plan: Plan, slot: Slot, run_coroutine: Optional[RunCoroutine] = None) -> None:
        """The same with its plan.

        ``run_coroutine`` runs what needs an event loop, and returns what came of it as ``Slot.run`` does.
        """
        context = Context(self, request, slot)
        token = _current.set(context)
        try:
            arguments = self.bound(plan, request, context)
        except BaseException as error:
            _current.reset(token)
            return self.fail(request, error)
        command = plan[0]
        raised: Optional[BaseException]
        if command.kind == "plain":
            value, raised = slot.run(request, command.function, arguments)
        elif command.kind == "generator":
            value, raised = slot.run(
                request, drive, {"chunks": command.function, "arguments": arguments, "context": context}
            )
        else:
            assert run_coroutine is not None
            value, raised = run_coroutine(request, self.coroutine(command, arguments, context))
        _current.reset(token)
        if self.forked:
            end_child(raised)
        self.finish(request, value, raised)

    async def coroutine(self, command: Command, arguments: Dict[str, Any], context: Context) -> Any:
        """Runs an asynchronous handler. It may be cancelled."""
        _current.set(context)  # of the task's own copy
        if command.kind == "coroutine":
            return await command.function(**arguments)
        import asyncio  # is there already

        collected: List[Any] = []
        chunks = command.function(**arguments)
        try:
            async for chunk in chunks:
                if context.streaming:
                    context.send_partial(chunk)
                else:
                    collected.append(chunk)
                await asyncio.sleep(0)  # a cancellation is seen, and others run, also if the handler itself never waits
        finally:
            await chunks.aclose()
        return None if context.streaming else collected

    def finish(self, request: Request, value: Any, error: Optional[BaseException]) -> None:
        """The terminal reply."""
        if error is not None:
            return self.fail(request, error)
        codec = request.codec
        try:
            body = codec.success(request.id, codec.encode(plain(value, binary=codec.binary)))
            if len(body) > self.max_frame:
                raise too_large(len(body), self.max_frame)
        except BaseException as problem:
            return self.fail(request, problem)
        if self.ledger.finish(request, True):
            if request.calls:
                self.calls.end_all(request)
            self.outlet.send(body)

    def fail(self, request: Request, error: BaseException) -> None:
        """The terminal reply of what went wrong."""
        try:
            meaning = error_of(error, request, self.app.translations, self.debug)
            body = error_body(request.codec, request.id, meaning, request.idempotent is True)
        except Exception as problem:  # of the program: a translation, or an Error that is not what it seems
            meaning = untold(error, problem)
            body = error_body(request.codec, request.id, meaning, False)
        if len(body) > self.max_frame:
            meaning = Error(str(meaning.message)[:1000], code=str(meaning.code)[:100], retryable=meaning.retryable)
            body = error_body(request.codec, request.id, meaning, request.idempotent is True)
        BaseException.with_traceback(error, None)  # its frames hold the arguments
        if self.ledger.finish(request, False):
            if request.calls:
                self.calls.end_all(request)
            self.outlet.send(body)

    # What is sent ahead of a reply

    def send_chunk(self, request: Request, seq: int, chunk: Any) -> None:
        """One partial reply; dropped if the request has its reply already.

        Raises ResultError, Error (``frame_too_large``).
        """
        codec = request.codec
        body = codec.partial(request.id, seq, codec.encode(plain(chunk, binary=codec.binary)))
        if len(body) > self.max_frame:
            raise too_large(len(body), self.max_frame)
        if not request.ended:
            self.outlet.send(body)

    def send_progress(self, request: Request, amount: Dict[str, Any]) -> None:
        """How far a request is."""
        codec = request.codec
        document = {"id": request.id, "success": True, "partial": True, "progress": plain(amount, binary=codec.binary)}
        if not request.ended:
            self.outlet.send(codec.encode(document))

    def _send_call(self, document: Dict[str, Any], codec: Codec) -> None:
        if self.forked:
            raise Error("A forked child cannot call: the channel is its parent's", code="bad_request")
        body = codec.encode(plain(document, binary=codec.binary))
        if len(body) > self.max_frame:
            raise too_large(len(body), self.max_frame)
        self.outlet.send(body)


def end_child(raised: Optional[BaseException]) -> NoReturn:
    """In a child whose copy of the handler has returned: it has nothing to answer."""
    status = raised.code if isinstance(raised, SystemExit) else int(raised is not None)
    os._exit(status if isinstance(status, int) else int(status is not None))


def drive(chunks: Callable[..., Any], arguments: Dict[str, Any], context: Context) -> Any:
    """Runs a generator: its chunks are sent, or else collected; what it returns, if that is not None, is the result."""
    collected: List[Any] = []
    iterator = chunks(**arguments)
    try:
        while True:
            try:
                chunk = next(iterator)
            except StopIteration as end:
                return end.value if context.streaming or end.value is not None else collected
            if context.streaming:
                context.send_partial(chunk)
            else:
                collected.append(chunk)
    finally:
        iterator.close()
