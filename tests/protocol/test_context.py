"""What a response reads, what it costs, and what the limits say."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.context import Context, ContextOverflow, Cost, Counter, cached_split, is_read
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpCall,
    McpListTools,
    Message,
    OutputAudio,
    OutputText,
)
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import RetentionRatio, Session, TokenLimits
from realtime_nb.protocol.tools import FunctionTool
from realtime_nb.protocol.usage import (
    CachedTokens,
    InputTokens,
    OutputTokens,
    Usage,
    add,
    audio_in_tokens,
    audio_out_tokens,
    image_tokens,
)

if TYPE_CHECKING:
    from .conftest import Wire

LIMITS = Limits(max_input_tokens=100)
NOTHING = Cost()


def message(name: str) -> Message:
    """A user's written message of that name."""
    return Message(id=name, role="user", content=(InputText(text=name),))


def costed(*totals: int) -> list[tuple[Item, Cost]]:
    """Items that cost so many tokens."""
    return [(message(str(index)), Cost(text=total)) for index, total in enumerate(totals)]


def kept(items: list[tuple[Item, Cost]], truncation: Any = "auto", fixed: int = 0) -> str:
    """The names of what is kept."""
    return "".join(Context.fit(items, Cost(text=fixed), truncation, LIMITS).ids)


# ---------------------------------------------------------------- counting
def test_sound_is_counted_by_time() -> None:
    """A token is a begun 100 ms of the user, or a begun 50 ms of the assistant."""
    assert [audio_in_tokens(ms) for ms in (0, 1, 100, 100.1, 5_000)] == [0, 1, 1, 2, 50]
    assert [audio_out_tokens(ms) for ms in (0, 1, 50, 50.1, 10_000)] == [0, 1, 1, 2, 200]


@pytest.mark.parametrize(
    ("size", "detail", "tokens"),
    [
        ((512, 512), "auto", 255), ((513, 512), "high", 425), ((1024, 1024), "high", 765), ((2048, 4096), "high", 1105),
        ((1, 1), "high", 255), ((9999, 1), "high", 765), ((4000, 3000), "low", 85),
    ],
)  # fmt: skip
def test_pictures_are_estimated_by_tiles(size: tuple[int, int], detail: str, tokens: int) -> None:
    """The tile rule of GPT-4o: fit 2048, shorter side 768, 85 and 170 a tile; low is 85."""
    assert image_tokens(*size, detail) == tokens


def test_what_items_cost() -> None:
    """Each part is counted by its own rule, and an item's role marks as four tokens of text."""
    counter, talk = Counter(lambda text: len(text.split())), Conversation()
    spoken = Message(id="a", role="assistant", content=(OutputAudio(transcript="one two"),))
    heard = Message(id="u", role="user", content=(InputAudio(transcript="five words are not counted"),))
    for item, ms in ((spoken, 1_000), (heard, 1_000)):
        talk.insert(item)
        talk.listen(item.id, 0, Pcm()).add(audio=bytes(ms * 48))
    assert counter.item(talk, spoken) == Cost(text=6, audio=20)
    assert counter.item(talk, heard) == Cost(text=4, audio=10)
    assert counter.item(talk, FunctionCall(id="c", name="f", arguments="{} {}")) == Cost(text=7)
    assert counter.item(talk, FunctionCallOutput(id="o", call_id="c", output="a b c")) == Cost(text=7)
    mcp = McpCall(id="m", server_label="s", name="f", arguments="{}", output="x")
    assert counter.item(talk, mcp) == Cost(text=7)
    broken = Message(id="p", role="user", content=(InputImage(image_url="data:nothing"),))
    assert counter.item(talk, broken) == Cost(text=4)
    assert counter.fixed("be brief", ()) == Cost(text=6)
    assert counter.fixed("", (FunctionTool(name="f"),)).text > 4


def test_costs_are_remembered_until_something_changes() -> None:
    """An item is tokenized once, and again when it, or its sound, is changed."""
    seen: list[str] = []

    def count(text: str) -> int:
        seen.append(text)
        return 1

    counter, talk = Counter(count), Conversation()
    talk.insert(Message(id="a", role="assistant", content=(OutputAudio(transcript="one two three"),)))
    talk.listen("a", 0, Pcm()).add("one two three", bytes(1_000 * 48))
    for _ in range(3):
        assert counter.item(talk, talk["a"]).audio == 20
    assert seen == ["one two three"]
    talk.truncate("a", 0, 500)
    assert counter.item(talk, talk["a"]).audio == 10
    assert seen == ["one two three", "one"]


