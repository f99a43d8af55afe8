# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances of a topology are to be managed nodes of Systems Manager, and what stands between one of them and the service.

Pure. An agent asks the VPC's resolver for its Region's names of ``ssm`` and ``ssmmessages`` and connects to them on 443: so a name must
lead to an endpoint's interfaces (private DNS) that reach says it reaches, or to a public address that it has a way to.
Sources: https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html (``ec2messages`` is for agents before 3.3.40.0),
https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html (private DNS needs both DNS attributes of the VPC).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ._model.network import Endpoint, Instance
from ._reach.endpoints import resolve
from ._reach.reach import reach
from ._reach.verdict import FORWARD, REACHABLE, RETURN, Blocker, Verdict
from ._topology.types import Topology, VpcSpec
from .ends import World
from .errors import CloudnetError

SERVICES = ("ssm", "ssmmessages")
PORT = 443


@dataclass(frozen=True)
class Obstacle:
    """Something that keeps an agent from its service. ``services``: those that it keeps it from. ``what``: the endpoint, or the way.

    ``why``: in words, with the code of reach where it is reach that says so; ``fix``: what opens it. ``sure``: False for what was not
    observed.
    """

    services: tuple[str, ...]
    what: str
    why: str
    fix: str = ""
    code: str = ""
    component: str = ""
    sure: bool = True

    def __str__(self) -> str:
        subject = f"{self.what}: " if self.what else ""
        return f"{subject}{self.why}" + (f"; to open it: {self.fix}" if self.fix else "")

    def as_dict(self) -> dict[str, object]:
        """As the module returns it."""
        told = {key: getattr(self, key) for key in ("what", "why", "fix", "code", "component", "sure")}
        return {"services": list(self.services), **told}


def managed(spec: VpcSpec) -> bool:
    """Whether the instances of a VPC are meant to be managed nodes: it has ``access: {ssm: true}``, or an endpoint of its own for it."""
    return spec.ssm or any(item.service.endswith(".ssm") for item in spec.endpoints.values())


def names_of(topology: Topology, asked: Iterable[str] | None) -> list[tuple[str, str]]:
    """(VPC, instance) of the instances that are meant: those asked for, else all in VPCs whose instances are to be managed nodes.

    Raises CloudnetError for a name that the topology does not declare.
    """
    known = {f"{vpc.name}.{name}": (vpc.name, name) for vpc in topology.vpcs.values() for name in vpc.instances}
    if asked is None:
        return [place for place in known.values() if managed(topology.vpcs[place[0]])]
    wrong = [name for name in asked if name not in known]
    if wrong:
        raise CloudnetError(f"instances: {', '.join(wrong)}: no such instance; the topology declares {', '.join(known) or 'none'}")
    return [known[name] for name in asked]


def obstacles(world: World, instance: Instance) -> list[Obstacle]:
    """All that is in an instance's way to Systems Manager; none means that it must lie at its role or at its agent."""
    if instance.state not in ("running", "pending"):
        return [Obstacle(SERVICES, "", f"it is {instance.state}", "start it")]
    found = []
    if not instance.profile:
        found.append(Obstacle(SERVICES, "", "it has no instance profile", "attach one whose role has AmazonSSMManagedInstanceCore"))
    for service in SERVICES:
        found += _of_service(world, instance, service)
    return merged(found)


def merged(found: Sequence[Obstacle]) -> list[Obstacle]:
    """What keeps it from both services told once, with the names of both: two endpoints of one group have one fault."""
    alike: dict[tuple[str, str, str], list[Obstacle]] = {}
    for item in found:
        alike.setdefault((item.why, item.fix, item.code), []).append(item)
    return [
        replace(
            items[0],
            services=tuple(dict.fromkeys(service for item in items for service in item.services)),
            what=", ".join(dict.fromkeys(item.what for item in items if item.what)),
        )
        for items in alike.values()
    ]


def _of_service(world: World, instance: Instance, service: str) -> list[Obstacle]:
    full = f"com.amazonaws.{instance.region}.{service}"
    there = [item for item in world.network.endpoints.values() if item.vpc == instance.vpc and item.service == full]
    ready = [item for item in there if item.state == "available"]
    if not ready:
        state = f"endpoint {service} ({there[0].id}) is {there[0].state}" if there else f"there is no endpoint for {service} in its VPC"
        return _public(world, instance, service, state, f"declare the endpoint {service}, or access: {{ssm: true}}")
    endpoint = ready[0]
    if not endpoint.private_dns:
        lacks = f"endpoint {service} ({endpoint.id}) has no private DNS, so that the service's name leads elsewhere"
        return _public(world, instance, service, lacks, "private_dns: true")
    vpc = world.network.vpcs.get(instance.vpc)
    attributes = {"DNS resolution": vpc.dns_support, "DNS hostnames": vpc.dns_hostnames} if vpc else {}
    off = [name for name, value in attributes.items() if value is False]
    if off:
        why = f"{' and '.join(off)} off, which the private DNS of its endpoints needs"
        return [Obstacle((service,), f"VPC {instance.vpc}", why, "dns: true", component=instance.vpc)]
    return _blocked(service, _endpoint_words(world, service, endpoint), _ask(world, instance, endpoint.id))


def _ask(world: World, instance: Instance, target: str) -> Verdict:
    here = resolve(world.index, instance.id)
    return reach(world.network, here, resolve(world.index, target, here), "tcp", PORT)


def _endpoint_words(world: World, service: str, endpoint: Endpoint) -> str:
    groups = world.network.security_groups
    names = [f"{item} ({groups[item].group_name})" if item in groups else item for item in endpoint.groups]
    return f"endpoint {service} {endpoint.id}" + (f" of group {', '.join(names)}" if names else "")


def _public(world: World, instance: Instance, service: str, why: str, fix: str) -> list[Obstacle]:
    """The way to the service's public address, which is asked for only where there is no other."""
    verdict = _ask(world, instance, "internet")
    if verdict.verdict == REACHABLE:
        return []
    there = [item.why for item in verdict.blockers if item.direction != RETURN] or [item.why for item in verdict.blockers]
    return [Obstacle((service,), "", f"{why}, and it has no way to the internet: {'; '.join(there[:1]) or verdict.verdict}", fix)]


def _blocked(service: str, what: str, verdict: Verdict) -> list[Obstacle]:
    if verdict.verdict == REACHABLE:
        return []
    found = [
        Obstacle((service,), what, f"{item.code}: {item.why}{_way(item)}", item.fix.text, item.code, item.component, not item.unsure)
        for item in verdict.blockers
    ]
    unknown = [Obstacle((service,), what, f"{item.code}: {item.why}", sure=False, code=item.code) for item in verdict.unknowns]
    return found or unknown


def _way(blocker: Blocker) -> str:
    return "" if blocker.direction == FORWARD else " (the answer)" if blocker.direction == RETURN else " (both ways)"


def message(waited: float, found: Mapping[str, tuple[str, Sequence[Obstacle]]]) -> str:
    """A line for each node that is not online, by name: its id, and what is in its way."""
    lines = []
    for name, (identifier, reasons) in found.items():
        told = " / ".join(str(item) for item in reasons) or (
            "nothing in the network is in its way: look whether the role of its instance profile has AmazonSSMManagedInstanceCore,"
            " and whether its agent runs"
        )
        lines.append(f"{name} ({identifier}) is not online after {waited:.0f} s: {told}")
    return "\n".join(lines)
