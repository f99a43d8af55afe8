# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route table associations, main ones too."""

from __future__ import annotations

from typing import Any

from .vpc_helpers import Vpc, make_vpc, refused


def _table(vpc: Vpc) -> str:
    return str(vpc.client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"])


def _associations(vpc: Vpc, table: str) -> list[dict[str, Any]]:
    return list(vpc.client.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"])


def test_a_subnet_uses_one_table(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet, one, two = vpc.subnet("10.0.1.0/24"), _table(vpc), _table(vpc)
    made = vpc.client.associate_route_table(RouteTableId=one, SubnetId=subnet)
    assert made["AssociationState"] == {"State": "associated"}
    assert _associations(vpc, one) == [
        {
            "RouteTableAssociationId": made["AssociationId"],
            "RouteTableId": one,
            "SubnetId": subnet,
            "Main": False,
            "AssociationState": {"State": "associated"},
        }
    ]
    assert vpc.client.associate_route_table(RouteTableId=one, SubnetId=subnet)["AssociationId"] == made["AssociationId"]
    with refused("Resource.AlreadyAssociated", two, one):
        vpc.client.associate_route_table(RouteTableId=two, SubnetId=subnet)
    assert _associations(vpc, two) == []
    moved = vpc.client.replace_route_table_association(AssociationId=made["AssociationId"], RouteTableId=two)
    assert moved["NewAssociationId"] != made["AssociationId"] and moved["AssociationState"] == {"State": "associated"}
    assert _associations(vpc, one) == []
    assert [item["SubnetId"] for item in _associations(vpc, two)] == [subnet]
    vpc.client.disassociate_route_table(AssociationId=moved["NewAssociationId"])
    assert [item["AssociationState"] for item in _associations(vpc, two)] == [{"State": "disassociated"}]
    with refused("InvalidAssociationID.NotFound", moved["NewAssociationId"]):
        vpc.client.disassociate_route_table(AssociationId=moved["NewAssociationId"])


def test_the_main_association_moves_but_never_ends(lab: Any) -> None:
    vpc = make_vpc(lab)
    old, new = vpc.table(), _table(vpc)
    (main,) = _associations(vpc, old)
    assert main["Main"] is True and "SubnetId" not in main
    with refused("InvalidParameterValue", f"cannot disassociate the main route table association {main['RouteTableAssociationId']}"):
        vpc.client.disassociate_route_table(AssociationId=main["RouteTableAssociationId"])
    vpc.client.replace_route_table_association(AssociationId=main["RouteTableAssociationId"], RouteTableId=new)
    assert vpc.table() == new
    assert _associations(vpc, old) == []
    vpc.client.delete_route_table(RouteTableId=old)
    with refused("DependencyViolation", new):
        vpc.client.delete_route_table(RouteTableId=new)


def test_tables_and_subnets_of_two_vpcs(lab: Any) -> None:
    one, two = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    subnet, here, there = one.subnet("10.0.1.0/24"), _table(one), _table(two)
    with refused("InvalidParameterValue", f"route table {there} and subnet {subnet} belong to different networks"):
        one.client.associate_route_table(RouteTableId=there, SubnetId=subnet)
    made = one.client.associate_route_table(RouteTableId=here, SubnetId=subnet)["AssociationId"]
    with refused("InvalidParameterValue", "belong to different networks"):
        one.client.replace_route_table_association(AssociationId=made, RouteTableId=there)
    with refused("InvalidSubnetID.NotFound"):
        one.client.associate_route_table(RouteTableId=here, SubnetId="subnet-0123456789abcdef0")
    with refused("InvalidRouteTableID.NotFound"):
        one.client.associate_route_table(RouteTableId="rtb-0123456789abcdef0", SubnetId=subnet)
    with refused("MissingParameter"):
        one.client.associate_route_table(RouteTableId=here)
    with refused("InvalidAssociationID.NotFound"):
        one.client.replace_route_table_association(AssociationId="rtbassoc-0123456789abcdef0", RouteTableId=here)


def test_gateways_can_be_associated(lab: Any) -> None:
    vpc = make_vpc(lab)
    table = _table(vpc)
    igw = vpc.client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue", "belong to different networks"):
        vpc.client.associate_route_table(RouteTableId=table, GatewayId=igw)
    vpc.client.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    vpc.client.associate_route_table(RouteTableId=table, GatewayId=igw)
    assert [item["GatewayId"] for item in _associations(vpc, table)] == [igw]
    vpc.client.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    assert _associations(vpc, table) == []


def test_a_deleted_subnets_association_goes_with_it(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet, table = vpc.subnet("10.0.1.0/24"), _table(vpc)
    vpc.client.associate_route_table(RouteTableId=table, SubnetId=subnet)
    vpc.client.delete_subnet(SubnetId=subnet)
    assert _associations(vpc, table) == []
    vpc.client.delete_route_table(RouteTableId=table)
