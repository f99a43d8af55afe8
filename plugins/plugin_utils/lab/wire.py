# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's wire protocols, both ways: requests into boto3's shape, answers and errors out of it.

Requests are decoded, and answers encoded, from botocore's own service models by the emulator's codecs
(``moto.core.parse``, ``moto.core.serialize``); errors are written here, so that they can be answered when nothing else works.
"""

from __future__ import annotations

import importlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from .calls import Refusal
from .ec2_xml import ec2_answer, xml_text

# The name in a signature's scope is not always boto3's name of the service, under which the fidelity layer registers.
_BOTO3_NAMES = {
    "elasticfilesystem": "efs",
    "elasticmapreduce": "emr",
    "email": "ses",
    "execute-api": "apigatewaymanagementapi",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_FORM = "application/x-www-form-urlencoded"


@dataclass
class Arrival:
    """One HTTP request as it came, and what is known of it before it is understood.

    ``headers`` have lower-case names. ``service`` is boto3's name; ``action`` is "" while unknown. ``access_key`` and ``token`` are ""
    when unsigned.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    service: str = ""
    signing_name: str = ""
    region: str = ""
    access_key: str = ""
    token: str = ""
    action: str = ""
    version: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    account: str = ""
    principal: str = ""
    form: dict[str, str] = field(default_factory=dict)
    uri_params: dict[str, Any] = field(default_factory=dict)

    @property
    def signed(self) -> bool:
        return bool(self.access_key)


@dataclass(frozen=True)
class Reply:
    """One HTTP answer. ``body`` is what goes over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 400


def read_arrival(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Arrival:
    """Find service, Region, access key and action of a request, from its signature, form, target header or path.

    Signature forms: header and presigned query of Signature Version 4
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html).
    """
    arrival = Arrival(method=method, path=path, query=query, headers=headers, body=body)
    values = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    if headers.get("content-type", "").startswith(_FORM):
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    arrival.form = values
    scope = ""
    authorization = headers.get("authorization", "")
    if "Credential=" in authorization:
        scope = authorization.split("Credential=", 1)[1].split(",", 1)[0].strip()
        arrival.token = headers.get("x-amz-security-token", "")
    elif "X-Amz-Credential" in values:
        scope = values["X-Amz-Credential"]
        arrival.token = values.get("X-Amz-Security-Token", "")
    parts = scope.rsplit("/", 4)
    if len(parts) == 5:
        arrival.access_key, _other, arrival.region, arrival.signing_name, _other = parts
    arrival.version = values.get("Version", "")
    arrival.service = _service_name(arrival, headers.get("x-amz-target", ""))
    arrival.action = values.get("Action", "") or headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    if not arrival.action:
        arrival.action, arrival.uri_params = _route(arrival)
    return arrival


#: Of the header and of a presigned query; what comes before the slash is the access key.
_CREDENTIAL = re.compile(r"Credential=([A-Za-z0-9_]{1,128})(?:/|%2[Ff])([^,;& ]{1,256})")
_ACTION = re.compile(r"(?:^|&)Action=([A-Za-z0-9]{1,64})(?:&|$)")
_REST_XML = frozenset({"cloudfront", "route53", "s3", "s3control"})


def read_claim(method: str, path: str, query: str, headers: Mapping[str, str]) -> Arrival:
    """Who a request says to be from, by its first lines alone: nothing is decoded, and no model is read."""
    arrival = Arrival(method=method, path=path, query=query, headers=headers, body=b"")
    found = _CREDENTIAL.search(headers.get("authorization", "")) or _CREDENTIAL.search(query)
    if found:
        scope = re.split("/|%2[Ff]", found[2])
        arrival.access_key = found[1]
        if len(scope) == 4 and all(re.fullmatch("[A-Za-z0-9-]{1,64}", part) for part in scope[1:3]):
            arrival.region, arrival.signing_name = scope[1], scope[2]
            arrival.service = _service_name(arrival, headers.get("x-amz-target", ""))
    return arrival


def claimed_action(arrival: Arrival, beginning: bytes) -> str:
    """The action that a request's target header, query or form names, by a look at its beginning; "" for none that could be one."""
    target = arrival.headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    found = _ACTION.search(arrival.query) or _ACTION.search(beginning.decode("latin-1"))
    name = target or (found[1] if found else "")
    return name if re.fullmatch("[A-Za-z0-9]{1,64}", name) else ""


