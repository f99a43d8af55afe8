# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent: a protocol and ports, and how much of it a rule or an ACL entry covers.

A question may be wider than one packet (all ports, all ICMP, every protocol). It is then a span of numbers, and a rule covers the whole, a
part or nothing of it. For ports the span is the ports themselves; for the rest it is 0 to 0 (one thing) or 0 to 1 (several, of which a
narrower rule covers 0 and a rule for all covers both).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .._model.rules import protocol_name
from ..errors import CloudnetError

Span = tuple[int, int]
#: The ports that a client's answers come back to, over all systems and NAT gateways.
#: https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports
EPHEMERAL: Span = (1024, 65535)
PORTED = ("tcp", "udp")
ICMP = ("icmp", "icmpv6")
#: ICMP messages that ask, and the type that answers. https://www.iana.org/assignments/icmp-parameters
_ANSWERS = {("icmp", 8): 0, ("icmp", 13): 14, ("icmp", 15): 16, ("icmp", 17): 18, ("icmpv6", 128): 129}


class Traffic(NamedTuple):
    """``protocol``: tcp, udp, icmp, icmpv6, a number as text, or -1 for every one.

    ``low``, ``high``: destination ports; for ICMP type and code, -1 for any; None for protocols without ports.
    """

    protocol: str
    low: int | None = None
    high: int | None = None

    @property
    def span(self) -> Span:
        """The numbers that a rule must cover."""
        if self.protocol in PORTED:
            return (self.low or 0, 65535 if self.high is None else self.high)
        several = self.protocol == "-1" or (self.protocol in ICMP and -1 in (self.low, self.high))
        return (0, 1) if several else (0, 0)

    def __str__(self) -> str:
        if self.protocol == "-1":
            return "all traffic"
        if self.protocol in PORTED:
            return f"{self.protocol} {spans_text([self.span])}"
        if self.protocol in ICMP:
            echo = {
                ("icmp", 8): " echo request",
                ("icmp", 0): " echo reply",
                ("icmpv6", 128): " echo request",
                ("icmpv6", 129): " echo reply",
            }
            if (self.protocol, self.low) in echo and self.high in (0, -1):
                return self.protocol + echo[self.protocol, self.low or 0]
            return (
                self.protocol if self.low == -1 else f"{self.protocol} type {self.low}" + ("" if self.high == -1 else f" code {self.high}")
            )
        return f"protocol {self.protocol}"

    def reply(self) -> Traffic | None:
        """What comes back, as a stateless filter sees it; None when nothing does (an ICMP message that is no question)."""
        if self.protocol in PORTED:
            return Traffic(self.protocol, *EPHEMERAL)
        if self.protocol in ICMP:
            if self.low == -1:
                return self
            answer = _ANSWERS.get((self.protocol, self.low or 0))
            return None if answer is None else Traffic(self.protocol, answer, self.high)
        return self

    def covered(self, protocol: str, low: int | None, high: int | None) -> Span | None:
        """The part of the span that a rule of this protocol and these ports (or ICMP type and code) speaks of."""
        if protocol == "-1":
            return self.span
        if self.protocol == "-1":
            return (0, 0)
        if protocol != self.protocol:
            return None
        if protocol in PORTED:
            first, last = self.span
            first, last = max(first, low or 0), min(last, 65535 if high is None else high)
            return (first, last) if first <= last else None
        if protocol in ICMP:
            if low in (None, -1):
                return self.span
            if self.low == -1:
                return (0, 0)
            if low != self.low:
                return None
            if high in (None, -1):
                return self.span
            return (0, 0) if self.high in (-1, high) else None
        return self.span


def traffic(protocol: str | int, port: object = None, *, family: int = 4) -> Traffic:
    """A question's protocol and port. ``port``: a number, "80-90", a pair, or None for all; for ICMP type, "type/code" or a pair.

    ICMP without a type is a ping. In IPv6 ``icmp`` means ICMPv6. Raises CloudnetError for what is no protocol or port.
    """
    name = protocol_name(protocol)
    if name in ICMP:
        name = "icmp" if family == 4 else "icmpv6"
    elif name not in (*PORTED, "-1") and not (name.isdigit() and int(name) <= 255):
        raise CloudnetError(f"protocol '{protocol}' is none of tcp, udp, icmp, -1 and the numbers 0 to 255")
    if port is None or port == "":
        if name in ICMP:
            return Traffic(name, 8 if name == "icmp" else 128, 0)
        return Traffic(name, *((0, 65535) if name in PORTED else (None, None)))
    low, high = _pair(port, name)
    if name in ICMP:
        if family == 6 and (low, high) in ((8, 0), (8, -1)):
            low = 128  # who asks for a ping means one
        return Traffic(name, low, high)
    if name not in PORTED:
        raise CloudnetError(f"protocol {name} has no ports; leave port {port} out")
    if not 0 <= low <= high <= 65535:
        raise CloudnetError(f"port {port} is no port or range of ports from 0 to 65535")
    return Traffic(name, low, high)


def _pair(port: object, name: str) -> Span:
    if isinstance(port, int):
        parts: Sequence[object] = [port]
    elif isinstance(port, list | tuple):
        parts = port
    else:
        parts = str(port).split("/" if name in ICMP else "-")
    try:
        numbers = [int(str(part)) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return (numbers[0], -1) if name in ICMP else (numbers[0], numbers[0])
    if len(numbers) == 2:
        return (numbers[0], numbers[1])
    what = "an ICMP type (8) or type and code (8/0)" if name in ICMP else "a port (443) or a range (80-90)"
    raise CloudnetError(f"port '{port}' is not {what}")


def subtract(spans: list[Span], gone: Span) -> list[Span]:
    """What is left of spans."""
    left: list[Span] = []
    for first, last in spans:
        if gone[1] < first or gone[0] > last:
            left.append((first, last))
            continue
        if first < gone[0]:
            left.append((first, gone[0] - 1))
        if last > gone[1]:
            left.append((gone[1] + 1, last))
    return left


def common(spans: list[Span], other: Span) -> list[Span]:
    """The parts of spans that lie in another."""
    return [(max(first, other[0]), min(last, other[1])) for first, last in spans if max(first, other[0]) <= min(last, other[1])]


def spans_text(spans: list[Span]) -> str:
    """Ports for people: ``80, 443-445``; every port is ``all ports``."""
    return ", ".join("all ports" if (low, high) == (0, 65535) else str(low) if low == high else f"{low}-{high}" for low, high in spans)


def narrowed(asked: Traffic, spans: list[Span]) -> str:
    """The part of a question that is left, for people."""
    if asked.protocol in PORTED:
        return ", ".join(str(asked._replace(low=low, high=high)) for low, high in spans)
    return "some of it"


def rule_traffic(protocol: str, low: int | None, high: int | None) -> str:
    """A rule's protocol and ports for people: ``tcp 443``, ``icmp``, ``all traffic``."""
    if protocol in PORTED:
        return f"{protocol} {spans_text([(low or 0, 65535 if high is None else high)])}"
    if protocol in ICMP:
        return protocol if low in (None, -1) else f"{protocol} type {low}" + ("" if high in (None, -1) else f" code {high}")
    return "all traffic" if protocol == "-1" else f"protocol {protocol}"
