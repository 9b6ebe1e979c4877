"""The requests that have no reply yet, and what was answered: counts, and how far each session has come.

Thread-safe. A request is accepted, begins, and is finished; one that is cancelled before it begins is taken out, and
answered by whoever took it out.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Dict, List, NamedTuple, Optional

from ._codec import RequestId
from ._request import Request

__all__ = ["Ledger", "Totals"]

_HOSTS_QUESTIONS = frozenset(["common:end_session", "common:export_session", "common:import_session"])


class Totals(NamedTuple):
    """Answered requests, those of them that failed, and the sessions that are known."""

    requests: int
    errors: int
    sessions: int


class Ledger:
    """See the module."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Deque[Request] = deque()
        self._open: Dict[RequestId, Request] = {}
        self._begun = 0
        self._requests = 0
        self._errors = 0
        self._answered: Dict[str, int] = {}

    def accept(self, request: Request) -> None:
        """It waits for its turn."""
        self._open[request.id] = request
        self._waiting.append(request)

    def begin_next(self) -> Optional[Request]:
        """The request whose turn it is, or None."""
        try:
            request = self._waiting.popleft()
        except IndexError:
            return None
        self.begin(request)
        return request

    def begin(self, request: Request) -> None:
        """It has begun, and its session is known from here on."""
        request.begun = True
        with self._lock:
            self._begun += 1
            if request.session_id is not None and request.command not in _HOSTS_QUESTIONS:
                self._answered.setdefault(request.session_id, 0)

    def take_waiting(self, request: Request) -> bool:
        """Takes it out if it waits for its turn; False if it has begun, or somebody else took it."""
        try:
            self._waiting.remove(request)  # compares by identity: one step for other threads
        except ValueError:
            return False
        self.begin(request)
        return True

    def finish(self, request: Request, success: bool) -> bool:
        """It has its terminal reply; counts for its session, if that has not ended meanwhile.

        False if it had one already.
        """
        with self._lock:
            if request.ended:
                return False
            request.ended = True
            self._begun -= 1
            if self._open.get(request.id) is request:
                del self._open[request.id]
            self._requests += 1
            if not success:
                self._errors += 1
            session = request.session_id
            if session is not None and session in self._answered and request.command not in _HOSTS_QUESTIONS:
                self._answered[session] += 1
            return True

    def find(self, request_id: RequestId) -> Optional[Request]:
        """The open request with this id. Id 0 may be used by several at once and is never found."""
        return None if request_id == 0 else self._open.get(request_id)

    def open_requests(self) -> List[Request]:
        """All that have no reply yet."""
        return list(self._open.values())

    @property
    def begun(self) -> int:
        """How many have begun and have no reply yet."""
        return self._begun

    def totals(self) -> Totals:
        """For ``get_stats``."""
        with self._lock:
            return Totals(self._requests, self._errors, len(self._answered))

    def covers(self, session_id: str) -> Optional[int]:
        """How many requests of the session were answered, errors too; None for one that is not known."""
        return self._answered.get(session_id)

    def restore(self, session_id: str, covers: int) -> None:
        """The session came from elsewhere, where so many were answered."""
        with self._lock:
            self._answered[session_id] = covers

    def end_session(self, session_id: str) -> bool:
        """False if it was not known."""
        with self._lock:
            return self._answered.pop(session_id, None) is not None

    def end_all_sessions(self) -> List[str]:
        """Those that there were."""
        with self._lock:
            ended = list(self._answered)
            self._answered.clear()
            return ended
