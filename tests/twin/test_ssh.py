# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH's own client against the instances' ssh server: what people do with ssh, scp, sftp and Ansible."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("asyncssh", reason="asyncssh is not installed")

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import proxy
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import SentKey
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.sessions import sftp_server

from .ssh_place import DB, DB_PRIVATE, SILENT, WEB, WEB_PRIVATE, WEB_PUBLIC, Loopback, Place, place

MISSING = [name for name in ("ssh", "scp", "sftp", "ssh-keygen") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} of OpenSSH's client are not installed")
needs_sftp_server = pytest.mark.skipif(not sftp_server(), reason="sftp-server is not installed (openssh-sftp-server)")
BIG = 20_000_000


@pytest.fixture(scope="module")
def lab() -> Iterator[Place]:
    # A socket's path is short, whatever the folder for tests is called.
    with tempfile.TemporaryDirectory(prefix="cn-ssh-", dir="/tmp") as folder, place(Path(folder)) as made:
        yield made


def wait_for(what: object, seconds: float = 10.0) -> bool:
    """Whether something callable comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def gone(process: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


# -- commands -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [WEB, "web-1", WEB_PUBLIC])
def test_output_errors_and_status_come_back(lab: Place, to: str) -> None:
    found = lab.run("ssh", to, "echo out; echo err >&2; exit 7", text=True)
    assert (found.returncode, found.stdout, found.stderr) == (7, "out\n", "err\n")


def test_a_signal_that_ends_a_command_is_told(lab: Place) -> None:
    assert lab.run("ssh", WEB, "kill -TERM $$").returncode == 255
    assert lab.run("ssh", WEB, "sh -c 'kill -KILL $$'; exit 4").returncode == 4


def test_a_command_starts_in_the_home_with_what_ssh_tells(lab: Place) -> None:
    found = lab.run("ssh", WEB_PUBLIC, 'pwd; echo "$SSH_CONNECTION"; echo "${SSH_TTY-none}"', text=True)
    home, connection, terminal = found.stdout.splitlines()
    assert (home, terminal) == (str(lab.home()), "none")
    assert len(connection.split()) == 4


def test_only_harmless_variables_are_taken(lab: Place) -> None:
    environment = {**lab.environment(), "LC_TIME": "C", "LD_PRELOAD_X": "1"}
    found = lab.run("ssh", "-o", "SendEnv=LC_* LD_*", WEB, "env", text=True, env=environment)
    assert "LC_TIME=C" in found.stdout.splitlines()
    assert "LD_PRELOAD_X" not in found.stdout


def test_much_goes_in_and_comes_out_whole(lab: Place, tmp_path: Path) -> None:
    data = os.urandom(BIG)
    assert lab.run("ssh", WEB_PUBLIC, "cat > big", input=data).returncode == 0
    assert (lab.home() / "big").read_bytes() == data
    found = lab.run("ssh", WEB_PUBLIC, "cat big; echo end >&2")
    assert hashlib.sha256(found.stdout).digest() == hashlib.sha256(data).digest()
    assert found.stderr == b"end\n"
    assert lab.run("ssh", WEB, "cat", input=data).stdout == data


def test_a_command_that_does_not_read_its_input_ends_all_the_same(lab: Place) -> None:
    found = lab.run("ssh", WEB, "head -c 3; exit 5", input=b"abc" + bytes(5_000_000))
    assert (found.returncode, found.stdout) == (5, b"abc")


def test_the_end_of_input_reaches_the_command(lab: Place) -> None:
    assert lab.run("ssh", WEB, "wc -c; echo after", input=b"12345", text=False).stdout.split() == [b"5", b"after"]


def test_new_keys_on_the_way_lose_nothing(lab: Place) -> None:
    data = os.urandom(BIG // 2)
    assert lab.run("ssh", "-o", "RekeyLimit=1M", WEB_PUBLIC, "cat", input=data).stdout == data


@pytest.mark.parametrize("length", [1, 32768, 65536, 65537, 100_000, 131_072, 150_001, 300_000])
def test_a_command_that_reads_late_gets_all_of_its_input(lab: Place, length: int) -> None:
    data = os.urandom(length)
    assert lab.run("ssh", WEB, "sleep 0.2; cat", input=data).stdout == data


def test_a_slow_reader_loses_nothing(lab: Place) -> None:
    words = ["ssh", "-F", str(lab.config), WEB, f"head -c {BIG} /dev/zero"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=lab.environment()) as client:
        assert client.stdout is not None
        time.sleep(1.0)
        assert len(client.stdout.read()) == BIG
    assert client.returncode == 0


def test_a_cut_connection_ends_what_it_ran(lab: Place) -> None:
    words = ["ssh", "-F", str(lab.config), WEB, "echo $$; exec sleep 300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=lab.environment()) as client:
        assert client.stdout is not None
        process = int(client.stdout.readline())
        client.kill()
    assert wait_for(lambda: gone(process))


def test_many_at_once(lab: Place) -> None:
    words = ["ssh", "-F", str(lab.config), WEB]
    clients = [
        subprocess.Popen([*words, f"echo {number}; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=lab.environment())
        for number in range(12)
    ]
    said = [client.communicate(b"x" * number, timeout=60)[0] for number, client in enumerate(clients)]
    assert said == [f"{number}\n".encode() + b"x" * number for number in range(12)]


def test_a_master_connection_carries_several(lab: Place) -> None:
    options = ("-o", "ControlMaster=auto", "-o", f"ControlPath={lab.folder}/cm", "-o", "ControlPersist=20")
    before = len(lab.woken)
    # The master stays behind with the errors' descriptor.
    answers = [lab.run("ssh", *options, WEB, f"echo {n}", capture_output=False, stdout=subprocess.PIPE).stdout for n in range(3)]
    assert answers == [b"0\n", b"1\n", b"2\n"]
    assert lab.run("ssh", *options, "-O", "exit", WEB).returncode == 0
    assert len(lab.woken) > before


# -- terminals ----------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def interactive(lab: Place, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """An ssh on a terminal of its own: the process, and the descriptor that is keyboard and screen."""
    screen, terminal = pty.openpty()
    words = ["ssh", "-F", str(lab.config), *arguments]
    environment = {**lab.environment(), "TERM": "xterm"}
    client = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True)
    os.close(terminal)
    try:
        yield client, screen
    finally:
        client.kill()
        client.wait()
        os.close(screen)


def until(screen: int, text: bytes, seconds: float = 15.0) -> bytes:
    """What the screen shows until a text is on it."""
    shown = b""
    deadline = time.monotonic() + seconds
    while text not in shown and time.monotonic() < deadline:
        if select.select([screen], [], [], 0.1)[0]:
            try:
                shown += os.read(screen, 65536)
            except OSError:
                break
    assert text in shown, shown
    return shown


def test_a_shell_has_a_terminal_of_the_right_size_and_learns_of_changes(lab: Place) -> None:
    with interactive(lab, "web-1") as (client, screen):
        os.write(screen, b"echo rea''dy\n")
        until(screen, b"ready")
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        client.send_signal(signal.SIGWINCH)
        assert wait_for(lambda: size(screen) == b"33 99")
        os.write(screen, b"echo $TERM; test -t 2 && echo y''es; exit 6\n")
        assert b"xterm" in until(screen, b"yes")
        assert client.wait(20) == 6


def size(screen: int) -> bytes:
    """What the shell says of its terminal."""
    os.write(screen, b"echo =`stty size`'.'\n")
    shown = re.search(rb"=([0-9]+ [0-9]+)\.", until(screen, b".\r\n"))
    return shown.group(1) if shown else b""


def test_a_key_interrupts_and_a_hang_up_ends(lab: Place) -> None:
    with interactive(lab, "-t", WEB, "echo pid=$$=; trap 'echo got it' INT; while :; do sleep 0.1; done") as (client, screen):
        shell = int(until(screen, b"=\r\n").split(b"=")[1])
        os.write(screen, b"\x03")
        until(screen, b"got it")
        client.kill()
        assert wait_for(lambda: gone(shell))


def test_a_background_program_does_not_hold_a_terminal_session(lab: Place) -> None:
    begun = time.monotonic()
    found = lab.run("ssh", "-tt", WEB, "nohup sleep 30 > /dev/null 2>&1 & echo last; exit 0", text=True)
    assert "last" in found.stdout
    assert time.monotonic() - begun < 10


def test_no_terminal_unless_wanted(lab: Place) -> None:
    assert lab.run("ssh", WEB, "tty", text=True).stdout == "not a tty\n"


# -- files --------------------------------------------------------------------------------------------------------------------------


@needs_sftp_server
@pytest.mark.parametrize("way", [(), ("-O",)], ids=["new", "old"])
@pytest.mark.parametrize("to", [WEB, WEB_PUBLIC])
def test_scp_both_ways(lab: Place, tmp_path: Path, way: tuple[str, ...], to: str) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "there and back").write_bytes(data)
    sent = lab.run("scp", "-q", *way, str(tmp_path / "there and back"), f"{to}:copy")
    assert (sent.returncode, sent.stderr) == (0, b"")
    assert (lab.home() / "copy").read_bytes() == data
    got = lab.run("scp", "-q", *way, f"{to}:copy", str(tmp_path / "back"))
    assert (got.returncode, (tmp_path / "back").read_bytes() == data) == (0, True)
    assert lab.run("scp", "-q", *way, f"{to}:no-such", str(tmp_path / "none")).returncode != 0


@needs_sftp_server
def test_sftp(lab: Place, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(100_000))
    script = f"put {tmp_path}/a b\nrename b c\nget c {tmp_path}/d\nrm c\nls\n"
    found = lab.run("sftp", "-b", "-", WEB, input=script, text=True)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "a").read_bytes() == (tmp_path / "d").read_bytes()
    assert not (lab.home() / "c").exists()


def test_other_subsystems_are_refused(lab: Place) -> None:
    assert lab.run("ssh", "-s", WEB, "netconf").returncode == 255


# -- who is let in ------------------------------------------------------------------------------------------------------------------


def test_the_labs_own_key_opens_consoles_only(lab: Place) -> None:
    alone = lab.folder / "only"
    text = lab.config.read_text().replace(str(lab.key), str(lab.state / "ssh_key"))
    alone.write_text(text)
    found = subprocess.run(
        ["ssh", "-F", alone, WEB_PUBLIC, "true"],
        capture_output=True,
        text=True,
        env=lab.environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert found.returncode == 255
    assert "Permission denied (publickey)" in found.stderr


@pytest.mark.parametrize("user", ["root", "ubuntu", "EC2-user"])
def test_no_other_user(lab: Place, user: str) -> None:
    found = lab.run("ssh", "-o", f"User={user}", WEB_PUBLIC, "true", text=True)
    assert found.returncode == 255
    assert "Permission denied (publickey)" in found.stderr


def test_a_key_that_was_sent_opens_until_its_time(lab: Place, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    (tmp_path / "config").write_text(lab.config.read_text().replace(str(lab.key), str(tmp_path / "k")))
    public = (tmp_path / "k.pub").read_text().strip()
    before = lab.plane

    def code(user: str, until: float) -> int:
        facts = replace(before.facts.hosts[WEB], sent_keys=(SentKey(user, public, until),))
        lab.plane = replace(before, facts=replace(before.facts, hosts={**before.facts.hosts, WEB: facts}))
        words = ["ssh", "-F", tmp_path / "config", WEB_PUBLIC, "true"]
        return subprocess.run(words, capture_output=True, env=lab.environment(), stdin=subprocess.DEVNULL, check=False).returncode

    try:
        assert code("ec2-user", time.time() + 60) == 0
        assert code("ec2-user", time.time() - 1) == 255
        assert code("somebody", time.time() + 60) == 255
    finally:
        lab.plane = before


def test_another_key_is_refused(lab: Place, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", tmp_path / "k"], check=True)
    text = lab.config.read_text().replace(str(lab.key), str(tmp_path / "k")).replace(str(lab.state / "ssh_key"), str(tmp_path / "k"))
    (tmp_path / "config").write_text(text)
    for to in (WEB, WEB_PUBLIC):
        found = subprocess.run(
            ["ssh", "-F", tmp_path / "config", to, "true"],
            capture_output=True,
            text=True,
            env=lab.environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert (found.returncode, "Permission denied (publickey)" in found.stderr) == (255, True)


def test_the_host_key_is_checked(lab: Place, tmp_path: Path) -> None:
    known = tmp_path / "known"
    lines = (lab.state / "known_hosts").read_text().splitlines()
    web, db = (line.split()[2] for name in (WEB, DB) for line in lines if line.startswith(name) and "ed25519" in line)
    known.write_text(f"{WEB} ssh-ed25519 {db}\n")
    assert web != db
    found = lab.run("ssh", "-o", f"UserKnownHostsFile={known}", "-o", "HostKeyAlgorithms=ssh-ed25519", WEB, "true", text=True)
    assert found.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in found.stderr


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_both_host_keys_are_known(lab: Place, kind: str) -> None:
    assert lab.run("ssh", "-o", f"HostKeyAlgorithms={kind}", WEB, "true").returncode == 0


# -- forwarding ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bastion", [WEB_PUBLIC, "web-1"])
def test_a_private_instance_through_a_bastion(lab: Place, bastion: str) -> None:
    found = lab.run("ssh", "-J", bastion, DB_PRIVATE, "pwd", text=True)
    assert found.stdout.strip() == str(lab.home(DB)), found.stderr


def test_a_private_address_without_a_bastion_says_how(lab: Place) -> None:
    found = lab.run("ssh", WEB_PRIVATE, "true", text=True)
    assert found.returncode == 255
    assert f"reach it through a bastion (ssh -J BASTION {WEB_PRIVATE})" in found.stderr


@contextlib.contextmanager
def answering(text: bytes) -> Iterator[int]:
    """A server that answers each connection with what it got and a text; its port."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode() + text)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def ask(port: int, data: bytes) -> bytes:
    """Send it all, say that it was all, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while chunk := connection.recv(65536):
            said += chunk
    return said


@pytest.mark.parametrize("option", ["-L", "-R"])
def test_a_port_is_forwarded_both_ways(lab: Place, option: str) -> None:
    data = os.urandom(4_000_000)
    port = free_port()
    with answering(b" there") as target:
        words = ["ssh", "-F", str(lab.config), "-o", "ExitOnForwardFailure=yes", option, f"{port}:127.0.0.1:{target}", WEB, "echo up; cat"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=lab.environment()) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"up\n"
            for _time in range(3):
                assert ask(port, data) == hashlib.sha256(data).hexdigest().encode() + b" there"
            client.communicate(timeout=20)
    assert client.returncode == 0


def test_a_name_is_looked_up_in_the_instance(lab: Place) -> None:
    if not Path("/usr/bin/getent").exists():
        pytest.skip("getent is not installed")
    with answering(b" named") as target:
        found = lab.run("ssh", "-W", f"localhost:{target}", WEB, input=b"abc")
    assert found.stdout == hashlib.sha256(b"abc").hexdigest().encode() + b" named"


def test_a_port_that_refuses_says_so(lab: Place) -> None:
    found = lab.run("ssh", "-W", f"127.0.0.1:{free_port()}", WEB, text=True)
    assert found.returncode == 255
    assert "Connection refused" in found.stderr


@pytest.mark.parametrize(("name", "said"), [("-s:22", "is no host name"), ("a b:22", "is no host name"), ("[$(id)]:22", "is no host name")])
def test_what_is_no_name_is_not_looked_up(lab: Place, name: str, said: str) -> None:
    assert said in lab.run("ssh", "-W", name, WEB, text=True).stderr


def test_a_name_that_is_not_says_so(lab: Place) -> None:
    assert "no.such.invalid" in lab.run("ssh", "-W", "no.such.invalid:22", WEB, text=True).stderr


def test_the_users_agent_is_in_the_instance(lab: Place) -> None:
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", lab.folder / "agent"], stdout=subprocess.DEVNULL)
    try:
        assert wait_for((lab.folder / "agent").exists)
        environment = {**lab.environment(), "SSH_AUTH_SOCK": str(lab.folder / "agent")}
        subprocess.run(["ssh-add", "-q", lab.key], env=environment, check=True, capture_output=True)
        found = lab.run("ssh", "-A", WEB, 'ssh-add -L; stat -c %a "$SSH_AUTH_SOCK"', env=environment, text=True)
        assert found.stdout == (lab.folder / "user.pem.pub").read_text() + "600\n", found.stderr
        assert lab.run("ssh", WEB, 'echo "${SSH_AUTH_SOCK-none}"', env=environment, text=True).stdout == "none\n"
        assert wait_for(lambda: not list(lab.machines.agent_folder(WEB).iterdir()))
    finally:
        agent.kill()
        agent.wait()


# -- the way in ---------------------------------------------------------------------------------------------------------------------


def question(lab: Place, text: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(lab.socket))
        client.sendall(text + b"\n")
        return dict(json.loads(client.makefile().readline()))


def test_a_caller_that_logs_nobody_in_has_a_limit(lab: Place) -> None:
    """An instance that floods another one's port costs the lab little, and locks nobody else out."""

    def open_now(asked: socket.socket) -> bool:
        with contextlib.suppress(TimeoutError):
            while asked.recv(4096):
                asked.settimeout(0.3)
            return False
        return True

    port = Loopback.ports[WEB]
    flood = [socket.create_connection(("127.0.0.1", port)) for _number in range(60)]
    for asked in flood:
        asked.settimeout(10)
    assert sum(map(open_now, flood)) == 32
    # Another address has its own, and so has the console.
    other = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))
    other.settimeout(10)
    assert open_now(other)
    assert lab.run("ssh", WEB, "echo in").stdout == b"in\n"
    for asked in (*flood, other):
        asked.close()
    # What has ended counts no more, and who is logged in does not count.
    deadline = time.monotonic() + 10
    while lab.call(lambda: _counted(lab)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def _counted(lab: Place) -> int:
    return sum(lab.server._waiting.values())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b'{"to": "nobody"}', "no running instance is called nobody"),
        (b'{"to": ""}', "to is missing: say which instance"),
        (b'{"to": "db", "via": "internet"}', "db has no public address; reach it through a bastion, or by its console"),
        (b'{"to": "db", "via": "carrier pigeon"}', "via is console or internet, not 'carrier pigeon'"),
        (b'{"to": "db", "via": "internet", "address": "198.18.0.5", "port": 70000}', "there is no port 70000"),
        (b"[1]", "the question is no JSON object"),
    ],
)
def test_the_way_in_says_why_not(lab: Place, asked: bytes, said: str) -> None:
    assert question(lab, asked) == {"error": said}


