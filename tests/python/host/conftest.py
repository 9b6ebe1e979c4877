"""Fixtures: hosts that serve Python workers written for one test."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from host import Host

ROOT = Path(__file__).resolve().parents[3]

HEAD = """
import os, sys
import pons

app = pons.App("app", version="1.0")


@app.command()
def calm() -> int:
    return os.getpid()

"""


@pytest.fixture
def program() -> str:
    """Return the path of `pons`."""
    path = os.environ.get("PONS_PROGRAM")
    assert path, "PONS_PROGRAM must be the path of the program `pons`"
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


def write_app(folder: Path, source: str) -> Path:
    """Write a worker with the handlers that the source declares."""
    file = folder / "app.py"
    file.write_text(HEAD + textwrap.dedent(source) + "\napp.run()\n", encoding="utf-8")
    return file


def python_worker(file: str = "./app.py", *arguments: str, **entry: Any) -> Dict[str, Any]:
    """Return the entry of a configuration for a worker under this very interpreter."""
    return {"command": [sys.executable, file, *arguments], **entry}


@pytest.fixture
def serve(start: Callable[..., Host], tmp_path: Path) -> Callable[..., Host]:
    """Start a host that serves a worker with these handlers as `app`, and as `other` one that has nothing to do with it."""

    def serve_app(source: str, **entry: Any) -> Host:
        write_app(tmp_path, source)
        other = [sys.executable, str(ROOT / "tests/workers/bare_worker.py")]
        return start(
            {
                "default": "app",
                "adapters": {
                    "app": python_worker(**entry),
                    "other": {"command": other, "channel": "stdio"},
                },
            }
        )

    return serve_app
