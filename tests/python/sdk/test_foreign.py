"""Arrays of NumPy and models of pydantic, as arguments and as results."""

from __future__ import annotations

import math
from typing import Any, List, Optional

import jsonschema
import pytest

pytest.importorskip("numpy")
pytest.importorskip("pydantic")

import numpy as np
import numpy.typing as npt
import pydantic
from pons._arguments import inspect_handler
from pons._errors import InvalidArgs, ResultError
from pons._results import plain


class Item(pydantic.BaseModel):
    name: str
    size: int = 1


class Order(pydantic.BaseModel):
    items: List[Item]
    note: Optional[str] = None


def total(order: Order) -> None: ...


def scale(values: np.ndarray, factor: Optional[npt.NDArray[np.float32]] = None) -> None: ...  # type: ignore[type-arg]


def test_a_map_becomes_a_model_whose_schema_is_the_arguments() -> None:
    spec = inspect_handler(total)
    args = {"order": {"items": [{"name": "a"}]}}
    assert spec.bind(args)["order"] == Order(items=[Item(name="a")])
    jsonschema.Draft202012Validator.check_schema(spec.schema)
    validator = jsonschema.Draft202012Validator(spec.schema)
    assert validator.is_valid(args)
    assert not validator.is_valid({"order": {"items": [{"size": 1}]}})


def test_a_models_faults_have_paths() -> None:
    with pytest.raises(InvalidArgs) as caught:
        inspect_handler(total).bind({"order": {"items": [{"name": "a"}, {"size": "x"}]}})
    assert [fault["path"] for fault in caught.value.errors] == ["/order/items/1/name", "/order/items/1/size"]
    with pytest.raises(InvalidArgs) as caught:
        inspect_handler(total).bind({"order": []})
    assert caught.value.errors[0]["message"] == "expected a map with the fields of Order, got a list"


def test_a_model_is_a_result() -> None:
    assert plain({"order": Order(items=[Item(name="a")])}, binary=False) == {
        "order": {"items": [{"name": "a", "size": 1}], "note": None}
    }


def test_lists_and_packed_arrays_become_arrays() -> None:
    bind = inspect_handler(scale).bind
    assert bind({"values": [[1, 2], [3, 4]]})["values"].tolist() == [[1, 2], [3, 4]]
    packed = {"dtype": "float32", "shape": [2, 1], "data": np.array([1.5, 2.5], "<f4").tobytes()}
    found = bind({"values": packed, "factor": [1, 2.5]})
    assert found["values"].dtype == np.float32
    assert found["values"].tolist() == [[1.5], [2.5]]
    found["values"][0] = 7  # nobody else's bytes
    assert found["factor"].dtype == np.float32


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a", "/values"),
        ([[1], [2, 3]], "/values"),
        (["a"], "/values"),
        ({"dtype": "float32"}, "/values"),
        ({"dtype": "object", "shape": [1], "data": b"12345678"}, "/values/dtype"),
        ({"dtype": "no such", "shape": [1], "data": b""}, "/values/dtype"),
        ({"dtype": "float32", "shape": [-1], "data": b"1234"}, "/values/shape"),
        ({"dtype": "float32", "shape": [2], "data": b"1234"}, "/values/data"),
        ({"dtype": "float32", "shape": [1], "data": "1234"}, "/values/data"),
    ],
)
def test_what_is_no_array_is_refused(value: Any, path: str) -> None:
    with pytest.raises(InvalidArgs) as caught:
        inspect_handler(scale).bind({"values": value})
    assert [fault["path"] for fault in caught.value.errors] == [path]


def test_numbers_are_not_bent_to_a_type_that_cannot_hold_them() -> None:
    with pytest.raises(InvalidArgs, match="expected numbers that fit float32, got complex128"):
        inspect_handler(scale).bind({"values": [1], "factor": {"dtype": "complex128", "shape": [1], "data": bytes(16)}})


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", ">i4", "float16", "float64", "complex64"])
def test_a_packed_array_comes_back_the_same(dtype: str) -> None:
    array = np.arange(12).astype(dtype).reshape(3, 4)[:, ::2]
    packed = plain({"a": array}, binary=True)["a"]
    assert set(packed) == {"dtype", "shape", "data"}
    assert packed["dtype"] == array.dtype.name
    returned = inspect_handler(scale).bind({"values": packed})["values"]
    assert returned.dtype == array.dtype.newbyteorder("=")
    assert (returned == array).all()


def test_over_json_an_array_is_lists() -> None:
    assert plain(np.array([[1, 2], [3, 4]]), binary=False) == [[1, 2], [3, 4]]
    assert plain({"a": np.array([0.5])}, binary=False) == {"a": [0.5]}
    assert plain(np.array(["a", "b"]), binary=True) == ["a", "b"]
    with pytest.raises(ResultError, match="/a/1/0: is nan"):
        plain({"a": np.array([[1.0], [math.nan]])}, binary=False)


def test_scalars_of_numpy_are_numbers() -> None:
    found = plain([np.float32(0.5), np.int64(3), np.bool_(True), np.float64(1.5), np.str_("a")], binary=False)
    assert found == [0.5, 3, True, 1.5, "a"]
    assert [type(item) for item in found] == [float, int, bool, float, str]


@pytest.mark.parametrize(
    "value",
    [
        np.datetime64("2020-01-01"),
        np.longdouble(1),
        np.array([1j]),
        np.array([object()]),
        np.array(["2020-01-01"], "M8[D]"),
    ],
)
def test_values_of_numpy_that_json_has_no_word_for_are_refused(value: Any) -> None:
    with pytest.raises(ResultError, match="cannot be sent"):
        plain(value, binary=False)
