# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a topology as JSON Schema 2020-12; ``docs/topology.schema.json`` is this dict.

``title`` is the noun phrase that completes "must be …" in our messages, ``description`` is for editors. Keywords that apply by type
(``pattern`` to text, ``items`` to lists) stand side by side instead of in ``anyOf``, so that a fault is always one fault. What one value
alone cannot tell (names, overlaps, sizes) is checked by the expansion.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

#: ``$`` also matches before a final line feed in Python; the look-ahead says no to that in every dialect.
_END = "$(?!\\n)"
_IPV4 = "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
_ADDRESS = f"({_IPV4}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)"
_HEX = "([0-9a-f]{8}|[0-9a-f]{17})"
_PORTS = "^([0-9]{1,5}( ?- ?[0-9]{1,5})?|all)"


def _text(title: str, pattern: str = "", description: str = "", **more: Any) -> Schema:
    found: Schema = {"title": title, "type": "string", **more}
    if pattern:
        found["pattern"] = f"^{pattern}{_END}"
    else:
        found.setdefault("minLength", 1)
    if description:
        found["description"] = description
    return found


def _flag(description: str) -> Schema:
    return {"title": "true or false", "type": "boolean", "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(title: str, properties: Schema, required: tuple[str, ...] = (), description: str = "", **more: Any) -> Schema:
    found: Schema = {"title": title, "type": "object", "properties": properties, "additionalProperties": False, **more}
    if required:
        found["required"] = list(required)
    if description:
        found["description"] = description
    return found


def _named(title: str, item: Schema, description: str, **more: Any) -> Schema:
    return {
        "title": title,
        "type": "object",
        "propertyNames": _ref("name"),
        "additionalProperties": item,
        "description": description,
        **more,
    }


def _list(title: str, item: Schema, description: str = "", **more: Any) -> Schema:
    found: Schema = {"title": title, "type": "array", "items": item, **more}
    if description:
        found["description"] = description
    return found


def _one_or_many(title: str, item: Schema, description: str = "", **more: Any) -> Schema:
    """A single value, or a list of them: the single value's own keywords stand beside ``items``."""
    single = {key: value for key, value in item.items() if key not in ("title", "type", "description")}
    kinds = item["type"] if isinstance(item["type"], list) else [item["type"]]
    found: Schema = {"title": title, "type": [*kinds, "array"], **single, "items": item, "minItems": 1, **more}
    if description:
        found["description"] = description
    return found


_NAME = _text("a name: letters, digits, - and _, a letter first, at most 64", "[A-Za-z][A-Za-z0-9_-]{0,63}")
_CIDR4 = _text("an IPv4 CIDR block such as 10.0.0.0/16", f"{_IPV4}/[0-9]{{1,2}}")
_CIDR = _text("a CIDR block such as 10.0.0.0/16 or 2001:db8::/32", f"{_ADDRESS}/[0-9]{{1,3}}")
_ZONE = _text("a zone: a letter such as a, or a name such as us-east-1a", "([a-z]|[a-z]{2}(-[a-z]+)+-[0-9]+(-[a-z]+-[0-9]+)?[a-z])")
_ACCOUNT = _text('a 12-digit account id in quotes, such as "012345670123"', "[0-9]{12}")
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
_DESCRIPTION = _text("at most 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*", "[A-Za-z0-9 ._:/()#,@\\[\\]+=&;{}!$*-]{1,255}")
_PLACE = _text("a place such as marketing.web, marketing or 10.0.0.0/16")
_PORT: Schema = {
    "title": 'a port (443), or a range in quotes ("8000-8010")',
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": 65535,
    "pattern": _PORTS + _END,
}
_PORT_SET = _one_or_many(
    'a port (443), a range ("8000-8010"), a list of them, or true for all ports', {**_PORT, "type": ["integer", "string"]}
)
_PORT_SET["type"] = ["boolean", *_PORT_SET["type"]]
_ICMP_NUMBER = {"title": "a whole number from -1 (any) to 255", "type": "integer", "minimum": -1, "maximum": 255}
_ICMP: Schema = {
    "title": "true, or {type, code}",
    "type": ["boolean", "object"],
    "properties": {"type": _ICMP_NUMBER, "code": _ICMP_NUMBER},
    "required": ["type"],
    "additionalProperties": False,
    "description": "true for all of ICMP (of ICMPv6 too, where both ends have IPv6), or one type",
}
_PROTOCOL: Schema = {
    "title": "a protocol's name (esp) or number (50), or all",
    "type": ["string", "integer"],
    "minimum": 0,
    "maximum": 255,
    "minLength": 1,
    "description": "any IP protocol, all its ports; `all` for every protocol",
}
_TRAFFIC: Schema = {
    "tcp": {**_PORT_SET, "description": "TCP ports"},
    "udp": {**_PORT_SET, "description": "UDP ports"},
    "icmp": _ref("icmp"),
    "protocol": _ref("protocol"),
}
_ROUTE = _object(
    "a route {to, via}",
    {
        "to": _text("a CIDR block, a name in prefix_lists, or a pl- id"),
        "via": _text(
            "a target such as internet_gateway or nat.SUBNET",
            description="internet_gateway, egress_only_gateway, nat.SUBNET, endpoint.NAME, or an AWS id: nat-, vpce-, eni-, i-, "
            "tgw-, vgw-, "
            "igw-, eigw-, cagw-, lgw-, or a core network's ARN",
        ),
    },
    ("to", "via"),
)
_RULE_PEERS = _one_or_many(
    "a CIDR block, a group, a prefix list, a VPC, or a list of them",
    _text("a CIDR block, a group (web, dev.web or sg-…), a prefix list or a VPC"),
)


def _rule(side: str) -> Schema:
    return _object(
        f"a rule such as {{{side}: 10.0.0.0/16, tcp: 443}}",
        {side: _RULE_PEERS, **_TRAFFIC, "description": _DESCRIPTION},
        (side,),
    )


_ACL_ENTRY = _object(
    "an entry such as {number: 100, cidr: 0.0.0.0/0, tcp: 443}",
    {
        "number": {"title": "a rule number from 1 to 32766", "type": "integer", "minimum": 1, "maximum": 32766},
        "action": {"title": "allow or deny", "enum": ["allow", "deny"], "description": "allow when left out"},
        "cidr": {**_CIDR, "description": "where the packet comes from (inbound) or goes to (outbound)"},
        **{
            key: {
                "title": 'a port (443), a range ("1024-65535"), or true for all',
                **{k: v for k, v in _PORT.items() if k != "title"},
                "type": ["boolean", "integer", "string"],
            }
            for key in ("tcp", "udp")
        },
        "icmp": _ref("icmp"),
        "protocol": _ref("protocol"),
    },
    ("number", "cidr"),
)
_TAGS: Schema = {
    "title": "a mapping of tag keys to texts",
    "type": "object",
    "additionalProperties": {
        "title": "a text of at most 256 characters, in quotes where YAML would see a number",
        "type": "string",
        "maxLength": 256,
    },
    "propertyNames": {"title": "a tag key of 1 to 128 characters", "type": "string", "minLength": 1, "maxLength": 128},
}
_NARROWED: Schema = {
    "title": "a mapping of VPCs to their CIDR blocks",
    "type": "object",
    "additionalProperties": _one_or_many("a CIDR block or a list of them", _CIDR),
}
_SUBNET_IPV6: Schema = {
    "title": "true, the number of a /64 of the VPC's block, or a block such as 2001:db8:0:1::/64",
    "type": ["boolean", "integer", "string"],
    "minimum": 0,
    "maximum": 65535,
    "pattern": f"^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*/[0-9]{{1,3}}{_END}",
}

_SUBNET = _object(
    "a subnet such as {cidr: 10.0.1.0/24, az: a}",
    {
        "cidr": _one_or_many("an IPv4 CIDR block such as 10.0.1.0/24, or a list of one per zone", _CIDR4),
        "ipv6": _one_or_many(_SUBNET_IPV6["title"], _SUBNET_IPV6, "true for the next free /64 of the VPC's IPv6 block, or which one"),
        "az": _one_or_many(
            "a zone (a letter or a zone's name), or a list of zones",
            _ZONE,
            "a list makes one subnet per zone: NAME_a, NAME_b",
            uniqueItems=True,
        ),
        "public": _flag("an internet gateway and a route to it"),
        "nat": _text("the name of a public subnet of this VPC", description="that subnet gets a NAT gateway, and this one a route to it"),
        "table": _text("a route table's name", description="default: public or private; in an adopted VPC its id, Name tag, or main"),
    },
    ("cidr",),
)
_GROUP: Schema = {
    **_object(
        "a security group ({} is enough)",
        {
            "ref": _text("the id or name of a group that exists", description="in adopted and remote VPCs; default: the key"),
            "description": _DESCRIPTION,
            "rules": _list("a list of rules", _rule("from"), "rules beside those from allow"),
            "egress": _list("a list of rules", _rule("to"), "replaces AWS's default egress, which lets everything out"),
        },
    ),
    "type": ["object", "null"],
}
_TABLE: Schema = {
    **_object(
        "a route table such as {routes: [{to, via}]}",
        {"ref": _text("the id or Name tag of a table that exists, or main"), "routes": _list("a list of routes {to, via}", _ROUTE)},
    ),
    "type": ["object", "null"],
}
_ACL = _object(
    "a network ACL such as {subnets: [app], inbound: [], outbound: []}",
    {
        "subnets": _one_or_many("a subnet, or a list of subnets", _text("the name of a subnet of this VPC")),
        "inbound": _list("a list of numbered entries", _ACL_ENTRY),
        "outbound": _list("a list of numbered entries", _ACL_ENTRY),
    },
    ("subnets",),
)
_ENDPOINT = _object(
    "an endpoint such as {service: s3, type: Gateway}",
    {
        "service": _text("a service such as s3 or com.amazonaws.us-east-1.s3", "[A-Za-z0-9][A-Za-z0-9._-]*"),
        "name": _ref("name"),
        "type": {
            "title": "Interface, Gateway or GatewayLoadBalancer",
            "enum": ["Interface", "Gateway", "GatewayLoadBalancer"],
            "description": "default: Gateway for s3 and dynamodb, else Interface",
        },
        "subnets": _one_or_many(
            "a subnet, or a list of subnets", _text("the name of a subnet of this VPC"), "default: one private subnet per zone"
        ),
        "security_groups": _one_or_many("a group, or a list of groups", _text("the name of a group of this VPC")),
        "route_tables": _one_or_many(
            "a route table, or a list of them",
            _text("the name of a route table of this VPC"),
            "of a gateway endpoint; default: every table",
        ),
        "private_dns": _flag("default: true for AWS's own interface endpoints"),
        "policy": {"title": "a policy document, as a mapping or JSON text", "type": ["object", "string"]},
    },
    ("service",),
)
_ACCESS = _object(
    "access such as {ssm: true}",
    {
        "ssm": _flag("Session Manager: its interface endpoints and the group ssm_endpoint"),
        "bastion": _object(
            "a bastion {subnet, from}",
            {
                "subnet": _text("the name of a public subnet of this VPC"),
                "from": _one_or_many("a CIDR block, or a list of them", _CIDR, "from where ssh is let in"),
            },
            ("subnet", "from"),
            "the group bastion, which lets ssh in",
        ),
    },
)
_INSTANCE = _object(
    "an instance such as {subnet: app, security_groups: [web]}",
    {
        "subnet": _text("the name of a subnet of this VPC"),
        "security_groups": _one_or_many("a group, or a list of groups", _text("the name of a group of this VPC"), uniqueItems=True),
        "type": _text("an instance type such as t3.micro", "[a-z0-9-]+\\.[a-z0-9-]+"),
        "private_ip": _text("an IPv4 address such as 10.0.1.10", _IPV4),
        "key": _text("the name of a key pair"),
        "public_ip": _flag("needs a public subnet"),
        "user_data": _text("a script"),
    },
    ("subnet",),
)
_VPC = _object(
    "a VPC such as {cidr: 10.0.0.0/16}",
    {
        "cidr": _one_or_many(
            "an IPv4 CIDR block such as 10.0.0.0/16, or a list of them",
            _CIDR4,
            "the first is the primary; of an adopted VPC it is only checked",
        ),
        "ipv6": {
            "title": "true, or an IPv6 block such as 2001:db8::/56",
            "type": ["boolean", "string"],
            "pattern": _SUBNET_IPV6["pattern"],
            "description": "true for an Amazon-provided /56",
        },
        "id": _text("a VPC id such as vpc-0123456789abcdef0", f"vpc-{_HEX}", "adopts a VPC that exists"),
        "lookup": {**_TAGS, "minProperties": 1, "description": "adopts the one VPC that carries these tags"},
        "account": _text("a name in accounts"),
        "region": _ref("region"),
        "remote": _object(
            "a VPC of another owner {owner, id, cidr, region}",
            {
                "owner": _ACCOUNT,
                "id": _text("a VPC id such as vpc-0123456789abcdef0", f"vpc-{_HEX}"),
                "cidr": _one_or_many("a CIDR block, or a list of them", _CIDR),
                "region": _ref("region"),
            },
            ("owner", "id", "cidr"),
            "a VPC for which we hold no credentials",
        ),
        "dns": _flag("DNS support and DNS hostnames; true where peering DNS, private DNS or Session Manager needs them"),
        "subnets": _named("a mapping of subnet names to subnets", _SUBNET, "subnets by name"),
        "route_tables": {
            "title": "a mapping of route table names to tables",
            "type": "object",
            "additionalProperties": _TABLE,
            "description": "extra tables, and extra routes of the tables public and private",
        },
        "security_groups": _named("a mapping of group names to groups ({db: {}})", _GROUP, "security groups by name"),
        "network_acls": _named("a mapping of ACL names to ACLs", _ACL, "network ACLs by name"),
        "endpoints": _list("a list of endpoints", _ENDPOINT, "VPC endpoints"),
        "access": {**_ACCESS, "description": "how people get to the instances"},
        "flow_logs": _object(
            "flow logs such as {to: /vpc/flows, role: arn:…}",
            {
                "to": _text("the name of a log group, or the ARN of a bucket or delivery stream"),
                "traffic": {
                    "title": "accept, reject or all",
                    "enum": ["accept", "reject", "all", "ACCEPT", "REJECT", "ALL"],
                    "description": "all when left out",
                },
                "role": _text(
                    "the ARN of a role such as arn:aws:iam::123456789012:role/flow-logs",
                    "arn:[a-z-]+:iam::[0-9]{12}:role/[^ ]+",
                    "needed for a log group",
                ),
            },
            ("to",),
        ),
        "instances": _named(
            "a mapping of instance names to instances", _INSTANCE, "made by the role instances; the engine reads where they are"
        ),
        "tags": _ref("tags"),
    },
)
_PEERING = _object(
    "a peering: {between: [a, b]}, {hub: a, spokes: [b, c]} or {mesh: [a, b, c]}",
    {
        "between": _list("a list of two VPCs", _text("the name of a VPC"), "requester, accepter", minItems=2, maxItems=2),
        "hub": _text("the name of a VPC", description="requests the connection to every spoke"),
        "spokes": _one_or_many("a list of VPCs", _text("the name of a VPC")),
        "mesh": _list("a list of at least two VPCs", _text("the name of a VPC"), "every pair; the one named first requests", minItems=2),
        "dns": _flag("each side resolves the other's public host names to private addresses"),
        "routes": {
            "title": "a mapping of VPCs to lists of route tables ({legacy: [main]})",
            "type": "object",
            "additionalProperties": _one_or_many(
                "a route table, or a list of them ([] for none)", _text("a route table's name, id or Name tag, or main"), minItems=0
            ),
            "description": "which tables get routes; default: every table of the VPC's declared subnets; in adopted VPCs it must be said",
        },
        "accept_only": _flag("the other owner requests; we accept, and do our half"),
        "cidrs": _object(
            "{only: {VPC: [block]}, except: {VPC: [block]}}",
            {
                "only": {**_NARROWED, "description": "route nothing but these"},
                "except": {**_NARROWED, "description": "leave these whole blocks out"},
            },
            description="narrows what is routed, by the VPC whose blocks they are",
        ),
        "id": _text("a peering connection's id such as pcx-0123456789abcdef0", f"pcx-{_HEX}"),
        "tags": _ref("tags"),
    },
)
_ENDS: Schema = {
    "from": _one_or_many("a place such as marketing.web, or a list of them", _PLACE),
    "to": _one_or_many("a place such as finance.db, or a list of them", _PLACE),
}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        "a topology: a mapping with at least `name` and `vpcs`",
        {
            "name": {**_NAME, "description": "stands in the tag cloudnet:topology of everything that is made"},
            "region": {**_ref("region"), "description": "the Region of VPCs that name none"},
            "account": _text("a name in accounts", description="the account of VPCs that name none; default: the ambient credentials"),
            "accounts": _named(
                "a mapping of account names to {profile}, {role_arn} or {id}",
                {
                    **_object(
                        "an account such as {profile: NAME}",
                        {
                            "profile": _text("a profile's name"),
                            "role_arn": _text(
                                "the ARN of a role such as arn:aws:iam::123456789012:role/NAME", "arn:[a-z-]+:iam::[0-9]{12}:role/[^ ]+"
                            ),
                            "external_id": _text("an external id of 2 to 1224 characters", minLength=2, maxLength=1224),
                            "id": {**_ACCOUNT, "description": "checked against the credentials"},
                        },
                    ),
                    "type": ["object", "null"],
                },
                "how to get at each account; without it, the ambient credentials",
            ),
            "tags": _ref("tags"),
            "vpcs": _named(
                "a mapping of VPC names to VPCs",
                _VPC,
                "VPCs by name: ours (cidr), adopted (id or lookup), or another owner's (remote)",
                minProperties=1,
            ),
            "prefix_lists": _named(
                "a mapping of prefix list names to CIDR blocks",
                _one_or_many("a CIDR block, or a list of them", _CIDR),
                "customer-managed prefix lists",
            ),
            "peerings": _list("a list of peerings", _PEERING, "which VPCs are joined"),
            "allow": _list(
                "a list of connections to allow",
                _object("a connection to allow such as {from: a.web, to: b.db, tcp: 443}", {**_ENDS, **_TRAFFIC}, ("from", "to")),
                "becomes the narrowest rules that work",
            ),
            "expect": _list(
                "a list of expectations",
                _object(
                    "an expectation such as {from: a.app, to: b.app, tcp: 443, reachable: true}",
                    {**_ENDS, **_TRAFFIC, "reachable": _flag("default: true")},
                    ("from", "to"),
                ),
                "questions to reach and to the probes, each with its answer",
            ),
            "replace_routes": _flag("take over routes of others to the same destination; default: false, they are refused"),
        },
        ("name", "vpcs"),
    ),
    "$defs": {
        "name": _NAME,
        "region": _text("a Region such as us-east-1", "[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"),
        "tags": {**_TAGS, "description": "tags of what is made"},
        "icmp": _ICMP,
        "protocol": _PROTOCOL,
    },
}
