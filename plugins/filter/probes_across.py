# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.probes_across."""

from __future__ import annotations

DOCUMENTATION = r"""
name: probes_across
version_added: 0.1.0
short_description: The probes by which the owner of one VPC tries what a topology expects of the way to another owner's
description:
  - Turns the entries of C(expect) that lead from instances of one VPC to instances of the VPC of a hand-off document into
    O(cloudnet.vpc.probe#module:probes).
  - Packets go to the addresses that the document tells, for instances of another owner cannot be looked up.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, vpc, paper
options:
  _input:
    description: The whole topology as a mapping.
    type: dict
    required: true
  vpc:
    description: The VPC that is ours.
    type: str
    required: true
  paper:
    description: What the other owner handed over, with C(addresses) (by C(vpc.instance)).
    type: dict
    required: true
  done:
    description:
      - Whether the other owner has done their half. Until then what is to be reachable is tried, and nothing is expected of it.
    type: bool
    default: true
seealso:
  - plugin: cloudnet.vpc.one_sided
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Try the way to the other owner's instances
  cloudnet.vpc.probe:
    topology: "{{ ours }}"
    probes: "{{ shared | cloudnet.vpc.probes_across('development', handed_over) }}"
"""

RETURN = r"""
_value:
  description: Probes as M(cloudnet.vpc.probe) takes them.
  type: list
  elements: dict
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.documents import instance_of, listed


def probes_across(document: Any, vpc: str, paper: Any, done: bool = True) -> list[dict[str, Any]]:
    """The list that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(document, Mapping) or not isinstance(document.get("vpcs"), Mapping) or vpc not in document["vpcs"]:
        raise AnsibleFilterError(f"probes_across: takes a topology as a mapping, with the VPC {vpc}")
    if not isinstance(paper, Mapping):
        raise AnsibleFilterError("probes_across: a hand-off document is a mapping")
    return list(_probes(document, vpc, paper.get("addresses") or {}, done))


def _probes(document: Mapping[str, Any], vpc: str, addresses: Mapping[str, Any], done: bool) -> Iterator[dict[str, Any]]:
    ours = {f"{vpc}.{name}" for name in document["vpcs"][vpc].get("instances") or {}}
    for entry in listed(document.get("expect")):
        intended = "reachable" if entry.get("reachable", True) else "blocked"
        for source in map(instance_of, listed(entry["from"])):
            for target in map(instance_of, listed(entry["to"])):
                if source in ours and target in addresses:
                    for kind in _kinds(entry):
                        expect = {"expect": intended} if done or intended == "blocked" else {}
                        yield {"source": source, "destination": str(addresses[target]), **kind, **expect}


def _kinds(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a packet can be sent as: a ping, and TCP or UDP to single ports."""
    if entry.get("icmp"):
        yield {"kind": "ping"}
    for protocol in ("tcp", "udp"):
        for port in listed(entry.get(protocol)):
            if str(port).isdecimal():
                yield {"kind": protocol, "port": int(port)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"probes_across": probes_across}