def guessed_protocol(arrival: Arrival) -> str:
    """As ``protocol_of``, for an answer to who cannot be asked to wait for a model: by the name of the service and the kind of body."""
    if "x-amz-target" in arrival.headers:
        return "json"
    if arrival.service == "ec2":
        return "ec2"
    if arrival.service in _REST_XML:
        return "rest-xml"
    return "query" if not arrival.service or arrival.headers.get("content-type", "").startswith(_FORM) else "rest-json"


def _service_name(arrival: Arrival, target: str) -> str:
    name = arrival.signing_name.lower()
    if name == "elasticloadbalancing":
        return "elb" if arrival.version == "2012-06-01" else "elbv2"
    if name == "dynamodb" and target.startswith("DynamoDBStreams"):
        return "dynamodbstreams"
    if name == "s3" and arrival.path.startswith("/v20180820/"):
        return "s3control"
    return _BOTO3_NAMES.get(name, name)


def _route(arrival: Arrival) -> tuple[str, dict[str, Any]]:
    """The action of a REST request, which only its method and path tell; ("", {}) when no model or no action fits."""
    if not arrival.service or service_model(arrival.service) is None:
        return "", {}
    routing: Any = importlib.import_module("moto.core.routing")
    # Not by werkzeug's builder, which takes an encoded "?" of an object's key for the start of the query.
    environ = {
        "REQUEST_METHOD": arrival.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(arrival.path, "latin-1"),
        "QUERY_STRING": arrival.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in arrival.headers.items()},
    }
    request: Any = importlib.import_module("moto.core.request").Request(environ)
    try:
        operation, params = routing.get_service_router(arrival.service).match(request)
    except (routing.NotFound, NotImplementedError, ValueError, KeyError):
        return "", {}
    return str(operation.name), dict(params)


@lru_cache(maxsize=64)
def service_model(service: str) -> Any:
    """Botocore's model of a service, by boto3's name; None when there is none."""
    from botocore.exceptions import DataNotFoundError, UnknownServiceError
    from moto.core.utils import get_service_model

    try:
        return get_service_model(service)
    except (DataNotFoundError, UnknownServiceError):
        return None


def operation_model(service: str, action: str) -> Any:
    """Botocore's model of one action; None when the service has none of that name."""
    model = service_model(service)
    if model is None or action not in model.operation_names:
        return None
    return model.operation_model(action)


def protocol_of(arrival: Arrival) -> str:
    """``ec2``, ``query``, ``json``, ``rest-json`` or ``rest-xml``: what the client speaks, where a service takes several (SQS)."""
    model = service_model(arrival.service) if arrival.service else None
    if model is None:
        return "json" if "x-amz-target" in arrival.headers else "query"
    from moto.core.request import determine_request_protocol

    try:
        return str(determine_request_protocol(model, arrival.headers.get("content-type")))
    except NotImplementedError:
        return str(model.protocol)


def decode(arrival: Arrival, protocol: str) -> dict[str, Any]:
    """The parameters as boto3's caller gave them. Raises Refusal when they cannot be read."""
    from werkzeug.datastructures import MultiDict

    parse: Any = importlib.import_module("moto.core.parse")
    operation = operation_model(arrival.service, arrival.action)
    if operation is None:
        return {}
    try:
        parsed: dict[str, Any] = parse.PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": arrival.method,
                "values": MultiDict(arrival.form),
                "headers": _Headers(arrival.headers),
                "body": arrival.body,
                "url_path": arrival.path,
                "url_params": arrival.uri_params,
            }
        )
    except (parse.RequestParserError, ValueError, TypeError, AttributeError) as error:
        code = "InvalidParameterValue" if protocol in ("ec2", "query") else "SerializationException"
        raise Refusal(code, f"{arrival.action}: the request's parameters cannot be read: {error}") from error
    return parsed


