"""Pons: ML code in worker processes. This package is what a worker written in Python is made of.

``App`` declares commands and serves them; ``Context`` is what a handler knows of its request; ``pons.testing`` calls an
App without a process. The guide is docs/python.md.
"""

from . import _channel

_channel.claim_at_import()

from ._app import App  # noqa: E402
from ._bridge import BaseBridge  # noqa: E402
from ._context import Context, current  # noqa: E402
from ._errors import (  # noqa: E402
    Cancelled,
    ConfigurationError,
    Error,
    InvalidArgs,
    ResourceNotFound,
    ResultError,
)
from ._resources import Resources  # noqa: E402

__all__ = [
    "App",
    "BaseBridge",
    "Cancelled",
    "ConfigurationError",
    "Context",
    "Error",
    "InvalidArgs",
    "ResourceNotFound",
    "Resources",
    "ResultError",
    "current",
]
