"""A session against a scripted server: what is sent, what comes back, and what happens when it does not."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.archive import Recorder
from realtime_nb.portal import call_on
from realtime_nb.protocol import events as ev
from realtime_nb.testing.script import default_session
from realtime_nb.testing.server import Call, Reply, ScriptedServer

Begin = Callable[..., tuple[ScriptedServer, rt.Session]]
CANARY = "sk-test-CANARY-0123456789"


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Connect to a server that plays these replies; both end with the test."""
    opened: list[Any] = []

    def play(*replies: Reply, on: Any = None, session: Any = None, **options: Any) -> tuple[ScriptedServer, rt.Session]:
        server = ScriptedServer(*replies, on=on, session=session).__enter__()
        opened.append(server)
        client = rt.connect(server.url, **options)
        opened.append(client)
        return server, client

    yield play
    for each in reversed(opened):
        each.__exit__(None, None, None)


def interrupt_when(ready: Callable[[], object]) -> None:
    """Press Interrupt, as a kernel does, once `ready` returns."""

    def press() -> None:
        ready()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()


def begun(session: rt.Session) -> None:
    """Wait until the words of an answer have come."""
    call_on(
        session.actor.loop, session.actor.link.until(lambda: any(turn.text for turn in session.actor.book.turns), 60)
    )


# ---------------------------------------------------------------- saying
def test_a_text_is_answered(begin: Begin) -> None:
    """A text becomes one user message and one response.create; the turn has the answer."""
    server, session = begin(Reply("Nile, ", "Congo, Niger."), output_modalities="text")
    turn = session.say("Name three rivers of Africa.")
    assert turn.text == "Nile, Congo, Niger."
    assert turn.status == "completed"
    assert turn.done
    assert turn.usage.total_tokens == 122
    assert turn.cost_usd == pytest.approx(0.00004224)
    assert not turn.audio
    message = server.of_type("conversation.item.create")[0]["item"]
    assert message["content"] == [{"type": "input_text", "text": "Name three rivers of Africa."}]
    assert len(server.of_type("response.create")) == 1


def test_a_spoken_answer_has_sound_and_words(begin: Begin) -> None:
    """The turn's audio is the deltas joined; its text is their transcript."""
    sound = rt.Audio.tone(440, 0.5).to_pcm16()
    _, session = begin(Reply("Hel", "lo.", audio=sound))
    turn = session.say("Hello.")
    assert turn.text == "Hello."
    assert turn.audio.to_pcm16() == sound
    assert turn.latency.first_audio_ms is not None
    assert turn.latency.total_ms >= turn.latency.first_audio_ms
    assert turn.items[0].content[0].transcript == "Hello."


def test_several_parts_make_one_message(begin: Begin) -> None:
    """Words, a clip and a picture go as one message, in order."""
    server, session = begin(Reply("A black square."))
    picture = np.zeros((8, 8, 3), np.uint8)
    clip = rt.Audio.tone(440, 0.2, rate=48_000)
    session.say("What is", picture, clip)
    parts = server.of_type("conversation.item.create")[0]["item"]["content"]
    assert [part["type"] for part in parts] == ["input_text", "input_image", "input_audio"]
    assert parts[1]["image_url"].startswith("data:image/png;base64,")
    assert len(server.of_type("conversation.item.create")) == 1


def test_a_response_can_be_asked_otherwise(begin: Begin) -> None:
    """What one response is to do goes into its response.create, in the API's places."""
    server, session = begin(Reply("Yes."))
    session.say("Well?", response={"output_modalities": "text", "voice": "sage", "max_output_tokens": 50})
    assert server.of_type("response.create")[0]["response"] == {
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "sage"}},
        "max_output_tokens": 50,
    }


def test_out_of_band_is_marked_and_not_remembered(begin: Begin) -> None:
    """Beside the conversation, the message goes into the response's input, with what was said so far before it."""
    server, session = begin(Reply("One."), Reply("rivers"), output_modalities="text")
    session.say("Hello.")
    turn = session.say("What is this about?", response={"conversation": "none"})
    assert turn.text == "rivers"
    asked = server.of_type("response.create")[1]["response"]
    assert [part["type"] for part in asked["input"]] == ["item_reference", "item_reference", "message"]
    assert asked["conversation"] == "none"
    assert len(server.of_type("conversation.item.create")) == 1


def test_a_second_say_waits_for_the_first(begin: Begin) -> None:
    """Only one response at a time: the next message goes out when the answer to the first is whole."""
    server, session = begin(Reply("First", end="hang"), Reply("Second."))
    first = session.say("One.", wait=False)
    server.wait_for("response.create")
    second = session.say("Two.", wait=False)
    assert len(server.of_type("conversation.item.create")) == 1
    session.interrupt()
    assert second.wait(60).text == "Second."
    assert first.status == "cancelled"


