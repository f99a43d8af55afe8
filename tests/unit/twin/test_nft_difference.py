# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands change one ruleset into another, and how they are cut into transactions; and why namespaces are refused, in words."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import nft, support
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.nft import Difference, NftError, Table, difference, elements, load
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Chain, NftSet, Ruleset
from hypothesis import given, settings
from hypothesis import strategies as st
from support.patience import examples

FORWARD = "type filter hook forward priority 0; policy drop;"
GOOD = NftSet("good", "ipv4_addr", frozenset({"10.0.0.1", "10.0.0.2"}))
GATES = NftSet("gates", "ifname : verdict", frozenset({'"e1" : jump one'}))
BASE = Ruleset(
    {"good": GOOD, "gates": GATES},
    {"forward": Chain("forward", ("iifname vmap @gates",), FORWARD), "one": Chain("one", ("ip saddr @good accept",))},
)


def with_sets(**sets: NftSet) -> Ruleset:
    return Ruleset({**BASE.sets, **sets}, BASE.chains)


def with_chains(**chains: Chain) -> Ruleset:
    return Ruleset(BASE.sets, {**BASE.chains, **chains})


def test_load() -> None:
    assert load(BASE, asleep=True) == [
        "add table inet cloudnet { flags dormant; }",
        "add chain inet cloudnet forward { type filter hook forward priority 0; policy drop; }",
        "add chain inet cloudnet one",
        "add set inet cloudnet good { type ipv4_addr; }",
        "add map inet cloudnet gates { type ifname : verdict; }",
        "add element inet cloudnet good { 10.0.0.1 }",
        "add element inet cloudnet good { 10.0.0.2 }",
        'add element inet cloudnet gates { "e1" : jump one }',
        "add rule inet cloudnet forward iifname vmap @gates",
        "add rule inet cloudnet one ip saddr @good accept",
    ]


def test_nothing_differs() -> None:
    assert not difference(BASE, BASE)
    assert not difference(BASE, Ruleset(dict(BASE.sets), dict(BASE.chains)))
    assert not difference(Ruleset(), Ruleset())


def test_one_chain() -> None:
    assert difference(BASE, with_chains(one=Chain("one", ("accept", "drop")))) == Difference(
        switch=("flush chain inet cloudnet one", "add rule inet cloudnet one accept", "add rule inet cloudnet one drop")
    )


def test_only_the_elements_that_differ() -> None:
    changed = with_sets(good=NftSet("good", "ipv4_addr", frozenset({"10.0.0.2", "10.0.0.3"})))
    assert difference(BASE, changed) == Difference(
        switch=("delete element inet cloudnet good { 10.0.0.1 }", "add element inet cloudnet good { 10.0.0.3 }")
    )


def test_a_gate_goes_elsewhere() -> None:
    """The new chain is there before, the old one goes after the last that refers to it; a map's element is deleted by its key."""
    chains = {"forward": BASE.chains["forward"], "two": Chain("two", ("drop",))}
    gates = NftSet("gates", "ifname : verdict", frozenset({'"e1" : jump two'}))
    found = difference(BASE, Ruleset({"gates": gates}, chains), "other")
    assert found.prepare == ("add chain inet other two", "add rule inet other two drop")
    assert found.switch == (
        "flush chain inet other one",
        'delete element inet other gates { "e1" }',
        'add element inet other gates { "e1" : jump two }',
        "delete chain inet other one",
        "delete set inet other good",
    )


def test_a_new_chain_of_a_hook_comes_with_the_switch() -> None:
    found = difference(BASE, with_chains(input=Chain("input", ("drop",), "type filter hook input priority 0; policy drop")))
    assert found == Difference(
        switch=(
            "add chain inet cloudnet input { type filter hook input priority 0; policy drop; }",
            "add rule inet cloudnet input drop",
        )
    )


def test_first_and_last() -> None:
    assert difference(Ruleset(), BASE) == Difference(rebuild=True)
    assert difference(BASE, Ruleset()) == Difference(switch=("delete table inet cloudnet",))


CANNOT = {
    "a hook": with_chains(forward=Chain("forward", ("accept",), FORWARD.replace("drop", "accept"))),
    "from a hook": with_chains(forward=Chain("forward", ("accept",))),
    "a type": with_sets(good=NftSet("good", "ipv6_addr")),
    "flags": with_sets(good=NftSet("good", "ipv4_addr", frozenset({"10.0.0.1"}), ("interval",))),
}


