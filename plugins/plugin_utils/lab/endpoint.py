# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request from arrival to answer: who calls, what is asked, which faults strike, what the fidelity layer and the emulator say."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import characters, claims
from . import fidelity as _fidelity  # noqa: F401  (importing it registers the layer)
from . import sts as _sts  # noqa: F401
from .calls import AMENDMENTS, ANSWERS, CHECKS, Call, Refusal
from .core import LOG, Lab
from .counting import is_read
from .emulator import own_limit, unsupported
from .faults import Fault
from .fidelity.describing import select, selects
from .fidelity.tokens import recall
from .identity import Credential, denied, expired, missing_token, unknown_key
from .pacing import limit_exceeded
from .permissions import ENFORCED, refused
from .undo import Undo
from .wire import (
    Arrival,
    Reply,
    claimed_action,
    decode,
    encode,
    error_reply,
    guessed_protocol,
    operation_model,
    parse_reply,
    protocol_of,
    reencode,
    service_model,
)


class Dropped(Exception):
    """The connection is to be reset, with no answer."""


@dataclass(frozen=True)
class Endpoint:
    """Answers API requests for a lab. ``handle`` is called from many threads."""

    lab: Lab

    def knows(self, claim: Arrival) -> bool:
        """Whether a request names an access key of this lab; that it has its secret too is found out when all of it is there."""
        return claim.signed and self.lab.credentials.find(claim.access_key) is not None

    def refuse(self, claim: Arrival, beginning: bytes, gone: Callable[[], bool] = lambda: False) -> Reply:
        """The answer to who names none: as AWS words it, with nothing of the request decoded. Raises Dropped as ``handle`` does.

        ``beginning``: of the body, where a form tells its action, for the counts.
        """
        protocol = guessed_protocol(claim)
        service, action = claim.service or "unknown", claimed_action(claim, beginning) or claim.method
        self.lab.counts.add(service, action, "", claim.region)
        try:
            self._before(self.lab.faults.strike(service, action, ""), claim, protocol, gone)
            refusal = Refusal(*(unknown_key(claim.service, protocol) if claim.signed else missing_token(protocol)))
        except Refusal as struck:
            refusal = struck
        self.lab.counts.add_error(refusal.code)
        return error_reply(claim, protocol, refusal)

    def handle(self, arrival: Arrival, gone: Callable[[], bool] = lambda: False) -> Reply:
        """The answer to one request. Raises Dropped when a fault says so; ``gone()`` tells whether the client has left."""
        lab = self.lab
        if lab.latency:
            time.sleep(lab.latency)
        protocol = protocol_of(arrival)
        known = lab.credentials.find(arrival.access_key) if arrival.signed else None
        account = known.account if known else ""
        service, action = arrival.service or "unknown", arrival.action or arrival.method
        lab.counts.add(service, action, account, arrival.region)
        struck = lab.faults.strike(service, action, account)
        try:
            self._before(struck, arrival, protocol, gone)
            reply = self._answer(arrival, protocol, struck)
            lab.settle()
        except Refusal as refusal:
            reply = error_reply(arrival, protocol, refusal)
            lab.counts.add_error(refusal.code)
        except Dropped:
            raise
        except Exception:
            LOG.exception("%s:%s (request %s) failed in the lab itself", service, action, arrival.request_id)
            failure = own_limit(service, action, arrival.request_id)
            reply = error_reply(arrival, protocol, failure)
            lab.counts.add_error(failure.code)
        self._after(struck, gone)
        return reply

    def _before(self, struck: list[Fault], arrival: Arrival, protocol: str, gone: Callable[[], bool]) -> None:
        for fault in struck:
            if fault.kind not in ("reset_after", "hold_after", "not_found"):
                self.lab.counts.add_fault(fault.kind)
            if fault.kind == "reset_before":
                raise Dropped
            if fault.kind == "hold_before":
                self.lab.faults.hold(gone)
                if gone():
                    raise Dropped
            elif fault.kind == "throttle":
                raise (
                    limit_exceeded()
                    if protocol == "ec2"
                    else Refusal("Throttling" if protocol == "query" else "ThrottlingException", "Rate exceeded", 400)
                )
            elif fault.kind == "internal":
                raise Refusal("InternalError", "An internal error has occurred", 500)
            elif fault.kind == "unavailable":
                raise Refusal(
                    "Unavailable" if protocol == "ec2" else "ServiceUnavailable",
                    "The service is unavailable. Please try again shortly.",
                    503,
                )
            elif fault.kind == "expired":
                raise expired(arrival.service, protocol)

    def _after(self, struck: list[Fault], gone: Callable[[], bool]) -> None:
        for fault in struck:
            if fault.kind == "reset_after":
                self.lab.counts.add_fault(fault.kind)
                raise Dropped
            if fault.kind == "hold_after":
                self.lab.counts.add_fault(fault.kind)
                self.lab.faults.hold(gone)
                if gone():
                    raise Dropped

    def _answer(self, arrival: Arrival, protocol: str, struck: list[Fault]) -> Reply:
        lab = self.lab
        credential = lab.credentials.authenticate(arrival, protocol, lab.now())
        arrival.account, arrival.principal = credential.account, credential.principal
        model = service_model(arrival.service)
        if model is None:
            raise unsupported(arrival)
        if arrival.action and operation_model(arrival.service, arrival.action) is None:
            code = "InvalidAction" if protocol in ("ec2", "query") else "UnknownOperationException"
            raise Refusal(code, f"The action {arrival.action} is not valid for this web service.")
        characters.check(arrival, protocol)
        if any(fault.kind == "denied" for fault in struck):
            raise denied(arrival.service, protocol, arrival.action, credential.principal)
        if lab.enforce_iam:
            self._permit(arrival, protocol, credential)
        key = (arrival.service, arrival.action)
        call = Call(
            lab, arrival.service, arrival.action, credential.account, arrival.region, {}, credential.principal, credential.access_key
        )
        if not (claims.offered(*key) or key in CHECKS or key in ANSWERS):
            raise unsupported(arrival)
        decoded = key in ANSWERS or key in CHECKS or key in AMENDMENTS or selects(*key)
        decoded = decoded or (protocol == "ec2" and self._needs_params(arrival, struck))
        if decoded or arrival.service in claims.READ:
            call.params = decode(arrival, protocol)
            if protocol in ("ec2", "query"):
                claims.check_names(operation_model(*key), arrival.form)
            claims.check(*key, call.params)
            claims.check_required(arrival.service, operation_model(*key), call.params)
        if lab.throttle == "aws" and protocol == "ec2":
            lab.buckets.take(arrival.action, call.account, call.region, call.params if decoded else arrival.form)
        if lab.flow_records is not None:
            lab.flow_records.before(call.service, call.action)
        with lab.lock:
            undo = None if is_read(*key) else Undo.of(lab, call)
            try:
                return self._decoded(arrival, protocol, call, struck) if decoded else self._raw(arrival, protocol, call)
            except Refusal:
                raise
            except Exception:
                if undo is not None:
                    undo.restore()
                raise

    def _permit(self, arrival: Arrival, protocol: str, credential: Credential) -> None:
        service, principal = arrival.signing_name, credential.principal
        if service not in ENFORCED:
            return
        params = decode(arrival, protocol)
        with self.lab.lock:
            iam = self.lab.backend("iam", credential.account, arrival.region)
            lacking = refused(iam, principal, credential.session_policy, service, arrival.action, arrival.region, params)
        if lacking:
            asked, _mark, name = lacking.action.partition(":")
            raise denied(asked, protocol, name, principal, lacking.why, lacking.resource)

    def _needs_params(self, arrival: Arrival, struck: list[Fault]) -> bool:
        form = arrival.form
        return form.get("DryRun", "").lower() == "true" or "ClientToken" in form or bool(struck) or bool(self.lab.unsettled.hidden())

    def _raw(self, arrival: Arrival, protocol: str, call: Call) -> Reply:
        """A call of which the fidelity layer knows nothing: the emulator's bytes, as they are."""
        reply = self.lab.emulator.ask(arrival)
        if reply.ok and not is_read(call.service, call.action):
            self.lab.written(call, arrival.form, reply.body)
            if self.lab.on_change:
                call.params = decode(arrival, protocol)
                self.lab.changed(call, None)
        return reply

    def _decoded(self, arrival: Arrival, protocol: str, call: Call, struck: list[Fault]) -> Reply:
        """Checks, then an answer from the layer or the emulator, then amendments."""
        lab, key = self.lab, (call.service, call.action)
        is_ec2 = call.service == "ec2"
        if is_ec2 and (missing := lab.unsettled.named(call.params)):
            lab.counts.add_fault("not_found")
            raise Refusal(*missing)
        ticket = recall(call)
        if isinstance(ticket, dict):
            return encode(arrival, protocol, ticket)
        asked = copy.deepcopy(call.params)
        for check in CHECKS.get(key, ()):
            check(call)
        selection = select(call)
        if is_ec2 and call.params.get("DryRun"):
            if key not in ANSWERS and not lab.emulator.implements(call.service, call.action):
                raise unsupported(arrival)
            raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        answer = ANSWERS.get(key)
        hiding = [fault for fault in struck if fault.kind == "not_found"]
        raw: Reply | None = None
        if answer is not None:
            result = answer(call)
        else:
            raw = lab.emulator.ask(arrival if call.params == asked else reencode(arrival, protocol, call.action, call.params))
            if not raw.ok:
                return raw
            if AMENDMENTS.get(key) or selection or hiding or lab.unsettled.hidden() or lab.on_change or ticket is not None:
                result = parse_reply(call.service, call.action, protocol, raw)
            else:
                if not is_read(call.service, call.action):
                    lab.written(call, call.params, raw.body)
                return raw
        for amendment in AMENDMENTS.get(key, ()):
            result = amendment(call, result)
        if selection is not None:
            result = selection.of(result)
        if ticket is not None:
            ticket.keep(result)
        if not is_read(call.service, call.action):
            lab.written(call, call.params, result)
            lab.changed(call, result)
        if is_ec2:
            visible = lab.unsettled.strain(call.action, result)
            for fault in hiding:
                lab.unsettled.hide(call.action, call.params, result, fault.seconds)
            if raw is not None and visible is result and not (AMENDMENTS.get(key) or selection):
                return raw
            result = visible
        return encode(arrival, protocol, result)
