# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a caller is, in which account, and what AWS says to those whom it does not know."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.accounts import account_id, read_accounts
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from botocore.exceptions import ClientError

UNKNOWN = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI"}


def code(function: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        function(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def identity(lab: RunningLab, profile: str) -> dict[str, str]:
    """What STS says under a profile of the lab's config file, of which alone it knows the endpoint."""
    session: Any = botocore.session.Session(profile=profile)
    session.set_config_variable("config_file", str(lab.config_file))
    session.set_config_variable("credentials_file", "/dev/null")
    found = session.create_client("sts").get_caller_identity()
    return {"Account": found["Account"], "Arn": found["Arn"]}


@pytest.mark.parametrize(
    ("service", "method", "expected"),
    [
        ("ec2", "describe_vpcs", ("AuthFailure", 401)),
        ("sts", "get_caller_identity", ("InvalidClientTokenId", 403)),
        ("iam", "list_users", ("InvalidClientTokenId", 403)),
        ("ssm", "describe_parameters", ("UnrecognizedClientException", 400)),
        ("route53", "list_hosted_zones", ("InvalidClientTokenId", 403)),
        ("s3", "list_buckets", ("InvalidAccessKeyId", 403)),
    ],
)
def test_an_unknown_key_is_refused(lab: RunningLab, service: str, method: str, expected: tuple[str, int]) -> None:
    assert code(getattr(lab.client_of(service, **UNKNOWN), method)) == expected


@pytest.mark.parametrize(("service", "method"), [("ec2", "describe_vpcs"), ("sts", "get_caller_identity")])
def test_an_unsigned_call_is_refused(lab: RunningLab, service: str, method: str) -> None:
    from botocore import UNSIGNED

    client = lab.client_of(service, **UNKNOWN, signature_version=UNSIGNED)
    assert code(getattr(client, method))[0] == "MissingAuthenticationToken"


def test_the_account_is_the_keys_and_no_header_changes_that(lab: RunningLab) -> None:
    owner = lab.lab.accounts.by_id["222222222222"]
    client = lab.client_of("ec2", owner.access_key, owner.secret)
    client.meta.events.register("before-sign.ec2", lambda request, **_: request.headers.add_header("x-moto-account-id", "111111111111"))
    assert client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["OwnerId"] == "222222222222"


@pytest.mark.parametrize(("account", "number"), [("lab", "111111111111"), ("lab-peer", "222222222222")])
def test_each_profile_is_its_account(lab: RunningLab, account: str, number: str) -> None:
    assert identity(lab, account) == {"Account": number, "Arn": f"arn:aws:iam::{number}:user/cloudnet-lab"}


def test_an_assumed_role_is_in_the_roles_account(lab: RunningLab) -> None:
    answer = lab.client("sts").assume_role(RoleArn="arn:aws:iam::222222222222:role/cloudnet", RoleSessionName="me")
    given = answer["Credentials"]
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::222222222222:assumed-role/cloudnet/me"
    sts = lab.client_of("sts", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    found = sts.get_caller_identity()
    assert (found["Account"], found["Arn"]) == ("222222222222", "arn:aws:sts::222222222222:assumed-role/cloudnet/me")
    ec2 = lab.client_of("ec2", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["OwnerId"] == "222222222222"
    without = lab.client_of("ec2", given["AccessKeyId"], given["SecretAccessKey"])
    assert code(without.describe_vpcs)[0] == "AuthFailure"


@pytest.mark.parametrize("arn", ["arn:aws:iam::222222222222:role/nobody", "arn:aws:iam::999999999999:role/cloudnet"])
def test_a_role_that_does_not_exist_is_denied(lab: RunningLab, arn: str) -> None:
    assert code(lab.client("sts").assume_role, RoleArn=arn, RoleSessionName="me") == ("AccessDenied", 403)


def test_a_role_that_trusts_another_is_denied(lab: RunningLab) -> None:
    def trust(principal: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam = lab.client("iam", account="222222222222")
    iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=trust("arn:aws:iam::222222222222:root"))
    arn = "arn:aws:iam::222222222222:role/narrow"
    assert code(lab.client("sts").assume_role, RoleArn=arn, RoleSessionName="me")[0] == "AccessDenied"
    lab.client("sts", account="222222222222").assume_role(RoleArn=arn, RoleSessionName="me")
    iam.update_assume_role_policy(RoleName="narrow", PolicyDocument=trust("111111111111"))
    lab.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")


@pytest.mark.parametrize(
    ("service", "method", "expected"),
    [
        ("ec2", "describe_vpcs", "RequestExpired"),
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("ssm", "describe_parameters", "ExpiredTokenException"),
        ("s3", "list_buckets", "ExpiredToken"),
    ],
)
def test_temporary_credentials_end(lab: RunningLab, service: str, method: str, expected: str) -> None:
    given = lab.client("sts").assume_role(RoleArn="arn:aws:iam::222222222222:role/cloudnet", RoleSessionName="me", DurationSeconds=900)
    keys = given["Credentials"]
    client = lab.client_of(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    getattr(client, method)()
    lab.control.advance(899 - 30)
    getattr(client, method)()
    lab.control.advance(60)
    assert code(getattr(client, method))[0] == expected


def test_session_tokens_are_the_callers(lab: RunningLab) -> None:
    keys = lab.client("sts", account="222222222222").get_session_token()["Credentials"]
    sts = lab.client_of("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::222222222222:user/cloudnet-lab"
    keys = lab.client("sts").get_federation_token(Name="guest")["Credentials"]
    sts = lab.client_of("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert sts.get_caller_identity()["Arn"] == "arn:aws:sts::111111111111:federated-user/guest"
    assert sts.get_access_key_info(AccessKeyId=keys["AccessKeyId"])["Account"] == "111111111111"


def test_keys_that_iam_makes_work_until_they_are_deleted(lab: RunningLab) -> None:
    iam = lab.client("iam", account="222222222222")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    sts = lab.client_of("sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::222222222222:user/ann"
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    assert code(sts.get_caller_identity)[0] == "InvalidClientTokenId"


def test_ids_follow_from_names() -> None:
    assert account_id("lab") == "111111111111"
    assert account_id("333333333333") == "333333333333"
    ids = {account_id(f"account-{number}") for number in range(500)}
    assert len(ids) == 500
    assert all(len(found) == 12 and found.isdigit() and found[0] != "0" for found in ids)
    assert account_id("dev") == account_id("dev")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [(["a b"], "a b"), ([{"name": "x", "id": "12"}], "account x: id '12' is not 12 digits"), ([""], "not a name")],
)
def test_account_names_are_checked(wanted: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_accounts(wanted)


def test_added_accounts_are_there_with_user_role_and_profile(lab: RunningLab) -> None:
    answer = lab.control.accounts(add=["audit", "333333333333"])
    assert {"audit", "333333333333"} <= {account["name"] for account in answer["accounts"]}
    assert lab.control.accounts(add=["audit"])["changed"] is False
    number = account_id("audit")
    assert identity(lab, "audit")["Account"] == number
    assert identity(lab, "333333333333")["Account"] == "333333333333"
    assert lab.client("iam", account="audit").get_role(RoleName="cloudnet")["Role"]["Arn"] == f"arn:aws:iam::{number}:role/cloudnet"


def test_a_topologys_accounts_are_made_as_it_names_them(lab: RunningLab) -> None:
    role = "arn:aws:iam::444444444444:role/teams/net"
    wanted = {
        "shared": {"profile": "shared-services"},
        "dev": {"role_arn": role},
        "ops": {"account_id": "555555555555"},
        "both": {"profile": "sandbox", "role_arn": "arn:aws:iam::666666666666:role/cloudnet"},
        "mine": {"profile": "lab"},
    }
    made = lab.control.accounts(topology=wanted)["topology"]
    for name, entry in made.items():
        assert identity(lab, entry["profile"])["Account"] == entry["account_id"], name
        sts = lab.client("sts")
        assert (
            sts.assume_role(RoleArn=entry["role_arn"], RoleSessionName="me")["AssumedRoleUser"]["Arn"].split(":")[4] == entry["account_id"]
        )
    assert made["shared"] == {
        "profile": "shared-services",
        "account_id": account_id("shared-services"),
        "role_arn": f"arn:aws:iam::{account_id('shared-services')}:role/cloudnet",
    }
    assert made["dev"] == {"profile": "dev", "account_id": "444444444444", "role_arn": role}
    assert identity(lab, "dev")["Arn"] == "arn:aws:sts::444444444444:assumed-role/net/cloudnet-lab"
    assert (made["ops"]["profile"], made["ops"]["account_id"]) == ("ops", "555555555555")
    assert (made["both"]["profile"], made["both"]["account_id"]) == ("sandbox", "666666666666")
    assert made["mine"]["account_id"] == "111111111111"
    again = lab.control.accounts(topology=wanted)
    assert (again["changed"], again["topology"]) == (False, made)
    lab.control.reset()
    assert identity(lab, "dev")["Account"] == "444444444444"


def test_two_topologies_may_use_one_name_for_two_accounts(lab: RunningLab) -> None:
    first = lab.control.accounts(topology={"team": {"account_id": "777777777777"}})["topology"]["team"]
    second = lab.control.accounts(topology={"team": {"account_id": "888888888888"}})["topology"]["team"]
    assert (first["profile"], second["profile"]) == ("team", "team-888888888888")
    assert identity(lab, second["profile"])["Account"] == "888888888888"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"role_arn": "arn:aws:iam::1:role/x"}, "accounts.dev.role_arn"),
        ({"account_id": "12"}, "accounts.dev.account_id"),
        ({"profile": "a b"}, "accounts.dev"),
        ({"profile": "lab", "account_id": "222222222222"}, "profile lab is account 111111111111"),
        ({"account_id": "222222222222", "role_arn": "arn:aws:iam::111111111111:role/x"}, "role_arn is in account 111111111111"),
    ],
)
def test_a_topologys_account_that_cannot_be_is_named(lab: RunningLab, entry: dict[str, str], says: str) -> None:
    before = lab.control.accounts()["accounts"]
    with pytest.raises(LabError, match=says):
        lab.control.accounts(topology={"fine": {"account_id": "999999999998"}, "dev": entry})
    assert lab.control.accounts()["accounts"] == before
