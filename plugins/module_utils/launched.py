# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instances of a topology as AWS lists them, known by the tags that the role ``instances`` gives them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ._model import gate
from ._model.grammar import NAME, is_id
from ._model.network import NAME_TAG, TOPOLOGY_TAG


@dataclass(frozen=True)
class Launched:
    """A running instance. ``name``: in its VPC of the topology; ``groups``: the names of its security groups, as AWS has them.

    ``account`` is its 12-digit id; addresses, ``key`` (its key pair) and ``groups`` may be empty.
    """

    vpc: str
    name: str
    id: str
    account: str
    region: str
    subnet_id: str = ""
    private_ip: str = ""
    public_ip: str = ""
    key: str = ""
    groups: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``vpc.name``, by which topologies and people call it."""
        return f"{self.vpc}.{self.name}"


def running(topology: str) -> list[dict[str, Any]]:
    """Filters of DescribeInstances for the instances of a topology that run."""
    return [{"Name": f"tag:{TOPOLOGY_TAG}", "Values": [topology]}, {"Name": "instance-state-name", "Values": ["running"]}]


def named(tags: Iterable[Mapping[str, str]], kind: str) -> tuple[str, str] | None:
    """VPC and name of a tag ``cloudnet:name`` such as ``vpcs.dev.instances.server`` (``kind``: instances); None where there is none.

    A tag is written by whoever may tag: both are names as a topology declares them, or there is none.
    """
    parts = {tag["Key"]: tag["Value"] for tag in tags}.get(NAME_TAG, "").split(".")
    if len(parts) != 4 or (parts[0], parts[2]) != ("vpcs", kind) or not all(NAME.fullmatch(part) for part in (parts[1], parts[3])):
        return None
    return parts[1], parts[3]


def launched(reservations: Iterable[Mapping[str, Any]], account: str, region: str) -> list[Launched]:
    """What DescribeInstances lists for the filters of ``running``, by name. What breaks AWS's grammar, or is no topology's, is left out."""
    found = []
    for number, reservation in enumerate(reservations):
        admitted, _faults = gate.admitted(reservation, "Reservations", account, region, number)
        for item in (admitted or {}).get("Instances") or []:
            names = named(item.get("Tags") or [], "instances")
            if names is None:
                continue
            found.append(
                Launched(
                    *names,
                    id=item["InstanceId"],
                    account=account,
                    region=region,
                    subnet_id=item.get("SubnetId") or "",
                    private_ip=item.get("PrivateIpAddress") or "",
                    public_ip=item.get("PublicIpAddress") or "",
                    key=item.get("KeyName") or "",
                    groups=tuple(group["GroupName"] for group in item.get("SecurityGroups") or []),
                )
            )
    return sorted(found, key=lambda instance: (instance.label, instance.id))


def unnamed(reservations: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of instances that carry a topology's tag and no name of one: somebody else's tags."""
    items = [item for reservation in reservations for item in reservation.get("Instances") or []]
    ids = [str(item.get("InstanceId") or "") for item in items if named(item.get("Tags") or [], "instances") is None]
    return sorted(id_ if is_id(id_, "i") else "an instance whose id is none" for id_ in ids)


def subnets_of(subnets: Iterable[Mapping[str, Any]], topology: str, account: str, region: str) -> dict[str, tuple[str, str]]:
    """Id to VPC and name of the described subnets that a topology made; what breaks AWS's grammar is left out."""
    found = {}
    for one in subnets:
        item, _faults = gate.admitted(one, "Subnets", account, region)
        tags = (item or {}).get("Tags") or []
        names = named(tags, "subnets")
        if item and names and {"Key": TOPOLOGY_TAG, "Value": topology} in tags:
            found[str(item["SubnetId"])] = names
    return found


def placed(instances: Iterable[Launched], subnets: Mapping[str, tuple[str, str]]) -> tuple[list[Launched], list[Launched]]:
    """The instances that are in a subnet of the VPC that their name says, and the others: somebody else's, with the topology's tags."""
    listed = list(instances)
    kept = [item for item in listed if subnets.get(item.subnet_id, ("", ""))[0] == item.vpc]
    return kept, [item for item in listed if item not in kept]
