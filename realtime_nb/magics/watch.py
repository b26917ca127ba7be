"""``%rt watch``: what later cells show becomes context, counted, priced and capped."""

from __future__ import annotations

import math
from typing import Any

from realtime_nb.errors import RealtimeError
from realtime_nb.magics.cell import flush_figures
from realtime_nb.magics.holder import Holder, tell
from realtime_nb.magics.tap import Basket, Tap
from realtime_nb.portal import call_on
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.events import ConversationItemCreate
from realtime_nb.protocol.items import Message
from realtime_nb.protocol.usage import Usage
from realtime_nb.session import Session
from realtime_nb.session.actor import Actor
from realtime_nb.session.parts import Said, sort_parts
from realtime_nb.usage import Tokens, cost
from realtime_nb.usage.cost import input_tokens

__all__ = ["MAX_CELL_TOKENS", "Watch"]

MAX_CELL_TOKENS = 4_000
"""Of one cell: about nine figures, or seven minutes of sound. More is not sent, and said."""
ADD_S = 10.0
"""How long the server may take to add an item."""


class Watch:
    """Puts the figures and sounds of each cell into the conversation; no answer is asked for.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells.
    holder : Holder
        Which session.
    tap : Tap
        Where what a cell shows comes by.
    """

    def __init__(self, shell: Any, holder: Holder, tap: Tap) -> None:
        self._events = shell.events
        self._holder = holder
        self._tap = tap
        self._basket = Basket()
        self._open = False
        self.on = False
        self.tokens = 0
        """About how many were added since it was turned on."""

    def start(self) -> None:
        """Watch the cells after this one."""
        if self.on:
            return
        self.on, self._open, self.tokens = True, False, 0
        self._events.register("pre_run_cell", self._before)
        self._events.register("post_run_cell", self._after)
        self._tap.add(self._basket)

    def stop(self) -> None:
        """Watch no more."""
        if not self.on:
            return
        self.on = False
        self._events.unregister("pre_run_cell", self._before)
        self._events.unregister("post_run_cell", self._after)
        self._tap.remove(self._basket)

    def skip(self) -> None:
        """Leave this cell out: what it shows is sent otherwise."""
        self._open = False

    def _before(self, info: Any) -> None:
        if info.store_history:  # a cell of its own, not one that a magic runs inside another
            self._basket.clear()
            self._open = True

    def _after(self, result: Any) -> None:
        if not (self._open and result.info.store_history):
            return
        self._open = False
        flush_figures()
        if not result.success:
            return
        try:
            self._send(self._holder.session())
        except RealtimeError as error:
            self.stop()
            tell(f"watch is off. {type(error).__name__}: {error}")
        except TimeoutError as error:
            self.stop()
            tell(f"watch is off: {error}")

    def _send(self, session: Session) -> None:
        for note in self._basket.notes:
            tell(f"watch: not sent: {note}")
        if not self._basket.pieces:
            return
        actor = session.aio.actor
        said = sort_parts(self._basket.pieces, session.card, format=actor.input_format)
        tokens = said.tokens()
        count = tokens.text + tokens.audio + tokens.image
        if count > MAX_CELL_TOKENS:
            tell(
                f"watch: {self._basket}, about {count:,} tokens, not sent: "
                f"one cell may add {MAX_CELL_TOKENS:,}. Show fewer, or ask with %%ask."
            )
            return
        call_on(actor.loop, _add(actor, said))
        self.tokens += count
        tell(
            f"watch: {self._basket} added, about {count:,} tokens{_price(session, tokens)}; "
            f"{self.tokens:,} since watch is on, read again with every answer"
        )


async def _add(actor: Actor, said: Said) -> None:
    """Put it into the conversation, and wait until the server has it."""
    if not isinstance(said.message, Message):
        return
    actor.guard.know(actor.reading.total())
    actor.guard.check(said.tokens())
    item = replace(said.message, id=actor.link.ids.new("item"))
    conversation = actor.link.connection.conversation
    event_id = await actor.link.send(ConversationItemCreate(item=item))
    await actor.link.until(lambda: item.id in conversation, ADD_S, about=[event_id], what="the item to be added")


def _price(session: Session, tokens: Tokens) -> str:
    counts = {"text": tokens.text, "audio": tokens.audio, "image": tokens.image}
    usage = Usage(input_tokens=sum(counts.values()), input_token_details=input_tokens(counts))
    usd = cost(usage, session.card).total_usd
    return "" if math.isnan(usd) or not usd else f" (${usd:.6f})"
