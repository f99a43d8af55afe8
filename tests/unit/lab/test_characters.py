# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that no answer can carry: refused in any text of any call, so that one caller cannot spoil the lists of all."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.characters import check
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.ec2_xml import xml_text
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import Arrival

from .test_endpoint import refusal

CONTROL = ["\x00", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\ufffe", "\uffff"]


def arrival(service: str = "ec2", body: bytes = b"", **form: str) -> Arrival:
    return Arrival("POST", "/", "", {}, body, service=service, form=form)


@pytest.mark.parametrize("character", CONTROL)
def test_a_tag_with_a_control_character_is_refused_and_the_list_stays_readable(ec2: Any, character: str) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    code, status, message = refusal(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "k", "Value": f"a{character}b"}])
    assert (code, status) == ("InvalidCharacter", 400)
    assert message == f"A specified character is invalid: U+{ord(character):04X} in Tag.1.Value"
    assert refusal(ec2.create_tags, Resources=[vpc], Tags=[{"Key": f"k{character}", "Value": "v"}])[0] == "InvalidCharacter"
    assert [item.get("Tags", []) for item in ec2.describe_vpcs()["Vpcs"] if item["VpcId"] == vpc] == [[]]


def test_it_is_refused_in_any_text_of_any_call(lab: RunningLab) -> None:
    ec2, iam, zones = lab.client("ec2"), lab.client("iam"), lab.client("route53")
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    assert refusal(ec2.create_security_group, GroupName="g\x1b", Description="d", VpcId=vpc)[0] == "InvalidCharacter"
    assert refusal(ec2.create_security_group, GroupName="g", Description="d\x02", VpcId=vpc)[0] == "InvalidCharacter"
    assert refusal(ec2.describe_vpcs, Filters=[{"Name": "tag:\x1b", "Values": ["x"]}])[0] == "InvalidCharacter"
    assert refusal(ec2.create_key_pair, KeyName="k\x7f\x1f")[0] == "InvalidCharacter"
    assert refusal(iam.create_user, UserName="u", Tags=[{"Key": "k", "Value": "\x1b"}])[:2] == ("ValidationError", 400)
    code, status, _message = refusal(
        zones.create_hosted_zone, Name="a.example", CallerReference="r", HostedZoneConfig={"Comment": "a\x1bb"}
    )
    assert (code, status) == ("InvalidInput", 400)


def test_what_xml_has_is_taken(ec2: Any) -> None:
    text = "tab\t line\n Büro 東京 \x7f\x9f \U0001f310"
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "k", "Value": text}])
    (found,) = [item for item in ec2.describe_vpcs()["Vpcs"] if item["VpcId"] == vpc]
    assert found["Tags"] == [{"Key": "k", "Value": text}]


@pytest.mark.parametrize("text", ["<a>&#x1b;</a>", "<a>&#27;</a>", "<a>&#xFFFE;</a>", "<a>&#99999999;</a>", "<a>\x01</a>"])
def test_references_to_such_characters_are_no_way_round(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(arrival("route53", text.encode()), "rest-xml")
    assert caught.value.code == "InvalidInput"
    check(arrival("route53", b"<a>&#x41;&amp;</a>"), "rest-xml")
    check(arrival("s3", text.encode()), "rest-xml")


def test_json_carries_control_characters_and_no_half_of_a_pair(lab: RunningLab) -> None:
    check(arrival("ssm", rb'{"Value": "a\u001bb"}'), "json")
    check(arrival("ssm", rb'{"Value": "\ud83c\udf10"}'), "json")
    for half in (rb'{"Value": "\ud800"}', rb'{"\udc00": 1}', rb'{"a": [{"b": "x\ud83cy"}]}'):
        with pytest.raises(Refusal) as caught:
            check(arrival("ssm", half), "json")
        assert caught.value.code == "SerializationException"
    ssm = lab.client("ssm")
    ssm.put_parameter(Name="p", Type="String", Value="a\x1bb")
    assert ssm.get_parameter(Name="p")["Parameter"]["Value"] == "a\x1bb"


def test_an_error_that_quotes_such_a_character_can_be_read(lab: RunningLab) -> None:
    connection = http.client.HTTPConnection(lab.url.removeprefix("http://"), timeout=10)
    scope = "Credential=x/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    connection.request("POST", "/", f"Action={quote(chr(27))}&Version=2016-11-15", headers)
    ElementTree.fromstring(connection.getresponse().read())
    assert xml_text("a\x1b<\ufffe") == "a\ufffd&lt;\ufffd"
