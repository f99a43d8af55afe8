# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked, and what is not: the calls of an observation, against answers by script."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import FILTER_VALUES, READS, Scope, observe, observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.files import ID_KEYS
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import SINGLE
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, AwsError, CredentialsError

from .aws_fakes import FakeApi, service_model

ME, HERE = "111111111111", "us-east-1"
#: Where the answer's key is not the file's name.
ANSWERS = {"ManagedPrefixLists": "PrefixLists"}
USUAL = frozenset({"Subnets", "RouteTables", "SecurityGroups", "SecurityGroupRules"})


def tag(kind: str, id_: str) -> dict[str, str]:
    return {"ResourceType": kind, "ResourceId": id_, "Key": "cloudnet:topology", "Value": "t"}


def vpc(name: str, **tags: str) -> dict[str, Any]:
    return {"VpcId": name, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def filtered(items: list[dict[str, Any]], **keys: str) -> Any:
    """A describe call that honours the filters given as name=key of the item (``vpc_id="VpcId"``)."""

    def answer(params: dict[str, Any]) -> list[dict[str, Any]]:
        found = items
        for rule in params.get("Filters") or params.get("Filter") or ():
            key = keys[rule["Name"].replace("-", "_")]
            found = [item for item in found if item.get(key) in rule["Values"]]
        return found

    return answer


def account(**more: Any) -> FakeApi:
    """VPCs a, b and c, each with a subnet, a table and a group with a rule."""
    names = ["vpc-a", "vpc-b", "vpc-c"]
    answers: dict[str, Any] = {
        "ec2:DescribeTags": [],
        "ec2:DescribeVpcs": [vpc(name, Name=name[-1]) for name in names],
        "ec2:DescribeVpcPeeringConnections": [],
        "ec2:DescribeSubnets": filtered([{"SubnetId": f"subnet-{n[-1]}", "VpcId": n} for n in names], vpc_id="VpcId", subnet_id="SubnetId"),
        "ec2:DescribeRouteTables": filtered(
            [{"RouteTableId": f"rtb-{n[-1]}", "VpcId": n} for n in names], vpc_id="VpcId", route_table_id="RouteTableId"
        ),
        "ec2:DescribeSecurityGroups": filtered([{"GroupId": f"sg-{n[-1]}", "VpcId": n} for n in names], vpc_id="VpcId", group_id="GroupId"),
        "ec2:DescribeSecurityGroupRules": filtered(
            [{"SecurityGroupRuleId": f"sgr-{n[-1]}", "GroupId": f"sg-{n[-1]}"} for n in names],
            group_id="GroupId",
            security_group_rule_id="SecurityGroupRuleId",
        ),
    }
    return FakeApi(answers | more)


def ids(snapshot: Any, file: str) -> list[str]:
    return [item[ID_KEYS[file]] for _other, _other, item in snapshot.items(file)]


def test_seven_calls_for_the_usual_kinds() -> None:
    api = account()
    told = observe(api, [Scope(ME, HERE, "t", USUAL, ("vpc-a", "vpc-b"))])
    assert api.actions() == [
        "DescribeRouteTables",
        "DescribeSecurityGroupRules",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeTags",
        "DescribeVpcPeeringConnections",
        "DescribeVpcs",
    ]
    assert ids(told, "Vpcs") == ["vpc-a", "vpc-b", "vpc-c"]
    assert ids(told, "Subnets") == ["subnet-a", "subnet-b"]
    assert ids(told, "SecurityGroupRules") == ["sgr-a", "sgr-b"]
    assert {file for _other, _other, file in told.files} == {*USUAL, "Vpcs", "VpcPeeringConnections"}


def test_filters_only_where_they_leave_something_out() -> None:
    api = account()
    observe(api, [Scope(ME, HERE, "t", USUAL, ("vpc-a", "vpc-b", "vpc-c"))])
    assert all(not params for _other, _other, action, params in api.asked if action != "ec2:DescribeTags")
    assert api.asked[0][3] == {"Filters": [{"Name": "key", "Values": ["cloudnet:topology"]}, {"Name": "value", "Values": ["t"]}]}


def test_vpcs_in_question_come_from_ids_tags_lookups_and_peerings() -> None:
    peerings = [{"VpcPeeringConnectionId": "pcx-1", "RequesterVpcInfo": {"VpcId": "vpc-c"}, "AccepterVpcInfo": {"VpcId": "vpc-elsewhere"}}]
    extra = [vpc("vpc-a", Name="a"), vpc("vpc-b", env="prod", team="x"), vpc("vpc-c"), vpc("vpc-d"), vpc("vpc-e")]
    api = account(
        **{
            "ec2:DescribeTags": [tag("vpc", "vpc-d"), tag("vpc-peering-connection", "pcx-1")],
            "ec2:DescribeVpcPeeringConnections": peerings,
            "ec2:DescribeVpcs": extra,
        }
    )
    observe(api, [Scope(ME, HERE, "t", frozenset({"Subnets"}), ("vpc-a", "vpc-not-here"), ({"env": "prod", "team": "x"}, {"env": "none"}))])
    asked = next(params for *_other, action, params in api.asked if action == "ec2:DescribeSubnets")
    assert asked == {"Filters": [{"Name": "vpc-id", "Values": ["vpc-a", "vpc-b", "vpc-c", "vpc-d"]}]}


def test_kinds_that_only_our_tags_tell_of_are_read_too() -> None:
    api = account(**{"ec2:DescribeTags": [tag("natgateway", "nat-1"), tag("elastic-ip", "eipalloc-1"), tag("not-yet-known", "x-1")]})
    api.answers["ec2:DescribeNatGateways"] = filtered([{"NatGatewayId": "nat-1", "VpcId": "vpc-a"}], vpc_id="VpcId")
    api.answers["ec2:DescribeAddresses"] = [{"AllocationId": "eipalloc-1"}, {"PublicIp": "198.18.0.9"}]
    told = observe(api, [Scope(ME, HERE, "t", frozenset(), ("vpc-a",))])
    assert ids(told, "NatGateways") == ["nat-1"]
    assert len(told.files[ME, HERE, "Addresses"]) == 2
    assert (ME, HERE, "Subnets") not in told.files


def test_what_is_ours_in_another_vpc_is_fetched_by_its_id() -> None:
    tags = [tag("security-group-rule", "sgr-c"), tag("subnet", "subnet-b"), tag("route-table", "rtb-a"), tag("subnet", "subnet-gone")]
    api = account(**{"ec2:DescribeTags": tags})
    told = observe(api, [Scope(ME, HERE, "t", USUAL, ("vpc-a",))])
    assert ids(told, "SecurityGroupRules") == ["sgr-a", "sgr-c"]
    assert ids(told, "SecurityGroups") == ["sg-a", "sg-c"]
    assert ids(told, "Subnets") == ["subnet-a", "subnet-b"]
    assert ids(told, "RouteTables") == ["rtb-a"]
    extra = [params for *_other, action, params in api.asked if action == "ec2:DescribeSubnets"][1]
    assert extra == {"Filters": [{"Name": "subnet-id", "Values": ["subnet-b", "subnet-gone"]}]}


def test_no_vpc_in_question_asks_for_nothing_in_vpcs() -> None:
    api = account()
    told = observe(api, [Scope(ME, HERE, "t", USUAL, ())])
    assert api.actions() == ["DescribeTags", "DescribeVpcPeeringConnections", "DescribeVpcs"]
    assert told.files[ME, HERE, "SecurityGroupRules"] == () and told.files[ME, HERE, "Subnets"] == ()


def test_without_a_topology_no_tags_are_asked_for() -> None:
    api = account()
    observe(api, [Scope(ME, HERE)])
    assert api.actions() == ["DescribeVpcPeeringConnections", "DescribeVpcs"]


def test_dns_attributes_cost_two_calls_a_vpc_and_only_where_they_matter() -> None:
    api = account()
    api.answers["ec2:DescribeVpcAttribute"] = lambda params: {
        "VpcId": params["VpcId"],
        params["Attribute"][0].upper() + params["Attribute"][1:]: {"Value": True},
    }
    told = observe(api, [Scope(ME, HERE, "t", frozenset(), ("vpc-a", "vpc-b"), dns_vpcs=("vpc-b", "vpc-not-here"))])
    assert told.files[ME, HERE, "VpcAttributes"] == (
        {"VpcId": "vpc-b", "EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": True}},
    )
    assert api.actions().count("DescribeVpcAttribute") == 2
    again = observe(api, [Scope(ME, HERE, "t", frozenset(), ("vpc-a", "vpc-b"), dns_topology=True)])
    assert ids(again, "VpcAttributes") == ["vpc-a", "vpc-b"]


