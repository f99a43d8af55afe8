# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs: their entries with the ``*`` deny at the end, and which subnet has which.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html (numbers, protocols, ICMP, CIDRs are put in
canonical form), https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html (100, 101 and ``*``, which the API shows as
32767 and, for IPv6, 32768), https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-nacls (20 each way and
family, the ``*`` entries counted).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from ..calls import Call, Refusal, after, instead
from .groups_store import has_ipv6
from .shapes import all_subnets, clean, find_vpc, invalid, keep, missing, named, new_id, paged, put_tags, tags_asked, tags_of

LAST, LAST_IPV6 = 32767, 32768
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; ``cidr`` tells its family. ``icmp`` is (type, code), ``ports`` is (from, to)."""

    number: int
    egress: bool
    action: str
    protocol: str
    cidr: str
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int] | None = None

    @property
    def ipv6(self) -> bool:
        return ":" in self.cidr


def _denials(ipv6: bool) -> list[Entry]:
    number, cidr = (LAST_IPV6, "::/0") if ipv6 else (LAST, "0.0.0.0/0")
    return [Entry(number, egress, "deny", "-1", cidr) for egress in (True, False)]


def _allowances(ipv6: bool) -> list[Entry]:
    number, cidr = (101, "::/0") if ipv6 else (100, "0.0.0.0/0")
    return [Entry(number, egress, "allow", "-1", cidr) for egress in (True, False)]


def first_entries(*, default: bool, ipv6: bool) -> list[Entry]:
    """What a new ACL holds: ``*`` denies, and in a VPC's default ACL everything is allowed before it. Pure."""
    entries = _denials(False) + (_denials(True) if ipv6 else [])
    if default:
        entries += _allowances(False) + (_allowances(True) if ipv6 else [])
    return entries


def entry_of(params: dict[str, Any]) -> Entry:
    """The entry that a request describes, or AWS's refusal of it. Pure."""
    number = params.get("RuleNumber")
    if number is None or not 1 <= int(number) <= LAST - 1:
        raise invalid(f"Value ({number}) for parameter ruleNumber is invalid. Rule numbers are 1 to {LAST - 1}.")
    action = str(params.get("RuleAction") or "")
    if action not in ("allow", "deny"):
        raise invalid(f"Value ({action}) for parameter ruleAction is invalid. It is allow or deny.")
    given = str(params.get("Protocol") if params.get("Protocol") is not None else "").lower()
    if not given:
        raise missing("protocol")
    protocol = _NUMBERS.get(given, given)
    if protocol != "-1" and not (protocol.isdigit() and int(protocol) <= 255):
        raise invalid(f"Invalid value '{given}' for IP protocol. Unknown protocol.")
    cidrs = [name for name in ("CidrBlock", "Ipv6CidrBlock") if params.get(name)]
    if len(cidrs) != 1:
        raise missing("cidrBlock or ipv6CidrBlock") if not cidrs else invalid("Specify either cidrBlock or ipv6CidrBlock, not both")
    version, text = (6 if cidrs[0] == "Ipv6CidrBlock" else 4), str(params[cidrs[0]])
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != version or "/" not in text:
        raise invalid(f"Value ({text}) for parameter {cidrs[0][0].lower()}{cidrs[0][1:]} is invalid. This is not a valid CIDR block.")
    ports = icmp = None
    if protocol in ("6", "17"):
        span = params.get("PortRange") or {}
        if span.get("From") is None or span.get("To") is None:
            raise missing("portRange")
        ports = (int(span["From"]), int(span["To"]))
        if not 0 <= ports[0] <= ports[1] <= 65535:
            raise invalid(f"Value ({ports[0]}-{ports[1]}) for parameter portRange is invalid: it lies within 0-65535, low to high.")
    elif protocol == "1" or (protocol == "58" and version == 6):
        code = params.get("IcmpTypeCode") or {}
        if code.get("Type") is None or code.get("Code") is None:
            raise missing("icmpTypeCode")
        icmp = (int(code["Type"]), int(code["Code"]))
        if not all(-1 <= item <= 255 for item in icmp):
            raise invalid(f"Value ({icmp[0]},{icmp[1]}) for parameter icmpTypeCode is invalid: type and code are -1 to 255.")
    return Entry(int(number), bool(params.get("Egress")), action, protocol, str(network), ports, icmp)


def show_entry(entry: Entry) -> dict[str, Any]:
    """An entry as DescribeNetworkAcls shows it."""
    return clean(
        {
            "CidrBlock": None if entry.ipv6 else entry.cidr,
            "Ipv6CidrBlock": entry.cidr if entry.ipv6 else None,
            "Egress": entry.egress,
            "Protocol": entry.protocol,
            "RuleAction": entry.action,
            "RuleNumber": entry.number,
            "PortRange": {"From": entry.ports[0], "To": entry.ports[1]} if entry.ports else None,
            "IcmpTypeCode": {"Type": entry.icmp[0], "Code": entry.icmp[1]} if entry.icmp else None,
        }
    )


