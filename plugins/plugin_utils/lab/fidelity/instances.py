# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances at the API's level: where a launch puts them, what a stop and a start change, when a terminated one is forgotten.

The emulator launches; the addresses, groups and names are given here. Any well-formed image id will do: a lab has no catalogue.
Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html ("for a short while", about an hour).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .. import claims
from ..calls import Call, Refusal, after, before, instead
from . import launch_options
from .addresses import PUBLIC, choose, free_public, take, take_ipv6, take_public, used_in
from .elastic_ips import untie
from .instance_views import FIELDS, gone, show
from .interfaces import Elastic, find, groups_for, set_groups
from .shapes import clean, find_instance, find_subnet, invalid, keep, missing, page

_VISIBLE = timedelta(hours=1)
_IMAGE = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})|resolve:ssm:.+")


def forget(call: Call) -> None:
    """Drop the instances that were terminated more than an hour ago."""
    ended, backend, now = call.lab.state("terminated", call.account, call.region), call.backend(), call.lab.now()
    old = {key for key, when in ended.items() if now - when >= _VISIBLE}
    if not old:
        return
    for key, reservation in list(backend.reservations.items()):
        reservation.instances = [item for item in reservation.instances if item.id not in old]
        if not reservation.instances:
            del backend.reservations[key]
    for key in old:
        del ended[key]
        backend.tags.pop(key, None)


