"""What a peer connection is set up with."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

import aiortc.rtcrtpreceiver
from aiortc.rtp import RtpPacket

from realtime_nb.webrtc.peer import PREFETCH

EMPTY = -1
"""A packet of nothing but padding."""


def let_out(numbers: Iterable[int]) -> list[list[int]]:
    """Which packets are let out when each of these comes."""
    buffer = aiortc.rtcrtpreceiver.JitterBuffer(capacity=16, prefetch=4)  # type: ignore[attr-defined]
    found = []
    for number in numbers:
        packet = RtpPacket(payload_type=111, sequence_number=number % 65_536, timestamp=number * 960 % 2**32)
        packet._data = b"sound" if number != EMPTY else b""  # type: ignore[attr-defined]
        _, frame = buffer.add(packet)
        found.append([] if frame is None else [frame.timestamp // 960])
    return found


def test_sound_is_no_later_after_a_loss() -> None:
    """A packet that never comes is given up when two others have; from then on one waits, and never more."""
    numbers = [number for number in range(200) if number not in {50, 100, 101, 150}]
    out = let_out(numbers)
    assert [number for some in out for number in some] == numbers[:-1]
    assert max(come - sum(map(len, out[:come])) for come in range(len(out))) == PREFETCH


def test_sound_out_of_order_is_put_right() -> None:
    """A neighbour is waited for, over the end of the numbers; what is later, or double, is left out."""
    end = 65_536
    order = [end - 2, end, end - 1, end + 1, end + 1, end + 3, end + 4, end + 2, end + 5]
    assert [number % end for some in let_out(order) for number in some] == [
        number % end for number in (end - 2, end - 1, end, end + 1, end + 3, end + 4, end + 5)
    ]


def test_a_source_that_begins_again_is_heard() -> None:
    """Numbers far back are not late."""
    assert sum(map(len, let_out([*range(1_000, 1_200), *range(200)]))) == 400


def test_a_packet_without_sound_is_no_frame() -> None:
    """To a decoder it would be the end of the stream."""
    assert [len(some) for some in let_out([-2, EMPTY, 0])] == [1, 0, 1]
