# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.without_peerings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: without_peerings
version_added: 0.1.0
short_description: A topology without some of its peerings, to join VPCs one after the other
description:
  - Leaves out peerings by their names, and with them what needs them, which are the entries of C(allow) and C(expect) between the two VPCs.
  - The VPCs stay, and all that is in them. Rules that a security group spells out itself (C(security_groups.X.rules)) stay too.
  - What a topology no longer declares is removed when it is applied. Leave out only what is not there yet.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, names
options:
  _input:
    description: A topology as a mapping.
    type: dict
    required: true
  names:
    description: The peerings to leave out, as RV(cloudnet.vpc.topology_info#module:peerings) names them, such as V(finance:developer).
    type: list
    elements: str
    required: true
seealso:
  - plugin: cloudnet.vpc.stages
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Join the first of three before the others
  cloudnet.vpc.network:
    topology: "{{ lookup('ansible.builtin.file', 'hub.yml') | from_yaml | cloudnet.vpc.without_peerings(['hub:b', 'hub:c']) }}"
"""

RETURN = r"""
_value:
  description: A topology as a mapping.
  type: dict
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.documents import between, listed, pairs, vpc_of


def without_peerings(document: Any, names: Any) -> dict[str, Any]:
    """The topology that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(document, Mapping) or not isinstance(document.get("vpcs"), Mapping):
        raise AnsibleFilterError("without_peerings: takes a topology as a mapping")
    if isinstance(names, str) or not isinstance(names, Collection):
        raise AnsibleFilterError("without_peerings: takes a list of names")
    declared = {f"{one}:{other}" for entry in listed(document.get("peerings")) for one, other in pairs(entry)}
    unknown = [str(name) for name in names if name not in declared]
    if unknown:
        raise AnsibleFilterError(
            f"without_peerings: {', '.join(unknown)}: no such peering; there are {', '.join(sorted(declared)) or 'none'}"
        )
    gone = {frozenset(str(name).split(":")) for name in names}
    if not gone:
        return dict(document)
    vpcs = frozenset(map(str, document["vpcs"]))
    result = dict(document)
    result["peerings"] = [kept for entry in listed(document.get("peerings")) for kept in _peerings(entry, gone)]
    for key in ("allow", "expect"):
        if key in document:
            result[key] = [kept for entry in listed(document[key]) for kept in _connections(entry, gone, vpcs)]
    return result


def _peerings(entry: Mapping[str, Any], gone: Collection[frozenset[str]]) -> Iterator[dict[str, Any]]:
    """An entry as it is, or what is left of it, a connection each."""
    kept = [pair for pair in pairs(entry) if frozenset(pair) not in gone]
    if kept == pairs(entry):
        yield dict(entry)
    else:
        yield from (between(entry, pair) for pair in kept)


def _connections(entry: Mapping[str, Any], gone: Collection[frozenset[str]], vpcs: Collection[str]) -> Iterator[dict[str, Any]]:
    """An entry of allow or expect, for each end that it leads to, from those ends that are still joined with it."""
    for target in listed(entry["to"]):
        kept = [source for source in listed(entry["from"]) if frozenset({vpc_of(source, vpcs), vpc_of(target, vpcs)}) not in gone]
        if kept:
            yield {**entry, "from": kept, "to": target}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"without_peerings": without_peerings}
