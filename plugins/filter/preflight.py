# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.preflight."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight
version_added: 0.1.0
short_description: What M(cloudnet.vpc.preflight_info) found, held against what is wanted
description:
  - Makes one table of accounts, Regions, quotas and versions, and a line for each thing that is not as it must be, for the role
    P(cloudnet.vpc.preflight#role).
author:
  - cloudnet.vpc contributors (@cloudnet)
options:
  _input:
    description: Results of M(cloudnet.vpc.preflight_info), each with C(item) that has C(profile) and the C(account) that is wanted.
    type: list
    elements: dict
    required: true
  regions:
    description: The Regions that are allowed; empty for all.
    type: list
    elements: str
    default: []
  quotas:
    description: The least that quotas must be, by name.
    type: dict
    default: {}
  versions:
    description: The oldest versions that will do, by name.
    type: dict
    default: {}
  ansible_core:
    description: The version of ansible-core.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: What is not as it must be
  ansible.builtin.debug:
    msg: "{{ (asked.results | cloudnet.vpc.preflight(quotas={'vpcs': 3})).faults }}"
"""

RETURN = r"""
_value:
  description: C(table), for people, and C(faults), a line each.
  type: dict
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible.errors import AnsibleFilterError
from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import columns


class Row(NamedTuple):
    """A line of the table. ``ok``: None where nothing is wanted. ``advice``: what to do where it is not so."""

    whose: str
    what: str
    found: str
    wanted: str = ""
    ok: bool | None = None
    advice: str = ""


def preflight(asked: Any, regions: Sequence[str] = (), quotas: Any = None, versions: Any = None, ansible_core: str = "") -> dict[str, Any]:
    """The mapping that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(asked, Sequence) or not asked or not all(isinstance(one, Mapping) and "arn" in one for one in asked):
        raise AnsibleFilterError("preflight: takes results of cloudnet.vpc.preflight_info")
    rows = [row for one in asked for row in _of_place(one, [str(name) for name in regions], quotas or {})]
    rows += _of_versions({**asked[0]["versions"], **({"ansible-core": ansible_core} if ansible_core else {})}, versions or {})
    marks = {True: "ok", False: "FAIL", None: ""}
    cells = [(marks[row.ok], row.whose, row.what, row.found, row.wanted) for row in rows]
    wrong = [f"{row.whose}: {row.what} is {row.found}, and must be {row.wanted}: {row.advice}" for row in rows if row.ok is False]
    return {"table": "\n".join(columns([("", "WHOSE", "WHAT", "FOUND", "WANTED"), *cells])), "faults": wrong}


def _of_place(one: Mapping[str, Any], regions: Sequence[str], quotas: Mapping[str, Any]) -> Iterator[Row]:
    """Who and where a profile is, and its quotas: those that must be something, and else those that a peering meets first."""
    item = one.get("item") or {}
    profile = str(item.get("profile") or "")
    whose, wanted = profile or "the environment", str(item.get("account") or "")
    yield Row(whose, "identity", one["arn"])
    how = f"look at the profile {profile}" if profile else "name a profile, or look at the credentials of the environment"
    yield Row(whose, "account", one["account"], wanted, one["account"] == wanted if wanted else None, how)
    allowed = one["region"] in regions if regions else None
    yield Row(whose, "Region", one["region"], " or ".join(regions), allowed, "set the Region")
    yield Row(whose, "endpoint", one["endpoint"])
    for name in quotas or ("vpcs", "peerings_active", "routes_per_table"):
        if name not in one["quotas"]:
            raise AnsibleFilterError(f"preflight: {name} is no quota that is known; there are {', '.join(sorted(one['quotas']))}")
        note = "" if name in one["quotas_told"] else " (of a new account: Service Quotas did not tell)"
        least = int(quotas[name]) if name in quotas else None
        enough = None if least is None else int(one["quotas"][name]) >= least
        found, at_least = f"{one['quotas'][name]}{note}", "" if least is None else f"at least {least}"
        yield Row(whose, f"quota {name}", found, at_least, enough, "ask AWS for more (Service Quotas)")


def _of_versions(found: Mapping[str, str], wanted: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name in sorted({*found, *wanted}):
        least, version = str(wanted.get(name, "")), found.get(name, "")
        ok = None if not least else bool(version) and LooseVersion(version) >= LooseVersion(least)
        rows.append(Row("this machine", name, version or "not there", f"at least {least}" if least else "", ok, "update it"))
    return rows


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"preflight": preflight}
