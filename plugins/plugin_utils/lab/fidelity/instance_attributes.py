# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes and options of instances that exist: read one by one, changed where AWS lets them be changed.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html ("To modify some attributes, the instance
must be stopped"), API_DescribeInstanceAttribute.html, API_ModifyInstanceCreditSpecification.html, API_ModifyPrivateDnsNameOptions.html,
API_ModifyInstanceMaintenanceOptions.html, API_MonitorInstances.html.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from ..calls import Call, Refusal, instead
from .instance_views import gone, show
from .interfaces import Elastic, groups_for, identifiers, set_groups
from .launch_options import burstable, check_credits, check_type, check_user_data, options
from .shapes import find_instance, invalid, missing

_STOPPED_ONLY = frozenset({"InstanceType", "UserData", "EbsOptimized", "EnclaveOptions"})
_ALWAYS = {"KernelId": {}, "RamdiskId": {}, "ProductCodes": [], "EnaSupport": {"Value": True}, "SriovNetSupport": {"Value": "simple"}}
# The older form, Attribute and Value, names them as DescribeInstanceAttribute does.
_BOOLEANS = {
    "DisableApiTermination": "disable_api_termination",
    "DisableApiStop": "disable_api_stop",
    "EbsOptimized": "ebs_optimized",
}
_SETTABLE = ("InstanceType", "UserData", "InstanceInitiatedShutdownBehavior", "SourceDestCheck", *_BOOLEANS)


def _instance(call: Call) -> Any:
    if not call.params.get("InstanceId"):
        raise missing("instanceId")
    return find_instance(call.backend(), str(call.params["InstanceId"]))


def _stopped(instance: Any) -> None:
    if instance.state != "stopped":
        raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")


@instead("ec2", "DescribeInstanceAttribute")
def describe(call: Call) -> dict[str, Any]:
    """One attribute."""
    instance, backend = _instance(call), call.backend()
    name = str(call.params.get("Attribute") or "")
    readers: dict[str, Callable[[], dict[str, Any]]] = {
        "instanceType": lambda: {"InstanceType": {"Value": instance.instance_type}},
        "kernel": lambda: {"KernelId": _ALWAYS["KernelId"]},
        "ramdisk": lambda: {"RamdiskId": _ALWAYS["RamdiskId"]},
        "userData": lambda: {"UserData": {"Value": str(instance.user_data)} if instance.user_data else {}},
        "disableApiTermination": lambda: {"DisableApiTermination": {"Value": bool(instance.disable_api_termination)}},
        "disableApiStop": lambda: {"DisableApiStop": {"Value": bool(instance.disable_api_stop)}},
        "instanceInitiatedShutdownBehavior": lambda: {
            "InstanceInitiatedShutdownBehavior": {"Value": instance.instance_initiated_shutdown_behavior}
        },
        "rootDeviceName": lambda: {"RootDeviceName": {"Value": instance.root_device_name}},
        "blockDeviceMapping": lambda: {"BlockDeviceMappings": show(backend, instance, Elastic(backend))["BlockDeviceMappings"]},
        "productCodes": lambda: {"ProductCodes": _ALWAYS["ProductCodes"]},
        "sourceDestCheck": lambda: {"SourceDestCheck": {"Value": bool(instance.nics[0].source_dest_check) if not gone(instance) else True}},
        "groupSet": lambda: {"Groups": identifiers(instance.nics[0]) if not gone(instance) else []},
        "ebsOptimized": lambda: {"EbsOptimized": {"Value": bool(instance.ebs_optimized)}},
        "sriovNetSupport": lambda: {"SriovNetSupport": _ALWAYS["SriovNetSupport"]},
        "enaSupport": lambda: {"EnaSupport": _ALWAYS["EnaSupport"]},
        "enclaveOptions": lambda: {"EnclaveOptions": options(instance)["EnclaveOptions"]},
    }
    if name not in readers:
        raise invalid(f"Value ({name}) for parameter attribute is invalid. Unknown attribute.")
    return {"InstanceId": instance.id, **readers[name]()}


@instead("ec2", "ModifyInstanceAttribute")
def modify(call: Call) -> dict[str, Any]:
    """Change one attribute; those of a machine only while it is stopped."""
    instance, params = _instance(call), dict(call.params)
    if gone(instance):
        raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is terminated.")
    if params.get("Attribute"):
        name = str(params["Attribute"])[:1].upper() + str(params["Attribute"])[1:]
        if name not in _SETTABLE:
            raise invalid(f"Value ({params['Attribute']}) for parameter attribute is invalid: it cannot be set by attribute and value.")
        params[name] = {"Value": params.get("Value")}
    given = [name for name in (*_SETTABLE, "Groups", "BlockDeviceMappings", "EnclaveOptions") if params.get(name) is not None]
    if not given:
        raise Refusal("MissingParameter", "The request must contain an attribute to modify.")
    if len(given) > 1:
        raise Refusal("InvalidParameterCombination", f"Fields for multiple attribute types specified: {', '.join(given)}")
    name, value = given[0], params[given[0]]
    if name in _STOPPED_ONLY:
        _stopped(instance)
    _set(call, instance, name, value)
    return {}


