"""A client against a server in memory, driven at random: the invariants of the protocol."""

from __future__ import annotations

from collections import defaultdict
from typing import cast

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from realtime_nb.errors import LocalProtocolError
from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.ids import CountingIds
from realtime_nb.protocol.items import FunctionCallOutput, InputAudio, InputText, Message, OutputAudio
from realtime_nb.protocol.limits import Limits, RateLimiter
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import Audio, AudioInput, ServerVad, Session, Transcription

WORDS = st.sampled_from(["Hello", " there", " you.", " Grüße", "你好世界", " one two three"])
MS = 48  # bytes in a millisecond of PCM16 at 24 kHz
REPLIES: dict[type[ev.ClientEvent], type[ev.ServerEvent]] = {
    ev.SessionUpdate: ev.SessionUpdated,
    ev.InputAudioBufferCommit: ev.InputAudioBufferCommitted,
    ev.InputAudioBufferClear: ev.InputAudioBufferCleared,
    ev.ConversationItemCreate: ev.ConversationItemAdded,
    ev.ConversationItemRetrieve: ev.ConversationItemRetrieved,
    ev.ConversationItemDelete: ev.ConversationItemDeleted,
    ev.ConversationItemTruncate: ev.ConversationItemTruncated,
    ev.ResponseCreate: ev.ResponseCreated,
    ev.ResponseCancel: ev.ResponseDone,
}
"""What answers each event of the client, if no error does."""


