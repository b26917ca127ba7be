"""What a response may be told over a socket, and what the brain then reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.engine.base import Cancel, ChatDelta, ChatRequest
from realtime_nb.protocol.limits import Limits
from realtime_nb.server.options import ServerOptions
from realtime_nb.testing.stages import StubLlm, stub_engine


def user(text: str) -> dict[str, Any]:
    """A written message of the user."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def ask(caller: Any, **response: Any) -> Any:
    """One written response, as it ended."""
    caller.send("response.create", response={"output_modalities": ["text"], **response})
    return caller.until("response.done")["response"]


@pytest.fixture
def llm() -> StubLlm:
    """A brain that says so and remembers what it read."""
    return StubLlm()


@pytest.fixture
def caller(serve: Any, dial: Any, llm: StubLlm) -> Any:
    """A session with that brain."""
    caller = dial(serve(engine=stub_engine(llm=llm)))
    caller.until("session.created")
    caller.update(instructions="Be a lighthouse.", output_modalities=["text"])
    return caller


def read(llm: StubLlm) -> list[str]:
    """What the brain read last, behind the instructions."""
    return [message.text for message in llm.requests[-1].messages[1:]]


class Patient(StubLlm):
    """Answers asides at once, and everything else when it is cancelled."""

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write, or wait."""
        if request.messages[0].text != "Aside.":
            yield from StubLlm(lambda _: "One. Two. Three. Four.", delay_s=0.001).chat(request, cancel=Cancel())
            cancel.wait()
        yield from super().chat(request, cancel=cancel)


def test_out_of_band_beside_the_conversation(serve: Any, dial: Any) -> None:
    """While the conversation's response runs others run beside it, told apart by metadata, leaving no items."""
    caller = dial(serve(engine=stub_engine(llm=Patient())))
    caller.until("session.created")
    caller.send("response.create", response={"output_modalities": ["text"]})
    main = caller.until("response.output_text.delta")["response_id"]
    for topic in ("mood", "language"):
        caller.send(
            "response.create",
            response={
                "conversation": "none",
                "instructions": "Aside.",
                "input": [user(topic)],
                "metadata": {"topic": topic},
                "output_modalities": ["text"],
            },
        )
    done = [caller.until("response.done")["response"] for _ in range(2)]
    assert {response["metadata"]["topic"] for response in done} == {"mood", "language"}
    assert all(response["conversation_id"] is None for response in done)
    assert all(response["metadata"]["topic"] in response["output"][0]["content"][0]["text"] for response in done)
    [item] = caller.all("conversation.item.added")  # the main response's own
    caller.send("response.cancel")
    last = caller.until("response.done")["response"]
    assert (last["id"], last["status"], last["output"][0]["id"]) == (main, "cancelled", item["item"]["id"])


def test_a_response_with_an_input_of_its_own(caller: Any, llm: StubLlm) -> None:
    """``input`` replaces the context: items named, items brought, or nothing at all; then all of it is back."""
    for name, text in (("first", "One."), ("second", "Two.")):
        caller.send("conversation.item.create", item={"id": name, **user(text)})
    ask(caller, conversation="none", input=[{"type": "item_reference", "id": "second"}, user("Three.")])
    assert read(llm) == ["Two.", "Three."]
    ask(caller, conversation="none", input=[])
    assert read(llm) == []
    ask(caller, conversation="none")
    assert read(llm) == ["One.", "Two."]
    caller.send("response.create", event_id="wrong", response={"input": [{"type": "item_reference", "id": "third"}]})
    error = caller.until("error")["error"]
    assert (error["event_id"], error["param"]) == ("wrong", "response.input[0].id")


def test_overrides_hold_for_one_response(caller: Any, llm: StubLlm) -> None:
    """Instructions, tools and modalities of a response are forgotten after it."""
    tool = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
    ask(caller, instructions="Be a cat.", tools=[tool], tool_choice="none")
    assert llm.requests[-1].messages[0].text == "Be a cat."
    ask(caller)
    assert (llm.requests[-1].messages[0].text, llm.requests[-1].tools) == ("Be a lighthouse.", ())


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_a_response_is_cut_at_its_tokens(caller: Any, modality: str) -> None:
    """``max_output_tokens`` ends a response as incomplete, with what there is; never with more."""
    caller.send("conversation.item.create", item=user("a b c d e f g h i j k l m n o p"))
    done = ask(caller, output_modalities=[modality], max_output_tokens=12)
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert done["output"][0]["status"] == "incomplete"
    assert 0 < done["usage"]["output_tokens"] <= 12
    assert ask(caller, output_modalities=[modality])["status"] == "completed"


# ---------------------------------------------------------------- a context that is too long
SMALL = ServerOptions(limits=Limits(max_input_tokens=100))


def crowded(serve: Any, dial: Any, llm: StubLlm, truncation: Any) -> Any:
    """A session of a hundred tokens, told ten messages of 20 and more."""
    caller = dial(serve(SMALL, stub_engine(llm=llm)))
    caller.until("session.created")
    caller.update(instructions="Be brief.", output_modalities=["text"], truncation=truncation)
    for number in range(10):
        caller.send("conversation.item.create", item=user(f"{number} " + "word " * 15))
    return caller


def test_the_oldest_are_dropped(serve: Any, dial: Any, llm: StubLlm) -> None:
    """``auto`` lets the response read the newest that fit; the conversation keeps all; usage says what was read."""
    caller = crowded(serve, dial, llm, "auto")
    done = ask(caller)
    assert done["status"] == "completed"
    assert [text[0] for text in read(llm)] == ["6", "7", "8", "9"]
    assert done["usage"]["input_tokens"] <= 100
    first = caller.all("conversation.item.added")[0]["item"]["id"]
    caller.send("conversation.item.retrieve", item_id=first)
    assert caller.until("conversation.item.retrieved")["item"]["id"] == first


def test_nothing_is_dropped_where_it_may_not_be(serve: Any, dial: Any, llm: StubLlm) -> None:
    """``disabled`` fails the response instead, and the brain is not asked."""
    caller = crowded(serve, dial, llm, "disabled")
    done = ask(caller)
    assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "context_length_exceeded")
    assert llm.requests == []
    assert ask(caller, input=[user("Short.")])["status"] == "completed"


@pytest.mark.parametrize(
    ("truncation", "newest"),
    [
        ({"type": "retention_ratio", "retention_ratio": 0.5}, 2),
        ({"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": {"post_instructions": 60}}, 3),
        ({"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 90}}, 2),
    ],
)
def test_a_ratio_is_retained(serve: Any, dial: Any, llm: StubLlm, truncation: Any, newest: int) -> None:
    """Beyond the limit, or the cap behind the instructions, a ratio of it is kept, and stays the same prefix."""
    caller = crowded(serve, dial, llm, truncation)
    ask(caller)
    assert [text[0] for text in read(llm)] == [str(n) for n in range(10 - newest, 10)]
    before = read(llm)
    ask(caller, conversation="none")
    if truncation["retention_ratio"] < 1:
        assert read(llm)[: len(before)] == before
