"""The media path of one widget: sound and events between its pages and the kernel, both ways, in order.

A page reaches the kernel by the best way there is: ``proxy`` (through Jupyter's own
server, jupyter-server-proxy), ``direct`` (the loopback), or ``comm`` (the widget's
messages, gathered for 100 ms). Of several pages one is the owner: its microphone is
heard, and it sounds; the others see.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from realtime_nb.secret import Secret
from realtime_nb.widgets.media_frames import Header, pack_frame, unpack_frame
from realtime_nb.widgets.media_socket import CLOSED, hub, welcome

if TYPE_CHECKING:
    from realtime_nb.widgets.base import View

__all__ = ["Channel", "Path"]

OnAudio = Callable[[bytes, Header], object]
OnEvent = Callable[[Header, bytes], object]
GATHER_S = 0.1
"""How long frames are gathered for the comm: each message of it costs JupyterLab a redraw (measured)."""
SILENT_S = 15.0
"""A page on the comm that said nothing for so long may be gone: the comm does not tell."""
_PATHS = ("proxy", "direct", "comm")


@dataclass(frozen=True, slots=True)
class Path:
    """How one page reaches the kernel."""

    name: str
    """``proxy``, ``direct`` or ``comm``."""
    rtt_ms: float | None
    """Round trip, median of the last nine, in milliseconds; None before the first."""
    why: tuple[str, ...]
    """Why a better way is not used, one line each."""
    owner: bool
    """Whether this page has the microphone and the speaker."""

    def __str__(self) -> str:
        trip = "" if self.rtt_ms is None else f", round trip {self.rtt_ms:.1f} ms"
        why = f" (not better: {'; '.join(self.why)})" if self.why else ""
        return f"{self.name}{trip}{why}"


class Peer(Protocol):
    """The way to one page; used on the media thread only."""

    def put(self, frame: bytes, *, audio: bool = False) -> None:
        """Send a frame, in order, without waiting."""

    def drop_audio(self) -> None:
        """Forget the sound that still waits."""

    def close(self, code: int, reason: str) -> None:
        """End it."""


@dataclass(slots=True)
class _Page:
    peer: Peer
    path: str
    why: tuple[str, ...]
    rtt_ms: float | None = None
    seen: float = field(default_factory=time.monotonic)


class Channel:
    """Sound and events between a widget and its pages.

    The callbacks run on the media thread: they only enqueue.

    Parameters
    ----------
    view : View
        The widget; it closes the channel when it closes.
    on_audio : callable, optional
        Given each chunk of the owner's microphone (24 kHz mono PCM16) and its header: ``at`` is the index of its first
        sample, ``ms`` when it was whole, by the page's clock.
    on_event : callable, optional
        Given the header and payload of any other frame; ``t`` names it, ``page`` whose it is, ``owner`` whether that
        has the microphone: what the page's views send, what its playback tells (``started``, ``position``, ``done``,
        ``flushed``, ``overflow``), ``opened``, ``claimed`` and ``closed``.
    """

    def __init__(self, view: View, *, on_audio: OnAudio | None = None, on_event: OnEvent | None = None) -> None:
        self._view = view
        self._on_audio = on_audio
        self._on_event = on_event
        self._token = Secret(secrets.token_urlsafe(24))
        self._pages: dict[str, _Page] = {}
        self._owner: str | None = None
        self._closed = False
        self._hub = hub()
        self._soon(self._hub.add, self._token.reveal(), self)
        view.channel = self

    # ------------------------------------------------------------ any thread
    def push(self, pcm: bytes, header: Mapping[str, Any] | None = None) -> None:
        """Send sound to the owner's page; never waits.

        Parameters
        ----------
        pcm : bytes
            24 kHz mono PCM16; may be empty, to say that an item is at its end.
        header : mapping, optional
            ``item``: what it belongs to; ``last``: whether the item ends here.
        """
        self._soon(self._put_owner, pack_frame({"t": "audio", "item": "", **(header or {})}, pcm), audio=True)

    def send(self, event: Mapping[str, Any], payload: bytes = b"", *, everyone: bool = True) -> None:
        """Send an event, in order with the sound.

        Parameters
        ----------
        event : mapping
            JSON; ``t`` names it.
        payload : bytes
            What goes with it.
        everyone : bool
            To all pages, or to the owner's only.
        """
        self._soon(self._put_all if everyone else self._put_owner, pack_frame(event, payload))

    def answer(self, page: str, event: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send an event to one page, by the name that its ``opened`` had."""
        self._soon(self._put_page, page, pack_frame(event, payload))

    def flush(self) -> None:
        """Silence the owner's page at once; it answers ``flushed``, with the samples really heard."""
        self._soon(self._flush)

    @property
    def path(self) -> Path | None:
        """How the owner's page reaches the kernel; None when there is none."""
        return next((path for path in self.paths if path.owner), None)

    @property
    def paths(self) -> tuple[Path, ...]:
        """How each page reaches the kernel."""
        pages = list(self._pages.items())
        return tuple(Path(page.path, page.rtt_ms, page.why, name == self._owner) for name, page in pages)

    def close(self) -> None:
        """Let all pages go; idempotent."""
        self._soon(self._close)

    def __repr__(self) -> str:
        ways = "; ".join(str(path) for path in self.paths)
        return f"Channel({ways or 'no page'})"

    def _soon(self, act: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        self._hub.loop.call_soon_threadsafe(lambda: act(*args, **kwargs))

    # ------------------------------------------------------------ the comm's thread
    def from_comm(self, content: Mapping[str, Any], buffers: list[memoryview]) -> None:
        """Take a message of the widget's comm that belongs to the media path."""
        page = str(content.get("page", ""))
        if content["t"] == "media.hello":
            self._soon(self._offer, page, str(content.get("origin", "")))
        elif content["t"] == "media":
            self._soon(self._take_gathered, page, [bytes(buffer) for buffer in buffers])
        elif content["t"] == "media.bye":
            self._soon(self._bye, page)

    # ------------------------------------------------------------ the media thread
    def join(self, hello: Header, peer: Peer) -> None:
        """Take a page in; the first one owns microphone and speaker."""
        name = str(hello.get("page"))
        path = hello.get("path")
        known = self._pages.get(name)
        page = _Page(peer, path if path in _PATHS else "direct", tuple(str(why)[:200] for why in hello.get("why", ())))
        self._pages[name] = page
        if known is not None and known.peer is not peer:
            known.peer.close(CLOSED, "the same page came again")
        if self._owner is None or self._silent(self._owner):
            self._owner = name
        peer.put(welcome(owner=self._owner == name))
        self._tell({"t": "opened", "page": name, "path": page.path, "owner": self._owner == name})

    def part(self, name: str, peer: Peer) -> None:
        """Let a page go."""
        page = self._pages.get(name)
        if page is None or page.peer is not peer:
            return
        del self._pages[name]
        if self._owner == name:
            self._owner = None
        self._tell({"t": "closed", "page": name})

    def take(self, name: str, frame: bytes) -> None:
        """Take a frame of a page."""
        page = self._pages.get(name)
        if page is None:
            return
        page.seen = time.monotonic()
        try:
            header, payload = unpack_frame(frame)
        except ValueError:
            page.peer.close(CLOSED, "a frame that is none")
            return
        kind = header["t"]
        if kind == "audio":
            if name == self._owner and self._on_audio is not None:
                self._on_audio(payload, header)
        elif kind == "ping":
            page.peer.put(pack_frame({"t": "pong", "sent": header.get("sent")}))
        elif kind == "rtt":
            page.rtt_ms = float(header["ms"])
        elif kind == "claim":
            self._claim(name)
        else:
            self._tell({**header, "page": name, "owner": name == self._owner}, payload)

    def _tell(self, header: Header, payload: bytes = b"") -> None:
        if self._on_event is not None:
            self._on_event(header, payload)

    def _silent(self, name: str) -> bool:
        page = self._pages[name]
        return page.path == "comm" and time.monotonic() - page.seen > SILENT_S

    def _claim(self, name: str) -> None:
        before, self._owner = self._owner, name
        if before is not None and before != name:
            self._pages[before].peer.put(pack_frame({"t": "owner", "owner": False}))
        self._pages[name].peer.put(pack_frame({"t": "owner", "owner": True}))
        self._tell({"t": "claimed", "page": name})

    def _put_owner(self, frame: bytes, *, audio: bool = False) -> None:
        if self._owner is not None:
            self._pages[self._owner].peer.put(frame, audio=audio)

    def _put_all(self, frame: bytes) -> None:
        for page in self._pages.values():
            page.peer.put(frame)

    def _put_page(self, name: str, frame: bytes) -> None:
        if name in self._pages:
            self._pages[name].peer.put(frame)

    def _flush(self) -> None:
        if self._owner is not None:
            peer = self._pages[self._owner].peer
            peer.drop_audio()
            peer.put(pack_frame({"t": "flush"}))

    def _close(self) -> None:
        self._closed = True
        self._hub.remove(self._token.reveal())
        for page in self._pages.values():
            page.peer.close(CLOSED, "the widget was closed")

    def _offer(self, page: str, origin: str) -> None:
        if not self._closed:
            self._hub.loop.create_task(self._admit(page, origin))

    async def _admit(self, page: str, origin: str) -> None:
        port = await self._hub.admit(origin)
        self._view.send({"t": "media.offer", "page": page, "port": port, "token": self._token.reveal()})

    def _take_gathered(self, name: str, frames: list[bytes]) -> None:
        for frame in frames:
            if name in self._pages and self._pages[name].path == "comm":
                self.take(name, frame)
            else:
                self._join_by_comm(name, frame)

    def _join_by_comm(self, name: str, frame: bytes) -> None:
        try:
            hello, _ = unpack_frame(frame)
        except ValueError:
            return
        if hello["t"] == "hello" and Secret(str(hello.get("token"))) == self._token:
            self.join({**hello, "page": name, "path": "comm"}, CommPeer(self, name))

    def _bye(self, name: str) -> None:
        page = self._pages.get(name)
        if page is not None and page.path == "comm":
            self.part(name, page.peer)

    def post(self, name: str, frames: list[bytes]) -> None:
        """Send frames to a page by the comm."""
        self._view.send({"t": "media", "page": name}, buffers=frames)

    def later(self, wait_s: float, act: Callable[[], None]) -> None:
        """Call `act` on the media thread after a while."""
        self._hub.loop.call_later(wait_s, act)


class CommPeer:
    """A page reached by the widget's comm only: frames gathered, so that messages are few."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._gathered: list[tuple[bool, bytes]] = []
        self._planned = False

    def put(self, frame: bytes, *, audio: bool = False) -> None:
        """Send a frame with the next message; the first after a rest goes at once."""
        self._gathered.append((audio, frame))
        if not self._planned:
            self._planned = True
            self._channel.later(0, self._post)

    def drop_audio(self) -> None:
        """Forget the sound that still waits."""
        self._gathered = [(audio, frame) for audio, frame in self._gathered if not audio]

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - a peer's good-bye has both
        """Forget what waits; the closing comm tells the page."""
        self._gathered = []

    def _post(self) -> None:
        self._planned = bool(self._gathered)
        if self._planned:
            frames, self._gathered = [frame for _, frame in self._gathered], []
            self._channel.post(self._name, frames)
            self._channel.later(GATHER_S, self._post)
