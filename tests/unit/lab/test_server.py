# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's port under attack: what a caller without a key can make it read, keep, hold open and write down; others are served."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import wire
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.reading import Bad, Budget, Limits, Share, read_body, read_head
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
SIGNED = b"Authorization: AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0\r\n"
MIB = 1 << 20


@pytest.fixture
def limits(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Limits]:
    """Short times and small numbers, for as long as the test."""
    small = Limits(strangers=8, connections=24, patience=1.0, idle=1.5, reading=2.0)
    monkeypatch.setattr(lab._server, "limits", small)
    monkeypatch.setattr(lab._server.crowd, "_limits", small)
    yield small


def connect(lab: RunningLab) -> socket.socket:
    return socket.create_connection(("127.0.0.1", lab.lab_port), timeout=10)


def answer(sock: socket.socket) -> bytes:
    """All of the answer until the connection ends or is silent; a reset ends it too."""
    sock.settimeout(3)
    got = b""
    try:
        while piece := sock.recv(65536):
            got += piece
    except OSError:
        pass
    return got


def ask(lab: RunningLab, raw: bytes) -> bytes:
    with connect(lab) as sock:
        with suppress(OSError):
            sock.sendall(raw)
        return answer(sock)


def serves(lab: RunningLab) -> bool:
    return lab.client("ec2").describe_vpcs()["Vpcs"] is not None


def test_a_stranger_is_answered_as_aws_words_it_and_nothing_is_decoded(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "parse_qsl", lambda *_args, **_more: pytest.fail("a form was parsed"))
    monkeypatch.setattr(wire, "service_model", lambda name: pytest.fail(f"the model of {name} was read"))
    body = b"Action=DescribeVpcs&" + b"a=b&" * 1000
    length = b"Content-Length: %d\r\nConnection: close\r\n" % len(body)
    unsigned = ask(lab, b"POST / HTTP/1.1\r\n" + FORM + length + b"\r\n" + body)
    assert unsigned.startswith(b"HTTP/1.1 403") and b"MissingAuthenticationToken" in unsigned
    unknown = ask(lab, b"POST / HTTP/1.1\r\n" + FORM + SIGNED % b"AKIAUNKNOWN" + length + b"\r\n" + body)
    assert unknown.startswith(b"HTTP/1.1 401") and b"AuthFailure" in unknown
    odd = ask(lab, b"POST / HTTP/1.1\r\n" + SIGNED.replace(b"ec2", b"../../etc") % b"x" + length + b"\r\n" + body)
    assert odd.startswith(b"HTTP/1.1 403")
    assert lab.control.calls()["places"][""]["us-east-1"] == {"ec2:DescribeVpcs": 1}


def test_of_a_stranger_one_mebibyte_is_read_and_the_key_holder_may_send_more(lab: RunningLab) -> None:
    assert ask(lab, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MIB + 1)).startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert not ask(lab, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 64).startswith(b"HTTP/1.1 40" + b"3")
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="large")
    s3.put_object(Bucket="large", Key="k", Body=b"x" * (3 * MIB))
    assert s3.head_object(Bucket="large", Key="k")["ContentLength"] == 3 * MIB


def test_a_known_key_has_its_limit_too(lab: RunningLab) -> None:
    key = lab.lab.accounts.by_id["111111111111"].access_key.encode()
    head = b"POST / HTTP/1.1\r\n" + SIGNED % key + b"Content-Length: %d\r\n\r\n"
    assert ask(lab, head % (Limits().body + 1)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nabc", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", b"400"),
        (b"GET \x00\xff HTTP/1.1\r\n\r\n", b""),
        (b"GET / HTTP/9\r\n\r\n", b""),
        (b"\r\n", b""),
        (b"\x16\x03\x01\x02\x00", b""),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\na: " + b"x" * (1 << 17) + b"\r\n\r\n", b"431"),
        (b"GET /_cloudnet/__init__ HTTP/1.1\r\nConnection: close\r\nx-cloudnet-token: \xff\xfe\r\n\r\n", b"403"),
        (b"GET /?X-Amz-Credential=a/b/c/d/e HTTP/1.1\r\nConnection: close\r\n\r\n", b"403"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 Credential=/////\r\n\r\n", b"403"),
    ],
)
def test_what_is_no_request_is_refused_and_the_lab_goes_on(lab: RunningLab, raw: bytes, status: bytes) -> None:
    with connect(lab) as sock:
        with suppress(OSError):
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
        got = answer(sock)
    assert got[9:12] in (status, b""), got[:60]
    assert serves(lab)


