# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the twin can be had on this machine, by trying: one line that says why not, and how to get it.

The try is a program of its own, for a process with threads can have no user namespace: ``python -m …twin.kernel.support``.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..seams import Machine, TwinError
from .nft import NftError, Table, available

if TYPE_CHECKING:
    from ..cgroups import Groups
    from ..machines.machines import ProcessMachines

_MODULE = "ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.support"
_SECONDS = 30


def _setting(path: str) -> str:
    try:
        return Path("/proc/sys", path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _seccomp() -> bool:
    """Whether a filter of system calls holds for this process, as in a container."""
    try:
        return "\nSeccomp:\t2" in Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return False


def explain(
    step: str, number: int, words: str, *, root: bool, setting: Callable[[str], str] = _setting, filtered: Callable[[], bool] = _seccomp
) -> str:
    """One line for people: ``step`` of the try failed with errno ``number`` (0: none was told) and the kernel's ``words``."""
    refused = number in (errno.EPERM, errno.EACCES)
    if not root and setting("kernel/unprivileged_userns_clone") == "0":
        return "the kernel lets only root make user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if number == errno.ENOSPC:
        for kind in ("user", "net", "mnt", "pid", "uts", "ipc"):
            if setting(f"user/max_{kind}_namespaces") == "0":
                return f"namespaces are turned off on this machine: sudo sysctl -w user.max_{kind}_namespaces=20000"
        return "there are as many namespaces as may be: raise user.max_user_namespaces and user.max_net_namespaces with sudo sysctl -w"
    if refused and not root and setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps user namespaces from programs without a profile: "
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root"
        )
    if number in (errno.ENOSYS, errno.EINVAL) and step == "namespaces":
        return "this kernel has no user namespaces: it needs CONFIG_USER_NS, CONFIG_NET_NS and CONFIG_PID_NS"
    if refused and step == "namespaces":
        cause = "a filter of system calls" if filtered() else "this container or its security module"
        return f"{cause} refuses new namespaces: start the container with --security-opt seccomp=unconfined, or --privileged"
    if refused and step == "mounts":
        return "this container hides parts of /proc, so that none can be mounted: start it with --security-opt systempaths=unconfined"
    if number == errno.EROFS and step == "settings":
        return "/proc/sys cannot be written here: start the container with --security-opt systempaths=unconfined, or --privileged"
    if number == errno.EOPNOTSUPP and step == "wires":
        return "the kernel has no veth devices: sudo modprobe veth"
    if step == "filters":
        return f"the kernel takes no nftables ruleset ({words}): sudo modprobe -a nf_tables nft_ct nft_log nft_reject_inet"
    return f"namespaces do not work here, at the step of {step}: {words}"


class Trial(NamedTuple):
    """What came of the try. ``why_not``: empty when the twin can be had, else one line with the reason and the way to get it.

    ``missing``: protections from instances that it would lack, of machines.confine.MISSING.
    """

    why_not: str
    missing: tuple[str, ...] = ()


def why_not() -> str:
    """Empty when namespaces, wires, rulesets and instances can be had; see ``Trial``."""
    return trial().why_not


@cache
def trial() -> Trial:
    """Try, rootless or as root. It takes about a third of a second the first time, and leaves nothing behind."""
    why, said = _asked()
    return Trial(why, tuple(said.split()))


def _asked() -> tuple[str, str]:
    """The reason, and the protections that are missing."""
    if sys.platform != "linux":
        return "the twin needs Linux, for it lives in the kernel's network namespaces: try a Linux machine or a virtual one", ""
    if not available():
        return "neither libnftables nor the nft program is installed: sudo apt-get install nftables (or: sudo dnf install nftables)", ""
    root = str(Path(__file__).resolve().parents[4])
    for folder in Path(__file__).parents:
        if folder.name == "ansible_collections":
            root = str(folder.parent)
            break
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", _MODULE],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"namespaces do not work here: a try of them did not end in {_SECONDS} s", ""
    lines = done.stdout.splitlines()
    if lines and lines[-1].split(" ")[0] == "ok":
        return "", lines[-1][2:]
    step, _tab, rest = (lines[-1] if lines else "start\t0\t").partition("\t")
    number, _tab, words = rest.partition("\t")
    said = words or (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
    return explain(step, int(number or 0), said, root=os.geteuid() == 0), ""


def _try(missing: Iterable[str], groups: Groups) -> tuple[str, int, str]:
    """Do once what the data plane does. The step that failed, the number and the words of its error; an empty step is none, and then the
    words are the protections that are missing."""
    from .. import tree
    from ..machines.machines import ProcessMachines
    from ..state import ROUTER, Chain, Ruleset, Wire, WireEnd
    from . import sysctls
    from .netlink import Netlink, NetlinkError, new_wire
    from .system import inside, new_network_namespace

    step = "mounts"
    try:
        tree.settle()
        step = "wires"
        places = [new_network_namespace(), new_network_namespace()]
        wire = Wire(WireEnd("one", "a", "02:00:00:00:00:01"), WireEnd("two", "b", "02:00:00:00:00:02"))
        with Netlink() as link:
            link.run([new_wire(wire, (places[0], 10), (places[1], 11))])
        step = "settings"
        with inside(places[0]):
            sysctls.write(sysctls.of_profile(ROUTER))
        step = "filters"
        hook = "type filter hook forward priority 0; policy drop;"
        chain = Chain("gate", ("ct state established,related accept", "ip saddr 10.0.0.1 log group 22"), hook)
        Table(places[0]).load(Ruleset(chains={"gate": chain}))
        step = "instances"
        machines = ProcessMachines(_OneNamespace(places[1]), Path(tree.PRIVATE), missing, groups)
        asyncio.run(_boot(machines))
    except OSError as error:
        return step, error.errno or 0, str(error)
    except NetlinkError as error:
        return step, error.failures[0].number, str(error)
    except (NftError, TwinError) as error:
        return step, 0, str(error)
    return "", 0, " ".join(sorted(machines.missing))


class _OneNamespace:
    """See seams.NetworkNamespaces."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def descriptor(self, namespace: str) -> int:
        """The one there is."""
        return self._handle


async def _boot(machines: ProcessMachines) -> None:
    try:
        await machines.boot(Machine("i-0", "trial", "10.0.0.1", "ec2-user", (), ""))
        running = await machines.spawn("i-0", ["true"])
        if await running.wait():
            raise TwinError("a program that was started in one did not end well")
    finally:
        await machines.close()


def main() -> int:
    """Try in a child that is process 1 of its own tree, so that all ends with it; print what came of it."""
    from .. import cgroups, tree

    groups = cgroups.make()
    try:
        missing = tree.enter()
    except OSError as error:
        groups.close()
        print(f"namespaces\t{error.errno or errno.EPERM}\t{error}")
        return 1
    child = os.fork()
    if child == 0:
        step, number, words = _try(missing, groups)
        print(f"{step}\t{number}\t{' '.join(words.split())}" if step else f"ok {words}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    groups.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
