# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance is beside its network: its key, user data, role and boots; and the private zones of its VPC."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import HostFacts, Record
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.files import boot_files
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.spec import machine_of
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane

from ..fidelity.vpc_helpers import Vpc, make_vpc
from .conftest import Planes
from .test_plane import launch

TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "*"}]}
)
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]})
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def profile(lab: Any, name: str = "web") -> Any:
    """A role and an instance profile with it; IAM's client."""
    iam = lab.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return iam


def facts(planes: Planes, key: str) -> HostFacts:
    return planes.twin.facts.hosts[key]


def test_key_pair_and_user_data(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJaVYz5u4G2ZqJrQkFqkzD0Cz0nQ7nCkq0K4Yd5lq0bB me@here"
    vpc.client.import_key_pair(KeyName="mine", PublicKeyMaterial=public.encode())
    (key,) = launch(vpc, KeyName="mine", UserData="#!/bin/sh\ntouch /tmp/here\n")
    found = facts(planes, key)
    assert (found.authorized, found.key_name, found.user_data) == ((public,), "mine", b"#!/bin/sh\ntouch /tmp/here\n")
    vpc.client.delete_key_pair(KeyName="mine")
    vpc.client.create_tags(Resources=[key], Tags=[{"Key": "Name", "Value": "x"}])
    assert facts(planes, key).authorized == (public,)
    made = vpc.client.create_key_pair(KeyName="made")
    assert "PRIVATE KEY" in made["KeyMaterial"]
    (other,) = launch(vpc, "10.0.2.0/24", KeyName="made")
    assert facts(planes, other).authorized[0].startswith("ssh-rsa ")


def test_a_start_and_a_reboot_are_boots(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    assert facts(planes, key).boots == 1
    vpc.client.reboot_instances(InstanceIds=[key])
    assert facts(planes, key).boots == 2
    vpc.client.start_instances(InstanceIds=[key])  # it runs already
    assert facts(planes, key).boots == 2
    vpc.client.stop_instances(InstanceIds=[key])
    vpc.client.start_instances(InstanceIds=[key])
    assert facts(planes, key).boots == 3
    vpc.client.terminate_instances(InstanceIds=[key])
    assert key not in planes.twin.facts.hosts


def test_a_role_s_credentials_are_the_lab_s(lab: Any, planes: Planes) -> None:
    iam = profile(lab)
    (key,) = launch(make_vpc(lab), IamInstanceProfile={"Name": "web"})
    role = facts(planes, key).role
    assert role is not None
    assert (role.name, role.profile_arn) == ("web", "arn:aws:iam::111111111111:instance-profile/web")
    caller = lab.client_of("sts", role.access_key, role.secret, role.token).get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == ("111111111111", f"arn:aws:sts::111111111111:assumed-role/web/{key}")
    iam.put_role_policy(RoleName="web", PolicyName="more", PolicyDocument=READ)
    assert facts(planes, key).role == role  # the same credentials
    lab.control.advance(5.5 * 3600)
    renewed = facts(planes, key).role
    assert renewed is not None
    assert renewed.access_key != role.access_key
    assert role.secret not in repr(facts(planes, key))


@pytest.mark.parametrize("arn", [CORE, "arn:aws:iam::aws:policy/AmazonSSMManagedEC2InstanceDefaultPolicy"])
def test_a_managed_policy_admits_the_agent(lab: Any, planes: Planes, arn: str) -> None:
    iam = profile(lab)
    vpc = make_vpc(lab)
    (key,) = launch(vpc, IamInstanceProfile={"Name": "web"})
    (bare,) = launch(vpc, "10.0.2.0/24")
    assert not facts(planes, key).ssm
    iam.attach_role_policy(RoleName="web", PolicyArn=arn)
    assert (facts(planes, key).ssm, facts(planes, bare).ssm) == (True, False)
    nodes = lab.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert [(node["InstanceId"], node["PingStatus"]) for node in nodes] == [(key, "Online")]
    # Its credentials come from the metadata service.
    for endpoint, admitted in (("disabled", False), ("enabled", True)):
        vpc.client.modify_instance_metadata_options(InstanceId=key, HttpEndpoint=endpoint)
        assert facts(planes, key).ssm is admitted
    iam.detach_role_policy(RoleName="web", PolicyArn=arn)
    assert not facts(planes, key).ssm


def test_a_policy_of_one_s_own_admits_the_agent_when_it_allows_what_it_calls(lab: Any, planes: Planes) -> None:
    iam = profile(lab)
    (key,) = launch(make_vpc(lab), IamInstanceProfile={"Name": "web"})
    for actions, admitted in ((["ssm:*"], False), (["ssm:UpdateInstanceInformation", "ssmmessages:*"], True)):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName="web", PolicyName="agent", PolicyDocument=json.dumps(document))
        assert facts(planes, key).ssm is admitted


def test_commands_go_through_the_data_plane(lab: Any, planes: Planes) -> None:
    iam = profile(lab)
    iam.attach_role_policy(RoleName="web", PolicyArn=CORE)
    (key,) = launch(make_vpc(lab), IamInstanceProfile={"Name": "web"})
    ssm = lab.client("ssm")
    sent = ssm.send_command(DocumentName="AWS-RunShellScript", InstanceIds=[key], Parameters={"commands": ["hostname"]})["Command"]
    ssm.get_waiter("command_executed").wait(CommandId=sent["CommandId"], InstanceId=key, WaiterConfig={"Delay": 0.05, "MaxAttempts": 50})
    found = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=key)
    assert (found["Status"], found["StandardOutputContent"]) == ("Success", f"{key}: hostname\n")


