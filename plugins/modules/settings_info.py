#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.settings_info; it is done by the action plugin of that name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: settings_info
version_added: 0.2.0
short_description: Check the variables that a run of the collection's playbooks was given
description:
  - Fails, in one line, for a variable C(cloudnet_*) of the command line (C(-e)) that neither a playbook nor a role of this collection
    takes, with the one that it may be. Ansible itself ignores a variable that nobody reads.
  - Says where the run goes, and with what topology. On AWS there is no default topology.
  - Runs on the controller, whatever host the task is for, and calls nobody.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.info_module
  - cloudnet.vpc.attributes.action
attributes:
  action:
    support: full
options:
  target:
    description: Where the run goes, V(lab) or V(aws).
    type: str
    default: lab
  topology:
    description: The path of a topology file, or a topology as a mapping.
    type: raw
  demonstration:
    description: The topology of a run on the lab that names none.
    type: path
seealso:
  - module: cloudnet.vpc.topology_info
"""

EXAMPLES = r"""
- name: Check what was given
  cloudnet.vpc.settings_info:
    target: "{{ cloudnet_target | default('lab') }}"
    topology: "{{ cloudnet_topology | default(omit) }}"
    demonstration: "{{ playbook_dir }}/topologies/two_vpcs.yml"
  register: settings
"""

RETURN = r"""
target:
  description: Where the run goes.
  returned: success
  type: str
  sample: lab
topology:
  description: The path of the topology, or the mapping that was given; null where there is none.
  returned: success
  type: raw
  sample: /home/me/topology.yml
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    arguments = {"target": {"type": "str", "default": "lab"}, "topology": {"type": "raw"}, "demonstration": {"type": "path"}}
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    module.fail_json(msg="cloudnet.vpc.settings_info runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
