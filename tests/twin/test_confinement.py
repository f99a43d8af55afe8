# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile instance is kept from: system calls, sockets, namespaces, the machine's part of /proc, other instances' ids."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import os
import platform
import re
import signal
import struct
import sys
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin import cgroups
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import support
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.system import PR_SET_SECCOMP
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines import seccomp
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.confine import MISSING, PROCESSES, SUDO_DEPTH
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.memory import MemoryWatch
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.root import HIDDEN, TERMINALS
from support.namespaces import needs_namespaces, run_in_tree

from . import attacks
from .machine_place import Place, with_machines

PYTHON = "/usr/bin/python3"
MACHINE = platform.machine()
pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"the host has no {PYTHON} for instances"),
    pytest.mark.skipif(MACHINE not in seccomp.MACHINES, reason=f"there is no filter for {MACHINE}"),
]
COLUMN = seccomp.MACHINES.get(MACHINE, (0, 0))[1]


def _name(id: str) -> str:
    """What is an instance's own is named by a digest, whatever the instance is called."""
    return hashlib.sha256(id.encode()).hexdigest()[:32]


async def attack(place: Place, source: str, *arguments: object, root: bool = False, id: str = "i-1") -> str:
    status, said = await place.run([PYTHON, "-c", source, *map(str, arguments)], id, root=root)
    assert status == 0, said
    return said.strip()


@with_machines
async def test_nothing_is_missing(place: Place) -> None:
    await place.boot()
    assert place.machines.missing - {"memory"} == set()
    for root in (False, True):
        status = await place.say("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status /proc/1/status | cut -f2 | tr '\\n' ' '", root=root)
        assert status.split()[1::2] == ["2", "2"]


@with_machines
async def test_system_calls(place: Place) -> None:
    await place.boot()
    names = {name: numbers[COLUMN] for name, numbers in seccomp.REFUSED.items() if numbers[COLUMN] >= 0}
    for root in (False, True):
        said = json.loads(await attack(place, attacks.REFUSED, json.dumps(list(names.values())), root=root))
        assert {name: number for name, number in zip(names, said, strict=True) if number != 1} == {}
        newer = [seccomp.NEWEST + 1, seccomp.NEWEST + 200, seccomp.CHECKED["clone3"][COLUMN]]
        assert json.loads(await attack(place, attacks.REFUSED, json.dumps(newer), root=root)) == [38, 38, 38]


@with_machines
async def test_families_of_sockets(place: Place) -> None:
    """Neither vsock, by which the machine's hypervisor is reached, nor the kernel's cryptography."""
    await place.boot()
    for root in (False, True):
        assert set(json.loads(await attack(place, attacks.FAMILIES, root=root))) <= set(seccomp.FAMILIES.values())
        assert set(json.loads(await attack(place, attacks.NETLINK, root=root))) <= set(seccomp.NETLINK.values())


@with_machines
async def test_no_namespaces_in_an_instance(place: Place) -> None:
    await place.boot()
    numbers = json.dumps([seccomp.CHECKED[name][COLUMN] for name in ("clone", "unshare")])
    for root in (False, True):
        said = json.loads(await attack(place, attacks.NAMESPACES, numbers, root=root))
        # Without ids of its own an instance's sudo is a user namespace: that one, and nothing with it.
        user = said.pop("user")
        assert user[:2] == [1, 1] and (user[2:] == [1, 1] if place.machines.ids else user[2:] == [0, 0])
        assert all(numbers == [1, 1, 1, 1] for numbers in said.values()), said
    # Should the filter be left out, the kernel's own limits hold.
    limits = await place.say("cd /proc/sys/user; grep . max_*_namespaces", root=True)
    expected = {"user": "0" if place.machines.ids else str(SUDO_DEPTH)}
    assert dict(re.findall(r"max_(\w+)_namespaces:(\d+)", limits)) == {
        name: expected.get(name, "0") for name in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
    }
    for path in ("user/max_mnt_namespaces", "kernel/shmall", "kernel/msgmni"):
        assert (await place.run(f"echo 100000 >/proc/sys/{path}", root=True))[0] != 0


@pytest.mark.skipif(MACHINE != "x86_64", reason="only x86_64 has two foreign ways to call")
@with_machines
async def test_foreign_calls(place: Place) -> None:
    await place.boot()
    assert await attack(place, attacks.FOREIGN) == "False -1 38"


@with_machines
async def test_keyrings_of_the_machines_user(place: Place) -> None:
    """cases/security/kernel_keyring.py: a rootless instance has its user's id, and a keyring is found by its number."""
    library = ctypes.CDLL(None, use_errno=True)
    keyctl, add_key = (seccomp.REFUSED[name][COLUMN] for name in ("keyctl", "add_key"))
    ring = library.syscall(keyctl, 0, -4, 1)
    if ring < 0:
        pytest.skip("this kernel has no keyrings")
    assert library.syscall(add_key, b"user", b"cloudnet-secret", b"SECRET", 6, -4) > 0
    await place.boot()
    for root in (False, True):
        said = await attack(place, attacks.KEYRING, ring, keyctl, root=root)
        assert said == "-1 1"


