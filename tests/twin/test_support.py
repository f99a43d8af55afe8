# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where namespaces are refused it is said why, tried with a kernel that really refuses them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import support
from support.namespaces import inside_tree, needs_namespaces

pytestmark = needs_namespaces


@inside_tree
def test_no_namespaces_may_be_made() -> None:
    ask = support.trial.__wrapped__
    for kind in ("user", "net"):
        limit = Path(f"/proc/sys/user/max_{kind}_namespaces")
        before = limit.read_text(encoding="utf-8")
        limit.write_text("0", encoding="utf-8")
        assert ask().why_not == f"namespaces are turned off on this machine: sudo sysctl -w user.max_{kind}_namespaces=20000"
        limit.write_text(before, encoding="utf-8")


@inside_tree
def test_there_are_too_many_namespaces() -> None:
    """They may be made, but there are as many as may be."""
    limit = Path("/proc/sys/user/max_net_namespaces")
    limit.write_text("1", encoding="utf-8")
    said = support.trial.__wrapped__().why_not
    assert said.startswith("there are as many namespaces as may be: raise user.max_user_namespaces and user.max_net_namespaces")
