"""What third-party stacks were seen to get wrong (RFC 3261, RFC 4475), one test a fault."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.wire.sdp import read_offer
from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip.message import SipError, decode
from realtime_nb.wire.sip.stream import Framer

Caller = Any
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def test_a_call_is_answered_talked_over_and_ended(either: Caller) -> None:
    """INVITE gets 100, 180 and a 200 with the right description; BYE gets 200, once."""
    name = either.talk()
    assert either.statuses() == [100, 180, 200]
    answer = read_offer(either.sent[-1].body).media
    assert (answer.host, answer.port, answer.codec, answer.keys_type) == ("127.0.0.1", 41_000, "PCMU", 101)
    assert either.statuses(either.send(either.text("BYE", branch="z9hG4bK2", cseq=2, to_tag=either.tag))) == [200]
    assert either.of(sip.Ended) == [sip.Ended(name, "hangup")]
    assert either.agent.calls == ()


def test_a_retransmitted_invite_opens_one_call(caller: Caller) -> None:
    """Whether it rings, is taken or was only just sent: the answer is repeated and no second call begins."""
    invite = caller.text(body=SDP)
    caller.send(invite)
    assert caller.statuses(caller.send(invite)) == [100]
    name = caller.of(sip.Invited)[0].call
    caller.note(caller.agent.ring(name, 0.0))
    assert caller.statuses(caller.send(invite)) == [180]
    caller.note(caller.agent.accept(name, "127.0.0.1", 41_000, 0.0))
    assert caller.statuses(caller.send(invite)) == [200]
    caller.ack()
    assert caller.send(invite) == []
    assert len(caller.of(sip.Invited)) == 1
    assert len(caller.agent.calls) == 1


def test_the_same_call_by_two_ways_is_one_call(caller: Caller) -> None:
    """A merged INVITE gets 482."""
    caller.call()
    assert caller.statuses(caller.send(caller.text(branch="z9hG4bKother", body=SDP))) == [482]
    assert len(caller.agent.calls) == 1


def test_the_200_is_repeated_until_acknowledged(either: Caller) -> None:
    """Lost ACKs and lost 200s do no harm; after 32 s without ACK the call is ended by BYE."""
    name = either.call()
    either.note(either.agent.accept(name, "127.0.0.1", 41_000, 0.0))
    repeated = either.pass_time(8.0)
    assert either.statuses(repeated) == [200, 200, 200, 200]
    either.ack()
    assert either.pass_time(20.0) == []


def test_an_answer_nobody_acknowledges_ends_the_call(caller: Caller) -> None:
    """After 64 T1 a BYE goes out and the call is over."""
    name = caller.call()
    caller.note(caller.agent.accept(name, "127.0.0.1", 41_000, 0.0))
    late = caller.pass_time(33.0)
    assert next(one.method for one in late if hasattr(one, "method")) == "BYE"
    assert caller.of(sip.Ended) == [sip.Ended(name, "unreachable")]
    caller.pass_time(70.0)
    assert caller.agent.transactions == 0


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "v=0\r\nm=audio 40000 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 99999 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 not-an-address\r\nm=audio 40000 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 9 96\r\na=rtpmap:96 opus/48000/2\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/SAVP 0\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 40000 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio x RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio\r\n",
    ],
)
def test_a_description_that_cannot_be_spoken_gets_488(caller: Caller, body: str) -> None:
    """Broken, or nothing in it but other codecs, SRTP, video."""
    assert caller.statuses(caller.send(caller.text(body=body))) == [488]
    assert caller.agent.calls == ()


def test_static_payload_types_need_no_rtpmap(caller: Caller) -> None:
    """PCMU and PCMA are known by their numbers."""
    for number, (payload_type, codec) in enumerate([(0, "PCMU"), (8, "PCMA")]):
        body = f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP {payload_type}\r\n"
        caller.send(caller.text(body=body, branch=f"z9hG4bK{number}", call_id=f"{number}@x"))
        assert caller.of(sip.Invited)[-1].offer.media.codec == codec


def test_headers_may_be_folded_short_and_oddly_spaced(caller: Caller) -> None:
    """RFC 4475, 3.1.1.1: a valid message that looks like none."""
    lines = [
        "INVITE sip:bob@127.0.0.1;unknownparam SIP/2.0",
        "TO :",
        " sip:bob@127.0.0.1",
        'f :   "J Rosenberg \\"" <sip:alice@127.0.0.1>',
        "   ;",
        "   tag = 98asjd8",
        "MaX-fOrWaRdS: 0068",
        "i: wsinv.ndaksdj@192.0.2.1",
        "cseq: 0009",
        "  INVITE",
        "v  : SIP  / 2.0  /UDP",
        "    127.0.0.1:5099;branch=z9hG4bKfold ; rport",
        "s :",
        "NewFangledHeader:   newfangled value",
        " continued newfangled value",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;",
        "c: application/sdp",
        "m:<sip:alice@127.0.0.1:5099>",
        f"l: {len(SDP)}",
        "",
        SDP,
    ]
    assert caller.statuses(caller.send("\r\n".join(lines).encode())) == [100]
    fields = dict(caller.of(sip.Invited)[0].request.headers)
    assert fields["Newfangledheader"] == "newfangled value continued newfangled value"


def test_what_follows_the_body_is_cut_and_what_lacks_gets_400(caller: Caller) -> None:
    """A datagram is as long as its Content-Length says, and no message is longer than its datagram."""
    assert caller.statuses(caller.send(caller.text(body=SDP) + b"INVITE sip:more SIP/2.0\r\n\r\n")) == [100]
    short = caller.text(body=SDP, call_id="2@x", branch="z9hG4bK2")[:-10]
    assert caller.statuses(caller.send(short)) == [400]


def test_cancel_ends_what_rings(either: Caller) -> None:
    """CANCEL gets 200, the INVITE 487, and its ACK ends the repetitions."""
    name = either.call()
    assert either.statuses(either.send(either.text("CANCEL"))) == [200, 487]
    assert either.of(sip.Ended) == [sip.Ended(name, "cancelled", 487)]
    either.send(either.text("ACK", to_tag=either.tag))
    either.pass_time(40.0)
    assert either.statuses() == [100, 180, 200, 487]
    assert either.agent.transactions == 0


def test_a_cancel_that_comes_too_late_changes_nothing(caller: Caller) -> None:
    """It gets 200, and the call goes on; one that means nothing gets 481."""
    caller.talk()
    assert caller.statuses(caller.send(caller.text("CANCEL"))) == [200]
    assert len(caller.agent.calls) == 1
    assert caller.statuses(caller.send(caller.text("CANCEL", branch="z9hG4bKnone"))) == [481]


def test_a_call_nobody_takes_is_not_left_ringing(make_caller: Any) -> None:
    """After the ringing time the caller gets 480."""
    caller = make_caller(ring_s=5.0)
    name = caller.call()
    assert caller.statuses(caller.pass_time(5.0)) == [480]
    assert caller.of(sip.Ended) == [sip.Ended(name, "unanswered", 480)]
    caller.pass_time(60.0)
    assert caller.agent.transactions == 0


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("BYE", 481), ("INFO", 481), ("UPDATE", 481), ("REGISTER", 405), ("NEWMETHOD", 501)],
)
def test_requests_outside_a_call(either: Caller, method: str, status: int) -> None:
    """Each method has its answer, with what is allowed."""
    answer = either.send(either.text(method))[0]
    assert (answer.status, "INVITE" in answer.headers.get("Allow")) == (status, True)


def test_requests_inside_a_call(caller: Caller) -> None:
    """OPTIONS, INFO, UPDATE and an INVITE within a call are answered; old numbers get 500, strangers 481."""
    name = caller.talk()
    within = {"to_tag": caller.tag}
    ask = lambda method, cseq, **more: caller.statuses(  # noqa: E731
        caller.send(caller.text(method, branch=f"z9hG4bKin{cseq}{method}", cseq=cseq, **{**within, **more}))
    )
    assert ask("OPTIONS", 2) == [200]
    assert ask("INFO", 3, body="Signal=5\r\nDuration=160\r\n", type="application/dtmf-relay") == [200]
    assert caller.of(sip.Keyed) == [sip.Keyed(name, "5")]
    assert ask("UPDATE", 4, body=SDP.replace("40000", "40002")) == [200]
    assert caller.of(sip.Updated)[-1].media.port == 40_002
    assert ask("INVITE", 5, body=SDP + "a=sendonly\r\n") == [100, 200]
    assert b"a=recvonly" in caller.raw[-1]
    caller.ack(5)
    assert caller.of(sip.Updated)[-1].media.direction == "sendonly"
    assert ask("INVITE", 6, body="nonsense") == [100, 488]
    assert ask("INFO", 6, body="x", type="text/plain") == [500]
    assert ask("INFO", 7, body="x", type="text/plain") == [415]
    assert ask("BYE", 8, to_tag="stranger") == [481]
    assert caller.agent.calls == (name,)


def test_an_invite_without_offer_is_offered_one(caller: Caller) -> None:
    """The 200 offers, the ACK answers."""
    caller.send(caller.text())
    name = caller.of(sip.Invited)[0].call
    caller.note(caller.agent.accept(name, "127.0.0.1", 41_000, 0.0))
    assert b"m=audio 41000 RTP/AVP 0 8 101" in caller.raw[-1]
    assert caller.of(sip.Updated) == []
    caller.ack(body=SDP)
    assert caller.of(sip.Updated)[0].media.port == 40_000


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"extra": ("Require: 100rel, nonsense",)}, 420),
        ({"type": "text/html"}, 415),
        ({"uri": "http://127.0.0.1/"}, 416),
        ({"extra": ("X-Big: " + "x" * 9_000,)}, 513),
    ],
)
def test_what_a_call_may_not_ask_for(caller: Caller, given: dict[str, Any], status: int) -> None:
    """Unknown extensions, other bodies, other schemes, too much."""
    assert caller.statuses(caller.send(caller.text(body=SDP, **given))) == [status]
    assert caller.agent.calls == ()


def test_another_version_and_another_method_in_cseq_are_refused(caller: Caller) -> None:
    """505 and 400."""
    assert caller.statuses(caller.send(caller.text("OPTIONS").replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1))) == [505]
    odd = caller.text("OPTIONS", branch="z9hG4bK2").replace(b"1 OPTIONS", b"1 BYE")
    assert caller.statuses(caller.send(odd)) == [400]


def test_more_calls_than_there_may_be_get_503(make_caller: Any) -> None:
    """With the time after which to try again; a call that ends makes room."""
    caller = make_caller(calls=2)
    calls = [caller.call(call_id=f"{n}@x", branch=f"z9hG4bK{n}") for n in range(2)]
    refused = caller.send(caller.text(body=SDP, call_id="3@x", branch="z9hG4bK3"))[0]
    assert (refused.status, refused.headers.get("Retry-After")) == (503, "5")
    caller.note(caller.agent.hang_up(calls[0], 0.0))
    caller.call(call_id="4@x", branch="z9hG4bK4")
    assert len(caller.agent.calls) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\0" * 100,
        b"hello",
        b"INVITE",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n\r\n",
        b"\xff" * 2000,
    ],
)
def test_garbage_is_ignored(caller: Caller, data: bytes) -> None:
    """It is answered by nothing, and leaves nothing."""
    assert caller.send(data) == []
    assert caller.agent.transactions == 0


def test_a_lone_carriage_return_does_not_come_back_as_a_header(caller: Caller) -> None:
    """What is echoed in an answer cannot break out of its line."""
    data = caller.text("OPTIONS").replace(b"From: Alice", b"From: Al\rX-Evil: 1\rice")
    caller.send(data)
    assert b"\rX-Evil" not in caller.raw[-1]


def test_a_stream_is_cut_into_messages_wherever_it_is_torn(caller: Caller) -> None:
    """Two messages and a ping, byte by byte or at once."""
    first, second = caller.text(body=SDP), caller.text("OPTIONS")
    stream = first + b"\r\n\r\n" + second
    for step in (1, 7, len(stream)):
        framer = Framer()
        found = [one for at in range(0, len(stream), step) for one in framer.feed(stream[at : at + step])]
        assert [one.strip() for one in found] == [first.strip(), b"", second.strip()]


@pytest.mark.parametrize(
    "stream", [b"x" * 40_000, b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"OPTIONS sip:a SIP/2.0\r\nl: 99999999\r\n\r\n"]
)
def test_a_stream_without_a_next_message_is_given_up(stream: bytes) -> None:
    """No end, no length, or too much of it."""
    with pytest.raises(SipError):
        Framer().feed(stream)


def test_the_way_back_is_told(caller: Caller) -> None:
    """The Via of an answer has the source's address and port (RFC 3581)."""
    caller.path = sip.Path("udp", ("127.0.0.1", 6000), ("127.0.0.1", 5060))
    via = caller.send(caller.text("OPTIONS"))[0].headers.get("Via")
    assert ";rport=6000" in via
    assert ";received=127.0.0.1" in via


