# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way of failing has words of its own: one line each, held in a golden file that a reader can judge.

``CLOUDNET_UPDATE_GOLDEN=1 pytest tests/unit/aws/test_mapping.py`` writes the file anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.mapping import Call, from_answer, from_exception, one_line, resource_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, AwsError, CredentialsError, EndpointUnreachable
from botocore import exceptions as boto

from .aws_fakes import refusal

GOLDEN = Path(__file__).parent / "golden" / "errors.txt"
ROUTE = Call("ec2:CreateRoute", "111122223333", "us-east-1", "rtb-0123456789abcdef0 10.0.0.0/16", "ops")
SIGN_IN = Call("sts:GetCallerIdentity", "", "us-east-1", "", "dev")
AMBIENT = Call("sts:GetCallerIdentity", "", "us-east-1")
DENIED = (
    "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/eve is not authorized to perform: "
    "ec2:CreateRoute on resource: arn:aws:ec2:us-east-1:111122223333:route-table/rtb-0123456789abcdef0 "
    "because no identity-based policy allows the "
    "ec2:CreateRoute action. Encoded authorization failure message: " + "Qx9" * 60
)
LAB, REAL = "http://127.0.0.1:4566", "https://ec2.us-esat-1.amazonaws.com/"


def answer(code: str, message: str = "", call: Call = ROUTE) -> AwsError:
    return from_answer(code, message, call)