def _set(call: Call, instance: Any, name: str, value: Any) -> None:
    if name == "Groups":
        primary = instance.nics[0]
        set_groups(primary, groups_for(call, primary.subnet, value))
    elif name == "BlockDeviceMappings":
        _keep_volumes(instance, value)
    elif name == "EnclaveOptions":
        options(instance)
        instance.lab_options["EnclaveOptions"] = {"Enabled": bool(value.get("Enabled"))}
    elif name == "UserData":
        _user_data(instance, value.get("Value"))
    elif name == "InstanceType":
        check_type(str(value.get("Value")))
        instance.instance_type = str(value["Value"])
        if not burstable(instance.instance_type):
            instance.lab_credits = None
    elif name == "InstanceInitiatedShutdownBehavior":
        if value.get("Value") not in ("stop", "terminate"):
            raise invalid(f"Value ({value.get('Value')}) for parameter instanceInitiatedShutdownBehavior is invalid.")
        instance.instance_initiated_shutdown_behavior = value["Value"]
    else:
        flag = str(value.get("Value")).lower() == "true"
        if name == "SourceDestCheck":
            instance.source_dest_check = instance.nics[0].source_dest_check = flag
        else:
            setattr(instance, _BOOLEANS[name], flag)


def _user_data(instance: Any, value: Any) -> None:
    """New user data, which the machine finds in its metadata at its next start. "" takes it away."""
    from moto.ec2.utils import parse_user_data

    text = base64.b64encode(value).decode() if isinstance(value, bytes) else str(value or "")
    check_user_data(text)
    instance.user_data = parse_user_data(text) if text else None


def _keep_volumes(instance: Any, mappings: list[dict[str, Any]]) -> None:
    for mapping in mappings:
        device = instance.block_device_mapping.get(mapping.get("DeviceName"))
        if device is None:
            raise Refusal("InvalidInstanceAttributeValue", f"No device is currently mapped at {mapping.get('DeviceName')}")
        wanted = (mapping.get("Ebs") or {}).get("DeleteOnTermination")
        if wanted is not None:
            device.delete_on_termination = bool(wanted)


# -- options -------------------------------------------------------------------------------------------------------------------


@instead("ec2", "MonitorInstances", "UnmonitorInstances")
def monitor(call: Call) -> dict[str, Any]:
    """Detailed monitoring on or off; the answer shows the way there."""
    found = [find_instance(call.backend(), str(item)) for item in call.params.get("InstanceIds") or []]
    if not found:
        raise missing("InstanceId")
    on = call.action == "MonitorInstances"
    shown = []
    for instance in found:
        if gone(instance):
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is terminated.")
        before, instance.monitoring_state = instance.monitoring_state, "enabled" if on else "disabled"
        state = instance.monitoring_state if before == instance.monitoring_state else ("pending" if on else "disabling")
        shown.append({"InstanceId": instance.id, "Monitoring": {"State": state}})
    return {"InstanceMonitorings": shown}


@instead("ec2", "DescribeInstanceCreditSpecifications")
def credit_specifications(call: Call) -> dict[str, Any]:
    """Credit options of the burstable instances among those named; of all whose option is "unlimited", without names (so AWS)."""
    backend, ids = call.backend(), call.params.get("InstanceIds") or []
    every = [item for reservation in backend.reservations.values() for item in reservation.instances]
    found = [find_instance(backend, str(item)) for item in ids] if ids else every
    for item in found:
        options(item)
    shown = [(item.id, getattr(item, "lab_credits", None)) for item in found if not gone(item)]
    return {
        "InstanceCreditSpecifications": [
            {"InstanceId": key, "CpuCredits": option} for key, option in shown if option and (ids or option == "unlimited")
        ]
    }


@instead("ec2", "ModifyInstanceCreditSpecification")
def modify_credits(call: Call) -> dict[str, Any]:
    """Other credit options: each instance by itself, with its own error."""
    done, failed = [], []
    for item in call.params.get("InstanceCreditSpecifications") or []:
        key = str(item.get("InstanceId") or "")
        try:
            instance = find_instance(call.backend(), key)
            if gone(instance):
                raise Refusal("IncorrectInstanceState", f"The instance '{key}' is terminated.")
            check_credits(instance.instance_type, str(item.get("CpuCredits") or ""))
        except Refusal as refusal:
            failed.append({"InstanceId": key, "Error": {"Code": refusal.code, "Message": refusal.message}})
            continue
        instance.lab_credits = item["CpuCredits"]
        done.append({"InstanceId": key})
    if not done and not failed:
        raise missing("InstanceCreditSpecification")
    return {"SuccessfulInstanceCreditSpecifications": done, "UnsuccessfulInstanceCreditSpecifications": failed}


@instead("ec2", "ModifyPrivateDnsNameOptions")
def modify_names(call: Call) -> dict[str, Any]:
    """Other host name options; the type of the name only while the instance is stopped."""
    instance, params = _instance(call), call.params
    current = dict(options(instance)["PrivateDnsNameOptions"])
    kind = params.get("PrivateDnsHostnameType")
    if kind not in (None, "ip-name", "resource-name"):
        raise invalid(f"Value ({kind}) for parameter privateDnsHostnameType is invalid.")
    if kind and kind != current["HostnameType"]:
        _stopped(instance)
        current["HostnameType"] = kind
    for name in ("EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord"):
        if params.get(name) is not None:
            current[name] = bool(params[name])
    instance.lab_options["PrivateDnsNameOptions"] = current
    return {"Return": True}


@instead("ec2", "ModifyInstanceMaintenanceOptions")
def modify_maintenance(call: Call) -> dict[str, Any]:
    """What AWS does about a host that fails or is to be rebooted."""
    instance = _instance(call)
    current = dict(options(instance)["MaintenanceOptions"])
    for name in ("AutoRecovery", "RebootMigration"):
        value = call.params.get(name)
        if value not in (None, "default", "disabled"):
            raise invalid(f"Value ({value}) for parameter {name} is invalid.")
        current[name] = value or current[name]
    instance.lab_options["MaintenanceOptions"] = current
    return {"InstanceId": instance.id, **current}
