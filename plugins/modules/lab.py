# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: lab
version_added: 0.1.0
short_description: Start, empty or stop the embedded lab, an AWS endpoint on this machine
description:
  - The lab answers AWS's API on the loopback interface of the controller, for several accounts and all Regions, without an AWS account.
    VPCs, peering connections, routes, security groups and what else decides whether a packet gets through behave as AWS documents them;
    other services are emulated by moto as it is.
  - It is a process of its own that outlives the play. It is known by a record in the user's state folder
    (C(${XDG_STATE_HOME:-~/.local/state}/cloudnet/NAME/)), and stopped by that record and no other means.
  - It is empty at first, without a default VPC, and forgets everything when it stops.
  - Use the filter P(cloudnet.vpc.lab_environment#filter) to direct a play to it.
  - Runs on the controller, whatever host the task is for.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - A lab that does not run is not started, so there is no RV(url).
      - A play that goes on to use the lab needs C(check_mode=false) on this task.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - O(state=reset) empties the lab each time. Setting O(faults) starts their seeds and counts anew, which is a change each time.
  action:
    support: full
options:
  name:
    description:
      - The lab's name, 1 to 40 letters, digits and C(_ . -).
      - The default is made from the path of this collection, so that two checkouts have two labs.
    type: str
  state:
    description:
      - V(started) makes sure that the lab runs. One that runs already is found, and given the accounts and settings that it lacks.
      - V(reset) empties a lab that runs, on the same port and with the same accounts and keys, and starts one otherwise.
      - V(stopped) ends it.
    type: str
    choices: [started, stopped, reset]
    default: started
  accounts:
    description:
      - Accounts beside the two that every lab has, C(lab) (111111111111) and C(lab-peer) (222222222222).
      - A name, whose 12-digit id follows from it, or a 12-digit id in quotes.
      - Each gets an administrator, a role C(cloudnet) that any principal of the lab may assume, and a profile of its name.
    type: list
    elements: str
  topology_accounts:
    description:
      - The C(accounts) of a topology. Every account, role and profile that they name is made, so that the topology runs on the lab.
      - Each entry has C(profile), C(role_arn), C(account_id), or several of them. RV(topology_accounts) says what became of each.
    type: dict
  region:
    description:
      - The Region of the profiles. All Regions are there in any case. A lab that runs keeps the one with which it was started.
      - The default is V(us-east-1).
    type: str
  port:
    description:
      - The port on 127.0.0.1; V(0), the default, takes a free one, if possible the one that this lab had before.
      - A lab that runs on another port is not moved; the task fails.
    type: int
  latency_ms:
    description:
      - Milliseconds to wait before answering a request, as the way to AWS would take.
    type: float
  quotas:
    description:
      - Service quotas by name, as C(peerings_active), C(peerings_outstanding), C(routes_per_table), C(rules_per_group), C(vpcs).
        Those not named keep AWS's default, but for C(vpcs) and C(internet_gateways), which are 200 here and 5 on a new AWS account.
      - An unknown name is refused with the list of known ones.
    type: dict
  throttle:
    description:
      - V(aws) enforces the token buckets of the EC2 API (C(RequestLimitExceeded)), V(none) lets everything through.
      - The default is V(none).
    type: str
    choices: [none, aws]
  faults:
    description:
      - What is to go wrong, for tests. They replace those that were set; an empty list takes them away.
      - Each has C(kind) (V(throttle), V(internal), V(unavailable), V(reset_before), V(reset_after), V(denied), V(expired), V(not_found),
        V(hold_before), V(hold_after)), and may have C(actions) (one pattern or a list, as V(ec2:Create*), V(read), V(write)), C(rate)
        (0 to 1), C(seed), C(skip), C(times), C(seconds) (for V(not_found)) and C(account).
    type: list
    elements: dict
  default_vpc:
    description:
      - Give each account a default VPC in each Region, as AWS does. The default is V(false), since most tests begin with an empty account.
      - A lab that runs keeps what it was started with.
    type: bool
  enforce_iam:
    description:
      - Let users and assumed roles do only what their IAM policies allow, for the actions of EC2, IAM, CloudWatch Logs, Systems Manager,
        STS, Service Quotas, Route 53 and Organizations. Others are told C(UnauthorizedOperation) or C(AccessDenied), with the action that
        they lack.
      - Actions, Regions and accounts are judged, and the resources and condition keys that a request names, such as IAM's roles. Single
        resources of EC2 and conditions on tags are not, and an allow is taken to hold there. What is refused here is refused on AWS, too;
        what is allowed may still be too narrow there.
      - The lab's own users and roles may do everything. The default is V(false).
    type: bool
  twin:
    description:
      - The data plane, in which packets flow between the lab's instances as the lab's routes, gateways, groups and lists let them. It lives
        in network namespaces of the Linux kernel, and touches nothing of the machine's own network.
      - V(auto), the default, has one where the machine lets it; elsewhere the lab starts without, and RV(messages) says why and how to get
        it. V(required) fails then. V(off) leaves it out. Nothing is started before an instance runs.
      - A lab that runs keeps what it was started with.
    type: str
    choices: [auto, "off", required]
  snapshot:
    description:
      - A folder of a network's describe output, as M(cloudnet.vpc.snapshot_info) writes it. The data plane shows that network, with an
        instance behind every network interface, to try packets on; the API of this lab stays empty.
      - A relative path is below the folder in which Ansible was started. A lab that runs keeps what it was started with.
    type: path
requirements:
  - moto 5.2.5 with its server extra, on the controller
  - for the data plane Linux, nftables and the Python packages asyncssh and dnspython, on the controller; no privileges
seealso:
  - plugin: cloudnet.vpc.lab_environment
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Start the lab, or find the one that runs
  cloudnet.vpc.lab:
  check_mode: false # the tasks that follow need it, in check mode too
  register: lab

- name: Use it as the second account
  amazon.aws.aws_caller_info:
  environment: "{{ lab | cloudnet.vpc.lab_environment('lab-peer') }}"

- name: Make the accounts that a topology names, and answer as slowly as a Region far away
  cloudnet.vpc.lab:
    topology_accounts:
      shared: {profile: shared-services}
      dev: {role_arn: "arn:aws:iam::333333333333:role/cloudnet"}
    latency_ms: 60

- name: Let every fifth write be throttled, the same ones each time
  cloudnet.vpc.lab:
    faults:
      - {kind: throttle, actions: write, rate: 0.2, seed: 7}

- name: Try packets on a copy of a network of one's own
  cloudnet.vpc.lab:
    name: copy
    snapshot: snapshots/production

- name: Empty it
  cloudnet.vpc.lab:
    state: reset

- name: Stop it
  cloudnet.vpc.lab:
    state: stopped
"""

RETURN = r"""
name:
  description: The lab's name.
  returned: success
  type: str
  sample: main-3f9a1c
running:
  description: Whether it runs, now that the task is done. In check mode, whether it ran.
  returned: success
  type: bool
  sample: true
messages:
  description: What happened, in words, one line each; also that a former lab of this name ended without being stopped.
  returned: success
  type: list
  elements: str
  sample: ["lab main-3f9a1c started at http://127.0.0.1:45987"]
url:
  description: The endpoint.
  returned: when it runs
  type: str
  sample: http://127.0.0.1:45987
port:
  description: The endpoint's port.
  returned: when it runs
  type: int
  sample: 45987
region:
  description: The Region of the profiles.
  returned: when it runs
  type: str
  sample: us-east-1
config_file:
  description: An AWS config file with a profile per account, and C(default) for the first. It is the lab's own; no other file is touched.
  returned: when it runs
  type: str
  sample: /home/me/.local/state/cloudnet/main-3f9a1c/config
credentials_file:
  description: An empty shared credentials file, which keeps the user's own out.
  returned: when it runs
  type: str
  sample: /home/me/.local/state/cloudnet/main-3f9a1c/credentials
log_file:
  description: The lab's log.
  returned: when it runs
  type: str
  sample: /home/me/.local/state/cloudnet/main-3f9a1c/lab.log
profile:
  description: The profile of the first account.
  returned: when it runs
  type: str
  sample: lab
profiles:
  description: The account id of each profile.
  returned: when it runs
  type: dict
  sample: {lab: "111111111111", lab-peer: "222222222222"}
accounts:
  description: The accounts.
  returned: when it runs
  type: list
  elements: dict
  contains:
    name:
      description: The account's name.
      type: str
      sample: lab
    id:
      description: Its id.
      type: str
      sample: "111111111111"
    profiles:
      description: The profiles that land in it.
      type: list
      elements: str
      sample: [lab]
    roles:
      description: Its roles that any principal of the lab may assume.
      type: list
      elements: str
      sample: ["arn:aws:iam::111111111111:role/cloudnet"]
topology_accounts:
  description: For each name in O(topology_accounts), the profile, account and role in the lab.
  returned: when it runs and is not check mode
  type: dict
  sample: {dev: {profile: dev, account_id: "333333333333", role_arn: "arn:aws:iam::333333333333:role/cloudnet"}}
settings:
  description: The latency, throttling, quotas, faults and enforcement in force.
  returned: when it runs
  type: dict
plane:
  description: The data plane.
  returned: when it runs
  type: dict
  contains:
    state:
      description:
        - C(idle) while no instance runs, C(on), C(off), C(refused) where the machine lets it have none, C(failed) when it could not follow
          the last change; then what was before stays.
      type: str
      sample: "on"
    why:
      description: Why it is refused or failed, and what to do; empty otherwise.
      type: str
      sample: ""
    hosts:
      description: How many instances run in it.
      type: int
      sample: 3
    snapshot:
      description: Whether it shows a snapshot.
      type: bool
      sample: false
    warnings:
      description: What of the snapshot was left out or is not known, one line each.
      type: list
      elements: str
      sample: []
    missing:
      description: The protections from its instances that this machine refuses, in words. What they are is in C(docs/security.md).
      type: list
      elements: str
      sample: []
ssh_config:
  description:
    - An ssh configuration by which C(ssh -F) reaches the instances, by their names and ids. The lab writes it anew as they come and go.
    - Empty where there is no data plane.
  returned: when it runs
  type: str
  sample: /home/me/.local/state/cloudnet/main-3f9a1c/ssh_config
"""
