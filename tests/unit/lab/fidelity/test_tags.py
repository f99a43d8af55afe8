# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags: types, limits, ids that do not exist, two accounts, tags at creation."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import B, Vpc, join, make_vpc, refused

TAGS = [{"Key": "owner", "Value": "us"}]


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def test_types_as_aws_names_them(vpc: Vpc) -> None:
    client, subnet = vpc.client, vpc.subnet("10.0.1.0/24")
    group = client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    made = {
        "vpc": vpc.id,
        "subnet": subnet,
        "security-group": group,
        "security-group-rule": client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
            "SecurityGroupRules"
        ][0]["SecurityGroupRuleId"],
        "elastic-ip": client.allocate_address(Domain="vpc")["AllocationId"],
        "natgateway": client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"],
        "network-acl": client.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"],
        "network-interface": client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"],
        "route-table": vpc.table(),
        "internet-gateway": client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"],
        "egress-only-internet-gateway": client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"][
            "EgressOnlyInternetGatewayId"
        ],
        "vpc-endpoint": client.create_vpc_endpoint(VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3")["VpcEndpoint"]["VpcEndpointId"],
        "prefix-list": client.create_managed_prefix_list(PrefixListName="p", AddressFamily="IPv4", MaxEntries=1)["PrefixList"][
            "PrefixListId"
        ],
        "vpc-flow-log": client.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[vpc.id],
            TrafficType="ALL",
            LogGroupName="g",
            DeliverLogsPermissionArn=f"arn:aws:iam::{vpc.account}:role/r",
        )["FlowLogIds"][0],
    }
    client.create_tags(Resources=list(made.values()), Tags=TAGS)
    found = {tag["ResourceType"]: tag["ResourceId"] for tag in client.describe_tags()["Tags"]}
    assert found == made
    one = client.describe_tags(Filters=[{"Name": "resource-type", "Values": ["natgateway"]}, {"Name": "key", "Values": ["own*"]}])["Tags"]
    assert [tag["ResourceId"] for tag in one] == [made["natgateway"]]


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        ("sg-0123456789abcdef0", "InvalidGroup.NotFound"),
        ("sgr-0123456789abcdef0", "InvalidSecurityGroupRuleId.NotFound"),
        ("nat-0123456789abcdef0", "InvalidNatGatewayID.NotFound"),
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("pcx-0123456789abcdef0", "InvalidVpcPeeringConnectionID.NotFound"),
        ("nonsense", "InvalidID"),
        ("what-0123456789abcdef0", "InvalidID"),
    ],
)
def test_ids_that_name_nothing(vpc: Vpc, resource: str, code: str) -> None:
    with refused(code):
        vpc.client.create_tags(Resources=[vpc.id, resource], Tags=TAGS)
    assert vpc.client.describe_tags()["Tags"] == []


def test_limits(vpc: Vpc) -> None:
    for tags, code in (
        ([{"Key": "aws:name", "Value": "x"}], "InvalidParameterValue"),
        ([{"Key": "k" * 129, "Value": "x"}], "InvalidParameterValue"),
        ([{"Key": "k", "Value": "v" * 257}], "InvalidParameterValue"),
        ([{"Key": "k", "Value": "a"}, {"Key": "k", "Value": "b"}], "InvalidParameterValue"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(51)], "TagLimitExceeded"),
    ):
        with refused(code):
            vpc.client.create_tags(Resources=[vpc.id], Tags=tags)
    vpc.client.create_tags(Resources=[vpc.id], Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    vpc.client.create_tags(Resources=[vpc.id], Tags=[{"Key": "k7", "Value": "again"}])
    with refused("TagLimitExceeded"):
        vpc.client.create_tags(Resources=[vpc.id], Tags=[{"Key": "one more", "Value": ""}])


def test_tags_are_deleted_by_key_or_by_value(vpc: Vpc) -> None:
    vpc.client.create_tags(Resources=[vpc.id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "c", "Value": "3"}])
    vpc.client.delete_tags(Resources=[vpc.id], Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}])
    assert [tag["Key"] for tag in vpc.client.describe_tags()["Tags"]] == ["b", "c"]
    vpc.client.delete_tags(Resources=[vpc.id])
    assert vpc.client.describe_tags()["Tags"] == []