@pytest.mark.parametrize("about", CANNOT)
def test_what_cannot_change_in_place(about: str) -> None:
    assert difference(BASE, CANNOT[about]) == Difference(rebuild=True)


def test_intervals_lie_apart() -> None:
    blocks = NftSet("b", "ipv4_addr", frozenset({"10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/9", "11.128.0.0/9", "9.9.9.9"}), ("interval",))
    assert elements(blocks) == {"10.0.0.0/7", "9.9.9.9/32"}
    assert elements(NftSet("b", "ipv6_addr", frozenset({"fd00::/16", "fd00:1::/32"}), ("interval",))) == {"fd00::/16"}
    ports = NftSet("p", "inet_service", frozenset({"1-5", "7"}), ("interval",))
    ranges = NftSet("r", "ipv4_addr", frozenset({"10.0.0.1-10.0.0.9"}), ("interval",))
    for each in (ports, ranges, replace(blocks, flags=())):
        assert elements(each) == each.elements
    more = replace(blocks, elements=blocks.elements | {"10.2.0.0/16"})
    assert not difference(Ruleset({"b": blocks}), Ruleset({"b": more}))


def test_script_joins_elements() -> None:
    commands = [
        "add table inet t",
        "add element inet t s { 10.0.0.1 }",
        "add element inet t s { 10.0.0.2 }",
        "add element inet t m { 10.0.0.1 : drop }",
        "delete element inet t m { 10.0.0.9 }",
        "delete element inet t m { 10.0.0.8 }",
        "add rule inet t c ip saddr { 10.0.0.1, 10.0.0.2 } accept",
    ]
    assert nft.script(commands).splitlines() == [
        "add table inet t",
        "add element inet t s { 10.0.0.1, 10.0.0.2 }",
        "add element inet t m { 10.0.0.1 : drop }",
        "delete element inet t m { 10.0.0.9, 10.0.0.8 }",
        "add rule inet t c ip saddr { 10.0.0.1, 10.0.0.2 } accept",
    ]


def test_pieces_are_about_as_large_as_a_socket_takes() -> None:
    rules = [f"add rule inet cloudnet c ip saddr 10.0.{number}.0/24 tcp dport 443 accept" for number in range(2000)]
    found = list(nft.pieces(rules))
    assert [command for piece in found for command in piece] == rules
    # 300 such rules fit the common 212,992 bytes, 500 do not.
    assert 200 < max(len(piece) for piece in found) <= 300
    members = [f"add element inet cloudnet s {{ 10.0.{number % 250}.{number // 250} }}" for number in range(9000)]
    assert 1000 < max(len(piece) for piece in nft.pieces(members)) <= 10_000
    assert list(nft.pieces(["x" * 10**6, "y"])) == [["x" * 10**6], ["y"]]


# A model of nftables: enough to see that commands may be run, and what they leave.


