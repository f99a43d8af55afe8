# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in: a path or a mapping becomes a Topology, or a TopologyError with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Code, Finding, TopologyError
from .expansion import expand
from .faults import Faults, show
from .reading import Document, from_mapping, read
from .types import Topology
from .validation import check, describe


@dataclass(frozen=True)
class Overrides:
    """What the playbook says, for VPCs and documents that say nothing: its Region, and the profile of the ambient account.

    ``region_later``: that no Region is known yet is no fault, as the environment or the profile may give it; it is then an empty string.
    """

    region: str = ""
    profile: str = ""
    region_later: bool = False


def load(source: str | Path | Mapping[str, object] | Document, *, overrides: Overrides | None = None) -> Topology:
    """Reads, checks and expands a topology.

    ``source``: the path of a YAML or JSON file, a mapping, or what ``reading.read`` gave. Raises TopologyError with all faults, each with
    its path and, for a file, its line; CloudnetError when PyYAML or jsonschema is missing. Calls nobody and writes nothing.
    """
    overrides = overrides or Overrides()
    document = _document(source)
    faults = Faults(document.lines, document.file)
    faults.extend(document.findings)
    if not isinstance(document.data, dict):
        if not document.findings:
            raise TopologyError(
                [
                    Finding(
                        document.source,
                        f"must be a mapping with at least `name` and `vpcs`, not {describe(document.data)}",
                        code=Code.SCHEMA,
                        file=document.file,
                    )
                ]
            )
        raise TopologyError(faults.findings)
    topology = expand(check(document.data, faults), faults, overrides.region, overrides.profile)
    found = [finding for finding in faults.findings if not (overrides.region_later and finding.code == Code.NO_REGION)]
    if found:
        raise TopologyError(found)
    return replace(topology, file=document.file, lines={show(path): line for path, line in document.lines.items()})


def _document(source: object) -> Document:
    if isinstance(source, Document):
        return source
    if isinstance(source, (str, Path)):
        return read(source)
    if isinstance(source, Mapping):
        return from_mapping(source)
    raise TopologyError([Finding("topology", f"must be the path of a file, or a mapping, not {describe(source)}", code=Code.SYNTAX)])
