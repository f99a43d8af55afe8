# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One described item, in AWS's own keys, to one object of the Network. Each function takes (item, account, region) of the side that told
it.

Keys are those of the describe calls' answers: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Types.html
Items have passed the gate: their texts match AWS's grammar. A key that AWS always sends is required; its absence raises KeyError, and
build() leaves the item out with a fault that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .network import (
    TARGETS,
    Address,
    Association,
    EgressOnlyGateway,
    EncryptionControl,
    Endpoint,
    FlowLog,
    Instance,
    Interface,
    InternetGateway,
    NatGateway,
    NetworkAcl,
    Peering,
    PeeringSide,
    PrefixList,
    PublicAccess,
    PublicAccessExclusion,
    Route,
    RouteTable,
    SecurityGroup,
    Subnet,
    Vpc,
)
from .rules import acl_entry, canonical

Item = Mapping[str, Any]

_IN_USE = ("associated", "associating")
#: GatewayId tells four kinds of target by its prefix. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
_GATEWAYS = {"local": "local", "igw-": "internet", "vgw-": "vpn", "vpce-": "endpoint"}
#: Two spellings of one type: that of the API's model, and that in which DescribeNetworkInterfaces answers.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
_TYPES = {"natGateway": "nat_gateway"}
#: What a route says besides its target.
_NOT_TARGETS = (
    "DestinationCidrBlock",
    "DestinationIpv6CidrBlock",
    "DestinationPrefixListId",
    "Origin",
    "State",
    "InstanceOwnerId",
    "IpAddress",
)


def tags(item: Item) -> dict[str, str]:
    """Tags as a mapping; ENIs tell theirs as TagSet."""
    return {tag["Key"]: tag.get("Value") or "" for tag in item.get("Tags") or item.get("TagSet") or ()}


def _common(item: Item, key: str, account: str, region: str) -> dict[str, Any]:
    return {"id": item[key], "account": str(item.get("OwnerId") or account), "region": region, "tags": tags(item)}


def vpc(item: Item, account: str, region: str, attributes: Item) -> Vpc:
    """``attributes``: this VPC's item of VpcAttributes, or empty."""
    links = [
        (link.get("CidrBlock"), link) for link in item.get("CidrBlockAssociationSet") or () if _state(link, "CidrBlockState") in _IN_USE
    ]
    links6 = [
        (link.get("Ipv6CidrBlock"), link)
        for link in item.get("Ipv6CidrBlockAssociationSet") or ()
        if _state(link, "Ipv6CidrBlockState") in _IN_USE
    ]
    primary = item.get("CidrBlock") or ""
    blocks = [primary, *(block for block, _other in links)]
    return Vpc(
        **_common(item, "VpcId", account, region),
        cidrs=_unique(blocks),
        ipv6_cidrs=_unique(block for block, _other in links6),
        associations={canonical(block): link["AssociationId"] for block, link in (*links, *links6) if block and link.get("AssociationId")},
        dns_support=_flag(attributes, "EnableDnsSupport"),
        dns_hostnames=_flag(attributes, "EnableDnsHostnames"),
        default=bool(item.get("IsDefault")),
        shared=str(item.get("OwnerId") or account) != account,
        block_public_access=_block_mode(item),
    )


def _block_mode(item: Item) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BlockPublicAccessStates.html"""
    return (item.get("BlockPublicAccessStates") or {}).get("InternetGatewayBlockMode") or ""


def public_access(item: Item, account: str, region: str) -> PublicAccess:
    """The one item of VpcBlockPublicAccessOptions that an account has in a Region."""
    owner, place = str(item.get("AwsAccountId") or account), item.get("AwsRegion") or region
    allowed = item.get("ExclusionsAllowed")
    return PublicAccess(
        id=f"{owner}/{place}",
        account=owner,
        region=place,
        mode=item["InternetGatewayBlockMode"] or "",
        state=item.get("State") or "",
        exclusions_allowed=None if allowed is None else allowed == "allowed",
    )


def public_access_exclusion(item: Item, account: str, region: str) -> PublicAccessExclusion:
    """``ResourceArn`` names a VPC or a subnet: ``arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-…``."""
    return PublicAccessExclusion(
        **_common(item, "ExclusionId", account, region),
        resource=(item["ResourceArn"] or "").rpartition("/")[2],
        mode=item.get("InternetGatewayExclusionMode") or "",
        state=item.get("State") or "",
    )


def encryption_control(item: Item, account: str, region: str) -> EncryptionControl:
    """Of VpcEncryptionControls, or of a VPC's own EncryptionControl."""
    return EncryptionControl(
        **_common(item, "VpcEncryptionControlId", account, region),
        vpc=item["VpcId"],
        mode=item.get("Mode") or "",
        state=item.get("State") or "",
        exclusions={
            name: told.get("State") or ""
            for name, told in sorted((item.get("ResourceExclusions") or {}).items())
            if isinstance(told, Mapping)
        },
    )


