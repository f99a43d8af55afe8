#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.probe: packets from instances, held against what is intended and what reach predicts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
version_added: 0.1.0
short_description: Send packets from one instance to another, and hold them against what is intended and what is predicted
description:
  - Sends pings, TCP, UDP, HTTP and DNS requests and path MTU probes from instances, over Systems Manager or ssh, all at the same time.
  - With a O(topology) and no O(probes), its C(expect) is probed. A table shows what is intended, what C(reach) predicts from the describe
    calls, and what the packets did. Where a prediction and a packet disagree, the task fails and names both.
  - A refusal (a TCP reset, an ICMP port unreachable) counts as reachable, for the packets got through and only nobody listens. For UDP an
    echo runs on the destination for the time of the probe, where the destination is an instance that has python3.
  - Where nothing can be sent, the answer is what C(reach) predicts, and is marked so (RV(probes[].by)).
  - On the instances it needs a POSIX shell and, for what is asked, C(ping), C(curl), C(getent) and C(timeout), and C(python3) or C(bash).
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.info_module
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  probes:
    description:
      - What to send. Without it, what O(topology) expects.
    type: list
    elements: dict
    suboptions:
      source:
        description:
          - Who sends, an instance's id or, with O(topology), a name in it (C(vpc.name)). With O(via=ssh) also any host that ssh knows.
        type: str
        required: true
      destination:
        description:
          - Who is asked. An instance's id, C(vpc.name), an address, or a name that the source can look up. For V(dns) the name to look up.
          - For V(http) a URL, or one of the former.
        type: str
        required: true
      kind:
        description:
          - V(mtu) finds the largest packet that gets through whole, by pings that may not be fragmented.
        type: str
        choices: [ping, tcp, udp, http, dns, mtu]
        default: ping
      port:
        description: The port, for V(tcp) and V(udp), and for V(http) without a URL.
        type: int
      expect:
        description: What the task fails without. For V(dns), V(reachable) means that the name resolves.
        type: str
        choices: [reachable, blocked]
      timeout:
        description: Seconds to wait for an answer. The default is O(timeout).
        type: int
      count:
        description: How many pings or datagrams to send; one answer suffices. The default is O(count).
        type: int
      size:
        description: For V(mtu), the bytes of the only packet to try.
        type: int
      answer:
        description: For V(dns), an address that the name must resolve to.
        type: str
  topology:
    description:
      - The path of a topology file on the host that runs the module, or a topology as a mapping.
    type: raw
  via:
    description:
      - How to get at the sources. V(auto) is V(ssh) where O(ssh_config) is given, else V(ssm).
      - V(none) sends nothing, and gives what C(reach) predicts.
    type: str
    choices: [auto, ssm, ssh, none]
    default: auto
  ssh_config:
    description:
      - A file for C(ssh -F), in which an instance's id is a host. The embedded lab writes one.
    type: path
  ssh_hosts:
    description:
      - Other names for ssh, by instance id or name in the topology.
    type: dict
    default: {}
  wait_online:
    description:
      - With Systems Manager, how many seconds to wait until the sources are online.
    type: int
    default: 0
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 3
  count:
    description: How many pings or datagrams to send; one answer suffices.
    type: int
    default: 2
  settle:
    description:
      - For how many seconds a packet that contradicts is sent again, since a change takes a moment to take effect on AWS.
    type: int
    default: 5
  fail_on:
    description:
      - V(intention) fails the task where what is intended does not hold or cannot be told, V(disagreement) where a packet does not do what
        C(reach) predicts. A network that is not whole yet wants the second only.
    type: list
    elements: str
    choices: [intention, disagreement]
    default: [intention, disagreement]
seealso:
  - module: cloudnet.vpc.reachability
  - module: cloudnet.vpc.ssm_command
"""

EXAMPLES = r"""
- name: All that the topology expects, with packets
  cloudnet.vpc.probe:
    topology: "{{ playbook_dir }}/topology.yml"
    ssh_config: "{{ cloudnet_lab.ssh_config | default(omit) }}"

- name: Through Systems Manager, by id
  cloudnet.vpc.probe:
    via: ssm
    wait_online: 300
    probes:
      - {source: i-0a1b2c3d4e5f60718, destination: i-0b1c2d3e4f5061728, expect: reachable}
      - {source: i-0a1b2c3d4e5f60718, destination: 172.31.1.199, kind: tcp, port: 3306, expect: blocked}
      - {source: i-0a1b2c3d4e5f60718, destination: db.example.internal, kind: dns, answer: 172.31.1.199}
      - {source: i-0a1b2c3d4e5f60718, destination: 172.31.1.199, kind: mtu}
