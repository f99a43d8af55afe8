# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, tokens and passwords in what was printed or written: ``leaks.py FILE|FOLDER…`` names each without showing it, and ends with 1.

Of the standard library only: molecule's scenarios run it on what they leave, and their gates on all that was said at -vvv.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

PRIVATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
# A name of a secret, and behind it, in JSON, YAML, INI, Python or a shell, something that is one: not null, empty, a template or a remark.
NAMED = re.compile(
    r"""(?ix) (?:secret_?(?:access_?)?key|(?:session|security)_?token|password|key_material|x-(?:cloudnet|aws-ec2-metadata)-token)
        \\?["']? \s* [:=] \s* (?:u?\\?["'])? (?P<value> [A-Za-z0-9+/=_-]{16,} )"""
)
SAID_INSTEAD = ("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",)
# STS's begin so, on AWS and in the emulator: "Temporary security credentials" in the IAM guide shows both.
SESSION = re.compile(r"\b(?:AQoEXAMPLE|AQoDYXdz|FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=]{20,}")


def leaks(text: str, secrets: Iterable[str] = ()) -> list[str]:
    """What of a text is secret, named without showing it; ``secrets`` are texts that must not be there at all."""
    found = [f"a private key at character {match.start()}" for match in PRIVATE.finditer(text)]
    found += [f"a session token at character {match.start()}" for match in SESSION.finditer(text)]
    for match in NAMED.finditer(text):
        if match["value"] not in SAID_INSTEAD:
            found.append(f"{match[0][:20]}… at character {match.start()}")
    found += [f"secret number {number} at character {text.index(secret)}" for number, secret in enumerate(secrets) if secret in text]
    return found


def main(arguments: Sequence[str]) -> int:
    """Look through files and all that is below folders; where a run wrote none there is no folder, but there must be something."""
    tops = [Path(name) for name in arguments]
    below = [path for top in tops for path in sorted(top.rglob("*")) if path.is_file() and not path.is_symlink()]
    files = [*(top for top in tops if top.is_file()), *below]
    found = [f"{path}: {leak}" for path in files for leak in leaks(path.read_text(encoding="utf-8", errors="replace"))]
    print("\n".join(found) if files else "there is nothing to look through")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
