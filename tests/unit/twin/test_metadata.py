# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance metadata service: tokens, status codes, the tree, and the connection itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.names import mac
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import HostFacts
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services import listening
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.listening import Listener
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.metadata import Metadata, Request, Response, Tokens, respond

from .sample import FACTS, HUB, NETWORK, PLANE

ENI = NETWORK.instances[HUB].interfaces[0]
MAC = mac(ENI)
TTL, TOKEN = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()
TOKENS = Tokens(CLOCK)


def ask(path: str, method: str = "GET", plane: Plane = PLANE, host: str = HUB, **headers: str) -> Response:
    """A request of an instance; underscores in header names are hyphens."""
    told = {key.replace("_", "-"): value for key, value in headers.items()}
    facts = plane.facts.hosts.get(host) or HostFacts(host)
    return respond(Request(method, path, told), plane, plane.network.instances[host], facts, TOKENS)


def text(path: str, **options: object) -> str:
    """What stands at a path."""
    found = ask(f"/latest/{path}", **options)  # type: ignore[arg-type]
    assert found.status == 200, found
    return found.body.decode()


def changed(**told: object) -> Plane:
    """The plane with other facts of the instance."""
    return replace(PLANE, facts=replace(FACTS, hosts={HUB: replace(FACTS.hosts[HUB], **told)}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "dynamic\nmeta-data\nuser-data"),
        ("dynamic/instance-identity/", "document"),
        ("meta-data/ami-id", "ami-0123456789abcdef0"),
        ("meta-data/instance-id", HUB),
        ("meta-data/instance-type", "t3.micro"),
        ("meta-data/local-ipv4", "10.0.1.10"),
        ("meta-data/local-hostname", "ip-10-0-1-10.ec2.internal"),
        ("meta-data/hostname", "ip-10-0-1-10.ec2.internal"),
        ("meta-data/mac", MAC),
        ("meta-data/ipv6", "2600:1f18:0:1::10"),
        ("meta-data/public-ipv4", "198.18.0.1"),
        ("meta-data/public-hostname", "ec2-198-18-0-1.compute-1.amazonaws.com"),
        ("meta-data/placement/", "availability-zone\navailability-zone-id\nregion"),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/reservation-id", "r-0123456789abcdef0"),
        ("meta-data/security-groups", "web"),
        ("meta-data/services/domain", "amazonaws.com"),
        ("meta-data/public-keys/", "0=my-key"),
        ("meta-data/public-keys/0/", "openssh-key"),
        ("meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA key\n"),
        ("meta-data/tags/instance/", "Name\ntier"),
        ("meta-data/tags/instance/tier", "a b"),
        ("meta-data/iam/", "info\nsecurity-credentials/"),
        ("meta-data/iam/security-credentials/", "app"),
        ("meta-data/network/interfaces/macs/", f"{MAC}/"),
        (f"meta-data/network/interfaces/macs/{MAC}/vpc-id", "vpc-hub"),
        (f"meta-data/network/interfaces/macs/{MAC}/subnet-ipv4-cidr-block", "10.0.1.0/24"),
        (f"meta-data/network/interfaces/macs/{MAC}/interface-id", ENI),
        (f"meta-data/network/interfaces/macs/{MAC}/device-number", "0"),
        (f"meta-data/network/interfaces/macs/{MAC}/ipv4-associations/198.18.0.1", "10.0.1.10"),
        (f"meta-data/network/interfaces/macs/{MAC}/security-group-ids", "sg-web"),
        ("user-data", "#!/bin/sh\necho hello\n"),
    ],
)
def test_the_tree(path: str, expected: str) -> None:
    assert text(path) == expected
    assert ask(f"/2021-07-15/{path}").status == 200


def test_folders_are_listed_with_or_without_their_slash() -> None:
    assert text("meta-data") == text("meta-data/")
    names = text("meta-data").split("\n")
    assert names == sorted(names) and {"ami-id", "iam/", "network/", "public-keys/", "placement/", "tags/"} <= set(names)
    assert ask("/").body == b"1.0\n2021-07-15\nlatest"


