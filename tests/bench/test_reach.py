# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict and a matrix cost against the size of the network: VPCs of a hundred interfaces each, every pair of VPCs peered.

Run with ``make bench``; each figure is printed, and the largest are held to their bounds.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot, load, save  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.index import Index  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.matrix import Question, interfaces, matrix  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach  # noqa: E402

ACCOUNT, REGION = "111111111111", "us-east-1"
SUBNETS, GROUPS, PER_VPC = 4, 3, 100
FILES = (
    "Vpcs",
    "Subnets",
    "RouteTables",
    "SecurityGroups",
    "SecurityGroupRules",
    "NetworkAcls",
    "VpcPeeringConnections",
    "NetworkInterfaces",
    "InternetGateways",
    "NatGateways",
    "VpcEndpoints",
    "ManagedPrefixLists",
)


def network_of(vpcs: int) -> Snapshot:
    """So many VPCs in a full mesh. Every third group is closed to peers, one VPC in ten has an ACL that lets only 443 through."""
    files: dict[str, list[dict[str, object]]] = {name: [] for name in FILES}
    for number in range(vpcs):
        _vpc(files, number, vpcs)
    for one in range(vpcs):
        for other in range(one + 1, vpcs):
            sides = {
                key: {"VpcId": f"vpc-{side}", "OwnerId": ACCOUNT, "Region": REGION, "CidrBlock": f"10.{side}.0.0/16"}
                for key, side in (("RequesterVpcInfo", one), ("AccepterVpcInfo", other))
            }
            files["VpcPeeringConnections"].append({"VpcPeeringConnectionId": f"pcx-{one}-{other}", "Status": {"Code": "active"}, **sides})
    return Snapshot({(ACCOUNT, REGION, name): tuple(items) for name, items in files.items()})


def _vpc(files: dict[str, list[dict[str, object]]], number: int, vpcs: int) -> None:
    vpc, cidr = f"vpc-{number}", f"10.{number}.0.0/16"
    files["Vpcs"].append({"VpcId": vpc, "OwnerId": ACCOUNT, "CidrBlock": cidr})
    routes: list[dict[str, object]] = [{"DestinationCidrBlock": cidr, "GatewayId": "local", "State": "active"}]
    for other in range(vpcs):
        if other != number:
            pcx = f"pcx-{min(number, other)}-{max(number, other)}"
            routes.append({"DestinationCidrBlock": f"10.{other}.0.0/16", "VpcPeeringConnectionId": pcx, "State": "active"})
    table = {"RouteTableId": f"rtb-{number}", "VpcId": vpc, "Routes": routes, "Associations": [{"Main": True}]}
    files["RouteTables"].append(table)
    subnets = [f"subnet-{number}-{index}" for index in range(SUBNETS)]
    for index, subnet in enumerate(subnets):
        files["Subnets"].append(
            {"SubnetId": subnet, "VpcId": vpc, "CidrBlock": f"10.{number}.{index}.0/24", "AvailabilityZone": "us-east-1a"}
        )
    ports = {"Protocol": "6", "PortRange": {"From": 443, "To": 443}} if number % 10 == 9 else {"Protocol": "-1"}
    entries = [
        {"RuleNumber": 100, "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0", **ports},
        {"RuleNumber": 100, "RuleAction": "allow", "Egress": True, "CidrBlock": "0.0.0.0/0", "Protocol": "-1"},
    ]
    links = [{"SubnetId": subnet, "NetworkAclAssociationId": f"aclassoc-{subnet}"} for subnet in subnets]
    files["NetworkAcls"].append({"NetworkAclId": f"acl-{number}", "VpcId": vpc, "Entries": entries, "Associations": links})
    for group in range(GROUPS):
        id_ = f"sg-{number}-{group}"
        files["SecurityGroups"].append({"GroupId": id_, "VpcId": vpc, "GroupName": id_})
        out = {"SecurityGroupRuleId": f"sgr-{id_}-out", "GroupId": id_, "IsEgress": True, "IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"}
        source: dict[str, object] = {"CidrIpv4": ("10.0.0.0/8", cidr)[group % 2]}
        if group == 2:
            source = {
                "ReferencedGroupInfo": {"GroupId": f"sg-{(number + 1) % vpcs}-0", "UserId": ACCOUNT, "VpcId": f"vpc-{(number + 1) % vpcs}"}
            }
        rule = {
            "SecurityGroupRuleId": f"sgr-{id_}-in",
            "GroupId": id_,
            "IsEgress": False,
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 443,
        }
        files["SecurityGroupRules"] += [out, rule | source]
    for host in range(PER_VPC):
        index = host % SUBNETS
        eni = {
            "NetworkInterfaceId": f"eni-{number}-{host}",
            "VpcId": vpc,
            "SubnetId": subnets[index],
            "PrivateIpAddresses": [{"PrivateIpAddress": f"10.{number}.{index}.{10 + host}"}],
            "Groups": [{"GroupId": f"sg-{number}-{host // SUBNETS % GROUPS}"}],
            "InterfaceType": "interface",
            "Attachment": {"InstanceId": f"i-{number}-{host}"},
        }
        files["NetworkInterfaces"].append(eni)


def _single(network: Network, vpcs: int) -> float:
    """Seconds for one verdict, the median over pairs that were not asked before."""
    reach(network, "eni-0-0", "eni-1-0", "tcp", 443)
    times = []
    for number in range(2, 1002):
        source, destination = f"eni-{number % vpcs}-{number % 97}", f"eni-{(number * 7 + 1) % vpcs}-{number % 89}"
        start = time.perf_counter()
        reach(network, source, destination, "tcp", 443)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(vpcs: int, folder: Path) -> None:
    """One line of the table; run in a process of its own, so that memory is this size's alone."""
    save(network_of(vpcs), folder)
    start = time.perf_counter()
    network = build(load(folder))
    loaded = time.perf_counter() - start
    single = _single(network, vpcs)
    network.__dict__.pop("_reach_index", None)
    assert Index.of(network).memo == {}
    start = time.perf_counter()
    found = matrix(network, interfaces(network), [Question("tcp", 443)])
    took = time.perf_counter() - start
    counts = found.counts()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    classes = max(found.classes) + 1
    print(
        f"{vpcs * PER_VPC:>7} {vpcs:>5} {loaded:>8.2f} {single * 1e6:>11.0f} {classes:>8} {sum(counts.values()):>11} "
        f"{counts['reachable']:>11} {took:>9.2f} {peak:>9.0f}"
    )


def test_cost_against_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, widths = "ENIs,VPCs,load s,verdict us,classes,pairs,reachable,matrix s,MiB", (7, 5, 8, 11, 8, 11, 11, 9, 9)
    lines = [" ".join(f"{name:>{width}}" for name, width in zip(names.split(","), widths, strict=True))]
    for vpcs in (10, 30, 100):
        run = subprocess.run(
            [sys.executable, __file__, str(vpcs), str(tmp_path / str(vpcs))], check=True, capture_output=True, text=True, timeout=300
        )
        lines.append(run.stdout.rstrip())
    with capsys.disabled():
        print("\nreach: VPCs of 100 interfaces in a full mesh, tcp 443, all pairs\n" + "\n".join(lines))
    _other, _other, load_s, verdict_us, _other, pairs, reachable, matrix_s, mib = (float(word) for word in lines[-1].split())
    assert pairs == 10_000 * 9_999
    assert 0 < reachable < pairs
    assert load_s < 10
    assert verdict_us < 1000
    assert matrix_s < 10
    assert mib < 1024


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
