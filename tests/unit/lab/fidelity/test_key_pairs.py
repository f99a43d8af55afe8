# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of key pairs, against those that cryptography computes by AWS's recipe."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

# ssh-keygen -l -E sha256 says so of this key, without the padding.
FINGERPRINT = "vS4pGGLkUmVF3VzMEnSOjVGLkwUhocZcCGlEnlOEYEY="
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9Pb0JrS1hZ2m1Cw2yY8L8m0oXG0O2vT7M4Jt7vQm1x"
RAW = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH


def shown(ec2: Any, name: str) -> tuple[str, str]:
    pair = ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"][0]
    return pair["KeyType"], pair["KeyFingerprint"]


def test_an_imported_ed25519_key(lab: Any) -> None:
    ec2 = lab.client("ec2")
    told = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=LINE.encode())["KeyFingerprint"]
    assert told == FINGERPRINT
    assert shown(ec2, "mine") == ("ed25519", FINGERPRINT)
    assert ec2.describe_key_pairs(Filters=[{"Name": "fingerprint", "Values": [FINGERPRINT]}])["KeyPairs"]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_that_aws_makes(lab: Any, kind: str) -> None:
    ec2 = lab.client("ec2")
    made = ec2.create_key_pair(KeyName="theirs", KeyType=kind)
    key = (serialization.load_ssh_private_key if kind == "ed25519" else serialization.load_pem_private_key)(
        made["KeyMaterial"].encode(), None
    )
    if kind == "ed25519":
        blob = base64.b64decode(key.public_key().public_bytes(*RAW).split()[1])
        wanted = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    else:
        der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        wanted = hashlib.sha1(der).digest().hex(":")
    assert made["KeyFingerprint"] == wanted
    assert shown(ec2, "theirs") == (kind, wanted)


def test_an_imported_rsa_key(lab: Any) -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    ec2 = lab.client("ec2")
    told = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=public.public_bytes(*RAW))["KeyFingerprint"]
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert told == hashlib.md5(der).digest().hex(":")
