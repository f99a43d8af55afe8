# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All describe calls that the lab offers, as botocore lists them: each documented filter, pages, tokens, unknown and malformed ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import claims
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity import describing
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import service_model
from support.in_process import InProcess

_MODEL = service_model("ec2")
# What a call must be told besides.
_NEEDED = {
    "DescribeFleetInstances": {"FleetId": "fleet-0123456789abcdef0"},
    "DescribeStaleSecurityGroups": {"VpcId": "vpc"},
    "DescribeVpcEndpointServicePermissions": {"ServiceId": "service"},
    "DescribeSpotFleetInstances": {"SpotFleetRequestId": "sfr-123f8fc2-11aa-22bb-33cc-0123456789ab"},
    "GetManagedPrefixListAssociations": {"PrefixListId": "list"},
    "GetManagedPrefixListEntries": {"PrefixListId": "list"},
    "GetSubnetCidrReservations": {"SubnetId": "subnet"},
    "GetTransitGatewayRouteTableAssociations": {"TransitGatewayRouteTableId": "routes"},
    "GetTransitGatewayRouteTablePropagations": {"TransitGatewayRouteTableId": "routes"},
    "DescribeLaunchTemplateVersions": {"Versions": ["$Latest"]},
    "DescribeImages": {"Owners": ["self"]},
    "DescribeSnapshots": {"SnapshotIds": "snapshots"},
    # Of 1,400 types, some.
    "DescribeInstanceTypes": {"InstanceTypes": ["t3.micro", "t3.small", "m5.large", "m5.xlarge", "c5.large", "r5.large"]},
    "DescribeAddressesAttribute": {"AllocationIds": "addresses"},
}
# They name things that nobody makes here.
# The emulator's answers to the others are long, and the same for everybody.
_UNASKED = {
    "DescribeInstanceTypeOfferings",
    "DescribeSpotPriceHistory",
    "DescribeReservedInstancesOfferings",
    "DescribeFleetInstances",
    "DescribeSpotFleetInstances",
}
_CALLS = [name for name in claims.READ["ec2"] if name.startswith(("Describe", "Get")) and name not in _UNASKED]
_FILTERED = [name for name in _CALLS if describing.filter_member(name)]
_PAGED = [name for name in _CALLS if "MaxResults" in (getattr(_MODEL.operation_model(name).input_shape, "members", None) or ())]
_AMI = "ami-0123456789abcdef0"


