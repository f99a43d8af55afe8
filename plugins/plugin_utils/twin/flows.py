# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC Flow Logs: packets counted into records of AWS's default format, and which flow log each record belongs to.

Fields: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html. The routers tell of every packet of a watched ENI with its
verdict (compile/logs.py), so counts are counts. Where the kernel had more to tell than was read, the interval says SKIPDATA, as AWS does.
Nothing is told of questions to the resolver and the metadata service, nor of packets that no route leads anywhere.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...module_utils._model.network import FlowLog, Interface, Network
from .compile.blocks import Block, block
from .nflog import Packet

OK, NO_DATA, SKIPPED = "OK", "NODATA", "SKIPDATA"
_OUT = "out"
_WITH_PORTS = (6, 17)


@dataclass(frozen=True, order=True)
class Record:
    """One flow at one ENI in one interval. Times are Unix seconds. Without data (``status`` NODATA, SKIPDATA) only ENI and times count."""

    interface: str
    account: str
    start: int
    end: int
    source: str = ""
    destination: str = ""
    source_port: int = 0
    destination_port: int = 0
    protocol: int = 0
    packets: int = 0
    octets: int = 0
    action: str = ""
    status: str = OK

    def line(self) -> str:
        """``version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status``."""
        flow: tuple[object, ...] = (self.source, self.destination, self.source_port, self.destination_port, self.protocol)
        flow = (*flow, self.packets, self.octets)
        told = flow if self.status == OK else ("-",) * len(flow)
        fields = (2, self.account, self.interface, *told, self.start, self.end, self.action or "-", self.status)
        return " ".join(str(field) for field in fields)


@dataclass(frozen=True)
class Delivery:
    """What a flow log gets: lines for a log stream of its destination, each with its time in milliseconds."""

    log: FlowLog
    stream: str
    events: tuple[tuple[int, str], ...]


@dataclass
class _Count:
    start: float
    end: float
    packets: int = 0
    octets: int = 0


MOST = 2000
"""Flows of one ENI in one interval, which is about a second; of more it is said that records were skipped, as AWS does for want of room:
https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (log-status)."""


