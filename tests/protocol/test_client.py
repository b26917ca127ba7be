"""What a client knows of a session, and what it refuses to send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import LocalProtocolError, RemoteProtocolError
from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.ids import CountingIds, Ids
from realtime_nb.protocol.items import FunctionCall, InputAudio, InputText, Message, OutputAudio, OutputText
from realtime_nb.protocol.session_config import AudioInput, Session, TranscriptionAudio, TranscriptionSession

if TYPE_CHECKING:
    from .conftest import Wire

USER = Message(id="u", status="completed", role="user", content=(InputText(text="Hi"),))


def told(client: ClientConnection, *events: Any) -> ClientConnection:
    """Have the client told these events."""
    for event in events:
        client.receive(ev.encode(event) if not isinstance(event, dict) else json.dumps(event))
    return client


@pytest.fixture
def client() -> ClientConnection:
    """A client that was told nothing yet."""
    return ClientConnection(CountingIds())


# ---------------------------------------------------------------- sending
def test_ids_are_filled_in(client: ClientConnection) -> None:
    """Events and items without an id get one; those with their own keep it."""
    frame = client.send(ev.ConversationItemCreate(item=Message(role="user", content=())))
    assert json.loads(frame)["event_id"] == "event_1"
    assert json.loads(frame)["item"]["id"] == "item_1"
    frame = client.send(ev.ConversationItemCreate(event_id="mine", item=USER))
    assert (json.loads(frame)["event_id"], json.loads(frame)["item"]["id"]) == ("mine", "u")


def test_ids_from_a_source() -> None:
    """Names come from the source that is given, behind what they name."""
    assert Ids(lambda: "abc").new("item") == "item_abc"


def refused(client: ClientConnection, event: Any, match: str) -> None:
    """See an event refused by the client itself, with a line that mends it."""
    with pytest.raises(LocalProtocolError, match=match) as caught:
        client.send(event)
    assert caught.value.hint


def test_what_is_certain_to_be_refused(client: ClientConnection) -> None:
    """A client says so itself, with a line that mends it, rather than send what no server takes."""
    told(client, ev.SessionCreated(session=Session()), ev.ConversationItemAdded(item=USER))
    refused(client, ev.SessionUpdate(session={}), "without session.type")
    refused(client, ev.SessionUpdate(session={"type": "transcription"}), "a session keeps its type")
    refused(client, ev.InputAudioBufferAppend(audio=b"\0"), "not whole samples")
    refused(client, ev.InputAudioBufferAppend(audio=bytes(15 * 2**20 + 2)), "in one event")
    refused(client, ev.ConversationItemCreate(item=USER), "'u' is in the conversation already")
    sound = Message(role="assistant", content=(OutputAudio(audio=b"\0\0"),))
    refused(client, ev.ConversationItemCreate(item=sound), "cannot have OutputAudio, only OutputText")
    told(client, ev.ResponseCreated(response=ev.Response(id="r", conversation_id="c")))
    refused(client, ev.ResponseCreate(), "Response r is still in progress")


def test_what_may_be_sent(client: ClientConnection) -> None:
    """What a server might take is sent, even before the session is known, and beside a response."""
    assert client.send(ev.SessionUpdate(session={"type": "realtime"}))
    assert client.send(ev.InputAudioBufferAppend(audio=b"\0"))
    told(
        client,
        ev.SessionCreated(session=Session()),
        ev.ResponseCreated(response=ev.Response(id="r", conversation_id="c")),
    )
    assert client.send(ev.SessionUpdate(session={"type": "realtime", "news": 1}))
    assert client.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    assert client.send(ev.ConversationItemCreate(item=FunctionCall(name="f", arguments="{}")))
    assert client.send(ev.ConversationItemCreate(item=USER))
    assert client.send(ev.ResponseCancel())


def test_a_transcription_session_makes_no_responses(client: ClientConnection) -> None:
    """A client of a transcription session does not ask for a response."""
    told(client, ev.SessionCreated(session=TranscriptionSession()))
    refused(client, ev.ResponseCreate(), "makes no responses")


# ---------------------------------------------------------------- folding
def test_both_item_orders(client: ClientConnection) -> None:
    """The order of January and that of September 2026 fold into the same state."""
    begun = Message(id="a", status="in_progress", role="assistant", content=())
    done = Message(id="a", status="completed", role="assistant", content=(OutputText(text="Hi"),))
    item_done = ev.ConversationItemDone(item=done, previous_item_id="u")
    output_done = ev.ResponseOutputItemDone(response_id="r", output_index=0, item=done)
    states = []
    for order in ((item_done, output_done), (output_done, item_done)):
        fresh = ClientConnection(CountingIds())
        told(
            fresh,
            ev.ConversationItemAdded(item=USER),
            ev.ResponseCreated(response=ev.Response(id="r", conversation_id="c")),
            ev.ResponseOutputItemAdded(response_id="r", output_index=0, item=begun),
            ev.ConversationItemAdded(item=begun, previous_item_id="u"),
            *order,
            ev.ResponseDone(response=ev.Response(id="r", status="completed", conversation_id="c", output=(done,))),
        )
        states.append((list(fresh.conversation), fresh.responses["r"].items, fresh.active))
    assert states[0] == states[1] == ([USER, done], {0: done}, None)


def test_a_reply_as_it_grows(wire: Wire) -> None:
    """Words, sound and calls are there as they come; what is done says the last word."""
    wire.send(ev.ResponseCreate())
    state = wire.client.responses["resp_1"]
    assert (state.status, state.done, state.in_conversation, state.usage) == ("in_progress", False, True, None)
    wire.report(fx.SpeechDelta("resp_1", "Hel", b"\1\0"), fx.SpeechDelta("resp_1", "lo", b"\2\0"))
    assert (state.transcript, state.text, state.audio) == ("Hello", "", [b"\1\0", b"\2\0"])
    wire.report(fx.CallDelta("resp_1", 0, "f", "{}"))
    assert (state.arguments, state.calls) == ({1: ["{}"]}, ())
    wire.report(fx.Generated("resp_1", "tool_calls", 1, 0, 9))
    assert [call.name for call in state.calls] == ["f"]
    assert (state.status, state.done, state.reason, state.error, state.id) == ("completed", True, None, None, "resp_1")
    assert state.usage is not None
    assert wire.client.active is None


def test_why_a_reply_ended(wire: Wire) -> None:
    """Reason and error of a response that did not complete are at hand."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.GenerationFailed("resp_1", "model_error", "No."))
    error = wire.client.responses["resp_1"].error
    assert error is not None
    assert error.code == "model_error"
    wire.send(ev.ResponseCreate(), ev.ResponseCancel())
    assert wire.client.responses["resp_2"].reason == "client_cancelled"


