"""What an unreadable frame is about: its few keys are found without reading the rest."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

from ._codec import Codec

try:
    import msgpack
except ImportError:
    msgpack = None

__all__ = ["head_of"]

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},:]|[^][{},:"\s]+', re.DOTALL)
_LONGEST = 200  # bytes of a value that is looked at
_KEYS = frozenset(["id", "command", "success"])


def head_of(body: bytes, codec: Codec) -> Dict[str, Any]:
    """``id``, ``command`` and ``success`` of a frame, as far as they can be read; ``body`` may be anything."""
    return _of_msgpack(body) if codec.binary else _of_json(body)


def _of_json(body: bytes) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    depth = 0
    before = [b"", b""]  # the two tokens before this one
    for match in _TOKEN.finditer(body):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and before[1] == b":" and len(token) <= _LONGEST:
            try:
                key = json.loads(before[0])
                if key in _KEYS:
                    found[key] = json.loads(token)
            except ValueError:
                pass
            if "id" in found and len(found) > 1:
                break
        before = [before[1], token]
    return found


def _of_msgpack(body: bytes) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    unpacker = msgpack.Unpacker(max_buffer_size=len(body))
    unpacker.feed(body)
    try:
        for _ in range(unpacker.read_map_header()):
            key = unpacker.unpack()
            if key in _KEYS:
                found[key] = unpacker.unpack()
            else:
                unpacker.skip()
    except Exception:  # of several classes: the rest cannot be skipped
        pass
    return found
