"""What a handler may raise, and what a failed call raises: errors with the codes of the protocol."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

__all__ = ["Cancelled", "ConfigurationError", "Error", "InvalidArgs", "ResourceNotFound", "ResultError"]


class Error(Exception):
    """An error with a code of the protocol (docs/protocol.md, section 7).

    Raised in a handler it becomes the reply; a call that failed raises it.

    Parameters
    ----------
    message
        One sentence for people.
    code
        Such as ``"model_error"``, or a name of your own; it reaches the caller as it is.
    retryable
        Whether the same request may succeed later; None leaves that to the code.
    details
        More about it, a map that JSON can carry.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "worker_error",
        retryable: Optional[bool] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable
        self.details: Dict[str, Any] = dict(details) if details else {}


class InvalidArgs(Error):
    """The arguments of a request are not what the command takes.

    Parameters
    ----------
    errors
        Each ``{"path": JSON pointer into args, "message": what is wrong, "expected": what was wanted}``; at least one.
        The first makes the sentence of the error.
    """

    def __init__(self, errors: List[Dict[str, Any]]) -> None:
        first = errors[0]
        where = first.get("path") or "args"
        super().__init__(f"{where}: {first['message']}", code="invalid_args", details={"errors": errors})
        self.errors = errors


class ResourceNotFound(Error):
    """There is no resource with this id."""

    def __init__(self, resource_id: str) -> None:
        super().__init__(
            f"Unknown resource: {resource_id}", code="resource_not_found", details={"resource_id": resource_id}
        )


class ConfigurationError(Error):
    """The adapter's options are wrong.

    Raised in ``on_start`` it ends the worker with status 78, and the host does not restart it.
    """

    def __init__(self, message: str, *, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message, code="invalid_configuration", details=details)


class ResultError(Error):
    """A result that its codec cannot carry.

    Parameters
    ----------
    path
        JSON pointer to the value within the result, ``""`` for the whole.
    message
        What is wrong with it.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"The result cannot be sent: {path or 'result'}: {message}", details={"path": path})
        self.path = path


class Cancelled(BaseException):
    """Nobody waits for the result any more: raised inside a handler, between two byte codes.

    Not an ``Exception``, so that ``except Exception`` does not swallow it. Clean up in ``finally`` and let it pass.
    """
