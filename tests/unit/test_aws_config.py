# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that have roles, reached by profiles: the AWS config file written for them, as boto3 understands it, and the topology."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.botocore import _aws_connection_info
from ansible_collections.cloudnet.vpc.plugins.action.topology_info import told
from ansible_collections.cloudnet.vpc.plugins.filter.aws_config import FilterModule, aws_config
from ansible_collections.cloudnet.vpc.plugins.filter.with_profiles import FilterModule as WithProfiles
from ansible_collections.cloudnet.vpc.plugins.filter.with_profiles import with_profiles
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

DEV, OPS = "arn:aws:iam::444444444444:role/team/network", "arn:aws:iam::333333333333:role/network"
DOCUMENT: dict[str, Any] = {
    "name": "estate",
    "region": "eu-west-1",
    "accounts": {"dev": {"role_arn": DEV, "external_id": "from-us"}, "ops": {"role_arn": OPS, "profile": "hub"}, "own": {"profile": "me"}},
    "vpcs": {name: {"cidr": f"10.{number}.0.0/16", "account": name} for number, name in enumerate(("dev", "ops", "own"))},
}
USERS = """\
# old key: AKIAOLD
[default]
region = eu-west-1
[profile hub]
sso_session = corp
sso_account_id = 1
s3 =
  addressing_style = path
[sso-session corp]
sso_start_url = https://corp.example
[profile 'a b']
aws_access_key_id = AKIASECRET
aws_secret_access_key = S1
 S2
AWS_SESSION_TOKEN = T
region = eu-north-1
[profile cloudnet-dev]
role_arn = old
"""
HOP = "[profile hop]\nsource_profile = hub\nrole_arn = x\n"


def read(**changes: Any) -> dict[str, Any]:
    return told(load({**DOCUMENT, **changes}))


class Home:
    """A user's two files, and an environment in which they count."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.config, self.credentials, self.written = folder / "config", folder / "credentials", folder / "aws_config"
        self.patch = patch
        for name in [name for name in os.environ if name.startswith(("AWS_", "EC2_"))]:
            patch.delenv(name)
        self.set(AWS_CONFIG_FILE=str(self.config), AWS_SHARED_CREDENTIALS_FILE=str(self.credentials), AWS_EC2_METADATA_DISABLED="true")

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.patch.setenv(name, value)

    def take(self, found: dict[str, Any]) -> None:
        """From here on what was written counts, as in a play."""
        self.written.write_text(found["text"])
        self.set(AWS_CONFIG_FILE=str(self.written))

    def options(self, profile: str) -> dict[str, Any]:
        """A profile as botocore reads it out of what was written."""
        self.take(aws_config(read()))
        options: dict[str, Any] = boto3.session.Session()._session.full_config["profiles"][profile]
        return options


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with RunningLab() as running:
        running.control.accounts(topology={"dev": {"role_arn": DEV}, "ops": {"role_arn": OPS}})
        yield running


def test_without_roles_nothing_is_written(home: Home) -> None:
    home.config.write_text("[profile me\n")  # and nothing is read
    accounts = {"dev": {"id": "444444444444"}, "ops": None, "own": {"profile": "me"}}
    assert aws_config(read(accounts=accounts)) == {"text": "", "profiles": {}}
    assert FilterModule().filters() == {"aws_config": aws_config}


def test_the_users_profiles_stay_and_their_keys_stay_away(home: Home) -> None:
    home.config.write_text(USERS)
    home.credentials.write_text("[me]\naws_access_key_id = AKIAME\naws_secret_access_key = mine\n")
    found = aws_config(read(), "me")
    assert found["profiles"] == {"dev": "cloudnet-dev", "ops": "cloudnet-ops"}
    home.take(found)
    profiles = boto3.session.Session()._session.full_config["profiles"]
    assert profiles["cloudnet-dev"] == {
        "role_arn": DEV,
        "external_id": "from-us",
        "role_session_name": "cloudnet",
        "source_profile": "me",
        "region": "eu-west-1",
    }
    assert profiles["cloudnet-ops"] == {"role_arn": OPS, "role_session_name": "cloudnet", "source_profile": "hub", "region": "eu-west-1"}
    assert profiles["hub"] == {"sso_session": "corp", "sso_account_id": "1", "s3": {"addressing_style": "path"}}
    assert profiles["a b"] == {"region": "eu-north-1"} and profiles["default"] == {"region": "eu-west-1"}
    assert boto3.session.Session()._session.full_config["sso_sessions"] == {"corp": {"sso_start_url": "https://corp.example"}}
    for secret in ("AKIA", "mine", "S1", "S2", "= T"):
        assert secret not in found["text"], secret
    # Whoever goes by the file that was written, gets the same again.
    assert aws_config(read(), "me")["text"].splitlines()[2:] == found["text"].splitlines()[2:]


def test_what_roles_are_assumed_with_where_their_accounts_do_not_say(home: Home) -> None:
    source = ("source_profile", "credential_source")

    def found() -> dict[str, str]:
        home.set(AWS_CONFIG_FILE=str(home.config))
        options = home.options("cloudnet-dev")
        return {key: options[key] for key in source if key in options}

    assert found() == {"credential_source": "Ec2InstanceMetadata"}
    home.set(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials")
    assert found() == {"credential_source": "EcsContainer"}
    home.config.write_text("[default]\nregion = eu-west-1\n")
    assert found() == {"credential_source": "EcsContainer"}, "a Region alone is no way in"
    home.config.write_text("[default]\ncredential_process = /bin/keys\n")
    assert found() == {"source_profile": "default"}
    home.set(AWS_WEB_IDENTITY_TOKEN_FILE="/run/token", AWS_ROLE_ARN="arn:aws:iam::555555555555:role/ci")
    assert found() == {"source_profile": "cloudnet-web-identity"}
    assert home.options("cloudnet-web-identity") == {
        "role_arn": "arn:aws:iam::555555555555:role/ci",
        "web_identity_token_file": "/run/token",
        "role_session_name": "cloudnet",
    }
    home.config.write_text("[default]\nrole_arn = arn:aws:iam::555555555555:role/x\nsource_profile = me\n")
    assert found() == {"source_profile": "default"}
    home.set(AWS_DEFAULT_PROFILE="default")
    assert found() == {"source_profile": "default"}
    home.set(AWS_ACCESS_KEY_ID="AKIAME")
    assert found() == {"credential_source": "Environment"}
    assert "source_profile = me" in aws_config(read(), "me")["text"]


def who(profile: str) -> str:
    """The account and role of a profile, by amazon.aws's own way to a session, in the environment of this moment."""
    given = {"profile": profile, "access_key": "", "secret_key": "", "session_token": ""}
    _region, _endpoint, info = _aws_connection_info({**given, "validate_certs": True})
    arn: str = boto3.session.Session(profile_name=info["profile_name"]).client("sts").get_caller_identity()["Arn"]
    return arn


