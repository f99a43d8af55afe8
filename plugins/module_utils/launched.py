# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instances of a topology as AWS lists them, known by the tags that the role ``instances`` gives them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
    """VPC and name of a tag ``cloudnet:name`` such as ``vpcs.dev.instances.server`` (``kind``: instances), None where there is none."""
    parts = {tag["Key"]: tag["Value"] for tag in tags}.get(NAME_TAG, "").split(".")
    return (parts[1], parts[3]) if len(parts) == 4 and (parts[0], parts[2]) == ("vpcs", kind) else None


def launched(reservations: Iterable[Mapping[str, Any]], account: str, region: str) -> list[Launched]:
    """What DescribeInstances lists for the filters of ``running``, by name."""
    found = []
    for item in (one for reservation in reservations for one in reservation.get("Instances") or []):
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