@with_machines
async def test_the_machines_part_of_proc(place: Place) -> None:
    await place.boot()
    for root in (False, True):
        for name in HIDDEN:
            said = await place.run(f"if [ -d /proc/{name} ]; then ls -A /proc/{name}; else cat /proc/{name}; fi 2>/dev/null", root=root)
            assert said[1] == "", name
    hidden = {line.split()[4] for line in (await place.say("cat /proc/self/mountinfo")).splitlines()}
    assert {f"/proc/{name}" for name in HIDDEN if Path(f"/proc/{name}").exists()} <= hidden
    assert await place.say("dmesg 2>/dev/null | wc -l", root=True) == "0"


@with_machines
async def test_the_kernel_ends_instances_first(place: Place) -> None:
    await place.boot()
    for root in (False, True):
        assert await place.say("cat /proc/self/oom_score_adj /proc/1/oom_score_adj", root=root) == "1000\n1000"
    assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"


@with_machines
async def test_capabilities(place: Place) -> None:
    """Root of an instance has no capability that the filter or its limits count on, whatever it becomes."""
    await place.boot()
    bounding = int(await place.say("sed -n 's/^CapBnd:\\t//p' /proc/self/status", root=True), 16)
    effective = int(await place.say("sed -n 's/^CapEff:\\t//p' /proc/self/status", root=True), 16)
    first = int(await place.say("sed -n 's/^CapEff:\\t//p' /proc/1/status", root=True), 16)
    # SYS_MODULE, SYS_RAWIO, SYS_PACCT, SYS_RESOURCE, SYS_TIME, NET_ADMIN, SYSLOG, DAC_READ_SEARCH, BPF.
    for capability in (16, 17, 20, 24, 25, 12, 34, 2, 39):
        assert not (bounding | effective | first) >> capability & 1, capability
    assert await place.say("sed -n 's/^CapEff:\\t//p' /proc/self/status") == "0000000000000000"


@with_machines
async def test_ordinary_programs(place: Place) -> None:
    await place.boot()
    for root in (False, True):
        assert await attack(place, attacks.ORDINARY, root=root) == "done"
    assert await place.say("hostname web-1; hostname; sudo -u ec2-user sudo id -u", root=True) == "web-1\n0"
    assert await place.say("cat /proc/sys/net/ipv4/ip_forward; uptime >/dev/null; ps -e | wc -l; df /tmp | wc -l; free | wc -l") != ""


@with_machines
async def test_terminals_have_a_limit(place: Place) -> None:
    await place.boot()
    source = "import os\nheld = []\ntry:\n    while True: held += os.openpty()\nexcept OSError as error: print(len(held) // 2)"
    await place.say("ulimit -n 8192; true")
    assert int(await attack(place, f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))\n{source}")) == TERMINALS


@with_machines
async def test_memory_that_belongs_to_no_process(place: Place) -> None:
    """System V segments outlive who made them."""
    await place.boot()
    source = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]\n"
        "print(sum(libc.shmget(0, 1 << 20, 0o1600) >= 0 for _number in range(400)))"
    )
    assert int(await attack(place, source)) <= 64
    assert int(await attack(place, source, root=True)) == 0


@with_machines
async def test_processes_of_all_ids(place: Place) -> None:
    """Each id of an instance's has a limit of its own, and all of them together have one."""
    await place.boot()
    await place.boot("i-2")
    bomb = (
        "import os, time\n"
        "os.close(0); os.close(1); os.close(2)\n"
        "for identity in range(2000, 2008):\n"
        "    if os.fork() == 0:\n"
        "        try: os.setresgid(identity, identity, identity); os.setresuid(identity, identity, identity)\n"
        "        except OSError: pass\n"
        "        for number in range(600):\n"
        "            try:\n"
        "                if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "            except OSError: break\n"
        "        os._exit(0)\n"
        "for number in range(8): os.wait()\n"
    )
    await attack(place, bomb, root=True)
    owners = [os.stat(f"/proc/{name}").st_uid for name in os.listdir("/proc") if name.isdigit()]
    assert len(set(owners)) > (8 if place.machines.ids else 0)
    assert len(owners) < 2 * PROCESSES + 100
    assert await place.say("echo alive", id="i-2") == "alive"


@with_machines
async def test_no_two_instances_share_an_id(place: Place) -> None:
    for number in (1, 2):
        await place.boot(f"i-{number}")
    owners = []
    for number in (1, 2):
        running = [await place.machines.spawn(f"i-{number}", ["sleep", "60"], root=root) for root in (False, True)]
        owners += [os.stat(f"/proc/{process.pid}").st_uid for process in running]
        # Numbers of users as Linux distributions give them, and nobody's, are there; others are not.
        for identity, there in ((0, True), (999, True), (4094, True), (4095, False), (65533, False), (65534, True)):
            if place.machines.ids:
                status, _said = await place.run(f"touch ~/it && chown {identity}:{identity} ~/it", f"i-{number}", root=True)
                assert (status == 0) is there, identity
    assert len(set(owners)) == (4 if place.machines.ids else 1)
    assert "ids" not in place.machines.missing
    # A slot belongs to the disk: it stays over a stop, and is free after the end.
    before = os.stat(f"/run/disks/{_name('i-2')}/root").st_uid
    await place.machines.halt("i-2")
    await place.boot("i-2", boots=2)
    assert os.stat(f"/run/disks/{_name('i-2')}/root").st_uid == before
    assert await place.say("sudo id -u", "i-2") == "0"
    await place.machines.discard("i-2")
    await place.boot("i-3")
    assert os.stat(f"/run/disks/{_name('i-3')}/root").st_uid == before


