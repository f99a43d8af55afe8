# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a lab: where it is, who may read it, and when the lab that it names is no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle, record
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabControl, LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.record import Record


@pytest.fixture(autouse=True)
def _own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")


def a_record(name: str = "x", **changed: Any) -> Record:
    """The record of a lab that is this very process."""
    made = Record(
        name=name,
        pid=os.getpid(),
        started=record.process_start(os.getpid()),
        boot_id=record.boot_id(),
        port=1,
        url="http://127.0.0.1:1",
        token="t",
        region="us-east-1",
        config_file="/c",
        credentials_file="/e",
        log_file="/l",
        socket_folder="/s",
    )
    return replace(made, **changed)


def test_two_checkouts_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for root in ("/home/a/My Net", "/home/b/My Net", "/home/b/" + "long" * 20, "/home/b/…"):
        monkeypatch.setattr(record, "__file__", f"{root}/plugins/plugin_utils/lab/record.py")
        assert record.default_name() == record.default_name()
        names.append(record.check_name(record.default_name()))
    assert len(set(names)) == 4
    assert names[0].startswith("my-net-")
    assert names[3].startswith("lab-")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x" * 41, "a b", "a\n"])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lab name"):
        record.check_name(name)


def test_the_state_folder_is_where_the_specification_says(tmp_path: Path) -> None:
    assert record.state_folder("x", {"XDG_STATE_HOME": "/s"}) == Path("/s/cloudnet/x")
    for ignored in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
        assert record.state_folder("x", ignored) == Path("~/.local/state/cloudnet/x").expanduser()


def test_what_is_written_is_its_owners_only(tmp_path: Path) -> None:
    folder = record.make_private(tmp_path / "a" / "lab")
    assert folder.stat().st_mode & 0o777 == 0o700
    record.save(a_record(), folder)
    assert (folder / "record.json").stat().st_mode & 0o777 == 0o600
    assert record.load(folder) == a_record()
    assert [path.name for path in folder.iterdir()] == ["record.json"]


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lab").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        record.make_private(tmp_path / "lab")


def test_a_sockets_path_is_short_and_private() -> None:
    folder = record.socket_folder("x" * 40)
    assert len(str(folder / "instance-0123456789abcdef0.sock")) <= 107
    assert folder.stat().st_mode & 0o777 == 0o700
    assert record.socket_folder("y") != folder


@pytest.mark.parametrize("what", ["file", "dangling link", "another's folder"])
def test_where_the_sockets_folder_is_taken_another_private_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run, taken = tmp_path / "run", tmp_path / "run" / f"cloudnet-{os.getuid()}"
    run.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(record.tempfile, "gettempdir", lambda: str(run))
    monkeypatch.setattr(record, "len", lambda value: min(len(value), 40), raising=False)
    if what == "file":
        taken.write_text("")
    elif what == "dangling link":
        taken.symlink_to(tmp_path / "nowhere")
    else:
        taken.mkdir()
        real = Path.lstat
        monkeypatch.setattr(
            Path, "lstat", lambda self: os.stat_result([*real(self)[:4], os.getuid() + 1, *real(self)[5:]]) if self == taken else real(self)
        )
    folder = record.socket_folder("x")
    assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == os.getuid()
    assert taken not in folder.parents and not (tmp_path / "nowhere").exists()


DAMAGED = [
    *("", "{", "[]", "{}", '{"format": 2}', "null", '{"format": 1}', "7", '"x"', "[" * 100_000, "x" * 100_000, "\x00"),
    *({"pid": -1}, {"pid": 0}, {"pid": 1}, {"pid": "7"}, {"pid": True}, {"pid": 1.5}, {"port": 0}, {"port": 99999}, {"port": None}),
    *({"url": "http://evil.example"}, {"url": 7}, {"token": None}, {"socket_folder": ["/"]}, {"started": 1}, {"name": {}}),
]


def damaged(folder: Path, content: str | dict[str, Any]) -> None:
    record.make_private(folder)
    text = content if isinstance(content, str) else json.dumps({**asdict(a_record()), **content})
    (folder / "record.json").write_text(text)


@pytest.mark.parametrize("content", DAMAGED, ids=lambda value: str(value)[:30])
def test_a_damaged_record_is_one_line_with_the_way_on(content: str | dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_args: pytest.fail("a process was signalled"))
    folder = record.state_folder("x")
    damaged(folder, content)
    assert record.load(folder) is None
    (line,) = lifecycle.find("x").messages
    assert line.startswith(f"lab x: {folder}/record.json is damaged: ") and "\n" not in line and len(line) < 400
    assert "start or stop the lab for a new record; if one still runs, end its process first: pgrep -f" in line
    with pytest.raises(LabError, match="is damaged"):
        str(lifecycle.find("x").control)
    stopped = lifecycle.stop("x")
    assert stopped.messages == (line,) and stopped.changed
    assert not (folder / "record.json").exists() and lifecycle.find("x").messages == ()


def test_a_folder_in_the_records_place(tmp_path: Path) -> None:
    folder = record.make_private(record.state_folder("x"))
    (folder / "record.json" / "deep").mkdir(parents=True)
    (line,) = lifecycle.find("x").messages
    assert "record.json cannot be read: Is a directory" in line
    lifecycle.stop("x")
    record.save(a_record(), folder)
    assert record.load(folder) == a_record()


def test_a_living_lab_is_not_stale() -> None:
    assert record.why_stale(a_record()) == ""


