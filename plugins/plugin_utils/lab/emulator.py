# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""moto in this process: started, kept small and quick, and asked one request at a time. Its files are never edited.

What is changed at run time, and why:

* ``method_names_from_class`` walks every method of a response class for each request, and an access key is looked for in
  every account: the first is cached, the second is answered by a header. Together they are most of moto's time for a call.
* Every object ever made stays in its class's ``instances_tracked``; only moto's own dashboard reads it. It is emptied as it grows.
* Its start is shortened: see startup.py.
* The EC2 backend makes a default VPC, and calls the first subnet of each zone a default one: see ``_lab_backend``.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import threading
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import unquote

from .calls import Refusal
from .startup import import_emulator, replace
from .wire import Arrival, Reply

try:
    from botocore.model import OperationNotFoundError
    from moto import backends as moto_backends
    from moto.core import model_instances
    from moto.core.base_backend import BackendDict
    from moto.core.request import Request
    from werkzeug.exceptions import HTTPException

    import_emulator()
    MOTO_ERROR: ImportError | None = None
except ImportError as _error:
    MOTO_ERROR = _error

_TRACKED_AT_MOST = 2000
_DIRECT = {
    "ec2": ("moto.ec2.responses", "EC2Response"),
    "sts": ("moto.sts.responses", "TokenResponse"),
    "iam": ("moto.iam.responses", "IamResponse"),
}
# boto3's name -> moto's.
_MOTO_NAMES = {"lambda": "awslambda", "service-quotas": "servicequotas"}


class _Placeholder:
    """Stands where moto expects a default VPC, in a Region that has none."""

    id = ""
    is_default = False
    cidr_block = ""


def _lab_backend(default_vpc: bool) -> type[Any]:
    from moto.ec2.models import EC2Backend

    class LabEC2Backend(EC2Backend):
        """EC2 of one account and Region, empty at first unless ``default_vpc``, and with default subnets only as AWS makes them."""

        def create_default_vpc(self) -> Any:
            if not default_vpc and not hasattr(self, "default_vpc"):
                return _Placeholder()
            self.default_vpc = vpc = super().create_default_vpc()
            # https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html: a gateway, and the main table's route to it.
            gateway = self.create_internet_gateway()
            self.attach_internet_gateway(gateway.id, vpc.id)
            table = next(item for item in self.route_tables.values() if item.vpc_id == vpc.id)
            self.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)
            return vpc

        def create_default_subnet(self, availability_zone: str) -> Any:
            """In the first /20 that is free; the emulator takes one that may be in use."""
            vpc = self.get_default_vpc()
            if vpc is None or availability_zone in self.get_default_subnets():
                return super().create_default_subnet(availability_zone)  # it knows how to refuse
            taken = [subnet.cidr for zone in self.subnets.values() for subnet in zone.values() if subnet.vpc_id == vpc.id]
            blocks = IPv4Network(vpc.cidr_block).subnets(new_prefix=20)
            block = next((item for item in blocks if not any(item.overlaps(other) for other in taken)), None)
            if block is None:
                raise Refusal("InsufficientFreeAddresses", f"The default VPC {vpc.id} has no free block for a default subnet.")
            subnet = self.create_subnet(vpc.id, str(block), availability_zone=availability_zone)
            subnet.default_for_az = subnet.map_public_ip_on_launch = True
            return subnet

        def create_subnet(self, vpc_id: str, *args: Any, **kwargs: Any) -> Any:
            subnet = super().create_subnet(vpc_id, *args, **kwargs)
            subnet.default_for_az = subnet.map_public_ip_on_launch = False
            return subnet

        def delete_vpc(self, vpc_id: str) -> Any:
            """The VPC's DHCP options stay, which the emulator removes with it."""
            vpc = self.vpcs.get(vpc_id)
            held = getattr(vpc, "dhcp_options", None)
            if vpc is not None:
                vpc.dhcp_options = None
            try:
                return super().delete_vpc(vpc_id)
            except Exception:
                if vpc is not None:
                    vpc.dhcp_options = held
                raise

    return LabEC2Backend


