# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong secret is found, whatever the service speaks; what botocore signs is accepted, whatever is in the request."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import identity
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.signatures import verify
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import Arrival, read_arrival
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SERVICES = [
    ("ec2", "describe_vpcs", {}, ("AuthFailure", 401)),
    ("sts", "get_caller_identity", {}, ("SignatureDoesNotMatch", 403)),
    ("iam", "list_users", {}, ("SignatureDoesNotMatch", 403)),
    ("ssm", "describe_parameters", {}, ("InvalidSignatureException", 400)),
    ("logs", "describe_log_groups", {}, ("InvalidSignatureException", 400)),
    ("route53", "list_hosted_zones", {}, ("SignatureDoesNotMatch", 403)),
    ("s3", "list_buckets", {}, ("SignatureDoesNotMatch", 403)),
    ("lambda", "list_functions", {}, ("InvalidSignatureException", 403)),
]


def code(function: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        function(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(("service", "method", "params", "expected"), SERVICES)
def test_a_wrong_secret(lab: RunningLab, service: str, method: str, params: dict[str, Any], expected: tuple[str, int]) -> None:
    owner = lab.lab.accounts.by_id["111111111111"]
    right, wrong = (lab.client_of(service, owner.access_key, secret) for secret in (owner.secret, owner.secret[:-1] + "~"))
    getattr(right, method)(**params)
    assert code(getattr(wrong, method), **params) == expected


def test_a_wrong_secret_of_temporary_credentials_and_of_a_user(lab: RunningLab) -> None:
    given = lab.client("sts").assume_role(RoleArn="arn:aws:iam::222222222222:role/cloudnet", RoleSessionName="me")["Credentials"]
    lab.client_of("ec2", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]).describe_vpcs()
    wrong = lab.client_of("sts", given["AccessKeyId"], "other", given["SessionToken"])
    assert code(wrong.get_caller_identity) == ("SignatureDoesNotMatch", 403)
    lab.client("iam").create_user(UserName="ann")
    key = lab.client("iam").create_access_key(UserName="ann")["AccessKey"]
    found = lab.client_of("sts", key["AccessKeyId"], key["SecretAccessKey"]).get_caller_identity()
    assert found["Arn"] == "arn:aws:iam::111111111111:user/ann"
    assert code(lab.client_of("sts", key["AccessKeyId"], "other").get_caller_identity) == ("SignatureDoesNotMatch", 403)


def test_a_request_that_was_changed_on_the_way(lab: RunningLab) -> None:
    owner = lab.lab.accounts.by_id["111111111111"]
    client = lab.client_of("ec2", owner.access_key, owner.secret)

    def change(request: Any, **_more: Any) -> None:
        request.body = (
            request.body.replace(b"10.0.0.0", b"10.9.0.0") if isinstance(request.body, bytes) else request.body.replace("10.0", "10.9")
        )

    client.meta.events.register("before-send.ec2.CreateVpc", change)
    assert code(client.create_vpc, CidrBlock="10.0.0.0/16") == ("AuthFailure", 401)
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == []


def test_objects_and_their_presigned_addresses(lab: RunningLab) -> None:
    s3 = lab.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="bucket")
    for key in ("plain", "a b/ü+&=?.txt", "a//b/../c"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"text")
        assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == b"text"
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": key}, ExpiresIn=60)
        assert urllib.request.urlopen(url, timeout=10).read() == b"text"
    listed = s3.list_objects_v2(Bucket="bucket", Prefix="a b/ü+&")["Contents"]
    assert [item["Key"] for item in listed] == ["a b/ü+&=?.txt"]


def test_a_presigned_caller_identity(lab: RunningLab) -> None:
    url = lab.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert b"<Account>111111111111</Account>" in urllib.request.urlopen(url, timeout=10).read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), timeout=10)
    assert caught.value.code == 403
    assert b"SignatureDoesNotMatch" in caught.value.read()


def _arrive(request: AWSRequest) -> Arrival:
    """A signed request as the server reads it."""
    where = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = request.data if isinstance(request.data, bytes) else str(request.data or "").encode()
    return read_arrival(request.method, where.path, where.query, {"host": where.netloc, **headers}, body)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.dictionaries(_TEXT.filter(bool), _TEXT, max_size=4),
    st.lists(_TEXT, max_size=4),
    st.binary(),
)
def test_what_botocore_signs_is_accepted_and_with_another_secret_is_not(
    method: str, query: dict[str, str], path: list[str], body: bytes
) -> None:
    from urllib.parse import quote, urlencode

    address = "http://127.0.0.1:4566/" + "/".join(quote(part, safe="") for part in path)
    for service, auth in (("execute-api", SigV4Auth), ("s3", S3SigV4Auth), ("sts", SigV4QueryAuth)):
        if auth is SigV4QueryAuth and (method != "GET" or body):
            continue
        url = address + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        request = AWSRequest(method, url, {"Host": "127.0.0.1:4566"}, body)
        auth(Credentials("AKIAIOSFODNN7EXAMPLE", SECRET), service, "eu-west-1").add_auth(request)
        arrival = _arrive(request)
        assert verify(arrival, SECRET)
        assert not verify(arrival, SECRET + "x")
        assert not verify(replace(arrival, body=body + b"x"), SECRET) or arrival.headers.get("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ec2/aws4_request, SignedHeaders=, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=é",
    ],
)
def test_what_is_no_signature(authorization: str) -> None:
    headers = {"host": "127.0.0.1", "authorization": authorization}
    assert not verify(Arrival("POST", "/", "", headers, b""), SECRET)


def test_it_costs_little_beside_the_request(lab: RunningLab) -> None:
    """Verifying takes under a tenth of the shortest request's time, both measured here and now."""
    ec2 = lab.client("ec2")
    body = json.dumps({"x": "y" * 500}).encode()
    request = AWSRequest("POST", "http://127.0.0.1:4566/", {"Host": "127.0.0.1:4566", "Content-Type": "text/plain"}, body)
    SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", SECRET), "ec2", "us-east-1").add_auth(request)
    arrival = _arrive(request)
    ec2.describe_vpcs()

    def best(function: Any, rounds: int) -> float:
        times = []
        for _turn in range(5):
            begin = time.perf_counter()
            for _turn in range(rounds):
                function()
            times.append((time.perf_counter() - begin) / rounds)
        return min(times)

    assert best(lambda: verify(arrival, SECRET), 200) < best(ec2.describe_vpcs, 20) / 10
    assert identity.verify is verify
