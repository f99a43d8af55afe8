# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin: what it makes of what AWS lists, and of what its file says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader
from ansible.template import Templar, is_trusted_as_template, trust_as_template
from ansible.utils.plugin_docs import add_fragments
from ansible_collections.cloudnet.vpc.plugins.inventory import instances as plugin
from ansible_collections.cloudnet.vpc.plugins.inventory.instances import Host, Place, Ways, bastions, connection, environment
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.grammar import line
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.launched import Launched, launched

BASTION = Launched("acc", "bastion", "i-1", "111111111111", "us-east-1", "subnet-1", "10.10.0.4", "198.51.100.1", "acc", ("ft-bastion",))
SERVER = Launched("acc", "server", "i-2", "111111111111", "us-east-1", "subnet-2", "10.10.1.4", "", "acc", ("ft-server", "default"))
FAR = Launched("dell", "server", "i-3", "111111111111", "ap-south-1", "subnet-3", "10.20.1.4", "", "", ("ft-server",))


def host(instance: Launched, subnet: str = "private", profile: str = "network") -> Host:
    return Host(instance, profile, subnet, plugin.roles("ft", instance))


HOSTS = [host(BASTION, "public"), host(SERVER), host(FAR)]
DOORS = {"acc": "198.51.100.1"}
JUMP = {"ansible_host": "10.10.1.4", "ansible_user": "ec2-user", "ansible_ssh_common_args": "-o ProxyJump=ec2-user@198.51.100.1"}
SSM = {
    "ansible_connection": "amazon.aws.aws_ssm",
    "ansible_aws_ssm_instance_id": "i-3",
    "ansible_aws_ssm_region": "ap-south-1",
    "ansible_aws_ssm_profile": "network",
}


def test_what_aws_lists_becomes_instances_by_their_tags() -> None:
    tags = [{"Key": "cloudnet:name", "Value": "vpcs.acc.instances.bastion"}, {"Key": "cloudnet:topology", "Value": "ft"}]
    full: dict[str, Any] = {
        "InstanceId": "i-1",
        "SubnetId": "subnet-1",
        "PrivateIpAddress": "10.10.0.4",
        "PublicIpAddress": "198.51.100.1",
        "KeyName": "acc",
        "SecurityGroups": [{"GroupName": "ft-bastion", "GroupId": "sg-1"}],
        "Tags": tags,
    }
    stranger = {"InstanceId": "i-9", "Tags": [{"Key": "cloudnet:name", "Value": "vpcs.acc.subnets.bastion"}]}
    bare = {"InstanceId": "i-8", "Tags": tags[:1]}
    found = launched([{"Instances": [stranger, full]}, {"Instances": [bare]}], "111111111111", "us-east-1")
    assert found == [BASTION, Launched("acc", "bastion", "i-8", "111111111111", "us-east-1")]


def test_roles_groups_and_doors() -> None:
    assert [item.roles for item in HOSTS] == [("bastion",), ("server",), ("server",)]
    assert plugin.groups("ft", HOSTS[1]) == ["topology_ft", "vpc_acc", "subnet_acc_private", "role_server"]
    assert bastions(HOSTS) == DOORS


def test_places_that_share_a_groups_name_are_told() -> None:
    def at(vpc: str, subnet: str, *names: str) -> plugin.Host:
        return plugin.Host(Launched(vpc, "x", "i-1", "111111111111", "us-east-1"), "", subnet, names)

    def fit(name: str) -> str:
        return name.replace("-", "_")

    assert plugin.shared_groups(HOSTS, fit) == []
    found = plugin.shared_groups([at("a_b", "c", "web-1"), at("a", "b_c", "web_1"), at("a-b", "c", "web-1")], fit)
    end = "tell them apart by keyed_groups, or rename one"
    assert found == [
        f"the group vpc_a_b holds hosts of VPC a-b and of VPC a_b: {end}",
        f"the group subnet_a_b_c holds hosts of subnet a-b.c and of subnet a.b_c and of subnet a_b.c: {end}",
        f"the group role_web_1 holds hosts of security group web-1 and of security group web_1: {end}",
    ]


@pytest.mark.parametrize(
    ("number", "ways", "wanted"),
    [
        (0, Ways(), {"ansible_host": "198.51.100.1", "ansible_user": "ec2-user"}),
        (1, Ways(), JUMP),
        (2, Ways(), SSM),
        (2, Ways("ssm", bucket="b"), {**SSM, "ansible_aws_ssm_bucket_name": "b"}),
        (1, Ways("bastion", "root"), {**JUMP, "ansible_user": "root", "ansible_ssh_common_args": "-o ProxyJump=root@198.51.100.1"}),
        (1, Ways(lab_config="/l"), {"ansible_host": "i-2", "ansible_user": "ec2-user", "ansible_ssh_common_args": "-F /l"}),
        (2, Ways(ssh_config="/a b"), {"ansible_host": "i-3", "ansible_user": "ec2-user", "ansible_ssh_common_args": "-F '/a b'"}),
        (1, Ways("none"), {}),
    ],
)
def test_the_way_to_a_host(number: int, ways: Ways, wanted: Mapping[str, str]) -> None:
    assert connection(HOSTS[number], ways, DOORS) == wanted