def test_two_sessions_at_once_do_not_mix(begin: Begin) -> None:
    """Each session has its own conversation."""
    _, one = begin(Reply("one"))
    _, two = begin(Reply("two"))
    turns = one.say("Hello.", wait=False), two.say("Hello.", wait=False)
    assert [turn.wait(60).text for turn in turns] == ["one", "two"]
    assert len(one.turns) == len(two.turns) == 1


def test_the_pieces_of_an_answer_can_be_iterated(begin: Begin) -> None:
    """stream() gives words and sound as they come; the turn is whole after the loop."""
    sound = rt.Audio.tone(440, 0.3).to_pcm16()
    _, session = begin(Reply("Hel", "lo.", audio=sound))
    pieces = session.stream("Hello.")
    deltas = list(pieces)
    assert "".join(map(str, deltas)) == "Hello."
    assert b"".join(delta.data for delta in deltas) == sound
    assert pieces.turn.done
    assert pieces.turn.text == "Hello."


def test_sound_that_is_cut_within_a_sample_is_heard_without_that_half(begin: Begin) -> None:
    """A turn has its sound and its looks, and each piece of it begins with a whole sample."""
    sound = rt.Audio.tone(440, 0.5).to_pcm16()
    _, session = begin(Reply("Hel", "lo.", audio=sound + b"\x01"))
    deltas = session.stream("Hello.")
    pieces = b"".join(delta.audio.to_pcm16() for delta in deltas)
    assert pieces == deltas.turn.audio.to_pcm16() == sound
    assert "0.5 s of sound" in repr(deltas.turn)
    assert "<audio" in deltas.turn._repr_html_()
    reply = deltas.turn.replies[0]
    at = {"response_id": reply.id, "item_id": "another", "output_index": 1, "content_index": 0}
    cuts = [ev.ResponseOutputAudioDelta(**at, delta=cut) for cut in (b"\1\2\3", b"", b"\4\5", b"\6")]
    assert [delta.data for cut in cuts if (delta := reply.take(cut, 1.0))] == [b"\1\2", b"\3\4", b"\5\6"]


def test_leaving_the_loop_early_interrupts(begin: Begin) -> None:
    """A break out of stream() cancels the response and leaves the session usable."""
    server, session = begin(Reply("On and on", end="hang"), Reply("Still here."))
    for delta in session.stream("Go on."):
        assert delta.text
        break
    gc.collect()
    server.wait_for("response.cancel")
    assert session.say("Hello?").text == "Still here."


def test_a_function_is_given_the_words_as_they_come(begin: Begin) -> None:
    """show=callable gets each new piece; all pieces are the text."""
    _, session = begin(Reply("Hel", "lo ", "there."))
    heard: list[str] = []
    turn = session.say("Hello.", show=heard.append)
    assert "".join(heard) == turn.text == "Hello there."


def test_the_awaitable_face_does_the_same(begin: Begin) -> None:
    """session.aio has the same methods, to be awaited on any loop."""
    _, session = begin(Reply("one"), Reply("two"), Reply("three"), Reply("four", end="hang"))

    async def cell() -> list[str]:
        first = await session.aio.say("1")
        handle = await session.aio.say("2", wait=False)
        second = await handle
        third = [str(delta) async for delta in await session.aio.stream("3")]
        fourth = await session.aio.say("4", wait=False)
        while not fourth.text:  # noqa: ASYNC110 - filled by another thread
            await asyncio.sleep(0.005)
        await session.aio.interrupt()
        await session.aio.update(instructions="Shorter.")
        return [first.text, second.text, *third, fourth.status]

    assert asyncio.run(cell()) == ["one", "two", "three", "cancelled"]
    assert session.config.instructions == "Shorter."


# ---------------------------------------------------------------- interrupt
def test_interrupt_of_a_cell_cancels_the_response(begin: Begin) -> None:
    """Kernel Interrupt during say(): response.cancel goes out, what came is kept, the session goes on."""
    server, session = begin(Reply("On and on", end="hang"), Reply("Still here."), output_modalities="text")
    interrupt_when(lambda: begun(session))
    with pytest.raises(KeyboardInterrupt):
        session.say("Go on.")
    server.wait_for("response.cancel")
    assert session.turns.status.tolist() == ["cancelled"]
    assert session.turns.output.tolist() == ["On and on"]
    assert session.say("Hello?").text == "Still here."


