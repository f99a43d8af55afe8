# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be read again after a write call: the objects that the call names or made, and what follows from their change.

An action that is not known here has everything of its account and Region read again: that is slower, and never wrong. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....module_utils._model.files import Item

TRANSIT = (
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
)
FILES = (
    "Vpcs",
    "VpcAttributes",
    "Subnets",
    "RouteTables",
    "SecurityGroups",
    "SecurityGroupRules",
    "NetworkAcls",
    "VpcPeeringConnections",
    "InternetGateways",
    "EgressOnlyInternetGateways",
    "NatGateways",
    "Addresses",
    "VpcEndpoints",
    "NetworkInterfaces",
    "Instances",
    "ManagedPrefixLists",
    "PrefixListEntries",
    "FlowLogs",
    *TRANSIT,
)
"""The files of a snapshot that the data plane needs. Instances are kept one by one, not in their reservations."""


@dataclass(frozen=True)
class Need:
    """A file of an account and Region to be read again: all of it, or the items whose ``by`` (id, vpc, group) is one of ``values``."""

    account: str
    region: str
    file: str
    by: str = ""
    values: tuple[str, ...] = ()


_ID = re.compile(r"\b([a-z]{1,12}(?:-[a-z]+)*)-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")
#: Prefix of an id to the files that tell of the object and how they are asked for it; by "" all of the file is read.
_PREFIXES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "vpc": (("Vpcs", "id"), ("VpcAttributes", "id")),
    "subnet": (("Subnets", "id"),),
    "rtb": (("RouteTables", "id"),),
    "sg": (("SecurityGroups", "id"), ("SecurityGroupRules", "group")),
    "sgr": (("SecurityGroupRules", "id"),),
    "acl": (("NetworkAcls", "id"),),
    "pcx": (("VpcPeeringConnections", "id"),),
    "igw": (("InternetGateways", ""),),
    "eigw": (("EgressOnlyInternetGateways", ""),),
    "nat": (("NatGateways", ""),),
    "eipalloc": (("Addresses", ""),),
    "eipassoc": (("Addresses", ""),),
    "vpce": (("VpcEndpoints", ""),),
    "eni": (("NetworkInterfaces", "id"),),
    "i": (("Instances", "id"),),
    "pl": (("ManagedPrefixLists", ""), ("PrefixListEntries", "id")),
    "fl": (("FlowLogs", ""),),
    "rtbassoc": (("RouteTables", ""),),
    "aclassoc": (("NetworkAcls", ""),),
    "eni-attach": (("NetworkInterfaces", ""),),
    "vpc-cidr-assoc": (("Vpcs", ""),),
    "subnet-cidr-assoc": (("Subnets", ""),),
    "iip-assoc": (("Instances", ""),),
}
_RULES = frozenset({"sg"})
#: Actions of which it is known what they change: the prefixes of the ids that matter (None for all that the call names and answers), and
#: files that are read as a whole besides, since the call changes what it does not name.
_KNOWN: Mapping[str, tuple[frozenset[str] | None, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            *("CreateVpc", "DeleteVpc", "ModifyVpcAttribute", "AssociateVpcCidrBlock", "DisassociateVpcCidrBlock"),
            *("CreateSubnet", "ModifySubnetAttribute", "AssociateSubnetCidrBlock", "DisassociateSubnetCidrBlock"),
            *("CreateRouteTable", "DeleteRouteTable", "AssociateRouteTable", "DisassociateRouteTable", "ReplaceRouteTableAssociation"),
            *("CreateSecurityGroup", "CreateNetworkAcl", "DeleteNetworkAcl", "ReplaceNetworkAclAssociation"),
            *("CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry"),
            *("CreateVpcPeeringConnection", "AcceptVpcPeeringConnection", "RejectVpcPeeringConnection"),
            *("DeleteVpcPeeringConnection", "ModifyVpcPeeringConnectionOptions"),
            *("CreateInternetGateway", "DeleteInternetGateway", "AttachInternetGateway", "DetachInternetGateway"),
            *("CreateEgressOnlyInternetGateway", "DeleteEgressOnlyInternetGateway"),
            *("CreateNatGateway", "DeleteNatGateway", "AssociateNatGatewayAddress", "DisassociateNatGatewayAddress"),
            *("AssignPrivateNatGatewayAddress", "UnassignPrivateNatGatewayAddress"),
            *("CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"),
            *("CreateNetworkInterface", "DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute", "ResetNetworkInterfaceAttribute"),
            *("AttachNetworkInterface", "DetachNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
            *("AssignIpv6Addresses", "UnassignIpv6Addresses"),
            *("CreateManagedPrefixList", "ModifyManagedPrefixList", "RestoreManagedPrefixListVersion", "DeleteManagedPrefixList"),
            *("CreateFlowLogs", "DeleteFlowLogs", "CreateTags", "DeleteTags", "ModifyInstanceAttribute", "RebootInstances"),
            *("AssociateIamInstanceProfile", "DisassociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"),
            *("ModifyInstanceMetadataOptions", "ModifyPrivateDnsNameOptions", "AssociateDhcpOptions"),
        ),
        (None, ()),
    ),
    **dict.fromkeys(("CreateRoute", "ReplaceRoute", "DeleteRoute"), (frozenset({"rtb"}), ())),
    **dict.fromkeys(
        (
            *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
            *("ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
        ),
        (_RULES, ()),
    ),
    "DeleteSubnet": (None, ("RouteTables", "NetworkAcls")),
    "DeleteSecurityGroup": (None, ("SecurityGroups",)),
    **dict.fromkeys(
        ("AllocateAddress", "ReleaseAddress", "AssociateAddress", "DisassociateAddress"), (frozenset({"eni", "i"}), ("Addresses",))
    ),
    "RunInstances": (frozenset({"i"}), ("Addresses",)),
    **dict.fromkeys(("StartInstances", "StopInstances", "TerminateInstances"), (frozenset({"i"}), ("Addresses",))),
}
#: Of EC2, but no part of the network: volumes, images, keys, templates.
_APART = re.compile(
    r"KeyPair|Volume|Snapshot|Image|LaunchTemplate|Placement|DhcpOptions|CustomerGateway|Fpga|ReservedInstances|Hosts$|MonitorInstances"
)


def needs(account: str, region: str, action: str, params: Any, told: Any) -> list[Need]:
    """What an EC2 write changes at first hand. ``told``: its answer, decoded or as bytes, or None."""
    if action not in _KNOWN:
        return [] if apart(action) else everything(account, region)
    prefixes, files = _KNOWN[action]
    found: dict[tuple[str, str], set[str]] = {(file, ""): set() for file in files}
    named = False
    for prefix, id_ in _ids(params, told):
        if prefixes is not None and prefix not in prefixes:
            continue
        for file, by in _PREFIXES.get(prefix, ()):
            if prefixes is _RULES and file == "SecurityGroups":
                continue
            named = True
            found.setdefault((file, by), set()).add(id_ if by else "")
    if not named and not files:
        return everything(account, region)
    whole = {file for file, by in found if not by}
    return [
        Need(account, region, file, by, tuple(sorted(values)) if by else ())
        for (file, by), values in found.items()
        if not by or file not in whole
    ]


def apart(action: str) -> bool:
    """Whether an EC2 action is no concern of the network."""
    return action not in _KNOWN and "Instances" not in action and _APART.search(action) is not None


def ids_of(params: Any, told: Any, prefix: str) -> set[str]:
    """The ids of one kind that a call names or answers."""
    return {id_ for kind, id_ in _ids(params, told) if kind == prefix}


def everything(account: str, region: str) -> list[Need]:
    """All files of an account and Region."""
    return [Need(account, region, file) for file in FILES]


def _ids(*values: Any) -> Iterator[tuple[str, str]]:
    """(prefix, id) of every resource id that is somewhere in the values."""
    for value in values:
        if isinstance(value, str):
            for match in _ID.finditer(value):
                yield match[1], match[0]
        elif isinstance(value, bytes):
            for match in _ID.finditer(value.decode("utf-8", "replace")):
                yield match[1], match[0]
        elif isinstance(value, Mapping):
            yield from _ids(*value.values())
        elif isinstance(value, list | tuple):
            yield from _ids(*value)


Held = Mapping[tuple[str, str, str], Mapping[str, Item]]


def follow(need: Need, changed: Iterable[Item], held: Held) -> Iterator[Need]:
    """What must be read again since items of a file changed. ``changed``: the items as they were and as they are."""
    items = list(changed)
    if not items:
        return
    file, here = need.file, (need.account, need.region)

    def ask(file_: str, by: str = "", values: Iterable[str] = ()) -> Iterator[Need]:
        chosen = tuple(sorted({value for value in values if value}))
        if chosen or not by:
            yield Need(*here, file_, by, chosen)

    if file == "Vpcs":
        vpcs = {str(item["VpcId"]) for item in items}
        yield from ask("VpcAttributes", "id", vpcs)
        for other in ("RouteTables", "NetworkAcls", "SecurityGroups"):
            yield from ask(other, "vpc", vpcs)
        groups = held.get((*here, "SecurityGroups"), {}).values()
        yield from ask("SecurityGroupRules", "group", (str(group["GroupId"]) for group in groups if group.get("VpcId") in vpcs))
        for (account, region, name), peerings in held.items():
            if name == "VpcPeeringConnections":
                ids = tuple(sorted(id_ for id_, item in peerings.items() if vpcs & {side[2] for side in sides(item)}))
                if ids:
                    yield Need(account, region, name, "id", ids)
    elif file == "VpcPeeringConnections":
        yield from _after_peerings(items, held)
    elif file == "Subnets":
        vpcs = {str(item["VpcId"]) for item in items}
        yield from ask("RouteTables", "vpc", vpcs)
        yield from ask("NetworkAcls", "vpc", vpcs)
    elif file == "SecurityGroups":
        yield from ask("SecurityGroupRules", "group", (str(item["GroupId"]) for item in items))
    elif file == "ManagedPrefixLists":
        yield from ask("PrefixListEntries", "id", (str(item["PrefixListId"]) for item in items))
    elif file in ("InternetGateways", "EgressOnlyInternetGateways"):
        yield from ask("RouteTables", "vpc", (str(link.get("VpcId") or "") for item in items for link in item.get("Attachments") or ()))
    elif file == "NatGateways":
        yield from ask("RouteTables", "vpc", (str(item.get("VpcId") or "") for item in items))
        yield from ask("Addresses")
        links = (link for item in items for link in item.get("NatGatewayAddresses") or ())
        yield from ask("NetworkInterfaces", "id", (str(link.get("NetworkInterfaceId") or "") for link in links))
    elif file == "VpcEndpoints":
        yield from ask("RouteTables", "vpc", (str(item.get("VpcId") or "") for item in items))
        yield from ask("NetworkInterfaces", "id", (str(eni) for item in items for eni in item.get("NetworkInterfaceIds") or ()))
    elif file == "Addresses":
        yield from ask("NetworkInterfaces", "id", (str(item.get("NetworkInterfaceId") or "") for item in items))
    elif file in ("NetworkInterfaces", "Instances"):
        yield from _after_interfaces(need, items, held)
    elif file in TRANSIT:
        for other in TRANSIT:
            yield from ask(other)
        yield from ask("RouteTables")


def sides(peering: Item) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """(account, Region, VPC) of the requester and of the accepter."""
    found = [peering.get(side) or {} for side in ("RequesterVpcInfo", "AccepterVpcInfo")]
    requester, accepter = ((str(info.get("OwnerId")), str(info.get("Region")), str(info.get("VpcId"))) for info in found)
    return requester, accepter


def _after_peerings(items: list[Item], held: Held) -> Iterator[Need]:
    """Both sides see a connection; its state is in the routes that lead to it and in the rules that refer to groups beyond it."""
    ids: dict[tuple[str, str], set[str]] = {}
    vpcs: dict[tuple[str, str], set[str]] = {}
    joined: set[str] = set()
    for item in items:
        for account, region, vpc in sides(item):
            ids.setdefault((account, region), set()).add(str(item["VpcPeeringConnectionId"]))
            vpcs.setdefault((account, region), set()).add(vpc)
            joined.add(vpc)
    for place, chosen in ids.items():
        yield Need(*place, "VpcPeeringConnections", "id", tuple(sorted(chosen)))
        yield Need(*place, "RouteTables", "vpc", tuple(sorted(vpcs[place])))
        groups = {
            str(rule["GroupId"])
            for rule in held.get((*place, "SecurityGroupRules"), {}).values()
            if (peer := rule.get("ReferencedGroupInfo")) and (peer.get("VpcId") in joined or peer.get("VpcPeeringConnectionId") in chosen)
        }
        if groups:
            yield Need(*place, "SecurityGroupRules", "group", tuple(sorted(groups)))


def _after_interfaces(need: Need, items: list[Item], held: Held) -> Iterator[Need]:
    """Interfaces and instances tell of each other, addresses of both, and a route to one has its state."""
    here = (need.account, need.region)
    if need.file == "Instances":
        instances = {str(item["InstanceId"]) for item in items}
        enis = {str(link["NetworkInterfaceId"]) for item in items for link in item.get("NetworkInterfaces") or ()}
        yield Need(*here, "NetworkInterfaces", "id", tuple(sorted(enis)))
    else:
        enis = {str(item["NetworkInterfaceId"]) for item in items}
        instances = {str((item.get("Attachment") or {}).get("InstanceId") or "") for item in items} - {""}
        if instances:
            yield Need(*here, "Instances", "id", tuple(sorted(instances)))
    if any(
        item.get("NetworkInterfaceId") in enis or item.get("InstanceId") in instances
        for item in held.get((*here, "Addresses"), {}).values()
    ):
        yield Need(*here, "Addresses")
    tables = {
        id_
        for id_, table in held.get((*here, "RouteTables"), {}).items()
        for route in table.get("Routes") or ()
        if route.get("NetworkInterfaceId") in enis or route.get("InstanceId") in instances
    }
    if tables:
        yield Need(*here, "RouteTables", "id", tuple(sorted(tables)))
