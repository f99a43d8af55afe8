# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's side of ssh: names, configuration, known hosts; and what of the server's side is pure."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import ssh_cli, ssh_config
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.spec import machine_of
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.entry import find_instance
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.forwarding import addresses_in
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.keys import HostKeys, public_data
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.library import LIBRARY_ERROR
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.sessions import session_environment

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")
needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH's client is not installed")
needs_asyncssh = pytest.mark.skipif(LIBRARY_ERROR is not None, reason="asyncssh is not installed")
A, B, C = "i-0000000000000000a", "i-0000000000000000b", "i-0000000000000000c"


def listed(id: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "private_ip": "", "public_ip": "", "user": "ec2-user", "host_keys": [], "state": "running", **more}


def test_names_are_slugs_and_mean_one_instance() -> None:
    hosts = ssh_config.hosts_of(
        [
            listed(A, "Web Server 1!", topology_name="shop.web"),
            listed(B, "worker", private_ip="10.0.0.9"),
            listed(C, "Worker"),
            listed("i-0000000000000000d", "10.0.0.9"),
            listed("i-0000000000000000e", A),
            listed("i-0000000000000000f", "gone", state="stopped"),
        ]
    )
    assert {host.id[-1]: host.names for host in hosts} == {"a": ("shop.web", "web-server-1"), "b": (), "c": (), "d": (), "e": ()}


@pytest.mark.parametrize(
    ("text", "name"), [("Web 1", "web-1"), ("*", ""), ("-F x", "f-x"), ("a\nHost *", "a-host"), ("ü", ""), ("a.b_c", "a.b_c")]
)
def test_no_name_breaks_the_configuration(text: str, name: str) -> None:
    assert ssh_config.slug(text) == name


@pytest.mark.parametrize(
    "item",
    [
        listed('i-00000000000000001\nMatch exec "touch /tmp/x"\n#'),
        listed("../../home/someone/victim"),
        listed(A, private_ip="10.0.0.5\nMatch all"),
        listed(A, public_ip="evil.example"),
        listed(A, user="x\n  ProxyCommand id"),
        listed(A, key_file="/k\nMatch all"),
    ],
)
def test_an_instance_that_breaks_the_grammar_is_in_no_file(item: dict[str, Any], tmp_path: Path) -> None:
    written = ssh_config.write(tmp_path, "/run/lab.sock", [item, listed(B, "web")])
    assert [host.id for host in written.hosts] == [B]
    text = (tmp_path / ssh_config.CONFIG).read_text() + (tmp_path / ssh_config.KNOWN_HOSTS).read_text()
    assert not any(word in text for word in ("exec", "victim", "Match all", "evil", "ProxyCommand id"))


def test_a_host_key_that_is_none_is_not_known() -> None:
    (host,) = ssh_config.hosts_of([listed(A, host_keys=["ssh-ed25519 AAAA\n@cert-authority * ssh-ed25519 BBBB", "ssh-ed25519 CCCC"])])
    assert host.host_keys == ("ssh-ed25519 CCCC",)


def machine(**changes: Any) -> Any:
    known = {"id": A, "account": "111111111111", "region": "us-east-1", "state": "running", "private_ip": "10.0.0.5", **changes}
    user, authorized = known.pop("user", "ec2-user"), known.pop("authorized", ())
    facts = Facts({known["id"]: HostFacts(known["id"], user=user, authorized=authorized)})
    return machine_of(Instance(**{"vpc": "", "subnet": "", **known}), Plane(Network(), facts))


def test_a_machine_of_the_grammar() -> None:
    made = machine(authorized=("ssh-ed25519 AAAA me",))
    assert (made.id, made.hostname, made.search) == (A, "ip-10-0-0-5", "ec2.internal")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "../../home/someone/victim"}, "is no id"),
        ({"private_ip": "10.0.0.5 evil\n127.0.0.1"}, "is no address"),
        ({"region": "x\nnameserver 203.0.113.1"}, "is no Region"),
        ({"user": "x:0:0"}, "is no user"),
        ({"authorized": ("ssh-ed25519 AAAA\nssh-ed25519 BBBB",)}, "is no public key"),
    ],
)
def test_a_machine_that_cannot_stand_in_its_files_does_not_boot(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TwinError, match=said) as caught:
        machine(**changes)
    assert "\n" not in str(caught.value)


