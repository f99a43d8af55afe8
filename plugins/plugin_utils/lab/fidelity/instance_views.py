# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as DescribeInstances shows them, drawn from the emulator's objects.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html (what a terminated instance still shows, and how long).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .addresses import private_name, public_name
from .interface_attachments import attachment
from .interfaces import Elastic, identifiers
from .launch_options import hostname, options
from .shapes import clean, tags_of

_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def gone(instance: Any) -> bool:
    """Whether an instance is terminated: it keeps its id and tags, and nothing of the network."""
    return bool(instance.state == "terminated")


def nics(instance: Any) -> list[Any]:
    """An instance's interfaces by device index; none once it is terminated."""
    return [] if gone(instance) else [instance.nics[index] for index in sorted(instance.nics)]


def profile(backend: Any, instance: Any) -> dict[str, str] | None:
    """The instance profile, with its own id (the emulator gives the association's)."""
    association = backend.iam_instance_profile_associations.get(instance.id)
    if association is None:
        return None
    return {"Arn": association.iam_instance_profile.arn, "Id": association.iam_instance_profile.id}


def _interface(backend: Any, eni: Any, elastic: Elastic) -> dict[str, Any]:
    vpc, region = backend.vpcs.get(eni.vpc_id), backend.region_name
    hostnames = vpc is not None and vpc.enable_dns_hostnames
    addresses = []
    for item in eni.private_ip_addresses:
        address = item["PrivateIpAddress"]
        addresses.append(
            clean(
                {
                    "Primary": bool(item.get("Primary")),
                    "PrivateIpAddress": address,
                    "PrivateDnsName": private_name(address, region) if hostnames else None,
                    "Association": _association(elastic.association(eni, address)),
                }
            )
        )
    attached = attachment(eni) or {}
    return clean(
        {
            "NetworkInterfaceId": eni.id,
            "SubnetId": eni.subnet.id,
            "VpcId": eni.vpc_id,
            "Description": eni.description,
            "OwnerId": backend.account_id,
            "Status": "in-use",
            "MacAddress": eni.mac_address,
            "InterfaceType": eni.interface_type,
            "SourceDestCheck": bool(eni.source_dest_check),
            "PrivateIpAddress": eni.private_ip_address,
            "PrivateDnsName": private_name(eni.private_ip_address, region) if hostnames else None,
            "PrivateIpAddresses": addresses,
            "Ipv6Addresses": [{"Ipv6Address": item, "IsPrimaryIpv6": False} for item in eni.ipv6_addresses],
            "Groups": identifiers(eni),
            "Association": _association(elastic.association(eni, eni.private_ip_address)),
            "Attachment": {key: value for key, value in attached.items() if key not in ("InstanceId", "InstanceOwnerId")},
        }
    )


def _association(full: dict[str, Any] | None) -> dict[str, Any] | None:
    """An association as an instance shows it: without the ids."""
    return None if full is None else {key: full[key] for key in ("IpOwnerId", "PublicDnsName", "PublicIp")}


def _options(instance: Any) -> dict[str, Any]:
    options = instance.metadata_options
    return {
        "State": "applied",
        "HttpTokens": options.http_tokens,
        "HttpPutResponseHopLimit": int(options.http_put_response_hop_limit),
        "HttpEndpoint": options.http_endpoint,
        "HttpProtocolIpv6": options.http_protocol_ipv6,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }


def public_address(instance: Any) -> str | None:
    """The public address of an instance's primary interface."""
    found = nics(instance)
    return found[0].public_ip if found else None


def show(backend: Any, instance: Any, elastic: Elastic, state: str | None = None) -> dict[str, Any]:
    """An instance; ``state`` overrules the one that it is in (a launch answers "pending")."""
    region, name = backend.region_name, state or instance.state
    shown: dict[str, Any] = {
        "InstanceId": instance.id,
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "KeyName": instance.key_name or None,
        "AmiLaunchIndex": int(instance.ami_launch_index),
        "LaunchTime": instance.launch_time,
        "Architecture": instance.architecture,
        "Hypervisor": instance.hypervisor,
        "VirtualizationType": instance.virtualization_type,
        "RootDeviceName": instance.root_device_name,
        "RootDeviceType": instance.root_device_type,
        "EbsOptimized": bool(instance.ebs_optimized),
        "EnaSupport": True,
        "ClientToken": instance.client_token if instance.client_token != "ABCDE" else "",
        "InstanceLifecycle": instance.lifecycle,
        "Platform": instance.platform or None,
        "PlatformDetails": "Windows" if instance.platform else "Linux/UNIX",
        "State": {"Name": name, "Code": _CODES.get(name, 16)},
        "StateTransitionReason": instance.state_transition_reason or "",
        "Monitoring": {"State": instance.monitoring_state},
        "Placement": clean({"AvailabilityZone": instance.availability_zone, "GroupName": "", "Tenancy": instance.placement.tenancy}),
        "MetadataOptions": _options(instance),
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "NetworkPerformanceOptions": {"BandwidthWeighting": "default"},
        **options(instance),
        "PrivateDnsName": "",
        "PublicDnsName": "",
        "SecurityGroups": [],
        "NetworkInterfaces": [],
        "BlockDeviceMappings": [],
        "ProductCodes": [],
        "Tags": tags_of(backend, instance.id),
    }
    if instance.state_reason.code:
        shown["StateReason"] = {"Code": instance.state_reason.code, "Message": instance.state_reason.message}
    found = nics(instance)
    if not found:
        return clean(shown)
    primary = found[0]
    vpc = backend.vpcs.get(primary.vpc_id)
    address = primary.public_ip
    shown.update(
        VpcId=primary.vpc_id,
        SubnetId=primary.subnet.id,
        PrivateIpAddress=primary.private_ip_address,
        PrivateDnsName=hostname(instance),
        PublicIpAddress=address,
        PublicDnsName=public_name(address, region) if address and vpc is not None and vpc.enable_dns_hostnames else "",
        SourceDestCheck=bool(primary.source_dest_check),
        SecurityGroups=identifiers(primary),
        NetworkInterfaces=[_interface(backend, eni, elastic) for eni in found],
        IamInstanceProfile=profile(backend, instance),
        Ipv6Address=primary.ipv6_addresses[0] if primary.ipv6_addresses else None,
        BlockDeviceMappings=[
            {
                "DeviceName": device,
                "Ebs": {
                    "VolumeId": volume.volume_id,
                    "Status": "attached",
                    "AttachTime": volume.attach_time,
                    "DeleteOnTermination": bool(volume.delete_on_termination),
                },
            }
            for device, volume in instance.get_block_device_mapping
        ],
    )
    return clean(shown)


