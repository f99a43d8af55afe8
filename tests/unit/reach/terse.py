# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network in a few lines, as the describe calls would tell it: the cases go through the same loader as a real account's snapshot.

Everything is named by id. What AWS makes by itself is made here too: local routes, a main table (``rtb-main-X`` of ``vpc-X``) and a
default ACL (``acl-X``) per VPC, an all-out rule for a group without ``out``.

    vpcs:      {vpc-a: 10.0.0.0/16}                  or {cidr: [...], ipv6: ..., region, account, owner, dns: false, bpa: block-ingress}
    subnets:   {subnet-a: {vpc: vpc-a, cidr: ..., table: rtb-1, acl: acl-1, az: a, ipv6: ..., bpa: ...}}
    tables:    {rtb-1: {vpc: vpc-a, main: true, edge: igw-a, routes: [10.1.0.0/16 pcx-1, 0.0.0.0/0 nat-1 blackhole]}}
    peerings:  {pcx-1: [vpc-a, vpc-b, pending-acceptance]}          (active; dns: {pcx-1: [true, false]})
    groups:    {sg-a: {vpc: vpc-a, in: [tcp 443 0.0.0.0/0, icmp sg-b, all pl-1], out: []}}
    acls:      {acl-1: {vpc: vpc-a, in: [100 deny tcp 22 0.0.0.0/0, 200 allow all 0.0.0.0/0], out: [...]}}
    hosts:     {i-a: {subnet: subnet-a, ip: 10.0.0.4, groups: [sg-a], public: ..., ipv6: ..., check: false, state: stopped}}   (ENI eni-a)
               and of its interface {type: network_load_balancer, status: available, prefixes: [10.0.0.16/28], deny: true}; groups: null;
               told: the description of one that AWS made
    bpa:       {mode: block-ingress, exclusions: {vpcbpa-exclude-1: [subnet-a, allow-egress, create-complete]}, allowed: false, state: ...}
    encryption: {vpc-a: {mode: enforce, state: available, exclusions: {VpcPeering: enabled}}}
    associations: {sg-a: [vpc-b]}                     other VPCs in which a group may be used
    igws, eigws: {igw-a: vpc-a};  nats: {nat-1: {subnet, ip, public, state}};  prefix_lists: {pl-1: [...] or null}
    endpoints: {vpce-1: {vpc, service, type, tables, subnets, interfaces, groups, state}}
    transit:   {gateways: {tgw-1: {references: true, encryption: enabled}},
                attachments: {tgw-attach-a: {gateway, vpc, subnets, table, type, resource, state}},
                tables: {tgw-rtb-1: {gateway, routes: [10.0.0.0/8 tgw-attach-a], propagations: [...]}}}
    missing:   [NetworkAcls, ...]                     files that were not read, of every account and Region, or 111111111111/us-east-1/X
    untold:    [VpcEncryptionControls, ...]           files that were asked for in vain, likewise
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot

ACCOUNT, REGION = "111111111111", "us-east-1"
_FILES = [
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
    "VpcEndpoints",
    "NetworkInterfaces",
    "Reservations",
    "ManagedPrefixLists",
    "PrefixListEntries",
    "VpcBlockPublicAccessOptions",
    "VpcBlockPublicAccessExclusions",
    "VpcEncryptionControls",
    "SecurityGroupVpcAssociations",
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
]
_TARGETS = {
    "pcx-": "VpcPeeringConnectionId",
    "nat-": "NatGatewayId",
    "eni-": "NetworkInterfaceId",
    "i-": "InstanceId",
    "eigw-": "EgressOnlyInternetGatewayId",
    "tgw-": "TransitGatewayId",
    "lgw-": "LocalGatewayId",
    "cagw-": "CarrierGatewayId",
}


