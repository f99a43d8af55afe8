# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a topology as JSON Schema 2020-12; ``docs/topology.schema.json`` is this dict.

``title`` is the noun phrase that completes "must be …" in our messages, ``description`` is for editors. Keywords that apply by type
(``pattern`` to text, ``items`` to lists) stand side by side instead of in ``anyOf``, so that a fault is always one fault. What one value
alone cannot tell (names, overlaps, sizes) is checked by the expansion.
"""

from __future__ import annotations

from .vocabulary import (
    ACCOUNT,
    ACL_ENTRY,
    CIDR,
    CIDR4,
    DESCRIPTION,
    HEX,
    ICMP,
    IPV4,
    NAME,
    NARROWED,
    PLACE,
    PROTOCOL,
    ROUTE,
    SUBNET_IPV6,
    TAGS,
    TRAFFIC,
    ZONE,
    Schema,
    flag,
    listed,
    mapping,
    named,
    one_or_many,
    ref,
    rule,
    text,
)

_SUBNET = mapping(
    "a subnet such as {cidr: 10.0.1.0/24, az: a}",
    {
        "cidr": one_or_many("an IPv4 CIDR block such as 10.0.1.0/24, or a list of one per zone", CIDR4),
        "ipv6": one_or_many(SUBNET_IPV6["title"], SUBNET_IPV6, "true for the next free /64 of the VPC's IPv6 block, or which one"),
        "az": one_or_many(
            "a zone (a letter or a zone's name), or a list of zones",
            ZONE,
            "a list makes one subnet per zone: NAME_a, NAME_b",
            uniqueItems=True,
        ),
        "public": flag("an internet gateway and a route to it"),
        "nat": text("the name of a public subnet of this VPC", description="that subnet gets a NAT gateway, and this one a route to it"),
        "table": text("a route table's name", description="default: public or private; in an adopted VPC its id, Name tag, or main"),
    },
    ("cidr",),
)
_GROUP: Schema = {
    **mapping(
        "a security group ({} is enough)",
        {
            "ref": text("the id or name of a group that exists", description="in adopted and remote VPCs; default: the key"),
            "description": DESCRIPTION,
            "rules": listed("a list of rules", rule("from"), "rules beside those from allow"),
            "egress": listed("a list of rules", rule("to"), "replaces AWS's default egress, which lets everything out"),
        },
    ),
    "type": ["object", "null"],
}
_TABLE: Schema = {
    **mapping(
        "a route table such as {routes: [{to, via}]}",
        {"ref": text("the id or Name tag of a table that exists, or main"), "routes": listed("a list of routes {to, via}", ROUTE)},
    ),
    "type": ["object", "null"],
}
_ACL = mapping(
    "a network ACL such as {subnets: [app], inbound: [], outbound: []}",
    {
        "subnets": one_or_many("a subnet, or a list of subnets", text("the name of a subnet of this VPC")),
        "inbound": listed("a list of numbered entries", ACL_ENTRY),
        "outbound": listed("a list of numbered entries", ACL_ENTRY),
    },
    ("subnets",),
)
_ENDPOINT = mapping(
    "an endpoint such as {service: s3, type: Gateway}",
    {
        "service": text("a service such as s3 or com.amazonaws.us-east-1.s3", "[A-Za-z0-9][A-Za-z0-9._-]*"),
        "name": ref("name"),
        "type": {
            "title": "Interface, Gateway or GatewayLoadBalancer",
            "enum": ["Interface", "Gateway", "GatewayLoadBalancer"],
            "description": "default: Gateway for s3 and dynamodb, else Interface",
        },
        "subnets": one_or_many(
            "a subnet, or a list of subnets", text("the name of a subnet of this VPC"), "default: one private subnet per zone"
        ),
        "security_groups": one_or_many("a group, or a list of groups", text("the name of a group of this VPC")),
        "route_tables": one_or_many(
            "a route table, or a list of them",
            text("the name of a route table of this VPC"),
            "of a gateway endpoint; default: every table",
        ),
        "private_dns": flag("default: true for AWS's own interface endpoints"),
        "policy": {"title": "a policy document, as a mapping or JSON text", "type": ["object", "string"]},
    },
    ("service",),
)
_ACCESS = mapping(
    "access such as {ssm: true}",
    {
        "ssm": flag("Session Manager: its interface endpoints and the group ssm_endpoint"),
        "bastion": mapping(
            "a bastion {subnet, from}",
            {
                "subnet": text("the name of a public subnet of this VPC"),
                "from": one_or_many("a CIDR block, or a list of them", CIDR, "from where ssh is let in"),
            },
            ("subnet", "from"),
            "the group bastion, which lets ssh in",
        ),
    },
)
_INSTANCE = mapping(
    "an instance such as {subnet: app, security_groups: [web]}",
    {
        "subnet": text("the name of a subnet of this VPC"),
        "security_groups": one_or_many("a group, or a list of groups", text("the name of a group of this VPC"), uniqueItems=True),
        "type": text("an instance type such as t3.micro", "[a-z0-9-]+\\.[a-z0-9-]+"),
        "private_ip": text("an IPv4 address such as 10.0.1.10", IPV4),
        "key": text("the name of a key pair"),
        "public_ip": flag("needs a public subnet"),
        "user_data": text("a script"),
    },
    ("subnet",),
)
_VPC = mapping(
    "a VPC such as {cidr: 10.0.0.0/16}",
    {
        "cidr": one_or_many(
            "an IPv4 CIDR block such as 10.0.0.0/16, or a list of them",
            CIDR4,
            "the first is the primary; of an adopted VPC it is only checked",
        ),
        "ipv6": {
            "title": "true, or an IPv6 block such as 2001:db8::/56",
            "type": ["boolean", "string"],
            "pattern": SUBNET_IPV6["pattern"],
            "description": "true for an Amazon-provided /56",
        },
        "id": text("a VPC id such as vpc-0123456789abcdef0", f"vpc-{HEX}", "adopts a VPC that exists"),
        "lookup": {**TAGS, "minProperties": 1, "description": "adopts the one VPC that carries these tags"},
        "account": text("a name in accounts"),
        "region": ref("region"),
        "remote": mapping(
            "a VPC of another owner {owner, id, cidr, region}",
            {
                "owner": ACCOUNT,
                "id": text("a VPC id such as vpc-0123456789abcdef0", f"vpc-{HEX}"),
                "cidr": one_or_many("a CIDR block, or a list of them", CIDR),
                "region": ref("region"),
            },
            (),
            "a VPC for which we hold no credentials; what is left out is taken from the connection that its peering names by `id`",
        ),
        "dns": flag("DNS support and DNS hostnames; true where peering DNS, private DNS or Session Manager needs them"),
        "subnets": named("a mapping of subnet names to subnets", _SUBNET, "subnets by name"),
        "route_tables": {
            "title": "a mapping of route table names to tables",
            "type": "object",
            "additionalProperties": _TABLE,
            "description": "extra tables, and extra routes of the tables public and private",
        },
        "security_groups": named("a mapping of group names to groups ({db: {}})", _GROUP, "security groups by name"),
        "network_acls": named("a mapping of ACL names to ACLs", _ACL, "network ACLs by name"),
        "endpoints": listed("a list of endpoints", _ENDPOINT, "VPC endpoints"),
        "access": {**_ACCESS, "description": "how people get to the instances"},
        "flow_logs": mapping(
            "flow logs such as {to: /vpc/flows, role: arn:…}",
            {
                "to": text("the name of a log group, or the ARN of a bucket or delivery stream"),
                "traffic": {
                    "title": "accept, reject or all",
                    "enum": ["accept", "reject", "all", "ACCEPT", "REJECT", "ALL"],
                    "description": "all when left out",
                },
                "role": text(
                    "the ARN of a role such as arn:aws:iam::123456789012:role/flow-logs",
                    "arn:[a-z-]+:iam::[0-9]{12}:role/[^ ]+",
                    "needed for a log group",
                ),
            },
            ("to",),
        ),
        "instances": named(
            "a mapping of instance names to instances", _INSTANCE, "made by the role instances; the engine reads where they are"
        ),
        "tags": ref("tags"),
    },
)
_PEERING = mapping(
    "a peering: {between: [a, b]}, {hub: a, spokes: [b, c]} or {mesh: [a, b, c]}",
    {
        "between": listed("a list of two VPCs", text("the name of a VPC"), "requester, accepter", minItems=2, maxItems=2),
        "hub": text("the name of a VPC", description="requests the connection to every spoke"),
        "spokes": one_or_many("a list of VPCs", text("the name of a VPC")),
        "mesh": listed("a list of at least two VPCs", text("the name of a VPC"), "every pair; the one named first requests", minItems=2),
        "dns": flag("each side resolves the other's public host names to private addresses"),
        "routes": {
            "title": "a mapping of VPCs to lists of route tables ({legacy: [main]})",
            "type": "object",
            "additionalProperties": one_or_many(
                "a route table, or a list of them ([] for none)", text("a route table's name, id or Name tag, or main"), minItems=0
            ),
            "description": "which tables get routes; default: every table of the VPC's declared subnets; in adopted VPCs it must be said",
        },
        "accept_only": flag("the other owner requests; we accept, and do our half"),
        "cidrs": mapping(
            "{only: {VPC: [block]}, except: {VPC: [block]}}",
            {
                "only": {**NARROWED, "description": "route nothing but these"},
                "except": {**NARROWED, "description": "leave these whole blocks out"},
            },
            description="narrows what is routed, by the VPC whose blocks they are",
        ),
        "id": text("a peering connection's id such as pcx-0123456789abcdef0", f"pcx-{HEX}"),
        "tags": ref("tags"),
    },
)
_ENDS: Schema = {
    "from": one_or_many("a place such as marketing.web, or a list of them", PLACE),
    "to": one_or_many("a place such as finance.db, or a list of them", PLACE),
}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **mapping(
        "a topology: a mapping with at least `name` and `vpcs`",
        {
            "name": {**NAME, "description": "stands in the tag cloudnet:topology of everything that is made"},
            "region": {**ref("region"), "description": "the Region of VPCs that name none"},
            "account": text("a name in accounts", description="the account of VPCs that name none; default: the ambient credentials"),
            "accounts": named(
                "a mapping of account names to {profile}, {role_arn} or {id}",
                {
                    **mapping(
                        "an account such as {profile: NAME}",
                        {
                            "profile": text("a profile's name"),
                            "role_arn": text(
                                "the ARN of a role such as arn:aws:iam::123456789012:role/NAME", "arn:[a-z-]+:iam::[0-9]{12}:role/[^ ]+"
                            ),
                            "external_id": text("an external id of 2 to 1224 characters", minLength=2, maxLength=1224),
                            "id": {**ACCOUNT, "description": "checked against the credentials"},
                        },
                    ),
                    "type": ["object", "null"],
                },
                "how to get at each account; without it, the ambient credentials",
            ),
            "tags": ref("tags"),
            "vpcs": named(
                "a mapping of VPC names to VPCs",
                _VPC,
                "VPCs by name: ours (cidr), adopted (id or lookup), or another owner's (remote)",
                minProperties=1,
            ),
            "prefix_lists": named(
                "a mapping of prefix list names to CIDR blocks",
                one_or_many("a CIDR block, or a list of them", CIDR),
                "customer-managed prefix lists",
            ),
            "peerings": listed("a list of peerings", _PEERING, "which VPCs are joined"),
            "allow": listed(
                "a list of connections to allow",
                mapping("a connection to allow such as {from: a.web, to: b.db, tcp: 443}", {**_ENDS, **TRAFFIC}, ("from", "to")),
                "becomes the narrowest rules that work",
            ),
            "expect": listed(
                "a list of expectations",
                mapping(
                    "an expectation such as {from: a.app, to: b.app, tcp: 443, reachable: true}",
                    {**_ENDS, **TRAFFIC, "reachable": flag("default: true")},
                    ("from", "to"),
                ),
                "questions to reach and to the probes, each with its answer",
            ),
            "replace_routes": flag("take over routes of others to the same destination; default: false, they are refused"),
        },
        ("name", "vpcs"),
    ),
    "$defs": {
        "name": NAME,
        "region": text("a Region such as us-east-1", "[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"),
        "tags": {**TAGS, "description": "tags of what is made"},
        "icmp": ICMP,
        "protocol": PROTOCOL,
    },
}
