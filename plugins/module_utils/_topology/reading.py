# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a topology strictly: YAML 1.2's few plain scalars, no templating, no surprises; every value's line is kept.

YAML 1.1, which PyYAML resolves, reads ``012345670123`` as octal, ``22:80`` as a base-60 number and ``no`` as false. Here those are faults
that say so. Anchors, aliases, merge keys and tags are refused too: a value stands where its line says it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import CloudnetError, Code, Finding, TopologyError
from .faults import BROKEN, Key, show

_MAX_DEPTH = 32
_MAX_VALUES = 1_000_000
#: Scripts and policies may hold braces of their own.
_VERBATIM = ("user_data", "policy")

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_OCTAL = re.compile(r"[-+]?0[0-9]+\Z")
_BASED = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+\Z")
_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*\Z")
_BASE60 = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))\Z|\.(nan|NaN|NAN)\Z")
_OLD_BOOLEANS = frozenset(form for word in ("yes", "no", "on", "off") for form in (word, word.title(), word.upper()))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = ("", "~", "null", "Null", "NULL")
_TEMPLATE = re.compile(r"\{\{|\{%")
#: A pair of surrogate escapes, and half of one, after an even number of backslashes.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HALF = re.compile(r"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_AS_IT_IS = "a topology file is read as it is; write the value, or give `topology` as a mapping, which Ansible templates"


def _finding(path: str, message: str, line: int = 0) -> Finding:
    return Finding(path, message, line, Code.SYNTAX)


