#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.topology_info; it is done by the action plugin of that name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
version_added: 0.1.0
short_description: Check a topology file, and tell what a playbook needs to know of it
description:
  - Reads a topology as strictly as M(cloudnet.vpc.network) does, and tells all faults at once, each with its line. Calls nobody, and needs
    no credentials.
  - Runs on the controller, whatever host the task is for.
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
  topology:
    description:
      - The path of a topology file, or a topology as a mapping.
      - A relative path is looked for in the folder in which Ansible was started, then where Ansible looks for C(topologies) of a role or
        playbook.
    type: raw
    required: true
  region:
    description: The Region of what names none.
    type: str
seealso:
  - module: cloudnet.vpc.network
"""

EXAMPLES = r"""
- name: Is it sound
  cloudnet.vpc.topology_info:
    topology: topology.yml
"""

RETURN = r"""
path:
  description: The file's absolute path.
  returned: when a file was read
  type: str
  sample: /home/me/topology.yml
findings:
  description: Each fault, as M(cloudnet.vpc.network) returns them.
  returned: when the topology is refused
  type: list
  elements: dict
  sample: [{code: schema, file: topology.yml, line: 12, message: "unknown key; did you mean 'cidr'?", path: vpcs.dev.cider}]
name:
  description: The topology's name.
  returned: success
  type: str
  sample: two-vpcs
accounts:
  description: What the topology says of its accounts, by name.
  returned: success
  type: dict
  sample: {dev: {account_id: "222222222222", role_arn: "arn:aws:iam::222222222222:role/cloudnet"}, shared: {profile: shared-services}}
vpcs:
  description: The VPCs by name, each with the name of its C(account) (empty for the ambient one), its C(region) (empty where
    the environment or the profile is to give it), C(cidrs),
    C(origin), which is V(ours), V(adopted) or V(remote), C(ssm), whether its instances are to be managed nodes of Systems Manager,
    and C(flow_logs), where its flow log goes (C(to)) and by which C(role).
  returned: success
  type: dict
  sample: {dev: {account: "", cidrs: [10.0.0.0/16], flow_logs: {}, origin: ours, region: us-east-1, ssm: false}}
owners:
  description: The accounts of remote VPCs, for which there are no credentials.
  returned: success
  type: list
  elements: str
  sample: ["210987654321"]
peerings:
  description: The peering connections, by the names of requester and accepter.
  returned: success
  type: list
  elements: str
  sample: ["dev:ops"]
tags:
  description: The tags for all that the topology makes.
  returned: success
  type: dict
  sample: {project: two-vpcs}
instances:
  description: The declared instances, each with the names of its VPC, subnet and security groups; see P(cloudnet.vpc.launches#filter).
  returned: success
  type: list
  elements: dict
  sample:
    - {key: "", label: dev.server, name: server, private_ip: "", public_ip: false, security_groups: [servers], subnet: app, type: "",
       user_data: "", vpc: dev}
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    arguments = {"topology": {"type": "raw", "required": True}, "region": {"type": "str"}}
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    module.fail_json(msg="cloudnet.vpc.topology_info runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
