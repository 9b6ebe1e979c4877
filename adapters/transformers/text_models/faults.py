"""How this adapter says what went wrong: the two errors that its parts raise."""

from __future__ import annotations

import re
from typing import Optional

import pons

_SPACE = re.compile(r"\s+")


def bad_argument(path: str, message: str, expected: Optional[str] = None) -> pons.InvalidArgs:
    """Return the error for an argument that cannot be used.

    Parameters
    ----------
    path
        JSON pointer into args, such as ``"/texts/3"``.
    message
        What is wrong with it.
    expected
        What would have been right.
    """
    entry = {"path": path, "message": message}
    if expected is not None:
        entry["expected"] = expected
    return pons.InvalidArgs([entry])


def model_fault(message: str, *, file: Optional[str] = None, cause: Optional[BaseException] = None) -> pons.Error:
    """Return the error for a model that is there and cannot be used.

    Parameters
    ----------
    message
        What is wrong.
    file
        The file that it is about; it is named in the message and in ``details.file``.
    cause
        What the library said: its class goes to ``details.type``, its first words to the message.
    """
    details = {}
    if file is not None:
        message = f"{file}: {message}"
        details["file"] = file
    if cause is not None:
        message = f"{message}: {first_words(cause)}"
        details["type"] = type(cause).__name__
    return pons.Error(message, code="model_error", details=details)


def first_words(error: BaseException) -> str:
    """Return at most 300 characters of what an exception says, in one line."""
    text = _SPACE.sub(" ", str(error)).strip() or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
