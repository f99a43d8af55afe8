#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.preflight_info: who one is, in which Region, with what, and within what quotas."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
version_added: 0.1.0
short_description: Tell as whom, in which Region, with which versions and within which quotas a run would act
description:
  - Asks C(sts:GetCallerIdentity), which needs no permission, and Service Quotas, where the identity may. Nothing else is called.
  - Quotas that cannot be read are those of a new account, and are marked so.
  - The role P(cloudnet.vpc.preflight#role) compares this with what is expected.
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
seealso:
  - module: amazon.aws.aws_caller_info
"""

EXAMPLES = r"""
- name: Who would do it, and where
  cloudnet.vpc.preflight_info:
    profile: network
"""

RETURN = r"""
account:
  description: The account's id.
  returned: success
  type: str
  sample: "111111111111"
arn:
  description: The identity.
  returned: success
  type: str
  sample: arn:aws:iam::111111111111:user/admin
region:
  description: The Region.
  returned: success
  type: str
  sample: us-east-1
endpoint:
  description: The endpoint of EC2.
  returned: success
  type: str
  sample: https://ec2.us-east-1.amazonaws.com
versions:
  description: Versions of what does the work, where the module runs.
  returned: success
  type: dict
  sample: {amazon.aws: 10.1.2, boto3: 1.40.0, botocore: 1.40.0, python: 3.11.9}
quotas:
  description: Quotas of the account in the Region, by name.
  returned: success
  type: dict
  sample: {peerings_active: 50, vpcs: 5}
quotas_told:
  description: The names of those that Service Quotas told; the others are of a new account.
  returned: success
  type: list
  elements: str
  sample: [peerings_active, vpcs]
quotas_reason:
  description: Why Service Quotas told nothing; empty where it did.
  returned: success
  type: str
  sample: ""
calls:
  description: How many API calls were made, by action.
  returned: success
  type: dict
  sample: {"servicequotas:ListServiceQuotas": 1, "sts:GetCallerIdentity": 1}
"""

import platform
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import gather_sdk_versions
from ansible_collections.amazon.aws.plugins.module_utils.common import get_collection_info
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.quotas import read
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, check_places, finish, params_of, region_of


def versions() -> dict[str, str]:
    """Versions by name."""
    sdk = gather_sdk_versions()
    return {
        "amazon.aws": str(get_collection_info()["version"]),
        "boto3": str(sdk.get("boto3_version", "")),
        "botocore": str(sdk.get("botocore_version", "")),
        "python": platform.python_version(),
    }


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    region = region_of(module)
    if not region:
        raise CloudnetError("no Region given: set region, or AWS_REGION, or one in the profile")
    estate = Estate(
        Topology("", vpcs={"here": VpcSpec("here", region=region, id="any")}), params_of(module), target=module.params["target"]
    )
    endpoint = check_places(estate)
    identity = estate.identities[""]
    quotas = read(estate.client, identity.account, region, services=("vpc", "ec2"))
    return {
        "changed": False,
        "account": identity.account,
        "arn": identity.arn,
        "region": region,
        "endpoint": endpoint,
        "versions": versions(),
        "quotas": dict(quotas.values),
        "quotas_told": sorted(quotas.live),
        "quotas_reason": quotas.reason,
        "calls": dict(estate.client.calls),
    }


def main() -> None:
    """Ansible's entry point."""
    module = aws_module({})
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
