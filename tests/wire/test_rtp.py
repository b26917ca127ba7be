from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.wire.rtp.keys import KEYS, KeyListener, key_payloads
from realtime_nb.wire.rtp.line import Key, Line, Sound
from realtime_nb.wire.rtp.packet import Packet, decode
from realtime_nb.wire.sdp import Media

SOURCE = ("127.0.0.1", 4000)
REMOTE = Media("127.0.0.1", 4000)


def line(remote: Media = REMOTE, sound: bytes = b"") -> Line:
    """A line at time 0 that talks to this machine, and says a sound."""
    numbers = itertools.count(65_530)
    to_say = bytearray(sound)

    def speak(size: int) -> bytes:
        piece = bytes(to_say[:size])
        del to_say[:size]
        return piece

    return Line(remote, speak, lambda: next(numbers), 0.0, hosts=["127.0.0.1"])


def packet(number: int, payload: bytes | None = None, *, ssrc: int = 9, kind: int = 0) -> bytes:
    """The packet of a number, 20 ms long."""
    body = bytes([number % 251]) * 160 if payload is None else payload
    return Packet(kind, number % 65_536, 160 * number % 2**32, ssrc, body).encode()


def heard(call: Line, packets: list[tuple[float, bytes]], source: tuple[str, int] = SOURCE) -> bytes:
    """All the sound of packets that come at their times."""
    found = []
    for at, data in packets:
        found += [one.payload for one in call.receive(data, source, at) if isinstance(one, Sound)]
    return b"".join(found)


def test_what_is_sent_is_heard() -> None:
    """A line's packets, taken by another line, are the sound that was played, in packets of 20 ms."""
    sound = bytes(range(1, 161)) * 10
    mine, theirs = line(sound=sound), line()
    packets = [mine.due(at / 50)[0] for at in range(10)]
    assert heard(theirs, [(at / 50, data) for at, data in enumerate(packets)]) == sound
    assert mine.due(0.18) == []
    assert decode(mine.due(0.2)[0]).payload == b"\xff" * 160


def test_packets_out_of_order_are_put_right() -> None:
    """Within 80 ms, whatever the order, and over the end of the numbers."""
    order = [65_533, 65_535, 65_534, 65_536, 65_538, 65_537]
    sound = heard(line(), [(at / 50, packet(number)) for at, number in enumerate(order)])
    assert sound == b"".join(bytes([number % 251]) * 160 for number in sorted(order))


def test_a_lost_packet_is_made_up_for() -> None:
    """The sound goes on in time: once the last packet again, then silence."""
    call = line()
    sound = heard(call, [(0.0, packet(1)), (0.06, packet(4)), (0.2, packet(5))])
    assert sound == bytes([1]) * 320 + b"\xff" * 160 + bytes([4]) * 160 + bytes([5]) * 160
    assert call._order.lost == 2


def test_doubled_and_late_packets_are_dropped() -> None:
    """What was heard is not heard again."""
    assert len(heard(line(), [(0.0, packet(1)), (0.02, packet(1)), (0.04, packet(2)), (0.3, packet(1))])) == 320


def test_another_source_is_ignored_and_counted() -> None:
    """The first to speak is listened to; only the described endpoint may take its place."""
    call = line()
    foreign, other_host = ("127.0.0.1", 6666), ("192.0.2.9", 4000)
    assert heard(call, [(0.0, packet(1))], other_host) == b""
    assert len(heard(call, [(0.0, packet(1))], ("127.0.0.1", 5555))) == 160
    assert heard(call, [(0.02, packet(2))], foreign) == b""
    assert len(heard(call, [(0.04, packet(7, ssrc=3))])) == 160
    assert heard(call, [(0.06, packet(3))], ("127.0.0.1", 5555)) == b""
    assert call.foreign == 3
    assert call.destination == SOURCE


def test_a_new_ssrc_of_the_same_source_goes_on() -> None:
    """A caller handed over by its exchange is heard at once."""
    assert len(heard(line(), [(0.0, packet(1)), (0.02, packet(30_000, ssrc=10))])) == 320


