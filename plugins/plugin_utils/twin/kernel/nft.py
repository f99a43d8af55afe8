# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables of one namespace: what a Ruleset is in commands, what differs between two, and the library or the program that runs them.

A transaction is one message to the kernel and must fit the socket's buffer, of which a user namespace gets only what ``net.core.wmem_max``
allows. So what nothing refers to yet is loaded in pieces, the switch to it is one transaction, and where that is too large, or what
changes cannot be changed in place, a second table is loaded asleep, and one transaction wakes it and deletes the first.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from ..state import Chain, NftSet, Ruleset
from .system import FIRST_HIGH, inside
from .words import check_element, check_rule

TABLES = ("cloudnet", "cloudnet_next")
"""The one table, and the name of the one that takes its place; then the other way round."""

_ROOM = 190_000
"""Of the 212,992 bytes that a socket may have at the least: what a transaction's commands are reckoned to come to at most."""
_TOO_LONG = "Message too long"
_LIBRARIES = ("libnftables.so.1", "libnftables.so")
_NETFILTER = 12
_NO_DNS = 1
"""NFT_CTX_INPUT_NO_DNS of libnftables(3), since 1.0.8: host names are refused and not looked up."""
_TOO_HIGH = FIRST_HIGH - 128
"""Less than select(2) takes, for other threads open files too."""


class NftError(Exception):
    """nftables refused; the text is its first line and the command that it was about."""


@dataclass(frozen=True)
class Difference:
    """Commands that change one ruleset into another.

    ``prepare`` adds what nothing refers to yet, and may be cut into pieces; ``switch`` is one transaction. ``rebuild``: no commands do it,
    for a set changes its type or a chain its hook, or there was nothing before.
    """

    prepare: tuple[str, ...] = ()
    switch: tuple[str, ...] = ()
    rebuild: bool = False

    def __bool__(self) -> bool:
        return bool(self.prepare or self.switch or self.rebuild)


def elements(each: NftSet) -> frozenset[str]:
    """A set's elements as they are loaded: blocks that lie in one another are one, for a set of intervals takes no overlaps.

    Raises NftError for what is none.
    """
    for element in each.elements:
        try:
            check_element(each.type, element)
        except ValueError as error:
            raise NftError(f"nftables: {error} in: set {each.name}") from None
    if "interval" not in each.flags or each.type not in ("ipv4_addr", "ipv6_addr") or any("-" in element for element in each.elements):
        return each.elements
    blocks = [ip_network(element) for element in each.elements]
    if each.type == "ipv4_addr":
        merged = [str(block) for block in collapse_addresses(block for block in blocks if isinstance(block, IPv4Network))]
    else:
        merged = [str(block) for block in collapse_addresses(block for block in blocks if isinstance(block, IPv6Network))]
    return frozenset(merged)


def _name(each: NftSet, table: str) -> str:
    return f"{'map' if each.is_map else 'set'} inet {table} {each.name}"


def _new_set(each: NftSet, table: str) -> str:
    flags = [flag for flag in each.flags if flag != "auto-merge"]
    more = (f" flags {', '.join(flags)};" if flags else "") + (" auto-merge;" if "auto-merge" in each.flags else "")
    return f"add {_name(each, table)} {{ type {each.type};{more} }}"


def _new_chain(chain: Chain, table: str) -> str:
    return f"add chain inet {table} {chain.name}" + (f" {{ {chain.hook.rstrip('; ')}; }}" if chain.hook else "")


def _add(name: str, found: Iterable[str], table: str) -> list[str]:
    return [f"add element inet {table} {name} {{ {element} }}" for element in sorted(found)]


def _delete(each: NftSet, found: Iterable[str], table: str) -> list[str]:
    keys = (element.partition(" : ")[0] for element in found) if each.is_map else found
    return [f"delete element inet {table} {each.name} {{ {key} }}" for key in sorted(keys)]


def _rules(chain: Chain, table: str) -> list[str]:
    for rule in chain.rules:
        try:
            check_rule(rule)
        except ValueError as error:
            raise NftError(f"nftables: {error} in: add rule inet {table} {chain.name} {rule}") from None
    return [f"add rule inet {table} {chain.name} {rule}" for rule in chain.rules]


def load(ruleset: Ruleset, table: str = TABLES[0], asleep: bool = False) -> list[str]:
    """Commands for a new table with all of a ruleset; with ``asleep`` it sees no packets yet."""
    sets, chains = ruleset.sets.values(), ruleset.chains.values()
    commands = [f"add table inet {table}" + (" { flags dormant; }" if asleep else "")]
    # Chains first: libnftables puts the elements of a new interval map where the map is made, and they name chains.
    commands += [_new_chain(chain, table) for chain in chains]
    commands += [_new_set(each, table) for each in sets]
    for each in sets:
        commands += _add(each.name, elements(each), table)
    for chain in chains:
        commands += _rules(chain, table)
    return commands


