"""Raises Cancelled inside a handler, and nowhere else.

A ``Slot`` belongs to one thread that runs handlers. Between ``run()``'s arming and disarming, and only while the thread is not in the
SDK's own code (``shielded``), another thread's ``interrupt()`` makes Cancelled appear between two byte codes; at most once a request.
The main thread is interrupted by a signal, which also ends its system calls; another one by an asynchronous exception.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from typing import Any, Callable, Optional, Tuple

from ._errors import Cancelled
from ._request import Request

__all__ = ["CANCEL_SIGNAL", "MainSlot", "Slot", "ThreadSlot"]

CANCEL_SIGNAL: int = signal.SIGRTMIN + 5

Outcome = Tuple[Any, Optional[BaseException]]


class Slot:
    """A thread that runs handlers, and the request whose handler it runs. This one cannot be interrupted from outside."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.armed: Optional[Request] = None
        self.thrown = False
        self._shield = 0

    def run(self, request: Request, function: Callable[..., Any], arguments: Any) -> Outcome:
        """Calls ``function(**arguments)``; what it returned, and what it raised instead.

        Cancelled may appear anywhere after the first line that arms, once; whatever it meets, it ends here.
        """
        value: Any = None
        error: Optional[BaseException] = None
        done = False
        self._shield = 0
        self.thrown = False
        try:
            try:
                self.armed = request
                request.interrupt = self.interrupt
                if request.cancelled and not self.thrown:
                    self.thrown = True
                    raise Cancelled("The request was cancelled")
                value = function(**arguments)
                done = True
            except BaseException as raised:
                error = raised
                done = True
            self._disarm()
        except Cancelled as raised:  # it came after the handler had returned, or raised
            if not done:
                error = raised
            self._disarm()
        return value, error

    def shielded(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of the SDK that must not be interrupted half-way. Raises Cancelled before or after it."""
        if threading.get_ident() != self.thread:
            return function(*arguments)
        self._shield += 1
        try:
            self._settle()
            result = function(*arguments)
        finally:
            self._shield -= 1
        self._raise_if_pending()
        return result

    def interrupt(self, request: Request) -> None:
        """Called by another thread, after ``request.cancelled`` was set."""

    def _disarm(self) -> None:
        self.armed = None

    def _settle(self) -> None:
        """Returns when no interruption is under way, else raises it."""

    def _raise_if_pending(self) -> None:
        request = self.armed
        if self._shield == 0 and request is not None and request.cancelled and not self.thrown:
            self.thrown = True
            raise Cancelled("The request was cancelled")


class MainSlot(Slot):
    """The main thread. ``install()`` takes the signal, if the program does not use it."""

    def install(self) -> None:
        """Must be called on the main thread."""
        signal.signal(CANCEL_SIGNAL, self._on_signal)

    def interrupt(self, request: Request) -> None:
        signal.pthread_kill(self.thread, CANCEL_SIGNAL)

    def _on_signal(self, *_: object) -> None:
        self._raise_if_pending()


class _Landed(Cancelled):
    """Tells its thread's slot that it has arrived."""

    def __init__(self) -> None:
        super().__init__("The request was cancelled")
        slot = _by_thread.get(threading.get_ident())
        if slot is not None:
            slot.landed = True


_by_thread: "dict[int, ThreadSlot]" = {}


def _throw(thread: int, exception: Optional[type]) -> None:
    raised = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


class ThreadSlot(Slot):
    """A thread of a pool: constructed on it."""

    def __init__(self) -> None:
        super().__init__()
        self.landed = False
        self._throwing = 0
        _by_thread[self.thread] = self

    def run(self, request: Request, function: Callable[..., Any], arguments: Any) -> Outcome:
        self.landed = False
        return super().run(request, function, arguments)

    def interrupt(self, request: Request) -> None:
        self._throwing += 1  # from here on the thread neither disarms nor enters the SDK
        try:
            if self.armed is request and self._shield == 0 and not self.thrown:
                self.thrown = True
                _throw(self.thread, _Landed)
        finally:
            self._throwing -= 1

    def _disarm(self) -> None:
        self.armed = None
        while self._throwing:
            time.sleep(0)
        if self.thrown and not self.landed:
            _throw(self.thread, None)
            self.landed = True

    def _settle(self) -> None:
        while self._throwing:
            time.sleep(0)
        if self.thrown and not self.landed:
            _throw(self.thread, None)
            self.landed = True
            raise Cancelled("The request was cancelled")
