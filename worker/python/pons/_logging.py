"""``logging`` on the host's log: each record is one line of JSON on stderr, which the host takes apart again."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any, Dict

from ._context import _current
from ._replies import trimmed_traceback

__all__ = ["install_log"]

_MAX_LINE = 8 << 10  # bytes
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug"))


class _HostHandler(logging.Handler):
    def handle(self, record: logging.LogRecord) -> bool:
        context = _current.get()
        if context is None:
            return bool(super().handle(record))
        return bool(context._guarded(super().handle, record))  # a lock of logging must not stay behind, held by nobody

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(2, line_of(record))
        except OSError:
            pass  # no log: nobody to tell
        except Exception:
            self.handleError(record)


def line_of(record: logging.LogRecord) -> bytes:
    """The line, with its end; at most 8 KiB."""
    fields: Dict[str, Any] = {"level": _level(record.levelno), "message": record.getMessage(), "logger": record.name}
    context = _current.get()
    if context is not None:
        fields["request"] = context.id
        fields["command"] = context.command
        for key, value in (
            ("correlation_id", context.meta.get("correlation_id")),
            ("session", context._request.session_id),
        ):
            if value is not None:
                fields[key] = value
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = trimmed_traceback(record.exc_info[1])
    line = _encoded(fields)
    while len(line) > _MAX_LINE:  # the longest field pays
        longest = max(fields, key=lambda key: len(str(fields[key])))
        text = str(fields[longest])
        fields[longest] = text[: int(len(text) * 0.95 * _MAX_LINE / len(line))] + " ..."
        line = _encoded(fields)
    return line


def _encoded(fields: Dict[str, Any]) -> bytes:
    return json.dumps(fields, default=str, ensure_ascii=False).encode(errors="replace") + b"\n"


def _level(number: int) -> str:
    for least, name in _LEVELS:
        if number >= least:
            return name
    return "trace"


def install_log() -> None:
    """Puts the handler on the root logger, in place of those that write to the terminal; ``INFO`` and above, unless
    set otherwise.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler and handler.stream in (sys.stderr, sys.stdout):
            root.removeHandler(handler)
    root.addHandler(_HostHandler())
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)
    logging.captureWarnings(True)
