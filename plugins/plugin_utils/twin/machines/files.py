# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files of an instance's own: who is who, names, shells' start files, sudo. Pure texts; paths are those inside an instance."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Only the daemon's side has machines; whoever forks instances is to stay small.
    from ..seams import Machine

USER_ID = 1000
"""Number of the image's usual user, and of its group."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "/.image"
"""What all instances share, read-only."""
BECOME = f"{IMAGE}/bin/become"
"""A set-user-ID copy of setpriv, where an instance's root is another id than its user's."""
BOOT_SCRIPT = "/var/lib/cloud/instance/boot"
USER_DATA = "/var/lib/cloud/instance/user-data.txt"

FOLDERS = (
    *("home", "opt", "srv", "mnt", "media", "sys", "boot", "etc/ssh", "etc/profile.d", "etc/sudoers.d"),
    *("var/log", "var/lib/cloud/instance/scripts", "var/cache", "var/spool/mail", "var/local", "var/opt"),
)
"""Folders of a new disk, 0755."""

HOST_FILES = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl", "pki", "crypto-policies"),
    *("ca-certificates", "ca-certificates.conf"),
    *("services", "protocols", "rpc", "ethertypes", "networks", "gai.conf", "host.conf", "iproute2", "netconfig", "xattr.conf"),
    *("os-release", "system-release", "redhat-release", "debian_version", "lsb-release", "alpine-release"),
    *("mime.types", "magic", "magic.mime", "inputrc", "terminfo", "DIR_COLORS", "login.defs", "manpath.config", "vimrc", "vim", "nanorc"),
)
"""Of the host's /etc, what programs under /usr need and what tells nothing of the host's people; ``python3*`` besides."""


def etc(machine: Machine) -> dict[str, str]:
    """Files of a new disk's /etc by path below it; those that each boot writes anew are in ``boot_files``."""
    user = machine.user
    home = home_of(user)
    people = f"root:x:0:0:root:/root:/bin/bash\n{user}:x:{USER_ID}:{USER_ID}:EC2 Default User:{home}:/bin/bash\n"
    groups = f"root:x:0:\ntty:x:5:\nadm:x:4:{user}\nwheel:x:10:{user}\nmail:x:8:\n{user}:x:{USER_ID}:\nnobody:x:65534:\n"
    return {
        "passwd": people + "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
        "group": groups,
        "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
        "services: files\nprotocols: files\nrpc: files\nethers: files\n",
        "profile": _PROFILE,
        "bashrc": _BASHRC,
        "shells": "/bin/sh\n/bin/bash\n",
        "sudoers.d/90-cloud-init-users": f"{user} ALL=(ALL) NOPASSWD:ALL\n",
        "ssh/ssh_config": "Host *\n    SendEnv LANG LC_*\n",
        "machine-id": sha256(machine.id.encode()).hexdigest()[:32] + "\n",
        "motd": "",
        "timezone": "UTC\n",
    }


def boot_files(machine: Machine) -> dict[str, str]:
    """Files of /etc that each boot writes anew."""
    full = f"{machine.hostname}.{machine.search}" if machine.search else machine.hostname
    own = f"{machine.address} {full} {machine.hostname}\n" if machine.address else ""
    return {
        "hostname": f"{full}\n",
        "hosts": "127.0.0.1 localhost localhost.localdomain\n::1 localhost6 localhost6.localdomain6\n"
        + own
        + "".join(f"{line}\n" for line in machine.hosts),
        "resolv.conf": (f"search {machine.search}\n" if machine.search else "")
        + "".join(f"nameserver {server}\n" for server in machine.resolvers)
        + "options timeout:2 attempts:5\n",
    }


def home_files(machine: Machine) -> dict[str, str]:
    """Files of a new home by path below it: what EC2 puts there."""
    files = {".bash_profile": "[ -f ~/.bashrc ] && . ~/.bashrc\n", ".bashrc": "[ -f /etc/bashrc ] && . /etc/bashrc\n"}
    if machine.authorized:
        files[".ssh/authorized_keys"] = "".join(f"{key}\n" for key in machine.authorized)
    return files


def home_of(user: str) -> str:
    """The home of a user."""
    return "/root" if user == "root" else f"/home/{user}"


def environment(user: str) -> dict[str, str]:
    """What a login of that user has: nothing of the host's."""
    home = home_of(user)
    return {"HOME": home, "USER": user, "LOGNAME": user, "SHELL": "/bin/bash", "PATH": PATH, "LANG": "C.UTF-8"}