class _Builder:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.files: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        self.vpcs = {id_: value if isinstance(value, dict) else {"cidr": value} for id_, value in data.get("vpcs", {}).items()}
        for id_ in self.vpcs:
            for file in _FILES:
                self.files[(*self.place(id_), file)] = []

    def place(self, vpc: str) -> tuple[str, str]:
        spec = self.vpcs.get(vpc, {})
        return str(spec.get("account", ACCOUNT)), spec.get("region", REGION)

    def owner(self, vpc: str) -> dict[str, str]:
        """Of a VPC that its owner shares with the account that sees it."""
        spec = self.vpcs.get(vpc, {})
        return {"OwnerId": str(spec["owner"])} if "owner" in spec else {}

    def put(self, vpc: str, file: str, item: dict[str, Any]) -> None:
        account, region = self.place(vpc)
        self.files[account, region, file].append({"OwnerId": account} | item)

    def each(self, key: str) -> Any:
        return self.data.get(key, {}).items()

    def snapshot(self) -> Snapshot:
        for make in (self._vpcs, self._subnets, self._tables, self._peerings, self._groups, self._acls, self._hosts, self._gateways):
            make()
        self._endpoints()
        self._prefix_lists()
        self._transit()
        self._features()
        untold = {place for place in self.files if {place[2], "/".join(place)} & set(self.data.get("untold", ()))}
        missing = {*self.data.get("missing", ()), *self.data.get("untold", ())}
        return Snapshot(
            {key: tuple(items) for key, items in self.files.items() if key[2] not in missing and "/".join(key) not in missing},
            (),
            frozenset(untold),
        )

    def _features(self) -> None:
        for vpc in self.vpcs if "bpa" in self.data else ():
            account, region = self.place(vpc)
            spec = self.data["bpa"]
            options = {
                "AwsAccountId": account,
                "AwsRegion": region,
                "InternetGatewayBlockMode": spec["mode"],
                "State": spec.get("state", "update-complete"),
                "ExclusionsAllowed": "allowed" if spec.get("allowed", True) else "not-allowed",
            }
            self.files[account, region, "VpcBlockPublicAccessOptions"] = [options]
            exclusions = [
                {
                    "ExclusionId": id_,
                    "ResourceArn": f"arn:aws:ec2:{region}:{account}:{resource.partition('-')[0]}/{resource}",
                    "InternetGatewayExclusionMode": mode,
                    "State": state[0] if state else "create-complete",
                }
                for id_, (resource, mode, *state) in spec.get("exclusions", {}).items()
            ]
            self.files[account, region, "VpcBlockPublicAccessExclusions"] = exclusions
        for vpc, spec in self.each("encryption"):
            item = {
                "VpcEncryptionControlId": f"vpcec-{vpc.removeprefix('vpc-')}",
                "VpcId": vpc,
                "Mode": spec["mode"],
                "State": spec.get("state", "available"),
                "ResourceExclusions": {name: {"State": state} for name, state in spec.get("exclusions", {}).items()},
            }
            self.put(vpc, "VpcEncryptionControls", item)
        for group, vpcs in self.each("associations"):
            for vpc in vpcs:
                link = {"GroupId": group, "VpcId": vpc, "State": "associated"}
                self.put(vpc, "SecurityGroupVpcAssociations", link)

    def _vpcs(self) -> None:
        for id_, spec in self.vpcs.items():
            cidrs = [spec["cidr"]] if isinstance(spec["cidr"], str) else spec["cidr"]
            item: dict[str, Any] = {
                "VpcId": id_,
                "CidrBlock": cidrs[0],
                "CidrBlockAssociationSet": [{"AssociationId": f"{id_}-{cidr}", "CidrBlock": cidr} for cidr in cidrs],
                "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": spec["ipv6"]}] if "ipv6" in spec else [],
            }
            if "bpa" in spec:
                item["BlockPublicAccessStates"] = {"InternetGatewayBlockMode": spec["bpa"]}
            self.put(id_, "Vpcs", item | self.owner(id_))
            dns = {"Value": spec.get("dns", True)}
            self.put(id_, "VpcAttributes", {"VpcId": id_, "EnableDnsSupport": dns, "EnableDnsHostnames": dns})

    def _subnets(self) -> None:
        for id_, spec in self.each("subnets"):
            item = {
                "SubnetId": id_,
                "VpcId": spec["vpc"],
                "CidrBlock": spec.get("cidr", ""),
                "AvailabilityZone": self.place(spec["vpc"])[1] + spec.get("az", "a"),
                "MapPublicIpOnLaunch": spec.get("public", False),
                "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": spec["ipv6"]}] if "ipv6" in spec else [],
            }
            if "bpa" in spec:
                item["BlockPublicAccessStates"] = {"InternetGatewayBlockMode": spec["bpa"]}
            self.put(spec["vpc"], "Subnets", item | self.owner(spec["vpc"]))

    def _tables(self) -> None:
        tables = {id_: dict(spec) for id_, spec in self.each("tables")}
        for vpc in self.vpcs:
            if not any(spec["vpc"] == vpc and spec.get("main") for spec in tables.values()):
                tables[f"rtb-main-{vpc.removeprefix('vpc-')}"] = {"vpc": vpc, "main": True}
        for id_, spec in tables.items():
            vpc = self.vpcs[spec["vpc"]]
            cidrs = [vpc["cidr"]] if isinstance(vpc["cidr"], str) else vpc["cidr"]
            local = [f"{cidr} local" for cidr in (*cidrs, *([vpc["ipv6"]] if "ipv6" in vpc else ()))]
            links: list[dict[str, Any]] = [
                {"RouteTableAssociationId": f"rtbassoc-{name}", "SubnetId": name}
                for name, subnet in self.each("subnets")
                if subnet.get("table") == id_
            ]
            if spec.get("main"):
                links.append({"RouteTableAssociationId": f"rtbassoc-{id_}", "Main": True})
            if "edge" in spec:
                links.append({"RouteTableAssociationId": f"rtbassoc-{id_}-edge", "GatewayId": spec["edge"]})
            routes = [_route(text) for text in (*local, *spec.get("routes", ()))]
            self.put(spec["vpc"], "RouteTables", {"RouteTableId": id_, "VpcId": spec["vpc"], "Routes": routes, "Associations": links})

    def _peerings(self) -> None:
        for id_, (requester, accepter, *status) in self.each("peerings"):
            active = not status or status[0] == "active"
            sides = {}
            options = self.data.get("dns", {}).get(id_, (False, False))
            for key, vpc, dns in zip(("RequesterVpcInfo", "AccepterVpcInfo"), (requester, accepter), options, strict=True):
                spec = self.vpcs.get(vpc) or self.data["others"][vpc]
                cidrs = [spec["cidr"]] if isinstance(spec["cidr"], str) else spec["cidr"]
                account, region = str(spec.get("account", ACCOUNT)), spec.get("region", REGION)
                sides[key] = {"VpcId": vpc, "OwnerId": account, "Region": region} | (
                    {
                        "CidrBlock": cidrs[0],
                        "CidrBlockSet": [{"CidrBlock": cidr} for cidr in cidrs],
                        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": spec["ipv6"]}] if "ipv6" in spec else [],
                        "PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": dns},
                    }
                    if active
                    else {}
                )
            item = {"VpcPeeringConnectionId": id_, "Status": {"Code": status[0] if status else "active"}, **sides}
            for place in {self.place(vpc) for vpc in (requester, accepter) if vpc in self.vpcs}:
                self.files[(*place, "VpcPeeringConnections")].append(item)

    def _groups(self) -> None:
        groups = dict(self.each("groups"))
        for id_, spec in groups.items():
            self.put(spec["vpc"], "SecurityGroups", {"GroupId": id_, "VpcId": spec["vpc"], "GroupName": id_})
            sides = ((False, spec.get("in", ())), (True, spec.get("out", ("all 0.0.0.0/0", "all ::/0"))))
            for egress, rules in sides:
                for number, text in enumerate(rules):
                    protocol, *ports, peer = text.split()
                    rule: dict[str, Any] = {
                        "SecurityGroupRuleId": f"sgr-{id_.removeprefix('sg-')}-{'out' if egress else 'in'}-{number}",
                        "GroupId": id_,
                        "GroupOwnerId": self.place(spec["vpc"])[0],
                        "IsEgress": egress,
                        "IpProtocol": "-1" if protocol == "all" else protocol,
                        **_ports(protocol, ports),
                    }
                    if peer.startswith("sg-"):
                        other = groups.get(peer, {}).get("vpc", "")
                        info = {"GroupId": peer, "UserId": self.place(other)[0] if other else ACCOUNT, "VpcId": other}
                        rule["ReferencedGroupInfo"] = info
                    elif peer.startswith("pl-"):
                        rule["PrefixListId"] = peer
                    else:
                        rule["CidrIpv6" if ":" in peer else "CidrIpv4"] = peer
                    self.put(spec["vpc"], "SecurityGroupRules", rule)

    def _acls(self) -> None:
        acls: dict[str, Any] = {
            f"acl-{vpc.removeprefix('vpc-')}": {"vpc": vpc, "default": True, "in": _ALL, "out": _ALL} for vpc in self.vpcs
        }
        acls |= dict(self.each("acls"))
        for id_, spec in acls.items():
            entries = [_entry(text, egress) for egress, key in ((False, "in"), (True, "out")) for text in (*spec.get(key, ()), *_LAST)]
            chosen = [
                name
                for name, subnet in self.each("subnets")
                if subnet["vpc"] == spec["vpc"] and subnet.get("acl", f"acl-{spec['vpc'].removeprefix('vpc-')}") == id_
            ]
            links = [{"NetworkAclAssociationId": f"aclassoc-{name}", "SubnetId": name} for name in chosen]
            item = {"NetworkAclId": id_, "VpcId": spec["vpc"], "IsDefault": spec.get("default", False), "Entries": entries}
            self.put(spec["vpc"], "NetworkAcls", item | {"Associations": links})

    def _hosts(self) -> None:
        for id_, spec in self.each("hosts"):
            vpc, eni = self.data["subnets"][spec["subnet"]]["vpc"], f"eni-{id_.removeprefix('eni-').removeprefix('i-')}"
            private: dict[str, Any] = {"PrivateIpAddress": spec["ip"]} if "ip" in spec else {}
            if "public" in spec:
                private["Association"] = {"PublicIp": spec["public"]}
            interface = {
                "NetworkInterfaceId": eni,
                "VpcId": vpc,
                "SubnetId": spec["subnet"],
                "PrivateIpAddresses": [private] if private else [],
                "Ipv6Addresses": [{"Ipv6Address": spec["ipv6"]}] if "ipv6" in spec else [],
                "Groups": [{"GroupId": group} for group in spec.get("groups") or ()],
                "SourceDestCheck": spec.get("check", True),
                "InterfaceType": spec.get("type", "interface"),
                "Ipv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in spec.get("prefixes", ()) if ":" not in prefix],
                "Ipv6Prefixes": [{"Ipv6Prefix": prefix} for prefix in spec.get("prefixes", ()) if ":" in prefix],
                "DenyAllIgwTraffic": spec.get("deny", False),
            }
            if "told" in spec:
                interface |= {"RequesterManaged": True, "Description": spec["told"]}
            if "status" in spec:
                interface["Status"] = spec["status"]
            if spec.get("groups", ()) is None:
                del interface["Groups"]
            if id_.startswith("i-"):
                interface["Attachment"] = {"InstanceId": id_}
                instance = {
                    "InstanceId": id_,
                    "VpcId": vpc,
                    "SubnetId": spec["subnet"],
                    "PrivateIpAddress": spec.get("ip", ""),
                    "State": {"Name": spec.get("state", "running")},
                    "NetworkInterfaces": [{"NetworkInterfaceId": eni}],
                }
                self.put(vpc, "Reservations", {"ReservationId": f"r-{id_}", "Instances": [instance]})
            self.put(vpc, "NetworkInterfaces", interface)

    def _gateways(self) -> None:
        for file, key, name in (
            ("InternetGateways", "igws", "InternetGatewayId"),
            ("EgressOnlyInternetGateways", "eigws", "EgressOnlyInternetGatewayId"),
        ):
            for id_, vpc in self.each(key):
                self.put(vpc, file, {name: id_, "Attachments": [{"VpcId": vpc, "State": "available"}]})
        for id_, spec in self.each("nats"):
            vpc = self.data["subnets"][spec["subnet"]]["vpc"]
            address = {"PrivateIp": spec["ip"], "NetworkInterfaceId": f"eni-{id_}"} | (
                {"PublicIp": spec["public"]} if "public" in spec else {}
            )
            kind = "public" if "public" in spec else "private"
            item = {
                "NatGatewayId": id_,
                "VpcId": vpc,
                "SubnetId": spec["subnet"],
                "ConnectivityType": kind,
                "NatGatewayAddresses": [address],
            }
            self.put(vpc, "NatGateways", item | {"State": spec.get("state", "available")})

    def _endpoints(self) -> None:
        for id_, spec in self.each("endpoints"):
            item = {
                "VpcEndpointId": id_,
                "VpcId": spec["vpc"],
                "ServiceName": spec.get("service", "com.amazonaws.us-east-1.s3"),
                "VpcEndpointType": spec.get("type", "Gateway"),
                "State": spec.get("state", "available"),
                "RouteTableIds": spec.get("tables", []),
                "SubnetIds": spec.get("subnets", []),
                "NetworkInterfaceIds": spec.get("interfaces", []),
                "Groups": [{"GroupId": group} for group in spec.get("groups", ())],
            }
            self.put(spec["vpc"], "VpcEndpoints", item)

    def _prefix_lists(self) -> None:
        for id_, value in self.each("prefix_lists"):
            spec = value if isinstance(value, dict) else {"entries": value}
            vpc = next(iter(self.vpcs))
            self.put(vpc, "ManagedPrefixLists", {"PrefixListId": id_, "PrefixListName": spec.get("name", id_), "MaxEntries": 10})
            if spec["entries"] is not None:
                entries = [{"Cidr": cidr} for cidr in spec["entries"]]
                self.put(vpc, "PrefixListEntries", {"PrefixListId": id_, "Entries": entries})

    def _transit(self) -> None:
        data = self.data.get("transit", {})
        first = next(iter(self.vpcs), "")
        for id_, spec in data.get("gateways", {}).items():
            enabled = "enable" if (spec or {}).get("references") else "disable"
            options = {"SecurityGroupReferencingSupport": enabled}
            if "encryption" in (spec or {}):
                options["EncryptionSupport"] = {"EncryptionState": spec["encryption"]}
            self.put(first, "TransitGateways", {"TransitGatewayId": id_, "Options": options})
        for id_, spec in data.get("attachments", {}).items():
            vpc = spec.get("vpc", "")
            item: dict[str, Any] = {
                "TransitGatewayAttachmentId": id_.partition("@")[0],
                "TransitGatewayId": spec["gateway"],
                "ResourceType": spec.get("type", "vpc"),
                "ResourceId": vpc or spec.get("resource", ""),
                "State": spec.get("state", "available"),
            }
            if "table" in spec:
                item["Association"] = {"TransitGatewayRouteTableId": spec["table"], "State": "associated"}
            self.put(vpc or first, "TransitGatewayAttachments", item)
            if vpc:
                options = {"SecurityGroupReferencingSupport": "enable" if spec.get("references") else "disable"}
                details = {
                    "TransitGatewayAttachmentId": id_,
                    "TransitGatewayId": spec["gateway"],
                    "VpcId": vpc,
                    "SubnetIds": spec.get("subnets", []),
                    "Options": options,
                }
                self.put(vpc, "TransitGatewayVpcAttachments", details)
        for id_, spec in data.get("tables", {}).items():
            self.put(first, "TransitGatewayRouteTables", {"TransitGatewayRouteTableId": id_, "TransitGatewayId": spec["gateway"]})
            routes = []
            for text in spec.get("routes", ()):
                cidr, target, *_other = text.split()
                attached = [{"TransitGatewayAttachmentId": target}] if target != "blackhole" else []
                routes.append(
                    {
                        "DestinationCidrBlock": cidr,
                        "TransitGatewayAttachments": attached,
                        "State": "active" if attached else "blackhole",
                    }
                )
            self.put(first, "TransitGatewayStaticRoutes", {"TransitGatewayRouteTableId": id_, "Routes": routes})
            told = [{"TransitGatewayAttachmentId": name, "State": "enabled"} for name in spec.get("propagations", ())]
            item = {"TransitGatewayRouteTableId": id_, "TransitGatewayRouteTablePropagations": told}
            self.put(first, "TransitGatewayPropagations", item)


