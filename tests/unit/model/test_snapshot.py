# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: saved and read back, in every layout that others write, and never at the cost of an older one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model import snapshot as snapshots
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Change, Snapshot, diff, load, plain, save
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import SnapshotError

ME, HERE = "111111111111", "us-east-1"
VPC = {"VpcId": "vpc-1", "OwnerId": ME, "CidrBlock": "10.0.0.0/16"}
SUBNET = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "OwnerId": ME, "AvailabilityZone": "eu-west-1b", "CidrBlock": "10.0.0.0/24"}


def write(folder: Path, **files: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in files.items():
        (folder / f"{name}.json").write_text(json.dumps({name: items}))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_snapshot_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    told = Snapshot({(ME, HERE, "Vpcs"): (VPC,), (ME, "eu-west-1", "Subnets"): (SUBNET,), (ME, HERE, "NatGateways"): ()})
    save(told, tmp_path / "s")
    assert load(tmp_path / "s").files == told.files
    assert (tmp_path / "s" / "accounts" / ME / HERE / "NatGateways.json").read_text() == '{\n  "NatGateways": []\n}\n'


def test_the_same_state_is_the_same_bytes(tmp_path: Path) -> None:
    one, two = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.1.0.0/16", "VpcId": "vpc-2"}
    save(Snapshot({(ME, HERE, "Vpcs"): (two, one)}), tmp_path / "a")
    save(Snapshot({(ME, HERE, "Vpcs"): (dict(reversed(one.items())), two)}), tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_times_become_text_and_secrets_are_left_out(tmp_path: Path) -> None:
    item = {
        "InstanceId": "i-1",
        "LaunchTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "UserData": "cGFzc3dvcmQ=",
        "Options": {"TunnelOptions": [{"PreSharedKey": "hush", "OutsideIpAddress": "1.2.3.4"}]},
        "CustomerGatewayConfiguration": "<pre_shared_key>hush</pre_shared_key>",
    }
    save(Snapshot({(ME, HERE, "Instances"): (item,)}), tmp_path)
    text = (tmp_path / "accounts" / ME / HERE / "Instances.json").read_text()
    assert "2026-01-02T03:04:05+00:00" in text
    assert "hush" not in text and "UserData" not in text and "CustomerGatewayConfiguration" not in text and "1.2.3.4" in text


def test_secrets_in_a_folder_do_not_get_into_memory(tmp_path: Path) -> None:
    write(tmp_path / ME / HERE, Instances=[{"InstanceId": "i-1", "UserData": "cGFzc3dvcmQ="}])
    assert load(tmp_path).files[ME, HERE, "Instances"] == ({"InstanceId": "i-1"},)


@pytest.mark.parametrize(
    ("folder", "region"),
    [
        (f"accounts/{ME}/{HERE}", HERE),
        (f"aws_configs/accounts/{ME}/{HERE}", HERE),
        (f"aws_configs/{ME}/{HERE}", HERE),
        (f"{ME}", "eu-west-1"),
        (f"aws_configs/{HERE}", HERE),
        (HERE, HERE),
        ("aws_configs/someone/us-west-2", "us-west-2"),
        ("aws_configs", "eu-west-1"),
        (".", "eu-west-1"),
    ],
)
def test_every_layout_is_read(tmp_path: Path, folder: str, region: str) -> None:
    """The account comes from the owner of most items where no folder tells it, the Region from the zones."""
    write(tmp_path / folder, Vpcs=[VPC], Subnets=[SUBNET], SecurityGroups=[{"GroupId": "sg-1", "OwnerId": "222222222222"}])
    assert {place[:2] for place in load(tmp_path).files} == {(ME, region)}


def test_several_accounts_and_regions(tmp_path: Path) -> None:
    for account in (ME, "222222222222"):
        for region in (HERE, "eu-west-1"):
            write(tmp_path / "accounts" / account / region, Vpcs=[VPC | {"VpcId": f"vpc-{account}-{region}", "OwnerId": account}])
    told = load(tmp_path)
    assert told.places == ((ME, "eu-west-1"), (ME, HERE), ("222222222222", "eu-west-1"), ("222222222222", HERE))
    assert next(item["VpcId"] for _other, _other, item in told.items("Vpcs")) == f"vpc-{ME}-eu-west-1"


def test_the_region_may_come_from_instances_or_arns(tmp_path: Path) -> None:
    write(tmp_path / "a", Reservations=[{"Instances": [{"InstanceId": "i-1", "Placement": {"AvailabilityZone": "ap-southeast-2c"}}]}])
    assert load(tmp_path / "a").places == (("unknown", "ap-southeast-2"),)
    write(
        tmp_path / "b",
        Vpcs=[VPC],
        SecurityGroupRules=[{"SecurityGroupRuleArn": f"arn:aws:ec2:us-gov-west-1:{ME}:security-group-rule/sgr-1"}],
    )
    assert load(tmp_path / "b").places == ((ME, "us-gov-west-1"),)


def test_what_nothing_tells_is_called_unknown_and_said(tmp_path: Path) -> None:
    write(tmp_path, Vpcs=[{"VpcId": "vpc-1"}])
    told = load(tmp_path)
    assert told.places == (("unknown", "unknown"),)
    assert (
        told.warnings[0] == f"{tmp_path}: neither folders nor items tell all of account and Region; read as account unknown, Region unknown"
    )


def test_missing_files_are_one_warning_a_region(tmp_path: Path) -> None:
    write(tmp_path / ME / HERE, Vpcs=[VPC], Subnets=[], RouteTables=[], SecurityGroups=[], VpcPeeringConnections=[])
    assert load(tmp_path).warnings == (
        f"account {ME}, Region {HERE}: no NetworkAcls.json, NetworkInterfaces.json; what they would tell is unknown",
    )


def test_one_page_of_several_is_said(tmp_path: Path) -> None:
    (tmp_path / ME / HERE).mkdir(parents=True)
    path = tmp_path / ME / HERE / "Vpcs.json"
    path.write_text(json.dumps({"Vpcs": [VPC], "NextToken": "more"}))
    assert f"{path}: holds one page of several (NextToken is set); what the others hold is unknown" in load(tmp_path).warnings


def test_unknown_files_are_kept_and_saved_again(tmp_path: Path) -> None:
    write(tmp_path / "in" / ME / HERE, Vpcs=[VPC], LoadBalancers=[{"LoadBalancerArn": "arn:b"}, {"LoadBalancerArn": "arn:a"}], Odd=["text"])
    (tmp_path / "in" / ME / HERE / "Thing.json").write_text('{"Key": "value"}')
    told = load(tmp_path / "in")
    assert told.files[ME, HERE, "Odd"] == ("text",)
    assert told.files[ME, HERE, "Thing"] == ({"Key": "value"},)
    save(told, tmp_path / "out")
    again = load(tmp_path / "out").files[ME, HERE, "LoadBalancers"]
    assert [item["LoadBalancerArn"] for item in again] == ["arn:a", "arn:b"]


def test_one_file_may_hold_several_answers_and_several_files_one(tmp_path: Path) -> None:
    here = tmp_path / ME / HERE
    here.mkdir(parents=True)
    (here / "everything.json").write_text(json.dumps({"Vpcs": [VPC], "Subnets": [SUBNET], "ResponseMetadata": {}, "NextToken": None}))
    (here / "Vpcs-2.json").write_text(json.dumps({"Vpcs": [VPC | {"VpcId": "vpc-2"}]}))
    told = load(tmp_path).files
    assert [item["VpcId"] for item in told[ME, HERE, "Vpcs"]] == ["vpc-1", "vpc-2"]
    assert told[ME, HERE, "Subnets"] == (SUBNET,)


def test_managed_prefix_lists_as_the_cli_prints_them_are_told_from_the_other_lists(tmp_path: Path) -> None:
    here = tmp_path / ME / HERE
    here.mkdir(parents=True)
    (here / "ManagedPrefixLists.json").write_text(json.dumps({"PrefixLists": [{"PrefixListId": "pl-1", "MaxEntries": 5}]}))
    (here / "PrefixLists.json").write_text(json.dumps({"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": []}]}))
    told = load(tmp_path).files
    assert told[ME, HERE, "ManagedPrefixLists"] == ({"PrefixListId": "pl-1", "MaxEntries": 5},)
    assert told[ME, HERE, "PrefixLists"] == ({"PrefixListId": "pl-1", "Cidrs": []},)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON at line 1, column 2: Expecting property name enclosed in double quotes"),
        (b"", "is not JSON at line 1, column 1: Expecting value"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", 'expected {"Vpcs": [...]} as the AWS CLI prints it, found a list'),
        (b'"x"', 'expected {"Vpcs": [...]} as the AWS CLI prints it, found a string'),
        (b"null", 'expected {"Vpcs": [...]} as the AWS CLI prints it, found nothing'),
        (b'{"Vpcs": {}}', "Vpcs must be a list, found a mapping"),
        (b'{"Vpcs": 7}', "Vpcs must be a list, found a number"),
        (b'{"Other": 1}', 'has no key Vpcs; expected {"Vpcs": [...]} as the AWS CLI prints it'),
        (b'{"Vpcs": [{"VpcId": "vpc-1"}, "vpc-2"]}', "Vpcs[1] must be a mapping, found a string"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / ME / HERE / "Vpcs.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(SnapshotError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_folder_that_is_none_or_is_empty(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no such folder; a snapshot is a folder of describe output"):
        load(tmp_path / "nowhere")
    with pytest.raises(SnapshotError, match="holds no describe output"):
        load(tmp_path)


def test_a_second_save_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "plan.json").write_text('{"actions": []}')
    save(Snapshot({(ME, HERE, "Vpcs"): (VPC,)}), tmp_path)
    save(Snapshot({(ME, "eu-west-1", "Subnets"): (SUBNET,)}), tmp_path)
    assert sorted(tree(tmp_path)) == ["README.md", f"accounts/{ME}/eu-west-1/Subnets.json", "plan.json"]


