"""What type hints become: schemas, conversion, and every fault by its path."""

from __future__ import annotations

import dataclasses
import enum
import typing
from typing import (
    Annotated,
    Any,
    Dict,
    FrozenSet,
    List,
    Literal,
    Mapping,
    NewType,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypedDict,
    Union,
)

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from pons._arguments import inspect_handler
from pons._errors import InvalidArgs


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Level(enum.IntEnum):
    low = 1
    high = 2


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is left of the origin")


@dataclasses.dataclass
class Tree:
    name: str
    children: List[Tree] = dataclasses.field(default_factory=list)
    depth: typing.ClassVar[int] = 0


class Base(TypedDict):
    name: str


class Options(Base, total=False):
    size: int
    mode: Literal["fast", "exact"]


UserId = NewType("UserId", int)


def bind(hint: Any, value: Any) -> Any:
    """Bind one argument with this hint."""

    def handler(value: Any) -> None: ...

    handler.__annotations__["value"] = hint
    return inspect_handler(handler).bind({"value": value})["value"]


def faults(hint: Any, value: Any) -> List[Tuple[str, str]]:
    """Return path and message of everything that is wrong with the argument ``value``."""
    with pytest.raises(InvalidArgs) as caught:
        bind(hint, value)
    return [(fault["path"], fault["message"]) for fault in caught.value.errors]


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str, "a", "a"),
        (int, 10**400, 10**400),
        (float, 2, 2.0),
        (float, float("inf"), float("inf")),
        (bool, False, False),
        (None, None, None),
        (bytes, b"\0", b"\0"),
        (Any, {"a": [1]}, {"a": [1]}),
        (list, [1, "a"], [1, "a"]),
        (List[float], [1, 2.5], [1.0, 2.5]),
        (Sequence[str], ["a"], ["a"]),
        (tuple, [1, "a"], (1, "a")),
        (Tuple[int, str], [1, "a"], (1, "a")),
        (Tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (Set[int], [1, 2, 1], {1, 2}),
        (FrozenSet[str], ["a"], frozenset("a")),
        (Dict[str, List[int]], {"a": [1]}, {"a": [1]}),
        (Mapping[str, Colour], {"a": "red"}, {"a": Colour.red}),
        (Dict[Literal["a", "b"], int], {"b": 1}, {"b": 1}),
        (Optional[int], None, None),
        (Union[float, int], 3, 3),
        (Union[int, str], "a", "a"),
        (Literal["a", 1, None], 1, 1),
        (Colour, "blue", Colour.blue),
        (Level, 2, Level.high),
        (Point, {"x": 1}, Point(1.0, 0.0)),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        (Options, {"name": "a", "mode": "fast"}, {"name": "a", "mode": "fast"}),
        (UserId, 7, 7),
        (Annotated[int, "how many"], 7, 7),
        ("Optional[Point]", {"x": 1, "y": 2}, Point(1.0, 2.0)),
    ],
)
def test_a_value_becomes_what_its_hint_says(hint: Any, value: Any, expected: Any) -> None:
    bound = bind(hint, value)
    assert bound == expected
    assert type(bound) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, True, [("/value", "expected an integer, got a boolean")]),
        (int, 3.0, [("/value", "expected an integer, got a number")]),
        (float, "1", [("/value", "expected a number, got a string")]),
        (float, 10**400, [("/value", "is too large for a floating point number")]),
        (bool, 1, [("/value", "expected a boolean, got an integer")]),
        (str, None, [("/value", "expected a string, got null")]),
        (bytes, "a", [("/value", "expected bytes (MessagePack), got a string")]),
        (List[int], "ab", [("/value", "expected a list, each element an integer, got a string")]),
        (
            List[int],
            [1, "a", 2, None],
            [("/value/1", "expected an integer, got a string"), ("/value/3", "expected an integer, got null")],
        ),
        (Set[Any], [[]], [("/value", "a set cannot hold lists or maps")]),
        (Tuple[int, str], [1], [("/value", "expected a list of 2 elements, got 1")]),
        (
            Tuple[int, str],
            ["a", 1],
            [("/value/0", "expected an integer, got a string"), ("/value/1", "expected a string, got an integer")],
        ),
        (
            Dict[str, int],
            {"a/b": "x", "c~d": 1.5},
            [
                ("/value/a~1b", "expected an integer, got a string"),
                ("/value/c~0d", "expected an integer, got a number"),
            ],
        ),
        (Optional[int], "a", [("/value", "expected an integer or null, got a string")]),
        (Optional[List[int]], ["a"], [("/value/0", "expected an integer, got a string")]),
        (Literal["a", 1], True, [("/value", "expected 'a' or 1, got a boolean")]),
        (Literal["a"], [], [("/value", "expected 'a', got a list")]),
        (Colour, "green", [("/value", "expected 'red' or 'blue', got a string")]),
        (Point, {"z": 1}, [("/value/z", "unknown key 'z'"), ("/value/x", "is missing")]),
        (Point, {"x": -1}, [("/value", "x is left of the origin")]),
        (
            Tree,
            {"name": "a", "children": [{"nme": "b"}]},
            [
                ("/value/children/0/nme", "unknown key 'nme'; did you mean 'name'?"),
                ("/value/children/0/name", "is missing"),
            ],
        ),
        (Options, {"size": "a"}, [("/value/size", "expected an integer, got a string"), ("/value/name", "is missing")]),
    ],
)
def test_everything_that_is_wrong_is_told_with_its_path(hint: Any, value: Any, expected: Any) -> None:
    assert faults(hint, value) == expected


