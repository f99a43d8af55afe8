# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boundary between what others say and the model: what is no id, address or name does not come in, and is told."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model import grammar
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import SOURCES, Memo, build, part
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.files import ID_KEYS
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.gate import CHECKED, RULES, TOLD, Gate
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot, load, save

ME, HERE = "111111111111", "us-east-1"
ENI: dict[str, Any] = {
    "NetworkInterfaceId": "eni-1",
    "VpcId": "vpc-1",
    "SubnetId": "subnet-1",
    "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.4", "Association": {"PublicIp": "198.51.100.1"}}],
    "Groups": [{"GroupId": "sg-1", "GroupName": "web"}],
}
HOSTILE = 'i-1\nMatch exec "touch /tmp/x"\n#'


def snapshot(**files: list[dict[str, Any]]) -> Snapshot:
    return Snapshot({(ME, HERE, file): tuple(items) for file, items in files.items()})


def changed(**change: Any) -> dict[str, Any]:
    return {**ENI, **change}


@pytest.mark.parametrize(
    ("file", "item", "told"),
    [
        (
            "NetworkInterfaces",
            changed(PrivateIpAddresses=[{"PrivateIpAddress": "1.23.456.78"}]),
            'eni-1: PrivateIpAddresses[0].PrivateIpAddress is "1.23.456.78", which is no IPv4 address; left out [BAD_ADDRESS]',
        ),
        (
            "NetworkInterfaces",
            changed(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.0.4", "Association": {"PublicIp": "9.789.789.789"}}]),
            'eni-1: PrivateIpAddresses[0].Association.PublicIp is "9.789.789.789", which is no IPv4 address; left out [BAD_ADDRESS]',
        ),
        (
            "NetworkInterfaces",
            changed(NetworkInterfaceId="../../home/someone/victim"),
            'item 0: NetworkInterfaceId is "../../home/someone/victim", which is no id such as eni-0123456789abcdef0; left out [BAD_ID]',
        ),
        (
            "NetworkInterfaces",
            changed(Ipv6Addresses=[{"Ipv6Address": "localhost"}]),
            'eni-1: Ipv6Addresses[0].Ipv6Address is "localhost", which is no IPv6 address; left out [BAD_ADDRESS]',
        ),
        ("NetworkInterfaces", changed(OwnerId="a b"), 'eni-1: OwnerId is "a b", which is no 12-digit account id; left out [BAD_ACCOUNT]'),
        ("NetworkInterfaces", changed(VpcId=7), "eni-1: VpcId is 7, a text was expected; left out [BAD_ID]"),
        (
            "Subnets",
            {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/40"},
            'subnet-1: CidrBlock is "10.0.0.0/40", which is no IPv4 CIDR block; left out [BAD_CIDR]',
        ),
        (
            "Subnets",
            {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "moon"},
            'subnet-1: AvailabilityZone is "moon", which is no Availability Zone; left out [BAD_ZONE]',
        ),
        (
            "RouteTables",
            {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "any", "GatewayId": "local"}]},
            'rtb-1: Routes[0].DestinationCidrBlock is "any", which is no CIDR block; left out [BAD_CIDR]',
        ),
        (
            "SecurityGroups",
            {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "1.23.456.78/32"}]}]},
            'sg-1: IpPermissions[0].IpRanges[0].CidrIp is "1.23.456.78/32", which is no IPv4 CIDR block; left out [BAD_CIDR]',
        ),
        (
            "SecurityGroupRules",
            {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IpProtocol": "tcp } ; flush ruleset"},
            'sgr-1: IpProtocol is "tcp } ; flush ruleset", which is no protocol\'s number or name; left out [BAD_PROTOCOL]',
        ),
        (
            "VpcEndpoints",
            {"VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "DnsEntries": [{"DnsName": "a\n10.0.0.9 b"}]},
            'vpce-1: DnsEntries[0].DnsName is "a\\n10.0.0.9 b", which is no DNS name; left out [BAD_DNS_NAME]',
        ),
        (
            "VpcPeeringConnections",
            {"VpcPeeringConnectionId": "pcx-1", "AccepterVpcInfo": {"VpcId": "vpc-2", "Region": "../.."}},
            'pcx-1: AccepterVpcInfo.Region is "../..", which is no Region; left out [BAD_REGION]',
        ),
        (
            "FlowLogs",
            {"FlowLogId": "fl-1", "ResourceId": "vpc-1", "DeliverLogsPermissionArn": "role x"},
            'fl-1: DeliverLogsPermissionArn is "role x", which is no ARN; left out [BAD_ARN]',
        ),
    ],
)
def test_a_fault_names_file_item_and_field(file: str, item: dict[str, Any], told: str) -> None:
    found = build(snapshot(**{file: [item]}))
    assert found.warnings == (f"account {ME}, Region {HERE}, {file}: {told}",)
    assert (ME, HERE, file) not in found.complete
    assert not any(
        getattr(found, field.name) for field in fields(Network) if field.name not in ("warnings", "faults", "complete", "others")
    )


