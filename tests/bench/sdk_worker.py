"""The same with the Python SDK, behind the host."""

from __future__ import annotations

from typing import Any

import pons

app = pons.App("python", version="1.0")


@app.command()
def echo(args: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments."""
    return args


app.run()
