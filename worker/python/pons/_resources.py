"""Things that a worker keeps between requests under an id: models, programs, indexes (docs/protocol.md, section 5)."""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._arguments import inspect_handler
from ._commands import Command, check_namespace, first_line
from ._errors import Error, InvalidArgs, ResourceNotFound
from ._sessions import text_of

__all__ = ["ResourceTypes", "Resources", "new_resource_id"]


def new_resource_id(type_name: str) -> str:
    """An id that nobody else will ever have: the type and 128 random bits in hexadecimal."""
    return f"{type_name}-{os.urandom(16).hex()}"


class Resources:
    """The resources of one type. ``add`` and ``get`` serve commands such as ``load_model``.

    Parameters
    ----------
    type_name
        Such as ``"model"``.
    kind
        The class: ``__init__`` creates, ``__call__`` executes, ``close`` frees, ``describe`` says more about one; the
        last three are optional.
    """

    def __init__(self, type_name: str, kind: type) -> None:
        check_namespace(type_name, "resource type")
        self.type_name = type_name
        self.kind = kind
        self._items: Dict[str, Any] = {}
        execute: Any = getattr(kind, "__call__") if "__call__" in dir(kind) else None  # noqa: B004, B009 - the metaclass has one
        spec = inspect_handler(execute) if execute is not None else None
        self._execute = Command("execute_resource", execute, spec, description="") if execute is not None else None
        self._takes_inputs = spec is not None and set(spec.schema.get("properties", ())) == {"inputs"}
        if self._execute is not None and spec is not None and not self._takes_inputs:
            self._execute.bind = _within("inputs", spec.bind)

    def add(self, resource: Any) -> str:
        """Keeps one that came about otherwise than by ``create_<type>``; its new id."""
        resource_id = new_resource_id(self.type_name)
        self._items[resource_id] = resource
        return resource_id

    def get(self, resource_id: str) -> Any:
        """Raises ResourceNotFound."""
        try:
            return self._items[resource_id]
        except KeyError:
            raise ResourceNotFound(resource_id) from None

    def describe(self, resource_id: str) -> Dict[str, Any]:
        """``{resource_id, type, ...}``: what ``create_<type>`` and a ``load_`` command reply."""
        resource = self.get(resource_id)
        described = resource.describe() if hasattr(resource, "describe") else {}
        if not isinstance(described, dict):
            raise Error(f"describe() of resource type {self.type_name} returned no dict")
        return {**described, "resource_id": resource_id, "type": self.type_name}

    def list(self) -> List[Dict[str, Any]]:
        """All of them, the oldest first."""
        return [self.describe(resource_id) for resource_id in list(self._items)]

    def delete(self, resource_id: str) -> None:
        """Frees one; raises ResourceNotFound."""
        resource = self.get(resource_id)
        del self._items[resource_id]
        _close(resource)

    def clear(self) -> int:
        """Frees all; how many there were."""
        items, self._items = self._items, {}
        for resource_id, resource in items.items():
            try:
                _close(resource)
            except Exception:
                logging.getLogger("pons").exception("%s could not be closed", resource_id)
        return len(items)

    def __contains__(self, resource_id: object) -> bool:
        return resource_id in self._items

    def __len__(self) -> int:
        return len(self._items)

    def create_command(self) -> Command:
        """``create_<type>``, whose arguments are those of ``__init__``."""
        init: Any = getattr(self.kind, "__init__")  # noqa: B009 - of this very class
        spec = inspect_handler(_nothing if init is object.__init__ else init)

        def create(**arguments: Any) -> Dict[str, Any]:
            return self.describe(self.add(self.kind(**arguments)))

        return Command(f"create_{self.type_name}", create, spec, description=first_line(self.kind))

    def list_command(self) -> Command:
        """``list_<type>s``."""
        key = self.type_name + "s"
        return Command(
            f"list_{key}",
            lambda args: {key: self.list()},
            description=f"The resources of type {self.type_name}.",
            idempotent=True,
        )

    def execution(self, resource_id: str, args: Dict[str, Any]) -> Tuple[Command, Dict[str, Any]]:
        """The command that runs this resource, and what it is bound to."""
        resource = self.get(resource_id)
        if self._execute is None:
            raise Error(f"A {self.type_name} cannot be executed", code="invalid_args")
        inputs = args.get("inputs")
        if self._takes_inputs:
            arguments: Dict[str, Any] = {"inputs": inputs} if "inputs" in args else {}
        elif inputs is None or isinstance(inputs, dict):
            arguments = inputs or {}
        else:
            raise InvalidArgs([{"path": "/inputs", "message": "must be a map", "expected": "a map"}])
        return self._execute.of(resource), arguments


def _within(key: str, bind: Callable[[Dict[str, Any]], Dict[str, Any]]) -> Callable[[Dict[str, Any]], Dict[str, Any]]:
    """The same for a map that stands under ``key``: what is wrong is named with its whole path."""

    def bind_within(args: Dict[str, Any]) -> Dict[str, Any]:
        try:
            return bind(args)
        except InvalidArgs as error:
            raise InvalidArgs([{**fault, "path": f"/{key}{fault.get('path', '')}"} for fault in error.errors]) from None

    return bind_within


def _nothing() -> None:
    pass


def _close(resource: Any) -> None:
    close: Optional[Callable[[], Any]] = getattr(resource, "close", None)
    if close is not None:
        close()


class ResourceTypes:
    """All types of a worker, and the commands that they share."""

    def __init__(self) -> None:
        self._types: Dict[str, Resources] = {}

    def add(self, resources: Resources) -> None:
        """Another type."""
        self._types[resources.type_name] = resources

    def __getitem__(self, type_name: str) -> Resources:
        return self._types[type_name]

    @property
    def names(self) -> List[str]:
        """Of the types, in the order of their declaration."""
        return list(self._types)

    def of(self, resource_id: str) -> Resources:
        """The type that holds this one; raises ResourceNotFound."""
        for resources in self._types.values():
            if resource_id in resources:
                return resources
        raise ResourceNotFound(resource_id)

    def count(self) -> int:
        """Of all types."""
        return sum(len(resources) for resources in self._types.values())

    def clear(self) -> int:
        """Frees all; how many there were."""
        return sum([resources.clear() for resources in self._types.values()])

    def shared_commands(self) -> List[Command]:
        """``execute_resource`` and ``delete_resource``."""

        def resolve(args: Dict[str, Any]) -> Tuple[Command, Dict[str, Any]]:
            resource_id = text_of(args, "resource_id")
            return self.of(resource_id).execution(resource_id, args)

        def delete(args: Dict[str, Any]) -> Dict[str, Any]:
            resource_id = text_of(args, "resource_id")
            self.of(resource_id).delete(resource_id)
            return {"status": "deleted", "resource_id": resource_id}

        execute = Command("execute_resource", resolve, resolve=resolve, description="Runs the resource with `inputs`.")
        return [execute, Command("delete_resource", delete, description="Frees the resource.")]
