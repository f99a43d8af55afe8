# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""User data as a shell script: what cloud-init would do, seen by running it in a folder of its own."""

from __future__ import annotations

import base64
import gzip
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.userdata import FOLDER, LOG, boot_script

#: Ten values, each of ten of the one before: as many as there are stars when it is written out.
BOMB = b"#cloud-config\na0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12))
BOMB += b"runcmd: [*a11]\n"


class Ran:
    """A run of the script, with the instance's folders in a temporary one."""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.folder = folder
        # In what is compressed, of which the time of day is a part, an @ is not ours.
        data = data if data.startswith(b"\x1f\x8b") else data.replace(b"@", str(folder).encode())
        self.script = boot_script(data, "ec2-user").decode("ascii")
        text = self.script.replace(FOLDER, f"{folder}/cloud").replace(LOG, f"{folder}/log").replace("/home/ec2-user", f"{folder}/home")
        done = subprocess.run(["/bin/sh"], input=text.encode(), capture_output=True, check=False, timeout=30)
        assert (done.stdout, done.stderr) == (b"", b"")
        self.log = (folder / "log").read_text(errors="replace")

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def mode(self, name: str) -> int:
        return (self.folder / name).stat().st_mode & 0o7777


def test_script(tmp_path: Path) -> None:
    ran = Ran(tmp_path, b"#!/bin/sh\necho said; echo complained >&2; pwd\nprintf '%s' 'a\"b$c' >@/made\n")
    assert ran.log == "said\ncomplained\n/\ncloud-init: finished\n"
    assert ran.read("made") == b'a"b$c'
    assert (tmp_path / "cloud" / "boot-finished").exists()
    assert ran.mode("cloud/scripts/part-001") == 0o700


def test_script_that_fails_is_told(tmp_path: Path) -> None:
    ran = Ran(tmp_path, b"#!/bin/sh\nexit 3\n")
    assert ran.log == f"cloud-init: {tmp_path}/cloud/scripts/part-001 ended with status 3\ncloud-init: finished\n"


def test_script_of_any_bytes(tmp_path: Path) -> None:
    ran = Ran(tmp_path, b"#!/bin/cat\n\xff\xfe end\r\n")
    assert ran.read("cloud/scripts/part-001") == b"#!/bin/cat\n\xff\xfe end\r\n"
    assert ran.script.isascii()


def test_cloud_config(tmp_path: Path) -> None:
    content = base64.b64encode(b"\x00binary").decode()
    packed = base64.b64encode(gzip.compress(b"packed")).decode()
    text = f"""#cloud-config
packages: [nginx]
bootcmd:
  - echo boot >>@/order
  - [sh, -c, "echo 'two  words' >>@/order; exit 1"]
  - cd /tmp && exit 1
write_files:
  - path: @/deep/er/file
    content: |
      it's "quoted" $HOME
    permissions: '0640'
  - {{path: @/octal, content: x, permissions: 0755}}
  - {{path: @/binary, content: {content}, encoding: b64}}
  - {{path: @/packed, content: {packed}, encoding: gz+b64}}
  - {{path: @/binary, content: more, append: true}}
  - {{content: nowhere}}
  - {{path: @/wrong, content: "%%%", encoding: gz}}
ssh_authorized_keys:
  - ssh-ed25519 AAAA it's mine
runcmd:
  - echo run >>@/order
  - [touch, "@/with space"]
  - folder=@
  - test -e @/octal && echo "$folder" >>@/order
"""
    ran = Ran(tmp_path, text.encode())
    assert ran.read("order").decode() == f"boot\ntwo  words\nrun\n{tmp_path}\n"
    assert ran.read("deep/er/file") == b'it\'s "quoted" $HOME\n'
    assert ran.mode("deep/er/file") == 0o640
    assert ran.mode("octal") == 0o755
    assert ran.read("binary") == b"\x00binarymore"
    assert ran.read("packed") == b"packed"
    assert (tmp_path / "with space").exists()
    assert not (tmp_path / "wrong").exists()
    assert ran.read("home/.ssh/authorized_keys") == b"ssh-ed25519 AAAA it's mine\n"
    assert ran.mode("home/.ssh/authorized_keys") == 0o600
    told = ran.log.splitlines()
    assert told[0] == "cloud-init: left out of cloud-config: packages"
    assert told[1] == "cloud-init: an entry of write_files is left out: it has no path"
    assert told[2].startswith(f"cloud-init: write_files {tmp_path}/wrong is left out: ")
    assert told[-1] == "cloud-init: finished"


