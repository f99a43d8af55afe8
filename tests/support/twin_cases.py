# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that golden texts show and that packets are sent through, each about one subject; and who is in use in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .twin_networks import Builder

Case = tuple[Builder, frozenset[str]]


def peering() -> Case:
    """Two peered VPCs of two Regions, with a second block and IPv6; a third one behind the second, a pending peering, a stranger.

    The stranger has the first one's blocks.
    """
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16", ipv6="2600:a::/56")
    made.vpc("vpc-b", "10.1.0.0/16", "10.11.0.0/16", ipv6="2600:b::/56", region="eu-west-1")
    made.vpc("vpc-c", "10.2.0.0/16", region="eu-west-1")
    made.vpc("vpc-d", "10.3.0.0/16")
    made.vpc("vpc-z", "10.0.0.0/16")
    made.subnet("subnet-a1", "vpc-a", "10.0.1.0/24", ipv6="2600:a:0:1::/64")
    made.subnet("subnet-a2", "vpc-a", "10.0.2.0/24")
    made.subnet("subnet-b1", "vpc-b", "10.1.1.0/24", ipv6="2600:b:0:1::/64")
    made.subnet("subnet-b2", "vpc-b", "10.11.1.0/24")
    made.subnet("subnet-c1", "vpc-c", "10.2.1.0/24")
    made.subnet("subnet-d1", "vpc-d", "10.3.1.0/24")
    made.subnet("subnet-z1", "vpc-z", "10.0.1.0/24")
    made.host("i-a1", "subnet-a1", "10.0.1.5", "2600:a:0:1::5")
    made.host("i-a3", "subnet-a1", "10.0.1.6", "2600:a:0:1::6")
    made.host("i-a2", "subnet-a2", "10.0.2.5", "10.0.2.6")
    made.host("i-b1", "subnet-b1", "10.1.1.5", "2600:b:0:1::5")
    made.host("i-b2", "subnet-b2", "10.11.1.5")
    made.host("i-c1", "subnet-c1", "10.2.1.5")
    made.host("i-d1", "subnet-d1", "10.3.1.5")
    made.host("i-z1", "subnet-z1", "10.0.1.5")
    made.peering("pcx-ab", "vpc-a", "vpc-b")
    made.peering("pcx-bc", "vpc-b", "vpc-c")
    made.peering("pcx-ad", "vpc-a", "vpc-d", status="pending-acceptance")
    to_b = {"10.1.0.0/16": "pcx-ab", "10.11.0.0/16": "pcx-ab", "2600:b::/56": "pcx-ab"}
    made.table("rtb-a", "vpc-a", {**to_b, "10.2.0.0/16": "pcx-ab", "10.3.0.0/16": "blackhole pcx-ad"}, main=True)
    made.table("rtb-b", "vpc-b", {"10.0.0.0/16": "pcx-ab", "2600:a::/56": "pcx-ab", "10.2.0.0/16": "pcx-bc"}, main=True)
    made.table("rtb-c", "vpc-c", {"10.1.0.0/16": "pcx-bc", "10.0.0.0/16": "pcx-bc"}, main=True)
    made.table("rtb-d", "vpc-d", {"10.0.0.0/16": "blackhole pcx-ad"}, main=True)
    return made, frozenset({"i-a1", "i-b1", "i-c1"})


