# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a VPC besides its network: instances, endpoints, ways in (Session Manager, bastion) and flow logs."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

from .blocks import Block, address, parse
from .draft import OURS, REMOTE, Draft, Work
from .faults import Cursor, either, show
from .tables import use
from .types import BastionSpec, EndpointSpec, FlowLogSpec, GroupSpec, InstanceSpec, RuleSpec

#: https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html (ec2messages serves agents before 3.3.40.0)
_SSM_SERVICES = ("ssm", "ssmmessages", "ec2messages")
_SSM_GROUP, _BASTION_GROUP = "ssm_endpoint", "bastion"
_GATEWAY_SERVICES = ("s3", "dynamodb")
_MAX_GROUPS = 5  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups


def bastion(work: Work, draft: Draft) -> None:
    """The group that lets ssh in, and where the bastion stands."""
    item = draft.cursor["access"]["bastion"]
    if draft.kind == REMOTE or not isinstance(item.value, dict):
        return
    sources = []
    for source in item["from"].each():
        block = parse(source.value)
        if isinstance(block, str):
            work.faults.add(source.path, block)
            continue
        sources.append(str(block))
    subnet = item["subnet"]
    name = draft.find_subnets(subnet.value, subnet.path, work.faults)[:1] if isinstance(subnet.value, str) else ()
    if name and not draft.subnets[name[0]].public:
        work.faults.add(
            subnet.path, f"subnet '{name[0]}' is not public, so nobody reaches a bastion there: name a subnet with `public: true`"
        )
    if _BASTION_GROUP in draft.cursor["security_groups"]:
        work.faults.add(
            (*draft.path, "security_groups", _BASTION_GROUP), "is the name of the group that access.bastion makes: choose another"
        )
        return
    rule = RuleSpec("tcp", 22, 22, cidrs=tuple(sources), description="ssh to the bastion", path=show(item.path))
    draft.groups[_BASTION_GROUP] = GroupSpec(_BASTION_GROUP, description="Bastion hosts", rules=(rule,), path=show(item.path))
    if name:
        draft.bastion = BastionSpec(name[0], tuple(sources), _BASTION_GROUP)


def session_manager(work: Work, draft: Draft) -> None:
    """The Session Manager endpoints, one for each zone, and the group that lets the VPC's groups reach them."""
    item = draft.cursor["access"]["ssm"]
    if draft.kind == REMOTE or item.value is not True:
        return
    if _SSM_GROUP in draft.cursor["security_groups"]:
        work.faults.add((*draft.path, "security_groups", _SSM_GROUP), "is the name of the group that access.ssm makes: choose another")
        return
    path = show(item.path)
    groups = list(draft.groups)
    rules = tuple(RuleSpec("tcp", 443, 443, group=name, path=path) for name in groups)
    if not groups and not draft.cursor["security_groups"].broken:
        blocks = tuple(str(block) for block in draft.ipv4_blocks)
        if not blocks and not draft.unsure:
            work.faults.add(
                item.path, "who may reach the endpoints? Declare the instances' groups under security_groups, or the VPC's `cidr`"
            )
        rules = (RuleSpec("tcp", 443, 443, cidrs=blocks, path=path),) if blocks else ()
    draft.groups[_SSM_GROUP] = GroupSpec(_SSM_GROUP, description="Session Manager endpoints", rules=rules, path=path)
    needs_dns(work, draft, item, "Session Manager")
    subnets = one_per_zone(draft)
    if not subnets and not draft.cursor["subnets"].damaged() and not draft.cursor.broken:
        work.faults.add(item.path, f"vpcs.{draft.name} declares no subnet where the endpoints could stand")
    taken = {endpoint.service for endpoint in draft.endpoints.values()}
    for short in _SSM_SERVICES:
        service = f"com.amazonaws.{draft.region}.{short}"
        if service not in taken:
            draft.endpoints[short] = EndpointSpec(short, service, "Interface", subnets, (_SSM_GROUP,), private_dns=True, path=path)


def needs_dns(work: Work, draft: Draft, item: Cursor, why: str) -> None:
    """Turns DNS support and hostnames on in a VPC of ours; an adopted one's attributes are looked at in the preflight."""
    if draft.cursor.flag("dns") is False:
        work.faults.add(
            (*draft.path, "dns"), f"false, but {why} ({show(item.path)}) needs DNS support and hostnames: set it to true, or leave it out"
        )
    elif draft.kind == OURS:
        draft.dns = True


def one_per_zone(draft: Draft) -> tuple[str, ...]:
    """The first private subnet of each zone, or public where all are: an interface endpoint takes one subnet in a zone."""
    for wanted in (False, True):
        found: dict[str, str] = {}
        for name, spec in draft.subnets.items():
            if spec.public is wanted:
                found.setdefault(spec.zone, name)
        if found:
            return tuple(found.values())
    return ()


def endpoints(work: Work, draft: Draft) -> None:
    """The declared endpoints."""
    if draft.kind == REMOTE:
        return
    private: dict[str, str] = {}
    for item in draft.cursor["endpoints"].each():
        spec = _endpoint(work, draft, item)
        if spec is None:
            continue
        if spec.name in draft.endpoints:
            work.faults.add(
                item.path, f"an endpoint '{spec.name}' is declared already ({draft.endpoints[spec.name].path}): give this one a `name`"
            )
            continue
        if spec.private_dns and spec.service in private:
            work.faults.add(
                item.path, f"private DNS for {spec.service} is answered by {private[spec.service]} already: set private_dns: false here"
            )
        if spec.private_dns:
            private.setdefault(spec.service, spec.path)
            needs_dns(work, draft, item, "private DNS")
        draft.endpoints[spec.name] = spec


