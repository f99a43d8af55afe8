# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.one_sided."""

from __future__ import annotations

DOCUMENTATION = r"""
name: one_sided
version_added: 0.1.0
short_description: One side of a topology, for whoever holds no credentials for the other
description:
  - Leaves one VPC of a topology as it is, makes the VPC of a hand-off document a C(remote) one that is peered with it, and leaves out
    everything else, other accounts among it. So two owners can share one topology and each apply their side of it.
  - Without a document the VPC stands alone, for its own document can be written once it is there.
  - The result has a name of its own, so that each side's resources, tags and artefacts are told apart.
  - Entries of C(expect) between the two are left out, for the other side cannot be seen. C(cloudnet.vpc.probe) takes addresses.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, vpc, paper
options:
  _input:
    description: A topology as a mapping.
    type: dict
    required: true
  vpc:
    description: The VPC that is ours.
    type: str
    required: true
  paper:
    description:
      - What the other owner handed over, with C(vpc) (its name in the topology), C(owner), C(id), C(region), C(cidrs), C(subnets) (CIDR
        blocks by name) and C(security_groups) (ids by name).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Our side of it
  cloudnet.vpc.network:
    topology: "{{ shared | cloudnet.vpc.one_sided('development', lookup('ansible.builtin.file', 'handoff.json') | from_json) }}"
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

#: What a hand-off document must say.
NEEDED = ("vpc", "owner", "id", "region", "cidrs")


def one_sided(document: Any, vpc: str, paper: Any = None) -> dict[str, Any]:
    """The topology that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(document, Mapping) or not isinstance(document.get("vpcs"), Mapping):
        raise AnsibleFilterError("one_sided: takes a topology as a mapping")
    declared = document["vpcs"]
    if vpc not in declared:
        raise AnsibleFilterError(f"one_sided: {vpc} is no VPC of the topology; there are {', '.join(map(str, declared))}")
    theirs = _checked(paper, vpc, declared) if paper else ""
    account = str(declared[vpc].get("account", document.get("account", "")))
    result = {key: value for key, value in document.items() if key not in {"account", "accounts", "peerings", "allow", "expect"}}
    result |= {"name": f"{document.get('name', '')}-{vpc}", "vpcs": {vpc: declared[vpc]}}
    if account in (document.get("accounts") or {}):
        result |= {"account": account, "accounts": {account: document["accounts"][account]}}
    if theirs:
        result["vpcs"] |= {theirs: _remote(paper)}
        result["peerings"] = list(_peerings(document, vpc, theirs))
        if not result["peerings"]:
            raise AnsibleFilterError(f"one_sided: the topology has no peering between {vpc} and {theirs}")
    result["allow"] = list(_connections(document, {vpc, theirs, ""}, declared))
    return result


def _checked(paper: Any, vpc: str, declared: Mapping[str, Any]) -> str:
    """The name of the other owner's VPC in a document that can be used."""
    if not isinstance(paper, Mapping):
        raise AnsibleFilterError("one_sided: a hand-off document is a mapping")
    missing = [key for key in NEEDED if not paper.get(key)]
    if missing:
        raise AnsibleFilterError(f"one_sided: the hand-off document lacks {', '.join(missing)}")
    theirs = str(paper["vpc"])
    if theirs == vpc:
        raise AnsibleFilterError(f"one_sided: the hand-off document is of {vpc} itself: give the one of the other side")
    if theirs not in declared:
        raise AnsibleFilterError(f"one_sided: the hand-off document is of {theirs}, which is no VPC of the topology")
    return theirs


def _remote(paper: Mapping[str, Any]) -> dict[str, Any]:
    """The other owner's VPC as a topology declares it."""
    remote: dict[str, Any] = {
        "remote": {"owner": str(paper["owner"]), "id": paper["id"], "cidr": list(paper["cidrs"]), "region": paper["region"]}
    }
    if paper.get("subnets"):
        remote["subnets"] = {name: {"cidr": block} for name, block in paper["subnets"].items()}
    if paper.get("security_groups"):
        remote["security_groups"] = {name: {"ref": group} for name, group in paper["security_groups"].items()}
    return remote


def _peerings(document: Mapping[str, Any], vpc: str, theirs: str) -> Iterator[dict[str, Any]]:
    """The peering of the two. Whoever the topology lets request, requests; each side's tables are its own."""
    for entry in listed(document.get("peerings")):
        for pair in pairs(entry):
            if set(pair) == {vpc, theirs}:
                one = between(entry, pair)
                if "routes" in one:
                    one["routes"] = {name: tables for name, tables in one["routes"].items() if name == vpc}
                yield {**one, **({"accept_only": True} if pair[0] == theirs else {})}


def _connections(document: Mapping[str, Any], kept: Collection[str], vpcs: Collection[str]) -> Iterator[dict[str, Any]]:
    """Entries of allow, with those ends that are of the VPCs that are kept, or of none."""
    for entry in listed(document.get("allow")):
        ends = {key: [end for end in listed(entry[key]) if vpc_of(end, vpcs) in kept] for key in ("from", "to")}
        if all(ends.values()):
            yield {**entry, **ends}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"one_sided": one_sided}
