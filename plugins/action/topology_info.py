# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.topology_info: reads and checks a topology."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import InstanceSpec, Topology, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm_online import managed

ARGUMENTS: dict[str, dict[str, Any]] = {"topology": {"type": "raw", "required": True}, "region": {"type": "str"}}


def told(topology: Topology) -> dict[str, Any]:
    """A topology as the module returns it."""
    return {
        "name": topology.name,
        "accounts": {name: _account(topology, name) for name in topology.accounts if name},
        "vpcs": {
            name: {
                "account": vpc.account,
                "region": vpc.region,
                "cidrs": list(vpc.cidrs),
                "origin": _origin(vpc),
                "ssm": managed(vpc),
                "flow_logs": {"to": vpc.flow_logs.to, "role": vpc.flow_logs.role} if vpc.flow_logs else {},
            }
            for name, vpc in topology.vpcs.items()
        },
        "owners": sorted({vpc.remote.owner for vpc in topology.vpcs.values() if vpc.remote and vpc.remote.owner}),
        "peerings": [peering.name for peering in topology.peerings],
        "tags": dict(topology.tags),
        "instances": [_instance(vpc, item) for vpc in topology.vpcs.values() for item in vpc.instances.values()],
    }


def _instance(vpc: VpcSpec, spec: InstanceSpec) -> dict[str, Any]:
    """A declared instance, for the role that launches it."""
    told = ("subnet", "type", "private_ip", "key", "public_ip", "user_data")
    return {
        "label": f"{vpc.name}.{spec.name}",
        "vpc": vpc.name,
        "name": spec.name,
        "security_groups": list(spec.security_groups),
        **{key: getattr(spec, key) for key in told},
    }


def _account(topology: Topology, name: str) -> dict[str, str]:
    spec = topology.accounts[name]
    values = {"profile": spec.profile, "role_arn": spec.role_arn, "external_id": spec.external_id, "account_id": spec.id}
    return {key: value for key, value in values.items() if value}


def _origin(vpc: VpcSpec) -> str:
    return "ours" if vpc.ours else "remote" if vpc.remote else "adopted"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only, and changes nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        source, region = arguments["topology"], arguments["region"] or ""
        if isinstance(source, str):
            source = self._find(source)
            result["path"] = source
        try:
            # A Region that nobody names here may come from the profile or the environment.
            topology = load(source, overrides=Overrides(region=region, region_later=True))
        except CloudnetError as error:
            result.update(failed=True, msg=str(error), **error.details())
            return result
        result.update(changed=False, **told(topology))
        # What is registered holds all of it; -v shows none of it.
        secrets = [account.get("external_id") for account in result["accounts"].values()]
        secrets += [instance["user_data"] for instance in result["instances"]]
        if any(secrets):
            result["_ansible_no_log"] = True
        return result

    def _find(self, name: str) -> str:
        path = os.path.expanduser(name)
        if os.path.isabs(path) or os.path.exists(path):
            return os.path.abspath(path)
        try:
            return str(self._find_needle("topologies", path))
        except AnsibleError:
            return os.path.abspath(path)
