# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read after a call is all that the call changed: networks kept up to date equal networks read anew, after calls by chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import SOURCES
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.needs import FILES, apart, needs
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.reader import Reader, difference
from botocore.exceptions import ClientError

from ..fidelity.vpc_helpers import AWAY, HOME, A, B, join, make_vpc
from .conftest import Planes

IMAGE = "ami-12345678"


def anew(lab: Any) -> Network:
    reader = Reader(lab.lab)
    with lab.lab.lock:
        reader.read_all()
    reader.build()
    return reader.network


def check(lab: Any, planes: Planes, after: str) -> None:
    """The twin knows what the lab holds."""
    told, full = planes.twin.network, anew(lab)
    for name in SOURCES:
        old, new = getattr(told, name), getattr(full, name)
        wrong = sorted(id_ for id_ in {*old, *new} if old.get(id_) != new.get(id_))
        assert not wrong, f"after {after}: {name} {wrong[0]} is {old.get(wrong[0])} and should be {new.get(wrong[0])}"


class Chaos:
    """Calls by chance upon whatever is there, in two accounts and two Regions; AWS may refuse any of them."""

    def __init__(self, lab: Any, seed: int) -> None:
        self.lab, self.random = lab, random.Random(seed)
        self.places = [(A, HOME), (B, HOME), (A, AWAY)]
        self.number = 0

    def ec2(self, place: tuple[str, str]) -> Any:
        return self.lab.client("ec2", account=place[0], region=place[1])

    def one(self, items: list[Any]) -> Any:
        if not items:
            raise LookupError
        return self.random.choice(items)

    def act(self) -> str:
        """One call that succeeded, by name."""
        while True:
            place = self.one(self.places)
            name = self.one(sorted(ACTIONS))
            try:
                ACTIONS[name](self, self.ec2(place), place)
            except (LookupError, ClientError):
                continue
            return name

    def vpc(self, ec2: Any) -> str:
        return str(self.one(ec2.describe_vpcs()["Vpcs"])["VpcId"])

    def subnet(self, ec2: Any) -> dict[str, Any]:
        return dict(self.one(ec2.describe_subnets()["Subnets"]))

    def group(self, ec2: Any, vpc: str = "") -> str:
        groups = [item for item in ec2.describe_security_groups()["SecurityGroups"] if vpc in ("", item["VpcId"])]
        return str(self.one(groups)["GroupId"])

    def table(self, ec2: Any) -> dict[str, Any]:
        return dict(self.one(ec2.describe_route_tables()["RouteTables"]))

    def eni(self, ec2: Any) -> dict[str, Any]:
        return dict(self.one(ec2.describe_network_interfaces()["NetworkInterfaces"]))

    def instance(self, ec2: Any) -> str:
        found = [item for group in ec2.describe_instances()["Reservations"] for item in group["Instances"]]
        return str(self.one([item for item in found if item["State"]["Name"] != "terminated"])["InstanceId"])

    def peering(self, ec2: Any) -> dict[str, Any]:
        return dict(self.one(ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]))

    def next(self) -> int:
        self.number += 1
        return self.number


def _create_vpc(chaos: Chaos, ec2: Any, _place: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock=f"10.{chaos.next() % 250}.0.0/16", AmazonProvidedIpv6CidrBlock=chaos.random.random() < 0.5)["Vpc"]
    ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=vpc["CidrBlock"].replace("0.0/16", "1.0/24"))


def _peer(chaos: Chaos, ec2: Any, _place: Any) -> None:
    place = chaos.one(chaos.places)
    peer = chaos.vpc(chaos.ec2(place))
    ec2.create_vpc_peering_connection(VpcId=chaos.vpc(ec2), PeerVpcId=peer, PeerOwnerId=place[0], PeerRegion=place[1])