def _endpoint(work: Work, draft: Draft, item: Cursor) -> EndpointSpec | None:
    service = item.text("service")
    if not service:
        return None
    short = service.rsplit(".", 1)[-1] if service.startswith("com.") else service
    full = service if service.startswith(("com.", "cn.com.", "aws.")) else f"com.amazonaws.{draft.region}.{service}"
    kind = item.text("type") or ("Gateway" if short in _GATEWAY_SERVICES else "Interface")
    gateway = kind == "Gateway"
    for key in ("subnets", "security_groups", "private_dns") if gateway else ("route_tables",):
        if key in item:
            work.faults.add(
                (*item.path, key), f"belongs to {'an Interface' if gateway else 'a Gateway'} endpoint, and this is of type {kind}"
            )
    if kind == "Gateway" and short not in _GATEWAY_SERVICES:
        work.faults.add((*item.path, "type"), f"{short} has no gateway endpoint, only s3 and dynamodb have: use Interface")
    subnets: tuple[str, ...] = ()
    if not gateway:
        subnets = tuple(
            dict.fromkeys(name for wish in item["subnets"].each() for name in draft.find_subnets(wish.value, wish.path, work.faults))
        )
        subnets = subnets if "subnets" in item else one_per_zone(draft)
    groups = tuple(wish.value for wish in item["security_groups"].each() if draft.find_group(wish.value, wish.path, work.faults))
    if kind == "Interface" and "security_groups" not in item:
        work.faults.add(
            item.path, "an interface endpoint without `security_groups` gets the VPC's default group, which lets nobody in: name the groups"
        )
    tables = []
    for wish in item["route_tables"].each():
        if wish.value in draft.table_refs or draft.kind != OURS:
            tables.append(use(work, draft, wish.value, wish.path))
        else:
            work.faults.add(
                wish.path, f"vpcs.{draft.name} has no route table '{wish.value}'{either(wish.value, draft.table_refs, 'it has')}"
            )
    if gateway and "route_tables" not in item:
        tables = list(draft.table_refs)
    ours = full.startswith("com.amazonaws.") and ".vpce." not in full
    flag = item.flag("private_dns")
    name = item.text("name", short.replace("_", "-") if short[:1].isalpha() else f"endpoint-{short}")
    private = kind == "Interface" and (ours if flag is None else flag)
    policy = _policy(work, item["policy"])
    return EndpointSpec(name, full, kind, subnets, groups, tuple(dict.fromkeys(tables)), private, policy, show(item.path))


def _policy(work: Work, item: Cursor) -> str:
    """A policy document as canonical JSON."""
    value: Any = item.value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            work.faults.add(item.path, "is text, but not JSON: write the policy as a mapping")
            return ""
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if isinstance(value, dict) and not item.damaged() else ""


def instances(work: Work, draft: Draft) -> None:
    """The declared instances: each in one subnet, with groups of its VPC and an address that it may have."""
    if draft.kind == REMOTE:
        return
    addresses: dict[str, str] = {}
    for name, item in draft.cursor["instances"].items():
        wish = item["subnet"]
        subnet = draft.find_subnet(wish.value, wish.path, work.faults) if isinstance(wish.value, str) else ""
        groups = tuple(group.value for group in item["security_groups"].each() if draft.find_group(group.value, group.path, work.faults))
        if len(groups) > _MAX_GROUPS:
            work.faults.add((*item.path, "security_groups"), f"{len(groups)} groups: AWS takes at most {_MAX_GROUPS} on an interface")
        ip = item["private_ip"]
        if isinstance(ip.value, str) and subnet:
            wrong = _address_fault(ip.value, subnet, draft.subnet_blocks[subnet])
            if not wrong and ip.value in addresses:
                wrong = f"{ip.value} is the address of instance '{addresses[ip.value]}' already"
            if wrong:
                work.faults.add(ip.path, wrong)
            addresses.setdefault(ip.value, name)
        if item.flag("public_ip") and subnet and not _reaches_internet(draft, subnet):
            work.faults.add(
                (*item.path, "public_ip"),
                f"subnet '{subnet}' has no route to an internet gateway, so a public address would be of no use: set `public: true` there",
            )
        draft.instances[name] = InstanceSpec(
            name,
            subnet,
            groups,
            item.text("type"),
            item.text("private_ip"),
            item.text("key"),
            item.flag("public_ip") is True,
            item.text("user_data"),
            show(item.path),
        )


def _reaches_internet(draft: Draft, subnet: str) -> bool:
    spec = draft.subnets[subnet]
    said = [route.text("via") for route in draft.cursor["route_tables"][spec.table]["routes"].each()] if spec.table else []
    # What an adopted VPC's own tables hold is not known here.
    return spec.public or draft.kind != OURS or any(via == "internet_gateway" or via.startswith("igw-") for via in said)


def _address_fault(text: str, subnet: str, block: Block) -> str:
    found = address(text)
    if found is None:
        return f"{text} is not an IPv4 address"
    if found not in block or not isinstance(found, IPv4Address):
        return f"{text} is outside subnet '{subnet}' ({block})"
    # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    offset = int(found) - int(block.network_address)
    if offset < 4 or found == block.broadcast_address:
        return f"{text} is reserved: AWS keeps the first four addresses and the last one of {block}"
    return ""


def flow_logs(work: Work, draft: Draft) -> None:
    """Where the VPC's flow logs go."""
    item = draft.cursor["flow_logs"]
    to = item.text("to")
    if draft.kind == REMOTE or not to:
        return
    if not to.startswith("arn:") and not item.text("role") and not item["role"].broken:
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html (DeliverLogsPermissionArn)
        work.faults.add(item.path, f"log group {to} needs `role`, the ARN of a role that may write to it")
    draft.flow_logs = FlowLogSpec(to, item.text("traffic", "all").upper(), item.text("role"), show(item.path))
