# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an end says of itself, whichever way leads to it: it does not run, AWS runs it, nobody has its address, it is the resolver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from . import encryption, explain, managed
from .endpoints import End
from .holders import RESOLVERS
from .index import Index
from .routing import behind
from .traffic import Traffic

_DNS = 53


@dataclass(frozen=True)
class Objection:
    """``sure``: it blocks; else it is not known, and ``missing`` may name the file that would tell."""

    code: str
    component: str
    why: str
    to_open: str = ""
    sure: bool = True
    missing: str = ""


def objections(index: Index, end: End, egress: bool, asked: Traffic) -> tuple[Objection, ...]:
    """What stops an end from sending (``egress``) or from being sent to what is asked for."""
    if not (end.state or end.unsettled or end.service or end.endpoint or end.nobody or end.resolver):
        return ()
    return tuple(_objections(index, end, egress, asked))


def _objections(index: Index, end: End, egress: bool, asked: Traffic) -> Iterator[Objection]:
    component = end.interface or end.instance or end.endpoint or end.text
    if end.state:
        yield _down(end)
    if end.unsettled:
        yield Objection("IN_TRANSITION", component, f"{component} is {end.unsettled}", sure=False)
    if end.resolver and egress:
        why = f"{end.text} is the VPC's resolver: it answers, and asks nothing"
        yield Objection("RESOLVER_RESTRICTION", end.text, why, "ask from a host")
    if end.nobody:
        yield Objection("NO_SUCH_ADDRESS", end.text, end.nobody, "use an address that an interface has")
    run_by = managed.service(end.service)
    name = explain.end_name(index, end)
    if egress and end.endpoint and (run_by is None or run_by.starts is False):
        why = f"{end.endpoint} is a VPC endpoint: it answers, and asks nothing"
        yield Objection("VPCE_INTRA_VPC_TRAFFIC", end.endpoint, why, "ask the other way round")
    elif run_by is None:
        return
    elif egress and end.service == "lambda":
        found = encryption.leaving(index, end.vpc, "Lambda", "a Lambda function")
        if found is not None:
            fix = f"exclude it from {found.component} (Lambda)"
            yield Objection(found.code, found.component, found.why, fix, found.sure, found.missing)
    elif not egress and end.service == "vpc_endpoint":
        found = encryption.to_endpoint(index, end.vpc, end.endpoint or component, asked)
        if found is not None:
            yield Objection(found.code, found.component, found.why, sure=found.sure, missing=found.missing)
    elif egress and run_by.starts is False:
        code = "VPCE_INTRA_VPC_TRAFFIC" if end.service == "vpc_endpoint" else "SERVICE_INTERFACE"
        why = f"{name} is the interface of {run_by.name}: it starts nothing by itself"
        yield Objection(code, component, why, "ask from a host")
    elif not egress and run_by.accepts is False:
        why = f"{name} is the interface of {run_by.name}: nothing that was not asked for ends there"
        yield Objection("SERVICE_INTERFACE", component, why, "send to a host")
    elif not egress and run_by.accepts is None:
        why = f"{name} is the interface of {run_by.name}: AWS does not say what that accepts"
        yield Objection("UNSUPPORTED_TARGET", component, why, sure=False)


def _down(end: End) -> Objection:
    what = end.endpoint if end.endpoint and not end.instance else end.instance or end.interface or end.text
    if end.state == "available" and not end.instance and end.interface:
        why = f"{end.interface} is attached to nothing (its status is available)"
        return Objection("BAD_STATE", end.interface, why, f"attach {end.interface} to an instance")
    remedy = {
        "pending": f"wait until {what} is available",
        "stopped": f"start {what}",
        "stopping": f"start {what} again",
        "terminated": f"{what} does not come back: launch another",
        "shutting-down": f"{what} does not come back: launch another",
    }
    return Objection("BAD_STATE", what, f"{what} is {end.state}", remedy.get(end.state, f"bring {what} up"))


def placed(index: Index, end: End, other: End) -> End:
    """An address outside as the other end's VPC sees it: its resolver, or behind the gateway to which its tables send it, public or not."""
    if end.beside:
        own = other.kind == "host" and (end.ipv4 or end.ipv6) in RESOLVERS
        return replace(end, kind="host", vpc=other.vpc, groups=(), resolver=True, beside=False) if own else end
    if other.kind != "host" or end.kind not in ("internet", "outside") or end.text == "internet" or end.nobody or end.behind:
        return end
    found = next((gateway for family in end.families if (gateway := behind(index, other.vpc, other.subnet, end.address(family)))), "")
    return replace(end, kind="outside", behind=found, groups=None) if found else end


def beside_host(address: str) -> Objection:
    """What is to be said of a service beside the host, but for the resolver: neither groups nor ACLs nor routes concern it.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html, vpc-network-acls.html
    """
    what = "a service beside the instance (metadata, resolver, time), which neither routes nor filters concern"
    return Objection("UNSUPPORTED_TARGET", address, f"{address} is {what}", sure=False)


def ask_resolver(index: Index, source: End, destination: End, asked: Traffic) -> Objection | None:
    """What stops a question to a VPC's resolver, which neither groups nor ACLs nor routes concern; None when it answers.

    "Security groups do not filter traffic destined to and from … Amazon Domain Name Services (DNS)", at each of its addresses:
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html, AmazonDNS-concepts.html
    """
    network, address = index.network, destination.text
    vpc = network.vpcs.get(destination.vpc)
    name = explain.vpc_name(network, destination.vpc)
    if source.vpc != destination.vpc:
        # "You cannot query the Amazon DNS server in a peer VPC": https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html
        why = f"{address} is the resolver of {name}, which answers {name} alone"
        return Objection("RESOLVER_RESTRICTION", address, why, f"ask the resolver of the VPC that asks, or a Resolver endpoint in {name}")
    if vpc is not None and vpc.dns_support is False:
        why = f"{address} is the resolver of {name}, and DNS resolution is off there"
        return Objection("RESOLVER_RESTRICTION", address, why, f"turn DNS resolution on in {name} (dns: true)")
    if asked.protocol not in ("tcp", "udp") or asked.span != (_DNS, _DNS):
        why = f"{address} is the resolver of {name}: it answers DNS (port {_DNS}), and AWS does not say what else"
        return Objection("UNSUPPORTED_TARGET", address, why, sure=False)
    if vpc is None or vpc.dns_support is None:
        missing = index.missing("VpcAttributes", vpc)
        return Objection("NOT_OBSERVED", address, f"whether DNS resolution is on in {name} was not observed", sure=False, missing=missing)
    return None