def test_costs_are_forgotten_with_their_items(wire: Wire) -> None:
    """Nothing is kept of items that were deleted, or that only one response has read: pictures are large."""

    def respond(params: ev.ResponseParams | None = None) -> None:
        wire.send(ev.ResponseCreate(response=params))
        wire.report(fx.Generated(wire.last(fx.Generate).response_id, "stop"))
        wire.log.clear()
        wire.asked.clear()

    tracemalloc.start()
    for turn in range(20):
        wire.say("x" * 100_000, id=f"item_{turn}")
        respond()
        wire.send(ev.ConversationItemDelete(item_id=f"item_{turn}"))
        own = Message(role="user", content=(InputText(text="x" * 100_000),))
        respond(ev.ResponseParams(conversation="none", input=(own,)))
    kept, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000


def test_what_is_not_read() -> None:
    """Unfinished and empty items, cut calls, and MCP's lists are not for the model."""
    said = (OutputText(text="x"),)
    assert is_read(Message(role="assistant", content=said, status="incomplete"))
    assert not is_read(Message(role="assistant", content=said, status="in_progress"))
    assert not is_read(Message(role="assistant", content=(OutputAudio(transcript=""),)))
    assert not is_read(Message(role="user", content=(InputText(text=""),)))
    assert not is_read(FunctionCall(name="f", arguments="{", status="incomplete"))
    assert not is_read(McpListTools(server_label="s"))
    assert is_read(FunctionCallOutput(call_id="c", output=""))


# ---------------------------------------------------------------- fitting
def test_all_is_kept_that_fits() -> None:
    """Exactly the limit fits; one more drops the oldest."""
    assert kept(costed(50, 30, 20)) == "012"
    assert kept(costed(50, 30, 21)) == "12"
    assert kept(costed(50, 30, 10), fixed=11) == "12"


def test_disabled_fails_rather_than_drops() -> None:
    """Where truncation is disabled, too much is an overflow."""
    assert kept(costed(100), "disabled") == "0"
    with pytest.raises(ContextOverflow, match="101 tokens do not fit into 100"):
        kept(costed(50, 51), "disabled")


def test_retention_drops_more_at_once() -> None:
    """Over the limit, a ratio of it is kept; the newest item always stays."""
    assert kept(costed(20, 20, 20, 20, 21), RetentionRatio(retention_ratio=0.8)) == "234"
    assert kept(costed(20, 20, 20, 20, 20), RetentionRatio(retention_ratio=0.8)) == "01234"
    assert kept(costed(60, 60), RetentionRatio(retention_ratio=0.0)) == "1"


def test_post_instructions_caps_the_conversation() -> None:
    """The cap holds for the conversation alone, and never lifts the window."""
    cap = RetentionRatio(retention_ratio=1.0, token_limits=TokenLimits(post_instructions=40))
    assert kept(costed(20, 20, 20), cap, fixed=60) == "12"
    assert kept(costed(20, 20), cap, fixed=70) == "1"
    assert kept(costed(20, 20, 20), RetentionRatio(retention_ratio=1.0, token_limits=TokenLimits())) == "012"


@pytest.mark.parametrize(("totals", "fixed"), [((10,), 101), ((101,), 0), ((1, 60), 50)])
def test_what_cannot_fit(totals: tuple[int, ...], fixed: int) -> None:
    """Instructions and the newest item are never dropped; when they alone are too much, it is an overflow."""
    with pytest.raises(ContextOverflow):
        kept(costed(*totals), fixed=fixed)


def test_no_output_without_its_call() -> None:
    """When a call is dropped, its output goes with it."""
    call, output = (
        FunctionCall(id="c", call_id="k", name="f", arguments=""),
        FunctionCallOutput(id="o", call_id="k", output=""),
    )
    items: list[tuple[Item, Cost]] = [(call, Cost(60)), (output, Cost(30)), (message("u"), Cost(30))]
    assert kept(items) == "u"


def test_retention_is_sticky(make_wire: Callable[..., Wire]) -> None:
    """What a ratio has dropped stays dropped, so that the next responses begin with the same prefix."""
    session = Session(truncation=RetentionRatio(retention_ratio=0.5), output_modalities=("text",))
    wire = make_wire(session, limits=Limits(max_input_tokens=104, session_s=None, idle_s=None), count=len)
    starts: list[str] = []
    for turn in range(12):
        wire.say("x" * 16)  # 20 tokens with its marks
        wire.send(ev.ResponseCreate())
        starts.append(wire.last(fx.Generate).request.items[0].id)
        wire.report(fx.Generated(f"resp_{turn + 1}", "stop"))
    assert starts[:6] == ["item_c1"] * 5 + ["item_c5"]
    assert len(set(starts)) == 3, "two cuts in twelve turns, not one each turn"


