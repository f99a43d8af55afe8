# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which a program talks to the lab and to nothing else, whatever its user's environment says.

Where botocore looks, and in which order: "Service-specific endpoints"
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). There are no secrets in it: keys are in the config file.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# A variable that is set to nothing is, to botocore and amazon.aws, not set.
_EMPTIED = (
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "EC2_ACCESS_KEY",
    "EC2_SECRET_KEY",
    "EC2_SECURITY_TOKEN",
    "EC2_URL",
    "S3_URL",
)
# Emptied even where the caller has none: somebody may set one between the filter and the call.
_SERVICES = [
    "AUTO_SCALING",
    "CLOUDFORMATION",
    "CLOUDTRAIL",
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "EC2",
    "EC2_INSTANCE_CONNECT",
    "ELASTIC_LOAD_BALANCING",
    "ELASTIC_LOAD_BALANCING_V2",
    "IAM",
    "KMS",
    "LAMBDA",
    "ORGANIZATIONS",
    "RAM",
    "RESOURCE_GROUPS_TAGGING_API",
    "ROUTE_53",
    "ROUTE53RESOLVER",
    "S3",
    "S3_CONTROL",
    "SECRETS_MANAGER",
    "SERVICE_QUOTAS",
    "SSM",
    "SSO",
    "SSO_OIDC",
    "STS",
]

# For a shell whose variables the printing process did not see; sh, bash and zsh all read it.
_UNSET_EVERY_ENDPOINT = r"""eval "$(env | sed -n 's/^\(AWS_ENDPOINT_URL_[A-Za-z0-9_]*\)=.*/unset \1;/p')" """.strip()


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine itself: 127.0.0.0/8, ::1 or localhost. A URL without a host is not."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def lab_environment(
    lab: Mapping[str, Any], profile: str = "", region: str = "", environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A play's ``environment`` for a lab: a result of cloudnet.vpc.lab, or whatever has its url, config_file, credentials_file,
    profile and region.

    ``environ`` is the environment that it will be laid over, by default this process's. Raises ValueError when the lab is no lab.
    """
    environ = os.environ if environ is None else environ
    missing = [key for key in ("url", "config_file", "credentials_file") if not lab.get(key)]
    if missing:
        raise ValueError(f"the lab's result has no {', '.join(missing)}; start it first (state: started), and not in check mode")
    url = str(lab["url"])
    if not is_loopback(url):
        raise ValueError(f"{url} is not on this machine, so it is no lab")
    chosen = profile or str(lab.get("profile") or "default")
    place = region or str(lab.get("region") or "us-east-1")
    result = dict.fromkeys(_EMPTIED, "")
    result.update({f"AWS_ENDPOINT_URL_{service}": "" for service in _SERVICES})
    result.update({name: "" for name in environ if name.startswith(("AWS_ENDPOINT_URL_", "AWS_BEARER_TOKEN_"))})
    result.update(
        AWS_CONFIG_FILE=str(lab["config_file"]),
        AWS_DEFAULT_PROFILE=chosen,  # botocore prefers it to AWS_PROFILE
        AWS_DEFAULT_REGION=place,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ENDPOINT_URL=url,
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false",
        AWS_PROFILE=chosen,
        AWS_REGION=place,
        AWS_SHARED_CREDENTIALS_FILE=str(lab["credentials_file"]),
        AWS_URL=url,  # amazon.aws's own name for the endpoint
        AWS_USE_DUALSTACK_ENDPOINT="false",  # either, when true, makes botocore refuse an endpoint of one's own
        AWS_USE_FIPS_ENDPOINT="false",
    )
    for name in ("NO_PROXY", "no_proxy"):
        others = [part for part in environ.get(name, "").split(",") if part.strip() and part.strip() != "127.0.0.1"]
        result[name] = ",".join([*others, "127.0.0.1"])
    return dict(sorted(result.items()))


def exports(lab: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    """Shell lines (sh, bash, zsh) that turn a shell's AWS tools to the lab; what is emptied for a play is unset here."""
    settings = lab_environment(lab, environ=environ)
    unset = [name for name, value in settings.items() if not value]
    return [
        "unset " + " ".join(unset),
        _UNSET_EVERY_ENDPOINT,
        *(f"export {name}={shlex.quote(value)}" for name, value in settings.items() if value),
    ]
