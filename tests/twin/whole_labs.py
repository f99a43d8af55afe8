# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``whole_labs.py start|find|mark|read|reach|stop NAME [WORD…]``: what test_whole_labs.py does with labs, as any user. Tells JSON.

start: with an instance in a VPC of each CIDR block that is named. mark: write the lab's name into each instance. read: what is written
there. reach: which addresses (``ADDRESS`` for a ping, ``ADDRESS:PORT``) answer the first instance.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle


def below(process: int) -> list[int]:
    """All processes below one."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        # Threads of a lab come and go.
        with contextlib.suppress(FileNotFoundError):
            found += [int(item) for item in task.read_text().split()]
    return [*found, *(more for item in found for more in below(item))]


def told(found: lifecycle.Found) -> dict[str, Any]:
    """What the test wants to know of a lab."""
    if found.record is None:
        raise RuntimeError(f"lab {found.name} does not run")
    hosts = found.control.hosts()
    names = sorted(f"ip-{host['private_ip'].replace('.', '-')}" for host in hosts["hosts"])
    about = {"url": found.record.url, "pid": found.record.pid, "below": below(found.record.pid), "hosts": names}
    return {**about, "ssh_socket": hosts["ssh_socket"], "ssh_config": hosts["ssh_config"]}


def build(found: lifecycle.Found, blocks: list[str]) -> None:
    """A VPC of each block, with a subnet and an instance that lets everybody ping."""
    import boto3

    assert found.record is not None
    os.environ.update(AWS_CONFIG_FILE=found.record.config_file, AWS_SHARED_CREDENTIALS_FILE=found.record.credentials_file)
    session: Any = boto3.session.Session(profile_name="lab")
    ec2 = session.client("ec2")
    for block in blocks:
        vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block.replace("0.0/16", "1.0/24"))["Subnet"]["SubnetId"]
        ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnet)


def shell(found: lifecycle.Found, host: str, line: str) -> str:
    config = found.control.hosts()["ssh_config"]
    done = subprocess.run(["ssh", "-F", config, host, line], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 255:
        raise RuntimeError(done.stderr)
    return done.stdout


def instances(found: lifecycle.Found) -> dict[str, str]:
    """Host name to id."""
    hosts = found.control.hosts()["hosts"]
    return {f"ip-{host['private_ip'].replace('.', '-')}": host["id"] for host in sorted(hosts, key=lambda host: host["private_ip"])}


def main(command: str, name: str, *words: str) -> dict[str, Any]:
    if command == "start":
        found = lifecycle.start(name, {"twin": "required"})
        build(found, list(words))
        return told(lifecycle.find(name))
    if command == "stop":
        return {"changed": lifecycle.stop(name).changed}
    found = lifecycle.find(name)
    if command == "find":
        return told(found)
    if command in ("mark", "read"):
        line = f"echo {name} > ~/mark; cat ~/mark" if command == "mark" else "cat ~/mark"
        return {"marks": {host: shell(found, id_, line).strip() for host, id_ in instances(found).items()}}
    lines = []
    for word in words:
        address, _colon, port = word.partition(":")
        test = f"timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null" if port else f"ping -c 1 -W 1 {address} >/dev/null"
        lines.append(f"{test} && echo {word}")
    return {"answers": shell(found, next(iter(instances(found).values())), "; ".join([*lines, "true"])).split()}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
