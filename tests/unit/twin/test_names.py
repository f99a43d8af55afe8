# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names mean as asked from a VPC: a table of cases in names.yml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import SERVICES, SERVICES_6, service_address
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.names import NXDOMAIN, SILENT, lookup

from .sample import FACTS, NETWORK, PLANE

TABLE = yaml.safe_load(Path(__file__).with_name("names.yml").read_text())
CASES = [pytest.param(*case, id=" ".join(case[:3])) for cases in TABLE.values() for case in cases]


def answered(vpc: str, name: str, kind: str, plane: Plane = PLANE) -> str:
    """The answer as the table writes it."""
    answer = lookup(plane, f"vpc-{vpc}", name, kind)
    values = [value for record in answer.records for value in record.values]
    if kind not in ("CNAME", "ANY") and len(answer.records) > 1:
        values = [value.rstrip(".").lower() for value in values]
    if answer.status == SILENT or (answer.status == NXDOMAIN and not values):
        return answer.status
    return " ".join(([NXDOMAIN] if answer.status == NXDOMAIN else []) + values) or "NODATA"


@pytest.mark.parametrize(("vpc", "name", "kind", "expected"), CASES)
def test_what_a_name_means(vpc: str, name: str, kind: str, expected: str) -> None:
    for prefix, family in (("service:", 4), ("service6:", 6)):
        if expected.startswith(prefix):
            expected = service_address(expected.removeprefix(prefix), SERVICES if family == 4 else SERVICES_6)
    assert answered(vpc, name, kind) == expected


def test_the_records_keep_their_ttl_and_negative_answers_name_their_zone() -> None:
    assert [item.ttl for item in lookup(PLANE, "vpc-hub", "db.corp.example", "A").records] == [300]
    assert [item.ttl for item in lookup(PLANE, "vpc-hub", "ip-10-0-1-10.ec2.internal", "A").records] == [60]
    assert lookup(PLANE, "vpc-hub", "ip-10-0-9-9.ec2.internal", "A").zone == "ec2.internal"
    missing = lookup(PLANE, "vpc-hub", "no.where.b.corp.example", "A")
    assert missing.zone == "corp.example" and missing.soa is not None and missing.soa.kind == "SOA"
    assert lookup(PLANE, "vpc-hub", "example.com", "A").zone == ""


def test_answers_follow_the_network() -> None:
    """The indexes behind look-ups are kept, but never beyond the part of the state that they were made of."""
    assert answered("hub", "ip-10-0-1-10.ec2.internal", "A") == "10.0.1.10"
    without = {key: item for key, item in NETWORK.interfaces.items() if item.private_ips != ("10.0.1.10",)}
    assert answered("hub", "ip-10-0-1-10.ec2.internal", "A", replace(PLANE, network=replace(NETWORK, interfaces=without))) == NXDOMAIN
    lone = {key: item for key, item in NETWORK.endpoints.items() if key != "vpce-ssm"}
    public = service_address("ssm.us-east-1.amazonaws.com")
    assert answered("hub", "ssm.us-east-1.amazonaws.com", "A", replace(PLANE, network=replace(NETWORK, endpoints=lone))) == public
    assert answered("hub", "db.corp.example", "A", replace(PLANE, facts=replace(FACTS, zones=()))) == NXDOMAIN
    assert answered("hub", "ip-10-0-1-10.ec2.internal", "A") == "10.0.1.10"


def test_a_name_that_aws_did_not_tell_is_made_from_the_service() -> None:
    told = {**NETWORK.endpoints, "vpce-dkr": replace(NETWORK.endpoints["vpce-dkr"], dns_names=())}
    plane = replace(PLANE, network=replace(NETWORK, endpoints=told))
    assert answered("hub", "dkr.ecr.us-east-1.amazonaws.com", "A", plane) == "10.0.1.21 10.0.2.21"


def test_private_dns_needs_the_vpcs_attributes() -> None:
    hub = replace(NETWORK.vpcs["vpc-hub"], dns_hostnames=False)
    plane = replace(PLANE, network=replace(NETWORK, vpcs={**NETWORK.vpcs, "vpc-hub": hub}))
    assert answered("hub", "ssm.us-east-1.amazonaws.com", "A", plane) == service_address("ssm.us-east-1.amazonaws.com")
    assert answered("hub", "ec2-198-18-0-1.compute-1.amazonaws.com", "A", plane) == NXDOMAIN