@pytest.mark.parametrize(
    ("number", "ways", "said"),
    [
        (2, Ways("bastion"), "dell.server has no public address, and VPC dell no running bastion"),
        (1, Ways("lab"), "give lab, one that runs with a data plane"),
        (1, Ways("ssh_config"), "give ssh_config"),
    ],
)
def test_a_way_that_there_is_not(number: int, ways: Ways, said: str) -> None:
    with pytest.raises(CloudnetError, match=said):
        connection(HOSTS[number], ways, DOORS)


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("AWS_URL", raising=False)
    with pytest.raises(KeyError), environment({"AWS_PROFILE": "lab", "AWS_URL": "x"}):
        assert (os.environ["AWS_PROFILE"], os.environ["AWS_URL"]) == ("lab", "x")
        raise KeyError
    assert os.environ["AWS_PROFILE"] == "mine" and "AWS_URL" not in os.environ


@pytest.fixture(scope="module", autouse=True)
def options() -> None:
    """Ansible knows the plugin's options, as when it loads the plugin by its name."""
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    add_fragments(documentation, plugin.__file__, fragment_loader=fragment_loader)
    constants.config.initialize_plugin_configuration_definitions("inventory", plugin.InventoryModule.NAME, documentation["options"])


class Reads:
    """Stands for AWS: hands out hosts and counts how often it was asked."""

    def __init__(self, hosts: list[Host]) -> None:
        self.hosts, self.asked = hosts, list[Place]()

    def __call__(self, place: Place, topology: str) -> list[Host]:
        self.asked.append(place)
        return self.hosts


def parse(folder: Path, text: str, cache: bool = True) -> InventoryData:
    path = folder / "a.cloudnet.yml"
    path.write_text(f"plugin: cloudnet.vpc.instances\ntopology: ft\n{text}")
    inventory = InventoryData()
    made = plugin.InventoryModule()
    made._load_name = plugin.InventoryModule.NAME
    made._redirected_names = [plugin.InventoryModule.NAME]
    made.parse(inventory, DataLoader(), str(path), cache)
    if "cache: true" in text:
        made.update_cache_if_changed()
    return inventory


def test_a_file_becomes_an_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(HOSTS)
    monkeypatch.setattr(plugin, "read", reads)
    text = "profile: network\nregions: [us-east-1]\nssh_config: ssh/config\nkeyed_groups: [{key: cloudnet.region, prefix: in}]\n"
    inventory = parse(tmp_path, text)
    assert reads.asked == [Place(("network",), ("us-east-1",), target="aws")]
    told = inventory.get_groups_dict()
    assert told["role_server"] == ["acc.server", "dell.server"] and told["in_us_east_1"] == ["acc.bastion", "acc.server"]
    assert told["vpc_dell"] == told["subnet_dell_private"] == ["dell.server"]
    own = inventory.hosts["acc.server"].vars
    assert own["ansible_ssh_common_args"] == f"-F {tmp_path}/ssh/config"
    assert own["cloudnet"]["instance_id"] == "i-2" and own["cloudnet"]["roles"] == ["server"]


def test_profiles_of_a_config_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(HOSTS)
    monkeypatch.setattr(plugin, "read", reads)
    (tmp_path / "aws_config").write_text("[profile cloudnet-dev]\n")
    parse(tmp_path, "profile: cloudnet-dev\nregions: [us-east-1]\nconfig_file: aws_config\nconnection: none\n")
    assert reads.asked[0].environment == {"AWS_CONFIG_FILE": f"{tmp_path}/aws_config"} and reads.asked[0].target == "aws"


#: Of a foreign instance: without a brace, so that no look for one finds it.
OVERRIDE = "#jinja2:variable_start_string:'[%',variable_end_string:'%]'\n[% lookup('pipe','id > PWN; echo x') %]"
HOSTILE = [OVERRIDE, "{{ lookup('pipe', 'id') }}", "a\nb", "../x", "-oProxyCommand=id", "a b", "", "1", "x" * 65]


def described(id_: str = "i-1", name: str = "server", vpc: str = "acc", **more: Any) -> dict[str, Any]:
    tags = [{"Key": "cloudnet:name", "Value": f"vpcs.{vpc}.instances.{name}"}]
    return {"InstanceId": id_, "SubnetId": "subnet-1", "PrivateIpAddress": "10.10.0.4", "Tags": tags, **more}


class Described:
    """Stands for the client: one account that lists these instances and subnets."""

    def __init__(self, instances: list[dict[str, Any]], subnet: str = "private", topology: str = "ft") -> None:
        tags = [{"Key": "cloudnet:name", "Value": f"vpcs.acc.subnets.{subnet}"}, {"Key": "cloudnet:topology", "Value": topology}]
        self.answers: dict[str, Any] = {
            "ec2:DescribeInstances": [{"ReservationId": "r-1", "Instances": instances}],
            "ec2:DescribeSubnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "Tags": tags}],
        }

    def pages(self, account: str, region: str, action: str, **_params: Any) -> Any:
        return iter(self.answers[action])


