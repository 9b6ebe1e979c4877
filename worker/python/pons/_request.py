"""A request on its way through the worker."""

from __future__ import annotations

import math
import time
from typing import Any, Dict, List, Optional, Tuple

from ._codec import JSON, Codec, RequestId, Unreadable, codec_of
from ._errors import Error
from ._frame_head import head_of

__all__ = ["BadFrame", "Request", "decode"]

_MAX_TIMEOUT_MS = 2147483648.0
_MAX_ID = (1 << 63) - 1


class BadFrame(Exception):
    """A frame that is no valid envelope: ``error`` is the reply, under ``request_id``."""

    def __init__(self, message: str, code: str, codec: Codec, request_id: RequestId = 0) -> None:
        super().__init__(message)
        self.error = Error(message, code=code)
        self.codec = codec
        self.request_id = request_id


class Request:
    """What a frame asks, checked. Marked as cancelled by whichever thread reads the channel."""

    __slots__ = (
        "args",
        "begun",
        "calls",
        "cancelled",
        "codec",
        "command",
        "deadline",
        "ended",
        "id",
        "idempotent",
        "interrupt",
        "meta",
        "resource_id",
        "session_id",
        "stream",
        "why",
    )

    def __init__(self, document: Dict[str, Any], codec: Codec) -> None:
        self.codec = codec
        get = document.get
        self.id: RequestId = _checked_id(get("id", 0), codec)
        self.command: str = document["command"]
        self.args: Dict[str, Any] = get("args", {})
        self.session_id: Optional[str] = get("session_id")
        self.meta: Dict[str, Any] = get("meta", {})
        self.stream: bool = get("stream", False)
        self.idempotent: Optional[bool] = get("idempotent")
        self.deadline = math.inf  # time.monotonic()
        self.begun = False
        self.ended = False
        self.cancelled = False
        self.why: Optional[str] = None
        """Why it was cancelled: None (by its caller) or ``"host_gone"``."""
        self.interrupt: Any = None
        """What ends its handler, once that runs: called with the request, from any thread."""
        self.calls: List[Any] = []
        """Its open reverse requests."""
        if type(self.command) is not str or type(self.args) is not dict or type(self.meta) is not dict:
            self._refuse("command must be a string, args and meta must be maps")
        if self.session_id is not None and type(self.session_id) is not str:
            self._refuse("session_id must be a string")
        timeout = get("timeout_ms")
        if timeout is not None:
            if type(timeout) not in (int, float) or not 0 < timeout < math.inf:
                self._refuse("timeout_ms must be a finite number greater than 0")
            self.deadline = time.monotonic() + min(timeout, _MAX_TIMEOUT_MS) / 1000
        resource = get("resource_id")
        if resource is not None and type(resource) is not str:
            self._refuse("resource_id must be a string")
        self.resource_id: Optional[str] = resource

    def _refuse(self, message: str) -> None:
        raise BadFrame(message, "bad_request", self.codec, self.id)

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed."""
        return self.deadline != math.inf and time.monotonic() >= self.deadline


def _checked_id(value: Any, codec: Codec) -> RequestId:
    if type(value) is int and 0 <= value <= _MAX_ID:
        return value
    if type(value) is str and len(value.encode("utf-8", "surrogatepass")) <= 128:
        return value
    raise BadFrame("id must be an integer from 0 to 2^63-1 or a string of at most 128 bytes", "bad_request", codec)


def decode(body: bytes) -> Tuple[Dict[str, Any], Codec]:
    """The document of a frame, a dict, and its codec. Raises BadFrame."""
    try:
        codec = codec_of(body)
    except Error as error:
        raise BadFrame(error.message, error.code, JSON) from None  # what has no codec is answered in JSON
    try:
        document = codec.decode(body)
    except Unreadable as error:
        request_id = _checked_id(head_of(body, codec).get("id", 0), codec)
        raise BadFrame(f"This worker cannot read it: {error}", "invalid_args", codec, request_id) from None
    except ValueError as error:
        raise BadFrame(f"Bad {codec.name}: {error}", "bad_frame", codec) from None
    if type(document) is not dict:
        raise BadFrame("The body is no map", "bad_frame", codec)
    return document, codec