_PROFILE = f"""PATH={PATH}
export PATH
umask 022
for file in /etc/profile.d/*.sh; do
    [ -r "$file" ] && . "$file"
done
unset file
[ -n "$BASH_VERSION" ] && [ -r /etc/bashrc ] && . /etc/bashrc
:
"""

_BASHRC = r"""case $- in
*i*) PS1='[\u@\h \W]\$ ' ;;
esac
"""

SUDO = f"""#!/bin/sh
# sudo, as far as an instance needs it: everybody may, nobody is asked for a password.
me=$(id -u)
target=root
shell=
login=
keep=
folder=
fail() {{
    echo "sudo: $1" >&2
    exit 1
}}
while [ $# -gt 0 ]; do
    case $1 in
    --) shift; break ;;
    --user=*) target=${{1#*=}} ;;
    --user) target=$2; shift ;;
    --group=* | --prompt=* | --host=* | --close-from=*) ;;
    --group | --prompt | --host | --close-from) shift ;;
    --chdir=*) folder=${{1#*=}} ;;
    --chdir) folder=$2; shift ;;
    --login) login=1 ;;
    --shell) shell=1 ;;
    --preserve-env*) keep=1 ;;
    --version) echo "sudo of the instance"; exit 0 ;;
    --list | --validate | --remove-timestamp | --reset-timestamp) exit 0 ;;
    --*) ;;
    -?*)
        letters=${{1#-}}
        while [ -n "$letters" ]; do
            rest=${{letters#?}}
            letter=${{letters%"$rest"}}
            letters=$rest
            case $letter in
            u | g | p | C | D | R | T | U | h | r | t)
                value=$letters
                letters=
                if [ -z "$value" ]; then
                    [ $# -gt 1 ] || fail "option -$letter needs a value"
                    value=$2
                    shift
                fi
                case $letter in
                u) target=$value ;;
                D) folder=$value ;;
                esac
                ;;
            i) login=1 ;;
            s) shell=1 ;;
            E) keep=1 ;;
            l | v | k | K) [ $# -gt 1 ] && [ "$letter" = k ] || exit 0 ;;
            V) echo "sudo of the instance"; exit 0 ;;
            b | n | H | S | A | B | P | N) ;;
            *) fail "option -$letter is not known" ;;
            esac
        done
        ;;
    [A-Za-z_]*=*) export "$1" ;;
    *) break ;;
    esac
    shift
done
case $target in
\\#*) line=$(getent passwd "${{target#?}}") ;;
*) line=$(getent passwd "$target") ;;
esac
[ -n "$line" ] || fail "unknown user $target"
IFS=: read -r name _word uid gid _gecos home program <<END
$line
END
SUDO_USER=$(id -un) SUDO_UID=$me SUDO_GID=$(id -g)
export SUDO_USER SUDO_UID SUDO_GID
[ -n "$keep" ] || PATH={PATH}
HOME=$home USER=$name LOGNAME=$name SHELL=$program
export PATH HOME USER LOGNAME SHELL
if [ -n "$login" ]; then
    if [ $# -gt 0 ]; then
        set -- "$program" -l -c 'exec "$@"' "$program" "$@"
    else
        set -- "$program" -l
    fi
    folder=$home
elif [ -n "$shell" ]; then
    if [ $# -gt 0 ]; then
        set -- "$program" -c 'exec "$@"' "$program" "$@"
    else
        set -- "$program"
    fi
elif [ $# -eq 0 ]; then
    fail "usage: sudo [-u user] command"
fi
# Only the one that we become may be able to enter it.
[ -z "$folder" ] || set -- /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
[ "$uid" = "$me" ] && exec "$@"
if [ -u {BECOME} ]; then
    groups=--init-groups
    [ "$uid" = 0 ] && groups=--clear-groups
    [ "$me" = 0 ] && exec setpriv --reuid "$uid" --regid "$gid" "$groups" -- "$@"
    exec {BECOME} --reuid "$uid" --regid "$gid" "$groups" -- "$@"
fi
[ "$uid" = 0 ] && exec unshare --user --map-root-user -- "$@"
exec unshare --user --map-user="$uid" --map-group="$gid" -- "$@"
"""
"""/usr/local/bin/sudo: with ids of its own the instance has a set-user-ID helper; with one id for all, another name for it must do."""