def test_two_owners_of_a_connection_do_not_see_each_others_tags(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16", account=B)
    key = join(here, there)
    here.client.create_tags(Resources=[key], Tags=TAGS)
    there.client.create_tags(Resources=[key], Tags=[{"Key": "owner", "Value": "them"}])
    for vpc, value in ((here, "us"), (there, "them")):
        assert [tag["Value"] for tag in vpc.client.describe_tags()["Tags"]] == [value]
        shown = vpc.client.describe_vpc_peering_connections()["VpcPeeringConnections"][0]["Tags"]
        assert shown == [{"Key": "owner", "Value": value}]


def test_tags_at_creation(vpc: Vpc) -> None:
    def spec(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": TAGS}]

    client = vpc.client
    assert client.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=spec("vpc"))["Vpc"]["Tags"] == TAGS
    assert client.create_subnet(VpcId=vpc.id, CidrBlock="10.0.1.0/24", TagSpecifications=spec("subnet"))["Subnet"]["Tags"] == TAGS
    assert client.create_route_table(VpcId=vpc.id, TagSpecifications=spec("route-table"))["RouteTable"]["Tags"] == TAGS
    assert client.create_internet_gateway(TagSpecifications=spec("internet-gateway"))["InternetGateway"]["Tags"] == TAGS
    eigw = client.create_egress_only_internet_gateway(VpcId=vpc.id, TagSpecifications=spec("egress-only-internet-gateway"))
    assert eigw["EgressOnlyInternetGateway"]["Tags"] == TAGS
    assert client.create_network_acl(VpcId=vpc.id, TagSpecifications=spec("network-acl"))["NetworkAcl"]["Tags"] == TAGS
    assert len(client.describe_tags(Filters=[{"Name": "tag:owner", "Values": ["us"]}])["Tags"]) == 6
    with refused("InvalidParameterValue", "'subnet'"):
        client.create_vpc(CidrBlock="10.2.0.0/16", TagSpecifications=spec("subnet"))
    assert len(client.describe_vpcs()["Vpcs"]) == 2


def _tagged(lab: Any) -> set[str]:
    """The resources that have tags, by the emulator's own table, after DescribeTags has been asked."""
    shown = {tag["ResourceId"] for tag in lab.client("ec2").describe_tags()["Tags"]}
    assert {key for key, tags in lab.lab.backend("ec2", "111111111111", "us-east-1").tags.items() if tags} == shown
    return shown


def test_tags_go_with_their_resource(vpc: Vpc, lab: Any) -> None:
    client, subnet = vpc.client, vpc.subnet("10.0.1.0/24")
    other = make_vpc(lab, "10.9.0.0/16")
    group = client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    rules = client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    own = [{"Name": "vpc-id", "Values": [vpc.id]}]
    default = client.describe_security_groups(Filters=[*own, {"Name": "group-name", "Values": ["default"]}])
    acls = client.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["NetworkAcls"]
    image = "ami-0123456789abcdef0"
    instance = client.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
    interfaces = client.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
    address = client.allocate_address(Domain="vpc")["AllocationId"]
    table = client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    six = client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    key = client.create_key_pair(KeyName="k")["KeyPairId"]
    nat = client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    names = client.create_managed_prefix_list(PrefixListName="p", AddressFamily="IPv4", MaxEntries=1)["PrefixList"]["PrefixListId"]
    endpoint = client.create_vpc_endpoint(VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3")["VpcEndpoint"]["VpcEndpointId"]
    acl = client.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"]
    pcx = join(vpc, other)
    gone = [vpc.id, subnet, group, *(rule["SecurityGroupRuleId"] for rule in rules), default["SecurityGroups"][0]["GroupId"]]
    gone += [item["NetworkAclId"] for item in acls] + [item["NetworkInterfaceId"] for item in interfaces]
    gone += [instance, address, table, gateway]
    gone += [six, key, nat, names, endpoint, acl, pcx, vpc.table()]
    for start in range(0, len(gone), 10):
        client.create_tags(Resources=[other.id, *gone[start : start + 10]], Tags=TAGS)
    assert _tagged(lab) == {other.id, *gone}

    client.terminate_instances(InstanceIds=[instance])
    client.delete_nat_gateway(NatGatewayId=nat)
    client.delete_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    # AWS shows these for a while after their end, and their tags as long.
    assert {instance, nat, pcx} <= _tagged(lab)
    client.release_address(AllocationId=address)
    client.delete_route_table(RouteTableId=table)
    client.delete_internet_gateway(InternetGatewayId=gateway)
    client.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=six)
    client.delete_key_pair(KeyName="k")
    client.delete_managed_prefix_list(PrefixListId=names)
    client.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    client.delete_network_acl(NetworkAclId=acl)
    client.delete_security_group(GroupId=group)
    client.delete_subnet(SubnetId=subnet)
    client.delete_vpc(VpcId=vpc.id)
    lab.control.advance(3 * 86400)
    assert _tagged(lab) == {other.id}


def test_a_revoked_rules_tags_are_not_found_by_its_id(vpc: Vpc) -> None:
    group = vpc.client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    tags = [{"ResourceType": "security-group-rule", "Tags": TAGS}]
    made = vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission], TagSpecifications=tags)
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    chosen = [{"Name": "resource-id", "Values": [rule]}]
    assert [tag["Key"] for tag in vpc.client.describe_tags(Filters=chosen)["Tags"]] == ["owner"]
    vpc.client.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
    assert vpc.client.describe_tags(Filters=chosen)["Tags"] == []
