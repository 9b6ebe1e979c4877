"""The commands of a worker by name."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ._arguments import HandlerSpec
from ._errors import Error

__all__ = ["Command", "CommandTable", "check_namespace", "kind_of"]

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_COMMON = frozenset(["ping", "get_info", "get_stats", "cleanup"])
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


def check_namespace(name: str, what: str) -> None:
    """Raises ValueError if ``name`` cannot be a namespace."""
    if not _NAMESPACE.match(name):
        raise ValueError(f"{name!r} is no {what}: 1 to 64 letters, digits and _ - are allowed")


def _check_name(name: str) -> None:
    before, colon, _ = name.partition(":")
    if not _NAME.match(name) or (colon and not _NAMESPACE.match(before)):
        raise ValueError(
            f"{name!r} is no command name: 1 to 128 letters, digits and _ . : - are allowed, and no . before a :"
        )


def kind_of(function: Callable[..., Any]) -> str:
    """``plain``, ``generator``, ``coroutine`` or ``async_generator``."""
    while isinstance(function, functools.partial):
        function = function.func
    called: Any = function if inspect.isroutine(function) else type(function).__call__
    if inspect.iscoroutinefunction(called):
        return "coroutine"
    if inspect.isasyncgenfunction(called):
        return "async_generator"
    return "generator" if inspect.isgeneratorfunction(called) else "plain"


class Command:
    """One command: its function, what it takes, and how it is run.

    Parameters
    ----------
    bind
        Makes the keyword arguments from ``args``, but for the context.
    resolve
        For ``execute_resource``, whose function depends on the arguments: returns the command that is meant.
    common
        Every worker has it: not named in ``get_info``.
    """

    __slots__ = (
        "bind",
        "common",
        "context_parameter",
        "description",
        "function",
        "idempotent",
        "kind",
        "name",
        "resolve",
        "schema",
    )

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        spec: Optional[HandlerSpec] = None,
        *,
        bind: Optional[Callable[[Dict[str, Any]], Dict[str, Any]]] = None,
        context_parameter: Optional[str] = None,
        resolve: Optional[Callable[[Dict[str, Any]], Tuple[Command, Dict[str, Any]]]] = None,
        description: Optional[str] = None,
        idempotent: bool = False,
        common: bool = False,
    ) -> None:
        self.name = name
        self.function = function
        self.kind = kind_of(function)
        self.schema: Optional[Dict[str, Any]] = spec.schema if spec is not None else None
        self.bind: Callable[[Dict[str, Any]], Dict[str, Any]] = spec.bind if spec is not None else bind or _whole
        self.context_parameter = spec.context_parameter if spec is not None else context_parameter
        self.resolve = resolve
        self.description = first_line(function) if description is None else description
        self.idempotent = idempotent
        self.common = common

    def of(self, function: Callable[..., Any]) -> Command:
        """The same command of another object of the class."""
        other: Command = Command.__new__(Command)
        for slot in Command.__slots__:
            setattr(other, slot, getattr(self, slot))
        other.function = function
        return other

    def takes(self, name: str) -> bool:
        """Whether ``args`` may hold this name."""
        return (
            self.schema is None
            or self.schema.get("additionalProperties") is not False
            or name in self.schema.get("properties", ())
        )

    @property
    def is_async(self) -> bool:
        """Whether it runs on an event loop."""
        return self.kind in ("coroutine", "async_generator")


def _whole(args: Dict[str, Any]) -> Dict[str, Any]:
    return {"args": args}


def first_line(documented: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n")[0].split())


class CommandTable:
    """See the module."""

    def __init__(self) -> None:
        self._commands: Dict[str, Command] = {}

    def add(self, command: Command) -> None:
        """Raises ValueError if the name is malformed, taken or reserved."""
        _check_name(command.name)
        if not command.common and (command.name in _COMMON or command.name.startswith("common:")):
            raise ValueError(f"Command {command.name} is answered by every worker and cannot be declared")
        if command.name in self._commands:
            raise ValueError(f"Command {command.name} is declared twice")
        self._commands[command.name] = command

    def find(self, text: str, own: Sequence[str]) -> Command:
        """The command that a request means; raises Error.

        ``own`` are the names under which this worker may be addressed.
        """
        command = self._commands.get(text)  # the host has stripped the namespace, and a name may hold colons itself
        if command is not None:
            return command
        space, colon, name = text.partition(":")
        if not colon:
            raise Error(f"Unknown command: {text}", code="unknown_command")
        if space != "common" and space not in own:
            raise Error(f"Unknown namespace: {space}", code="unknown_namespace")
        command = self._commands.get(name)
        if command is None or name.startswith("common:") or (space == "common" and not command.common):
            raise Error(f"Unknown command: {name}", code="unknown_command")
        return command

    def describe(self) -> List[Dict[str, Any]]:
        """For ``get_info``."""
        described = []
        for name, command in sorted(self._commands.items()):
            if command.common:
                continue
            entry: Dict[str, Any] = {"name": name, "description": command.description, "idempotent": command.idempotent}
            if command.schema is not None:
                entry["args_schema"] = command.schema
            described.append(entry)
        return described

    def __iter__(self) -> Any:
        return iter(self._commands.values())
