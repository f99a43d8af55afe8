# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.aws_environment."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_environment
version_added: 0.1.0
short_description: The environment in which a play talks to AWS as a profile, whatever keys its user's environment has
description:
  - Turns the name of a profile into a mapping for the keyword C(environment) of a play, block or task.
  - Keys, tokens and roles in the environment would come before a profile, or be refused beside it, so they are set to nothing.
  - With no profile, credentials stay as they are. Endpoints always do; see O(cloudnet.vpc.network#module:target) for a guard.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, region, config_file
options:
  _input:
    description: The profile; empty for the credentials of the environment.
    type: str
    required: true
  region:
    description: The Region; empty for that of the environment or profile.
    type: str
    default: ""
  config_file:
    description: An AWS config file, such as one of P(cloudnet.vpc.aws_config#filter); empty for the user's own.
    type: str
    default: ""
seealso:
  - plugin: cloudnet.vpc.lab_environment
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Who is that
  amazon.aws.aws_caller_info:
  environment: "{{ 'network' | cloudnet.vpc.aws_environment(region='eu-west-1') }}"
"""

RETURN = r"""
_value:
  description: Environment variables and their values.
  type: dict
"""

from typing import Any

#: A variable that is set to nothing is, to botocore and amazon.aws, not set.
CREDENTIALS = (
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "EC2_ACCESS_KEY",
    "EC2_SECRET_KEY",
    "EC2_SECURITY_TOKEN",
)


def aws_environment(profile: Any, region: str = "", config_file: str = "") -> dict[str, str]:
    """Environment variables for a profile, a Region and a config file, each of which may be empty."""
    result: dict[str, str] = {}
    if profile:
        # botocore prefers AWS_DEFAULT_PROFILE to AWS_PROFILE.
        result = {**dict.fromkeys(CREDENTIALS, ""), "AWS_DEFAULT_PROFILE": str(profile), "AWS_PROFILE": str(profile)}
    if region:
        result |= {"AWS_DEFAULT_REGION": str(region), "AWS_REGION": str(region)}
    if config_file:
        result["AWS_CONFIG_FILE"] = str(config_file)
    return result


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"aws_environment": aws_environment}
