# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for AWS's services and the internet's server, over loopback: plain and TLS on one port, one honest answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import CONTROLLER, SERVER, service_address
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services import answers
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.answers import Answers
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.listening import Listener

from .sample import PLANE

REQUEST = b"GET /any HTTP/1.1\r\nHost: ssm.us-east-1.amazonaws.com\r\n\r\n"


def talk(namespace: str, own: str, said: bytes = REQUEST, tls: ssl.SSLContext | None = None) -> bytes:
    """Say something to an address of a namespace, and read to the end."""

    async def run() -> bytes:
        made = socket.socket()
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        made.listen(4)
        service = Answers(namespace, lambda: PLANE)
        server = Listener(made, lambda one, caller, _own: service.connection(one, caller, own))
        name = "ssm.us-east-1.amazonaws.com" if tls is not None else None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.getsockname()[1], ssl=tls, server_hostname=name)
            writer.write(said)
            if tls is None:
                writer.write_eof()
            found = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return found
        finally:
            server.close()

    return asyncio.run(run())


def test_an_endpoint_says_what_it_stands_for_and_who_asked() -> None:
    found = talk("serve:vpc-hub", "10.0.1.20").decode()
    assert found.startswith("HTTP/1.1 200 OK\r\n")
    assert "stand-in for com.amazonaws.us-east-1.ssm behind the endpoint vpce-ssm, at 10.0.1.20." in found
    assert "You asked for ssm.us-east-1.amazonaws.com." in found and "Your connection came from 127.0.0.1:" in found
    head, body = found.split("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head


def test_over_tls_by_a_certificate_of_its_own_for_aws_names() -> None:
    pytest.importorskip("cryptography")
    made = answers.context(frozenset({"us-east-1"}))
    assert made is not None
    open_to_all = ssl.create_default_context()
    open_to_all.check_hostname, open_to_all.verify_mode = False, ssl.CERT_NONE
    assert b"stand-in for com.amazonaws.us-east-1.ssm" in talk("serve:vpc-hub", "10.0.1.20", tls=open_to_all)
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        talk("serve:vpc-hub", "10.0.1.20", tls=ssl.create_default_context())


def test_the_certificates_key_stays_in_memory() -> None:
    pytest.importorskip("cryptography")
    before = len(os.listdir("/proc/self/fd"))
    assert answers.context(frozenset({"eu-west-3"})) is not None
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_cryptography_only_plain_connections_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MISSING", "No module named cryptography")
    answers.context.cache_clear()
    try:
        assert talk("serve:vpc-hub", "10.0.1.20").startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionResetError):
            assert talk("serve:vpc-hub", "10.0.1.20", b"\x16\x03\x01\x00\x05hello") == b""
    finally:
        answers.context.cache_clear()


def test_the_internets_addresses() -> None:
    place = Answers("internet", lambda: PLANE)
    assert place.what(SERVER).startswith("a server on the internet")
    assert place.what(service_address("ssm.us-east-1.amazonaws.com")) == "AWS's public services"
    assert place.what(CONTROLLER) == "" and ("", 443) in place.ports() and (SERVER, 80) in place.ports()
    with pytest.raises(ConnectionResetError):
        talk("internet", CONTROLLER)


@pytest.mark.parametrize("said", [b"", b"x" * 40000, b"no request\r\n"])
def test_what_is_no_request_gets_no_answer(said: bytes) -> None:
    with contextlib.suppress(ConnectionResetError):  # closed while bytes of it were still on their way
        assert talk("serve:vpc-hub", "10.0.1.20", said) == b""
