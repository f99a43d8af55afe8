# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions by chance about a network by chance: each as packets and as reach is asked, with one meaning for both.

Not every end can send or be sent to. A flow without a source is one that nobody is there to send, and one without a target has no address
to go to: no kernel sees it, so it counts as unanswered, and whoever calls it reachable is wrong.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Network, ip_address, ip_network
from typing import NamedTuple

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance, Interface, Network, Subnet
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.outside import outside
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import RESOLVERS

from .packets import PORTS, Flow
from .wild_routes import OUTSIDE


class Case(NamedTuple):
    """The flow in packets, and reach's source, destination and family. ``kind``: what sort of question it is."""

    flow: Flow
    source: str
    target: str
    family: int
    kind: str = ""


DNS = 53
NOWHERE = "10.200.0.0/16"
"""A block of which no table and no VPC knows."""
NOBODY = ""
"""As a flow's source: nothing there sends. As its receiver: whoever answers."""
_HOSTS = ("interface", "lambda", "network_load_balancer")
"""Types of interfaces that are hosts of their own where they belong to no instance."""
_SERVED = ("nat_gateway", "transit_gateway", "gateway_load_balancer_endpoint", "vpc_endpoint")


def in_use(network: Network) -> frozenset[str]:
    """The hosts of a network that have namespaces of their own: running instances, and interfaces that stand alone."""
    running = {item.id for item in network.instances.values() if item.state == "running"}
    return frozenset(running | {item.id for item in network.interfaces.values() if _stands_alone(item)})


def _stands_alone(item: Interface) -> bool:
    return item.type in _HOSTS and not item.instance and item.status != "available"


