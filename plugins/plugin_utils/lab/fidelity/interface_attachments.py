# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network interface is attached to, and for a while what it was attached to.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html (the filters attachment.*).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..calls import Call
from .ended import ATTACHMENT, end, ended, forget
from .shapes import clean

_ATTACHMENT = {
    "attachment.attachment-id": "AttachmentId",
    "attachment.instance-id": "InstanceId",
    "attachment.instance-owner-id": "InstanceOwnerId",
    "attachment.device-index": "DeviceIndex",
    "attachment.status": "Status",
    "attachment.delete-on-termination": "DeleteOnTermination",
}
_ASK_FOR_ENDED = frozenset({"attachment.attachment-id", "attachment.status"})


def attachment(eni: Any) -> dict[str, Any] | None:
    """The attachment of an interface to an instance or to the service that owns it."""
    if eni.instance is not None and eni.attachment_id:
        return clean(
            {
                "AttachmentId": eni.attachment_id,
                "AttachTime": eni.attach_time,
                "DeleteOnTermination": bool(eni.delete_on_termination),
                "DeviceIndex": eni.device_index,
                "NetworkCardIndex": 0,
                "InstanceId": eni.instance.id,
                "InstanceOwnerId": eni.instance.owner_id,
                "Status": "attached",
            }
        )
    if getattr(eni, "lab_attachment", ""):
        return {
            "AttachmentId": eni.lab_attachment,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": "amazon-aws",
            "Status": "attached",
        }
    return None


def end_attachment(call: Call, eni: Any) -> None:
    """Detach an interface from its instance, and keep for a while what its attachment was."""
    end(call, eni, ATTACHMENT, {**(attachment(eni) or {}), "Status": "detached"})
    eni.instance.detach_eni(eni)


def attachment_or_ended(call: Call) -> Callable[[Any], dict[str, Any] | None]:
    """What a describe call shows as the attachment of an interface; an ended one to those who ask by its id or its status alone."""
    asked = {str(item.get("Name")) for item in call.params.get("Filters") or []}
    if not asked & _ASK_FOR_ENDED:
        return attachment

    def shown(eni: Any) -> dict[str, Any] | None:
        forget(call, [eni])
        return attachment(eni) or next(iter(reversed(ended(eni, ATTACHMENT))), None)

    return shown


def attachment_fields(attached: Callable[[Any], dict[str, Any] | None]) -> dict[str, Callable[[Any], Any]]:
    """The filters of DescribeNetworkInterfaces that speak of the attachment."""

    def reader(member: str) -> Callable[[Any], Any]:
        return lambda eni: (attached(eni) or {}).get(member)

    return {name: reader(member) for name, member in _ATTACHMENT.items()}
