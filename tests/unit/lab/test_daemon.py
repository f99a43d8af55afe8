# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a process of its own: started, found, raced for, killed, emptied, stopped, from Python, the shell and Ansible."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle, record
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment

CLI = "ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.cli"
PLAYBOOK = Path(__file__).parents[3] / "playbooks" / "lab.yml"


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A lab's name in a state folder of the test's own; whatever runs under it is stopped afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # What a user may have exported must not reach the lab's process.
    monkeypatch.setenv("AWS_PROFILE", "one that does not exist")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "999999999999")
    yield "test"
    lifecycle.stop("test")


def client(found: lifecycle.Found, service: str, profile: str = "lab") -> Any:
    import botocore.session

    assert found.record is not None
    session: Any = botocore.session.Session(profile=profile)
    session.set_config_variable("config_file", found.record.config_file)
    session.set_config_variable("credentials_file", found.record.credentials_file)
    return session.create_client(service)


def test_it_is_ready_when_it_says_so_and_soon(name: str) -> None:
    since = time.monotonic()
    found = lifecycle.start(name)
    took = time.monotonic() - since
    assert found.changed
    assert found.record is not None
    assert client(found, "sts").get_caller_identity()["Account"] == "111111111111"
    assert client(found, "sts", "lab-peer").get_caller_identity()["Account"] == "222222222222"
    # Under 3 s on a machine that does nothing else; tests run beside one another.
    assert took < 10
    for path, mode in (
        (found.record.config_file, 0o600),
        (found.record.log_file, 0o600),
        (str(Path(found.record.config_file).parent), 0o700),
    ):
        assert Path(path).stat().st_mode & 0o777 == mode
    assert Path(found.record.credentials_file).read_text() == ""


def test_it_belongs_to_nobody_and_holds_nothing_of_its_starters(name: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    found = lifecycle.start(name)
    assert found.record is not None
    pid = found.record.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[1]) != os.getpid()
    assert os.getsid(pid) != os.getsid(0)
    held = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert not any(target.startswith("pipe:") for target in held), held
    assert held <= {"/dev/null", found.record.log_file, *(target for target in held if target.startswith("socket:"))}
    os.close(reading)
    os.close(writing)


def test_the_second_start_finds_the_first(name: str) -> None:
    first = lifecycle.start(name)
    second = lifecycle.start(name)
    assert (second.changed, second.record) == (False, first.record)
    assert lifecycle.start(name, {"port": 0, "latency_ms": 0, "region": "us-east-1"}).changed is False
    wanted = {"latency_ms": 5, "accounts": ["audit"], "enforce_iam": True}
    changed = lifecycle.start(name, wanted, {"dev": {"account_id": "333333333333"}})
    assert changed.changed
    assert changed.status["settings"]["enforce_iam"] is True
    assert changed.topology["dev"]["profile"] == "dev"
    assert changed.status["settings"]["latency_ms"] == 5
    assert client(changed, "sts", "audit").get_caller_identity()["Account"] != "111111111111"
    assert client(changed, "sts", "dev").get_caller_identity()["Account"] == "333333333333"
    again = lifecycle.start(name, wanted, {"dev": {"account_id": "333333333333"}})
    assert again.changed is False
    assert again.topology == changed.topology
    for options, says in (
        ({"region": "eu-west-1"}, "region us-east-1, not eu-west-1"),
        ({"port": 1}, "with port"),
        ({"default_vpc": True}, "default_vpc"),
    ):
        with pytest.raises(LabError, match=says):
            lifecycle.start(name, options)


def test_two_starts_at_once_make_one_lab(name: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: lifecycle.start(name), range(4)))
    assert sorted(one.changed for one in found) == [False, False, False, True]
    assert len({one.record.pid for one in found if one.record}) == 1


