# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.aws_config."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_config
version_added: 0.1.0
short_description: An AWS config file in which every account of a topology that has a role_arn has a profile
description:
  - amazon.aws's modules assume no role themselves, they take a profile. This makes one for each account that has a C(role_arn), and tells
    their names for P(cloudnet.vpc.with_profiles#filter).
  - The text is for C(AWS_CONFIG_FILE), which can name one file only. So the profiles of the user's own file are in it too, without keys and
    tokens. Keys stay where they are, in the user's C(credentials) file, in the environment, with IAM Identity Center, a process or an
    instance.
  - A role is assumed with the account's C(profile) where it has one too. Otherwise with what boto3 would find, which is, in this order,
    O(profile), keys in the environment, C(AWS_PROFILE), a web identity in the environment, the profile C(default), a container and the
    instance.
  - Reads the user's files on the controller; calls nobody.
notes:
  - With keys in the environment, give amazon.aws's modules an empty C(access_key), C(secret_key) and C(session_token), as the playbooks do
    in C(module_defaults). They refuse a profile beside keys otherwise.
  - See U(https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html) and
    U(https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html).
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, profile
options:
  _input:
    description: A result of M(cloudnet.vpc.topology_info).
    type: dict
    required: true
  profile:
    description: The profile with which roles are assumed whose accounts name none; empty for that of the environment.
    type: str
    default: ""
seealso:
  - plugin: cloudnet.vpc.with_profiles
    plugin_type: filter
  - plugin: cloudnet.vpc.aws_environment
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Have a profile for each account
  ansible.builtin.copy:
    content: "{{ (topology_read | cloudnet.vpc.aws_config).text }}"
    dest: "{{ artifacts }}/aws_config"
    mode: "0600"
"""

RETURN = r"""
_value:
  description: C(text), the file, and C(profiles), the profile of each account that has a C(role_arn). Both empty where none has.
  type: dict
"""

import configparser
import io
import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: As the engine calls its own, so that CloudTrail shows one name.
SESSION = "cloudnet"
#: What no file of ours may hold.
SECRETS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"})
#: By any of these a profile has credentials.
LEADS = (
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_session",
    "web_identity_token_file",
)
WEB_IDENTITY = "cloudnet-web-identity"


def aws_config(read: Any, profile: str = "") -> dict[str, Any]:
    """The mapping that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(read, Mapping) or "accounts" not in read:
        raise AnsibleFilterError("aws_config: takes a result of cloudnet.vpc.topology_info")
    accounts: dict[str, dict[str, str]] = {name: dict(told) for name, told in read["accounts"].items()}
    if not any(told.get("role_arn") for told in accounts.values()):
        return {"text": "", "profiles": {}}
    path = _path("AWS_CONFIG_FILE", "~/.aws/config")
    config, keys = _read(path), _read(_path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    return made(read, config, {name: dict(keys[name]) for name in keys.sections()}, profile, dict(os.environ), path)


def made(
    read: Mapping[str, Any],
    config: configparser.RawConfigParser,
    keys: Mapping[str, Mapping[str, str]],
    profile: str,
    environ: Mapping[str, str],
    path: str = "~/.aws/config",
) -> dict[str, Any]:
    """The same of files that were read: ``config`` (of ``path``), which is changed, and the profiles of the credentials file, ``keys``."""
    titles = {name: title for title in config.sections() if (name := _profile(title))}
    # botocore merges the two files so: the one with the keys comes first.
    known = {name: {**(config[titles[name]] if name in titles else {}), **keys.get(name, {})} for name in {*titles, *keys}}
    ambient = _ambient(profile, known, environ)
    used, profiles = [], {}
    for account, told in read["accounts"].items():
        source = {"source_profile": str(told["profile"])} if told.get("profile") else ambient
        if told.get("role_arn"):
            profiles[account] = f"cloudnet-{account}"
            options = {"role_arn": told["role_arn"], "external_id": told.get("external_id", ""), "role_session_name": SESSION}
            _put(config, titles, profiles[account], {**options, **source, "region": _region(read, account)})
        used.append(source.get("source_profile", ""))
    if WEB_IDENTITY in used:
        token = {"role_arn": environ["AWS_ROLE_ARN"], "web_identity_token_file": environ["AWS_WEB_IDENTITY_TOKEN_FILE"]}
        _put(config, titles, WEB_IDENTITY, {**token, "role_session_name": environ.get("AWS_ROLE_SESSION_NAME") or SESSION})
    for name in _chain(used, known):
        if name in titles and SECRETS & set(config[titles[name]]):
            raise AnsibleFilterError(
                f"aws_config: the profile {name} has its keys in {path}, and what is written of it holds no keys: move them to"
                " ~/.aws/credentials, where 'aws configure' puts them"
            )
    for title in config.sections():
        for option in SECRETS & set(config[title]):
            config.remove_option(title, option)
    text = io.StringIO()
    text.write(f"# Written at every run for {read['name']}: {path}, without keys, and a profile for each account that has a role_arn.\n\n")
    config.write(text)
    return {"text": text.getvalue().rstrip("\n") + "\n", "profiles": profiles}


def _path(variable: str, default: str) -> str:
    return os.path.expanduser(os.path.expandvars(os.environ.get(variable) or default))


def _read(path: str) -> configparser.RawConfigParser:
    """A file as botocore reads it; empty where there is none."""
    parser = configparser.RawConfigParser()
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, configparser.Error) as error:
        # Of an error of the parser only its kind: its text quotes the line, and that may be a key's.
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise AnsibleFilterError(f"aws_config: {path} cannot be read: {why}") from None
    return parser


def _profile(title: str) -> str:
    """The profile of a section of a config file; empty for other sections."""
    try:
        parts = shlex.split(title)
    except ValueError:
        return ""
    return parts[1] if len(parts) == 2 and parts[0] == "profile" else "default" if parts == ["default"] else ""


def _ambient(profile: str, known: Mapping[str, Mapping[str, str]], environ: Mapping[str, str]) -> dict[str, str]:
    """With what roles are assumed whose accounts name no profile, as options of a profile."""
    if profile:
        return {"source_profile": profile}
    if environ.get("AWS_ACCESS_KEY_ID"):
        return {"credential_source": "Environment"}
    named = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    if named:
        return {"source_profile": named}
    default = known.get("default", {})
    role = "role_arn" in default and "web_identity_token_file" not in default
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN") and not role:
        return {"source_profile": WEB_IDENTITY}
    if any(lead in default for lead in LEADS):
        return {"source_profile": "default"}
    if environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return {"credential_source": "EcsContainer"}
    return {"credential_source": "Ec2InstanceMetadata"}


def _region(read: Mapping[str, Any], account: str) -> str:
    """The Region of an account's first VPC, where the role is asked for."""
    found = [vpc["region"] for vpc in read["vpcs"].values() if vpc["account"] == account]
    return str(found[0]) if found else ""


def _put(config: configparser.RawConfigParser, titles: dict[str, str], name: str, options: Mapping[str, str]) -> None:
    """A profile of ours in the place of what has its name."""
    if name in titles:
        config.remove_section(titles.pop(name))
    title = f"profile {name}"
    config.add_section(title)
    for option, value in options.items():
        if value:
            config.set(title, option, str(value))


def _chain(names: list[str], known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Profiles, and those by which they are reached."""
    seen: set[str] = set()
    while names:
        name, *names = names
        if name and name not in seen:
            seen.add(name)
            yield name
            names.append(known.get(name, {}).get("source_profile", ""))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"aws_config": aws_config}
