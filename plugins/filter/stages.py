# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.stages."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stages
version_added: 0.1.0
short_description: The actions of a plan, by the stage in which they are done
description:
  - Tells which actions of a plan belong to which stage of O(cloudnet.vpc.network#module:through), so that a playbook can go step by step,
    and leave out a step that has nothing to do.
author:
  - cloudnet.vpc contributors (@cloudnet)
options:
  _input:
    description: A plan as M(cloudnet.vpc.network) returns it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Which routes are to be made
  ansible.builtin.debug:
    msg: "{{ (planned.plan | cloudnet.vpc.stages).routes }}"
"""

RETURN = r"""
_value:
  description: The names of the actions under C(vpcs), C(peerings), C(routes) and C(rules), each in the plan's order.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

STAGES = ("vpcs", "peerings", "routes", "rules")


def stage_of(action: Mapping[str, Any]) -> str:
    """The stage of one action: a route is one of the stage routes when it leads over a peering, a rule when an ``allow`` asks for it."""
    kind, name = str(action["kind"]), str(action["name"])
    if kind.startswith("peering"):
        return "peerings"
    if kind == "route" and "peering" in {(action[key] or {}).get("via") for key in ("before", "after")}:
        return "routes"
    if kind == "rule" and ".allow: " in name:
        return "rules"
    return "vpcs"


def stages(plan: Any) -> dict[str, list[str]]:
    """The mapping that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(plan, Mapping) or "actions" not in plan:
        raise AnsibleFilterError("stages: takes a plan as cloudnet.vpc.network returns it")
    return {stage: [str(action["name"]) for action in plan["actions"] if stage_of(action) == stage] for stage in STAGES}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"stages": stages}