def test_a_source_that_begins_again_is_heard_again() -> None:
    """A recording that is played a second time in one call, its numbers and all."""
    call = line()
    twice = [packet(number) for number in (*range(200), *range(200))]
    assert len(heard(call, [(at / 50, data) for at, data in enumerate(twice)])) == 400 * 160


def test_silence_is_heard_where_nothing_comes() -> None:
    """The turn of a caller whose telephone saves silence still ends."""
    call = line()
    heard(call, [(0.0, packet(1))])
    assert call.listen(0.1) == []
    (silence,) = call.listen(1.0)
    assert isinstance(silence, Sound)
    assert (len(silence.payload), set(silence.payload)) == (8_000, {0xFF})


def test_a_late_sender_leaves_out_and_does_not_burst() -> None:
    """After a stall one packet goes out, its timestamp where it belongs."""
    call = line()
    first = decode(call.due(0.0)[0])
    (late,) = map(decode, call.due(1.0))
    assert (late.timestamp - first.timestamp) % 2**32 == 50 * 160
    assert late.marker


def test_a_call_on_hold_is_not_sent_to() -> None:
    """Who wants no sound gets none."""
    call = line()
    assert call.destination == SOURCE
    call.change(Media("127.0.0.1", 4000, direction="sendonly"), 1.0, hosts=["127.0.0.1"])
    assert call.destination is None


def test_sound_goes_nowhere_it_may_not() -> None:
    """A description may name any address; only those of the call are sent to."""
    assert line(Media("192.0.2.1", 53)).destination is None


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_told_once(key: str) -> None:
    """However many of its packets are lost or doubled."""
    payloads = list(key_payloads(key))
    ears = KeyListener()
    kept = [payload for payload in payloads for _ in range(random.Random(ord(key)).choice([0, 1, 2]))] or payloads[-1:]
    told = [ears.hear(payload, 800) for payload in kept]
    assert [one for one in told if one] == [key]
    assert ears.hear(payloads[0], 1_600) == key


def test_late_packets_of_a_key_are_not_the_key_again() -> None:
    """The last word of a key may come after the first of the next one."""
    mine, theirs = line(), line()
    mine.press("42")
    packets = [mine.due(at / 50)[0] for at in range(20)]
    packets[7], packets[8] = packets[8], packets[7]
    found = [one for at, data in enumerate(packets) for one in theirs.receive(data, SOURCE, at / 50)]
    assert [one.key for one in found if isinstance(one, Key)] == ["4", "2"]


def test_a_key_that_is_held_for_long_is_one_key() -> None:
    """After 8.2 s its duration is full, and it goes on as of a later timestamp (RFC 4733, 2.5.1.3)."""
    ears, payload = KeyListener(), next(iter(key_payloads("5")))
    begun = 2**32 - 70_000
    told = [ears.hear(payload, (begun + part * 0xFFFF) % 2**32) for part in (0, 0, 1, 1, 2)]
    assert [one for one in told if one] == ["5"]


def test_pressed_keys_travel_with_the_sound() -> None:
    """A line presses, another hears: keys in order, each once."""
    mine, theirs = line(), line()
    mine.press("42#")
    found = [one for at in range(40) for one in theirs.receive(mine.due(at / 50)[0], SOURCE, at / 50)]
    assert [one.key for one in found if isinstance(one, Key)] == ["4", "2", "#"]
    with pytest.raises(ValueError, match="'x' is no key"):
        mine.press("1x")
    later = [one for at in range(40, 60) for one in theirs.receive(mine.due(at / 50)[0], SOURCE, at / 50)]
    assert not any(isinstance(one, Key) for one in later)


@given(st.binary(max_size=64))
def test_any_datagram_is_taken(data: bytes) -> None:
    """RTP or not, nothing is raised."""
    line().receive(data, SOURCE, 0.0)


def test_extensions_padding_and_rtcp_are_told_apart() -> None:
    """Contributors and extensions are stepped over, padding is cut, RTCP is no sound."""
    head = bytes([0xB1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]) + b"csrc" + b"\0\0\0\1" + b"extn"
    assert decode(head + b"sound\0\0\3").payload == b"sound"
    assert decode(bytes([0x80, 200]) + bytes(10)) is None
