# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.launches."""

from __future__ import annotations

DOCUMENTATION = r"""
name: launches
version_added: 0.1.0
short_description: The declared instances of a topology, by account and Region, with the ids that a launch needs
description:
  - Joins what a topology declares (M(cloudnet.vpc.topology_info)) with the ids of what is there (outputs of M(cloudnet.vpc.network)), for
    the role P(cloudnet.vpc.instances#role).
  - What is only planned, or not there, has no id; C(missing) then names it.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, outputs
options:
  _input:
    description: A result of M(cloudnet.vpc.topology_info).
    type: dict
    required: true
  outputs:
    description: Outputs of M(cloudnet.vpc.network).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What would be launched where
  ansible.builtin.debug:
    msg: "{{ topology_read | cloudnet.vpc.launches(cloudnet_network_outputs) }}"
"""

RETURN = r"""
_value:
  description:
    - A list of accounts and Regions, each with C(profile) (empty for the ambient credentials), C(region), C(label), C(instances), and
      C(undeclared), the instances that the outputs tell to be declared no longer.
    - An instance has C(name) (C(vpc.name)), C(vpc), C(vpc_id), the C(subnet) and C(groups) by id, C(tags), what is C(missing), and
      C(type), C(private_ip), C(key), C(public_ip) and C(user_data) as declared.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import NAME_TAG, TOPOLOGY_TAG


def launches(read: Any, outputs: Any) -> list[dict[str, Any]]:
    """The list that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(read, Mapping) or "instances" not in read:
        raise AnsibleFilterError("launches: takes a result of cloudnet.vpc.topology_info")
    there = outputs.get("vpcs", {}) if isinstance(outputs, Mapping) else {}
    places: dict[tuple[str, str], dict[str, Any]] = {}
    for spec in read["instances"]:
        vpc = read["vpcs"][spec["vpc"]]
        found = there.get(spec["vpc"]) or {}
        account, region = vpc["account"], found.get("region") or vpc["region"]
        place = _place(read, places, account, region)
        place["instances"].append(_instance(read, spec, found))
    owners = {vpc.get("account"): read["vpcs"][name]["account"] for name, vpc in there.items() if name in read["vpcs"]}
    for item in (outputs.get("undeclared") or ()) if isinstance(outputs, Mapping) else ():
        _place(read, places, owners.get(item["account"], ""), item["region"])["undeclared"].append(dict(item))
    return list(places.values())


def _place(read: Mapping[str, Any], places: dict[tuple[str, str], dict[str, Any]], account: str, region: str) -> dict[str, Any]:
    label = f"{account or 'the ambient account'}, {region}"
    made = {"profile": _profile(read, account), "region": region, "label": label, "instances": [], "undeclared": []}
    return places.setdefault((account, region), made)


def _profile(read: Mapping[str, Any], account: str) -> str:
    """The profile of an account. amazon.aws's modules assume no role themselves, so beside a role a profile would be of another account."""
    told = read["accounts"].get(account) or {}
    if told.get("role_arn"):
        raise AnsibleFilterError(
            f"launches: accounts.{account} has a role_arn, and instances are launched by amazon.aws, which takes profiles only: give it"
            " a profile with that role_arn instead (the filters aws_config and with_profiles do, as the playbooks show)"
        )
    return str(told.get("profile", ""))


def _instance(read: Mapping[str, Any], spec: Mapping[str, Any], vpc: Mapping[str, Any]) -> dict[str, Any]:
    subnet = (vpc.get("subnets") or {}).get(spec["subnet"])
    groups = {name: (vpc.get("security_groups") or {}).get(name) for name in spec["security_groups"]}
    base = f"vpcs.{spec['vpc']}"
    missing = [] if subnet else [f"{base}.subnets.{spec['subnet']}"]
    missing += [f"{base}.security_groups.{name}" for name, id_ in groups.items() if not id_]
    own = {"Name": f"{read['name']}-{spec['vpc']}-{spec['name']}", NAME_TAG: f"{base}.instances.{spec['name']}", TOPOLOGY_TAG: read["name"]}
    return {
        "name": f"{spec['vpc']}.{spec['name']}",
        "vpc": spec["vpc"],
        "vpc_id": vpc.get("id"),
        "subnet": subnet,
        "groups": [id_ for id_ in groups.values() if id_],
        "missing": missing,
        "tags": {**(read.get("tags") or {}), **own},
        **{key: spec[key] for key in ("type", "private_ip", "key", "public_ip", "user_data")},
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"launches": launches}
