# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPv6 pool that every account of the lab has brought: a topology that names an IPv6 block needs one, as on AWS.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIpv6Pools.html
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, instead

#: The documentation range: it can be nobody's. https://www.rfc-editor.org/rfc/rfc3849
BLOCK = "2001:db8::/32"


def pool_id(account: str) -> str:
    """One pool per account, the same in every run."""
    return f"ipv6pool-ec2-{int(account):017x}"


@instead("ec2", "DescribeIpv6Pools")
def describe(call: Call) -> dict[str, Any]:
    """The account's one pool, unless others are asked for by id."""
    pool = {"PoolId": pool_id(call.account), "Description": "Brought to the lab", "PoolCidrBlocks": [{"Cidr": BLOCK}], "Tags": []}
    wanted = call.params.get("PoolIds") or [pool["PoolId"]]
    return {"Ipv6Pools": [pool] if pool["PoolId"] in wanted else []}