def test_a_killed_lab_is_recognised_and_comes_back_on_its_port(name: str) -> None:
    first = lifecycle.start(name)
    assert first.record is not None
    os.kill(first.record.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while record.process_start(first.record.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    seen = lifecycle.find(name)
    assert seen.record is None
    assert "ended without being stopped" in seen.messages[0]
    second = lifecycle.start(name)
    assert second.changed
    assert second.record is not None
    assert second.record.pid != first.record.pid
    assert second.record.port == first.record.port
    assert "ended without being stopped" in second.messages[0]
    assert client(second, "ec2").describe_vpcs()["Vpcs"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(name: str, number: signal.Signals) -> None:
    found = lifecycle.start(name)
    assert found.record is not None
    os.kill(found.record.pid, number)
    assert lifecycle._ended(found.record, 10)
    assert record.load(record.state_folder(name)) is None
    assert lifecycle.find(name).messages == ()


def test_stopping_ends_it_and_a_second_time_changes_nothing(name: str) -> None:
    found = lifecycle.start(name)
    assert found.record is not None
    stopped = lifecycle.stop(name)
    assert (stopped.changed, stopped.messages) == (True, ("lab test stopped",))
    assert record.process_start(found.record.pid) != found.record.started
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", found.record.port), timeout=5)
    assert lifecycle.stop(name).changed is False


def test_one_that_hangs_is_ended_all_the_same(name: str) -> None:
    found = lifecycle.start(name)
    assert found.record is not None
    os.kill(found.record.pid, signal.SIGSTOP)
    assert lifecycle.stop(name).changed
    assert record.process_start(found.record.pid) == ""


def test_a_reset_lab_is_empty_on_the_same_port(name: str) -> None:
    first = lifecycle.start(name, {"latency_ms": 1})
    client(first, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    emptied = lifecycle.reset(name)
    assert emptied.changed
    assert emptied.record == first.record
    assert client(emptied, "ec2").describe_vpcs()["Vpcs"] == []
    assert emptied.status["settings"]["latency_ms"] == 1


def test_resetting_what_does_not_run_starts_it(name: str) -> None:
    assert lifecycle.reset(name).record is not None


def test_a_port_that_is_taken_is_said(name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"lab test did not start: port {port} of 127.0.0.1 cannot be used"):
            lifecycle.start(name, {"port": port})
    assert lifecycle.find(name).record is None


def test_it_is_what_it_was_told_to_be(name: str) -> None:
    found = lifecycle.start(
        name,
        {
            "region": "eu-west-1",
            "quotas": {"vpcs": 2},
            "throttle": "aws",
            "default_vpc": True,
            "enforce_iam": True,
            "accounts": ["audit"],
        },
    )
    assert found.status["settings"]["enforce_iam"] is True
    assert found.status["settings"]["quotas"]["vpcs"] == 2
    assert found.status["settings"]["throttle"] == "aws"
    ec2 = client(found, "ec2", "audit")
    assert ec2.meta.region_name == "eu-west-1"
    assert [vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [True]


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": lifecycle.collections_root()}
    return subprocess.run([sys.executable, "-m", CLI, *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line_tells_of_it_and_stops_it(name: str) -> None:
    none = cli("env", "--name", name)
    assert (none.returncode, none.stdout) == (0, "")
    assert json.loads(cli("status", "--name", name).stdout)["running"] is False
    found = lifecycle.start(name)
    assert found.record is not None
    lines = cli("env", "--name", name).stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL={found.record.url}" in lines
    assert f"export AWS_CONFIG_FILE={found.record.config_file}" in lines
    assert json.loads(cli("status", "--name", name).stdout)["url"] == found.record.url
    assert cli("stop", "--name", name).stdout == "lab test stopped\n"
    assert cli("stop", "--name", name).stdout == "lab test does not run\n"
    wrong = cli("status", "--name", "../x")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)


def play(tmp_path: Path, tasks: list[dict[str, Any]], *arguments: str) -> subprocess.CompletedProcess[str]:
    text = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": tasks,
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(text))
    return ansible(tmp_path, str(tmp_path / "play.yml"), *arguments)


def ansible(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": lifecycle.collections_root(), "ANSIBLE_LOCALHOST_WARNING": "false"}
    del environ["AWS_PROFILE"]
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)


def test_a_play_starts_uses_finds_and_stops_it(name: str, tmp_path: Path) -> None:
    topology = {"dev": {"role_arn": "arn:aws:iam::333333333333:role/cloudnet"}}
    tasks: list[dict[str, Any]] = [
        {"cloudnet.vpc.lab": {"name": name, "state": "stopped"}, "register": "absent"},
        {"cloudnet.vpc.lab": {"name": name}, "check_mode": True, "register": "planned"},
        {"cloudnet.vpc.lab": {"name": name, "topology_accounts": topology}, "register": "lab"},
        {"cloudnet.vpc.lab": {"name": name, "topology_accounts": topology}, "register": "again"},
        {"cloudnet.vpc.lab": {"name": name, "topology_accounts": topology}, "check_mode": True, "register": "same"},
        {"cloudnet.vpc.lab": {"name": name, "latency_ms": 3}, "check_mode": True, "register": "differs"},
        {
            "amazon.aws.aws_caller_info": {},
            "environment": "{{ lab | cloudnet.vpc.lab_environment(lab.topology_accounts.dev.profile) }}",
            "register": "who",
        },
        {"cloudnet.vpc.lab": {"name": name, "state": "reset"}, "register": "emptied"},
        {"cloudnet.vpc.lab": {"name": name, "state": "stopped"}, "check_mode": True, "register": "would_stop"},
        {"cloudnet.vpc.lab": {"name": name, "state": "stopped"}, "register": "stopped"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "not absent.changed and not absent.running",
                    "planned.changed and not planned.running and planned.url is undefined",
                    "lab.changed and lab.running and lab.profile == 'lab'",
                    "lab.profiles.lab == '111111111111' and lab.profiles['lab-peer'] == '222222222222'",
                    "lab.profiles.dev == '333333333333'",
                    "lab.token is undefined",
                    "not again.changed and again.url == lab.url and again.topology_accounts == lab.topology_accounts",
                    "not same.changed and same.url == lab.url",
                    "differs.changed",
                    "who.account == '333333333333'",
                    "emptied.changed and emptied.url == lab.url",
                    "would_stop.changed and would_stop.running",
                    "stopped.changed and not stopped.running",
                ]
            }
        },
    ]
    done = play(tmp_path, tasks)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert lifecycle.find(name).record is None


def test_a_users_mistake_is_one_line(name: str, tmp_path: Path) -> None:
    done = play(tmp_path, [{"cloudnet.vpc.lab": {"name": name, "quotas": {"planets": 9}}}])
    assert done.returncode != 0
    assert "unknown quota planets; known are" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_playbook_starts_it_says_how_to_use_it_and_stops_it(name: str, tmp_path: Path) -> None:
    done = ansible(tmp_path, str(PLAYBOOK), "-e", f"lab_name={name}", "--check")
    assert done.returncode == 0, done.stdout[-3000:]
    found = lifecycle.find(name)
    assert found.record is not None
    assert found.record.url in done.stdout
    assert "lab-peer" in done.stdout
    again = ansible(tmp_path, str(PLAYBOOK), "-e", f"lab_name={name}")
    assert "changed=0" in again.stdout
    settings = lab_environment({**found.record.__dict__, "profile": "lab"})
    assert settings["AWS_ENDPOINT_URL"] == found.record.url
    stopped = ansible(tmp_path, str(PLAYBOOK), "-e", f"lab_name={name}", "-e", "lab_state=stopped")
    assert "lab test stopped" in stopped.stdout
    assert lifecycle.find(name).record is None