@pytest.fixture(scope="module")
def world(running_lab: RunningLab) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A lab with two of almost everything, and the ids that calls must be told."""
    running_lab.lab.on_change.clear()
    running_lab.control.reset()
    client = running_lab.client("ec2")

    def tags(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": f"a {kind}"}]}]

    known: dict[str, Any] = {}
    for number in (1, 2):
        vpc = client.create_vpc(CidrBlock=f"10.{number}.0.0/16", AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tags("vpc"))["Vpc"][
            "VpcId"
        ]
        client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        six = client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
        subnet = client.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.1.0/24", Ipv6CidrBlock=six, TagSpecifications=tags("subnet"))[
            "Subnet"
        ]["SubnetId"]
        gateway = client.create_internet_gateway(TagSpecifications=tags("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
        client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = client.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table"))["RouteTable"]["RouteTableId"]
        client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        client.associate_route_table(RouteTableId=table, SubnetId=subnet)
        client.create_egress_only_internet_gateway(VpcId=vpc, TagSpecifications=tags("egress-only-internet-gateway"))
        group = client.create_security_group(
            VpcId=vpc, GroupName=f"web{number}", Description="x", TagSpecifications=tags("security-group")
        )["GroupId"]
        client.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 80,
                    "ToPort": 81,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
                    "UserIdGroupPairs": [{"GroupId": group}],
                }
            ],
        )
        client.create_network_acl(VpcId=vpc, TagSpecifications=tags("network-acl"))
        address = client.allocate_address(TagSpecifications=tags("elastic-ip"))["AllocationId"]
        client.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=tags("natgateway"))
        client.create_vpc_endpoint(
            VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table], TagSpecifications=tags("vpc-endpoint")
        )
        client.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.ssm", SubnetIds=[subnet])
        lists = client.create_managed_prefix_list(
            PrefixListName=f"own{number}",
            MaxEntries=9,
            AddressFamily="IPv4",
            TagSpecifications=tags("prefix-list"),
            Entries=[{"Cidr": f"192.0.2.{item}/32"} for item in range(7)],
        )["PrefixList"]["PrefixListId"]
        client.create_dhcp_options(
            DhcpConfigurations=[{"Key": "domain-name", "Values": ["a.example"]}], TagSpecifications=tags("dhcp-options")
        )
        client.create_key_pair(KeyName=f"key{number}", TagSpecifications=tags("key-pair"))
        launch = client.run_instances(
            ImageId=_AMI,
            InstanceType="t3.micro",
            MinCount=3,
            MaxCount=3,
            KeyName=f"key{number}",
            TagSpecifications=tags("instance"),
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": subnet,
                    "Groups": [group],
                    "AssociatePublicIpAddress": True,
                    "Ipv6AddressCount": 1,
                    "Description": "main",
                }
            ],
        )
        instance = launch["Instances"][0]["InstanceId"]
        volume = client.create_volume(AvailabilityZone="us-east-1a", Size=8, VolumeType="gp3", TagSpecifications=tags("volume"))["VolumeId"]
        snapshot = client.create_snapshot(VolumeId=volume, Description="x", TagSpecifications=tags("snapshot"))["SnapshotId"]
        client.modify_volume(VolumeId=volume, Size=9)
        client.create_image(InstanceId=instance, Name=f"image{number}", TagSpecifications=tags("image"))
        client.create_launch_template(
            LaunchTemplateName=f"base{number}",
            LaunchTemplateData={"ImageId": _AMI, "InstanceType": "t3.nano", "EbsOptimized": True},
            TagSpecifications=tags("launch-template"),
        )
        transit = client.create_transit_gateway(Description="x", TagSpecifications=tags("transit-gateway"))["TransitGateway"]
        client.create_transit_gateway_vpc_attachment(TransitGatewayId=transit["TransitGatewayId"], VpcId=vpc, SubnetIds=[subnet])
        routes = client.create_transit_gateway_route_table(TransitGatewayId=transit["TransitGatewayId"])["TransitGatewayRouteTable"][
            "TransitGatewayRouteTableId"
        ]
        client.create_customer_gateway(
            BgpAsn=65000 + number, PublicIp=f"198.51.100.{number}", Type="ipsec.1", TagSpecifications=tags("customer-gateway")
        )
        client.create_vpn_gateway(Type="ipsec.1", TagSpecifications=tags("vpn-gateway"))
        running_lab.client("logs").create_log_group(logGroupName=f"flows{number}")
        role = running_lab.client("iam").create_role(
            RoleName=f"flows{number}", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
        )["Role"]["Arn"]
        client.create_flow_logs(
            ResourceIds=[vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName=f"flows{number}",
            DeliverLogsPermissionArn=role,
            TagSpecifications=tags("vpc-flow-log"),
        )
        known |= {"vpc": vpc, "subnet": subnet, "list": lists, "routes": routes, "snapshots": [snapshot], "addresses": [address]}
    client.create_vpc_peering_connection(
        VpcId=vpc, PeerVpcId=vpc.replace(vpc, client.describe_vpcs()["Vpcs"][0]["VpcId"]), TagSpecifications=tags("vpc-peering-connection")
    )
    known["service"] = "vpce-svc-0123456789abcdef0"
    yield InProcess(running_lab.lab), known
    running_lab.control.reset()


def _ask(world: tuple[Any, dict[str, Any]], action: str, **params: Any) -> dict[str, Any]:
    asker, known = world
    needed = {name: known.get(value, value) if isinstance(value, str) else value for name, value in _NEEDED.get(action, {}).items()}
    answer: dict[str, Any] = asker.ask("ec2", action, {**needed, **params})
    return answer


def _code(world: tuple[Any, dict[str, Any]], action: str, **params: Any) -> str:
    try:
        _ask(world, action, **params)
    except Refusal as error:
        return error.code
    return ""


def _items(action: str, answer: dict[str, Any]) -> list[Any]:
    if action == "DescribeInstances":
        return [item for entry in answer["Reservations"] for item in entry["Instances"]]
    return [item for member in describing.item_members(action) for item in answer.get(member) or []]


def _is_there(world: tuple[Any, dict[str, Any]], action: str) -> bool:
    """A call about a thing that this world has not is refused for that alone."""
    return _code(world, action) not in ("InvalidVpcEndpointServiceId.NotFound", "InvalidVpcEndpointService.NotFound")


@pytest.mark.parametrize("action", _FILTERED)
def test_documented_filters_work_and_others_are_refused(world: tuple[Any, dict[str, Any]], action: str) -> None:
    member = describing.filter_member(action)
    assert _code(world, action, **{member: [{"Name": "colour", "Values": ["red"]}]}) == "InvalidParameterValue"
    assert _code(world, action, **{member: [{"Name": "tag-key", "Values": []}]}) == "InvalidParameterValue"
    whole = _items(action, _ask(world, action)) if _is_there(world, action) else []
    for name in describing.documented(action):
        name = "tag:Name" if name == "tag:" else name
        if not whole:
            assert _code(world, action, **{member: [{"Name": name, "Values": ["x"]}]}) in ("", "InvalidVpcEndpointServiceId.NotFound"), name
            continue
        none = _items(action, _ask(world, action, **{member: [{"Name": name, "Values": ["nothing-has-this"]}]}))
        assert none == [], name
        for item in whole[:1]:
            seen = [value for value in _seen(action, name, item) if value != ""]
            for value in seen[:1]:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                found = _items(action, _ask(world, action, **{member: [{"Name": name, "Values": [text]}]}))
                assert item in found, (name, text)
                assert all(text in map(_text, _seen(action, name, other)) for other in found), (name, text)


def _seen(action: str, name: str, item: Any) -> list[Any]:
    """What an item shows for a filter; nothing where it is read from the emulator's objects alone (tried in the tests of each call)."""
    if name.endswith("-time") or (not name.startswith("tag") and describing.path_of(action, name) is None):
        return []
    return describing.by_view(action, name, item)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("action", _PAGED)
