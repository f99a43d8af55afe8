# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 Instance Connect: a public key that opens ssh to an instance for 60 seconds.

"Pushes an SSH public key to the specified EC2 instance for use by the specified user. The key remains for 60 seconds."
(https://docs.aws.amazon.com/ec2-instance-connect/latest/APIReference/API_SendSSHPublicKey.html). The data plane lets its holder in; the
way to the instance's port 22 is the network's business.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from ...twin.facts import SentKey
from ..calls import Call, Refusal, instead
from ..core import Lab
from .instances import every

SECONDS = 60
_KINDS = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_STATE = "sent_keys"
_MOST = 10
"""Keys of one instance at a time, the latest: each is tried at every login."""


def sent_keys(lab: Lab, instance: str) -> Iterator[SentKey]:
    """The keys that still open an instance."""
    for key in lab.state(_STATE).get(instance, ()):
        if key.until > time.time():
            yield key


def _instance(call: Call) -> Any:
    wanted = str(call.params.get("InstanceId") or "")
    found = next((item for item in every(call.backend()) if item.id == wanted and item.state != "terminated"), None)
    zone = call.params.get("AvailabilityZone")
    if found is None or (zone and zone != found.availability_zone):
        raise Refusal("EC2InstanceNotFoundException", f"The specified instance was not found: {wanted}.", 404)
    if found.state != "running":
        raise Refusal("EC2InstanceStateInvalidException", f"The instance {wanted} is in the state '{found.state}': start it.")
    return found


def _line(call: Call) -> str:
    words = str(call.params.get("SSHPublicKey") or "").split()
    if len(words) < 2 or words[0] not in _KINDS or "\n" in str(call.params["SSHPublicKey"]).strip():
        raise Refusal("InvalidArgsException", "SSHPublicKey is not a public key in OpenSSH's form: TYPE BASE64 COMMENT.")
    return f"{words[0]} {words[1]}"


@instead("ec2-instance-connect", "SendSSHPublicKey")
def send_key(call: Call) -> dict[str, Any]:
    """Let the holder of a key in for 60 seconds, as the user named."""
    line, instance = _line(call), _instance(call)
    key = SentKey(str(call.params.get("InstanceOSUser") or ""), line, time.time() + SECONDS)
    call.lab.state(_STATE)[instance.id] = (*sent_keys(call.lab, instance.id), key)[-_MOST:]
    return {"RequestId": str(uuid.uuid4()), "Success": True}


@instead("ec2-instance-connect", "SendSerialConsoleSSHPublicKey")
def no_serial_console(call: Call) -> dict[str, Any]:
    """As in an account that has not turned access to the serial console on: nobody can in the lab."""
    _instance(call)
    raise Refusal("SerialConsoleAccessDisabledException", "Your account is not authorized to use the EC2 Serial Console.", 403)