def _route(chaos: Chaos, ec2: Any, _place: Any) -> None:
    table = chaos.table(ec2)
    by: dict[str, Callable[[], str]] = {
        "VpcPeeringConnectionId": lambda: chaos.peering(ec2)["VpcPeeringConnectionId"],
        "NetworkInterfaceId": lambda: chaos.eni(ec2)["NetworkInterfaceId"],
        "InstanceId": lambda: chaos.instance(ec2),
        "GatewayId": lambda: chaos.one(ec2.describe_internet_gateways()["InternetGateways"])["InternetGatewayId"],
        "NatGatewayId": lambda: chaos.one(ec2.describe_nat_gateways()["NatGateways"])["NatGatewayId"],
    }
    kind = chaos.one(sorted(by))
    to = {"DestinationCidrBlock": f"172.{16 + chaos.next() % 16}.0.0/16"}
    if chaos.random.random() < 0.3 and len(table["Routes"]) > 1:
        to = {"DestinationCidrBlock": chaos.one([item["DestinationCidrBlock"] for item in table["Routes"][1:]])}
        if chaos.random.random() < 0.5:
            ec2.delete_route(RouteTableId=table["RouteTableId"], **to)
        else:
            ec2.replace_route(RouteTableId=table["RouteTableId"], **to, **{kind: by[kind]()})
        return
    ec2.create_route(RouteTableId=table["RouteTableId"], **to, **{kind: by[kind]()})


def _rule(chaos: Chaos, ec2: Any, place: tuple[str, str]) -> None:
    group = chaos.group(ec2)
    pair: dict[str, Any] = {"IpRanges": [{"CidrIp": f"10.{chaos.next() % 250}.0.0/16"}]}
    if chaos.random.random() < 0.5:
        other = chaos.one([item for item in chaos.places if item[1] == place[1]])
        pair = {"UserIdGroupPairs": [{"GroupId": chaos.group(chaos.ec2(other)), "UserId": other[0]}]}
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **pair}
    way = chaos.one([ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress])
    way(GroupId=group, IpPermissions=[permission])


def _revoke(chaos: Chaos, ec2: Any, _place: Any) -> None:
    rule = chaos.one(ec2.describe_security_group_rules()["SecurityGroupRules"])
    way = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
    way(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])


def _acl(chaos: Chaos, ec2: Any, _place: Any) -> None:
    acl = chaos.one(ec2.describe_network_acls()["NetworkAcls"])
    number = 100 + chaos.next() % 5
    entry = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": number, "Egress": False}
    way = chaos.random.random()
    if way < 0.3:
        ec2.delete_network_acl_entry(**entry)
    elif way < 0.6:
        made = ec2.create_network_acl(VpcId=acl["VpcId"])["NetworkAcl"]["NetworkAclId"]
        if acl["Associations"]:
            ec2.replace_network_acl_association(AssociationId=acl["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=made)
    else:
        ec2.create_network_acl_entry(**entry, Protocol="-1", RuleAction="deny", CidrBlock="10.0.0.0/8")


def _gateway(chaos: Chaos, ec2: Any, _place: Any) -> None:
    way = chaos.random.random()
    if way < 0.5:
        made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=chaos.vpc(ec2))
    elif way < 0.7:
        ec2.create_egress_only_internet_gateway(VpcId=chaos.vpc(ec2))
    else:
        gateway = chaos.one(ec2.describe_internet_gateways()["InternetGateways"])
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=gateway["Attachments"][0]["VpcId"])


def _address(chaos: Chaos, ec2: Any, _place: Any) -> None:
    found = ec2.describe_addresses()["Addresses"]
    way = chaos.random.random()
    if way < 0.4 or not found:
        ec2.allocate_address(Domain="vpc")
        return
    address = chaos.one(found)
    if way < 0.8:
        ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=chaos.eni(ec2)["NetworkInterfaceId"])
    elif address.get("AssociationId"):
        ec2.disassociate_address(PublicIp=address["PublicIp"])
    else:
        ec2.release_address(AllocationId=address["AllocationId"])


