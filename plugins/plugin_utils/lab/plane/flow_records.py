# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow log records on their way from the data plane into the log groups that the flow logs name.

A log stream is named ``ENI-all``, ``ENI-accept`` or ``ENI-reject``, after the flow log's traffic type
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html). AWS aggregates for one or ten minutes and delivers minutes later;
the lab delivers within seconds, and at once when somebody reads a log group.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....module_utils._model.network import FlowLog, Network
from ...twin.client import TwinError
from ..fidelity.flow_logs import access_error
from .plane import DataPlane

KEPT = 50_000
"""Records of one log stream that the lab keeps: the latest."""
_READS = frozenset({"DescribeLogStreams", "GetLogEvents", "FilterLogEvents", "StartQuery", "GetQueryResults"})
#: The fields of the default format, in its order. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
_FIELDS = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol"),
    *("packets", "bytes", "start", "end", "action", "log-status"),
)
_FIELD = re.compile(r"\$\{([a-z0-9-]+)\}")


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
                for log, stream, lines in streams(records, network):
                    self._put(log, stream, lines, network)

    def _put(self, log: FlowLog, stream: str, lines: list[str], network: Network) -> None:
        found = self._lab.backend("ec2", log.account, log.region).flow_logs.get(log.id)
        if found is None or access_error(self._lab, log.account, log.region, found.group, found.role):
            return
        group = self._lab.backend("logs", log.account, log.region).groups[found.group]
        if stream not in group.streams:
            group.create_log_stream(stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": _began(line, now), "message": formatted(line, found.format, network)} for line in lines]
        group.put_log_events(stream, events)
        # The lab has no disk for them, and an instance can make as many as it likes.
        del group.streams[stream].events[:-KEPT]


def streams(records: Iterable[Mapping[str, Any]], network: Network) -> list[tuple[FlowLog, str, list[str]]]:
    """(flow log, log stream, lines): each line goes to every flow log that watches its ENI and wants its verdict."""
    logs = {log.id: log for log in network.flow_logs.values()}
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        eni = str(record["eni"])
        for log in _watching(eni, network):
            if log.traffic in ("ALL", record["action"]):
                found[log.id, f"{eni}-{log.traffic.lower()}"].append(str(record["line"]))
    return [(logs[key], stream, lines) for (key, stream), lines in sorted(found.items())]


def _watching(eni: str, network: Network) -> Iterator[FlowLog]:
    interface = network.interfaces.get(eni)
    if interface is None:
        return
    watched = {eni, interface.subnet, interface.vpc}
    for log in network.flow_logs.values():
        if log.resource in watched and log.destination_type == "cloud-watch-logs" and log.destination:
            yield log


def formatted(line: str, wanted: str, network: Network) -> str:
    """A line of the default format in a flow log's own; "-" for a field that the lab does not know."""
    names = _FIELD.findall(wanted)
    if tuple(names) == _FIELDS:
        return line
    values = dict(zip(_FIELDS, line.split(), strict=False))
    eni = network.interfaces.get(values.get("interface-id", ""))
    if eni is not None:
        subnet = network.subnets.get(eni.subnet)
        more = {"vpc-id": eni.vpc, "subnet-id": eni.subnet, "instance-id": eni.instance, "region": eni.region}
        values |= {**more, "az-id": subnet.zone_id if subnet else ""}
    return " ".join(values.get(name) or "-" for name in names)


def _began(line: str, now: int) -> int:
    """An event's time is its flow's beginning (the eleventh field), in milliseconds."""
    fields = line.split()
    return int(fields[10]) * 1000 if len(fields) > 10 and fields[10].isdigit() else now
