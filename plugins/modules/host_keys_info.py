#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.host_keys_info: the ssh host keys of a topology's instances, from the console, where nobody else can write them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_keys_info
version_added: 0.1.0
short_description: The ssh host keys of a topology's instances, as their consoles show them
description:
  - Reads the host keys that cloud-init prints at an instance's first boot, by C(ec2:GetConsoleOutput), and gives them as lines of an
    ssh known_hosts file. So ssh knows a host before it first connects to it, and need not believe whoever answers.
  - amazon.aws has no module for the console.
  - AWS shows the console some time after the boot, for which O(wait) is. On instances that run for long other output may have driven the
    keys out; keep what was read once.
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
  topology:
    description:
      - The path of a topology file on the host that runs the module, or a topology as a mapping.
      - Its running instances are known by their tags.
    type: raw
    required: true
  wait:
    description:
      - For how many seconds to ask again for keys that are not shown yet. The task fails when some are lacking then.
    type: int
    default: 600
seealso:
  - module: cloudnet.vpc.probe
"""

EXAMPLES = r"""
- name: Read the host keys
  cloudnet.vpc.host_keys_info:
    topology: "{{ playbook_dir }}/topology.yml"
  register: read

- name: Let ssh know them
  ansible.builtin.copy:
    content: "{{ read.known_hosts }}"
    dest: known_hosts
    mode: "0600"
"""

RETURN = r"""
hosts:
  description: The running instances by name (C(vpc.name)).
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: i-0a1b2c3d4e5f60718
    private_ip:
      description: Its private address.
      type: str
      sample: 10.10.0.4
    public_ip:
      description: Its public address; empty where it has none.
      type: str
      sample: 198.18.0.1
    keys:
      description: Its host keys, each as C(type base64).
      type: list
      elements: str
      sample: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv2lV0cGmvbk2Q3w0bVbTqNq2m2m4T0p8m3i0hJ5q1e]
known_hosts:
  description: The same for ssh, a line for each key, under the instance's id and addresses.
  returned: success
  type: str
  sample: "i-0a1b2c3d4e5f60718,10.10.0.4 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv2lV0cGmvbk2Q3w0bVbTqNq2m2m4T0p8m3i0hJ5q1e\n"
calls:
  description: How many calls it took, by action.
  returned: success
  type: dict
  sample: {"ec2:DescribeInstances": 2, "ec2:GetConsoleOutput": 4}
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AwsError, CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.launched import Launched, launched, placed, running, subnets_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, check_places, finish, params_of, region_of

ARGUMENTS: dict[str, Any] = {"topology": {"type": "raw", "required": True}, "wait": {"type": "int", "default": 600}}

#: cloud-init's lines around the keys, each of which may follow a time or a program's name.
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connection-prereqs-general.html#connection-prereqs-fingerprint
BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
END = "-----END SSH HOST KEY KEYS-----"
_KEY = re.compile(r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+={0,2})(?=\s|$)")
#: Seconds between two looks at the consoles.
PAUSE = 5.0
_THREADS = 8


def host_keys(console: str) -> tuple[str, ...]:
    """The host keys (``type base64``) of a console's text; none where the block of keys is not there, or not whole yet."""
    block, begun, ended = "", False, False
    for text in console.split(BEGIN)[1:]:  # after a new boot only the last counts
        block, end, _rest = text.partition(END)
        begun, ended = True, bool(end)
    if not (begun and ended):
        return ()
    return tuple(dict.fromkeys(f"{kind} {blob}" for kind, blob in _KEY.findall(block) if _is_key(kind, blob)))


def _is_key(kind: str, blob: str) -> bool:
    """Whether the base64 says of itself, too, that it is of that kind (RFC 4253, section 6.6)."""
    try:
        data = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    return data[4 : 4 + int.from_bytes(data[:4], "big")] == kind.encode()


def known_hosts(instances: Iterable[Launched], keys: Mapping[str, tuple[str, ...]]) -> str:
    """Lines for ssh's known_hosts. ``keys``: by instance id."""
    lines = []
    for item in instances:
        names = ",".join(name for name in (item.id, item.private_ip, item.public_ip) if name)
        lines += [f"{names} {key}" for key in keys.get(item.id, ())]
    return "".join(f"{line}\n" for line in lines)


def collect(
    instances: Iterable[Launched],
    console: Callable[[Launched], str],
    wait: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, tuple[str, ...]]:
    """Host keys by instance id; ``console`` reads an instance's. Raises CloudnetError for those that show none within ``wait`` seconds."""
    found: dict[str, tuple[str, ...]] = {}
    waiting, deadline = list(instances), clock() + wait
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        while True:
            keys = zip(waiting, pool.map(console, waiting), strict=True)
            found |= {item.id: read for item, text in keys if (read := host_keys(text))}
            waiting = [item for item in waiting if item.id not in found]
            if not waiting:
                return found
            if clock() + PAUSE > deadline:
                names = ", ".join(f"{item.label} ({item.id})" for item in waiting)
                raise CloudnetError(
                    f"no ssh host keys on the console of {names} after {wait:g} s: look at it (GetConsoleOutput), wait longer (wait), or"
                    " keep the keys that were read when it was new"
                )
            sleep(PAUSE)


def _console(estate: Estate, instance: Launched) -> str:
    """The console's text: as it is now where the type can show that, with what AWS kept of the boot."""
    ask = {"InstanceId": instance.id}
    kept = str(estate.client.call(instance.account, instance.region, "ec2:GetConsoleOutput", **ask).get("Output") or "")
    if END in kept:
        return kept
    try:
        # Only Nitro shows it at any time. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
        now = estate.client.call(instance.account, instance.region, "ec2:GetConsoleOutput", Latest=True, **ask)
    except AwsError as error:
        if error.code != "UnsupportedOperation":
            raise
        return kept
    return str(now.get("Output") or "")


def _running(estate: Estate, topology: Topology) -> list[Launched]:
    """The topology's instances that run, in all of its accounts and Regions."""
    places = sorted({(estate.accounts[vpc.account], vpc.region) for vpc in topology.vpcs.values() if not vpc.remote})
    found = []
    for account, region in places:
        listed = estate.client.pages(account, region, "ec2:DescribeInstances", Filters=running(topology.name))
        there = launched(listed, account, region)
        ids = sorted({item.subnet_id for item in there if item.subnet_id})
        filters = [{"Name": "subnet-id", "Values": ids}]
        subnets = estate.client.pages(account, region, "ec2:DescribeSubnets", Filters=filters) if ids else []
        # Whoever may tag can give an instance the topology's tags: its keys are none to trust.
        kept, _others = placed(there, subnets_of(subnets, topology.name, account, region))
        found += kept
    return found


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    topology = load(module.params["topology"], overrides=Overrides(region=region_of(module)))
    estate = Estate(topology, params_of(module), target=module.params["target"])
    check_places(estate)
    instances = _running(estate, topology)
    keys = collect(instances, lambda item: _console(estate, item), module.params["wait"])
    hosts = {
        item.label: {"id": item.id, "private_ip": item.private_ip, "public_ip": item.public_ip, "keys": list(keys[item.id])}
        for item in instances
    }
    return {"changed": False, "hosts": hosts, "known_hosts": known_hosts(instances, keys), "calls": dict(estate.client.calls)}


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
