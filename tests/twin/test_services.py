# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the network in real namespaces: asked by real packets from inside instances, through routers, groups and ACLs."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import functools
import resource
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts, Role
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.machines import ProcessMachines
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.spec import machine_of
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import SERVER, SERVER_NAME, service_address
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.all import Services
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.tree import PRIVATE
from support.namespaces import needs_namespaces, run_in_tree
from support.twin_networks import Builder

from .machine_place import WHO, as_

pytestmark = needs_namespaces

# What Python would load when first used: the unprivileged user may not be able to read this interpreter's library.
for codec in ("ascii", "idna", "latin-1"):
    codecs.lookup(codec)

ONE, TWO, FAR = "i-00000000000000001", "i-00000000000000002", "i-00000000000000003"
FACTS = Facts(hosts={ONE: HostFacts(ONE, ssm=True, role=Role("app", "arn:aws:iam::111111111111:instance-profile/app"))})


def world(
    support: bool = True, endpoints: tuple[str, ...] = ("ssm", "ssmmessages"), admitted: bool = True, gateway: bool = False
) -> Network:
    """Two peered VPCs; in the first, two instances, and endpoints behind a group. ``gateway``: the way to the internet is open."""
    build = Builder()
    build.vpc("vpc-a", "10.0.0.0/16", ipv6="2600:1f18::/56", dns_hostnames=True)
    build.put("vpcs", replace(build.fields["vpcs"]["vpc-a"], dns_support=support))
    build.vpc("vpc-b", "10.1.0.0/16", dns_hostnames=True)
    build.subnet("subnet-a", "vpc-a", "10.0.1.0/24", ipv6="2600:1f18:0:1::/64")
    build.subnet("subnet-e", "vpc-a", "10.0.2.0/24")
    build.subnet("subnet-b", "vpc-b", "10.1.1.0/24")
    build.put("security_groups", replace(build.fields["security_groups"]["sg-a"], id="sg-e", group_name="endpoints"))
    if admitted:
        build.rule("sg-e", protocol="tcp", from_port=443, to_port=443, cidr="10.0.1.0/24")
    build.host(ONE, "subnet-a", "10.0.1.10", "2600:1f18:0:1::10", public="198.18.0.1")
    build.host(TWO, "subnet-a", "10.0.1.11", public="198.18.0.2")
    build.host(FAR, "subnet-b", "10.1.1.10", public="198.18.0.3")
    for key, address in ((ONE, "10.0.1.10"), (TWO, "10.0.1.11"), (FAR, "10.1.1.10")):
        build.put("instances", replace(build.fields["instances"][key], private_ip=address))
    for number, service in enumerate(endpoints):
        made = build.endpoint(f"vpce-{service}", "subnet-e", f"10.0.2.{20 + number}", f"com.amazonaws.us-east-1.{service}")
        build.put("endpoints", replace(made, private_dns=True, dns_names=(f"{service}.us-east-1.amazonaws.com",)))
        build.put("interfaces", replace(build.fields["interfaces"][f"eni-vpce-{service}"], groups=("sg-e",)))
    link = build.peering("pcx-1", "vpc-a", "vpc-b")
    build.put("peerings", replace(link, accepter=replace(link.accepter, dns=True)))
    build.internet("vpc-a")
    build.table("rtb-a", "vpc-a", {"10.1.0.0/16": "pcx-1", **({"0.0.0.0/0": "igw-a"} if gateway else {})}, main=True)
    build.table("rtb-b", "vpc-b", {"10.0.0.0/16": "pcx-1"}, main=True)
    return build.network()


def inside_trees(test: Callable[[], None]) -> Callable[..., None]:
    """Have a test run in a tree of namespaces, as root and as an unprivileged user."""

    @pytest.mark.parametrize("who", WHO)
    def run(who: str) -> None:
        __tracebackhide__ = True
        said = as_(who, functools.partial(run_in_tree, test))
        if said:
            pytest.fail(said, pytrace=False)

    run.__doc__ = test.__doc__
    return run


