# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile program in an instance tries, as source that Python runs there with ``-c``: nothing of ours can be imported."""

from __future__ import annotations

CALLS = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(item) for item in arguments))
    return ctypes.get_errno() if result < 0 else 0
"""
"""Each attack begins with it: the errno of a system call, 0 where it succeeds."""

REFUSED = CALLS + "print(json.dumps([call(number, -1, 0, 0, 0, 0, 0) for number in json.loads(sys.argv[1])]))\n"
"""Calls by number; the arguments are such that a kernel which gets them answers something else than EPERM, or does nothing."""

FAMILIES = """
import json, socket
refused = {}
for family in range(64):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
            refused[family] = 0
        except OSError as error:
            refused.setdefault(family, error.errno)
print(json.dumps([family for family, number in refused.items() if number != 97]))
"""
"""Families of sockets that are not refused as such (97 is EAFNOSUPPORT)."""

NETLINK = """
import json, socket
def has(protocol):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).close()
    except OSError as error:
        return error.errno != 93
    return True
print(json.dumps([protocol for protocol in range(32) if has(protocol)]))
"""

NAMESPACES = (
    CALLS
    + """
import os
clone, unshare = json.loads(sys.argv[1])
kinds = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
def cloned(flags):
    result = libc.syscall(ctypes.c_long(clone), ctypes.c_long(flags | 17), 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    return ctypes.get_errno() if result < 0 else 0
def unshared(flags):
    child = os.fork()
    if child == 0:
        os._exit(call(unshare, flags))
    return os.waitpid(child, 0)[1] >> 8
user = kinds["user"]
print(json.dumps({name: [cloned(flag), cloned(flag | user), unshared(flag), unshared(flag | user)] for name, flag in kinds.items()}))
"""
)
"""By kind of namespace: errno of clone and of unshare, alone and together with a user namespace."""

FOREIGN = """
import ctypes, mmap, os, sys
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# mov eax, 20 (getpid of i386); int 0x80; ret
code.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
libc = ctypes.CDLL(None, use_errno=True)
print(function() == os.getpid(), libc.syscall(0x40000000 + 39), ctypes.get_errno())
"""
"""On x86_64: whether a call by i386's way is made, and what x32's getpid says."""

KEYRING = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
ring, keyctl = int(sys.argv[1]), int(sys.argv[2])
print(libc.syscall(keyctl, 8, ring, -3), ctypes.get_errno())
content = ctypes.create_string_buffer(400)
size = libc.syscall(keyctl, 11, ring, content, 400)
for start in range(0, max(size, 0), 4):
    key = int.from_bytes(content.raw[start:start + 4], sys.byteorder)
    secret = ctypes.create_string_buffer(400)
    length = libc.syscall(keyctl, 11, key, secret, 400)
    print(secret.raw[:max(length, 0)])
"""
"""Link a keyring of the user, known by its number, to our own, and read what is in it."""

ORDINARY = """
import multiprocessing, threading, tempfile, os, subprocess, socket, mmap, shutil
def work(value):
    return value * 2
if __name__ == "__main__":
    threads = [threading.Thread(target=work, args=(1,)) for _number in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, [1, 2]) == [2, 4]
    assert multiprocessing.Semaphore(1).acquire()
    one, other = socket.socketpair()
    one.send(b"x")
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(folder + "/fifo")
        os.symlink("fifo", folder + "/link")
    with open("/proc/meminfo") as meminfo, open("/proc/stat") as stat, open("/proc/cpuinfo") as cpuinfo:
        assert meminfo.read() and stat.read() and cpuinfo.read()
    handle = os.memfd_create("x")
    os.ftruncate(handle, 4096)
    mmap.mmap(handle, 4096)
    assert subprocess.run(["true"]).returncode == 0
    print("done")
"""
"""What ordinary programs do, all of which must go on working."""

RACE = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
own = set(os.listdir("/proc"))
seen, got = set(), set()
while time.monotonic() < end:
    for name in os.listdir("/proc"):
        if not name.isdigit() or name in own: continue
        seen.add(name)
        for part in ("environ", "mem", "maps", "auxv", "syscall", "stack"):
            try:
                with open(f"/proc/{name}/{part}", "r+b" if part == "mem" else "rb", buffering=0) as file:
                    text = b"" if part == "mem" else file.read(65536)
                    if part == "mem":
                        with open(f"/proc/{name}/cmdline", "rb") as line: text = line.read()
                if b"ABOVE" in text or b"python" in text: got.add(part)
            except OSError: pass
        for part in ("exe", "cwd", "root"):
            try:
                target = os.readlink(f"/proc/{name}/{part}")
                if "python" in target: got.add(part + target)
            except OSError: pass
        try:
            for number in os.listdir(f"/proc/{name}/fd"):
                target = os.readlink(f"/proc/{name}/fd/{number}")
                if not target.startswith(("/dev/null", "pipe:", "/proc", "socket:", "/lib", "/usr", "/etc", "/.image")): got.add(target)
        except OSError: pass
print(len(seen) > 0, sorted(got))
"""
"""Look into each new process before it has become what it is to be: the copy of the lab's, from which it comes."""
