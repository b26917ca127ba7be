"""The sound of one call, both ways: who is listened to, what was heard, and a packet every 20 ms."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from realtime_nb.wire.sdp import Codec, Media

from .keys import KeyListener, key_payloads
from .order import Order
from .packet import Packet, decode

__all__ = ["Endpoint", "Heard", "Key", "Line", "Sound"]

Endpoint = tuple[str, int]
"""IP address and port."""

RATE = 8_000
QUIET_S = 0.2
"""No packet for so long is silence: the caller's telephone saves it, or holds the call."""
LATE_S = 0.1
"""A sender that is later than this leaves out what it missed, and does not send it in a burst."""
CLOSE_S = 0.001
"""A timer that fires a little early is on time."""
SILENCE: dict[Codec, bytes] = {"PCMU": b"\xff", "PCMA": b"\xd5"}
_CODECS: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}


@dataclass(frozen=True)
class Sound:
    """Some of what the other end says, 8,000 samples a second, a byte each.

    Parameters
    ----------
    codec : {"PCMU", "PCMA"}
        How it is coded.
    payload : bytes
        The sound.
    """

    codec: Codec
    payload: bytes


@dataclass(frozen=True)
class Key:
    """A key was pressed.

    Parameters
    ----------
    key : str
        ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``.
    """

    key: str


Heard = Sound | Key


