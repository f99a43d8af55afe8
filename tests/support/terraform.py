# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform with its AWS provider, of this machine, against a lab: the configurations of ``tests/contract/terraform``.

Nothing is downloaded: the provider has to be in a filesystem mirror, unpacked
(https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGURATIONS = Path(__file__).parents[1] / "contract" / "terraform"
_PROVIDER = "registry.terraform.io/hashicorp/aws/5.*/*/terraform-provider-aws_*"
_USUAL = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_LASTED = re.compile(r"^(\S+): \w+ complete after (?:(\d+)m)?(\d+)s", re.MULTILINE)
_SECOND_ACCOUNT = "222222222222"


def mirror() -> Path | None:
    """The folder of a filesystem mirror that has the AWS provider 5: CLOUDNET_TERRAFORM_MIRROR, the usual ones, or one under /opt."""
    named = os.environ.get("CLOUDNET_TERRAFORM_MIRROR")
    places = [Path(named)] if named else [Path(place).expanduser() for place in _USUAL] + sorted(Path("/opt").glob("*"))
    return next((place for place in places if any(place.glob(_PROVIDER))), None)


def lacking() -> str:
    """What a run needs and this machine has not, in one line; "" where it has all."""
    if shutil.which("terraform") is None:
        return "terraform is not on PATH"
    if mirror() is None:
        return "no filesystem mirror with hashicorp/aws 5 was found: name its folder in CLOUDNET_TERRAFORM_MIRROR"
    return ""


@dataclass(frozen=True)
class Run:
    """How one command of Terraform ended. ``seconds`` of each resource that was made, changed or destroyed, as Terraform counts them."""

    code: int
    text: str
    seconds: dict[str, int] = field(default_factory=dict)

    def shown(self) -> str:
        """What to read when it failed: errors, or the difference that a plan shows."""
        lines = [line for line in self.text.splitlines() if not re.search(r": (Refreshing state|Reading|Still|Read complete)", line)]
        return "\n".join(lines[-250:])


class Terraform:
    """A folder with the configurations, initialised for two accounts of a lab (tests/support/lab.py)."""

    def __init__(self, folder: Path, lab: Any) -> None:
        self._folder = folder
        for source in sorted(CONFIGURATIONS.glob("*.tf")):
            shutil.copy(source, folder)
        lab.control.accounts(add=[_SECOND_ACCOUNT])
        keys = lab.keys
        profiles = {"main": "111111111111", "other": _SECOND_ACCOUNT}
        form = "[profile {}]\nregion = us-east-1\naws_access_key_id = {}\naws_secret_access_key = {}\n"
        (folder / "config").write_text("".join(form.format(name, *keys[account]) for name, account in profiles.items()))
        path = json.dumps(str(mirror()))
        (folder / "terraform.rc").write_text(f"provider_installation {{\n  filesystem_mirror {{ path = {path} }}\n}}\n")
        # Whose AWS settings these are must not matter: the provider would take keys, endpoints and certificates from them.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self._environment |= {
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
            "TF_IN_AUTOMATION": "1",
            "TF_VAR_config_file": str(folder / "config"),
            "TF_VAR_endpoint": lab.url,
        }
        started = self.run("init", "-input=false")
        if started.code:
            raise RuntimeError(started.text[-2000:])

    def run(self, *words: str) -> Run:
        """One command, its output without colours. ``plan`` ends with 2 where it has changes."""
        command = ["terraform", *words, "-no-color"]
        done = subprocess.run(command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        return Run(done.returncode, text, {name: int(minutes or 0) * 60 + int(rest) for name, minutes, rest in _LASTED.findall(text)})

    def apply(self, **variables: str) -> Run:
        return self.run("apply", "-auto-approve", "-input=false", *_options(variables))

    def plan(self, **variables: str) -> Run:
        return self.run("plan", "-detailed-exitcode", "-input=false", *_options(variables))

    def destroy(self, **variables: str) -> Run:
        return self.run("destroy", "-auto-approve", "-input=false", *_options(variables))


def _options(variables: dict[str, str]) -> list[str]:
    return [f"-var={name}={value}" for name, value in variables.items()]
