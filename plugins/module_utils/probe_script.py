# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that probes are on an instance, and what they print.

One POSIX shell script holds all probes of one source, runs them at the same time, and prints a line for each:
``MARK {"id":0,"seen":"reachable","ms":12,"value":"0.41","detail":"…"}``, and at its end ``MARK end``. The mark is new for each script,
so that nothing else that an instance prints is taken for an answer. It uses ping, getent, curl and python3; bash stands in for python3.
Systems Manager replaces two opening braces in a row, so there are none.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REACHABLE, REFUSED, BLOCKED, ERROR = "reachable", "refused", "blocked", "error"
SEEN = (REACHABLE, REFUSED, BLOCKED, ERROR)
KINDS = ("ping", "tcp", "udp", "http", "dns", "mtu")
#: The smallest packet that a path must carry whole: https://www.rfc-editor.org/rfc/rfc791, https://www.rfc-editor.org/rfc/rfc8200
LEAST = {4: 576, 6: 1280}
#: The largest that AWS carries: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html
MOST = 9001

_ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_%-]{0,254}")
_URL = re.compile(r"https?://[!#-&(-;=?-~]{1,1000}")

_SOCKETS = r"""
import socket, sys
kind, host, port, count, wait = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
def tell(seen, value="", detail=""):
    print(seen + "|" + value + "|" + detail)
    sys.exit(0)
type = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
try:
    family, type, number, name, where = socket.getaddrinfo(host, port, 0, type)[0]
except OSError as error:
    tell("error", "", "%s does not resolve: %s" % (host, error))
end = socket.socket(family, type)
end.settimeout(wait)
try:
    end.connect(where)
    if kind == "tcp":
        tell("reachable", where[0])
    end.settimeout(wait / count)
    for number in range(count):
        end.send(b"cloudnet probe\n")
        try:
            end.recv(2048)
            tell("reachable", where[0])
        except socket.timeout:
            pass
    tell("blocked", "", "no answer in %g s; who listens and stays silent looks the same" % wait)
except socket.timeout:
    tell("blocked", "", "no answer in %g s" % wait)
except ConnectionRefusedError:
    tell("refused", where[0], "nobody listens" if kind == "tcp" else "port unreachable")
except (TimeoutError, ConnectionError) as error:
    tell("blocked", "", error.strerror or str(error))
except OSError as error:
    tell("blocked" if "unreachable" in str(error) or "No route" in str(error) else "error", "", error.strerror or str(error))
"""

_LISTENER = r"""
import os, select, socket, sys, time
mark, wait, ports = sys.argv[1], float(sys.argv[2]), [int(port) for port in sys.argv[3:]]
ends, notes = [], []
for port in ports:
    for family, name in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            end = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            end.bind((name, port))
            ends.append(end)
        except OSError as error:
            if family == socket.AF_INET:
                notes.append("%d: %s" % (port, error.strerror))
if ends and os.fork() == 0:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    until = time.time() + wait
    while time.time() < until:
        for end in select.select(ends, [], [], max(0.0, until - time.time()))[0]:
            try:
                data, peer = end.recvfrom(2048)
                end.sendto(data, peer)
            except OSError:
                pass
    os._exit(0)
print(mark + " " + "; ".join(notes))
sys.stdout.flush()
os._exit(0)
"""