def test_a_reused_process_id_is_recognised() -> None:
    assert "another process's now" in record.why_stale(a_record(started="1"))


def test_a_restarted_machine_is_recognised() -> None:
    assert "the machine was started again" in record.why_stale(a_record(boot_id="another"))


def test_a_process_that_has_ended_is_recognised_even_as_a_corpse() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    alive = a_record(pid=child.pid, started=record.process_start(child.pid))
    assert record.why_stale(alive) == ""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}/stat").exists()
    assert "has ended" in record.why_stale(alive)
    child.wait()
    assert "has ended" in record.why_stale(alive)


def test_no_signal_reaches_a_process_that_only_has_the_id() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lifecycle._signal(a_record(pid=child.pid, started="1"), signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
    finally:
        child.kill()
        child.wait()


def test_stopping_leaves_a_process_that_only_has_the_id(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folder = record.make_private(record.state_folder("x"))
        record.save(a_record(pid=child.pid, started="1"), folder)
        found = lifecycle.stop("x")
        assert (found.changed, found.record) == (False, None)
        assert "another process's now" in found.messages[0]
        assert child.poll() is None
        assert record.load(folder) is None
    finally:
        child.kill()
        child.wait()


def test_finding_changes_nothing() -> None:
    assert lifecycle.find("x") == lifecycle.Found("x", False, None)
    assert not record.state_folder("x").exists()
    folder = record.make_private(record.state_folder("x"))
    record.save(a_record(boot_id="another"), folder)
    found = lifecycle.find("x")
    assert (found.record, found.changed) == (None, False)
    assert "ended without being stopped: the machine was started again" in found.messages[0]
    assert record.load(folder) is not None


def test_a_lab_that_lives_and_does_not_answer_is_told_so() -> None:
    record.save(a_record(), record.make_private(record.state_folder("x")))
    with pytest.raises(LabError, match=r"lab x \(process \d+\) runs but does not answer"):
        lifecycle.find("x")


def test_a_lab_that_does_not_run_has_no_control() -> None:
    with pytest.raises(LabError, match="lab x does not run; start it first"):
        _other = lifecycle.find("x").control


def test_control_of_what_is_no_lab_is_one_line() -> None:
    with pytest.raises(LabError, match="does not answer"):
        LabControl("http://127.0.0.1:1", "t", timeout=2).status()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(LabError, match=r"the lab's folder cannot be used: .* set XDG_STATE_HOME"):
        lifecycle.start("x")


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match=r"has not: moto, flask, flask_cors, boto3; pip install 'moto\[ec2,server\]==5.2.5'"):
        lifecycle.start("x")


@pytest.mark.parametrize(
    ("options", "topology", "says"),
    [
        ({"quotas": {"planets": 1}}, None, "unknown quota planets"),
        ({"accounts": ["a b"]}, None, "account 'a b'"),
        ({"faults": [{"kind": "x"}]}, None, "fault: kind"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(options: dict[str, Any], topology: Any, says: str) -> None:
    with pytest.raises(LabError, match=says):
        lifecycle.start("x", options, topology)
    assert not record.state_folder("x").exists()


def test_the_path_for_the_labs_process_holds_this_collection() -> None:
    root = Path(lifecycle.collections_root())
    assert (root / "ansible_collections" / "cloudnet" / "vpc" / "plugins" / "plugin_utils" / "lab" / "daemon.py").is_file()


def test_nothing_that_the_action_plugin_imports_imports_the_emulator() -> None:
    ours = "ansible_collections.cloudnet.vpc.plugins"
    program = (
        f"import sys, json; import {ours}.action.lab, {ours}.plugin_utils.lab.cli, {ours}.filter.lab_environment; "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules} & {'moto', 'boto3', 'botocore', 'flask', 'werkzeug'})))"
    )
    environ = {**os.environ, "PYTHONPATH": lifecycle.collections_root()}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == []


def test_a_lab_without_a_data_plane_says_why() -> None:
    plane = {"state": "refused", "why": "namespaces are turned off on this machine", "hosts": 0, "snapshot": False}
    (line,) = lifecycle._about_plane("mine", {"plane": plane})
    assert line.startswith("lab mine has no data plane") and line.endswith(plane["why"])
    assert lifecycle._about_plane("mine", {"plane": {**plane, "state": "idle", "why": ""}}) == ()
    (line,) = lifecycle._about_plane("mine", {"plane": {**plane, "state": "on", "hosts": 3, "snapshot": True}, "snapshot": "/copy"})
    assert "/copy: 3 instances" in line


def test_a_lab_says_which_protections_it_lacks() -> None:
    plane = {"state": "idle", "why": "", "hosts": 0, "snapshot": False, "missing": ["this kernel filters no calls", "no memory is limited"]}
    assert lifecycle._about_plane("mine", {"plane": plane}) == (
        "lab mine lacks a protection from its instances: this kernel filters no calls",
        "lab mine lacks a protection from its instances: no memory is limited",
    )


def test_what_a_lab_has_from_its_start_cannot_be_changed() -> None:
    record = Record("mine", 1, "", "", 4566, "http://127.0.0.1:4566", "t", "us-east-1", "", "", "", "")
    status = {"default_vpc": False, "twin": "auto", "snapshot": ""}
    lifecycle._refuse_fixed("mine", record, status, {"twin": "auto", "port": 0})
    for wanted in ({"twin": "off"}, {"snapshot": "/copy"}):
        with pytest.raises(LabError, match="stop it first"):
            lifecycle._refuse_fixed("mine", record, status, wanted)
