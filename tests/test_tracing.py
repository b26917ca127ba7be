"""A session as spans: names, kinds, parents, times and tokens by the conventions, and no words unless asked for."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.errors import MissingExtra
from realtime_nb.testing.server import Call, Reply, ScriptedServer

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

USAGE = {
    "total_tokens": 150, "input_tokens": 100, "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 40, "audio_tokens": 60, "cached_tokens": 10, "cached_tokens_details": {"text_tokens": 10},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 30},
}  # fmt: skip


class Ear:
    """Hears the spans."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def __call__(self, name: str) -> list[Any]:
        """The spans of one operation, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name.split()[0] == name]


@pytest.fixture
def ear() -> Ear:
    """An exporter in memory."""
    return Ear()


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"Secretly sunny in {city}."


def talk(ear: Ear, folder: Path, **tracing: Any) -> rt.Session:
    """A turn with a call, one that is spoken, and one that fails."""
    replies = (
        Reply(calls=(Call("get_weather", '{"city": "Ulm"}'),), usage=USAGE),
        Reply("Sunny in Ulm.", audio=bytes(24_000), usage=USAGE),
        Reply("Well", error=("server_error", "It broke.")),
    )
    with ScriptedServer(*replies) as server, rt.connect(server.url, tools=[get_weather]) as session:
        rt.tracing.instrument(session, tracer_provider=ear.provider, **tracing)
        session.say("What is the weather in Ulm?")
        with pytest.raises(rt.errors.TurnFailed):
            session.say("And now?")
        session.save(folder)
    return session


def test_a_session_is_one_trace(ear: Ear, tmp_path: Path) -> None:
    """The session is the parent of its responses, a response of the calls it made."""
    session = talk(ear, tmp_path / "talk")
    (root,) = ear("realtime_session")
    responses, (call,) = ear("realtime_inference"), ear("execute_tool")
    assert [span.name for span in responses] == ["realtime_inference gpt-realtime-mini"] * 3
    assert {span.parent.span_id for span in responses} == {root.context.span_id}
    assert call.parent.span_id == responses[0].context.span_id
    assert {span.context.trace_id for span in (root, call, *responses)} == {root.context.trace_id}
    assert [span.kind for span in (root, responses[0], call)] == [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.INTERNAL]
    assert {span.attributes["gen_ai.realtime_session.id"] for span in (root, call, *responses)} == {session.id}


def test_a_response_tells_its_tokens_and_times(ear: Ear, tmp_path: Path) -> None:
    """Counts by modality with what was cached in them, cost and latency; times in order."""
    session = talk(ear, tmp_path / "talk")
    first, second, _ = ear("realtime_inference")
    told = second.attributes
    for name, count in {
        "input_tokens": 100, "output_tokens": 50, "cache_read.input_tokens": 10, "text.input_tokens": 40,
        "audio.input_tokens": 60, "text.cache_read.input_tokens": 10, "text.output_tokens": 20,
        "audio.output_tokens": 30,
    }.items():  # fmt: skip
        assert told[f"gen_ai.usage.{name}"] == count, name
    assert told["gen_ai.operation.name"] == "realtime_inference"
    assert told["gen_ai.response.id"] == session.turns.response_id[1]
    assert told["realtime_nb.cost_usd"] == session.turns.cost_usd[1]
    assert told["realtime_nb.first_audio_ms"] == session.turns.first_audio_ms[1]
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert first.attributes["gen_ai.response.finish_reasons"] == ("tool_call",)
    (call,) = ear("execute_tool")
    assert first.start_time <= first.end_time <= call.start_time <= call.end_time <= second.start_time


def test_a_failure_is_an_error(ear: Ear, tmp_path: Path) -> None:
    """Its code is the type of the error."""
    talk(ear, tmp_path / "talk")
    *_, failed = ear("realtime_inference")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "server_error"


def test_what_was_said_stays_out(ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No word, argument or result is in a span by default."""
    talk(ear, tmp_path / "talk")
    text = "".join(span.to_json() for span in ear.exporter.get_finished_spans())
    assert "get_weather" in text
    assert not [word for word in ("weather in Ulm", "Sunny", "Secretly", '"city') if word in text]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_what_was_said_can_be_asked_for(ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """By an argument, or by the conventions' own variable: messages, arguments and result."""
    if how == "environment":
        monkeypatch.setenv(rt.tracing.CONTENT, "SPAN_ONLY")
    talk(ear, tmp_path / "talk", **({"content": True} if how == "argument" else {}))
    first, second, _ = ear("realtime_inference")
    (call,) = ear("execute_tool")
    (asked,) = json.loads(first.attributes["gen_ai.input.messages"])
    assert asked == {"role": "user", "parts": [{"type": "text", "content": "What is the weather in Ulm?"}]}
    (said,) = json.loads(second.attributes["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": "Sunny in Ulm."}]
    assert said["finish_reason"] == "stop"
    assert json.loads(call.attributes["gen_ai.tool.call.arguments"]) == {"city": "Ulm"}
    assert "Secretly sunny" in call.attributes["gen_ai.tool.call.result"]


def test_an_exporter_that_fails_ends_the_tracing(ear: Ear) -> None:
    """It is told once; the session goes on, and is not traced any further."""

    class Broken(SpanProcessor):
        def on_end(self, span: object) -> None:
            raise RuntimeError("no exporter")

    with ScriptedServer(Reply("One."), Reply("Two.")) as server, rt.connect(server.url) as session:
        rt.tracing.instrument(session, tracer_provider=ear.provider)
        ear.provider.add_span_processor(Broken())
        with pytest.warns(UserWarning, match="no longer traced: RuntimeError: no exporter"):
            assert session.say("Hello.").text == "One."
        assert session.say("And again.").text == "Two."


def test_a_saved_conversation_gives_the_same_spans(ear: Ear, tmp_path: Path) -> None:
    """Names, attributes and lengths are those of the session; the times are those of then."""
    session = talk(ear, tmp_path / "talk")
    late, again = Ear(), Ear()
    saved = rt.open_history(tmp_path / "talk")
    rt.tracing.export(saved, tracer_provider=late.provider)
    rt.tracing.instrument(session, tracer_provider=again.provider)

    def told(ear: Ear) -> list[tuple[Any, ...]]:
        spans = ear.exporter.get_finished_spans()
        return [(span.name, dict(span.attributes), (span.end_time - span.start_time) // 10**6) for span in spans]

    assert told(late) == told(ear) == told(again)
    assert abs(late("realtime_session")[0].start_time - ear("realtime_session")[0].start_time) < 3e9


def test_without_opentelemetry_the_pip_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is optional fails with the line that installs it."""
    find = importlib.util.find_spec
    monkeypatch.setattr("realtime_nb.tracing.find_spec", lambda name: None if "opentelemetry" in name else find(name))
    with (
        ScriptedServer() as server,
        rt.connect(server.url) as session,
        pytest.raises(MissingExtra, match=r"realtime-nb\[otel\]"),
    ):
        rt.tracing.instrument(session)