_FUNCTIONS = r"""
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
have() { command -v "$1" >/dev/null 2>&1; }
clock() {
  t=$(date +%s%3N 2>/dev/null)
  case $t in *[!0-9]*|'') t=$(date +%s)000 ;; esac
  echo "$t"
}
plain() { printf '%s' "$1" | tr '\n\r\t"\\' '     ' | tr -cd ' -~' | cut -c 1-160; }
say() { # id begin seen value detail
  printf '%s {"id":%s,"seen":"%s","ms":%s,"value":"%s","detail":"%s"}\n' \
    "$MARK" "$1" "$3" "$(($(clock) - $2))" "$(plain "$4")" "$(plain "$5")"
}
last() { printf '%s\n' "$1" | grep . | tail -n 1; }
probe_ping() { # id address count timeout
  s=$(clock)
  have ping || { say "$1" "$s" error '' 'ping is not installed there'; return; }
  out=$(ping -n -c "$3" -i 0.2 -W "$4" "$2" 2>&1 </dev/null)
  code=$?
  rtt=$(printf '%s\n' "$out" | sed -n 's/.*time[=<]\([0-9.]*\) *ms.*/\1/p' | head -n 1)
  case $code$out in
    0*) say "$1" "$s" reachable "$rtt" "$(printf '%s\n' "$out" | grep ' received')" ;;
    1*|*' received'*) if [ -n "$rtt" ]; then say "$1" "$s" reachable "$rtt" "$(printf '%s\n' "$out" | grep ' received')"
      else say "$1" "$s" blocked '' "$(printf '%s\n' "$out" | grep -i unreachable | head -n 1 | grep . || echo "no answer in $4 s")"; fi ;;
    *unreachable*) say "$1" "$s" blocked '' "$(last "$out")" ;;
    *) say "$1" "$s" error '' "$(last "$out")" ;;
  esac
}
probe_socket() { # id kind address port count timeout
  s=$(clock)
  if have python3; then
    out=$(python3 -c "$SOCKETS" "$2" "$3" "$4" "$5" "$6" 2>&1 </dev/null)
    out=$(last "$out")
    case $out in
      reachable\|*|refused\|*|blocked\|*|error\|*)
        rest=${out#*|}
        say "$1" "$s" "${out%%|*}" "${rest%%|*}" "${rest#*|}" ;;
      *) say "$1" "$s" error '' "$out" ;;
    esac
    return
  fi
  have bash && have timeout || { say "$1" "$s" error '' 'neither python3 nor bash is installed there'; return; }
  if [ "$2" = tcp ]; then
    out=$(timeout "$6" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$3" "$4" 2>&1 </dev/null)
  else
    out=$(timeout "$6" bash -c 'exec 3<>"/dev/udp/$0/$1"; while :; do echo cloudnet probe >&3 || exit 1
      read -r -t "$2" -u 3 x && exit 0; [ $? -gt 128 ] || exit 1; done' "$3" "$4" 1 2>&1 </dev/null)
  fi
  code=$?
  case $code$out in
    0*) say "$1" "$s" reachable "$3" '' ;;
    124*) say "$1" "$s" blocked '' "no answer in $6 s" ;;
    *refused*) say "$1" "$s" refused "$3" 'nobody listens' ;;
    *nreachable*|*'No route'*|*'timed out'*) say "$1" "$s" blocked '' "$(last "$out")" ;;
    *) say "$1" "$s" error '' "$(last "$out")" ;;
  esac
}
probe_http() { # id url timeout
  s=$(clock)
  have curl || { say "$1" "$s" error '' 'curl is not installed there'; return; }
  out=$(curl -gsSv -o /dev/null -m "$3" --noproxy '*' -w '\nseen %{http_code} %{remote_ip}\n' "$2" 2>&1 </dev/null)
  code=$?
  error=$(printf '%s\n' "$out" | grep '^curl:' | head -n 1)
  case $code in
    0) say "$1" "$s" reachable "$(printf '%s\n' "$out" | sed -n 's/^seen //p')" '' ;;
    28) say "$1" "$s" blocked '' "no answer in $3 s" ;;
    35|51|52|56|60) say "$1" "$s" reachable '' "$error" ;;
    7) case $out in *refused*) say "$1" "$s" refused '' 'nobody listens' ;; *) say "$1" "$s" blocked '' "$error" ;; esac ;;
    *) say "$1" "$s" error '' "$error" ;;
  esac
}
probe_dns() { # id name timeout
  s=$(clock)
  have getent && have timeout || { say "$1" "$s" error '' 'getent and timeout are not installed there'; return; }
  out=$(timeout "$3" getent ahosts "$2" 2>&1 </dev/null)
  code=$?
  case $code in
    0) say "$1" "$s" reachable "$(printf '%s\n' "$out" | sed 's/ .*//' | sort -u | tr '\n' ' ')" '' ;;
    2) say "$1" "$s" blocked '' 'the resolver knows no such name' ;;
    124) say "$1" "$s" blocked '' "the resolver did not answer in $3 s" ;;
    *) say "$1" "$s" error '' "$(last "$out")" ;;
  esac
}
whole() { # address bytes overhead timeout; leaves what a router says that it takes
  hint=''
  out=$(ping -n -M do -c 1 -W "$4" -s "$(($2 - $3))" "$1" 2>&1 </dev/null) && return 0
  hint=$(printf '%s\n' "$out" | sed -n 's/.*mtu *= *\([0-9][0-9]*\).*/\1/p' | head -n 1)
  return 1
}
probe_mtu() { # id address least most overhead timeout
  s=$(clock)
  have ping || { say "$1" "$s" error '' 'ping is not installed there'; return; }
  if ! whole "$2" "$3" "$5" "$6"; then
    case $out in
      *'not known'*|*'not permitted'*|*'nvalid'*|*'nrecognized'*) say "$1" "$s" error '' "$(last "$out")" ;;
      *) say "$1" "$s" blocked "$hint" "no answer to a packet of $3 bytes" ;;
    esac
    return
  fi
  low=$3 high=$(($4 + 1)) size=$4
  while [ $((low + 1)) -lt "$high" ]; do
    if whole "$2" "$size" "$5" 1; then
      low=$size
      [ "$low" != "$told" ] || break
    else
      high=$size
    fi
    told=$hint
    if [ -n "$hint" ] && [ "$hint" -gt "$low" ] && [ "$hint" -lt "$high" ]; then size=$hint; else size=$(((low + high) / 2)); fi
  done
  say "$1" "$s" reachable "$low" "a packet of $low bytes gets through whole"
}
"""