@pytest.mark.parametrize("step", ["write", "swap"])
def test_a_failed_save_keeps_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    save(Snapshot({(ME, HERE, "Vpcs"): (VPC,)}), tmp_path)
    before = tree(tmp_path)
    real = Path.rename

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def broken(self: Path, target: Path) -> Path:
        if self.name.startswith(".accounts.") and self.name != ".accounts.previous":
            raise OSError(28, "No space left on device")
        return real(self, target)

    if step == "write":
        monkeypatch.setattr(Path, "write_text", full)
    else:
        monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(SnapshotError, match="cannot write the snapshot: No space left on device; what was there before is kept"):
        save(Snapshot({(ME, HERE, "Subnets"): (SUBNET,)}), tmp_path)
    assert tree(tmp_path) == before


def test_a_save_that_was_killed_between_its_renames_is_read_as_the_older_one(tmp_path: Path) -> None:
    save(Snapshot({(ME, HERE, "Vpcs"): (VPC,)}), tmp_path)
    (tmp_path / "accounts").rename(tmp_path / ".accounts.previous")
    assert load(tmp_path).files == {(ME, HERE, "Vpcs"): (VPC,)}
    save(Snapshot({(ME, HERE, "Subnets"): (SUBNET,)}), tmp_path)
    assert list(load(tmp_path).files) == [(ME, HERE, "Subnets")]