def _nat(chaos: Chaos, ec2: Any, _place: Any) -> None:
    if chaos.random.random() < 0.4:
        ec2.delete_nat_gateway(NatGatewayId=chaos.one(ec2.describe_nat_gateways()["NatGateways"])["NatGatewayId"])
    elif chaos.random.random() < 0.5:
        ec2.create_nat_gateway(SubnetId=chaos.subnet(ec2)["SubnetId"], ConnectivityType="private")
    else:
        free = [item for item in ec2.describe_addresses()["Addresses"] if not item.get("AssociationId")]
        ec2.create_nat_gateway(SubnetId=chaos.subnet(ec2)["SubnetId"], AllocationId=chaos.one(free)["AllocationId"])


def _endpoint(chaos: Chaos, ec2: Any, place: tuple[str, str]) -> None:
    way, subnet = chaos.random.random(), chaos.subnet(ec2)
    if way < 0.3:
        found = chaos.one(ec2.describe_vpc_endpoints()["VpcEndpoints"])["VpcEndpointId"]
        ec2.delete_vpc_endpoints(VpcEndpointIds=[found])
    elif way < 0.6:
        service = f"com.amazonaws.{place[1]}.s3"
        tables = [item["RouteTableId"] for item in ec2.describe_route_tables()["RouteTables"] if item["VpcId"] == subnet["VpcId"]]
        ec2.create_vpc_endpoint(VpcId=subnet["VpcId"], ServiceName=service, RouteTableIds=tables[:1])
    else:
        service = f"com.amazonaws.{place[1]}.ssm"
        ec2.create_vpc_endpoint(
            VpcId=subnet["VpcId"],
            ServiceName=service,
            VpcEndpointType="Interface",
            SubnetIds=[subnet["SubnetId"]],
            PrivateDnsEnabled=False,
        )


def _interface(chaos: Chaos, ec2: Any, _place: Any) -> None:
    way = chaos.random.random()
    if way < 0.3:
        ec2.create_network_interface(SubnetId=chaos.subnet(ec2)["SubnetId"])
        return
    eni = chaos.eni(ec2)
    key = eni["NetworkInterfaceId"]
    if way < 0.45:
        ec2.attach_network_interface(NetworkInterfaceId=key, InstanceId=chaos.instance(ec2), DeviceIndex=1 + chaos.next() % 3)
    elif way < 0.6:
        ec2.detach_network_interface(AttachmentId=eni["Attachment"]["AttachmentId"])
    elif way < 0.7:
        ec2.assign_private_ip_addresses(NetworkInterfaceId=key, SecondaryPrivateIpAddressCount=1)
    elif way < 0.8:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=key, Groups=[chaos.group(ec2, eni["VpcId"])])
    elif way < 0.9:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=key, SourceDestCheck={"Value": chaos.random.random() < 0.5})
    else:
        ec2.delete_network_interface(NetworkInterfaceId=key)


def _instances(chaos: Chaos, ec2: Any, _place: Any) -> None:
    way = chaos.random.random()
    if way < 0.4:
        ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=2, SubnetId=chaos.subnet(ec2)["SubnetId"])
        return
    ids = [chaos.instance(ec2)]
    if way < 0.55:
        ec2.stop_instances(InstanceIds=ids)
    elif way < 0.7:
        ec2.start_instances(InstanceIds=ids)
    elif way < 0.8:
        ec2.reboot_instances(InstanceIds=ids)
    elif way < 0.9:
        ec2.terminate_instances(InstanceIds=ids)
    else:
        ec2.modify_instance_attribute(InstanceId=ids[0], Groups=[chaos.group(ec2)])


def _lists(chaos: Chaos, ec2: Any, place: tuple[str, str]) -> None:
    own = [item for item in ec2.describe_managed_prefix_lists()["PrefixLists"] if item["OwnerId"] == place[0]]
    if not own or chaos.random.random() < 0.4:
        entries = [{"Cidr": "10.0.0.0/8"}]
        ec2.create_managed_prefix_list(PrefixListName=f"l{chaos.next()}", MaxEntries=5, AddressFamily="IPv4", Entries=entries)
        return
    found = chaos.one(own)
    more = [{"Cidr": f"10.{chaos.next() % 250}.0.0/16"}]
    if chaos.random.random() < 0.2:
        ec2.delete_managed_prefix_list(PrefixListId=found["PrefixListId"])
    else:
        ec2.modify_managed_prefix_list(PrefixListId=found["PrefixListId"], CurrentVersion=found["Version"], AddEntries=more)


