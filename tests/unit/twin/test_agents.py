# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager's agents: who is a node, what makes it online or lost, and what its commands give back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services import agent, agent_check
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.agent import Agents, errand
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.agent_check import Errand, Unreachable, check
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.all import Services
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.commands import run_commands
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.listening import Datagrams
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.names import NOERROR, NXDOMAIN, Answer, Record
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.resolver import respond

from .loopback import LoopbackKernel
from .sample import FACTS, HUB, NETWORK, PLANE, ROLE

# -- who is a node -------------------------------------------------------------------------------------------------------------


def facts(**told: object) -> Facts:
    """The facts with others of the hub's instance."""
    return replace(FACTS, hosts={HUB: replace(FACTS.hosts[HUB], **told)})  # type: ignore[arg-type]


def test_an_agent_needs_a_namespace_a_role_and_its_policy() -> None:
    assert errand(PLANE, HUB) == Errand(HUB, "10.0.0.2", "us-east-1")
    assert errand(replace(PLANE, hosts=frozenset()), HUB) is None
    assert errand(replace(PLANE, facts=facts(ssm=False)), HUB) is None
    assert errand(replace(PLANE, facts=facts(role=None)), HUB) is None
    assert errand(PLANE, "i-00000000000000002") is None


class World:
    """A plane that changes, and errands that succeed or fail as told."""

    def __init__(self, plane: Plane = PLANE) -> None:
        self.plane, self.fault, self.waits, self.count = plane, "", False, 0

    async def check(self, _kernel: object, _errand: Errand) -> None:
        self.count += 1
        fault = self.fault
        while self.waits and fault:
            await asyncio.sleep(0.01)
        if fault:
            raise Unreachable(fault)


def living(world: World, work: Callable[[Agents], Coroutine[Any, Any, None]]) -> None:
    """Do something with agents, and close them."""

    async def run() -> None:
        agents = Agents(LoopbackKernel(), lambda: world.plane, world.check)
        try:
            await work(agents)
        finally:
            await agents.close()

    asyncio.run(run())


async def until(what: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.005)


def test_online_lost_and_online_again() -> None:
    world = World()

    async def work(agents: Agents) -> None:
        assert agents.why(HUB) == "its agent has not started yet"
        agents.nudge()
        await until(lambda: HUB in agents.online())
        told = agents.online()[HUB]
        assert told["ComputerName"] == "ip-10-0-1-10.ec2.internal" and told["PlatformName"] and agents.why(HUB) == ""
        world.fault = "no answer from 10.0.1.20:443 (ssm)"
        agents.nudge()
        await until(lambda: HUB not in agents.online())
        assert agents.nodes()[HUB]["PingStatus"] == "ConnectionLost" and agents.why(HUB) == world.fault
        world.fault = ""
        agents.nudge()
        await until(lambda: HUB in agents.online())

    living(world, work)


def test_a_node_that_never_registered_is_not_listed_and_says_why() -> None:
    world = World()
    world.fault = "cannot resolve ssm.us-east-1.amazonaws.com: NXDOMAIN"

    async def work(agents: Agents) -> None:
        agents.nudge()
        await until(lambda: agents.why(HUB) == world.fault)
        assert agents.nodes() == {}
        world.plane = replace(PLANE, hosts=frozenset(), facts=facts(role=None))
        assert agents.why(HUB) == f"{HUB} has no instance profile with a role"
        world.plane = replace(PLANE, hosts=frozenset(), facts=facts(ssm=False))
        assert agents.why(HUB) == "its role app does not admit an agent: it lacks the policy AmazonSSMManagedInstanceCore"
        assert agents.why("i-none") == "i-none does not run"

    living(world, work)


def test_without_a_nudge_a_break_is_seen_within_seconds() -> None:
    world = World()

    async def work(agents: Agents) -> None:
        agents.nudge()
        await until(lambda: HUB in agents.online())
        world.fault = "no answer"
        await until(lambda: HUB not in agents.online(), 4.0)

    living(world, work)


def test_a_nudge_does_not_wait_for_a_check_that_hangs() -> None:
    world = World()
    world.fault, world.waits = "blocked", True

    async def work(agents: Agents) -> None:
        agents.nudge()
        await until(lambda: world.count == 1)
        world.fault = ""
        agents.nudge()
        await until(lambda: HUB in agents.online(), 0.5)

    living(world, work)


