"""What the signature of a handler becomes, and what is refused when it is declared."""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import (
    Any,
    Dict,
    List,
)

import pytest
from pons._arguments import inspect_handler
from pons._errors import InvalidArgs


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


def test_faults_of_several_arguments_come_together() -> None:
    def handler(name: str, times: int = 1) -> None: ...

    with pytest.raises(InvalidArgs) as caught:
        inspect_handler(handler).bind({"tmes": 1, "times": "x"})
    assert caught.value.errors == [
        {
            "path": "/tmes",
            "message": "unknown argument 'tmes'; did you mean 'times'?",
            "expected": "one of name, times",
        },
        {"path": "/times", "message": "expected an integer, got a string", "expected": "an integer"},
        {"path": "/name", "message": "is missing", "expected": "a string"},
    ]
    assert str(caught.value) == "/tmes: unknown argument 'tmes'; did you mean 'times'?"


def test_defaults_are_left_to_the_handler() -> None:
    def handler(name: str, times: int = 1, *, loud: bool = False, note: str = None) -> None: ...  # type: ignore  # noqa: RUF013

    spec = inspect_handler(handler)
    assert spec.bind({"name": "a"}) == {"name": "a"}
    assert spec.bind({"name": "a", "note": None, "loud": True}) == {"name": "a", "note": None, "loud": True}
    assert spec.schema["properties"]["times"] == {"type": "integer", "default": 1}
    assert spec.schema["required"] == ["name"]


def test_keyword_arguments_take_the_rest_but_never_the_context() -> None:
    def handler(name: str, ctx: Any, **options: int) -> None: ...

    spec = inspect_handler(handler)
    assert spec.context_parameter == "ctx"
    assert spec.bind({"name": "a", "b": 1}) == {"name": "a", "b": 1}
    assert spec.schema["additionalProperties"] == {"type": "integer"}
    for args in ({"name": "a", "b": "x"}, {"name": "a", "ctx": 1}):
        with pytest.raises(InvalidArgs):
            spec.bind(args)


def test_the_map_that_came_stays_as_it_was() -> None:
    def handler(values: List[float]) -> None: ...

    args = {"values": [1, 2]}
    assert inspect_handler(handler).bind(args) == {"values": [1.0, 2.0]}
    assert args == {"values": [1, 2]}


class Bridge:
    def plain(self, args: dict) -> None: ...  # type: ignore[type-arg]

    def with_context(self, args: Dict[str, Any], ctx: Any) -> None: ...

    def named(self, size: int) -> None: ...

    def __init__(self, path: str) -> None: ...

    def __call__(self, times: int) -> None: ...


def test_a_handler_that_takes_args_gets_the_whole_map() -> None:
    args = {"anything": [1]}
    bridge = Bridge("a")
    for handler in (bridge.plain, bridge.with_context, Bridge.plain, lambda args: None):
        spec = inspect_handler(handler)
        assert spec.bind(args) == {"args": args}
        assert spec.schema == {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    assert inspect_handler(bridge.with_context).context_parameter == "ctx"


def test_an_argument_that_is_only_called_args_is_one_like_others() -> None:
    def handler(args: List[str]) -> None: ...

    def two(args: dict, other: int) -> None: ...  # type: ignore[type-arg]

    assert inspect_handler(handler).bind({"args": ["a"]}) == {"args": ["a"]}
    assert inspect_handler(two).bind({"args": {}, "other": 1}) == {"args": {}, "other": 1}


def test_methods_classes_callables_and_partials_are_handlers() -> None:
    assert inspect_handler(Bridge("a").named).bind({"size": 1}) == {"size": 1}
    assert inspect_handler(Bridge).schema["required"] == ["path"]
    assert inspect_handler(Bridge("a")).schema["required"] == ["times"]
    assert inspect_handler(functools.partial(Bridge("a").named)).schema["required"] == ["size"]


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_a_decorated_handler_has_the_signature_of_what_it_wraps() -> None:
    @wrapped
    def handler(point: Point) -> None: ...

    assert inspect_handler(handler).bind({"point": {"x": 1}}) == {"point": Point(1.0)}


def test_the_context_is_found_by_its_annotation() -> None:
    def handler(size: int, request: pons.Context) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert inspect_handler(handler).context_parameter == "request"


def refused(function: Any) -> str:
    with pytest.raises(TypeError) as caught:
        inspect_handler(function)
    return str(caught.value).replace(f"{function.__qualname__}: ", "", 1)


def test_signatures_that_no_map_fits_are_refused_when_they_are_declared() -> None:
    def starred(*names: str) -> None: ...

    def positional(name: str, /) -> None: ...

    def contexts(ctx: Any, other: pons.Context) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert refused(starred) == "*names: arguments have names: take a list, names: list"
    assert refused(positional) == "name: arguments have names: leave out the / behind it"
    assert refused(contexts) == "both ctx and other want the context of the request"


def test_hints_that_cannot_be_checked_are_refused_with_their_name() -> None:
    def unresolved(a: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    def unsupported(a: List[complex]) -> None: ...

    def int_keys(a: Dict[int, str]) -> None: ...

    assert refused(unresolved).startswith("a: Missing: name 'Missing' is not defined")
    assert refused(unsupported).startswith(
        "a: List[complex]: complex is no type that arguments are checked against: take one that JSON has, such as str"
    )
    assert "the keys of a map are strings" in refused(int_keys)


def test_alternatives_are_written_with_a_pipe_where_python_knows_it() -> None:
    def handler(a: int | None) -> None: ...

    if sys.version_info >= (3, 10):
        assert inspect_handler(handler).bind({"a": None}) == {"a": None}
    else:
        assert "write Optional[X] or Union[X, Y]" in refused(handler)


def test_descriptions_come_from_the_docstring() -> None:
    def numpy_style(name: str, first: int, second: int = 2) -> None:
        """Do it.

        Parameters
        ----------
        name : str
            Who it is,
            in two lines.
        first, second
            Numbers.

        Returns
        -------
        nothing
            At all.
        """

    def google_style(name: str, first: int = 1) -> None:
        """Do it.

        Args:
            name (str): Who it is,
                in two lines.
            first: A number.

        Returns:
            name: nothing
        """

    numpy_properties = inspect_handler(numpy_style).schema["properties"]
    assert numpy_properties["name"]["description"] == "Who it is, in two lines."
    assert numpy_properties["second"] == {"description": "Numbers.", "type": "integer", "default": 2}
    google_properties = inspect_handler(google_style).schema["properties"]
    assert google_properties["name"]["description"] == "Who it is, in two lines."
    assert google_properties["first"]["description"] == "A number."
