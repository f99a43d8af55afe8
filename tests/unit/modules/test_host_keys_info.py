# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys out of consoles: what counts as one, and how long they are waited for."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.launched import Launched, placed, subnets_of
from ansible_collections.cloudnet.vpc.plugins.modules.host_keys_info import BEGIN, END, collect, host_keys, known_hosts

ONE = Launched("acc", "server", "i-1", "111111111111", "us-east-1", private_ip="10.10.1.4")
TWO = Launched("acc", "bastion", "i-2", "111111111111", "us-east-1", private_ip="10.10.0.4", public_ip="198.51.100.1")


def key(kind: str, text: bytes = b"x" * 32) -> str:
    data = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), text))
    return f"{kind} {base64.b64encode(data).decode()}"


ED, EC = key("ssh-ed25519"), key("ecdsa-sha2-nistp256", b"y" * 40)


def console(*keys: str, prefix: str = "", end: str = END) -> str:
    lines = ["[  0.000000] Linux version", BEGIN, *(f"{item} root@ip-10-10-1-4" for item in keys), end, "login: "]
    return "\r\n".join(prefix + line for line in lines)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (console(ED, EC), (ED, EC)),
        (console(ED, prefix="[   12.34] cloud-init[801]: "), (ED,)),
        (console(EC) + "\n" + console(ED), (ED,)),  # after another boot
        (console(ED, end=""), ()),  # not whole yet
        (console(ED) + "\n" + console(EC, end=""), ()),
        (f"{ED} root@elsewhere", ()),  # outside of the block
        (console("ssh-ed25519 " + EC.split()[1]), ()),  # says of itself that it is another kind
        (console("ssh-ed25519 AAAA"), ()),
        ("", ()),
    ],
)
def test_keys_of_a_console(text: str, wanted: tuple[str, ...]) -> None:
    assert host_keys(text) == wanted


def test_lines_for_ssh() -> None:
    assert known_hosts([ONE, TWO], {"i-1": (ED,), "i-2": (ED, EC)}) == (
        f"i-1,10.10.1.4 {ED}\ni-2,10.10.0.4,198.51.100.1 {ED}\ni-2,10.10.0.4,198.51.100.1 {EC}\n"
    )


def shows_after(seconds: dict[str, float], now: list[float]) -> Callable[[Launched], str]:
    return lambda item: console(ED) if now[0] >= seconds[item.id] else ""


def test_what_is_not_shown_yet_is_waited_for() -> None:
    now = [0.0]

    def sleep(pause: float) -> None:
        now[0] += pause

    read = shows_after({"i-1": 0.0, "i-2": 12.0}, now)
    assert collect([ONE, TWO], read, 60, sleep, lambda: now[0]) == {"i-1": (ED,), "i-2": (ED,)}
    assert now == [15.0]
    now[0] = 0.0
    with pytest.raises(CloudnetError, match=r"no ssh host keys on the console of acc\.bastion \(i-2\) after 10 s"):
        collect([ONE, TWO], read, 10, sleep, lambda: now[0])
    assert collect([], read, 0, sleep, lambda: now[0]) == {}


def test_what_only_carries_the_tags_shows_no_keys() -> None:
    """An instance of the topology is in a subnet that the topology made in the VPC of its name."""

    def subnet(id_: str, name: str, topology: str = "t") -> dict[str, object]:
        tags = [{"Key": "cloudnet:topology", "Value": topology}, {"Key": "cloudnet:name", "Value": name}]
        return {"SubnetId": id_, "VpcId": "vpc-0123456789abcdef0", "CidrBlock": "10.0.1.0/24", "Tags": tags}

    ours, others, elsewhere, plain = (f"subnet-{digit * 17}" for digit in "abcd")
    told = [subnet(ours, "vpcs.acc.subnets.s"), subnet(others, "vpcs.acc.subnets.s", "u"), subnet(elsewhere, "vpcs.dev.subnets.s")]
    subnets = subnets_of(told, "t", "111111111111", "us-east-1")
    assert subnets == {ours: ("acc", "s"), elsewhere: ("dev", "s")}
    instances = [replace(ONE, subnet_id=id_) for id_ in (ours, others, elsewhere, plain, "")]
    assert placed(instances, subnets) == (instances[:1], instances[1:])
