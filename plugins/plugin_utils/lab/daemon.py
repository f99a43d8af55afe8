# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's process: ``python -m …lab.daemon FOLDER PIPE``, started by lifecycle.py only.

It says ``ready`` on the pipe once it answers calls, or else why it does not, and closes it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from .record import Record, boot_id, forget, load, process_start, save, socket_folder, write_private
from .startup import uncollected


def main(arguments: list[str]) -> int:
    folder, pipe = Path(arguments[0]), int(arguments[1])
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    os.set_inheritable(pipe, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Of the server and the emulator's libraries, only what goes wrong is worth a line.
    for noisy in ("werkzeug", "botocore", "moto"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
        with uncollected():
            serve = _prepare(folder, options)
    except (OSError, ValueError, RuntimeError) as error:
        _say(pipe, str(error))
        return 1
    except BaseException as error:
        _say(pipe, f"{type(error).__name__}: {error}")
        raise
    _say(pipe, "ready")
    serve()
    return 0


def _say(pipe: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, text.encode()[:4000])
    os.close(pipe)


def _bind(make: Any, wanted: int, former: int) -> Any:
    """The wanted port, else the one that this lab had before, so that shells which were told of it go on working, else a free one."""
    if wanted:
        try:
            return make(wanted)
        except OSError as error:
            raise OSError(f"port {wanted} of 127.0.0.1 cannot be used: {error.strerror}; choose another, or 0 for a free one") from error
    if former:
        with contextlib.suppress(OSError):
            return make(former)
    return make(0)


def _prepare(folder: Path, options: dict[str, Any]) -> Any:
    """Everything up to the first call; returns what serves until the lab is stopped."""
    from .control_api import ControlApi
    from .core import Lab, Options
    from .plane.attach import attach
    from .server import LabServer

    twin = str(options.get("twin") or "auto")
    trial = threading.Thread(target=_try_namespaces, daemon=True)
    if twin != "off":
        trial.start()
    name, region = str(options["name"]), str(options.get("region") or "us-east-1")
    default_vpc = bool(options.get("default_vpc", False))
    lab = Lab(
        Options(
            accounts=tuple(options.get("accounts") or ()),
            region=region,
            latency_ms=options.get("latency_ms") or 0,
            quotas=options.get("quotas") or {},
            throttle=options.get("throttle") or "none",
            default_vpc=default_vpc,
            enforce_iam=bool(options.get("enforce_iam", False)),
            twin=twin,
            snapshot=str(options.get("snapshot") or ""),
        )
    )
    sockets = socket_folder(name)
    if twin != "off":
        trial.join()
    attach(lab, folder, sockets)
    token = secrets.token_urlsafe(32)
    ending = threading.Event()
    config, empty = folder / "config", folder / "credentials"

    def write_config() -> None:
        write_private(config, lab.accounts.config_text(server.url, region))

    about = {"name": name, "region": region, "default_vpc": default_vpc, "twin": lab.options.twin, "snapshot": lab.options.snapshot}
    control = ControlApi(lab, token, write_config, ending.set, about)
    server = _bind(lambda port: LabServer(lab, control, port), int(options.get("port") or 0), int(options.get("former_port") or 0))
    lab.emulator.warm()
    write_config()
    write_private(empty, "")
    record = Record(
        name=name,
        pid=os.getpid(),
        started=process_start(os.getpid()),
        boot_id=boot_id(),
        port=server.port,
        url=server.url,
        token=token,
        region=region,
        config_file=str(config),
        credentials_file=str(empty),
        log_file=str(folder / "lab.log"),
        socket_folder=str(sockets),
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    server.start()
    save(record, folder)
    # The first EC2 backend loads moto's images: not before the lab is ready, and not in the first call either.
    threading.Thread(target=_first_backend, args=(lab, region), daemon=True).start()

    def serve() -> None:
        ending.wait()
        server.shutdown()
        server.server_close()
        if lab.plane is not None:
            lab.plane.close()
        mine = load(folder)
        if mine is not None and mine.pid == record.pid and mine.started == record.started:
            forget(folder)

    return serve


def _try_namespaces() -> None:
    """Find out, while the emulator is loaded, whether there can be a data plane; the answer is kept where ``attach`` asks for it."""
    from ..twin.kernel.support import why_not

    why_not()


def _first_backend(lab: Any, region: str) -> None:
    with lab.lock:
        lab.backend("ec2", next(iter(lab.accounts.by_id)), region)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