def difference(old: Ruleset, new: Ruleset, table: str = TABLES[0]) -> Difference:
    """What to run so that a table with the one ruleset holds the other."""
    if old is new or (old.sets == new.sets and old.chains == new.chains):
        return Difference()
    before = bool(old.sets or old.chains)
    if not new.sets and not new.chains:
        return Difference(switch=(f"delete table inet {table}",)) if before else Difference()
    kept_sets = [(old.sets[name], each) for name, each in new.sets.items() if name in old.sets]
    kept_chains = [(old.chains[name], chain) for name, chain in new.chains.items() if name in old.chains]
    if (
        not before
        or any((one.type, one.flags) != (other.type, other.flags) for one, other in kept_sets)
        or any(one.hook != other.hook for one, other in kept_chains)
    ):
        return Difference(rebuild=True)
    added_sets = [each for name, each in new.sets.items() if name not in old.sets]
    added_chains = [chain for name, chain in new.chains.items() if name not in old.chains]
    # A chain with a hook sees packets at once: it comes with the switch, with all its rules.
    hooked, called = [chain for chain in added_chains if chain.hook], [chain for chain in added_chains if not chain.hook]
    prepare = [_new_chain(chain, table) for chain in called] + [_new_set(each, table) for each in added_sets]
    for each in added_sets:
        prepare += _add(each.name, elements(each), table)
    for chain in called:
        prepare += _rules(chain, table)

    changed = [chain for one, chain in kept_chains if one.rules != chain.rules]
    gone_chains = [chain for name, chain in old.chains.items() if name not in new.chains]
    gone_sets = [each for name, each in old.sets.items() if name not in new.sets]
    switch = [f"flush chain inet {table} {chain.name}" for chain in (*changed, *gone_chains)]
    switch += [f"flush {_name(each, table)}" for each in gone_sets if each.is_map]
    differing = [(one, other, elements(one), elements(other)) for one, other in kept_sets if one.elements != other.elements]
    for one, _other, left, right in differing:
        switch += _delete(one, left - right, table)
    for _one, other, left, right in differing:
        switch += _add(other.name, right - left, table)
    switch += [_new_chain(chain, table) for chain in hooked]
    for chain in (*hooked, *changed):
        switch += _rules(chain, table)
    switch += [f"delete chain inet {table} {chain.name}" for chain in gone_chains]
    switch += [f"delete {_name(each, table)}" for each in gone_sets]
    return Difference(tuple(prepare), tuple(switch))


def reckoned(command: str) -> int:
    """About how many bytes a command comes to in a message to the kernel, rather too many."""
    return 2 * len(command) if command.startswith(("add element", "delete element")) else 10 * len(command)


def pieces(commands: Iterable[str], room: int = _ROOM) -> Iterator[list[str]]:
    """Cut commands into transactions that fit."""
    piece: list[str] = []
    size = 0
    for command in commands:
        weight = reckoned(command)
        if piece and size + weight > room:
            yield piece
            piece, size = [], 0
        piece.append(command)
        size += weight
    if piece:
        yield piece


def script(commands: Sequence[str]) -> str:
    """The commands as one text; elements that go to one set in a row are one command, which is an order faster."""
    lines: list[str] = []
    head, members = "", list[str]()
    for command in commands:
        start, brace, rest = command.partition(" { ")
        if brace and start.startswith(("add element", "delete element")):
            if start != head and members:
                lines.append(f"{head} {{ {', '.join(members)} }}")
                members = []
            head = start
            members.append(rest.removesuffix(" }"))
            continue
        if members:
            lines.append(f"{head} {{ {', '.join(members)} }}")
            members = []
        lines.append(command)
    if members:
        lines.append(f"{head} {{ {', '.join(members)} }}")
    return "\n".join(lines) + "\n"


@cache
def _library() -> Any:
    """libnftables, or None where there is none."""
    for name in _LIBRARIES:
        try:
            found: Any = ctypes.CDLL(name)
            found.nft_ctx_new.restype = ctypes.c_void_p
            found.nft_ctx_new.argtypes = [ctypes.c_uint32]
            found.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
            for function in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
                getattr(found, function).argtypes = [ctypes.c_void_p]
            found.nft_ctx_free.restype = None
            if hasattr(found, "nft_ctx_input_set_flags"):
                found.nft_ctx_input_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
            for function in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
                getattr(found, function).argtypes = [ctypes.c_void_p]
                getattr(found, function).restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        return found
    return None


