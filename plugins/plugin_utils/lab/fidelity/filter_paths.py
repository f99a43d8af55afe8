# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters whose names are not the path of what they look at: call -> filter -> path in an item of the answer.

Each from the description of the filter on the call's API page, which botocore's documentation repeats.
"""

from __future__ import annotations

#: Looks at what no item of the lab has: it matches nothing.
NOWHERE = "-"

_EBS = "BlockDeviceMappings.Ebs"
_ENI = "NetworkInterfaces"
_TEMPLATE = "LaunchTemplateData"
_SPOT = "LaunchSpecification"


def _volumes(prefix: str, above: str = "") -> dict[str, str]:
    """Filters of block device mappings."""
    members = {"delete-on-termination": "DeleteOnTermination", "encrypted": "Encrypted", "snapshot-id": "SnapshotId"}
    members |= {
        "volume-size": "VolumeSize",
        "volume-type": "VolumeType",
        "volume-id": "VolumeId",
        "status": "Status",
        "attach-time": "AttachTime",
    }
    named = {f"{prefix}.{name}": f"{above}{_EBS}.{member}" for name, member in members.items()}
    return named | {f"{prefix}.device-name": f"{above}BlockDeviceMappings.DeviceName"}


def _addresses(prefix: str, above: str) -> dict[str, str]:
    """Filters of an interface's addresses."""
    members = {
        "allocation-id": "AllocationId",
        "association-id": "AssociationId",
        "carrier-ip": "CarrierIp",
        "customer-owned-ip": "CustomerOwnedIp",
        "ip-owner-id": "IpOwnerId",
        "public-dns-name": "PublicDnsName",
        "public-ip": "PublicIp",
    }
    named = {f"{prefix}.association.{name}": f"{above}PrivateIpAddresses.Association.{member}" for name, member in members.items()}
    rest = {"primary": "Primary", "private-dns-name": "PrivateDnsName", "private-ip-address": "PrivateIpAddress"}
    return named | {f"{prefix}.{name}": f"{above}PrivateIpAddresses.{member}" for name, member in rest.items()}


_SPOT_OPTIONS = {
    "image-id": "ImageId",
    "instance-type": "InstanceType",
    "kernel-id": "KernelId",
    "key-name": "KeyName",
    "monitoring-enabled": "Monitoring.Enabled",
    "ramdisk-id": "RamdiskId",
    "group-id": "SecurityGroups.GroupId",
    "group-name": "SecurityGroups.GroupName",
}
_SPOT_INTERFACE = {
    "addresses.primary": "PrivateIpAddresses.Primary",
    "delete-on-termination": "DeleteOnTermination",
    "description": "Description",
    "device-index": "DeviceIndex",
    "group-id": "Groups",
    "network-interface-id": "NetworkInterfaceId",
    "private-ip-address": "PrivateIpAddress",
    "subnet-id": "SubnetId",
}