@dataclass(frozen=True)
class Document:
    """A topology as plain data. ``file`` and ``lines``: the file's name, and path to line. ``findings``: faults of the reading; their
    values are BROKEN."""

    data: Any
    lines: Mapping[Key, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    source: str = ""
    file: str = ""


def read(source: str | Path) -> Document:
    """Reads a YAML or JSON file. Faults of single values are in the result; raises TopologyError when there is no document at all."""
    path = Path(source).expanduser()
    if "\n" in str(source):
        raise TopologyError([_finding("topology", "is a text of several lines: give the path of a file, or a mapping")])
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise TopologyError([_finding(str(source), "no such file")]) from None
    except IsADirectoryError:
        raise TopologyError([_finding(str(source), "is a folder: name the topology file in it")]) from None
    except (OSError, ValueError) as error:
        raise TopologyError([_finding(str(source), f"cannot be read: {getattr(error, 'strerror', None) or error}")]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TopologyError(
            [Finding(path.name, "is not UTF-8 text", raw[: error.start].count(b"\n") + 1, Code.SYNTAX, path.name)]
        ) from None
    try:
        document = read_text(_checked_json(text, path.name) if path.suffix == ".json" else text, path.name)
    except TopologyError as error:
        raise TopologyError(replace(finding, file=path.name) for finding in error.findings) from None
    return replace(document, file=path.name)


def read_text(text: str, name: str = "topology") -> Document:
    """The same for a text that is at hand; ``name`` stands in faults that concern no single value."""
    builder = _Builder(name)
    for event in _events(text, name):
        builder.take(event)
    return builder.document()


def from_mapping(source: Mapping[Any, Any]) -> Document:
    """The same checks for data that a playbook hands over; there are no lines."""
    findings: list[Finding] = []
    count = 0

    def walk(value: Any, path: Key) -> Any:
        nonlocal count
        count += 1
        if len(path) > _MAX_DEPTH or count > _MAX_VALUES:
            raise TopologyError([_finding(show(path[:4]), "is nested too deep, or too large, to be a topology")])
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            return _checked_text(str(value), path, findings, 0, file=False)
        if isinstance(value, Mapping):
            found: dict[str, Any] = {}
            for key, item in value.items():
                if not isinstance(key, str):
                    findings.append(_finding(show((*path, str(key))), f"the key {key!r} must be text: put it in quotes"))
                found[str(key)] = walk(item, (*path, str(key)))
            return found
        if isinstance(value, (list, tuple)):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        findings.append(
            _finding(show(path), f"is a {type(value).__name__}, which a topology does not use: put it in quotes if text was meant")
        )
        return BROKEN

    return Document(walk(source, ()), findings=tuple(findings), source="topology")


def _events(text: str, name: str) -> Iterator[Any]:
    """The parser's events one by one, so that whoever takes them can stop at what is nested too deep."""
    try:
        import yaml
    except ImportError:
        raise CloudnetError(f"reading {name} needs the Python package PyYAML: pip install PyYAML") from None
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise TopologyError([_syntax(_worded(text, error, yaml), name)]) from None


def _worded(text: str, error: Any, yaml: Any) -> Any:
    """libyaml and PyYAML word the same fault differently: people always get PyYAML's."""
    try:
        for _other in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as again:
        return again
    return error


def _syntax(error: Any, name: str) -> Finding:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", "") or getattr(error, "reason", "") or error).splitlines()[0]
    if "'\\t'" in problem:
        problem = "a tab stands where only spaces may: indent with spaces"
    elif "mapping values are not allowed" in problem:
        problem = "a colon stands where no key can be: check the indentation, or put the text in quotes"
    elif problem.startswith("expected <block end>"):
        problem = "the indentation does not fit the lines above"
    elif "expected ',' or" in problem:
        problem = f"a bracket is not closed, or a comma is missing ({problem})"
    return _finding(name, f"is not valid YAML: {problem}", mark.line + 1 if mark else 0)


def _checked_json(text: str, name: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise TopologyError([_finding(name, f"is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.lineno)]) from None
    except RecursionError:
        raise TopologyError([_finding(name, "is nested too deep to be a topology")]) from None
    # What lies beyond the basic plane is written as two escapes, which YAML does not know.
    text = _PAIR.sub(_joined, text)
    lone = _HALF.search(text)
    if lone:
        raise TopologyError([_finding(name, "holds half a character (a lone surrogate)", text.count("\n", 0, lone.start()) + 1)])
    # Valid JSON holds no tab within a text, and YAML takes none between tokens.
    return text.replace("\t", " ")


def _joined(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _checked_text(text: str, path: Key, findings: list[Finding], line: int, *, file: bool) -> Any:
    if any("\ud800" <= character <= "\udfff" for character in text):
        findings.append(_finding(show(path), "holds half a character (a lone surrogate)", line))
        return BROKEN
    if "\0" in text:
        findings.append(_finding(show(path), "holds a NUL character", line))
        return BROKEN
    if file and _TEMPLATE.search(text) and not (path and path[-1] in _VERBATIM):
        findings.append(_finding(show(path), f"holds a template: {_AS_IT_IS}", line))
        return BROKEN
    return text


def _plain(text: str) -> tuple[Any, str]:
    """A plain scalar's value under YAML 1.2's core schema, and what is wrong with it."""
    if text in _NULLS:
        return None, ""
    if text in _BOOLEANS:
        return _BOOLEANS[text], ""
    if text in _OLD_BOOLEANS:
        return BROKEN, f"{text} is a truth value in YAML 1.1 and text in YAML 1.2: write true or false, or put it in quotes"
    if _INT.match(text):
        return (int(text), "") if len(text) < 20 else (BROKEN, f"{text} is too large a number: put it in quotes if text was meant")
    if _OCTAL.match(text):
        kind = "an account id" if len(text) == 12 else "text"
        return BROKEN, f'{text} is an octal number to YAML: if {kind} was meant, put it in quotes ("{text}")'
    if _BASED.match(text) or _GROUPED.match(text):
        return (
            BROKEN,
            f"{text} is a number in a spelling that a topology does not use: write it in plain decimals, or in quotes if text was meant",
        )
    if _BASE60.match(text):
        return BROKEN, f'{text} is a base-60 number to YAML: write a range of ports as "{text.replace(":", "-")}", any other text in quotes'
    if _FLOAT.match(text):
        return BROKEN, f"{text} is a number with a fraction, which a topology does not use: put it in quotes if text was meant"
    return text, ""


@dataclass
class _Frame:
    """A mapping or list that is being read. ``key`` is the mapping's key whose value comes next; ``doubled`` when it was there
    already; ``spoilt`` when what it holds cannot be known."""

    value: Any
    path: Key
    key: str | None = None
    doubled: bool = False
    spoilt: bool = False
    lines: dict[str, int] = field(default_factory=dict)


class _Builder:
    """Takes the parser's events one by one; no recursion, so depth cannot exhaust the stack."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack: list[_Frame] = []
        self._root: Any = None
        self._lines: dict[Key, int] = {}
        self._findings: list[Finding] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        """One event of the parser."""
        kind = type(event).__name__
        line = event.start_mark.line + 1
        if kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise TopologyError([_finding(self._name, "holds more than one document: keep one topology to a file", line)])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            if self._stack.pop().spoilt:
                self._replace(BROKEN)
        elif kind in ("ScalarEvent", "MappingStartEvent", "SequenceStartEvent", "AliasEvent"):
            self._node(event, kind, line)

    def _node(self, event: Any, kind: str, line: int) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._key(event, kind, line, frame)
            return
        path = self._place(frame, line)
        if kind == "AliasEvent" or event.anchor is not None:
            sign = f"*{event.anchor}" if kind == "AliasEvent" else f"&{event.anchor}"
            self._fault(path, f"{sign}: anchors and aliases are not read: write the value out where it is used", line)
        if kind != "AliasEvent" and event.tag is not None and event.tag != "!":
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._fault(path, f"{shown}: tags are not read: write the plain value, in quotes if it is text", line)
            value: Any = BROKEN
        elif kind == "ScalarEvent":
            value = self._scalar(event, path, line)
        else:
            value = BROKEN if kind == "AliasEvent" else ({} if kind == "MappingStartEvent" else [])
        self._attach(frame, value)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._stack) >= _MAX_DEPTH:
                raise TopologyError([_finding(self._name, "is nested too deep to be a topology", line)])
            held = value if value is not BROKEN else ({} if kind == "MappingStartEvent" else [])
            self._stack.append(_Frame(held, path))

    def _key(self, event: Any, kind: str, line: int, frame: _Frame) -> None:
        if kind != "ScalarEvent":
            # `name: {{ x }}` without quotes is, to YAML, a mapping whose key is a mapping.
            raise TopologyError(
                [_finding(show(frame.path) or self._name, f"has a key that is not text; if this is a template: {_AS_IT_IS}", line)]
            )
        key = str(event.value)
        if event.style in (None, ""):
            value, wrong = _plain(key)
            if key == "<<":
                wrong = "merge keys are not read: write the values out"
                frame.spoilt = True
            elif not wrong and not isinstance(value, str):
                wrong = f"the key {key} must be text: put it in quotes" if key else "a key is missing before the colon"
            if wrong:
                self._fault((*frame.path, key), wrong, line)
        frame.doubled = key in frame.value
        if frame.doubled:
            self._fault((*frame.path, key), f"is there twice (first on line {frame.lines[key]}): keep one", line)
        frame.lines.setdefault(key, line)
        self._lines.setdefault((*frame.path, key), line)
        frame.key = key

    def _place(self, frame: _Frame | None, line: int) -> Key:
        if frame is None:
            return ()
        if isinstance(frame.value, dict):
            return (*frame.path, frame.key or "")
        path = (*frame.path, len(frame.value))
        self._lines.setdefault(path, line)
        return path

    def _scalar(self, event: Any, path: Key, line: int) -> Any:
        text = str(event.value)
        if event.style in (None, "") and event.tag is None:
            value, wrong = _plain(text)
            if wrong:
                self._fault(path, wrong, line)
            if not isinstance(value, str):
                return value
        return _checked_text(text, path, self._findings, line, file=True)

    def _attach(self, frame: _Frame | None, value: Any) -> None:
        if frame is None:
            self._root = value
        elif isinstance(frame.value, list):
            frame.value.append(value)
        else:
            if not frame.doubled and frame.key is not None:
                frame.value[frame.key] = value
            frame.key = None

    def _replace(self, value: Any) -> None:
        """Puts a value in the place of the one that has just ended."""
        if not self._stack:
            self._root = value
        elif isinstance(self._stack[-1].value, list):
            self._stack[-1].value[-1] = value
        elif self._stack[-1].value:
            self._stack[-1].value[list(self._stack[-1].value)[-1]] = value

    def _fault(self, path: Key, message: str, line: int) -> None:
        self._findings.append(_finding(show(path) or self._name, message, line))

    def document(self) -> Document:
        """What was read."""
        if self._root is None:
            raise TopologyError([_finding(self._name, "is empty: a topology has at least `name` and `vpcs` (docs/topology.md)")])
        return Document(self._root, self._lines, tuple(self._findings), self._name)