@dataclass(frozen=True)
class Ask:
    """One question of a script. ``target``: an address or a name; for http a URL. ``size``: bytes, of an mtu probe that tries only these.

    ``timeout``: whole seconds to wait for an answer. ``count``: pings, or datagrams, to send at most.
    """

    kind: str
    target: str
    port: int = 0
    timeout: int = 3
    count: int = 2
    size: int = 0

    def fault(self) -> str:
        """What is wrong with it, for people; empty when nothing is."""
        if self.kind not in KINDS:
            return f"kind is {self.kind!r}, but must be one of {', '.join(KINDS)}"
        if self.kind == "http":
            return "" if _URL.fullmatch(self.target) else f"{self.target!r} is no URL: http://… or https://…, without quotes and spaces"
        if not _ADDRESS.fullmatch(self.target):
            return f"{self.target!r} is neither an address nor a host's name"
        if self.kind in ("tcp", "udp") and not 1 <= self.port <= 65535:
            return f"port is {self.port}, but must be one of 1 to 65535"
        if not (1 <= self.timeout <= 300 and 1 <= self.count <= 100):
            return "timeout must be 1 to 300 seconds, and count 1 to 100"
        least = LEAST[self.family]
        if self.size and not least <= self.size <= 65535:
            return f"size is {self.size} bytes, but must be {least} to 65535"
        return ""

    @property
    def family(self) -> int:
        """That of the target, where it is an address."""
        return 6 if ":" in self.target else 4

    @property
    def seconds(self) -> float:
        """How long it may take at most."""
        more = {"ping": 0.2 * self.count, "mtu": 15.0}
        return self.timeout + more.get(self.kind, 0.0)

    def line(self, number: int) -> str:
        """The shell line that asks it."""
        tail: tuple[object, ...] = (self.timeout,)
        if self.kind == "ping":
            tail = (self.target, self.count, self.timeout)
        elif self.kind == "mtu":
            overhead = 28 if self.family == 4 else 48
            least, most = (self.size, self.size) if self.size else (LEAST[self.family], MOST)
            tail = (self.target, least, most, overhead, self.timeout)
        elif self.kind in ("tcp", "udp"):
            return _line("probe_socket", number, self.kind, self.target, self.port, self.count, self.timeout)
        else:
            tail = (self.target, self.timeout)
        return _line(f"probe_{self.kind}", number, *tail)


