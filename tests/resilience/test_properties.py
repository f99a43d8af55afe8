# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for any topology: an applied plan leaves nothing, a simulated plan is what applying gives, a teardown leaves nothing.

Each example runs on the lab, beside foreign things that must stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import AccountSpec, Topology, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate, Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.canonical import canonical, difference
from support.patience import times
from support.topologies import REGIONS, topologies

ACCOUNTS = {"": "111111111111", "one": "111111111111", "two": "222222222222"}
PLACES = [(account, region) for account in ("111111111111", "222222222222") for region in REGIONS]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with pytest.MonkeyPatch.context() as patch, RunningLab() as running:
        patch.setenv("AWS_CONFIG_FILE", str(running.config_file))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
            patch.delenv(name, raising=False)
        yield running


class World:
    """The lab's two accounts with a foreign VPC in each place. Every example leaves it as it was, and proves that."""

    def __init__(self, lab: RunningLab) -> None:
        lab.control.accounts(topology={name: {"profile": name, "account_id": number} for name, number in ACCOUNTS.items() if name})
        owner = lab.lab.accounts.by_id["111111111111"]
        self.params = {"access_key": owner.access_key, "secret_key": owner.secret, "region": "us-east-1", "endpoint_url": lab.url}
        for account, region in PLACES:
            self._foreign(lab.client("ec2", account=account, region=region))
        vpcs = {name: VpcSpec(name, account=name, region="us-east-1", id="vpc-0") for name in ("one", "two")}
        both = Topology("all", accounts={name: AccountSpec(name, profile=name) for name in vpcs}, vpcs=vpcs)
        self._reader = Estate(both, self.params)

    def _foreign(self, ec2: Any) -> None:
        vpc = ec2.create_vpc(CidrBlock="10.250.0.0/16")["Vpc"]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="198.51.100.0/24")

    def observe(self) -> Network:
        assert self._reader.accounts
        return build(observe_all(self._reader.client, PLACES))

    def estate(self, topology: Any) -> Estate:
        """An estate on the reader's sessions: making clients is slow, and what is tested is not that."""
        estate = Estate(load(copy.deepcopy(topology)), self.params, target="lab")
        estate.sessions, estate.client, estate.watcher = self._reader.sessions, self._reader.client, self._reader.watcher
        return estate


def agree(left: Network, right: Network) -> None:
    assert difference(canonical(left), canonical(right)) == ""


@pytest.fixture(scope="module")
def world(lab: RunningLab) -> World:
    return World(lab)


# Shrinking would run the lab for minutes; the failing example is small enough as it is.
@settings(
    max_examples=times(8, 40),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(topology=topologies(), drop=st.integers(0, 5))
def test_any_topology(world: World, topology: dict[str, Any], drop: int) -> None:
    before = world.observe()

    estate = world.estate(topology)
    plan = estate.plan(before, Options())
    estate.converge(Options())
    after = world.observe()
    agree(simulate(before, plan), after)
    assert [action.key for action in world.estate(topology).plan(after, Options())] == []

    # The same with something less: what goes is what was ours, and the simulation knows it.
    less = copy.deepcopy(topology)
    shrink(less, drop)
    plan = world.estate(less).plan(after, Options())
    world.estate(less).converge(Options())
    smaller = world.observe()
    agree(simulate(after, plan), smaller)
    assert [action.key for action in world.estate(less).plan(smaller, Options())] == []

    plan = world.estate(less).plan(smaller, Options(absent=True))
    world.estate(less).converge(Options(absent=True))
    agree(simulate(smaller, plan), world.observe())
    agree(before, world.observe())


def shrink(topology: dict[str, Any], which: int) -> None:
    """Take something away: all allows, one allow, the DNS wish, the peerings, a secondary block, or the groups' raw rules."""
    if which == 0:
        topology.pop("allow", None)
    elif which == 1:
        topology["allow"] = topology.get("allow", [])[1:]
    elif which == 2:
        topology["peerings"][0].pop("dns", None)
    elif which == 3:
        topology.pop("allow", None)
        topology.pop("peerings")
    elif which == 4:
        for vpc in topology["vpcs"].values():
            vpc["cidr"] = vpc["cidr"][:1]
    else:
        for vpc in topology["vpcs"].values():
            for group in vpc["security_groups"].values():
                group.pop("rules", None)
    if not topology.get("allow"):
        topology.pop("allow", None)
