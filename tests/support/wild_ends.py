# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends that are no instances, by chance: interfaces that AWS's services run, endpoints of every kind, and interfaces that nobody uses."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Endpoint,
    Interface,
    PrefixList,
    SecurityGroup,
    Subnet,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import service_address

from .wild_draft import Draft, free_address, owned, public_address


def ends(draft: Draft, vpc: Vpc) -> None:
    """A few of each kind in a VPC."""
    for make, share in (
        (_load_balancer, 0.5),
        (_function, 0.4),
        (_database, 0.3),
        (_unattached, 0.4),
        (_interface_endpoint, 0.5),
        (_inspection_endpoint, 0.35),
        (_gateway_endpoint, 0.4),
    ):
        if draft.maybe(share):
            make(draft, vpc)


def delegated(draft: Draft, subnet: Subnet) -> dict[str, Any]:
    """Prefixes for an interface, as a cluster's nodes have them: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html"""
    draft.prefixes += 1
    block = ip_network(subnet.cidr)
    # Subnets are of 256 addresses, of which the first quarter is given out one by one.
    four = f"{block[64 + draft.prefixes % 12 * 16]}/28"
    found: dict[str, Any] = {"ipv4_prefixes": (four,)}
    if subnet.ipv6_cidr:
        found["ipv6_prefixes"] = (f"{ip_network(subnet.ipv6_cidr)[draft.prefixes << 48]}/80",)
    return found


def _interface(draft: Draft, vpc: Vpc, type_: str, groups: tuple[str, ...], **more: Any) -> Interface:
    subnet: Subnet = more.pop("subnet", None) or draft.chance.choice(draft.of("subnets", vpc.id))
    address = free_address(draft, subnet)
    public = public_address(draft) if more.pop("public", False) else ""
    made = Interface(
        id=draft.id("eni"),
        **owned(vpc.region),
        vpc=vpc.id,
        subnet=subnet.id,
        private_ips=(address,),
        public_ips={address: public} if public else {},
        groups=groups,
        type=type_,
        **{"status": "in-use", "requester_managed": True, **more},
    )
    return draft.put("interfaces", made)  # type: ignore[no-any-return]


def _some(draft: Draft, vpc: Vpc) -> tuple[str, ...]:
    groups: list[SecurityGroup] = draft.of("security_groups", vpc.id)
    return (draft.chance.choice(groups).id,)


def _load_balancer(draft: Draft, vpc: Vpc) -> None:
    """A Network Load Balancer: with groups, or with none, which admits everybody."""
    groups = draft.chance.choice(((), (), _some(draft, vpc)))
    public = bool(draft.of("internet_gateways", vpc.id)) and draft.maybe(0.5)
    _interface(draft, vpc, "network_load_balancer", groups, public=public, description="ELB net/front/50dc6c495c0c9188")


def _function(draft: Draft, vpc: Vpc) -> None:
    _interface(draft, vpc, "lambda", _some(draft, vpc), description="AWS Lambda VPC ENI-fn-50dc6c49")


def _database(draft: Draft, vpc: Vpc) -> None:
    _interface(draft, vpc, "interface", _some(draft, vpc), description="RDSNetworkInterface")


def _unattached(draft: Draft, vpc: Vpc) -> None:
    _interface(draft, vpc, "interface", _some(draft, vpc), status="available", requester_managed=False)


def _endpoint(draft: Draft, vpc: Vpc, service: str, type_: str, interface_type: str, groups: tuple[str, ...]) -> None:
    id_ = draft.id("vpce")
    state = "available" if draft.maybe(0.9) else "pending"
    eni = _interface(draft, vpc, interface_type, groups, description=f"VPC Endpoint Interface {id_}")
    draft.put(
        "endpoints",
        Endpoint(
            id=id_,
            **owned(vpc.region),
            vpc=vpc.id,
            service=service,
            type=type_,
            state=state,
            subnets=(eni.subnet,),
            groups=groups,
            interfaces=(eni.id,),
        ),
    )


def _interface_endpoint(draft: Draft, vpc: Vpc) -> None:
    _endpoint(draft, vpc, f"com.amazonaws.{vpc.region}.ssm", "Interface", "vpc_endpoint", _some(draft, vpc))


def _inspection_endpoint(draft: Draft, vpc: Vpc) -> None:
    """A Gateway Load Balancer endpoint, at which nothing ends."""
    service = f"com.amazonaws.vpce.{vpc.region}.vpce-svc-00000000000000001"
    _endpoint(draft, vpc, service, "GatewayLoadBalancer", "gateway_load_balancer_endpoint", ())


def _gateway_endpoint(draft: Draft, vpc: Vpc) -> None:
    """One to S3, whose prefix list was read, was read without its entries, or was not described."""
    lists = [item for item in draft.of("prefix_lists") if item.region == vpc.region and item.list_name.endswith(".s3")]
    told = draft.chance.choice(("entries", "entries", "name", "nothing"))
    if not lists and told != "nothing":
        block = f"{service_address(f's3.{vpc.region}.amazonaws.com')}/32"
        entries = (block,) if told == "entries" else None
        name = f"com.amazonaws.{vpc.region}.s3"
        lists.append(
            draft.put("prefix_lists", PrefixList(id=draft.id("pl"), account="AWS", region=vpc.region, list_name=name, entries=entries))
        )
    state = "available" if draft.maybe(0.9) else "deleting"
    made = Endpoint(
        id=draft.id("vpce"),
        **owned(vpc.region),
        vpc=vpc.id,
        service=f"com.amazonaws.{vpc.region}.s3",
        type="Gateway",
        tables=(),
        state=state,
    )
    draft.put("endpoints", made)
    draft.lists[made.id] = lists[0].id if lists else draft.id("pl")
