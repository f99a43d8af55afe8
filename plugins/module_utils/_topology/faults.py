# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults gathered with their places, and a cursor that knows where in the document it stands.

A faulty value is replaced by ``BROKEN``, so that the rest of the document can still be checked without follow-on faults: what is declared
but broken exists (its name is known), and nothing more is said about it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ..errors import Code, Finding

Key: TypeAlias = "tuple[str | int, ...]"


class Broken:
    """The type of BROKEN: a value about which a fault has been told."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN = Broken()

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")


def show(path: Key) -> str:
    """A path as people write it: ``vpcs.dev.subnets.app.cidr``, ``peerings[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


def join(names: Iterable[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    items = list(names)
    return f" {word} ".join(part for part in (", ".join(items[:-1]), items[-1]) if part) if items else "none"


def _shown(name: str) -> str:
    """A name as it may stand in a line: what others wrote may hold line feeds and worse."""
    return name if name.isprintable() else repr(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is close, else an empty string."""
    names = [_shown(other) for other in known]
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6) or [other for other in names if other.casefold() == name.casefold()]
    return f"; did you mean '{found[0]}'?" if found else ""


def either(name: str, known: Iterable[str], what: str) -> str:
    """``; did you mean 'x'?``, else ``; WHAT: a, b`` with what there is (the first ten)."""
    names = [_shown(other) for other in known]
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return nearest(name, names) or (f"; {what}: {shown}" if names else f"; {what}: none")


class Faults:
    """Collects findings and warnings. ``lines``: where each path stands in the ``file``, from 1; both empty for a mapping."""

    def __init__(self, lines: Mapping[Key, int] | None = None, file: str = "") -> None:
        self._lines = lines or {}
        self._file = file
        self._findings: list[Finding] = []
        self._warnings: list[str] = []

    def line(self, path: Key) -> int:
        """The line of a path, or of the closest thing around it; 0 when unknown."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 0

    def add(self, path: Key, message: str, code: str = Code.TOPOLOGY) -> None:
        """Tells one fault."""
        self._findings.append(Finding(show(path), message, self.line(path), code, self._file))

    def extend(self, findings: Iterable[Finding]) -> None:
        """Takes over findings that know their place already."""
        self._findings.extend(replace(finding, file=self._file) for finding in findings)

    def warn(self, path: Key, message: str) -> None:
        """Tells something that is allowed and worth knowing."""
        self._warnings.append(str(Finding(show(path), message, self.line(path), file=self._file)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All faults, in the order of the file; without lines, in the order in which they were found."""
        return tuple(sorted(dict.fromkeys(self._findings), key=lambda finding: finding.line))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, each once."""
        return tuple(dict.fromkeys(self._warnings))


@dataclass(frozen=True)
class Cursor:
    """A value of a schema-valid document together with its path. Missing and null are the same: ``value`` is None."""

    value: Any
    path: Key = ()

    @property
    def broken(self) -> bool:
        """Whether a fault about this very value has been told already."""
        return isinstance(self.value, Broken)

    def __getitem__(self, key: str) -> Cursor:
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return Cursor(found, (*self.path, key))

    def __contains__(self, key: str) -> bool:
        """Whether the key is there, be its value broken or null."""
        return isinstance(self.value, dict) and key in self.value

    def text(self, key: str, default: str = "") -> str:
        """A text value; the default when it is missing or broken."""
        found = self[key].value
        return found if isinstance(found, str) else default

    def flag(self, key: str) -> bool | None:
        """A truth value, None when it is missing or broken."""
        found = self[key].value
        return found if isinstance(found, bool) else None

    def items(self) -> Iterator[tuple[str, Cursor]]:
        """The entries of a mapping, broken ones left out."""
        for key, value in self.value.items() if isinstance(self.value, dict) else ():
            if not isinstance(value, Broken):
                yield key, Cursor(value, (*self.path, key))

    def names(self) -> tuple[str, ...]:
        """The keys of a mapping, those of broken values too."""
        return tuple(self.value) if isinstance(self.value, dict) else ()

    def each(self) -> Iterator[Cursor]:
        """The items of a list, broken ones left out; a single value counts as a list of one, nothing as none."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                if not isinstance(value, Broken):
                    yield Cursor(value, (*self.path, index))
        elif self.value is not None and not self.broken:
            yield self

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list, or of a single value."""
        return tuple(item.value for item in self[key].each() if isinstance(item.value, str))

    def mapping(self, key: str) -> dict[str, str]:
        """A mapping of texts, such as tags."""
        return {name: item.value for name, item in self[key].items() if isinstance(item.value, str)}

    def damaged(self) -> bool:
        """Whether this value or anything in it is broken."""
        if isinstance(self.value, dict):
            return any(Cursor(value).damaged() for value in self.value.values())
        if isinstance(self.value, list):
            return any(Cursor(value).damaged() for value in self.value)
        return self.broken