class _Headers(dict[str, str]):
    """Header names in any case, which is how the models spell them."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@lru_cache(maxsize=16)
def _request_serializer(protocol: str) -> Any:
    from botocore.serialize import create_serializer

    return create_serializer(protocol, include_validation=False)


def reencode(arrival: Arrival, protocol: str, action: str, params: dict[str, Any]) -> Arrival:
    """The same request with other parameters (and perhaps another action), as boto3 would have sent it."""
    model = service_model(arrival.service)
    # botocore's own model: the emulator's subclass answers the same questions.
    request = _request_serializer(protocol).serialize_to_request(params, model.operation_model(action))
    body = request["body"]
    headers = {name: value for name, value in arrival.headers.items() if name not in ("content-length", "x-amz-target")}
    headers.update({name.lower(): str(value) for name, value in request["headers"].items()})
    if isinstance(body, dict):
        form = {name: str(value) for name, value in body.items()}
        body = urlencode(form)
        headers["content-type"] = f"{_FORM}; charset=utf-8"
    else:
        form = {name: str(value) for name, value in (request["query_string"] or {}).items()}
    raw = body.encode() if isinstance(body, str) else bytes(body or b"")
    headers["content-length"] = str(len(raw))
    return Arrival(
        method=request["method"],
        path=request["url_path"],
        query=urlencode(request["query_string"] or {}, doseq=True),
        headers=headers,
        body=raw,
        service=arrival.service,
        signing_name=arrival.signing_name,
        region=arrival.region,
        access_key=arrival.access_key,
        token=arrival.token,
        action=action,
        version=arrival.version,
        request_id=arrival.request_id,
        account=arrival.account,
        principal=arrival.principal,
        form=form,
    )


@lru_cache(maxsize=16)
def _response_parser(protocol: str) -> Any:
    from botocore.parsers import create_parser

    return create_parser(protocol)


def parse_reply(service: str, action: str, protocol: str, reply: Reply) -> dict[str, Any]:
    """An answer back into boto3's shape, without ``ResponseMetadata``; raises Refusal for an error answer."""
    operation = operation_model(service, action)
    headers = _Headers({name.lower(): value for name, value in reply.headers})
    shape = operation.output_shape if operation is not None else None
    parsed: dict[str, Any] = _response_parser(protocol).parse({"body": reply.body, "headers": headers, "status_code": reply.status}, shape)
    parsed.pop("ResponseMetadata", None)
    if not reply.ok:
        error = parsed.get("Error") or {}
        raise Refusal(str(error.get("Code") or "InternalError"), str(error.get("Message") or ""), reply.status)
    return parsed


def encode(arrival: Arrival, protocol: str, result: dict[str, Any]) -> Reply:
    """An answer in the protocol of the request."""
    from moto.core.serialize import SerializationContext, get_serializer_class

    operation = operation_model(arrival.service, arrival.action)
    if protocol == "ec2":
        headers = (("Content-Type", "text/xml;charset=UTF-8"), ("x-amzn-requestid", arrival.request_id))
        return Reply(200, headers, ec2_answer(operation, result, arrival.request_id))
    serializer = get_serializer_class(arrival.service, protocol)(operation, context=SerializationContext(arrival.request_id))
    answer = serializer.serialize(result)
    body = answer["body"]
    told = {**answer["headers"], "x-amzn-requestid": arrival.request_id}
    return Reply(answer["status_code"], tuple(told.items()), body.encode() if isinstance(body, str) else body)


def error_reply(arrival: Arrival, protocol: str, refusal: Refusal) -> Reply:
    """An error as the service's own protocol has it, such that every AWS SDK finds code and message."""
    code, message, request_id = xml_text(refusal.code), xml_text(refusal.message), arrival.request_id
    headers = [("x-amzn-requestid", request_id)]
    if protocol in ("json", "rest-json"):
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", refusal.code)]
        body = json.dumps({"__type": refusal.code, "message": refusal.message})
        return Reply(refusal.status, tuple(headers), body.encode())
    headers.append(("Content-Type", "text/xml;charset=UTF-8"))
    start = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if protocol == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>"
    elif arrival.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        fault = "Sender" if refusal.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Reply(refusal.status, tuple(headers), (start + body).encode())
