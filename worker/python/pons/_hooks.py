"""The functions of a program that are called at turning points of a worker's life."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from ._errors import Error
from ._sessions import EndHook, ExportHook, ImportHook, Sessions, check_hook

__all__ = ["Hooks"]


class Hooks:
    """What an App has declared."""

    def __init__(self) -> None:
        self._start: List[Callable[[], Any]] = []
        self._cleanup: List[Callable[[], Any]] = []
        self._ping: List[Callable[[], Dict[str, Any]]] = []
        self._info: List[Callable[[], Dict[str, Any]]] = []
        self._stats: List[Callable[[], Dict[str, Any]]] = []
        self._end_session: Optional[EndHook] = None
        self._export: Optional[ExportHook] = None
        self._import: Optional[ImportHook] = None

    def on_start(self, hook: Callable[[], Any]) -> None:
        """Another one; they are called in the order of their declaration. The same for those that follow."""
        check_hook(hook, [])
        self._start.append(hook)

    def on_cleanup(self, hook: Callable[[], Any]) -> None:
        """After ``cleanup`` has freed resources and sessions."""
        check_hook(hook, [])
        self._cleanup.append(hook)

    def on_ping(self, hook: Callable[[], Dict[str, Any]]) -> None:
        """More fields for ``ping``."""
        check_hook(hook, [])
        self._ping.append(hook)

    def on_info(self, hook: Callable[[], Dict[str, Any]]) -> None:
        """More fields for ``get_info``."""
        check_hook(hook, [])
        self._info.append(hook)

    def on_stats(self, hook: Callable[[], Dict[str, Any]]) -> None:
        """More fields for ``get_stats``."""
        check_hook(hook, [])
        self._stats.append(hook)

    def on_session_end(self, hook: EndHook) -> None:
        """Only one."""
        check_hook(hook, ["session_id", "session"])
        self._end_session = hook

    def export_session(self, hook: ExportHook) -> None:
        """Only one."""
        check_hook(hook, ["session_id", "session"])
        self._export = hook

    def import_session(self, hook: ImportHook) -> None:
        """Only one."""
        check_hook(hook, ["session_id", "state"])
        self._import = hook

    def check(self) -> None:
        """Raises ValueError if something is missing beside what is there."""
        if (self._export is None) != (self._import is None):
            raise ValueError("export_session and import_session are declared together or not at all")

    def equip(self, sessions: Sessions) -> None:
        """Gives the session hooks to a server."""
        sessions.on_end = self._end_session
        sessions.export_hook = self._export
        sessions.import_hook = self._import

    def start(self) -> None:
        """Raises what the hooks raise."""
        for hook in self._start:
            hook()

    def cleanup(self) -> Dict[str, Any]:
        """The fields of those hooks that return any; raises what the hooks raise."""
        fields: Dict[str, Any] = {}
        for hook in self._cleanup:
            more = hook()
            if isinstance(more, dict):
                fields.update(more)
        return fields

    def ping(self) -> Dict[str, Any]:
        """The fields of all hooks together."""
        return _joined("on_ping", self._ping)

    def info(self) -> Dict[str, Any]:
        """The fields of all hooks together."""
        return _joined("on_info", self._info)

    def stats(self) -> Dict[str, Any]:
        """The fields of all hooks together."""
        return _joined("on_stats", self._stats)


def _joined(what: str, hooks: List[Callable[[], Dict[str, Any]]]) -> Dict[str, Any]:
    fields: Dict[str, Any] = {}
    for hook in hooks:
        more = hook()
        if not isinstance(more, dict):
            raise Error(f"{what} returned {type(more).__name__}, not a dict")
        fields.update(more)
    return fields