def test_a_vpc_that_vanishes_while_it_is_looked_at_is_not_there() -> None:
    api = account()
    gone = AwsError("no such VPC", code="InvalidVpcID.NotFound")
    api.answers["ec2:DescribeVpcAttribute"] = lambda params: gone if params["VpcId"] == "vpc-b" else {"VpcId": params["VpcId"]}
    told = observe(api, [Scope(ME, HERE, "t", frozenset(), ("vpc-a", "vpc-b"), dns_topology=True)])
    assert ids(told, "VpcAttributes") == ["vpc-a"] and "vpc-b" not in ids(told, "Vpcs")


def test_what_vanishes_otherwise_has_all_read_once_more() -> None:
    answers = [AwsError("no such list", code="InvalidPrefixListID.NotFound"), [{"Cidr": "10.0.0.0/8"}]]
    api = account(**{"ec2:DescribeTags": [tag("prefix-list", "pl-1")]})
    api.answers["ec2:DescribeManagedPrefixLists"] = [{"PrefixListId": "pl-1", "State": "create-complete"}]
    api.answers["ec2:GetManagedPrefixListEntries"] = lambda params: answers.pop(0)
    assert ids(observe(api, [Scope(ME, HERE, "t")]), "PrefixListEntries") == ["pl-1"]
    assert api.actions().count("DescribeVpcs") == 2
    api.answers["ec2:GetManagedPrefixListEntries"] = AwsError("no such list", code="InvalidPrefixListID.NotFound")
    with pytest.raises(AwsError, match="no such list"):
        observe(api, [Scope(ME, HERE, "t")])


