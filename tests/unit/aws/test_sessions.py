# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials and clients, without an endpoint: what is read, what is refused before any call, and what threads share."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.sessions import Ambient, Sessions
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AwsError, CloudnetError, CredentialsError, EndpointUnreachable

KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "x", "region": "us-east-1"}
LAB = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Answers:
    """In place of the Client: who each name is."""

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told
        self.asked: list[str] = []

    def identity(self, name: str, region: str) -> dict[str, Any]:
        self.asked.append(name)
        return {"Account": self.told[name], "Arn": f"arn:aws:iam::{self.told[name]}:user/u"}


def test_a_client_is_made_once_for_any_number_of_threads() -> None:
    sessions = Sessions(KEYS | {"endpoint_url": LAB})
    sessions.identities(Answers({"": "111111111111"}))
    barrier = threading.Barrier(8)

    def ask(_turn: int) -> int:
        barrier.wait()
        return id(sessions.client("111111111111", "ec2", "us-east-1"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    other = sessions.client("111111111111", "ec2", "eu-west-1")
    assert other.meta.region_name == "eu-west-1" and other.meta.endpoint_url == LAB


def test_retries_are_ours_and_the_pool_is_wide_whatever_aws_config_says() -> None:
    config = {"retries": {"max_attempts": 9}, "read_timeout": 7, "user_agent_extra": "mine"}
    client = Sessions(KEYS | {"aws_config": config}, threads=40).named_client("", "ec2", "us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == 1 and "max_attempts" not in client.meta.config.retries
    assert client.meta.config.read_timeout == 7
    assert client.meta.config.max_pool_connections == 40


def test_one_question_for_names_with_the_same_credentials() -> None:
    answers = Answers({"": "111111111111", "dev": "222222222222"})
    accounts = [Ambient("ops", id="111111111111"), Ambient("dev", profile="dev"), Ambient("dev2", profile="dev")]
    Path(os.environ["AWS_CONFIG_FILE"]).write_text("[profile dev]\naws_access_key_id = x\naws_secret_access_key = y\n")
    sessions = Sessions(KEYS, accounts)
    told = sessions.identities(answers)
    assert {name: identity.account for name, identity in told.items()} == {
        "": "111111111111",
        "ops": "111111111111",
        "dev": "222222222222",
        "dev2": "222222222222",
    }
    assert sorted(answers.asked) == ["", "dev"]
    sessions.identities(answers)
    assert len(answers.asked) == 2
    assert sessions.name_of("222222222222") == "dev"


def test_an_account_that_is_another_than_the_topology_says() -> None:
    sessions = Sessions(KEYS, [Ambient("ops", id="999999999999")])
    with pytest.raises(CredentialsError) as caught:
        sessions.identities(Answers({"ops": "111111111111"}), ["ops"])
    assert str(caught.value) == "account 'ops' must be 999999999999, but its credentials are for 111111111111: check its profile or role"


def test_an_account_without_credentials_is_named() -> None:
    sessions = Sessions(KEYS)
    sessions.identities(Answers({"": "111111111111"}))
    with pytest.raises(CredentialsError) as caught:
        sessions.client("222222222222", "ec2", "us-east-1")
    assert str(caught.value) == (
        "no credentials for account 222222222222: those given are for 111111111111; add it to the topology's accounts"
    )
    with pytest.raises(CredentialsError, match="account 'nobody' is not in the topology's accounts"):
        sessions.identities(Answers({}), ["nobody"])


def test_a_profile_that_does_not_exist() -> None:
    with pytest.raises(CredentialsError) as caught:
        Sessions({"profile": "shared", "region": "us-east-1"}).named_client("", "ec2", "us-east-1")
    assert str(caught.value) == "the ambient account: no profile 'shared' in the AWS config files: see `aws configure list-profiles`"
    with pytest.raises(CredentialsError, match="account 'dev': no profile 'dev-profile' in the AWS config files"):
        Sessions(KEYS, [Ambient("dev", profile="dev-profile")]).named_client("dev", "ec2", "us-east-1")


def test_an_empty_profile_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "")
    with pytest.raises(CredentialsError, match="AWS_PROFILE is set but empty: unset it, or set profile"):
        Sessions({"region": "us-east-1"}).named_client("", "ec2", "us-east-1")


def test_a_profile_and_keys_together_are_refused_as_amazon_aws_does() -> None:
    with pytest.raises(CredentialsError, match="Passing both a profile and access tokens is not supported"):
        Sessions(KEYS | {"profile": "dev"}).named_client("", "ec2", "us-east-1")


@pytest.mark.parametrize("accounts", [[], [Ambient("dev", role_arn="arn:aws:iam::222222222222:role/cloudnet")]])
def test_no_credentials_at_all(accounts: list[Ambient]) -> None:
    from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client

    sessions = Sessions({"region": "us-east-1", "endpoint_url": LAB}, accounts)
    with pytest.raises(CredentialsError, match="no AWS credentials found"):
        sessions.identities(Client(sessions), ["dev" if accounts else ""])


def test_an_explicit_profile_wins_over_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(
        "[profile dev]\nregion = eu-west-1\naws_access_key_id = PROFILE\naws_secret_access_key = y\n"
    )
    sessions = Sessions({"profile": "dev"})
    assert sessions.named_client("", "ec2", "eu-west-1")._request_signer._credentials.access_key == "PROFILE"
    assert sessions.region == "eu-west-1"


def test_the_region_comes_from_the_parameter_then_the_surroundings_then_the_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Sessions({}, region="ap-south-1").region == "ap-south-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Sessions({}, region="ap-south-1").region == "eu-west-1"
    assert Sessions({"region": "us-west-2"}, region="ap-south-1").region == "us-west-2"


@pytest.mark.parametrize(
    ("params", "environ", "target"),
    [
        ({}, {"AWS_ENDPOINT_URL_EC2": LAB}, "aws"),
        ({}, {"AWS_ENDPOINT_URL": LAB}, "aws"),
        ({"endpoint_url": LAB}, {}, "aws"),
        ({}, {}, "lab"),
        ({"endpoint_url": "https://ec2.us-east-1.amazonaws.com"}, {"AWS_ENDPOINT_URL": LAB}, "lab"),
    ],
)
def test_the_wrong_target_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch, params: Any, environ: Any, target: str) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CloudnetError, match=f"target is {target}, but the endpoint is"):
        Sessions(KEYS | params, target=target).named_client("", "ec2", "us-east-1")


