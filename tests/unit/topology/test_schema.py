# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published schema is the engine's own, and both it and its document speak of every key. Run as a program, this file writes it anew."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "topology.schema.json"

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.schema import SCHEMA  # noqa: E402


def text() -> str:
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


def keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        for value in schema.values():
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every sub-schema."""
    yield schema
    for key in ("properties", "$defs"):
        for value in schema.get(key, {}).values():
            yield from parts(value)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key])


def test_published_schema_is_the_engines() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == text(), f"run: python {Path(__file__).relative_to(ROOT)}"


def test_it_is_a_schema() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_part_can_be_named_in_a_message() -> None:
    assert [part for part in parts(SCHEMA) if "title" not in part and "$ref" not in part] == []


def test_patterns_end_where_the_text_ends() -> None:
    """``$`` alone would let a final line feed through."""
    patterns = [part["pattern"] for part in parts(SCHEMA) if "pattern" in part]
    assert patterns
    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$(?!\\n)")
        assert re.compile(pattern)


def test_document_tells_of_every_key() -> None:
    told = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    assert [key for key in sorted(set(keys(SCHEMA))) if f"`{key}`" not in told] == []


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
