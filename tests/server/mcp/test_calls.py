"""MCP tools through a real socket, against a real MCP server: listed, called, approved, failing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.testing.stages import StubLlm, stub_engine, stub_speech

from .conftest import LIMIT, Kitchen, Session, answer, cook, item, types

pytestmark = pytest.mark.timeout(180)


# ---------------------------------------------------------------- lists
def test_tools_are_listed_when_declared(begin: Session) -> None:
    """A declared server is asked at once; its tools come in an item of their own, with schema and annotations."""
    caller = begin()
    assert types(caller) == [
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "conversation.item.done",
    ]
    listed = caller.events[-1]["item"]
    assert (listed["type"], listed["status"], listed["server_label"]) == ("mcp_list_tools", "completed", "kitchen")
    assert [tool["name"] for tool in listed["tools"]] == ["weigh", "burn", "refuse", "feast", "simmer"]
    weigh = listed["tools"][0]
    assert weigh["description"] == "Tell the weight of a thing."
    assert weigh["input_schema"]["required"] == ["thing"]
    assert weigh["annotations"] == {"readOnlyHint": True}


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [(["burn", "unheard-of"], ["burn"]), ({"read_only": True}, ["weigh"]), ({"tool_names": ["weigh"]}, ["weigh"])],
)
def test_only_allowed_tools_are_seen(begin: Session, allowed: Any, seen: list[str]) -> None:
    """The list, and the model, have the allowed tools alone."""
    caller = begin(allowed_tools=allowed)
    assert [tool["name"] for tool in caller.events[-1]["item"]["tools"]] == seen
    assert caller.say("What do you have?")["output"][0]["content"][0]["text"] == f"I have {seen}."


def test_a_response_waits_for_the_servers_it_brings(serve: Any, dial: Any, kitchen: Kitchen) -> None:
    """A server declared for one response is listed before the model begins, and is unknown to the next response."""
    caller = dial(serve(engine=stub_engine(llm=StubLlm(cook))))
    tool = {"type": "mcp", "server_label": "k", "server_url": kitchen.url, "require_approval": "never"}
    done = caller.say("weigh it", tools=[tool], output_modalities=["text"])
    assert item(done, "mcp_call")["output"] == "an egg weighs 3 kg"
    assert caller.say("What now?", output_modalities=["text"])["output"][0]["content"][0]["text"] == "I have []."


# ---------------------------------------------------------------- calls
def test_a_tool_is_called(begin: Session) -> None:
    """The call streams its arguments, runs and ends inside its response; the model speaks of it when asked to."""
    caller = begin()
    done = caller.say("Please weigh it.")
    assert caller.between("response.created", "response.done") == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    call = item(done, "mcp_call")
    assert (done["status"], call["status"], call["output"]) == ("completed", "completed", "an egg weighs 3 kg")
    [written] = caller.all("response.mcp_call_arguments.done")
    assert json.loads(written["arguments"]) == json.loads(call["arguments"]) == {"thing": "an egg"}
    [begun] = caller.all("response.mcp_call.in_progress")
    assert (begun["item_id"], begun["output_index"]) == (call["id"], 0)
    caller.send("response.create")
    said = caller.until("response.done")["response"]
    assert said["output"][0]["content"][0]["text"] == "It says: an egg weighs 3 kg"


def test_one_connection_serves_the_session(begin: Session, kitchen: Kitchen) -> None:
    """The server is greeted once, however often its tools are called."""
    caller = begin()
    for _ in range(3):
        caller.say("Please weigh it.")
        caller.say("Thanks.")
    methods = [method for _, method in kitchen.asked]
    assert methods.count("tools/call") == 3
    assert methods.count("server/discover") == methods.count("tools/list") == 1


def test_a_tool_that_must_be_called(begin: Session) -> None:
    """A choice of an MCP tool is obeyed; one of a tool that nobody has listed fails the response."""
    caller = begin()
    choice = {"type": "mcp", "server_label": "kitchen", "name": "weigh"}
    assert item(caller.say("Hm.", tool_choice=choice), "mcp_call")["output"] == "a choice weighs 3 kg"
    failed = caller.say("Hm.", tool_choice={**choice, "name": "cool"})
    assert failed["status"] == "failed"
    assert failed["status_details"]["error"]["code"] == "mcp_tool_not_found"


FAILURES = {
    "burn": ("tool_execution_error", None, "an egg is burnt"),
    "refuse": ("protocol_error", -32_001, "no an egg on Sundays"),
    "feast": ("protocol_error", -32_700, f"more than {LIMIT} bytes"),
}


@pytest.mark.parametrize("tool", FAILURES)
def test_a_tool_that_fails(begin: Session, tool: str) -> None:
    """What went wrong is the call's error, of its kind; the response completes, and the model reads it."""
    kind, code, words = FAILURES[tool]
    caller = begin()
    done = caller.say(f"Please {tool} it.")
    call = item(done, "mcp_call")
    assert (done["status"], call["status"], call.get("output")) == ("completed", "completed", None)
    assert (call["error"]["type"], call["error"].get("code")) == (kind, code)
    assert words in call["error"]["message"]
    assert len(caller.all("response.mcp_call.failed")) == 1
    caller.send("response.create")
    assert words in caller.until("response.done")["response"]["output"][0]["content"][0]["text"]


