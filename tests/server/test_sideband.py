"""Sidebands: several connections to one session, by ``?call_id=``."""

from __future__ import annotations

from typing import Any

import pytest
from waiting import wait_for

from realtime_nb.protocol.limits import Limits
from realtime_nb.server.options import ServerOptions


def open_session(serve: Any, dial: Any, **options: Any) -> tuple[Any, Any, str]:
    """A server, a session's owner, and the session's name."""
    serving = serve(ServerOptions(**options))
    owner = dial(serving)
    return serving, owner, owner.until("session.created")["session"]["id"]


def attach(dial: Any, serving: Any, name: str) -> Any:
    """A further connection to a session, after its first event."""
    peer = dial(serving, f"?call_id={name}")
    peer.until("session.created")
    return peer


def test_a_sideband_is_shown_the_session_as_it_is(serve: Any, dial: Any) -> None:
    """Who attaches is told the session with what was changed in it, and nobody else is told again."""
    serving, owner, name = open_session(serve, dial)
    owner.update(instructions="Be brief.")
    peer = dial(serving, f"?call_id={name}")
    shown = peer.until("session.created")["session"]
    assert (shown["id"], shown["instructions"]) == (name, "Be brief.")
    assert owner.works()
    assert len(owner.all("session.created")) == 1


def test_all_peers_see_the_same_events(serve: Any, dial: Any) -> None:
    """A turn that one peer begins is seen by all of them, sound included, with the same ids in the same order."""
    serving, owner, name = open_session(serve, dial)
    peers = [owner, attach(dial, serving, name), attach(dial, serving, name)]
    for each in peers[1:]:
        each.events.clear()
    owner.events.clear()
    peers[1].say("Hello")
    for each in (owner, peers[2]):
        each.until("response.done")
    seen = [[event["event_id"] for event in each.events] for each in peers]
    assert seen[0] == seen[1] == seen[2]
    assert owner.all("response.output_audio.delta")


def test_speech_of_the_owner_is_answered_before_all(serve: Any, dial: Any) -> None:
    """The owner's sound makes turns that a sideband sees; its ``session.update`` is in force at once."""
    serving, owner, name = open_session(serve, dial)
    peer = attach(dial, serving, name)
    peer.update(output_modalities=["text"])
    owner.until("session.updated")
    owner.speak()
    peer.until("input_audio_buffer.speech_started")
    peer.until("response.output_text.done")
    owner.until("response.done")
    assert not owner.all("response.output_audio.delta")


def test_answers_go_to_who_asked(serve: Any, dial: Any) -> None:
    """An error, and an item retrieved with its bytes, reach the peer who caused them and no other."""
    serving, owner, name = open_session(serve, dial)
    peer = attach(dial, serving, name)
    done = peer.say("Hello")
    peer.send("conversation.item.retrieve", item_id=done["output"][0]["id"])
    peer.send("conversation.item.retrieve", item_id="nowhere", event_id="mine")
    assert peer.until("error")["error"]["event_id"] == "mine"
    assert peer.all("conversation.item.retrieved")
    owner.until("response.done")
    assert owner.works()
    assert not owner.all("error")
    assert not owner.all("conversation.item.retrieved")


def test_a_sideband_leaves_and_the_session_goes_on(serve: Any, dial: Any) -> None:
    """A sideband's end, clean or not, ends nothing else; another may take its place."""
    serving, owner, name = open_session(serve, dial, peers=2)
    for _ in range(3):
        peer = attach(dial, serving, name)
        peer.socket.socket.shutdown(2)
        wait_for(lambda: not serving.hub.find(name).is_full)
    assert owner.works()


def test_the_owner_s_end_ends_the_sidebands(serve: Any, dial: Any) -> None:
    """When the owner goes, the session does, and its sidebands are closed with 1000, *the session has ended*."""
    serving, owner, name = open_session(serve, dial)
    peers = [attach(dial, serving, name) for _ in range(2)]
    owner.socket.close()
    assert [peer.closed() for peer in peers] == [(1000, "The session has ended.")] * 2
    wait_for(lambda: serving.hub.sessions == 0)


