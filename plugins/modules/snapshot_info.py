#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.snapshot_info: what the describe calls say, in memory or in a folder."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
version_added: 0.1.0
short_description: Read everything that decides whether a packet gets through, and save it as a folder of describe output
description:
  - Reads each account and Region with paged, parallel describe calls. What cannot be read, because a service is not there or the identity
    may not, is a warning, unless nothing works without it.
  - The folder holds C(accounts/ACCOUNT/REGION/Vpcs.json) and so on, one file for a call, in AWS's own keys, as Batfish reads them too.
  - User data, passwords and pre-shared keys are left out.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.info_module
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  topology:
    description:
      - The path of a topology file on the host that runs the module, or a topology as a mapping. Its accounts and Regions are read.
    type: raw
  regions:
    description:
      - The Regions to read with the credentials of the task, without a topology. The default is O(region).
    type: list
    elements: str
  accounts:
    description:
      - The profiles with which to read the O(regions), one for each account. The default is the credentials of the task.
    type: list
    elements: str
  vpc_ids:
    description:
      - Only these VPCs and what belongs to them.
    type: list
    elements: str
  dest:
    description:
      - A folder in which to save the snapshot, made if it is not there. An older snapshot in it is replaced as a whole.
      - Nothing is written in check mode.
    type: path
seealso:
  - module: cloudnet.vpc.network
"""

EXAMPLES = r"""
- name: Keep what two Regions hold
  cloudnet.vpc.snapshot_info:
    regions: [us-east-1, eu-west-1]
    dest: snapshots/before

- name: Every account and Region of a topology
  cloudnet.vpc.snapshot_info:
    topology: "{{ playbook_dir }}/topology.yml"
    dest: snapshots/after
"""

RETURN = r"""
counts:
  description: How many items each file holds, by account, Region and file.
  returned: success
  type: dict
  sample: {"111111111111": {us-east-1: {RouteTables: 4, Subnets: 2, VpcPeeringConnections: 1, Vpcs: 2}}}
folder:
  description: The folder in which it was saved.
  returned: when O(dest) is given and it is not check mode
  type: str
  sample: /home/me/snapshots/before
identities:
  description: Who the task was, by the account's name in the topology; the name of the ambient account is empty.
  returned: success
  type: dict
  sample: {"": {account: "111111111111", arn: "arn:aws:iam::111111111111:user/admin"}}
calls:
  description: How many API calls were made, by action.
  returned: success
  type: dict
  sample: {"ec2:DescribeVpcs": 1, "sts:GetCallerIdentity": 1}
"""

import os
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import Scope, observe, observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot, save
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, check_places, finish, identities, params_of, region_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.scopes import OF_A_VPC, places

ARGUMENTS: dict[str, Any] = {
    "topology": {"type": "raw"},
    "regions": {"type": "list", "elements": "str"},
    "accounts": {"type": "list", "elements": "str"},
    "vpc_ids": {"type": "list", "elements": "str"},
    "dest": {"type": "path"},
}


def counts(snapshot: Snapshot) -> dict[str, dict[str, dict[str, int]]]:
    """Items by account, Region and file."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (account, region, file), items in sorted(snapshot.files.items(), key=lambda entry: entry[0]):
        found.setdefault(account, {}).setdefault(region, {})[file] = len(items)
    return found


def wanted(module: Any) -> Topology:
    """The topology whose places are read; one that only names Regions when the task does. Raises CloudnetError."""
    region = region_of(module)
    if module.params["topology"] is not None:
        return load(module.params["topology"], overrides=Overrides(region=region))
    regions = module.params["regions"] or ([region] if region else [])
    if not regions:
        raise CloudnetError("no Region given: set regions or region, or AWS_REGION, or one in the profile")
    return places(module.params["accounts"] or (), regions)


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    topology = wanted(module)
    estate = Estate(topology, params_of(module), target=module.params["target"])
    check_places(estate)
    there = sorted({(estate.accounts[vpc.account], vpc.region) for vpc in topology.vpcs.values() if not vpc.remote})
    ids = module.params["vpc_ids"]
    if ids is None:
        snapshot = observe_all(estate.client, there)
    else:
        shape: dict[str, Any] = {"files": OF_A_VPC, "vpc_ids": tuple(ids), "dns_topology": True}
        snapshot = observe(estate.client, [Scope(account, region, **shape) for account, region in there])
    result: dict[str, Any] = {"changed": False, "counts": counts(snapshot), "identities": identities(estate)}
    if module.params["dest"] and not module.check_mode:
        save(snapshot, module.params["dest"])
        result["folder"] = os.path.abspath(module.params["dest"])
    return {**result, "calls": dict(estate.client.calls), "warnings": list(snapshot.warnings)}


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS, mutually_exclusive=[("topology", "regions"), ("topology", "accounts")])
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
