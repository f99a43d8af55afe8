# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of AWS's ids, Regions, zones, accounts, addresses, CIDR blocks and names, in one place.

Text that matches is safe as a component of a path, as a word of a configuration file or of nftables, and as an argument of a command:
no grammar here has blanks, quotes, control characters or a leading hyphen, and only ARN and LINK have slashes.

Copies of accounts that people have edited are read too: after its prefix an id may have other letters than AWS's hexadecimal digits
(``vpc-REDACTED``), and an account may be a word. An address or a block cannot be edited and stay one.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

#: https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
ACCOUNT = re.compile(r"[0-9]{12}")
#: us-east-1, us-gov-west-1, eusc-de-east-1. https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
REGION = re.compile(r"[a-z]{2,8}(?:-[a-z]{2,12})+-[0-9]{1,2}")
#: us-east-1a, us-west-2-lax-1a, us-east-1-wl1-bos-wlz-1.
#: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
ZONE = re.compile(REGION.pattern + r"(?:[a-z]|(?:-[a-z0-9]{2,8}){1,2}-[a-z]*-?[0-9]{1,2}[a-z]?)")
#: A resource's id: a prefix, and 8 or 17 hexadecimal digits as AWS makes them.
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
ID = re.compile(r"[a-z]{1,12}(?:-[a-z]{2,12}){0,3}-[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: The same as AWS makes it, and nothing else.
EXACT_ID = re.compile(r"[a-z]{1,12}(?:-[a-z]{2,12}){0,3}-(?:[0-9a-f]{17}|[0-9a-f]{8})")
#: A name in a topology: of a VPC, a subnet, a security group, an instance, and of the topology itself.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
#: Letters, digits, hyphen and underscore: an id of a kind whose prefix does not matter, an owner's alias (``amazon-elb``), a state.
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
#: The id of a link between two resources. Tools that write descriptions make them of an id and a block; nothing is named after one.
LINK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")
#: A DNS name, also with a wildcard as its first label and with underscores. https://www.rfc-editor.org/rfc/rfc1123#section-2
DNS_NAME = re.compile(
    r"(?=.{1,254}$)(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
ARN = re.compile(r"arn:[A-Za-z0-9_+=,.@:/*-]{1,1024}")
#: A protocol as AWS answers it: a name of the four that have one, ``-1`` or ``all``, or a number up to 255; ``gre`` of Connect peers.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
PROTOCOL = re.compile(r"(?i:tcp|udp|icmp|icmpv6|ipv6-icmp|all|gre)|-1|[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]")
#: Who logs in to an instance. https://man7.org/linux/man-pages/man8/useradd.8.html
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
#: A public key as OpenSSH writes it, without a comment.
PUBLIC_KEY = re.compile(r"[a-z0-9][a-z0-9@.-]{2,63} [A-Za-z0-9+/]{1,16384}={0,3}")

_DIGITS = re.compile(r"[0-9.]+|[0-9A-Fa-f:.]+")
_LENGTH = re.compile(r"[0-9]{1,3}")
#: Control characters, separators of lines, and what turns the direction of text. https://www.unicode.org/reports/tr9/
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def is_id(text: str, *prefixes: str) -> bool:
    """Whether a text is a resource's id, with one of these prefixes (``vpc``) where some are given."""
    return bool(ID.fullmatch(text)) and (not prefixes or any(text.startswith(f"{prefix}-") for prefix in prefixes))


@lru_cache(maxsize=65536)
def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address in digits: neither a host's name nor one with a zone (``fe80::1%eth0``)."""
    if not _DIGITS.fullmatch(text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def is_block(text: str) -> bool:
    """Whether a text is a CIDR block; host bits may be set. An address alone is one too."""
    address, slash, length = text.partition("/")
    if not is_address(address) or (slash and not _LENGTH.fullmatch(length)):
        return False
    return not slash or int(length) <= (128 if ":" in address else 32)


def is_line(text: str) -> bool:
    """Whether a text can be shown and written as a part of one line."""
    return not _UNPRINTABLE.search(text)


def line(text: str) -> str:
    """A text for people as a part of one line: a blank for each line break and tab, U+FFFD for every other character that is not shown."""
    return _UNPRINTABLE.sub(lambda match: " " if match.group() in "\t\n\r\u2028\u2029" else "\ufffd", text)
