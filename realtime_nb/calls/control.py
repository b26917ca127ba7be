"""The four things that can be done to a call over HTTP (protocol, 1.4), and where its sideband is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from realtime_nb.errors import ServerError
from realtime_nb.secret import Secret
from realtime_nb.target import Auth
from realtime_nb.transports.http import Answer, post
from realtime_nb.transports.websocket import safe_url

__all__ = ["GONE", "Control"]

TIMEOUT_S = 10.0
GONE = frozenset({"call_not_found", "call_id_not_found"})
"""Codes of a refusal where there is no such call any more; a 404 alone may be of a wrong path, or of a model."""


class Control:
    """A server's calls, over HTTP.

    Parameters
    ----------
    url : str
        Of its sessions: ``ws://`` or ``wss://``; any query is left out.
    headers : mapping of str to str or Secret
        That let us in.
    key : Secret, optional
        The key itself, for the sideband; masked in the server's words.
    auth : {"bearer", "api-key"}, optional
        How the sideband sends it.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str | Secret], key: Secret | None, auth: Auth | None = None
    ) -> None:
        parts = urlsplit(url)
        self._sessions = urlunsplit(parts._replace(query="", fragment=""))
        self._calls = f"{'https' if parts.scheme == 'wss' else 'http'}{self._sessions[len(parts.scheme) :]}/calls"
        self._headers = dict(headers)
        self.key = key
        self.auth = auth

    @property
    def place(self) -> str:
        """Where this is, as it may be shown."""
        return safe_url(self._calls)

    def sideband(self, call_id: str) -> str:
        """Where a call's events are."""
        return f"{self._sessions}?call_id={quote(call_id, safe='')}"

    async def do(self, call_id: str, doing: str, body: Mapping[str, Any] | None = None) -> None:
        """Do one of ``accept``, ``reject``, ``refer``, ``hangup``.

        Raises
        ------
        ServerError
            The server refuses; there may be no such call any more.
        ConnectError
            The server cannot be reached.
        """
        url = f"{self._calls}/{quote(call_id, safe='')}/{doing}"
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **self._headers}
        answer = await post(url, data, headers, timeout_s=TIMEOUT_S, hint="realtime-nb serve --sip")
        if not answer.ok:
            raise self._refused(answer)

    def _refused(self, answer: Answer) -> ServerError:
        words = answer.refusal if self.key is None else self.key.redact(answer.refusal)
        said = answer.error
        return ServerError(f"{words} (HTTP {answer.status})", code=said.get("code"), param=said.get("param"))
