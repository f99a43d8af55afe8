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

    def of(self, host: str) -> tuple[SSHKey, ...]:
        """The private keys of an instance."""
        if host not in self._made:
            self._made[host] = (_ed25519(self._derived(host, "ed25519")), _ecdsa(self._derived(host, "ecdsa")))
        return self._made[host]

    def public(self, host: str) -> list[str]:
        """Its public keys as lines of OpenSSH: ``ssh-ed25519 AAAA…``, without a comment."""
        return [key.export_public_key("openssh").decode().strip() for key in self.of(host)]

    def _derived(self, host: str, kind: str) -> bytes:
        return hashlib.blake2b(f"{kind} {host}".encode(), key=self._seed[:64]).digest()


def _ed25519(secret: bytes) -> SSHKey:
    return _imported(ed25519.Ed25519PrivateKey.from_private_bytes(secret[:32]))


def _ecdsa(secret: bytes) -> SSHKey:
    return _imported(ec.derive_private_key(1 + int.from_bytes(secret, "big") % (_P256_ORDER - 1), ec.SECP256R1()))


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