def test_one_service_with_a_lab_endpoint_is_refused_as_soon_as_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", LAB)
    sessions = Sessions(KEYS, target="aws")
    assert sessions.named_client("", "ec2", "us-east-1").meta.endpoint_url == "https://ec2.us-east-1.amazonaws.com"
    with pytest.raises(CloudnetError, match="target is aws"):
        sessions.identities(Answers({"": "111111111111"}))


def test_an_endpoint_that_is_no_url_and_a_region_that_is_no_name() -> None:
    with pytest.raises(AwsError, match=r"Invalid endpoint: not-a-url: endpoint_url must be a URL such as http://127\.0\.0\.1:4566"):
        Sessions(KEYS | {"endpoint_url": "not-a-url"}).named_client("", "ec2", "us-east-1")
    with pytest.raises(EndpointUnreachable, match="'us east 1' is not the name of a Region: check region"):
        Sessions(KEYS | {"region": "us east 1"}).named_client("", "ec2", "us east 1")


@pytest.mark.parametrize("missing", ["boto3", "ansible_collections.amazon"])
def test_what_is_missing_is_one_line_that_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CloudnetError) as caught:
        Sessions(KEYS).named_client("", "ec2", "us-east-1")
    expected = {
        "boto3": "Failed to import the required Python library (boto3 and botocore)",
        "ansible_collections.amazon": "ansible-galaxy collection install amazon.aws",
    }
    assert expected[missing] in str(caught.value) and "\n" not in str(caught.value)


def test_importing_the_room_imports_no_boto3() -> None:
    code = (
        "import sys\n"
        "from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import client, mapping, observe, pacing, quotas, repeat\n"
        "from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import sessions, targets, waiters\n"
        "sys.exit(','.join(name for name in ('boto3', 'botocore', 'ansible_collections.amazon') if name in sys.modules) or 0)"
    )
    root = Path(__file__).parents[3] / "playbooks" / "collections"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
