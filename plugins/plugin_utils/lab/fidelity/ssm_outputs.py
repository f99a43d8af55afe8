# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a command's output is kept beside Systems Manager: a bucket, a log group. The agent writes it, with its instance's role.

Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html (OutputS3BucketName, InvalidOutputFolder),
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-rc-setting-up-cwlogs.html (names of log groups and streams).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from ..calls import Call, Refusal
from ..core import Lab
from ..permissions import Request, decide, policies_of_role

LOG = logging.getLogger(__name__)
_STEP = "awsrunShellScript/0.awsrunShellScript"
_STREAM = "aws-runShellScript"


@dataclass(frozen=True)
class Outputs:
    """What a command asked for; ``group`` is "" unless output to CloudWatch Logs is on."""

    bucket: str = ""
    prefix: str = ""
    region: str = ""
    group: str = ""

    def shown(self) -> dict[str, Any]:
        """As a command shows it."""
        return {
            "OutputS3BucketName": self.bucket,
            "OutputS3KeyPrefix": self.prefix,
            "OutputS3Region": self.region if self.bucket else "",
            "CloudWatchOutputConfig": self.logs(),
        }

    def logs(self) -> dict[str, Any]:
        """``CloudWatchOutputConfig`` as invocations show it."""
        return {"CloudWatchLogGroupName": self.group, "CloudWatchOutputEnabled": bool(self.group)}

    def key(self, command: str, instance: str, stream: str) -> str:
        """The object of one stream (``stdout`` or ``stderr``)."""
        return "/".join(part for part in (self.prefix.strip("/"), command, instance, _STEP, stream) if part)

    def url(self, command: str, instance: str, stream: str) -> str:
        """Where that object is; "" without a bucket. It is told whether or not the agent was allowed to write it."""
        return f"https://s3.{self.region}.amazonaws.com/{self.bucket}/{self.key(command, instance, stream)}" if self.bucket else ""


def asked_outputs(call: Call, document: str) -> Outputs:
    """What SendCommand's parameters say; a bucket that nobody has is refused."""
    params, config = call.params, call.params.get("CloudWatchOutputConfig") or {}
    bucket = str(params.get("OutputS3BucketName") or "")
    if bucket and _bucket_backend(call.lab, bucket) is None:
        raise Refusal("InvalidOutputFolder", f"The S3 bucket '{bucket}' does not exist.")
    group = str(config.get("CloudWatchLogGroupName") or f"/aws/ssm/{document}")
    return Outputs(
        bucket=bucket,
        prefix=str(params.get("OutputS3KeyPrefix") or ""),
        region=str(params.get("OutputS3Region") or call.region),
        group=group if config.get("CloudWatchOutputEnabled") else "",
    )


def _bucket_backend(lab: Lab, bucket: str) -> Any:
    """The emulator's S3 of the account that has a bucket, or None."""
    backends = (lab.backend("s3", account, "us-east-1") for account in list(lab.accounts.by_id))
    return next((backend for backend in backends if bucket in backend.buckets), None)


def keep(lab: Lab, outputs: Outputs, account: str, region: str, command: str, instance: str, streams: dict[str, str]) -> None:
    """Write what a node has said to where it is wanted, as far as its role lets the agent. ``streams``: stdout and stderr."""
    if not outputs.bucket and not outputs.group:
        return
    said = {name: text for name, text in streams.items() if text}
    with lab.lock:
        for write, wanted in ((_to_bucket, outputs.bucket), (_to_logs, outputs.group)):
            if wanted:
                try:
                    write(lab, outputs, account, region, command, instance, said)
                except Exception:
                    LOG.exception("the output of command %s on %s could not be kept in %s", command, instance, wanted)


def _may(lab: Lab, account: str, region: str, instance: str, *actions: str) -> bool:
    ec2 = lab.backend("ec2", account, region)
    association = ec2.iam_instance_profile_associations.get(instance)
    profile = association.iam_instance_profile if association is not None else None
    if profile is None or not profile.roles:
        return False
    role = profile.roles[0]
    documents = list(policies_of_role(lab.backend("iam", account, region), role.name))
    principal = f"arn:aws:iam::{account}:role/{role.name}"
    return all(decide(documents, Request(action, account, region, principal)) == "Allow" for action in actions)


def _to_bucket(lab: Lab, outputs: Outputs, account: str, region: str, command: str, instance: str, said: dict[str, str]) -> None:
    if not _may(lab, account, region, instance, "s3:PutObject"):
        return
    backend = _bucket_backend(lab, outputs.bucket)
    for name, text in said.items() if backend is not None else ():
        backend.put_object(outputs.bucket, outputs.key(command, instance, name), text.encode())


def _to_logs(lab: Lab, outputs: Outputs, account: str, region: str, command: str, instance: str, said: dict[str, str]) -> None:
    if not _may(lab, account, region, instance, "logs:CreateLogStream", "logs:PutLogEvents"):
        return
    backend = lab.backend("logs", account, region)
    if outputs.group not in backend.groups:
        if not _may(lab, account, region, instance, "logs:CreateLogGroup"):
            return
        backend.create_log_group(outputs.group, {})
    now = int(lab.now().timestamp() * 1000)
    for name, text in said.items():
        stream = f"{command}/{instance}/{_STREAM}/{name}"
        backend.create_log_stream(outputs.group, stream)
        backend.put_log_events(outputs.group, stream, [{"timestamp": now, "message": line} for line in text.splitlines() if line])