PATHS: dict[str, dict[str, str]] = {
    "DescribeAvailabilityZones": {"message": "Messages.Message"},
    "DescribeHosts": {"instance-type": "HostProperties.InstanceType"},
    "DescribeImages": {
        **_volumes("block-device-mapping"),
        "instance-type-specification.supported-instance-type": NOWHERE,
        "instance-type-specification.unsupported-instance-type": NOWHERE,
        "is-public": "Public",
        "manifest-location": "ImageLocation",
        "owner-alias": "ImageOwnerAlias",
        "product-code": "ProductCodes.ProductCodeId",
        "product-code.type": "ProductCodes.ProductCodeType",
        # The values of scan-result.highest-finding-severity-label, which the page lists as it lists filters.
        **dict.fromkeys(("informational", "low", "medium", "high", "critical"), NOWHERE),
    },
    "DescribeInstanceStatus": {
        "instance-status.reachability": "InstanceStatus.Details.Status",
        "system-status.reachability": "SystemStatus.Details.Status",
    },
    "DescribeInstances": {
        **_volumes("block-device-mapping"),
        **_addresses("network-interface.addresses", f"{_ENI}."),
        "affinity": "Placement.Affinity",
        "availability-zone-id": "Placement.AvailabilityZoneId",
        "host-id": "Placement.HostId",
        "launch-index": "AmiLaunchIndex",
        # AWS accepts it and has no such option: IPv4 is always on.
        "metadata-options.http-protocol-ipv4": NOWHERE,
        # An instance shows an association without its ids; DescribeAddresses has them.
        "network-interface.association.allocation-id": NOWHERE,
        "network-interface.association.association-id": NOWHERE,
        # The attachment of an interface of an instance is to that instance.
        "network-interface.attachment.instance-id": "InstanceId",
        "network-interface.attachment.instance-owner-id": f"{_ENI}.OwnerId",
        "network-interface.deny-all-igw-traffic": NOWHERE,
        "network-interface.ipv6-address": f"{_ENI}.Ipv6Addresses.Ipv6Address",
        "network-interface.ipv6-native": NOWHERE,
        "network-interface.outpost-arn": NOWHERE,
        "network-interface.public-dns-name": f"{_ENI}.Association.PublicDnsName",
        "network-interface.requester-id": NOWHERE,
        "network-interface.requester-managed": NOWHERE,
        "network-interface.tag-key": NOWHERE,
        "network-interface.tag-value": NOWHERE,
        "placement-partition-number": "Placement.PartitionNumber",
        "product-code": "ProductCodes.ProductCodeId",
        "product-code.type": "ProductCodes.ProductCodeType",
    },
    "DescribeKeyPairs": {"fingerprint": "KeyFingerprint"},
    "DescribeLaunchTemplateVersions": {
        "ebs-optimized": f"{_TEMPLATE}.EbsOptimized",
        "http-endpoint": f"{_TEMPLATE}.MetadataOptions.HttpEndpoint",
        "http-protocol-ipv4": NOWHERE,
        "host-resource-group-arn": f"{_TEMPLATE}.Placement.HostResourceGroupArn",
        "http-tokens": f"{_TEMPLATE}.MetadataOptions.HttpTokens",
        "iam-instance-profile": f"{_TEMPLATE}.IamInstanceProfile.Arn",
        "image-id": f"{_TEMPLATE}.ImageId",
        "instance-type": f"{_TEMPLATE}.InstanceType",
        "is-default-version": "DefaultVersion",
        "kernel-id": f"{_TEMPLATE}.KernelId",
        "license-configuration-arn": f"{_TEMPLATE}.LicenseSpecifications.LicenseConfigurationArn",
        "network-card-index": f"{_TEMPLATE}.NetworkInterfaces.NetworkCardIndex",
        "ram-disk-id": f"{_TEMPLATE}.RamDiskId",
    },
    "DescribeNetworkInterfaces": {
        **_addresses("addresses", ""),
        "addresses.association.owner-id": "PrivateIpAddresses.Association.IpOwnerId",
    },
    "DescribeSnapshotTierStatus": {"last-tiering-operation": "LastTieringOperationStatus"},
    "DescribeSnapshots": {"status": "State"},
    "DescribeSpotInstanceRequests": {
        **_volumes("launch.block-device-mapping", f"{_SPOT}."),
        **{f"launch.{name}": f"{_SPOT}.{member}" for name, member in _SPOT_OPTIONS.items()},
        **{f"network-interface.{name}": f"{_SPOT}.{_ENI}.{member}" for name, member in _SPOT_INTERFACE.items()},
        "status-code": "Status.Code",
        "status-message": "Status.Message",
    },
    "DescribeTransitGatewayPeeringAttachments": {
        "local-owner-id": "RequesterTgwInfo.OwnerId",
        "remote-owner-id": "AccepterTgwInfo.OwnerId",
        "transit-gateway-id": "RequesterTgwInfo.TransitGatewayId",
    },
    "DescribeVolumes": {"attachment.status": "Attachments.State", "status": "State"},
    "DescribeVpcClassicLink": {"is-classic-link-enabled": "ClassicLinkEnabled"},
    "DescribeVpcEndpoints": {"vpc-endpoint-state": "State"},
    # Not in botocore's documentation, and on the call's API page.
    "DescribeVpcEncryptionControls": {
        "mode": "Mode",
        "state": "State",
        "vpc-encryption-control-id": "VpcEncryptionControlId",
        "vpc-id": "VpcId",
    },
    "DescribeVpnConnections": {"bgp-asn": NOWHERE},
    "DescribeVpnGateways": {"attachment.state": "VpcAttachments.State", "attachment.vpc-id": "VpcAttachments.VpcId"},
}
