# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subnet (or gateway) uses which route table: AssociateRouteTable, its replacement and its end.

Sources: the API pages of AssociateRouteTable, ReplaceRouteTableAssociation and DisassociateRouteTable.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, after, instead
from .ended import TABLES, end
from .route_tables import association_views
from .routes import find_table
from .shapes import find_subnet, invalid, missing, new_id

_ASSOCIATED = {"State": "associated"}


def _differs(table: Any, noun: str, key: str) -> Refusal:
    return invalid(f"route table {table.id} and {noun} {key} belong to different networks")


def _check_target(call: Call, table: Any, target: str) -> None:
    """The subnet, or attached gateway, must be of the table's VPC."""
    backend = call.backend()
    if target.startswith("subnet-"):
        if find_subnet(backend, target).vpc_id != table.vpc_id:
            raise _differs(table, "subnet", target)
        return
    internet = backend.internet_gateways.get(target)
    if internet is not None:
        if internet.vpc is None or internet.vpc.id != table.vpc_id:
            raise _differs(table, "network gateway", target)
        return
    private = backend.vpn_gateways.get(target)
    if private is None:
        raise Refusal("InvalidGatewayID.NotFound", f"The gateway ID '{target}' does not exist")
    attachment = private.attachments.get(table.vpc_id)
    if attachment is None or attachment.state != "attached":
        raise _differs(table, "network gateway", target)


def find_association(backend: Any, association: str) -> tuple[Any, str | None]:
    """The table that holds an association and its target (none for the main one), or InvalidAssociationID.NotFound."""
    for table in backend.route_tables.values():
        if association == table.main_association_id:
            return table, None
        if association in table._associations:
            return table, str(table._associations[association])
    raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist")


@instead("ec2", "AssociateRouteTable")
def associate(call: Call) -> dict[str, Any]:
    """Associate a subnet or gateway. The same again is answered with what is there; one that uses another table is refused."""
    table = find_table(call)
    targets = [str(call.params[name]) for name in ("SubnetId", "GatewayId") if call.params.get(name)]
    if not targets:
        raise missing("subnetId or gatewayId")
    if len(targets) > 1:
        raise Refusal("InvalidParameterCombination", "The request must contain exactly one of subnetId and gatewayId.")
    target = targets[0]
    _check_target(call, table, target)
    for other in call.backend().route_tables.values():
        for key, present in other._associations.items():
            if present != target:
                continue
            if other is not table:
                why = f"conflicts with an existing association: {target} uses {other.id}"
                raise Refusal("Resource.AlreadyAssociated", f"the specified association for route table {table.id} {why}")
            return {"AssociationId": key, "AssociationState": dict(_ASSOCIATED)}
    key = new_id("rtbassoc")
    table._associations[key] = target
    return {"AssociationId": key, "AssociationState": dict(_ASSOCIATED)}


@instead("ec2", "ReplaceRouteTableAssociation")
def replace_association(call: Call) -> dict[str, Any]:
    """Move a subnet, or the main association, to another table of the same VPC; the association gets a new id."""
    table = find_table(call)
    association = str(call.params.get("AssociationId") or "")
    if not association:
        raise missing("associationId")
    old, target = find_association(call.backend(), association)
    if old.vpc_id != table.vpc_id:
        raise invalid(f"route table {table.id} and association {association} belong to different networks")
    key = new_id("rtbassoc")
    if target is None:
        old.main_association_id = None
        table.main_association_id = key
    else:
        del old._associations[association]
        table._associations[key] = target
    return {"NewAssociationId": key, "AssociationState": dict(_ASSOCIATED)}


@instead("ec2", "DisassociateRouteTable")
def disassociate(call: Call) -> dict[str, Any]:
    """End an association; the main one can only be replaced."""
    association = str(call.params.get("AssociationId") or "")
    if not association:
        raise missing("associationId")
    table, target = find_association(call.backend(), association)
    if target is None:
        raise invalid(f"cannot disassociate the main route table association {association}")
    view = next(item for item in association_views(table) if item["RouteTableAssociationId"] == association)
    end(call, table, TABLES, {**view, "AssociationState": {"State": "disassociated"}})
    del table._associations[association]
    return {}


@after("ec2", "DeleteSubnet")
def forget_subnet(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """A deleted subnet's association goes with it (the emulator keeps it, and the table could never be deleted)."""
    _drop(call, str(call.params["SubnetId"]))
    return result


@after("ec2", "DetachInternetGateway")
def forget_gateway(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """A detached gateway's association goes with it."""
    _drop(call, str(call.params["InternetGatewayId"]))
    return result


def _drop(call: Call, target: str) -> None:
    for table in call.backend().route_tables.values():
        for key in [key for key, present in table._associations.items() if present == target]:
            del table._associations[key]
