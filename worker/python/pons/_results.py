"""What a handler returned, turned into what JSON or MessagePack carries."""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any, Dict, List, Optional

from . import _foreign
from ._errors import ResultError
from ._shape import pointer

__all__ = ["plain"]

# The envelope and the result's own level are the other two of the protocol's 64.
_MAX_DEPTH = 62
# More values than bytes fit into a frame. A few lists that hold each other several times are soon as many.
_MAX_VALUES = 1 << 26
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1
_REMEDY = "return maps, lists, strings, numbers, booleans, None, bytes, dataclasses, enumerations, arrays or models"


def plain(value: Any, *, binary: bool) -> Any:
    """Return a value as maps with string keys, lists and scalars.

    What is that already is returned as it is, not copied.

    Parameters
    ----------
    value
        Besides what JSON has: tuples, sets, dataclasses, members of enumerations (their value), pydantic models, bytes,
        NumPy's scalars and arrays (``{"dtype", "shape", "data"}``, or nested lists where there are no bytes).
    binary
        Whether the codec is MessagePack, which carries bytes, NaN and infinity. JSON does not.

    Raises
    ------
    ResultError
        With the path of a value that cannot be carried, or is nested deeper than 62 levels, or contains itself.
    """
    if type(value) is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii() or not _is_plain(item, binary):
                break
        else:
            return value
    try:
        return _Walk(binary).visit(value, 0)
    except _Refused as refused:
        path = "".join(pointer(step) for step in reversed(refused.path))
        raise ResultError(path, refused.message) from refused.__cause__


def _is_plain(value: Any, binary: bool) -> bool:
    """Tell whether a value is a scalar that the codec carries: False may also mean that a closer look is needed."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return _LOWEST <= value <= _HIGHEST  # type: ignore[no-any-return]
    if kind is float:
        return binary or math.isfinite(value)
    return kind is bool or value is None


class _Refused(Exception):
    """A value cannot be carried. Gathers the steps of its path, the innermost first, on the way out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: List[object] = []


class _Walk:
    """One way through a result; counts what it has seen."""

    def __init__(self, binary: bool) -> None:
        self._binary = binary
        self._seen = 0

    def visit(self, value: Any, depth: int) -> Any:
        if _is_plain(value, self._binary):
            return value
        if isinstance(value, enum.Enum):
            return self.visit(value.value, depth)
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return self._number(float(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            if not self._binary:
                raise _Refused("is bytes, which JSON cannot carry: MessagePack does; ask in that codec, or return text")
            return bytes(value)
        if _foreign.is_array_scalar(value):
            return self._array_scalar(value, depth)
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise _Refused(f"is nested deeper than {_MAX_DEPTH} levels, or contains itself")
        if isinstance(value, Mapping):
            return self._map(value, depth)
        if isinstance(value, (list, tuple, collections.deque)):
            return self._list(value if isinstance(value, list) else list(value), depth)
        if isinstance(value, (set, frozenset)):
            return self._list(_ordered(list(value)), depth)
        if _foreign.is_array(value):
            return self._array(value, depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._map({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, depth)
        try:
            fields = _foreign.model_dump(value)
        except (ValueError, RecursionError) as error:
            raise _Refused(f"the model cannot be turned into a map: {error}") from error
        if fields is not None:
            return self._map(fields, depth)
        kind = type(value)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        raise _Refused(f"is of type {name}, which cannot be sent: {_REMEDY}")

    def _map(self, value: Mapping[Any, Any], depth: int) -> Dict[str, Any]:
        self._count(len(value))
        out: Optional[Dict[str, Any]] = None if type(value) is dict else {}
        for key, item in value.items():
            name = key if type(key) is str and key.isascii() else _key(key)
            try:
                converted = self.visit(item, depth + 1)
            except _Refused as refused:
                refused.path.append(name)
                raise
            if out is None and (converted is not item or name is not key):
                # Up to here everything was plain.
                out = {}
                for earlier, unchanged in value.items():
                    if earlier is key:
                        break
                    out[earlier] = unchanged
            if out is not None:
                out[name] = converted
        return out if out is not None else value  # type: ignore[return-value]  # an exact dict

    def _list(self, value: List[Any], depth: int) -> List[Any]:
        self._count(len(value))
        kinds = set(map(type, value))
        if kinds == {float} and (self._binary or all(map(math.isfinite, value))):
            return list(value) if type(value) is not list else value
        out: Optional[List[Any]] = None if type(value) is list else []
        for index, item in enumerate(value):
            try:
                converted = self.visit(item, depth + 1)
            except _Refused as refused:
                refused.path.append(index)
                raise
            if out is None and converted is not item:
                out = value[:index]
            if out is not None:
                out.append(converted)
        return out if out is not None else value

    def _array(self, value: Any, depth: int) -> Any:
        if value.dtype.kind not in "biufc" or (not self._binary and value.dtype.kind in "fc"):
            return self.visit(value.tolist(), depth)
        if not self._binary:
            return value.tolist()
        try:
            return _foreign.array_map(value)
        except ValueError as error:
            raise _Refused(str(error)) from error

    def _array_scalar(self, value: Any, depth: int) -> Any:
        item = value.item()
        if type(item) is type(value):  # a long double has no other form
            raise _Refused(f"is of type {type(value).__name__}, which cannot be sent: convert it to a float")
        return self.visit(item, depth)

    def _integer(self, value: int) -> int:
        if self._binary and not _LOWEST <= value <= _HIGHEST:
            raise _Refused("is an integer of more than 64 bits, which MessagePack cannot carry: JSON does")
        try:
            str(value)
        except ValueError as error:  # Python's own limit of digits
            raise _Refused(f"is too long an integer: {error}") from error
        return value

    def _number(self, value: float) -> float:
        if not self._binary and not math.isfinite(value):
            raise _Refused(f"is {value}, which JSON cannot carry: MessagePack does; return None or a string for it")
        return value

    def _count(self, more: int) -> None:
        self._seen += more
        if self._seen > _MAX_VALUES:
            raise _Refused(f"holds more than {_MAX_VALUES} values, which no frame can carry")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _Refused("is a string with half of a surrogate pair, which is no valid text") from error
    return str.__str__(value)


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if not isinstance(key, str):
        raise _Refused(f"has a key of type {type(key).__name__}, and keys are strings")
    return _text(key)


def _ordered(values: List[Any]) -> List[Any]:
    """Return what a set holds, in the same order each time where there is one."""
    try:
        return sorted(values)
    except TypeError:
        return values
