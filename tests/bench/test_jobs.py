# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: what jobs cost, and what must hold of that on any machine. Calls and what changed; seconds are only shown."""

from __future__ import annotations

from jobs import main


def test_jobs() -> None:
    rows = {(row.job, row.phase): row for row in main([])}
    for (_job, phase), row in rows.items():
        assert row.changed == (phase != "second"), row
    # The others send commands over Systems Manager or make files with ssh; this one's second run is reads alone.
    assert rows["peer", "second"].writes == 0
    # What is there is read at once by ours, and object by object by theirs. First runs do different things: ours shows why each step
    # is needed.
    assert rows["peer", "second"].calls < rows["plain", "second"].calls
