# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading files and mappings strictly: what is accepted, what is refused before anything is understood, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.reading import from_mapping, read, read_text
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError, TopologyError

ROOT = Path(__file__).parents[3]


def fault(source: Any) -> str:
    with pytest.raises(TopologyError) as caught:
        load(source)
    return str(caught.value)


def test_values_are_those_of_yaml_1_2() -> None:
    lines = ["a: true", "b: null", "c: ~", "d:", "e: 10", "f: -1", "g: '010'", 'h: "no"', "i: 2026-01-01", "j: y", "k: 1.2.3.4"]
    text = "\n".join([*lines, "user_data: |", "  no", "  {{ x }", "m: 'it''s'", ""])
    document = read_text(text)
    assert document.findings == ()
    plain = [True, None, None, None, 10, -1, "010", "no", "2026-01-01", "y", "1.2.3.4"]
    assert document.data == dict(zip("abcdefghijk", plain, strict=True)) | {"user_data": "no\n{{ x }\n", "m": "it's"}
    assert document.lines[("user_data",)] == 12


def test_lines_of_keys_and_items() -> None:
    document = read_text("vpcs:\n  dev:\n    cidr:\n      - 10.0.0.0/16\n\n      - 10.1.0.0/16\n")
    assert document.lines == {
        ("vpcs",): 1,
        ("vpcs", "dev"): 2,
        ("vpcs", "dev", "cidr"): 3,
        ("vpcs", "dev", "cidr", 0): 4,
        ("vpcs", "dev", "cidr", 1): 6,
    }


def test_what_is_no_file(tmp_path: Path) -> None:
    assert fault(tmp_path / "none.yml") == f"{tmp_path}/none.yml: no such file"
    assert fault(str(tmp_path)) == f"{tmp_path}: is a folder: name the topology file in it"
    assert fault("name: t\nvpcs: {}\n") == "topology: is a text of several lines: give the path of a file, or a mapping"
    assert fault("a\0b").startswith("a\0b: cannot be read: ")
    assert fault([1]) == "topology: must be the path of a file, or a mapping, not a list"  # type: ignore[arg-type]
    assert fault(None) == "topology: must be the path of a file, or a mapping, not nothing"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yml"
    path.write_bytes(b"name: t\n# caf\xe9\n")
    assert fault(path) == "t.yml:2: is not UTF-8 text"
    path.write_bytes(b"\xef\xbb\xbfname: t\nregion: us-east-1\nvpcs: {v: {cidr: 10.0.0.0/16}}\r\n")
    assert load(path).name == "t"


def test_depth_is_bounded(tmp_path: Path) -> None:
    for name, text in (
        ("t.yml", "[" * 100_000),
        ("u.yml", "a: " + "[" * 40 + "]" * 40),
        ("v.yml", "{a: " * 50_000),
        ("t.json", "[" * 100_000 + "]" * 100_000),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert "\n" not in fault(tmp_path / name)
    nested: dict[str, Any] = {}
    nested["vpcs"] = nested
    assert fault(nested) == "vpcs.vpcs.vpcs.vpcs: is nested too deep, or too large, to be a topology"


def test_mappings_go_through_the_same_checks() -> None:
    document = from_mapping({"name": "t", 1: 2, "x": 1.5, "d": date(2026, 1, 1), "vpcs": ("a",)})
    assert [str(finding) for finding in document.findings] == [
        "['1']: the key 1 must be text: put it in quotes",
        "x: is a float, which a topology does not use: put it in quotes if text was meant",
        "d: is a date, which a topology does not use: put it in quotes if text was meant",
    ]
    assert document.data["vpcs"] == ["a"]


def test_templates_are_refused_in_files_only(tmp_path: Path) -> None:
    path = tmp_path / "t.yml"
    text = "name: t\nregion: us-east-1\nvpcs:\n  v:\n    cidr: 10.0.0.0/16\n    subnets: {s: {cidr: 10.0.0.0/24}}\n"
    path.write_text(text + "    instances: {i: {subnet: s, user_data: 'echo {{ not ours }}'}}\n", encoding="utf-8")
    assert load(path).vpcs["v"].instances["i"].user_data == "echo {{ not ours }}"
    path.write_text(text + "    tags: {note: '{{ ours }}'}\n", encoding="utf-8")
    assert fault(path).startswith("t.yml:7: vpcs.v.tags.note: holds a template: ")


def test_json_escapes(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    document = '{"name": "t", "region": "us-east-1",\t"vpcs": {"v": {"cidr": "10.0.0.0\\/16", "tags": {"note": %s}}}}'
    path.write_text(document % '"caf\\u00e9"', encoding="utf-8")
    assert load(path).vpcs["v"].tags == {"note": "café"}
    path.write_text(document % '"\\ud83d\\ude00"', encoding="utf-8")
    assert read(path).data["vpcs"]["v"]["tags"] == {"note": "😀"}
    path.write_text(document % '"\\ud83d"', encoding="utf-8")
    assert fault(path) == "t.json:1: holds half a character (a lone surrogate)"


@pytest.mark.parametrize("missing", ["yaml", "jsonschema"])
def test_missing_packages_are_named(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ansible_collections.cloudnet.vpc.plugins.module_utils._topology import validation

    validation._validator.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "t.yml"
    path.write_text("name: t\n", encoding="utf-8")
    with pytest.raises(CloudnetError, match="pip install"):
        load(path)
    validation._validator.cache_clear()


def test_import_is_cheap() -> None:
    """Neither PyYAML nor jsonschema is loaded before a topology is."""
    code = (
        "import sys; from ansible_collections.cloudnet.vpc.plugins.module_utils._topology import parsing, preflight;"
        "print(sorted({'yaml', 'jsonschema', 'ansible', 'boto3'} & set(sys.modules)))"
    )
    path = str(ROOT / "playbooks" / "collections")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}, timeout=60)
    assert found.stdout == "[]\n"
