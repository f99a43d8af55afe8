# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of key pairs, as AWS computes them: clients compare them with those of the keys that they hold.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from ..calls import Call, after


def _blob(line: str) -> bytes:
    """The key itself of an OpenSSH public key line (``TYPE BASE64 COMMENT``)."""
    return base64.b64decode(line.split()[1])


def _private_der(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pem, password=None)
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def fingerprint(pair: Any, imported: bool) -> str:
    """Of the emulator's key pair.

    ED25519: the SHA-256 digest that ssh-keygen shows, in base64 with its padding. RSA: the SHA-1 digest of the private key in DER (PKCS 8)
    where AWS made it, the MD5 digest of the public key in DER where it was imported, which is the emulator's own.
    """
    if pair.key_type == "ed25519":
        return base64.b64encode(hashlib.sha256(_blob(pair.public_key)).digest()).decode()
    if imported:
        return str(pair.key_fingerprint)
    return hashlib.sha1(_private_der(pair.material), usedforsecurity=False).digest().hex(":")


@after("ec2", "CreateKeyPair", "ImportKeyPair")
def as_aws_computes_it(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Put AWS's fingerprint into the pair and into the answer."""
    pair = call.backend().key_pairs[str(call.params["KeyName"])]
    pair.key_fingerprint = fingerprint(pair, imported=call.action == "ImportKeyPair")
    return {**result, "KeyFingerprint": pair.key_fingerprint}
