"""How full the context is: what is estimated, what is measured, and what the server would leave out."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.images import Image
from realtime_nb.models import model
from realtime_nb.portal import call_on
from realtime_nb.protocol.items import InputText, Message
from realtime_nb.protocol.session_config import RetentionRatio, TokenLimits
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.usage.meter import ContextMeter, ItemTokens
from realtime_nb.usage.tokens import NOTHING, Tokens

MINI = model("gpt-realtime-mini")
SQUARE = np.zeros((64, 64, 3), np.uint8)


def usage(text: int, audio: int, *, out: tuple[int, int] = (30, 200), cached: int = 0) -> dict[str, Any]:
    """A response's usage as JSON."""
    hits = {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0}
    given = {"text_tokens": text, "audio_tokens": audio, "image_tokens": 0, "cached_tokens": cached}
    return {
        "total_tokens": text + audio + sum(out),
        "input_tokens": text + audio,
        "output_tokens": sum(out),
        "input_token_details": {**given, "cached_tokens_details": hits},
        "output_token_details": {"text_tokens": out[0], "audio_tokens": out[1]},
    }


def meter(*sizes: int, fixed: int = 100, truncation: Any = "auto") -> ContextMeter:
    """A context of items of so many tokens of sound."""
    items = (Message(id=f"item_{n}", role="user", content=(InputText(text="x"),)) for n in range(len(sizes)))
    held = tuple(ItemTokens(item, Tokens(audio=size)) for item, size in zip(items, sizes, strict=True))
    return ContextMeter(
        card=MINI, fixed=Tokens(text=fixed), items=held, unread=NOTHING, estimated=False,
        limit=28_224, truncation=truncation, cached=NOTHING,
    )  # fmt: skip


def test_before_the_first_response_all_is_an_estimate() -> None:
    """Instructions are estimated from their length, and the context says that it is an estimate."""
    with ScriptedServer() as server, rt.connect(server.url, instructions="Be brief. " * 30) as session:
        context = session.context
    assert 75 <= context.tokens.text <= 110
    assert (context.tokens.audio, context.items, context.limit, context.window) == (0, (), 28_224, 32_000)
    assert context.estimated
    assert "about" in repr(context)


def test_after_a_response_it_is_what_was_measured() -> None:
    """What a response read and wrote is what the next one reads, to the token."""
    with ScriptedServer(Reply("Hello.", usage=usage(59, 73))) as server, rt.connect(server.url) as session:
        session.say("Hello.")
        context = session.context
    assert context.tokens == Tokens(text=59 + 30, audio=73 + 200)
    assert not context.estimated
    assert context.fill == pytest.approx(362 / 28_224)
    assert context.next_tokens == context.tokens
    assert context.next_usd == pytest.approx((89 * 0.60 + 273 * 10) / 1e6)
    assert repr(context).startswith("Context(362 of 28,224 tokens, 1.3% (89 text, 273 audio); truncation auto:")


@pytest.mark.parametrize(
    ("part", "more"),
    [
        ({"type": "input_text", "text": "x" * 300}, Tokens(text=104)),
        ({"type": "input_audio", "audio": base64.b64encode(bytes(48_000 * 2)).decode()}, Tokens(text=4, audio=20)),
        ({"type": "input_image", "image_url": Image.coerce(SQUARE).data_url}, Tokens(text=4, image=255)),
    ],
    ids=["text", "audio", "image"],
)
def test_what_came_since_is_added_by_the_rules(part: dict[str, str], more: Tokens) -> None:
    """An item that no response has read counts by its length: 10 tokens a second of sound."""
    with ScriptedServer(Reply("Hello.", usage=usage(59, 73))) as server, rt.connect(server.url) as session:
        session.say("Hello.")
        before = session.context.tokens
        message = {"id": "item_mine", "type": "message", "role": "user", "content": [part]}
        session.send({"type": "conversation.item.create", "item": message})
        context = settled(session, "item_mine")
    assert context.tokens - before == context.unread == more
    assert context.estimated


