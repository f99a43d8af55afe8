# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulator does at its start that the lab puts off, or lets it do once: most of the time until a lab is ready.

* moto reads the offerings of instance types of every Region, 60 files; here each is read when it is asked for.
* Botocore's model of EC2 (2.5 MB) is read once for the list of Regions and once more for the requests, and for each reading botocore
  first looks through the folders of all services; here one loader serves all, which looks only where it is told.
* Python's collector walks over what is being loaded again and again, and finds nothing: it waits until all is there.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OFFERINGS = "instance_type_offerings"


def replace(module: Any, name: str, value: Any) -> None:
    """Put something of ours in the emulator's place for it; an emulator without that place is another than the one pinned."""
    if not hasattr(module, name):
        raise RuntimeError(f"{module.__name__} has no {name}: the embedded lab is made for moto 5.2.5")
    setattr(module, name, value)


@contextmanager
def uncollected() -> Iterator[None]:
    """Load something large without the collector, which then leaves what was loaded alone for good."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


class _Services:
    """Stands for the list of services, and looks for one when asked for it instead of for all."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __contains__(self, name: object) -> bool:
        return any(os.path.isdir(os.path.join(folder, str(name))) for folder in self._loader.search_paths)

    def __iter__(self) -> Iterator[str]:
        return iter(())  # only botocore's message about a service that it does not know lists them


class _Offerings(dict[str, list[dict[str, Any]]]):
    """The offerings of one location type by Region, each read when first asked for."""

    def __init__(self, location: str, regions: set[str]) -> None:
        super().__init__()
        self._location = location
        self._regions = regions

    def __missing__(self, region: str) -> list[dict[str, Any]]:
        if region not in self._regions:
            raise KeyError(region)
        load: Any = importlib.import_module("moto.utilities.utils").load_resource
        found: list[dict[str, Any]] = load(f"ec2/resources/{_OFFERINGS}/{self._location}/{region}.json")
        self[region] = [{**offering, "LocationType": self._location} for offering in found]
        return self[region]

    def get(self, region: str, default: Any = None) -> Any:
        try:
            return self[region]
        except KeyError:
            return default


def import_emulator() -> None:
    """Import moto with its EC2, which takes half as long as moto alone would."""
    import botocore.session
    import moto.core.base_backend
    import moto.core.utils
    from moto.core.loaders import create_loader

    loader: Any = create_loader()
    loader.list_available_services = lambda _type: _Services(loader)
    core: Any = botocore.session.Session()
    core.register_component("data_loader", loader)
    boto: Any = sys.modules["boto3"]
    session = boto.Session(botocore_session=core)
    replace(moto.core.utils, "create_loader", lambda: loader)
    replace(moto.core.base_backend, "Session", lambda: session)
    session_class, listdir = boto.Session, os.listdir
    files: dict[str, set[str]] = {}

    def without_offerings(path: Any = ".") -> list[str]:
        folder = str(path)
        if os.path.basename(folder) != _OFFERINGS:
            return listdir(path)
        for location in listdir(folder):
            files[location] = {name.partition(".")[0] for name in listdir(os.path.join(folder, location))}
        return []

    system: Any = os
    boto.Session = lambda: session
    system.listdir = without_offerings
    try:
        types: Any = importlib.import_module("moto.ec2.models.instance_types")
    finally:
        boto.Session, system.listdir = session_class, listdir
    types.INSTANCE_TYPE_OFFERINGS.update({location: _Offerings(location, regions) for location, regions in files.items()})
