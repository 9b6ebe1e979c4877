"""The descriptors on which a worker speaks to its host."""

from __future__ import annotations

import atexit
import fcntl
import os
import select
import sys
from typing import NamedTuple, Optional

__all__ = ["Channel", "claim", "claim_at_import", "claim_dump", "will_serve"]

_CLAIMED = "PONS_CHANNEL_CLAIMED"


class Channel(NamedTuple):
    """The same descriptor twice for a socket."""

    input: int
    output: int
    on_stdio: bool

    def poller(self, *, reading: bool, writing: bool) -> select.poll:
        """Waits for what comes, or without ``reading`` only for the end; and for room, if ``writing``."""
        incoming = select.POLLIN if reading else select.POLLRDHUP
        poll = select.poll()
        poll.register(self.input, incoming)
        if writing:
            poll.register(self.output, select.POLLOUT | (incoming if self.output == self.input else 0))
        return poll

    def read_into(self, space: memoryview) -> int:
        """Blocks until something came; 0 at the end, also if the channel is broken."""
        while True:
            try:
                return os.readv(self.input, [space])
            except BlockingIOError:
                select.select([self.input], [], [])
            except OSError:
                return 0


_claimed: Optional[Channel] = None


def claim_at_import() -> None:
    """In a process that a host has started: takes the channel before anything else of the program can read or print.

    Of the programs that this one starts, none is on the channel.
    """
    if "PONS_FD" in os.environ or ("PONS_WORKER_ID" in os.environ and _CLAIMED not in os.environ):
        claim()
        atexit.register(_say_unserved, os.getpid())


def will_serve() -> None:
    """An App runs."""
    atexit.unregister(_say_unserved)


def _say_unserved(pid: int) -> None:
    """A program that forgot the last line would end in silence. One that failed has said why."""
    if os.getpid() == pid and getattr(sys, "last_value", None) is None and sys.stderr is not None:
        print(
            f"{sys.argv[0]} ended without running an App: its last line is app.run(), or Bridge().run()",
            file=sys.stderr,
        )


def claim() -> Optional[Channel]:
    """The channel: what ``PONS_FD`` names, else stdin and stdout; None if stdin is a terminal or closed.

    Claimed once.

    Raises
    ------
    OSError
        ``PONS_FD`` names no open descriptor.
    """
    global _claimed
    if _claimed is not None:
        return _claimed
    named = os.environ.pop("PONS_FD", None)
    if named is not None:
        _claimed = _claim_named(named)
    elif _is_open(0) and not os.isatty(0):
        _claimed = _claim_stdio()
    if _claimed is not None:
        os.environ[_CLAIMED] = "1"
        _flush_lines()
    return _claimed


def _claim_named(text: str) -> Channel:
    fd = int(text) if text.isascii() and text.isdigit() else -1
    if not _is_open(fd):
        raise OSError(f"PONS_FD={text} names no open descriptor")
    os.set_inheritable(fd, False)
    return Channel(fd, fd, on_stdio=False)


def _claim_stdio() -> Channel:
    channel = Channel(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3), on_stdio=True)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2 if _is_open(2) else null, 1)
    if null > 2:
        os.close(null)
    return channel


def _is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except (OSError, ValueError):
        return False
    return True


def _flush_lines() -> None:
    """A print appears in the log when it is made."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


def claim_dump() -> int:
    """Where the report of a hang goes, or -1."""
    text = os.environ.pop("PONS_DUMP_FD", None)
    if text is None:
        return -1
    fd = int(text) if text.isascii() and text.isdigit() else -1
    if not _is_open(fd):
        print(f"PONS_DUMP_FD={text} names no open descriptor: there will be no report of hangs", file=sys.stderr)
        return -1
    os.set_inheritable(fd, False)
    os.set_blocking(fd, False)
    return fd