def test_metadata_options_and_tags(lab: Any, planes: Planes) -> None:
    vpc: Vpc = make_vpc(lab)
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"}
    (key,) = launch(vpc, MetadataOptions=options)
    found = facts(planes, key)
    assert (found.tokens_required, found.hops, found.metadata, found.tags) == (True, 1, True, {})
    vpc.client.create_tags(Resources=[key], Tags=[{"Key": "tier", "Value": "db"}])
    assert facts(planes, key).tags == {"tier": "db"}


def test_keys_of_instance_connect(lab: Any, planes: Planes) -> None:
    (key,) = launch(make_vpc(lab))
    assert facts(planes, key).sent_keys == ()
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9Pb0JrS1hZ2m1Cw2yY8L8m0oXG0O2vT7M4Jt7vQm1x"
    client = lab.client("ec2-instance-connect")
    client.send_ssh_public_key(InstanceId=key, InstanceOSUser="ec2-user", SSHPublicKey=f"{line} comment")
    assert [(sent.user, sent.key) for sent in facts(planes, key).sent_keys] == [("ec2-user", line)]


def test_private_zones(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    route53 = lab.client("route53")
    made = route53.create_hosted_zone(Name="corp.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc.id})
    zone = made["HostedZone"]["Id"]
    change = {
        "Action": "CREATE",
        "ResourceRecordSet": {"Name": "db.corp.internal", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.1.9"}]},
    }
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    (found,) = planes.twin.facts.zones
    assert (found.name, found.vpcs) == ("corp.internal.", (vpc.id,))
    assert Record("db.corp.internal.", "A", 60, ("10.0.1.9",)) in found.records
    route53.create_hosted_zone(Name="example.com", CallerReference="2")
    assert len(planes.twin.facts.zones) == 1


def test_dhcp_options_reach_the_machine(lab: Any, planes: Planes) -> None:
    """Its name servers and its domain: https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html."""
    vpc = make_vpc(lab)
    (key,) = launch(vpc)

    def resolv_conf() -> str:
        plane = Plane(planes.twin.network, planes.twin.facts)
        return boot_files(machine_of(plane.network.instances[key], plane))["resolv.conf"]

    assert resolv_conf().startswith("search ec2.internal\nnameserver 10.0.0.2\n")
    pairs = [
        {"Key": "domain-name-servers", "Values": ["10.0.0.53", "AmazonProvidedDNS"]},
        {"Key": "domain-name", "Values": ["corp.example"]},
    ]
    made = vpc.client.create_dhcp_options(DhcpConfigurations=pairs)["DhcpOptions"]["DhcpOptionsId"]
    vpc.client.associate_dhcp_options(DhcpOptionsId=made, VpcId=vpc.id)
    assert resolv_conf().startswith("search corp.example\nnameserver 10.0.0.53\nnameserver 10.0.0.2\n")
    vpc.client.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc.id)
    assert "nameserver" not in resolv_conf()


def test_new_user_data_reaches_the_machine(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    (key,) = launch(vpc, UserData="#!/bin/sh\necho one\n")
    vpc.client.stop_instances(InstanceIds=[key])
    vpc.client.modify_instance_attribute(InstanceId=key, UserData={"Value": b"#!/bin/sh\necho two\n"})
    vpc.client.start_instances(InstanceIds=[key])
    assert facts(planes, key).user_data == b"#!/bin/sh\necho two\n"


def test_an_instance_that_is_named_after_itself(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    (key,) = launch(vpc, PrivateDnsNameOptions={"HostnameType": "resource-name"})
    plane = Plane(planes.twin.network, planes.twin.facts)
    assert machine_of(plane.network.instances[key], plane).hostname == key