def test_a_flood_of_nonsense_is_a_line_in_the_log_and_no_more(lab: RunningLab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _turn in range(100):
        ask(lab, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert len(caplog.records) <= 2 and not any(record.exc_info for record in caplog.records)


def test_strangers_are_few_and_make_room_for_who_has_a_key(lab: RunningLab, limits: Limits) -> None:
    # Connections of earlier tests, with a key, may still be kept for their next request.
    before, there = threading.active_count(), len(lab._server.crowd)
    with ExitStack() as stack:
        for _turn in range(60):
            sock = stack.enter_context(connect(lab))
            sock.sendall(b"POST / HTTP/1.1\r\n")
        time.sleep(0.3)
        assert threading.active_count() - before <= limits.strangers + 2
        assert len(lab._server.crowd) <= there + limits.strangers + 2
        assert serves(lab), "the one who has a key is let in"
        fresh: Any = lab.client_of("ec2", *_keys(lab))
        assert fresh.describe_vpcs()["Vpcs"] == []


def _keys(lab: RunningLab) -> tuple[str, str]:
    owner = lab.lab.accounts.by_id["111111111111"]
    return owner.access_key, owner.secret


@pytest.mark.parametrize("drip", [b"", b"a"])
def test_a_stranger_has_no_time_to_waste_however_it_sends(lab: RunningLab, limits: Limits, drip: bytes) -> None:
    with connect(lab) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\na: ")
        since = time.monotonic()
        sock.settimeout(0.2)
        while time.monotonic() < since + 8:
            try:
                if drip:
                    sock.sendall(drip)
                if sock.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - since < limits.patience + 2


def test_a_kept_connection_ends_when_nobody_uses_it(lab: RunningLab, limits: Limits) -> None:
    with connect(lab) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        since = time.monotonic()
        assert answer(sock).startswith(b"HTTP/1.1 403")
        assert time.monotonic() - since < limits.patience + 3


def test_all_bodies_together_have_a_limit() -> None:
    budget = Budget(10)
    with Share(budget) as one:
        one.take(6)
        with Share(budget) as other, pytest.raises(Bad) as caught:
            other.take(5)
        assert caught.value.status == 503
        with Share(budget) as other:
            other.take(4)
    with Share(budget) as again:
        again.take(10)


def test_a_body_that_is_not_kept_is_read_past() -> None:
    stream = io.BufferedReader(io.BytesIO(b"x" * 10000 + b"GET"))
    assert len(read_body(stream, {"content-length": "10000"}, MIB, Limits(), None)) == 4096
    assert stream.read() == b"GET"
    chunks = b"".join(b"3\r\nabc\r\n" for _turn in range(3)) + b"0\r\nTrailer: x\r\n\r\nGET"
    stream = io.BufferedReader(io.BytesIO(chunks))
    assert read_body(stream, {"transfer-encoding": "chunked"}, MIB, Limits(), None) == b"abcabcabc"
    assert stream.read() == b"GET"


def test_chunks_of_a_byte_do_not_get_round_the_limit() -> None:
    stream = io.BufferedReader(io.BytesIO(b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n"))
    with pytest.raises(Bad) as caught:
        read_body(stream, {"transfer-encoding": "chunked"}, 1500, Limits(), None)
    assert caught.value.status == 413


def test_headers_without_end_are_not_read() -> None:
    stream = io.BufferedReader(io.BytesIO(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100000))
    with pytest.raises(Bad):
        read_head(stream, Limits())