def test_credentials_and_identity() -> None:
    given = json.loads(text("meta-data/iam/security-credentials/app"))
    assert given["Code"] == "Success" and given["AccessKeyId"] == "ASIAEXAMPLE" and given["SecretAccessKey"] == "very-secret"
    assert given["Token"] == "a-token" and given["Expiration"] == "2026-01-01T06:00:00Z"
    assert json.loads(text("meta-data/iam/info"))["InstanceProfileArn"].endswith("instance-profile/app")
    document = json.loads(text("dynamic/instance-identity/document"))
    assert (document["instanceId"], document["accountId"], document["region"]) == (HUB, "111111111111", "us-east-1")
    assert ask("/latest/meta-data/iam/security-credentials/other").status == 404


def test_what_an_instance_lacks_is_not_found() -> None:
    bare = NETWORK.vpcs["vpc-bare"]
    host = next(key for key, item in NETWORK.instances.items() if item.vpc == bare.id)
    for path in ("user-data", "meta-data/iam/info", "meta-data/public-keys/", "meta-data/tags/instance/", "meta-data/ipv6"):
        assert ask(f"/latest/{path}", host=host).status == 404, path
    assert text("meta-data/public-hostname", host=host) == ""
    assert text("", host=host) == "dynamic\nmeta-data"
    for path in ("/latest/meta-data/none", "/newest/meta-data/", "/latest/meta-data/ami-id/x", "/latest/meta-data/network/interfaces/x"):
        assert ask(path).status == 404, path


def test_a_token_opens_what_requires_one() -> None:
    strict = changed(tokens_required=True)
    assert ask("/latest/meta-data/ami-id", plane=strict).status == 401
    made = ask("/latest/api/token", "PUT", strict, x_aws_ec2_metadata_token_ttl_seconds="60")
    assert made.status == 200 and made.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == "60"
    token = made.body.decode()
    found = ask("/latest/meta-data/ami-id", plane=strict, x_aws_ec2_metadata_token=token)
    assert found.status == 200 and found.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == "60"
    other = next(key for key in NETWORK.instances if key != HUB)
    assert ask("/latest/meta-data/ami-id", host=other, x_aws_ec2_metadata_token=token).status == 401
    assert ask("/latest/meta-data/ami-id", x_aws_ec2_metadata_token=token[:-4] + "AAA=").status == 401
    assert ask("/latest/meta-data/ami-id", x_aws_ec2_metadata_token="no token").status == 401
    CLOCK.now += 59.5
    assert ask("/latest/meta-data/ami-id", plane=strict, x_aws_ec2_metadata_token=token).status == 200
    CLOCK.now += 0.5
    assert ask("/latest/meta-data/ami-id", x_aws_ec2_metadata_token=token).status == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-5", "abc", "9" * 5000, "²"])
def test_a_token_needs_its_life_between_one_second_and_six_hours(seconds: str) -> None:
    assert ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds=seconds).status == 400


def test_refusals() -> None:
    assert ask("/latest/api/token", "PUT", x_aws_ec2_metadata_token_ttl_seconds="60", x_forwarded_for="10.0.0.9").status == 403
    assert ask("/latest/meta-data/ami-id", "PUT").status == 405
    assert ask("/latest/meta-data/ami-id", "POST").status == 405
    assert ask("/latest/meta-data/ami-id", plane=changed(metadata=False)).status == 403
    assert b"404 - Not Found" in ask("/latest/meta-data/none").body


# -- the connection ------------------------------------------------------------------------------------------------------------


def talk(caller: str, *requests: bytes, vpc: str = "vpc-hub") -> bytes:
    """Send requests over one connection of an address in a VPC, and read until its end."""

    async def run() -> bytes:
        made = socket.socket()
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        made.listen(4)
        service = Metadata(vpc, lambda: PLANE, TOKENS)
        server = Listener(made, lambda one, _caller, own: service.connection(one, caller, own))
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.getsockname()[1])
            for request in requests:
                writer.write(request)
                await writer.drain()
                await asyncio.sleep(0.01)
            with contextlib.suppress(OSError):  # the service may have ended the connection already
                writer.write_eof()
            try:
                return await asyncio.wait_for(reader.read(), 5)
            except ConnectionResetError:
                return b""
            finally:
                writer.close()
        finally:
            server.close()

    return asyncio.run(run())