class Place:
    """A kernel and its services, and what instances ask."""

    def __init__(self, network: Network, hosts: frozenset[str] = frozenset({ONE, TWO, FAR}), kernel: NetworkKernel | None = None) -> None:
        self.kernel = kernel or NetworkKernel()
        self.hosts = hosts
        self.plane = Plane(network, FACTS, hosts)
        self.services = Services(self.kernel, lambda: self.plane)

    async def change(self, network: Network) -> None:
        """Have kernel and services follow."""
        self.plane = Plane(network, FACTS, self.hosts)
        await asyncio.to_thread(self.kernel.apply, compile_network(network, self.hosts))
        await self.services.update()

    async def resolve(self, host: str, name: str, kind: str = "A", server: str = "10.0.0.2", stream: bool = False) -> str:
        """What a host's question brings: addresses, a code, or "silent"."""
        made = self.kernel.socket(
            host, socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        )
        query = dns.message.make_query(name, kind)
        with made:
            made.setblocking(False)
            try:
                if stream:
                    await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (server, 53)), 1)
                    found = await asyncio.to_thread(dns.query.tcp, query, server, 1, sock=made)
                else:
                    found = await asyncio.to_thread(dns.query.udp, query, server, 1, sock=made)
            except (TimeoutError, dns.exception.Timeout):
                return "silent"
        values = [item.to_text() for rrset in found.answer for item in rrset]
        return " ".join(sorted(values)) or dns.rcode.to_text(found.rcode())

    async def http(self, host: str, address: str, port: int, request: str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", tls: str = "") -> str:
        """What a host's request brings: the answer, "silent" or "refused". ``tls``: the server name to ask for."""
        made = self.kernel.socket(host, socket.AF_INET, socket.SOCK_STREAM)
        with made:
            made.setblocking(False)
            try:
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), 1)
            except TimeoutError:
                return "silent"
            except ConnectionRefusedError:
                return "refused"
            context = None
            if tls:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection(sock=made.dup(), ssl=context, server_hostname=tls or None)
            writer.write(request.encode())
            found = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return found.decode()

    async def becomes(self, online: bool) -> float:
        """Seconds until the first host's agent is online, or lost."""
        began = time.monotonic()
        while (ONE in self.services.agents.online()) != online:
            if time.monotonic() - began > 12:
                raise AssertionError(f"online stays {not online}: {self.services.agents.why(ONE)}")
            await asyncio.sleep(0.01)
        return time.monotonic() - began