def test_pages_are_true_and_tokens_are_checked(world: tuple[Any, dict[str, Any]], action: str) -> None:
    if not _is_there(world, action):
        return
    assert _code(world, action, MaxResults=0) == "InvalidParameterValue" or describing.bounds(action)[0] == 0
    assert _code(world, action, NextToken="nonsense") in ("InvalidParameterValue", "InvalidNextToken")
    ids = {name for name in _NEEDED.get(action, {}) if name.endswith("Ids")}
    if ids:
        return
    whole = _items(action, _ask(world, action))
    low = max(describing.bounds(action)[0], 5, len(whole) // 3)
    pages, token = [], ""
    while True:
        answer = _ask(world, action, MaxResults=low, **({"NextToken": token} if token else {}))
        pages.append(_items(action, answer))
        assert len(pages) <= len(whole) + 1
        token = answer.get("NextToken", "")
        if not token:
            break
        assert len(pages[-1]) == low
    assert [item for page in pages for item in page] == whole
    assert len(pages) == max(-(-len(whole) // low), 1)


_NO_ERROR = {
    # Unknown ones are left out, as far as the call's page tells.
    ("DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGatewayIds"),
    ("DescribeFleets", "FleetIds"),
}
_REFUSED_ALTOGETHER = {"ReservedInstancesOfferingIds", "RestorableByUserIds", "OwnerIds", "VpcIds"}


@pytest.mark.parametrize("action", [name for name in _CALLS if name.startswith("Describe") and not name.endswith("Attribute")])
def test_ids_that_are_none(world: tuple[Any, dict[str, Any]], action: str) -> None:
    shape = _MODEL.operation_model(action).input_shape
    for name in shape.members if shape is not None else ():
        if not name.endswith("Ids") or (action, name) in _NO_ERROR or name in _NEEDED.get(action, {}):
            continue
        prefix = describing_forms().get(name, ("x", ""))[0]
        unknown = _code(world, action, **{name: [f"{prefix}-0123456789abcdef0"]})
        odd = _code(world, action, **{name: ["nonsense"]})
        if unknown == "UnsupportedOperation":
            assert name in _REFUSED_ALTOGETHER
            continue
        if name == "OwnerIds":
            continue
        assert re.search("NotF|NoF|NotFound", unknown) or (name == "ZoneIds" and unknown == "InvalidParameterValue"), (name, unknown)
        assert odd == describing_forms().get(name, ("", unknown))[1], (name, odd)


def describing_forms() -> dict[str, tuple[str, str]]:
    """Parameter -> prefix and AWS's code for a malformed id."""
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.describe_ids import _FORMS

    return _FORMS


def test_bounds_are_those_of_the_model() -> None:
    assert describing.bounds("DescribeVpcs") == (5, 1000)
    assert describing.bounds("DescribeInstanceTypes") == (5, 100)
    assert describing.bounds("DescribeLaunchTemplates") == (1, 200)


def test_the_documentation_is_understood() -> None:
    assert len(describing.documented("DescribeInstances")) > 120
    assert {"architecture", "tag:", "tag-key", "vpc-id"} <= set(describing.documented("DescribeInstances"))
    assert sum(len(describing.documented(name)) for name in _FILTERED) > 700


def test_ids_and_pages_exclude_one_another(world: tuple[Any, dict[str, Any]]) -> None:
    key = _items("DescribeInstances", _ask(world, "DescribeInstances"))[0]["InstanceId"]
    for action in ("DescribeInstances", "DescribeInstanceStatus", "DescribeInstanceCreditSpecifications"):
        assert _code(world, action, InstanceIds=[key], MaxResults=5) == "InvalidParameterCombination"
