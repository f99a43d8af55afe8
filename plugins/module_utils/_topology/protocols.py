# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may pass: the keys ``tcp``, ``udp``, ``icmp`` and ``protocol``, as EC2 writes protocols and ports."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .faults import Cursor, Faults, nearest

#: EC2 takes these four by name; every other protocol goes by its number.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
_NAMED = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
#: https://www.iana.org/assignments/protocol-numbers/
_NUMBERS = {
    "all": "-1", "any": "-1", "icmp": "1", "igmp": "2", "ipip": "4", "tcp": "6", "egp": "8", "udp": "17", "dccp": "33", "rsvp": "46",
    "gre": "47", "esp": "50", "ah": "51", "icmpv6": "58", "eigrp": "88", "ospf": "89", "pim": "103", "vrrp": "112", "l2tp": "115",
    "sctp": "132", "udplite": "136",
}  # fmt: skip
_RANGE = re.compile(r"([0-9]+) ?- ?([0-9]+)\Z")
KEYS = ("tcp", "udp", "icmp", "protocol")


@dataclass(frozen=True)
class Traffic:
    """A protocol and its ports: None for all; for ICMP type and code, -1 for any."""

    protocol: str
    from_port: int | None = None
    to_port: int | None = None


def traffic(item: Cursor, faults: Faults) -> list[Traffic]:
    """Everything that an item lets pass, in the order tcp, udp, icmp, protocol; faults are told."""
    found: list[Traffic] = []
    if not any(key in item for key in KEYS):
        faults.add(item.path, "says not what may pass: add tcp, udp, icmp or protocol, such as tcp: 443")
    for protocol in ("tcp", "udp"):
        found.extend(_ports(item[protocol], protocol, faults))
    icmp = item["icmp"]
    if isinstance(icmp.value, dict):
        kind, code = icmp["type"].value, icmp["code"].value
        if kind == -1 and code not in (None, -1):
            faults.add((*icmp.path, "code"), "a code without a type means nothing: name the type, or leave both out")
        elif isinstance(kind, int):
            found.append(Traffic("icmp", kind, -1 if not isinstance(code, int) else code))
    elif icmp.value is True:
        found.append(Traffic("icmp", -1, -1))
    elif icmp.value is False:
        faults.add(icmp.path, "false lets nothing pass: leave the key out")
    protocol_item = item["protocol"]
    if isinstance(protocol_item.value, (str, int)):
        number = protocol_number(protocol_item.value)
        if number is None:
            faults.add(
                protocol_item.path,
                f"no protocol is called {protocol_item.value!r}{nearest(str(protocol_item.value), _NUMBERS)}; any IP protocol goes "
                "by its number, 0 to 255",
            )
        else:
            found.append(Traffic(number, -1, -1) if number in ("icmp", "icmpv6") else Traffic(number))
    return list(dict.fromkeys(found))


def protocol_number(value: str | int) -> str | None:
    """A name or number as EC2 writes it: tcp, udp, icmp, icmpv6, -1 for all, else the number; None when there is no such protocol."""
    text = str(value).casefold()
    text = _NUMBERS.get(text, text)
    if text == "-1":
        return "-1"
    if not re.match(r"[0-9]{1,3}\Z", text) or int(text) > 255:
        return None
    return _NAMED.get(str(int(text)), str(int(text)))


def _ports(item: Cursor, protocol: str, faults: Faults) -> list[Traffic]:
    if item.value is True:
        return [Traffic(protocol)]
    if item.value is False:
        faults.add(item.path, "false lets nothing pass: leave the key out")
        return []
    found = []
    for port in item.each():
        ports = one_range(port, faults)
        if ports is not None:
            found.append(Traffic(protocol, *ports))
    return found


def one_range(port: Cursor, faults: Faults) -> tuple[int | None, int | None] | None:
    """A port, a range or ``all`` as its two ends; None when it is faulty."""
    value = port.value
    if port.broken:
        return None
    if isinstance(value, bool):
        return (None, None) if value else None
    if isinstance(value, int):
        return (value, value)
    if value == "all":
        return (None, None)
    match = _RANGE.match(str(value))
    low, high = (int(match[1]), int(match[2])) if match else (int(value), int(value))
    if high > 65535 or low > 65535:
        faults.add(port.path, f"{value} goes beyond 65535, the last port")
    elif low > high:
        faults.add(port.path, f"{value} runs backwards: write {high}-{low}")
    else:
        return (low, high)
    return None