def strings(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in strings(item)]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_tag_that_is_no_name_is_no_host_and_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(plugin.Display, "warning", lambda _self, message: warned.append(message))
    client: Any = Described([described("i-6", text), described("i-7", vpc=text), described("i-8")])
    found = plugin._hosts(client, "ft", "network", "111111111111", "us-east-1")
    assert [item.instance.id for item in found] == ["i-8"]
    assert [said.split(": ")[1].partition(" of ")[0] for said in warned] == ["i-6", "i-7"]
    assert "account 111111111111, Region us-east-1 is tagged as of topology ft, but" in warned[0]


@pytest.mark.parametrize(
    ("instance", "subnet"),
    [
        (described(vpc="dell"), {}),
        (described(SubnetId=""), {}),
        (described(SubnetId="subnet-2"), {}),
        (described(), {"topology": "other"}),
        *((described(), {"subnet": text}) for text in HOSTILE),
    ],
)
def test_forged_tags_make_no_host(instance: dict[str, Any], subnet: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance is ours where its subnet is one that the topology made in the VPC of its name."""
    warned: list[str] = []
    monkeypatch.setattr(plugin.Display, "warning", lambda _self, message: warned.append(message))
    client: Any = Described([instance], **subnet)
    assert plugin._hosts(client, "ft", "network", "111111111111", "us-east-1") == []
    (said,) = warned
    assert said.startswith("cloudnet.vpc.instances: i-1 of account 111111111111, Region us-east-1 is tagged as of topology ft, but ")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_aws_tells_is_ever_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    groups = [{"GroupName": f"ft-{text}"}, {"GroupName": "ft-server"}]
    client: Any = Described([described(KeyName=text, SecurityGroups=groups)])
    found = plugin._hosts(client, "ft", "network", "111111111111", "us-east-1")
    monkeypatch.setattr(plugin, "read", Reads(found))
    inventory = parse(tmp_path, "connection: ssm\ncompose: {composed: cloudnet.key_name}\nkeyed_groups: [{key: cloudnet.key_name}]\n")
    own = inventory.hosts["acc.server"].vars
    assert own["cloudnet"]["roles"] == ["server"] and own["cloudnet"]["subnet"] == "private"
    trusted = [one for one in strings(own) if is_trusted_as_template(one)]
    assert trusted == ["ft"], "the topology's name is of the inventory file itself"
    templar = Templar(DataLoader(), variables=own)
    assert templar.template(trust_as_template("{{ cloudnet.key_name }}")) == own["cloudnet"]["key_name"] == line(text)
    assert not (tmp_path / "PWN").exists()


@pytest.mark.parametrize(
    ("key", "value"), [("InstanceId", "i-1\nx"), ("PrivateIpAddress", "evil.example"), ("PublicIpAddress", "-oProxyCommand=id")]
)
def test_an_instance_that_breaks_the_grammar_is_no_host(key: str, value: str) -> None:
    client: Any = Described([described(**{key: value}) if key != "InstanceId" else described(value)])
    assert plugin._hosts(client, "ft", "network", "111111111111", "us-east-1") == []


def test_the_cache_is_asked_before_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(HOSTS)
    monkeypatch.setattr(plugin, "read", reads)
    text = f"cache: true\ncache_plugin: jsonfile\ncache_connection: {tmp_path}/kept\n"
    first, second = parse(tmp_path, text), parse(tmp_path, text)
    assert len(reads.asked) == 1
    assert first.get_groups_dict() == second.get_groups_dict()
    assert first.hosts["acc.server"].vars["cloudnet"] == second.hosts["acc.server"].vars["cloudnet"]
    parse(tmp_path, text, cache=False)
    assert len(reads.asked) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lab: nosuchlab\n", "lab nosuchlab does not run: start it"),
        ("lab: x\nendpoint_url: http://127.0.0.1:1\n", "lab and endpoint_url are both given"),
        ("lab: x\nconfig_file: y\n", "lab and config_file are both given"),
        ("config_file: y\n", "config_file is .*/y, but there is no such file"),
        ("lab: a/b\n", "lab name 'a/b' is not 1 to 40 letters"),
        ("profile: nosuchprofile\nregions: [us-east-1]\n", "nosuchprofile"),
        ("connection: ssh_config\n", "there is no ssh configuration: give ssh_config"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    if "connection" in text:
        monkeypatch.setattr(plugin, "read", Reads(HOSTS))
    with pytest.raises(AnsibleParserError, match=said) as caught:
        parse(tmp_path, text)
    assert "\n" not in str(caught.value.message)


def test_two_of_one_name_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Launched("acc", "server", "i-7", "111111111111", "us-east-1")
    monkeypatch.setattr(plugin, "read", Reads([*HOSTS, host(twin)]))
    with pytest.raises(AnsibleParserError, match=r"two running instances are called acc\.server in ft: i-2 and i-7"):
        parse(tmp_path, "connection: none\n")