def _blocks(chaos: Chaos, ec2: Any, _place: Any) -> None:
    vpc = chaos.one(ec2.describe_vpcs()["Vpcs"])
    way = chaos.random.random()
    if way < 0.4:
        ec2.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock=f"10.{chaos.next() % 250}.0.0/16")
    elif way < 0.6:
        key = chaos.one(vpc["CidrBlockAssociationSet"][1:])["AssociationId"]
        ec2.disassociate_vpc_cidr_block(AssociationId=key)
    elif way < 0.8:
        ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": chaos.random.random() < 0.5})
    else:
        ec2.associate_vpc_cidr_block(VpcId=vpc["VpcId"], AmazonProvidedIpv6CidrBlock=True)


def _subnets(chaos: Chaos, ec2: Any, _place: Any) -> None:
    if chaos.random.random() < 0.6:
        vpc = chaos.one(ec2.describe_vpcs()["Vpcs"])
        ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=vpc["CidrBlock"].replace("0.0/16", f"{2 + chaos.next() % 50}.0/24"))
    elif chaos.random.random() < 0.5:
        ec2.delete_subnet(SubnetId=chaos.subnet(ec2)["SubnetId"])
    else:
        ec2.modify_subnet_attribute(SubnetId=chaos.subnet(ec2)["SubnetId"], MapPublicIpOnLaunch={"Value": chaos.random.random() < 0.5})


def _tables(chaos: Chaos, ec2: Any, _place: Any) -> None:
    way, table = chaos.random.random(), chaos.table(ec2)
    if way < 0.3:
        ec2.create_route_table(VpcId=chaos.vpc(ec2))
    elif way < 0.6:
        subnets = [item for item in ec2.describe_subnets()["Subnets"] if item["VpcId"] == table["VpcId"]]
        ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=chaos.one(subnets)["SubnetId"])
    elif way < 0.8:
        links = [item for item in table["Associations"] if not item["Main"]]
        ec2.disassociate_route_table(AssociationId=chaos.one(links)["RouteTableAssociationId"])
    else:
        ec2.delete_route_table(RouteTableId=table["RouteTableId"])


def _tags(chaos: Chaos, ec2: Any, _place: Any) -> None:
    kinds: list[Callable[[], str]] = [
        lambda: chaos.vpc(ec2),
        lambda: chaos.instance(ec2),
        lambda: str(chaos.peering(ec2)["VpcPeeringConnectionId"]),
        lambda: str(chaos.table(ec2)["RouteTableId"]),
        lambda: str(chaos.eni(ec2)["NetworkInterfaceId"]),
        lambda: str(chaos.one(ec2.describe_security_group_rules()["SecurityGroupRules"])["SecurityGroupRuleId"]),
        lambda: str(chaos.one(ec2.describe_addresses()["Addresses"])["AllocationId"]),
    ]
    key = chaos.one(kinds)()
    if chaos.random.random() < 0.7:
        ec2.create_tags(Resources=[key], Tags=[{"Key": "Name", "Value": str(chaos.next())}])
    else:
        ec2.delete_tags(Resources=[key])


def _groups(chaos: Chaos, ec2: Any, _place: Any) -> None:
    if chaos.random.random() < 0.6:
        ec2.create_security_group(GroupName=f"g{chaos.next()}", Description="by chance", VpcId=chaos.vpc(ec2))
    else:
        ec2.delete_security_group(GroupId=chaos.group(ec2))


def _peering_answers(chaos: Chaos, ec2: Any, _place: Any) -> None:
    key = chaos.peering(ec2)["VpcPeeringConnectionId"]
    way = chaos.random.random()
    if way < 0.6:
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    elif way < 0.8:
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    elif way < 0.9:
        ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=key)
    else:
        options = {"AllowDnsResolutionFromRemoteVpc": chaos.random.random() < 0.5}
        side = chaos.one(["RequesterPeeringConnectionOptions", "AccepterPeeringConnectionOptions"])
        ec2.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key, **{side: options})