class Questions:
    """Draws them. Each drawer returns one question, or None where the network has nothing to ask about."""

    def __init__(self, network: Network, chance: random.Random) -> None:
        self.network, self.chance, self.around = network, chance, outside(network)
        self.hosts = sorted(in_use(network))
        addresses = (address for item in network.interfaces.values() for address in (*item.private_ips, *item.ipv6s))
        self.known = Counter(addresses)
        self.drawers: list[tuple[Callable[[], Case | None], int]] = [
            (self._between_hosts, 10),
            (self._to_the_internet, 2),
            (self._from_the_internet, 3),
            (self._to_what_aws_runs, 4),
            (self._from_what_aws_runs, 2),
            (self._to_what_does_not_run, 2),
            (self._from_what_does_not_run, 1),
            (self._to_nobody, 2),
            (self._to_the_router, 2),
            (self._to_a_service, 2),
            (self._to_an_address_of_two, 2),
            (self._from_beyond, 1),
            (self._to_a_prefix, 3),
            (self._from_a_prefix, 1),
        ]

    def draw(self, count: int) -> list[Case]:
        """As many as asked for, or fewer where the network has little to ask about."""
        found: list[Case] = []
        drawers, weights = zip(*self.drawers, strict=True)
        for _number in range(count * 4 if self.hosts else 0):
            if len(found) == count:
                break
            draw = self.chance.choices(drawers, weights)[0]
            case = draw()
            if case is not None and not self._confused(case.flow):
                found.append(case._replace(kind=draw.__name__.strip("_").replace("_", " ")))
        return found

    def _confused(self, flow: Flow) -> bool:
        """An echo does not say who sent it. Functions open no raw sockets, as pings need."""
        if flow.protocol != "icmp":
            return False
        sender = self.network.interfaces.get(flow.source)
        return (bool(flow.receiver) and self.known[flow.target] > 1) or (sender is not None and sender.type == "lambda")

    def _traffic(self) -> tuple[str, int]:
        protocol = self.chance.choice(("tcp", "tcp", "udp", "icmp"))
        return protocol, self.chance.choice(PORTS) if protocol != "icmp" else 0

    def _case(self, source: str, address: str, receiver: str, target: str, **more: str) -> Case:
        """A question of a host; ``more``: ``bind`` an address, ask reach as ``name``."""
        protocol, port = self._traffic()
        flow = Flow(source, address, receiver, protocol, port, more.get("bind", ""))
        return Case(flow, more.get("name", source), target, 6 if ":" in address else 4)

    def _enis(self, host: str) -> list[Interface]:
        instance = self.network.instances.get(host)
        return [self.network.interfaces[id_] for id_ in instance.interfaces] if instance else [self.network.interfaces[host]]

    def _anybody(self, address: str, vpc: str) -> str:
        """Who may answer for an address of a VPC that nobody should: anybody, but for hosts of other VPCs with the same blocks."""
        blocks = [ip_network(cidr) for item in self.network.vpcs.values() if item.id != vpc for cidr in item.cidrs]
        return vpc if any(ip_address(address) in block for block in blocks) else NOBODY

    def _host(self) -> str:
        return self.chance.choice(self.hosts)

    def _one(self, items: list[Interface]) -> Interface | None:
        return self.chance.choice(items) if items else None

    def _public(self, item: Interface) -> str:
        return self.chance.choice(list(item.public_ips.values())) if item.public_ips else ""

    # ── Hosts and the internet ─────────────────────────────────────────────────────────────────────────────────────────

    def _between_hosts(self) -> Case | None:
        source, receiver = self._host(), self._host()
        if source == receiver:
            return None
        there = self.chance.choice(self._enis(receiver))
        public = self._public(there)
        if public and self.chance.random() < 0.3:
            return self._case(source, public, receiver, public)
        six = there.ipv6s if self._enis(source)[0].ipv6s else ()
        address = self.chance.choice(six) if six and self.chance.random() < 0.4 else self.chance.choice(there.private_ips)
        return self._case(source, address, receiver, f"{address}@{there.vpc}")

    def _to_the_internet(self) -> Case | None:
        source = self._host()
        four, six = self.around.server, self.around.server_6
        server = self.chance.choice((four, four, six)) if self._enis(source)[0].ipv6s else four
        return self._case(source, server, "internet", server)

    def _from_the_internet(self) -> Case | None:
        receiver = self._host()
        public = self._public(self.chance.choice(self._enis(receiver)))
        return self._of_the_user(public, receiver) if public else None

    def _of_the_user(self, public: str, receiver: str) -> Case:
        user = self.around.controller
        return self._case("internet", public, receiver, public, bind=user, name=user)

    def _from_beyond(self) -> Case | None:
        """Somebody in a block that tables may send to a VPN. Who has a public address may be on the internet all the same."""
        there = self.chance.choice(self._enis(self._host()))
        asker, address = str(ip_network(self.chance.choice((*OUTSIDE, NOWHERE)))[77]), there.private_ips[0]
        if asker.startswith("10."):
            return self._case(NOBODY, address, NOBODY, f"{address}@{there.vpc}", name=asker)
        # From the internet an interface is only to be had by its public address, however it is named.
        public = self._public(there) if self.chance.random() < 0.9 else ""
        target = self.chance.choice((public, there.id)) if public else f"{address}@{there.vpc}"
        goal = there.public_ips.get(address, "") if target != public else public
        return self._case("internet", goal, there.instance or there.id, target, bind=asker, name=asker)

    def _delegated(self) -> tuple[Interface, str] | None:
        """An interface of a host with an address out of its prefixes."""
        found = [item for host in self.hosts for item in self._enis(host) if item.ipv4_prefixes]
        if not found:
            return None
        item = self.chance.choice(found)
        prefix = self.chance.choice((*item.ipv4_prefixes, *item.ipv6_prefixes))
        return item, str(ip_network(prefix)[self.chance.randint(0, 15)])

    def _to_a_prefix(self) -> Case | None:
        source, found = self._host(), self._delegated()
        if found is None or found[0].instance == source or (":" in found[1] and not self._enis(source)[0].ipv6s):
            return None
        return self._case(source, found[1], found[0].instance, f"{found[1]}@{found[0].vpc}")

    def _from_a_prefix(self) -> Case | None:
        found, receiver = self._delegated(), self._host()
        if found is None or found[0].instance == receiver or ":" in found[1]:
            return None
        there = self.chance.choice(self._enis(receiver))
        address = self.chance.choice(there.private_ips)
        return self._case(found[0].instance, address, receiver, f"{address}@{there.vpc}", bind=found[1], name=f"{found[1]}@{found[0].vpc}")

    # ── What AWS runs ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _served(self) -> Interface | None:
        return self._one([item for item in self.network.interfaces.values() if item.type in _SERVED])

    def _namespace(self, item: Interface) -> str:
        """Where the interface's address is in the kernel, if it is anywhere."""
        nat = next((nat.id for nat in self.network.nat_gateways.values() if item.id in nat.interfaces), "")
        return nat or (f"serve:{item.vpc}" if item.type == "vpc_endpoint" else "")

    def _to_what_aws_runs(self) -> Case | None:
        item = self._served()
        if item is None:
            return None
        namespace, public = self._namespace(item), self._public(item)
        if public and self.chance.random() < 0.4:
            if self.chance.random() < 0.5:
                return self._of_the_user(public, namespace)
            return self._case(self._host(), public, namespace, public)
        address = item.private_ips[0]
        endpoint = next((found.id for found in self.network.endpoints.values() if item.id in found.interfaces), item.id)
        receiver = namespace or self._anybody(address, item.vpc)
        return self._case(self._host(), address, receiver, self.chance.choice((item.id, f"{address}@{item.vpc}", endpoint)))

    def _from_what_aws_runs(self) -> Case | None:
        item, receiver = self._served(), self._host()
        if item is None:
            return None
        there = self.chance.choice(self._enis(receiver))
        address, namespace = there.private_ips[0], self._namespace(item)
        bind = item.private_ips[0] if namespace else ""
        return self._case(namespace, address, receiver, f"{address}@{there.vpc}", bind=bind, name=item.id)

    def _to_a_service(self) -> Case | None:
        """An address of a service that the VPC may have a gateway endpoint for."""
        blocks = [entry for item in self.network.prefix_lists.values() if item.account == "AWS" for entry in item.entries or ()]
        if not blocks:
            return None
        address = str(ip_network(self.chance.choice(blocks))[0])
        return self._case(self._host(), address, NOBODY, address)

    # ── What does not run ──────────────────────────────────────────────────────────────────────────────────────────────

    def _asleep(self) -> Instance | Interface | None:
        """An instance that does not run, or an interface that nothing has."""
        found: list[Instance | Interface] = [item for item in self.network.instances.values() if item.state != "running"]
        found += [item for item in self.network.interfaces.values() if item.status == "available"]
        return self.chance.choice(found) if found else None

    def _to_what_does_not_run(self) -> Case | None:
        item = self._asleep()
        if item is None:
            return None
        enis = [item] if isinstance(item, Interface) else self._enis(item.id)
        if not enis:
            return self._case(self._host(), "", NOBODY, item.id)
        there = self.chance.choice(enis)
        address, public = there.private_ips[0], self._public(there)
        if public and self.chance.random() < 0.3:
            return self._case(self._host(), public, NOBODY, public)
        receiver = self._anybody(address, there.vpc)
        return self._case(self._host(), address, receiver, self.chance.choice((item.id, there.id, f"{address}@{there.vpc}")))

    def _from_what_does_not_run(self) -> Case | None:
        item, receiver = self._asleep(), self._host()
        if item is None:
            return None
        address = self._enis(receiver)[0].private_ips[0]
        return self._case(NOBODY, address, receiver, f"{address}@{self._enis(receiver)[0].vpc}", name=item.id)

    # ── Addresses that no interface has ────────────────────────────────────────────────────────────────────────────────

    def _to_nobody(self) -> Case | None:
        """An address that is free, or that AWS keeps for itself in each subnet; or one in no subnet."""
        subnet: Subnet = self.chance.choice(list(self.network.subnets.values()))
        block = ip_network(subnet.cidr)
        address = str(block[self.chance.choice((0, 1, 2, 3, -1, 200, 200))])
        if self.chance.random() < 0.2:
            address = str(ip_network(self.network.vpcs[subnet.vpc].cidrs[0])[-300])
        return self._case(self._host(), address, self._anybody(address, subnet.vpc), f"{address}@{subnet.vpc}")

    def _to_the_router(self) -> Case | None:
        """The resolver of this VPC or another: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html"""
        source = self._host()
        vpc = self.chance.choice((self._enis(source)[0].vpc, self.chance.choice(list(self.network.vpcs))))
        block = ip_network(self.network.vpcs[vpc].cidrs[0])
        assert isinstance(block, IPv4Network)
        address, target, receiver = str(block[2]), f"{block[2]}@{vpc}", vpc
        if self.chance.random() < 0.2:
            address, target, receiver = RESOLVERS[0], RESOLVERS[0], self._enis(source)[0].vpc
        protocol = self.chance.choice(("udp", "udp", "tcp", "icmp"))
        port = self.chance.choice((DNS, DNS, DNS, 80)) if protocol != "icmp" else 0
        return Case(Flow(source, address, receiver, protocol, port), source, target, 4)

    def _to_an_address_of_two(self) -> Case | None:
        """One that lies in several VPCs' blocks, without a word on which of them is meant."""
        receiver = self._host()
        address = self.chance.choice(self._enis(receiver)[0].private_ips)
        holders = [item for item in self.network.vpcs.values() if any(ip_address(address) in ip_network(cidr) for cidr in item.cidrs)]
        source = self._host()
        if len(holders) < 2 or any(address in item.private_ips for item in self._enis(source)):
            return None
        return self._case(source, address, NOBODY, address)
