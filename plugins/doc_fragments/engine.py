# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the modules which talk to AWS share."""

from __future__ import annotations


class ModuleDocFragment:
    """``engine`` is in all of them, ``engine.connection`` in those about one peering connection."""

    DOCUMENTATION = r"""
options:
  target:
    description:
      - A guard against the wrong endpoint. V(lab) takes only one on this machine, V(aws) any but such a one. It is checked before the first
        call, for every service that is called.
      - Without it, any endpoint will do.
    type: str
    choices: [lab, aws]
requirements:
  - jsonschema
  - PyYAML
"""

    CONNECTION = r"""
options:
  topology:
    description:
      - The name that tags what this task makes as C(cloudnet:topology). What carries another topology's is never removed.
    type: str
    default: adhoc
  accepter_profile:
    description:
      - The profile with which to act for the accepter, when another account owns that VPC.
    type: str
  accepter_role_arn:
    description:
      - The role to assume to act for the accepter, with the credentials of O(accepter_profile), or else of the task.
    type: str
  state:
    description:
      - Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
"""
