# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials and clients: one session per account, one client per account, service and Region, for any number of threads.

Parameters are amazon.aws's (profile, access_key, secret_key, session_token, region, endpoint_url, aws_ca_bundle, validate_certs,
aws_config), and amazon.aws reads them, so that they mean here exactly what they mean in its modules. Its connections are not used: they
make a session for every client.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

from ..errors import AwsError, CloudnetError, CredentialsError
from .mapping import Call, from_exception
from .targets import check_target

#: The session name under which CloudTrail shows what we did with an assumed role.
ROLE_SESSION = "cloudnet"
#: Where identities are asked for when no Region is given; sts answers anywhere.
_ANY_REGION = "us-east-1"


class Access(Protocol):
    """How to get at one account of the topology; the empty name is the ambient one. ``id`` is checked when it is given."""

    @property
    def name(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def role_arn(self) -> str: ...
    @property
    def external_id(self) -> str: ...
    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Ambient:
    """The ambient account: what the module's parameters or the environment give."""

    name: str = ""
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    id: str = ""


@dataclass(frozen=True)
class Identity:
    """Who we are in one account: the name in the topology, the 12-digit account id, and the ARN of the user or role."""

    name: str
    account: str
    arn: str


class _Reader:
    """What amazon.aws's get_aws_connection_info wants of a module."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = dict(params)
        self._name = "cloudnet.vpc"

    def fail_json(self, msg: str, **_: Any) -> NoReturn:
        raise CredentialsError(msg)


class Sessions:
    """``params``: the module's. ``accounts``: of the topology. ``threads``: how many calls may be under way at once in one account.

    Nothing is read and nothing is called before the first identity or client is asked for.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        accounts: Iterable[Access] = (),
        *,
        region: str = "",
        target: str | None = None,
        threads: int = 32,
    ) -> None:
        self._params = dict(params)
        self._access: dict[str, Access] = {"": Ambient()} | {access.name: access for access in accounts}
        self._default_region = region
        self._target = target
        self._threads = threads
        self._lock = threading.RLock()
        self._sessions: dict[str, Any] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._identities: dict[str, Identity] = {}
        self._by_account: dict[str, str] = {}
        self._loader: Any = None

    @property
    def region(self) -> str:
        """The Region of the module's parameters, else of the environment, the profile, or the topology; may be empty."""
        return self._connection()[0] or self._default_region

    def name_of(self, account: str) -> str:
        """The name under which the credentials of a 12-digit account are known. Raises CredentialsError for an account without any."""
        if account not in self._by_account:
            known = ", ".join(sorted(self._by_account)) or "none"
            raise CredentialsError(
                f"no credentials for account {account}: those given are for {known}; add it to the topology's accounts", account=account
            )
        return self._by_account[account]

    def identities(self, api: Any, names: Iterable[str] | None = None) -> dict[str, Identity]:
        """Who we are, by name in the topology: one sts:GetCallerIdentity per distinct credentials, all at once.

        ``api``: the Client that makes (and counts) the calls. ``names``: only these; all when None.
        Raises CredentialsError for credentials that do not work, or that are for another account than the topology says.
        """
        wanted = list(dict.fromkeys(self._access if names is None else names))
        unknown = [name for name in wanted if name not in self._access]
        if unknown:
            raise CredentialsError(f"account {unknown[0]!r} is not in the topology's accounts")
        groups: dict[tuple[str, str, str], list[str]] = {}
        for name in wanted:
            if name not in self._identities:
                access = self._access[name]
                groups.setdefault((access.profile, access.role_arn, access.external_id), []).append(name)
        for names_ in groups.values():  # one after the other: what reads config files is not thread-safe
            self._client(names_[0], "sts", self.region or _ANY_REGION)
        with ThreadPoolExecutor(max_workers=max(1, min(16, len(groups)))) as pool:
            asked = [(names_, pool.submit(api.identity, names_[0], self.region or _ANY_REGION)) for names_ in groups.values()]
            for names_, future in asked:
                answer = future.result()
                for name in names_:
                    self._accept(name, answer)
        return {name: self._identities[name] for name in wanted}

    def _accept(self, name: str, answer: Mapping[str, Any]) -> None:
        identity = Identity(name, str(answer["Account"]), str(answer["Arn"]))
        expected = self._access[name].id
        if expected and expected != identity.account:
            raise CredentialsError(
                f"account {name!r} must be {expected}, but its credentials are for {identity.account}: check its profile or role",
                account=identity.account,
            )
        with self._lock:
            self._identities[name] = identity
            # Credentials that the topology gives an account by name come before the ambient ones for the same account.
            if not self._by_account.get(identity.account):
                self._by_account[identity.account] = name

    def client(self, account: str, service: str, region: str) -> Any:
        """The boto3 client for a 12-digit account. Made once; may be used by any number of threads."""
        return self._client(self.name_of(account), service, region)

    def named_client(self, name: str, service: str, region: str) -> Any:
        """The boto3 client for an account by its name in the topology, before its id is known."""
        return self._client(name, service, region)

    def endpoint(self, name: str = "", service: str = "ec2", region: str = "") -> str:
        """The URL that calls would go to. Calls nothing."""
        return str(self._client(name, service, region or self.region or _ANY_REGION).meta.endpoint_url)

    def _client(self, name: str, service: str, region: str) -> Any:
        key = (name, service, region)
        # Making a client is slow and not thread-safe; using one is both fast and safe.
        # https://docs.aws.amazon.com/boto3/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients
        with self._lock:
            if key not in self._clients:
                try:
                    client = self._session(name).client(service, region_name=region or None, **self._settings())
                except CloudnetError:
                    raise
                except Exception as error:
                    if isinstance(error, ValueError):
                        from botocore.exceptions import BotoCoreError

                        # What is none of its own exceptions is botocore's word for an endpoint_url that is no URL.
                        if not isinstance(error, BotoCoreError):
                            raise AwsError(f"{error}: endpoint_url must be a URL such as http://127.0.0.1:4566", region=region) from error
                    raise from_exception(error, Call(f"{service}:*", region=region, name=name)) from error
                check_target(self._target, client.meta.endpoint_url)
                self._clients[key] = client
            return self._clients[key]

    def _settings(self) -> dict[str, Any]:
        """What every client gets: the endpoint, TLS, and a configuration in which retries are ours alone."""
        from botocore.config import Config

        _other, endpoint, info = self._connection()
        # amazon.aws's aws_config may set anything but the number of attempts: ours are paced and counted.
        config = Config(connect_timeout=10, read_timeout=60, max_pool_connections=self._threads, user_agent_extra="cloudnet.vpc")
        if info.get("aws_config") is not None:
            config = config.merge(info["aws_config"])
        config = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
        return {"endpoint_url": endpoint or None, "verify": info.get("verify"), "config": config}

    def _connection(self) -> tuple[str, str, dict[str, Any]]:
        """Region, endpoint and settings of the module's parameters, as amazon.aws reads them."""
        with self._lock:
            if not hasattr(self, "_info"):
                require_boto3()
                from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

                # The same defaults as AnsibleAWSModule's argument spec.
                params = {"validate_certs": True, **self._params}
                try:
                    region, endpoint, info = get_aws_connection_info(_Reader(params))
                except CloudnetError:
                    raise
                except Exception as error:
                    raise from_exception(error, Call("sts:GetCallerIdentity")) from error
                self._info: tuple[str, str, dict[str, Any]] = (region or "", endpoint or "", info)
            return self._info

    def _session(self, name: str) -> Any:
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = self._make_session(self._access[name])
            return self._sessions[name]

    def _make_session(self, access: Access) -> Any:
        if access.profile:
            session = self._plain_session(profile_name=access.profile)
        elif access.role_arn or not access.name:
            session = self._ambient()
        else:
            return self._session("")  # an account that is only given an id: the ambient credentials must be for it
        if access.role_arn:
            session = self._assume(session, access)
        return session

    def _ambient(self) -> Any:
        _other, _other, info = self._connection()
        keys = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "profile_name")
        return self._plain_session(**{key: info[key] for key in keys if info.get(key)})

    def _plain_session(self, **given: Any) -> Any:
        import boto3
        import botocore.session

        core = botocore.session.get_session()
        # The service models (ec2's is many megabytes) are read once for all accounts.
        if self._loader is None:
            self._loader = core.get_component("data_loader")
        else:
            core.register_component("data_loader", self._loader)
        return boto3.session.Session(botocore_session=core, **given)

    def _assume(self, source: Any, access: Access) -> Any:
        """A session whose credentials are an assumed role's, renewed before they expire however long the run takes."""
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        settings = self._settings()
        core = source._session
        extra = {"RoleSessionName": ROLE_SESSION} | ({"ExternalId": access.external_id} if access.external_id else {})
        credentials = source.get_credentials()
        if credentials is None:
            who = f"account {access.name!r}: no AWS credentials found to assume {access.role_arn} with"
            raise CredentialsError(f"{who}: set profile, or access_key and secret_key")
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(core.create_client, region_name=self.region or _ANY_REGION, **settings),
            source_credentials=credentials,
            role_arn=access.role_arn,
            extra_args=extra,
        )
        session = self._plain_session()
        session._session._credentials = DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
        return session


def require_boto3() -> None:
    """Raise CloudnetError with the command to install it when boto3 or amazon.aws is missing."""
    from ansible.module_utils.basic import missing_required_lib

    try:
        import boto3
        import botocore  # noqa: F401
    except ImportError as error:
        raise CloudnetError(
            missing_required_lib("boto3 and botocore", url="https://pypi.org/project/boto3/") + f" ({_last_line(error)})"
        ) from error
    try:
        import ansible_collections.amazon.aws.plugins.module_utils.botocore  # noqa: F401
    except ImportError as error:
        text = "the collection amazon.aws is missing: ansible-galaxy collection install amazon.aws"
        raise CloudnetError(f"{text} ({_last_line(error)})") from error
    del boto3


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


__all__ = ["Access", "Ambient", "AwsError", "Identity", "Sessions", "require_boto3"]
