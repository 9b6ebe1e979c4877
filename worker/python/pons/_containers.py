"""Shapes made of other shapes: lists, tuples, sets, maps, alternatives, and records with named fields."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from ._shape import MAX_FAULTS, Fault, Mismatch, Schema, Shape, unknown_key

__all__ = ["array", "fixed_tuple", "record", "string_map", "union"]

_BARE = {"an integer": int, "a string": str, "a boolean": bool}


def array(item: Shape, build: Callable[[List[Any]], Any]) -> Shape:
    """Return the shape of a list of any length; `build` makes what the handler gets from the converted elements."""
    expected = "a list" if not item.schema else f"a list, each element {item.expected}"
    convert_item = item.convert
    # Elements of these types are handed over as they come: a list of nothing else needs no look at each.
    bare = _BARE.get(item.expected)

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch.of(value, expected)
        if bare is not None and all(type(element) is bare for element in value):
            return build(value)
        out: List[Any] = []
        faults: List[Fault] = []
        for index, element in enumerate(value):
            try:
                out.append(convert_item(element))
            except Mismatch as mismatch:
                faults += mismatch.under(index)
                if len(faults) >= MAX_FAULTS:
                    break
        if faults:
            raise Mismatch(faults)
        try:
            return build(out)
        except TypeError:
            raise Mismatch.because("a set cannot hold lists or maps", "elements that can be compared") from None

    schema: Schema = {"type": "array"}
    if item.schema:
        schema["items"] = item.schema
    return Shape(schema, convert, expected)


def fixed_tuple(items: Sequence[Shape]) -> Shape:
    """Return the shape of a list with as many elements as there are shapes."""
    expected = f"a list of {len(items)} elements" if len(items) != 1 else "a list of one element"

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch.of(value, expected)
        if len(value) != len(items):
            raise Mismatch.because(f"expected {expected}, got {len(value)}", expected)
        out: List[Any] = []
        faults: List[Fault] = []
        for index, element in enumerate(value):
            try:
                out.append(items[index].convert(element))
            except Mismatch as mismatch:
                faults += mismatch.under(index)
        if faults:
            raise Mismatch(faults)
        return tuple(out)

    schema: Schema = {"type": "array", "minItems": len(items), "maxItems": len(items)}
    if items:
        schema["prefixItems"] = [item.schema for item in items]
    return Shape(schema, convert, expected)


def string_map(key: Shape, value: Shape) -> Shape:
    """Return the shape of a map with any keys."""
    expected = "a map" if not value.schema else f"a map, each value {value.expected}"
    convert_key, convert_value = key.convert, value.convert

    def convert(candidate: Any) -> Any:
        if not isinstance(candidate, dict):
            raise Mismatch.of(candidate, expected)
        out: Dict[Any, Any] = {}
        faults: List[Fault] = []
        for name, element in candidate.items():
            try:
                out[convert_key(name)] = convert_value(element)
            except Mismatch as mismatch:
                faults += mismatch.under(name)
                if len(faults) >= MAX_FAULTS:
                    break
        if faults:
            raise Mismatch(faults)
        return out

    schema: Schema = {"type": "object"}
    if key.schema not in ({}, {"type": "string"}):
        schema["propertyNames"] = key.schema
    if value.schema:
        schema["additionalProperties"] = value.schema
    return Shape(schema, convert, expected)


def union(members: Sequence[Shape]) -> Shape:
    """Return the shape of a value that is one of several, the first that takes it."""
    expected = " or ".join(member.expected for member in members)
    # An integer is also taken for a float: it stays one where both are asked for.
    ordered = sorted(members, key=lambda member: member.expected == "a number")

    def convert(value: Any) -> Any:
        inner: List[List[Fault]] = []
        # Without this a tree of records that are told apart by a tag would be converted twice at each of its levels.
        meant = [member for member in ordered if member.plausible is None or member.plausible(value)]
        for member in meant or ordered:
            try:
                return member.convert(value)
            except Mismatch as mismatch:
                if not mismatch.wrong_kind:
                    inner.append(mismatch.faults)
        if len(inner) == 1:
            raise Mismatch(inner[0])
        raise Mismatch.of(value, expected)

    return Shape({"anyOf": [member.schema for member in members]}, convert, expected)


def record(
    expected: str, fields: Mapping[str, Shape], required: Sequence[str], build: Callable[[Dict[str, Any]], Any]
) -> Shape:
    """Return the shape of a map with these fields and no others; `build` makes the argument of them."""
    converts = {name: shape.convert for name, shape in fields.items()}

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch.of(value, expected)
        out: Dict[str, Any] = {}
        faults: List[Fault] = []
        for name, element in value.items():
            convert_field = converts.get(name)
            if convert_field is None:
                faults.append(unknown_key(name, converts, "key"))
                if len(faults) >= MAX_FAULTS:
                    break
                continue
            try:
                out[name] = convert_field(element)
            except Mismatch as mismatch:
                faults += mismatch.under(name)
        for name in required:
            if name not in value:
                faults += Mismatch.because("is missing", fields[name].expected).under(name)
        if faults:
            raise Mismatch(faults)
        try:
            return build(out)
        except (TypeError, ValueError) as error:  # what a dataclass finds in its __post_init__
            raise Mismatch.because(str(error) or type(error).__name__, expected) from error

    needed = frozenset(required)
    tags = {name: shape.convert for name, shape in fields.items() if "const" in shape.schema or "enum" in shape.schema}

    def plausible(value: Any) -> bool:
        if not isinstance(value, dict) or not needed <= value.keys() <= converts.keys():
            return False
        try:
            for name, convert_tag in tags.items():
                if name in value:
                    convert_tag(value[name])
        except Mismatch:
            return False
        return True

    schema: Schema = {"type": "object", "properties": {name: shape.schema for name, shape in fields.items()}}
    if required:
        schema["required"] = list(required)
    schema["additionalProperties"] = False
    return Shape(schema, convert, expected, plausible)