def test_events_out_of_order(client: ClientConnection) -> None:
    """Events about what is unknown, late, or twice there do no harm."""
    place: dict[str, Any] = {"response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0}
    item = Message(id="a", role="assistant", content=(OutputAudio(transcript="Hi"),))
    told(
        client,
        ev.ResponseOutputAudioDelta(**place, delta=b"\0\0"),
        ev.ResponseOutputTextDelta(**place, delta="x"),
        ev.ResponseOutputTextDone(**place, text="x"),
        ev.ResponseOutputItemDone(response_id="r", output_index=0, item=item),
        ev.ResponseFunctionCallArgumentsDelta(response_id="r", item_id="a", output_index=0, call_id="c", delta="{"),
        ev.ConversationItemDeleted(item_id="a"),
        ev.ConversationItemTruncated(item_id="a", content_index=0, audio_end_ms=5),
        ev.ConversationItemRetrieved(item=item),
        ev.ResponseDone(response=ev.Response(id="r", status="completed", output=(item,))),
        ev.ConversationItemDone(item=item, previous_item_id="nobody"),
        ev.ConversationItemDone(item=item),
        {"type": "news"},
    )
    assert client.conversation.order == ("a",)
    assert client.responses["r"].done
    told(client, ev.ConversationItemTruncated(item_id="a", content_index=0, audio_end_ms=5))
    assert client.conversation["a"] == item, "without its sound nothing is known to cut"
    told(client, ev.ConversationItemDeleted(item_id="a"))
    assert len(client.conversation) == 0


def test_words_of_what_was_said(client: ClientConnection) -> None:
    """Transcripts come late and are kept, even if the item is told once more without them."""
    item = Message(id="u", role="user", content=(InputAudio(),))
    completed = {"type": "conversation.item.input_audio_transcription.completed", "event_id": "e", "item_id": "u"}
    completed |= {"content_index": 0, "transcript": "Hello", "usage": {"type": "duration", "seconds": 1}}
    told(client, ev.ConversationItemAdded(item=item), completed, ev.ConversationItemDone(item=item))
    heard = client.conversation["u"]
    assert isinstance(heard, Message)
    assert heard.content == (InputAudio(transcript="Hello"),)
    told(client, {**completed, "content_index": 7}, {**completed, "item_id": "x"})


def test_retrieved_sound_is_kept(client: ClientConnection) -> None:
    """Sound that comes by retrieval is kept with its item, in the format of who made it."""
    told(client, ev.SessionCreated(session=Session()))
    for name, role, part in (("u", "user", InputAudio), ("a", "assistant", OutputAudio)):
        item = Message(id=name, role=role, content=(part(transcript="Hi"),))  # type: ignore[arg-type] -- both are roles
        whole = Message(id=name, role=role, content=(part(audio=b"\0\0", transcript="Hi"),))  # type: ignore[arg-type]
        told(client, ev.ConversationItemAdded(item=item), *[ev.ConversationItemRetrieved(item=whole)] * 2)
        assert client.conversation[name] == item
        assert client.conversation.whole(name) == whole
    call = FunctionCall(id="c", name="f", arguments="{}")
    told(client, ev.ConversationItemAdded(item=call), ev.ConversationItemRetrieved(item=call))
    assert client.conversation.whole("c") == call


@pytest.mark.parametrize("session", [None, TranscriptionSession(audio=TranscriptionAudio(input=AudioInput()))])
def test_retrieved_sound_without_a_talking_session(
    client: ClientConnection, session: TranscriptionSession | None
) -> None:
    """Retrieval works in a transcription session, and before any session is known."""
    if session:
        told(client, ev.SessionCreated(session=session))
    whole = Message(id="u", role="user", content=(InputAudio(audio=bytes(4_800)),))
    told(client, ev.ConversationItemAdded(item=whole), ev.ConversationItemRetrieved(item=whole))
    ledger = client.conversation.sound("u", 0)
    assert ledger is not None
    assert ledger.ms == 100


def test_where_the_beginning_is(client: ClientConnection) -> None:
    """A null predecessor is the beginning only for an item that was put there; others that lack it are appended."""
    client.send(ev.ConversationItemCreate(item=Message(id="first", role="system", content=()), previous_item_id="root"))
    for name in ("a", "b", "first"):
        told(client, ev.ConversationItemAdded(item=Message(id=name, role="system", content=())))
    assert client.conversation.order == ("first", "a", "b")


def test_speech_is_known(wire: Wire) -> None:
    """While somebody speaks, the item is known that it will become."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(4_800)))
    wire.report(fx.SpeechStarted(0))
    assert wire.client.speech == wire.server._state.speech == "item_1"
    wire.report(fx.SpeechStopped(100))
    assert wire.client.speech is None


def test_errors_are_kept(wire: Wire) -> None:
    """The last error is at hand, with the id of the event it is about."""
    wire.send(ev.ResponseCancel(event_id="mine"))
    assert wire.client.last_error is not None
    assert wire.client.last_error.event_id == "mine"


@settings(max_examples=300, deadline=None)
@given(
    frames=st.lists(
        st.text()
        | st.binary()
        | st.builds(
            lambda t, i: json.dumps(
                {
                    "type": t,
                    "item_id": "a",
                    "item": {"type": "message", "id": "a", "role": "user", "content": []},
                    "response_id": "r",
                    "response": {"id": "r", "conversation_id": i},
                    "content_index": 0,
                    "output_index": 0,
                    "delta": "AAAA",
                    "audio_end_ms": 0,
                }
            ),
            st.sampled_from(sorted(ev.SERVER_EVENTS)),
            st.sampled_from(["c", None]),
        ),
        max_size=20,
    )
)
def test_nothing_a_server_sends_breaks_it(frames: list[str | bytes]) -> None:
    """Any event, in any order, is folded or refused as no event; nothing else is raised."""
    client = ClientConnection(CountingIds())
    for frame in frames:
        try:
            client.receive(frame)
        except RemoteProtocolError:
            continue
    assert client.conversation.order in ((), ("a",))
