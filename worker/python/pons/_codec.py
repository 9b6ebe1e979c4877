"""The two codecs of the protocol, and the bodies that a worker sends (docs/protocol.md, sections 2 to 4)."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Optional, Union

from ._errors import Error

try:
    import orjson
except ImportError:
    orjson = None
try:
    import msgpack
except ImportError:
    msgpack = None

__all__ = ["JSON", "Codec", "RequestId", "Unreadable", "by_name", "codec_names", "codec_of"]

RequestId = Union[int, str]

_LONG = re.compile(rb"[0-9]{19}")  # orjson makes a float of an integer above 64 bits
_JSON_FIRST = frozenset(b"{ \t\n\r")
_MSGPACK_FIRST = frozenset(range(0x80, 0x90)) | {0xDE, 0xDF}


class Unreadable(ValueError):
    """A well-formed document that Python does not read: an integer of too many digits, a time that is none."""


class Codec:
    """How documents are written as bytes. What is encoded is plain already (``_results.plain``)."""

    name: str
    binary: bool
    """Whether it carries bytes, NaN and infinities."""

    def decode(self, body: Union[bytes, memoryview]) -> Any:
        """Reads one document; raises ValueError for what is none, Unreadable for what is beyond Python."""
        raise NotImplementedError

    def encode(self, document: Any) -> bytes:
        """Writes a plain document."""
        raise NotImplementedError

    def success(self, request_id: RequestId, result: bytes) -> bytes:
        """A terminal reply around a result that is encoded already."""
        raise NotImplementedError

    def partial(self, request_id: RequestId, seq: int, chunk: bytes) -> bytes:
        """A partial reply around a chunk that is encoded already."""
        raise NotImplementedError


def _no_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is no JSON", name, 0)


def _json_encoder() -> Callable[[Any], str]:
    """What JSONEncoder.encode does, without making its encoder in C anew for each document."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    basestring: Any = getattr(json.encoder, "encode_basestring")  # noqa: B009
    encode = make(None, encoder.default, basestring, None, ":", ",", False, False, False)
    return lambda document: "".join(encode(document, 0))


class _Json(Codec):
    name = "json"
    binary = False

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(parse_constant=_no_constant)
        self._encode = _json_encoder()

    def decode(self, body: Union[bytes, memoryview]) -> Any:
        try:
            if orjson is not None and _LONG.search(body) is None:
                return orjson.loads(body)
            text = str(body, "utf-8")
            if text[:1] == "{" and text[-1:] == "}":  # as hosts write it: without looking for white space
                document, end = self._decoder.raw_decode(text)
                if end == len(text):
                    return document
            return self._decoder.decode(text)
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        except ValueError as error:
            if type(error) is not ValueError:  # the classes of the decoders say what is no JSON
                raise
            raise Unreadable(
                "an integer in it has more digits than Python reads, see sys.set_int_max_str_digits"
            ) from None

    def encode(self, document: Any) -> bytes:
        if orjson is not None:
            try:
                encoded: bytes = orjson.dumps(document)
                return encoded
            except TypeError:  # an integer of more than 64 bits
                pass
        return self._encode(document).encode()

    def success(self, request_id: RequestId, result: bytes) -> bytes:
        return b'{"id":%b,"success":true,"result":%b}' % (self._id(request_id), result)

    def partial(self, request_id: RequestId, seq: int, chunk: bytes) -> bytes:
        return b'{"id":%b,"success":true,"partial":true,"seq":%d,"result":%b}' % (self._id(request_id), seq, chunk)

    def _id(self, request_id: RequestId) -> bytes:
        return b"%d" % request_id if type(request_id) is int else self.encode(request_id)


class _Msgpack(Codec):
    name = "msgpack"
    binary = True

    def decode(self, body: Union[bytes, memoryview]) -> Any:
        try:
            return msgpack.unpackb(body, raw=False, strict_map_key=False, use_list=True)
        except ValueError as error:
            if type(error) is ValueError and self._is_whole(body):
                raise Unreadable(str(error)) from None
            raise
        except Exception as error:  # its own classes, some of which are no ValueError
            raise ValueError(str(error) or type(error).__name__) from None

    def _is_whole(self, body: Union[bytes, memoryview]) -> bool:
        unpacker = msgpack.Unpacker(max_buffer_size=len(body))
        unpacker.feed(body)
        try:
            unpacker.skip()
        except Exception:  # of several classes
            return False
        return bool(unpacker.tell() == len(body))

    def encode(self, document: Any) -> bytes:
        encoded: bytes = msgpack.packb(document, use_bin_type=True)
        return encoded

    def success(self, request_id: RequestId, result: bytes) -> bytes:
        return b"\x83\xa2id%b\xa7success\xc3\xa6result%b" % (self.encode(request_id), result)

    def partial(self, request_id: RequestId, seq: int, chunk: bytes) -> bytes:
        around = (self.encode(request_id), self.encode(seq), chunk)
        return b"\x85\xa2id%b\xa7success\xc3\xa7partial\xc3\xa3seq%b\xa6result%b" % around


JSON: Codec = _Json()
_MSGPACK: Optional[Codec] = _Msgpack() if msgpack is not None else None


def codec_names() -> List[str]:
    """The codecs that this worker reads, for ``get_info``."""
    return ["json"] if _MSGPACK is None else ["json", "msgpack"]


def by_name(name: str) -> Codec:
    """The codec with this name; raises Error (``unsupported_codec``) for one that is not there."""
    if name == "json":
        return JSON
    if name == "msgpack" and _MSGPACK is not None:
        return _MSGPACK
    raise Error(f"There is no codec {name!r} here: {', '.join(codec_names())}", code="unsupported_codec")


def codec_of(body: bytes) -> Codec:
    """The codec of a body, by its first byte. Raises Error (``bad_frame``, ``unsupported_codec``)."""
    first = body[0] if body else -1
    if first == 0x7B or first in _JSON_FIRST:
        return JSON
    if first in _MSGPACK_FIRST:
        return by_name("msgpack")
    what = f"begins with the byte 0x{first:02x}, neither a JSON object nor a MessagePack map" if body else "is empty"
    raise Error(f"The body {what}", code="bad_frame")


def _text_of(value: Any) -> str:
    """Hosts take nothing but text here, whatever an Error was made with."""
    return value if isinstance(value, str) else str(value)


def error_document(request_id: RequestId, error: Error, retryable: bool, timestamp: str) -> Dict[str, Any]:
    """A failed reply before it is encoded."""
    document: Dict[str, Any] = {
        "id": request_id,
        "success": False,
        "error": _text_of(error.message),
        "code": _text_of(error.code),
        "retryable": retryable,
    }
    if error.details:
        document["details"] = error.details
    document["timestamp"] = timestamp
    return document
