# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands through Systems Manager: who is asked, when, how often, and what is told of each instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AwsError
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm import CAP, Commands, Document, Invocation, Node, duration, failures

from .aws.aws_fakes import Clock, FakeApi

PLACE = ("111111111111", "us-east-1")
ONE, TWO = "i-00000000000000001", "i-00000000000000002"
SHELL = Document(parameters={"commands": ["id"]}, seconds=60)


def refused(code: str) -> AwsError:
    return AwsError(f"ssm:SendCommand failed: {code}", code=code)


def in_turn(*answers: Any) -> Callable[[dict[str, Any]], Any]:
    """One answer after the other, the last for ever."""
    left = list(answers)
    return lambda _params: left.pop(0) if len(left) > 1 else left[0]


def online(*ids: str, status: str = "Online") -> list[dict[str, Any]]:
    return [{"InstanceId": id_, "PingStatus": status, "LastPingDateTime": "2026-01-01T00:00:00Z"} for id_ in ids]


def done(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "Status": "Success",
        "StatusDetails": "Success",
        "ResponseCode": 0,
        "StandardOutputContent": f"on {params['InstanceId']}\n",
        "StandardErrorContent": "",
        "ExecutionElapsedTime": "PT1.5S",
    }


def listed(*ids: str, status: str = "Success") -> list[dict[str, Any]]:
    return [{"InstanceId": id_, "Status": status} for id_ in ids]


def make(**answers: Any) -> tuple[Commands, FakeApi, Clock]:
    clock = Clock()
    told: dict[str, Any] = {
        "DescribeInstanceInformation": online(ONE, TWO),
        "SendCommand": {"Command": {"CommandId": "command"}},
        "ListCommandInvocations": listed(ONE, TWO),
        "GetCommandInvocation": done,
        **answers,
    }
    api = FakeApi({f"ssm:{key}": value for key, value in told.items()})
    return Commands(api, *PLACE, clock=clock, sleep=clock.sleep), api, clock


def asked(api: FakeApi, action: str) -> list[dict[str, Any]]:
    return [params for _account, _region, name, params in api.asked if name == f"ssm:{action}"]


def test_a_command_is_sent_once_to_all() -> None:
    commands, api, clock = make()
    found = commands.run([ONE, TWO, ONE], SHELL)
    assert found == {id_: Invocation(id_, "Success", 0, f"on {id_}\n", "", 1.5) for id_ in (ONE, TWO)}
    (sent,) = asked(api, "SendCommand")
    assert sent["InstanceIds"] == [ONE, TWO] and sent["Parameters"] == {"commands": ["id"], "executionTimeout": ["60"]}
    assert commands.sent == ["command"] and clock.slept == [] and failures(found.values()) == ""


def test_fifty_instances_a_call() -> None:
    ids = [f"i-{number:017x}" for number in range(120)]

    def nodes(params: dict[str, Any]) -> list[dict[str, Any]]:
        (narrowed,) = params["Filters"]
        assert narrowed["Key"] == "InstanceIds" and len(narrowed["Values"]) <= 100
        return online(*narrowed["Values"])

    commands, api, _clock = make(DescribeInstanceInformation=nodes, ListCommandInvocations=listed(*ids))
    assert list(commands.run(ids, SHELL)) == ids
    assert sorted(len(params["InstanceIds"]) for params in asked(api, "SendCommand")) == [20, 50, 50]


def test_it_waits_for_nodes_to_come_online() -> None:
    commands, api, clock = make(DescribeInstanceInformation=in_turn([], online(ONE), online(ONE, TWO)))
    assert {item.status for item in commands.run([ONE, TWO], SHELL, wait_online=60).values()} == {"Success"}
    assert len(asked(api, "DescribeInstanceInformation")) == 3 and len(asked(api, "SendCommand")) == 1 and 0 < clock.now < 60


def test_what_does_not_come_online_is_named_and_the_others_run() -> None:
    commands, api, clock = make(DescribeInstanceInformation=online(ONE), ListCommandInvocations=listed(ONE))
    found = commands.run([ONE, TWO], SHELL, wait_online=10)
    assert found[ONE].status == "Success" and found[TWO].status == "Undeliverable" and found[TWO].exit_code is None
    assert 10 <= clock.now < 10 + CAP
    assert failures(found.values()).startswith(f"{TWO}: it is no managed node") and "AmazonSSMManagedInstanceCore" in found[TWO].why
    assert asked(api, "SendCommand")[0]["InstanceIds"] == [ONE]


