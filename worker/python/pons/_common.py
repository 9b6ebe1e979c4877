"""The commands that every worker answers.

Ping with the handshake, get_info, get_stats, cleanup, and the host's about sessions.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Dict, List

from ._codec import codec_names
from ._commands import Command
from ._context import Context
from ._errors import ConfigurationError, Error
from ._replies import timestamp_now

if TYPE_CHECKING:
    from ._server import Server

__all__ = ["CommonCommands"]

_PROTOCOL = 1
_CONFIGURATION_EXIT = 78  # EX_CONFIG: starting again will not help


class CommonCommands:
    """Of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._start_time = timestamp_now()
        self._started = time.monotonic()
        self._is_first = True
        self._is_ready = False

    def commands(self) -> List[Command]:
        """For the table."""
        sessions = self._server.sessions
        all_of_them = [
            Command("ping", self._ping, common=True, idempotent=True, description=""),
            Command("get_info", self._get_info, common=True, idempotent=True, description=""),
            Command("get_stats", self._get_stats, common=True, idempotent=True, description=""),
            Command("cleanup", self._cleanup, common=True, idempotent=True, description=""),
            Command("common:end_session", sessions.answer_end, common=True, description=""),
        ]
        if self._server.app.snapshots:
            all_of_them += [
                Command("common:export_session", self._export, common=True, context_parameter="ctx", description=""),
                Command("common:import_session", self._import, common=True, context_parameter="ctx", description=""),
            ]
        return all_of_them

    def _ping(self, args: Dict[str, Any]) -> Dict[str, Any]:
        is_first, self._is_first = self._is_first, False
        if is_first and args.get("initialization") is True:
            self._shake_hands(args)
        app = self._server.app
        result = app.hooks.ping()
        result.update(status="ok", worker_id=app.worker_id, protocol=_PROTOCOL, name=app.name, pid=os.getpid())
        if self._server.stack_signal:
            result["stack_signal"] = self._server.stack_signal
        return result

    def _shake_hands(self, args: Dict[str, Any]) -> None:
        app, server = self._server.app, self._server
        spoken = args.get("protocol", {})
        lowest, highest = spoken.get("min", _PROTOCOL), spoken.get("max", _PROTOCOL)
        if not lowest <= _PROTOCOL <= highest:
            server.exit_status = _CONFIGURATION_EXIT
            raise ConfigurationError(f"The host speaks protocol {lowest} to {highest}, this worker speaks {_PROTOCOL}")
        limit = args.get("max_frame")
        if type(limit) is int and limit > 0:
            server.max_frame = limit
        app.introduce(args.get("worker_id", app.worker_id), args.get("adapter", app.adapter), args.get("options", {}))
        server.debug = app.debug and app.options.get("debug") is not False

    def ensure_started(self) -> None:
        """Runs ``on_start``, once. What it raises ends the worker."""
        if self._is_ready:
            return
        self._is_ready = True
        try:
            self._server.app.hooks.start()
        except BaseException as error:
            logging.getLogger("pons").error("on_start failed: %s", error, exc_info=not isinstance(error, Error))
            self._server.exit_status = _CONFIGURATION_EXIT if isinstance(error, ConfigurationError) else 1
            raise

    def _get_info(self, args: Dict[str, Any]) -> Dict[str, Any]:
        self._is_first = False
        self.ensure_started()
        app = self._server.app
        result: Dict[str, Any] = {
            "name": app.name,
            "version": app.version,
            "capabilities": [*app.capabilities, *(["session_snapshot"] if app.snapshots else [])],
            "codecs": codec_names(),
            "concurrency": app.concurrency,
            "commands": app.commands.describe(),
        }
        if app.resources.names:
            result["resource_types"] = app.resources.names
        result.update(app.hooks.info())
        return result

    def _get_stats(self, args: Dict[str, Any]) -> Dict[str, Any]:
        totals = self._server.ledger.totals()
        result: Dict[str, Any] = {
            "requests_processed": totals.requests,
            "errors": totals.errors,
            "start_time": self._start_time,
            "uptime_s": time.monotonic() - self._started,
            "active_resources": self._server.app.resources.count(),
            "sessions": totals.sessions,
            "memory_rss_bytes": _memory_rss_bytes(),
        }
        result.update(self._server.app.hooks.stats())
        return result

    def _cleanup(self, args: Dict[str, Any]) -> Dict[str, Any]:
        resources = self._server.app.resources.clear()
        sessions = self._server.sessions.end_all()
        more = self._server.app.hooks.cleanup()
        return {"status": "cleaned", "resources_removed": resources, "sessions_removed": sessions, **more}

    def _export(self, args: Dict[str, Any], ctx: Context) -> Dict[str, Any]:
        return self._server.sessions.answer_export(args, ctx._request.codec)

    def _import(self, args: Dict[str, Any], ctx: Context) -> Dict[str, Any]:
        return self._server.sessions.answer_import(args, ctx._request.codec)


def _memory_rss_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