def _subnet(call: Call, params: dict[str, Any]) -> Any:
    """The subnet of a launch's primary interface, or of the default VPC; ``None`` when an interface that exists is used."""
    backend = call.backend()
    nics = sorted(params.get("NetworkInterfaces") or [], key=lambda nic: int(nic.get("DeviceIndex") or 0))
    if nics and nics[0].get("NetworkInterfaceId"):
        return None
    wanted = params.get("SubnetId") or (nics[0].get("SubnetId") if nics else None)
    if wanted:
        return find_subnet(backend, str(wanted))
    if backend.get_default_vpc() is None:
        raise Refusal("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
    zone = (params.get("Placement") or {}).get("AvailabilityZone")
    subnets = backend.get_default_subnets()
    found = subnets.get(zone) if zone else next(iter(subnets.values()), None)
    if found is None:
        raise Refusal("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
    return found


def _zone_of(call: Call, params: dict[str, Any], subnet: Any) -> Any:
    """The subnet of a launch, also where it is that of an interface which exists."""
    nics = sorted(params.get("NetworkInterfaces") or [], key=lambda nic: int(nic.get("DeviceIndex") or 0))
    return subnet if subnet is not None or not nics else find(call.backend(), str(nics[0]["NetworkInterfaceId"])).subnet


def _check(call: Call, params: dict[str, Any]) -> int:
    """Refuse what AWS refuses before anything is made; returns how many instances to launch."""
    count, least = int(params.get("MaxCount") or 1), int(params.get("MinCount") or 1)
    if least < 1 or count < least:
        raise invalid(f"minCount ({least}) and maxCount ({count}) must be at least 1, and minCount at most maxCount")
    image = params.get("ImageId")
    if not image:
        raise missing("ImageId")
    if image and not _IMAGE.fullmatch(str(image)):
        raise Refusal("InvalidAMIID.Malformed", f'Invalid id: "{image}" (expecting "ami-...")')
    key = params.get("KeyName")
    if key and key not in call.backend().key_pairs:
        raise Refusal("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    nics = params.get("NetworkInterfaces") or []
    if nics and (params.get("SubnetId") or params.get("SecurityGroupIds")):
        what = "subnet ID" if params.get("SubnetId") else "security groups"
        raise Refusal(
            "InvalidParameterCombination", f"Network interfaces and an instance-level {what} may not be specified on the same request"
        )
    if count > 1 and (params.get("PrivateIpAddress") or any(nic.get("NetworkInterfaceId") or nic.get("PrivateIpAddress") for nic in nics)):
        raise Refusal("InvalidParameterCombination", "A private IP address or a network interface can be given to one instance only")
    for nic in nics:
        if nic.get("NetworkInterfaceId") and find(call.backend(), str(nic["NetworkInterfaceId"])).status == "in-use":
            raise Refusal("InvalidNetworkInterface.InUse", f"Interface: [{nic['NetworkInterfaceId']}] in use.")
    return count


def _place(call: Call, params: dict[str, Any], subnet: Any, count: int) -> tuple[list[Any] | None, list[str]]:
    """Fill a launch with addresses of its subnets; returns the groups and the addresses of the primary interfaces."""
    backend = call.backend()
    nics = sorted(params.get("NetworkInterfaces") or [], key=lambda nic: int(nic.get("DeviceIndex") or 0))
    for nic in nics[1:]:
        if not nic.get("NetworkInterfaceId"):
            other = find_subnet(backend, str(nic.get("SubnetId") or (subnet.id if subnet is not None else "")))
            groups_for(call, other, nic.get("Groups") or [])
            nic["SubnetId"] = other.id
            nic["PrivateIpAddress"] = take(backend, other, 1, [str(nic["PrivateIpAddress"])] if nic.get("PrivateIpAddress") else [])[0]
    if subnet is None:
        return None, []
    holder = nics[0] if nics else params
    ids = holder.get("Groups" if nics else "SecurityGroupIds") or []
    if params.get("SecurityGroups") and not ids:
        table = backend.groups.get(subnet.vpc_id, {})
        by_name = {group.name: group.id for group in table.values()}
        for name in params["SecurityGroups"]:
            if name not in by_name:
                raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in VPC '{subnet.vpc_id}'")
        ids = [by_name[name] for name in params["SecurityGroups"]]
    groups = groups_for(call, subnet, ids)
    primary = next((item["PrivateIpAddress"] for item in holder.get("PrivateIpAddresses") or [] if item.get("Primary")), None)
    wanted = holder.get("PrivateIpAddress") or primary
    found = take(backend, subnet, count, [str(wanted)] if wanted else [])
    # The emulator asks its subnet for addresses: it finds ours, and forgets what it held of terminated instances.
    for address in found:
        subnet._subnet_ips.pop(address, None)
    subnet._unused_ips = set(found)
    if count == 1:
        (params if not nics else holder)["PrivateIpAddress"] = found[0]
    if not nics:
        params["SubnetId"] = subnet.id
    return groups, list(found)


@instead("ec2", "RunInstances")
def run(call: Call) -> dict[str, Any]:
    """Launch instances: primary interfaces with addresses of the subnet, groups of its VPC, public ones from the lab's pool."""
    forget(call)
    backend, params = call.backend(), _with_template(call)
    count = _check(call, params)
    subnet = _subnet(call, params)
    launch_options.check(call, params, _zone_of(call, params, subnet))
    groups, addresses = _place(call, params, subnet, count)
    params["MinCount"] = params["MaxCount"] = count
    six = params.pop("Ipv6AddressCount", None), [item["Ipv6Address"] for item in params.pop("Ipv6Addresses", None) or []]
    if six[1] or six[0]:
        take_ipv6(backend, subnet, int(six[0] or 0), six[1])
    specified = {int(nic.get("DeviceIndex") or 0): nic for nic in params.get("NetworkInterfaces") or []}
    answer = _emulate(call, params)
    reservation = backend.reservations[answer["ReservationId"]]
    for instance in reservation.instances:
        instance.lab_reservation = reservation.id
        launch_options.keep(instance, params, _zone_of(call, params, subnet))
        for index, eni in instance.nics.items():
            nic = specified.get(index, {})
            if nic.get("NetworkInterfaceId"):
                eni.delete_on_termination = bool(nic.get("DeleteOnTermination", False))
                instance.security_groups = list(eni._group_set) if index == 0 else instance.security_groups
                continue
            eni.delete_on_termination = bool(nic.get("DeleteOnTermination", True))
            eni.description = str(nic.get("Description") or "")
            if index == 0 and groups is not None:
                set_groups(eni, groups)
                eni.private_ip_address = addresses.pop(0)
            else:
                eni._group_set = groups_for(call, eni.subnet, nic.get("Groups") or [])
            _more_addresses(backend, eni, nic)
            if index == 0 and subnet is not None:
                number = int(six[0] or 0) or int(nic.get("Ipv6AddressCount") or 0) or int(bool(subnet.assign_ipv6_address_on_creation))
                listed = six[1] or [item["Ipv6Address"] for item in nic.get("Ipv6Addresses") or []]
                eni.ipv6_addresses = take_ipv6(backend, subnet, max(number, len(listed)), listed) if number or listed else []
            if eni.public_ip:
                eni.public_ip = take_public(call.lab)
    _more_profiles(backend, reservation)
    return clean(
        {
            "ReservationId": reservation.id,
            "OwnerId": call.account,
            "Groups": [],
            "Instances": [show(backend, item, Elastic(backend), "pending") for item in reservation.instances],
        }
    )


def _with_template(call: Call) -> dict[str, Any]:
    """The request with what its launch template says, where the request itself says nothing.

    "Any additional parameters that you specify for the new instance overwrite the corresponding parameters included in the launch
    template."
    """
    params = copy.deepcopy(call.params)
    named = params.get("LaunchTemplate")
    if not named:
        return params
    asked = {key: value for key, value in named.items() if key in ("LaunchTemplateId", "LaunchTemplateName")}
    asked["Versions"] = [str(named.get("Version") or "$Default")]
    found = call.emulate("DescribeLaunchTemplateVersions", asked)["LaunchTemplateVersions"]
    if not found:
        raise Refusal("InvalidLaunchTemplateId.VersionNotFound", f"Could not find launch template version {asked['Versions'][0]}")
    data = dict(found[0]["LaunchTemplateData"])
    if params.get("NetworkInterfaces"):
        data = {key: value for key, value in data.items() if key not in ("SecurityGroupIds", "SecurityGroups")}
    elif params.get("SubnetId"):
        data.pop("NetworkInterfaces", None)
    merged = {**data, **params}
    claims.check("ec2", "RunInstances", merged)
    return merged


def _emulate(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """The emulator's launch. It searches all its images once for every instance, so it is shown only the one in question."""
    backend, image = call.backend(), params.get("ImageId")
    images = backend.amis
    root = images[image].root_device_name if image in images else "/dev/sda1"
    if image:
        backend.amis = {key: value for key, value in images.items() if key == image}
    try:
        return call.emulate("RunInstances", {**params, "BlockDeviceMappings": launch_options.volumes_for(params, root)})
    finally:
        backend.amis = images


def _more_addresses(backend: Any, eni: Any, nic: dict[str, Any]) -> None:
    listed = [str(item["PrivateIpAddress"]) for item in nic.get("PrivateIpAddresses") or [] if not item.get("Primary")]
    number = int(nic.get("SecondaryPrivateIpAddressCount") or 0)
    eni.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": eni.private_ip_address}]
    if listed or number:
        used = used_in(backend, eni.subnet.id)
        more = listed or choose(eni.subnet.cidr_block, used, number)
        eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": item} for item in more]


def _more_profiles(backend: Any, reservation: Any) -> None:
    """Every instance of a launch has its profile (the emulator gives it to the first)."""
    first = backend.iam_instance_profile_associations.get(reservation.instances[0].id)
    for instance in reservation.instances[1:]:
        if first is not None:
            backend.associate_iam_instance_profile(instance.id, iam_instance_profile_arn=first.iam_instance_profile.arn)


def every(backend: Any) -> Iterator[Any]:
    """The instances of an account and Region, in the order of their launch."""
    for reservation in list(backend.reservations.values()):
        for instance in reservation.instances:
            instance.lab_reservation = reservation.id
            yield instance


@instead("ec2", "DescribeInstances")
def describe(call: Call) -> dict[str, Any]:
    """Instances in their reservations, with filters and paging."""
    forget(call)
    backend, ids = call.backend(), call.params.get("InstanceIds") or []
    if ids and call.params.get("MaxResults"):
        raise Refusal("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
    table = {item.id: item for item in every(backend)}
    lacking = [item for item in ids if item not in table]
    if lacking:
        if any(not re.fullmatch(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})", item) for item in lacking):
            raise Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{lacking[0]}"')
        words = f"ID '{lacking[0]}' does" if len(lacking) == 1 else f"IDs '{', '.join(lacking)}' do"
        raise Refusal("InvalidInstanceID.NotFound", f"The instance {words} not exist")
    items = [table[item] for item in dict.fromkeys(ids)] if ids else list(table.values())
    elastic = Elastic(backend)
    items = keep(call, items, FIELDS, lambda item: backend.tags.get(item.id, {}), render=lambda item: show(backend, item, elastic))
    shown, following = page(call, items)
    reservations: dict[str, dict[str, Any]] = {}
    for item in shown:
        entry = reservations.setdefault(
            item.lab_reservation, {"ReservationId": item.lab_reservation, "OwnerId": call.account, "Groups": [], "Instances": []}
        )
        entry["Instances"].append(show(backend, item, elastic))
    return clean({"Reservations": list(reservations.values()), "NextToken": following})


# -- stop, start, terminate ----------------------------------------------------------------------------------------------------


def asked(call: Call) -> list[Any]:
    """The instances that a call names."""
    return [find_instance(call.backend(), str(item)) for item in call.params.get("InstanceIds") or []]


def _of_eni(backend: Any, eni: Any) -> list[Any]:
    return [eip for eip in backend.addresses if eip.eni is eni]


def _give_back(call: Call, instance: Any) -> None:
    """Free the public addresses that were lent to an instance."""
    for eni in instance.nics.values():
        if eni.public_ip and eni.public_ip_auto_assign and not _of_eni(call.backend(), eni):
            free_public(call.lab, eni.public_ip)
            eni.public_ip = None


@before("ec2", "StopInstances", "TerminateInstances")
def lend_no_more(call: Call) -> None:
    """A stopped or terminated instance loses its lent public address."""
    forget(call)
    verb, guard = ("stopped", "disableApiStop") if call.action == "StopInstances" else ("terminated", "disableApiTermination")
    for instance in asked(call):
        if gone(instance) and call.action == "StopInstances":
            raise Refusal("IncorrectInstanceState", f"This instance '{instance.id}' is not in a state from which it can be stopped.")
        protected = instance.disable_api_stop if call.action == "StopInstances" else instance.disable_api_termination
        if protected and not gone(instance):
            text = f"The instance '{instance.id}' may not be {verb}. Modify its '{guard}' instance attribute and try again."
            raise Refusal("OperationNotPermitted", text)
    if not call.params.get("DryRun"):
        for instance in asked(call):
            _give_back(call, instance)


@before("ec2", "StartInstances", "RebootInstances")
def still_there(call: Call) -> None:
    """A terminated instance cannot be started."""
    forget(call)
    for instance in asked(call):
        if gone(instance):
            verb = "started" if call.action == "StartInstances" else "rebooted"
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {verb}.")


@after("ec2", "StartInstances", "StopInstances")
def addresses_after(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Elastic addresses stay over a stop; a start lends a new public address from the lab's pool."""
    backend = call.backend()
    for instance in asked(call):
        for eni in instance.nics.values():
            elastic = next((eip for eip in _of_eni(backend, eni) if eip.lab_private == eni.private_ip_address), None)
            if elastic is not None:
                eni.public_ip = elastic.public_ip
            elif call.action == "StartInstances" and eni.public_ip and not eni.public_ip.startswith(_PUBLIC_STARTS):
                eni.public_ip = take_public(call.lab)
    return result


_PUBLIC_STARTS = tuple(f"{str(half.network_address).rsplit('.', 2)[0]}." for half in PUBLIC.subnets(new_prefix=16))


@after("ec2", "TerminateInstances")
def leave_nothing(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Free what a terminated instance held: elastic addresses, interfaces that go with it; the others are detached."""
    backend, ended = call.backend(), call.lab.state("terminated", call.account, call.region)
    for instance in asked(call):
        if not gone(instance):
            continue
        ended.setdefault(instance.id, call.lab.now())
        for eni in list(instance.nics.values()):
            for eip in _of_eni(backend, eni):
                untie(call, eip)
            if eni.delete_on_termination:
                backend.enis.pop(eni.id, None)
                backend.tags.pop(eni.id, None)
            else:
                instance.detach_eni(eni)
    return result
