#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.ssm_command: run a command on instances through Systems Manager, and wait for what comes of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_command
version_added: 0.1.0
short_description: Run a command on instances through Systems Manager, and wait for its end
description:
  - Sends a document to instances by their ids, waits for its end on each of them, and returns what it said.
  - No port, key or public address is needed. The instance needs an instance profile with C(AmazonSSMManagedInstanceCore) and a way to the
    endpoints C(ssm) and C(ssmmessages).
  - An instance that is not online, or that lost its connection, is named with what to look at.
  - AWS keeps the first 24,000 characters of an output and the first 8,000 of the errors.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details:
      - Nothing is sent.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - The command runs each time. Say with C(changed_when) when it changes something.
options:
  instance_ids:
    description:
      - The instances.
    type: list
    elements: str
    required: true
  commands:
    description:
      - The lines of a shell script, for V(AWS-RunShellScript) and other documents with a parameter C(commands).
    type: list
    elements: str
  document:
    description:
      - The name or ARN of the document to run.
    type: str
    default: AWS-RunShellScript
  parameters:
    description:
      - Further parameters of the document; a text stands for a list of one.
    type: dict
    default: {}
  working_directory:
    description:
      - Where V(AWS-RunShellScript) runs O(commands).
    type: str
  timeout:
    description:
      - How many seconds it may take, once it began.
    type: int
    default: 3600
  wait_online:
    description:
      - How many seconds to wait until every instance is online, before anything is sent.
    type: int
    default: 0
  fail_on_error:
    description:
      - Whether the task fails when the command fails on an instance, or does not get there.
    type: bool
    default: true
  comment:
    description:
      - What Systems Manager shows beside the command.
    type: str
seealso:
  - module: cloudnet.vpc.probe
"""

EXAMPLES = r"""
- name: Wait until the node is online, and ping the peer
  cloudnet.vpc.ssm_command:
    instance_ids: [i-0a1b2c3d4e5f60718]
    wait_online: 300
    commands: ["ping -c 3 172.16.1.10"]
  register: pinged
  changed_when: false

- name: What it said
  ansible.builtin.debug:
    msg: "{{ pinged.instances['i-0a1b2c3d4e5f60718'].stdout_lines }}"

- name: Another document
  cloudnet.vpc.ssm_command:
    instance_ids: [i-0a1b2c3d4e5f60718]
    document: AWS-UpdateSSMAgent
"""

RETURN = r"""
instances:
  description: What came of it, by instance id.
  returned: unless in check mode
  type: dict
  contains:
    status:
      description: V(Success), V(Failed), V(TimedOut), V(Cancelled), or V(Undeliverable) for an instance that was not online.
      type: str
      sample: Success
    exit_code:
      description: The command's exit code; null when it did not run.
      type: int
      sample: 0
    stdout:
      description: What it printed, and in C(stdout_lines) line by line.
      type: str
      sample: "3 packets transmitted, 3 received"
    stderr:
      description: Its errors.
      type: str
      sample: ""
    seconds:
      description: How long it took there.
      type: float
      sample: 2.034
    why:
      description: What failed, in words; empty for a success.
      type: str
      sample: ""
command_ids:
  description: The ids of the commands that were sent; one for fifty instances.
  returned: always
  type: list
  elements: str
  sample: [0d1e2f30-4a5b-4c6d-8e9f-a0b1c2d3e4f5]
calls:
  description: How many calls it took, by action.
  returned: always
  type: dict
  sample: {"ssm:SendCommand": 1}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, check_places, finish, params_of, region_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm import Commands, Document, failures

ARGUMENTS: dict[str, Any] = {
    "instance_ids": {"type": "list", "elements": "str", "required": True},
    "commands": {"type": "list", "elements": "str"},
    "document": {"type": "str", "default": "AWS-RunShellScript"},
    "parameters": {"type": "dict", "default": {}},
    "working_directory": {"type": "str"},
    "timeout": {"type": "int", "default": 3600},
    "wait_online": {"type": "int", "default": 0},
    "fail_on_error": {"type": "bool", "default": True},
    "comment": {"type": "str"},
}


def document_of(params: Mapping[str, Any]) -> Document:
    """What is to run. Raises CloudnetError."""
    parameters = {
        name: [str(item) for item in value] if isinstance(value, list) else [str(value)] for name, value in params["parameters"].items()
    }
    if params["commands"] is not None:
        parameters["commands"] = list(params["commands"])
    if params["working_directory"]:
        parameters["workingDirectory"] = [params["working_directory"]]
    if params["document"] == "AWS-RunShellScript" and not parameters.get("commands"):
        raise CloudnetError("commands: nothing to run: give the lines of a script, or another document")
    if params["timeout"] < 1:
        raise CloudnetError("timeout: must be 1 second or more")
    return Document(params["document"], parameters, params["timeout"], params["comment"] or "")


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params, document = module.params, document_of(module.params)
    result: dict[str, Any] = {"changed": bool(params["instance_ids"]), "command_ids": [], "calls": {}}
    if module.check_mode or not params["instance_ids"]:
        return result if module.check_mode else {**result, "instances": {}}
    region = region_of(module)
    if not region:
        raise CloudnetError("no Region given: set region, or AWS_REGION, or one in the profile")
    estate = Estate(Topology("", vpcs={"here": VpcSpec("here", region=region, id="any")}), params_of(module), target=params["target"])
    check_places(estate)
    estate.sessions.endpoint("", "ssm", region)
    commands = Commands(estate.client, estate.accounts[""], region)
    found = commands.run(params["instance_ids"], document, params["wait_online"])
    told = {id_: {**item.as_dict(), "stdout_lines": item.stdout.splitlines()} for id_, item in found.items()}
    result |= {"instances": told, "command_ids": commands.sent, "calls": dict(estate.client.calls), "changed": bool(commands.sent)}
    wrong = failures(found.values())
    if wrong and params["fail_on_error"]:
        module.fail_json(msg=wrong, **result)
    return result


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
