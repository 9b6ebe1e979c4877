"""The class style, and the contract of existing bridges: a class that names its handlers in a dict."""

from __future__ import annotations

import os
import re
import time
from typing import Any, Callable, Dict, NoReturn, Optional

from ._app import App
from ._commands import first_line

__all__ = ["BaseBridge", "Handler"]

Handler = Callable[[Dict[str, Any]], Any]

_COMMON = ("ping", "get_info", "get_stats", "cleanup")


class BaseBridge:
    """A worker as a class. Derive from it, and end the program with ``Bridge().run()``.

        class Bridge(pons.BaseBridge):
            def _initialize_framework(self) -> None:
                self.model = load()

            def _register_handlers(self) -> dict:
                return {"predict": self.predict}

            def get_framework_info(self) -> dict:
                return {"name": "mine", "version": "1.0"}

            def predict(self, args: dict) -> dict:
                return {"label": self.model(args["text"])}

    A method ``ping``, ``get_info``, ``get_stats`` or ``cleanup`` of the derived class is called for the command of that
    name, with an empty map; what it returns is added to what every worker answers.

    Parameters
    ----------
    mode
        Kept in ``self.mode``, for programs that look at it; serving is the same in any.
    worker_id
        Kept in ``self.worker_id``; not given: the host's name for this worker.

    Attributes
    ----------
    start_time : float
        When it was made, in seconds since 1970.
    request_count : int
        Requests to its own handlers.
    error_count : int
        Those of them that raised.
    """

    def __init__(self, mode: str = "standalone", worker_id: Optional[str] = None) -> None:
        self.mode = mode
        self.worker_id = worker_id if worker_id is not None else os.environ.get("PONS_WORKER_ID", "")
        self.start_time = time.time()
        self.request_count = 0
        self.error_count = 0
        self._initialize_framework()
        self._handlers: Dict[str, Handler] = {
            **{name: getattr(self, name) for name in _COMMON},
            **self._register_handlers(),
        }

    def _initialize_framework(self) -> None:
        """Load what the handlers need. Called by ``__init__``; what it raises ends the worker."""

    def _register_handlers(self) -> Dict[str, Handler]:
        """Return the handlers by the names of their commands. Each takes the map of arguments."""
        raise NotImplementedError(f"{type(self).__name__} needs a method _register_handlers")

    def get_framework_info(self) -> Dict[str, Any]:
        """Return what ``get_info`` tells: ``name``, ``version``, ``capabilities`` and what else there is to know."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_framework_info")

    def ping(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """Return more fields for the answer to ``ping``."""
        return {}

    def get_info(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """Return more fields for ``get_info``."""
        return self.get_framework_info()

    def get_stats(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """Return more fields for ``get_stats``."""
        return {"request_count": self.request_count, "error_count": self.error_count}

    def cleanup(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """Free what the bridge holds; return more fields for the answer."""
        return {}

    def run(self) -> NoReturn:
        """Serve until the host is gone, then end the process: see `App.run`."""
        self.app().run()

    def app(self) -> App:
        """Return the worker that this bridge is, for tests of it without a process."""
        info = self.get_framework_info()
        name = re.sub(r"[^A-Za-z0-9_-]", "-", str(info.get("name", type(self).__name__)))[:64]
        app = App(name, version=str(info.get("version", "0")), snapshots=False)
        for command, handler in self._handlers.items():
            if command not in _COMMON:
                app.command(command, description=first_line(handler))(self._counted(handler))
        app.hooks.on_ping(lambda: self._fields("ping"))
        app.on_info(lambda: self._fields("get_info"))
        app.on_stats(lambda: self._fields("get_stats"))
        app.on_cleanup(lambda: self._fields("cleanup"))
        return app

    def _fields(self, command: str) -> Dict[str, Any]:
        fields: Dict[str, Any] = self._handlers[command]({})
        return fields

    def _counted(self, handler: Handler) -> Handler:
        def handle(args: Dict[str, Any]) -> Any:
            self.request_count += 1
            try:
                return handler(args)
            except BaseException:
                self.error_count += 1
                raise

        return handle
