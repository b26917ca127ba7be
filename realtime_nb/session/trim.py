"""Trimming a conversation: old turns, pictures, or all but a summary leave what the next response reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_nb.errors import ConfigError, TurnIncomplete
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.conversation import ROOT
from realtime_nb.protocol.items import InputAudio, InputImage, InputText, ItemReference, Message
from realtime_nb.session.parts import Said
from realtime_nb.turn import Turn
from realtime_nb.usage.trimmed import SUMMARY, Plan, Trimmed, plan, trimmed

if TYPE_CHECKING:
    from realtime_nb.session.actor import Actor

__all__ = ["trim"]

ASK = (
    "Sum up the conversation so far in at most ten short sentences, for yourself to go on from: who said what, names, "
    "numbers, decisions, open questions. Write the summary only."
)


async def trim(actor: Actor, *, last: int | None, images: bool, summarise: bool, timeout_s: float) -> Trimmed:
    """Trim a session's conversation, while nothing is said in it.

    Parameters
    ----------
    actor : Actor
        The session at home.
    last : int, optional
        So many turns stay; None: all, or none of them where they are summed up.
    images : bool
        False: pictures leave.
    summarise : bool
        The model sums up what leaves.
    timeout_s : float
        How long the server may be silent.

    Returns
    -------
    Trimmed
        What was freed, and what it costs.

    Raises
    ------
    ConfigError
        There is nothing to do.
    """
    _check(last, images=images, summarise=summarise)
    async with actor.alone(timeout_s):
        before = actor.reading.meter()
        todo = plan(before.items, last=0 if summarise and last is None else last, images=images)
        told = await _summary(actor, todo, timeout_s) if summarise and todo.gone else None
        for item_id in todo.stripped:
            await _strip(actor, item_id, timeout_s)
        for item_id in todo.gone:
            await _delete(actor, item_id, timeout_s)
        return trimmed(
            before, actor.reading.meter(), todo,
            summary="" if told is None else told.text, summary_usd=0.0 if told is None else told.cost_usd,
        )  # fmt: skip


def _check(last: int | None, *, images: bool, summarise: bool) -> None:
    if last is None and images and not summarise:
        raise ConfigError("trim() was told nothing to take away", hint="session.trim(last=4)")
    if last is not None and (type(last) is not int or last < 0):
        raise ConfigError(f"trim() got last={last!r}: it is a number of turns, 0 or more", hint="session.trim(last=4)")


async def _summary(actor: Actor, todo: Plan, timeout_s: float) -> Turn:
    """Let the model sum up what leaves, beside the conversation, and put that at its beginning."""
    refs = tuple(ItemReference(id=item_id) for item_id in todo.gone)
    params = ev.ResponseParams(conversation="none", output_modalities=("text",), input=refs, tool_choice="none")
    told = await actor.say(Said((InputText(text=ASK),)), params, timeout_s, lambda _turn: None)
    if told.status != "completed" or not told.text.strip():
        raise TurnIncomplete(
            "the model gave no summary, and nothing was trimmed", turn=told, hint="session.trim(last=4)"
        )
    message = Message(role="system", content=(InputText(text=SUMMARY + told.text),))
    await _put(actor, message, ROOT, timeout_s)
    return told


async def _put(actor: Actor, message: Message, after: str | None, timeout_s: float) -> None:
    link = actor.link
    item = replace(message, id=link.ids.new("item"), status=None)
    event_id = await link.send(ev.ConversationItemCreate(item=item, previous_item_id=after))
    await link.until(
        lambda: item.id in link.connection.conversation, timeout_s, about=[event_id], what="the item to be added"
    )


async def _delete(actor: Actor, item_id: str, timeout_s: float) -> None:
    link = actor.link
    event_id = await link.send(ev.ConversationItemDelete(item_id=item_id))
    await link.until(
        lambda: item_id not in link.connection.conversation, timeout_s, about=[event_id], what="the item to be deleted"
    )


async def _strip(actor: Actor, item_id: str, timeout_s: float) -> None:
    """Put a message in its own place without its pictures; an item cannot be changed, so it is a new one."""
    talk = actor.link.connection.conversation
    await _fetch_sound(actor, item_id, timeout_s)
    item = talk.whole(item_id)
    assert isinstance(item, Message)  # noqa: S101 - only messages have pictures
    content = tuple(part for part in item.content if not isinstance(part, InputImage))
    await _put(actor, replace(item, content=content), talk.previous(item_id) or ROOT, timeout_s)
    await _delete(actor, item_id, timeout_s)


async def _fetch_sound(actor: Actor, item_id: str, timeout_s: float) -> None:
    """Ask for the sound of a message, which events come without."""
    talk = actor.link.connection.conversation
    parts = getattr(talk[item_id], "content", ())
    spoken = [index for index, part in enumerate(parts) if isinstance(part, InputAudio)]
    if not spoken:
        return
    event_id = await actor.link.send(ev.ConversationItemRetrieve(item_id=item_id))
    await actor.link.until(
        lambda: all(talk.sound(item_id, index) for index in spoken),
        timeout_s,
        about=[event_id],
        what="the sound of an item",
    )
