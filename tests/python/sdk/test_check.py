"""`python -m pons.check` finds the program and leaves the rest to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest


def check(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    sdk = Path(__file__).resolve().parents[3] / "worker/python"
    environment: Dict[str, str] = {"PYTHONPATH": str(sdk), **variables}
    command = [sys.executable, "-m", "pons.check", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that shows how it was called."""
    file = tmp_path / "pons"
    file.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ncommand -v python3\nexit 7\n', encoding="utf-8")
    file.chmod(0o755)
    return file


def test_arguments_and_status_are_those_of_the_program(program: Path) -> None:
    done = check("app.py", "--json", PONS_PROGRAM=str(program), PATH="/usr/bin:/bin")
    assert done.stdout.splitlines()[:-1] == ["adapter", "check", "app.py", "--json"]
    assert done.returncode == 7


def test_the_worker_runs_under_this_interpreter(program: Path) -> None:
    done = check("app.py", PONS_PROGRAM=str(program), PATH="/usr/bin:/bin")
    assert Path(done.stdout.splitlines()[-1]).parent == Path(sys.executable).parent


def test_the_program_is_looked_for_on_the_path(program: Path) -> None:
    assert check("app.py", PATH=f"/nowhere:{program.parent}:/bin").returncode == 7


def test_without_the_program_the_remedy_is_told() -> None:
    done = check("app.py", PATH="/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pons.check: pons is not on the PATH: set PONS_PROGRAM to the program's path\n"
    done = check("app.py", PATH="/bin", PONS_PROGRAM="/no/such/program")
    assert done.returncode == 2
    assert "PONS_PROGRAM names /no/such/program, which cannot be run" in done.stderr
