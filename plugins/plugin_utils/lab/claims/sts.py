# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of STS's calls that the lab reads."""

from __future__ import annotations

READ: dict[str, str] = {
    "AssumeRole": "RoleArn RoleSessionName Policy DurationSeconds ExternalId SourceIdentity",
    "AssumeRoleWithSAML": "RoleArn PrincipalArn SAMLAssertion",
    "AssumeRoleWithWebIdentity": "RoleArn RoleSessionName Policy DurationSeconds",
    "GetAccessKeyInfo": "AccessKeyId",
    "GetCallerIdentity": "",
    "GetFederationToken": "Name DurationSeconds",
    "GetSessionToken": "DurationSeconds",
}
