# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.lab_environment."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_environment
version_added: 0.1.0
short_description: The environment in which a play talks to the embedded lab, and to nothing else
description:
  - Turns a result of M(cloudnet.vpc.lab) into a mapping for the keyword C(environment) of a play, block or task.
  - It names the lab's endpoint, config file, profile and Region, and sets to nothing every variable that could lead an AWS client
    elsewhere, keys, tokens, roles and service endpoints (C(AWS_ENDPOINT_URL_EC2) and the like) among them, whatever the user's
    environment has.
  - There are no secrets in it; Ansible shows C(environment) when it is verbose.
  - C(environment) reaches tasks only. Plugins that run on the controller, such as inventories and lookups, need the endpoint and profile
    as options.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, profile
options:
  _input:
    description: A result of M(cloudnet.vpc.lab) with a lab that runs.
    type: dict
    required: true
  profile:
    description: The profile to use; the default is that of the lab's first account.
    type: str
    default: ""
  region:
    description: The Region to use; the default is the lab's.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Start the lab
  cloudnet.vpc.lab:
  check_mode: false
  register: lab

- name: Everything in this block happens on the lab
  environment: "{{ lab | cloudnet.vpc.lab_environment }}"
  block:
    - name: As the first account
      amazon.aws.ec2_vpc_net_info:

    - name: As the second
      amazon.aws.ec2_vpc_net_info:
      environment: "{{ lab | cloudnet.vpc.lab_environment('lab-peer', region='eu-west-1') }}"
"""

RETURN = r"""
_value:
  description: Environment variables and their values.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment


def environment_of(lab: Any, profile: str = "", region: str = "") -> dict[str, str]:
    """The mapping of environment.lab_environment; raises AnsibleFilterError in one line."""
    if not isinstance(lab, Mapping):
        raise AnsibleFilterError(f"lab_environment: takes a result of cloudnet.vpc.lab, not {type(lab).__name__}")
    try:
        return lab_environment(lab, profile, region)
    except ValueError as error:
        raise AnsibleFilterError(f"lab_environment: {error}") from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"lab_environment": environment_of}
