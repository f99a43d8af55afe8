# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many machines one call may ask for: the emulator would make millions, with every other caller waiting.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html. The number is the lab's own.
"""

from __future__ import annotations

from ..calls import Call, Refusal, before

_AT_MOST = 1000
_COUNTS = {
    "AllocateHosts": (("Quantity",), "HostLimitExceeded"),
    "CreateFleet": (("TargetCapacitySpecification", "TotalTargetCapacity"), "MaxSpotInstanceCountExceeded"),
    "ModifySpotFleetRequest": (("TargetCapacity",), "MaxSpotInstanceCountExceeded"),
    "RequestSpotFleet": (("SpotFleetRequestConfig", "TargetCapacity"), "MaxSpotInstanceCountExceeded"),
    "RequestSpotInstances": (("InstanceCount",), "MaxSpotInstanceCountExceeded"),
    "RunInstances": (("MaxCount",), "InstanceLimitExceeded"),
}


@before("ec2", *_COUNTS)
def not_too_many(call: Call) -> None:
    """At most a thousand."""
    path, code = _COUNTS[call.action]
    value = call.params
    for name in path:
        value = value.get(name) or {}
    if isinstance(value, int) and value > _AT_MOST:
        raise Refusal(code, f"You have requested {value} of {'.'.join(path)}, more than the limit of {_AT_MOST}.")