def test_a_save_does_not_mix_with_or_delete_what_is_not_ours(tmp_path: Path) -> None:
    write(tmp_path / "flat" / HERE, Vpcs=[VPC])
    with pytest.raises(SnapshotError, match="already holds another snapshot in another layout; choose an empty folder"):
        save(Snapshot(), tmp_path / "flat")
    notes = tmp_path / "notes" / "accounts" / "ledger.xlsx"
    notes.parent.mkdir(parents=True)
    notes.write_text("precious")
    with pytest.raises(SnapshotError, match="not part of a snapshot"):
        save(Snapshot(), tmp_path / "notes")
    assert notes.read_text() == "precious"


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match=r"file: cannot write a snapshot there: (File exists|Not a directory)"):
        save(Snapshot(), tmp_path / "file")


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    save(Snapshot({("../../x", "..", "Vpcs"): (VPC,)}), tmp_path / "deep" / "er")
    assert [path for path in tree(tmp_path) if not path.startswith("deep/er/accounts/")] == []


def test_what_was_asked_for_in_vain_is_kept_as_null(tmp_path: Path) -> None:
    """A file that is not there says that nobody asked; null, that there was no answer."""
    told = Snapshot({(ME, HERE, "Vpcs"): (VPC,)}, (), frozenset({(ME, HERE, "VpcEncryptionControls")}))
    save(told, tmp_path)
    path = tmp_path / "accounts" / ME / HERE / "VpcEncryptionControls.json"
    assert json.loads(path.read_text()) == {"VpcEncryptionControls": None}
    back = load(tmp_path)
    assert back.untold == told.untold and back.files == told.files
    assert f"{path}: VpcEncryptionControls is null; what it would tell is unknown" in back.warnings
    found = Snapshot({(ME, HERE, "VpcEncryptionControls"): ()})
    assert told.merged(found).untold == found.merged(told).untold == frozenset()