class Model:
    """One table's sets and chains; refuses what the kernel refuses: what is not there, what is there already, and what is referred to."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.sets = {name: set(elements(each)) for name, each in ruleset.sets.items()}
        self.chains = {name: list(chain.rules) for name, chain in ruleset.chains.items()}

    def run(self, command: str) -> None:
        verb, kind, _inet, _table, name, *rest = command.split(" ")
        if kind == "element":
            member = " ".join(rest).removeprefix("{ ").removesuffix(" }")
            if verb == "add":
                assert member.partition(" : ")[0] not in {each.partition(" : ")[0] for each in self.sets[name]}
                self.sets[name].add(member)
            else:
                gone = {each for each in self.sets[name] if each.partition(" : ")[0] == member}
                assert len(gone) == 1, command
                self.sets[name] -= gone
        elif kind == "rule":
            self.chains[name].append(" ".join(rest))
        elif verb == "flush":
            (self.chains[name] if kind == "chain" else self.sets[name]).clear()
        elif kind == "chain":
            self._add_or_delete(verb, self.chains, name, list)
        else:
            self._add_or_delete(verb, self.sets, name, set)
        self._refers_to_what_is_there()

    def _add_or_delete(self, verb: str, where: dict[str, list[str]] | dict[str, set[str]], name: str, empty: type) -> None:
        if verb == "add":
            assert name not in where
            where[name] = empty()
        else:
            found = where.pop(name)
            assert not found or isinstance(found, set)

    def _refers_to_what_is_there(self) -> None:
        lines = [rule for rules in self.chains.values() for rule in rules] + [each for found in self.sets.values() for each in found]
        for line in lines:
            words = line.split()
            for word, following in pairwise(words):
                assert word != "jump" or following in self.chains, line
            for word in words:
                assert not word.startswith("@") or word[1:] in self.sets, line


NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Rulesets in which every name that is used is there, and none jumps in a circle."""
    chains: dict[str, Chain] = {}
    sets: dict[str, NftSet] = {}
    for name in sorted(draw(st.sets(NAMES, min_size=1))):
        members = draw(st.frozensets(st.sampled_from([f"10.0.0.{number}" for number in range(6)])))
        sets[f"set_{name}"] = NftSet(f"set_{name}", "ipv4_addr", members)
    for name in sorted(draw(st.sets(NAMES, min_size=1))):
        known = [*(f"jump {each}" for each in chains), *(f"ip saddr @{each} accept" for each in sets), "drop", "accept"]
        rules = tuple(draw(st.lists(st.sampled_from(known), max_size=4)))
        hooked = draw(st.booleans()) and name == "d"
        chains[f"chain_{name}"] = Chain(f"chain_{name}", rules, FORWARD if hooked else "")
    targets = [name for name, chain in chains.items() if not chain.hook]
    if targets and draw(st.booleans()):
        keys = draw(st.frozensets(st.sampled_from(["e1", "e2", "e3"])))
        gates = frozenset(f"{key} : jump {draw(st.sampled_from(targets))}" for key in sorted(keys))
        sets["gates"] = NftSet("gates", "ifname : verdict", gates)
    return Ruleset(sets, chains)


@settings(max_examples=examples(400), deadline=None)
@given(rulesets(), rulesets())
def test_commands_lead_from_any_to_any(old: Ruleset, new: Ruleset) -> None:
    found = difference(old, new)
    if found.rebuild:
        assert any(old.chains[name].hook != new.chains[name].hook for name in old.chains.keys() & new.chains.keys())
        return
    model, wanted, before = Model(old), Model(new), Model(old)
    for command in found.prepare:
        model.run(command)
    # Until the switch nothing that was there has changed.
    for name, rules in before.chains.items():
        assert model.chains[name] == rules
    for name, members in before.sets.items():
        assert model.sets[name] == members
    for command in found.switch:
        model.run(command)
    assert (model.sets, model.chains) == (wanted.sets, wanted.chains)


class Recorded:
    """In place of a connection: what is run, and refusals of what is too large or contains a word."""

    def __init__(self, most: int = 10**9, bad: str = "") -> None:
        self.most, self.bad = most, bad
        self.transactions: list[list[str]] = []

    def run(self, commands: list[str]) -> str:
        if len(commands) > self.most:
            raise NftError("nftables: Could not process rule: Message too long")
        if self.bad and any(self.bad in command for command in commands):
            raise NftError("refused")
        self.transactions.append(list(commands))
        return ""

    def run_in_pieces(self, commands: list[str]) -> None:
        nft.Nft.run_in_pieces(self, commands)  # type: ignore[arg-type]


def table(connection: Recorded) -> Table:
    made = Table(-1)
    made._nft = connection  # type: ignore[assignment]
    return made


def test_a_piece_that_is_too_long_is_cut() -> None:
    connection = Recorded(most=3)
    commands = [f"add chain inet t c{number}" for number in range(10)]
    connection.run_in_pieces(commands)
    assert [command for each in connection.transactions for command in each] == commands
    with pytest.raises(NftError, match="too long"):
        Recorded(most=0).run_in_pieces(["add chain inet t c"])


def test_a_switch_that_is_too_long_is_a_second_table() -> None:
    connection = Recorded(most=6)
    each = table(connection)
    changed = with_chains(one=Chain("one", tuple(f"tcp dport {port} accept" for port in range(20))))
    each.change(BASE, changed)
    assert each.name == "cloudnet_next"
    first, *loaded, last = connection.transactions
    assert first == ["add table inet cloudnet_next", "delete table inet cloudnet_next"]
    assert [command for piece in loaded for command in piece] == load(changed, "cloudnet_next", asleep=True)
    assert last == ["add table inet cloudnet_next", "add table inet cloudnet", "delete table inet cloudnet"]
    # And from there in place again.
    each.change(changed, replace(changed, chains={**changed.chains, "one": Chain("one", ("drop",))}))
    assert connection.transactions[-1] == ["flush chain inet cloudnet_next one", "add rule inet cloudnet_next one drop"]


