# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.keep: documents in a folder, on this host and on another, whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.cloudnet.vpc.plugins.action.keep import ActionModule, text_of, texts, write

FILES = {"plan.json": {"b": [1, "é"], "a": None}, "note.txt": "one\n"}
TEXTS = {"plan.json": '{\n    "a": null,\n    "b": [\n        1,\n        "é"\n    ]\n}\n', "note.txt": "one\n"}


class Elsewhere(ActionModule):
    """The plugin for a host behind a connection, which here is a shell; what it runs and copies is kept."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.copied: list[str] = []

    def _low_level_execute_command(self, cmd: str, **more: Any) -> dict[str, Any]:
        self.commands.append(cmd)
        ended = subprocess.run(["sh", "-c", cmd], capture_output=True, text=True, check=False)
        return {"rc": ended.returncode, "stdout": ended.stdout, "stderr": ended.stderr}

    def _transfer_data(self, remote_path: str, data: Any) -> str:
        self.copied.append(remote_path)
        Path(remote_path).write_text(data, encoding="utf-8")
        return remote_path


def held(folder: Path) -> dict[str, str]:
    """The files of a folder, hidden ones too, each of which all may read."""
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("there", [False, True])
def test_documents_are_written_and_replaced(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "it's a folder" / "new"
    plugin = Elsewhere()
    for _time in range(2):
        (plugin._there(str(folder), texts(FILES)) if there else plugin._here(folder, texts(FILES)))
        assert held(folder) == TEXTS
    assert all(Path(name).name.startswith(".") for name in plugin.copied)


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, there: bool) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below"
    plugin = Elsewhere()
    with pytest.raises(AnsibleActionFail, match=f"folder: {folder}.* cannot be written: .*[Nn]ot a directory"):
        plugin._there(str(folder), texts(FILES)) if there else plugin._here(folder, texts(FILES))


def test_what_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    write(tmp_path, "plan.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path, "plan.json", "\udc80")
    assert held(tmp_path) == {"plan.json": "old"}


def test_names_stay_in_the_folder() -> None:
    with pytest.raises(ValueError, match=r"files: \.\./up, a/b, \.hidden: give the name of a file"):
        texts({"../up": "", "fine.json": {}, "a/b": "", ".hidden": ""})


def test_a_text_is_written_as_it_is() -> None:
    assert text_of("as it is") == "as it is"


def test_from_ansible(tmp_path: Path) -> None:
    """Through Ansible itself, whose values are of its own types; nothing is written in check mode, and nothing is ever changed."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "cloudnet.vpc.keep"]
    command += [
        "-a",
        '{"folder": "' + str(tmp_path / "kept") + '", "files": {"plan.json": {"b": [1, "é"], "a": null}, "note.txt": "one\\n"}}',
    ]
    for words in (["--check"], []):
        assert not (tmp_path / "kept").exists()
        ended = subprocess.run(command + words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert '"changed": false' in ended.stdout
    assert held(tmp_path / "kept") == TEXTS