def settled(session: rt.Session, item_id: str) -> ContextMeter:
    """The context once the server has told of an item."""
    link = session.actor.link
    call_on(session.actor.loop, link.until(lambda: item_id in link.connection.conversation, 5))
    return session.context


def test_a_full_context_says_what_is_left_out() -> None:
    """Above the limit the oldest items are left out, and the repr says how many tokens that is."""
    context = meter(10_000, 10_000, 10_000)
    assert context.fill > 1
    assert context.next_tokens == Tokens(text=100, audio=20_000)
    assert context.dropped == Tokens(audio=10_000)
    assert "the next response reads 20,100, without the oldest 10,000" in repr(context)


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [
        ("auto", 2),
        (RetentionRatio(retention_ratio=0.5), 1),
        (RetentionRatio(retention_ratio=1.0, token_limits=TokenLimits(post_instructions=12_000)), 1),
        ("disabled", None),
    ],
)
def test_each_truncation_keeps_what_the_server_would(truncation: Any, kept: int | None) -> None:
    """``auto`` drops as little as it must, a retention ratio more at once, ``disabled`` fails."""
    context = meter(10_000, 10_000, 10_000, truncation=truncation)
    found = context.kept(truncation)
    assert (None if found is None else len(found)) == kept
    assert ("would fail" in repr(context)) is (kept is None)


def test_a_card_without_a_limit_has_no_fill() -> None:
    """Without a limit there is nothing to fill: NaN, and everything is sent."""
    context = meter(10_000, 50_000)
    free = ContextMeter(**{**vars_of(context), "limit": None})
    assert math.isnan(free.fill)
    assert free.next_tokens == free.tokens
    assert "%" not in repr(free)


def vars_of(context: ContextMeter) -> dict[str, Any]:
    """A meter's fields."""
    return {name: getattr(context, name) for name in ContextMeter.__dataclass_fields__}


def test_the_html_is_a_bar_with_the_same_words() -> None:
    """The notebook shows a bar and the words of the repr."""
    context = meter(20_000)
    html = context._repr_html_()
    assert "<meter" in html
    assert "20,100 of 28,224 tokens" in html


# ---------------------------------------------------------------- were it to go on
def test_the_model_talk_costs_what_the_notes_say() -> None:
    """Sixty turns of the protocol's model talk cost $0.43 with a cache: no cut, and the same under every setting."""
    frame = meter(fixed=100).truncations(60)
    assert frame.truncation.tolist() == ["auto", "retention_ratio 0.8", "retention_ratio 0.5", "disabled"]
    assert frame.in_force.tolist() == [True, False, False, False]
    assert frame.cost_usd.round(2).tolist() == [0.43] * 4
    assert frame.cuts.tolist() == [0] * 4


def test_cutting_little_at_every_turn_costs_the_cache() -> None:
    """In a full window ``auto`` cuts at every turn and reads all anew; a retention ratio cuts seldom and costs less."""
    frame = meter(*[50, 200] * 112, fixed=100).truncations(60).set_index("truncation")
    assert frame.cuts["auto"] > 10 * frame.cuts["retention_ratio 0.8"] > 0
    assert frame.uncached_tokens["auto"] > 5 * frame.uncached_tokens["retention_ratio 0.8"]
    assert frame.cost_usd["auto"] > 3 * frame.cost_usd["retention_ratio 0.8"] > 0


def test_disabled_ends_where_the_window_is_full() -> None:
    """Without truncation the responses fail from then on: fewer turns are answered."""
    frame = meter(20_000, truncation="disabled").truncations(60).set_index("truncation")
    assert frame.in_force["disabled"]
    assert frame.turns["disabled"] < frame.turns["auto"] == 60


def test_a_setting_of_your_own_is_compared() -> None:
    """The setting in force is a row, whatever it is."""
    mine = RetentionRatio(retention_ratio=0.6, token_limits=TokenLimits(post_instructions=5_000))
    frame = meter(100, truncation=mine).truncations(10)
    assert frame[frame.in_force].truncation.tolist() == ["retention_ratio 0.6, at most 5,000"]
