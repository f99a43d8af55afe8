# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the instance metadata service tells of an instance: path to text, a pure function of the data plane's state.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html. Paths as below ``/latest``; folders follow
from them. The identity document is there without its signatures, for only AWS can make those.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping

from ....module_utils._model.network import Instance, Interface, Network
from ..compile.names import mac
from ..facts import HostFacts, Role
from .names import dns_hostnames, private_name, public_name

USER_DATA = "user-data"
_ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64"}


def tree(network: Network, instance: Instance, facts: HostFacts) -> dict[str, str]:
    """Everything that can be read about an instance, but its user data."""
    found = _instance(network, instance, facts)
    for number, key in enumerate(instance.interfaces):
        if key in network.interfaces:
            place = f"network/interfaces/macs/{mac(key)}/"
            found |= {place + name: text for name, text in _interface(network, network.interfaces[key], number).items()}
    if facts.role is not None:
        found |= _role(facts.role, facts.launched)
    if facts.tags is not None:
        found |= {f"tags/instance/{key}": value for key, value in facts.tags.items()}
    if facts.authorized:
        found["public-keys/0/openssh-key"] = facts.authorized[0].rstrip("\n") + "\n"
    result = {f"meta-data/{name}": text for name, text in found.items()}
    result["dynamic/instance-identity/document"] = _document(network, instance, facts)
    return result


def _instance(network: Network, instance: Instance, facts: HostFacts) -> dict[str, str]:
    subnet = network.subnets.get(instance.subnet)
    primary = network.interfaces.get(instance.interfaces[0]) if instance.interfaces else None
    address = instance.private_ip or (primary.private_ips[0] if primary is not None and primary.private_ips else "")
    name = private_name(address, instance.region) if address else f"{instance.id}.internal"
    found = {
        "ami-id": instance.image,
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "hostname": name,
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.type,
        "local-hostname": name,
        "local-ipv4": address,
        "mac": mac(instance.interfaces[0]) if instance.interfaces else "",
        "placement/availability-zone": subnet.zone if subnet is not None else "",
        "placement/availability-zone-id": subnet.zone_id if subnet is not None else "",
        "placement/region": instance.region,
        "profile": "default-hvm",
        "reservation-id": facts.reservation,
        "security-groups": _group_names(network, primary),
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
    }
    public = primary.public_ips.get(address, "") if primary is not None else instance.public_ip
    if public:
        found["public-ipv4"] = public
        found["public-hostname"] = public_name(public, instance.region) if dns_hostnames(network, instance.vpc) else ""
    if primary is not None and primary.ipv6s:
        found["ipv6"] = primary.ipv6s[0]
    return {key: text for key, text in found.items() if text or key == "public-hostname"}


def _group_names(network: Network, interface: Interface | None) -> str:
    groups = interface.groups if interface is not None else ()
    return "\n".join(network.security_groups[key].group_name for key in groups if key in network.security_groups)


def _interface(network: Network, interface: Interface, number: int) -> dict[str, str]:
    subnet, vpc = network.subnets.get(interface.subnet), network.vpcs.get(interface.vpc)
    address = interface.private_ips[0] if interface.private_ips else ""
    found = {
        "device-number": str(number),
        "interface-id": interface.id,
        "ipv6s": "\n".join(interface.ipv6s),
        "local-hostname": private_name(address, interface.region) if address else "",
        "local-ipv4s": "\n".join(interface.private_ips),
        "mac": mac(interface.id),
        "owner-id": interface.account,
        "security-group-ids": "\n".join(interface.groups),
        "security-groups": _group_names(network, interface),
        "subnet-id": interface.subnet,
        "subnet-ipv4-cidr-block": subnet.cidr if subnet is not None else "",
        "subnet-ipv6-cidr-blocks": subnet.ipv6_cidr if subnet is not None else "",
        "vpc-id": interface.vpc,
        "vpc-ipv4-cidr-block": vpc.cidrs[0] if vpc is not None and vpc.cidrs else "",
        "vpc-ipv4-cidr-blocks": "\n".join(vpc.cidrs) if vpc is not None else "",
        "vpc-ipv6-cidr-blocks": "\n".join(vpc.ipv6_cidrs) if vpc is not None else "",
        "public-ipv4s": "\n".join(interface.public_ips.values()),
    }
    if interface.public_ips and dns_hostnames(network, interface.vpc):
        found["public-hostname"] = public_name(next(iter(interface.public_ips.values())), interface.region)
    found |= {f"ipv4-associations/{outside}": inside for inside, outside in interface.public_ips.items()}
    return {key: text for key, text in found.items() if text}


def _role(role: Role, launched: str) -> dict[str, str]:
    """The role and its credentials. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html"""
    info = {"Code": "Success", "LastUpdated": launched, "InstanceProfileArn": role.profile_arn}
    found = {"iam/info": json.dumps(info, indent=2)}
    if role.access_key:
        secrets = {
            "Code": "Success",
            "LastUpdated": launched,
            "Type": "AWS-HMAC",
            "AccessKeyId": role.access_key,
            "SecretAccessKey": role.secret,
            "Token": role.token,
            "Expiration": role.expires,
        }
        found[f"iam/security-credentials/{role.name}"] = json.dumps(secrets, indent=2)
    return found


def _document(network: Network, instance: Instance, facts: HostFacts) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html"""
    subnet, machine = network.subnets.get(instance.subnet), platform.machine()
    return json.dumps(
        {
            "accountId": instance.account,
            "architecture": _ARCHITECTURES.get(machine, machine),
            "availabilityZone": subnet.zone if subnet is not None else "",
            "billingProducts": None,
            "devpayProductCodes": None,
            "marketplaceProductCodes": None,
            "imageId": instance.image,
            "instanceId": instance.id,
            "instanceType": instance.type,
            "kernelId": None,
            "pendingTime": facts.launched,
            "privateIp": instance.private_ip,
            "ramdiskId": None,
            "region": instance.region,
            "version": "2017-09-30",
        },
        indent=2,
    )


def listing(paths: Mapping[str, str], folder: str, key_name: str) -> str | None:
    """What a folder holds, a line each, folders with a final slash, as the service lists them; None when there is no such folder.

    ``folder`` without slashes at its ends, empty for the top. The list of public keys tells each by its number and ``key_name``.
    """
    if folder == "meta-data/public-keys":
        return f"0={key_name}" if "meta-data/public-keys/0/openssh-key" in paths else None
    prefix = f"{folder}/" if folder else ""
    found = set()
    for path in paths:
        if path.startswith(prefix):
            name, slash, _rest = path[len(prefix) :].partition("/")
            found.add(name + slash if folder else name)  # the top has none, as the service shows it
    return "\n".join(sorted(found)) if found else None
