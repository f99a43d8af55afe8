# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of EC2's calls of the VPC domain that the lab reads."""

from __future__ import annotations

READ: dict[str, str] = {
    "AcceptVpcPeeringConnection": "VpcPeeringConnectionId",
    "AllocateAddress": "Domain Address PublicIpv4Pool NetworkBorderGroup TagSpecifications",
    "AssignIpv6Addresses": "NetworkInterfaceId Ipv6Addresses Ipv6AddressCount",
    "AssignPrivateIpAddresses": (
        "NetworkInterfaceId PrivateIpAddresses SecondaryPrivateIpAddressCount AllowReassignment Ipv4Prefixes Ipv4PrefixCount"
    ),
    "AssignPrivateNatGatewayAddress": "NatGatewayId PrivateIpAddresses PrivateIpAddressCount",
    "AssociateAddress": "AllocationId InstanceId PublicIp NetworkInterfaceId PrivateIpAddress AllowReassociation",
    "AssociateDhcpOptions": "DhcpOptionsId VpcId",
    "AssociateNatGatewayAddress": "NatGatewayId AllocationIds PrivateIpAddresses",
    "AssociateRouteTable": "GatewayId SubnetId RouteTableId",
    "AssociateSubnetCidrBlock": "SubnetId Ipv6CidrBlock",
    "AssociateVpcCidrBlock": (
        "CidrBlock Ipv6CidrBlockNetworkBorderGroup Ipv6Pool Ipv6CidrBlock Ipv4IpamPoolId Ipv4NetmaskLength Ipv6IpamPoolId "
        "Ipv6NetmaskLength VpcId AmazonProvidedIpv6CidrBlock"
    ),
    "AttachInternetGateway": "InternetGatewayId VpcId",
    "AttachNetworkInterface": "NetworkInterfaceId InstanceId DeviceIndex",
    "AuthorizeSecurityGroupEgress": "TagSpecifications GroupId SourceSecurityGroupName IpProtocol FromPort ToPort CidrIp IpPermissions",
    "AuthorizeSecurityGroupIngress": (
        "GroupId GroupName IpProtocol FromPort ToPort CidrIp SourceSecurityGroupName IpPermissions TagSpecifications"
    ),
    "CreateDefaultSubnet": "AvailabilityZone",
    "CreateDefaultVpc": "",
    "CreateDhcpOptions": "DhcpConfigurations TagSpecifications",
    "CreateEgressOnlyInternetGateway": "VpcId TagSpecifications",
    "CreateFlowLogs": (
        "DeliverLogsPermissionArn LogGroupName ResourceIds ResourceType TrafficType LogDestinationType LogDestination LogFormat "
        "TagSpecifications MaxAggregationInterval DestinationOptions"
    ),
    "CreateInternetGateway": "TagSpecifications",
    "CreateManagedPrefixList": "PrefixListName Entries MaxEntries TagSpecifications AddressFamily",
    "CreateNatGateway": (
        "AllocationId SubnetId VpcId TagSpecifications ConnectivityType PrivateIpAddress SecondaryAllocationIds "
        "SecondaryPrivateIpAddresses SecondaryPrivateIpAddressCount"
    ),
    "CreateNetworkAcl": "TagSpecifications VpcId",
    "CreateNetworkAclEntry": "NetworkAclId RuleNumber Protocol RuleAction Egress CidrBlock Ipv6CidrBlock IcmpTypeCode PortRange",
    "CreateNetworkInterface": (
        "SubnetId Description Groups InterfaceType Ipv6AddressCount Ipv6Addresses.Ipv6Address PrivateIpAddress "
        "PrivateIpAddresses SecondaryPrivateIpAddressCount TagSpecifications ConnectionTrackingSpecification"
    ),
    "CreateRoute": (
        "DestinationPrefixListId VpcEndpointId TransitGatewayId LocalGatewayId CarrierGatewayId CoreNetworkArn OdbNetworkArn "
        "RouteTableId DestinationCidrBlock GatewayId DestinationIpv6CidrBlock EgressOnlyInternetGatewayId InstanceId "
        "NetworkInterfaceId VpcPeeringConnectionId NatGatewayId"
    ),
    "CreateRouteTable": "TagSpecifications VpcId",
    "CreateSecurityGroup": "Description GroupName VpcId TagSpecifications",
    "CreateSubnet": (
        "TagSpecifications AvailabilityZone AvailabilityZoneId CidrBlock Ipv6CidrBlock VpcId Ipv6Native Ipv4IpamPoolId "
        "Ipv4NetmaskLength Ipv6IpamPoolId Ipv6NetmaskLength"
    ),
    "CreateSubnetCidrReservation": "SubnetId Cidr ReservationType TagSpecifications",
    "CreateTags": "Resources Tags",
    "CreateVpc": (
        "CidrBlock Ipv6Pool Ipv6CidrBlock Ipv4IpamPoolId Ipv4NetmaskLength Ipv6IpamPoolId Ipv6NetmaskLength "
        "Ipv6CidrBlockNetworkBorderGroup TagSpecifications InstanceTenancy AmazonProvidedIpv6CidrBlock"
    ),
    "CreateVpcEndpoint": (
        "VpcEndpointType VpcId ServiceName PolicyDocument RouteTableIds SubnetIds SecurityGroupIds IpAddressType DnsOptions "
        "PrivateDnsEnabled TagSpecifications SubnetConfigurations.SubnetId SubnetConfigurations.Ipv4"
    ),
    "CreateVpcPeeringConnection": (
        "VpcId PeerVpcId PeerOwnerId PeerRegion TagSpecifications RequesterPeeringConnectionOptions.AllowMultipathResilience "
        "RequesterPeeringConnectionOptions.MultipathResilienceMode"
    ),
    "DeleteDhcpOptions": "DhcpOptionsId",
    "DeleteEgressOnlyInternetGateway": "EgressOnlyInternetGatewayId",
    "DeleteFlowLogs": "FlowLogIds",
    "DeleteInternetGateway": "InternetGatewayId",
    "DeleteManagedPrefixList": "PrefixListId",
    "DeleteNatGateway": "NatGatewayId",
    "DeleteNetworkAcl": "NetworkAclId",
    "DeleteNetworkAclEntry": "NetworkAclId RuleNumber Egress",
    "DeleteNetworkInterface": "NetworkInterfaceId",
    "DeleteRoute": "DestinationPrefixListId RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock",
    "DeleteRouteTable": "RouteTableId",
    "DeleteSecurityGroup": "GroupId GroupName",
    "DeleteSubnet": "SubnetId",
    "DeleteSubnetCidrReservation": "SubnetCidrReservationId",
    "DeleteTags": "Resources Tags",
    "DeleteVpc": "VpcId",
    "DeleteVpcEndpoints": "VpcEndpointIds",
    "DeleteVpcPeeringConnection": "VpcPeeringConnectionId",
    "DescribeAddresses": "PublicIps Filters AllocationIds",
    "DescribeAddressesAttribute": "AllocationIds MaxResults NextToken",
    "DescribeDhcpOptions": "DhcpOptionsIds Filters MaxResults NextToken",
    "DescribeEgressOnlyInternetGateways": "EgressOnlyInternetGatewayIds MaxResults NextToken Filters",
    "DescribeFlowLogs": "Filter FlowLogIds MaxResults NextToken",
    "DescribeInstanceAttribute": "InstanceId Attribute",
    "DescribeInstanceConnectEndpoints": "InstanceConnectEndpointIds Filters MaxResults NextToken",
    "DescribeInstanceCreditSpecifications": "InstanceIds Filters MaxResults NextToken",
    "DescribeInstanceStatus": "InstanceIds Filters IncludeAllInstances MaxResults NextToken",
    "DescribeInstances": "InstanceIds Filters NextToken MaxResults",
    "DescribeInternetGateways": "NextToken MaxResults InternetGatewayIds Filters",
    "DescribeIpv6Pools": "PoolIds Filters MaxResults NextToken",
    "DescribeManagedPrefixLists": "Filters MaxResults NextToken PrefixListIds",
    "DescribeNatGateways": "Filter MaxResults NatGatewayIds NextToken",
    "DescribeNetworkAcls": "NextToken MaxResults NetworkAclIds Filters",
    "DescribeNetworkInterfaceAttribute": "NetworkInterfaceId Attribute",
    "DescribeNetworkInterfaces": "NextToken MaxResults NetworkInterfaceIds Filters",
    "DescribePrefixLists": "Filters MaxResults NextToken PrefixListIds",
    "DescribeRouteTables": "NextToken MaxResults RouteTableIds Filters",
    "DescribeSecurityGroupReferences": "GroupId",
    "DescribeSecurityGroupRules": "Filters SecurityGroupRuleIds NextToken MaxResults",
    "DescribeSecurityGroupVpcAssociations": "Filters MaxResults NextToken",
    "DescribeSecurityGroups": "GroupIds GroupNames NextToken MaxResults Filters",
    "DescribeStaleSecurityGroups": "MaxResults NextToken VpcId",
    "DescribeSubnets": "Filters SubnetIds NextToken MaxResults",
    "DescribeTags": "Filters MaxResults NextToken",
    "DescribeVpcAttribute": "Attribute VpcId",
    "DescribeVpcBlockPublicAccessExclusions": "ExclusionIds Filters MaxResults NextToken",
    "DescribeVpcBlockPublicAccessOptions": "",
    "DescribeVpcEncryptionControls": "VpcEncryptionControlIds Filters MaxResults NextToken",
    "DescribeVpcEndpointServices": "ServiceNames Filters MaxResults NextToken",
    "DescribeVpcEndpoints": "VpcEndpointIds Filters MaxResults NextToken",
    "DescribeVpcPeeringConnections": "NextToken MaxResults VpcPeeringConnectionIds Filters",
    "DescribeVpcs": "Filters VpcIds NextToken MaxResults",
    "DetachInternetGateway": "InternetGatewayId VpcId",
    "DetachNetworkInterface": "AttachmentId",
    "DisassociateAddress": "AssociationId PublicIp",
    "DisassociateNatGatewayAddress": "NatGatewayId AssociationIds",
    "DisassociateRouteTable": "AssociationId",
    "DisassociateSubnetCidrBlock": "AssociationId",
    "DisassociateVpcCidrBlock": "AssociationId",
    "GetConsoleOutput": "InstanceId",
    "GetManagedPrefixListAssociations": "PrefixListId MaxResults NextToken",
    "GetManagedPrefixListEntries": "PrefixListId TargetVersion MaxResults NextToken",
    "GetSubnetCidrReservations": "Filters SubnetId MaxResults NextToken",
    "ModifyInstanceAttribute": (
        "InstanceId Attribute Value InstanceType UserData DisableApiTermination DisableApiStop EbsOptimized "
        "InstanceInitiatedShutdownBehavior SourceDestCheck Groups EnclaveOptions BlockDeviceMappings.DeviceName "
        "BlockDeviceMappings.Ebs.DeleteOnTermination"
    ),
    "ModifyInstanceCreditSpecification": "InstanceCreditSpecifications",
    "ModifyInstanceMaintenanceOptions": "InstanceId AutoRecovery RebootMigration",
    "ModifyInstanceMetadataOptions": "InstanceId HttpTokens HttpPutResponseHopLimit HttpEndpoint HttpProtocolIpv6 InstanceMetadataTags",
    "ModifyManagedPrefixList": "PrefixListId CurrentVersion PrefixListName AddEntries RemoveEntries MaxEntries",
    "ModifyNetworkInterfaceAttribute": (
        "NetworkInterfaceId Description SourceDestCheck Groups Attachment.AttachmentId Attachment.DeleteOnTermination "
        "ConnectionTrackingSpecification"
    ),
    "ModifyPrivateDnsNameOptions": "InstanceId PrivateDnsHostnameType EnableResourceNameDnsARecord EnableResourceNameDnsAAAARecord",
    "ModifySecurityGroupRules": "GroupId SecurityGroupRules",
    "ModifySubnetAttribute": (
        "SubnetId AssignIpv6AddressOnCreation DisableLniAtDeviceIndex EnableDns64 EnableLniAtDeviceIndex "
        "EnableResourceNameDnsAAAARecordOnLaunch EnableResourceNameDnsARecordOnLaunch MapPublicIpOnLaunch "
        "PrivateDnsHostnameTypeOnLaunch"
    ),
    "ModifyVpcAttribute": "EnableDnsHostnames EnableDnsSupport VpcId EnableNetworkAddressUsageMetrics",
    "ModifyVpcEndpoint": (
        "VpcEndpointId ResetPolicy PolicyDocument AddRouteTableIds RemoveRouteTableIds AddSubnetIds RemoveSubnetIds "
        "AddSecurityGroupIds RemoveSecurityGroupIds IpAddressType DnsOptions PrivateDnsEnabled SubnetConfigurations.SubnetId "
        "SubnetConfigurations.Ipv4"
    ),
    "ModifyVpcPeeringConnectionOptions": "AccepterPeeringConnectionOptions RequesterPeeringConnectionOptions VpcPeeringConnectionId",
    "ModifyVpcTenancy": "VpcId InstanceTenancy",
    "MonitorInstances": "InstanceIds",
    "RebootInstances": "InstanceIds",
    "RejectVpcPeeringConnection": "VpcPeeringConnectionId",
    "ReleaseAddress": "AllocationId PublicIp NetworkBorderGroup",
    "ReplaceNetworkAclAssociation": "AssociationId NetworkAclId",
    "ReplaceNetworkAclEntry": "NetworkAclId RuleNumber Protocol RuleAction Egress CidrBlock Ipv6CidrBlock IcmpTypeCode PortRange",
    "ReplaceRoute": (
        "DestinationPrefixListId VpcEndpointId LocalTarget TransitGatewayId LocalGatewayId CarrierGatewayId CoreNetworkArn "
        "OdbNetworkArn RouteTableId DestinationCidrBlock GatewayId DestinationIpv6CidrBlock EgressOnlyInternetGatewayId "
        "InstanceId NetworkInterfaceId VpcPeeringConnectionId NatGatewayId"
    ),
    "ReplaceRouteTableAssociation": "AssociationId RouteTableId",
    "ResetNetworkInterfaceAttribute": "NetworkInterfaceId SourceDestCheck",
    "RestoreManagedPrefixListVersion": "PrefixListId PreviousVersion CurrentVersion",
    "RevokeSecurityGroupEgress": "SecurityGroupRuleIds GroupId SourceSecurityGroupName IpProtocol FromPort ToPort CidrIp IpPermissions",
    "RevokeSecurityGroupIngress": (
        "CidrIp FromPort GroupId GroupName IpPermissions IpProtocol SourceSecurityGroupName ToPort SecurityGroupRuleIds"
    ),
    "RunInstances": (
        "ImageId InstanceType MinCount MaxCount SubnetId SecurityGroupIds SecurityGroups KeyName UserData PrivateIpAddress "
        "Ipv6AddressCount Ipv6Addresses IamInstanceProfile LaunchTemplate TagSpecifications Monitoring MetadataOptions "
        "EbsOptimized DisableApiStop InstanceInitiatedShutdownBehavior InstanceMarketOptions.MarketType "
        "Placement.AvailabilityZone BlockDeviceMappings.DeviceName BlockDeviceMappings.VirtualName BlockDeviceMappings.NoDevice "
        "BlockDeviceMappings.Ebs.SnapshotId BlockDeviceMappings.Ebs.VolumeSize BlockDeviceMappings.Ebs.VolumeType "
        "BlockDeviceMappings.Ebs.DeleteOnTermination BlockDeviceMappings.Ebs.Encrypted BlockDeviceMappings.Ebs.KmsKeyId "
        "NetworkInterfaces.NetworkInterfaceId NetworkInterfaces.DeviceIndex NetworkInterfaces.SubnetId NetworkInterfaces.Groups "
        "NetworkInterfaces.PrivateIpAddress NetworkInterfaces.PrivateIpAddresses "
        "NetworkInterfaces.SecondaryPrivateIpAddressCount NetworkInterfaces.Ipv6AddressCount "
        "NetworkInterfaces.Ipv6Addresses.Ipv6Address NetworkInterfaces.AssociatePublicIpAddress "
        "NetworkInterfaces.DeleteOnTermination NetworkInterfaces.Description DisableApiTermination CreditSpecification "
        "CpuOptions MaintenanceOptions EnclaveOptions HibernationOptions PrivateDnsNameOptions Placement.Tenancy "
        "BlockDeviceMappings.Ebs.Iops BlockDeviceMappings.Ebs.Throughput"
    ),
    "StartInstances": "InstanceIds",
    "StopInstances": "InstanceIds",
    "TerminateInstances": "InstanceIds",
    "UnassignIpv6Addresses": "NetworkInterfaceId Ipv6Addresses",
    "UnassignPrivateIpAddresses": "NetworkInterfaceId PrivateIpAddresses Ipv4Prefixes",
    "UnassignPrivateNatGatewayAddress": "NatGatewayId PrivateIpAddresses",
    "UnmonitorInstances": "InstanceIds",
    "UpdateSecurityGroupRuleDescriptionsEgress": "GroupId GroupName IpPermissions SecurityGroupRuleDescriptions",
    "UpdateSecurityGroupRuleDescriptionsIngress": "GroupId GroupName IpPermissions SecurityGroupRuleDescriptions",
}