def test_the_configuration() -> None:
    hosts = ssh_config.hosts_of(
        [listed(A, "web", private_ip="10.0.0.5", public_ip="198.18.0.5", key_name="k"), listed(B, private_ip="10.0.0.5")],
        {"k": "/keys/k 1.pem"},
    )
    text = ssh_config.config_text(hosts, "/run/s", "/state/known_hosts", "/state/ssh_key", "/usr/bin/python3", "/it's/100%/proxy.py")
    proxy = """ProxyCommand /usr/bin/python3 -I -S '/it'"'"'s/100%%/proxy.py' /run/s %h"""
    common = """
  UserKnownHostsFile "/state/known_hosts"
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  CheckHostIP no
  UpdateHostKeys no
  PreferredAuthentications publickey
"""
    assert (
        text
        == f"""# Written by the lab at each change of its instances: what is changed here is lost.

Host web {A}
  HostName {A}
  HostKeyAlias {A}
  User ec2-user

Host {B}
  HostName {B}
  HostKeyAlias {B}
  User ec2-user

Host 198.18.0.5 10.0.0.5
  User ec2-user
  IdentityFile "/keys/k 1.pem"
  IdentitiesOnly yes

Host 10.0.0.5
  User ec2-user

Match host i-?????????????????,i-????????
  {proxy} console %p
  ProxyUseFdpass yes
  IdentityFile "/state/ssh_key"
  IdentitiesOnly yes{common}
Match host 198.18.*,198.19.*
  {proxy} internet %p
  ProxyUseFdpass yes{common}
Host 10.0.0.5
  {proxy} private %p
  ProxyUseFdpass no{common}"""
    )


def test_overlapping_addresses_have_the_keys_of_all() -> None:
    hosts = ssh_config.hosts_of(
        [listed(A, "web", private_ip="10.0.0.5", public_ip="198.18.0.5", host_keys=["ssh-x one", "ssh-y two"]),
         listed(B, private_ip="10.0.0.5", host_keys=["ssh-x three"])]
    )  # fmt: skip
    assert ssh_config.known_hosts_text(hosts) == (
        f"{A},web,10.0.0.5,198.18.0.5 ssh-x one\n{A},web,10.0.0.5,198.18.0.5 ssh-y two\n{B},10.0.0.5 ssh-x three\n"
    )


@needs_keygen
def test_files_are_private_written_once_and_hold_no_key(tmp_path: Path) -> None:
    public = ssh_config.ensure_key(tmp_path)
    assert ssh_config.ensure_key(tmp_path) == public
    assert public.startswith("ssh-ed25519 ")
    hosts = [listed(A, "web", host_keys=["ssh-x one"])]
    written = ssh_config.write(tmp_path, str(tmp_path / "s"), hosts)
    for name in ("ssh_config", "known_hosts", "ssh_key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known_hosts", "ssh_config", "ssh_key", "ssh_key.pub"]
    before = written.config.stat().st_ino
    assert ssh_config.write(tmp_path, str(tmp_path / "s"), hosts).config.stat().st_ino == before
    assert "PRIVATE" not in written.config.read_text()
    ssh_config.write(tmp_path, str(tmp_path / "s"), [])
    assert A not in written.config.read_text()


def test_half_a_key_pair_is_made_anew(tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's client is not installed")
    (tmp_path / "ssh_key.pub").write_text("ssh-ed25519 stale\n")
    assert ssh_config.ensure_key(tmp_path) != "ssh-ed25519 stale"


def test_without_ssh_keygen_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=r"^ssh-keygen is missing: install OpenSSH"):
        ssh_config.ensure_key(tmp_path)


@needs_ssh
@pytest.mark.parametrize("folder", ["plain", 'it\'s "100%" of $HOME'])
def test_openssh_reads_it_as_it_is_meant(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "ssh_key").write_text("")
    hosts = [listed(A, "web", public_ip="198.18.0.5", user="admin")]
    written = ssh_config.write(place, str(tmp_path / "s"), hosts)
    said = subprocess.run(["ssh", "-G", "-F", written.config, "web"], capture_output=True, text=True, check=True).stdout
    values = dict(line.partition(" ")[::2] for line in said.splitlines())
    assert (values["hostname"], values["user"], values["hostkeyalias"], values["stricthostkeychecking"]) == (A, "admin", A, "true")
    assert values["identityfile"].replace("%%", "%") == str(place / "ssh_key")
    assert " " not in str(written.config)
    assert written.config.read_text() == (place / "ssh_config").read_text()


@needs_ssh
def test_in_a_shell_the_labs_hosts_are_the_labs_and_others_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "a state"
    state.mkdir()
    ssh_config.write(state, str(tmp_path / "s"), [listed(A, "web", public_ip="198.18.0.5")])
    place = ssh_cli.wrappers(state)
    assert {path.name for path in place.iterdir()} >= {"ssh", "config"}
    # OpenSSH takes the home from the user database, so the user's file stands in here by its path.
    own = tmp_path / "own"
    own.write_text("Host *\n  User somebody\n  Compression yes\n")
    config = place / "config"
    config.write_text(config.read_text().replace("~/.ssh/config", str(own)).replace("/etc/ssh/ssh_config", str(tmp_path / "none")))
    for host, user, compression in (("web", "ec2-user", "no"), ("198.18.0.5", "ec2-user", "no"), ("i-am.example.org", "somebody", "yes")):
        said = subprocess.run([place / "ssh", "-G", host], capture_output=True, text=True, check=True).stdout.splitlines()
        assert f"user {user}" in said
        assert f"compression {compression}" in said
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    assert str(place) not in ssh_cli.wrappers(state).joinpath("ssh").read_text().partition(" -F ")[0]


