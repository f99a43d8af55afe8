# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that the topology's schema is made of: names, blocks, ports, rules, and the functions that put a part together."""

from __future__ import annotations

from typing import Any

from .._model import grammar

Schema = dict[str, Any]

#: ``$`` also matches before a final line feed in Python; the look-ahead says no to that in every dialect.
END = "$(?!\\n)"
IPV4 = "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
ADDRESS = f"({IPV4}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)"
HEX = "([0-9a-f]{8}|[0-9a-f]{17})"
PORTS = "^([0-9]{1,5}( ?- ?[0-9]{1,5})?|all)"


def text(title: str, pattern: str = "", description: str = "", **more: Any) -> Schema:
    """A text that is not empty, or that a pattern matches from end to end."""
    found: Schema = {"title": title, "type": "string", **more}
    if pattern:
        found["pattern"] = f"^{pattern}{END}"
    else:
        found.setdefault("minLength", 1)
    if description:
        found["description"] = description
    return found


def flag(description: str) -> Schema:
    """True or false."""
    return {"title": "true or false", "type": "boolean", "description": description}


def ref(name: str) -> Schema:
    """A part that the document defines under ``$defs``."""
    return {"$ref": f"#/$defs/{name}"}


def mapping(title: str, properties: Schema, required: tuple[str, ...] = (), description: str = "", **more: Any) -> Schema:
    """A mapping of known keys; others are faults."""
    found: Schema = {"title": title, "type": "object", "properties": properties, "additionalProperties": False, **more}
    if required:
        found["required"] = list(required)
    if description:
        found["description"] = description
    return found


def named(title: str, item: Schema, description: str, **more: Any) -> Schema:
    """A mapping of free names to items of one kind."""
    return {
        "title": title,
        "type": "object",
        "propertyNames": ref("name"),
        "additionalProperties": item,
        "description": description,
        **more,
    }


def listed(title: str, item: Schema, description: str = "", **more: Any) -> Schema:
    """A list of items of one kind."""
    found: Schema = {"title": title, "type": "array", "items": item, **more}
    if description:
        found["description"] = description
    return found


def one_or_many(title: str, item: Schema, description: str = "", **more: Any) -> Schema:
    """A single value, or a list of them: the single value's own keywords stand beside ``items``."""
    single = {key: value for key, value in item.items() if key not in ("title", "type", "description")}
    kinds = item["type"] if isinstance(item["type"], list) else [item["type"]]
    found: Schema = {"title": title, "type": [*kinds, "array"], **single, "items": item, "minItems": 1, **more}
    if description:
        found["description"] = description
    return found


