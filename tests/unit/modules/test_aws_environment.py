# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter aws_environment, asked of botocore itself: a profile counts, whatever else the environment holds."""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest
from ansible_collections.cloudnet.vpc.plugins.filter.aws_environment import FilterModule, aws_environment

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
    "AWS_SECRET_ACCESS_KEY": "hostile",
    "AWS_SESSION_TOKEN": "hostile",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@pytest.fixture(autouse=True)
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text("[profile mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = mine\nregion = us-west-2\n")
    for name, value in {**HOSTILE, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)


def test_a_profile_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment("mine", "ap-south-1").items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session()
    credentials = session.get_credentials()
    assert credentials is not None and credentials.access_key == "AKIAMINE" and not credentials.token
    assert session.region_name == "ap-south-1"


def test_without_a_profile_nothing_is_touched() -> None:
    assert aws_environment("") == {} == aws_environment(None)
    assert aws_environment("", "ap-south-1") == {"AWS_DEFAULT_REGION": "ap-south-1", "AWS_REGION": "ap-south-1"}


def test_a_config_file_of_ours_comes_before_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "aws_config"
    config.write_text("[profile mine]\nregion = eu-north-1\n")
    for name, value in aws_environment("mine", config_file=str(config)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert boto3.session.Session().region_name == "eu-north-1"


def test_an_empty_profile_is_never_set() -> None:
    assert "" not in (aws_environment("mine")["AWS_PROFILE"], aws_environment("mine")["AWS_DEFAULT_PROFILE"])
    assert FilterModule().filters() == {"aws_environment": aws_environment}
