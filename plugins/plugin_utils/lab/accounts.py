# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's accounts: for each an administrator with an access key, an administrator role, and a profile in the lab's own config file.

Everything here is made in the emulator's IAM, so that it can be seen, used and broken like the real thing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .identity import Credential, Credentials

ROLE = "cloudnet"
USER = "cloudnet-lab"
DEFAULT_ACCOUNTS = ("lab", "lab-peer")
_FIXED_IDS = {"lab": "111111111111", "lab-peer": "222222222222"}
_ACCOUNT_ID = re.compile(r"\d{12}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:[\w+=,.@-]+/)*([\w+=,.@-]{1,64})")
_ADMIN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})


@dataclass
class Account:
    """One account. ``roles`` are the ARNs of its administrator roles, ``ROLE`` always among them."""

    name: str
    id: str
    access_key: str
    secret: str
    roles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Profile:
    """A profile of the config file: an account's own key, or a role assumed with the key of the first account."""

    name: str
    account: str
    role_arn: str = ""


def account_id(name: str) -> str:
    """The 12-digit id of an account that was only named: always the same for the same name."""
    if _ACCOUNT_ID.fullmatch(name):
        return name
    if name in _FIXED_IDS:
        return _FIXED_IDS[name]
    number = int(hashlib.sha256(f"cloudnet account {name}".encode()).hexdigest(), 16) % 900_000_000_000
    return str(100_000_000_000 + number)


def read_accounts(wanted: Iterable[Any]) -> list[tuple[str, str]]:
    """(name, id) pairs from a list of names, 12-digit numbers and ``{name, id}`` mappings; raises ValueError that names what is wrong."""
    result: list[tuple[str, str]] = []
    for item in wanted:
        if isinstance(item, Mapping):
            name, number = str(item.get("name", "")), str(item.get("id", "") or account_id(str(item.get("name", ""))))
        else:
            name = str(item)
            number = account_id(name)
        if not _NAME.fullmatch(name):
            raise ValueError(f"account {name!r} is not a name of letters, digits and _ . @ + - (at most 64)")
        if not _ACCOUNT_ID.fullmatch(number):
            raise ValueError(f"account {name}: id {number!r} is not 12 digits")
        result.append((name, number))
    return result


