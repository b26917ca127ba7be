"""One telephone call: an INVITE that was told of, a decision, and a session that talks over RTP."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.session_config import AnySession, merge
from realtime_nb.server.calls import unfit
from realtime_nb.server.live import LiveSession
from realtime_nb.server.sip_media import FORMATS, SipMedia, open_media
from realtime_nb.server.webhook import deliver, incoming_call
from realtime_nb.wire.sdp import Codec, Media
from realtime_nb.wire.sip.path import Invited

if TYPE_CHECKING:
    from realtime_nb.server.sip import Phone

__all__ = ["SipCall"]

UNAVAILABLE, NO_SERVICE = 480, 503
logger = logging.getLogger("realtime_nb.server")


class SipCall:
    """A call by SIP.

    Parameters
    ----------
    phone : Phone
        What it came in by.
    invited : Invited
        How.
    """

    def __init__(self, phone: Phone, invited: Invited) -> None:
        self.name = invited.call
        self._phone = phone
        self._invited = invited
        self._state = "ringing"
        self._media: SipMedia | None = None
        self._live: LiveSession | None = None
        self._deciding: asyncio.Task[None] | None = None
        self._talking: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what becomes of it
    def begin(self) -> None:
        """Ring, and have it decided: by the operator's program, or at once."""
        self._deciding = asyncio.create_task(self._decide())

    async def _decide(self) -> None:
        webhook = self._phone.options.webhook
        if webhook is None:
            if self._phone.hub.is_full:
                self.reject(486)
            else:
                await self.accept({"type": "realtime"})
            return
        event = incoming_call(self._phone.hub.ids.new("evt"), self.name, self._invited.request.headers)
        if not await deliver(webhook, event) and self._state == "ringing":
            self.reject(UNAVAILABLE)

    async def accept(self, session: dict[str, Any]) -> None:
        """Take it, with a session of these settings."""
        self._check_ringing()
        hub = self._phone.hub
        if hub.is_full:
            raise unfit(f"This server serves {hub.options.sessions} sessions at once, and all are taken.")
        settings = self._settings(session)
        self._state = "accepting"
        hub.expect(self.name)
        local = self._invited.path.local[0]
        try:
            media = await open_media(local, silence_s=self._phone.options.silence_s, on_silence=self._silent)
        except OSError as fault:
            self._phone.hang_up(self.name, NO_SERVICE)
            raise unfit(f"There is no port for the sound of the call: {fault.strerror}.") from None
        if self._state != "accepting":
            media.close()
            raise unfit("The caller has hung up.")
        self._talk(settings, media)
        self._phone.accept(self.name, local, media.port)

    def _talk(self, settings: AnySession, media: SipMedia) -> None:
        hub = self._phone.hub
        core = hub.new_connection(settings, plays=True)
        self._state, self._media = "up", media
        self._live = LiveSession(hub, core, self.name, FORMATS[self._codec])
        media.attach(self._live)
        self._talking = asyncio.create_task(self._live.run())
        self._talking.add_done_callback(lambda _: self.hang_up())

    @property
    def _codec(self) -> Codec:
        return "PCMU" if self._invited.offer is None else self._invited.offer.media.codec

    def _settings(self, asked: dict[str, Any]) -> AnySession:
        """The service's defaults, in the telephone's own format, and what is asked for."""
        telephone = {"format": {"type": FORMATS[self._codec].__struct_config__.tag}}
        base = self._phone.hub.new_session(model=asked.get("model") if isinstance(asked.get("model"), str) else None)
        return merge(merge(base, {"type": "realtime", "audio": {"input": telephone, "output": telephone}}), asked)

    def _sound_hosts(self, described: str) -> frozenset[str]:
        """Sound comes from where the call came from, or from where its description says, if that may call, too."""
        peer = self._invited.path.peer[0]
        return frozenset({peer, described} if self._phone.options.admits(described) else {peer})

    def reject(self, status_code: int) -> None:
        """Refuse it while it rings."""
        self._check_ringing()
        self._phone.hang_up(self.name, status_code)

    def refer(self, target_uri: str) -> None:
        """Hand it on to somebody else."""
        if self._state != "up":
            raise unfit("The call was not accepted yet; it cannot be handed on.")
        self._phone.refer(self.name, target_uri)

    def hang_up(self) -> None:
        """End it, whatever state it is in."""
        self._phone.hang_up(self.name, UNAVAILABLE)

    def _check_ringing(self) -> None:
        if self._state != "ringing":
            raise unfit("The call does not ring any more; it was decided already.")

    # ------------------------------------------------------------ what the other end does
    def change(self, media: Media) -> None:
        """Talk as was agreed anew."""
        if self._media is not None:
            self._media.change(media, self._sound_hosts(media.host))

    def _silent(self, holds: bool) -> None:
        """Hear nothing: who is on hold is asked whether the call goes on, for anybody else it is over."""
        if holds:
            self._phone.probe(self.name)
        else:
            self.hang_up()

    def press(self, key: str) -> None:
        """Hear of a key that came in a message."""
        if self._live is not None:
            self._live.report(fx.KeyPressed(key, int(time.time())))

    def referred(self, status: int) -> None:
        """Hear how the handing on goes: once somebody else talks to the caller, this call is over."""
        if status == 200:
            self.hang_up()
        elif status >= 300:
            logger.warning("a call could not be handed on: SIP %s", status)

    def over(self) -> None:
        """End what served it."""
        self._state = "over"
        self._phone.hub.expect_no_more(self.name)
        if self._media is not None:
            self._media.close()
        if self._live is not None:
            self._live.end()
        if self._deciding is not None and self._deciding is not asyncio.current_task():
            self._deciding.cancel()

    async def gone(self) -> None:
        """Wait until nothing of it is left."""
        tasks = [task for task in (self._deciding, self._talking) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