def test_many_that_hang_leave_their_turn_to_the_others_at_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "AT_ONCE", 2)
    hosts = [key for key, item in NETWORK.instances.items() if item.vpc != "vpc-mute"]
    everywhere = Facts(hosts={key: replace(FACTS.hosts[HUB], id=key) for key in hosts})
    asked: set[str] = set()

    class Hanging(World):
        async def check(self, _kernel: object, errand: Errand) -> None:
            asked.add(errand.host)
            await asyncio.sleep(60)

    async def work(agents: Agents) -> None:
        for _turn in range(10):
            agents.nudge()
            await asyncio.sleep(0.05)
        assert asked == set(hosts)

    living(Hanging(Plane(NETWORK, everywhere, frozenset(hosts))), work)


def test_changes_without_pause_do_not_keep_a_lost_node_online() -> None:
    world = World()

    async def work(agents: Agents) -> None:
        agents.nudge()
        await until(lambda: HUB in agents.online())
        world.fault, world.waits = "blocked", True
        for turn in range(100):
            agents.nudge()
            if turn == 50:
                world.waits = False
            if HUB not in agents.online():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it stayed online")

    living(world, work)


def test_a_stopped_instance_is_lost_and_a_terminated_one_forgotten() -> None:
    world = World()

    async def work(agents: Agents) -> None:
        agents.nudge()
        await until(lambda: HUB in agents.online())
        stopped = {**NETWORK.instances, HUB: replace(NETWORK.instances[HUB], state="stopped")}
        world.plane = Plane(replace(NETWORK, instances=stopped), FACTS)
        agents.nudge()
        assert agents.nodes()[HUB]["PingStatus"] == "ConnectionLost" and agents.why(HUB) == f"{HUB} does not run"
        world.plane = PLANE
        agents.nudge()
        await until(lambda: HUB in agents.online())
        gone = {key: item for key, item in NETWORK.instances.items() if key != HUB}
        world.plane = Plane(replace(NETWORK, instances=gone), FACTS)
        agents.nudge()
        assert agents.nodes() == {}

    living(world, work)


# -- the errand itself, over loopback ------------------------------------------------------------------------------------------


def served(find: Callable[[str, str], Answer] | None, listening: bool, work: Callable[[int, int], Coroutine[Any, Any, None]]) -> None:
    """A DNS server and perhaps a listener on loopback; the work gets the DNS port and the other."""

    async def run() -> None:
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.setblocking(False)
        names.bind(("127.0.0.1", 0))
        service = socket.socket()
        service.bind(("127.0.0.1", 0))
        if listening:
            service.listen(16)
        server = Datagrams(names, lambda data, _sender: respond(data, find) if find is not None else None)
        try:
            await work(names.getsockname()[1], service.getsockname()[1])
        finally:
            server.close()
            service.close()

    asyncio.run(run())


def here(name: str, _kind: str) -> Answer:
    return Answer(NOERROR, (Record(name, "A", 60, ("127.0.0.1",)),))


def fault(find: Callable[[str, str], Answer] | None, listening: bool) -> str:
    """What an errand says; empty when it gets through."""
    said = []

    async def work(dns_port: int, port: int) -> None:
        kernel = LoopbackKernel("i-1")
        try:
            await check(kernel, Errand("i-1", "127.0.0.1", "us-east-1"), port, dns_port)
            said.append("")
        except Unreachable as error:
            said.append(str(error).replace(str(port), "PORT"))
        assert all(made.fileno() == -1 for _name, _kind, made in kernel.made)
        kernel.close()

    served(find, listening, work)
    return said[0]


def test_what_an_errand_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_check, "DNS_SECONDS", 0.05)
    assert fault(here, True) == ""
    assert fault(here, False) == "127.0.0.1:PORT refuses connections (ssm)"
    assert fault(lambda _name, _kind: Answer(NXDOMAIN), True) == "cannot resolve ssm.us-east-1.amazonaws.com: NXDOMAIN"
    assert fault(lambda _name, _kind: Answer(NOERROR), True) == "cannot resolve ssm.us-east-1.amazonaws.com: no address"
    assert fault(None, True) == "cannot resolve ssm.us-east-1.amazonaws.com: no answer from 127.0.0.1"


def test_all_that_aws_asks_for_must_be_reached() -> None:
    def one(name: str, kind: str) -> Answer:
        return here(name, kind) if name.startswith("ssm.") else Answer(NXDOMAIN)

    assert fault(one, True) == "cannot resolve ssmmessages.us-east-1.amazonaws.com: NXDOMAIN"


def test_a_lost_question_is_asked_again_and_a_wrong_answer_ignored() -> None:
    seen = []

    def second(name: str, kind: str) -> Answer:
        seen.append(name)
        return here(name, kind) if seen.count(name) > 1 else Answer("SILENT")

    assert fault(second, True) == "" and len(seen) == 4


def test_a_namespace_that_went_is_told() -> None:
    with pytest.raises(TwinError, match="no namespace i-9"):
        asyncio.run(check(LoopbackKernel("i-1"), Errand("i-9", "127.0.0.1", "us-east-1")))