_ALL = ("100 allow all 0.0.0.0/0", "101 allow all ::/0")
_LAST = ("32767 deny all 0.0.0.0/0", "32768 deny all ::/0")


def _route(text: str) -> dict[str, Any]:
    destination, target, *marks = text.split()
    key = (
        "DestinationPrefixListId"
        if destination.startswith("pl-")
        else "DestinationIpv6CidrBlock"
        if ":" in destination
        else "DestinationCidrBlock"
    )
    name = next((name for prefix, name in _TARGETS.items() if target.startswith(prefix)), "GatewayId")
    state = "blackhole" if "blackhole" in marks else "active"
    origin = "EnableVgwRoutePropagation" if "propagated" in marks else "CreateRouteTable" if target == "local" else "CreateRoute"
    return {key: destination, name: target, "State": state, "Origin": origin}


def _ports(protocol: str, words: list[str]) -> dict[str, int]:
    if not words:
        return {"FromPort": -1, "ToPort": -1} if protocol in ("all", "icmp", "icmpv6") else {"FromPort": 0, "ToPort": 65535}
    separator = "/" if protocol in ("icmp", "icmpv6") else "-"
    low, _mark, high = words[0].partition(separator)
    return {"FromPort": int(low), "ToPort": int(high or (-1 if separator == "/" else low))}


def _entry(text: str, egress: bool) -> dict[str, Any]:
    number, action, protocol, *ports, cidr = text.split()
    names = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}
    item: dict[str, Any] = {"RuleNumber": int(number), "RuleAction": action, "Egress": egress, "Protocol": names.get(protocol, protocol)}
    item["Ipv6CidrBlock" if ":" in cidr else "CidrBlock"] = cidr
    if protocol in ("tcp", "udp"):
        span = _ports(protocol, ports)
        item["PortRange"] = {"From": span["FromPort"], "To": span["ToPort"]}
    elif protocol in ("icmp", "icmpv6"):
        span = _ports(protocol, ports)
        item["IcmpTypeCode"] = {"Type": span["FromPort"], "Code": span["ToPort"]}
    return item


def snapshot(data: Mapping[str, Any]) -> Snapshot:
    """The describe answers of a terse network."""
    return _Builder(data).snapshot()


def network(data: Mapping[str, Any]) -> Network:
    """A terse network, loaded."""
    return build(snapshot(data))
