# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data plane must know beyond the network, from the lab's own EC2, IAM and Route 53: keys, user data, roles, private zones.

Read under the lab's lock.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ...twin.facts import Dhcp, Facts, HostFacts, Record, Role, Zone
from ..fidelity.dhcp_options import of_vpc, options_of
from ..fidelity.instance_connect import sent_keys
from ..fidelity.launch_options import hostname
from ..permissions import Request, decide, policies_of_role
from .asking import backends

LIFE, RENEW = timedelta(hours=6), timedelta(hours=1)
"""How long an instance's credentials last, and how long before their end it gets others: AWS makes them available "at least five minutes"
before (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html)."""
#: https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-instance-permissions.html
_AGENT_POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonSSMManagedEC2InstanceDefaultPolicy")
#: What an agent calls to become a node, and to take commands.
_AGENT_ACTIONS = ("ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel")
_ALIAS_TTL = 60


class FactsReader:
    """``facts`` is what was read last: the same object while nothing changes."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._ends: dict[str, datetime] = {}
        self.facts = Facts()

    def read(self, ids: Iterable[str] | None = None, zones: bool = False) -> None:
        """Read instances again (None for all) and, if asked for, the private zones."""
        known = self.facts.hosts
        wanted = None if ids is None else set(ids)
        hosts = {} if wanted is None else {key: value for key, value in known.items() if key not in wanted}
        for account, region, instance in instances():
            if (wanted is None or instance.id in wanted) and instance.state != "terminated":
                hosts[instance.id] = self._host(account, region, instance, known.get(instance.id))
        for gone in self._ends.keys() - hosts.keys():
            del self._ends[gone]
        fresh = Facts(hosts, tuple(_zones()) if zones else self.facts.zones)
        if fresh != self.facts:
            self.facts = fresh

    @property
    def renewal(self) -> bool:
        """Whether some credentials come to their end."""
        soon = self._lab.now() + RENEW
        return any(end <= soon for end in self._ends.values())

    def _host(self, account: str, region: str, instance: Any, before: HostFacts | None) -> HostFacts:
        backend, options = instance.ec2_backend, instance.metadata_options
        key = backend.key_pairs.get(instance.key_name)
        boots: Mapping[str, int] = self._lab.state("boots", account, region)
        role, admits = self._role(account, region, instance, before)
        return HostFacts(
            id=instance.id,
            # The key is put into the instance at its launch: a pair that is deleted later stays in it.
            authorized=before.authorized if before else _public_key(key),
            key_name=instance.key_name or "",
            user_data=_decoded(instance.user_data),
            role=role,
            # The agent has its credentials from the metadata service:
            # https://docs.aws.amazon.com/systems-manager/latest/userguide/troubleshooting-ssm-agent.html
            ssm=admits and options.http_endpoint != "disabled",
            boots=boots.get(instance.id, 1),
            launched=instance.launch_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            reservation=str(getattr(instance, "lab_reservation", "") or ""),
            metadata=options.http_endpoint != "disabled",
            tokens_required=options.http_tokens == "required",
            hops=int(options.http_put_response_hop_limit),
            tags=dict(backend.tags.get(instance.id, {})) if options.instance_metadata_tags == "enabled" else None,
            hostname=hostname(instance) if instance.nics else "",
            dhcp=_dhcp(backend, instance),
            sent_keys=tuple(sent_keys(self._lab, instance.id)),
        )

    def _role(self, account: str, region: str, instance: Any, before: HostFacts | None) -> tuple[Role | None, bool]:
        association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        profile = association.iam_instance_profile if association is not None else None
        found = profile.roles[0] if profile is not None and profile.roles else None
        if found is None or profile is None:
            self._ends.pop(instance.id, None)
            return None, False
        role = Role(found.name, profile.arn)
        former, end = before.role if before else None, self._ends.get(instance.id)
        if former and end and (former.name, former.profile_arn) == (role.name, role.profile_arn) and end > self._lab.now() + RENEW:
            role = former
        else:
            ends = self._lab.now() + LIFE
            principal = f"arn:aws:sts::{account}:assumed-role/{found.name}/{instance.id}"
            made = self._lab.credentials.issue(account, principal, f"{found.id}:{instance.id}", ends)
            self._ends[instance.id] = ends
            role = replace(
                role,
                access_key=made.access_key,
                secret=made.secret,
                token=made.token,
                expires=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        return role, admits_agent(self._lab.backend("iam", account, region), found, account, region)


def admits_agent(iam: Any, role: Any, account: str, region: str) -> bool:
    """Whether a role lets Systems Manager's agent work: by one of AWS's policies for it, or by others that allow what it calls."""
    if any(arn.rsplit("/", 1)[-1] in _AGENT_POLICIES for arn in role.managed_policies):
        return True
    documents = list(policies_of_role(iam, role.name))
    principal = f"arn:aws:iam::{account}:role/{role.name}"
    return all(decide(documents, Request(action, account, region, principal)) == "Allow" for action in _AGENT_ACTIONS)


def instances() -> Iterator[tuple[str, str, Any]]:
    """(account, Region, the emulator's instance) of all."""
    for account, region, backend in backends("ec2"):
        for reservation in list(backend.reservations.values()):
            for instance in reservation.instances:
                instance.lab_reservation = reservation.id
                yield account, region, instance


def _dhcp(backend: Any, instance: Any) -> Dhcp | None:
    """The DHCP options of an instance's VPC; ``None`` for a VPC without."""
    vpc = backend.vpcs.get(instance.nics[0].vpc_id) if instance.nics else None
    found = None if vpc is None else of_vpc(backend, vpc)
    if found is None:
        return None
    held = options_of(found)
    return Dhcp(tuple(held.get("domain-name-servers", ())), " ".join(held.get("domain-name", ())))


def _public_key(key: Any) -> tuple[str, ...]:
    if key is None or not key.material_public:
        return ()
    raw = key.material_public
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _decoded(user_data: Any) -> bytes:
    """What the instance finds: the API has it in base64."""
    if not user_data:
        return b""
    text = str(user_data)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def _zones() -> Iterator[Zone]:
    """Private hosted zones. An alias is a name that stands for another, as a CNAME does; Route 53 shows it as addresses."""
    for _account, _region, backend in backends("route53"):
        for zone in list(backend.zones.values()):
            if zone.private_zone:
                records = []
                for found in zone.rrsets:
                    alias = (found.alias_target or {}).get("DNSName")
                    if alias:
                        records.append(Record(found.name, "CNAME", _ALIAS_TTL, (str(alias),)))
                    elif found.records:
                        records.append(Record(found.name, str(found.type), int(found.ttl or 300), tuple(map(_value, found.records))))
                yield Zone(zone.resource_id, zone.name, tuple(str(vpc["vpc_id"]) for vpc in zone.vpcs), tuple(records))


def _value(record: Any) -> str:
    return str(record["Value"]) if isinstance(record, Mapping) else str(record)