def test_a_tool_that_takes_too_long(begin: Session, kitchen: Kitchen) -> None:
    """A tool has so much time, then it is let go and the call fails."""
    caller = begin(ServerOptions(mcp_s=6.0))
    call = item(caller.say("Please simmer it."), "mcp_call")
    assert call["error"] == {"type": "http_error", "code": 504, "message": "No answer came within 6 s."}
    assert kitchen.let_go.wait(60)


def simmering(begin: Session, kitchen: Kitchen) -> Any:
    """A caller whose response waits for the tool that never ends, which has begun."""
    caller = begin()
    part = {"type": "input_text", "text": "Please simmer it."}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    caller.until("response.mcp_call.in_progress")
    assert kitchen.simmers.wait(60)
    return caller


def test_a_stopped_response_stops_its_tool(begin: Session, kitchen: Kitchen) -> None:
    """Cancelling the response ends the call, here and at the server of tools."""
    caller = simmering(begin, kitchen)
    caller.send("response.cancel")
    done = caller.until("response.done")["response"]
    assert (done["status"], item(done, "mcp_call")["status"]) == ("cancelled", "incomplete")
    assert len(caller.all("response.mcp_call.failed")) == 1
    assert kitchen.let_go.wait(60)
    assert caller.works()


def test_a_cough_does_not_stop_a_tool(begin: Session, kitchen: Kitchen) -> None:
    """While a tool runs it takes as much speech to interrupt as while the model speaks: a cough is none, a word is."""
    caller = simmering(begin, kitchen)
    caller.append(stub_speech(150) + bytes(48 * 500))
    caller.append(stub_speech(400))
    started = caller.until("input_audio_buffer.speech_started")
    assert started["audio_start_ms"] == pytest.approx(650 - 300, abs=64)
    done = caller.until("response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert kitchen.let_go.wait(60)


# ---------------------------------------------------------------- approval
def test_approval(begin: Session) -> None:
    """Nothing runs before leave is given; the response does not wait for it; given, the call ends in its own item."""
    caller = begin(require_approval="always")
    done = caller.say("Please weigh it.")
    request, call = item(done, "mcp_approval_request"), item(done, "mcp_call")
    assert (request["name"], request["server_label"]) == ("weigh", "kitchen")
    assert request["arguments"] == call["arguments"] == caller.all("response.mcp_call_arguments.done")[0]["arguments"]
    assert (call["status"], call["approval_request_id"]) == ("in_progress", request["id"])
    assert not caller.all("response.mcp_call.in_progress")
    answer(caller, request, approve=True)
    assert caller.until("response.mcp_call.completed")["item_id"] == call["id"]
    ended = caller.until("conversation.item.done")["item"]
    assert ended == {**call, "status": "completed", "output": "an egg weighs 3 kg"}
    answer(caller, request, approve=True)
    assert caller.until("error")["error"]["code"] == "invalid_approval_request_id"


def test_approval_denied(begin: Session, kitchen: Kitchen) -> None:
    """A refusal is the call's error, with the reason; the tool is not asked."""
    caller = begin(require_approval={"never": {"read_only": True}})
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
    request = item(caller.say("Please burn it."), "mcp_approval_request")
    answer(caller, request, approve=False, reason="it is Sunday")
    caller.until("response.mcp_call.failed")
    ended = caller.until("conversation.item.done")["item"]
    assert ended["error"]["message"] == "The user did not approve this call: it is Sunday"
    assert [method for _, method in kitchen.asked].count("tools/call") == 1
