# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH's client against instances in the kernel: a program, so that it can run as an unprivileged user too.

``python ssh_twin.py`` starts a data plane with two instances, runs every function here whose name begins with ``check_``, and prints
``{check: what went wrong, or ""}`` as JSON.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import ssh_config
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.client import Delta, Twin
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts
from support.twin_networks import Builder

WEB, DB, PUBLIC, PRIVATE = "i-00000000000000001", "i-00000000000000002", "198.18.0.5", "10.0.1.6"
NAMES = {WEB: "web", DB: "db"}
SIZE = 30_000_000


def network(open_port: bool = True) -> Network:
    """A public instance and a private one; the public one's group lets ssh in, or nothing."""
    build = Builder()
    build.vpc("vpc-a", "10.0.0.0/16")
    build.subnet("subnet-a", "vpc-a", "10.0.0.0/24")
    build.subnet("subnet-b", "vpc-a", "10.0.1.0/24")
    build.internet("vpc-a")
    build.table("rtb-public", "vpc-a", {"0.0.0.0/0": "igw-a"}, ["subnet-a"])
    build.host(WEB, "subnet-a", "10.0.0.5", public=PUBLIC)
    build.host(DB, "subnet-b", PRIVATE)
    made = build.network()
    about = {WEB: ("10.0.0.5", PUBLIC), DB: (PRIVATE, "")}
    instances = {
        id: replace(item, private_ip=about[id][0], public_ip=about[id][1], tags={"Name": NAMES[id]}) for id, item in made.instances.items()
    }
    rules = made.rules if open_port else {id: rule for id, rule in made.rules.items() if rule.egress}
    return replace(made, instances=instances, rules=rules)


