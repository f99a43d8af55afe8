# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that leads to the lab alone: every way in which a user's own settings could lead elsewhere, tried with a real client."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.filter.lab_environment import FilterModule
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import exports, is_loopback, lab_environment
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

PROGRAM = """
import boto3, json
found = boto3.client("sts").get_caller_identity()
boto3.client("ec2").describe_vpcs()
boto3.client("iam").list_users()
boto3.client("ssm").describe_parameters()
print(json.dumps([found["Account"], boto3.client("ec2").meta.endpoint_url, boto3.session.Session().region_name]))
"""


class Trap(http.server.BaseHTTPRequestHandler):
    """Stands for a real account: whatever reaches it is a failure."""

    def do_any(self) -> None:
        self.server.caught.append(self.path)  # type: ignore[attr-defined]
        self.send_response(418)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_CONNECT = do_any

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    server.caught = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", server.caught  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def described(lab: RunningLab) -> dict[str, Any]:
    """A lab as cloudnet.vpc.lab returns it, as far as the environment needs it."""
    empty = lab.config_file.parent / "credentials"
    empty.touch()
    return {"url": lab.url, "config_file": str(lab.config_file), "credentials_file": str(empty), "profile": "lab", "region": "us-east-1"}


def hostile(tmp_path: Path, trap_url: str) -> dict[str, dict[str, str]]:
    """Environments of users, each with one thing that leads to their own account (here: to the trap), and the last with all."""
    aws = tmp_path / ".aws"
    aws.mkdir()
    keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
    services = f"[services real]\nec2 =\n  endpoint_url = {trap_url}\nsts =\n  endpoint_url = {trap_url}\n"
    (aws / "config").write_text(
        f"[default]\nregion = eu-north-1\nservices = real\nendpoint_url = {trap_url}\n[profile lab]\nservices = real\n{services}"
    )
    (aws / "credentials").write_text(f"[default]\n{keys}[lab]\n{keys}[prod]\n{keys}")
    (tmp_path / "token").write_text("a web identity token")
    each = {
        "nothing": {},
        "keys": {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"},
        "session": {
            "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_SESSION_TOKEN": "y",
            "AWS_SECURITY_TOKEN": "y",
        },
        "profile": {"AWS_PROFILE": "prod"},
        "default profile": {"AWS_DEFAULT_PROFILE": "prod"},
        "profile that is not there": {"AWS_PROFILE": "gone"},
        "endpoint": {"AWS_ENDPOINT_URL": trap_url},
        "endpoints of services": {f"AWS_ENDPOINT_URL_{name}": trap_url for name in ("EC2", "STS", "IAM", "SSM")},
        "configured endpoints ignored": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        "own config file": {"AWS_CONFIG_FILE": str(aws / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials")},
        "web identity": {"AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/real", "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")},
        "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": trap_url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t"},
        "container, relative": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/real"},
        "metadata service": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": trap_url, "AWS_EC2_METADATA_DISABLED": "false"},
        "region": {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"},
        "fips and dual stack": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        "proxy": {
            "HTTP_PROXY": trap_url,
            "http_proxy": trap_url,
            "HTTPS_PROXY": trap_url,
            "https_proxy": trap_url,
            "NO_PROXY": "example.com",
        },
        "amazon.aws": {"AWS_URL": trap_url, "EC2_URL": trap_url, "AWS_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_KEY": "x"},
    }
    together: dict[str, str] = {}
    for settings in each.values():
        together.update(settings)
    return {**each, "all of it": together}


NAMES = [
    "nothing",
    "keys",
    "session",
    "profile",
    "default profile",
    "profile that is not there",
    "endpoint",
    "endpoints of services",
    "configured endpoints ignored",
    "own config file",
    "web identity",
    "container",
    "container, relative",
    "metadata service",
    "region",
    "fips and dual stack",
    "proxy",
    "amazon.aws",
    "all of it",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_client_in_a_hostile_environment_reaches_the_lab_only(
    lab: RunningLab, trap: tuple[str, list[str]], tmp_path: Path, name: str
) -> None:
    users = hostile(tmp_path, trap[0])
    assert list(users) == NAMES
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **users[name]}
    settings = lab_environment(described(lab), "lab-peer", environ=environ)
    lab.control.reset_calls()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**environ, **settings}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == ["222222222222", lab.url, "us-east-1"]
    assert trap[1] == []
    assert lab.control.calls()["places"] == {
        "222222222222": {"us-east-1": {"ec2:DescribeVpcs": 1, "iam:ListUsers": 1, "ssm:DescribeParameters": 1, "sts:GetCallerIdentity": 1}}
    }


def test_the_trap_would_catch_a_client_without_it(lab: RunningLab, trap: tuple[str, list[str]], tmp_path: Path) -> None:
    """Otherwise the tests above prove nothing."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        **hostile(tmp_path, trap[0])["endpoints of services"],
        "AWS_PROFILE": "lab",
    }
    partly = {**environ, "AWS_ENDPOINT_URL": lab.url, "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=partly, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert trap[1]


@pytest.mark.parametrize("name", ["nothing", "keys", "all of it"])
def test_amazon_awss_modules_reach_the_lab_only(lab: RunningLab, trap: tuple[str, list[str]], tmp_path: Path, name: str) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "false", **hostile(tmp_path, trap[0])[name]}
    settings = lab_environment(described(lab), environ=environ)
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "environment": settings,
            "tasks": [
                {"amazon.aws.aws_caller_info": {}, "register": "who"},
                {"amazon.aws.ec2_vpc_net": {"name": "a", "cidr_block": "10.0.0.0/16"}, "register": "net"},
                {"ansible.builtin.assert": {"that": ["who.account == '111111111111'", "net.vpc.owner_id == '111111111111'"]}},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(tmp_path / "play.yml")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert trap[1] == []
    assert [vpc["CidrBlock"] for vpc in lab.client("ec2").describe_vpcs()["Vpcs"]] == ["10.0.0.0/16"]


def test_it_holds_no_secret(lab: RunningLab) -> None:
    text = json.dumps(lab_environment(described(lab), environ={"AWS_SECRET_ACCESS_KEY": "mine", "AWS_ENDPOINT_URL_X": "y"}))
    assert "mine" not in text
    for account in lab.lab.accounts.by_id.values():
        assert account.secret not in text
        assert account.access_key not in text


def test_every_endpoint_variable_that_exists_is_emptied() -> None:
    lab = {"url": "http://127.0.0.1:1", "config_file": "/c", "credentials_file": "/e"}
    settings = lab_environment(lab, environ={"AWS_ENDPOINT_URL_SOMETHING_NEW": "https://real", "AWS_BEARER_TOKEN_BEDROCK": "t"})
    assert settings["AWS_ENDPOINT_URL_SOMETHING_NEW"] == settings["AWS_BEARER_TOKEN_BEDROCK"] == ""
    assert settings["AWS_ENDPOINT_URL_EC2"] == settings["AWS_ENDPOINT_URL_STS"] == ""
    assert settings["AWS_PROFILE"] == settings["AWS_DEFAULT_PROFILE"] == "default"


def test_proxies_are_kept_for_everything_else() -> None:
    lab = {"url": "http://127.0.0.1:1", "config_file": "/c", "credentials_file": "/e"}
    settings = lab_environment(lab, environ={"NO_PROXY": "example.com, 127.0.0.1"})
    assert (settings["NO_PROXY"], settings["no_proxy"]) == ("example.com,127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:5000/", True),
        ("http://LOCALHOST:5000", True),
        ("https://ec2.us-east-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://localhost@example.com/", False),
        ("http://10.0.0.1", False),
        ("http://[::2]", False),
        ("http://[", False),
        ("127.0.0.1:5000", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("http://127.0.0.1:1", "takes a result of cloudnet.vpc.lab, not str"),
        ({}, "has no url, config_file, credentials_file; start it first"),
        ({"url": "https://ec2.amazonaws.com", "config_file": "/c", "credentials_file": "/e"}, "is not on this machine"),
    ],
)
def test_the_filter_refuses_what_is_no_lab(given: Any, says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        FilterModule().filters()["lab_environment"](given)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_that_takes_the_exports_reaches_the_lab_only(
    lab: RunningLab, trap: tuple[str, list[str]], tmp_path: Path, shell: str
) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        **hostile(tmp_path, trap[0])["all of it"],
        "AWS_ENDPOINT_URL_XRAY": trap[0],
    }
    # The lines are made where none of the shell's variables are seen.
    lines = "\n".join(exports(described(lab), environ={}))
    script = f'{lines}\nenv | grep -c "^AWS_ENDPOINT_URL_" >&2\nexec "$1" -c "$2"'
    command = [shell, "-c", script, "x", sys.executable, PROGRAM]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)[0] == "111111111111"
    assert done.stderr.splitlines()[0] == "0"
    assert trap[1] == []
