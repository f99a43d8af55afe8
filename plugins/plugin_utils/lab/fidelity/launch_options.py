# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a launch asks for beside its place in the network: checked, kept with the instance, and shown.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html and the pages of the types that it names;
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode-concepts.html (default credits),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html (host names),
https://docs.aws.amazon.com/enclaves/latest/user/nitro-enclave.html (no hibernation beside an enclave),
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html (which volumes have IOPS and throughput).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..calls import Call, Refusal
from .addresses import private_domain, private_name
from .shapes import invalid

_USER_DATA = 16384
_VIEWS = ("CpuOptions", "MaintenanceOptions", "EnclaveOptions", "HibernationOptions", "PrivateDnsNameOptions")
_UNLIMITED = ("t3", "t3a", "t4g")
_IOPS = {"gp3": 3000, "io1": None, "io2": None}
_THROUGHPUT = 125


def instance_types() -> dict[str, Any]:
    """The emulator's catalogue of AWS's instance types."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return INSTANCE_TYPES


def check_type(name: str) -> None:
    """Refuse a type that AWS has not."""
    if name not in instance_types():
        raise invalid(f"Invalid value '{name}' for InstanceType.")


def check(call: Call, params: dict[str, Any], subnet: Any) -> None:
    """Refuse what AWS refuses of a launch's options; nothing is changed."""
    kind = str(params.get("InstanceType") or "m1.small")
    check_type(kind)
    zone = (params.get("Placement") or {}).get("AvailabilityZone")
    if zone and subnet is not None and zone != subnet.availability_zone:
        raise invalid(f"The Availability Zone '{zone}' is not that of subnet '{subnet.id}' ({subnet.availability_zone}).")
    _check_profile(call, params.get("IamInstanceProfile") or {})
    check_user_data(str(params.get("UserData") or ""))
    if (params.get("CreditSpecification") or {}).get("CpuCredits"):
        check_credits(kind, str(params["CreditSpecification"]["CpuCredits"]))
    if (params.get("EnclaveOptions") or {}).get("Enabled") and (params.get("HibernationOptions") or {}).get("Configured"):
        raise Refusal("InvalidParameterCombination", "An instance cannot be enabled both for hibernation and for Nitro Enclaves.")
    _cores(kind, params.get("CpuOptions") or {})
    for mapping in params.get("BlockDeviceMappings") or []:
        _check_volume(mapping.get("Ebs") or {})


def _check_profile(call: Call, profile: dict[str, Any]) -> None:
    known = call.backend("iam").instance_profiles.values()
    if profile.get("Arn") and not any(item.arn == profile["Arn"] for item in known):
        raise invalid(f"Value ({profile['Arn']}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN")
    if profile.get("Name") and not any(item.name == profile["Name"] for item in known):
        raise invalid(f"Value ({profile['Name']}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")


def check_user_data(text: str) -> None:
    """User data comes in base64 and is "limited to 16 KB, before it is base64-encoded"."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from error
    if len(raw) > _USER_DATA:
        raise invalid(f"User data is limited to {_USER_DATA} bytes")


def burstable(kind: str) -> bool:
    """Whether a type uses CPU credits."""
    return bool(instance_types().get(kind, {}).get("BurstablePerformanceSupported"))


def check_credits(kind: str, credits: str) -> None:
    """A credit option, for a type that has credits."""
    if credits not in ("standard", "unlimited"):
        raise Refusal("InvalidCpuCredits.Malformed", f"Invalid value '{credits}' for CpuCredits; it is standard or unlimited.")
    if not burstable(kind):
        raise Refusal("InstanceCreditSpecification.NotSupported", f"The instance type {kind} does not use CPU credits.")


def _cores(kind: str, asked: dict[str, Any]) -> dict[str, Any]:
    """CPU options as they come out: the type's own, where nothing else is asked for."""
    of_type = instance_types().get(kind, {}).get("VCpuInfo") or {}
    cores, threads = int(of_type.get("DefaultCores") or 1), int(of_type.get("DefaultThreadsPerCore") or 1)
    result = {"CoreCount": int(asked.get("CoreCount") or cores), "ThreadsPerCore": int(asked.get("ThreadsPerCore") or threads)}
    if not 1 <= result["CoreCount"] <= cores:
        raise invalid(f"CoreCount {result['CoreCount']} is not valid for {kind}, which has {cores}.")
    if not 1 <= result["ThreadsPerCore"] <= threads:
        raise invalid(f"ThreadsPerCore {result['ThreadsPerCore']} is not valid for {kind}, which has {threads}.")
    return {**result, **{key: value for key, value in asked.items() if key not in result and value is not None}}


