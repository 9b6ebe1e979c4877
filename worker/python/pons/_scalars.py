"""Shapes of single values: numbers, texts, bytes, constants and enumerations."""

from __future__ import annotations

import enum
from typing import Any, Dict, Iterable, Tuple, Type

from ._shape import Mismatch, Schema, Shape

__all__ = ["ANYTHING", "SCALARS", "choice", "is_scalar"]


def _anything(value: Any) -> Any:
    return value


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise Mismatch.of(value, "a boolean")


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    raise Mismatch.of(value, "an integer")


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Mismatch.because("is too large for a floating point number", "a number") from None
    raise Mismatch.of(value, "a number")


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise Mismatch.of(value, "a string")


def _bytes(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    raise Mismatch.of(value, "bytes (MessagePack)")


def _null(value: Any) -> None:
    if value is not None:
        raise Mismatch.of(value, "null")


ANYTHING = Shape({}, _anything, "anything")

SCALARS: Dict[Any, Shape] = {
    bool: Shape({"type": "boolean"}, _boolean, "a boolean"),
    int: Shape({"type": "integer"}, _integer, "an integer"),
    float: Shape({"type": "number"}, _number, "a number"),
    str: Shape({"type": "string"}, _string, "a string"),
    # JSON Schema has no word for what JSON cannot carry.
    bytes: Shape({"title": "bytes (MessagePack)"}, _bytes, "bytes (MessagePack)"),
    type(None): Shape({"type": "null"}, _null, "null"),
}

_CONSTANTS: Tuple[Type[Any], ...] = (type(None), bool, int, float, str)


def is_scalar(value: Any) -> bool:
    """Tell whether JSON carries a value that is compared with others, such as an enumeration's."""
    return type(value) in _CONSTANTS


def choice(members: Iterable[Any]) -> Shape:
    """Return the shape of one of several constants; a member of an enumeration travels as its value.

    Raises
    ------
    TypeError
        If the value of a member is none that JSON carries.
    """
    # True == 1 == 1.0: the type is part of what is looked up.
    known: Dict[Tuple[Type[Any], Any], Any] = {}
    for member in members:
        value = member.value if isinstance(member, enum.Enum) else member
        if not is_scalar(value):
            raise TypeError(f"{member!r} is a {type(value).__name__}: only null, booleans, numbers and strings travel")
        known[type(value), value] = member
    values = [value for _, value in known]
    names = [_quoted(value) for value in values]
    expected = ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]

    def convert(candidate: Any) -> Any:
        if is_scalar(candidate):
            key = (type(candidate), candidate)
            if key in known:
                return known[key]
        raise Mismatch.of(candidate, expected)

    schema: Schema = {"enum": values} if len(values) != 1 else {"const": values[0]}
    return Shape(schema, convert, expected)


def _quoted(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
