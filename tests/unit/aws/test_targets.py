# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab or AWS: what counts as this machine, and that we resolve endpoints exactly as botocore does."""

from __future__ import annotations

import configparser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.targets import check_target, endpoint_of, is_loopback
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError

LAB, REAL = "http://127.0.0.1:4566", "https://ec2.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.8.9.10", True),
        ("https://localhost:1", True),
        ("http://LOCALHOST.:1", True),
        ("http://ec2.localhost", True),
        ("http://localhost.localdomain", True),
        ("http://[::1]:4566", True),
        ("http://[::ffff:127.0.0.1]:4566", True),
        ("http://0.0.0.0:4566", True),
        ("http://[::]:4566", True),
        ("http://user:secret@127.0.0.1:4566/path", True),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("https://example.com/127.0.0.1", False),
        ("http://10.0.0.1:4566", False),
        (REAL, False),
        ("", False),
        (None, False),
    ],
)
def test_is_loopback(url: str | None, here: bool) -> None:
    assert is_loopback(url) is here


@pytest.mark.parametrize(("target", "url"), [("lab", LAB), ("aws", REAL), ("aws", ""), ("aws", None), (None, LAB), (None, REAL), ("", LAB)])
def test_the_right_endpoint_passes(target: str | None, url: str | None) -> None:
    check_target(target, url)


@pytest.mark.parametrize(
    ("target", "url", "message"),
    [
        (
            "aws",
            LAB,
            "target is aws, but the endpoint is http://127.0.0.1:4566, on this machine: "
            "unset AWS_ENDPOINT_URL and endpoint_url, or say target lab",
        ),
        (
            "lab",
            REAL,
            f"target is lab, but the endpoint is {REAL}, not one on this machine: start the lab and use its endpoint, or say target aws",
        ),
        (
            "lab",
            None,
            "target is lab, but the endpoint is AWS's own, not one on this machine: start the lab and use its endpoint, or say target aws",
        ),
        ("azure", REAL, "target is 'azure', but must be lab or aws"),
    ],
)
def test_the_wrong_endpoint_is_refused(target: str, url: str | None, message: str) -> None:
    with pytest.raises(CloudnetError) as caught:
        check_target(target, url)
    assert str(caught.value) == message


#: Where an endpoint can be set, and each with a URL of its own.
SOURCES = ("param", "env_service", "env_global", "config_service", "config_global")


@pytest.mark.parametrize("ignore", ["", "env", "config", "false"])
@pytest.mark.parametrize("chosen", list(product([False, True], repeat=5)), ids=lambda row: "".join("x" if set_ else "-" for set_ in row))
def test_we_resolve_as_botocore_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: tuple[bool, ...], ignore: str) -> None:
    url = {name: f"http://{name.replace('_', '-')}.test" for name, set_ in zip(SOURCES, chosen, strict=True) if set_}
    environ: dict[str, str] = {}
    profile: dict[str, Any] = {"region": "us-east-1"}
    services: dict[str, dict[str, Any]] = {}
    if "env_service" in url:
        environ["AWS_ENDPOINT_URL_EC2"] = url["env_service"]
    if "env_global" in url:
        environ["AWS_ENDPOINT_URL"] = url["env_global"]
    if "config_service" in url:
        profile["services"] = "mine"
        services["mine"] = {"ec2": {"endpoint_url": url["config_service"]}}
    if "config_global" in url:
        profile["endpoint_url"] = url["config_global"]
    if ignore == "env":
        environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    elif ignore == "config":
        profile["ignore_configured_endpoint_urls"] = "true"
    elif ignore == "false":
        environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "false"
        profile["ignore_configured_endpoint_urls"] = "true"
    ours = endpoint_of("ec2", param=url.get("param"), environ=environ, profile=profile, services=services)
    assert (ours or "https://ec2.us-east-1.amazonaws.com") == botocores(tmp_path, monkeypatch, environ, profile, services, url.get("param"))


def botocores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], profile: Any, services: Any, param: str | None
) -> str:
    import botocore.session

    config = configparser.ConfigParser()
    config["default"] = profile
    text = "\n".join(
        f"[services {name}]\n{service} =\n  endpoint_url = {told['endpoint_url']}"
        for name, part in services.items()
        for service, told in part.items()
    )
    path = tmp_path / "config"
    with path.open("w") as file:
        config.write(file)
        file.write(text + "\n")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = LOADED.setdefault("session", botocore.session.get_session())
    fresh = botocore.session.get_session()
    fresh.register_component("data_loader", session.get_component("data_loader"))
    client = fresh.create_client("ec2", endpoint_url=param, aws_access_key_id="x", aws_secret_access_key="y")
    return str(client.meta.endpoint_url)


LOADED: dict[str, Any] = {}


def test_an_empty_variable_is_no_endpoint() -> None:
    environ = {"AWS_ENDPOINT_URL_EC2": "", "AWS_ENDPOINT_URL": LAB}
    assert endpoint_of("ec2", environ=environ) == LAB
    assert endpoint_of("service-quotas", environ={"AWS_ENDPOINT_URL_SERVICE_QUOTAS": LAB}) == LAB
