#!/usr/bin/env python3
"""Write docs/python.md: the guide of docs/python.head.md, and the reference from the docstrings of worker/python.

Usage: python-docs.py [--check]

With --check nothing is written; the exit status is 1 if the committed document is not what they give.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pathlib
import re
import sys
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
SDK = ROOT / "worker" / "python"
GUIDE = ROOT / "docs" / "python.head.md"
OUTPUT = ROOT / "docs" / "python.md"
MODULES = ("pons", "pons.testing")

SECTION = re.compile(r"^(Parameters|Attributes|Returns|Yields|Raises)\n-{3,}\n", re.MULTILINE)


def annotation(hint: Any) -> str:
    """Return a hint as it stands in the source."""
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
    return text.strip("\"'")


def parameter(item: inspect.Parameter) -> str:
    prefix = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(item.kind, "")
    default = "" if item.default is item.empty else repr(item.default)
    if "the session" in default:
        default = "..."
    return prefix + item.name + (f"={default}" if default else "")


def signature(function: Any) -> str:
    """Return the parameters of a function without `self`, hints left out: the descriptions say what they are."""
    items = [item for item in inspect.signature(function).parameters.values() if item.name not in ("self", "cls")]
    out: list[str] = []
    for item in items:
        if item.kind is item.KEYWORD_ONLY and "*" not in out and not any(part.startswith("*") for part in out):
            out.append("*")
        out.append(parameter(item))
    return "(" + ", ".join(out) + ")"


def prose(text: str) -> str:
    """Return a paragraph of a docstring as Markdown."""
    return text.strip("\n").replace("``", "`")


def definitions(text: str) -> Iterator[str]:
    """Yield a line of a list for each name of a section."""
    for block in re.split(r"\n(?=\S)", text.strip("\n")):
        name, _, description = block.partition("\n")
        label = ", ".join(f"`{part.split(' : ')[0].strip()}`" for part in name.split(","))
        yield f"- {label}: " + prose(" ".join(inspect.cleandoc(description).split()))


def markdown(docstring: str | None) -> str:
    """Return a docstring as Markdown, its sections as lists."""
    pieces = SECTION.split(inspect.cleandoc(docstring or ""))
    parts = [prose(pieces[0])]
    for heading, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(f"*{heading}*\n\n" + "\n".join(definitions(body)))
    return "\n\n".join(part for part in parts if part)


def members(kind: type) -> Iterator[str]:
    """Yield the public methods and properties that a class defines, in their order."""
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"**`{name}`**: " + markdown(member.__doc__)
        elif inspect.isfunction(member):
            word = "async " if inspect.iscoroutinefunction(member) else ""
            yield f"**`{word}{name}{signature(member)}`**\n\n" + markdown(member.__doc__)


def entry(module: str, name: str, value: Any) -> str:
    if not isinstance(value, type):
        return f"### {module}.{name}{signature(value)}\n\n" + markdown(value.__doc__)
    bases = [base.__name__ for base in value.__bases__ if base is not object]
    constructor = (
        ""
        if value.__init__ in (object.__init__, Exception.__init__, BaseException.__init__)
        else signature(value.__init__)
    )
    heading = f"### class {module}.{name}{constructor}"
    parts = [heading, *([f"A subclass of `{bases[0]}`."] if bases else []), markdown(value.__doc__), *members(value)]
    return "\n\n".join(part for part in parts if part)


def reference() -> str:
    sys.path.insert(0, str(SDK))
    sys.dont_write_bytecode = True
    parts = ["## Reference", "Made from the docstrings."]
    for name in MODULES:
        module = importlib.import_module(name)
        undocumented = [public for public in module.__all__ if not getattr(module, public).__doc__]
        if undocumented:
            raise SystemExit(f"{name}: without a docstring: {', '.join(undocumented)}")
        parts += [entry(name, public, getattr(module, public)) for public in module.__all__]
    return "\n\n".join(parts)


def document() -> str:
    return GUIDE.read_text(encoding="utf-8").rstrip() + "\n\n" + reference() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/python.md from its guide and the docstrings of the SDK.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed document is up to date")
    arguments = parser.parse_args()
    text = document()
    if not arguments.check:
        OUTPUT.write_text(text, encoding="utf-8")
        return 0
    if OUTPUT.exists() and OUTPUT.read_text(encoding="utf-8") == text:
        return 0
    print(
        f"{OUTPUT.relative_to(ROOT)} is not what the guide and the docstrings give: run scripts/python-docs.py",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