def tables() -> Case:
    """Which route wins: longest prefix, blackholes, prefix lists, propagated ones, and routes inside the VPC's own block."""
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16")
    made.vpc("vpc-b", "10.1.0.0/16")
    made.vpc("vpc-c", "10.2.0.0/16")
    for name in ("1", "2", "3", "4"):
        made.subnet(f"subnet-{name}", "vpc-a", f"10.0.{name}.0/24")
        made.host(f"i-{name}", f"subnet-{name}", f"10.0.{name}.5")
    made.subnet("subnet-m", "vpc-a", "10.0.9.0/24")
    made.subnet("subnet-b", "vpc-b", "10.1.1.0/24")
    made.subnet("subnet-c", "vpc-c", "10.2.1.0/24")
    made.host("i-near", "subnet-1", "10.0.1.6")
    made.host("i-m", "subnet-m", "10.0.9.9", check=False)
    made.host("i-b", "subnet-b", "10.1.1.5")
    made.host("i-c", "subnet-c", "10.2.1.5")
    made.peering("pcx-ab", "vpc-a", "vpc-b")
    made.peering("pcx-ac", "vpc-a", "vpc-c")
    made.prefix_list("pl-far", "10.1.0.0/16", "10.2.0.0/16")
    # Towards another subnet through a middlebox; its own block is in the list as well, and must not catch neighbours.
    made.table("rtb-1", "vpc-a", {"10.0.2.0/24": "eni-m", "10.0.1.0/24": "eni-m"}, ["subnet-1"])
    made.table("rtb-2", "vpc-a", {"10.0.1.0/24": "eni-m"}, ["subnet-2"])
    # The local route itself is replaced; the list gives way to a block of its own, and beats what is propagated.
    made.table(
        "rtb-3",
        "vpc-a",
        {"10.0.0.0/16": "eni-m", "pl-far": "pcx-ab", "10.2.0.0/16": "pcx-ac", "10.1.0.0/16": "propagated vgw-1"},
        ["subnet-3"],
    )
    # The longer prefix is a hole, and there is no falling through it.
    made.table(
        "rtb-4", "vpc-a", {"0.0.0.0/0": "pcx-ab", "10.2.0.0/16": "pcx-ac", "10.2.1.0/24": "blackhole", "pl-none": "pcx-ab"}, ["subnet-4"]
    )
    made.table("rtb-b", "vpc-b", {"10.0.0.0/16": "pcx-ab"}, main=True)
    made.table("rtb-c", "vpc-c", {"10.0.0.0/16": "pcx-ac"}, main=True)
    return made, frozenset({"i-1", "i-2", "i-3", "i-4", "i-near"})


def internet() -> Case:
    """Public and elastic addresses, NAT gateways of both kinds, an egress-only gateway, endpoints of both kinds, and a peer without."""
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16", ipv6="2600:a::/56")
    made.vpc("vpc-b", "10.1.0.0/16")
    made.subnet("subnet-pub", "vpc-a", "10.0.1.0/24", ipv6="2600:a:0:1::/64")
    made.subnet("subnet-prv", "vpc-a", "10.0.2.0/24", ipv6="2600:a:0:2::/64")
    made.subnet("subnet-in", "vpc-a", "10.0.3.0/24")
    made.subnet("subnet-iso", "vpc-a", "10.0.4.0/24")
    made.subnet("subnet-b", "vpc-b", "10.1.1.0/24")
    made.internet("vpc-a")
    made.internet("vpc-a", egress_only=True)
    made.host("i-web", "subnet-pub", "10.0.1.5", "2600:a:0:1::5", public="198.18.0.5")
    made.host("i-bastion", "subnet-pub", "10.0.1.6", public="198.18.0.6")
    made.host("i-plain", "subnet-pub", "10.0.1.7")
    made.host("i-app", "subnet-prv", "10.0.2.5", "2600:a:0:2::5")
    made.host("i-in", "subnet-in", "10.0.3.5")
    made.host("i-b", "subnet-b", "10.1.1.5")
    made.nat("nat-pub", "subnet-pub", "10.0.1.100", "198.18.0.100")
    made.nat("nat-prv", "subnet-iso", "10.0.4.100")
    made.endpoint("vpce-ssm", "subnet-prv", "10.0.2.50", "com.amazonaws.us-east-1.ssm")
    made.gateway_endpoint("vpce-s3", "vpc-a", "com.amazonaws.us-east-1.s3")
    made.prefix_list("pl-s3", "52.216.0.0/15", name="com.amazonaws.us-east-1.s3")
    made.peering("pcx-ab", "vpc-a", "vpc-b")
    made.table("rtb-pub", "vpc-a", {"0.0.0.0/0": "igw-a", "::/0": "igw-a", "10.1.0.0/16": "pcx-ab"}, ["subnet-pub"])
    made.table("rtb-prv", "vpc-a", {"0.0.0.0/0": "nat-pub", "::/0": "eigw-a", "pl-s3": "vpce-s3"}, ["subnet-prv"])
    made.table("rtb-in", "vpc-a", {"0.0.0.0/0": "nat-prv"}, ["subnet-in"])
    made.table("rtb-iso", "vpc-a", {"0.0.0.0/0": "igw-a"}, ["subnet-iso"])
    made.table("rtb-b", "vpc-b", {"10.0.0.0/16": "pcx-ab", "0.0.0.0/0": "pcx-ab", "52.216.0.0/15": "pcx-ab"}, main=True)
    return made, frozenset({"i-web", "i-bastion", "i-plain", "i-app", "i-in", "i-b"})


