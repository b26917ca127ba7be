"""The way back to a server: secrets for pages, and the sideband of a call that somebody else has made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from realtime_nb.errors import ConnectError
from realtime_nb.secret import Secret
from realtime_nb.transports.addresses import calls_url, sideband_url
from realtime_nb.transports.base import Transport
from realtime_nb.transports.http import Answer, post
from realtime_nb.transports.websocket import WebSocketTransport, open_websocket, safe_url

__all__ = ["Door"]

SECRET_S = 60
"""How long a page has to begin its call."""
TIMEOUT_S = 10.0
PAGE_ORIGIN = "realtime-page-origin"
"""Ours: lets pages of this origin, and no others, call our own server with the secret."""


class Door:
    """Where a session was opened, and what let it in.

    Parameters
    ----------
    url : str
        Of the server's sessions.
    headers : mapping of str to str or Secret
        With the key.
    """

    def __init__(self, url: str, headers: Mapping[str, str | Secret]) -> None:
        self._url, self._headers = url, dict(headers)

    @property
    def calls(self) -> str:
        """Where a page makes its call."""
        return calls_url(self._url)

    async def secret(self, session: Mapping[str, Any], origin: str) -> Secret:
        """Get an ephemeral secret, for a page alone and for a minute.

        Parameters
        ----------
        session : mapping
            The settings of the call that is made with it.
        origin : str
            Of the page.

        Returns
        -------
        Secret
            ``ek_...``.

        Raises
        ------
        ConnectError
            The server gives none.
        """
        asked = {"expires_after": {"anchor": "created_at", "seconds": SECRET_S}, "session": session}
        url = f"{self.calls.removesuffix('/calls')}/client_secrets"
        headers = {**self._headers, "Content-Type": "application/json", PAGE_ORIGIN: origin}
        answer = await post(url, json.dumps(asked).encode(), headers, timeout_s=TIMEOUT_S)
        if answer.status != 200:
            raise ConnectError(f"{safe_url(url)} gives no secret: {answer.refusal}", hint="session.talk()")
        return Secret(str(json.loads(answer.text)["value"]))

    async def join(self, call_id: str) -> Transport:
        """Attach to a call; the call is over when this is closed.

        Parameters
        ----------
        call_id : str
            ``rtc_...``.

        Returns
        -------
        Transport
            Its events, beside its data channel.
        """
        return _Sideband(await open_websocket(sideband_url(self._url, call_id), headers=self._headers), self, call_id)

    async def hang_up(self, call_id: str) -> Answer:
        """End a call, if it is not over."""
        url = f"{self.calls}/{quote(call_id, safe='')}/hangup"
        return await post(url, b"", self._headers, timeout_s=1.0)


class _Sideband:
    """A call's events; closing ends the call."""

    def __init__(self, socket: WebSocketTransport, door: Door, call_id: str) -> None:
        self._socket, self._door, self._call_id = socket, door, call_id
        self.send, self.receive, self.ping = socket.send, socket.receive, socket.ping

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up, and leave."""
        try:
            await self._door.hang_up(self._call_id)
        except ConnectError:
            pass  # the server is gone, and the call with it
        finally:
            await self._socket.close(code, reason)
