# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow log records on their way from the data plane into the log groups that the flow logs name.

A log stream is named ``ENI-all``, ``ENI-accept`` or ``ENI-reject``, after the flow log's traffic type
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html). AWS delivers within ten minutes of an aggregation interval; the lab
within a second of the flow, and at once when somebody reads a log group.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....module_utils._model.network import FlowLog, Network
from ...twin.client import TwinError
from .plane import DataPlane

_READS = frozenset({"DescribeLogStreams", "GetLogEvents", "FilterLogEvents", "StartQuery", "GetQueryResults"})
Target = tuple[str, str, str, str]


class FlowRecords:
    """Delivers what the twin captured. ``deliver`` may be called from any thread."""

    def __init__(self, lab: Any, plane: DataPlane) -> None:
        self._lab, self._plane = lab, plane

    def before(self, service: str, action: str) -> None:
        """A call is about to be answered, without the lab's lock: one that reads logs finds what was captured up to now."""
        if service == "logs" and action in _READS:
            self.deliver()

    def deliver(self) -> None:
        """Take what there is and put it into its streams; what cannot be delivered is lost, as on AWS."""
        twin, (network, _facts) = self._plane.twin, self._plane.known
        if twin is None or not twin.alive or not network.flow_logs:
            return
        try:
            records = twin.flow_records()
        except TwinError:
            return
        if records:
            with self._lab.lock:
                for target, lines in sorted(streams(records, network).items()):
                    self._put(target, lines)

    def _put(self, target: Target, lines: list[str]) -> None:
        account, region, name, stream = target
        group = self._lab.backend("logs", account, region).groups.get(name)
        if group is None:  # DeliverLogsStatus FAILED, "Access error"
            return
        if stream not in group.streams:
            group.create_log_stream(stream)
        now = int(time.time() * 1000)
        group.put_log_events(stream, [{"timestamp": _began(line, now), "message": line} for line in lines])


def streams(records: Iterable[Mapping[str, Any]], network: Network) -> dict[Target, list[str]]:
    """Lines by (account, Region, log group, log stream): each goes to every flow log that watches its ENI and wants its verdict."""
    found: defaultdict[Target, list[str]] = defaultdict(list)
    for record in records:
        eni = str(record["eni"])
        for log in _watching(eni, network):
            if log.traffic in ("ALL", record["action"]):
                found[log.account, log.region, log.destination, f"{eni}-{log.traffic.lower()}"].append(str(record["line"]))
    return dict(found)


def _watching(eni: str, network: Network) -> Iterator[FlowLog]:
    interface = network.interfaces.get(eni)
    if interface is None:
        return
    watched = {eni, interface.subnet, interface.vpc}
    for log in network.flow_logs.values():
        if log.resource in watched and log.destination_type == "cloud-watch-logs" and log.destination:
            yield log


def _began(line: str, now: int) -> int:
    """An event's time is its flow's beginning (the eleventh field), in milliseconds."""
    fields = line.split()
    return int(fields[10]) * 1000 if len(fields) > 10 and fields[10].isdigit() else now