def test_the_route_of_a_call_is_kept(caller: Caller) -> None:
    """Record-Route comes back in the 200, and is the Route of the BYE."""
    name = caller.talk(extra=("Record-Route: <sip:p1;lr>, <sip:p2;lr>",))
    assert caller.sent[-1].headers.all("Record-Route") == ("<sip:p1;lr>", "<sip:p2;lr>")
    bye = caller.note(caller.agent.hang_up(name, 0.0))[0]
    assert bye.headers.all("Route") == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert bye.uri == "sip:alice@127.0.0.1:5099"


def test_a_call_can_be_handed_on(caller: Caller) -> None:
    """REFER goes out, and the other end's NOTIFY tells how far it is."""
    name = caller.talk()
    refer = caller.note(caller.agent.refer(name, "tel:+15550100", 0.0))[0]
    assert (refer.method, refer.headers.get("Refer-To")) == ("REFER", "<tel:+15550100>")
    fragment = caller.text(
        "NOTIFY", branch="z9hG4bKn", cseq=2, to_tag=caller.tag, body="SIP/2.0 200 OK", type="message/sipfrag"
    )
    assert caller.statuses(caller.send(fragment)) == [200]
    assert caller.of(sip.Referred) == [sip.Referred(name, 200)]


def test_a_gone_connection_takes_what_rings_with_it(make_caller: Any) -> None:
    """Nobody could be answered any more."""
    caller = make_caller("tcp")
    name = caller.call()
    caller.note(caller.agent.lost(1))
    assert caller.of(sip.Ended) == [sip.Ended(name, "unreachable")]
    assert caller.agent.transactions == 0


@pytest.mark.parametrize(
    ("contact", "way"),
    [
        ("127.0.0.1:5077", (("127.0.0.1", 5077), 0)),
        ("[::1]", (("::1", 5060), 0)),
        ("alice.example", (("127.0.0.1", 5099), 1)),
    ],
)
def test_a_call_outlives_its_connection(make_caller: Any, contact: str, way: Any) -> None:
    """What is still to be told goes by a new one, to the Contact; a name is not looked up."""
    caller = make_caller("tcp")
    name = caller.talk()
    caller.agent._state.dialogs[name].target = f"sip:alice@{contact};transport=tcp"
    assert caller.agent.lost(1) == []
    (bye,) = (one for one in caller.agent.hang_up(name, 1.0) if isinstance(one, sip.Send))
    assert bye.data.startswith(b"BYE ")
    assert (bye.path.peer, bye.path.connection) == way


def test_a_message_survives_being_written_and_read(caller: Caller) -> None:
    """Encode and decode are inverse for what was normalised once."""
    request = decode(caller.text(body=SDP))
    assert decode(request.encode()) == request
