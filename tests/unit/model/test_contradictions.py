# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that do not agree, or hold a part: said when a snapshot is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import load

ME, HERE = "111111111111", "us-east-1"
WEB = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
RULE = {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-web", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0"}


def told(folder: Path, **files: Any) -> list[str]:
    """The warnings of a snapshot, those of missing files left out."""
    place = folder / ME / HERE
    place.mkdir(parents=True, exist_ok=True)
    for path in place.glob("*.json"):
        path.unlink()
    for name, items in files.items():
        (place / f"{name}.json").write_text(json.dumps({name: items}))
    prefix = f"account {ME}, Region {HERE}: "
    return [text.removeprefix(prefix) for text in load(folder).warnings if not text.startswith(f"{prefix}no ")]


def test_rules_and_permissions(tmp_path: Path) -> None:
    def group(*permissions: Any, name: str = "web") -> dict[str, Any]:
        return {"GroupId": f"sg-{name}", "VpcId": "vpc-1", "IpPermissions": list(permissions)}

    assert told(tmp_path, SecurityGroups=[group(WEB)], SecurityGroupRules=[RULE]) == []
    assert told(tmp_path, SecurityGroups=[group(WEB)]) == []
    assert told(tmp_path, SecurityGroups=[group(WEB), group(SSH, name="db"), group(name="bare")], SecurityGroupRules=[RULE]) == [
        "SecurityGroupRules.json holds no rules of sg-db, which SecurityGroups.json says to have some; those are used"
    ]
    assert told(tmp_path, SecurityGroups=[group(WEB, SSH)], SecurityGroupRules=[RULE]) == [
        "SecurityGroupRules.json holds a part of the rules that SecurityGroups.json tells of sg-web; both are used"
    ]
    assert told(tmp_path, SecurityGroups=[group(SSH)], SecurityGroupRules=[RULE]) == [
        "SecurityGroups.json and SecurityGroupRules.json tell different rules of sg-web; SecurityGroupRules.json is used"
    ]


def test_interfaces_that_others_name(tmp_path: Path) -> None:
    instance = {"InstanceId": "i-1", "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}]}
    endpoint = {"VpcEndpointId": "vpce-1", "State": "available", "NetworkInterfaceIds": ["eni-2"]}
    gone = {"VpcEndpointId": "vpce-2", "State": "Deleted", "NetworkInterfaceIds": ["eni-3"]}
    nat = {"NatGatewayId": "nat-1", "State": "available", "NatGatewayAddresses": [{"NetworkInterfaceId": "eni-4"}]}
    files = {
        "Reservations": [{"ReservationId": "r-1", "Instances": [instance]}],
        "VpcEndpoints": [endpoint, gone],
        "NatGateways": [nat],
    }
    assert told(tmp_path, NetworkInterfaces=[{"NetworkInterfaceId": "eni-4"}], **files) == [
        "NetworkInterfaces.json does not hold eni-1, eni-2, which other files name; an address that no interface has may be in use"
    ]
    assert told(tmp_path, **files) == []