def _logs(chaos: Chaos, ec2: Any, _place: Any) -> None:
    found = ec2.describe_flow_logs()["FlowLogs"]
    if found and chaos.random.random() < 0.4:
        ec2.delete_flow_logs(FlowLogIds=[chaos.one(found)["FlowLogId"]])
        return
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[chaos.vpc(ec2)],
        TrafficType="ALL",
        LogGroupName=f"flows-{chaos.next() % 2}",
        DeliverLogsPermissionArn="arn:aws:iam::111111111111:role/flow-logs",
    )


ACTIONS: dict[str, Callable[[Chaos, Any, Any], None]] = {
    name: thing
    for name, thing in list(globals().items())
    if name.startswith("_") and callable(thing) and getattr(thing, "__module__", "") == __name__
}


@pytest.mark.parametrize("seed", range(4))
def test_what_was_kept_equals_what_is_read_anew(lab: Any, planes: Planes, seed: int) -> None:
    for account, region, cidr in ((A, HOME, "10.1.0.0/16"), (B, HOME, "10.2.0.0/16"), (A, AWAY, "10.3.0.0/16")):
        vpc = make_vpc(lab, cidr, account, region)
        vpc.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=vpc.subnet(cidr.replace("0.0/16", "1.0/24")))
    chaos = Chaos(lab, seed)
    chaos.number = seed * 1000 + 3
    done = []
    for _turn in range(50):
        done.append(chaos.act())
        check(lab, planes, ", ".join(done[-3:]))
    assert len(set(done)) > 12


def test_only_what_changed_is_another_object(lab: Any, planes: Planes) -> None:
    one, two = make_vpc(lab, "10.1.0.0/16"), make_vpc(lab, "10.2.0.0/16", account=B)
    one.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=one.subnet("10.1.1.0/24"))
    join(one, two)
    before = planes.twin.network
    table = one.table()
    peering = next(iter(before.peerings))
    one.client.create_route(RouteTableId=table, DestinationCidrBlock="10.2.0.0/16", VpcPeeringConnectionId=peering)
    changed, removed = difference(before, planes.twin.network)
    assert ({name: sorted(items) for name, items in changed.items()}, removed) == ({"route_tables": [table]}, {})
    two.client.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    (last,) = planes.twin.deltas[-1:]
    assert {name: sorted(items) for name, items in last.changed.items()} == {"route_tables": [table], "peerings": [peering]}
    assert last.changed["route_tables"][table].routes[1].blackhole


def test_what_is_not_known_has_everything_read_again() -> None:
    assert {need.file for need in needs(A, HOME, "CreateTransitGateway", {}, b"")} == set(FILES)
    assert {need.file for need in needs(A, HOME, "DeleteSecurityGroup", {"GroupName": "web"}, {"Return": True})} == {"SecurityGroups"}
    assert apart("CreateVolume") and not apart("RunInstances") and not apart("CreateRoute")
    (need,) = needs(A, HOME, "CreateRoute", {"RouteTableId": "rtb-0123456789abcdef0", "NatGatewayId": "nat-0123456789abcdef0"}, {})
    assert (need.file, need.by, need.values) == ("RouteTables", "id", ("rtb-0123456789abcdef0",))


def test_a_transit_gateway_is_read(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    subnet = vpc.subnet("10.0.1.0/24")
    vpc.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet)
    gateway = vpc.client.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    made = vpc.client.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc.id, SubnetIds=[subnet])
    attachment = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    vpc.client.create_route(RouteTableId=vpc.table(), DestinationCidrBlock="10.9.0.0/16", TransitGatewayId=gateway)
    check(lab, planes, "a transit gateway")
    found = planes.twin.network
    assert found.transit_attachments[attachment].subnets == (subnet,)
    assert gateway in found.transit_gateways
    assert found.transit_tables


def test_a_region_that_is_new(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    vpc.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=vpc.subnet("10.0.1.0/24"))
    far = make_vpc(lab, "10.7.0.0/16", account=B, region="ap-south-1")
    check(lab, planes, "a VPC elsewhere")
    assert far.id in planes.twin.network.vpcs
