# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection say about themselves, in one place."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes, each described once; a module states its support beside them."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change without changing it.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode with the same arguments, the second run reports no change.
      - This assumes that nobody else changes the network in between.
"""

    # For modules that only read; beside the standard fragment.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not change anything.
  diff_mode:
    support: N/A
    details:
      - This action does not change anything.
  idempotent:
    support: full
    details:
      - This action does not change anything.
"""

    # For the members of the action group; beside the standard fragment.
    ACTIONGROUP_VPC = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/cloudnet.vpc.vpc) in C(module_defaults) to set defaults for these modules and those of C(amazon.aws).
    support: full
    membership:
      - cloudnet.vpc.vpc
      - amazon.aws.aws
"""

    # For modules with an action plugin of the same name.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Indicates that a part of this runs on the controller, in an action plugin.
"""
