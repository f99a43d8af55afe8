# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: the measurements, and what must hold of them on any machine. Ratios and calls; seconds are only shown."""

from __future__ import annotations

from hub import main


def test_hub() -> None:
    first, second, their_first, their_second, *large = main([])
    assert first.changed and not second.changed and not their_second.changed
    assert first.calls <= 130 and second.calls <= 8 and second.writes == 0
    assert their_first.calls > 3 * first.calls and their_first.seconds > 10 * first.seconds
    assert their_second.calls > 20 * second.calls and their_second.seconds > 10 * second.seconds
    for again in large[1::2]:
        assert again.calls <= 15 and again.writes == 0, again
