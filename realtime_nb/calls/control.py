"""The four things that can be done to a call over HTTP (protocol, 1.4), and where its sideband is."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from realtime_nb.errors import ConnectError, ServerError
from realtime_nb.secret import Secret
from realtime_nb.target import Auth
from realtime_nb.transports.websocket import is_loopback, safe_url

__all__ = ["Control"]

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes where it was meant to go."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


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
        await asyncio.to_thread(self._post, f"{self._calls}/{quote(call_id, safe='')}/{doing}", body)

    def _post(self, url: str, body: Mapping[str, Any] | None) -> None:
        fault = self._try(url, body)
        if fault is not None:  # out here: the frames below hold the headers
            raise fault

    def _try(self, url: str, body: Mapping[str, Any] | None) -> ServerError | ConnectError | None:
        handlers: list[Any] = [_NoRedirect()]
        if is_loopback(url):
            handlers.append(urllib.request.ProxyHandler({}))
        data = b"" if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - http(s), made above
        for name, value in self._headers.items():
            request.add_header(name, value.reveal() if isinstance(value, Secret) else value)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
                answer.read(MAX_ANSWER_BYTES)
        except urllib.error.HTTPError as refusal:
            return self._refused(refusal)
        except (OSError, HTTPException) as fault:
            why = str(getattr(fault, "reason", fault)) or type(fault).__name__
            return ConnectError(f"no connection to {safe_url(url)}: {why}", hint="realtime-nb serve --sip")
        return None

    def _refused(self, refusal: urllib.error.HTTPError) -> ServerError:
        try:
            said = json.loads(refusal.read(MAX_ANSWER_BYTES))["error"]
            words, code, param = str(said["message"]), said.get("code"), said.get("param")
        except (ValueError, KeyError, TypeError, AttributeError):
            words, code, param = f"HTTP {refusal.code}", None, None
        words = words if self.key is None else self.key.redact(words)
        return ServerError(f"{words} (HTTP {refusal.code})", code=code, param=param)