def test_block_public_access_as_the_cli_prints_it_and_as_we_do(tmp_path: Path) -> None:
    mode = {"AwsAccountId": ME, "AwsRegion": HERE, "InternetGatewayBlockMode": "off"}
    for value in (mode, [mode]):
        write(tmp_path / ME / HERE, VpcBlockPublicAccessOptions=value)
        assert load(tmp_path).files[ME, HERE, "VpcBlockPublicAccessOptions"] == (mode,)


def test_null_says_nothing(tmp_path: Path) -> None:
    links = [{"CidrBlock": "10.0.0.0/16", "X": None}]
    write(tmp_path / ME / HERE, Vpcs=[VPC | {"Tags": None, "CidrBlockAssociationSet": links}])
    told = load(tmp_path)
    assert told.files[ME, HERE, "Vpcs"] == ({**VPC, "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"}]},) and not told.faults


@pytest.mark.parametrize(
    ("file", "item", "field"),
    [
        ("Vpcs", None, ""),
        ("Vpcs", VPC | {"CidrBlockAssociationSet": [None]}, "CidrBlockAssociationSet[0]"),
        ("RouteTables", {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": None}, "Routes"),
        ("RouteTables", {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"SubnetId": None}]}, "Associations[0].SubnetId"),
        ("NetworkAcls", {"NetworkAclId": "acl-1", "Entries": [{"RuleNumber": 1, "RuleAction": None}]}, "Entries[0].RuleAction"),
        ("NetworkAcls", {"NetworkAclId": "acl-1", "Entries": [{"CidrBlock": None}]}, "Entries[0].CidrBlock"),
        ("SecurityGroups", {"GroupId": "sg-1", "IpPermissions": [{"IpRanges": [{"CidrIp": None}]}]}, "IpPermissions[0].IpRanges[0].CidrIp"),
        ("VpcPeeringConnections", {"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": None}}, "Status.Code"),
    ],
)
def test_null_where_absence_would_tell_something_leaves_the_item_out(tmp_path: Path, file: str, item: Any, field: str) -> None:
    write(tmp_path / ME / HERE, **{file: [item]})
    told = load(tmp_path)
    (fault,) = told.faults
    assert (fault.file, fault.field, fault.message) == (file, field, "is null") and told.files[ME, HERE, file] == ()


def test_diff_by_id() -> None:
    before = Snapshot({(ME, HERE, "Vpcs"): (VPC, {"VpcId": "vpc-2"}, {"VpcId": "vpc-3", "IsDefault": True})})
    after = Snapshot({(ME, HERE, "Vpcs"): ({"VpcId": "vpc-3", "IsDefault": False}, VPC), (ME, HERE, "Subnets"): (SUBNET,)})
    changes = diff(before, after)
    assert [(change.op, change.file, change.id) for change in changes] == [
        ("added", "Subnets", "subnet-1"),
        ("removed", "Vpcs", "vpc-2"),
        ("changed", "Vpcs", "vpc-3"),
    ]
    assert changes[2] == Change(ME, HERE, "Vpcs", "vpc-3", {"VpcId": "vpc-3", "IsDefault": True}, {"VpcId": "vpc-3", "IsDefault": False})
    assert changes[2].before == {"VpcId": "vpc-3", "IsDefault": True}
    assert diff(after, after) == ()


def test_merging_joins_by_id() -> None:
    one = Snapshot({(ME, HERE, "Vpcs"): ({"VpcId": "vpc-1"},)}, ("a",))
    two = Snapshot({(ME, HERE, "Vpcs"): (VPC,), (ME, HERE, "Subnets"): ()}, ("a", "b"))
    assert one.merged(two) == Snapshot(two.files, ("a", "b"))


def test_plain_leaves_json_alone() -> None:
    value = {"a": [1, None, True, "x", {"b": 1.5}]}
    assert plain(value) == value
    assert plain({"ResponseMetadata": 1, "b": b"bytes"}) == {"b": None}


def test_every_known_file_has_an_id_key() -> None:
    assert set(snapshots.ESSENTIAL) <= set(snapshots.ID_KEYS)