def _flag(attributes: Item, key: str) -> bool | None:
    value = attributes.get(key)
    value = value.get("Value") if isinstance(value, Mapping) else value
    return value if isinstance(value, bool) else None


def _state(link: Item, key: str) -> str:
    state = link.get(key)
    return str(state.get("State", "associated")) if isinstance(state, Mapping) else "associated"


def _unique(blocks: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonical(block) for block in blocks if block))


def subnet(item: Item, account: str, region: str) -> Subnet:
    """Of IPv6 blocks AWS allows one at a time."""
    links = [
        link
        for link in item.get("Ipv6CidrBlockAssociationSet") or ()
        if link.get("Ipv6CidrBlock") and _state(link, "Ipv6CidrBlockState") in _IN_USE
    ]
    return Subnet(
        **_common(item, "SubnetId", account, region),
        vpc=item["VpcId"],
        cidr=canonical(item.get("CidrBlock") or ""),  # empty in an IPv6-only subnet
        ipv6_cidr=canonical(links[0]["Ipv6CidrBlock"]) if links else "",
        ipv6_association=links[0].get("AssociationId", "") if links else "",
        zone=item.get("AvailabilityZone") or "",
        zone_id=item.get("AvailabilityZoneId") or "",
        map_public_ip=bool(item.get("MapPublicIpOnLaunch")),
        assign_ipv6=bool(item.get("AssignIpv6AddressOnCreation")),
        block_public_access=_block_mode(item),
    )


def internet_gateway(item: Item, account: str, region: str) -> InternetGateway:
    """An attachment that is going away does not count."""
    return InternetGateway(**_common(item, "InternetGatewayId", account, region), vpc=_attached(item))


def egress_only_gateway(item: Item, account: str, region: str) -> EgressOnlyGateway:
    """As an internet gateway."""
    return EgressOnlyGateway(**_common(item, "EgressOnlyInternetGatewayId", account, region), vpc=_attached(item))


def _attached(item: Item) -> str:
    links = item.get("Attachments") or ()
    return next((link.get("VpcId", "") for link in links if link.get("State", "attached") in ("available", "attached", "attaching")), "")


def nat_gateway(item: Item, account: str, region: str) -> NatGateway:
    """A deleted one stays listed for about an hour, and keeps its state."""
    addresses = item.get("NatGatewayAddresses") or ()

    def told(key: str) -> tuple[str, ...]:
        return tuple(address[key] for address in addresses if address.get(key))

    return NatGateway(
        **_common(item, "NatGatewayId", account, region),
        vpc=item.get("VpcId") or "",
        subnet=item.get("SubnetId") or "",
        connectivity=item.get("ConnectivityType") or "public",
        state=item.get("State") or "available",
        interfaces=told("NetworkInterfaceId"),
        private_ips=told("PrivateIp"),
        public_ips=told("PublicIp"),
        allocations=told("AllocationId"),
    )


def address(item: Item, account: str, region: str) -> Address:
    """An address of EC2-Classic had no allocation: its own address is then its id."""
    return Address(
        id=item.get("AllocationId") or item["PublicIp"],
        account=account,
        region=region,
        tags=tags(item),
        public_ip=item.get("PublicIp") or "",
        association=item.get("AssociationId") or "",
        interface=item.get("NetworkInterfaceId") or "",
        instance=item.get("InstanceId") or "",
        private_ip=item.get("PrivateIpAddress") or "",
    )


def route(item: Item) -> Route:
    """Every kind of target is kept: what is not known here as ``unknown``, with AWS's own id."""
    destination = item.get("DestinationCidrBlock") or item.get("DestinationIpv6CidrBlock")
    via, target = _target(item)
    return Route(
        destination=canonical(destination) if destination else item["DestinationPrefixListId"],
        via=via,
        target=target,
        state=item.get("State") or "active",
        origin=item.get("Origin") or ("CreateRouteTable" if via == "local" else "CreateRoute"),
        instance=item.get("InstanceId") or "",
    )