def test_a_list_of_wrong_elements_is_told_by_its_first_hundred() -> None:
    assert len(faults(List[int], ["a"] * 100_000)) == 100


def test_a_type_that_contains_itself_is_a_definition() -> None:
    def handler(tree: Tree, other: Optional[Tree] = None) -> None: ...

    found = inspect_handler(handler).schema
    assert found["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    assert list(found["$defs"]) == ["Tree"]
    jsonschema.Draft202012Validator.check_schema(found)
    assert jsonschema.Draft202012Validator(found).is_valid({"tree": {"name": "a", "children": [{"name": "b"}]}})
    assert not jsonschema.Draft202012Validator(found).is_valid({"tree": {"name": "a", "children": [{"nme": "b"}]}})


@dataclasses.dataclass
class Sum:
    operator: Literal["+"]
    operands: List[Union[int, Sum, Product]]


@dataclasses.dataclass
class Product:
    operator: Literal["*"]
    operands: List[Union[int, Sum, Product]]
    made: typing.ClassVar[int] = 0

    def __post_init__(self) -> None:
        Product.made += 1


def test_alternatives_that_a_tag_tells_apart_are_tried_once_at_each_level() -> None:
    value: Any = 1
    for _ in range(15):
        value = {"operator": "*", "operands": [value, 2]}
    Product.made = 0
    found = bind(Union[Sum, Product], value)
    assert Product.made == 15
    assert found.operands[0].operands[1] == 2
    value["operands"][0]["operands"][0]["operands"] = ["wrong"]
    message = "expected an integer or a Sum or a Product, got a string"
    assert faults(Union[Sum, Product], value) == [("/value" + 3 * "/operands/0", message)]


def test_the_words_of_an_annotation_are_its_description() -> None:
    def handler(count: Annotated[int, "how many"] = 1) -> None: ...

    assert inspect_handler(handler).schema["properties"]["count"] == {
        "type": "integer",
        "description": "how many",
        "default": 1,
    }


# Random hints and values. What JSON Schema cannot say as exactly is left out: 3.0 is an integer to it.
HINTS = st.recursive(
    st.sampled_from([str, int, bool, None, Colour, Literal["a", 1, True], Options, Tree, Any]),
    lambda inner: st.one_of(
        inner.map(lambda hint: List[hint]),
        inner.map(lambda hint: Dict[str, hint]),
        inner.map(lambda hint: Optional[hint]),
        st.tuples(inner, inner).map(lambda pair: Tuple[pair]),
        st.tuples(inner, inner).map(lambda pair: Union[pair]),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["a", "red", "fast", "x"]), st.floats(0.1, 0.9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "size", "mode", "children", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HINTS, VALUES)
def test_schema_and_conversion_agree(hint: Any, value: Any) -> None:
    def handler(value: Any) -> None: ...

    handler.__annotations__["value"] = hint
    spec = inspect_handler(handler)
    validator = jsonschema.Draft202012Validator(spec.schema)
    try:
        spec.bind({"value": value})
    except InvalidArgs as error:
        assert not validator.is_valid({"value": value})
        assert all(fault["path"].startswith("/value") for fault in error.errors)
    else:
        assert validator.is_valid({"value": value})