class Machine(RuleBasedStateMachine):
    """Rules do what clients and stages do, in any order; invariants watch the wire."""

    @initialize(
        interrupt=st.booleans(), transcribe=st.booleans(), vad=st.booleans(), tpm=st.sampled_from([None, 9_000, 10**6])
    )
    def open(self, *, interrupt: bool, transcribe: bool, vad: bool, tpm: int | None) -> None:
        """Connect, with settings drawn."""
        detection = ServerVad(interrupt_response=interrupt, idle_timeout_ms=5_000) if vad else None
        heard = AudioInput(turn_detection=detection, transcription=Transcription() if transcribe else None)
        rate = tpm and RateLimiter(requests_per_min=500, tokens_per_min=tpm)
        self.server = ServerConnection(
            Session(audio=Audio(input=heard)),
            ids=CountingIds(),
            limits=Limits(session_s=None, idle_s=None),
            count=lambda text: len(text.split()),
            rate=rate or None,
        )
        self.client = ClientConnection(CountingIds("c"))
        self.vad, self.now, self.clock_ms = vad, 0.0, 0
        self.spoken_from: int | None = None
        self.generating: dict[str, int] = {}
        self.transcribing: list[str] = []
        self.used_ms = 0  # of the sound that was streamed: no byte is used twice
        self.appended = bytearray()
        self.sent_audio: dict[str, bytearray] = defaultdict(bytearray)
        # what the invariants watch
        self.created: dict[str, int] = {}
        self.finished: dict[str, int] = defaultdict(int)
        self.open_items: set[tuple[str, str]] = set()
        self.open_parts: set[tuple[str, int]] = set()
        self.settings: dict[str, Session] = {}  # as they were when each response was created
        self.requests: dict[str, tuple[fx.GenerateRequest, bytes]] = {}
        self.interrupted: list[str] = []
        self.take(self.server.open(0.0))

    # ------------------------------------------------------------ plumbing
    def take(self, effects: list[fx.Effect]) -> list[ev.ServerEvent]:
        """Carry out what the server asks for; give the events it sends."""
        events = [effect.event for effect in effects if isinstance(effect, fx.Send)]
        for effect in effects:
            match effect:
                case fx.Send(event):
                    frame = ev.encode(event)
                    assert ev.decode_server(frame) == event, "what is sent is what is read"
                    self.watch(self.client.receive(frame))
                case fx.Generate(response_id, request):
                    self.reads(response_id, request)
                    self.generating[response_id] = 0
                case fx.Stop(response_id):
                    self.generating.pop(response_id)
                    self.has_read(response_id)
                case fx.Transcribe():
                    self.transcribing.append(effect.item_id)
                    self.hear(effect)
                case _:
                    pass
        return events

    def reads(self, response_id: str, request: fx.GenerateRequest) -> None:
        """A response goes by the settings of its creation, whatever the session was told since."""
        session = self.settings[response_id]
        assert all(item.status != "in_progress" for item in request.items)
        assert request.instructions == session.instructions
        assert request.voice == session.audio.output.voice
        assert request.tools == session.tools
        self.requests[response_id] = request, msgspec.json.encode(request)

    def has_read(self, response_id: str) -> None:
        """What a response reads did not change while it was at it."""
        request, before = self.requests.pop(response_id)
        assert msgspec.json.encode(request) == before

    def hear(self, asked: fx.Transcribe) -> None:
        """What is transcribed is what was streamed, each byte once, and without turn detection every byte."""
        if asked.item_id.startswith("item_c"):  # injected by the client
            return
        start, end = asked.audio_start_ms, asked.audio_end_ms
        assert start >= self.used_ms
        assert self.vad or start == self.used_ms
        assert asked.audio == bytes(self.appended[start * MS : end * MS])
        self.used_ms = end
        self.heard_last = (start, end)

    def watch(self, event: ev.ServerEvent) -> None:
        """Hold each event against what came before it."""
        match event:
            case ev.ResponseCreated():
                assert event.response.id not in self.created
                self.created[event.response.id] = len(self.created)
                self.settings[event.response.id] = cast("Session", self.server.session)
            case ev.InputAudioBufferSpeechStarted():
                self.turn_from = event.audio_start_ms
                self.interrupted = self.running() if self.may_interrupt else []
            case ev.InputAudioBufferCommitted():
                assert all(self.finished[name] for name in self.interrupted), "the answer is cancelled first"
            case ev.ResponseDone():
                self.finished[event.response.id] += 1
                assert event.response.usage is not None
                assert not any(owner == event.response.id for owner, _ in self.open_items), "items are closed first"
                assert all(item.status != "in_progress" for item in event.response.output)
            case ev.ResponseOutputAudioDelta():
                self.sent_audio[event.item_id] += event.delta
            case _:
                self.watch_opening(event)
        if response_id := getattr(event, "response_id", None):
            assert response_id in self.created
            assert not self.finished[response_id], "nothing comes after response.done"

    def watch_opening(self, event: ev.ServerEvent) -> None:
        """What is opened is new, and what is closed was open."""
        match event:
            case ev.ResponseOutputItemAdded():
                self.open_items.add((event.response_id, event.item.id))
            case ev.ResponseOutputItemDone():
                self.open_items.remove((event.response_id, event.item.id))
            case ev.ConversationItemAdded():
                self.open_items.add(("conversation", event.item.id))
            case ev.ConversationItemDone():
                self.open_items.remove(("conversation", event.item.id))
            case ev.ResponseContentPartAdded():
                self.open_parts.add((event.item_id, event.content_index))
            case ev.ResponseContentPartDone():
                self.open_parts.remove((event.item_id, event.content_index))
            case _:
                pass

    def send(self, event: ev.ClientEvent) -> None:
        """Send as the client: what is told to do something is answered at once, by its event or by one error."""
        frame = self.client.send(event)
        name = ev.decode_client(frame).event_id
        events = self.take(self.server.receive(frame, self.now))
        errors = [each for each in events if isinstance(each, ev.Error)]
        assert [error.error.event_id for error in errors] in ([], [name])
        if (reply := REPLIES.get(type(event))) is not None:
            assert any(isinstance(each, reply) for each in events) is not bool(errors)

    def running(self) -> list[str]:
        """The conversation's responses that are not done."""
        return [n for n in self.created if not self.finished[n] and self.client.responses[n].in_conversation]

    @property
    def may_interrupt(self) -> bool:
        """Whether speech stops the response."""
        detection = self.server.session.audio.input.turn_detection
        return detection is not None and detection.interrupt_response

    def report(self, report: fx.Report) -> None:
        """Report as a stage."""
        self.take(self.server.report(report, self.now))

    # ------------------------------------------------------------ the client
    @rule(text=WORDS)
    def says(self, text: str) -> None:
        """The client puts a message in."""
        self.send(ev.ConversationItemCreate(item=Message(role="user", content=(InputText(text=text),))))

    @rule(ms=st.integers(0, 400))
    def injects_sound(self, ms: int) -> None:
        """The client puts a spoken message in."""
        part = InputAudio(audio=bytes(ms * MS), transcript="" if ms else "spoken before")
        self.send(ev.ConversationItemCreate(item=Message(role="user", content=(part,))))

    @rule(aside=st.booleans(), audio=st.booleans(), limit=st.sampled_from([None, 3, 200]))
    def asks(self, *, aside: bool, audio: bool, limit: int | None) -> None:
        """The client asks for a response, if its own rules let it."""
        params = ev.ResponseParams(
            conversation="none" if aside else None,
            output_modalities=("audio",) if audio else ("text",),
            max_output_tokens=limit,
        )
        try:
            self.send(ev.ResponseCreate(response=params))
        except LocalProtocolError:
            assert self.client.active is not None

    @rule()
    def insists(self) -> None:
        """A client without rules asks for a response."""
        self.take(self.server.receive('{"type":"response.create","event_id":"mine"}', self.now))

    @rule()
    def cancels(self) -> None:
        """The client cancels."""
        self.send(ev.ResponseCancel())

    @rule(ms=st.integers(1, 300))
    def streams(self, ms: int) -> None:
        """The client sends sound."""
        chunk = bytes([len(self.appended) % 251]) * (ms * MS)
        self.appended += chunk
        self.clock_ms += ms
        self.send(ev.InputAudioBufferAppend(audio=chunk))

    @rule()
    def commits(self) -> None:
        """The client commits."""
        self.spoken_from = None
        self.send(ev.InputAudioBufferCommit())

    @rule()
    def clears(self) -> None:
        """The client clears the buffer."""
        self.spoken_from = None
        self.used_ms = self.clock_ms
        self.send(ev.InputAudioBufferClear())

    @precondition(lambda self: len(self.server.conversation))
    @rule(data=st.data())
    def deletes(self, data: st.DataObject) -> None:
        """The client deletes an item."""
        self.send(ev.ConversationItemDelete(item_id=data.draw(st.sampled_from(self.server.conversation.order))))

    @precondition(lambda self: len(self.server.conversation))
    @rule(data=st.data())
    def retrieves(self, data: st.DataObject) -> None:
        """The client retrieves an item."""
        self.send(ev.ConversationItemRetrieve(item_id=data.draw(st.sampled_from(self.server.conversation.order))))

    @precondition(lambda self: self.sent_audio)
    @rule(data=st.data(), share=st.floats(0, 1.1))
    def truncates(self, data: st.DataObject, share: float) -> None:
        """The client cuts a reply, sometimes too far."""
        name = data.draw(st.sampled_from(sorted(self.sent_audio)))
        ms = int(len(self.sent_audio[name]) / MS * share)
        there = name in self.server.conversation
        self.send(ev.ConversationItemTruncate(item_id=name, content_index=0, audio_end_ms=ms))
        if there and share <= 1:
            del self.sent_audio[name][ms * MS :]

    @rule(
        update=st.sampled_from(
            [
                {"instructions": "Be brief."},
                {"audio": {"output": {"voice": "marin"}}},
                {"audio": {"input": {"turn_detection": {"interrupt_response": False}}}},
                {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5}},
                {"tools": [{"type": "function", "name": "look"}], "tool_choice": "required"},
                {"bogus": 1},
            ]
        )
    )
    def updates(self, update: dict[str, object]) -> None:
        """The client changes the session."""
        self.send(ev.SessionUpdate(session={"type": "realtime", **update}))

    @rule(data=st.data())
    def answers_a_call(self, data: st.DataObject) -> None:
        """The client gives a call's output."""
        calls = [call.call_id for state in self.client.responses.values() for call in state.calls] or ["call_none"]
        output = FunctionCallOutput(call_id=data.draw(st.sampled_from(calls)), output="{}")
        self.send(ev.ConversationItemCreate(item=output))

    # ------------------------------------------------------------ the stages
    @precondition(lambda self: self.vad and self.spoken_from is None)
    @rule(ago=st.integers(0, 300))
    def hears_speech(self, ago: int) -> None:
        """The detector hears speech."""
        self.spoken_from = max(self.used_ms, self.clock_ms - ago)
        self.report(fx.SpeechStarted(self.spoken_from))

    @precondition(lambda self: self.vad and self.spoken_from is not None)
    @rule()
    def hears_silence(self) -> None:
        """The detector hears silence: all that was streamed since the speech began is written down."""
        start, self.spoken_from = max(self.turn_from, self.used_ms), None
        self.heard_last = (start, start)
        self.report(fx.SpeechStopped(self.clock_ms))
        assert self.heard_last == (start, self.clock_ms)

    @precondition(lambda self: self.transcribing)
    @rule(data=st.data(), text=st.sampled_from(["", "hello", "how are you"]), fails=st.integers(0, 9))
    def writes_down(self, data: st.DataObject, text: str, fails: int) -> None:
        """The recogniser is done, or gives up."""
        name = data.draw(st.sampled_from(self.transcribing))
        self.transcribing.remove(name)
        failed = fx.TranscriptionFailed(name, "audio_unintelligible", "Could not be understood.")
        self.report(failed if fails == 0 else fx.Transcribed(name, text, (), len(text.split())))

    @precondition(lambda self: self.generating)
    @rule(data=st.data(), words=WORDS, ms=st.integers(0, 200), kind=st.sampled_from(["text", "speech", "call"]))
    def generates(self, data: st.DataObject, words: str, ms: int, kind: str) -> None:
        """The brain writes something."""
        name = data.draw(st.sampled_from(sorted(self.generating)))
        self.generating[name] += 1
        step = self.generating[name]
        match kind:
            case "text":
                self.report(fx.TextDelta(name, words))
            case "speech":
                self.report(fx.SpeechDelta(name, words if ms % 2 else "", bytes([step % 251]) * (ms * MS)))
            case _:
                self.report(fx.CallDelta(name, step % 2, "look", '{"a":'))

    @precondition(lambda self: self.generating)
    @rule(
        data=st.data(), reason=st.sampled_from(["stop", "length", "tool_calls", "broken"]), cached=st.integers(0, 300)
    )
    def finishes(self, data: st.DataObject, reason: str, cached: int) -> None:
        """The brain is done, or gives up."""
        name = data.draw(st.sampled_from(sorted(self.generating)))
        self.ends(name, reason, cached)

    def ends(self, name: str, reason: str, cached: int) -> None:
        """The brain is done with a response."""
        del self.generating[name]
        self.has_read(name)
        if reason == "broken":
            self.report(fx.GenerationFailed(name, "model_error", "It broke."))
        else:
            self.report(fx.Generated(name, reason, 300, cached, 5))  # type: ignore[arg-type] -- one of three literals

    @precondition(lambda self: self.generating)
    @rule(data=st.data(), cached=st.integers(0, 300))
    def has_read_the_prompt(self, data: st.DataObject, cached: int) -> None:
        """The brain tells what it had in its cache."""
        self.report(fx.PromptRead(data.draw(st.sampled_from(sorted(self.generating))), 300, cached))

    @rule(name=st.sampled_from(["resp_0", "resp_1", "resp_2"]))
    def is_late(self, name: str) -> None:
        """A thread reports about what is over."""
        if name not in self.generating:
            self.report(fx.SpeechDelta(name, "late", bytes(MS)))
            self.report(fx.Generated(name, "stop"))

    @rule()
    def comes_to_rest(self) -> None:
        """The stages finish what they are at: each response that was created has ended exactly once."""
        while self.transcribing or self.generating:
            for name in [*self.transcribing]:
                self.transcribing.remove(name)
                self.report(fx.Transcribed(name, "", (), 0))
            for name in [*self.generating]:
                self.ends(name, "stop", 0)
        assert {name: self.finished[name] for name in self.created} == dict.fromkeys(self.created, 1)

    @rule(seconds=st.sampled_from([0.1, 3.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.take(self.server.tick(self.now))

    # ------------------------------------------------------------ what always holds
    @invariant()
    def one_terminal_event(self) -> None:
        """Each response ends once, and the conversation has one at a time."""
        for name in self.created:
            assert self.finished[name] <= 1
        running = [name for name in self.created if not self.finished[name]]
        default = [name for name in running if self.client.responses[name].in_conversation]
        assert len(default) <= 1
        assert (self.client.active.id if self.client.active else None) == (default[0] if default else None)
        assert set(self.generating) <= set(running)

    @invariant()
    def nothing_stays_open(self) -> None:
        """When nothing is under way, nothing is open."""
        if all(self.finished[name] for name in self.created):
            assert not self.open_parts
            assert not self.open_items

    @invariant()
    def both_ends_agree(self) -> None:
        """The client's fold is the server's conversation."""
        ours, theirs = self.client.conversation, self.server.conversation
        assert ours.order == theirs.order
        assert list(ours) == list(theirs)
        assert self.client.session == self.server.session

    @invariant()
    def no_sound_is_lost_or_doubled(self) -> None:
        """What is kept of a reply is what was sent of it."""
        for item in self.server.conversation:
            if not isinstance(item, Message) or item.role != "assistant":
                continue
            ledger, told = self.server.conversation.sound(item.id, 0), self.client.conversation.sound(item.id, 0)
            if ledger is not None:
                assert ledger.audio == bytes(self.sent_audio[item.id])
                assert ledger.audio == (told.audio if told else b"")
            if item.status != "in_progress" and isinstance(item.content[0], OutputAudio):
                assert item.content[0].transcript == (ledger.transcript if ledger else "")

    def teardown(self) -> None:
        """Closing stops what runs, once."""
        if not hasattr(self, "server"):
            return
        stopped = {effect.response_id for effect in self.server.close(self.now) if isinstance(effect, fx.Stop)}
        assert stopped == set(self.generating)
        assert self.server.close(self.now) == []
        assert self.server.receive("{}", self.now) == []
        assert self.server.deadline() is None


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=500, stateful_step_count=50, deadline=None)
