# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab or AWS: which endpoint a session would use, and a guard against the wrong one. Pure; needs no boto3.

Where botocore looks for an endpoint, in this order: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..errors import CloudnetError

LAB, AWS = "lab", "aws"


def is_loopback(url: str | None) -> bool:
    """Whether a URL leads to this machine: 127.0.0.0/8, ::1, or localhost under any of its names. No URL (AWS's own endpoints) does not."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower() if url else ""
    if host == "localhost" or host.endswith((".localhost", ".localdomain")):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback or (mapped or address).is_unspecified)


def endpoint_of(
    service: str,
    *,
    param: str | None = None,
    environ: Mapping[str, str],
    profile: Mapping[str, object] | None = None,
    services: Mapping[str, Mapping[str, object]] | None = None,
) -> str:
    """The endpoint URL that botocore would use for a service (``ec2``), or an empty string for AWS's own.

    ``param``: the module's endpoint_url. ``profile``: the profile's settings in the config file; ``services``: its ``[services NAME]``
    sections.
    """
    if param:
        return param
    profile = profile or {}
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or profile.get("ignore_configured_endpoint_urls") or ""
    if str(ignored).lower() == "true":
        return ""
    key = service.lower().replace("-", "_").replace(" ", "_")
    section = (services or {}).get(str(profile.get("services") or ""), {}).get(key, {})
    own = section.get("endpoint_url") if isinstance(section, Mapping) else ""
    found = environ.get(f"AWS_ENDPOINT_URL_{key.upper()}") or environ.get("AWS_ENDPOINT_URL") or own or profile.get("endpoint_url") or ""
    return str(found)


def check_target(target: str | None, endpoint: str | None) -> None:
    """Raise CloudnetError unless ``endpoint`` is where ``target`` wants to go:

    ``lab`` a loopback one, ``aws`` any other; None takes both.
    """
    if target == AWS and is_loopback(endpoint):
        raise CloudnetError(
            f"target is aws, but the endpoint is {endpoint}, on this machine: unset AWS_ENDPOINT_URL and endpoint_url, or say target lab"
        )
    if target == LAB and not is_loopback(endpoint):
        where = endpoint or "AWS's own"
        text = f"target is lab, but the endpoint is {where}, not one on this machine"
        raise CloudnetError(f"{text}: start the lab and use its endpoint, or say target aws")
    if target not in (None, "", AWS, LAB):
        raise CloudnetError(f"target is {target!r}, but must be lab or aws")
