# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No key, token or password in what a job says and writes: file_transfer.yml, whose keys travel, at -vvv, and all that lies about after."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.leaks import leaks
from support.namespaces import needs_namespaces

from .whole_lab import ROOT, WholeLab, whole_lab


def key_lines(path: Path) -> list[str]:
    """The lines of a private key's body that tell it."""
    return [line for line in path.read_text().splitlines() if len(line) >= 40 and "KEY" not in line]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNz", 1),
        ("-----BEGIN PRIVATE KEY-----", 1),
        ("-----BEGIN PUBLIC KEY-----", 0),
        ('"secret_key": "wJalrXUtnFEMIbK7MDENGbPxRfiCYEXAMPLEKEY"', 1),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 1),
        ('\\"SessionToken\\": \\"AQoDYXdzEJr1K7MDENGbPxRfiCYEXAMPLEKEY\\"', 2),
        ("AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8", 2),
        ('"secret_key": null, "session_token": "", "password": false, "secret_key": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"', 0),
        ("x-cloudnet-token: 0123456789abcdefABCDEF", 1),
        ("X-aws-ec2-metadata-token-ttl-seconds: 21600", 0),
        ("told: the-lab's-own-token", 1),
    ],
)
def test_what_is_secret_is_found(text: str, number: int) -> None:
    assert len(leaks(text, ["the-lab's-own-token"])) == number


def kept_secret(lab: WholeLab) -> dict[Path, int]:
    """The files whose business secrets are, and the mode that each must have: whoever owns them may read them, and nobody else."""
    state = Path(lab.record.config_file).parent
    found = {state / name: 0o600 for name in ("config", "record.json", "ssh_key")}
    return {**found, **dict.fromkeys(lab.folder.rglob("*.pem"), 0o400)}


@pytest.mark.slow
@needs_namespaces
@pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")
def test_a_job_with_keys_tells_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with whole_lab("secrets", tmp_path) as lab:
        said = lab.playbook(ROOT / "playbooks" / "file_transfer.yml", "-vvv", variables={"lab_name": "secrets", "classic": True})
        assert "invocation" in said and "PLAY RECAP" in said
        keys = kept_secret(lab)
        assert len([path for path in keys if path.suffix == ".pem"]) == 2
        assert {path: path.stat().st_mode & 0o777 for path in keys} == keys
        config = Path(lab.record.config_file).read_text()
        secrets = [*re.findall(r"^aws_secret_access_key\s*=\s*(\S+)", config, re.MULTILINE), lab.record.token]
        secrets += [line for path in keys if path.suffix == ".pem" or path.name == "ssh_key" for line in key_lines(path)]
        assert len(secrets) > 10 and all(len(secret) >= 16 for secret in secrets)
        written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink() and path not in keys]
        names = {path.name for path in written}
        assert {"lab.log", "plan.json", "outputs.json", "known_hosts"} <= names, names
        found = {str(path.relative_to(tmp_path)): leaks(path.read_text(errors="replace"), secrets) for path in written}
        found["what it said"] = leaks(said, secrets)
        assert {name: what for name, what in found.items() if what} == {}
