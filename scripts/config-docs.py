#!/usr/bin/env python3
"""Write docs/configuration.md from host/config/schema.json.

Usage: config-docs.py [--check]

With --check nothing is written; the exit status is 1 if the committed document is not what the schema gives.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "host" / "config" / "schema.json"
UNSUPPORTED = ROOT / "host" / "config" / "unsupported.h"
INTRODUCTION = ROOT / "docs" / "configuration.head.md"
OUTPUT = ROOT / "docs" / "configuration.md"

Schema = dict[str, Any]


def resolved(node: Schema, root: Schema) -> Schema:
    """Return the node with what `allOf` and `$ref` bring in; its own keywords win."""
    out: Schema = {}
    for part in node.get("allOf", []):
        out.update(resolved(part, root))
    if "$ref" in node:
        target = root
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        out.update(resolved(target, root))
    out.update(node)
    return out


def unsupported_keys() -> list[str]:
    """Return the keys, below an adapter's entry, that this version refuses."""
    text = UNSUPPORTED.read_text(encoding="utf-8")
    return re.findall(r'"([a-z_.]+)"', text[text.index("kUnsupportedKeys{") :])


def expected(node: Schema) -> str:
    """Say in a few words what a value must be."""
    if "title" in node:
        return str(node["title"])
    if "enum" in node:
        return " or ".join(f"`{choice}`" for choice in node["enum"])
    kind = node.get("type")
    if kind in ("integer", "number"):
        low, high = node.get("minimum"), node.get("maximum")
        noun = "an integer" if kind == "integer" else "a number"
        return f"{noun} from {low} to {high}" if high is not None else noun
    words = {"boolean": "true or false", "string": "a text", "array": "a list"}
    return words.get(kind, "a map") if isinstance(kind, str) else "a map"


def default(node: Schema) -> str:
    return f"`{json.dumps(node['default'])}`".replace('"', "") if "default" in node else ""


def rows(node: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every key below a node with its schema, sections before what is in them."""
    for name, inner in node["properties"].items():
        inner = resolved(inner, root)
        yield prefix + name, inner
        if "properties" in inner:
            yield from rows(inner, root, prefix + name + ".")
        elif isinstance(inner.get("additionalProperties"), dict) and "properties" in inner["additionalProperties"]:
            yield from rows(resolved(inner["additionalProperties"], root), root, prefix + name + ".PATTERN.")


def table(node: Schema, root: Schema, refused: list[str]) -> str:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for path, inner in rows(node, root):
        meaning = inner.get("description", "")
        if any(path == key or path.startswith(key + ".") for key in refused):
            meaning += " *Not in this version.*"
        value = "" if "properties" in inner else expected(inner)
        cells = [f"`{path}`", value, default(inner), meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def document() -> str:
    root: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    adapter = resolved(root["definitions"]["adapter"], root)
    adapter_file = dict(root["definitions"]["adapter_file"])
    adapter_file["properties"] = {
        name: {key: value for key, value in inner.items() if key != "allOf"} for name, inner in adapter_file["properties"].items()
    }
    top = {
        "properties": {
            name: {"type": "object", "description": root["properties"][name]["description"]}
            for name in ("host", "defaults", "adapters")
        }
    }
    top["properties"]["default"] = root["properties"]["default"]
    parts = [
        INTRODUCTION.read_text(encoding="utf-8").rstrip(),
        "## The file",
        table(top, root, []),
        "## host",
        table(resolved(root["properties"]["host"], root), root, []),
        "## An adapter's entry",
        "The keys of each entry under `adapters`, of `defaults`, and of `defaults` in an adapter.yaml.",
        table(adapter, root, unsupported_keys()),
        "## adapter.yaml",
        table(adapter_file, root, []),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/configuration.md from the schema.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed document is up to date")
    arguments = parser.parse_args()
    text = document()
    if not arguments.check:
        OUTPUT.write_text(text, encoding="utf-8")
        return 0
    if OUTPUT.exists() and OUTPUT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{OUTPUT.relative_to(ROOT)} is not what the schema gives: run scripts/config-docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