def test_interrupt_of_an_awaiting_cell_cancels_the_response(begin: Begin) -> None:
    """The same in the awaitable face."""
    server, session = begin(Reply("On and on", end="hang"), Reply("Still here."))
    interrupt_when(lambda: begun(session))
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(session.aio.say("Go on."))
    server.wait_for("response.cancel")
    assert session.say("Hello?").text == "Still here."


def test_interrupt_of_a_loop_over_pieces_cancels_the_response(begin: Begin) -> None:
    """The same while iterating."""
    server, session = begin(Reply("On and on", end="hang"), Reply("Still here."))
    pieces = session.stream("Go on.")

    def waited_for() -> None:
        """Wait until the loop, and not only its answer, has begun."""
        while not pieces._queue._getters:  # type: ignore[attr-defined]
            time.sleep(0.001)

    interrupt_when(waited_for)
    with pytest.raises(KeyboardInterrupt):
        list(pieces)
    server.wait_for("response.cancel")
    assert session.say("Hello?").text == "Still here."


def test_interrupt_of_an_update_that_is_never_answered_leaves_the_next_one_alone(begin: Begin) -> None:
    """It waits for its own acknowledgement, and not for the lost one."""
    server, session = begin()
    known = len(server.of_type("session.update"))
    server.on["session.update"] = lambda _event: []
    interrupt_when(lambda: server.wait_for("session.update", known + 1))
    with pytest.raises(KeyboardInterrupt):
        session.update(instructions="Be brief.")
    server.on.clear()
    session.update(instructions="Be kind.")
    assert session.config.instructions == "Be kind."


