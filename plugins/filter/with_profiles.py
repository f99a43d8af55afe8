# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.with_profiles."""

from __future__ import annotations

DOCUMENTATION = r"""
name: with_profiles
version_added: 0.1.0
short_description: A topology whose accounts are reached by profiles instead of roles
description:
  - Gives accounts a profile in the place of their C(role_arn), for who takes profiles only, as amazon.aws's modules do. The role's account
    becomes the C(id) of the account, so that a profile that leads elsewhere is refused before anything is done.
  - The profiles assume the roles. P(cloudnet.vpc.aws_config#filter) writes such ones, and M(cloudnet.vpc.lab) has its own.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, profiles
options:
  _input:
    description: A topology as a mapping.
    type: dict
    required: true
  profiles:
    description: Profiles by the names of accounts. Accounts that are not named stay as they are.
    type: dict
    required: true
seealso:
  - plugin: cloudnet.vpc.aws_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Reach the accounts by profiles
  cloudnet.vpc.network:
    topology: "{{ lookup('ansible.builtin.file', 'estate.yml') | from_yaml | cloudnet.vpc.with_profiles({'dev': 'cloudnet-dev'}) }}"
"""

RETURN = r"""
_value:
  description: A topology as a mapping.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def with_profiles(document: Any, profiles: Any) -> dict[str, Any]:
    """The topology that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(document, Mapping) or not isinstance(document.get("vpcs"), Mapping):
        raise AnsibleFilterError("with_profiles: takes a topology as a mapping")
    if not isinstance(profiles, Mapping):
        raise AnsibleFilterError("with_profiles: takes profiles by the names of accounts")
    accounts = document.get("accounts") or {}
    unknown = [str(name) for name in profiles if name not in accounts]
    if unknown:
        raise AnsibleFilterError(
            f"with_profiles: {', '.join(unknown)}: not in accounts; there are {', '.join(map(str, accounts)) or 'none'}"
        )
    told = {name: _by_profile(entry or {}, str(profiles[name])) if name in profiles else entry for name, entry in accounts.items()}
    return {**document, **({"accounts": told} if told else {})}


def _by_profile(entry: Mapping[str, Any], profile: str) -> dict[str, str]:
    """An account. The ARN of a role has its account in the fifth place."""
    owner = str(entry.get("id") or "") or (str(entry["role_arn"]).split(":")[4] if entry.get("role_arn") else "")
    return {"profile": profile, **({"id": owner} if owner else {})}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"with_profiles": with_profiles}
