"""What becomes of an exception: the error of a reply."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from ._codec import Codec, RequestId, error_document
from ._errors import Cancelled, Error
from ._request import Request
from ._results import plain

__all__ = [
    "Translations",
    "cancelled_error",
    "error_body",
    "error_of",
    "message_of",
    "timestamp_now",
    "too_large",
    "trimmed_traceback",
    "untold",
]

_MAX_TRACEBACK = 6 << 10  # bytes, so that a log line of it stays below 8 KiB
_MAX_FRAMES = 20
_HERE = os.path.dirname(__file__) + os.sep

_RETRY = frozenset(
    [
        "rate_limited",
        "overloaded",
        "queue_timeout",
        "worker_start_failed",
        "pool_failed",
        "circuit_open",
        "session_limit",
        "shutting_down",
    ]
)
_RETRY_IF_IDEMPOTENT = frozenset(["deadline_exceeded", "worker_crashed"])


def class_name(kind: type) -> str:
    """As people write it: with the module, unless that is Python itself."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def trimmed_traceback(error: BaseException) -> str:
    """The traceback without the SDK's own frames, and not longer than a line of the log may be."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_HERE)]
    lines: List[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and not isinstance(cause, Cancelled):
        lines += traceback.format_exception_only(type(cause), cause)
        lines.append("then, while that was handled:\n")
    if frames:
        lines.append("Traceback (most recent call last):\n")
        if len(frames) > _MAX_FRAMES:
            lines += traceback.format_list(frames[: _MAX_FRAMES // 2])
            lines.append(f"  ... {len(frames) - _MAX_FRAMES} calls\n")
            frames = frames[-_MAX_FRAMES // 2 :]
        lines += traceback.format_list(frames)
    lines += traceback.format_exception_only(type(error), error)
    text = "".join(lines)
    if len(text) > _MAX_TRACEBACK:
        text = text[: _MAX_TRACEBACK // 2] + "\n  ...\n" + text[-_MAX_TRACEBACK // 2 :]
    return text


class Translations:
    """Which exception classes of a framework mean which code."""

    def __init__(self) -> None:
        self._by_class: List[Tuple[Type[BaseException], Callable[[BaseException], Error]]] = []

    def add(self, kind: Type[BaseException], translate: Callable[[BaseException], Error]) -> None:
        """``translate`` makes an Error of an exception of this class. The most derived class counts."""
        self._by_class.append((kind, translate))

    def find(self, error: BaseException) -> Optional[Error]:
        """What it means, or None."""
        fitting = [(kind, translate) for kind, translate in self._by_class if isinstance(error, kind)]
        if not fitting:
            return None
        order = type(error).__mro__
        _, translate = min(fitting, key=lambda entry: order.index(entry[0]) if entry[0] in order else len(order))
        return translate(error)


def cancelled_error(request: Request) -> Error:
    """What a request is answered that nobody waits for any more."""
    if request.why == "host_gone":
        return Error("The host is gone", code="cancelled", details={"reason": "host_gone"})
    if request.is_late:
        return Error("The deadline passed while the request ran", code="deadline_exceeded")
    return Error("The request was cancelled", code="cancelled")


def too_large(length: int, max_frame: int) -> Error:
    """A body of ``length`` bytes is above the limit."""
    return Error(
        f"A frame of {length} bytes is above the limit of {max_frame}",
        code="frame_too_large",
        details={"length": length, "max_frame": max_frame},
    )


def message_of(error: BaseException) -> str:
    """What it says, or else the name of its class."""
    try:
        text = str(error)
    except Exception:
        text = ""
    if isinstance(error, SystemExit):
        return f"The handler called exit({text})"
    return text or type(error).__name__


def error_of(error: BaseException, request: Request, translations: Translations, debug: bool) -> Error:
    """The error of a reply. ``debug``: with the traceback, of what is no pons.Error itself."""
    if isinstance(error, Cancelled) or (request.cancelled and _is_task_cancelled(error)):
        return cancelled_error(request)
    if isinstance(error, Error):
        return error
    translated = translations.find(error)
    result = translated if translated is not None else Error(message_of(error))
    details: Dict[str, Any] = {"type": class_name(type(error))}
    if debug:
        details["traceback"] = trimmed_traceback(error)
    result.details = {**details, **result.details}
    return result


def untold(error: BaseException, problem: Exception) -> Error:
    """For an exception whose own reply could not be made, because of the ``problem``."""
    kind = class_name(type(error))
    return Error(
        f"{kind} was raised, and what it means could not be told: {type(problem).__name__}: {message_of(problem)}",
        details={"type": kind},
    )


def _is_task_cancelled(error: BaseException) -> bool:
    asyncio = sys.modules.get("asyncio")  # slow to import, and not needed by most
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def timestamp_now() -> str:
    """UTC, with microseconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def error_body(codec: Codec, request_id: RequestId, error: Error, idempotent: bool) -> bytes:
    """A failed reply.

    It must reach its caller: text that is not UTF-8 is repaired, details that cannot be said are left out.
    """
    retryable = error.retryable
    if retryable is None:
        retryable = error.code in _RETRY or (idempotent and error.code in _RETRY_IF_IDEMPOTENT)
    document = error_document(request_id, error, bool(retryable), timestamp_now())
    try:
        return codec.encode(plain(document, binary=codec.binary))
    except Exception:
        document["error"] = _repaired(document["error"])
        document["code"] = _repaired(document["code"])
        document["details"] = {
            key: _repaired(value) for key, value in error.details.items() if type(key) is str and type(value) is str
        }
        return codec.encode(document)


def _repaired(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
