# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for any topology: valid ones load alike from every form, and nothing but a TopologyError comes of the rest."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.reading import read_text
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.schema import SCHEMA
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import TopologyError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.patience import examples

ROOT = Path(__file__).parents[3]
EXAMPLES = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "docs" / "examples").glob("*.yml"))]
QUIET = settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(lambda name: name not in ("internet", "default", "main"))
REGIONS = st.sampled_from(["us-east-1", "eu-west-1", "ap-southeast-2"])


@st.composite
def topologies(draw: st.DrawFn) -> dict[str, Any]:
    """Valid topologies: VPCs of ours, adopted and remote, with subnets in zones, groups, peerings of every form, allow and expect."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.casefold))
    vpcs: dict[str, Any] = {}
    for index, name in enumerate(names):
        kind = draw(st.sampled_from(["ours", "ours", "ours", "adopted", "remote"])) if index else "ours"
        vpc: dict[str, Any] = {}
        if kind == "remote":
            vpc["remote"] = {"owner": "012345670123", "id": f"vpc-{index:017x}", "cidr": f"10.{index}.0.0/16", "region": draw(REGIONS)}
        else:
            if kind == "adopted":
                vpc["id"] = f"vpc-{index:017x}"
            vpc["cidr"] = draw(st.sampled_from([f"10.{index}.0.0/16", [f"10.{index}.0.0/16", f"10.{index + 100}.0.0/16"]]))
            if draw(st.booleans()):
                vpc["region"] = draw(REGIONS)
            subnets: dict[str, Any] = {}
            if kind == "ours" and draw(st.booleans()):
                vpc["ipv6"] = True
            if kind == "ours" and draw(st.booleans()):
                subnets["edge"] = {"cidr": f"10.{index}.0.0/24", "public": True, "az": "a"}
            if draw(st.booleans()):
                subnets["app"] = {"cidr": [f"10.{index}.1.0/24", f"10.{index}.2.0/24"], "az": ["a", "b"]}
                if "edge" in subnets:
                    subnets["app"]["nat"] = "edge"
                if "ipv6" in vpc:
                    subnets["app"]["ipv6"] = draw(st.sampled_from([True, 7]))
            if subnets:
                vpc["subnets"] = subnets
            groups = draw(st.lists(NAMES.filter(lambda name: not name.startswith("sg-")), max_size=3, unique=True))
            if groups:
                vpc["security_groups"] = {f"g_{group}": draw(st.sampled_from([{}, None])) for group in groups}
        vpcs[name] = vpc
    found: dict[str, Any] = {"name": draw(NAMES), "region": draw(REGIONS), "vpcs": vpcs}
    ours = [name for name in names if "remote" not in vpcs[name]]
    hub, spokes = ours[0], [name for name in names if name != ours[0]]
    joined: set[str] = set()
    if spokes and draw(st.booleans()):
        joined = set(draw(st.lists(st.sampled_from(spokes), min_size=1, unique=True)))
        peering: dict[str, Any] = {"hub": hub, "spokes": sorted(joined)}
        routes = {name: ["main"] for name in sorted(joined) if "id" in vpcs[name]}
        if routes:
            peering["routes"] = routes
        if draw(st.booleans()):
            peering["dns"] = draw(st.booleans())
        found["peerings"] = [peering]
    groups = [f"{hub}.{group}" for group in vpcs[hub].get("security_groups", {})]
    sources = [hub, *sorted(joined), "10.0.0.0/8", "internet"]
    if groups:
        ports = st.one_of(
            st.integers(0, 65535), st.just("8000-8010"), st.just(True), st.lists(st.integers(0, 65535), min_size=1, max_size=3)
        )
        allow = st.fixed_dictionaries(
            {"from": st.sampled_from(sources), "to": st.sampled_from(groups), "tcp": ports}, optional={"icmp": st.just(True)}
        )
        found["allow"] = draw(st.lists(allow, max_size=4))
    return found


@QUIET
@given(topologies())
def test_valid_ones_load_alike_from_every_form(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    topology = load(document)
    assert document == before
    assert load(document) == topology
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (
            ("t.yml", yaml.safe_dump(document, sort_keys=False)),
            ("flow.yml", yaml.safe_dump(document, sort_keys=False, default_flow_style=True)),
            ("t.json", json.dumps(document, indent="\t")),
        ):
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            assert load(path) == topology, text
    assert {name: list(vpc.subnets) for name, vpc in topology.vpcs.items()} == {
        name: [member for subnet in vpc.get("subnets", {}) for member in ([f"{subnet}_a", f"{subnet}_b"] if subnet == "app" else [subnet])]
        for name, vpc in document["vpcs"].items()
    }
    for spec in topology.vpcs.values():
        for subnet in spec.subnets.values():
            assert not spec.ours or subnet.table in spec.route_tables
            assert not subnet.nat or subnet.nat in spec.nat_subnets
    for pair in topology.peerings:
        for name, tables in pair.tables.items():
            assert set(tables) <= set(topology.vpcs[name].route_tables)


def _keys(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for value in schema.values():
            found |= _keys(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= _keys(value)
    return found


KEYS = st.one_of(st.sampled_from(sorted(_keys(SCHEMA))), st.sampled_from(["dev", "ops", "app", "web"]), st.text(max_size=6))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "dev",
            "ops",
            "dev.web",
            "10.0.0.0/16",
            "10.0.1.0/24",
            "us-east-1",
            "nat.app",
            "vpc-0123456789abcdef0",
            "internet",
            "::/0",
            "a",
            "1-2",
        ]
    ),
    st.dates(),
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)), max_leaves=30
)


def only_topology_errors(document: Any) -> None:
    try:
        load(document)
    except TopologyError as error:
        assert error.findings
        for finding in error.findings:
            assert "\n" not in finding.message
            assert "BROKEN" not in finding.message
            assert "Traceback" not in finding.message


@QUIET
@given(
    st.fixed_dictionaries(
        {"name": LEAVES, "vpcs": st.dictionaries(KEYS, ANYTHING, max_size=3)}, optional={"peerings": ANYTHING, "allow": ANYTHING}
    )
)
def test_any_structure_loads_or_is_refused(document: dict[str, Any]) -> None:
    only_topology_errors(document)


@settings(deadline=None, max_examples=examples(400))
@given(st.data())
def test_damaged_examples_load_or_are_refused(data: st.DataObject) -> None:
    """A good topology with a few of its values replaced, dropped or renamed."""
    document = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    for _turn in range(data.draw(st.integers(1, 4))):
        holder: Any = document
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.integers(0, 3)):
                holder = holder[key]
                continue
            what = data.draw(st.integers(0, 2))
            if what == 0:
                holder[key] = data.draw(ANYTHING)
            elif what == 1:
                del holder[key]
            elif isinstance(holder, dict):
                holder[data.draw(KEYS)] = holder.pop(key)
            else:
                holder.append(copy.deepcopy(holder[key]))
            break
    only_topology_errors(document)


@QUIET
@given(st.one_of(st.text(), st.text(alphabet="{}[]:,-&*!|>'\"%@`#? \n\tabc019.~"), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        read_text(text)
    except TopologyError as error:
        assert error.findings