def transit() -> Case:
    """Two transit gateways that are peered; two zones; a static hole, a table that knows only one VPC, and a zone without attachment."""
    made = Builder()
    for name, second in (("a", 0), ("b", 1), ("c", 2), ("d", 3)):
        made.vpc(f"vpc-{name}", f"10.{second}.0.0/16", ipv6=f"2600:{name}::/56" if name in "ab" else "")
        for zone, third in (("a", 1), ("b", 2)):
            ipv6 = f"2600:{name}:0:{third}::/64" if name in "ab" else ""
            made.subnet(f"subnet-{name}{third}", f"vpc-{name}", f"10.{second}.{third}.0/24", zone, ipv6)
            own = (f"10.{second}.{third}.5", *((f"2600:{name}:0:{third}::5",) if ipv6 else ()))
            made.host(f"i-{name}{third}", f"subnet-{name}{third}", *own)
        made.subnet(f"subnet-{name}9", f"vpc-{name}", f"10.{second}.9.0/28", "a")
    made.subnet("subnet-b8", "vpc-b", "10.1.8.0/28", "b")
    made.transit("tgw-1")
    made.transit("tgw-2")
    made.attach("tgw-attach-a", "tgw-1", "vpc-a", "subnet-a9", table="tgw-rtb-1")
    made.attach("tgw-attach-b", "tgw-1", "vpc-b", "subnet-b9", "subnet-b8", table="tgw-rtb-1")
    made.attach("tgw-attach-c", "tgw-1", "vpc-c", "subnet-c9", table="tgw-rtb-2")
    made.attach("tgw-attach-d", "tgw-2", "vpc-d", "subnet-d9", table="tgw-rtb-3")
    made.attach_peer("tgw-attach-p", "tgw-1", "tgw-2", table="tgw-rtb-1")
    made.attach_peer("tgw-attach-p", "tgw-2", "tgw-1", table="tgw-rtb-3")
    made.transit_table("tgw-rtb-1", "tgw-1", {"10.3.0.0/16": "tgw-attach-p", "10.1.2.0/24": ""}, ("tgw-attach-a", "tgw-attach-b"))
    made.transit_table("tgw-rtb-2", "tgw-1", {}, ("tgw-attach-a",))
    made.transit_table("tgw-rtb-3", "tgw-2", {"10.0.0.0/8": "tgw-attach-p"}, ("tgw-attach-d",))
    for name in "abcd":
        gateway = "tgw-2" if name == "d" else "tgw-1"
        six = {"2600::/12": gateway} if name in "ab" else {}
        made.table(f"rtb-{name}", f"vpc-{name}", {"10.0.0.0/8": gateway, **six}, main=True)
    return made, frozenset({"i-a1", "i-a2", "i-b1", "i-b2", "i-c1", "i-d1"})


def hosts() -> Case:
    """An instance with two ENIs and several addresses, an ENI that stands alone, one attached to nothing, stopped and terminated ones."""
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16", ipv6="2600:a::/56")
    made.subnet("subnet-1", "vpc-a", "10.0.1.0/24", ipv6="2600:a:0:1::/64")
    made.subnet("subnet-2", "vpc-a", "10.0.2.0/25", ipv6="2600:a:0:2::/64")
    made.subnet("subnet-3", "vpc-a", "10.0.3.0/24")
    made.host("i-two", "subnet-1", "10.0.1.5", "10.0.1.6", "2600:a:0:1::5")
    made.host("i-two", "subnet-2", "10.0.2.5", "2600:a:0:2::5", "2600:a:0:2::6")
    made.host("i-idle", "subnet-2", "10.0.2.9")
    made.eni("eni-database", "subnet-2", "10.0.2.20")
    made.eni("eni-spare", "subnet-2", "10.0.2.21", status="available")
    for id_, state, last in (("i-stopped", "stopped", 30), ("i-ended", "terminated", 31), ("i-ending", "shutting-down", 32)):
        made.host(id_, "subnet-3", f"10.0.3.{last}")
        made.state(id_, state)
    return made, frozenset({"i-two"})


CASES: Mapping[str, Callable[[], Case]] = {
    "peering": peering,
    "tables": tables,
    "internet": internet,
    "transit": transit,
    "hosts": hosts,
}
