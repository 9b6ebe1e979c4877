"""What a worker keeps for its sessions, and how one leaves this worker and comes into another (docs/protocol.md,
section 6).
"""

from __future__ import annotations

import base64
import binascii
import inspect
import json
from typing import Any, Callable, Dict, List, Optional, Set

from ._codec import Codec
from ._errors import Error, InvalidArgs, ResultError
from ._ledger import Ledger
from ._results import plain

__all__ = ["Sessions"]

EndHook = Callable[[str, Dict[str, Any]], Any]
ExportHook = Callable[[str, Dict[str, Any]], bytes]
ImportHook = Callable[[str, bytes], Optional[Dict[str, Any]]]


class Sessions:
    """The dict of each session, and the answers to the host's questions about sessions.

    Parameters
    ----------
    ledger
        Knows which sessions there are.
    format
        The layout of snapshots and its version; any other is refused.
    """

    def __init__(self, ledger: Ledger, format: str) -> None:
        self._ledger = ledger
        self.format = format
        self._data: Dict[str, Dict[str, Any]] = {}
        self._named: Set[str] = set()  # whose id a handler has asked for: it may keep something elsewhere
        self.on_end: Optional[EndHook] = None
        self.export_hook: Optional[ExportHook] = None
        self.import_hook: Optional[ImportHook] = None

    def data(self, session_id: str) -> Dict[str, Any]:
        """What is kept for the session; made when it is first asked for."""
        return self._data.setdefault(session_id, {})

    def note_named(self, session_id: str) -> None:
        """A handler knows which session it serves."""
        self._named.add(session_id)

    def answer_end(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """``common:end_session``."""
        session_id = text_of(args, "session_id")
        known = self._ledger.end_session(session_id)
        if known:
            self._end(session_id)
        return {"session_id": session_id, "found": known}

    def end_all(self) -> int:
        """For ``cleanup``; how many there were."""
        ended = self._ledger.end_all_sessions()
        for session_id in ended:
            self._end(session_id)
        return len(ended)

    def answer_export(self, args: Dict[str, Any], codec: Codec) -> Dict[str, Any]:
        """``common:export_session``."""
        session_id = text_of(args, "session_id")
        covers = self._ledger.covers(session_id)
        if covers is None:
            raise _invalid("session_id", f"unknown session {session_id!r}", "a session of this worker")
        state = self._save(session_id)
        if not isinstance(state, (bytes, bytearray)):
            raise Error(f"export_session returned {type(state).__name__}, not bytes")
        packed = bytes(state) if codec.binary else base64.b64encode(state).decode()
        return {"format": self.format, "state": packed, "covers": covers}

    def answer_import(self, args: Dict[str, Any], codec: Codec) -> Dict[str, Any]:
        """``common:import_session``."""
        session_id = text_of(args, "session_id")
        format = text_of(args, "format")
        if format != self.format:
            raise Error(
                f'Unknown snapshot format "{format}": this worker reads "{self.format}"',
                code="invalid_args",
                details={"format": format, "expected": self.format},
            )
        covers = args.get("covers", 0)
        if type(covers) is not int or covers < 0:
            raise _invalid("covers", "must be a number of requests", "an integer >= 0")
        self._restore(session_id, _bytes_of(args, codec))
        self._ledger.restore(session_id, covers)
        return {"imported": True}

    def _end(self, session_id: str) -> None:
        data = self._data.pop(session_id, {})
        self._named.discard(session_id)
        if self.on_end is not None:
            self.on_end(session_id, data)

    def _save(self, session_id: str) -> bytes:
        if self.export_hook is not None:
            return self.export_hook(session_id, self.data(session_id))
        if session_id not in self._data and session_id in self._named:
            raise Error(
                "Handlers ask for ctx.session_id and keep nothing in ctx.session, which then is no copy of it: "
                "declare export_session and import_session, or App(..., snapshots=False)"
            )
        try:
            tree = plain(self._data.get(session_id, {}), binary=False)
        except ResultError as error:
            raise Error(f"ctx.session cannot be said in JSON: {error.path or '/'}: declare export_session") from error
        return json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()

    def _restore(self, session_id: str, state: bytes) -> None:
        restored = _read(state) if self.import_hook is None else self.import_hook(session_id, state)
        self._data[session_id] = {} if restored is None else restored


def _read(state: bytes) -> Dict[str, Any]:
    try:
        restored = json.loads(state)
    except ValueError:
        restored = None
    if not isinstance(restored, dict):
        raise _invalid("state", "is no copy of ctx.session", "a map in JSON")
    return restored


def text_of(args: Dict[str, Any], key: str) -> str:
    """A string among the arguments; raises InvalidArgs."""
    value = args.get(key)
    if not isinstance(value, str):
        raise _invalid(key, "is missing" if key not in args else "must be a string", "a string")
    return value


def _bytes_of(args: Dict[str, Any], codec: Codec) -> bytes:
    state = args.get("state")
    if codec.binary and isinstance(state, bytes):
        return state
    if not codec.binary and isinstance(state, str):
        try:
            return base64.b64decode(state, validate=True)
        except binascii.Error:
            pass
    raise _invalid("state", "must be bin" if codec.binary else "must be base64 with padding", "bytes")


def _invalid(key: str, message: str, expected: str) -> InvalidArgs:
    return InvalidArgs([{"path": "/" + key, "message": message, "expected": expected}])


def check_hook(hook: Callable[..., Any], parameters: List[str]) -> None:
    """Raises TypeError if a hook is no plain function that can be called with these."""
    name = getattr(hook, "__name__", repr(hook))
    if inspect.iscoroutinefunction(hook):
        raise TypeError(f"{name} must be a plain function: hooks run between requests")
    try:
        inspect.signature(hook).bind(*parameters)
    except TypeError:
        raise TypeError(f"{name} is called with ({', '.join(parameters)})") from None