def test_a_lost_connection_is_called_so() -> None:
    commands, api, _clock = make(DescribeInstanceInformation=online(ONE, status="ConnectionLost"))
    found = commands.run([ONE], SHELL)
    assert "it is ConnectionLost, last heard of 2026-01-01" in found[ONE].why and asked(api, "SendCommand") == []


def test_an_unknown_instance_does_not_hide_the_others() -> None:
    def nodes(params: dict[str, Any]) -> Any:
        ids = params["Filters"][0]["Values"]
        return refused("InvalidInstanceId") if TWO in ids else online(*ids)

    commands, _api, _clock = make(DescribeInstanceInformation=nodes)
    assert commands.nodes([ONE, TWO]) == {ONE: Node(ONE, "Online", "2026-01-01T00:00:00Z"), TWO: Node(TWO)}


def test_a_refused_instance_is_tried_again_while_there_is_time() -> None:
    commands, api, clock = make(
        SendCommand=in_turn(refused("InvalidInstanceId"), refused("InvalidInstanceId"), {"Command": {"CommandId": "late"}})
    )
    assert commands.run([ONE, TWO], SHELL, wait_online=30)[ONE].status == "Success"
    assert len(asked(api, "SendCommand")) == 3 and clock.now > 0


def test_a_refused_instance_is_left_out_when_the_time_is_over() -> None:
    commands, api, _clock = make(
        DescribeInstanceInformation=in_turn(online(ONE, TWO), online(ONE)),
        SendCommand=in_turn(refused("InvalidInstanceId"), {"Command": {"CommandId": "rest"}}),
        ListCommandInvocations=listed(ONE),
    )
    found = commands.run([ONE, TWO], SHELL)
    assert (found[ONE].status, found[TWO].status) == ("Success", "Undeliverable")
    assert [params["InstanceIds"] for params in asked(api, "SendCommand")] == [[ONE, TWO], [ONE]]


def test_other_refusals_are_raised() -> None:
    commands, _api, _clock = make(SendCommand=refused("InvalidDocument"))
    with pytest.raises(AwsError, match="InvalidDocument"):
        commands.run([ONE], SHELL)


def test_the_end_is_waited_for_though_the_list_lags() -> None:
    commands, api, clock = make(
        ListCommandInvocations=in_turn([], listed(ONE, status="InProgress"), listed(ONE, TWO, status="Delayed"), listed(ONE, TWO))
    )
    assert {item.status for item in commands.run([ONE, TWO], SHELL).values()} == {"Success"}
    assert len(asked(api, "ListCommandInvocations")) == 4 and len(clock.slept) == 3


def test_what_never_ends_is_cancelled_and_named() -> None:
    commands, api, clock = make(
        DescribeInstanceInformation=in_turn(online(ONE, TWO), online(ONE) + online(TWO, status="ConnectionLost")),
        ListCommandInvocations=listed(ONE, TWO, status="InProgress"),
        CancelCommand={},
    )
    found = commands.run([ONE, TWO], SHELL)
    assert {item.status for item in found.values()} == {"TimedOut"} and clock.now >= 60
    assert found[ONE].why == "it had not ended after 60 s" and "ConnectionLost" in found[TWO].why
    assert asked(api, "CancelCommand") == [{"CommandId": "command", "InstanceIds": [ONE, TWO]}]


def test_a_failure_says_what_failed() -> None:
    commands, _api, _clock = make(
        ListCommandInvocations=listed(ONE, status="Failed"),
        GetCommandInvocation={
            "Status": "Failed",
            "StatusDetails": "Failed",
            "ResponseCode": 7,
            "StandardErrorContent": "a\nno such file\n",
        },
    )
    found = commands.run([ONE], SHELL)
    assert found[ONE].exit_code == 7 and failures(found.values()) == f"{ONE}: Failed with exit code 7: no such file"


def test_a_document_of_several_steps() -> None:
    def invocations(params: dict[str, Any]) -> list[dict[str, Any]]:
        steps = [{"ResponseCode": 0, "Output": "one\n"}, {"ResponseCode": 3, "Output": "two\n"}]
        return [
            {"InstanceId": ONE, "Status": "Failed", "StatusDetails": "Failed", "CommandPlugins": steps if params.get("Details") else []}
        ]

    commands, _api, _clock = make(ListCommandInvocations=invocations, GetCommandInvocation=refused("InvalidPluginName"))
    found = commands.run([ONE], Document("Two-Steps"))
    assert (found[ONE].exit_code, found[ONE].stdout) == (3, "one\ntwo\n")


@pytest.mark.parametrize(("text", "seconds"), [("PT0.004S", 0.004), ("PT1M2S", 62), ("PT1H0.5S", 3600.5), ("", 0), ("soon", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds
