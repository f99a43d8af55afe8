# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys: the host keys of instances, and the public keys that let people in."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from .library import asyncssh

if TYPE_CHECKING:
    from asyncssh import SSHKey

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
except ImportError:  # without it there is no asyncssh either, which is what people are told
    pass

# The order of the curve P-256: FIPS 186-4, D.1.2.3. A private key is a number from 1 to one less.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class HostKeys:
    """The host keys of all instances, derived from one secret: an instance has the same ones whenever and however often they are asked for.

    ``seed``: 32 bytes or more; a new secret when None. Ed25519 and ECDSA (P-256), as Amazon Linux makes them.
    """

    def __init__(self, seed: bytes | None = None) -> None:
        self._seed = seed or os.urandom(32)
        self._made: dict[str, tuple[SSHKey, ...]] = {}
        self._told: dict[str, tuple[str, ...]] = {}

    def of(self, host: str) -> tuple[SSHKey, ...]:
        """The private keys of an instance."""
        if host not in self._made:
            self._made[host] = tuple(_imported(key) for key in self._derived(host))
        return self._made[host]

    def public(self, host: str) -> list[str]:
        """Its public keys as lines of OpenSSH: ``ssh-ed25519 AAAA…``, without a comment. Quick: all instances' are asked for at once."""
        if host not in self._told:
            self._told[host] = tuple(_line(key) for key in self._derived(host))
        return list(self._told[host])

    def forget(self, host: str) -> None:
        """It has gone; its keys would be the same again."""
        self._made.pop(host, None)
        self._told.pop(host, None)

    def _derived(self, host: str) -> tuple[ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey]:
        number = 1 + int.from_bytes(self._secret(host, "ecdsa"), "big") % (_P256_ORDER - 1)
        curve = ec.SECP256R1()
        return ed25519.Ed25519PrivateKey.from_private_bytes(self._secret(host, "ed25519")[:32]), ec.derive_private_key(number, curve)

    def _secret(self, host: str, kind: str) -> bytes:
        return hashlib.blake2b(f"{kind} {host}".encode(), key=self._seed[:64]).digest()


def _line(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _imported(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> SSHKey:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return asyncssh.import_private_key(pem)


@lru_cache(maxsize=4096)
def public_data(line: str) -> bytes:
    """The key proper of an OpenSSH public key line; empty for one that cannot be read, which then lets nobody in."""
    try:
        return asyncssh.import_public_key(line.strip()).public_data
    except (asyncssh.KeyImportError, ValueError):
        return b""