class Accounts:
    """The accounts and profiles of one lab. Not safe against itself: the lab calls it under its lock."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.by_id: dict[str, Account] = {}
        self.profiles: dict[str, Profile] = {}

    def add(self, name: str, number: str) -> Account:
        """The account of that id, made if there is none, with a profile of its name; the first name of an account stays."""
        account = self.by_id.get(number)
        if account is None:
            digest = hashlib.sha256(f"cloudnet key {number}".encode()).digest()
            account = Account(name, number, "AKIA" + base64.b32encode(digest).decode()[:16], secrets.token_urlsafe(30))
            self.by_id[number] = account
            self._plant(account)
            self.add_role(number, ROLE)
        self.profiles.setdefault(name, Profile(name, number))
        return account

    def add_role(self, number: str, role: str, arn: str = "") -> str:
        """The ARN of a role that may do everything and that any principal of the lab may assume, made if missing."""
        account = self.by_id[number]
        arn = arn or f"arn:aws:iam::{number}:role/{role}"
        self._plant_role(account, arn)
        if arn not in account.roles:
            account.roles.append(arn)
        return arn

    def ensure(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Make the accounts, roles and profiles that a topology's ``accounts`` names.

        Takes ``{name: {profile: P} | {role_arn: ARN} | {account_id: ID}}`` (combinations too), returns for each name
        ``{profile, account_id, role_arn}``: with the lab's config file, boto3 under that profile lands in that account.
        Raises ValueError that names the entry at fault; nothing is made then.
        """
        planned = [(name, *_wanted_account(name, dict(entry or {}), self)) for name, entry in wanted.items()]
        result: dict[str, dict[str, str]] = {}
        for name, profile, number, arn in planned:
            existing = self.by_id.get(number)
            if existing is None:
                existing = self.add(f"account-{number}" if arn else (profile or name), number)
            if arn:
                self.add_role(number, arn.rsplit("/", 1)[-1], arn)
            chosen = profile or self._free_profile(name, number, arn)
            self.profiles.setdefault(chosen, Profile(chosen, number, arn))
            result[name] = {"profile": chosen, "account_id": number, "role_arn": arn or f"arn:aws:iam::{number}:role/{ROLE}"}
        return result

    def _free_profile(self, name: str, number: str, arn: str) -> str:
        """``name``, unless that profile is another account's: two topologies of one lab may both say "dev"."""
        taken = self.profiles.get(name)
        return name if taken is None or taken == Profile(name, number, arn) else f"{name}-{number}"

    def replant(self) -> None:
        """Make users, keys and roles anew in an emulator that was emptied."""
        self._credentials.clear()
        for account in self.by_id.values():
            self._plant(account)
            for arn in account.roles:
                self._plant_role(account, arn)

    def _plant(self, account: Account) -> None:
        from moto.iam.models import iam_backends

        iam = iam_backends[account.id]["aws"]
        user = iam.create_user("us-east-1", USER)
        iam.put_user_policy(USER, "administrator", _ADMIN)
        key = iam.create_access_key(USER)
        del iam.access_keys[key.physical_resource_id]
        key.access_key_id, key.secret_access_key = account.access_key, account.secret
        iam.access_keys[account.access_key] = key
        self._credentials.add(Credential(account.access_key, account.secret, account.id, user.arn, user.id))

    def _plant_role(self, account: Account, arn: str) -> None:
        from moto.iam.models import iam_backends

        iam = iam_backends[account.id]["aws"]
        if any(role.arn == arn for role in iam.get_roles()):
            return
        path, name = re.fullmatch(r".*:role(/(?:.*/)?)([^/]+)", arn).groups()  # type: ignore[union-attr]
        for other in [role for role in iam.get_roles() if role.name == name]:
            # An account has one role of a name, whatever its path: the one that was named last is it.
            if other.arn not in account.roles:
                raise ValueError(f"account {account.id} has a role {name} already, with another path: {other.arn}")
            account.roles.remove(other.arn)
            iam.delete_role_policy(name, "administrator")
            iam.delete_role(name)
        iam.create_role(name, _TRUST, path, None, "Administrator of the embedded lab", [], "43200")
        iam.put_role_policy(name, "administrator", _ADMIN)

    def listing(self) -> list[dict[str, Any]]:
        """The accounts as control and playbooks see them: ``{name, id, profiles, roles}``, no secrets."""
        return [
            {
                "name": account.name,
                "id": account.id,
                "profiles": [profile.name for profile in self.profiles.values() if profile.account == account.id],
                "roles": list(account.roles),
            }
            for account in self.by_id.values()
        ]

    def config_text(self, url: str, region: str) -> str:
        """The AWS config file: every profile with the lab's endpoint, so that a profile alone cannot reach a real account."""
        lines = ["# Written by the embedded lab of cloudnet.vpc; its keys are worth nothing anywhere else."]
        first = next(iter(self.by_id.values()))
        sections = [("default", Profile("default", first.id))]
        sections += [(f"profile {profile.name}", profile) for profile in self.profiles.values() if profile.name != "default"]
        for title, profile in sections:
            lines += ["", f"[{title}]", f"region = {region}", "output = json", f"endpoint_url = {url}"]
            if profile.role_arn:
                lines += [f"role_arn = {profile.role_arn}", "source_profile = default", "role_session_name = cloudnet-lab"]
            else:
                account = self.by_id[profile.account]
                lines += [f"aws_access_key_id = {account.access_key}", f"aws_secret_access_key = {account.secret}"]
        return "\n".join(lines) + "\n"


def _wanted_account(name: str, entry: dict[str, Any], accounts: Accounts) -> tuple[str, str, str]:
    """(profile or "", account id, role ARN or "") of one entry of a topology's ``accounts``."""
    profile, arn, number = str(entry.get("profile") or ""), str(entry.get("role_arn") or ""), str(entry.get("account_id") or "")
    if not _NAME.fullmatch(profile or name):
        raise ValueError(f"accounts.{name}: {profile or name!r} is not a profile name of letters, digits and _ . @ + - (at most 64)")
    if number and not _ACCOUNT_ID.fullmatch(number):
        raise ValueError(f"accounts.{name}.account_id: {number!r} is not 12 digits; put the number in quotes")
    if arn:
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise ValueError(f"accounts.{name}.role_arn: {arn!r} is not arn:aws:iam::ACCOUNT:role/NAME")
        if number and number != match[1]:
            raise ValueError(f"accounts.{name}: role_arn is in account {match[1]} and account_id says {number}")
        number = match[1]
    known = accounts.profiles.get(profile) if profile else None
    if known is not None and number and known.account != number:
        raise ValueError(
            f"accounts.{name}: profile {profile} is account {known.account} in this lab, not {number}; reset the lab or rename the profile"
        )
    if not number:
        number = known.account if known is not None else account_id(profile or name)
    return profile, number, arn