def test_the_others_come_in() -> None:
    good = changed(NetworkInterfaceId="eni-2")
    found = build(snapshot(NetworkInterfaces=[changed(SubnetId="x y"), good], Subnets=[]))
    assert list(found.interfaces) == ["eni-2"] and len(found.faults) == 1
    assert (ME, HERE, "Subnets") in found.complete


def test_keys_of_other_services_have_other_meanings() -> None:
    group = {"TargetGroupArn": "arn:aws:x", "Protocol": "HTTP", "VpcId": "vpc-1", "TargetGroupName": "a\nb"}
    found = build(snapshot(TargetGroups=[group], Listeners=[{"Protocol": "TLS"}], Groups=[{"GroupId": "AGPA0123456789ABCDEF"}]))
    assert not found.warnings and not found.faults
    assert found.others["TargetGroups"] == ({**group, "TargetGroupName": "a b"},), "its texts are lines all the same"


def test_every_file_that_the_model_reads_is_checked() -> None:
    assert {file for files in SOURCES.values() for file in files} | {"VpnGateways"} <= CHECKED


def test_of_a_reservation_the_instances_without_faults_come_in() -> None:
    instances = [
        {"InstanceId": HOSTILE},
        {"InstanceId": "i-2", "PrivateIpAddress": "10.0.0.5"},
        {"InstanceId": "i-3", "PublicIpAddress": "x"},
    ]
    found = build(snapshot(Reservations=[{"ReservationId": "r-1", "OwnerId": "222222222222", "Instances": instances}]))
    assert {id_: item.account for id_, item in found.instances.items()} == {"i-2": "222222222222"}
    assert [(fault.file, fault.item, fault.code) for fault in found.faults] == [
        ("Reservations", "i-3", "BAD_ADDRESS"),
        ("Reservations", "item 0", "BAD_ID"),
    ]
    assert all("\n" not in warning for warning in found.warnings)


def test_edited_copies_of_accounts_are_read() -> None:
    edited = {
        **ENI,
        "VpcId": "vpc-REDACTED",
        "OwnerId": "REDACTED",
        "SubnetId": "subnet-xxxxxxxx",
        "RequesterId": "AIDAX:some one@x",
        "Attachment": {"InstanceOwnerId": "amazon-elb"},
        "PrivateDnsName": "",
        "Ipv6Address": None,
    }
    assert build(snapshot(NetworkInterfaces=[edited])).warnings == ()