class FlowTable:
    """Counts the packets that the router of one VPC tells of. ``note`` and ``lose`` fit NflogListener; ``flush`` ends an interval."""

    def __init__(self, network: Network, vpc: str, clock: Callable[[], float] = time.time) -> None:
        self._vpc, self._clock = vpc, clock
        self._counts: dict[tuple[str, str, str, Packet], _Count] = {}
        self._flows: Counter[str] = Counter()
        self._begun, self._lost = clock(), False
        self._interfaces: dict[str, Interface] = {}
        self._by_address: dict[str, str] = {}
        self._by_prefix: list[tuple[Block, str]] = []
        self.update(network)

    def update(self, network: Network) -> None:
        """Look ENIs up in a newer network; what was counted stays, and an ENI that is gone keeps its last description."""
        found = [item for item in network.interfaces.values() if item.vpc == self._vpc]
        self._interfaces.update((item.id, item) for item in found)
        self._by_address = {address: item.id for item in found for address in (*item.private_ips, *item.ipv6s)}
        self._by_prefix = [(block(cidr), item.id) for item in found for cidr in (*item.ipv4_prefixes, *item.ipv6_prefixes)]

    def note(self, packet: Packet) -> None:
        """Count a packet; its message says ``ACTION DIRECTION`` and, where the address does not tell it, the ENI."""
        action, way, *named = packet.prefix.split()
        own = packet.source if way == _OUT else packet.destination
        interface = named[0] if named else self._by_address.get(own) or self._delegate(own)
        if interface not in self._interfaces:
            return
        key = (interface, way, action, _flow(packet))
        now = self._clock()
        count = self._counts.get(key)
        if count is None:
            self._flows[interface] += 1
            if self._flows[interface] > MOST:
                return
            count = self._counts[key] = _Count(now, now)
        count.packets, count.octets, count.end = count.packets + 1, count.octets + packet.length, now

    def _delegate(self, address: str) -> str:
        """The ENI that has an address in a prefix, empty for none."""
        return next((id_ for prefix, id_ in self._by_prefix if block(address).within(prefix)), "")

    def lose(self) -> None:
        """Packets were not read in time."""
        self._lost = True

    def flush(self, watched: Iterable[str] = ()) -> list[Record]:
        """The interval's records, and a new interval.

        An ENI of ``watched`` without any has one that says so, and where packets were lost, so does each ENI; and each that had too many.
        """
        start, end = int(self._begun), int(self._clock())
        counts, lost = self._counts, self._lost
        crowded = {interface for interface, number in self._flows.items() if number > MOST}
        self._counts, self._flows, self._begun, self._lost = {}, Counter(), self._clock(), False
        found = [self._record(*key, count) for key, count in counts.items()]
        heard = {record.interface for record in found}
        for interface in sorted({*watched, *heard} if lost else {*watched, *crowded}):
            skipped = lost or interface in crowded
            if interface in self._interfaces and (skipped or interface not in heard):
                found.append(Record(interface, self._interfaces[interface].account, start, end, status=SKIPPED if skipped else NO_DATA))
        return sorted(found)

    def _record(self, interface: str, way: str, action: str, flow: Packet, count: _Count) -> Record:
        item = self._interfaces[interface]
        source, destination = flow.source, flow.destination
        if way == _OUT:
            source = _shown(item, source)
        else:
            destination = _shown(item, destination)
        return Record(
            interface,
            item.account,
            int(count.start),
            int(count.end),
            source,
            destination,
            flow.source_port,
            flow.destination_port,
            flow.protocol,
            count.packets,
            count.octets,
            action,
        )


def _flow(packet: Packet) -> Packet:
    """What packets of one flow have in common."""
    ports = (packet.source_port, packet.destination_port) if packet.protocol in _WITH_PORTS else (0, 0)
    return Packet(0, "", packet.source, packet.destination, packet.protocol, *ports, 0)


def _shown(item: Interface, address: str) -> str:
    """The ENI's own end is shown as its primary private IPv4 address, whichever of its addresses, or another's, the packet bears.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html (several IPv4 addresses), and ``srcaddr`` in Fields above.
    """
    if ":" not in address:
        return item.private_ips[0] if item.private_ips else address
    return address if address in item.ipv6s or not item.ipv6s else item.ipv6s[0]


def watching(network: Network, interface: Interface) -> Iterator[FlowLog]:
    """The flow logs of an ENI: its own, its subnet's, its VPC's."""
    for log in network.flow_logs.values():
        if log.status == "ACTIVE" and log.resource in (interface.id, interface.subnet, interface.vpc):
            yield log


def watched(network: Network) -> dict[str, tuple[str, ...]]:
    """VPC id to its ENIs that a flow log watches."""
    found: dict[str, list[str]] = {}
    for item in network.interfaces.values():
        if any(watching(network, item)):
            found.setdefault(item.vpc, []).append(item.id)
    return {vpc: tuple(sorted(items)) for vpc, items in found.items()}


def deliveries(network: Network, records: Iterable[Record]) -> list[Delivery]:
    """The records for each flow log and log stream (``eni-…-all``), in order of time.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
    """
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for record in sorted(records, key=lambda item: (item.interface, item.end)):
        interface = network.interfaces.get(record.interface)
        for log in watching(network, interface) if interface is not None else ():
            if log.traffic == "ALL" or record.action in ("", log.traffic):
                found.setdefault((log.id, f"{record.interface}-{log.traffic.lower()}"), []).append((record.end * 1000, record.line()))
    logs: Mapping[str, FlowLog] = network.flow_logs
    return [Delivery(logs[log], stream, tuple(events)) for (log, stream), events in sorted(found.items())]
