"""What a docstring says of each parameter, in NumPy's or Google's style."""

from __future__ import annotations

import inspect
import re
from typing import Dict, List, Optional

__all__ = ["parameter_descriptions"]

_NUMPY_HEADING = re.compile(r"^(Other )?Parameters\n-{3,}\n", re.MULTILINE)
_GOOGLE_HEADING = re.compile(r"^(Args|Arguments|Parameters|Keyword Args):[ \t]*\n", re.MULTILINE)
_NUMPY_NAME = re.compile(r"^\*{0,2}(\w+(?:, \*{0,2}\w+)*)(?: *:.*)?$")
_GOOGLE_NAME = re.compile(r"^\*{0,2}(\w+)(?: *\([^)]*\))?: *(.*)$")


def parameter_descriptions(docstring: Optional[str]) -> Dict[str, str]:
    """Return the description of each parameter that the docstring has one for, as a single line."""
    text = inspect.cleandoc(docstring) + "\n" if docstring else ""
    found: Dict[str, List[str]] = {}
    for heading in _NUMPY_HEADING.finditer(text):
        _read_numpy(text[heading.end() :].splitlines(), found)
    for heading in _GOOGLE_HEADING.finditer(text):
        _read_google(text[heading.end() :].splitlines(), found)
    joined = {name: " ".join(part for part in parts if part) for name, parts in found.items()}
    return {name: description for name, description in joined.items() if description}


def _read_numpy(lines: List[str], found: Dict[str, List[str]]) -> None:
    names: List[str] = []
    for index, line in enumerate(lines):
        if not line or line.startswith(" "):
            for name in names:
                found[name].append(line.strip())
            continue
        match = _NUMPY_NAME.match(line)
        if match is None or (index + 1 < len(lines) and lines[index + 1].startswith("---")):
            return  # the next section
        names = [name.lstrip("* ") for name in match.group(1).split(",")]
        found.update({name: [] for name in names})


def _read_google(lines: List[str], found: Dict[str, List[str]]) -> None:
    margin = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    name = ""
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line and indent < max(margin, 1):
            return  # the next section
        match = _GOOGLE_NAME.match(line.strip()) if indent == margin else None
        if match is not None:
            name = match.group(1)
            found[name] = [match.group(2).strip()]
        elif name:
            found[name].append(line.strip())
