# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of what AWS calls its things, and that what matches it is harmless wherever it is written."""

from __future__ import annotations

import re

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model import grammar
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.vocabulary import NAME as DECLARED
from hypothesis import given
from hypothesis import strategies as st

GRAMMARS = {
    "ACCOUNT": (grammar.ACCOUNT, ("012345670123",), ("12345", "12345678901a", "123456789012\n")),
    "REGION": (
        grammar.REGION,
        ("us-east-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-10"),
        ("useast1", "us-east", "../us-east-1", "US-EAST-1"),
    ),
    "ZONE": (
        grammar.ZONE,
        ("us-east-1a", "us-gov-west-1b", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "ap-northeast-1-wl1-nrt-wlz-1"),
        ("us-east-1", "a", "us-east-1a b"),
    ),
    "ID": (
        grammar.ID,
        ("i-0123456789abcdef0", "vpc-12345678", "tgw-attach-0123456789abcdef0", "vpc-REDACTED", "sg-a", "vpce-svc-0123456789abcdef0"),
        ("i-", "-a", "i_1", "../i-1", "i-1/2", "i-1\nMatch exec", "REDACTED", "i-" + "0" * 65, "i-1 2", "i-ä"),
    ),
    "NAME": (grammar.NAME, ("web", "Web_1-a"), ("1web", "", "a b", "a.b", "a\n", "x" * 65, "#jinja2:")),
    "WORD": (grammar.WORD, ("amazon-elb", "local", "0a1b-2c"), ("", "-rf", ".", "a/b", "a.b", "a\nb")),
    "DNS_NAME": (
        grammar.DNS_NAME,
        ("ip-10-0-0-1.ec2.internal", "*.vpce-1.s3.us-east-1.vpce.amazonaws.com", "_x.a", "a."),
        ("", "a..b", "-a.b", "a b", "a\nnameserver 1", "a" * 64, ".a", "a;b"),
    ),
    "ARN": (grammar.ARN, ("arn:aws:iam::111111111111:role/a/b",), ("arn:", "aws:iam", "arn:aws iam", 'arn:aws:"')),
    "USER": (grammar.USER, ("ec2-user", "_x", "root"), ("Root", "a b", "-a", "a:b", "a\n", "")),
    "PUBLIC_KEY": (
        grammar.PUBLIC_KEY,
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA",),
        ("ssh-rsa", "ssh-rsa AAAA me@here", "ssh-rsa " + "A" * 20 + "\n@cert-authority *", ""),
    ),
}
PATTERNS = {name: pattern for name, (pattern, _good, _bad) in GRAMMARS.items()}


@pytest.mark.parametrize("name", GRAMMARS)
def test_each_grammar(name: str) -> None:
    pattern, good, bad = GRAMMARS[name]
    assert [text for text in good if not pattern.fullmatch(text)] == []
    assert [text for text in bad if pattern.fullmatch(text)] == []


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"PUBLIC_KEY"}))
@given(data=st.data())
def test_what_matches_is_safe_in_a_path_a_line_and_a_command(name: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(PATTERNS[name], fullmatch=True))
    assert text.isascii() and text.isprintable() and text and not text.startswith("-")
    assert not set(text) & set(" \t\"'`$&|;<>(){}[]\\!?~#%")
    if name != "ARN":
        assert "/" not in text and text not in (".", "..")


def test_prefixes() -> None:
    assert grammar.is_id("sg-1", "sg", "pg") and grammar.is_id("sg-1")
    assert not grammar.is_id("vpc-1", "sg") and not grammar.is_id("tgw-1", "tgw-attach")


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "2001:DB8::1", "::ffff:10.0.0.1"])
def test_addresses(text: str) -> None:
    assert grammar.is_address(text) and grammar.is_block(text)


@pytest.mark.parametrize(
    "text",
    ["1.23.456.78", "9.789.789.789", "localhost", "10.0.0", "1", "fe80::1%eth0", "10.0.0.1\n", " 10.0.0.1", "١.1.1.1", "", "0x7f.1.1.1"],
)
def test_no_addresses(text: str) -> None:
    assert not grammar.is_address(text) and not grammar.is_block(text)


def test_blocks() -> None:
    assert all(grammar.is_block(text) for text in ("10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "::/0", "2001:db8::/128"))
    assert not any(
        grammar.is_block(text) for text in ("10.0.0.0/33", "::/129", "10.0.0.0/255.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/8/8", "10.0.0.0/-1")
    )


def test_a_text_becomes_a_part_of_one_line() -> None:
    assert grammar.line("a\nb\tc\x1b[31m\x9b\u202ed\u2028e") == "a b c\ufffd[31m\ufffd\ufffdd e"
    assert grammar.is_line("Büro 1 – 東京") and not grammar.is_line("a\x00")


def test_a_topology_declares_names_of_this_grammar() -> None:
    assert re.fullmatch(DECLARED["pattern"], "web") and grammar.NAME.pattern in DECLARED["pattern"]