class Lab:
    """The data plane and its user's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "s"))
        listener.listen(16)
        self.twin = Twin.start(listener, folder / "log")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        public = (folder / "key.pub").read_text().strip()
        self.facts = {id: HostFacts(id, authorized=(public,), key_name="key") for id in (WEB, DB)}
        self.told = Network()
        self.tell(network())
        self.twin.authorize(ssh_config.ensure_key(folder))
        keys = self.twin.host_keys([WEB, DB])
        listed = [
            {
                "id": id,
                "name": NAMES[id],
                "private_ip": item.private_ip,
                "public_ip": item.public_ip,
                "key_name": "key",
                "host_keys": keys[id],
            }
            for id, item in self.told.instances.items()
        ]
        python = sys.executable if os.access(sys.executable, os.X_OK) else "/usr/bin/python3"
        self.config = ssh_config.write(folder, str(folder / "s"), listed, {"key": str(folder / "key")}, python).config
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "SHELL": "/bin/sh"}

    def tell(self, network: Network) -> None:
        """Have the data plane follow."""
        names = [field.name for field in dataclasses.fields(network) if isinstance(getattr(network, field.name), dict)]
        changed = {name: dict(getattr(network, name)) for name in names if getattr(network, name)}
        removed = {name: tuple(getattr(self.told, name).keys() - getattr(network, name).keys()) for name in names}
        self.twin.update(Delta(changed, {name: gone for name, gone in removed.items() if gone}, Facts(dict(self.facts))))
        self.told = network

    def run(self, program: str, *words: str, status: int | None = 0, input: bytes | None = None, agent: str = "") -> tuple[bytes, str]:
        """Run ssh, scp or sftp; what it says."""
        environment = {**self.environment, **({"SSH_AUTH_SOCK": agent} if agent else {})}
        given: dict[str, Any] = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        found = subprocess.run(
            [program, "-F", str(self.config), *words], capture_output=True, env=environment, timeout=60, check=False, **given
        )
        said = found.stderr.decode(errors="replace")
        if status is not None and found.returncode != status:
            raise AssertionError(f"{program} {' '.join(words)}: status {found.returncode}: {said}")
        return found.stdout, said

    def ssh(self, to: str, command: str, *options: str) -> list[str]:
        """The lines that a command prints."""
        return self.run("ssh", *options, to, command)[0].decode().splitlines()


def check_who_and_where(lab: Lab) -> None:
    assert lab.ssh("web", "id -un; hostname; pwd; echo ${SSH_CONNECTION-console}") == [
        "ec2-user",
        "ip-10-0-0-5",
        "/home/ec2-user",
        "console",
    ]


def check_the_network_is_the_way_in(lab: Lab) -> None:
    (line,) = lab.ssh(PUBLIC, "echo $SSH_CONNECTION")
    peer, _port, own, port = line.split()
    assert (peer, own, port) == ("203.0.113.10", "10.0.0.5", "22")


def check_a_private_one_through_a_bastion(lab: Lab) -> None:
    for bastion in (PUBLIC, "web"):
        assert lab.ssh(PRIVATE, "hostname; echo ${SSH_CONNECTION%% *}", "-J", bastion) == ["ip-10-0-1-6", "10.0.0.5"]


def check_the_terminal_is_the_instances_own(lab: Lab) -> None:
    said = lab.ssh("web", 'tty; echo $SSH_TTY; stat -c %U "$(tty)"; echo via > /dev/tty', "-tt")
    name, told, owner, via = said
    assert name.startswith("/dev/pts/")
    assert (told, owner, via) == (name, "ec2-user", "via")


def check_outputs_can_be_opened_again(lab: Lab) -> None:
    out, err = lab.run("ssh", "web", "echo x > /dev/stdout; echo y > /dev/stderr")
    assert (out, err) == (b"x\n", "y\n")


def check_links_lead_nowhere_on_this_machine(lab: Lab) -> None:
    (lab.folder / "secret").write_text("of the host")
    lab.ssh("web", f"ln -sfn {lab.folder} there; ln -sf {lab.folder}/secret link; ln -sf /etc/shadow shadow")
    for words in (["scp", "-q"], ["scp", "-q", "-O"]):
        for name in ("there/secret", "link", "shadow"):
            _out, said = lab.run(*words, f"web:{name}", str(lab.folder / "got"), status=1)
            assert "No such file" in said, said
            assert not (lab.folder / "got").exists()
        # Nor is anything written where such a link points; /etc is the instance's own.
        for name in ("there/secret", "link"):
            lab.run(*words, str(lab.folder / "key.pub"), f"web:{name}", status=1)
    _out, said = lab.run("sftp", "-b", "-", "web", input=f"get there/secret {lab.folder}/got\n".encode(), status=1)
    assert "not found" in said, said
    assert (lab.folder / "secret").read_text() == "of the host"


def check_much_comes_through_whole(lab: Lab) -> None:
    data = os.urandom(SIZE)
    lab.run("ssh", PUBLIC, "cat > big", input=data)
    out, _err = lab.run("ssh", PUBLIC, "cat big")
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()
    (lab.folder / "big").write_bytes(data)
    lab.run("scp", "-q", str(lab.folder / "big"), f"{PUBLIC}:copied")
    lab.run("scp", "-q", f"{PUBLIC}:copied", str(lab.folder / "again"))
    assert (lab.folder / "again").read_bytes() == data


def check_the_agent_follows(lab: Lab) -> None:
    path = str(lab.folder / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(path):
            time.sleep(0.01)
        subprocess.run(
            ["ssh-add", "-q", lab.folder / "key"], env={**lab.environment, "SSH_AUTH_SOCK": path}, check=True, capture_output=True
        )
        onward = f"ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null {PRIVATE} hostname"
        out, _err = lab.run("ssh", "-A", PUBLIC, f"stat -c '%U %a' $SSH_AUTH_SOCK; {onward}", agent=path)
        assert out.decode().splitlines() == ["ec2-user 600", "ip-10-0-1-6"]
        assert lab.ssh(PUBLIC, f"{onward} 2>/dev/null || echo refused") == ["refused"]
    finally:
        agent.kill()
        agent.wait()


def check_ansible_becomes_root(lab: Lab) -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    if not os.access(program, os.X_OK):
        raise NotImplementedError("ansible-playbook cannot be run by this user")
    play = [
        {
            "hosts": "all",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "/usr/bin/python3"},
            "tasks": [
                {"ansible.builtin.command": {"argv": ["id", "-un"]}, "become": True, "register": "root"},
                {"ansible.builtin.command": {"argv": ["id", "-un"]}, "register": "user"},
                {"ansible.builtin.assert": {"that": ["root.stdout == 'root'", "user.stdout == 'ec2-user'"]}},
                {"ansible.builtin.copy": {"content": "{{ 'x' * 100000 }}", "dest": "/root/made", "mode": "0600"}, "become": True},
                {"ansible.builtin.fetch": {"src": "/root/made", "dest": f"{lab.folder}/fetched", "flat": True}, "become": True},
            ],
        }
    ]
    (lab.folder / "play.json").write_text(json.dumps(play))
    (lab.folder / "ansible.cfg").write_text("")
    for pipelining in ("true", "false"):
        options = f"-F {lab.config} -o ControlMaster=auto -o ControlPersist=5 -o ControlPath={lab.folder}/c{pipelining}"
        (lab.folder / "hosts").write_text(f"web ansible_ssh_args='{options}' ansible_pipelining={pipelining}\n")
        environment = {**lab.environment, "ANSIBLE_CONFIG": str(lab.folder / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(lab.folder / "t")}
        words = [program, "-i", lab.folder / "hosts", lab.folder / "play.json"]
        found = subprocess.run(words, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=120, check=False)
        if found.returncode:
            raise AssertionError(found.stdout[-3000:] + found.stderr[-1000:])
        assert (lab.folder / "fetched").read_text() == "x" * 100000
        lab.run("ssh", "-o", f"ControlPath={lab.folder}/c{pipelining}", "-O", "exit", "web", status=None)


def check_the_group_decides_but_not_on_the_console(lab: Lab) -> None:
    lab.tell(network(open_port=False))
    try:
        _out, said = lab.run("ssh", PUBLIC, "true", status=255)
        assert f"cloudnet: no answer from {PUBLIC}:22 in 10 s" in said, said
        assert lab.ssh("web", "echo here") == ["here"]
    finally:
        lab.tell(network())
    assert lab.ssh(PUBLIC, "echo back") == ["back"]


def check_a_reboot_ends_what_ran_and_keeps_the_keys(lab: Lab) -> None:
    lab.ssh("web", "echo kept > kept")
    words = ["ssh", "-F", str(lab.config), "web", "echo up; exec sleep 300"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=lab.environment
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        lab.facts[WEB] = replace(lab.facts[WEB], boots=lab.facts[WEB].boots + 1)
        lab.tell(network())
        client.wait(30)
    assert client.returncode == 255
    assert lab.ssh("web", "cat kept; pgrep -c sleep || true")[0] == "kept"
    assert lab.ssh(PUBLIC, "cat kept") == ["kept"]


def check_a_stopped_one_is_gone_until_it_starts(lab: Lab) -> None:
    stopped = network()
    lab.tell(replace(stopped, instances={**stopped.instances, WEB: replace(stopped.instances[WEB], state="stopped")}))
    try:
        assert f"cloudnet: {WEB} is stopped" in lab.run("ssh", "web", "true", status=255)[1]
    finally:
        lab.facts[WEB] = replace(lab.facts[WEB], boots=lab.facts[WEB].boots + 1)
        lab.tell(network())
    assert lab.ssh("web", "hostname") == ["ip-10-0-0-5"]


def main() -> int:
    said: dict[str, str] = {}
    folder = Path(tempfile.mkdtemp(prefix="cn-ssh-", dir="/tmp"))
    try:
        lab = Lab(folder)
        try:
            for name, check in list(globals().items()):
                if name.startswith("check_"):
                    begun = time.monotonic()
                    try:
                        check(lab)
                        said[name] = ""
                    except NotImplementedError as error:
                        said[name] = f"skip: {error}"
                    except Exception:
                        said[name] = traceback.format_exc()
                    print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
        finally:
            lab.twin.close()
        log = (folder / "log").read_text()
        said["log"] = log if "Traceback" in log or "ERROR" in log else ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
