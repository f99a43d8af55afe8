# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signature Version 4: whether a request was signed with the secret that belongs to its access key.

Written after https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Header and presigned query
are verified, for every service. Not verified are: how old a request is (the lab's clock may have been set forward, its clients' not);
the chunks of an ``aws-chunked`` body (its first signature is, which covers everything else); a body for which S3 takes no hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from posixpath import normpath
from urllib.parse import quote, unquote_plus

from .wire import Arrival

_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})")
_HASH = re.compile(r"[0-9a-f]{64}")
_UNSIGNED = "UNSIGNED-PAYLOAD"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, Region and service, which AWS derives from the secret."""
    return _hmac(_hmac(_hmac(_hmac(b"AWS4" + secret.encode(), date), region), service), "aws4_request")


@lru_cache(maxsize=1024)
def _canonical_path(path: str, as_it_is: bool) -> str:
    """The path, normalised and encoded once more; S3's object keys are taken as they are."""
    if as_it_is or path == "/":
        return path
    clean = normpath(path) if path else "/"
    clean = "/" + clean.lstrip("/")
    return quote(clean + ("/" if path.endswith("/") and not clean.endswith("/") else ""), safe="/-_.~")


def _canonical_query(query: str) -> str:
    """The query's parameters in order, encoded alike whoever wrote them; a presigned request's signature is not part of it."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _mark, value = part.partition("=")
        if part and name != "X-Amz-Signature":
            pairs.append((quote(unquote_plus(name), safe="-_.~"), quote(unquote_plus(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _parts(arrival: Arrival) -> tuple[str, str, str, str, str] | None:
    """(scope, signed headers, signature, date, payload hash) of a request; None when it is not signed in a known form."""
    headers = arrival.headers
    found = _HEADER.match(headers.get("authorization", ""))
    if found:
        given = headers.get("x-amz-content-sha256", "")
        payload = given or hashlib.sha256(arrival.body).hexdigest()
        if _HASH.fullmatch(given) and given != hashlib.sha256(arrival.body).hexdigest():
            return None
        return found[1], found[2], found[3], headers.get("x-amz-date", ""), payload
    values = dict(part.partition("=")[::2] for part in arrival.query.split("&"))
    if values.get("X-Amz-Algorithm") != _ALGORITHM:
        return None
    payload = _UNSIGNED if arrival.signing_name == "s3" else hashlib.sha256(arrival.body).hexdigest()
    scope, signed = unquote_plus(values.get("X-Amz-Credential", "")), unquote_plus(values.get("X-Amz-SignedHeaders", ""))
    return scope, signed, values.get("X-Amz-Signature", ""), values.get("X-Amz-Date", ""), payload


def verify(arrival: Arrival, secret: str) -> bool:
    """Whether the request's signature is the one that its access key's secret makes."""
    parts = _parts(arrival)
    if parts is None:
        return False
    credential, signed, signature, date, payload = parts
    names = signed.split(";")
    scope = credential.split("/")[-4:]
    if len(scope) != 4 or "host" not in names:
        return False
    lines = [f"{name}:{' '.join(arrival.headers.get(name, '').split())}" for name in names]
    canonical = "\n".join(
        (
            arrival.method,
            _canonical_path(arrival.path, arrival.signing_name == "s3"),
            _canonical_query(arrival.query),
            *lines,
            "",
            signed,
            payload,
        )
    )
    text = f"{_ALGORITHM}\n{date}\n{'/'.join(scope)}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.digest(signing_key(secret, *scope[:3]), text.encode(), "sha256").hex()
    return hmac.compare_digest(expected.encode(), signature.encode())
