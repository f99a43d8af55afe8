# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/examples/estate: a project's own playbook joins VPCs of its own by their ids, and what is the project's stays as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.namespaces import needs_namespaces

from .whole_lab import ROOT, WholeLab, whole_lab

pytestmark = [
    needs_namespaces,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed"),
]
EXAMPLE = ROOT / "docs" / "examples" / "estate"


def estate(lab: WholeLab) -> dict[str, Any]:
    """All that decides who reaches whom, as EC2 describes it."""
    ec2 = lab.client()
    found = {
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "rules": ec2.describe_security_group_rules()["SecurityGroupRules"],
        "tables": ec2.describe_route_tables()["RouteTables"],
        "instances": [item["InstanceId"] for answer in ec2.describe_instances()["Reservations"] for item in answer["Instances"]],
        "peerings": [
            item for item in ec2.describe_vpc_peering_connections()["VpcPeeringConnections"] if item["Status"]["Code"] != "deleted"
        ],
    }
    return dict(json.loads(json.dumps(found, sort_keys=True, default=str)))


def test_a_projects_own_playbook(tmp_path: Path) -> None:
    with whole_lab("estate", tmp_path) as lab:
        # On a real account the instances are asked through Systems Manager; here by the lab's ssh.
        more = {"estate_via": "ssh", "estate_ssh_config": lab.ssh_config}
        lab.playbook(EXAMPLE / "existing.yml")
        before = estate(lab)
        ids = ("-e", f"@{tmp_path / 'estate.yml'}")
        said = lab.playbook(EXAMPLE / "site.yml", *ids, variables=more)
        assert "changed=1 " in said
        assert said.count("\nok  i-") == 3, said
        joined = estate(lab)
        assert len(joined["peerings"]) == 1 and joined["vpcs"] == before["vpcs"] and joined["instances"] == before["instances"]
        assert "changed=0 " in lab.playbook(EXAMPLE / "site.yml", "--check", *ids, variables=more)
        assert estate(lab) == joined
        lab.playbook(EXAMPLE / "site.yml", *ids, variables={**more, "estate_state": "absent"})
        assert estate(lab) == before
