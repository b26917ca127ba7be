"""A session as OpenTelemetry spans, by the GenAI conventions for realtime models.

::

    realtime_session gpt-realtime-mini       connecting; all that follows is its child, so a session is one trace
    ├── realtime_inference gpt-realtime-mini     one response: tokens by modality, cost, latency
    │   └── execute_tool get_weather             one call of a function, until its output was sent
    └── realtime_inference gpt-realtime-mini     the answer with it

Spans are written when what they tell of is over, so a crash loses no more than what was under way; no span is as
long as the session (semantic-conventions-genai, ``gen-ai-realtime-spans``; status: development). What was said is
not in them unless it is asked for.

>>> import realtime_nb as rt
>>> rt.tracing.instrument(session)  # doctest: +SKIP
>>> rt.tracing.export(rt.open_history("talk"))  # doctest: +SKIP
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import MissingExtra
from realtime_nb.history.fold import Fold
from realtime_nb.history.items import ItemState
from realtime_nb.history.log import Entry
from realtime_nb.history.turns import ResponseState
from realtime_nb.models import ModelCard
from realtime_nb.portal import call_on
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import FunctionCallOutput
from realtime_nb.protocol.session_config import Session as Config

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from realtime_nb.archive import SavedHistory
    from realtime_nb.session import Session
    from realtime_nb.session.awaitable import AsyncSession

__all__ = ["CONTENT", "export", "instrument"]

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The conventions' own switch for what was said."""
_YES = {"1", "true", "span_only", "span_and_event"}


def instrument(
    session: Session | AsyncSession, *, tracer_provider: TracerProvider | None = None, content: bool | None = None
) -> None:
    """Write a session's spans, those of what has happened already too.

    Parameters
    ----------
    session : Session or AsyncSession
        Open or closed.
    tracer_provider : TracerProvider, optional
        Where they go; by default the one that was set for the process.
    content : bool, optional
        Whether words, arguments and results are in them; by default what the conventions'
        ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says, which is no.

    Raises
    ------
    MissingExtra
        OpenTelemetry is not installed.
    """
    actor = session.actor
    epoch_ns = time.time_ns() - round(actor.link.now_s * 1e9)
    spans = _Spans(
        _tracer(tracer_provider),
        actor.card,
        brain=session.brain,
        session_id=session.id,
        epoch_ns=epoch_ns,
        content=_wanted(content),
    )

    broken = False

    def hear(entry: Entry, _audio: bytes) -> None:
        """Hear what comes; what an exporter does wrong ends the tracing, and never the session."""
        nonlocal broken
        if broken:
            return
        try:
            spans.hear(entry)
        except Exception as error:  # noqa: BLE001 - other people's code, in the session's reader
            broken = True
            warnings.warn(f"This session is no longer traced: {type(error).__name__}: {error}", stacklevel=2)

    async def follow() -> None:
        for entry in actor.link.log:
            spans.hear(entry)
        actor.link.log.follow(hear)

    call_on(actor.loop, follow())


def export(saved: SavedHistory, *, tracer_provider: TracerProvider | None = None, content: bool | None = None) -> None:
    """Write the spans of a saved conversation, at the times of then.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.
    tracer_provider : TracerProvider, optional
        As for :func:`instrument`.
    content : bool, optional
        As for :func:`instrument`.

    Raises
    ------
    MissingExtra
        OpenTelemetry is not installed.
    """
    epoch_ns = round(dt.datetime.fromisoformat(saved.begun).timestamp()) * 1_000_000_000
    spans = _Spans(
        _tracer(tracer_provider),
        saved.card,
        brain=saved.brain,
        session_id=saved.id,
        epoch_ns=epoch_ns,
        content=_wanted(content),
    )
    for entry in saved.entries():
        spans.hear(entry)


def _tracer(provider: TracerProvider | None) -> Tracer:
    if find_spec("opentelemetry") is None:
        raise MissingExtra("Spans are written by OpenTelemetry.", hint='%pip install "realtime-nb[otel]"')
    from opentelemetry import trace

    return trace.get_tracer("realtime_nb", tracer_provider=provider)


