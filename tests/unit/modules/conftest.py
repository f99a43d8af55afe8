# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run in the test's own process, through their entry point, against a lab behind a real port."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from support.lab import remember_models

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def running_lab() -> Iterator[RunningLab]:
    remember_models()
    with RunningLab() as running:
        yield running


@pytest.fixture
def lab(running_lab: RunningLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RunningLab]:
    """An empty lab to which this process's environment leads, as a play's does."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "EC2_"))]:
        monkeypatch.delenv(name)
    credentials = tmp_path / "credentials"
    credentials.touch()
    where = {
        "url": running_lab.url,
        "config_file": str(running_lab.config_file),
        "credentials_file": str(credentials),
        "region": "us-east-1",
    }
    for name, value in lab_environment(where).items():
        monkeypatch.setenv(name, value)
    running_lab.control.config(faults=[])
    running_lab.control.reset()
    yield running_lab
    running_lab.control.config(faults=[])


@pytest.fixture
def ec2(lab: RunningLab) -> Any:
    """EC2 of account 111111111111 in us-east-1."""
    return lab.client("ec2")


#: Newer ansible-core has a module tell its invocation only where that is set: a secret must not be in it then either.
INVOCATION = {"_ansible_inject_invocation": True} if "INJECT_INVOCATION" in constants.config.get_configuration_definitions() else {}


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a module by name with arguments, and give its result; ``check`` and ``diff`` are Ansible's modes."""

    def call(name: str, /, *, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.cloudnet.vpc.plugins.modules.{name}")
        capsys.readouterr()
        # A module of its own process has no warnings of one before it.
        monkeypatch.setattr(ansible_warnings, "_global_warnings", {})
        # And is no controller, which would show them at once.
        monkeypatch.setattr(ansible_warnings._internal, "is_controller", False)
        with patch_module_args({**arguments, **INVOCATION, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert not result.get("deprecations"), result["deprecations"]
        return result

    return call


@pytest.fixture
def vpcs(ec2: Any) -> tuple[str, str]:
    """Two VPCs that somebody else made, with DNS hostnames on."""
    made = []
    for cidr in ("10.0.0.0/16", "10.1.0.0/16"):
        made.append(ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])
        ec2.modify_vpc_attribute(VpcId=made[-1], EnableDnsHostnames={"Value": True})
    return made[0], made[1]


TOPOLOGY: dict[str, Any] = {
    "name": "pair",
    "region": "us-east-1",
    "vpcs": {
        "dev": {"cidr": "10.0.0.0/16", "subnets": {"app": {"cidr": "10.0.1.0/24", "az": "a"}}, "security_groups": {"servers": {}}},
        "ops": {"cidr": "10.1.0.0/16", "subnets": {"admin": {"cidr": "10.1.1.0/24", "az": "a"}}, "security_groups": {"tools": {}}},
    },
    "peerings": [{"between": ["dev", "ops"], "dns": True}],
    "allow": [{"from": "dev.servers", "to": "ops.tools", "tcp": 443}],
}


@pytest.fixture
def topology() -> dict[str, Any]:
    """Two VPCs and what joins them, as a playbook would hold them."""
    copy: dict[str, Any] = json.loads(json.dumps(TOPOLOGY))
    return copy
