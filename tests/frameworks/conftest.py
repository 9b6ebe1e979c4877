"""One host that serves all adapters there are: in C++, the frameworks in their environments, a worker of ten lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/python/host"))

import host  # noqa: E402

host.DEADLINE = 300.0  # the frameworks take a while to load on a machine that does other things too

CALLER = '''
import pons

app = pons.App("caller", version="1.0")


@app.command()
def alike(ctx: pons.Context, model: str, a: str, b: str) -> float:
    """Ask another framework."""
    return ctx.call("transformers:similarity", {"resource_id": model, "texts": [a], "others": [b]})["similarity"][0][0]


@app.command()
def relay(ctx: pons.Context, command: str, args: dict) -> object:
    """Ask anybody."""
    return ctx.call(command, args)


app.run()
'''


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Host]:
    """Start a host with every adapter; it ends with the module."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "caller.py").write_text(CALLER, encoding="utf-8")
    shipped = sorted(file.parent.name for file in (ROOT / "build/release/adapters").glob("*/adapter.yaml"))
    adapters = {name: {"adapter": name} for name in shipped}
    program = os.environ.get("PONS_PROGRAM", str(ROOT / "build/bin/pons"))
    running = host.Host(program, folder, {"adapters": {**adapters, "caller": "./caller.py"}})
    yield running
    assert running.stop() == 0