def _target(item: Item) -> tuple[str, str]:
    for via, key in TARGETS.items():
        value = item.get(key)
        if not value:
            continue
        if via != "gateway":
            return via, value
        return next((kind for prefix, kind in _GATEWAYS.items() if value.startswith(prefix)), "unknown"), value
    return "unknown", next((str(value) for key, value in sorted(item.items()) if value and key not in _NOT_TARGETS), "")


def route_table(item: Item, account: str, region: str) -> RouteTable:
    """Associations that failed or ended are left out."""
    return RouteTable(
        **_common(item, "RouteTableId", account, region),
        vpc=item["VpcId"],
        routes=tuple(route(entry) for entry in item["Routes"]),
        associations=tuple(
            Association(
                id=link.get("RouteTableAssociationId") or "",
                subnet=link.get("SubnetId") or "",
                gateway=link.get("GatewayId") or "",
                main=bool(link.get("Main")),
            )
            for link in item.get("Associations") or ()
            if _state(link, "AssociationState") in _IN_USE
        ),
        propagating=tuple(link["GatewayId"] for link in item.get("PropagatingVgws") or () if link.get("GatewayId")),
    )


def peering_side(info: Item, account: str, region: str) -> PeeringSide:
    """Requester or accepter; ``account`` and ``region`` stand in for what older snapshots do not tell."""
    blocks = [info.get("CidrBlock"), *(entry.get("CidrBlock") for entry in info.get("CidrBlockSet") or ())]
    return PeeringSide(
        vpc=info.get("VpcId") or "",
        account=str(info.get("OwnerId") or account),
        region=info.get("Region") or region,
        cidrs=_unique(blocks),
        ipv6_cidrs=_unique(entry.get("Ipv6CidrBlock") for entry in info.get("Ipv6CidrBlockSet") or ()),
        dns=_flag(info.get("PeeringOptions") or {}, "AllowDnsResolutionFromRemoteVpc"),
    )


def peering(item: Item, account: str, region: str) -> Peering:
    """As one side sees it; build() merges the views of both."""
    status = item.get("Status") or {}
    expires = item.get("ExpirationTime")
    return Peering(
        id=item["VpcPeeringConnectionId"],
        account=account,
        region=region,
        tags=tags(item),
        status=status.get("Code") or "",
        message=status.get("Message") or "",
        requester=peering_side(item.get("RequesterVpcInfo") or {}, account, region),
        accepter=peering_side(item.get("AccepterVpcInfo") or {}, account, region),
        expires=datetime.fromisoformat(expires) if expires else None,
        seen={(account, region): tags(item)},
    )


def security_group(item: Item, account: str, region: str, associated: Iterable[str] = ()) -> SecurityGroup:
    """``associated``: other VPCs that use it (SecurityGroupVpcAssociations)."""
    return SecurityGroup(
        **_common(item, "GroupId", account, region),
        vpc=item.get("VpcId") or "",
        group_name=item.get("GroupName") or "",
        description=item.get("Description") or "",
        associated_vpcs=tuple(associated),
    )


def network_acl(item: Item, account: str, region: str) -> NetworkAcl:
    """Entries in the order in which AWS tries them: inbound before outbound, by number."""
    return NetworkAcl(
        **_common(item, "NetworkAclId", account, region),
        vpc=item["VpcId"],
        default=bool(item.get("IsDefault")),
        entries=tuple(sorted((acl_entry(entry) for entry in item["Entries"]), key=lambda entry: (entry.egress, entry.number, entry.cidr))),
        associations={
            link["SubnetId"]: link.get("NetworkAclAssociationId") or "" for link in item.get("Associations") or () if link.get("SubnetId")
        },
    )


def endpoint(item: Item, account: str, region: str) -> Endpoint:
    """AWS spells states in several ways (``available``, ``Available``): here they are lower case."""
    return Endpoint(
        **_common(item, "VpcEndpointId", account, region),
        vpc=item.get("VpcId") or "",
        service=item.get("ServiceName") or "",
        type=item.get("VpcEndpointType") or "Gateway",
        state=str(item.get("State") or "available").lower(),
        subnets=tuple(item.get("SubnetIds") or ()),
        groups=tuple(group["GroupId"] for group in item.get("Groups") or ()),
        tables=tuple(item.get("RouteTableIds") or ()),
        interfaces=tuple(item.get("NetworkInterfaceIds") or ()),
        private_dns=bool(item.get("PrivateDnsEnabled")),
        dns_names=tuple(entry["DnsName"] for entry in item.get("DnsEntries") or () if entry.get("DnsName")),
        policy=item.get("PolicyDocument") or "",
    )


