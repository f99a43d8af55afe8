# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin cloudnet.vpc.instances."""

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
version_added: 0.1.0
short_description: The running instances of a topology as hosts, across accounts and Regions, with the way to each
description:
  - Finds instances by the tags C(cloudnet:topology) and C(cloudnet:name) that the role P(cloudnet.vpc.instances#role) gives them. A host is
    named as in the topology, C(vpc.name).
  - Groups are C(topology_NAME), C(vpc_NAME), C(subnet_VPC_NAME) and C(role_NAME), a role for each security group of the topology that the
    host is in, such as C(role_bastion).
  - Each host has a variable C(cloudnet) with C(topology), C(vpc), C(name), C(subnet), C(roles), C(instance_id), C(account), C(region),
    C(private_ip), C(public_ip) and C(key_name), and the connection variables for O(connection).
  - Only reads. The name of an inventory file ends in C(cloudnet.yml) or C(cloudnet.yaml).
  - C(environment) of a play does not reach inventories; give O(profile), O(endpoint_url) or O(lab).
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [cloudnet.vpc.instances]
  topology:
    description: The name of the topology (its key C(name), not its file).
    type: str
    required: true
  regions:
    description: The Regions to look in. The default is that of the profile, the environment or the lab.
    type: list
    elements: str
    default: []
  profile:
    description:
      - The profile, or several of them, one for each account. The default is what the environment gives; on the lab its first account.
    type: list
    elements: str
    default: []
  config_file:
    description:
      - The AWS config file that has O(profile), such as C(aws_config) that the playbooks write among their artefacts where accounts have
        roles. The default is your own. A relative path is looked for beside the inventory file.
      - P(amazon.aws.aws_ssm#connection) looks for profiles by itself; set C(AWS_CONFIG_FILE) to the same file for it.
    type: str
  endpoint_url:
    description: The URL of an endpoint instead of AWS's own. Without it and O(lab), an endpoint on this machine is refused.
    type: str
  lab:
    description: The name of an embedded lab that runs; empty for the lab of this checkout. Nothing in the environment counts then.
    type: str
  connection:
    description:
      - How Ansible gets at the hosts.
      - V(lab) by the lab's ssh configuration, beside the network, as by a console.
      - V(ssh_config) by O(ssh_config), in which instance ids are hosts, as the role P(cloudnet.vpc.bastion#role) writes it.
      - V(bastion) by ssh, through the bastion of the host's VPC (C(ProxyJump)), and straight to public addresses. Keys and known hosts are
        those of your own ssh.
      - V(ssm) by P(amazon.aws.aws_ssm#connection).
      - V(none) sets nothing.
      - V(auto) is the first of V(lab), V(ssh_config) and, host by host, V(bastion) and V(ssm) that can be.
    type: str
    choices: [auto, lab, ssh_config, bastion, ssm, none]
    default: auto
  ssh_config:
    description: A file for C(ssh -F). A relative path is looked for beside the inventory file.
    type: str
  user:
    description: Who logs in by ssh.
    type: str
    default: ec2-user
  bucket:
    description: The bucket through which P(amazon.aws.aws_ssm#connection) copies files.
    type: str
seealso:
  - plugin: amazon.aws.aws_ssm
    plugin_type: connection
  - plugin: amazon.aws.aws_ec2
    plugin_type: inventory
"""

EXAMPLES = r"""
# lab.cloudnet.yml: ansible-inventory -i lab.cloudnet.yml --graph
plugin: cloudnet.vpc.instances
topology: file-transfer
lab: ""
regions: [us-east-1, ap-south-1]
---
# aws.cloudnet.yml: two accounts, through Systems Manager
plugin: cloudnet.vpc.instances
topology: shared-services
profile: [shared, development]
regions: [us-east-1]
connection: ssm
bucket: my-transfer-bucket
---
# accounts that have roles, by the profiles that the playbooks wrote for them
plugin: cloudnet.vpc.instances
topology: estate
config_file: artifacts/estate/aws_config
profile: [cloudnet-shared, cloudnet-dev]
regions: [us-east-1]
---
# through the bastions, by what playbooks/file_transfer.yml wrote
plugin: cloudnet.vpc.instances
topology: file-transfer
profile: network
regions: [us-east-1, ap-south-1]
ssh_config: artifacts/file-transfer/ssh/config
keyed_groups:
  - {key: cloudnet.region, prefix: region}
"""

import configparser
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.display import Display
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.sessions import Ambient, Sessions
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.grammar import NAME
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.launched import Launched, launched, placed, running, subnets_of, unnamed
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.lifecycle import find

BASTION = "bastion"
_THREADS = 16


@dataclass(frozen=True)
class Place:
    """Where to look. ``environment``: laid over the process's own while AWS is asked, so that nothing of it leads a lab's astray."""

    profiles: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    endpoint_url: str = ""
    target: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ssh_config: str = ""


@dataclass(frozen=True)
class Ways:
    """How hosts are reached: the options of the plugin. ``lab_config``: the lab's own ssh configuration."""

    connection: str = "auto"
    user: str = "ec2-user"
    lab_config: str = ""
    ssh_config: str = ""
    bucket: str = ""


@dataclass(frozen=True)
class Host:
    """An instance as a host. ``profile``: with which it was found, empty for the ambient credentials; ``roles``: its groups' names."""

    instance: Launched
    profile: str = ""
    subnet: str = ""
    roles: tuple[str, ...] = ()


def roles(topology: str, instance: Launched) -> tuple[str, ...]:
    """The security groups of the topology that an instance is in, by their names there: AWS has them as ``TOPOLOGY-NAME``."""
    names = (name.removeprefix(f"{topology}-") for name in instance.groups if name.startswith(f"{topology}-"))
    return tuple(sorted(name for name in names if NAME.fullmatch(name)))


def groups(topology: str, host: Host) -> list[str]:
    """The names of a host's groups, before Ansible makes them fit to be names."""
    own = host.instance
    return [f"topology_{topology}", f"vpc_{own.vpc}", f"subnet_{own.vpc}_{host.subnet}", *(f"role_{name}" for name in host.roles)]


def shared_groups(hosts: Iterable[Host], fit: Callable[[str], str]) -> list[str]:
    """A line for each name of a group that two places share, as ``a_b`` with ``c`` and ``a`` with ``b_c`` do. ``fit``: makes it a name."""
    places: dict[str, dict[str, None]] = {}
    for host in hosts:
        vpc = host.instance.vpc
        found = [(f"vpc_{vpc}", f"VPC {vpc}"), (f"subnet_{vpc}_{host.subnet}", f"subnet {vpc}.{host.subnet}")]
        for name, place in (*found, *((f"role_{role}", f"security group {role}") for role in host.roles)):
            places.setdefault(fit(name), {})[place] = None
    return [
        f"the group {name} holds hosts of {' and of '.join(sorted(found))}: tell them apart by keyed_groups, or rename one"
        for name, found in places.items()
        if len(found) > 1
    ]


def facts(topology: str, host: Host) -> dict[str, Any]:
    """The variable ``cloudnet`` of a host."""
    own = host.instance
    return {
        "topology": topology,
        "vpc": own.vpc,
        "name": own.name,
        "subnet": host.subnet,
        "roles": list(host.roles),
        "instance_id": own.id,
        "account": own.account,
        "region": own.region,
        "private_ip": own.private_ip,
        "public_ip": own.public_ip,
        "key_name": own.key,
    }


def bastions(hosts: Iterable[Host]) -> dict[str, str]:
    """The public address of each VPC's bastion, by VPC: a host in the group ``bastion`` that has one."""
    found: dict[str, str] = {}
    for host in hosts:
        if BASTION in host.roles and host.instance.public_ip:
            found.setdefault(host.instance.vpc, host.instance.public_ip)
    return found


def connection(host: Host, ways: Ways, doors: Mapping[str, str]) -> dict[str, str]:
    """The connection variables of a host. ``doors``: as ``bastions`` tells. Raises CloudnetError for a way that there is not."""
    own, way = host.instance, ways.connection
    if way == "auto":
        straight = bool(own.public_ip or doors.get(own.vpc))
        way = "lab" if ways.lab_config else "ssh_config" if ways.ssh_config else BASTION if straight else "ssm"
    if way == "none":
        return {}
    if way == "ssm":
        told = {"instance_id": own.id, "region": own.region, "profile": host.profile, "bucket_name": ways.bucket}
        ssm = {f"ansible_aws_ssm_{key}": value for key, value in told.items() if value}
        return {"ansible_connection": "amazon.aws.aws_ssm", **ssm}
    if way in ("lab", "ssh_config"):
        config = ways.lab_config if way == "lab" else ways.ssh_config
        if not config:
            what = "give lab, one that runs with a data plane" if way == "lab" else "give ssh_config"
            raise CloudnetError(f"connection is {way}, but there is no ssh configuration: {what}")
        return {"ansible_host": own.id, "ansible_user": ways.user, "ansible_ssh_common_args": f"-F {shlex.quote(config)}"}
    if own.public_ip:
        return {"ansible_host": own.public_ip, "ansible_user": ways.user}
    if own.vpc not in doors:
        raise CloudnetError(f"{own.label} has no public address, and VPC {own.vpc} no running bastion: start it, or set connection")
    jump = f"-o ProxyJump={ways.user}@{doors[own.vpc]}"
    return {"ansible_host": own.private_ip, "ansible_user": ways.user, "ansible_ssh_common_args": jump}


def beside(path: str, given: str | None) -> str:
    """The absolute path of a file that an inventory file (``path``) names; empty where it names none."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(given))) if given else ""


def read(place: Place, topology: str) -> list[Host]:
    """The hosts of a topology, by name. Raises CloudnetError."""
    names = place.profiles or ("",)
    params = {"endpoint_url": place.endpoint_url or None}
    sessions = Sessions(params, [Ambient(name=name, profile=name) for name in place.profiles], target=place.target)
    client = Client(sessions)
    regions = place.regions or tuple(filter(None, [_region(sessions, names[0])]))
    if not regions:
        raise CloudnetError("no Region given: set regions, or AWS_REGION, or one in the profile")
    for name in names:
        sessions.endpoint(name, "ec2", regions[0])
    accounts = {who.account: name for name, who in reversed(sessions.identities(client, names).items())}
    wanted = [(account, region) for account in accounts for region in regions]
    for account, region in wanted:  # one after the other: what reads config files is not thread-safe
        sessions.client(account, "ec2", region)
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        found = [host for part in pool.map(lambda at: _hosts(client, topology, accounts[at[0]], *at), wanted) for host in part]
    return sorted(found, key=lambda host: (host.instance.label, host.instance.id))


def _region(sessions: Sessions, name: str) -> str:
    """The Region of the first profile, as its own configuration has it; else the environment's."""
    return str(sessions.named_client(name, "sts", "").meta.region_name or "") if name else sessions.region


def _hosts(client: Client, topology: str, profile: str, account: str, region: str) -> list[Host]:
    """The hosts in one account and Region: two calls, or one where there are none."""
    listed = list(client.pages(account, region, "ec2:DescribeInstances", Filters=running(topology)))
    where = f"of account {account}, Region {region} is tagged as of topology {topology}, but"
    for id_ in unnamed(listed):
        _left_out(id_, f"{where} its tag cloudnet:name is no name that a topology can declare")
    there = launched(listed, account, region)
    ids = sorted({instance.subnet_id for instance in there if instance.subnet_id})
    found = client.pages(account, region, "ec2:DescribeSubnets", Filters=[{"Name": "subnet-id", "Values": ids}]) if ids else []
    subnets = subnets_of(found, topology, account, region)
    # Whoever may tag can give an instance the topology's tags: a host is in a subnet that the topology made.
    kept, others = placed(there, subnets)
    for item in others:
        _left_out(item.id, f"{where} {item.subnet_id or 'no subnet'} is no subnet of its VPC {item.vpc}")
    return [Host(item, profile, subnets[item.subnet_id][1], roles(topology, item)) for item in kept]


def _left_out(id_: str, why: str) -> None:
    Display().warning(f"cloudnet.vpc.instances: {id_} {why}: left out")


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """The process's environment, with this laid over it, until the end: an inventory has none of its own."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def lab_place(name: str, profiles: tuple[str, ...], regions: tuple[str, ...]) -> Place:
    """Where to look on a lab that runs. Raises LabError."""
    found = find(name or None)
    record = found.record
    if record is None:
        raise LabError(f"lab {found.name} does not run: start it ('make lab', or cloudnet.vpc.lab with state: started)")
    known = configparser.ConfigParser()
    known.read(record.config_file)
    have = [section.removeprefix("profile ") for section in known.sections()]
    unknown = [profile for profile in profiles if profile not in have]
    if unknown:
        raise LabError(f"lab {found.name} has no profile {unknown[0]}: it has {', '.join(sorted(have))}")
    lab = {"url": record.url, "config_file": record.config_file, "credentials_file": record.credentials_file, "region": record.region}
    first = profiles or ("lab",)
    settings = lab_environment(lab, first[0])
    config = str((found.status.get("plane") or {}).get("ssh_config") or "")
    return Place(first, regions or (record.region,), record.url, "lab", settings, config)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """Ansible's entry point."""

    NAME = "cloudnet.vpc.instances"

    def verify_file(self, path: str) -> bool:
        """Whether a file is one of ours by its name."""
        return bool(super().verify_file(path)) and path.endswith(("cloudnet.yml", "cloudnet.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        try:
            place = self._place(path)
            hosts = self._found(place, path, cache)
            self._tell(hosts, place, path)
        except (CloudnetError, LabError, ValueError) as error:
            raise AnsibleParserError(f"cloudnet.vpc.instances: {error}") from error

    def _place(self, path: str) -> Place:
        profiles, regions = tuple(self.get_option("profile")), tuple(self.get_option("regions"))
        lab, url, config = self.get_option("lab"), self.get_option("endpoint_url") or "", beside(path, self.get_option("config_file"))
        if lab is None:
            if config and not os.path.isfile(config):
                raise CloudnetError(f"config_file is {config}, but there is no such file: the playbooks write it among their artefacts")
            return Place(profiles, regions, url, None if url else "aws", {"AWS_CONFIG_FILE": config} if config else {})
        if config:
            raise CloudnetError("lab and config_file are both given: a lab has its own config file")
        if url:
            raise CloudnetError("lab and endpoint_url are both given: a lab has its own endpoint")
        return lab_place(str(lab), profiles, regions)

    def _found(self, place: Place, path: str, cache: bool) -> list[Host]:
        """The hosts, from the cache where that is wanted and holds them."""
        key = self.get_cache_key(path)
        use = cache and self.get_option("cache")
        if use and key in self._cache:
            return [_restored(item) for item in self._cache[key]]
        with environment(place.environment):
            hosts = read(place, self.get_option("topology"))
        if self.get_option("cache"):
            self._cache[key] = [asdict(host) for host in hosts]
        return hosts

    def _tell(self, hosts: list[Host], place: Place, path: str) -> None:
        """Fill the inventory."""
        topology, doors = self.get_option("topology"), bastions(hosts)
        config = beside(path, self.get_option("ssh_config"))
        told = [self.get_option(name) or "" for name in ("connection", "user", "bucket")]
        ways = Ways(told[0], told[1], place.ssh_config, config, told[2])
        strict = self.get_option("strict")
        for line in shared_groups(hosts, self._sanitize_group_name):
            self.display.warning(line)
        for host in hosts:
            name = host.instance.label
            if name in self.inventory.hosts:
                other = self.inventory.hosts[name].vars.get("cloudnet", {}).get("instance_id", "another inventory's host")
                raise CloudnetError(f"two running instances are called {name} in {topology}: {other} and {host.instance.id}; terminate one")
            self.inventory.add_host(name)
            for group in groups(topology, host):
                self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), name)
            # Untrusted, as Ansible sees texts of plugins: nothing that AWS tells is ever a template.
            values = {"cloudnet": facts(topology, host), **connection(host, ways, doors)}
            for key, value in values.items():
                self.inventory.set_variable(name, key, value)
            self._set_composite_vars(self.get_option("compose"), values, name, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), values, name, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), values, name, strict=strict)


def _restored(item: Mapping[str, Any]) -> Host:
    """A host out of the cache, which knows no tuples."""
    own = {**item["instance"], "groups": tuple(item["instance"]["groups"])}
    return Host(Launched(**own), item["profile"], item["subnet"], tuple(item["roles"]))