class Line:
    """One call's RTP.

    Parameters
    ----------
    remote : Media
        The other end, as its description has it.
    speak : Callable[[int], bytes]
        Gives the next so many bytes to be said, in the agreed codec, or fewer; asked when a packet goes out.
    token : Callable[[], int]
        Gives 32 random bits.
    now : float
        Monotonic seconds.
    hosts : iterable of str
        Addresses that sound may come from, and go to, besides the one described.

    Notes
    -----
    The first source of RTP at one of `hosts` is listened to, and sent to, as
    devices behind an address translation need it; only the very endpoint that
    the description names may take its place. All others are counted and
    ignored. A packet goes out every 20 ms, of silence where there is nothing to say.
    """

    def __init__(
        self,
        remote: Media,
        speak: Callable[[int], bytes],
        token: Callable[[], int],
        now: float,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        self._hosts = frozenset(hosts)
        self._order = Order()
        self._keys = KeyListener()
        self._source: Endpoint | None = None
        self._last = b""
        self._speak = speak
        self._pressed: deque[tuple[bytes, int, bool]] = deque()
        self._ssrc, self._sequence, self._timestamp = token(), token() & 0xFFFF, token()
        self._mark = True
        self._next_at = now
        self._heard_until = self.packet_at = self.silent_at = now
        self.foreign = 0
        self.remote = remote

    # ------------------------------------------------------------ the other end
    def change(self, remote: Media, now: float, *, hosts: Iterable[str]) -> None:
        """Go on with what was agreed anew: another place, of other `hosts` perhaps, a hold, its end."""
        self._hosts = frozenset(hosts)
        if (remote.host, remote.port) != (self.remote.host, self.remote.port):
            self._source = None
        self.remote = remote
        self.packet_at = now

    def is_silent(self, now: float, after_s: float) -> bool:
        """Whether nothing has come for so many seconds; told once, and again after as many more."""
        if now - max(self.packet_at, self.silent_at) <= after_s:
            return False
        self.silent_at = now
        return True

    @property
    def destination(self) -> Endpoint | None:
        """Where packets go; None while the other end wants none, or may not have any."""
        described = (self.remote.host, self.remote.port)
        if not self.remote.hears:
            return None
        return self._source or (described if self._admits(described) else None)

    def _admits(self, source: Endpoint) -> bool:
        return source[0] in self._hosts

    def _listens_to(self, source: Endpoint) -> bool:
        if source == self._source:
            return True
        described = source == (self.remote.host, self.remote.port)
        if self._admits(source) and (self._source is None or described):
            self._source = source
            return True
        self.foreign += 1
        return False

    # ------------------------------------------------------------ hearing
    def receive(self, data: bytes, source: Endpoint, now: float) -> list[Heard]:
        """Take a datagram.

        Parameters
        ----------
        data : bytes
            What came.
        source : tuple of (str, int)
            From where.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Sound or Key
            What it tells, in order.
        """
        packet = decode(data)
        if packet is None or not self._listens_to(source):
            return []
        self.packet_at = now
        if packet.payload_type == self.remote.keys_type:
            key = self._keys.hear(packet.payload, packet.timestamp, now)
            found: list[Heard] = [] if key is None else [Key(key)]
        else:
            found = []
        self._order.push(packet, now)
        return [*found, *self._in_order(now)]

    def listen(self, now: float) -> list[Heard]:
        """Let time pass: what is lost is made up for, and silence is heard as such.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Sound
            What the session should hear.
        """
        found = self._in_order(now)
        missing = int((now - self._heard_until) * RATE)
        if missing >= QUIET_S * RATE:
            self._heard_until = now
            found.append(Sound(self.remote.codec, SILENCE[self.remote.codec] * missing))
        return found

    def _in_order(self, now: float) -> list[Heard]:
        found: list[Heard] = []
        for packet in self._order.pop(now):
            sound = self._conceal() if packet is None else self._sound(packet)
            if sound is not None:
                found.append(sound)
                self._heard_until = now
        return found

    def _sound(self, packet: Packet) -> Sound | None:
        at_home = packet.payload_type == self.remote.payload_type
        codec = self.remote.codec if at_home else _CODECS.get(packet.payload_type)
        if codec is None or not packet.payload:
            return None
        self._last = packet.payload
        return Sound(codec, packet.payload)

    def _conceal(self) -> Sound | None:
        """Once the last packet again, then silence."""
        if not self._last:
            return None
        last, self._last = self._last, SILENCE[self.remote.codec] * len(self._last)
        return Sound(self.remote.codec, last)

    # ------------------------------------------------------------ speaking
    def press(self, keys: str) -> None:
        """Press keys, one after the other, between the packets of sound.

        Parameters
        ----------
        keys : str
            Of ``0123456789*#ABCD``.

        Raises
        ------
        ValueError
            For what is no key; then none of them is pressed.
        """
        pressed = [list(key_payloads(key, ptime_ms=self.remote.ptime_ms)) for key in keys]
        self._pressed += [(payload, at, at == 0) for payloads in pressed for at, payload in enumerate(payloads)]

    @property
    def deadline(self) -> float:
        """When :meth:`due` is wanted next: monotonic seconds."""
        return self._next_at

    def due(self, now: float) -> list[bytes]:
        """Give the packets that are to go out by now.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of bytes
            Datagrams for :attr:`destination`; usually one every 20 ms.
        """
        step_s = self.remote.ptime_ms / 1000
        if now - self._next_at > LATE_S:
            skipped = int((now - self._next_at) / step_s)
            self._next_at += skipped * step_s
            self._timestamp = (self._timestamp + skipped * self._samples) % 2**32
            self._mark = True
        found = []
        while self._next_at <= now + CLOSE_S:
            self._next_at += step_s
            found.append(self._packet())
        return found

    @property
    def _samples(self) -> int:
        return self.remote.ptime_ms * RATE // 1000

    def _packet(self) -> bytes:
        at = self._timestamp
        self._timestamp = (at + self._samples) % 2**32
        if self._pressed and self.remote.keys_type is not None:
            payload, nth, first = self._pressed.popleft()
            begun = (at - nth * self._samples) % 2**32
            return self._encode(self.remote.keys_type, payload, begun, mark=first)
        return self._encode(self.remote.payload_type, self._take(self._samples), at, mark=self._mark)

    def _encode(self, kind: int, payload: bytes, timestamp: int, *, mark: bool) -> bytes:
        packet = Packet(kind, self._sequence, timestamp, self._ssrc, payload, mark)
        self._sequence = (self._sequence + 1) % 65_536
        self._mark = False
        return packet.encode()

    def _take(self, size: int) -> bytes:
        """The next sound, filled up with silence."""
        return self._speak(size)[:size].ljust(size, SILENCE[self.remote.codec])
