# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole road to the lab and back: profiles and roles, budgets of calls, and faults that must leave no trace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import quotas
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import Scope, observe, observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.sessions import Ambient, Sessions
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.waiters import GONE, Watcher
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import diff, load, save
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import (
    AccessDenied,
    AwsError,
    CredentialsError,
    EndpointUnreachable,
    MaybeDone,
)
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

ME, PEER, HERE, THERE = "111111111111", "222222222222", "us-east-1", "eu-west-1"
USUAL = frozenset({"Subnets", "RouteTables", "SecurityGroups", "SecurityGroupRules"})


@pytest.fixture(scope="module")
def running() -> Iterator[RunningLab]:
    with RunningLab() as lab:
        yield lab


@pytest.fixture
def lab(running: RunningLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningLab]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(running.config_file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    running.control.reset()
    yield running
    running.control.config(faults=[])


@pytest.fixture(scope="module")
def sessions(running: RunningLab) -> Iterator[Sessions]:
    """Clients are slow to make, and the lab's keys outlive its resets."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_CONFIG_FILE", str(running.config_file))
    made = Sessions({"profile": "lab"}, [Ambient("peer", profile="lab-peer", id=PEER)], target="lab")
    made.identities(Client(made))
    yield made
    patch.undo()


@pytest.fixture
def api(lab: RunningLab, sessions: Sessions) -> Client:
    return Client(sessions)


def tags(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "cloudnet:topology", "Value": "t"}, {"Key": "cloudnet:name", "Value": kind}]}]


def make_vpc(api: Client, cidr: str, account: str = ME, region: str = HERE, **more: Any) -> str:
    return str(api.call(account, region, "ec2:CreateVpc", CidrBlock=cidr, **more)["Vpc"]["VpcId"])


def test_identities_by_profile_and_role(lab: RunningLab) -> None:
    lab.control.accounts(topology={"dev": {"role_arn": "arn:aws:iam::333333333333:role/net"}})
    role = Ambient("dev", role_arn="arn:aws:iam::333333333333:role/net", external_id="from-us", id="333333333333")
    sessions = Sessions({"profile": "lab", "region": HERE}, [Ambient("peer", profile="lab-peer"), role], target="lab")
    api = Client(sessions)
    told = sessions.identities(api)
    assert {name: identity.account for name, identity in told.items()} == {"": ME, "peer": PEER, "dev": "333333333333"}
    assert told["dev"].arn == "arn:aws:sts::333333333333:assumed-role/net/cloudnet"
    assert api.calls == {"sts:GetCallerIdentity": 3}
    vpc = make_vpc(api, "10.0.0.0/16", "333333333333")
    assert vpc in build(observe(api, [Scope("333333333333", HERE)])).vpcs
    assert build(observe(api, [Scope(ME, HERE)])).vpcs == {}


def test_the_second_run_of_a_hub_with_twenty_adopted_vpcs_is_eight_calls(api: Client) -> None:
    setup = api
    vpcs = [make_vpc(setup, f"10.{n}.0.0/16") for n in range(21)]
    for spoke in vpcs[1:]:
        made = setup.call(
            ME, HERE, "ec2:CreateVpcPeeringConnection", VpcId=vpcs[0], PeerVpcId=spoke, TagSpecifications=tags("vpc-peering-connection")
        )
        pcx = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        setup.call(ME, HERE, "ec2:AcceptVpcPeeringConnection", VpcPeeringConnectionId=pcx)
    make_vpc(setup, "10.99.0.0/16")  # not in question
    api = Client(sessions := Sessions({"profile": "lab"}))
    account = sessions.identities(api)[""].account
    network = build(observe(api, [Scope(account, HERE, "t", USUAL, tuple(vpcs))]))
    assert sum(api.calls.values()) == 8, api.calls
    assert (len(network.vpcs), len(network.peerings), len(network.route_tables), len(network.security_groups)) == (22, 20, 21, 21)
    assert {rule.group for rule in network.rules.values()} == set(network.security_groups)
    assert {peering.status for peering in network.peerings.values()} == {"active"}


def test_a_peering_between_accounts_and_regions_is_seen_from_both(api: Client) -> None:
    mine, theirs = make_vpc(api, "10.0.0.0/16"), make_vpc(api, "10.1.0.0/16", PEER, THERE)
    made = api.call(
        ME,
        HERE,
        "ec2:CreateVpcPeeringConnection",
        VpcId=mine,
        PeerVpcId=theirs,
        PeerOwnerId=PEER,
        PeerRegion=THERE,
        TagSpecifications=tags("vpc-peering-connection"),
    )
    pcx = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    watcher = Watcher(api)
    watcher.wait(PEER, THERE, "VpcPeeringConnections", pcx, ["pending-acceptance"], 10)
    api.call(PEER, THERE, "ec2:AcceptVpcPeeringConnection", VpcPeeringConnectionId=pcx)
    api.call(PEER, THERE, "ec2:CreateTags", Resources=[pcx], Tags=[{"Key": "side", "Value": "accepter"}])
    watcher.wait(ME, HERE, "VpcPeeringConnections", pcx, ["active"], 10)
    peering = build(observe(api, [Scope(ME, HERE, "t"), Scope(PEER, THERE, "t")])).peerings[pcx]
    assert (peering.account, peering.region, peering.status, peering.topology) == (ME, HERE, "active", "t")
    assert peering.seen[PEER, THERE] == {"side": "accepter"}
    assert (peering.requester.cidrs, peering.accepter.cidrs) == (("10.0.0.0/16",), ("10.1.0.0/16",))


def test_everything_is_read_saved_and_read_back(api: Client, tmp_path: Path) -> None:
    vpc = make_vpc(api, "10.0.0.0/16", TagSpecifications=tags("vpc"))
    told = observe_all(api, [(ME, HERE), (PEER, THERE)])
    assert told.warnings == ()
    save(told, tmp_path)
    back = load(tmp_path)
    assert back.files == told.files and diff(told, back) == () and back.warnings == ()
    network = build(back)
    assert network.vpcs[vpc].dns_support is True and network.vpcs[vpc].name == "vpc"
    make_vpc(api, "10.1.0.0/16")
    changes = diff(back, observe_all(api, [(ME, HERE), (PEER, THERE)]))
    assert {(change.op, change.file) for change in changes} == {
        ("added", file) for file in ("Vpcs", "VpcAttributes", "RouteTables", "SecurityGroups", "SecurityGroupRules", "NetworkAcls")
    }


def test_quotas_are_live(lab: RunningLab, api: Client) -> None:
    told = quotas.read(api, ME, HERE)
    assert told["peerings_outstanding"] == 25 and "peerings_outstanding" in told.live and not told.reason


def count(api: Client, cidr: str) -> int:
    return sum(vpc.cidrs[:1] == (cidr,) for vpc in build(observe(api, [Scope(ME, HERE)])).vpcs.values())


@pytest.mark.parametrize("kind", ["reset_after", "reset_before", "internal", "unavailable"])
def test_a_lost_create_is_not_repeated(lab: RunningLab, api: Client, kind: str) -> None:
    lab.control.config(faults=[{"kind": kind, "actions": "ec2:CreateVpc", "times": 1}])
    with pytest.raises(MaybeDone):
        make_vpc(api, "10.0.0.0/16")
    assert count(api, "10.0.0.0/16") == (1 if kind == "reset_after" else 0)
    assert api.calls["ec2:CreateVpc"] == 1


def test_a_lost_create_with_a_token_is_made_once(lab: RunningLab, api: Client) -> None:
    lab.control.config(faults=[{"kind": "reset_after", "actions": "ec2:CreateManagedPrefixList", "times": 2}])
    made = api.call(
        ME,
        HERE,
        "ec2:CreateManagedPrefixList",
        PrefixListName="corp",
        AddressFamily="IPv4",
        MaxEntries=2,
        Entries=[{"Cidr": "10.0.0.0/8"}],
        TagSpecifications=tags("prefix-list"),
    )["PrefixList"]["PrefixListId"]
    assert api.calls["ec2:CreateManagedPrefixList"] == 3
    Watcher(api).wait(ME, HERE, "ManagedPrefixLists", made, ["create-complete"], 10)
    lists = build(observe(api, [Scope(ME, HERE, "t")])).prefix_lists
    assert [(found.id, found.entries) for found in lists.values() if found.account == ME] == [(made, ("10.0.0.0/8",))]


@pytest.mark.parametrize("kind", ["reset_after", "reset_before", "internal", "throttle"])
def test_an_idempotent_write_goes_through_whatever_is_lost(lab: RunningLab, api: Client, kind: str) -> None:
    vpc = make_vpc(api, "10.0.0.0/16")
    group = api.call(ME, HERE, "ec2:CreateSecurityGroup", GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    lab.control.config(faults=[{"kind": kind, "actions": "ec2:*SecurityGroupIngress", "times": 2}])
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    api.call(ME, HERE, "ec2:AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
    network = build(observe(api, [Scope(ME, HERE, files=USUAL, vpc_ids=None)]))
    assert [rule.cidr for rule in network.rules_of[group] if not rule.egress] == ["10.0.0.0/8"]
    lab.control.config(faults=[])
    with pytest.raises(AwsError, match=r"InvalidPermission\.Duplicate"):
        api.call(ME, HERE, "ec2:AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])


def test_a_lost_delete_is_done(lab: RunningLab, api: Client) -> None:
    vpc = make_vpc(api, "10.0.0.0/16")
    lab.control.config(faults=[{"kind": "reset_after", "actions": "ec2:DeleteVpc", "times": 1}])
    api.call(ME, HERE, "ec2:DeleteVpc", VpcId=vpc)
    assert Watcher(api).wait(ME, HERE, "Vpcs", vpc, [GONE], 5) == {}
    with pytest.raises(AwsError, match=r"InvalidVpcID\.NotFound"):
        api.call(ME, HERE, "ec2:DeleteVpc", VpcId="vpc-00000000000000000")


def test_what_was_just_made_and_is_not_known_yet_is_waited_for(lab: RunningLab, api: Client) -> None:
    lab.control.config(faults=[{"kind": "not_found", "seconds": 0.6}])
    vpc = make_vpc(api, "10.0.0.0/16")
    subnet = api.call(ME, HERE, "ec2:CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    assert Watcher(api).wait(ME, HERE, "Subnets", subnet, ["available"], 10)["SubnetId"] == subnet


def test_reading_survives_a_bad_day(lab: RunningLab, api: Client) -> None:
    vpcs = [make_vpc(api, f"10.{n}.0.0/16") for n in range(5)]
    calm = observe(api, [Scope(ME, HERE, "t", USUAL, tuple(vpcs))])
    lab.control.config(
        faults=[
            {"kind": "throttle", "actions": "read", "rate": 0.2, "seed": 7},
            {"kind": "internal", "actions": "read", "rate": 0.2, "seed": 8},
            {"kind": "reset_before", "actions": "read", "rate": 0.2, "seed": 9},
        ]
    )
    assert observe(api, [Scope(ME, HERE, "t", USUAL, tuple(vpcs))]) == calm


def test_denials_and_expiry_have_their_words(lab: RunningLab, api: Client) -> None:
    lab.control.config(faults=[{"kind": "denied", "actions": "ec2:DescribeSubnets"}])
    with pytest.raises(
        AccessDenied, match=r"^ec2:DescribeSubnets: access denied in account 111111111111, Region us-east-1 \(UnauthorizedOperation\)"
    ):
        observe(api, [Scope(ME, HERE, "t", USUAL, None)])
    lab.control.config(faults=[{"kind": "expired", "actions": "*:*"}])
    with pytest.raises(CredentialsError, match="the credentials have expired"):
        observe(api, [Scope(ME, HERE)])


def test_credentials_that_the_lab_does_not_know(lab: RunningLab) -> None:
    params = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "x", "endpoint_url": lab.url, "region": HERE}
    sessions = Sessions(params, target="lab")
    with pytest.raises(CredentialsError, match=r"AWS does not accept the credentials \(InvalidClientTokenId"):
        sessions.identities(Client(sessions))


def test_a_role_that_may_not_be_assumed(lab: RunningLab) -> None:
    sessions = Sessions({"profile": "lab"}, [Ambient("dev", role_arn="arn:aws:iam::444444444444:role/none")], target="lab")
    with pytest.raises(AccessDenied, match=r"^sts:AssumeRole: access denied in account 'dev', Region us-east-1 \(AccessDenied\)"):
        sessions.identities(Client(sessions), ["dev"])


def test_no_lab_at_all(lab: RunningLab) -> None:
    sessions = Sessions({"access_key": "x", "secret_key": "y", "region": HERE, "endpoint_url": "http://127.0.0.1:9"}, target="lab")
    with pytest.raises(EndpointUnreachable) as caught:
        sessions.identities(Client(sessions))
    assert str(caught.value) == (
        "no answer from http://127.0.0.1:9/ to sts:GetCallerIdentity: "
        "is the lab running? `make lab`, or the playbook cloudnet.vpc.lab, starts it"
    )
