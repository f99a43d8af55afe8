# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot: what the describe calls said, in AWS's own keys, held in memory or in a folder that Batfish reads too.

The folder's layout is Batfish's (https://batfish.readthedocs.io/en/latest/formats.html#aws): ``accounts/<account>/<region>/Vpcs.json``
holds ``{"Vpcs": [...]}`` and so on, one file per call, named by the key in which the call answers. docs/snapshot.md is for readers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import SnapshotError
from . import gate, nulls
from .contradictions import contradictions
from .files import ID_KEYS, Item, Place, item_id
from .gate import Fault
from .grammar import ACCOUNT, REGION, WORD

#: Files whose call answers with one mapping and not with a list.
SINGLE = ("VpcBlockPublicAccessOptions",)
#: Without these nothing can be said of who reaches whom; a saved snapshot that lacks one is read with a warning.
ESSENTIAL = ("Vpcs", "Subnets", "RouteTables", "SecurityGroups", "NetworkAcls", "VpcPeeringConnections", "NetworkInterfaces")

#: Values under these keys are credentials, or may hold some. CustomerGatewayConfiguration carries a VPN's pre-shared keys.
SECRET_KEYS = frozenset({"UserData", "PreSharedKey", "CustomerGatewayConfiguration", "PasswordData", "SecretAccessKey", "SessionToken"})

_ARN = re.compile(r"arn:[\w-]+:ec2:([a-z0-9-]+):(\d{12}):")
#: File, item, and the field whose null hides what decides.
Hidden = tuple[str, str, str]
#: As long as the id of an item may be, to name it.
_NAME = 100
#: Stands for what a snapshot written by others does not tell.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Snapshot:
    """``files``: items by (account id, Region, file), JSON values only.

    A file with no items was read and found empty; one that is not there was not read. ``untold``: those that were asked for in vain (no
    permission, or a file that holds null). ``faults``: the items that were left out when it was loaded.
    """

    files: Mapping[Place, tuple[Item, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    untold: frozenset[Place] = frozenset()
    faults: tuple[Fault, ...] = ()

    def items(self, file: str) -> Iterator[tuple[str, str, Item]]:
        """Every item of a kind of file, with the account and Region that told it."""
        for (account, region, name), items in sorted(self.files.items(), key=lambda entry: entry[0]):
            if name == file:
                for item in items:
                    yield account, region, item

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """(account, Region) of all files, sorted."""
        return tuple(sorted({(account, region) for account, region, _other in self.files}))

    def merged(self, *others: Snapshot) -> Snapshot:
        """This snapshot and others; where two hold the same file, the later one's items win by id."""
        files = dict(self.files)
        warnings = list(self.warnings)
        untold = self.untold
        for other in others:
            for place, items in other.files.items():
                files[place] = _join(place[2], files[place], items) if place in files else items
            warnings.extend(other.warnings)
            untold |= other.untold
        faults = tuple(dict.fromkeys(fault for snapshot in (self, *others) for fault in snapshot.faults))
        return Snapshot(files, tuple(dict.fromkeys(warnings)), untold - files.keys(), faults)


@dataclass(frozen=True, order=True)
class Change:
    """One item that differs between two snapshots: ``before`` is None when it was added, ``after`` when it was removed."""

    account: str
    region: str
    file: str
    id: str
    before: Item | None = field(compare=False)
    after: Item | None = field(compare=False)

    @property
    def op(self) -> str:
        """added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def diff(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """What differs between two snapshots, by account, Region, file and id.

    A file that only one of them read counts as empty in the other.
    """
    changes = []
    for place in sorted({*before.files, *after.files}):
        old = {item_id(place[2], item): item for item in before.files.get(place, ())}
        new = {item_id(place[2], item): item for item in after.files.get(place, ())}
        changes += [Change(*place, key, old.get(key), new.get(key)) for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return tuple(changes)


def plain(value: Any) -> Any:
    """A describe answer as JSON values: datetimes as ISO strings, bytes and secrets left out, ``ResponseMetadata`` too."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if key not in SECRET_KEYS and key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, bytes) else value


def sorted_items(file: str, items: Iterable[Any]) -> tuple[Any, ...]:
    """Items in the order of their ids, so that two snapshots of the same state are the same bytes."""
    return tuple(sorted(items, key=lambda item: item_id(file, item)))


def save(snapshot: Snapshot, folder: str | os.PathLike[str]) -> None:
    """Write a snapshot as ``folder/accounts/...``. What was there before stays until the new one is complete.

    Raises SnapshotError when the folder holds describe files in another layout (they would mix), or cannot be written.
    """
    root = Path(folder)
    target, previous = root / "accounts", root / ".accounts.previous"
    strangers = (
        sorted(path for path in _json_files(root) if target not in path.parents and _top_keys(path) & set(ID_KEYS)) if root.is_dir() else []
    )
    if strangers:
        raise SnapshotError(f"{strangers[0]}: {root} already holds another snapshot in another layout; choose an empty folder")
    if target.is_dir() and (other := next((path for path in sorted(target.rglob("*")) if path.is_file() and path.suffix != ".json"), None)):
        raise SnapshotError(f"{other}: not part of a snapshot, and replacing {target} would delete it; choose another folder")
    try:
        root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".accounts.", dir=root))
    except OSError as error:
        raise SnapshotError(f"{root}: cannot write a snapshot there: {error.strerror or error}") from error
    try:
        for account, region, file in sorted({*snapshot.files, *snapshot.untold}):
            items = snapshot.files.get((account, region, file))
            path = fresh / _part(account) / _part(region) / f"{_part(file)}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({file: None if items is None else sorted_items(file, plain(items))}, indent=2, sort_keys=True)
            path.write_text(text + "\n", encoding="utf-8")
        fresh.chmod(0o755)
        _swap(fresh, target, previous)
    except OSError as error:
        raise SnapshotError(f"{root}: cannot write the snapshot: {error.strerror or error}; what was there before is kept") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, target: Path, previous: Path) -> None:
    # Two renames, as no portable call exchanges two folders. A run killed between them leaves `previous`, which load() reads.
    if target.exists():
        shutil.rmtree(previous, ignore_errors=True)
        target.rename(previous)
    try:
        fresh.rename(target)
    except OSError:
        if previous.exists() and not target.exists():
            previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def load(folder: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot folder, ours or another's: with or without ``aws_configs``, account folders and Region folders.

    Accounts and Regions without a folder of their own come from what the items say (OwnerId, zones, ARNs). Missing files are warnings, and
    so are items that break AWS's grammar (see ``gate``), which are left out.
    Raises SnapshotError, one line naming the file, for what is not JSON or not of the right shape.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SnapshotError(f"{root}: no such folder; a snapshot is a folder of describe output, see docs/snapshot.md")
    if (root / "aws_configs").is_dir():
        root = root / "aws_configs"
    if not (root / "accounts").exists() and (root / ".accounts.previous").is_dir():
        root = root / ".accounts.previous"
    raw: dict[tuple[str, str], dict[str, tuple[Any, ...]]] = {}
    empty: dict[tuple[str, str], set[str]] = {}
    hidden: dict[tuple[str, str], list[Hidden]] = {}
    lost: list[Fault] = []
    warnings: list[str] = []
    for path in _json_files(root):
        parts = [part for part in path.relative_to(root).parts[:-1] if part != "accounts"]
        place = _place(parts)
        for file, items in _read(path, warnings, hidden.setdefault(place, [])):
            found = raw.setdefault(place, {})
            if items is None:
                empty.setdefault(place, set()).add(file)
            else:
                found[file] = _join(file, found.get(file, ()), items)
    if not raw:
        raise SnapshotError(f"{root}: holds no describe output (no .json files); see docs/snapshot.md")
    files: dict[Place, tuple[Item, ...]] = {}
    untold: set[Place] = set()
    for place, found in sorted(raw.items()):
        account, region = place
        account = account if ACCOUNT.fullmatch(account) else _told_account(found) or _word(account) or UNKNOWN
        region = _word(region) or _told_region(found) or UNKNOWN
        if UNKNOWN in (account, region):
            warnings.append(f"{root}: neither folders nor items tell all of account and Region; read as account {account}, Region {region}")
        for file, items in found.items():
            files[account, region, file] = _join(file, files.get((account, region, file), ()), items)
        lost += [Fault(account, region, file, item, field, gate.BAD_SHAPE, "is null") for file, item, field in hidden[place]]
        untold |= {(account, region, file) for file in empty.get(place, ())}
    for account, region in sorted({place[:2] for place in files}):
        missing = [file for file in ESSENTIAL if (account, region, file) not in files]
        if missing:
            warnings.append(
                f"account {account}, Region {region}: no {', '.join(f'{file}.json' for file in missing)}; what they would tell is unknown"
            )
    admitted, found_faults = gate.Gate().admit({place: sorted_items(place[2], items) for place, items in files.items()})
    faults = (*lost, *found_faults)
    whole = {
        place: items for place, items in admitted.items() if place not in {(fault.account, fault.region, fault.file) for fault in faults}
    }
    told = (*warnings, *gate.warnings(faults), *contradictions(whole))
    return Snapshot(admitted, told, frozenset(untold - files.keys()), faults)


def _word(folder: str) -> str:
    """A folder's name as an account or a Region; empty for one that cannot be either."""
    return folder if WORD.fullmatch(folder) else ""


def _json_files(root: Path) -> list[Path]:
    """Hidden folders are ours, or a version control's."""
    return sorted(
        path for path in root.rglob("*.json") if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _place(parts: list[str]) -> tuple[str, str]:
    """Folders between the root and the file, as (account, Region), either of them empty when it is not told.

    As Batfish: the Region is the innermost.
    """
    if len(parts) >= 2:
        return parts[-2], parts[-1]
    if not parts:
        return "", ""
    return (parts[0], "") if ACCOUNT.fullmatch(parts[0]) else ("", parts[0])


def _read(path: Path, warnings: list[str], hidden: list[Hidden]) -> Iterator[tuple[str, tuple[Any, ...] | None]]:
    """Each file that a JSON file holds, with its items; None for one that is null."""
    data = _parse(path)
    known = path.stem in ID_KEYS
    if not isinstance(data, dict):
        if known or not isinstance(data, list):
            raise SnapshotError(f"{path}: expected {{{json.dumps(path.stem)}: [...]}} as the AWS CLI prints it, found {_named(data)}")
        yield path.stem, tuple(plain(data))
        return
    if data.get("NextToken"):
        warnings.append(f"{path}: holds one page of several (NextToken is set); what the others hold is unknown")
    data = {key: [value] if key in SINGLE and isinstance(value, dict) else value for key, value in data.items()}
    lists = {key: value for key, value in data.items() if isinstance(value, list)}
    empty = [key for key, value in data.items() if value is None and key in ID_KEYS]
    wrong = next((key for key in data if key in ID_KEYS and key not in lists and key not in empty), "")
    if wrong:
        raise SnapshotError(f"{path}: {wrong} must be a list, found {_named(data[wrong])}")
    for key in empty:
        warnings.append(f"{path}: {key} is null; what it would tell is unknown")
        yield key, None
    if known and path.stem not in lists and not {*lists, *empty} & set(ID_KEYS):
        raise SnapshotError(f"{path}: has no key {path.stem}; expected {{{json.dumps(path.stem)}: [...]}} as the AWS CLI prints it")
    if path.stem == "ManagedPrefixLists" and path.stem not in lists and "PrefixLists" in lists:
        # Two calls answer under one key: the file's name tells them apart.
        lists = {("ManagedPrefixLists" if key == "PrefixLists" else key): items for key, items in lists.items()}
    for key, items in lists.items():
        bad = next((number for number, item in enumerate(items) if key in ID_KEYS and not isinstance(item, dict | None)), -1)
        if bad >= 0:
            raise SnapshotError(f"{path}: {key}[{bad}] must be a mapping, found {_named(items[bad])}")
        yield key, tuple(plain(_told(key, items, hidden) if key in ID_KEYS else items))
    if not lists and not empty:
        yield path.stem, (plain(data),)


def _told(file: str, items: list[Any], hidden: list[Hidden]) -> list[Any]:
    """The items without their nulls. ``hidden`` gets (file, item, field) of those that are left out, as a null hides what decides."""
    kept = []
    for number, item in enumerate(items):
        field = nulls.hiding(file, item)
        if item is None or field:
            name = f"item {number}" if item is None else item_id(file, item)
            hidden.append((file, name if len(name) <= _NAME else f"item {number}", field))
        else:
            kept.append(nulls.without(item))
    return kept


def _parse(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SnapshotError(f"{path}: is not UTF-8 text") from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" at line {error.lineno}, column {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise SnapshotError(f"{path}: is not JSON{where}") from error


def _top_keys(path: Path) -> set[str]:
    try:
        data = _parse(path)
    except SnapshotError:
        return set()
    return set(data) if isinstance(data, dict) else set()


def _named(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def _join(file: str, old: Iterable[Any], new: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({item_id(file, item): item for item in (*old, *new)}.values())


def _told_account(found: Mapping[str, tuple[Any, ...]]) -> str:
    """The owner that most items name: a Region's listing may hold some that others share."""
    counts: Counter[str] = Counter()
    for item in _walk(
        found.get(file, ()) for file in ("Vpcs", "Subnets", "SecurityGroups", "NetworkInterfaces", "Reservations", "RouteTables")
    ):
        owner = item.get("OwnerId")
        if isinstance(owner, str) and ACCOUNT.fullmatch(owner):
            counts[owner] += 1
    if not counts:
        counts.update(match.group(2) for match in _arns(found))
    return min(counts, key=lambda owner: (-counts[owner], owner)) if counts else ""


def _told_region(found: Mapping[str, tuple[Any, ...]]) -> str:
    counts: Counter[str] = Counter()
    for item in _walk(found.get(file, ()) for file in ("Subnets", "NetworkInterfaces", "AvailabilityZones")):
        match = REGION.match(str(item.get("RegionName") or item.get("AvailabilityZone") or ""))
        if match:
            counts[match.group()] += 1
    reservations = _walk([found.get("Reservations", ())])
    instances = _walk([found.get("Instances", ()), *(reservation.get("Instances", ()) for reservation in reservations)])
    for placement in _walk([instance.get("Placement")] for instance in instances):
        match = REGION.match(str(placement.get("AvailabilityZone", "")))
        if match:
            counts[match.group()] += 1
    if not counts:
        counts.update(match.group(1) for match in _arns(found) if match.group(1))
    return min(counts, key=lambda region: (-counts[region], region)) if counts else ""


def _walk(groups: Iterable[Iterable[Any]]) -> Iterator[Mapping[str, Any]]:
    return (item for group in groups for item in group if isinstance(item, Mapping))


def _arns(found: Mapping[str, tuple[Any, ...]]) -> Iterator[re.Match[str]]:
    for item in _walk(found.values()):
        for value in item.values():
            if isinstance(value, str) and (match := _ARN.match(value)):
                yield match


def _part(name: str) -> str:
    """A name as one component of a path. Ids and Regions are harmless; a snapshot written by others may hold anything."""
    return re.sub(r"[^\w.@+=-]", "_", name).lstrip(".") or "_"