def _all(member: str) -> Any:
    def values(instance: Any) -> Iterator[Any]:
        for eni in nics(instance):
            value = getattr(eni, member)
            yield value.id if hasattr(value, "id") else value

    return values


def _groups(member: str, primary: bool) -> Any:
    def values(instance: Any) -> list[str]:
        found = nics(instance)[:1] if primary else nics(instance)
        return [getattr(group, member) for eni in found for group in eni._group_set]

    return values


def _first(member: str) -> Any:
    def value(instance: Any) -> Any:
        found = nics(instance)
        return getattr(found[0], member) if found else None

    return value


FIELDS: dict[str, Any] = {
    "architecture": lambda item: item.architecture,
    "availability-zone": lambda item: item.availability_zone,
    "client-token": lambda item: item.client_token,
    "dns-name": lambda item: public_name(item.nics[0].public_ip, item.region_name) if public_address(item) else None,
    "group-id": _groups("id", False),
    "group-name": _groups("name", False),
    "hypervisor": lambda item: item.hypervisor,
    "iam-instance-profile.arn": lambda item: (profile(item.ec2_backend, item) or {}).get("Arn"),
    "iam-instance-profile.id": lambda item: (profile(item.ec2_backend, item) or {}).get("Id"),
    "image-id": lambda item: item.image_id,
    "instance-id": lambda item: item.id,
    "instance-lifecycle": lambda item: item.lifecycle,
    "instance-state-code": lambda item: _CODES.get(item.state),
    "instance-state-name": lambda item: item.state,
    "instance-type": lambda item: item.instance_type,
    "instance.group-id": _groups("id", True),
    "instance.group-name": _groups("name", True),
    "ip-address": public_address,
    "ipv6-address": lambda item: [address for eni in nics(item) for address in eni.ipv6_addresses],
    "key-name": lambda item: item.key_name,
    "launch-time": lambda item: item.launch_time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "monitoring-state": lambda item: item.monitoring_state,
    "network-interface.addresses.private-ip-address": lambda item: [
        address["PrivateIpAddress"] for eni in nics(item) for address in eni.private_ip_addresses
    ],
    "network-interface.availability-zone": lambda item: [eni.subnet.availability_zone for eni in nics(item)],
    "network-interface.group-id": _groups("id", False),
    "network-interface.group-name": _groups("name", False),
    "network-interface.network-interface-id": _all("id"),
    "network-interface.owner-id": lambda item: [item.owner_id for _other in nics(item)],
    "network-interface.private-dns-name": lambda item: [private_name(eni.private_ip_address, item.region_name) for eni in nics(item)],
    "network-interface.subnet-id": _all("subnet"),
    "network-interface.vpc-id": _all("vpc_id"),
    "owner-id": lambda item: item.owner_id,
    "placement-group-name": lambda item: "",
    "platform": lambda item: item.platform,
    "private-dns-name": lambda item: hostname(item) if nics(item) else None,
    "private-ip-address": _first("private_ip_address"),
    "reason": lambda item: item.state_transition_reason,
    "requester-id": lambda item: None,
    "reservation-id": lambda item: item.lab_reservation,
    "root-device-name": lambda item: item.root_device_name,
    "root-device-type": lambda item: item.root_device_type,
    "source-dest-check": _first("source_dest_check"),
    "state-reason-code": lambda item: item.state_reason.code,
    "subnet-id": lambda item: item.nics[0].subnet.id if nics(item) else None,
    "tenancy": lambda item: item.placement.tenancy,
    "virtualization-type": lambda item: item.virtualization_type,
    "vpc-id": _first("vpc_id"),
}