def test_no_output_without_its_call_later_on(make_wire: Callable[..., Wire]) -> None:
    """Where a ratio has dropped a call, its output is not read by the next responses, either."""
    session = Session(truncation=RetentionRatio(retention_ratio=0.5), output_modalities=("text",))
    wire = make_wire(session, limits=Limits(max_input_tokens=100, session_s=None, idle_s=None), count=len)
    wire.send(ev.ConversationItemCreate(item=FunctionCall(id="c", call_id="k", name="f", arguments="x" * 60)))
    wire.say("x" * 6, id="first")
    wire.send(ev.ConversationItemCreate(item=FunctionCallOutput(id="o", call_id="k", output="x")))
    wire.say("x" * 20, id="second")
    for turn in range(1, 4):
        wire.send(ev.ResponseCreate())
        assert [item.id for item in wire.last(fx.Generate).request.items] == ["first", "second"]
        wire.report(fx.Generated(f"resp_{turn}", "stop"))


# ---------------------------------------------------------------- usage
def context(fixed: int, *costs: Cost) -> Context:
    """What a response reads, by cost."""
    return Context(ids=(), fixed=Cost(text=fixed), costs=costs)


def test_cached_tokens_are_a_prefix_in_steps_of_64() -> None:
    """What was saved is spent from the front, by modality, and floored to multiples of 64."""
    read = context(120, Cost(text=4, audio=50), Cost(text=30, audio=200))
    told = cached_split(read, prompt_tokens=404, cached_tokens=404)
    assert told == InputTokens(
        text_tokens=154, audio_tokens=250, cached_tokens=128 + 192,
        cached_tokens_details=CachedTokens(text_tokens=128, audio_tokens=192),
    )  # fmt: skip
    assert cached_split(read, 404, 130).cached_tokens_details == CachedTokens(text_tokens=64)
    assert cached_split(read, 0, 0).cached_tokens == 0


@given(
    costs=st.lists(st.builds(Cost, st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), max_size=8),
    prompt=st.integers(0, 3_000),
    cached=st.integers(0, 3_000),
)
def test_no_more_is_cached_than_was_saved(costs: list[Cost], prompt: int, cached: int) -> None:
    """Cached tokens never exceed the brain's share, nor any modality's input."""
    read = context(100, *costs)
    told = cached_split(read, prompt, cached)
    details = told.cached_tokens_details
    assert told.cached_tokens == details.text_tokens + details.audio_tokens + details.image_tokens
    assert told.text_tokens + told.audio_tokens + told.image_tokens == read.total
    assert told.cached_tokens <= read.total * (min(cached, prompt) / prompt if prompt else 0)
    assert details.text_tokens <= told.text_tokens
    assert details.audio_tokens <= told.audio_tokens
    assert all(tokens % 64 == 0 for tokens in (details.text_tokens, details.audio_tokens, details.image_tokens))


def test_usage_adds_up() -> None:
    """Two usages add, field by field."""
    one = Usage(
        total_tokens=3,
        input_tokens=2,
        output_tokens=1,
        input_token_details=InputTokens(
            text_tokens=2, cached_tokens=1, cached_tokens_details=CachedTokens(text_tokens=1)
        ),
        output_token_details=OutputTokens(text_tokens=1),
    )
    two = add(one, one)
    assert (two.total_tokens, two.input_token_details.cached_tokens_details.text_tokens) == (6, 2)
    assert add(one, Usage()) == one


def test_usage_of_a_long_talk(wire: Wire) -> None:
    """What was said is read again at each response: the assistant's sound at 50 ms, and its words as text."""
    for turn in (1, 2):
        wire.send(ev.InputAudioBufferAppend(audio=bytes(5_000 * 48)))
        wire.report(fx.SpeechStarted(5_000 * (turn - 1)), fx.SpeechStopped(5_000 * turn))
        wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "hello"))
        wire.report(fx.SpeechDelta(f"resp_{turn}", "a b c", bytes(10_000 * 48)))
        done = wire.report(fx.Generated(f"resp_{turn}", "stop", 100, 64, 3))[-2]
    assert isinstance(done, ev.ResponseDone)
    usage = done.response.usage
    assert usage is not None
    assert usage.input_token_details.audio_tokens == 50 + 200 + 50
    assert usage.input_token_details.text_tokens == 4 + 3 * 4 + 3
    assert (usage.output_token_details.audio_tokens, usage.output_token_details.text_tokens) == (200, 3)
    assert usage.input_token_details.cached_tokens == 128, "0.64 of 319 is 15 text and 189 audio, floored"


def test_an_overflow_fails_the_response(make_wire: Callable[..., Wire]) -> None:
    """With truncation disabled, a context too long makes a failed response, not an error event."""
    wire = make_wire(Session(truncation="disabled"), limits=Limits(max_input_tokens=10, session_s=None, idle_s=None))
    wire.say("a b c d e f g")
    created, done, _ = wire.send(ev.ResponseCreate())
    assert isinstance(created, ev.ResponseCreated)
    assert isinstance(done, ev.ResponseDone)
    assert done.response.status_details is not None
    assert done.response.status_details.error is not None
    assert done.response.status_details.error.code == "context_length_exceeded"