def test_a_save_that_was_interrupted_can_be_done_again(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder then gets whatever comes, as it was promised."""
    _, session = begin(Reply("One."), Reply("Two."), output_modalities="text")
    session.say("First?")
    begun, free, catch_up = threading.Event(), threading.Event(), Recorder.catch_up
    monkeypatch.setattr(Recorder, "catch_up", lambda self: (begun.set(), free.wait(60), catch_up(self)))
    interrupt_when(begun.wait)
    with pytest.raises(KeyboardInterrupt):
        session.save(tmp_path / "kept")
    free.set()
    session.save(tmp_path / "kept")
    session.say("Second?")
    assert rt.open_history(tmp_path / "kept").turns.output.tolist() == ["One.", "Two."]


def test_interrupt_before_the_response_begins(begin: Begin) -> None:
    """A response that begins after it was given up is cancelled when it begins."""
    server, session = begin(Reply("late"), on={"response.create": lambda _: [], "response.cancel": lambda _: []})
    interrupt_when(lambda: server.wait_for("response.create"))
    with pytest.raises(KeyboardInterrupt):
        session.say("Hello.")
    response = {"object": "realtime.response", "id": "resp_late", "status": "in_progress", "conversation_id": "conv_1"}
    server.push({"type": "response.created", "event_id": "e", "response": response})
    cancels = server.wait_for("response.cancel", 2)
    assert cancels[-1]["response_id"] == "resp_late"


def test_a_refused_question_nobody_waits_for_takes_no_answer(begin: Begin) -> None:
    """What was given up and then refused is forgotten: the next answers go to those who asked for them."""
    asked = iter([[]])
    server, session = begin(Reply("One."), Reply("Two."), on={"response.create": lambda _: next(asked, None)})
    turn = session.say("Hello.", wait=False)
    refused = server.wait_for("response.create")[0]["event_id"]
    assert session.interrupt() is turn
    detail = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "event_id": refused}
    server.push({"type": "error", "event_id": "e", "error": detail})
    assert [session.say(words, timeout_s=5).text for words in ("Again.", "And again.")] == ["One.", "Two."]


def test_a_question_that_was_never_sent_takes_no_answer(begin: Begin) -> None:
    """Given up while the wire was busy, it is forgotten at once, and nothing is cancelled."""
    server, session = begin(Reply("One."))
    link, held = session.actor.link, asyncio.Event()
    send = link._transport.send

    async def then_busy(text: str) -> None:
        await send(text)
        if "conversation.item.create" in text:
            link._transport.send = send  # type: ignore[method-assign]
            link.loop.create_task(hold())
            await asyncio.sleep(0)

    async def hold() -> None:
        await link._writing.acquire()
        held.set()

    async def give_up(turn: rt.Turn) -> None:
        await held.wait()
        assert turn.task is not None
        turn.task.cancel()
        link._writing.release()
        await asyncio.wait({turn.task})

    link._transport.send = then_busy  # type: ignore[method-assign]
    call_on(link.loop, give_up(session.say("Hello.", wait=False)))
    assert session.say("Again.", timeout_s=5).text == "One."
    assert not server.of_type("response.cancel")


def test_interrupting_says_what_was_heard(begin: Begin) -> None:
    """interrupt(audio_end_ms) cancels, then truncates to what was heard, never beyond what came."""
    sound = rt.Audio.tone(440, 1.0).to_pcm16()
    server, session = begin(Reply("On and on", audio=sound, end="hang"))
    turn = session.say("Go on.", wait=False)
    while not turn.audio:
        time.sleep(0.005)
    assert session.interrupt(audio_end_ms=60_000) is turn
    assert turn.status == "cancelled"
    cut = server.wait_for("conversation.item.truncate")[0]
    assert cut["audio_end_ms"] == 1000
    assert cut["item_id"] == turn.items[0].id


def test_a_reply_nobody_heard_is_deleted(begin: Begin) -> None:
    """Truncating to nothing is an error at the service, so the item is deleted."""
    server, session = begin(Reply("Never mind", audio=bytes(48_000)))
    session.say("Hello.")
    session.interrupt(audio_end_ms=0)
    assert server.wait_for("conversation.item.delete")


def test_interrupting_silence_is_no_error(begin: Begin) -> None:
    """Nothing under way: nothing is sent, None is given."""
    server, session = begin(Reply("Hello."))
    assert session.interrupt() is None
    assert server.of_type("response.cancel") == []


# ---------------------------------------------------------------- tools
def test_a_function_is_called_and_its_result_spoken_of(begin: Begin) -> None:
    """The call is run, its output sent, one response asked for; all of it is one turn."""
    server, session = begin(Reply("Let me see.", calls=(Call("weather", '{"city": "Ulm"}'),)), Reply("Sunny in Ulm."))

    @session.tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    assert server.of_type("session.update")[-1]["session"]["tools"][0]["name"] == "weather"
    turn = session.say("How is the weather in Ulm?")
    assert turn.text == "Let me see.\nSunny in Ulm."
    assert [(call.name, call.output) for call in turn.calls] == [("weather", "sunny in Ulm")]
    output = server.of_type("conversation.item.create")[1]["item"]
    assert output == {**output, "type": "function_call_output", "call_id": "call_1", "output": "sunny in Ulm"}
    assert len(server.of_type("response.create")) == 2
    assert turn.usage.input_tokens == 240
    assert len(turn.response_ids) == 2


def test_how_long_a_function_may_take_can_be_said(begin: Begin) -> None:
    """The limit goes with the function; beyond it the model is told so, and the turn goes on."""
    _, session = begin(Reply(calls=(Call("hang"),)), Reply("It takes too long."))
    release = threading.Event()

    @session.tool(timeout_s=0.01)
    def hang() -> None:
        """Hang."""
        release.wait(60)

    assert session.tool(hang, timeout_s=0.01) is hang
    turn = session.say("Hang.")
    release.set()
    assert "hang took longer than 0.01 s" in turn.calls[0].output
    assert turn.text == "It takes too long."


def test_all_outputs_go_before_one_response(begin: Begin) -> None:
    """Several calls in one response: every output, then a single response.create."""
    calls = tuple(Call("square", f'{{"x": {x}}}', f"call_{x}") for x in (2, 3))
    server, session = begin(Reply(calls=calls), Reply("4 and 9."), tools=[square])
    assert session.say("Square 2 and 3.").text == "4 and 9."
    types = [event["type"] for event in server.received if event["type"] != "session.update"]
    assert types == [
        "conversation.item.create",
        "response.create",
        *["conversation.item.create"] * 2,
        "response.create",
    ]


def square(x: float) -> float:
    """The square of a number."""
    return x * x


def test_a_function_that_fails_is_told_to_the_model(begin: Begin) -> None:
    """An exception in a tool is an output, and the turn goes on."""
    server, session = begin(Reply(calls=(Call("broken"),)), Reply("It did not work."))

    @session.tool
    def broken() -> None:
        """Fail."""
        raise ValueError("no such thing")

    turn = session.say("Try.")
    assert turn.text == "It did not work."
    assert "no such thing" in server.of_type("conversation.item.create")[1]["item"]["output"]
    assert isinstance(turn.calls[0].error, ValueError)


def test_calls_without_end_are_ended(begin: Begin) -> None:
    """After eight rounds the model is asked for an answer without calls."""
    rounds = [Reply(calls=(Call("square", '{"x": 1}', f"call_{n}"),)) for n in range(8)]
    server, session = begin(*rounds, Reply("Enough."), tools=[square])
    assert session.say("Square for ever.").text == "Enough."
    assert server.of_type("response.create")[-1]["response"]["tool_choice"] == "none"


def test_a_forced_call_is_not_forced_again(begin: Begin) -> None:
    """After a forced call the follow-up may answer in words."""
    server, session = begin(Reply(calls=(Call("square", '{"x": 2}'),)), Reply("4."), tools=[square])
    session.say("Square 2.", response={"tool_choice": {"type": "function", "name": "square"}})
    assert server.of_type("response.create")[1]["response"]["tool_choice"] == "auto"


def test_a_call_that_is_not_ours_is_left_alone(begin: Begin) -> None:
    """A tool declared without Python code is answered by whoever declared it."""
    mine = {"type": "function", "name": "pick", "parameters": {"type": "object", "properties": {}}}
    server, session = begin(Reply(calls=(Call("pick"),)), tools=[mine])
    turn = session.say("Pick one.")
    assert turn.items[0].name == "pick"
    assert turn.calls == ()
    assert len(server.of_type("response.create")) == 1


# ---------------------------------------------------------------- settings
def test_an_update_is_acknowledged(begin: Begin) -> None:
    """update() returns when the server has the new settings."""
    server, session = begin()
    session.update(instructions="Be brief.", turn_detection=None, voice="sage")
    sent = server.of_type("session.update")[-1]["session"]
    assert sent["audio"] == {"input": {"turn_detection": None}, "output": {"voice": "sage"}}
    assert session.config.instructions == "Be brief."
    assert session.config.audio.input.turn_detection is None


def test_an_update_of_an_unknown_name_is_not_sent(begin: Begin) -> None:
    """The nearest name is offered, and the server hears nothing of it."""
    server, session = begin()
    before = len(server.received)
    with pytest.raises(errors.ConfigError, match="instructions") as caught:
        session.update(instruction="Be brief.")  # type: ignore[call-arg]
    assert "session.update(instructions=" in str(caught.value)
    assert len(server.received) == before


def test_a_refused_update_raises_the_servers_words(begin: Begin) -> None:
    """The error event of this update, found by its event_id, is raised with code and param."""

    def refuse(event: dict[str, Any]) -> list[dict[str, Any]]:
        detail = {"type": "invalid_request_error", "code": "cannot_update_voice", "message": "No.", "param": "voice"}
        return [{"type": "error", "event_id": "e", "error": {**detail, "event_id": event["event_id"]}}]

    server, session = begin(on={})
    server.on["session.update"] = refuse
    with pytest.raises(errors.ServerError, match="No") as caught:
        session.update(voice="sage")
    assert (caught.value.code, caught.value.param) == ("cannot_update_voice", "voice")


def test_of_two_updates_at_once_each_waits_for_its_own_answer(begin: Begin) -> None:
    """The acknowledgement of the first is not the second's, which is refused: that is raised where it was asked."""
    server, session = begin()
    server.on["session.update"] = lambda _event: []
    known = len(server.of_type("session.update"))
    updated = {"type": "session.updated", "event_id": "e", "session": default_session()}

    async def both() -> None:
        first = asyncio.create_task(session.aio.update(instructions="Be brief."))
        await asyncio.to_thread(server.wait_for, "session.update", known + 1)
        second = asyncio.create_task(session.aio.update(voice="sage"))
        sent = await asyncio.to_thread(server.wait_for, "session.update", known + 2)
        detail = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": "voice"}
        refused = {"type": "error", "event_id": "e", "error": {**detail, "event_id": sent[-1]["event_id"]}}
        await asyncio.to_thread(server.push, updated)
        await first
        await asyncio.to_thread(server.push, {"type": "input_audio_buffer.cleared", "event_id": "e"}, refused)
        with pytest.raises(errors.ServerError, match="No"):
            await second

    asyncio.run(both())


def test_an_update_that_is_given_up_makes_none_after_it_pass_for_answered(begin: Begin) -> None:
    """Only the server's word does."""
    server, session = begin()
    server.on["session.update"] = lambda _event: []
    known = len(server.of_type("session.update"))

    def change(timeout_s: float) -> asyncio.Task[None]:
        return asyncio.create_task(
            session.actor.configure({"type": "realtime", "instructions": "Be brief."}, timeout_s)
        )

    async def both() -> None:
        first = change(0.01)
        await asyncio.to_thread(server.wait_for, "session.update", known + 1)
        second = change(60)
        await asyncio.to_thread(server.wait_for, "session.update", known + 2)
        with pytest.raises(TimeoutError):
            await first
        events = len(session.actor.link.log)
        await asyncio.to_thread(server.push, {"type": "input_audio_buffer.cleared", "event_id": "e"})
        await session.actor.link.until(lambda: len(session.actor.link.log) > events, 60)
        await asyncio.sleep(0)
        assert not second.done()
        await asyncio.to_thread(server.push, {"type": "session.updated", "event_id": "e", "session": default_session()})
        await second

    call_on(session.actor.loop, both())


def test_an_update_that_was_never_answered_holds_up_none_after_it(begin: Begin) -> None:
    """It is given up in time; the next one waits for its own answer alone."""
    server, session = begin()
    server.on["session.update"] = lambda _event: []
    for change in ("Be brief.", "Be long."):
        with pytest.raises(TimeoutError):
            call_on(session.actor.loop, session.actor.configure({"type": "realtime", "instructions": change}, 0.01))
    server.on.clear()
    session.update(instructions="Be kind.")
    assert session.config.instructions == "Be kind."


def test_any_event_can_be_sent(begin: Begin) -> None:
    """send() takes the API's own JSON, and refuses what is no event."""
    server, session = begin()
    event_id = session.send({"type": "input_audio_buffer.clear"})
    assert server.wait_for("input_audio_buffer.clear")[0]["event_id"] == event_id
    with pytest.raises(errors.LocalProtocolError, match="Supported values"):
        session.send({"type": "input_audio_buffer.clean"})


def test_a_budget_is_kept_before_anything_is_spent(begin: Begin) -> None:
    """A response that might pass the budget is refused; nothing was sent."""
    server, session = begin(Reply("Hello."), budget_usd=0.001)
    with pytest.raises(errors.BudgetExceeded) as caught:
        session.say("Hello.")
    assert server.of_type("conversation.item.create") == []
    assert caught.value.hint
    session.budget_usd = 1.0
    assert session.say("Hello.").text == "Hello."
    assert session.budget_usd == 1.0


# ---------------------------------------------------------------- what goes wrong
@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ((), errors.ConfigError, "nothing to say"),
        (("  \n",), errors.ConfigError, "empty text"),
        ((3.5,), errors.ConfigError, "a float"),
        ((np.zeros(48_000, np.float32),), errors.AudioError, r"shape \(48000,\) without its sample rate"),
        (("no-such-file.wav",), errors.AudioError, "no-such-file"),
        ((rt.Audio.silence(0),), errors.AudioError, "no duration"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_hint(begin: Begin, parts: Any, kind: type, words: str) -> None:
    """Bad input is an error of its kind with a line that mends it; nothing is sent."""
    server, session = begin()
    before = len(server.received)
    with pytest.raises(kind, match=words) as caught:
        session.say(*parts)
    assert caught.value.hint  # type: ignore[attr-defined]
    assert len(server.received) == before


def test_a_closed_session_says_how_to_go_on(begin: Begin) -> None:
    """After close() every call raises ConnectionClosed with the line that opens a new one."""
    _, session = begin(Reply("Hello."))
    session.say("Hello.")
    session.close()
    session.close()
    for call in (lambda: session.say("Again."), lambda: session.update(voice="sage"), session.interrupt):
        with pytest.raises(errors.ConnectionClosed) as caught:
            call()
        assert caught.value.hint == "session = rt.connect()"
    assert len(session.history) == 2
    assert "closed" in repr(session)


def test_a_server_that_dies_leaves_what_was_heard(begin: Begin) -> None:
    """The error comes at once, with the partial turn; the frames keep their rows."""
    _, session = begin(Reply("Half an ans", end="die"))
    with pytest.raises(errors.ConnectionClosed) as caught:
        session.say("Hello.")
    assert caught.value.turn.text == "Half an ans"
    assert caught.value.turn.status == "incomplete"
    assert caught.value.turn.reason == caught.value.message
    assert caught.value.code == 1006
    assert session.history.transcript.tolist()[-1] == "Half an ans"
    assert session.turns.output.tolist() == ["Half an ans"]


def test_a_reader_that_breaks_off_ends_the_session(begin: Begin) -> None:
    """A fault of ours while an event is read is told to whoever waits, at once, and to whoever comes later."""
    _, session = begin(Reply("Hello."))

    def fail(entry: Any, _audio: bytes) -> None:
        if entry.direction == "received":
            raise RuntimeError("a fault of ours")

    session.actor.link.log.follow(fail)
    for _ in range(2):
        with pytest.raises(errors.ConnectionClosed, match="broke off: RuntimeError: a fault of ours"):
            session.say("Hello.", timeout_s=5)


def test_a_failed_response_raises_with_its_turn(begin: Begin) -> None:
    """Status failed is TurnFailed with the server's words."""
    _, session = begin(Reply("So", error=("server_error", "Something broke.")))
    with pytest.raises(errors.TurnFailed, match="Something broke") as caught:
        session.say("Hello.")
    assert caught.value.turn.text == "So"
    assert caught.value.turn.status == "failed"
    assert caught.value.turn.reason == "server_error"


def test_too_much_at_once_is_rate_limited(begin: Begin) -> None:
    """A rate limit has its own error, with the wait in its message."""
    words = "Rate limit reached: Limit 40000. Please try again in 6.42s."
    _, session = begin(Reply(error=("rate_limit_exceeded", words)))
    with pytest.raises(errors.RateLimited, match=r"6\.42s") as caught:
        session.say("Hello.")
    assert caught.value.turn is not None
    assert caught.value.hint == "time.sleep(7)  # then say it again"


def test_an_unwanted_end_is_incomplete(begin: Begin) -> None:
    """A reply cut by the model's own limit or the filter raises; what came is on the turn."""
    _, session = begin(Reply("So", status="incomplete", reason="content_filter"))
    with pytest.raises(errors.TurnIncomplete, match="content filter") as caught:
        session.say("Hello.")
    assert caught.value.turn.text == "So"


def test_a_limit_that_was_asked_for_is_no_error(begin: Begin) -> None:
    """max_output_tokens set by the user may be reached."""
    _, session = begin(Reply("So", status="incomplete", reason="max_output_tokens"))
    turn = session.say("Hello.", response={"max_output_tokens": 5})
    assert (turn.status, turn.reason) == ("incomplete", "max_output_tokens")


def test_a_silent_server_is_given_up(begin: Begin) -> None:
    """No event for timeout_s: TurnFailed with a hint, and the response is cancelled."""
    server, session = begin(Reply("Hm", end="hang"), Reply("Here."))
    with pytest.raises(errors.TurnFailed, match=r"2 s") as caught:
        session.say("Hello.", timeout_s=2.0)
    assert caught.value.turn.text == "Hm"
    assert caught.value.hint
    server.wait_for("response.cancel")
    assert session.say("Hello?").text == "Here."


def test_a_refused_message_is_raised_and_not_answered(begin: Begin) -> None:
    """An error for the user's item ends the turn with that error; the response to nothing is cancelled."""

    def refuse(event: dict[str, Any]) -> list[dict[str, Any]]:
        detail = {"type": "invalid_request_error", "code": "invalid_value", "message": "Bad image.", "param": "item"}
        return [{"type": "error", "event_id": "e", "error": {**detail, "event_id": event["event_id"]}}]

    server, session = begin(Reply("?", end="hang"), on={"conversation.item.create": refuse})
    with pytest.raises(errors.ServerError, match="Bad image"):
        session.say("Look.")
    server.wait_for("response.cancel")


def test_a_faster_response_of_the_server_is_waited_for(begin: Begin) -> None:
    """When the server's own response comes first, ours is asked for again, and each turn has its own words."""
    server, session = begin(Reply("Mine."))
    mine = [event_of("response.created", "resp_vad")]
    busy = iter([True])

    def create(event: dict[str, Any]) -> Any:
        if not next(busy, False):
            return None
        detail = {"code": "conversation_already_has_active_response", "message": "busy", "event_id": event["event_id"]}
        done = event_of("response.done", "resp_vad", status="cancelled")
        return [*mine, {"type": "error", "event_id": "e", "error": {"type": "invalid_request_error", **detail}}, done]

    server.on["response.create"] = create
    turn = session.say("Hello.")
    assert turn.text == "Mine."
    assert len(server.of_type("response.create")) == 2
    assert session.turns.status.tolist() == ["cancelled", "completed"]


def test_a_server_that_is_always_busy_is_given_up(begin: Begin) -> None:
    """A response is not asked for without end: after a few refusals the server's words are raised."""

    def busy(event: dict[str, Any]) -> list[dict[str, Any]]:
        detail = {"code": "conversation_already_has_active_response", "message": "busy", "event_id": event["event_id"]}
        return [{"type": "error", "event_id": "e", "error": {"type": "invalid_request_error", **detail}}]

    server, session = begin(on={"response.create": busy})
    for response in (None, {"conversation": "none"}):
        with pytest.raises(errors.ServerError, match="busy"):
            session.say("Hello.", response=response)  # type: ignore[arg-type]
    assert len(server.of_type("response.create")) == 6


def event_of(type: str, response_id: str, **fields: Any) -> dict[str, Any]:
    """A response event."""
    response = {"object": "realtime.response", "id": response_id, "status": "in_progress", "conversation_id": "conv_1"}
    return {"type": type, "event_id": "e", "response": {**response, "output": [], **fields}}


def test_nonsense_from_the_server_ends_nothing(begin: Begin) -> None:
    """Unknown events, unknown fields and frames that are no JSON are survived."""
    server, session = begin(Reply("Fine."))
    server.push({"type": "news.from.tomorrow", "event_id": "e", "x": 1}, {"type": "session.updated"}, {})
    assert session.say("How are you?").text == "Fine."


# ---------------------------------------------------------------- frames, names, secrets
def test_the_frames_tell_what_happened(begin: Begin) -> None:
    """history, turns, usage, events and rate_limits have rows after a turn."""
    _, session = begin(Reply("Hello.", audio=bytes(4800)))
    session.say("Hello.")
    assert session.history.role.tolist() == ["user", "assistant"]
    assert session.turns.status.tolist() == ["completed"]
    assert session.usage.tokens.sum() == session.turns.input_tokens.sum() + session.turns.output_tokens.sum()
    assert {"sent", "received"} == set(session.events.direction)
    assert session.rate_limits.limit.tolist() == [40_000]


def test_both_faces_have_the_same_names() -> None:
    """Everything public on the session is on its awaitable face, and the other way round."""
    from realtime_nb.session.awaitable import PUBLIC, AsyncSession

    def public(face: type) -> set[str]:
        return {name for name in dir(face) if not name.startswith("_")}

    assert public(rt.Session) == public(AsyncSession) == set(PUBLIC)


def test_both_faces_look_the_same(begin: Begin) -> None:
    """Shown in a cell, either is the same table of what a person wants to know."""
    _, session = begin()
    html = session._repr_html_()
    assert html == session.aio._repr_html_()
    assert "gpt-realtime-mini" in html


def test_tab_shows_what_a_person_needs(begin: Begin) -> None:
    """Some twenty-five names, and none of them private."""
    _, session = begin()
    names = dir(session)
    assert len(names) <= 28
    assert {"say", "stream", "aio", "history", "usage", "close"} <= set(names)
    assert all(hasattr(session, name) for name in names)


def test_both_faces_take_the_same_arguments() -> None:
    """A method has the same parameters in both faces."""
    import inspect

    from realtime_nb.session.awaitable import PUBLIC, AsyncSession

    for name in PUBLIC:
        blocking, awaitable = getattr(rt.Session, name), getattr(AsyncSession, name)
        if callable(blocking):
            assert list(inspect.signature(blocking).parameters) == list(inspect.signature(awaitable).parameters), name


def test_the_key_shows_nowhere(begin: Begin) -> None:
    """Not in reprs, frames, tracebacks with their variables, or a pickle of anything public."""
    _, session = begin(Reply("Hello.", end="die"), api_key=CANARY)
    with pytest.raises(errors.ConnectionClosed) as caught:
        session.say("Hello.")
    shown = [repr(session), session._repr_html_(), repr(session.aio), session.events.to_csv()]
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    shown += [line for line in lines if __file__ not in line]
    assert not any(CANARY in text for text in shown)
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(session)


def test_a_dropped_session_closes_its_connection(begin: Begin) -> None:
    """A session that nobody holds any more leaves no socket behind."""
    with ScriptedServer() as server:
        session = rt.connect(server.url)
        del session
        gc.collect()
        server.wait_for_end(timeout_s=60)


def test_closing_is_quick_when_server_and_disk_hang(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """close() takes at most two seconds for the wire and the log together; a log goes on by itself."""
    monkeypatch.setenv("REALTIME_NB_LOG", str(tmp_path))
    written, ended = threading.Event(), threading.Event()
    close = Recorder.close

    def hang(self: Recorder) -> None:
        written.wait(60)
        close(self)
        ended.set()

    async def deaf(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Recorder, "close", hang)
    _, session = begin()
    monkeypatch.setattr(session.actor.link._transport, "close", deaf)
    since = time.monotonic()
    session.close()
    took_s = time.monotonic() - since
    written.set()
    assert ended.wait(60)
    assert took_s < 3  # one after the other they took longer


def test_closing_is_quick_when_the_server_is_deaf(begin: Begin) -> None:
    """close() takes at most two seconds, a running turn included, and the turn learns of it."""
    _, session = begin(Reply("On and on", end="hang"))
    turn = session.say("Hello.", wait=False)
    while not turn.text:
        time.sleep(0.005)
    begun = time.monotonic()
    session.close()
    assert time.monotonic() - begun < 2.5
    with pytest.raises(errors.ConnectionClosed):
        turn.wait(1)
    assert turn.text == "On and on"
