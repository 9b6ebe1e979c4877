"""Turns type hints into shapes, once, when a handler is declared."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Tuple, Union

from . import _foreign
from ._containers import array, fixed_tuple, record, string_map, union
from ._errors import ResultError
from ._results import plain
from ._scalars import ANYTHING, SCALARS, choice
from ._shape import Schema, Shape

__all__ = ["HintCompiler", "UnsupportedHint", "hint_name", "resolve", "with_default"]

_LISTS = (
    list,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.MutableSequence,
)
_SETS = (set, collections.abc.Set, collections.abc.MutableSet)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_PIPE = getattr(types, "UnionType", None)  # X | Y, from Python 3.10 on


class UnsupportedHint(TypeError):
    """A type hint that no argument can be checked against."""


def hint_name(hint: Any) -> str:
    """Return a hint as its author wrote it, or nearly so."""
    if isinstance(hint, (str, typing.ForwardRef)):
        return hint if isinstance(hint, str) else hint.__forward_arg__
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def resolve(name: str, hint: Any, namespace: Mapping[str, Any]) -> Any:
    """Return a hint with what is written as text in it evaluated.

    Raises
    ------
    UnsupportedHint
        If a name in it is not defined at the top of its module, or this Python does not know its syntax.
    """
    holder = type("Holder", (), {"__annotations__": {name: hint}})
    try:
        return typing.get_type_hints(holder, dict(namespace), include_extras=True)[name]
    except NameError as error:
        raise UnsupportedHint(f"{error}; hints are looked up at the top of the module, when it runs") from error
    except TypeError as error:
        if sys.version_info < (3, 10) and "|" in hint_name(hint):
            raise UnsupportedHint("`X | Y` needs Python 3.10: write Optional[X] or Union[X, Y]") from error
        raise UnsupportedHint(str(error)) from error
    except (AttributeError, SyntaxError) as error:
        raise UnsupportedHint(str(error)) from error


def with_default(schema: Schema, default: Any) -> Schema:
    """Return the schema with a default, if it is one that a schema can show."""
    try:
        return {**schema, "default": plain(default, binary=False)}
    except ResultError:
        return schema


class HintCompiler:
    """Compiles the hints of one handler; types that contain themselves end up in `definitions`."""

    def __init__(self) -> None:
        self.definitions: Dict[str, Schema] = {}
        self._open: Dict[Any, _Cell] = {}
        self._done: Dict[Any, Shape] = {}

    def shape(self, hint: Any) -> Shape:
        """Return the shape of a resolved hint.

        Raises
        ------
        UnsupportedHint
            If there is no way to check a value against it.
        """
        if hint is Any or hint is object or hint is inspect.Parameter.empty:
            return ANYTHING
        if hint is None:
            return SCALARS[type(None)]
        origin, arguments = getattr(hint, "__origin__", None), typing.get_args(hint)
        if hasattr(hint, "__metadata__"):
            return self._annotated(hint)
        if hasattr(hint, "__supertype__"):  # NewType
            return self.shape(hint.__supertype__)
        if hasattr(hint, "__value__") and hasattr(hint, "__type_params__"):  # type X = ...
            return self._named(hint, lambda: self.shape(hint.__value__[arguments] if arguments else hint.__value__))
        if origin is Literal or getattr(origin, "_name", None) == "Literal":
            return self._choice(hint, arguments)
        if origin is Union or type(hint) is _PIPE:
            return union([self.shape(member) for member in arguments])
        foreign = _foreign.shape_of(hint, self.definitions)
        if foreign is not None:
            return foreign
        if isinstance(hint, type) and not arguments:
            plain_shape = self._class(hint)
            if plain_shape is not None:
                return plain_shape
        return self._container(hint, origin or hint, arguments)

    def _class(self, hint: Any) -> Optional[Shape]:
        if hint in SCALARS:
            return SCALARS[hint]
        if issubclass(hint, enum.Enum):
            return self._choice(hint, list(hint))
        if dataclasses.is_dataclass(hint):
            return self._named(hint, lambda: self._dataclass(hint))
        if issubclass(hint, dict) and hasattr(hint, "__required_keys__"):
            return self._named(hint, lambda: self._typed_dict(hint))
        return None

    def _annotated(self, hint: Any) -> Shape:
        inner = self.shape(hint.__origin__)
        description = next((item for item in hint.__metadata__ if isinstance(item, str)), None)
        return dataclasses.replace(inner, schema={**inner.schema, "description": description}) if description else inner

    def _choice(self, hint: Any, members: Any) -> Shape:
        if not members:
            raise UnsupportedHint(f"{hint_name(hint)} has no members")
        try:
            return choice(members)
        except TypeError as error:
            raise UnsupportedHint(str(error)) from error

    def _container(self, hint: Any, generic: Any, arguments: Tuple[Any, ...]) -> Shape:
        if generic in _LISTS:
            return array(self._argument(arguments, 0), _itself)
        if generic in _SETS:
            return array(self._argument(arguments, 0), set)
        if generic is frozenset:
            return array(self._argument(arguments, 0), frozenset)
        if generic is tuple:
            if hint in (tuple, Tuple) or arguments[-1:] == (Ellipsis,):
                return array(self._argument(arguments, 0), tuple)
            return fixed_tuple([self.shape(item) for item in arguments if item != ()])
        if generic in _MAPS:
            key = self._argument(arguments, 0) if arguments else SCALARS[str]
            if not _takes_strings(key):
                raise UnsupportedHint(f"{hint_name(hint)}: the keys of a map are strings")
            return string_map(key, self._argument(arguments, 1))
        raise UnsupportedHint(
            f"{hint_name(hint)} is no type that arguments are checked against: take one that JSON has, such as str, and"
            " convert it, or a dataclass, or Any"
        )

    def _argument(self, arguments: Tuple[Any, ...], index: int) -> Shape:
        # A bare typing.List of Python 3.9 has type variables for arguments.
        if len(arguments) <= index or isinstance(arguments[index], typing.TypeVar):
            return ANYTHING
        return self.shape(arguments[index])

    def _dataclass(self, hint: Any) -> Shape:
        hints = self._class_hints(hint)
        fields: Dict[str, Shape] = {}
        required: List[str] = []
        for field in dataclasses.fields(hint):
            if not field.init:
                continue
            shape = self._field(hint, field.name, hints[field.name])
            if field.default is not dataclasses.MISSING:
                shape = dataclasses.replace(shape, schema=with_default(shape.schema, field.default))
            elif field.default_factory is dataclasses.MISSING:
                required.append(field.name)
            fields[field.name] = shape
        if any(isinstance(each, dataclasses.InitVar) for each in hints.values()):
            raise UnsupportedHint(f"{hint_name(hint)} has an InitVar: make it a field")
        return record(f"a map with the fields of {hint.__name__}", fields, required, lambda values: hint(**values))

    def _typed_dict(self, hint: Any) -> Shape:
        required = set(hint.__required_keys__)
        fields: Dict[str, Shape] = {}
        for name, field_hint in self._class_hints(hint).items():
            while getattr(getattr(field_hint, "__origin__", None), "_name", None) in (
                "Required",
                "NotRequired",
                "ReadOnly",
            ):
                # Under `from __future__ import annotations` the class itself has not seen these.
                if field_hint.__origin__._name == "Required":
                    required.add(name)
                elif field_hint.__origin__._name == "NotRequired":
                    required.discard(name)
                field_hint = field_hint.__args__[0]
            fields[name] = self._field(hint, name, field_hint)
        needed = [name for name in fields if name in required]
        return record(f"a map with the keys of {hint.__name__}", fields, needed, _itself)

    def _class_hints(self, hint: Any) -> Dict[str, Any]:
        hints: Dict[str, Any] = {}
        for base in reversed(hint.__mro__):
            namespace = {**vars(sys.modules[base.__module__]), base.__name__: base}
            for name, annotation in _own_annotations(base).items():
                try:
                    hints[name] = resolve(name, annotation, namespace)
                except UnsupportedHint as error:
                    raise UnsupportedHint(f"{hint.__name__}.{name}: {hint_name(annotation)}: {error}") from error
        return hints

    def _field(self, owner: Any, name: str, hint: Any) -> Shape:
        try:
            return self.shape(hint)
        except UnsupportedHint as error:
            raise UnsupportedHint(f"{owner.__name__}.{name}: {error}") from error

    def _named(self, hint: Any, build: Callable[[], Shape]) -> Shape:
        """Compile a type that may contain itself: within it stands a reference."""
        if hint in self._done:
            return self._done[hint]
        cell = self._open.get(hint)
        if cell is not None:
            cell.used = True
            return Shape({"$ref": f"#/$defs/{cell.name}"}, cell.convert, f"a {hint.__name__}", cell.plausible)
        name = hint.__name__
        while name in self.definitions or any(other.name == name for other in self._open.values()):
            name += "_"
        cell = self._open[hint] = _Cell(name)
        try:
            shape = build()
        finally:
            del self._open[hint]
        cell.shape = shape
        if cell.used:
            self.definitions[name] = shape.schema
            shape = dataclasses.replace(shape, schema={"$ref": f"#/$defs/{name}"})
        self._done[hint] = shape
        return shape


class _Cell:
    """Stands for the shape of a type while it is compiled."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.used = False
        self.shape = ANYTHING

    def convert(self, value: Any) -> Any:
        return self.shape.convert(value)

    def plausible(self, value: Any) -> bool:
        return self.shape.plausible is None or self.shape.plausible(value)


def _own_annotations(owner: Any) -> Mapping[str, Any]:
    if sys.version_info >= (3, 10):
        return inspect.get_annotations(owner)
    found: Mapping[str, Any] = vars(owner).get("__annotations__", {})
    return found


def _itself(value: Any) -> Any:
    return value


def _takes_strings(key: Shape) -> bool:
    schema = key.schema
    if "const" in schema:
        return isinstance(schema["const"], str)
    if "enum" in schema:
        return all(isinstance(value, str) for value in schema["enum"])
    return not schema or schema.get("type") == "string"