@dataclass(frozen=True)
class Answer:
    """What was seen. ``seen``: one of SEEN. ``value``: what the kind of probe measures. ``detail``: in words. ``seconds``: it took."""

    seen: str
    value: str = ""
    detail: str = ""
    seconds: float = 0.0


def _line(*words: object) -> str:
    return " ".join(shlex.quote(str(word)) for word in words) + " &"


def script(asks: Sequence[Ask], mark: str) -> str:
    """The script that asks all of them at once. ``mark``: letters and digits that nothing else prints."""
    variables = [f"MARK={shlex.quote(mark)}", f"SOCKETS={shlex.quote(_SOCKETS)}"]
    lines = [ask.line(number) for number, ask in enumerate(asks)]
    return "\n".join([*variables, _FUNCTIONS.strip(), *lines, "wait", 'echo "$MARK end"', ""])


def listener(ports: Iterable[int], seconds: float, mark: str) -> str:
    """A script that answers datagrams on ports for some seconds in the background, and prints ``MARK`` with what it could not do."""
    words = ["python3", "-c", _LISTENER, mark, f"{seconds:g}", *map(str, sorted(set(ports)))]
    return shlex.join(words) + " </dev/null\n"


def answers(text: str, mark: str, count: int) -> list[Answer]:
    """What a script of ``count`` questions printed, in their order. A line that is none of ours in every respect is an error of its probe,
    and so is one that is missing."""
    found: dict[int, Answer] = {}
    ended = False
    for line in text.splitlines():
        head, _space, rest = line.strip().partition(" ")
        if head != mark:
            continue
        if rest == "end":
            ended = True
            continue
        number, answer = _read(rest)
        if number in found or not 0 <= number < count:
            answer = Answer(ERROR, detail="the instance answered twice, or what was not asked")
        found[number] = answer
    silent = "the instance did not answer" if ended else "the script on the instance did not come to its end"
    return [found.get(number, Answer(ERROR, detail=silent)) for number in range(count)]


def _read(text: str) -> tuple[int, Answer]:
    try:
        told: Mapping[str, Any] = json.loads(text)
        shape = {key: type(value) for key, value in told.items()}
    except (ValueError, AttributeError):
        return -1, Answer(ERROR)
    if shape != {"id": int, "seen": str, "ms": int, "value": str, "detail": str}:
        return -1, Answer(ERROR)
    if told["seen"] not in SEEN:
        return told["id"], Answer(ERROR, detail="the instance answered with what is no answer")
    return told["id"], Answer(told["seen"], told["value"].strip(), told["detail"].strip(), max(0, told["ms"]) / 1000)


def measured(kind: str, answer: Answer) -> dict[str, Any]:
    """What a probe of a kind measured, by name: ``rtt_ms``, ``address``, ``code``, ``addresses``, ``mtu``; empty where it is not known."""
    words = answer.value.split()
    try:
        if kind == "ping" and words:
            return {"rtt_ms": float(words[0])}
        if kind == "mtu" and words:
            return {"mtu": int(words[0])}
        if kind == "http" and len(words) == 2:
            return {"code": int(words[0]), "address": words[1]}
    except ValueError:
        return {}
    if kind in ("tcp", "udp") and words:
        return {"address": words[0]}
    return {"addresses": words} if kind == "dns" and words else {}