def test_nonsense_is_refused_and_does_not_stay(lab: Place) -> None:
    assert "error" in question(lab, b"SSH-2.0-OpenSSH")
    assert "error" in question(lab, b"x" * 5000)
    assert question(lab, b'{"to": "db"}') == {"ok": True}


def test_no_answer_is_told_in_one_line(lab: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.entry.CONNECT_SECONDS", 1.0)
    answer = question(lab, json.dumps({"to": SILENT, "via": "internet"}).encode())
    assert answer == {"error": f"no answer from {SILENT}:22 in 1 s"}


@pytest.mark.parametrize(
    ("to", "said"),
    [("i-0123456789abcdef0", "no running instance is called i-0123456789abcdef0"), ("198.19.7.7", "198.19.7.7:22: Connection refused")],
)
def test_what_is_not_there_is_not_looked_for_elsewhere(lab: Place, to: str, said: str) -> None:
    found = lab.run("ssh", to, "true", text=True)
    assert found.returncode == 255
    assert f"cloudnet: {said}\n" in found.stderr.replace("\r", "")


def test_the_proxy_works_without_passing_descriptors(lab: Place) -> None:
    found = lab.run("ssh", "-o", "ProxyUseFdpass=no", WEB, "cat; echo end", input=b"x" * 1_000_000)
    assert (found.returncode, found.stdout) == (0, b"x" * 1_000_000 + b"end\n")


def test_the_proxy_says_that_no_lab_runs(tmp_path: Path) -> None:
    words = [sys.executable, "-I", "-S", proxy.__file__, str(tmp_path / "none"), WEB, "console"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith("cloudnet: the lab does not run")
    assert found.stderr.count("\n") == 1


def test_an_instance_that_goes_takes_its_connections_with_it(lab: Place) -> None:
    words = ["ssh", "-F", str(lab.config), WEB, "echo $$; exec sleep 300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=lab.environment()) as client:
        assert client.stdout is not None
        process = int(client.stdout.readline())
        lab.call(lambda: lab.server.leave(WEB))
        client.communicate(timeout=20)
    assert client.returncode == 255
    assert wait_for(lambda: gone(process))
    assert "Connection refused" in str(question(lab, json.dumps({"to": WEB_PUBLIC, "via": "internet"}).encode()))
    lab.call(lambda: lab.server.serve(WEB))
    assert lab.run("ssh", WEB_PUBLIC, "true").returncode == 0


# -- Ansible ------------------------------------------------------------------------------------------------------------------------

PLAY = """
- hosts: all
  gather_facts: false
  vars: {ansible_python_interpreter: %(python)s, ansible_pipelining: %(pipelining)s}
  tasks:
    - ansible.builtin.command: {argv: [printf, "%%s", "it's here"], chdir: /}
      register: said
    - ansible.builtin.assert: {that: said.stdout == "it's here"}
    - ansible.builtin.copy: {content: "{{ 'x' * 200000 }}", dest: made, mode: "0600"}
    - ansible.builtin.fetch: {src: made, dest: "%(folder)s/got", flat: true}
    - ansible.builtin.command: "false"
      register: failed
      failed_when: failed.rc != 1
"""


@needs_sftp_server
@pytest.mark.parametrize("pipelining", [True, False])
def test_ansible_manages_an_instance(lab: Place, tmp_path: Path, pipelining: bool) -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    if not program.exists():
        pytest.skip("ansible-playbook is not beside the interpreter")
    (tmp_path / "play.yml").write_text(PLAY % {"python": sys.executable, "pipelining": str(pipelining).lower(), "folder": tmp_path})
    arguments = f"-F {shlex.quote(str(lab.config))} -o ControlMaster=auto -o ControlPersist=5 -o ControlPath={lab.folder}/a{pipelining}"
    (tmp_path / "ansible.cfg").write_text("")
    (tmp_path / "hosts").write_text(f"web-1 ansible_ssh_args='{arguments}'\n")
    environment = {**lab.environment(), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    found = subprocess.run(
        [program, "-i", tmp_path / "hosts", tmp_path / "play.yml"],
        capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=180, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert (tmp_path / "got").read_text() == "x" * 200000
    lab.run("ssh", "-o", f"ControlPath={lab.folder}/a{pipelining}", "-O", "exit", "web-1")
