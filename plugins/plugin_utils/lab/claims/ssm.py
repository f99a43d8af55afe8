# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of Systems Manager's calls that the lab reads."""

from __future__ import annotations

READ: dict[str, str] = {
    "AddTagsToResource": "ResourceType ResourceId Tags",
    "CancelCommand": "CommandId InstanceIds",
    "CreateDocument": "Content Requires Attachments Name VersionName DocumentType DocumentFormat TargetType Tags",
    "CreateMaintenanceWindow": "Name Description StartDate EndDate Schedule ScheduleTimezone ScheduleOffset Duration Cutoff Tags",
    "CreatePatchBaseline": (
        "OperatingSystem Name GlobalFilters ApprovalRules ApprovedPatches ApprovedPatchesComplianceLevel "
        "ApprovedPatchesEnableNonSecurity RejectedPatches RejectedPatchesAction Description Sources Tags"
    ),
    "DeleteDocument": "Name DocumentVersion VersionName Force",
    "DeleteMaintenanceWindow": "WindowId",
    "DeleteParameter": "Name",
    "DeleteParameters": "Names",
    "DeletePatchBaseline": "BaselineId",
    "DeregisterPatchBaselineForPatchGroup": "BaselineId PatchGroup",
    "DeregisterTargetFromMaintenanceWindow": "WindowId WindowTargetId",
    "DeregisterTaskFromMaintenanceWindow": "WindowId WindowTaskId",
    "DescribeDocument": "Name DocumentVersion VersionName",
    "DescribeDocumentPermission": "Name",
    "DescribeInstanceInformation": "InstanceInformationFilterList Filters MaxResults NextToken",
    "DescribeMaintenanceWindowTargets": "WindowId Filters",
    "DescribeMaintenanceWindowTasks": "WindowId Filters",
    "DescribeMaintenanceWindows": "Filters",
    "DescribeParameters": "Filters ParameterFilters NextToken",
    "DescribePatchBaselines": "Filters",
    "DescribeSessions": "",
    "GetCommandInvocation": "CommandId InstanceId PluginName",
    "GetConnectionStatus": "Target",
    "GetDocument": "Name VersionName DocumentVersion DocumentFormat",
    "GetMaintenanceWindow": "WindowId",
    "GetParameter": "Name WithDecryption",
    "GetParameterHistory": "Name WithDecryption MaxResults NextToken",
    "GetParameters": "Names WithDecryption",
    "GetParametersByPath": "Path Recursive ParameterFilters WithDecryption MaxResults NextToken",
    "GetPatchBaselineForPatchGroup": "PatchGroup OperatingSystem",
    "LabelParameterVersion": "Name ParameterVersion Labels",
    "ListCommandInvocations": "CommandId InstanceId MaxResults NextToken Filters Details",
    "ListCommands": "CommandId InstanceId MaxResults NextToken Filters",
    "ListDocuments": "DocumentFilterList Filters MaxResults NextToken",
    "ListTagsForResource": "ResourceType ResourceId",
    "ModifyDocumentPermission": "Name PermissionType AccountIdsToAdd AccountIdsToRemove SharedDocumentVersion",
    "PutParameter": "Name Description Value Type KeyId Overwrite AllowedPattern Tags Tier Policies DataType",
    "RegisterPatchBaselineForPatchGroup": "BaselineId PatchGroup",
    "RegisterTargetWithMaintenanceWindow": "WindowId ResourceType Targets OwnerInformation Name Description",
    "RegisterTaskWithMaintenanceWindow": (
        "WindowId Targets TaskArn ServiceRoleArn TaskType TaskParameters TaskInvocationParameters Priority MaxConcurrency "
        "MaxErrors LoggingInfo Name Description CutoffBehavior"
    ),
    "RemoveTagsFromResource": "ResourceType ResourceId TagKeys",
    "ResumeSession": "SessionId",
    "SendCommand": (
        "InstanceIds Targets DocumentName DocumentVersion TimeoutSeconds Comment Parameters MaxConcurrency MaxErrors "
        "OutputS3BucketName OutputS3KeyPrefix OutputS3Region CloudWatchOutputConfig"
    ),
    "StartSession": "Target",
    "TerminateSession": "SessionId",
    "UnlabelParameterVersion": "Name ParameterVersion Labels",
    "UpdateDocument": "Content Attachments Name VersionName DocumentVersion DocumentFormat TargetType",
    "UpdateDocumentDefaultVersion": "Name DocumentVersion",
}
