# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instances of the data plane as people see them: where they are, who logs in, by which keys they are known."""

from __future__ import annotations

import contextlib
from typing import Any

from ....module_utils._model.network import Instance, Network
from ...twin.client import TwinError
from ...twin.facts import Facts
from .plane import DataPlane

_GONE = ("terminated", "shutting-down")


def listing(plane: DataPlane) -> list[dict[str, Any]]:
    """``[{id, name, account, region, vpc, subnet, private_ip, public_ip, key_name, user, host_keys, state}]``, by account, Region, name."""
    network, facts = plane.known
    found = [item for item in network.instances.values() if item.state not in _GONE and item.interfaces]
    keys = _keys(plane, [item.id for item in found if item.state == "running"])
    shown = [_host(item, network, facts, keys.get(item.id) or []) for item in found]
    return sorted(shown, key=lambda host: (host["account"], host["region"], host["name"], host["id"]))


def _keys(plane: DataPlane, ids: list[str]) -> dict[str, list[str]]:
    """Host keys stay with an instance for its life: of a thousand instances, only those that are new are asked for."""
    known = plane.host_keys
    lacking = [id_ for id_ in ids if id_ not in known]
    if plane.twin is not None and lacking:
        with contextlib.suppress(TwinError):
            known.update(plane.twin.host_keys(lacking))
    return {id_: known[id_] for id_ in ids if id_ in known}


def _host(instance: Instance, network: Network, facts: Facts, keys: list[str]) -> dict[str, Any]:
    told = facts.hosts.get(instance.id)
    vpc = network.vpcs.get(instance.vpc)
    return {
        "id": instance.id,
        "name": instance.tags.get("Name", ""),
        "topology_name": _declared(instance.name),
        "account": instance.account,
        "region": instance.region,
        "vpc": instance.vpc,
        "vpc_name": (vpc.tags.get("Name") or vpc.name) if vpc else "",
        "subnet": instance.subnet,
        "private_ip": instance.private_ip,
        "public_ip": instance.public_ip,
        "key_name": instance.key,
        "user": told.user if told else "ec2-user",
        "host_keys": keys,
        "state": instance.state,
    }


def _declared(name: str) -> str:
    """``hub.web`` of the tag ``vpcs.hub.instances.web``: how the topology, plans, tables and the inventory call it. Else empty."""
    parts = name.split(".")
    return f"{parts[1]}.{parts[3]}" if len(parts) == 4 and (parts[0], parts[2]) == ("vpcs", "instances") else ""
