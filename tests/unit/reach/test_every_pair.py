# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be an end, to everything: there is an answer, and all that it lists says what it speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.report import text

from . import terse

CASES = Path(__file__).parent / "cases"
ODD = (
    "internet",
    "8.8.8.8",
    "3.3.3.99",
    "192.168.77.7",
    "169.254.169.253",
    "127.0.0.1",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.200",
    "10.0.250.1",
)


@pytest.mark.parametrize("case", ["ends_of_services", "outside", "appliance", "transit_gateway"])
def test_every_pair_has_an_answer_that_names_what_it_speaks_of(case: str) -> None:
    network = terse.network(yaml.safe_load((CASES / f"{case}.yml").read_text())["network"])
    ends = [*network.instances, *network.interfaces, *network.endpoints, *ODD]
    for source in ends:
        for destination in ends:
            found = reach(network, source, destination, "tcp", 443)
            for note in (*found.blockers, *found.unknowns):
                assert note.component and note.name and note.why == note.why.strip(), (source, destination, note)
                assert "  " not in note.why and ": :" not in note.why, (source, destination, note)
            assert all(item.fix.text for item in found.blockers)
            assert text(found)
