# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of EC2 as XML, quickly: a writer is made once for every shape of botocore's model and then only joins strings.

The emulator's own serializer builds the answer as nested dictionaries and walks them twice; a describe call over a mesh of 780
peering connections spends most of its time there. Shape and names are botocore's, so every AWS SDK reads the result.
Protocol: https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
Writer = Callable[[Any, list[str]], None]


#: What XML 1.0 has no way to hold, not even as a reference: https://www.w3.org/TR/xml/#charsets
NO_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """A text in XML. Requests with such characters are refused (characters.py); what has one all the same leaves the answer readable."""
    return escape(text if text.isprintable() else NO_CHAR.sub("\ufffd", text))


def _text(value: Any) -> str:
    return xml_text(value if isinstance(value, str) else str(value))


def _boolean(value: Any) -> str:
    if isinstance(value, str):
        return "true" if value.lower() == "true" else "false"
    return "true" if value else "false"


def _timestamp(value: Any) -> str:
    """AWS writes times in UTC with milliseconds; a text is taken to be one already."""
    if not isinstance(value, datetime):
        return _text(value)
    moment = value.astimezone(UTC) if value.tzinfo else value
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _blob(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()


_SCALARS: dict[str, Callable[[Any], str]] = {"boolean": _boolean, "timestamp": _timestamp, "blob": _blob}


class _Shapes:
    """The writers of one operation's answer; shapes may contain themselves, so a structure's members are found when first written."""

    def __init__(self) -> None:
        self._structures: dict[str, list[tuple[str, Writer]]] = {}

    def element(self, name: str, shape: Any) -> Writer:
        """Writes a value as the element ``name``."""
        start, end = f"<{name}>", f"</{name}>"
        if shape.type_name == "structure":

            def structure(value: Any, out: list[str]) -> None:
                out.append(start)
                self.members(shape, value, out)
                out.append(end)

            return structure
        if shape.type_name == "list":
            return self._list(name, shape)
        if shape.type_name == "map":
            raise TypeError(f"{shape.name}: EC2's answers hold no maps")
        scalar = _SCALARS.get(shape.type_name, _text)
        return lambda value, out: out.append(start + scalar(value) + end)

    def _list(self, name: str, shape: Any) -> Writer:
        if shape.serialization.get("flattened"):
            plain = self.element(name, shape.member)

            def flat(value: Any, out: list[str]) -> None:
                for item in value:
                    plain(item, out)

            return flat
        inner = self.element(shape.member.serialization.get("name", "item"), shape.member)

        def wrapped(value: Any, out: list[str]) -> None:
            out.append(f"<{name}>")
            for item in value:
                inner(item, out)
            out.append(f"</{name}>")

        return wrapped

    def members(self, shape: Any, value: Mapping[str, Any], out: list[str]) -> None:
        """Writes the members of a structure that the value has; unknown members and ``None`` are left out."""
        writers = self._structures.get(shape.name)
        if writers is None:
            names = ((key, member.serialization.get("name", key), member) for key, member in shape.members.items())
            writers = self._structures[shape.name] = [(key, self.element(name, member)) for key, name, member in names]
        if len(value) < len(writers):
            for key, write in writers:
                if key in value and value[key] is not None:
                    write(value[key], out)
        else:
            for key, write in writers:
                item = value.get(key)
                if item is not None:
                    write(item, out)


@lru_cache(maxsize=1)
def _shapes() -> _Shapes:
    return _Shapes()


def ec2_answer(operation: Any, result: Mapping[str, Any], request_id: str) -> bytes:
    """An answer of an EC2 action in XML. ``operation`` is botocore's OperationModel, ``result`` in boto3's shape."""
    name = f"{operation.name}Response"
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{_NAMESPACE}"><requestId>{request_id}</requestId>']
    if operation.output_shape is not None:
        _shapes().members(operation.output_shape, result, out)
    out.append(f"</{name}>")
    return "".join(out).encode()