def _check_volume(ebs: dict[str, Any]) -> None:
    kind = str(ebs.get("VolumeType") or "gp2")
    if ebs.get("Iops") and kind not in _IOPS:
        raise Refusal("InvalidParameterCombination", f"The parameter iops is not supported for {kind} volumes.")
    if kind in ("io1", "io2") and not ebs.get("Iops"):
        raise Refusal("MissingParameter", f"The request must contain the parameter iops for {kind} volumes.")
    if ebs.get("Throughput") and kind != "gp3":
        raise Refusal("InvalidParameterCombination", f"The parameter throughput is not supported for {kind} volumes.")
    if ebs.get("KmsKeyId") and not ebs.get("Encrypted"):
        raise Refusal("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")


def volumes_for(params: dict[str, Any], root: str) -> list[dict[str, Any]]:
    """The block device mappings for the emulator: a root volume always, no instance stores, and no figures that it has no room for.

    Without a size the root volume has its snapshot's: 8 GiB, which is the emulator's for every image.
    """
    result = []
    for mapping in params.get("BlockDeviceMappings") or []:
        if "NoDevice" in mapping or mapping.get("VirtualName"):
            continue
        ebs = {key: value for key, value in (mapping.get("Ebs") or {}).items() if key not in ("VolumeType", "Iops", "Throughput")}
        if mapping.get("DeviceName") == root:
            ebs = {"DeleteOnTermination": True, **({} if ebs.get("SnapshotId") else {"VolumeSize": 8}), **ebs}
        result.append({"DeviceName": mapping.get("DeviceName"), "Ebs": ebs})
    if not any(mapping["DeviceName"] == root for mapping in result):
        result.insert(0, {"DeviceName": root, "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}})
    return result


def keep(instance: Any, params: dict[str, Any], subnet: Any) -> None:
    """Give an instance that was launched what the launch asked for."""
    backend, place = instance.ec2_backend, params.get("Placement") or {}
    if "DisableApiTermination" in params:
        instance.disable_api_termination = bool(params["DisableApiTermination"])
    vpc = backend.vpcs.get(subnet.vpc_id) if subnet is not None else None
    instance.placement.tenancy = place.get("Tenancy") or (vpc.instance_tenancy if vpc is not None else None) or "default"
    on_launch = (getattr(subnet, "private_dns_name_options_on_launch", None) or {}) if subnet is not None else {}
    instance.lab_options = {
        "CpuOptions": _cores(instance.instance_type, params.get("CpuOptions") or {}),
        "MaintenanceOptions": {"AutoRecovery": "default", "RebootMigration": "default", **(params.get("MaintenanceOptions") or {})},
        "EnclaveOptions": {"Enabled": bool((params.get("EnclaveOptions") or {}).get("Enabled"))},
        "HibernationOptions": {"Configured": bool((params.get("HibernationOptions") or {}).get("Configured"))},
        "PrivateDnsNameOptions": {**dns_options(on_launch), **(params.get("PrivateDnsNameOptions") or {})},
    }
    credits = (params.get("CreditSpecification") or {}).get("CpuCredits")
    if credits or burstable(instance.instance_type):
        family = instance.instance_type.partition(".")[0]
        instance.lab_credits = credits or ("unlimited" if family in _UNLIMITED else "standard")
    for mapping in params.get("BlockDeviceMappings") or []:
        device = instance.block_device_mapping.get(mapping.get("DeviceName"))
        if device is not None and mapping.get("Ebs"):
            _figures(backend.volumes[device.volume_id], mapping["Ebs"])


def _figures(volume: Any, ebs: dict[str, Any]) -> None:
    volume.volume_type = ebs.get("VolumeType") or volume.volume_type
    volume.iops = ebs.get("Iops") or _IOPS.get(volume.volume_type)
    volume.throughput = ebs.get("Throughput") or (_THROUGHPUT if volume.volume_type == "gp3" else None)


def dns_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options of private DNS names with AWS's defaults."""
    return {
        "HostnameType": options.get("HostnameType") or "ip-name",
        "EnableResourceNameDnsARecord": bool(options.get("EnableResourceNameDnsARecord")),
        "EnableResourceNameDnsAAAARecord": bool(options.get("EnableResourceNameDnsAAAARecord")),
    }


def options(instance: Any) -> dict[str, Any]:
    """The options that DescribeInstances shows, AWS's defaults for an instance that another service launched."""
    kept: dict[str, Any] = getattr(instance, "lab_options", {})
    if not kept:
        keep(instance, {}, None)
        kept = instance.lab_options
    return {name: kept[name] for name in _VIEWS}


def hostname(instance: Any) -> str:
    """The private name that an instance is shown with: by its address, or by its own id."""
    region = str(instance.ec2_backend.region_name)
    if options(instance)["PrivateDnsNameOptions"]["HostnameType"] == "resource-name":
        return f"{instance.id}.{private_domain(region)}"
    return private_name(instance.nics[0].private_ip_address, region)