def test_texts_for_people_are_parts_of_one_line() -> None:
    item = changed(TagSet=[{"Key": "Name", "Value": "web\x1b]0;x\x07\n10.0.0.9 evil"}], Description="a\u202eb")
    eni = build(snapshot(NetworkInterfaces=[item])).interfaces["eni-1"]
    assert eni.tags == {"Name": "web\ufffd]0;x\ufffd 10.0.0.9 evil"} and eni.description == "a\ufffdb"
    policy = '{\n  "Version": "2012-10-17"\n}'
    endpoint = {"VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "PolicyDocument": policy}
    assert build(snapshot(VpcEndpoints=[endpoint])).endpoints["vpce-1"].policy == policy, "a document keeps its lines"


def test_every_id_of_a_file_has_a_rule() -> None:
    apart = {"ZoneName"}
    assert {key for key in ID_KEYS.values() if key not in RULES} == apart


def test_every_fault_once_and_the_rest_of_many_as_a_count() -> None:
    many = [changed(NetworkInterfaceId=f"eni-{n:03}", VpcId="no") for n in range(TOLD + 7)]
    found = build(snapshot(NetworkInterfaces=many, SecurityGroups=[{"GroupId": "bad"}]))
    assert len(found.faults) == TOLD + 8 and len(found.warnings) == TOLD + 2
    assert found.warnings[-2:] == ("NetworkInterfaces: 7 more left out [BAD_ID]", "SecurityGroups: 1 more left out [BAD_ID]")


def test_a_part_is_admitted_too_and_what_is_known_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memo, items = Memo(), [dict(ENI), changed(NetworkInterfaceId="x/../y")]
    first = part(snapshot(NetworkInterfaces=items), "interfaces", memo)
    assert list(first) == ["eni-1"] and [fault.code for fault in memo.faults["interfaces"]] == ["BAD_ID"]
    asked: list[str] = []
    monkeypatch.setattr(grammar, "is_id", lambda text, *prefixes: asked.append(text) or True)
    assert part(snapshot(NetworkInterfaces=items), "interfaces", memo)["eni-1"] is first["eni-1"]
    assert [fault.code for fault in memo.faults["interfaces"]] == ["BAD_ID"] and asked == []


def test_the_gate_hands_on_the_very_same_objects() -> None:
    gate, dirty = Gate(), changed(Description="a\nb")
    reservation = {"ReservationId": "r-1", "Instances": [{"InstanceId": "i-1"}]}
    told = snapshot(NetworkInterfaces=[ENI, dirty], Reservations=[reservation])
    once, twice = gate.admit(told.files)[0], gate.admit(told.files)[0]
    for place, items in once.items():
        assert all(new is old for new, old in zip(items, twice[place], strict=True))
    assert once[ME, HERE, "NetworkInterfaces"][0] is ENI and once[ME, HERE, "Reservations"][0] is reservation


def test_folders_are_no_accounts_and_regions_by_any_name(tmp_path: Path) -> None:
    place = tmp_path / "accounts" / "my account; id" / "us east\n1"
    place.mkdir(parents=True)
    (place / "Vpcs.json").write_text(json.dumps({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}))
    found = load(tmp_path)
    assert found.places == (("unknown", "unknown"),)
    assert all("\n" not in warning for warning in found.warnings)


def test_a_saved_snapshot_with_faults_opens_without_them_and_says_so(tmp_path: Path) -> None:
    save(snapshot(Vpcs=[{"VpcId": "../../etc"}, {"VpcId": "vpc-1"}], Subnets=[]), tmp_path)
    told = (
        f'account {ME}, Region {HERE}, Vpcs: item 0: VpcId is "../../etc", which is no id such as vpc-0123456789abcdef0; left out [BAD_ID]'
    )
    loaded = load(tmp_path)
    assert loaded.warnings[-1] == told and [fault.code for fault in loaded.faults] == ["BAD_ID"]
    found = build(loaded)
    assert list(found.vpcs) == ["vpc-1"] and found.warnings == loaded.warnings and found.faults == loaded.faults
    assert (ME, HERE, "Vpcs") not in found.complete and (ME, HERE, "Subnets") in found.complete
    assert build(snapshot(Vpcs=[]).merged(loaded)).faults == loaded.faults