def prefix_list(item: Item, account: str, region: str, entries: Iterable[str] | None) -> PrefixList:
    """``entries``: blocks, or None when they were not read. An item of PrefixLists tells its own (``Cidrs``)."""
    if entries is None and "Cidrs" in item:
        entries = item["Cidrs"] or ()
    blocks = None if entries is None else tuple(sorted(canonical(block) for block in entries))
    six = any(":" in block for block in blocks or ())
    return PrefixList(
        **_common(item, "PrefixListId", account, region),
        list_name=item.get("PrefixListName") or "",
        family=item.get("AddressFamily") or ("IPv6" if six else "IPv4"),
        max_entries=int(item.get("MaxEntries") or 0),
        version=int(item.get("Version") or 0),
        state=item.get("State") or "",
        entries=blocks,
    )


def interface(item: Item, account: str, region: str, instance: str = "") -> Interface:
    """``instance``: when the ENI is told by its instance and not by a call of its own."""
    addresses = item.get("PrivateIpAddresses") or ()
    private = [entry["PrivateIpAddress"] for entry in addresses if entry.get("PrivateIpAddress")]
    if not private and item.get("PrivateIpAddress"):
        private = [item["PrivateIpAddress"]]
    public = {
        entry["PrivateIpAddress"]: entry["Association"]["PublicIp"]
        for entry in addresses
        if (entry.get("Association") or {}).get("PublicIp")
    }
    if not public and private and (item.get("Association") or {}).get("PublicIp"):
        public = {private[0]: item["Association"]["PublicIp"]}
    return Interface(
        **_common(item, "NetworkInterfaceId", account, region),
        vpc=item.get("VpcId") or "",
        subnet=item.get("SubnetId") or "",
        private_ips=tuple(dict.fromkeys(private)),
        ipv6s=tuple(entry["Ipv6Address"] for entry in item.get("Ipv6Addresses") or () if entry.get("Ipv6Address")),
        public_ips=public,
        groups=tuple(group["GroupId"] for group in item.get("Groups") or ()),
        type=_TYPES.get(item.get("InterfaceType") or "interface", item.get("InterfaceType") or "interface"),
        status=item.get("Status") or "",
        description=item.get("Description") or "",
        instance=instance or (item.get("Attachment") or {}).get("InstanceId") or "",
        source_dest_check=bool(item.get("SourceDestCheck", True)),
        requester_managed=bool(item.get("RequesterManaged")),
        ipv4_prefixes=_unique(entry.get("Ipv4Prefix") for entry in item.get("Ipv4Prefixes") or ()),
        ipv6_prefixes=_unique(entry.get("Ipv6Prefix") for entry in item.get("Ipv6Prefixes") or ()),
        groups_told=item.get("Groups") is not None,
        requester=item.get("RequesterId") or "",
        attached_by=(item.get("Attachment") or {}).get("InstanceOwnerId") or "",
        deny_igw=bool(item.get("DenyAllIgwTraffic")),
    )


def instance(item: Item, account: str, region: str) -> Instance:
    """``profile`` is the ARN of the instance profile."""
    return Instance(
        **_common(item, "InstanceId", account, region),
        vpc=item.get("VpcId") or "",
        subnet=item.get("SubnetId") or "",
        state=(item.get("State") or {}).get("Name") or "",
        type=item.get("InstanceType") or "",
        image=item.get("ImageId") or "",
        key=item.get("KeyName") or "",
        private_ip=item.get("PrivateIpAddress") or "",
        public_ip=item.get("PublicIpAddress") or "",
        interfaces=tuple(link["NetworkInterfaceId"] for link in item.get("NetworkInterfaces") or () if link.get("NetworkInterfaceId")),
        profile=(item.get("IamInstanceProfile") or {}).get("Arn") or "",
    )


def flow_log(item: Item, account: str, region: str) -> FlowLog:
    """``destination``: the log group's name, or the ARN of a bucket or stream."""
    return FlowLog(
        **_common(item, "FlowLogId", account, region),
        resource=item.get("ResourceId") or "",
        traffic=item.get("TrafficType") or "ALL",
        destination_type=item.get("LogDestinationType") or "cloud-watch-logs",
        destination=item.get("LogGroupName") or item.get("LogDestination") or "",
        role=item.get("DeliverLogsPermissionArn") or "",
        status=item.get("FlowLogStatus") or "ACTIVE",
    )