def keys(lab: RunningLab) -> tuple[str, str]:
    config = configparser.RawConfigParser()
    config.read(lab.config_file)
    return config["profile lab"]["aws_access_key_id"], config["profile lab"]["aws_secret_access_key"]


@pytest.mark.parametrize("way", ["profile", "environment", "process"])
def test_the_roles_are_assumed(home: Home, lab: RunningLab, way: str) -> None:
    identifier, secret = keys(lab)
    mine = f"aws_access_key_id = {identifier}\naws_secret_access_key = {secret}\n"
    home.credentials.write_text(f"[hub]\n{mine}" + (f"[me]\n{mine}" if way == "profile" else ""))
    home.set(AWS_ENDPOINT_URL=lab.url)
    if way == "environment":
        home.set(AWS_ACCESS_KEY_ID=identifier, AWS_SECRET_ACCESS_KEY=secret)
    if way == "process":
        script = home.config.with_name("process")
        script.write_text(f'#!/bin/sh\necho \'{{"Version": 1, "AccessKeyId": "{identifier}", "SecretAccessKey": "{secret}"}}\'\n')
        script.chmod(0o700)
        home.config.write_text(f"[default]\ncredential_process = {script}\n")
    home.take(aws_config(read(), "me" if way == "profile" else ""))
    assert who("cloudnet-dev") == "arn:aws:sts::444444444444:assumed-role/network/cloudnet"
    assert who("cloudnet-ops") == "arn:aws:sts::333333333333:assumed-role/network/cloudnet"


def test_faults_are_told_in_one_line(home: Home) -> None:
    home.config.write_text(
        "[default]\naws_access_key_id = AKIAX\naws_secret_access_key = s\n[profile hop]\nsource_profile = hub\nrole_arn = x\n"
    )
    with pytest.raises(
        AnsibleFilterError, match=r"the profile default has its keys in .*config, .* move them to ~/.aws/credentials"
    ) as fault:
        aws_config(read())
    assert "AKIAX" not in str(fault.value)
    assert aws_config(read(), "me")["profiles"], "keys of profiles that nothing uses do not matter"
    home.config.write_text(f"{HOP}[profile hub]\naws_access_key_id = AKIAX\n")
    accounts = {**DOCUMENT["accounts"], "ops": {"profile": "hop"}}
    with pytest.raises(AnsibleFilterError, match="the profile hub has its keys"):
        aws_config(read(accounts=accounts), "me")
    home.config.write_text("[default]\nsecretline\n")
    with pytest.raises(AnsibleFilterError, match=r"config cannot be read: \w+$") as fault:
        aws_config(read())
    assert "secretline" not in str(fault.value)
    with pytest.raises(AnsibleFilterError, match="takes a result of"):
        aws_config({"name": "x"})


def test_a_topology_by_profiles() -> None:
    told_so = with_profiles(DOCUMENT, {"dev": "cloudnet-dev", "ops": "cloudnet-ops"})
    assert told_so["accounts"] == {
        "dev": {"profile": "cloudnet-dev", "id": "444444444444"},
        "ops": {"profile": "cloudnet-ops", "id": "333333333333"},
        "own": {"profile": "me"},
    }
    assert {key: value for key, value in told_so.items() if key != "accounts"} == {key: DOCUMENT[key] for key in ("name", "region", "vpcs")}
    assert load(told_so).accounts["dev"].role_arn == "" and DOCUMENT["accounts"]["dev"]["role_arn"] == DEV
    assert with_profiles({"vpcs": {}}, {}) == {"vpcs": {}}
    assert WithProfiles().filters() == {"with_profiles": with_profiles}
    for document, profiles, said in (
        ("x.yml", {}, "takes a topology as a mapping"),
        (DOCUMENT, ["dev"], "takes profiles by the names of accounts"),
        (DOCUMENT, {"prod": "x"}, "prod: not in accounts; there are dev, ops, own"),
    ):
        with pytest.raises(AnsibleFilterError, match=said):
            with_profiles(document, profiles)