def program() -> str | None:
    """Where the ``nft`` program is: many users' PATH has no sbin."""
    return shutil.which("nft", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin")))


def available() -> bool:
    """Whether there is a library or a program to load rulesets with."""
    return _library() is not None or program() is not None


class Nft:
    """A connection to the nftables of one namespace; not for two threads at once.

    It is kept as long as the namespace changes: the library remembers the ruleset, and the kernel makes the end of a connection wait
    for the clean-up of what was deleted by it.
    """

    sent = 0
    """How many transactions all of them ran: what a measurement or a test asks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._context: int | None = None
        library = _library()
        if library is None:
            return
        with inside(descriptor):
            # The lowest free number is the one that the library's socket will have. It waits with select(2), which ends the process for
            # a number that is too high; then the program does it.
            probe = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            os.close(probe)
            if probe >= _TOO_HIGH:
                return
            self._context = library.nft_ctx_new(0)
        if not self._context:
            raise NftError("libnftables gave no context")
        with suppress(AttributeError):  # an older library; words.py lets no host name through in any case
            library.nft_ctx_input_set_flags(self._context, _NO_DNS)
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)
        _widen(probe)

    def run(self, commands: Sequence[str]) -> str:
        """Run commands as one transaction; what they print. Raises NftError, and then nothing was changed."""
        text = script(commands)
        Nft.sent += 1
        if self._context is None:
            return self._by_program(text)
        library = _library()
        code = library.nft_run_cmd_from_buffer(self._context, text.encode())
        said: bytes = library.nft_ctx_get_error_buffer(self._context) or b""
        printed: bytes = library.nft_ctx_get_output_buffer(self._context) or b""
        if code:
            raise NftError(_first(said.decode(errors="replace"), text))
        return printed.decode(errors="replace")

    def run_in_pieces(self, commands: Iterable[str]) -> None:
        """Run commands whose order matters and nothing else; a piece that is too long after all is cut in two. Raises NftError."""
        waiting = list(pieces(commands))[::-1]
        while waiting:
            piece = waiting.pop()
            try:
                self.run(piece)
            except NftError as error:
                if _TOO_LONG not in str(error) or len(piece) < 2:
                    raise
                half = len(piece) // 2
                waiting += [piece[half:], piece[:half]]

    def close(self) -> None:
        """End the connection."""
        if self._context is not None:
            _library().nft_ctx_free(self._context)
            self._context = None

    def _by_program(self, text: str) -> str:
        path = program()
        if path is None:
            raise NftError("neither libnftables nor the nft program is installed")
        with inside(self._descriptor):
            done = subprocess.run([path, "-f", "-"], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NftError(_first(done.stderr, text))
        return done.stdout


class Table:
    """The one table of a namespace: what is loaded, and the changes of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._nft: Nft | None = None
        self.name, self._other = TABLES

    @property
    def connected(self) -> bool:
        """Whether it holds a connection."""
        return self._nft is not None

    def load(self, ruleset: Ruleset) -> None:
        """Load the first ruleset of a namespace that no packet reaches yet. Raises NftError."""
        if ruleset.sets or ruleset.chains:
            self._connection().run_in_pieces(load(ruleset, self.name))

    def change(self, old: Ruleset, new: Ruleset) -> None:
        """Have packets see the one ruleset up to some moment, and the other from then on. Raises NftError: then call ``restore``."""
        found = difference(old, new, self.name)
        if not found:
            return
        if found.rebuild or sum(map(reckoned, found.switch)) > 8 * _ROOM:
            self.restore(new)
            return
        nft = self._connection()
        nft.run_in_pieces(found.prepare)
        if found.switch:
            try:
                nft.run(found.switch)
            except NftError as error:
                if _TOO_LONG not in str(error):
                    raise
                self.restore(new)

    def restore(self, ruleset: Ruleset) -> None:
        """Have a ruleset, whatever there was: in a table of its own, which then takes the place of the present one. Raises NftError."""
        nft = self._connection()
        away = [f"add table inet {self._other}", f"delete table inet {self._other}"]
        nft.run(away)
        switch = [f"add table inet {self.name}", f"delete table inet {self.name}"]
        if not ruleset.sets and not ruleset.chains:
            nft.run(switch)
            return
        try:
            nft.run_in_pieces(load(ruleset, self._other, asleep=True))
            nft.run([f"add table inet {self._other}", *switch])
        except NftError:
            nft.run(away)
            raise
        self.name, self._other = self._other, self.name

    def listed(self) -> str:
        """The namespace's ruleset as nft prints it."""
        return self._connection().run(["list ruleset"])

    def close(self) -> None:
        """End the connection; the next change makes a new one."""
        if self._nft is not None:
            self._nft.close()
            self._nft = None

    def _connection(self) -> Nft:
        if self._nft is None:
            self._nft = Nft(self._descriptor)
        return self._nft


def _widen(descriptor: int) -> None:
    """Let a library's socket take as long a message as it may; if the descriptor is not that socket, leave it."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if (found.family, found.proto) == (socket.AF_NETLINK, _NETFILTER):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    except OSError:
        return


def _first(said: str, text: str) -> str:
    """The first line of what nftables said, and the line of the commands that it points to: ``<cmdline>:3:1-20: Error: …``."""
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return "nftables failed and said nothing"
    head, _error, rest = lines[0].rpartition("Error: ")
    numbers = [word for word in head.split(":") if word.isdigit()]
    commands = text.splitlines()
    if numbers and 0 < int(numbers[0]) <= len(commands):
        return f"nftables: {rest} in: {commands[int(numbers[0]) - 1][:300]}"
    return f"nftables: {rest}"
