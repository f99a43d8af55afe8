# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.own_instances."""

from __future__ import annotations

DOCUMENTATION = r"""
name: own_instances
version_added: 0.1.0
short_description: Of instances with a topology's tags, those that are its own
description:
  - Anybody who may tag can give an instance the tags of a topology. It is the topology's own when it also lies in the VPC that its name
    says (C(vpcs.X.instances.NAME)), or when M(cloudnet.vpc.network) told it among C(outputs.undeclared). For the role
    P(cloudnet.vpc.instances#role).
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, outputs
options:
  _input:
    description: Instances as M(amazon.aws.ec2_instance_info) lists them.
    type: list
    elements: dict
    required: true
  outputs:
    description: Outputs of M(cloudnet.vpc.network).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The instances that this topology launched
  ansible.builtin.set_fact:
    launched: "{{ listed.instances | cloudnet.vpc.own_instances(cloudnet_network_outputs) }}"
"""

RETURN = r"""
_value:
  description: Those that are the topology's own, as they were given.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import NAME_TAG
from ansible_collections.cloudnet.vpc.plugins.module_utils.launched import named


def own_instances(instances: Any, outputs: Any) -> list[dict[str, Any]]:
    """Those that lie where their name says; raises AnsibleFilterError in one line."""
    if not isinstance(outputs, Mapping) or not isinstance(instances, list):
        raise AnsibleFilterError("own_instances: takes a list of instances, and outputs of cloudnet.vpc.network")
    vpcs = {name: vpc.get("id") for name, vpc in (outputs.get("vpcs") or {}).items()}
    undeclared = {item["id"] for item in outputs.get("undeclared") or ()}
    return [item for item in instances if item["instance_id"] in undeclared or _lies(item, vpcs)]


def _lies(item: Mapping[str, Any], vpcs: Mapping[str, Any]) -> bool:
    names = named([{"Key": NAME_TAG, "Value": str((item.get("tags") or {}).get(NAME_TAG, ""))}], "instances")
    return names is not None and bool(item.get("vpc_id")) and vpcs.get(names[0]) == item["vpc_id"]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"own_instances": own_instances}
