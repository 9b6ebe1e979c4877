"""Raises Cancelled inside a handler, and nowhere else.

A ``Slot`` belongs to one thread that runs handlers. Between ``run()``'s arming and disarming, and only while the thread
is not in the SDK's own code (``shielded``), another thread's ``interrupt()`` makes Cancelled appear between two byte
codes; at most once a request. The main thread is interrupted by a signal, which also ends its system calls; another one
by an asynchronous exception.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._errors import Cancelled
from ._request import Request

__all__ = ["CANCEL_SIGNAL", "MainSlot", "Slot", "ThreadSlot"]

CANCEL_SIGNAL: int = signal.SIGRTMIN + 5

Outcome = Tuple[Any, Optional[BaseException]]


class Slot:
    """A thread that runs handlers, and the request whose handler it runs.

    This one cannot be interrupted from outside.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.armed: Optional[Request] = None
        self._tokens: List[None] = []  # whoever takes the one in it raises Cancelled for this request
        self._shield = 0

    def run(self, request: Request, function: Callable[..., Any], arguments: Any) -> Outcome:
        """Calls ``function(**arguments)``; what it returned, and what it raised instead.

        Cancelled may appear anywhere after the first line that arms, once; whatever it meets, it ends here.
        """
        value: Any = None
        error: Optional[BaseException] = None
        done = False
        self._shield = 0
        self._tokens = [None]
        try:
            try:
                self.armed = request
                request.interrupt = self.interrupt
                if request.cancelled:
                    self._raise_if_pending()
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

    def deferring(self, function: Callable[..., Any], *arguments: Any) -> None:
        """The same without raising anything of its own: for what is called while a generator is freed, where Cancelled
        would be lost. It comes later.
        """
        if threading.get_ident() != self.thread:
            function(*arguments)
            return
        self._shield += 1
        try:
            self._hold_back()
            function(*arguments)
        finally:
            self._shield -= 1

    def interrupt(self, request: Request) -> None:
        """Called by another thread, after ``request.cancelled`` was set."""

    def repeat(self) -> bool:
        """Interrupts again if the handler has not noticed; called by another thread, once in a while. Whether it has to
        be called again.
        """
        request = self.armed
        if request is None or not request.cancelled or not self._tokens:
            return False
        self.interrupt(request)
        return True

    def _disarm(self) -> None:
        """Returns when nothing can come any more."""
        self.armed = None

    def _settle(self) -> None:
        """Returns when no interruption is under way, else raises it."""

    def _hold_back(self) -> None:
        """Returns when no interruption is under way; one that was comes again."""

    def _raise_if_pending(self) -> None:
        request = self.armed
        if request is not None and request.cancelled and not self._shield and self._take_token():
            raise Cancelled("The request was cancelled")

    def _take_token(self) -> bool:
        try:
            self._tokens.pop()  # one step for other threads
        except IndexError:
            return False
        return True


class MainSlot(Slot):
    """The main thread. ``install()`` takes the signal.

    One that comes just before a system call that waits is not noticed until that has returned: hence ``repeat()``.
    """

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
            slot.flying = False


_by_thread: Dict[int, ThreadSlot] = {}


class ThreadSlot(Slot):
    """A thread of a pool: constructed on it."""

    def __init__(self) -> None:
        super().__init__()
        self.flying = False  # thrown, and not arrived yet
        self._throwing = 0
        _by_thread[self.thread] = self

    def interrupt(self, request: Request) -> None:
        self._throwing += 1  # from here on the thread neither disarms nor enters the SDK
        try:
            if self.armed is request and not self._shield and self._take_token():
                self.flying = True
                self._throw(_Landed)
        finally:
            self._throwing -= 1

    def _disarm(self) -> None:
        self.armed = None
        self._catch()

    def _settle(self) -> None:
        if self._catch():
            raise Cancelled("The request was cancelled")

    def _hold_back(self) -> None:
        if self._catch():
            self._tokens.append(None)

    def _catch(self) -> bool:
        """Waits for one that is being thrown, and catches it before it arrives; False if there was none."""
        while self._throwing:
            time.sleep(0)
        if not self.flying:
            return False
        self._throw(None)
        self.flying = False
        return True

    def _throw(self, exception: Optional[type]) -> None:
        what = ctypes.py_object(exception) if exception is not None else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread), what)
