"""A session on a wire in memory: it needs a transport, not a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.connection import open_actor
from realtime_nb.errors import ConnectError, ConnectionClosed
from realtime_nb.session import AsyncSession
from realtime_nb.testing.replies import Reply
from realtime_nb.testing.script import Script
from realtime_nb.transports.memory import MemoryTransport, pair


async def play(wire: MemoryTransport, script: Script) -> None:
    """Play the script at one end of a wire."""
    with contextlib.suppress(ConnectionClosed):
        for event in script.open():
            await wire.send(json.dumps(event))
        while True:
            for event in script.receive(json.loads(await wire.receive())):
                await wire.send(json.dumps(event))


def run(*replies: Reply, test: Any) -> Any:
    """Run a test with a session over a wire in memory, all on one loop."""

    async def both() -> Any:
        near, far = pair()
        playing = asyncio.create_task(play(far, Script(deque(replies), {})))
        actor = await open_actor(near, rt.model("gpt-realtime-mini"), fields={"type": "realtime"})
        async with AsyncSession(actor) as session:
            result = await test(session)
        await playing
        return result

    return asyncio.run(both())


def test_a_turn_on_a_loop_of_ones_own() -> None:
    """The awaitable face needs no portal when it is used at home."""

    async def test(session: AsyncSession) -> str:
        return (await session.say("Hello.")).text

    assert run(Reply("Hi."), test=test) == "Hi."


def test_many_turns_at_once_are_answered_in_order() -> None:
    """Messages said at the same time are answered one after another, each by its own reply."""

    async def test(session: AsyncSession) -> list[str]:
        turns = await asyncio.gather(*(session.say(str(number)) for number in range(5)))
        return [turn.text for turn in turns]

    assert run(*(Reply(f"reply {n}") for n in range(5)), test=test) == [f"reply {n}" for n in range(5)]


def test_beside_the_conversation_nothing_waits() -> None:
    """Responses out of band run while another one is under way, and are told apart."""

    async def test(session: AsyncSession) -> tuple[str, str]:
        long = await session.say("Talk.", wait=False)
        while not long.text:  # noqa: ASYNC110 - filled by the reader's task
            await asyncio.sleep(0)
        aside = await session.say("Topic?", response={"conversation": "none"})
        await session.interrupt()
        return (await long).text, aside.text

    assert run(Reply("On and on", end="hang"), Reply("rivers"), test=test) == ("On and on", "rivers")


def test_a_cancelled_task_cancels_its_turn() -> None:
    """Cancelling whoever awaits say() cancels the response, and the session goes on."""

    async def test(session: AsyncSession) -> list[str]:
        task = asyncio.create_task(session.say("Talk."))
        while not session.actor.book.turns or not session.actor.book.turns[0].text:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await session.say("Hello?")
        return session.turns.status.tolist()

    assert run(Reply("On and on", end="hang"), Reply("Hi."), test=test) == ["cancelled", "completed"]


def test_a_server_that_leaves_before_it_began() -> None:
    """A wire that closes before session.created is a ConnectError with its reason."""

    async def leave() -> None:
        near, far = pair()
        await far.close(1011, "no room")
        with pytest.raises(ConnectError, match="refused the session"):
            await open_actor(near, rt.model("gpt-realtime-mini"), fields={"type": "realtime"})

    asyncio.run(leave())


def test_a_cancel_that_meets_an_event_is_not_lost() -> None:
    """Whoever waits is cancelled even if an event wakes them in the same breath."""

    async def test(session: AsyncSession) -> bool:
        link = session.actor.link
        for breaths in range(4):  # the event comes as many turns of the loop before the cancel
            waiting = asyncio.create_task(link.until(lambda: None, 60))
            for _ in range(3):
                await asyncio.sleep(0)
            link.wake()
            for _ in range(breaths):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting}, timeout=60)
            if not waiting.cancelled():
                return False
        return True

    assert run(test=test)
