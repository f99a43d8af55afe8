# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one packet on its way, and what every stretch of the way shares: notes, network ACLs, delivery, and going on regardless.

After a blocker the packet goes on as if that were removed, so that everything else in its way is found too; such hops are ``assumed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .._model.network import NatGateway, Peering, Subnet
from . import explain
from .acls import decide, entry_text
from .encryption import Restriction
from .endpoints import End
from .groups import LOCAL, Link
from .index import Index
from .traffic import EPHEMERAL, Traffic, narrowed
from .verdict import FORWARD, RETURN, Blocker, Fix, Hop, Step, Unknown

#: Between Regions 8500, inside one 9001. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html
JUMBO, ACROSS, INTERNET_MTU = 9001, 8500, 1500
OUTSIDE = Link("none", False, "SG_REFERENCES_NOT_PRESERVED", "a group stands for private addresses, and the packet comes from another one")


@dataclass(frozen=True)
class Translation:
    """What a NAT gateway did on the way out: answers to ``private`` or ``public`` go back to ``inside``."""

    nat: NatGateway
    inside: str
    private: str
    public: str


@dataclass
class Walk:
    """One direction. ``src`` and ``dst`` are the packet's addresses now; ``goal`` is where it should arrive."""

    index: Index
    asked: Traffic
    source: End
    goal: End
    src: str
    dst: str
    direction: str = FORWARD
    forward: Walk | None = None
    hops: list[Hop] = field(default_factory=list)
    blockers: list[Blocker] = field(default_factory=list)
    unknowns: list[Unknown] = field(default_factory=list)
    translations: list[Translation] = field(default_factory=list)
    link: Link = LOCAL
    mtu: int = JUMBO
    assumed: bool = False
    unsure: bool = False
    exit: str = ""  # the egress-only gateway or gateway endpoint by which it left its VPC
    crossed: list[str] = field(default_factory=list)  # interfaces on the way
    turns: int = 0
    public_src: str = ""  # what an internet gateway will make of ``src``
    unknown_src: str = ""  # the gateway whose public address, which ``src`` will be, was not observed

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.dst else 4

    @property
    def back(self) -> bool:
        """Whether this is the answer."""
        return self.direction == RETURN

    # Notes.

    def hop(self, step: Step, component: str = "", name: str = "", detail: str = "", rule: str = "") -> None:
        """Note a hop."""
        self.hops.append(Hop(step, component, name or component, detail, rule, self.assumed))

    def block(self, code: str, component: str, name: str, why: str, fix: Fix, rule: str = "") -> None:
        """Note a blocker, and go on as if it were not there."""
        self.blockers.append(Blocker(code, self.direction, component, name or component, why, rule, fix, self.unsure))
        self.assumed = True

    def doubt(self, code: str, component: str, name: str, why: str, missing: str = "", *, astray: bool = True) -> None:
        """Note what is not known. ``astray``: the packet may go elsewhere, so blockers beyond it may not be on the way.

        A filter that is not known leads nobody astray: whatever it lets through meets the blockers beyond it.
        """
        self.unknowns.append(Unknown(code, self.direction, component, name or component, why, missing))
        self.unsure = self.unsure or astray

    def end(self, code: str, component: str, name: str, why: str, missing: str = "") -> None:
        """Note what is not known, where the path cannot be followed any further."""
        self.hop(Step.END, component, name, why)
        self.doubt(code, component, name, why, missing)

    def at_most(self, mtu: int) -> None:
        """This stretch carries packets up to so many bytes."""
        self.mtu = min(self.mtu, mtu)

    def restrict(self, found: Restriction | None, name: str) -> None:
        """Note what VPC encryption controls forbid here, or may forbid."""
        if found is None:
            return
        if not found.sure:
            self.doubt(found.code, found.component, found.component, found.why, found.missing, astray=False)
            return
        fix = explain.other(
            f"exclude it from {found.component} ({found.exclusion})" if found.exclusion else f"give {name} encryption support"
        )
        self.block(found.code, found.component, found.component, found.why, fix)

    @property
    def ended(self) -> bool:
        """Whether the path could not be followed to an end."""
        return bool(self.hops) and self.hops[-1].step is Step.END

    # Where it is going.

    def translation(self) -> Translation | None:
        """The NAT gateway that the packet is addressed to, when it is an answer."""
        known = self.forward.translations if self.forward else ()
        return next((item for item in known if self.dst in (item.private, item.public)), None)

    def aim(self) -> tuple[str, str]:
        """VPC and subnet to which the packet should get now; empty outside of VPCs."""
        found = self.translation()
        if found is not None:
            return found.nat.vpc, found.nat.subnet
        return (self.goal.vpc, self.goal.subnet) if self.goal.kind == "host" else ("", "")

    def peering_link(self, peering: Peering | None, vpc: str, other: str) -> Link:
        """What a connection means for rules that name groups.

        https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
        """
        network = self.index.network
        regions = {network.vpcs[id_].region for id_ in (vpc, other) if id_ in network.vpcs}
        if peering is not None:
            regions = {side.region for side in peering.sides}
        if len(regions) > 1:
            return Link("peering", False, "SG_REFERENCES_NOT_PRESERVED", "a group of another Region cannot be named")
        if peering is None:
            return Link("peering", False, "UNKNOWN_PEERED_SGS", "the rule is stale: no connection joins the two VPCs, so it admits nobody")
        if peering.status != "active":
            why = f"the rule admits nobody while {peering.id} is {peering.status}"
            return Link("peering", False, "UNKNOWN_PEERED_SGS", why)
        return Link("peering", True)

    def join(self, link: Link) -> None:
        """Note how this stretch joins its two sides. What a NAT gateway or an appliance once dropped, no later stretch brings back.

        "The network component discards security group information about forwarded traffic":
        https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html (SG_REFERENCES_NOT_PRESERVED), and of appliances
        https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html (security group referencing)
        """
        if self.link is not OUTSIDE:
            self.link = link

    # Stretches that all ways share.

    def acl(self, subnet: Subnet, egress: bool) -> None:
        """The ACL of a subnet on the packet's way out of it or into it."""
        acl = self.index.acl(subnet)
        step, side = (Step.ACL_OUT, "outbound") if egress else (Step.ACL_IN, "inbound")
        where = explain.name(subnet)
        if acl is None:
            missing = self.index.missing("NetworkAcls", subnet)
            self.doubt("NOT_OBSERVED", subnet.id, where, f"the network ACL of subnet {where} was not observed", missing, astray=False)
            return
        address = self.dst if egress else self.src
        found = decide(self.index, acl, egress, self.asked, address)
        name = explain.name(acl)
        if not found.denied:
            self.hop(step, acl.id, name, f"allowed {'out of' if egress else 'into'} {where}", entry_text(found.allow))
            return
        if not egress and self.unknown_src and self.src == self.public_src:
            unknown = f"the public address of {self.unknown_src}, which was not observed"
            why = f"whether {name} lets {self.asked} from {unknown}, into {where} is not known"
            self.doubt("NOT_OBSERVED", acl.id, name, why, astray=False)
            return
        deciding = entry_text(found.deny)
        ephemeral = self.back and self.asked.span == EPHEMERAL
        what = f"{self.asked} {'to' if egress else 'from'} {address}"
        if found.allowed:
            part = narrowed(self.asked, list(found.allowed))
            told = "the client's ephemeral ports" if ephemeral else "what is asked for"
            self.hop(step, acl.id, name, f"allowed {'out of' if egress else 'into'} {where} in part: {part}", deciding)
            why = f"{name} lets {part} {'out of' if egress else 'into'} {where}, and not all of {told} ({self.asked})"
            self.doubt("PARTIAL", acl.id, name, why, astray=False)
            return
        self.hop(step, acl.id, name, f"denied {'out of' if egress else 'into'} {where}", deciding)
        answers = " (the answer: network ACLs are stateless)" if self.back else ""
        fix = explain.acl_entry(self.index.network, acl, egress, self.asked, self._block(address), found.deny)
        why = f"the {side} entries of {name} deny {what} {'out of' if egress else 'into'} {where}{answers}"
        self.block("SUBNET_ACL_RESTRICTION", acl.id, name, why, fix, deciding)

    def _block(self, address: str) -> str:
        """The block of the end that has an address; of a gateway's address itself."""
        ends = [end for end in (self.source, self.goal) if end.address(self.family) == address]
        own = f"{address}/{32 if self.family == 4 else 128}"
        return explain.block_of(self.index.network, ends[0], self.family) if ends else own

    def deliver(self, vpc: str, came_from: str = "") -> Translation | None:
        """Into the subnet of ``vpc`` that holds the destination. ``came_from``: the subnet it came from, when that is of this VPC.

        Returns the translation to undo when it arrived at a NAT gateway.
        """
        network = self.index.network
        if vpc not in network.vpcs:
            self._unseen(vpc)
            return None
        undo = self.translation()
        id_ = self.aim()[1] if self.aim()[0] == vpc else ""
        subnet = network.subnets.get(id_) or self.index.subnet_at(vpc, self.dst)
        name = explain.vpc_name(network, vpc)
        if subnet is None:
            missing = self.index.missing("Subnets", network.vpcs[vpc])
            if missing:
                self.end("NOT_OBSERVED", vpc, name, f"the subnets of {name} were not observed", missing)
            else:
                why = f"{self.dst} lies in the blocks of {name}, but in none of its subnets"
                self.block("NO_SUCH_SUBNET", vpc, name, why, explain.other(f"use an address of a subnet of {name}"))
            return None
        if subnet.id != came_from:
            self.acl(subnet, egress=False)
        return undo

    def _unseen(self, vpc: str) -> None:
        """A peer's VPC of which nothing was read."""
        side = next((item.side(vpc) for item in self.index.network.peerings_of.get(vpc, ())), None)
        owner = f" (account {side.account}, {side.region})" if side else ""
        missing = f"{side.account}/{side.region}/Vpcs.json" if side else "Vpcs.json"
        self.end("NOT_OBSERVED", vpc, vpc, f"{vpc}{owner} was not observed, so nothing is known of its subnets, ACLs and groups", missing)
