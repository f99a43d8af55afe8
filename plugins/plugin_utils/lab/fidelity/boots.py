# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots of instances, which the data plane follows, and what their consoles show of the first.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html.
"""

from __future__ import annotations

import base64
from typing import Any

from ..calls import Call, after, instead
from .instance_views import gone
from .instances import asked
from .shapes import find_instance


@after("ec2", "StartInstances", "RebootInstances")
def boot_again(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Count the boots of an instance, of which its launch is the first: the data plane boots it when the number has grown."""
    boots = call.lab.state("boots", call.account, call.region)
    stopped = {
        item.get("InstanceId")
        for item in result.get("StartingInstances") or []
        if (item.get("PreviousState") or {}).get("Name") == "stopped"
    }
    for instance in asked(call):
        if call.action == "RebootInstances" or instance.id in stopped:
            boots[instance.id] = boots.get(instance.id, 1) + 1
    return result


@instead("ec2", "GetConsoleOutput")
def console(call: Call) -> dict[str, Any]:
    """What the instance printed at its boot, in base64: its SSH host keys, by which people know it; nothing before it booted."""
    instance = find_instance(call.backend(), str(call.params.get("InstanceId") or ""))
    told = call.lab.executor.console(instance.id) if hasattr(call.lab.executor, "console") and not gone(instance) else ""
    return {"InstanceId": instance.id, "Timestamp": call.lab.now(), "Output": base64.b64encode(told.encode()).decode()}