def test_archive(tmp_path: Path) -> None:
    whole = MIMEMultipart()
    whole.attach(MIMEText("#cloud-config\nwrite_files: [{path: @/first, content: one}]\n", "cloud-config"))
    whole.attach(MIMEText("#!/bin/sh\ncat @/first >@/second; echo ' two' >>@/second\n", "x-shellscript"))
    whole.attach(MIMEText("runcmd: [cp @/second @/third]\n", "cloud-config"))
    ran = Ran(tmp_path, whole.as_bytes())
    assert ran.read("second") == b"one two\n"
    assert ran.read("third") == b"one two\n"


def test_compressed(tmp_path: Path) -> None:
    script = f"#!/bin/sh\necho there >{tmp_path}/made\n"
    ran = Ran(tmp_path, gzip.compress(script.encode()))
    assert ran.read("made") == b"there\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"#include\nhttps://example.com/x\n", "user data that begins with '#include' is left out"),
        (b"just words\n", "user data that begins with 'just words' is left out"),
        (b"#cloud-config\n- a\n", "cloud-config is left out: it is no mapping"),
        (b"#cloud-config\nruncmd: [a\n", "cloud-config is left out: while parsing a flow sequence"),
        (b"#cloud-config\nruncmd: echo\n", "runcmd is left out: it is no list"),
        (b"\x1f\x8bnot gzip", "the user data is compressed, and cannot be read"),
        (
            gzip.compress(b"#!/bin/sh\n", mtime=0)[:-9],
            "the user data is compressed, and cannot be read: its compressed data ends too early",
        ),
        (
            gzip.compress(bytes(17 << 20), mtime=0),
            "the user data is compressed, and cannot be read: it is more than 16 MiB once decompressed",
        ),
        (b"#cloud-config\nruncmd: " + b"[" * 20000, "cloud-config is left out: it is nested too deeply"),
        (BOMB, "cloud-config is left out: its aliases stand for too much"),
        (b"#cloud-config\nruncmd: &a [*a]\n", "cloud-config is left out: its aliases stand for too much"),
        (b"#cloud-config\n", "cloud-config is left out: it is no mapping"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    ran = Ran(tmp_path, data)
    assert ran.log.splitlines()[0].startswith(f"cloud-init: {told}")
    assert ran.log.splitlines()[-1] == "cloud-init: finished"


def test_what_is_compressed_has_room_once_and_not_for_each_part() -> None:
    large = base64.b64encode(gzip.compress(bytes(9 << 20))).decode()
    entries = "".join(f"- {{path: /f{number}, encoding: gz+b64, content: {large}}}\n" for number in range(8))
    script = boot_script(f"#cloud-config\nwrite_files:\n{entries}".encode(), "ec2-user")
    assert len(script) < 30 << 20
    assert script.count(b"is left out: it is more than 16 MiB once decompressed") == 7


def test_nothing_of_the_data_is_run_that_is_no_command(tmp_path: Path) -> None:
    """Keys, paths and notes are data, whatever they hold."""
    data = b"""#cloud-config
"x'; touch @/evil #": 1
ssh_authorized_keys: ["'; touch @/evil; '"]
write_files: [{path: "@/$(touch @/evil)'x", content: "$(touch @/evil)", permissions: "0644; touch @/evil"}]
"""
    ran = Ran(tmp_path, data)
    assert not (tmp_path / "evil").exists()
    assert ran.read("home/.ssh/authorized_keys") == f"'; touch {tmp_path}/evil; '\n".encode()
