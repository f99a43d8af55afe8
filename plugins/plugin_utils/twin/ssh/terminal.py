# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal for a session: its pair of descriptors, its size, and the modes that the user's own terminal has (RFC 4254, section 8)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Mapping

# Opcodes of RFC 4254, section 8 (and of RFC 8160 for IUTF8), to what they set.
_CHARACTERS = {
    1: termios.VINTR, 2: termios.VQUIT, 3: termios.VERASE, 4: termios.VKILL, 5: termios.VEOF, 6: termios.VEOL, 7: termios.VEOL2,
    8: termios.VSTART, 9: termios.VSTOP, 10: termios.VSUSP, 12: termios.VREPRINT, 13: termios.VWERASE, 14: termios.VLNEXT,
    18: termios.VDISCARD,
}  # fmt: skip
_INPUT, _OUTPUT, _CONTROL, _LOCAL = range(4)
_IUTF8 = 0o40000
_FLAGS = {
    30: (_INPUT, termios.IGNPAR), 31: (_INPUT, termios.PARMRK), 32: (_INPUT, termios.INPCK), 33: (_INPUT, termios.ISTRIP),
    34: (_INPUT, termios.INLCR), 35: (_INPUT, termios.IGNCR), 36: (_INPUT, termios.ICRNL), 38: (_INPUT, termios.IXON),
    39: (_INPUT, termios.IXANY), 40: (_INPUT, termios.IXOFF), 41: (_INPUT, termios.IMAXBEL), 42: (_INPUT, _IUTF8),
    50: (_LOCAL, termios.ISIG), 51: (_LOCAL, termios.ICANON), 53: (_LOCAL, termios.ECHO), 54: (_LOCAL, termios.ECHOE),
    55: (_LOCAL, termios.ECHOK), 56: (_LOCAL, termios.ECHONL), 57: (_LOCAL, termios.NOFLSH), 58: (_LOCAL, termios.TOSTOP),
    59: (_LOCAL, termios.IEXTEN), 60: (_LOCAL, termios.ECHOCTL), 61: (_LOCAL, termios.ECHOKE),
    70: (_OUTPUT, termios.OPOST), 72: (_OUTPUT, termios.ONLCR), 73: (_OUTPUT, termios.OCRNL), 74: (_OUTPUT, termios.ONOCR),
    75: (_OUTPUT, termios.ONLRET),
}  # fmt: skip
_NO_CHARACTER = 255


def set_size(descriptor: int, size: tuple[int, int, int, int]) -> None:
    """Columns, rows, and both in pixels; the programs on it are told by the kernel."""
    columns, rows, width, height = (min(number, 0xFFFF) for number in size)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, width, height))


def set_modes(descriptor: int, modes: Mapping[int, int]) -> None:
    """Lay the client's modes over the terminal's; unknown ones are passed over."""
    found = termios.tcgetattr(descriptor)
    for mode, value in modes.items():
        if mode in _FLAGS:
            place, flag = _FLAGS[mode]
            found[place] = found[place] | flag if value else found[place] & ~flag
        elif mode in _CHARACTERS:
            found[6][_CHARACTERS[mode]] = b"\0" if value == _NO_CHARACTER else bytes([value & 0xFF])
    with contextlib.suppress(termios.error):
        termios.tcsetattr(descriptor, termios.TCSANOW, found)


def open_terminal(size: tuple[int, int, int, int], modes: Mapping[int, int]) -> tuple[int, int]:
    """A new terminal: the descriptor of the side that is like a keyboard and screen, and that of the programs' side. Raises OSError."""
    ours, theirs = os.openpty()
    set_size(ours, size)
    set_modes(theirs, modes)
    return ours, theirs
