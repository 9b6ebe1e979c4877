"""Fixtures: a worker process behind a fake host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from fake_host import FakeHost

HEAD = """import pons, os, sys, time, threading
app = pons.App("t", version="1"{parameters})
{body}
app.run()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., FakeHost]]:
    """Starts a worker: ``start(declarations, "threads=2", handshake=True, stdio=False)``."""
    hosts: List[FakeHost] = []

    def start(body: str, parameters: str = "", *, handshake: bool = True, **more: Any) -> FakeHost:
        source = HEAD.format(parameters=", " + parameters if parameters else "", body=body)
        host = FakeHost(tmp_path, source, **more)
        hosts.append(host)
        if handshake:
            host.shake_hands()
        return host

    yield start
    for host in hosts:
        host.__exit__()
