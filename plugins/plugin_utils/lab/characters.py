# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that no answer can carry, refused where they come in: one of them in a tag would make every later list unreadable.

An answer in XML holds what XML 1.0 calls a Char and nothing else (ec2_xml.NO_CHAR). JSON
carries control characters, escaped, but no half of a surrogate pair, which is no character (https://www.rfc-editor.org/rfc/rfc8259#section-8.2).
S3 takes any key and tells it encoded where a client asks for that, so its requests are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .calls import Refusal
from .ec2_xml import NO_CHAR
from .wire import Arrival

_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def check(arrival: Arrival, protocol: str) -> None:
    """Raise Refusal for a request with a character that its service can never answer with."""
    if protocol in ("json", "rest-json"):
        _check_json(arrival.body)
        return
    if arrival.service == "s3":
        return
    for name, value in arrival.form.items():
        if found := NO_CHAR.search(value) or NO_CHAR.search(name):
            raise _refusal(protocol, NO_CHAR.sub("?", name), found.group())
    if protocol == "rest-xml" and arrival.body:
        text = arrival.body.decode("utf-8", "replace")
        found = NO_CHAR.search(text)
        character = found.group() if found else next(_referred(text), "")
        if character:
            raise _refusal(protocol, "the document", character)


def _refusal(protocol: str, where: str, character: str) -> Refusal:
    code = f"U+{ord(character):04X}"
    if protocol == "ec2":
        # "InvalidCharacter: A specified character is invalid", of all actions:
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        return Refusal("InvalidCharacter", f"A specified character is invalid: {code} in {where}")
    # https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
    return Refusal("ValidationError" if protocol == "query" else "InvalidInput", f"Invalid character {code} in {where}")


def _referred(text: str) -> Iterator[str]:
    """Characters that references name and XML does not have."""
    for match in _REFERENCE.finditer(text):
        number = int(match.group(1), 16) if match.group(1) else int(match.group(2))
        if number > 0x10FFFF or NO_CHAR.fullmatch(chr(number)):
            yield chr(min(number, 0x10FFFF))


def _check_json(body: bytes) -> None:
    if not _ESCAPED_HALF.search(body):
        return
    try:
        document = json.loads(body)
    except ValueError:
        return  # what cannot be read is refused by who reads it
    if any(_HALF.search(text) for text in _texts(document)):
        raise Refusal("SerializationException", "The request holds half of a surrogate pair, which is no character")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
