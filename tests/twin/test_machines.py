# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as processes, in real namespaces: who one is there, what stays, what ends, and that nothing of the host's is to be found."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import TwinError
from support.namespaces import needs_namespaces, run_in_tree

from .machine_place import NOBODY, WHO, Place, as_, machine, with_machines

pytestmark = needs_namespaces

PYTHON = "/usr/bin/python3"
needs_python = pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"the host has no {PYTHON} for instances")
HOST_FOLDERS = ("/root", "/home", "/run", "/tmp", "/var/tmp", "/srv", "/opt", "/mnt", "/dev/shm")


@with_machines
async def test_who_and_where(place: Place) -> None:
    await place.boot(hosts=("10.9.9.9 elsewhere",))
    assert await place.say("whoami; id -u; id -gn; hostname; pwd; echo $HOME $USER $LOGNAME $SHELL") == (
        "ec2-user\n1000\nec2-user\nip-10-0-1-5\n/home/ec2-user\n/home/ec2-user ec2-user ec2-user /bin/bash"
    )
    assert await place.say("whoami; id -u; pwd; echo $HOME", root=True) == "root\n0\n/root\n/root"
    assert await place.say("cat /etc/hostname") == "ip-10-0-1-5.ec2.internal"
    assert await place.say("cat /etc/resolv.conf") == "search ec2.internal\nnameserver 10.0.0.2\noptions timeout:2 attempts:5"
    assert "10.0.1.5 ip-10-0-1-5.ec2.internal ip-10-0-1-5\n10.9.9.9 elsewhere" in await place.say("cat /etc/hosts")
    assert (await place.say("cat /proc/1/cmdline | tr '\\0' ' '")).startswith("sleep")
    assert await place.say("stat -c '%U %a' ~ /run/agent") == "ec2-user 700\nec2-user 700"


