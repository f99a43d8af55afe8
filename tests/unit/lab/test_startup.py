# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab loads before it is ready, counted and not timed; and that what is put off is there when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import startup
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

_COLLECTIONS = Path(__file__).parents[3] / "playbooks" / "collections"

# The daemon's own steps up to the word "ready", in a process of its own.
_READY = """
import json, sys
import botocore.loaders
from botocore.loaders import JSONFileLoader, Loader
read, walked = [], []
real = JSONFileLoader._load_file
def load(self, path, open_method):
    found = real(self, path, open_method)
    if found is not None:
        read.append(path)
    return found
JSONFileLoader._load_file = load
walk = Loader.list_available_services
def services(self, type_name):
    walked.append(type_name)
    return walk(self, type_name)
Loader.list_available_services = services
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import daemon
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control_api import ControlApi
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Lab, Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.server import LabServer
lab = Lab(Options())
server = LabServer(lab, ControlApi(lab, "t", lambda: None, lambda: None), 0)
lab.emulator.warm()
server.server_close()
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
offerings = [len(found) for found in INSTANCE_TYPE_OFFERINGS.values()]
print(json.dumps({"modules": sorted(sys.modules), "read": read, "walked": walked, "offerings": offerings}))
"""


@pytest.fixture(scope="module")
def ready() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _READY], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(_COLLECTIONS), "PATH": ""}
    )
    return dict(json.loads(done.stdout))


def test_of_moto_only_what_every_lab_needs_is_there(ready: dict[str, Any]) -> None:
    services = {name.split(".")[1] for name in ready["modules"] if name.startswith("moto.") and name.endswith((".models", ".responses"))}
    assert services == {"core", "ec2", "iam", "moto_api", "sts"}


@pytest.mark.parametrize(
    "heavy", ["ansible", "flask", "jinja2", "jsonschema", "moto.moto_server.werkzeug_app", "moto.s3", "openapi_spec_validator"]
)
def test_nothing_heavy_that_the_lab_does_not_need_is_loaded(ready: dict[str, Any], heavy: str) -> None:
    assert heavy not in ready["modules"]


def test_each_model_is_read_once(ready: dict[str, Any]) -> None:
    read = ready["read"]
    assert sum("/ec2/" in path and "service-2.json" in path for path in read) == 1
    assert len(read) == len(set(read))
    assert ready["walked"] == []


def test_no_offerings_are_read(ready: dict[str, Any]) -> None:
    assert ready["offerings"] == [0, 0, 0]


def test_offerings_are_there_when_asked_for(lab: RunningLab) -> None:
    ec2 = lab.client("ec2", region="eu-west-1")
    found = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}]
    )
    assert {item["Location"] for item in found["InstanceTypeOfferings"]} == {"eu-west-1a", "eu-west-1b", "eu-west-1c"}
    assert {item["LocationType"] for item in found["InstanceTypeOfferings"]} == {"availability-zone"}
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    offerings = INSTANCE_TYPE_OFFERINGS["region"]
    assert offerings.get("mars-north-1", []) == []
    with pytest.raises(KeyError, match="mars-north-1"):
        offerings["mars-north-1"]


def test_every_region_is_there(ec2: Any) -> None:
    regions = {region["RegionName"] for region in ec2.describe_regions()["Regions"]}
    assert {"us-east-1", "eu-west-1", "ap-southeast-2", "sa-east-1"} <= regions
    assert len(regions) > 15


def test_an_emulator_that_is_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"moto 5\.2\.5"):
        startup.replace(startup, "no_such_place", 1)
