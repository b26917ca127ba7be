"""A turn: what was said to the model, and all it answered, tool calls and their follow-ups included."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator
from functools import reduce
from html import escape
from typing import TYPE_CHECKING, Any

from realtime_nb.audio import Audio
from realtime_nb.audio.player import player_html
from realtime_nb.display import cell_number, plain, words_html
from realtime_nb.errors import ConnectionClosed
from realtime_nb.latency import Latency, latency_of
from realtime_nb.portal import await_on, call_on
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.usage import Usage, add
from realtime_nb.usage import Cost, cost

if TYPE_CHECKING:
    from realtime_nb.models import ModelCard
    from realtime_nb.session.book import TurnBook
    from realtime_nb.session.reply import Delta, Reply
    from realtime_nb.tools import CallRecord

__all__ = ["Turn"]


class Turn:
    """What was said and what was answered; it fills while the answer comes.

    ``say`` gives it when it is whole; ``say(..., wait=False)`` gives it at once:
    then ``turn.wait()`` or ``await turn`` waits for the rest.
    """

    def __init__(self, card: ModelCard, loop: asyncio.AbstractEventLoop, book: TurnBook) -> None:
        self.replies: list[Reply] = []
        """Its responses, one after another; the session's own thread fills them."""
        self.heard: list[str] = []
        """The items in which the user spoke."""
        self.ran: list[CallRecord] = []
        self.shown_in: int | None = None
        """The cell that has drawn it already."""
        self.waits = ""
        """What it waits for before it may begin, in words."""
        self.error: BaseException | None = None
        """Why it did not come to its end."""
        self.task: asyncio.Task[None] | None = None
        self._card = card
        self._loop = loop
        self._book = book
        self._finished = asyncio.Event()
        self._listeners: list[asyncio.Queue[Delta | None]] = []

    # ---------------------------------------------------------------- how it fills, on the session's thread
    def tell(self, delta: Delta) -> None:
        """Give a piece to whoever listens."""
        for queue in self._listeners:
            queue.put_nowait(delta)

    def listen(self) -> asyncio.Queue[Delta | None]:
        """A queue of the pieces to come; None is the end."""
        queue: asyncio.Queue[Delta | None] = asyncio.Queue()
        if self.done:
            queue.put_nowait(None)
        self._listeners.append(queue)
        return queue

    def hold(self, words: str) -> None:
        """Say what it waits for; nothing: it goes on."""
        self.waits = words

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more will come."""
        if self.done:
            return
        self.error = error
        self._finished.set()
        for queue in self._listeners:
            queue.put_nowait(None)

    async def whole(self) -> Turn:
        """Wait for its end, and raise what kept it from a good one."""
        await self._finished.wait()
        if self.error is not None:
            raise self.error
        return self

    # ---------------------------------------------------------------- what came
    @property
    def text(self) -> str:
        """The reply's words: written, or the transcript of what was spoken."""
        return "\n".join(filter(None, (reply.text for reply in self.replies)))

    @property
    def transcript(self) -> str | None:
        """What the server wrote down of the user's speech; it may come after the reply. None: nothing (yet)."""
        words = [heard for item_id in self.heard if (heard := self._book.words(item_id)) is not None]
        return "\n".join(words) if words else None

    @property
    def audio(self) -> Audio:
        """The reply's sound; of no duration when it was written."""
        sounds = [sound for reply in self.replies if (sound := reply.audio)]
        return Audio.concatenate(sounds) if sounds else Audio.silence(0)

    @property
    def items(self) -> tuple[Item, ...]:
        """The reply's items: messages and function calls, in order."""
        return tuple(item for reply in self.replies for item in reply.items)

    @property
    def response_ids(self) -> tuple[str, ...]:
        """Its rows in the frames: ``session.turns[session.turns.response_id.isin(turn.response_ids)]``."""
        return tuple(reply.id for reply in self.replies)

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """The functions that were run for it, with what they gave."""
        return tuple(self.ran)

    # ---------------------------------------------------------------- what it took
    @property
    def usage(self) -> Usage:
        """Tokens, of all its responses together."""
        return reduce(add, (reply.usage for reply in self.replies), Usage())

    @property
    def cost(self) -> Cost:
        """What the tokens cost by the model's card, line by line."""
        return cost(self.usage, self._card)

    @property
    def cost_usd(self) -> float:
        """What it cost, in US dollars; NaN where the card has no price."""
        return self.cost.total_usd

    @property
    def latency(self) -> Latency:
        """How long it kept its listener waiting."""
        return latency_of(self.replies, self._book.moments.get(self.heard[-1]) if self.heard else None)

    # ---------------------------------------------------------------- how it stands
    @property
    def status(self) -> str:
        """``in_progress``, then ``completed``, ``cancelled``, ``incomplete`` or ``failed``."""
        if not self.done:
            return "in_progress"
        status = self.replies[-1].state.status if self.replies else "failed"
        return "incomplete" if status == "in_progress" else status  # the connection ended before the response

    @property
    def reason(self) -> str | None:
        """Why it is not ``completed``, in the API's word or the server's message; or how the connection ended."""
        if not self.replies:
            return None
        last = self.replies[-1].state
        if last.status == "in_progress" and isinstance(self.error, ConnectionClosed):
            return self.error.message
        return last.reason or (last.error.code or last.error.message if last.error else None)

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self._finished.is_set()

    def wait(self, timeout_s: float | None = None) -> Turn:
        """Wait until the turn is whole.

        Parameters
        ----------
        timeout_s : float, optional
            How long at most, in seconds; the turn goes on after it.

        Returns
        -------
        Turn
            This one.

        Raises
        ------
        TimeoutError
            It is not whole yet.
        TurnFailed, TurnIncomplete, ServerError, ConnectionClosed
            As ``say`` raises them.
        """
        return call_on(self._loop, self._within(timeout_s))

    def __await__(self) -> Generator[Any, None, Turn]:
        return await_on(self._loop, self.whole()).__await__()

    async def _within(self, timeout_s: float | None) -> Turn:
        async with asyncio.timeout(timeout_s):
            return await self.whole()

    # ---------------------------------------------------------------- how it looks
    def _facts(self) -> list[str]:
        """What a person wants to know of it, beside the words."""
        facts = [self.status if self.reason is None else f"{self.status} ({plain(self.reason)})"]
        if self.waits:
            facts.append(self.waits)
        if sound := self.audio:
            facts.append(f"{sound.duration_s:.1f} s of sound")
        first = self.latency.first_audio_ms or self.latency.first_text_ms
        if first is not None:
            facts.append(f"first {'audio' if sound else 'text'} {first:,.0f} ms")
        if tokens := self.usage.total_tokens:
            facts.append(f"{tokens:,} tokens")
            if not math.isnan(self.cost_usd):
                facts.append(f"${self.cost_usd:.6f}")
        return facts

    def __repr__(self) -> str:
        text = plain(self.text)
        shown = f"{text[:200]}…" if len(text) > 200 else text
        return f"Turn({shown!r}, {', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        calls = "".join(f'<div class="rtnb-call"><code>{escape(plain(repr(call)))}</code></div>' for call in self.calls)
        player = player_html(sound, voice="model") if (sound := self.audio) else ""
        facts = " · ".join(map(escape, self._facts()))
        return (
            f'<div class="rtnb-turn">{words_html(plain(self.transcript or ""), plain(self.text))}{calls}{player}'
            f'<div class="rtnb-facts" style="font-size:12px;opacity:.7">{facts}</div></div>'
        )

    def _ipython_display_(self) -> None:
        """Draw nothing when this cell has drawn the turn while it came; else as usual."""
        if self.shown_in is None or self.shown_in != cell_number():
            raise NotImplementedError  # IPython's sign for "use the other representations"
        self.shown_in = None
