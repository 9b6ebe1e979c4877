#!/usr/bin/env python3
"""Write docs/configuration.md and docs/adapters.md from the schemas in host/config.

Usage: config-docs.py [--check]

With --check nothing is written; the exit status is 1 if a committed document is not what the schemas give.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "host" / "config" / "schema.json"
ADAPTER_SCHEMA = ROOT / "host" / "config" / "adapter.schema.json"
DOCS = ROOT / "docs"

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
    if kind is None:
        return "anything"
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
        elif "properties" in inner.get("items", {}):
            yield from rows(inner["items"], root, prefix + name + "[].")
        elif isinstance(inner.get("additionalProperties"), dict) and "properties" in inner["additionalProperties"]:
            yield from rows(resolved(inner["additionalProperties"], root), root, prefix + name + ".PATTERN.")


def table(node: Schema, root: Schema) -> str:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for path, inner in rows(node, root):
        value = "" if "properties" in inner else expected(inner)
        cells = [f"`{path}`", value, default(inner), inner.get("description", "")]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def without_inner_keys(node: Schema, names: tuple[str, ...]) -> Schema:
    """Return the node with those properties as they are described here, without what they bring in."""
    properties = dict(node["properties"])
    for name in names:
        properties[name] = {key: value for key, value in properties[name].items() if key != "allOf"}
    return {**node, "properties": properties}


def configuration(root: Schema) -> str:
    adapter = resolved(root["definitions"]["adapter"], root)
    top = {
        "properties": {
            name: {"type": "object", "description": root["properties"][name]["description"]}
            for name in ("host", "defaults", "adapters")
        }
    }
    top["properties"]["default"] = root["properties"]["default"]
    parts = [
        (DOCS / "configuration.head.md").read_text(encoding="utf-8").rstrip(),
        "## The file",
        table(top, root),
        "## host",
        table(resolved(root["properties"]["host"], root), root),
        "## An adapter's entry",
        "The keys of each entry under `adapters`, of `defaults`, and of `defaults` in an [adapter.yaml](adapters.md).",
        table(adapter, root),
    ]
    return "\n\n".join(parts) + "\n"


def adapters(root: Schema) -> str:
    schema: Schema = json.loads(ADAPTER_SCHEMA.read_text(encoding="utf-8"))
    schema["definitions"].update(root["definitions"])
    option = without_inner_keys(schema["definitions"]["option"], ("items",))
    option["properties"]["properties"] = {
        "type": "object",
        "description": option["properties"]["properties"]["description"],
    }
    parts = [
        (DOCS / "adapters.head.md").read_text(encoding="utf-8").rstrip(),
        "## Keys of adapter.yaml",
        table(without_inner_keys(schema, ("defaults", "options")), schema),
        "## Keywords of an option's schema",
        "Of JSON Schema, draft 7; those that are not listed are refused.",
        table(option, schema),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/configuration.md and docs/adapters.md from the schemas.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed documents are up to date")
    arguments = parser.parse_args()
    root: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    status = 0
    for name, text in (("configuration.md", configuration(root)), ("adapters.md", adapters(root))):
        file = DOCS / name
        if not arguments.check:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"docs/{name} is not what the schemas give: run scripts/config-docs.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
