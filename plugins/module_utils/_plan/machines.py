# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances beside a plan: those that are still to be launched, and those that are there and declared no longer.

The role ``instances`` launches and terminates them, after the network. They belong to what is reviewed and approved all the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._model.network import Instance
from .._topology.ownership import ended
from .._topology.types import InstanceSpec, VpcSpec
from .context import Context

_NAME = re.compile(r"vpcs\.([^.]+)\.instances\.([^.]+)\Z")


def launches(ctx: Context, settings: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By ``vpc.name``, what each declared instance that is not there would be launched as.

    ``settings``: what the launches share beside the topology (image, key, profile); what an instance declares comes before them. User data
    stands by its digest: it may hold what is not for everybody.
    """
    if ctx.absent or ctx.narrow:
        return {}
    there = {label for label, _item in _ours(ctx)}
    return {
        f"{vpc.name}.{spec.name}": _launch(ctx, vpc, spec, settings)
        for vpc in ctx.vpcs.values()
        for spec in vpc.instances.values()
        if f"{vpc.name}.{spec.name}" not in there
    }


def undeclared(ctx: Context) -> tuple[dict[str, str], ...]:
    """The topology's own instances that it declares no longer (none is declared where all is to go): ``name``, ``id``, ``account``,
    ``region``, ``state`` and ``type``."""
    declared = set() if ctx.absent else {f"{vpc.name}.{name}" for vpc in ctx.topology.vpcs.values() for name in vpc.instances}
    found = [] if ctx.narrow else [(label, item) for label, item in _ours(ctx) if label not in declared]
    return tuple(
        {"name": label, "id": item.id, "account": item.account, "region": item.region, "state": item.state, "type": item.type}
        for label, item in sorted(found, key=lambda pair: (pair[0], pair[1].id))
    )


def kept(instances: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """A line for each instance that is declared no longer and stays."""
    for item in instances:
        where = f"account {item['account']}, {item['region']}"
        yield (
            f"{item['id']} ({item['name']}, {where}) is {item['state']} and declared no longer: it stays, and costs what it costs;"
            " cloudnet_instances_undeclared=terminate ends it"
        )


def _ours(ctx: Context) -> Iterator[tuple[str, Instance]]:
    for item in ctx.network.instances.values():
        name = _NAME.match(item.name)
        if name and not ended(item) and ctx.ours(item):
            yield f"{name[1]}.{name[2]}", item


def _launch(ctx: Context, vpc: VpcSpec, spec: InstanceSpec, settings: Mapping[str, str]) -> dict[str, Any]:
    own = {"type": spec.type, "key": spec.key, "private_ip": spec.private_ip}
    return {
        **{key: str(value) for key, value in settings.items() if value},
        **{key: value for key, value in own.items() if value},
        "account": ctx.account(vpc),
        "region": vpc.region,
        "subnet": spec.subnet,
        "security_groups": sorted(spec.security_groups),
        "public_ip": spec.public_ip,
        "user_data": f"sha256:{hashlib.sha256(spec.user_data.encode()).hexdigest()}" if spec.user_data else "",
    }
