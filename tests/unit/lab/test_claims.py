# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No parameter of botocore's models is accepted and dropped: each is read, or refused by its name, or changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import claims
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import AMENDMENTS, ANSWERS, CHECKS, Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.claims import harmless
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.describing import selects
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import service_model
from botocore.exceptions import ClientError
from support.reads import emulator_method, texts

SERVICES = sorted(claims.READ)
# Read by the endpoint for every action that has them.
_BY_THE_ENDPOINT = {"DryRun", "ClientToken"}
_BY_DESCRIBING = {"Filter", "Filters", "MaxResults", "NextToken", "KeyPairIds", "OwnerIds"}


def _paths(shape: Any, above: str = "", over: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every path of a structure with its shape, lists left out; a structure inside itself is not entered again."""
    for name, member in (shape.members if shape is not None else {}).items():
        inner = member
        while inner.type_name == "list":
            inner = inner.member
        yield f"{above}{name}", member
        if inner.type_name == "structure" and inner.name not in over:
            yield from _paths(inner, f"{above}{name}.", (*over, inner.name))


def _value(shape: Any) -> Any:
    """A value that asks for something."""
    if shape.type_name == "structure":
        name, member = next(iter(shape.members.items()))
        return {name: _value(member)}
    if shape.type_name == "list":
        return [_value(shape.member)]
    if shape.type_name == "map":
        return {"key": _value(shape.value)}
    return {"integer": 7, "long": 7, "double": 7.5, "float": 7.5, "boolean": True}.get(shape.type_name, "something")


def _nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("service", SERVICES)
def test_every_parameter_of_every_action_is_read_or_refused_by_its_name(service: str) -> None:
    model = service_model(service)
    for action in model.operation_names:
        if not claims.offered(service, action):
            continue
        read = claims.READ[service][action]
        for path, shape in _paths(model.operation_model(action).input_shape):
            covered = path in read or any(path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in read)
            known = any(of in (action, "*") and (other == path or other.startswith(f"{path}.")) for of, other in harmless.HARMLESS)
            if covered or known:
                continue
            with pytest.raises(Refusal, match=path.rsplit(".", 1)[-1]) as refusal:
                claims.check(service, action, _nested(path, _value(shape)))
            assert (refusal.value.code, refusal.value.status) == ("UnsupportedOperation", 400)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_declared_exists_and_is_named_in_the_code_that_answers(service: str) -> None:
    model = service_model(service)
    for action, read in claims.READ[service].items():
        shape = model.operation_model(action).input_shape
        existing = dict(_paths(shape))
        named = {text.lower() for text in texts(service, action)}
        elsewhere = _BY_THE_ENDPOINT | (_BY_DESCRIBING if selects(service, action) else set())
        for path in read - elsewhere:
            assert path in existing, f"{action}: botocore's model has no parameter {path}"
            last = path.rsplit(".", 1)[-1]
            wire = existing[path].serialization.get("name", last)
            assert {last.lower(), wire.lower()} & named, f"{action}: {path} is declared, and no code names it"


@pytest.mark.parametrize("service", SERVICES)
def test_what_the_layer_answers_is_declared(service: str) -> None:
    """A new ``instead`` or ``after`` without a declaration would take every parameter."""
    for of, action in [*ANSWERS, *AMENDMENTS]:
        assert of != service or claims.offered(service, action), f"{service}:{action} has no line in claims/"
    for action in claims.READ[service]:
        assert (service, action) in ANSWERS or emulator_method(service, action), f"{service}:{action} is declared, and nothing answers it"


def test_what_changes_nothing_exists_and_is_read_by_nobody() -> None:
    for (action, path), (_values, reason) in harmless.HARMLESS.items():
        assert reason
        service = next((name for name in SERVICES if action in claims.READ[name]), None)
        assert action == "*" or service, f"{action} is not declared"
        if service:
            assert path in dict(_paths(service_model(service).operation_model(action).input_shape)), (action, path)
            assert path not in claims.READ[service][action], (action, path)


def test_paths_below_lists_and_what_asks_for_nothing() -> None:
    claims.check("ec2", "RunInstances", {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkCardIndex": 0}], "AdditionalInfo": ""})
    claims.check("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "VpcEncryptionControl": {"Mode": ""}, "DryRun": True})
    with pytest.raises(Refusal, match=r"NetworkInterfaces\.NetworkCardIndex with the value '1'"):
        claims.check("ec2", "RunInstances", {"NetworkInterfaces": [{"DeviceIndex": 0}, {"NetworkCardIndex": 1}]})
    with pytest.raises(Refusal, match="KeyFormat"):
        claims.check("ec2", "CreateKeyPair", {"KeyName": "a", "KeyFormat": "ppk"})
    claims.check("ec2", "CreateKeyPair", {"KeyName": "a", "KeyFormat": "pem"})


def _refused(method: Any, **params: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as error:
        method(**params)
    answer = error.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_over_the_wire(lab: RunningLab) -> None:
    ec2, iam = lab.client("ec2"), lab.client("iam")
    code, message, status = _refused(ec2.create_vpc, CidrBlock="10.0.0.0/16", VpcEncryptionControl={"Mode": "monitor"})
    assert (code, status) == ("UnsupportedOperation", 400)
    assert "VpcEncryptionControl.Mode" in message
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert _refused(ec2.create_ipam)[0] == "UnsupportedOperation"
    assert "PermissionsBoundary" in _refused(iam.create_user, UserName="a", PermissionsBoundary="arn:aws:iam::aws:policy/X")[1]
    assert lab.client("sts").get_caller_identity()["Account"] == "111111111111"


@pytest.mark.parametrize(
    ("service", "action", "names", "unknown"),
    [
        ("ec2", "CreateRoute", ["RouteTableId", "DestinationCidrBlock"], "RouteTabelId"),
        ("ec2", "DescribeVpcs", ["VpcId.1", "Filter.1.Name", "Filter.1.Value.12", "MaxResults"], "Filter.1.Values.1"),
        ("ec2", "RunInstances", ["NetworkInterface.1.SecurityGroupId.2", "Placement.Tenancy"], "NetworkInterface.1.SubnetIdentifier"),
        ("iam", "CreateRole", ["RoleName", "Tags.member.1.Key"], "Tags.member.1.Kye"),
        ("sts", "AssumeRole", ["PolicyArns.member.1.arn", "Version", "X-Amz-Date"], "Role"),
    ],
)
def test_parameters_that_the_model_has_not(service: str, action: str, names: list[str], unknown: str) -> None:
    operation = service_model(service).operation_model(action)
    claims.check_names(operation, dict.fromkeys(["Action", *names], "x"))
    with pytest.raises(Refusal, match=unknown) as refusal:
        claims.check_names(operation, dict.fromkeys(["Action", *names, unknown], "x"))
    assert refusal.value.code == "UnknownParameter"


def test_checks_alone_do_not_offer_an_action() -> None:
    """What the layer refuses in its own words stays refused; see fidelity/missing.py."""
    assert ("ec2", "CreateNetworkInsightsPath") in CHECKS
    assert not claims.offered("ec2", "CreateNetworkInsightsPath")
