"""What a type hint becomes: a JSON Schema and a function that converts a value; and how that one reports faults."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional

__all__ = ["MAX_FAULTS", "Convert", "Fault", "Mismatch", "Schema", "Shape", "described", "pointer", "unknown_key"]

Schema = Dict[str, Any]
Fault = Dict[str, Any]
Convert = Callable[[Any], Any]

# A list of a million wrong elements is told by its first ones.
MAX_FAULTS = 100


@dataclass(frozen=True)
class Shape:
    """What one type hint asks for.

    Parameters
    ----------
    schema
        JSON Schema, draft 2020-12.
    convert
        Takes a decoded value and returns what the handler gets; raises `Mismatch`.
    expected
        What is wanted, in a few words: ``"an integer"``.
    plausible
        Tells at a glance, without a look at what is inside, whether a value may be meant; None: there is no telling.
    """

    schema: Schema
    convert: Convert
    expected: str
    plausible: Optional[Callable[[Any], bool]] = None


class Mismatch(Exception):
    """A value is not what its hint asks for.

    Parameters
    ----------
    faults
        At least one; their paths are JSON Pointers relative to the value.
    wrong_kind
        Whether it is something else altogether, and not of the right kind with something wrong about it.
    """

    def __init__(self, faults: List[Fault], *, wrong_kind: bool = False) -> None:
        super().__init__(faults)
        self.faults = faults
        self.wrong_kind = wrong_kind

    @classmethod
    def of(cls, value: Any, expected: str) -> Mismatch:
        """Say that this value is not what was expected. The value itself is not told: it may be a secret."""
        message = f"expected {expected}, got {described(value)}"
        return cls([{"path": "", "message": message, "expected": expected}], wrong_kind=True)

    @classmethod
    def because(cls, message: str, expected: str) -> Mismatch:
        """Say what is wrong with a value of the right kind."""
        return cls([{"path": "", "message": message, "expected": expected}])

    def under(self, key: object) -> List[Fault]:
        """Return the faults with paths that begin at the container which holds the value at this key or index."""
        prefix = pointer(key)
        for fault in self.faults:
            fault["path"] = prefix + fault["path"]
        return self.faults


def pointer(key: object) -> str:
    """Return one step of a JSON Pointer."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")


_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    dict: "a map",
}


def described(value: Any) -> str:
    """Say of what kind a value is, in the words of JSON."""
    return _KINDS.get(type(value)) or f"a {type(value).__name__}"


def unknown_key(key: object, known: Iterable[str], noun: str) -> Fault:
    """Return the fault of a key that nobody asked for, with the known one that is most like it."""
    names = list(known)
    nearest: Optional[str] = next(iter(difflib.get_close_matches(str(key), names, n=1)), None)
    message = f"unknown {noun} {str(key)!r}"
    if nearest is not None:
        message += f"; did you mean {nearest!r}?"
    expected = "one of " + ", ".join(names) if names else f"no {noun}s"
    return {"path": pointer(key), "message": message, "expected": expected}
