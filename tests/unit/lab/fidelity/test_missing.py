# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulator lacks: answered as none, or refused in plain words; and Service Quotas out of the lab's own."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import refused


def test_none_of_it(lab: Any) -> None:
    client = lab.client("ec2")
    assert client.describe_instance_connect_endpoints()["InstanceConnectEndpoints"] == []
    with refused("InvalidInstanceConnectEndpointId.NotFound"):
        client.describe_instance_connect_endpoints(InstanceConnectEndpointIds=["eice-0123456789abcdef0"])
    options = client.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]
    assert (options["InternetGatewayBlockMode"], options["AwsAccountId"]) == ("off", "111111111111")
    assert client.describe_vpc_block_public_access_exclusions()["VpcBlockPublicAccessExclusions"] == []
    assert client.describe_vpc_encryption_controls()["VpcEncryptionControls"] == []
    assert client.describe_security_group_vpc_associations()["SecurityGroupVpcAssociations"] == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("describe_security_group_vpc_associations", "vpc-id"),
        ("describe_vpc_block_public_access_exclusions", "resource-arn"),
        ("describe_vpc_encryption_controls", "vpc-id"),
    ],
)
def test_filters_and_pages_of_what_there_is_none_of(lab: Any, call: str, name: str) -> None:
    ask = getattr(lab.client("ec2"), call)
    answer = ask(Filters=[{"Name": name, "Values": ["x"]}], MaxResults=1000)
    assert {key: value for key, value in answer.items() if key != "ResponseMetadata"} in [{key: []} for key in answer]
    with refused("InvalidParameterValue", "The filter 'nonsense' is invalid"):
        ask(Filters=[{"Name": "nonsense", "Values": ["x"]}])
    with refused("InvalidParameterValue", "The token"):
        ask(NextToken="nonsense")


@pytest.mark.parametrize(
    ("action", "params", "words"),
    [
        (
            "create_network_insights_path",
            {"Source": "i-0123456789abcdef0", "Protocol": "tcp", "ClientToken": "x"},
            "cloudnet.vpc.reachability",
        ),
        (
            "start_network_insights_analysis",
            {"NetworkInsightsPathId": "nip-0123456789abcdef0", "ClientToken": "x"},
            "cloudnet.vpc.reachability",
        ),
        ("describe_network_insights_analyses", {}, "cloudnet.vpc.reachability"),
        ("create_instance_connect_endpoint", {"SubnetId": "subnet-0123456789abcdef0"}, "Session Manager"),
        ("modify_vpc_block_public_access_options", {"InternetGatewayBlockMode": "block-ingress"}, "Block Public Access"),
        ("create_vpc_encryption_control", {"VpcId": "vpc-0123456789abcdef0"}, "encryption controls"),
        ("associate_security_group_vpc", {"GroupId": "sg-0123456789abcdef0", "VpcId": "vpc-0123456789abcdef0"}, "further VPCs"),
    ],
)
def test_said_plainly(lab: Any, action: str, params: dict[str, Any], words: str) -> None:
    with refused("UnsupportedOperation", words):
        getattr(lab.client("ec2"), action)(**params)


def test_quotas_are_those_that_hold(lab: Any) -> None:
    client = lab.client("service-quotas")
    lab.control.config(quotas={"peerings_active": 7})
    quota = client.get_service_quota(ServiceCode="vpc", QuotaCode="L-7E9ECCDB")["Quota"]
    assert (quota["Value"], quota["QuotaName"], quota["Adjustable"]) == (7.0, "Active VPC peering connections per VPC", True)
    assert client.get_aws_default_service_quota(ServiceCode="vpc", QuotaCode="L-7E9ECCDB")["Quota"]["Value"] == 50.0
    pages = list(client.get_paginator("list_service_quotas").paginate(ServiceCode="vpc", PaginationConfig={"PageSize": 10}))
    codes = [item["QuotaCode"] for page in pages for item in page["Quotas"]]
    assert len(pages) == 3 and len(set(codes)) == len(codes)
    assert {"L-F678F1CE", "L-DC9F7029", "L-0EA8095F", "L-93826ACB"} <= set(codes)
    assert client.get_service_quota(ServiceCode="ec2", QuotaCode="L-0263D0A3")["Quota"]["Value"] == 5.0
    for service, code in (("vpc", "L-00000000"), ("s3", "L-DC2B2D3D")):
        with refused("NoSuchResourceException"):
            client.get_service_quota(ServiceCode=service, QuotaCode=code)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("associate_security_group_vpc", {"GroupId": "sg-0123456789abcdef0", "VpcId": "vpc-0123456789abcdef0"}),
        ("create_network_insights_path", {"Source": "i-0123456789abcdef0", "Protocol": "tcp", "ClientToken": "x"}),
        ("create_instance_connect_endpoint", {"SubnetId": "subnet-0123456789abcdef0"}),
        ("modify_vpc_block_public_access_options", {"InternetGatewayBlockMode": "block-ingress"}),
    ],
)
def test_a_dry_run_of_what_is_refused_is_refused(lab: Any, action: str, params: dict[str, Any]) -> None:
    with refused("UnsupportedOperation"):
        getattr(lab.client("ec2"), action)(**params, DryRun=True)


@pytest.mark.parametrize("action", ["enable_vgw_route_propagation", "disable_vgw_route_propagation"])
def test_route_propagation_is_not_there(lab: Any, action: str) -> None:
    with refused("UnsupportedOperation"):
        getattr(lab.client("ec2"), action)(GatewayId="vgw-0123456789abcdef0", RouteTableId="rtb-0123456789abcdef0")
