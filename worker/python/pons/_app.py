"""An App: what a worker offers, declared with decorators, and ``run()``, which serves it."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, NoReturn, Optional, Sequence, Type, TypeVar, Union, overload

from ._arguments import inspect_handler
from ._commands import Command, CommandTable, check_namespace
from ._errors import Error
from ._hooks import Hooks
from ._replies import Translations, message_of
from ._resources import Resources, ResourceTypes
from ._sessions import EndHook, ExportHook, ImportHook

__all__ = ["App"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


class App:
    """A worker program.

        app = pons.App("hello", version="1.0")

        @app.command(idempotent=True)
        def greet(name: str, times: int = 1) -> dict:
            \"\"\"Say hello.\"\"\"
            return {"text": f"Hello {name}! " * times}

        app.run()

    Parameters
    ----------
    name
        Under which ``get_info`` knows it: 1 to 64 letters, digits and ``_ -``.
    version
        Of the adapter.
    threads
        How many plain handlers run together, each on a thread of its own. 1: one at a time, on the main thread.
    tasks
        How many ``async`` handlers run together, on one event loop on the main thread.
    debug
        False: error replies carry no traceback. The adapter's option ``debug: false`` does the same.
    snapshots
        Whether the host may copy sessions, to go on with them in another worker.
    session_format
        The layout of these copies and its version, such as ``"chat/2"``; a copy of another one is refused. Not given:
        name and version.
    capabilities
        Words for ``get_info``.

    Raises
    ------
    ValueError
        A name or number that cannot be.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "0",
        threads: int = 1,
        tasks: int = 1,
        debug: bool = True,
        snapshots: bool = True,
        session_format: Optional[str] = None,
        capabilities: Sequence[str] = (),
    ) -> None:
        check_namespace(name, "worker name")
        for what, number in (("threads", threads), ("tasks", tasks)):
            if number < 1:
                raise ValueError(f"{what}={number}: a worker serves at least one request")
        self.name = name
        self.version = version
        self.threads = threads
        self.tasks = tasks
        self.debug = debug
        self.snapshots = snapshots
        self.session_format = session_format if session_format is not None else f"{name}/{version}"
        self.capabilities = list(capabilities)
        self.commands = CommandTable()
        self.resources = ResourceTypes()
        self.hooks = Hooks()
        self.translations = Translations()
        self.worker_id = os.environ.get("PONS_WORKER_ID", "")
        self.adapter = os.environ.get("PONS_ADAPTER", "")
        self.options: Dict[str, Any] = {}

    @property
    def concurrency(self) -> int:
        """How many requests it serves together."""
        return max(self.threads, self.tasks)

    # Declarations

    @overload
    def command(self, name: F) -> F: ...

    @overload
    def command(
        self, name: Optional[str] = None, *, description: Optional[str] = None, idempotent: bool = False
    ) -> Callable[[F], F]: ...

    def command(
        self, name: Union[str, F, None] = None, *, description: Optional[str] = None, idempotent: bool = False
    ) -> Union[F, Callable[[F], F]]:
        """Declares a handler: ``@app.command``, or with parameters ``@app.command("name", idempotent=True)``.

        Parameters
        ----------
        name
            Of the command; not given: the function's own.
        description
            For ``get_info``; not given: the first paragraph of the docstring.
        idempotent
            Running it twice does no harm: the host may run it again when a worker was lost under it.

        Raises
        ------
        ValueError
            The name is taken, reserved or malformed.
        TypeError
            The handler's parameters cannot be given by name.
        """
        if callable(name):
            return self.command()(name)
        chosen = name

        def declare(function: F) -> F:
            called = chosen if chosen is not None else function.__name__
            spec = inspect_handler(function)
            self.commands.add(Command(called, function, spec, description=description, idempotent=idempotent))
            return function

        return declare

    def resource(self, type_name: str) -> Callable[[C], C]:
        """Declares a class whose objects stay in the worker between requests.

        Gives the commands ``create_<type>`` (the arguments of ``__init__``), ``execute_resource`` (``__call__``),
        ``list_<type>s`` and ``delete_resource`` (``close``, if there is one). A ``describe()`` adds to what is told of
        one. If the one parameter of ``__call__`` is named ``inputs``, it gets the request's ``inputs`` whole; otherwise
        ``inputs`` is a map of its arguments. ``app.resources[type]`` finds them for other commands.
        """

        def declare(kind: C) -> C:
            resources = Resources(type_name, kind)
            shared = self.resources.shared_commands() if not self.resources.names else []
            for command in [resources.create_command(), resources.list_command(), *shared]:
                self.commands.add(command)
            self.resources.add(resources)
            return kind

        return declare

    def on_start(self, hook: F) -> F:
        """Called once, when ``options`` is known and before the first request: to load models.

        It may take as long as ``timeouts.startup``. A ConfigurationError ends the worker with status 78, and the host
        does not start it again in vain; anything else with status 1.
        """
        self.hooks.on_start(hook)
        return hook

    def on_cleanup(self, hook: F) -> F:
        """Called by ``cleanup``, when resources and sessions are gone; a dict that it returns is added to the
        answer.
        """
        self.hooks.on_cleanup(hook)
        return hook

    def on_info(self, hook: F) -> F:
        """Returns more fields for ``get_info``, a dict; they win over the SDK's."""
        self.hooks.on_info(hook)
        return hook

    def on_stats(self, hook: F) -> F:
        """Returns more fields for ``get_stats``, a dict; they win over the SDK's."""
        self.hooks.on_stats(hook)
        return hook

    def on_session_end(self, hook: EndHook) -> EndHook:
        """Called with ``(session_id, session)`` when a session has ended; ``session`` is what ``ctx.session`` was."""
        self.hooks.on_session_end(hook)
        return hook

    def export_session(self, hook: ExportHook) -> ExportHook:
        """Called with ``(session_id, session)`` between two requests of the session; returns bytes.

        Not given: ``ctx.session`` as JSON.
        """
        self.hooks.export_session(hook)
        return hook

    def import_session(self, hook: ImportHook) -> ImportHook:
        """Called with ``(session_id, state)``; returns what ``ctx.session`` will be, or None for an empty dict."""
        self.hooks.import_session(hook)
        return hook

    def translate_error(
        self,
        kind: Type[BaseException],
        *,
        code: str = "worker_error",
        retryable: Optional[bool] = None,
        translate: Optional[Callable[[Any], Error]] = None,
    ) -> None:
        """What an exception class of a framework means; of several the most derived counts.

        Parameters
        ----------
        kind
            The class; its subclasses too.
        code, retryable
            Of the reply.
        translate
            Instead of these: makes an Error of the exception.
        """

        def plain_translation(error: BaseException) -> Error:
            return Error(message_of(error), code=code, retryable=retryable)

        self.translations.add(kind, translate if translate is not None else plain_translation)

    # Serving

    def introduce(self, worker_id: str, adapter: str, options: Dict[str, Any]) -> None:
        """What the host said in the handshake."""
        self.worker_id = worker_id
        self.adapter = adapter
        self.options = options

    def run(self) -> NoReturn:
        """Serves until the host is gone, then ends the process. On the main thread, as the last line of the program.

        Exit status: 0 told to end; 1 what came is no frames, or ``on_start`` failed; 2 there is no host; 3 the host was
        gone, and a handler did not return; 78 the configuration is refused. ``--help`` and ``--version`` are answered.
        """
        from ._process import run

        self.hooks.check()
        raise SystemExit(run(self))
