"""Cuts a stream of bytes into frames (docs/protocol.md, section 1). Entirely passive."""

from __future__ import annotations

from typing import Union

__all__ = ["DEFAULT_MAX_FRAME", "FrameDecoder", "NoFrames", "Oversized", "header"]

DEFAULT_MAX_FRAME = 64 << 20
_HEADER = 4
_READ = 64 << 10
_HOPELESS = 16  # a length above this many times the limit ends the stream
_SHOWN = 64


class NoFrames(Exception):
    """The stream carries something that is no frames: the text of it is the message."""


class Oversized:
    """A frame above the limit: its bytes are skipped. ``length`` in bytes."""

    def __init__(self, length: int) -> None:
        self.length = length


def header(size: int) -> bytes:
    """The four bytes before a body of ``size`` bytes."""
    return size.to_bytes(_HEADER, "big")


class FrameDecoder:
    """Read into ``space()``, tell ``commit()`` how much came, then call ``next()`` until it returns None.

    Grows with the bytes that were received, never with those that were declared.

    Parameters
    ----------
    max_frame
        The largest body, in bytes. May be changed between frames.
    """

    def __init__(self, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self.max_frame = max_frame
        self._buffer = bytearray(_READ)
        self._view = memoryview(self._buffer)
        self._begin = 0
        self._end = 0
        self._skip = 0
        self._seen_frame = False

    def space(self) -> memoryview:
        """Where the next bytes go; never empty."""
        pending = self._end - self._begin
        if pending == 0:
            self._begin = self._end = 0
            if len(self._buffer) > _READ:
                self._move_to(_READ)
            return self._view
        whole = _HEADER + self._declared() if pending >= _HEADER else pending + _READ
        wanted = min(whole, max(_READ, 2 * pending))
        if self._begin + wanted > len(self._buffer) or self._end == len(self._buffer):
            self._move_to(max(wanted, pending + _HEADER, _READ))
        return self._view[self._end :]

    def commit(self, count: int) -> None:
        """``count`` bytes came into the space."""
        self._end += count

    def next(self) -> Union[bytes, Oversized, None]:
        """The next body, an oversized one's length, or None: more bytes are needed. Raises NoFrames."""
        begin = self._begin
        pending = self._end - begin
        if self._skip:
            dropped = min(self._skip, pending)
            self._begin = begin = begin + dropped
            self._skip -= dropped
            pending -= dropped
        if pending < _HEADER:
            return None
        length = int.from_bytes(self._view[begin : begin + _HEADER], "big")
        if not self._seen_frame or length > self.max_frame:
            self._refuse_text(length)
            if length > self.max_frame:
                self._begin += _HEADER
                self._skip = length
                return Oversized(length)
        if pending < _HEADER + length:
            return None
        self._begin = begin + _HEADER + length
        self._seen_frame = True
        return bytes(self._view[begin + _HEADER : self._begin])

    def _declared(self) -> int:
        return int.from_bytes(self._view[self._begin : self._begin + _HEADER], "big")

    def _move_to(self, capacity: int) -> None:
        pending = self._end - self._begin
        fresh = bytearray(capacity)
        fresh[:pending] = self._view[self._begin : self._end]
        self._buffer = fresh
        self._view = memoryview(fresh)
        self._begin, self._end = 0, pending

    def _refuse_text(self, length: int) -> None:
        begun = bytes(self._view[self._begin : min(self._begin + _SHOWN, self._end)])
        is_text = not self._seen_frame and all(0x20 <= byte < 0x7F for byte in begun[:_HEADER])
        if is_text or length > _HOPELESS * self.max_frame:
            raise NoFrames(begun.decode("latin-1").encode("unicode_escape").decode())