HOSTS = [
    listed(A, "web", private_ip="10.0.0.5", public_ip="198.18.0.5", account="111111111111", region="us-east-1"),
    listed(B, "twin", account="111111111111", region="us-east-1"),
    listed(C, "twin", account="111111111111", region="us-east-1"),
    listed("i-0000000000000000d", "old", state="stopped", account="222222222222", region="eu-west-1"),
]


@pytest.mark.parametrize(("wanted", "target"), [("web", A), (A, A), ("10.0.0.5", A), ("198.18.0.5", "198.18.0.5")])
def test_a_host_is_chosen_by_what_people_call_it(wanted: str, target: str) -> None:
    assert ssh_cli.choose(HOSTS, wanted) == target


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("twin", f"twin means 2 instances: {B}, {C}; say which by its id"),
        ("old", "old is stopped: start it first"),
        ("wbe", "no instance is called wbe: there are web"),
    ],
)
def test_a_host_that_is_not_one(wanted: str, said: str) -> None:
    with pytest.raises(LabError) as caught:
        ssh_cli.choose(HOSTS, wanted)
    assert str(caught.value) == said


def test_the_table() -> None:
    assert ssh_cli.table(HOSTS[:2]).splitlines() == [
        "NAME  INSTANCE             PRIVATE   PUBLIC      STATE    ACCOUNT       REGION",
        f"web   {A}  10.0.0.5  198.18.0.5  running  111111111111  us-east-1",
        f"twin  {B}  -         -           running  111111111111  us-east-1",
    ]


# -- the server's side --------------------------------------------------------------------------------------------------------------


@needs_asyncssh
def test_host_keys_are_derived_and_an_instances_own() -> None:
    keys = HostKeys(b"s" * 32)
    assert keys.public(A) == HostKeys(b"s" * 32).public(A)
    assert [line.split()[0] for line in keys.public(A)] == ["ssh-ed25519", "ecdsa-sha2-nistp256"]
    assert len({*keys.public(A), *keys.public(B), *HostKeys(b"t" * 32).public(A), *HostKeys().public(A)}) == 8


@needs_asyncssh
def test_a_key_that_cannot_be_read_lets_nobody_in() -> None:
    assert [public_data(line) for line in ("", "ssh-rsa", "ssh-rsa AAAA", "-----BEGIN", "\0")] == [b""] * 5
    line = HostKeys(b"s" * 32).public(A)[0]
    assert public_data(line) == public_data(f"{line} somebody@somewhere\n") != b""


def test_what_a_session_is_told() -> None:
    sent = {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "LD_PRELOAD": "x", "PATH": "/evil", "LC_X": "a\0b"}
    assert session_environment(sent, "xterm-256color\n;", ("203.0.113.10", 4000, "10.0.0.5", 22), "/run/agent/a") == {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
        "TERM": "xterm-256color",
        "SSH_CLIENT": "203.0.113.10 4000 22",
        "SSH_CONNECTION": "203.0.113.10 4000 10.0.0.5 22",
        "SSH_AUTH_SOCK": "/run/agent/a",
    }
    assert session_environment({}, "", None, "") == {}


def test_addresses_of_a_name() -> None:
    text = (
        "10.0.0.5  STREAM web\n10.0.0.5  DGRAM\n10.0.0.5  RAW\n2001:db8::5 STREAM\nfe80::1%eth0 STREAM\nnonsense STREAM\n10.0.0.5 STREAM\n"
    )
    assert addresses_in(text) == ["10.0.0.5", "2001:db8::5", "fe80::1"]


def instance(id: str, name: str, state: str = "running", **more: str) -> Instance:
    return Instance(id=id, account="1", region="r", tags={"Name": name}, state=state, **more)  # type: ignore[arg-type]


NETWORK = Network(
    instances={
        A: instance(A, "web", private_ip="10.0.0.5", public_ip="198.18.0.5"),
        B: instance(B, "db", private_ip="10.0.0.5"),
        C: instance(C, "db", private_ip="10.0.0.7"),
        "i-0000000000000000d": instance("i-0000000000000000d", "old", "stopped"),
    }
)


@pytest.mark.parametrize(("wanted", "found"), [(A, A), ("web", A), ("198.18.0.5", A), ("10.0.0.7", C)])
def test_an_instance_is_found(wanted: str, found: str) -> None:
    assert find_instance(NETWORK, wanted).id == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("db", f"db means 2 instances: {B}, {C}; say which by its id"),
        ("10.0.0.5", f"10.0.0.5 means 2 instances: {A}, {B}; say which by its id"),
        ("old", "no running instance is called old"),
        ("i-0000000000000000d", "i-0000000000000000d is stopped"),
    ],
)
def test_an_instance_is_not_found(wanted: str, said: str) -> None:
    with pytest.raises(TwinError) as caught:
        find_instance(NETWORK, wanted)
    assert str(caught.value) == said
