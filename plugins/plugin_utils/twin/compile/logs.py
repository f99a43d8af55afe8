# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where flow logs see packets: those that an ENI's gates let through and those at which they end, told to the daemon by NFLOG. Pure.

An ENI's log has what came to it and what it sent (https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html). What is refused
on its way out is the sender's REJECT and reaches nobody; what is refused on its way in is the sender's ACCEPT and the receiver's REJECT.
Every packet is told, with its first bytes, so that packets and bytes are counted and not guessed. An ENI behind its own address is known
by that; for one that sends for others (no source/destination check, gateways) the text of the message names it.
"""

from __future__ import annotations

from ..state import Chain, NftSet
from .matching import FAMILIES, flags_of, header
from .view import ENDPOINT, HOST, PARK, SERVE, Port, View

ACCEPT, REJECT = "ACCEPT", "REJECT"
GROUPS = {ACCEPT: 7, REJECT: 8}
"""NFLOG groups."""
SNAPLEN = 96
"""Bytes of each packet that are told: the longest headers that matter."""

_DEVICES = {"out": "iifname", "in": "oifname"}
_SIDES = {"out": "saddr", "in": "daddr"}


def log_parts(view: View, out_hook: str, in_hook: str) -> tuple[list[Chain], list[NftSet]]:
    """``refused_out`` and ``refused_in`` always, since other chains go there; the others only where a flow log watches."""
    chains = [Chain(f"refused_{way}", (*_lines(view, way, REJECT), "drop")) for way in ("out", "in")]
    sets: list[NftSet] = []
    for action in (ACCEPT, REJECT):
        watched = [port for port in view.ports if _watched(port, action)]
        if not watched:
            continue
        plain = [port for port in watched if not _named(port)]
        for family in FAMILIES if view.vpc.ipv6_cidrs else (4,):
            elements = frozenset(f'"{port.device}" . {item}' for port in plain for item in port.own(family))
            sets.append(NftSet(f"logged_{action.lower()}_{family}", f"ifname . ipv{family}_addr", elements, flags_of(elements)))
        if action == ACCEPT:
            hooks = {"out": out_hook, "in": in_hook}
            chains += [Chain(f"accepted_{way}", _lines(view, way, ACCEPT), hooks[way]) for way in ("out", "in")]
    return chains, sets


def _watched(port: Port, action: str) -> bool:
    return port.logged in ("ALL", action)


def _named(port: Port) -> bool:
    return port.kind not in (HOST, ENDPOINT) or (not port.check and port.device not in (PARK, SERVE))


def _lines(view: View, way: str, action: str) -> tuple[str, ...]:
    watched = [port for port in view.ports if _watched(port, action)]
    if not watched:
        return ()
    device, tail = _DEVICES[way], f"group {GROUPS[action]} snaplen {SNAPLEN}"
    families = FAMILIES if view.vpc.ipv6_cidrs else (4,)
    known = f"logged_{action.lower()}"
    found = [f'{device} . {header(_SIDES[way], family)} @{known}_{family} log prefix "{action} {way}" {tail}' for family in families]
    named = sorted((port for port in watched if _named(port)), key=lambda port: port.id)
    return (*found, *(f'{device} "{port.device}" log prefix "{action} {way} {port.id}" {tail}' for port in named))