NAME = text("a name: letters, digits, - and _, a letter first, at most 64", grammar.NAME.pattern)
CIDR4 = text("an IPv4 CIDR block such as 10.0.0.0/16", f"{IPV4}/[0-9]{{1,2}}")
CIDR = text("a CIDR block such as 10.0.0.0/16 or 2001:db8::/32", f"{ADDRESS}/[0-9]{{1,3}}")
ZONE = text("a zone: a letter such as a, or a name such as us-east-1a", f"([a-z]|{grammar.ZONE.pattern})")
ACCOUNT = text('a 12-digit account id in quotes, such as "012345670123"', "[0-9]{12}")
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
DESCRIPTION = text("at most 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*", "[A-Za-z0-9 ._:/()#,@\\[\\]+=&;{}!$*-]{1,255}")
PLACE = text("a place such as marketing.web, marketing or 10.0.0.0/16")
PORT: Schema = {
    "title": 'a port (443), or a range in quotes ("8000-8010")',
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": 65535,
    "pattern": PORTS + END,
}
PORT_SET = one_or_many(
    'a port (443), a range ("8000-8010"), a list of them, or true for all ports', {**PORT, "type": ["integer", "string"]}
)
PORT_SET["type"] = ["boolean", *PORT_SET["type"]]
ICMP_NUMBER = {"title": "a whole number from -1 (any) to 255", "type": "integer", "minimum": -1, "maximum": 255}
ICMP: Schema = {
    "title": "true, or {type, code}",
    "type": ["boolean", "object"],
    "properties": {"type": ICMP_NUMBER, "code": ICMP_NUMBER},
    "required": ["type"],
    "additionalProperties": False,
    "description": "true for all of ICMP (of ICMPv6 too, where both ends have IPv6), or one type",
}
PROTOCOL: Schema = {
    "title": "a protocol's name (esp) or number (50), or all",
    "type": ["string", "integer"],
    "minimum": 0,
    "maximum": 255,
    "minLength": 1,
    "description": "any IP protocol, all its ports; `all` for every protocol",
}
TRAFFIC: Schema = {
    "tcp": {**PORT_SET, "description": "TCP ports"},
    "udp": {**PORT_SET, "description": "UDP ports"},
    "icmp": ref("icmp"),
    "protocol": ref("protocol"),
}
ROUTE = mapping(
    "a route {to, via}",
    {
        "to": text("a CIDR block, a name in prefix_lists, or a pl- id"),
        "via": text(
            "a target such as internet_gateway or nat.SUBNET",
            description="internet_gateway, egress_only_gateway, nat.SUBNET, endpoint.NAME, or an AWS id: nat-, vpce-, eni-, i-, "
            "tgw-, vgw-, "
            "igw-, eigw-, cagw-, lgw-, or a core network's ARN",
        ),
    },
    ("to", "via"),
)
RULE_PEERS = one_or_many(
    "a CIDR block, a group, a prefix list, a VPC, or a list of them",
    text("a CIDR block, a group (web, dev.web, sg-… or OWNER/sg-…), a prefix list or a VPC"),
)


def rule(side: str) -> Schema:
    """A raw rule of a security group; ``side`` is the key of its peers, ``from`` or ``to``."""
    return mapping(
        f"a rule such as {{{side}: 10.0.0.0/16, tcp: 443}}",
        {side: RULE_PEERS, **TRAFFIC, "description": DESCRIPTION},
        (side,),
    )


ACL_ENTRY = mapping(
    "an entry such as {number: 100, cidr: 0.0.0.0/0, tcp: 443}",
    {
        "number": {"title": "a rule number from 1 to 32766", "type": "integer", "minimum": 1, "maximum": 32766},
        "action": {"title": "allow or deny", "enum": ["allow", "deny"], "description": "allow when left out"},
        "cidr": {**CIDR, "description": "where the packet comes from (inbound) or goes to (outbound)"},
        **{
            key: {
                "title": 'a port (443), a range ("1024-65535"), or true for all',
                **{k: v for k, v in PORT.items() if k != "title"},
                "type": ["boolean", "integer", "string"],
            }
            for key in ("tcp", "udp")
        },
        "icmp": ref("icmp"),
        "protocol": ref("protocol"),
    },
    ("number", "cidr"),
)
TAGS: Schema = {
    "title": "a mapping of tag keys to texts",
    "type": "object",
    "additionalProperties": {
        "title": "a text of at most 256 characters, in quotes where YAML would see a number",
        "type": "string",
        "maxLength": 256,
    },
    "propertyNames": {"title": "a tag key of 1 to 128 characters", "type": "string", "minLength": 1, "maxLength": 128},
}
NARROWED: Schema = {
    "title": "a mapping of VPCs to their CIDR blocks",
    "type": "object",
    "additionalProperties": one_or_many("a CIDR block or a list of them", CIDR),
}
SUBNET_IPV6: Schema = {
    "title": "true, the number of a /64 of the VPC's block, or a block such as 2001:db8:0:1::/64",
    "type": ["boolean", "integer", "string"],
    "minimum": 0,
    "maximum": 65535,
    "pattern": f"^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*/[0-9]{{1,3}}{END}",
}