def _wanted(content: bool | None) -> bool:
    return os.environ.get(CONTENT, "").strip().lower() in _YES if content is None else content


_FIGURES = ("cost_usd", "first_text_ms", "first_audio_ms", "output_s")
"""Columns of ``turns`` for which the conventions have no name."""


class _Spans:
    """Hears a log, and writes a span when something is over."""

    def __init__(
        self, tracer: Tracer, card: ModelCard, *, brain: str, session_id: str, epoch_ns: int, content: bool
    ) -> None:
        self._tracer = tracer
        self._card = card
        self._epoch_ns = epoch_ns
        self._content = content
        self._fold = Fold(card)
        self._config = Config()
        self._session: Context | None = None
        """In which the spans of responses are written."""
        self._replies: dict[str, tuple[Context, ResponseState]] = {}
        """The response each call of a function was made in, by ``call_id``."""
        self._billed = 0
        self._common = {
            "gen_ai.provider.name": "openai" if brain.startswith(card.name) else "realtime_nb",
            "gen_ai.realtime_session.id": session_id,
            "gen_ai.request.model": card.name,
            "gen_ai.response.model": brain,
        }

    def hear(self, entry: Entry) -> None:
        """Take in the next event."""
        self._fold.add(entry)
        handle = _HANDLERS.get(type(entry.event))
        if handle is not None:
            handle(self, entry.event, entry.t_s)

    # ------------------------------------------------------------ the session
    def configured(self, event: ev.SessionCreated | ev.SessionUpdated, t_s: float) -> None:
        """The session is there; when its settings are, too, it has begun."""
        if isinstance(event.session, Config):
            self._config = event.session
        if isinstance(event, ev.SessionUpdated) and self._session is None:
            self._begin(t_s)

    def _begin(self, t_s: float) -> Context:
        config = self._config
        told: dict[str, Any] = {
            "realtime_nb.voice": str(config.audio.output.voice),
            "realtime_nb.turn_detection": _tag(config.audio.input.turn_detection),
        }
        if self._content and config.instructions:
            told["gen_ai.system_instructions"] = json.dumps([{"type": "text", "content": config.instructions}])
        span = self._span("realtime_session", self._card.name, None, 0.0, told)
        self._session = self._end(span, t_s)
        return self._session

    # ------------------------------------------------------------ a response
    def done(self, event: ev.ResponseDone, t_s: float) -> None:
        """A response is over."""
        from opentelemetry.trace import Status, StatusCode

        response = self._fold.responses[event.response.id]
        span = self._span(
            "realtime_inference",
            self._card.name,
            self._session or self._begin(response.created_s),
            response.created_s,
            self._told(event.response, response),
        )
        if response.status == "failed":
            span.set_attribute("error.type", response.reason or "_OTHER")
            span.set_status(Status(StatusCode.ERROR))
        here = self._end(span, t_s)
        for item in response.outputs:
            if item.call_id is not None:
                self._replies[item.call_id] = here, response

    def _told(self, event: ev.Response, response: ResponseState) -> dict[str, Any]:
        row = response.row()
        told: dict[str, Any] = {
            "gen_ai.response.id": response.response_id,
            "gen_ai.conversation.id": event.conversation_id,
            "gen_ai.output.type": "text" if event.output_modalities == ("text",) else "speech",
            "gen_ai.response.finish_reasons": [response.reason or _finish(response)],
            "gen_ai.request.max_tokens": event.max_output_tokens if isinstance(event.max_output_tokens, int) else None,
            "realtime_nb.turn": response.turn,
            **{
                f"realtime_nb.{name}": row[name] for name in ("cost_usd", "first_text_ms", "first_audio_ms", "output_s")
            },
            **self._tokens(response),
        }
        if self._content:
            told["gen_ai.input.messages"] = _messages(response.inputs)
            told["gen_ai.output.messages"] = _messages(response.outputs, finish=_finish(response))
        return told

    def _tokens(self, response: ResponseState) -> dict[str, int]:
        if response.usage is None:
            return {}
        total, cached, said = response.usage
        names = {"input_tokens": total, "cache_read.input_tokens": cached, "output_tokens": said}
        rows, self._billed = self._fold.usage(self._billed), len(self._fold.billed)
        for row in rows:
            name = f"{row['modality']}.{row['direction']}_tokens"
            names[name] = names.get(name, 0) + row["tokens"]
            if row["cached"]:
                names[f"{row['modality']}.cache_read.input_tokens"] = row["tokens"]
        return {f"gen_ai.usage.{name}": count for name, count in names.items()}

    # ------------------------------------------------------------ a tool
    def created(self, event: ev.ConversationItemCreate, t_s: float) -> None:
        """The output of a function was sent: its call is over."""
        item = event.item
        if not isinstance(item, FunctionCallOutput) or item.call_id not in self._replies:
            return
        here, response = self._replies.pop(item.call_id)
        call = next(each for each in response.outputs if each.call_id == item.call_id)
        told: dict[str, Any] = {
            "gen_ai.tool.name": call.name,
            "gen_ai.tool.call.id": item.call_id,
            "gen_ai.tool.type": "function",
        }
        if self._content:
            told |= {"gen_ai.tool.call.arguments": call.arguments, "gen_ai.tool.call.result": item.output}
        begin_s = response.created_s if response.done_s is None else response.done_s
        self._end(self._span("execute_tool", str(call.name), here, begin_s, told), t_s)

    # ------------------------------------------------------------ writing
    def _span(self, operation: str, what: str, where: Context | None, t_s: float, told: dict[str, Any]) -> Span:
        from opentelemetry.trace import SpanKind

        attributes = {"gen_ai.operation.name": operation, **self._common, **told}
        return self._tracer.start_span(
            f"{operation} {what}",
            where,
            SpanKind.CLIENT if operation == "realtime_inference" else SpanKind.INTERNAL,
            {name: value for name, value in attributes.items() if value is not None},
            start_time=self._ns(t_s),
        )

    def _end(self, span: Span, t_s: float) -> Context:
        from opentelemetry.trace import set_span_in_context

        span.end(self._ns(t_s))
        return set_span_in_context(span)

    def _ns(self, t_s: float) -> int:
        return self._epoch_ns + round(t_s * 1e9)


