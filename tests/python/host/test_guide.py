"""Everything that docs/python.md shows is done: its files are written, its commands run, and they say what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple

import pytest

from host import DEADLINE, ROOT

GUIDE = ROOT / "docs" / "python.head.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code of the guide, and the line where it begins."""

    language: str
    text: str
    line: int


def blocks() -> List[Block]:
    text = GUIDE.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in FENCE.finditer(text)]


def write(block: Block, folder: Path) -> None:
    """Write a file whose first line is a comment with its name."""
    named = re.match(r"# ([\w./]+)\n", block.text)
    assert named is not None, f"line {block.line}: the block does not begin with the name of its file"
    (folder / named[1]).write_text(block.text, encoding="utf-8")


def run(block: Block, folder: Path, program: str) -> None:
    """Run the commands behind each `$`, and compare with the lines between; `...` there stands for anything."""
    lines = block.text.splitlines()
    script = "\n".join(line[2:] for line in lines if line.startswith("$ "))
    expected = "\n".join(line for line in lines if not line.startswith("$ "))
    environment = {
        "PATH": os.pathsep.join([str(Path(program).parent), str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(ROOT / "worker/python"),
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE,
    )
    pattern = ".*".join(re.escape(part) for part in expected.split("..."))
    as_shown = re.fullmatch(pattern, done.stdout.rstrip("\n"), re.DOTALL) is not None
    assert as_shown, f"line {block.line}:\n{script}\nsaid:\n{done.stdout}"


def test_what_the_guide_shows_is_so(program: str, tmp_path: Path) -> None:
    kinds = {"console": 0, "python": 0, "yaml": 0}
    for block in blocks():
        kinds[block.language] += 1
        if block.language == "console":
            run(block, tmp_path, program)
        else:
            write(block, tmp_path)
    assert all(kinds.values()), kinds


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.language == "python"], ids=lambda block: str(block.line)
)
def test_every_file_of_the_guide_is_used_by_a_command(block: Block) -> None:
    name = block.text.splitlines()[0][2:]
    module = name[: -len(".py")]
    used = [
        other
        for other in blocks()
        if other.line > block.line and (name in other.text or f"from {module} import" in other.text)
    ]
    assert used, f"{name} (line {block.line}) is shown, and nothing shows that it works"


def test_the_reference_is_what_the_docstrings_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/python-docs.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