class Emulator:
    """The one moto of this process. ``ask`` is not safe against itself: the lab calls it under its lock."""

    def __init__(self, default_vpc: bool = False) -> None:
        if MOTO_ERROR is not None:
            raise RuntimeError(f"the embedded lab needs moto: {MOTO_ERROR}; pip install 'moto[ec2,server]==5.2.5'")
        self._apps: dict[str, Any] = {}
        self._apps_lock = threading.Lock()
        self._asked = 0
        self._methods = lru_cache(maxsize=None)(importlib.import_module("moto.core.utils").method_names_from_class)
        replace(importlib.import_module("moto.core.responses"), "method_names_from_class", self._methods)
        from moto.ec2.models import ec2_backends

        ec2_backends.backend = _lab_backend(default_vpc)

    def warm(self) -> None:
        """Import and load what the first EC2 and STS call would otherwise wait for."""
        from .wire import operation_model

        for service in _DIRECT:
            self._response_class(service)
        for action in ("DescribeVpcs", "CreateVpc"):
            operation_model("ec2", action)
        operation_model("sts", "GetCallerIdentity")

    def backend(self, service: str, account: str, region: str) -> Any:
        """moto's backend object; a global service's is the one of its partition."""
        dictionary = moto_backends.get_backend(_MOTO_NAMES.get(service, service))[account]  # type: ignore[call-overload]
        return dictionary[region] if region in dictionary.regions else dictionary["aws"]

    def reset(self) -> None:
        """Forget everything in every account and Region."""
        dictionaries: Any = BackendDict
        for dictionary in list(dictionaries._instances):
            if dictionary.service_name != "ec2":  # an EC2 backend's own reset only rebuilds what is dropped below, at 80 ms each
                for per_account in list(dictionary.values()):
                    per_account.reset()
            dictionary.clear()
        dictionaries._instances.clear()
        s3 = sys.modules.get("moto.s3.models")  # not there before S3 is first asked
        if s3 is not None:
            s3.s3_backends.bucket_accounts.clear()
        self._forget_tracked(0)

    def ask(self, arrival: Arrival) -> Reply:
        """moto's answer. Raises Refusal (UnsupportedOperation, InvalidAction) where moto has none, and lets its faults through."""
        self._asked += 1
        if self._asked % 500 == 0:
            self._forget_tracked(_TRACKED_AT_MOST)
        environ = _environ(arrival)
        direct = arrival.service in _DIRECT
        try:
            reply = self._ask_class(arrival.service, environ) if direct else self._ask_app(arrival, environ)
            if reply.status >= 400 and arrival.service == "route53" and reply.body[:1] == b"{":
                # Some of its errors come in the JSON of other services.
                told = json.loads(reply.body)
                raise Refusal(str(told.get("__type")), str(told.get("message")), reply.status)
            if reply.status >= 500:
                raise RuntimeError(f"moto answered {reply.status}: {reply.body[:500]!r}")
            return reply
        except NotImplementedError as error:
            raise unsupported(arrival) from error
        except OperationNotFoundError as error:
            raise Refusal("InvalidAction", f"The action {arrival.action} is not valid for this web service.") from error

    def implements(self, service: str, action: str) -> bool:
        """Whether moto has a method of its own for an action of a service with one response class."""
        from moto.core.utils import camelcase_to_underscores

        return camelcase_to_underscores(action) in self._methods(self._response_class(service))

    def _response_class(self, service: str) -> Any:
        module, name = _DIRECT[service]
        return getattr(__import__(module, fromlist=[name]), name)

    def _ask_class(self, service: str, environ: dict[str, Any]) -> Reply:
        request = Request(environ)
        request.from_wsgi_server = True
        try:
            status, headers, body = self._response_class(service).dispatch(request, request.raw_url, request.headers)
        except HTTPException as error:
            status, headers, body = error.code or 500, dict(error.get_headers()), error.get_body()
        raw = body.encode() if isinstance(body, str) else bytes(body or b"")
        return Reply(int(status), tuple((name, str(value)) for name, value in headers.items() if name.lower() != "status"), raw)

    def _ask_app(self, arrival: Arrival, environ: dict[str, Any]) -> Reply:
        app = self._app(arrival, environ)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return lambda _data: None

        chunks = app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started
        if status == 404 and b"<!doctype html>" in body[:200].lower():  # no route: moto knows the service and not the call
            raise unsupported(arrival)
        return Reply(status, tuple(headers), body)

    def _app(self, arrival: Arrival, environ: dict[str, Any]) -> Any:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        with self._apps_lock:
            dispatcher = self._apps.get("")
            if dispatcher is None:
                dispatcher = self._apps[""] = DomainDispatcherApplication(create_backend_app)
        host = dispatcher.infer_service_region_host(environ, arrival.path)
        if host is None or dispatcher.get_backend_for_host(host) is None:
            raise unsupported(arrival)
        try:
            return dispatcher.get_application(environ)
        except ImportError as error:  # a service of moto whose own dependencies are not installed
            raise unsupported(arrival) from error

    def _forget_tracked(self, at_most: int) -> None:
        for classes in model_instances.model_data.values():
            for tracked in classes.values():
                instances = getattr(tracked, "instances_tracked", None)
                if instances and len(instances) > at_most:
                    del instances[: len(instances) - at_most]


def unsupported(arrival: Arrival) -> Refusal:
    """What AWS says of a call that a service does not offer, with the call's name."""
    action = arrival.action or f"{arrival.method} {arrival.path}"
    return Refusal("UnsupportedOperation", f"{arrival.service or 'this service'}:{action} is not supported by the embedded lab.")


def own_limit(service: str, action: str, request_id: str) -> Refusal:
    """What is answered where the lab itself fails: not HTTP 500, which clients repeat for minutes, to meet the same fault again."""
    text = f"{service}:{action}: the embedded lab cannot carry out this request, and has undone it; its log tells more of {request_id}."
    return Refusal("UnsupportedOperation", text)


def _environ(arrival: Arrival) -> dict[str, Any]:
    """A WSGI environment for moto. The account goes in by header, which also overrules whatever the client may have sent."""
    headers = arrival.headers
    environ: dict[str, Any] = {
        "REQUEST_METHOD": arrival.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(arrival.path, "latin-1"),
        "RAW_URI": arrival.path + (f"?{arrival.query}" if arrival.query else ""),
        "REQUEST_URI": arrival.path + (f"?{arrival.query}" if arrival.query else ""),
        "QUERY_STRING": arrival.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(arrival.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(arrival.body)),
    }
    for name, value in headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding", "expect"):
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = arrival.account
    if "HTTP_AUTHORIZATION" not in environ:
        # Presigned: moto looks for the service in this header alone. The signature has been verified by now.
        scope = f"{arrival.access_key}/20260101/{arrival.region}/{arrival.signing_name}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    # moto believes a Region in the User-Agent before the one that is signed.
    environ.pop("HTTP_USER_AGENT", None)
    return environ
