"""The writing end of a worker's channel.

Threads that serve may block while the host does not read; the one that reads must not, and only posts. A frame of one
never lands inside a frame of another.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
from collections import deque
from typing import Deque, Optional

from ._frames import header

__all__ = ["Outbox"]

_MAX_POSTED = 256 << 10  # bytes of replies to cancellations, while the host does not read
_JOINED = 64 << 10  # a longer body is not copied to stand behind its header


class Outbox:
    """Does not own the descriptor.

    A failed write means that the host is gone: ``is_broken``, and nothing more is written.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._socket: Optional[socket.socket] = None
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            self._socket = socket.socket(fileno=fd)  # shares the descriptor; detached by close()
            self._socket.setblocking(True)
        self._lock = threading.Lock()
        self._posted: Deque[bytes] = deque()
        self.is_broken = False

    def send(self, body: bytes) -> None:
        """One frame; blocks while the host does not read."""
        size = len(body)
        with self._lock:
            if self._posted:
                self._write_posted()
            if size <= _JOINED:
                self._write(header(size) + body)
            else:
                self._write(header(size))
                self._write(body)
        while self._posted and not self.is_broken:  # came while this thread wrote
            with self._lock:
                self._write_posted()

    def post(self, body: bytes) -> None:
        """One frame, as soon as the descriptor takes it; never blocks. For the thread that reads."""
        self._posted.append(header(len(body)) + body)
        self.flush_some()

    def flush_some(self) -> bool:
        """Writes as much of what was posted as the descriptor takes now. True if something is left."""
        if not self._lock.acquire(False):
            return bool(self._posted)  # whoever writes takes it along
        try:
            while self._posted and not self.is_broken:
                data = self._posted[0]
                written = self._write_now(data)
                if written == len(data):
                    self._posted.popleft()
                    continue
                self._posted[0] = data[written:]
                return not self.is_broken
            return False
        finally:
            self._lock.release()

    @property
    def is_full(self) -> bool:
        """So much was posted and is not written yet that whoever reads had better not read on."""
        return sum(map(len, list(self._posted))) > _MAX_POSTED

    def close(self) -> None:
        """Leaves the descriptor to its owner."""
        self.is_broken = True
        if self._socket is not None:
            self._socket.detach()
            self._socket = None

    def _write_posted(self) -> None:
        while self._posted:
            self._write(self._posted.popleft())

    def _write(self, data: bytes) -> None:
        if self.is_broken:
            return
        try:
            if self._socket is not None:
                self._socket.sendall(data)
                return
            view = memoryview(data)
            while view:
                try:
                    view = view[os.write(self._fd, view) :]
                except BlockingIOError:
                    select.select([], [self._fd], [])
        except OSError:
            self.is_broken = True

    def _write_now(self, data: bytes) -> int:
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            if not select.select([], [self._fd], [], 0)[1]:
                return 0
            return os.write(self._fd, data[: select.PIPE_BUF])  # a pipe that is writable has room for so much
        except BlockingIOError:
            return 0
        except OSError:
            self.is_broken = True
            return 0
