"""Calls an App without a process and without a host: for the tests of an adapter.

def test_greets():
    with pons.testing.client(app) as hello:
        assert hello.call("greet", name="Ada") == {"text": "Hello Ada! "}
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Callable, Coroutine, Dict, Iterator, List, Optional, Tuple

from ._app import App
from ._codec import JSON, Codec, by_name
from ._errors import Error
from ._interrupt import Slot
from ._request import Request
from ._results import plain
from ._server import Outlet, Server

__all__ = ["Client", "client"]

OnCall = Callable[[str, Dict[str, Any]], Any]


def client(
    app: App,
    *,
    codec: str = "json",
    options: Optional[Dict[str, Any]] = None,
    on_call: Optional[OnCall] = None,
) -> Client:
    """A caller of this App, which has been started as a host would: handshake, ``on_start``.

    Arguments and results go through the codec both ways, as they do in service. Handlers run on the calling thread, one
    at a time.

    Parameters
    ----------
    app
        Not running elsewhere.
    codec
        ``"json"`` or ``"msgpack"``.
    options
        The adapter's ``options``.
    on_call
        Answers what handlers ask with ``ctx.call``: gets the command and its args, and returns the result or raises
        Error. Without it such calls fail with ``unknown_namespace``.

    Raises
    ------
    Error
        The App does not start: what ``on_start`` raised.
    """
    return Client(app, by_name(codec), options or {}, on_call)


class Client:
    """See ``client``."""

    def __init__(self, app: App, codec: Codec, options: Dict[str, Any], on_call: Optional[OnCall]) -> None:
        app.hooks.check()
        self._codec = codec
        self._on_call = on_call
        self._frames: List[Dict[str, Any]] = []
        self._server = Server(app, Outlet(self._take, self._take, lambda: None))
        self._slot = Slot()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._ids = itertools.count(1)
        self.call("ping", initialization=True, worker_id=f"{app.name}#test", adapter=app.name, options=options)
        self.info: Dict[str, Any] = self.call("get_info")
        """What ``get_info`` says."""

    def call(self, command: str, **args: Any) -> Any:
        """The result of a command; raises ``Error``, whatever class the handler raised."""
        return result_of(self.call_raw(command, args)[-1])

    def session(self, session_id: str) -> Session:
        """Calls with this ``session_id``."""
        return Session(self, session_id)

    def stream(self, command: str, **args: Any) -> Iterator[Any]:
        """The chunks that a command streams. All of them are there when the first is given: the handler has returned.

        Raises Error.
        """
        frames = self.call_raw(command, args, stream=True)
        for frame in frames[:-1]:
            if "result" in frame:
                yield frame["result"]
        result_of(frames[-1])

    def call_raw(self, command: str, args: Optional[Dict[str, Any]] = None, **envelope: Any) -> List[Dict[str, Any]]:
        """All frames that answer a request, the terminal one last.

        Parameters
        ----------
        envelope
            Further keys of the request: ``session_id``, ``stream``, ``timeout_ms``, ``meta`` ...
        """
        document = {"id": next(self._ids), "command": command, "args": args or {}, **envelope}
        self._frames = []
        self._server.accept(self._codec.encode(plain(document, binary=self._codec.binary)))
        request = self._server.ledger.begin_next()
        if request is not None:
            self._server.serve(request, self._slot, self._run_coroutine)
        frames, self._frames = self._frames, []
        return frames

    def close(self) -> None:
        """Frees resources and sessions, as ``cleanup`` does."""
        self.call("cleanup")
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, body: bytes) -> None:
        codec = JSON if body[:1] == b"{" else self._codec
        document = codec.decode(body)
        if "command" not in document:
            self._frames.append(document)
            return
        self._server.accept(codec.encode(self._answer(document)))

    def _answer(self, request: Dict[str, Any]) -> Dict[str, Any]:
        try:
            if self._on_call is None:
                space = request["command"].partition(":")[0]
                raise Error(f"Unknown namespace: {space}", code="unknown_namespace")
            result = plain(self._on_call(request["command"], request["args"]), binary=self._codec.binary)
            return {"id": request["id"], "success": True, "result": result}
        except Error as error:
            return {
                "id": request["id"],
                "success": False,
                "error": error.message,
                "code": error.code,
                "retryable": error.retryable is True,
                "details": error.details,
            }

    def _run_coroutine(self, _: Request, coroutine: Coroutine[Any, Any, Any]) -> Tuple[Any, Optional[BaseException]]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            return self._loop.run_until_complete(coroutine), None
        except BaseException as error:
            return None, error


class Session:
    """Calls of one session."""

    def __init__(self, caller: Client, session_id: str) -> None:
        self._caller = caller
        self.id = session_id

    def call(self, command: str, **args: Any) -> Any:
        """The result of a command; raises ``Error``, whatever class the handler raised."""
        return result_of(self._caller.call_raw(command, args, session_id=self.id)[-1])

    def end(self) -> bool:
        """Ends it, as a host does; False if the worker did not know it."""
        answer = self._caller.call_raw("common:end_session", {"session_id": self.id})
        return bool(result_of(answer[-1])["found"])


def result_of(frame: Dict[str, Any]) -> Any:
    """The result in a terminal reply; raises Error."""
    if frame["success"]:
        return frame.get("result")
    raise Error(frame["error"], code=frame["code"], retryable=frame.get("retryable"), details=frame.get("details"))
