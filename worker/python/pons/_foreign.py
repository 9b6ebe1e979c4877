"""NumPy arrays and pydantic models as arguments and results, where a program has loaded them."""

from __future__ import annotations

import math
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple, cast

from ._shape import Fault, Mismatch, Schema, Shape, pointer

__all__ = ["array_map", "is_array", "is_array_scalar", "model_dump", "shape_of"]

# What other languages can read: booleans, integers, floating point and complex numbers.
_NUMBER_KINDS = "biufc"
_LONG_DOUBLES = ("float96", "float128", "complex192", "complex256")  # as wide as the machine likes
_ARRAY = "a list of numbers or {dtype, shape, data}"


def shape_of(hint: Any, definitions: Dict[str, Schema]) -> Optional[Shape]:
    """Return the shape of a hint that is one of these libraries', else None."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and getattr(hint, "__origin__", hint) is numpy.ndarray:
        return _array_shape(hint, numpy)
    if _is_model(hint):
        return _model_shape(hint, definitions)
    return None


def is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_array_scalar(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def array_map(value: Any) -> Dict[str, Any]:
    """Return an array of numbers as ``{dtype, shape, data}``: the bytes in C order, each number little-endian.

    Raises
    ------
    ValueError
        If what it holds has no such form.
    """
    if value.dtype.kind not in _NUMBER_KINDS or value.dtype.name in _LONG_DOUBLES:
        raise ValueError(f"an array of {value.dtype} cannot be sent")
    ordered = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return {"dtype": value.dtype.name, "shape": list(value.shape), "data": ordered.tobytes()}


def model_dump(value: Any) -> Optional[Dict[str, Any]]:
    """Return the fields of a pydantic model, or None if the value is none."""
    if not _is_model(type(value)):
        return None
    dump = value.model_dump if hasattr(value, "model_dump") else value.dict
    return cast("Dict[str, Any]", dump())


def _array_shape(hint: Any, numpy: Any) -> Shape:
    arguments: Tuple[Any, ...] = getattr(hint, "__args__", ())
    wanted = getattr(arguments[1], "__args__", (None,))[0] if len(arguments) == 2 else None
    dtype = numpy.dtype(wanted) if isinstance(wanted, type) and wanted is not numpy.generic else None

    def convert(value: Any) -> Any:
        found = _read_array(value, numpy)
        if dtype is None or found.dtype == dtype:
            return found
        if not numpy.can_cast(found.dtype, dtype, "same_kind"):
            raise Mismatch.because(f"expected numbers that fit {dtype}, got {found.dtype}", _ARRAY)
        return found.astype(dtype)

    packed = {
        "type": "object",
        "properties": {
            "dtype": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": {"title": "bytes (MessagePack)"},
        },
        "required": ["dtype", "shape", "data"],
        "additionalProperties": False,
    }
    return Shape({"anyOf": [{"type": "array"}, packed]}, convert, _ARRAY)


def _read_array(value: Any, numpy: Any) -> Any:
    if isinstance(value, list):
        try:
            found = numpy.array(value)
        except ValueError:
            found = None
        if found is None or found.dtype.kind not in _NUMBER_KINDS:
            raise Mismatch.because("expected a list of numbers, or lists of equal length of them", _ARRAY)
        return found
    if not isinstance(value, dict):
        raise Mismatch.of(value, _ARRAY)
    if set(value) != {"dtype", "shape", "data"}:
        raise Mismatch.because("expected the keys dtype, shape and data", _ARRAY)
    return _unpack_array(value["dtype"], value["shape"], value["data"], numpy)


def _unpack_array(name: Any, shape: Any, data: Any, numpy: Any) -> Any:
    try:
        dtype = numpy.dtype(name) if isinstance(name, str) else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in _NUMBER_KINDS:
        raise _within("dtype", "expected the name of a type of numbers, such as 'float32'", "a name such as 'float32'")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 32:
        raise _within("shape", "expected at most 32 sizes", "a list of sizes")
    if not isinstance(data, bytes):
        raise _within("data", "expected bytes (MessagePack)", "bytes (MessagePack)")
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise _within("data", f"expected {size} bytes for this shape, got {len(data)}", "bytes (MessagePack)")
    # A copy: an array over the bytes of a frame could not be written to.
    return numpy.frombuffer(bytearray(data), dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def _within(key: str, message: str, expected: str) -> Mismatch:
    return Mismatch(Mismatch.because(message, expected).under(key))


def _is_model(kind: Any) -> bool:
    modules = (sys.modules.get("pydantic"), sys.modules.get("pydantic.v1"))
    return isinstance(kind, type) and any(module and issubclass(kind, module.BaseModel) for module in modules)


def _model_shape(model: Any, definitions: Dict[str, Schema]) -> Shape:
    """Compile a model of pydantic, version 1 or 2, whose own rules decide what it takes."""
    prefix = model.__name__ + "."
    second = hasattr(model, "model_validate")
    read_schema: Callable[..., Schema] = model.model_json_schema if second else model.schema
    validate: Callable[[Any], Any] = model.model_validate if second else model.parse_obj
    schema = dict(read_schema(ref_template="#/$defs/" + prefix + "{model}"))
    for name, definition in schema.pop("$defs" if second else "definitions", {}).items():
        definitions[prefix + name] = definition
    expected = f"a map with the fields of {model.__name__}"

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch.of(value, expected)
        try:
            return validate(value)
        except ValueError as error:  # pydantic.ValidationError is one, in both versions
            raise Mismatch(_model_faults(error, expected)) from error

    return Shape(schema, convert, expected)


def _model_faults(error: Any, expected: str) -> List[Fault]:
    if not hasattr(error, "errors"):
        return Mismatch.because(str(error), expected).faults
    return [
        {"path": "".join(map(pointer, fault["loc"])), "message": fault["msg"], "expected": fault["type"]}
        for fault in error.errors()
    ]
