# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC peering connection's life: its nine states, what time does to them, who still sees a dead one.

Source: "VPC peering connection lifecycle" (https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html).
Nothing runs in the background: a connection computes its state from the lab's clock whenever it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Code = Literal[
    "initiating-request", "pending-acceptance", "failed", "expired", "rejected", "provisioning", "active", "deleting", "deleted"
]  # fmt: skip
Side = Literal["requester", "accepter"]

DEAD: frozenset[str] = frozenset({"failed", "expired", "rejected", "deleted"})
OPEN: frozenset[str] = frozenset({"initiating-request", "pending-acceptance"})
JOINED: frozenset[str] = frozenset({"provisioning", "active"})
EXPIRY = timedelta(days=7)
_SHORT, _LONG = timedelta(hours=2), timedelta(days=2)
FAILED = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"

# The delays of the three states that AWS passes through by itself, in seconds; ``lab.state("settings")`` may hold others.
DELAYS: Mapping[str, float] = {"peering_initiating_s": 0.0, "peering_provisioning_s": 0.0, "peering_deleting_s": 0.0}
_DELAY_OF: Mapping[str, str] = {
    "initiating-request": "peering_initiating_s",
    "provisioning": "peering_provisioning_s",
    "deleting": "peering_deleting_s",
}
_FOLLOWS: Mapping[str, Code] = {"initiating-request": "pending-acceptance", "provisioning": "active", "deleting": "deleted"}


@dataclass(frozen=True)
class Place:
    """Where one side of a connection is: account, Region, VPC id."""

    account: str
    region: str
    vpc: str


@dataclass(frozen=True)
class AbsentVpc:
    """Stands for a VPC that is not there, with the members that the emulator reads of one."""

    owner_id: str
    region: str
    id: str
    cidr_block: str = ""


@dataclass(frozen=True)
class Status:
    """A state and AWS's message for it; the emulator's own status object has the same two members."""

    code: Code
    message: str


@dataclass(eq=False)
class Peering:
    """A VPC peering connection, kept in the emulator's table of both sides' backends under the emulator's member names.

    ``now`` is the lab's clock and ``settings`` the lab's settings; ``doomed`` says that the request fails once it leaves
    ``initiating-request``; ``ended_by`` is the account that deleted it.
    """

    id: str
    vpc: Any
    peer_vpc: Any
    requester: Place
    accepter: Place
    ec2_backend: Any
    now: Callable[[], datetime]
    settings: Mapping[str, Any]
    created: datetime
    since: datetime
    state: Code = "initiating-request"
    doomed: bool = False
    ended_by: str = ""
    requester_options: dict[str, Any] = field(default_factory=dict)
    accepter_options: dict[str, Any] = field(default_factory=dict)

    @property
    def between_regions(self) -> bool:
        return self.requester.region != self.accepter.region

    @property
    def one_owner(self) -> bool:
        return self.requester.account == self.accepter.account

    @property
    def expires(self) -> datetime:
        return self.created + EXPIRY

    @property
    def code(self) -> Code:
        """The state now: AWS's own transitions happen here, each at its own time."""
        if self.state in DEAD or self.state == "active":
            return self.state
        now = self.now()
        while self.state in _FOLLOWS:
            name = _DELAY_OF[self.state]
            due = self.since + timedelta(seconds=float(self.settings.get(name, DELAYS[name])))
            if now < due:
                return self.state
            self.state, self.since = ("failed" if self.state == "initiating-request" and self.doomed else _FOLLOWS[self.state]), due
        if self.state == "pending-acceptance" and now >= self.expires:
            self.state, self.since = "expired", self.expires
        return self.state

    @property
    def message(self) -> str:
        code = self.code
        return {
            "initiating-request": f"Initiating Request to {self.accepter.account}",
            "pending-acceptance": f"Pending Acceptance by {self.accepter.account}",
            "provisioning": "Provisioning",
            "active": "Active",
            "deleting": "Deleting",
            "deleted": f"Deleted by {self.ended_by}",
            "rejected": f"Rejected by {self.ended_by}",
            "expired": "Expired",
            "failed": FAILED,
        }[code]

    @property
    def _status(self) -> Status:
        return Status(self.code, self.message)

    @property
    def status(self) -> dict[str, str]:
        return {"Code": self.code, "Message": self.message}

    def enter(self, state: Code, by: str = "") -> None:
        """Take a state that a caller caused, now."""
        self.state, self.since = state, self.now()
        self.ended_by = by or self.ended_by

    def sides(self, account: str, region: str) -> list[Side]:
        """Which sides an account in a Region holds: both, one, or none."""
        found: list[Side] = []
        if (self.requester.account, self.requester.region) == (account, region):
            found.append("requester")
        if (self.accepter.account, self.accepter.region) == (account, region):
            found.append("accepter")
        return found

    def visible(self, account: str, region: str) -> bool:
        """Whether describe calls of an account in a Region show the connection.

        failed: to the requester, 2 hours; expired: 2 days; rejected: 2 days to the requester and 2 hours to the accepter;
        deleted: 2 hours to whoever deleted it and 2 days to the other; rejected and deleted inside one account: 2 hours.
        """
        sides = self.sides(account, region)
        code = self.code
        if not sides:
            return False
        if code not in DEAD:
            return not (self.doomed and sides == ["accepter"])
        age = self.now() - self.since
        if code == "failed":
            return "requester" in sides and age < _SHORT
        if code == "expired":
            return age < _LONG
        if self.one_owner:
            return age < _SHORT
        short = "accepter" in sides if code == "rejected" else account == self.ended_by
        return age < (_SHORT if short else _LONG)

    def get_tags(self) -> list[dict[str, str]]:
        """The requester's tags, in the emulator's shape."""
        return [{"key": key, "value": value} for key, value in self.ec2_backend.tags.get(self.id, {}).items()]
