# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network namespace is told by sysctl before it has links: a profile for routers, one for instances, one for parked addresses.

A new namespace takes some IPv4 settings over from the host's (``net.core.devconf_inherit_init_net``), and a host may forward, filter by
reverse path or log martians: everything that matters is set here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from ..state import HOST, PARKING, ROUTER

ROOT = "/proc/sys/net/"


_COMMON = {
    # Of these the kernel takes the larger of "all" and the device's, or either: both must be 0. A device begins with "default".
    **{
        f"ipv4/conf/{scope}/{name}": "0"
        for scope in ("all", "default")
        for name in ("send_redirects", "accept_redirects", "rp_filter", "log_martians")
    },
    # Whatever is left of a device's addresses stays when its first one goes.
    "ipv4/conf/default/promote_secondaries": "1",
    # Answers of ICMP are held to no rate, so that a probe's answer does not depend on the one before.
    "ipv4/icmp_ratemask": "0",
    "ipv6/icmp/ratelimit": "0",
    # An address can be used at once.
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/accept_redirects": "0",
    "ipv6/conf/default/accept_ra": "0",
    # No link-local address of its own: fe80::1 by a permanent neighbour is all there is of a link.
    "ipv6/conf/default/addr_gen_mode": "1",
}
_END = {"ipv4/ip_forward": "0", "ipv6/conf/all/forwarding": "0", **_COMMON}

PROFILES: Mapping[str, Mapping[str, str]] = {
    # The forwarding switches come first: they reset others.
    ROUTER: {
        "ipv4/ip_forward": "1",
        "ipv6/conf/all/forwarding": "1",
        **_COMMON,
        # A flow that was there before its namespace is not taken for an established one.
        "netfilter/nf_conntrack_tcp_loose": "0",
    },
    HOST: {**_END, "ipv4/ip_unprivileged_port_start": "0", "ipv4/ping_group_range": ""},
    PARKING: _END,
}
"""By profile: path below ``net`` to value, in the order in which they are written. An empty value is found out when it is written."""


@cache
def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all: ``ipv6.disable=1`` takes it away, and then the twin goes without."""
    return os.path.isdir(f"{ROOT}ipv6")


@cache
def every_group() -> str:
    """All groups that this user namespace knows, as a range for ``ping_group_range``: instances' groups lie among them."""
    with open("/proc/self/gid_map", encoding="utf-8") as file:
        rows = [[int(word) for word in line.split()] for line in file]
    # The kernel compares by the outer number and takes no number above 2^31 - 1.
    ends = sorted((outside + count - 1, inside + count - 1) for inside, outside, count in rows)
    starts = sorted((outside, inside) for inside, outside, _count in rows)
    return f"{starts[0][1]} {min(ends[-1][1], 2**31 - 1)}"


def of_profile(profile: str) -> dict[str, str]:
    """A profile's settings for this machine: without those of IPv6 where there is none. Raises ValueError for an unknown profile."""
    if profile not in PROFILES:
        raise ValueError(f"{profile} is no profile; there are: {', '.join(PROFILES)}")
    chosen = {path: value or every_group() for path, value in PROFILES[profile].items()}
    return chosen if has_ipv6() else {path: value for path, value in chosen.items() if not path.startswith("ipv6/")}


def read(path: str) -> str:
    """A setting of the network namespace that the calling thread is in. Raises OSError."""
    with open(ROOT + path, encoding="utf-8") as file:
        return file.read().strip()


def write(values: Mapping[str, str]) -> None:
    """Write settings in the network namespace that the calling thread is in. Raises OSError that names the file.

    Those of connection tracking are not there before its module is, and then need no changing: it is loaded with the first ruleset that
    tracks, and they are to be written again after that.
    """
    for path, value in values.items():
        try:
            descriptor = os.open(ROOT + path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if path.startswith("netfilter/"):
                continue
            raise
        try:
            os.write(descriptor, value.encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, ROOT + path) from None
        finally:
            os.close(descriptor)