# -- sockets that come and go --------------------------------------------------------------------------------------------------


def test_services_follow_the_namespaces() -> None:
    async def run() -> None:
        kernel = LoopbackKernel("vpc-hub", "vpc-open", "serve:vpc-hub", "services:vpc-open", "internet")
        plane = [replace(PLANE, hosts=frozenset())]
        services = Services(kernel, lambda: plane[0])
        await services.update()
        count = len(kernel.made)
        # hub: three addresses by UDP and TCP, and metadata; open: two; the endpoints' and services' one each; the internet's three
        assert count == 7 + 5 + 2 + 3
        await services.update()
        assert len(kernel.made) == count
        udp = next(made for name, kind, made in kernel.made if name == "vpc-open" and kind == socket.SOCK_DGRAM)
        query = dns.message.make_query("ip-10-1-1-10.ec2.internal", "A")
        found = await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 5, udp.getsockname()[1])
        assert found.answer[0][0].address == "10.1.1.10"
        kernel.remake("vpc-open")
        await services.update()
        assert udp.fileno() == -1 and len(kernel.made) == count + 5
        os.close(kernel.names.pop("vpc-hub"))
        await services.update()
        assert all(made.fileno() == -1 for name, _kind, made in kernel.made if name == "vpc-hub")
        await services.close()
        assert all(made.fileno() == -1 for _name, _kind, made in kernel.made)
        kernel.close()

    asyncio.run(run())


# -- commands ------------------------------------------------------------------------------------------------------------------


class Process:
    """A process of this machine in an instance's place."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid

    async def wait(self) -> int:
        return await asyncio.to_thread(self._process.wait)

    def signal(self, number: int) -> None:
        os.killpg(self.pid, number)


class Here:
    """Machines whose one instance is this machine."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    async def spawn(
        self,
        id: str,
        argv: Sequence[str],
        *,
        root: bool = False,
        environment: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        terminal: bool = False,
        folder: str = "",
    ) -> Process:
        self.asked = {"id": id, "root": root, "folder": folder}
        if id != HUB:
            raise TwinError(f"{id} is not booted")
        return Process(
            subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder or None, env=environment, start_new_session=True)
        )


def run(*commands: str, folder: str = "", seconds: float = 20.0, machines: Here | None = None) -> dict[str, Any]:
    """Run shell lines as the agent does."""
    return asyncio.run(run_commands(machines or Here(), HUB, commands, folder, seconds))  # type: ignore[arg-type]


def test_lines_are_one_script_of_the_root_user(tmp_path: Path) -> None:
    machines = Here()
    found = run("name=world", 'echo "hello $name"; pwd', "cat", "echo oops >&2", folder=str(tmp_path), machines=machines)
    assert (found["status"], found["exit_code"], found["error"]) == ("Success", 0, "oops\n")
    assert found["output"] == f"hello world\n{tmp_path}\n" and found["seconds"] > 0
    assert machines.asked == {"id": HUB, "root": True, "folder": str(tmp_path)}


def test_failures_as_the_agent_tells_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = run("echo before; echo why >&2; exit 3")
    assert (found["status"], found["exit_code"], found["output"]) == ("Failed", 3, "before\n")
    assert found["error"] == "why\nfailed to run commands: exit status 3"
    assert run("no-such-command-here")["exit_code"] == 127
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_slow_is_killed_with_all_it_started(tmp_path: Path) -> None:
    found = run(f"sh -c 'sleep 0.6; touch {tmp_path}/late' & echo begun; sleep 30", seconds=0.3)
    assert (found["status"], found["exit_code"], found["output"]) == ("TimedOut", 137, "begun\n")
    assert found["error"].endswith("failed to run commands: signal: killed") and found["seconds"] < 5
    subprocess.run(["sleep", "0.6"], check=True)
    assert not (tmp_path / "late").exists()


def test_much_output_is_kept_in_part_and_does_not_stop_the_command() -> None:
    found = run("head -c 5000000 /dev/zero | tr '\\0' x; echo end >&2")
    assert found["status"] == "Success" and len(found["output"]) == 1 << 20 and found["error"] == "end\n"


def test_a_program_left_in_the_background_is_not_waited_for() -> None:
    found = run("sleep 5 & echo $!")
    assert found["status"] == "Success" and found["seconds"] < 3
    os.kill(int(found["output"]), signal.SIGKILL)


def test_an_instance_that_is_not_there_says_so() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(TwinError, match="i-none is not booted"):
        asyncio.run(run_commands(Here(), "i-none", ["true"], "", 5))  # type: ignore[arg-type]
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_role_is_never_shown() -> None:
    assert "very-secret" not in repr(ROLE) and "a-token" not in repr(PLANE)
