# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""asyncssh and cryptography, which may be missing: what the server's classes are made of, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..seams import TwinError

LIBRARY_ERROR: ImportError | None = None

if TYPE_CHECKING:
    import asyncssh
    from asyncssh import SSHListener, SSHServer, SSHServerConnection

    ServerSession = asyncssh.SSHServerSession[bytes]
    TcpSession = asyncssh.SSHTCPSession[bytes]
else:
    try:
        import asyncssh
        from asyncssh import SSHListener, SSHServer, SSHServerConnection
        from asyncssh import SSHServerSession as ServerSession
        from asyncssh import SSHTCPSession as TcpSession
    except ImportError as _error:
        LIBRARY_ERROR = _error
        asyncssh = None
        SSHListener = SSHServer = SSHServerConnection = ServerSession = TcpSession = object

__all__ = ["LIBRARY_ERROR", "SSHListener", "SSHServer", "SSHServerConnection", "ServerSession", "TcpSession", "asyncssh", "check_library"]


def check_library() -> None:
    """Raises TwinError when instances cannot have an ssh server."""
    if LIBRARY_ERROR is not None:
        raise TwinError(f"instances have no ssh, for {LIBRARY_ERROR.name} is missing: pip install asyncssh")
