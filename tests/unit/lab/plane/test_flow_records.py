# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow log records in the log groups that the flow logs name, there when somebody reads them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane import flow_records

from ..fidelity.test_flow_logs import roles
from ..fidelity.vpc_helpers import Vpc, make_vpc
from .conftest import Planes
from .test_plane import launch

ROLE = "arn:aws:iam::111111111111:role/flow-logs"


def watch(vpc: Vpc, group: str, traffic: str, kind: str = "VPC", resource: str = "") -> None:
    vpc.client.create_flow_logs(
        ResourceType=kind, ResourceIds=[resource or vpc.id], TrafficType=traffic, LogGroupName=group, DeliverLogsPermissionArn=ROLE
    )


def record(eni: str, action: str, began: int = 1767225600) -> dict[str, Any]:
    line = f"2 111111111111 {eni} 10.0.1.4 10.1.1.4 40000 443 6 10 840 {began} {began + 60} {action} OK"
    return {"eni": eni, "account": "111111111111", "action": action, "line": line}


def test_records_go_to_every_log_that_wants_them(lab: Any, planes: Planes) -> None:
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="all")
    for needed in roles(lab):
        needed()
    logs.create_log_group(logGroupName="refused")
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    (eni,) = planes.twin.network.instances[key].interfaces
    watch(vpc, "all", "ALL")
    watch(vpc, "refused", "REJECT", "NetworkInterface", eni)
    watch(vpc, "nowhere", "ALL", "Subnet", planes.twin.network.instances[key].subnet)  # there is no such group
    planes.twin.records = [record(eni, "ACCEPT"), record(eni, "REJECT"), record("eni-0123456789abcdef0", "ACCEPT")]
    events = logs.filter_log_events(logGroupName="all")["events"]
    assert [event["message"].split()[-2] for event in events] == ["ACCEPT", "REJECT"]
    assert {event["logStreamName"] for event in events} == {f"{eni}-all"}
    assert events[0]["timestamp"] == 1767225600000
    (event,) = logs.get_log_events(logGroupName="refused", logStreamName=f"{eni}-reject")["events"]
    assert event["message"].endswith("REJECT OK")


def test_they_come_by_themselves_too(lab: Any, planes: Planes) -> None:
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="all")
    for needed in roles(lab):
        needed()
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    watch(vpc, "all", "ALL")
    planes.twin.records = [record(planes.twin.network.instances[key].interfaces[0], "ACCEPT")]
    for _turn in range(300):
        if not planes.twin.records:
            break
        time.sleep(0.01)
    group = lab.lab.backend("logs", "111111111111", "us-east-1").groups["all"]
    assert [len(stream.events) for stream in group.streams.values()] == [1]


def test_a_format_of_one_s_own(lab: Any, planes: Planes) -> None:
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="all")
    for needed in roles(lab):
        needed()
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    (eni,) = planes.twin.network.instances[key].interfaces
    vpc.client.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc.id],
        TrafficType="ALL",
        LogGroupName="all",
        DeliverLogsPermissionArn=ROLE,
        LogFormat="${vpc-id} ${instance-id} ${dstport} ${action} ${pkt-srcaddr}",
    )
    planes.twin.records = [record(eni, "REJECT")]
    (event,) = logs.filter_log_events(logGroupName="all")["events"]
    assert event["message"] == f"{vpc.id} {key} 443 REJECT -"


def test_the_latest_records_are_kept(lab: Any, planes: Planes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance makes as many flows as it likes; the lab's memory is the machine's."""
    monkeypatch.setattr(flow_records, "KEPT", 3)
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="all")
    for needed in roles(lab):
        needed()
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    (eni,) = planes.twin.network.instances[key].interfaces
    watch(vpc, "all", "ALL")
    for start in (0, 2):
        planes.twin.records = [record(eni, "ACCEPT", 1767225600 + number) for number in (start, start + 1)]
        events = logs.filter_log_events(logGroupName="all")["events"]
    assert [event["timestamp"] - 1767225600000 for event in events] == [1000, 2000, 3000]
