# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which address and which name: indexes over the network, made when first asked for and kept until their part of it is replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ....module_utils._model.network import Endpoint, Interface, Network
from ..compile.blocks import Block, block

Index = TypeVar("Index")


class Latest(Generic[Index]):
    """A pure function's last result, kept with the very object that it was made from: the data plane's state is replaced, never edited."""

    def __init__(self, make: Callable[[Any], Index]) -> None:
        self._make = make
        self._kept: tuple[Any, Index] | None = None

    def __call__(self, source: Any) -> Index:
        """The index of this source."""
        kept = self._kept
        if kept is None or kept[0] is not source:
            kept = self._kept = (source, self._make(source))
        return kept[1]


@dataclass(frozen=True)
class Addresses:
    """``private``: address of either family to the ENIs that hold it (VPCs may overlap). ``public``: to the ENI and its private address.

    ``prefixes``: blocks that are delegated to ENIs, all of whose addresses are theirs.
    """

    private: Mapping[str, tuple[Interface, ...]]
    public: Mapping[str, tuple[Interface, str]]
    prefixes: tuple[tuple[Block, Interface], ...] = ()

    def holders(self, address: str) -> tuple[Interface, ...]:
        """The ENIs that have an address, by itself or in a prefix."""
        found = self.private.get(address, ())
        return found or tuple(item for prefix, item in self.prefixes if block(address).within(prefix))


def _addresses(interfaces: Mapping[str, Interface]) -> Addresses:
    private: dict[str, tuple[Interface, ...]] = {}
    public: dict[str, tuple[Interface, str]] = {}
    for interface in interfaces.values():
        alone = (interface,)
        for address in (*interface.private_ips, *interface.ipv6s) if interface.ipv6s else interface.private_ips:
            private[address] = private[address] + alone if address in private else alone
        for address, outside in interface.public_ips.items():
            public[outside] = (interface, address)
    prefixes = [(block(cidr), item) for item in interfaces.values() for cidr in (*item.ipv4_prefixes, *item.ipv6_prefixes)]
    return Addresses(private, public, tuple(prefixes))


_latest_addresses: Latest[Addresses] = Latest(_addresses)


def addresses(network: Network) -> Addresses:
    """The ENIs by address."""
    return _latest_addresses(network.interfaces)


def holder(network: Network, vpc: str, address: str) -> Interface | None:
    """The ENI that holds an address in a VPC."""
    for interface in addresses(network).holders(address):
        if interface.vpc == vpc:
            return interface
    return None


PUBLIC_SUFFIX = ".vpce.amazonaws.com"


@dataclass(frozen=True)
class EndpointNames:
    """Interface endpoints in use, by name. ``own``: names of the endpoints' own, which hold everywhere; ``private``: by VPC and name, the
    service's name, which holds in that VPC alone. A name that begins with ``*.`` stands for every host below it."""

    own: Mapping[str, Endpoint]
    private: Mapping[str, Mapping[str, Endpoint]]


def private_names(endpoint: Endpoint) -> tuple[str, ...]:
    """The service's names that private DNS makes mean the endpoint.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """
    if not endpoint.private_dns:
        return ()
    told = tuple(name.lower() for name in endpoint.dns_names if not name.lower().endswith(PUBLIC_SUFFIX))
    service = endpoint.service.removeprefix(f"com.amazonaws.{endpoint.region}.")
    if told or service == endpoint.service:
        return told
    # com.amazonaws.us-east-1.ecr.dkr is dkr.ecr.us-east-1.amazonaws.com: where AWS did not tell, the labels turned round.
    return (f"{'.'.join(reversed(service.split('.')))}.{endpoint.region}.amazonaws.com",)


def _endpoint_names(endpoints: Mapping[str, Endpoint]) -> EndpointNames:
    own: dict[str, Endpoint] = {}
    private: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in endpoints.values():
        if endpoint.type != "Interface" or endpoint.state != "available":
            continue
        for name in endpoint.dns_names:
            if name.lower().endswith(PUBLIC_SUFFIX):
                own[name.lower()] = endpoint
        for name in private_names(endpoint):
            private[endpoint.vpc][name] = endpoint
    return EndpointNames(own, private)


_latest_endpoints: Latest[EndpointNames] = Latest(_endpoint_names)


def endpoint_names(network: Network) -> EndpointNames:
    """The interface endpoints by name."""
    return _latest_endpoints(network.endpoints)


def endpoint_interfaces(network: Network, endpoint: Endpoint, zone: str = "") -> list[Interface]:
    """An endpoint's ENIs, or those in one Availability Zone."""
    found = [network.interfaces[key] for key in endpoint.interfaces if key in network.interfaces]
    return [item for item in found if not zone or (item.subnet in network.subnets and network.subnets[item.subnet].zone == zone)]


def _endpoint_at(endpoints: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    return {key: endpoint for endpoint in endpoints.values() for key in endpoint.interfaces}


_latest_endpoint_at: Latest[Mapping[str, Endpoint]] = Latest(_endpoint_at)


def endpoint_at(network: Network, vpc: str, address: str) -> Endpoint | None:
    """The endpoint whose ENI holds an address in a VPC."""
    interface = holder(network, vpc, address)
    return _latest_endpoint_at(network.endpoints).get(interface.id) if interface is not None else None