def test_interfaces_are_read_where_two_vpcs_have_one_name() -> None:
    """Which of them is in use decides."""
    named = [{**vpc(f"vpc-{key}"), "Tags": [{"Key": "cloudnet:name", "Value": name}]} for key, name in zip("abc", "xxy", strict=True)]
    api = account(**{"ec2:DescribeTags": [tag("vpc", "vpc-a"), tag("vpc", "vpc-b"), tag("vpc", "vpc-c")], "ec2:DescribeVpcs": named})
    observe(api, [Scope(ME, HERE, "t")])
    assert "DescribeNetworkInterfaces" in api.actions()
    api = account(**{"ec2:DescribeTags": [tag("vpc", "vpc-a"), tag("vpc", "vpc-c")], "ec2:DescribeVpcs": named})
    observe(api, [Scope(ME, HERE, "t")])
    assert "DescribeNetworkInterfaces" not in api.actions()


def test_instances_are_read_where_tags_tell_of_some() -> None:
    """Also those that a topology declares no longer."""
    api = account(**{"ec2:DescribeTags": [tag("vpc", "vpc-a"), tag("instance", "i-1")]})
    observe(api, [Scope(ME, HERE, "t")])
    assert "DescribeInstances" in api.actions()


def test_entries_of_our_prefix_lists_only() -> None:
    api = account(**{"ec2:DescribeTags": [tag("prefix-list", "pl-1")]})
    api.answers["ec2:DescribeManagedPrefixLists"] = [{"PrefixListId": f"pl-{n}", "State": "create-complete"} for n in (1, 2, 3)]
    api.answers["ec2:GetManagedPrefixListEntries"] = [{"Cidr": "10.0.0.0/8"}]
    told = observe(api, [Scope(ME, HERE, "t", prefix_lists=("pl-3",))])
    assert ids(told, "PrefixListEntries") == ["pl-1", "pl-3"]
    assert told.files[ME, HERE, "PrefixListEntries"][0]["Entries"] == [{"Cidr": "10.0.0.0/8"}]


def test_many_vpcs_are_asked_in_shares_unless_most_are_wanted() -> None:
    names = [f"vpc-{n:04}" for n in range(1000)]
    api = FakeApi({"ec2:DescribeVpcs": [vpc(name) for name in names]})
    observe(api, [Scope(ME, HERE, "", frozenset({"Subnets"}), tuple(names[:450]))])
    sizes = [len(params["Filters"][0]["Values"]) for *_other, action, params in api.asked if action == "ec2:DescribeSubnets"]
    assert sorted(sizes) == [50, FILTER_VALUES, FILTER_VALUES]
    api.asked.clear()
    observe(api, [Scope(ME, HERE, "", frozenset({"Subnets"}), tuple(names[:501]))])
    assert [params for *_other, action, params in api.asked if action == "ec2:DescribeSubnets"] == [{}]


