# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From describe answers to the network: every object, both sides of a peering, nothing dropped in silence, and fast."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import TARGETS, Network, PeeringSide, Route
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot

ME, PEER, HERE, THERE = "111111111111", "222222222222", "us-east-1", "eu-west-1"


def network(account: str = ME, region: str = HERE, /, **files: list[dict[str, Any]]) -> Network:
    return build(Snapshot({(account, region, file): tuple(items) for file, items in files.items()}))


def test_a_vpc_with_every_kind_of_block_and_its_attributes() -> None:
    item = {
        "VpcId": "vpc-1",
        "OwnerId": ME,
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {"AssociationId": "a-2", "CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "associated"}},
            {"AssociationId": "a-1", "CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
            {"AssociationId": "a-3", "CidrBlock": "10.8.0.0/16", "CidrBlockState": {"State": "disassociated"}},
        ],
        "Ipv6CidrBlockAssociationSet": [
            {"AssociationId": "a-6", "Ipv6CidrBlock": "2600:1F00::/56", "Ipv6CidrBlockState": {"State": "associated"}},
            {"AssociationId": "a-7", "Ipv6CidrBlock": "", "Ipv6CidrBlockState": {"State": "associating"}},
        ],
        "Tags": [
            {"Key": "Name", "Value": "ops"},
            {"Key": "cloudnet:topology", "Value": "t"},
            {"Key": "cloudnet:name", "Value": "vpcs.ops"},
        ],
    }
    attributes = {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": False}}
    vpc = network(Vpcs=[item], VpcAttributes=[attributes]).vpcs["vpc-1"]
    assert vpc.cidrs == ("10.0.0.0/16", "10.9.0.0/16")
    assert vpc.ipv6_cidrs == ("2600:1f00::/56",)
    assert vpc.associations == {"10.0.0.0/16": "a-1", "10.9.0.0/16": "a-2", "2600:1f00::/56": "a-6"}
    assert (vpc.dns_support, vpc.dns_hostnames, vpc.shared) == (True, False, False)
    assert (vpc.topology, vpc.name, vpc.label) == ("t", "vpcs.ops", "ops (vpc-1)")
    assert network(Vpcs=[item]).vpcs["vpc-1"].dns_support is None


def test_a_shared_vpc_belongs_to_its_owner_whose_view_counts() -> None:
    item = {"VpcId": "vpc-1", "OwnerId": PEER, "CidrBlock": "10.0.0.0/16"}
    assert network(Vpcs=[item]).vpcs["vpc-1"].shared is True
    assert network(Vpcs=[item]).vpcs["vpc-1"].account == PEER
    tagged = item | {"Tags": [{"Key": "Name", "Value": "owner's"}]}
    both = build(Snapshot({(PEER, HERE, "Vpcs"): (tagged,), (ME, HERE, "Vpcs"): (item,)}))
    assert both.vpcs["vpc-1"].shared is False and both.vpcs["vpc-1"].tags == {"Name": "owner's"}


ROUTES: list[tuple[dict[str, Any], Route]] = [
    ({"GatewayId": "local", "Origin": "CreateRouteTable"}, Route("10.0.0.0/8", "local", "local", "active", "CreateRouteTable")),
    ({"GatewayId": "igw-1"}, Route("10.0.0.0/8", "internet", "igw-1")),
    (
        {"GatewayId": "vgw-1", "Origin": "EnableVgwRoutePropagation"},
        Route("10.0.0.0/8", "vpn", "vgw-1", "active", "EnableVgwRoutePropagation"),
    ),
    ({"GatewayId": "vpce-1"}, Route("10.0.0.0/8", "endpoint", "vpce-1")),
    ({"GatewayId": "new-1"}, Route("10.0.0.0/8", "unknown", "new-1")),
    ({"VpcPeeringConnectionId": "pcx-1", "State": "blackhole"}, Route("10.0.0.0/8", "peering", "pcx-1", "blackhole")),
    ({"NatGatewayId": "nat-1"}, Route("10.0.0.0/8", "nat", "nat-1")),
    ({"NetworkInterfaceId": "eni-1", "InstanceId": "i-1", "InstanceOwnerId": ME}, Route("10.0.0.0/8", "eni", "eni-1", instance="i-1")),
    ({"InstanceId": "i-1", "State": "blackhole"}, Route("10.0.0.0/8", "instance", "i-1", "blackhole", instance="i-1")),
    ({"EgressOnlyInternetGatewayId": "eigw-1"}, Route("10.0.0.0/8", "egress_only", "eigw-1")),
    ({"TransitGatewayId": "tgw-1"}, Route("10.0.0.0/8", "transit_gateway", "tgw-1")),
    ({"CarrierGatewayId": "cagw-1"}, Route("10.0.0.0/8", "carrier", "cagw-1")),
    ({"LocalGatewayId": "lgw-1"}, Route("10.0.0.0/8", "local_gateway", "lgw-1")),
    ({"CoreNetworkArn": "arn:core"}, Route("10.0.0.0/8", "core_network", "arn:core")),
    ({"OdbNetworkArn": "arn:odb"}, Route("10.0.0.0/8", "odb_network", "arn:odb")),
    ({"TeleporterId": "tp-1"}, Route("10.0.0.0/8", "unknown", "tp-1")),
]


@pytest.mark.parametrize(("told", "route"), ROUTES, ids=lambda value: value.target if isinstance(value, Route) else "")
def test_every_route_target_is_kept(told: dict[str, Any], route: Route) -> None:
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/8", "State": "active"} | told]}
    assert network(RouteTables=[table]).route_tables["rtb-1"].routes == (route,)


def test_every_target_of_the_model_has_a_case_above() -> None:
    assert set(TARGETS) - {"gateway"} <= {route.via for _other, route in ROUTES}


def test_a_route_table_with_its_associations_and_destinations() -> None:
    table = network(
        RouteTables=[
            {
                "RouteTableId": "rtb-1",
                "VpcId": "vpc-1",
                "Routes": [
                    {"DestinationIpv6CidrBlock": "2001:DB8::/32", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active"},
                    {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"},
                ],
                "Associations": [
                    {"RouteTableAssociationId": "rtbassoc-1", "Main": True, "AssociationState": {"State": "associated"}},
                    {"RouteTableAssociationId": "rtbassoc-2", "SubnetId": "subnet-1", "Main": False},
                    {"RouteTableAssociationId": "rtbassoc-3", "SubnetId": "subnet-2", "AssociationState": {"State": "disassociated"}},
                ],
                "PropagatingVgws": [{"GatewayId": "vgw-1"}],
            }
        ]
    ).route_tables["rtb-1"]
    assert table.main and table.propagating == ("vgw-1",)
    assert list(table.by_destination) == ["2001:db8::/32", "pl-1"]
    assert [link.subnet for link in table.associations] == ["", "subnet-1"]


def peering(code: str = "active", tags: str = "", **sides: Any) -> dict[str, Any]:
    item = {
        "VpcPeeringConnectionId": "pcx-1",
        "Status": {"Code": code, "Message": code.title()},
        "RequesterVpcInfo": {"VpcId": "vpc-1", "OwnerId": ME, "Region": HERE},
        "AccepterVpcInfo": {"VpcId": "vpc-2", "OwnerId": PEER, "Region": THERE},
        "Tags": [{"Key": "side", "Value": tags}] if tags else [],
    }
    for side, more in sides.items():
        item[side] = {**item[side], **more}  # type: ignore[dict-item]
    return item


def test_a_peering_is_one_object_of_two_views() -> None:
    requester = peering(
        "pending-acceptance",
        "requester",
        RequesterVpcInfo={
            "CidrBlock": "10.0.0.0/16",
            "CidrBlockSet": [{"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.1.0.0/16"}],
            "PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": True},
        },
        AccepterVpcInfo={"PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": False}},
    ) | {"ExpirationTime": "2026-01-02T03:04:05+00:00"}
    accepter = peering(
        "active",
        "accepter",
        AccepterVpcInfo={
            "CidrBlock": "10.2.0.0/16",
            "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
            "PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": True},
        },
    )
    files = {(PEER, THERE, "VpcPeeringConnections"): (accepter,), (ME, HERE, "VpcPeeringConnections"): (requester,)}
    found = build(Snapshot(files)).peerings["pcx-1"]
    assert (found.account, found.region, found.tags) == (ME, HERE, {"side": "requester"})
    assert found.seen == {(ME, HERE): {"side": "requester"}, (PEER, THERE): {"side": "accepter"}}
    # The state that is further on is the newer one: the requester's Region lags behind the acceptance.
    assert (found.status, found.message) == ("active", "Active")
    assert found.requester == PeeringSide("vpc-1", ME, HERE, ("10.0.0.0/16", "10.1.0.0/16"), (), True)
    # The accepter's own view of its option wins over the requester's stale one.
    assert found.accepter == PeeringSide("vpc-2", PEER, THERE, ("10.2.0.0/16",), ("2001:db8::/56",), True)
    assert found.expires == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert build(Snapshot(dict(reversed(files.items())))).peerings["pcx-1"] == found


def test_a_peering_of_which_only_the_accepter_was_asked() -> None:
    found = network(PEER, THERE, VpcPeeringConnections=[peering(tags="accepter")]).peerings["pcx-1"]
    assert (found.account, found.region, found.tags) == (PEER, THERE, {"side": "accepter"})
    assert found.requester.account == ME and found.requester.dns is None and found.requester.cidrs == ()


@pytest.mark.parametrize(
    ("one", "two", "newer"), [("active", "deleted", "deleted"), ("provisioning", "active", "active"), ("active", "new-state", "active")]
)
def test_states_only_move_forward(one: str, two: str, newer: str) -> None:
    for first, second in ((one, two), (two, one)):
        files = {(ME, HERE, "VpcPeeringConnections"): (peering(first),), (PEER, THERE, "VpcPeeringConnections"): (peering(second),)}
        assert build(Snapshot(files)).peerings["pcx-1"].status == newer


def test_rules_come_from_their_own_file_where_there_is_one() -> None:
    group = {
        "GroupId": "sg-1",
        "VpcId": "vpc-1",
        "GroupName": "web",
        "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    }
    rule = {
        "SecurityGroupRuleId": "sgr-1",
        "GroupId": "sg-1",
        "IpProtocol": "6",
        "FromPort": 443,
        "ToPort": 443,
        "CidrIpv4": "10.1.2.3/8",
        "Tags": [{"Key": "cloudnet:topology", "Value": "t"}],
    }
    told = network(SecurityGroups=[group], SecurityGroupRules=[rule])
    assert [(found.id, found.protocol, found.cidr, found.topology) for found in told.rules_of["sg-1"]] == [
        ("sgr-1", "tcp", "10.0.0.0/8", "t")
    ]
    assert network(SecurityGroups=[group | {"IpPermissions": []}], SecurityGroupRules=[]).rules == {}
    assert [found.cidr for found in network(SecurityGroups=[group]).rules_of["sg-1"]] == ["0.0.0.0/0"]


def test_the_other_objects() -> None:
    told = network(
        Subnets=[
            {
                "SubnetId": "subnet-1",
                "VpcId": "vpc-1",
                "CidrBlock": "10.0.0.0/24",
                "AvailabilityZone": "us-east-1a",
                "AvailabilityZoneId": "use1-az1",
                "MapPublicIpOnLaunch": True,
                "Ipv6CidrBlockAssociationSet": [
                    {"AssociationId": "x", "Ipv6CidrBlock": "2001:db8:0:1::/64", "Ipv6CidrBlockState": {"State": "disassociated"}},
                    {"AssociationId": "y", "Ipv6CidrBlock": "2001:db8::/64", "Ipv6CidrBlockState": {"State": "associated"}},
                ],
            }
        ],
        InternetGateways=[
            {"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]},
            {"InternetGatewayId": "igw-2"},
        ],
        EgressOnlyInternetGateways=[{"EgressOnlyInternetGatewayId": "eigw-1", "Attachments": [{"VpcId": "vpc-1", "State": "attached"}]}],
        NatGateways=[
            {
                "NatGatewayId": "nat-1",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-1",
                "State": "pending",
                "NatGatewayAddresses": [
                    {"AllocationId": "eipalloc-1", "PublicIp": "198.18.0.1", "PrivateIp": "10.0.0.9", "NetworkInterfaceId": "eni-9"}
                ],
            }
        ],
        Addresses=[{"AllocationId": "eipalloc-1", "PublicIp": "198.18.0.1", "NetworkInterfaceId": "eni-9"}, {"PublicIp": "198.18.0.2"}],
        NetworkAcls=[
            {
                "NetworkAclId": "acl-1",
                "VpcId": "vpc-1",
                "IsDefault": True,
                "Entries": [
                    {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": False, "CidrBlock": "0.0.0.0/0"},
                    {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"},
                ],
                "Associations": [{"NetworkAclAssociationId": "aclassoc-1", "SubnetId": "subnet-1"}],
            }
        ],
        VpcEndpoints=[
            {
                "VpcEndpointId": "vpce-1",
                "VpcId": "vpc-1",
                "ServiceName": "com.amazonaws.us-east-1.ssm",
                "VpcEndpointType": "Interface",
                "State": "Available",
                "Groups": [{"GroupId": "sg-1", "GroupName": "x"}],
                "SubnetIds": ["subnet-1"],
                "DnsEntries": [{"DnsName": "vpce-1.ssm.us-east-1.vpce.amazonaws.com"}],
                "PrivateDnsEnabled": True,
            }
        ],
        ManagedPrefixLists=[
            {
                "PrefixListId": "pl-1",
                "PrefixListName": "corp",
                "AddressFamily": "IPv4",
                "MaxEntries": 5,
                "Version": 2,
                "OwnerId": ME,
                "State": "x",
            },
            {"PrefixListId": "pl-2", "PrefixListName": "s3", "OwnerId": "AWS"},
            {"PrefixListId": "pl-3", "PrefixListName": "unread", "OwnerId": "AWS"},
        ],
        PrefixListEntries=[{"PrefixListId": "pl-1", "Entries": [{"Cidr": "10.2.0.0/16"}, {"Cidr": "10.1.0.0/16"}]}],
        PrefixLists=[{"PrefixListId": "pl-2", "PrefixListName": "s3", "Cidrs": ["3.5.0.0/19"]}],
        NetworkInterfaces=[
            {
                "NetworkInterfaceId": "eni-1",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-1",
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.0.5", "Primary": True, "Association": {"PublicIp": "198.18.0.3"}},
                    {"PrivateIpAddress": "10.0.0.6"},
                ],
                "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}],
                "Groups": [{"GroupId": "sg-1"}],
                "Attachment": {"InstanceId": "i-1"},
                "SourceDestCheck": False,
                "TagSet": [{"Key": "Name", "Value": "first"}],
            }
        ],
        Reservations=[
            {
                "ReservationId": "r-1",
                "OwnerId": ME,
                "Instances": [
                    {
                        "InstanceId": "i-1",
                        "State": {"Name": "running"},
                        "VpcId": "vpc-1",
                        "PrivateIpAddress": "10.0.0.5",
                        "NetworkInterfaces": [
                            {"NetworkInterfaceId": "eni-1"},
                            {"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.0.7"},
                        ],
                        "IamInstanceProfile": {"Arn": "arn:profile"},
                    }
                ],
            }
        ],
        FlowLogs=[{"FlowLogId": "fl-1", "ResourceId": "vpc-1", "TrafficType": "ALL", "LogGroupName": "flows"}],
        VpnGateways=[{"VpnGatewayId": "vgw-1"}],
        Strange=[{"A": 1}],
    )
    subnet = told.subnets["subnet-1"]
    assert (subnet.ipv6_cidr, subnet.ipv6_association, subnet.zone, subnet.zone_id, subnet.map_public_ip) == (
        "2001:db8::/64",
        "y",
        "us-east-1a",
        "use1-az1",
        True,
    )
    assert [gateway.vpc for gateway in told.internet_gateways.values()] == ["vpc-1", ""]
    assert told.egress_only_gateways["eigw-1"].vpc == "vpc-1"
    assert told.nat_gateways["nat-1"].allocations == ("eipalloc-1",) and told.nat_gateways["nat-1"].state == "pending"
    assert list(told.addresses) == ["eipalloc-1", "198.18.0.2"]
    assert [entry.number for entry in told.network_acls["acl-1"].entries] == [100, 32767]
    assert told.network_acls["acl-1"].associations == {"subnet-1": "aclassoc-1"}
    assert told.endpoints["vpce-1"].state == "available" and told.endpoints["vpce-1"].groups == ("sg-1",)
    assert {id_: found.entries for id_, found in told.prefix_lists.items()} == {
        "pl-1": ("10.1.0.0/16", "10.2.0.0/16"),
        "pl-2": ("3.5.0.0/19",),
        "pl-3": None,
    }
    eni = told.interfaces["eni-1"]
    assert (eni.private_ips, eni.public_ips, eni.ipv6s) == (("10.0.0.5", "10.0.0.6"), {"10.0.0.5": "198.18.0.3"}, ("2001:db8::5",))
    assert (eni.instance, eni.source_dest_check, eni.tags) == ("i-1", False, {"Name": "first"})
    assert told.interfaces["eni-2"].private_ips == ("10.0.0.7",) and told.interfaces["eni-2"].instance == "i-1"
    assert told.instances["i-1"].interfaces == ("eni-1", "eni-2") and told.instances["i-1"].profile == "arn:profile"
    assert told.flow_logs["fl-1"].destination == "flows"
    assert told.others == {"VpnGateways": ({"VpnGatewayId": "vgw-1"},), "Strange": ({"A": 1},)}
    assert (ME, HERE, "FlowLogs") in told.complete and (ME, HERE, "Vpcs") not in told.complete


ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


def test_rules_of_one_group_alone_are_a_part_and_the_others_keep_their_own() -> None:
    """As ``describe-security-group-rules --filters Name=group-id`` leaves it: the other groups' permissions are told by their own call."""
    web, db, bare = (
        {"GroupId": f"sg-{name}", "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}]}
        for name, port, peer in (
            ("web", 443, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}),
            ("db", 3306, {"UserIdGroupPairs": [{"GroupId": "sg-web", "UserId": ME}]}),
            ("bare", 1, {}),
        )
    )
    rule = {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-web", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    told = network(SecurityGroups=[web, db, bare], SecurityGroupRules=[rule | {"CidrIpv4": "0.0.0.0/0"}])
    assert [found.id for found in told.rules_of["sg-web"]] == ["sgr-1"]
    assert [(found.from_port, found.source_group) for found in told.rules_of["sg-db"]] == [(3306, "sg-web")]
    told = network(SecurityGroups=[web], SecurityGroupRules=[rule | {"CidrIpv4": "10.0.0.0/8"}])
    assert [found.cidr for found in told.rules_of["sg-web"]] == ["10.0.0.0/8"]
    # A page of a group's rules: the rest is told by the group.
    both = web | {"IpPermissions": [*web["IpPermissions"], {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ANYWHERE}]}
    told = network(SecurityGroups=[both], SecurityGroupRules=[rule | {"CidrIpv4": "0.0.0.0/0"}])
    assert sorted(found.from_port or 0 for found in told.rules_of["sg-web"]) == [22, 443]


def test_rules_that_nothing_tells_are_not_rules_that_are_not_there() -> None:
    bare, told = {"GroupId": "sg-1", "VpcId": "vpc-1"}, {"IpPermissions": [], "IpPermissionsEgress": []}
    assert not network(SecurityGroups=[bare]).security_groups["sg-1"].rules_told
    assert not network(SecurityGroups=[bare | {"IpPermissions": []}]).security_groups["sg-1"].rules_told
    assert network(SecurityGroups=[bare | told]).security_groups["sg-1"].rules_told
    assert network(SecurityGroups=[bare], SecurityGroupRules=[]).security_groups["sg-1"].rules_told


def test_what_is_told_of_an_interface_beyond_its_addresses() -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html"""
    pods = {
        "NetworkInterfaceId": "eni-1",
        "Status": "in-use",
        "RequesterId": "amazon-eks",
        "RequesterManaged": True,
        "Attachment": {"InstanceOwnerId": "amazon-elb", "Status": "attached"},
        "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
        "Ipv6Prefixes": [{"Ipv6Prefix": "fd00:0:0::/80"}],
        "DenyAllIgwTraffic": True,
        "Groups": [],
    }
    told = network(NetworkInterfaces=[pods, {"NetworkInterfaceId": "eni-2", "InterfaceType": "natGateway"}]).interfaces
    eni, nat = told["eni-1"], told["eni-2"]
    assert (eni.ipv4_prefixes, eni.ipv6_prefixes) == (("10.0.1.64/28",), ("fd00::/80",))
    assert (eni.status, eni.requester, eni.attached_by, eni.requester_managed) == ("in-use", "amazon-eks", "amazon-elb", True)
    assert (eni.groups_told, eni.deny_igw) == (True, True) and (nat.groups_told, nat.deny_igw) == (False, False)
    assert nat.type == "nat_gateway"


def test_block_public_access_and_its_exclusions() -> None:
    options = {"AwsAccountId": ME, "AwsRegion": HERE, "InternetGatewayBlockMode": "block-ingress", "ExclusionsAllowed": "not-allowed"}
    exclusion = {
        "ExclusionId": "vpcbpa-exclude-1",
        "ResourceArn": f"arn:aws:ec2:{HERE}:{ME}:subnet/subnet-1",
        "InternetGatewayExclusionMode": "allow-egress",
        "State": "create-complete",
    }
    told = network(VpcBlockPublicAccessOptions=[options], VpcBlockPublicAccessExclusions=[exclusion])
    assert told.public_access[f"{ME}/{HERE}"].mode == "block-ingress" and not told.public_access[f"{ME}/{HERE}"].exclusions_allowed
    excluded = told.public_access_exclusions["vpcbpa-exclude-1"]
    assert (excluded.resource, excluded.mode, excluded.state) == ("subnet-1", "allow-egress", "create-complete")


def test_encryption_controls_of_a_vpc() -> None:
    """Told by a call of their own, and by DescribeVpcs: the call's answer counts."""
    own = {
        "VpcEncryptionControlId": "vpcec-1",
        "VpcId": "vpc-1",
        "Mode": "enforce",
        "State": "available",
        "ResourceExclusions": {"VpcPeering": {"State": "enabled"}, "NatGateway": {"State": "disabled"}},
    }
    vpcs = [
        {"VpcId": "vpc-1", "EncryptionControl": {"VpcEncryptionControlId": "vpcec-1", "Mode": "monitor"}},
        {"VpcId": "vpc-2", "EncryptionControl": {"VpcEncryptionControlId": "vpcec-2", "Mode": "monitor", "State": "available"}},
        {"VpcId": "vpc-3", "EncryptionControl": {"VpcEncryptionControlId": "vpcec-3", "Mode": "enforce", "State": "deleted"}},
    ]
    told = network(VpcEncryptionControls=[own], Vpcs=vpcs).encryption_of
    assert told["vpc-1"].mode == "enforce" and told["vpc-1"].exclusions == {"VpcPeering": "enabled", "NatGateway": "disabled"}
    assert told["vpc-2"].mode == "monitor" and "vpc-3" not in told


def test_associated_vpcs_of_a_group() -> None:
    states = {"vpc-2": "disassociated", "vpc-3": "associated", "vpc-4": "associating", "vpc-5": "disassociation-failed"}
    links = [{"GroupId": "sg-1", "VpcId": vpc, "State": state} for vpc, state in states.items()]
    told = network(SecurityGroups=[{"GroupId": "sg-1", "VpcId": "vpc-1"}], SecurityGroupVpcAssociations=links)
    assert told.security_groups["sg-1"].associated_vpcs == ("vpc-3", "vpc-5")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"Vpcs": [{"VpcId": "vpc-1"}, {}]}, "Vpcs: item 1: has no VpcId"),
        ({"RouteTables": [{"RouteTableId": "rtb-1"}]}, "RouteTables: rtb-1: has no VpcId"),
        ({"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "Tags": [{"Value": "x"}]}]}, "Subnets: subnet-1: has no Key"),
        (
            {"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [{"RuleNumber": "many"}]}]},
            "NetworkAcls: acl-1: cannot be understood: invalid literal for int() with base 10: 'many'",
        ),
        (
            {"Reservations": [{"ReservationId": "r-1", "Instances": ["i-1"]}]},
            "Reservations: item 0: cannot be understood: string indices must be integers, not 'str'",
        ),
    ],
)
def test_a_misshapen_item_is_left_out_with_one_line_that_names_it(files: dict[str, Any], message: str) -> None:
    found = network(**{"Subnets": [], **files}, Addresses=[{"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1"}])
    assert found.warnings == (f"account {ME}, Region {HERE}, {message}; left out [BAD_SHAPE]",)
    assert [fault.code for fault in found.faults] == ["BAD_SHAPE"]
    assert "eipalloc-1" in found.addresses, "the others are read"
    (file,) = files
    assert (ME, HERE, file) not in found.complete, "what the file tells is not known in full"


def test_a_large_account_is_built_in_a_moment() -> None:
    """10,000 ENIs in 100 VPCs with 5,000 rules: a few seconds at most, and far less than 1 GiB."""
    vpcs = [{"VpcId": f"vpc-{n}", "OwnerId": ME, "CidrBlock": f"10.{n}.0.0/16"} for n in range(100)]
    enis = [
        {
            "NetworkInterfaceId": f"eni-{n}",
            "OwnerId": ME,
            "VpcId": f"vpc-{n % 100}",
            "SubnetId": f"subnet-{n % 100}",
            "PrivateIpAddresses": [{"PrivateIpAddress": f"10.{n % 100}.{n // 250 % 250}.{n % 250}"}],
            "Groups": [{"GroupId": f"sg-{n % 500}"}],
            "TagSet": [{"Key": "Name", "Value": f"eni {n}"}],
        }
        for n in range(10_000)
    ]
    rules = [
        {
            "SecurityGroupRuleId": f"sgr-{n}",
            "GroupId": f"sg-{n % 500}",
            "GroupOwnerId": ME,
            "IpProtocol": "tcp",
            "FromPort": n,
            "ToPort": n,
            "CidrIpv4": f"10.{n % 100}.0.0/16",
        }
        for n in range(5_000)
    ]
    tracemalloc.start()
    started = time.thread_time()
    told = network(Vpcs=vpcs, NetworkInterfaces=enis, SecurityGroupRules=rules)
    seconds = time.thread_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(told.interfaces), len(told.rules)) == (10_000, 5_000)
    assert seconds < 5 and peak < 256 * 2**20
