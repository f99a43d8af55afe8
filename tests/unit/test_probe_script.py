# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probes' script run for real, against this machine's loopback; and what of its output counts."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_script import Answer, Ask, answers, listener, measured, script

MARK = "cloudnet0123"
HERE = "127.0.0.1"


def run(asks: list[Ask], text: str = "") -> list[Answer]:
    assert [ask.fault() for ask in asks] == [""] * len(asks)
    done = subprocess.run(["sh", "-s"], input=text or script(asks, MARK), capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return answers(done.stdout, MARK, len(asks))


def free(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port on which nobody listens."""
    with closing(socket.socket(socket.AF_INET, kind)) as end:
        end.bind((HERE, 0))
        port: int = end.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def served() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(418)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((HERE, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent() -> Iterator[int]:
    """A UDP port on which somebody listens and says nothing."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as end:
        end.bind((HERE, 0))
        yield end.getsockname()[1]


needs_ping = pytest.mark.skipif(
    subprocess.run(["ping", "-c", "1", HERE], capture_output=True, check=False).returncode != 0 if shutil.which("ping") else True,
    reason="ping does not run here",
)


def test_what_is_there_and_what_is_not(served: int, silent: int) -> None:
    asks = [
        Ask("tcp", HERE, served),
        Ask("tcp", HERE, free()),
        Ask("udp", HERE, free(socket.SOCK_DGRAM)),
        Ask("udp", HERE, silent, timeout=1),
        Ask("http", f"http://{HERE}:{served}/x"),
        Ask("http", f"http://{HERE}:{free()}/"),
        Ask("dns", "localhost"),
        Ask("tcp", "name.invalid", 80),
    ]
    found = run(asks)
    assert [item.seen for item in found] == ["reachable", "refused", "refused", "blocked", "reachable", "refused", "reachable", "error"]
    assert measured("tcp", found[0]) == {"address": HERE}
    assert measured("http", found[4]) == {"code": 418, "address": HERE}
    assert {HERE, "::1"} & set(measured("dns", found[6])["addresses"])
    assert "stays silent" in found[3].detail and 1 <= found[3].seconds < 10 and "does not resolve" in found[7].detail


def test_bash_stands_in_for_python(served: int, silent: int) -> None:
    asks = [
        Ask("tcp", HERE, served),
        Ask("tcp", HERE, free()),
        Ask("udp", HERE, free(socket.SOCK_DGRAM)),
        Ask("udp", HERE, silent, timeout=2),
    ]
    text = script(asks, MARK)
    assert text.count("if have python3") == 1
    found = run(asks, text.replace("if have python3", "if false"))
    assert [item.seen for item in found] == ["reachable", "refused", "refused", "blocked"]


@needs_ping
def test_pings_and_the_path_mtu() -> None:
    found = run([Ask("ping", HERE), Ask("mtu", HERE), Ask("mtu", HERE, size=1500)])
    assert [item.seen for item in found] == ["reachable"] * 3
    assert 0 <= measured("ping", found[0])["rtt_ms"] < 1000 and "2 received" in found[0].detail
    assert measured("mtu", found[1]) == {"mtu": 9001} and measured("mtu", found[2]) == {"mtu": 1500}


def test_they_run_at_the_same_time(silent: int) -> None:
    found = run([Ask("udp", HERE, silent, timeout=2)] * 8)
    assert {item.seen for item in found} == {"blocked"} and max(item.seconds for item in found) < 8


def test_an_echo_answers_for_its_time(silent: int) -> None:
    port = free(socket.SOCK_DGRAM)
    started = subprocess.run(["sh", "-s"], input=listener([port, silent], 3, MARK), capture_output=True, text=True, timeout=20, check=True)
    # What is taken is told, and the rest is there when the script ends.
    assert started.stdout.startswith(f"{MARK} {silent}: ") and "in use" in started.stdout
    (found,) = run([Ask("udp", HERE, port)])
    assert found.seen == "reachable"


def line(**changes: object) -> str:
    told = {"id": 0, "seen": "reachable", "ms": 5, "value": "1.5", "detail": "", **changes}
    return f"{MARK} {json.dumps(told)}"


END = f"\n{MARK} end\n"


def test_only_marked_lines_count() -> None:
    text = f"Welcome\nreachable\n{line().replace(MARK, 'cloudnet9999')}\n{line(seen='blocked', value='', detail='no answer')}{END}"
    assert answers(text, MARK, 1) == [Answer("blocked", "", "no answer", 0.005)]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "the script on the instance did not come to its end"),
        (END, "the instance did not answer"),
        (line(id=1) + END, "the instance did not answer"),
        (line(seen="yes") + END, "what is no answer"),
        (line() + "\n" + line() + END, "twice"),
        (line(ms="5") + END, "the instance did not answer"),
        (line(id=True) + END, "the instance did not answer"),
        (line(more=1) + END, "the instance did not answer"),
        (f"{MARK} [1]{END}", "the instance did not answer"),
        (f"{MARK} {{{END}", "the instance did not answer"),
        (f"{MARK} null{END}", "the instance did not answer"),
    ],
)
def test_what_is_no_answer_is_an_error(text: str, detail: str) -> None:
    (found,) = answers(text, MARK, 1)
    assert found.seen == "error" and detail in found.detail


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        (Ask("ping", "10.0.0.1; reboot"), "neither an address nor a host's name"),
        (Ask("ping", "-f"), "neither"),
        (Ask("ping", "$(id)"), "neither"),
        (Ask("ping", ""), "neither"),
        (Ask("http", "file:///etc/passwd"), "no URL"),
        (Ask("http", "http://a/'$(id)'"), "no URL"),
        (Ask("http", "http://a/ -o x"), "no URL"),
        (Ask("tcp", "10.0.0.1"), "port is 0"),
        (Ask("tcp", "10.0.0.1", 65536), "port is 65536"),
        (Ask("sctp", "10.0.0.1", 1), "kind is 'sctp'"),
        (Ask("ping", "10.0.0.1", timeout=0), "timeout must be"),
        (Ask("mtu", "10.0.0.1", size=100), "size is 100 bytes"),
        (Ask("mtu", "3fff::1", size=1000), "must be 1280"),
    ],
)
def test_wrong_questions_are_refused(ask: Ask, fault: str) -> None:
    assert fault in ask.fault()


@pytest.mark.parametrize(
    "ask",
    [
        Ask("ping", "3fff:fff::1"),
        Ask("ping", "fe80::1%eth0"),
        Ask("tcp", "ip-10-0-1-5.ec2.internal", 22),
        Ask("http", "https://[3fff::1]:8443/a?b=c&d=%20e"),
        Ask("dns", "db.example.internal"),
    ],
)
def test_right_questions_are_taken(ask: Ask) -> None:
    assert ask.fault() == ""


def test_systems_manager_finds_nothing_to_replace() -> None:
    asks = [Ask("ping", HERE), Ask("http", "http://a/"), Ask("mtu", HERE)]
    assert "{{" not in script(asks, MARK) and "{{" not in listener([53], 5, MARK)
    assert len(script([Ask("tcp", "ip-10-0-1-5.ec2.internal", 65535)] * 60, MARK)) < 16_000
