#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.show; it is done by the action plugin of that name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
version_added: 0.1.0
short_description: Print plans, outputs and texts as lines that people can read
description:
  - M(ansible.builtin.debug) prints a table as one escaped line. This prints real lines, in the order of the options below.
  - Runs on the controller, whatever host the task is for, and changes nothing.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.action
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
options:
  text:
    description: A text, or a list of lines.
    type: raw
  parameters:
    description: Names and values, one a line. What has no value is left out.
    type: dict
  plan:
    description: A plan as M(cloudnet.vpc.network) returns it, or the path of a C(plan.json).
    type: raw
  connectivity:
    description:
      - What a plan opens and closes, as RV(cloudnet.vpc.network#module:connectivity). It is shown as a part of O(plan), or alone.
    type: dict
  outputs:
    description: Outputs as M(cloudnet.vpc.network) returns them.
    type: dict
  handoff:
    description: What the owners of other VPCs must do, as M(cloudnet.vpc.network) returns it.
    type: list
    elements: dict
seealso:
  - module: cloudnet.vpc.network
"""

EXAMPLES = r"""
- name: Show what would be done
  cloudnet.vpc.show:
    plan: "{{ planned.plan }}"
    connectivity: "{{ planned.connectivity }}"

- name: Show a plan that was written before
  cloudnet.vpc.show:
    plan: artifacts/two-vpcs/plan.json

- name: Show what is there now
  cloudnet.vpc.show:
    text: "Done."
    outputs: "{{ applied.outputs }}"
    handoff: "{{ applied.handoff }}"
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success
  type: list
  elements: str
  sample: ["Plan: 15 to add, 0 to change, 0 to remove"]
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    module = AnsibleModule(
        argument_spec={
            "text": {"type": "raw"},
            "parameters": {"type": "dict"},
            "plan": {"type": "raw"},
            "connectivity": {"type": "dict"},
            "outputs": {"type": "dict"},
            "handoff": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="cloudnet.vpc.show runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