CASES: dict[str, tuple[type[AwsError], AwsError]] = {
    "denied, as EC2 says it": (AccessDenied, answer("UnauthorizedOperation", DENIED)),
    "denied, with nothing said": (AccessDenied, answer("UnauthorizedOperation", "You are not authorized to perform this operation.")),
    "denied, as others say it": (
        AccessDenied,
        answer(
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/eve is not authorized to perform: servicequotas:ListServiceQuotas",
            Call("servicequotas:ListServiceQuotas", "111122223333", "us-east-1"),
        ),
    ),
    "denied to assume a role": (
        AccessDenied,
        from_exception(
            refusal("AccessDenied", "User: arn:aws:iam::1:user/eve is not authorized to perform: sts:AssumeRole", 403, "AssumeRole"),
            SIGN_IN,
        ),
    ),
    "expired token": (CredentialsError, answer("ExpiredToken", "The security token included in the request is expired")),
    "expired request": (CredentialsError, answer("RequestExpired", "Request has expired.")),
    "expired, as others say it": (CredentialsError, answer("ExpiredTokenException", "expired", SIGN_IN)),
    "refused by EC2": (CredentialsError, answer("AuthFailure", "AWS was not able to validate the provided access credentials")),
    "unknown key": (CredentialsError, answer("InvalidClientTokenId", "The security token included in the request is invalid.", SIGN_IN)),
    "unknown key, elsewhere": (CredentialsError, answer("UnrecognizedClientException", "The security token ... is invalid.")),
    "wrong secret": (CredentialsError, answer("SignatureDoesNotMatch", "The request signature we calculated does not match", AMBIENT)),
    "not signed up": (CredentialsError, answer("OptInRequired", "You are not subscribed to this service.")),
    "Region not known to AWS": (EndpointUnreachable, answer("InvalidRegion", "x", Call("ec2:DescribeVpcs", "111122223333", "us-esat-1"))),
    "any other": (AwsError, answer("RouteAlreadyExists", "The route identified by 10.0.0.0/16 already exists.")),
    "any other, of many lines": (AwsError, answer("InvalidParameterValue", "first\nsecond\n  third.")),
    "a key id in a message": (AwsError, answer("Odd", "The key AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE are odd")),
    "a secret in a message": (AwsError, answer("Odd", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is odd")),
    "no profile": (CredentialsError, from_exception(boto.ProfileNotFound(profile="shared-services"), SIGN_IN)),
    "no profile, by an empty variable": (CredentialsError, from_exception(boto.ProfileNotFound(profile=""), AMBIENT)),
    "no credentials": (CredentialsError, from_exception(boto.NoCredentialsError(), AMBIENT)),
    "no credentials, of a named account": (CredentialsError, from_exception(boto.NoCredentialsError(), SIGN_IN)),
    "half the credentials": (
        CredentialsError,
        from_exception(boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), AMBIENT),
    ),
    "a credential process that fails": (
        CredentialsError,
        from_exception(boto.CredentialRetrievalError(provider="custom-process", error_msg="exit status 1"), SIGN_IN),
    ),
    "single sign-on ended": (CredentialsError, from_exception(boto.UnauthorizedSSOTokenError(), SIGN_IN)),
    "single sign-on never begun": (
        CredentialsError,
        from_exception(boto.SSOTokenLoadError(error_msg="Token for x does not exist"), SIGN_IN),
    ),
    "a broken config file": (CredentialsError, from_exception(boto.ConfigParseError(path="/home/eve/.aws/config", error="x"), SIGN_IN)),
    "no Region": (AwsError, from_exception(boto.NoRegionError(), AMBIENT)),
    "no name of a Region": (
        EndpointUnreachable,
        from_exception(boto.InvalidRegionError(region_name="us east 1"), Call("ec2:DescribeVpcs", region="us east 1")),
    ),
    "the lab is not running": (
        EndpointUnreachable,
        from_exception(boto.EndpointConnectionError(endpoint_url=LAB, error="Connection refused"), ROUTE, LAB),
    ),
    "a Region that does not exist": (
        EndpointUnreachable,
        from_exception(
            boto.EndpointConnectionError(endpoint_url=REAL, error="Failed to resolve 'ec2.us-esat-1.amazonaws.com'"),
            Call("ec2:DescribeVpcs", "111122223333", "us-esat-1"),
            REAL,
        ),
    ),
    "no network": (
        EndpointUnreachable,
        from_exception(
            boto.EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com/", error="Network is unreachable"), ROUTE
        ),
    ),
    "a connection that times out": (
        EndpointUnreachable,
        from_exception(boto.ConnectTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com/", error="x"), ROUTE),
    ),
    "an answer that does not come": (
        EndpointUnreachable,
        from_exception(boto.ReadTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com/", error="x"), ROUTE),
    ),
    "a connection that breaks": (
        EndpointUnreachable,
        from_exception(boto.ConnectionClosedError(endpoint_url="https://ec2.us-east-1.amazonaws.com/", error="x"), ROUTE),
    ),
    "a certificate that is not trusted": (
        EndpointUnreachable,
        from_exception(
            boto.SSLError(endpoint_url="https://ec2.us-east-1.amazonaws.com/", error="certificate verify failed: self-signed"), ROUTE
        ),
    ),
    "a proxy in the way": (
        EndpointUnreachable,
        from_exception(
            boto.ProxyConnectionError(proxy_url="http://proxy:3128", error="refused"), ROUTE, "https://ec2.us-east-1.amazonaws.com"
        ),
    ),
    "wrong parameters": (AwsError, from_exception(boto.ParamValidationError(report="Missing required parameter: RouteTableId"), ROUTE)),
    "anything else": (AwsError, from_exception(RuntimeError("something\nodd"), ROUTE)),
}


def test_the_words_are_the_golden_ones() -> None:
    text = "".join(f"# {name}\n{error}\n" for name, (_other, error) in CASES.items())
    if os.environ.get("CLOUDNET_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_line_of_its_class_without_secrets(name: str) -> None:
    kind, error = CASES[name]
    text = str(error)
    assert error.__class__ is kind
    assert "\n" not in text and len(text) < 500
    for secret in ("Qx9Qx9", "IOSFODNN7EXAM", "wJalrXUtnFEMI", "Encoded authorization"):
        assert secret not in text


def test_an_error_carries_what_programs_need() -> None:
    error = answer("RouteAlreadyExists")
    assert (error.code, error.action, error.account, error.region, error.resource) == (
        "RouteAlreadyExists",
        "ec2:CreateRoute",
        "111122223333",
        "us-east-1",
        "rtb-0123456789abcdef0 10.0.0.0/16",
    )


def test_the_last_four_of_a_key_id_stay() -> None:
    assert one_line("AKIAIOSFODNN7EXAMPLE") == "AKIA…MPLE"


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"RouteTableId": "rtb-1", "DestinationCidrBlock": "10.0.0.0/8"}, "rtb-1 10.0.0.0/8"),
        ({"VpcPeeringConnectionIds": ["pcx-1", "pcx-2", "pcx-3"]}, "pcx-1 and 2 more"),
        ({"Resources": ["vpc-1"], "Tags": []}, "vpc-1"),
        ({"CidrBlock": "10.0.0.0/16"}, "10.0.0.0/16"),
        ({"Filters": []}, ""),
    ],
)
def test_the_resource_of_a_call(params: dict[str, object], named: str) -> None:
    assert resource_of(params) == named
