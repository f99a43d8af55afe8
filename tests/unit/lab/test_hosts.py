# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab tells of its instances, and by which names ``make ssh`` knows them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.hosts import listing
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.ssh_cli import choose, table
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts


def hosts(*named: tuple[str, str]) -> list[dict[str, Any]]:
    """Running instances, each with its Name and our own name for it."""
    found = {}
    for number, (name, own) in enumerate(named):
        identifier = f"i-0000000000000000{number}"
        found[identifier] = Instance(
            id=identifier,
            account="111111111111",
            region="us-east-1",
            tags={"Name": name, "cloudnet:name": own} if own else {"Name": name},
            vpc="vpc-1",
            subnet="subnet-1",
            state="running",
            private_ip=f"10.0.0.{number + 4}",
            interfaces=(f"eni-{number}",),
        )
    plane: Any = SimpleNamespace(known=(Network(instances=found), Facts()), host_keys={}, twin=None)
    return listing(plane)


def test_an_instance_is_called_as_the_topology_calls_it() -> None:
    there = hosts(("two-hub-web", "vpcs.hub.instances.web"), ("Two-hub-Db_1", "vpcs.hub.instances.Db_1"), ("by hand", ""))
    for name in ("hub.web", "instance:hub.web", "two-hub-web", "i-00000000000000000", "10.0.0.4"):
        assert choose(there, name) == "i-00000000000000000", name
    assert choose(there, "hub.Db_1") == choose(there, "hub.db_1") == "i-00000000000000001"
    assert choose(there, "by hand") == choose(there, "by-hand") == "i-00000000000000002"
    # The list says what may be typed: first the name that plans, tables and the inventory say.
    assert [line.split()[0] for line in table(there).splitlines()] == ["NAME", "hub.db_1", "by-hand", "hub.web"]
    with pytest.raises(LabError, match=r"no instance is called hub.wb: there are by-hand, hub.db_1, hub.web, two-hub-db_1, two-hub-web"):
        choose(there, "hub.wb")


def test_a_name_of_two_topologies_is_told_with_both() -> None:
    there = hosts(("one-hub-web", "vpcs.hub.instances.web"), ("two-hub-web", "vpcs.hub.instances.web"))
    with pytest.raises(LabError, match=r"hub.web means 2 instances: i-00000000000000000, i-00000000000000001; say which by its id"):
        choose(there, "hub.web")
    assert choose(there, "two-hub-web") == "i-00000000000000001"


@pytest.mark.parametrize("own", ["vpcs.hub.subnets.web", "vpcs.hub", "hub.web", "vpcs.a.instances.b.c"])
def test_what_is_no_instance_of_a_topology_has_its_own_name_alone(own: str) -> None:
    assert hosts(("mine", own))[0]["topology_name"] == ""
