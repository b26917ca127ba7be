"""One POST over HTTP with the standard library: no redirect is followed, and no key is shown."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from realtime_nb.errors import ConnectError
from realtime_nb.secret import Secret
from realtime_nb.transports.websocket import is_loopback, safe_url

__all__ = ["Answer", "post"]

MAX_ANSWER_BYTES = 1 << 20
NEARBY = 'rt.connect("local")  # needs no network'


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Parameters
    ----------
    status : int
        Of HTTP.
    location : str
        The header; empty without one.
    text : str
        The body.
    """

    status: int
    location: str
    text: str

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def error(self) -> dict[str, Any]:
        """The error it tells of, with its ``message``; empty where it tells of none."""
        try:
            said = json.loads(self.text)["error"]
        except (ValueError, KeyError, TypeError):
            return {}
        return said if isinstance(said, dict) and "message" in said else {}

    @property
    def refusal(self) -> str:
        """Why it refuses, in its own words if it has any."""
        return str(self.error["message"]) if self.error else f"HTTP {self.status}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes where it was meant to go."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


async def post(
    url: str, body: bytes, headers: Mapping[str, str | Secret], *, timeout_s: float, hint: str = NEARBY
) -> Answer:
    """Post a body.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; loopback addresses never go through a proxy.
    body : bytes
        What is posted.
    headers : mapping of str to str or Secret
        With the body's type.
    timeout_s : float
        How long it may take, in seconds.
    hint : str
        What to do where nothing answers.

    Returns
    -------
    Answer
        Whatever its status.

    Raises
    ------
    ConnectError
        Nothing answers there; it names the URL, never a key.
    """
    answer = await asyncio.to_thread(_try, url, body, headers, timeout_s, hint)
    if isinstance(answer, ConnectError):
        raise answer  # out here: the frames below hold the headers
    return answer


def _try(
    url: str, body: bytes, headers: Mapping[str, str | Secret], timeout_s: float, hint: str
) -> Answer | ConnectError:
    handlers: list[Any] = [_NoRedirect()]
    if is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, body, method="POST")  # noqa: S310 - the caller made it of ws:// or wss://
    for name, value in headers.items():
        request.add_header(name, value.reveal() if isinstance(value, Secret) else value)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            return _read(answer)
    except urllib.error.HTTPError as refusal:
        return _read(refusal)
    except (OSError, HTTPException) as fault:
        why = str(getattr(fault, "reason", fault)) or type(fault).__name__
        return ConnectError(f"no connection to {safe_url(url)}: {why}", hint=hint)


def _read(answer: Any) -> Answer:
    text = answer.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
    return Answer(answer.status, answer.headers.get("location", ""), text)
