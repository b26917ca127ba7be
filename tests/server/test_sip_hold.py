"""A call on hold, by a telephone of a few lines on a plain socket."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions
from realtime_nb.wire.sip import transactions
from realtime_nb.wire.sip.stream import Framer

WAIT_S = 60.0
SILENCE_S = 1.5


class Handset:
    """One call from a socket, of TCP where it is reached at a port of its own; its RTP is never sent."""

    def __init__(self, address: tuple[str, int], contact: int | None = None) -> None:
        self.transport = "UDP" if contact is None else "TCP"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if contact is None else socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(address)
        self.here = f"127.0.0.1:{contact or self.socket.getsockname()[1]}"
        self.framer, self.came = Framer(), list[bytes]()
        self.sequence = 0
        self.calls: Any = None
        self.tag = ""

    def send(self, method: str, body: str = "") -> None:
        """Send a request of the dialog."""
        self.sequence += method != "ACK"
        lines = [
            f"{method} sip:bob@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.here};branch=z9hG4bK{method}{self.sequence}",
            "From: <sip:ann@127.0.0.1>;tag=ann",
            f"To: <sip:bob@127.0.0.1>{self.tag}",
            "Call-ID: hold@127.0.0.1",
            f"CSeq: {self.sequence} {method}",
            f"Contact: <sip:ann@{self.here}>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        self.socket.send("\r\n".join([*lines, "", body]).encode())

    def until(self, *first: str) -> str:
        """The next message that begins so."""
        self.socket.settimeout(WAIT_S)
        while True:
            while self.came:
                if (text := self.came.pop(0).decode()).startswith(first):
                    return text
            self.came = self.framer.feed(self.socket.recv(8192))

    def agree(self, *, host: str = "127.0.0.1", port: int = 40_000, direction: str = "sendrecv") -> str:
        """Offer, and acknowledge what is answered; gives the answer."""
        version = self.sequence + 1
        body = f"v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        self.send("INVITE", f"{body}m=audio {port} RTP/AVP 0\r\na={direction}\r\n")
        answer = self.until("SIP/2.0 200")
        found = re.search(r"^To:.*?(;tag=\S+)", answer, re.MULTILINE)
        assert found is not None
        self.tag = found[1]
        self.send("ACK")
        return answer


@pytest.fixture
def handset(serve: Any) -> Iterator[Handset]:
    """A telephone at a server that soon gives up who is silent."""
    serving = serve(ServerOptions(phone=PhoneOptions(port=0, silence_s=SILENCE_S)))
    handset = Handset(serving.sip)
    handset.calls = serving.hub.calls
    yield handset
    handset.socket.close()


@pytest.mark.parametrize(
    ("hold", "answered"),
    [
        ({"direction": "inactive"}, "a=inactive"),
        ({"direction": "sendonly"}, "a=recvonly"),
        ({"host": "0.0.0.0"}, "m=audio"),
    ],
    ids=["inactive", "sendonly", "no address"],
)
def test_a_call_on_hold_may_be_silent_and_goes_on(handset: Handset, hold: dict[str, str], answered: str) -> None:
    """However a telephone says hold, it is not taken for dead; taken up again and silent, it is."""
    handset.agree()
    assert answered in handset.agree(**hold)
    for _ in range(3):  # asked whether it is there, and not hung up
        assert handset.until("OPTIONS", "BYE").startswith("OPTIONS")
    handset.agree()
    assert handset.until("BYE").startswith("BYE sip:ann@")


def test_a_call_on_hold_whose_caller_is_gone_is_over(handset: Handset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is silent on hold is asked, and who does not answer has no call any more."""
    monkeypatch.setattr(transactions, "GIVE_UP_S", 1.0)
    handset.agree()
    handset.agree(direction="inactive")
    handset.until("OPTIONS sip:ann@")
    while len(handset.calls):
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one loopback address")
def test_sound_that_moves_to_another_machine_goes_on(handset: Handset) -> None:
    """An exchange lets two ends talk to each other directly, or plays its music from elsewhere: by a new offer."""
    handset.agree()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.2", 0))
        elsewhere.settimeout(WAIT_S)
        port = int(re.findall(r"m=audio (\d+)", handset.agree(host="127.0.0.2", port=elsewhere.getsockname()[1]))[0])
        assert elsewhere.recvfrom(2_048)[1] == ("127.0.0.1", port)


def test_a_call_whose_connection_was_lost_is_hung_up_by_a_new_one(serve: Any) -> None:
    """A caller by TCP is told of the end of its call where its Contact says that it is reached."""
    serving = serve(ServerOptions(phone=PhoneOptions(port=0)))
    with socket.create_server(("127.0.0.1", 0)) as contact:
        contact.settimeout(WAIT_S)
        handset = Handset(serving.sip, contact.getsockname()[1])
        handset.agree()
        handset.socket.close()
        phone = next(iter(serving.hub.calls._calls.values()))._phone
        while phone._connections:
            time.sleep(0.01)
        serving.loop.call_soon_threadsafe(next(iter(serving.hub.calls._calls.values())).hang_up)
        connection, _ = contact.accept()
        with connection:
            connection.settimeout(WAIT_S)
            assert connection.recv(8_192).startswith(b"BYE sip:ann@")
