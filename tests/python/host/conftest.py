"""Fixtures: hosts that serve Python workers written for one test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from host import ROOT, Host, python_worker, write_app


@pytest.fixture
def program() -> str:
    """Return the path of `pons`."""
    path = os.environ.get("PONS_PROGRAM", str(ROOT / "build/bin/pons"))
    assert os.access(path, os.X_OK), f"{path} cannot be run: build it, or set PONS_PROGRAM"
    return path


@pytest.fixture
def start(program: str, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Start a host with a configuration, which is stopped when the test ends."""
    hosts: List[Host] = []

    def start_host(config: Dict[str, Any], *arguments: str) -> Host:
        hosts.append(Host(program, tmp_path, config, *arguments))
        return hosts[-1]

    yield start_host
    for host in hosts:
        host.stop()


@pytest.fixture
def serve(start: Callable[..., Host], tmp_path: Path) -> Callable[..., Host]:
    """Start a host that serves a worker with these handlers as `app`, and as `other` one that is a stranger to it."""

    def serve_app(source: str, **entry: Any) -> Host:
        write_app(tmp_path, source)
        other = [sys.executable, str(ROOT / "tests/workers/bare_worker.py")]
        return start(
            {
                "default": "app",
                "defaults": {"timeouts": {"queue": "60s", "request": "60s"}},
                "adapters": {
                    "app": python_worker(**entry),
                    "other": {"command": other, "channel": "stdio"},
                },
            }
        )

    return serve_app
