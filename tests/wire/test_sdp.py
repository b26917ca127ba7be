from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.wire.sdp import SdpError, read_answer, read_offer, write_offer

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"


def test_an_offer_answers_itself() -> None:
    """What this end offers, it can read, answer, and read the answer of."""
    offer = read_offer(write_offer("127.0.0.1", 4000, version=1))
    body, local = offer.answer("127.0.0.1", 4002, version=1)
    answer = read_answer(body)
    assert (answer.port, answer.codec, answer.keys_type) == (4002, "PCMU", 101)
    assert answer == local


def test_the_first_codec_that_can_be_spoken_is_taken() -> None:
    """The offer's order counts, and a dynamic number goes by its name."""
    body = f"{HEAD}m=audio 4000 RTP/AVP 96 97 0\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 pcma/8000/1\r\n"
    media = read_offer(body.encode()).media
    assert (media.codec, media.payload_type, media.keys_type) == ("PCMA", 97, None)


@pytest.mark.parametrize("ptime", ["0020999", "0020" + "9" * 400, "0020" + "9" * 5_000, "50", "x"])
def test_an_odd_length_of_packets_is_the_usual_one(ptime: str) -> None:
    """Whatever number stands there, packets have one of five lengths."""
    assert read_offer(f"{HEAD}m=audio 4000 RTP/AVP 0\r\na=ptime:{ptime}\r\n".encode()).media.ptime_ms == 20


def test_other_lines_are_refused_in_their_place() -> None:
    """Video and a second audio line get port 0; the order stays (RFC 3264, 6)."""
    body = f"{HEAD}m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 6000 RTP/AVP 0\r\n"
    answer, _ = read_offer(body.encode()).answer("127.0.0.1", 4002, version=1)
    lines = [line for line in answer.decode().splitlines() if line.startswith("m=")]
    assert lines == ["m=video 0 RTP/AVP 31", "m=audio 4002 RTP/AVP 8", "m=audio 0 RTP/AVP 0"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_hold_is_mirrored(theirs: str, ours: str) -> None:
    """Who only sends is only heard."""
    answer, local = read_offer(f"{HEAD}m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n".encode()).answer("::1", 1, version=2)
    assert f"a={ours}\r\n".encode() in answer
    assert local.direction == ours


def test_the_old_hold_wants_no_sound() -> None:
    """0.0.0.0 is no place to send to."""
    media = read_offer(f"{HEAD}m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n".encode()).media
    assert not media.hears


@given(st.binary(max_size=300), st.integers(0, 200))
def test_a_mangled_description_is_refused_in_one_way(noise: bytes, at: int) -> None:
    """SdpError, or a description; nothing else."""
    body = f"{HEAD}m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n".encode()
    try:
        media = read_offer(body[:at] + noise + body[at + len(noise) // 2 :]).media
    except SdpError:
        return
    assert 0 < media.port < 65_536