"""

RETURN = r"""
probes:
  description: What came of each probe.
  returned: always
  type: list
  elements: dict
  contains:
    from:
      description: Who sent it, by name.
      type: str
      sample: dev.server
    to:
      description: Who was asked, by name, and in C(address) and C(port) where.
      type: str
      sample: ops.tool
    traffic:
      description: What was sent.
      type: str
      sample: tcp 443
    intended:
      description: What is expected of it, V(reachable) or V(blocked); null for nothing.
      type: str
      sample: reachable
    predicted:
      description: What C(reach) says, V(reachable), V(blocked) or V(unknown); null where it was not asked.
      type: str
      sample: reachable
    observed:
      description:
        - V(reachable); V(refused), which is reachable but nobody listens; V(blocked), no answer; or V(error), it could not be told.
        - Null where nothing was sent.
      type: str
      sample: refused
    verdict:
      description: Whether packets get through, V(reachable), V(blocked), V(unknown) or V(error).
      type: str
      sample: reachable
    by:
      description: How that is known, by a V(packet), or only V(predicted).
      type: str
      sample: packet
    via:
      description: V(ssh) or V(ssm).
      type: str
      sample: ssh
    ok:
      description: Whether it is as intended, and nothing disagrees; null when it cannot be told.
      type: bool
      sample: true
    agrees:
      description: False where prediction and packet disagree.
      type: bool
      sample: true
    why:
      description: What blocks, what disagrees, or why nothing was sent, in words. C(blockers) has the blockers of C(reach).
      type: str
      sample: ""
    note:
      description: Why nothing was sent, where it is only predicted.
      type: str
      sample: ""
    measured:
      description: By kind, C(rtt_ms); C(address); C(code) of HTTP; C(addresses) of a name; C(mtu) in bytes.
      type: dict
      sample: {address: 10.1.1.10}
    seconds:
      description: How long it took.
      type: float
      sample: 0.021
    path:
      description: Its place in the topology or in O(probes).
      type: str
      sample: "expect[0]"
table:
  description: The same for people.
  returned: always
  type: str
  sample: |2-
        FROM        TO        TRAFFIC  INTENDED   PREDICTED  OBSERVED           WHY
    ok  dev.server  ops.tool  icmp     reachable  reachable  reachable 0.09 ms
sent:
  description: How many packets' answers these are; the rest is predicted.
  returned: always
  type: int
  sample: 6
disagreements:
  description: Where prediction and packet disagree, a line each.
  returned: always
  type: list
  elements: str
  sample: []
calls:
  description: How many calls it took, by action.
  returned: always
  type: dict
  sample: {"ec2:DescribeVpcs": 1}
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, finish, region_of, warn_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_script import KINDS, Ask
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_sight import Sight, elsewhere, live, of_topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_ways import Ssh, Ssm, Way
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_world import Manner, Wish, of_expectations, of_wishes
from ansible_collections.cloudnet.vpc.plugins.module_utils.probes import Job, send, table

INTENTION = "intention"
DISAGREEMENT = "disagreement"
ARGUMENTS: dict[str, Any] = {
    "probes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "source": {"type": "str", "required": True},
            "destination": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": list(KINDS), "default": "ping"},
            "port": {"type": "int"},
            "expect": {"type": "str", "choices": ["reachable", "blocked"]},
            "timeout": {"type": "int"},
            "count": {"type": "int"},
            "size": {"type": "int"},
            "answer": {"type": "str"},
        },
    },
    "topology": {"type": "raw"},
    "via": {"type": "str", "choices": ["auto", "ssm", "ssh", "none"], "default": "auto"},
    "ssh_config": {"type": "path"},
    "ssh_hosts": {"type": "dict", "default": {}},
    "wait_online": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 3},
    "count": {"type": "int", "default": 2},
    "settle": {"type": "int", "default": 5},
    "fail_on": {"type": "list", "elements": "str", "choices": [INTENTION, DISAGREEMENT], "default": [INTENTION, DISAGREEMENT]},
}


