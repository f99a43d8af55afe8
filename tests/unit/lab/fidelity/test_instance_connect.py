# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 Instance Connect: whose key is taken, and for how long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.instance_connect import sent_keys

from .test_instances import run
from .vpc_helpers import make_vpc, refused

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9Pb0JrS1hZ2m1Cw2yY8L8m0oXG0O2vT7M4Jt7vQm1x"


@pytest.fixture
def instance(lab: Any) -> str:
    vpc = make_vpc(lab)
    return str(run(vpc, 1, SubnetId=vpc.subnet("10.0.1.0/24"))[0]["InstanceId"])


def send(lab: Any, instance: str, **more: Any) -> dict[str, Any]:
    words = {"InstanceId": instance, "InstanceOSUser": "ec2-user", "SSHPublicKey": f"{KEY} comment\n", **more}
    return dict(lab.client("ec2-instance-connect").send_ssh_public_key(**words))


def test_a_key_is_kept_for_a_minute(lab: Any, instance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(lab, instance)["Success"] is True
    (kept,) = sent_keys(lab.lab, instance)
    assert (kept.user, kept.key) == ("ec2-user", KEY)
    assert 55 < kept.until - time.time() <= 60
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert not list(sent_keys(lab.lab, instance))


def test_what_is_refused(lab: Any, instance: str) -> None:
    client = lab.client("ec2-instance-connect")
    with refused("EC2InstanceNotFoundException"):
        send(lab, "i-0123456789abcdef0")
    with refused("EC2InstanceNotFoundException"):
        send(lab, instance, AvailabilityZone="us-east-1f")
    for text in ("x" * 80, f"{KEY}\n{KEY}", f"ssh-none {KEY.split()[1]} comment"):
        with refused("InvalidArgsException"):
            send(lab, instance, SSHPublicKey=text)
    with refused("SerialConsoleAccessDisabledException"):
        client.send_serial_console_ssh_public_key(InstanceId=instance, SSHPublicKey=f"{KEY} comment")
    lab.client("ec2").stop_instances(InstanceIds=[instance])
    with refused("EC2InstanceStateInvalidException"):
        send(lab, instance)
    assert not list(sent_keys(lab.lab, instance))
