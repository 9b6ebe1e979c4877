"""What handlers return: what is turned into what, and what is refused, with its path."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import math
from typing import Any, Dict, List

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from pons._errors import ResultError
from pons._results import plain


class Colour(enum.Enum):
    red = "red"


class Name(str):
    pass


@dataclasses.dataclass
class Point:
    x: float
    tags: List[Any] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, "a"), [1, "a"]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["a"]), ["a"]),
        (collections.deque([1]), [1]),
        (collections.OrderedDict(b=1, a=(2,)), {"b": 1, "a": [2]}),
        (Colour.red, "red"),
        ({Colour.red: 1}, {"red": 1}),
        (Name("é"), "é"),
        (Point(1.5, [Point(2.5)]), {"x": 1.5, "tags": [{"x": 2.5, "tags": []}]}),
        ({"a": 1, "b": {"c": [Colour.red, 2]}, "d": 3}, {"a": 1, "b": {"c": ["red", 2]}, "d": 3}),
    ],
)
def test_values_of_python_become_maps_lists_and_scalars(value: Any, expected: Any) -> None:
    found = plain(value, binary=False)
    assert found == expected
    assert json.dumps(found) == json.dumps(expected)
    assert type(found) is type(expected)


def test_what_is_changed_is_a_copy() -> None:
    inner = [1, Colour.red]
    value = {"a": inner, "b": 2}
    assert plain(value, binary=False) == {"a": [1, "red"], "b": 2}
    assert value == {"a": [1, Colour.red], "b": 2}
    assert inner == [1, Colour.red]


PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN)
def test_what_is_plain_already_is_returned_itself(value: Any) -> None:
    assert plain(value, binary=False) is value
    assert plain(value, binary=True) is value


def refused(value: Any, binary: bool = False) -> str:
    with pytest.raises(ResultError) as caught:
        plain(value, binary=binary)
    return str(caught.value).replace("The result cannot be sent: ", "", 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "result: is nan, which JSON cannot carry"),
        ({"a": [1.0, -math.inf]}, "/a/1: is -inf, which JSON cannot carry"),
        ({"a/b": {"c~d": b"x"}}, "/a~1b/c~0d: is bytes, which JSON cannot carry: MessagePack does"),
        ({"a": {1: 2}}, "/a: has a key of type int, and keys are strings"),
        ({"a": object()}, "/a: is of type object, which cannot be sent: return maps"),
        ([1j], "/0: is of type complex, which cannot be sent"),
        (Point, "result: is of type type, which cannot be sent"),
        ({"a": (n for n in "a")}, "/a: is of type generator, which cannot be sent"),
        ({"a": "\ud800"}, "/a: is a string with half of a surrogate pair"),
        ({"\ud800": 1}, "result: is a string with half of a surrogate pair"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_path(value: Any, expected: str) -> None:
    assert refused(value).startswith(expected)


def test_message_pack_carries_bytes_and_every_float() -> None:
    found = plain({"a": b"x", "b": bytearray(b"y"), "c": (math.inf,), "d": memoryview(b"z")}, binary=True)
    assert found == {"a": b"x", "b": b"y", "c": [math.inf], "d": b"z"}
    assert {type(item) for item in found.values()} == {bytes, list}


def test_message_pack_carries_64_bits_json_any_number_of_digits() -> None:
    assert plain([2**64], binary=False) == [2**64]
    assert refused([2**64], binary=True).startswith("/0: is an integer of more than 64 bits")
    assert refused({"a": -(2**63) - 1}, binary=True).startswith("/a: is an integer of more than 64 bits")


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_bounded() -> None:
    assert plain(nested(63), binary=False) == nested(63)
    assert "is nested deeper than 62 levels" in refused(nested(64))
    assert "is nested deeper than 62 levels" in refused(nested(100_000))


def test_what_contains_itself_is_refused() -> None:
    cycle: Dict[str, Any] = {"a": 1}
    cycle["self"] = [cycle]
    assert refused(cycle).startswith("/self/0/self/0/")
    assert "or contains itself" in refused(cycle)
    point = Point(1.0)
    point.tags.append(point)
    assert "or contains itself" in refused(point)


def test_a_few_lists_that_hold_each_other_are_too_large_for_a_frame() -> None:
    value: Any = [0.5] * 4096
    for _ in range(3):
        value = [value] * 1024
    assert "holds more than 67108864 values" in refused(value)