def living(network: Network, work: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
    """Do something in a network."""

    async def run() -> None:
        place = Place(network)
        try:
            await place.change(network)
            await work(place)
        finally:
            await place.services.close()
            place.kernel.close()

    asyncio.run(run())


@inside_trees
def test_names_by_packets() -> None:
    async def work(place: Place) -> None:
        for server in ("10.0.0.2", "169.254.169.253", "fd00:ec2::253"):
            assert await place.resolve(ONE, "ip-10-0-1-11.ec2.internal", server=server) == "10.0.1.11"
            assert await place.resolve(ONE, "ip-10-0-1-11.ec2.internal", server=server, stream=True) == "10.0.1.11"
        assert await place.resolve(ONE, "ssm.us-east-1.amazonaws.com") == "10.0.2.20"
        assert await place.resolve(ONE, "ec2-198-18-0-3.compute-1.amazonaws.com") == "10.1.1.10"
        assert await place.resolve(FAR, "ec2-198-18-0-1.compute-1.amazonaws.com", server="10.1.0.2") == "198.18.0.1"
        assert await place.resolve(ONE, "11.1.0.10.in-addr.arpa", "PTR") == "ip-10-0-1-11.ec2.internal."
        assert await place.resolve(ONE, "9.9.9.9.in-addr.arpa", "PTR") == "NXDOMAIN"
        # The peer's resolver cannot be asked over a peering.
        assert await place.resolve(ONE, "ip-10-0-1-11.ec2.internal", server="10.1.0.2") == "silent"
        await place.change(world(support=False))
        assert await place.resolve(ONE, "ip-10-0-1-11.ec2.internal") == "silent"
        await place.change(world())
        assert await place.resolve(ONE, "ip-10-0-1-11.ec2.internal") == "10.0.1.11"

    living(world(), work)


@inside_trees
def test_metadata_knows_who_asks() -> None:
    async def work(place: Place) -> None:
        request = "GET /latest/meta-data/instance-id HTTP/1.1\r\nConnection: close\r\n\r\n"
        for host in (ONE, TWO, FAR):
            assert (await place.http(host, "169.254.169.254", 80, request)).endswith(f"\r\n\r\n{host}")
        assert await place.http(ONE, "10.0.0.2", 80, request) == "silent"

    living(world(), work)


@inside_trees
def test_what_stands_in_for_aws_and_the_internet() -> None:
    async def work(place: Place) -> None:
        said = await place.http(ONE, "10.0.2.20", 443)
        assert "com.amazonaws.us-east-1.ssm behind the endpoint vpce-ssm" in said and "10.0.1.10" in said
        said = await place.http(ONE, "10.0.2.21", 443, tls="ssmmessages.us-east-1.amazonaws.com")
        assert "com.amazonaws.us-east-1.ssmmessages" in said
        assert await place.http(ONE, SERVER, 80) == "silent"  # no route to it
        await place.change(world(gateway=True))
        assert "Your connection came from 198.18.0.1:" in await place.http(ONE, SERVER, 80)
        assert SERVER_NAME in await place.http(ONE, SERVER, 443, tls=SERVER_NAME)
        assert "AWS's public services" in await place.http(ONE, service_address("kms.us-east-1.amazonaws.com"), 443)
        assert await place.http(ONE, service_address("kms.us-east-1.amazonaws.com"), 80) == "refused"
        assert await place.http(ONE, SERVER, 8080) == "refused"

    living(world(), work)


@inside_trees
def test_an_agent_is_online_only_through_the_network() -> None:
    async def work(place: Place) -> None:
        assert await place.becomes(True) < 1
        told = place.services.agents.online()
        assert list(told) == [ONE] and told[ONE]["ComputerName"] == "ip-10-0-1-10.ec2.internal"
        await place.change(world(admitted=False))
        spent = await place.becomes(False)
        assert spent < 5, spent
        assert place.services.agents.why(ONE) == "no answer from 10.0.2.20:443 (ssm)"
        assert place.services.agents.nodes()[ONE]["PingStatus"] == "ConnectionLost"
        await place.change(world())
        spent = await place.becomes(True)
        assert spent < 1, spent
        # Without the endpoint of ssmmessages its public name stands, and there is no way to it.
        await place.change(world(endpoints=("ssm",)))
        await place.becomes(False)
        address = service_address("ssmmessages.us-east-1.amazonaws.com")
        assert place.services.agents.why(ONE) == f"no answer from {address}:443 (ssmmessages)"
        await place.change(world(endpoints=("ssm",), gateway=True))  # but by the internet gateway there is
        await place.becomes(True)
        await place.change(world(support=False))
        await place.becomes(False)
        assert place.services.agents.why(ONE) == "cannot resolve ssm.us-east-1.amazonaws.com: no answer from 10.0.0.2"

    living(world(), work)


@inside_trees
def test_commands_run_inside_the_instance_and_use_its_network() -> None:
    kernel = NetworkKernel()
    machines = ProcessMachines(kernel, Path(PRIVATE))

    async def run() -> None:
        place = Place(world(), kernel=kernel)

        async def command(*lines: str, seconds: float = 20.0) -> dict[str, Any]:
            return await place.services.agents.run(ONE, lines, "", seconds, machines)

        try:
            await place.change(world())
            await machines.boot(machine_of(place.plane.network.instances[ONE], place.plane))
            found = await command("id -u", "hostname", "cat", "echo there >&2", "exit 4")
            assert (found["status"], found["exit_code"], found["output"]) == ("Failed", 4, "0\nip-10-0-1-10\n"), found
            assert found["error"] == "there\nfailed to run commands: exit status 4"
            found = await command("getent ahostsv4 ip-10-0-1-11 | sed -n '1s/ .*//p'", "getent ahostsv4 ssm.us-east-1.amazonaws.com")
            assert found["status"] == "Success" and found["output"].startswith("10.0.1.11\n10.0.2.20"), found
            if shutil.which("curl"):
                found = await command("curl -s http://169.254.169.254/latest/meta-data/instance-id; curl -sk https://10.0.2.21/")
                assert found["output"].startswith(f"{ONE}This is the lab's stand-in for com.amazonaws.us-east-1.ssmmessages"), found
            found = await command("echo begun; sleep 30 & sleep 30", seconds=0.5)
            assert (found["status"], found["exit_code"], found["output"]) == ("TimedOut", 137, "begun\n"), found
            found = await command("ps -eo args | grep -c '^sleep 30' || true")
            assert found["output"] == "0\n", found
        finally:
            await place.services.close()
            await machines.close()
            kernel.close()

    asyncio.run(run())


@inside_trees
def test_a_hundred_vpcs_cost_little() -> None:
    build = Builder()
    for number in range(100):
        build.vpc(f"vpc-{number}", f"10.{number}.0.0/16")
        build.subnet(f"subnet-{number}", f"vpc-{number}", f"10.{number}.1.0/24")
        build.host(f"i-{number:017x}", f"subnet-{number}", f"10.{number}.1.10")
    network = build.network()

    async def run() -> None:
        place = Place(network, frozenset())
        await asyncio.to_thread(place.kernel.apply, compile_network(network))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        await place.services.update()
        opened = time.monotonic() - began
        began = time.monotonic()
        await place.services.update()
        again = time.monotonic() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"100 VPCs: opened in {opened * 1000:.0f} ms, unchanged {again * 1000:.1f} ms, {grown} KiB")
        assert opened < 2 and again < 0.1 and grown < 16384
        await place.services.close()
        place.kernel.close()

    asyncio.run(run())