def test_several_accounts_and_regions_at_once() -> None:
    api = account()
    scopes = [Scope(owner, region, "t", USUAL, None) for owner in (ME, "222222222222") for region in (HERE, "eu-west-1")]
    told = observe(api, scopes)
    assert told.places == tuple(sorted((scope.account, scope.region) for scope in scopes))
    assert len(api.asked) == 28


def test_nothing_wanted_is_nothing_asked() -> None:
    assert observe(account(), []).files == {}


@pytest.mark.parametrize("action", ["ec2:DescribeTags", "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroupRules"])
def test_a_failing_call_fails_the_observation(action: str) -> None:
    api = account(**{action: AccessDenied("denied", action=action)})
    with pytest.raises(AccessDenied, match="denied"):
        observe(api, [Scope(ME, HERE, "t", USUAL, ("vpc-a",))])


def test_everything_goes_on_without_what_may_be_missing_but_not_without_the_rest() -> None:
    api = account(**{"ec2:DescribeTransitGateways": AwsError("ec2:DescribeTransitGateways failed: UnsupportedOperation")})
    told = observe_all(api, [(ME, HERE)])
    assert told.warnings == ("TransitGateways left out: ec2:DescribeTransitGateways failed: UnsupportedOperation",)
    assert told.untold == {(ME, HERE, "TransitGateways")}
    assert (ME, HERE, "TransitGateways") not in told.files and (ME, HERE, "TransitGatewayAttachments") in told.files
    for error in (CredentialsError("expired"), AwsError("broken")):
        api.answers["ec2:DescribeRouteTables"] = error
        with pytest.raises(type(error)):
            observe_all(api, [(ME, HERE)])
    api.answers["ec2:DescribeRouteTables"] = []
    api.answers["ec2:DescribeVpnGateways"] = CredentialsError("expired")
    with pytest.raises(CredentialsError):
        observe_all(api, [(ME, HERE)])


@pytest.mark.parametrize(("code", "untold"), [("UnauthorizedOperation", True), ("InvalidAction", False), ("UnsupportedOperation", False)])
def test_what_may_not_be_read_is_in_doubt_and_what_is_not_known_there_is_off(code: str, untold: bool) -> None:
    api = account(**{"ec2:DescribeVpcEncryptionControls": AwsError(f"failed: {code}", code=code)})
    told = observe_all(api, [(ME, HERE)])
    assert told.warnings == (f"VpcEncryptionControls left out: failed: {code}",)
    assert told.untold == ({(ME, HERE, "VpcEncryptionControls")} if untold else set())


def test_everything_holds_transit_gateway_routes_as_batfish_reads_them() -> None:
    api = account()
    api.answers["ec2:DescribeTransitGatewayRouteTables"] = [{"TransitGatewayRouteTableId": "tgw-rtb-1"}]
    api.answers["ec2:SearchTransitGatewayRoutes"] = [{"DestinationCidrBlock": "10.0.0.0/8", "Type": "static"}]
    api.answers["ec2:GetTransitGatewayRouteTablePropagations"] = [{"TransitGatewayAttachmentId": "tgw-attach-1"}]
    told = observe_all(api, [(ME, HERE)]).files
    assert told[ME, HERE, "TransitGatewayStaticRoutes"] == (
        {"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/8", "Type": "static"}]},
    )
    assert told[ME, HERE, "TransitGatewayPropagations"] == (
        {
            "TransitGatewayRouteTableId": "tgw-rtb-1",
            "TransitGatewayRouteTablePropagations": [{"TransitGatewayAttachmentId": "tgw-attach-1"}],
        },
    )


@pytest.mark.parametrize("file", READS)
def test_the_table_names_calls_filters_and_files_that_exist(file: str) -> None:
    read = READS[file]
    operation = service_model("ec2").operation_model(read.action.partition(":")[2])
    assert not read.filters or read.filters in operation.input_shape.members
    assert read.filters or not (read.vpc or read.id)
    kind = "structure" if file in SINGLE else "list"
    assert next(name for name, shape in operation.output_shape.members.items() if shape.type_name == kind) == ANSWERS.get(file, file)
    documented = operation.input_shape.members[read.filters].documentation if read.filters else ""
    for name in (read.vpc, read.id):
        assert not name or f"<code>{name}</code>" in documented


def test_tags_tell_the_types_that_aws_has() -> None:
    """``nat-gateway`` is not AWS's word, but some emulators'."""
    types = set(service_model("ec2").shape_for("ResourceType").enum)
    told = {kind for read in READS.values() for kind in read.tag_types}
    assert told - types == {"nat-gateway"}
