"""Sound that is sent while it comes: encoding, pacing, and whose thread runs the generator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError
from realtime_nb.session.live import PIECE_S, Encoder, Pace, chunks_of, pieces_of, silence

TONE = Audio.tone(440, 0.5, rate=48_000)


@given(st.lists(st.integers(1, 24_000), max_size=8))
def test_however_it_is_cut_the_bytes_are_the_same(cuts: list[int]) -> None:
    """Chunks of any size, resampled as they come, give the bytes of the whole."""
    encoder = Encoder("audio/pcm", 48_000)
    parts = np.split(TONE.samples, sorted({cut for cut in cuts if cut < len(TONE.samples)}))
    data = b"".join(encoder.feed(part) for part in parts if len(part)) + encoder.finish()
    assert data == TONE.to_wire("audio/pcm")


def test_a_change_of_rate_is_followed() -> None:
    """A stream may go from one rate to another; nothing is lost between."""
    encoder = Encoder("audio/pcm")
    data = encoder.feed(TONE) + encoder.feed(TONE.resample(16_000)) + encoder.finish()
    assert len(data) == pytest.approx(2 * 24_000, abs=4)


def test_bytes_without_a_rate_are_wire_bytes() -> None:
    """They pass as they are, in whole samples."""
    assert Encoder("audio/pcmu").feed(b"abc") == b"abc"
    with pytest.raises(AudioError, match="whole number"):
        Encoder("audio/pcm").feed(b"abc")


def test_an_array_without_a_rate_is_refused() -> None:
    """No rate is guessed."""
    with pytest.raises(AudioError, match="without its sample rate") as caught:
        Encoder("audio/pcm").feed(np.zeros(480, np.float32))
    assert caught.value.hint == "session.say(chunks, rate=48_000)"


def test_what_is_no_sound_is_refused() -> None:
    """A chunk of another kind is an AudioError."""
    with pytest.raises(AudioError):
        Encoder("audio/pcm").feed(3.5)


@pytest.mark.parametrize(("format", "size"), [("audio/pcm", 1920), ("audio/pcmu", 320), ("audio/pcma", 320)])
def test_pieces_are_of_one_length(format: str, size: int) -> None:
    """An event carries 40 ms; the last one what is left."""
    assert [len(piece) for piece in pieces_of(bytes(2 * size + 10), format)] == [size, size, 10]
    assert len(silence(format)) == size


def test_pace_is_that_of_speech() -> None:
    """Each piece waits for its own length; time that was lost is not made up in a rush."""
    waits: list[float] = []
    clock = iter([10.0, 10.0, 10.0, 20.0, 20.0])

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def speak() -> None:
        pace = Pace(clock.__next__, sleep)
        for _ in range(5):
            await pace.keep(PIECE_S)

    asyncio.run(speak())
    assert waits == pytest.approx([PIECE_S, 2 * PIECE_S, 3 * PIECE_S, 0.0, PIECE_S])


def test_a_plain_generator_may_block() -> None:
    """It is advanced in another thread, so the loop goes on."""
    ran_on: set[int] = set()

    def chunks() -> Iterator[int]:
        for number in range(3):
            ran_on.add(threading.get_ident())
            yield number

    async def collect() -> list[int]:
        return [chunk async for chunk in chunks_of(chunks(), None)]

    assert asyncio.run(collect()) == [0, 1, 2]
    assert threading.get_ident() not in ran_on


def test_a_generator_that_never_comes_back_takes_no_thread_from_others() -> None:
    """However many of them were given up, the next one is advanced, and other work is done."""
    over = threading.Event()

    def deaf(loop: asyncio.AbstractEventLoop, begun: asyncio.Event) -> Iterator[int]:
        loop.call_soon_threadsafe(begun.set)
        over.wait()
        yield 0

    async def give_up_often() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        try:
            async with asyncio.timeout(5):
                for _ in range(3):
                    begun = asyncio.Event()
                    chunk = asyncio.ensure_future(anext(chunks_of(deaf(loop, begun), None)))
                    await begun.wait()
                    chunk.cancel()
                    await asyncio.wait({chunk})
                await asyncio.to_thread(over.is_set)
        finally:
            over.set()

    asyncio.run(give_up_often())


def test_an_async_generator_runs_where_it_belongs() -> None:
    """Without another home it runs on the loop that asks."""

    async def chunks() -> AsyncIterator[int]:
        yield threading.get_ident()

    async def collect() -> list[int]:
        return [chunk async for chunk in chunks_of(chunks(), None)]

    assert asyncio.run(collect()) == [threading.get_ident()]