# -- the account's ACLs --------------------------------------------------------------------------------------------------------


def entries_of(acl: Any) -> list[Entry]:
    """The entries of an ACL (the emulator's object); its own, which know no IPv6 and no ``*``, are replaced at first sight."""
    entries: list[Entry] | None = getattr(acl, "lab_entries", None)
    if entries is None:
        entries = first_entries(default=bool(acl.default), ipv6=has_ipv6(acl.ec2_backend.vpcs.get(acl.vpc_id)))
        set_entries(acl, entries)
    return entries


def set_entries(acl: Any, entries: list[Entry]) -> None:
    """Replace the entries of an ACL."""
    acl.lab_entries = entries
    acl.network_acl_entries = []


def find(backend: Any, acl: str) -> Any:
    """The emulator's ACL object, or InvalidNetworkAclID.NotFound."""
    found = _living(backend).get(acl)
    if found is None:
        raise Refusal("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{acl}' does not exist")
    return found


def _living(backend: Any) -> dict[str, Any]:
    """The ACLs whose VPC exists, with the associations of subnets that exist: the emulator keeps those of deleted ones."""
    subnets = all_subnets(backend)
    for key, acl in list(backend.network_acls.items()):
        if acl.vpc_id not in backend.vpcs:
            del backend.network_acls[key]
            backend.tags.pop(key, None)
            continue
        for association, item in list(acl._associations.items()):
            if item.subnet_id not in subnets:
                del acl._associations[association]
    living: dict[str, Any] = backend.network_acls
    return living


@instead("ec2", "CreateNetworkAcl")
def create(call: Call) -> dict[str, Any]:
    """Make an ACL that denies everything."""
    backend = call.backend()
    vpc = find_vpc(backend, str(call.params.get("VpcId") or ""))
    tags = tags_asked(call, "network-acl")
    if sum(acl.vpc_id == vpc.id for acl in _living(backend).values()) >= call.lab.quotas["network_acls_per_vpc"]:
        raise Refusal("NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.")
    acl = backend.create_network_acl(vpc.id)
    put_tags(backend, acl.id, tags)
    return {"NetworkAcl": show(call, acl)}


@instead("ec2", "DeleteNetworkAcl")
def delete(call: Call) -> dict[str, Any]:
    """Remove an ACL that no subnet has; a VPC's default ACL stays."""
    backend = call.backend()
    acl = find(backend, str(call.params.get("NetworkAclId") or ""))
    if acl.default:
        raise invalid(f"Cannot delete default network ACL {acl.id}")
    if acl._associations:
        raise Refusal("DependencyViolation", f"The networkAcl '{acl.id}' has dependencies and cannot be deleted.")
    del backend.network_acls[acl.id]
    backend.tags.pop(acl.id, None)
    return {"Return": True}