def test_a_second_table_that_is_refused_goes_again() -> None:
    connection = Recorded(bad="nonsense")
    each = table(connection)
    with pytest.raises(NftError, match="refused"):
        each.restore(with_chains(one=Chain("one", ("nonsense",))))
    assert each.name == "cloudnet"
    assert connection.transactions[-1] == ["add table inet cloudnet_next", "delete table inet cloudnet_next"]


def test_a_failed_switch_is_told() -> None:
    connection = Recorded(bad="nonsense")
    with pytest.raises(NftError, match="refused"):
        table(connection).change(BASE, with_chains(one=Chain("one", ("nonsense",))))
    assert connection.transactions == []


SAID = {
    "<cmdline>:2:20-27: Error: syntax error, unexpected string": "nftables: syntax error, unexpected string in: add rule inet t c nonsense",
    "netlink: Error: Could not process rule: Message too long": "nftables: Could not process rule: Message too long",
    "/dev/stdin:1:1-3: Error: No such file or directory\nadd table": "nftables: No such file or directory in: add table inet t",
    "Error: interval overlaps with an existing one": "nftables: interval overlaps with an existing one",
    "": "nftables failed and said nothing",
}


@pytest.mark.parametrize("said", SAID)
def test_first_line_of_what_nftables_says(said: str) -> None:
    assert nft._first(said, "add table inet t\nadd rule inet t c nonsense\n") == SAID[said]


REFUSED: Mapping[str, tuple[str, int, bool, dict[str, str]]] = {
    "sudo sysctl -w kernel.unprivileged_userns_clone=1": (
        "namespaces",
        errno.EPERM,
        False,
        {"kernel/unprivileged_userns_clone": "0"},
    ),
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0": (
        "mounts",
        errno.EACCES,
        False,
        {"kernel/apparmor_restrict_unprivileged_userns": "1"},
    ),
    "sudo sysctl -w user.max_user_namespaces=20000": ("namespaces", errno.ENOSPC, False, {"user/max_user_namespaces": "0"}),
    "sudo sysctl -w user.max_net_namespaces=20000": ("namespaces", errno.ENOSPC, True, {"user/max_net_namespaces": "0"}),
    "raise user.max_user_namespaces": ("wires", errno.ENOSPC, False, {"user/max_user_namespaces": "100"}),
    "a filter of system calls refuses new namespaces": ("namespaces", errno.EPERM, True, {"seccomp": "2"}),
    "its security module refuses new namespaces": ("namespaces", errno.EPERM, True, {}),
    "CONFIG_USER_NS": ("namespaces", errno.EINVAL, False, {}),
    "systempaths=unconfined": ("mounts", errno.EPERM, True, {"seccomp": "2"}),
    "/proc/sys cannot be written here": ("settings", errno.EROFS, True, {}),
    "sudo modprobe veth": ("wires", errno.EOPNOTSUPP, True, {}),
    "sudo modprobe -a nf_tables": ("filters", 0, True, {}),
    "at the step of wires: as it said": ("wires", errno.EIO, True, {}),
}


@pytest.mark.parametrize("expected", REFUSED)
def test_why_not_says_how(expected: str) -> None:
    step, number, root, values = REFUSED[expected]
    said = support.explain(
        step, number, "as it said", root=root, setting=lambda path: values.get(path, ""), filtered=lambda: "seccomp" in values
    )
    assert expected in said
    assert "\n" not in said


def test_why_not_without_linux_or_nftables(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = support.trial.__wrapped__
    monkeypatch.setattr(support, "available", lambda: False)
    assert "sudo apt-get install nftables" in ask().why_not
    monkeypatch.setattr(support.sys, "platform", "darwin")
    assert ask().why_not.startswith("the twin needs Linux")


def test_why_not_tells_what_the_try_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's last line is what counts; one that prints nothing has failed."""
    ask = support.trial.__wrapped__
    monkeypatch.setattr(support, "available", lambda: True)
    monkeypatch.setattr(support.sys, "platform", "linux")
    for module, expected in {"this": "at the step of ", "no.such.module": "No module named"}.items():
        monkeypatch.setattr(support, "_MODULE", module)
        assert expected in ask().why_not
