# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal for a session: its pair of descriptors, its size, and the modes that the user's own terminal has (RFC 4254, section 8)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
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
# asm-generic/ioctls.h; Python's termios has not all of them.
_TIOCGPTN, _TIOCSPTLCK, _TIOCGPTPEER = 0x80045430, 0x40045431, 0x5441


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


def open_terminal(process: int) -> tuple[int, int, str]:
    """A new terminal among those that a process sees, so that programs beside it find it under its own name.

    Returns the descriptor of the side that is like a keyboard and screen, that of the programs' side, and its path as they see it (empty
    where they have no terminals of their own). Raises OSError.
    """
    try:
        ours = _multiplexer(process)
    except OSError:
        return (*os.openpty(), "")
    try:
        fcntl.ioctl(ours, _TIOCSPTLCK, struct.pack("i", 0))
        (number,) = struct.unpack("i", fcntl.ioctl(ours, _TIOCGPTN, struct.pack("i", 0)))
        # Not by its name, which the instance's root could lead elsewhere.
        theirs = fcntl.ioctl(ours, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except BaseException:
        os.close(ours)
        raise
    return ours, theirs, f"/dev/pts/{number}"


def _multiplexer(process: int) -> int:
    """The process's own ``/dev/pts/ptmx``, opened. No link is followed on the way: the instance's root may have put one there."""
    folder = os.open(f"/proc/{process}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    found = -1
    try:
        for name in ("dev", "pts"):
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        found = os.open("ptmx", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        about = os.fstat(found)
        if not stat.S_ISCHR(about.st_mode) or about.st_rdev != os.makedev(5, 2):
            raise OSError(errno.ENOTTY, "it makes no terminals")
        return os.open(f"/proc/self/fd/{found}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(folder)
        if found >= 0:
            os.close(found)