@with_machines
async def test_environment_is_a_logins(place: Place) -> None:
    os.environ["CLOUDNET_TEST_SECRET"] = "hidden"
    await place.boot()
    names = {line.split("=")[0] for line in (await place.say("env", environment={"TERM": "xterm"})).splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TERM"}
    assert "/usr/local/bin" in (await place.say("echo $PATH")).split(":")
    assert await place.say("pwd", folder="/var") == "/var"


@with_machines
async def test_home_stays_and_tmp_does_not(place: Place) -> None:
    await place.boot(authorized=("ssh-ed25519 AAAA key",))
    await place.say("echo mine >~/kept; echo gone >/tmp/gone; echo gone >/dev/shm/gone")
    await place.say("echo of root >/root/kept; mkdir /data; echo there >/data/kept; echo 'option' >/etc/own", root=True)
    await place.machines.halt("i-1")
    assert not place.machines.running("i-1")
    with pytest.raises(TwinError, match="i-1 does not run"):
        await place.run("true")
    await place.boot(hostname="ip-10-0-1-6", address="10.0.1.6")
    assert await place.say("cat ~/kept; ls -A /tmp /dev/shm; hostname; cat ~/.ssh/authorized_keys") == (
        "mine\n/dev/shm:\n\n/tmp:\nip-10-0-1-6\nssh-ed25519 AAAA key"
    )
    assert await place.say("cat /root/kept /data/kept /etc/own", root=True) == "of root\nthere\noption"
    await place.machines.discard("i-1")
    await place.boot()
    assert (await place.run("cat ~/kept"))[0] != 0


@with_machines
async def test_another_number_of_boots_is_a_reboot(place: Place) -> None:
    await place.boot()
    await place.say("touch /tmp/here")
    await place.boot()
    assert await place.say("ls /tmp") == "here"
    await place.boot(boots=2)
    assert await place.say("ls /tmp") == ""


@needs_python
@with_machines
async def test_an_instance_that_ends_itself_starts_again(place: Place) -> None:
    await place.boot()
    await place.say("touch /tmp/here ~/here")
    program = "import ctypes; ctypes.CDLL(None).reboot(0x01234567)"
    await place.run([PYTHON, "-c", program], root=True)
    # What is started while it goes down ends with it.
    end = time.monotonic() + 10
    while place.machines.running("i-1"):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert await place.say("ls /tmp; ls ~") == "here"


@with_machines
async def test_user_data_once_in_a_life(place: Place) -> None:
    data = b"#!/bin/sh\nid -un >>/root/runs\necho said >&2\n"
    for boots in (1, 2):
        await place.boot(user_data=data, boots=boots)
        end = time.monotonic() + 20
        while (await place.run("test -e /var/lib/cloud/instance/boot-finished", root=True))[0]:
            assert time.monotonic() < end, await place.run("cat /var/log/cloud-init-output.log", root=True)
            await asyncio.sleep(0.02)
    assert await place.say("cat /root/runs; grep -c said /var/log/cloud-init-output.log", root=True) == "root\n1"
    assert (await place.run("cat /var/lib/cloud/instance/user-data.txt", root=True))[1].encode() == data


@with_machines
async def test_sudo(place: Place) -> None:
    await place.boot()
    assert await place.say("sudo id -un") == "root"
    # As Ansible's become does.
    assert await place.say("""sudo -H -S -n -u root /bin/sh -c 'echo BECOME-SUCCESS; id -u; echo $HOME'""") == "BECOME-SUCCESS\n0\n/root"
    assert await place.say("sudo -u ec2-user id -un; sudo -uec2-user -- whoami", root=True) == "ec2-user\nec2-user"
    assert await place.say("sudo sudo -u ec2-user id -un") == "ec2-user"
    assert await place.say("sudo -i pwd; sudo -i 'echo' 'a  b'; sudo -s echo c; sudo NAME=value printenv NAME SUDO_USER") == (
        "/root\na  b\nc\nvalue\nec2-user"
    )
    assert await place.say("echo for root | sudo tee /etc/by-sudo; cat /etc/by-sudo") == "for root\nfor root"
    assert (await place.run("sudo -u nosuch id"))[1] == "sudo: unknown user nosuch\n"
    assert (await place.run("sudo sh -c 'exit 7'"))[0] == 7
    assert await place.say("/usr/bin/sudo id -u") == "0" if os.path.exists("/usr/bin/sudo") else True


@with_machines
async def test_statuses_and_signals(place: Place) -> None:
    await place.boot()
    assert (await place.run("exit 3"))[0] == 3
    assert (await place.run("kill -9 $$"))[0] == -signal.SIGKILL
    running = await place.machines.spawn("i-1", ["sleep", "100"])
    running.signal(signal.SIGTERM)
    assert await asyncio.wait_for(running.wait(), 10) == -signal.SIGTERM
    running.signal(signal.SIGTERM)
    # The whole process group, so that a shell's children do not stay behind.
    reading, writing = os.pipe()
    running = await place.machines.spawn("i-1", ["/bin/sh", "-c", "sleep 100; true"], stdout=writing)
    os.close(writing)
    running.signal(signal.SIGKILL)
    assert await running.wait() == -signal.SIGKILL
    assert select.select([reading], [], [], 10)[0] and os.read(reading, 1) == b""
    os.close(reading)
    with pytest.raises(TwinError, match="i-1: /nowhere does not start: No such file or directory"):
        await place.run(["/nowhere"])
    with pytest.raises(TwinError, match="i-1: true does not start: No such file or directory"):
        await place.run(["true"], folder="/nowhere")
    with pytest.raises(TwinError, match="i-2 does not run"):
        await place.run("true", id="i-2")


@with_machines
async def test_terminal(place: Place) -> None:
    await place.boot()
    master, slave = os.openpty()
    running = await place.machines.spawn(
        "i-1", ["/bin/sh", "-c", "test -t 0 && echo mine >/dev/tty; read line; echo got $line"], stdin=slave, stdout=slave, terminal=True
    )
    os.close(slave)
    os.write(master, b"word\n")
    assert await asyncio.wait_for(running.wait(), 10) == 0
    said = b""
    while select.select([master], [], [], 0.1)[0]:
        try:
            said += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert b"mine" in said and b"got word" in said
    # With its terminal a program loses its life, as after a lost connection.
    master, slave = os.openpty()
    running = await place.machines.spawn("i-1", ["sleep", "100"], stdin=slave, stdout=slave, terminal=True)
    os.close(slave)
    os.close(master)
    assert await asyncio.wait_for(running.wait(), 10) == -signal.SIGHUP


@with_machines
async def test_outputs_can_be_opened_again(place: Place) -> None:
    await place.boot()
    for root in (False, True):
        assert (
            await place.say("echo one >/dev/stdout; echo two >/dev/stderr; echo three | tee /dev/fd/2", root=root)
            == "one\ntwo\nthree\nthree"
        )


@needs_python
@with_machines
async def test_terminals_of_its_own(place: Place) -> None:
    await place.boot()
    program = "import pty; pty.spawn(['tty'])"
    assert await place.say(f'{PYTHON} -c "{program}"') == "/dev/pts/0"


@with_machines
async def test_everything_ends_with_the_instance(place: Place) -> None:
    await place.boot()
    await place.boot("i-2")
    running = await place.machines.spawn("i-1", ["sleep", "100"])
    # One that has left its parent, its session and its group.
    await place.say("setsid -f sleep 1000 </dev/null >/dev/null 2>&1", root=True)
    before = len(_processes())
    await place.machines.halt("i-1")
    assert await asyncio.wait_for(running.wait(), 10) == -signal.SIGKILL
    assert before - len(_processes()) == 3
    assert await place.say("echo alive", id="i-2") == "alive"
    await place.machines.discard("i-2")
    assert not any("/run/disks/i-2" in line for line in Path("/proc/mounts").read_text().splitlines())
    assert not Path("/run/disks/i-2").exists()


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


@with_machines
async def test_fifty_at_once(place: Place) -> None:
    await asyncio.gather(*(place.boot(f"i-{number}", hostname=f"ip-{number}") for number in range(5)))
    said = await asyncio.gather(*(place.run("hostname; cat", id=f"i-{number % 5}") for number in range(50)))
    assert said == [(0, f"ip-{number % 5}\n") for number in range(50)]


@with_machines
async def test_a_caller_that_gives_up_leaves_nothing_behind(place: Place) -> None:
    for _time in range(5):
        task = asyncio.create_task(place.boot("i-1"))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await place.machines.discard("i-1")
    await place.boot("i-2")
    before = len(_processes())
    tasks = [asyncio.create_task(place.machines.spawn("i-2", ["sleep", "100"])) for _number in range(5)]
    await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await place.say("true", id="i-2")
    end = time.monotonic() + 10
    while len(_processes()) > before:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@with_machines
async def test_limits(place: Place) -> None:
    await place.boot()
    await place.boot("i-2")
    assert (await place.run("dd if=/dev/zero of=$HOME/much bs=1M count=1000"))[1].find("No space left") > 0
    assert (await place.run("dd if=/dev/zero of=/tmp/much bs=1M count=1000"))[1].find("No space left") > 0
    await place.say("rm $HOME/much")
    bomb = "i=0; while [ $i -lt 3000 ]; do sleep 100 >/dev/null 2>&1 & i=$((i+1)); done; wait"
    _status, said = await asyncio.wait_for(place.run(["/bin/sh", "-c", f"({bomb}) 2>$HOME/said; cat $HOME/said"]), 60)
    assert "Cannot fork" in said or "Resource temporarily unavailable" in said
    assert 900 < len(_processes()) < 1100
    assert await place.say("echo alive", id="i-2") == "alive"
    await place.machines.halt("i-1")
    assert len(_processes()) < 20


@with_machines
async def test_programs_of_the_host(place: Place) -> None:
    await place.boot()
    for name in ("ping", "curl", "ssh", "scp", "ip", "ss", "dig"):
        if shutil.which(name, path="/usr/bin:/usr/sbin"):
            assert (await place.run(f"{name} -V 2>&1 >/dev/null || command -v {name}"))[0] == 0, name
    if os.path.exists(PYTHON):
        assert await place.say(f"{PYTHON} -c 'import ssl, json; print(json.dumps(1))'") == "1"
    assert await place.say("ip -o link | wc -l") == "1"


@pytest.fixture
def bait() -> Iterator[str]:
    """A secret in places where the host keeps private things; those that this user may write to."""
    word = secrets.token_hex(16)
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    made: list[Path] = []
    for folder in {home, home / ".ssh", home / ".config", *map(Path, HOST_FOLDERS)}:
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            continue
        for mode in (0o644, 0o600):
            path = folder / f"bait-{mode:o}-{word[:6]}"
            path.write_text(word)
            path.chmod(mode)
            made.append(path)
            if os.geteuid() == 0:
                # Of the very user whose one id a rootless instance has.
                theirs = folder / f"bait-{mode:o}-{word[:6]}-nobody"
                theirs.write_text(word)
                theirs.chmod(mode)
                os.chown(theirs, NOBODY, NOBODY)
                made.append(theirs)
    folder = Path(tempfile.mkdtemp(prefix="bait-", dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    (folder / "key").write_text(word)
    made.append(folder / "key")
    assert len(made) > 3
    try:
        yield word
    finally:
        for path in made:
            path.unlink(missing_ok=True)
        folder.rmdir()


@with_machines
async def test_nothing_of_the_host_is_found(place: Place, bait: str) -> None:
    pattern = f"[{bait[0]}]{bait[1:]}"
    await place.boot()
    await place.boot("i-2")
    await place.say(f"echo other >~/of-another-{bait[:6]}", id="i-2")
    for root in (False, True):
        # Everything that has a name.
        found = await place.run(f"find / -name '*bait-*' -o -name '*of-another-*' -o -name '*{bait[:6]}*' 2>/dev/null", root=root)
        assert found[1] == ""
        # Everything that links lead to, and everything by way of processes.
        for folder in HOST_FOLDERS:
            await place.run(f"mkdir -p ~/links; ln -sfn {folder} ~/links/$(echo {folder} | tr / _)", root=root)
        private = "etc var run tmp root home opt srv mnt media boot dev/shm .image/etc"
        tops = "/ /proc/[0-9]*/root/ /proc/[0-9]*/cwd/ /proc/[0-9]*/root/../"
        everywhere = f"for top in {tops}; do for name in $PRIVATE; do echo $top$name; done; done"
        said = await place.run(
            f"grep -rsl -D skip '{pattern}' ~/links/*/ $({everywhere}) 2>/dev/null", root=root, environment={"PRIVATE": private}
        )
        assert said[1] == ""
        # What processes hold: descriptors, environments, memory maps, command lines.
        held = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/maps 2>/dev/null | tr '\\0' '\\n'"
        said = await place.run(f"{held} | grep -c '{pattern}'", root=root)
        assert said[1].strip() == "0"
        # What was looked for would have been found.
        await place.say(f"echo {bait} >~/own", root=root)
        said = await place.run(f"grep -rsl -D skip '{pattern}' $({everywhere}) 2>/dev/null", root=root, environment={"PRIVATE": private})
        assert "own" in said[1]
        await place.say("rm ~/own", root=root)
    assert await place.say("ls /sys; ls /boot; ls /media; ls /mnt") == ""


@with_machines
async def test_no_way_out(place: Place) -> None:
    await place.boot()
    assert await place.say("ls /proc/self/fd | wc -l", root=True) == "4"
    for attempt in (
        "umount /usr/local",
        "mount --bind /usr /mnt && test -e /mnt/local/etc",
        "mount -o remount,rw,bind /usr && touch /usr/bin/mine",
        "mount -t sysfs sysfs /mnt",
        "mount -t devtmpfs devtmpfs /mnt && cat /mnt/kmsg",
        "mknod /root/disk b 254 0 && cat /root/disk",
        "touch /usr/bin/mine",
        "touch /.image/bin/sudo",
        "echo 1 >/proc/sys/kernel/sysrq",
        "echo c >/proc/sysrq-trigger",
        "echo x >/proc/sys/kernel/core_pattern",
        "ip link set lo down",
        "ip link add dummy0 type dummy",
        "head -c 1 /proc/kcore",
        "kill -9 1; sleep 0.2; false",
        "nsenter --target 1 --net true && nsenter --target 1 --user true",
        "cat /proc/keys | grep -v '_ses\\|_uid\\|_pid' | grep .",
    ):
        status, said = await place.run(attempt, root=True)
        assert status != 0, f"{attempt}: {said}"
    mounts = await place.say("cut -d' ' -f2 /proc/mounts")
    assert not {line for line in mounts.splitlines() if line.startswith(("/root", "/home", "/sys", "/var", "/boot"))}
    options = {line.split()[1]: line.split()[3].split(",") for line in (await place.say("cat /proc/mounts")).splitlines()}
    assert {"ro", "nosuid", "nodev"} <= set(options["/usr"])
    # Root of an instance lays nothing bare, and hides nothing from itself either.
    assert (await place.run("umount -l /usr", root=True))[0] != 0
    await place.say("true")


@needs_python
@with_machines
async def test_no_socket_of_the_host_answers(place: Place) -> None:
    """An abstract name of the tree outside, and one in its files."""
    import socket

    name = f"\0cloudnet-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        abstract.bind(name)
        abstract.listen()
        named.bind("/run/host.sock")
        named.listen()
        os.chmod("/run/host.sock", 0o777)
        await place.boot()
        for target in (repr(name), "'/run/host.sock'"):
            program = f"import socket; socket.socket(socket.AF_UNIX).connect({target})"
            status, said = await place.run([PYTHON, "-c", program], root=True)
            assert status == 1 and ("Connection refused" in said or "No such file" in said), said


@needs_python
@with_machines
async def test_agent_folder(place: Place) -> None:
    await place.boot()
    listener, path = place.machines.agent_socket("i-1", "agent.1")
    with listener:
        assert path == "/run/agent/agent.1"
        program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({path!r}); s.send(b'hello')"
        assert (await place.run([PYTHON, "-c", program]))[0] == 0
        listener.setblocking(True)
        with listener.accept()[0] as made:
            assert made.recv(16) == b"hello"
    # Made to lead elsewhere, the name is refused.
    await place.say("ln -s /etc/passwd /run/agent/agent.2")
    with pytest.raises(TwinError, match=r"no socket agent\.2"):
        place.machines.agent_socket("i-1", "agent.2")
    assert (place.machines.agent_folder("i-1") / "agent.1").is_socket()


@with_machines
async def test_without_the_zygote_nothing_runs(place: Place) -> None:
    await place.boot()
    running = await place.machines.spawn("i-1", ["sleep", "100"])
    os.kill(_parent(running.pid), signal.SIGKILL)
    assert await asyncio.wait_for(running.wait(), 10) == -signal.SIGKILL
    with pytest.raises(TwinError, match="i-1"):
        await place.run("true")
    end = time.monotonic() + 10
    while Path("/proc", str(running.pid), "cmdline").exists() and Path("/proc", str(running.pid), "cmdline").read_bytes():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("victim", ["worker", "watcher"])
@pytest.mark.parametrize("who", WHO)
def test_killed_daemon_leaves_nothing(who: str, victim: str) -> None:
    """SIGKILL, to the process that works or to the one that watches it: processes and mounts end with it."""
    marker = f"{secrets.randbelow(10**6) + 10**6}"
    before = Path("/proc/self/mountinfo").read_text()

    async def inner() -> None:
        place = Place()
        await place.machines.boot(machine())
        await place.machines.spawn("i-1", ["sleep", marker])
        await place.say(f"setsid -f sleep {marker} </dev/null >/dev/null 2>&1", root=True)
        await asyncio.sleep(60)

    whole = os.fork()
    if whole == 0:
        as_(who, lambda: run_in_tree(lambda: asyncio.run(inner())))
        os._exit(0)
    end = time.monotonic() + 20
    while len(found := _sleeping(marker)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    # From the program to the zygote, to process 1 of the tree, to who watches that.
    direct = max(found, key=lambda pid: len(_ancestors(pid)))
    chain = _ancestors(direct) if _comm(_parent(direct)) != "sleep" else _ancestors(_parent(direct))
    os.kill(chain[1 if victim == "worker" else 2], signal.SIGKILL)
    end = time.monotonic() + 10
    while _sleeping(marker):
        assert time.monotonic() < end
        time.sleep(0.02)
    os.waitpid(whole, 0)
    assert Path("/proc/self/mountinfo").read_text() == before


def _status(pid: int, key: str) -> str:
    try:
        lines = Path("/proc", str(pid), "status").read_text().splitlines()
    except OSError:
        return ""
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return values.get(key, "").strip()


def _parent(pid: int) -> int:
    return int(_status(pid, "PPid") or 0)


def _comm(pid: int) -> str:
    return _status(pid, "Name")


def _ancestors(pid: int) -> list[int]:
    found = []
    while (pid := _parent(pid)) > 1:
        found.append(pid)
    return found


def _sleeping(marker: str) -> list[int]:
    found = []
    for name in _processes():
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", marker.encode()]:
            found.append(int(name))
    return found