def _group_root() -> Path | None:
    for group in reversed(cgroups._own()):
        return group if os.access(group, os.W_OK) else None
    return None


@pytest.mark.skipif(_group_root() is None, reason="no control group of version 2 can be made here")
def test_programs_are_in_the_instances_control_group() -> None:
    """The place of each process, without the limits: on many machines another version holds the controllers."""
    above = _group_root()
    assert above is not None
    groups = cgroups.make({})
    assert groups.folder is not None and groups.folder.is_relative_to(above)

    async def work() -> None:
        place = Place(groups=groups)
        try:
            await place.boot()
            await place.boot("i-2")
            for number in (1, 2):
                where = await place.say("grep ^0:: /proc/self/cgroup", f"i-{number}", root=number == 1)
                assert where == "0::/"
                running = await place.machines.spawn(f"i-{number}", ["sleep", "60"])
                assert f"{running.pid}" in (groups.folder or Path()).joinpath(_name(f"i-{number}"), "cgroup.procs").read_text().split()
            assert "memory" not in place.machines.missing
            said = await asyncio.gather(*(place.run("cat /etc/hostname; python3 -c 'print(1)'", "i-1") for _number in range(20)))
            assert {text for _status, text in said} == {"ip-10-0-1-5.ec2.internal\n1\n"}
        finally:
            await place.machines.close()

    try:
        assert run_in_tree(lambda: asyncio.run(work())) == ""
    finally:
        groups.close()
    assert not groups.folder.exists()


def _kernel_without_filters() -> None:
    """For this process and its children: prctl(PR_SET_SECCOMP) is refused, as where the kernel was built without."""
    number = {"x86_64": 157}.get(MACHINE, 167)
    steps = [
        *((0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, PR_SET_SECCOMP)),
        *((0x06, 0, 0, 0x00050000 | 22), (0x06, 0, 0, 0x7FFF0000)),
    ]
    seccomp.install(b"".join(struct.pack("=HBBI", *step) for step in steps))


@with_machines
async def test_a_kernel_without_filters_is_said_and_the_lab_goes_on(place: Place) -> None:
    _kernel_without_filters()
    # As it is known at the lab's start, and as an instance finds it.
    if os.access(sys.executable, os.X_OK):
        assert "filter" in support.trial.__wrapped__().missing
    other = Place()
    try:
        await other.boot("i-9")
        assert "filter" in other.machines.missing and "filter" in MISSING
        # Then root has no capability to mount, nor to leave its namespaces.
        for attempt in ("mount -t tmpfs none /mnt", "umount /proc/keys", "hostname other", "unshare --mount true", "nsenter -t 1 -n true"):
            assert (await other.run(attempt, "i-9", root=True))[0] != 0, attempt
        assert await other.say("id -un; sudo id -u", "i-9") == "ec2-user\n0"
    finally:
        await other.machines.close()


@with_machines
async def test_memory_is_watched_where_no_control_group_limits_it(place: Place) -> None:
    await place.boot()
    await place.boot("i-2")
    named: list[str] = []
    watch = MemoryWatch(lambda number: named.append(place.machines.name_of(number)) or "it", limit=96 << 20, step=16 << 20)
    task = asyncio.create_task(watch.run())
    hold = "import sys, time; held = bytearray(int(sys.argv[1]) << 20); print(1, flush=True); time.sleep(float(sys.argv[2]))"
    # Pages that processes share count once: eight of 40 MiB each would be too much.
    shared = "import os, time\nheld = bytearray(40 << 20)\nfor number in range(7):\n    if os.fork() == 0: break\ntime.sleep(2)"
    innocent = asyncio.create_task(place.run([PYTHON, "-c", shared], "i-2"))
    small = asyncio.create_task(place.run([PYTHON, "-c", hold, "8", "2"]))
    status, _said = await asyncio.wait_for(place.run([PYTHON, "-c", hold, "256", "60"]), 30)
    assert status == -signal.SIGKILL and set(named) == {"i-1"}
    assert (await innocent)[0] == 0 and (await small) == (0, "1\n")
    task.cancel()


@pytest.mark.parametrize("root", [False, True])
@with_machines
async def test_nobody_looks_into_a_program_before_it_begins(place: Place, root: bool) -> None:
    await place.boot()
    race = asyncio.create_task(attack(place, attacks.RACE, 6, root=root))
    while not race.done():
        running = await place.machines.spawn("i-1", ["true"], root=not root)
        await running.wait()
    seen, _space, got = (await race).partition(" ")
    assert got == "[]"
    # It had something to look at.
    assert seen == "True"