def test_a_session_that_expires_tells_all_of_them(serve: Any, dial: Any) -> None:
    """At the end of its time every peer gets the error and the close code."""
    serving, owner, name = open_session(serve, dial, limits=Limits(session_s=4.0))
    peer = attach(dial, serving, name)
    for each in (owner, peer):
        assert each.closed()[0] == 1001
        assert each.all("error")[0]["error"]["code"] == "session_expired"


@pytest.mark.parametrize("name", ["sess_nowhere", "", "rtc_" + "x" * 500])
def test_an_unknown_call_is_refused_in_band(serve: Any, dial: Any, name: str) -> None:
    """There is an error event and close 4000 for a session that is not there, or not any more."""
    caller = dial(serve(), f"?call_id={name}")
    assert caller.closed() == (4000, "invalid_request_error.call_id_not_found")
    assert [event["error"]["code"] for event in caller.events] == ["call_id_not_found"]


def test_a_session_that_has_ended_is_unknown(serve: Any, dial: Any) -> None:
    """A name is forgotten with its session."""
    serving, owner, name = open_session(serve, dial)
    owner.socket.close()
    wait_for(lambda: serving.hub.sessions == 0)
    assert dial(serving, f"?call_id={name}").closed()[0] == 4000


def test_an_ephemeral_secret_attaches_to_nothing(serve: Any, dial: Any) -> None:
    """What a page holds opens sessions of its own; it does not listen in on others."""
    serving, owner, name = open_session(serve, dial)
    secret = serving.hub.secrets.issue(60, {"type": "realtime"})
    page = dial(serving, f"?call_id={name}", additional_headers={"Authorization": f"Bearer {secret}"})
    assert page.closed() == (3000, "invalid_request_error.ephemeral_secret")
    assert owner.works()


@pytest.mark.parametrize(("peers", "let_in"), [(2, True), (3, True), (4, False)])
def test_a_session_has_so_many_connections(serve: Any, dial: Any, peers: int, *, let_in: bool) -> None:
    """Of three connections, the owner's among them, the third is let in; a fourth is told to try again later."""
    serving, owner, name = open_session(serve, dial, peers=3)
    for _ in range(peers - 2):
        attach(dial, serving, name)
    last = dial(serving, f"?call_id={name}")
    if let_in:
        last.until("session.created")
    else:
        assert last.closed() == (1013, "invalid_request_error.peer_limit_reached")
    assert owner.works()


def test_nonsense_of_a_sideband_costs_only_its_own_place(serve: Any, dial: Any) -> None:
    """A sideband with too many bad events is closed with 1008; the session has not heard of it."""
    serving, owner, name = open_session(serve, dial, limits=Limits(bad_events=3))
    peer = attach(dial, serving, name)
    for _ in range(4):
        peer.socket.send("{}")
    assert peer.closed()[0] == 1008
    assert len(peer.all("error")) == 4
    assert owner.works()
    assert not owner.all("error")


def test_a_sideband_that_does_not_read_delays_nobody(serve: Any, dial: Any) -> None:
    """What waits for a slow sideband is bounded; it is let go with 1013, and the owner's turns work all along."""
    serving, owner, name = open_session(serve, dial, send_bytes=3_000_000, stall_s=1.0)
    lazy = dial(serving, f"?call_id={name}", max_queue=1)  # its library stops reading the socket
    lazy.until("session.created")  # it has come, and reads no more
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "y" * 500_000}]}
    while len(serving.hub.find(name)._present) > 1:
        owner.send("conversation.item.create", item=item)
        owner.until("conversation.item.done")
    assert owner.works()
    assert b'closed_by_server_total{code="1013"} 1.0' in serving.hub.meter.render()
    lazy.socket.socket.close()