def test_connections_held_by_one_caller_keep_nobody_else_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PER_CALLER", 4)
    monkeypatch.setattr(listening, "CONNECTIONS", 10)

    async def run() -> None:
        made = socket.socket()
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        made.listen(64)
        service = Metadata("vpc-hub", lambda: PLANE, TOKENS)
        server = Listener(made, lambda one, _caller, own: service.connection(one, "10.0.1.10", own))
        at = made.getsockname()[1]
        held = []

        async def hold(caller: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", at, local_addr=(caller, 0))
            writer.write(b"G")
            held.append((caller, reader, writer))

        async def answered(caller: str) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", at, local_addr=(caller, 0))
            writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            try:
                return await asyncio.wait_for(reader.read(15), 5)
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

        try:
            for _turn in range(20):
                await hold("127.0.0.2")
            await asyncio.sleep(0.2)
            assert sum(not reader.at_eof() for _caller, reader, _writer in held) == 4
            assert await answered("127.0.0.2") == b""
            assert (await answered("127.0.0.3")).startswith(b"HTTP/1.1 200")
            for caller in ("127.0.0.4", "127.0.0.5", "127.0.0.6"):
                await hold(caller)
                await hold(caller)
            await asyncio.sleep(0.2)
            assert (await answered("127.0.0.7")).startswith(b"HTTP/1.1 200"), "the oldest of who has most made room"
            assert sum(not reader.at_eof() for caller, reader, _writer in held if caller == "127.0.0.2") == 3
        finally:
            server.close()
            for _caller, _reader, writer in held:
                writer.close()

    asyncio.run(run())


def test_several_requests_over_one_connection_in_pieces() -> None:
    said = talk(
        "10.0.1.10",
        b"GET /latest/meta-data/instance-id HT",
        b"TP/1.1\r\nHost: 169.254.169.254\r\n\r\nHEAD /latest/user-data HTTP/1.1\r\n\r\n",
        b"GET /latest/meta-data/mac?x=1 HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    )
    parts = said.split(b"HTTP/1.1 200 OK\r\n")
    assert len(parts) == 4 and parts[1].endswith(f"\r\n\r\n{HUB}".encode())
    assert b"Content-Length: 21" in parts[2] and parts[2].endswith(b"\r\n\r\n")
    assert parts[3].endswith(f"\r\n\r\n{MAC}".encode()) and b"Connection: close" in parts[3]


def test_put_and_get_as_curl_does() -> None:
    said = talk("10.0.1.10", f"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n{TTL}: 21600\r\nConnection: close\r\n\r\n".encode())
    token = said.rpartition(b"\r\n\r\n")[2].decode()
    head = f"GET /latest/meta-data/local-ipv4 HTTP/1.1\r\n{TOKEN.title()}: {token}\r\nConnection: close\r\n\r\n"
    assert talk("10.0.1.10", head.encode()).endswith(b"\r\n\r\n10.0.1.10")


def test_who_asks_is_known_by_the_address_in_that_vpc() -> None:
    request = b"GET /latest/meta-data/instance-id HTTP/1.0\r\nConnection: close\r\n\r\n"
    other = next(key for key, item in NETWORK.instances.items() if item.vpc == "vpc-open")
    assert talk("10.1.1.10", request, vpc="vpc-open").endswith(other.encode())
    assert talk("10.1.1.10", request) == b""
    assert talk("10.0.1.20", request) == b""  # an endpoint's ENI is nobody's instance


def test_what_is_no_request_is_refused_or_dropped() -> None:
    assert talk("10.0.1.10", b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert talk("10.0.1.10", b"GET http://x/ HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert talk("10.0.1.10", b"x" * 40000) == b""


def test_the_sdk_finds_its_credentials_and_region() -> None:
    """AWS's own client, with its tokens and retries, against a service that requires tokens."""
    utils = pytest.importorskip("botocore.utils")

    async def run() -> tuple[dict[str, str], str]:
        made = socket.socket()
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        made.listen(4)
        service = Metadata("vpc-hub", lambda: changed(tokens_required=True), Tokens())
        server = Listener(made, lambda one, _caller, own: service.connection(one, "10.0.1.10", own))
        options = {"base_url": f"http://127.0.0.1:{made.getsockname()[1]}/", "num_attempts": 1}
        try:
            found = await asyncio.to_thread(utils.InstanceMetadataFetcher(**options).retrieve_iam_role_credentials)
            region = await asyncio.to_thread(utils.InstanceMetadataRegionFetcher(**options).retrieve_region)
            return found, region
        finally:
            server.close()

    found, region = asyncio.run(run())
    assert (found["role_name"], found["access_key"], found["secret_key"], found["token"]) == (
        "app",
        "ASIAEXAMPLE",
        "very-secret",
        "a-token",
    )
    assert region == "us-east-1"