def wishes(params: Mapping[str, Any]) -> list[Wish]:
    """What is asked for in ``probes``. Raises CloudnetError for what is asked wrongly."""
    found = []
    for number, item in enumerate(params["probes"]):
        path, kind, target = f"probes[{number}]", item["kind"], item["destination"]
        whole = kind == "dns" or (kind == "http" and "://" in target)
        timeout, count = item["timeout"] or params["timeout"], item["count"] or params["count"]
        ask = Ask(kind, target if whole else "", item["port"] or 0, timeout, count, item["size"] or 0)
        if kind in ("tcp", "udp") and item["port"] is None:
            raise CloudnetError(f"{path}: {kind} needs a port")
        for key, kinds in (("size", ("mtu",)), ("answer", ("dns",))):
            if item[key] is not None and kind not in kinds:
                raise CloudnetError(f"{path}: {key} is for {', '.join(kinds)}, not for {kind}")
        found.append(Wish(item["source"], target, ask, item["expect"] or "", item["answer"] or "", path))
    return found


def way_of(params: Mapping[str, Any], sight: Sight | None) -> Way | None:
    """How to get at the sources."""
    via = params["via"] if params["via"] != "auto" else "ssh" if params["ssh_config"] else "ssm"
    if via == "none":
        return None
    if via == "ssh":
        return Ssh(params["ssh_config"] or "")
    if sight is None:
        raise CloudnetError("via: Systems Manager needs instances' ids")
    return Ssm(sight.ready_for_ssm(), params["wait_online"])


def jobs_of(module: Any, manner: Manner) -> tuple[list[Job], Sight | None]:
    """What is to be sent, with what was read for it. Raises CloudnetError."""
    params = module.params
    if params["topology"] is not None:
        sight = of_topology(module, load(params["topology"], overrides=Overrides(region=region_of(module))))
        if params["probes"] is None:
            return of_expectations(sight.world, manner), sight
        return of_wishes(sight.world, wishes(params), manner, predict=True), sight
    if params["probes"] is None:
        raise CloudnetError("nothing is asked: give probes, or a topology with expect")
    asked = wishes(params)
    over_ssh = params["via"] == "ssh" or (params["via"] == "auto" and params["ssh_config"])
    if over_ssh and not any(text.startswith("i-") for wish in asked for text in (wish.source, wish.target)):
        return elsewhere(asked, manner), None
    sight = live(module, whole=params["via"] == "none")
    return of_wishes(sight.world, asked, manner, predict=params["via"] == "none"), sight


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params = module.params
    manner = Manner(params["timeout"], params["count"], params["ssh_hosts"])
    jobs, sight = jobs_of(module, manner)
    faults = [f"{job.path}: {fault}" for job in jobs if job.ask and (fault := job.ask.fault())]
    if faults:
        raise CloudnetError("; ".join(faults))
    found = send(jobs, way_of(params, sight) if any(job.seat for job in jobs) else None, settle=params["settle"])
    rows = [item.as_dict() for item in found]
    staged = INTENTION not in params["fail_on"]
    return {
        "changed": False,
        "probes": rows,
        "table": table(rows, staged=staged),
        "sent": sum(item.answer is not None for item in found),
        "disagreements": [
            f"{item.job.source} -> {item.job.target} {item.job.traffic}: {item.contradiction}" for item in found if item.contradiction
        ],
        "calls": dict(sight.estate.client.calls) if sight else {},
        "warnings": list(sight.warnings) if sight else [],
    }


def wrong(rows: Sequence[Mapping[str, Any]], fail_on: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows for which the task fails."""
    found = []
    for row in rows:
        broken = row["observed"] == "error" or not row["agrees"]
        if (DISAGREEMENT in fail_on and broken) or (INTENTION in fail_on and (row["intended"] or broken) and not row["ok"]):
            found.append(row)
    return found


def end(module: Any, result: Mapping[str, Any]) -> None:
    """Fail where something is not as it must be, with all that was found."""
    rows = wrong(result["probes"], module.params["fail_on"])
    if rows:
        told = {key: value for key, value in result.items() if key != "warnings"}
        warn_of(result["warnings"])
        module.fail_json(msg=f"{len(rows)} of {len(result['probes'])} probes are not as they must be\n{result['table']}", **told)


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)

    def work() -> dict[str, Any]:
        result = run(module)
        end(module, result)
        return result

    finish(module, work)


if __name__ == "__main__":
    main()