_HANDLERS: dict[type, Callable[[_Spans, Any, float], None]] = {
    ev.SessionCreated: _Spans.configured,
    ev.SessionUpdated: _Spans.configured,
    ev.ResponseDone: _Spans.done,
    ev.ConversationItemCreate: _Spans.created,
}


def _tag(detection: Any) -> str:
    return "none" if detection is None else str(type(detection).__struct_config__.tag)


def _finish(response: ResponseState) -> str:
    """Why it ended, where the server does not say more."""
    if response.status != "completed":
        return "error"
    return "tool_call" if any(item.call_id is not None for item in response.outputs) else "stop"


def _messages(items: list[ItemState], finish: str | None = None) -> str:
    """Items as the conventions' messages; sound is told by its words."""
    given = {} if finish is None else {"finish_reason": finish}
    return json.dumps(
        [
            {"role": item.role or _ROLES.get(str(item.type), "user"), "parts": [*_parts(item)], **given}
            for item in items
        ],
        ensure_ascii=False,
    )


_ROLES = {"function_call": "assistant", "function_call_output": "tool"}


def _parts(item: ItemState) -> Iterator[dict[str, Any]]:
    if item.type == "function_call":
        yield {"type": "tool_call", "id": item.call_id, "name": item.name, "arguments": item.arguments}
    elif item.type == "function_call_output":
        yield {"type": "tool_call_response", "id": item.call_id, "response": item.output}
    elif item.words:
        yield {"type": "text", "content": item.words}