@instead("ec2", "CreateNetworkAclEntry")
def create_entry(call: Call) -> dict[str, Any]:
    """Add an entry under a number that its direction does not have."""
    acl, entry = find(call.backend(), str(call.params.get("NetworkAclId") or "")), entry_of(call.params)
    entries = entries_of(acl)
    if any((item.number, item.egress) == (entry.number, entry.egress) for item in entries):
        raise Refusal("NetworkAclEntryAlreadyExists", f"The network acl entry identified by {entry.number} already exists.")
    same = sum((item.egress, item.ipv6) == (entry.egress, entry.ipv6) for item in entries)
    if same >= call.lab.quotas["acl_rules"]:
        raise Refusal("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
    set_entries(acl, [*entries, entry])
    return {"Return": True}


def _position(acl: Any, number: int, egress: bool) -> int:
    for index, item in enumerate(entries_of(acl)):
        if (item.number, item.egress) == (number, egress):
            return index
    raise Refusal("InvalidNetworkAclEntry.NotFound", f"The network acl entry identified by rule number {number} does not exist.")


@instead("ec2", "DeleteNetworkAclEntry")
def delete_entry(call: Call) -> dict[str, Any]:
    """Remove an entry; the ``*`` ones stay."""
    acl, number = find(call.backend(), str(call.params.get("NetworkAclId") or "")), int(call.params.get("RuleNumber") or 0)
    if not 1 <= number <= LAST - 1:
        raise invalid(f"Value ({number}) for parameter ruleNumber is invalid. Rule numbers are 1 to {LAST - 1}.")
    position = _position(acl, number, bool(call.params.get("Egress")))
    set_entries(acl, [item for index, item in enumerate(entries_of(acl)) if index != position])
    return {"Return": True}


@instead("ec2", "ReplaceNetworkAclEntry")
def replace_entry(call: Call) -> dict[str, Any]:
    """Put another entry in the place of one."""
    acl, entry = find(call.backend(), str(call.params.get("NetworkAclId") or "")), entry_of(call.params)
    position = _position(acl, entry.number, entry.egress)
    set_entries(acl, [entry if index == position else item for index, item in enumerate(entries_of(acl))])
    return {"Return": True}


@instead("ec2", "ReplaceNetworkAclAssociation")
def replace_association(call: Call) -> dict[str, Any]:
    """Give a subnet another ACL of its VPC; the association gets a new id."""
    backend, wanted = call.backend(), str(call.params.get("AssociationId") or "")
    old = next((acl for acl in _living(backend).values() if wanted in acl._associations), None)
    if old is None:
        raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{wanted}' does not exist")
    new = find(backend, str(call.params.get("NetworkAclId") or ""))
    association = old._associations[wanted]
    if new.vpc_id != old.vpc_id:
        raise invalid(f"network ACL {new.id} and subnet {association.subnet_id} belong to different networks")
    del old._associations[wanted]
    association.id = association.new_association_id = new_id("aclassoc")
    association.network_acl_id = new.id
    new._associations[association.id] = association
    return {"NewAssociationId": association.id}


def show(call: Call, acl: Any) -> dict[str, Any]:
    """An ACL as DescribeNetworkAcls shows it: entries by direction and number."""
    entries = sorted(entries_of(acl), key=lambda entry: (not entry.egress, entry.number))
    return {
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc_id,
        "OwnerId": call.account,
        "IsDefault": bool(acl.default),
        "Entries": [show_entry(entry) for entry in entries],
        "Associations": [
            {"NetworkAclAssociationId": key, "NetworkAclId": acl.id, "SubnetId": item.subnet_id} for key, item in acl._associations.items()
        ],
        "Tags": tags_of(call.backend(), acl.id),
    }


_FIELDS: dict[str, Any] = {
    "association.association-id": lambda acl: list(acl._associations),
    "association.network-acl-id": lambda acl: [acl.id for _other in acl._associations],
    "association.subnet-id": lambda acl: [item.subnet_id for item in acl._associations.values()],
    "default": lambda acl: bool(acl.default),
    "network-acl-id": lambda acl: acl.id,
    "owner-id": lambda acl: acl.ec2_backend.account_id,
    "vpc-id": lambda acl: acl.vpc_id,
    "entry.cidr": lambda acl: [entry.cidr for entry in entries_of(acl) if not entry.ipv6],
    "entry.ipv6-cidr": lambda acl: [entry.cidr for entry in entries_of(acl) if entry.ipv6],
    "entry.protocol": lambda acl: [entry.protocol for entry in entries_of(acl)],
    "entry.rule-action": lambda acl: [entry.action for entry in entries_of(acl)],
    "entry.rule-number": lambda acl: [entry.number for entry in entries_of(acl)],
    "entry.egress": lambda acl: [entry.egress for entry in entries_of(acl)],
    "entry.port-range.from": lambda acl: [entry.ports[0] for entry in entries_of(acl) if entry.ports],
    "entry.port-range.to": lambda acl: [entry.ports[1] for entry in entries_of(acl) if entry.ports],
    "entry.icmp.type": lambda acl: [entry.icmp[0] for entry in entries_of(acl) if entry.icmp],
    "entry.icmp.code": lambda acl: [entry.icmp[1] for entry in entries_of(acl) if entry.icmp],
}


@instead("ec2", "DescribeNetworkAcls")
def describe(call: Call) -> dict[str, Any]:
    """Network ACLs, with filters and paging."""
    backend = call.backend()
    items = named(call, "NetworkAclIds", _living(backend), "InvalidNetworkAclID.NotFound", "networkAcl ID")
    items = keep(call, items, _FIELDS, lambda acl: backend.tags.get(acl.id, {}))
    return paged(call, "NetworkAcls", items, lambda acl: show(call, acl))


@after("ec2", "AssociateVpcCidrBlock")
def ipv6_entries(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """With a VPC's first IPv6 block its ACLs get the IPv6 ``*``, and an unmodified default ACL also lets IPv6 through.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    """
    backend = call.backend()
    vpc = backend.vpcs.get(call.params.get("VpcId"))
    if not has_ipv6(vpc) or not result.get("Ipv6CidrBlockAssociation"):
        return result
    for acl in _living(backend).values():
        entries = entries_of(acl)
        if acl.vpc_id != vpc.id or any(entry.number == LAST_IPV6 for entry in entries):
            continue
        plain = acl.default and set(entries) == set(first_entries(default=True, ipv6=False))
        set_entries(acl, [*entries, *_denials(True), *(_allowances(True) if plain else [])])
    return result
