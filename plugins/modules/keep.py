#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.keep; it is done by the action plugin of that name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: keep
version_added: 0.1.0
short_description: Write what a run planned and found into a folder of artefacts
description:
  - Writes each document whole or not at all, into a folder that is made when it is not there. Its files are for all to read (0644), so
    no secret belongs in one.
  - Such files tell of a run, and are nothing that it manages, so the task is never C(changed).
  - It starts no module on the host, which is what M(ansible.builtin.copy) takes most of its time for.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written then.
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
options:
  folder:
    description: The folder, on the host that the task is for.
    type: str
    required: true
  files:
    description: Texts or data by file name. Data is written as JSON, with its keys in order.
    type: dict
    required: true
seealso:
  - module: cloudnet.vpc.network
  - module: cloudnet.vpc.show
"""

EXAMPLES = r"""
- name: Keep what is there now
  cloudnet.vpc.keep:
    folder: "{{ playbook_dir }}/artifacts"
    files:
      outputs.json: "{{ applied.outputs }}"
"""

RETURN = r"""
folder:
  description: The folder.
  returned: success
  type: str
  sample: /home/me/network/artifacts
files:
  description: The names of the files.
  returned: success
  type: list
  elements: str
  sample: [outputs.json]
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    module = AnsibleModule(
        argument_spec={"folder": {"type": "str", "required": True}, "files": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    module.fail_json(msg="cloudnet.vpc.keep runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
