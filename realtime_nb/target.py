"""Where a session goes: one word or URL made an address with its headers."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret

__all__ = ["DEFAULT_MODEL", "Auth", "Target", "Way", "resolve", "with_model"]

Auth = Literal["bearer", "api-key"]
Way = Literal["websocket", "webrtc"]
"""How a session travels."""

DEFAULT_MODEL = "gpt-realtime-mini"
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOSTS = ("api.openai.com", ".api.openai.com")
AZURE_HOSTS = (".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_WORDS = ("local", "openai")


@dataclass(frozen=True)
class Target:
    """An address.

    Parameters
    ----------
    url : str
        ``ws://`` or ``wss://``; empty for the local engine, whose address is known when it runs.
    headers : mapping of str to str or Secret
        For the handshake.
    key : Secret, optional
        What is masked in the server's words.
    """

    url: str = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    key: Secret | None = None

    @property
    def local(self) -> bool:
        """Whether it is the embedded engine."""
        return not self.url


def resolve(to: str | None, *, model: str | None, key: Secret | None, auth: Auth | None) -> Target:
    """Find out what is meant.

    Parameters
    ----------
    to : str or None
        ``"local"``, ``"openai"``, a ``ws://`` or ``wss://`` URL, or None: OpenAI
        where ``OPENAI_API_KEY`` is set, else the local engine.
    model : str or None
        The model, for the URL.
    key : Secret or None
        The key; OpenAI's and Azure's are else read from the environment.
    auth : {"bearer", "api-key"}, optional
        How the key is sent; by the host when not given.

    Returns
    -------
    Target
        Yet unreached.

    Raises
    ------
    ConfigError
        It is none of these, or the key is missing.
    """
    if to is None:
        to = "openai" if key is not None or _environment("OPENAI_API_KEY") else "local"
    if to == "local":
        return Target()
    url = _openai_url() if to == "openai" else _checked(to)
    key = key or _own_key(url)
    if to == "openai" and key is None:
        raise ConfigError(
            "OpenAI asks for a key, and OPENAI_API_KEY is not set",
            hint='rt.connect("openai", api_key=getpass.getpass())  # or rt.connect("local"), which needs none',
        )
    return Target(with_model(url, model or DEFAULT_MODEL), _headers(url, key, auth), key)


def with_model(url: str, model: str) -> str:
    """`url` with the model in its query, unless it says already which model or call it is about."""
    parts = urlsplit(url)
    if {name for name, _ in parse_qsl(parts.query)} & {"model", "call_id", "deployment", "intent"}:
        return url
    query = "&".join(filter(None, (parts.query, f"model={quote(model, safe='')}")))
    return urlunsplit(parts._replace(query=query))


def _environment(name: str) -> Secret | None:
    return Secret.of(os.environ.get(name))


def _openai_url() -> str:
    """The service's, or that of ``OPENAI_BASE_URL``, which OpenAI's own client heeds."""
    base = (os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).rstrip("/")
    return f"{base.replace('http', 'ws', 1) if base.startswith('http') else base}/realtime"


def _checked(to: str) -> str:
    scheme = to.partition(":")[0].lower()
    if scheme in {"ws", "wss"} and urlsplit(to).hostname:
        return to
    if scheme in {"http", "https"}:
        raise ConfigError(
            f"rt.connect() got an {scheme.upper()} address: realtime servers speak WebSocket",
            hint=f'rt.connect("ws{to[4:]}")',
        )
    if scheme in {"sip", "sips"} and ":" in to:
        raise ConfigError("a SIP address is called, and gives no session", hint=f'call = rt.calls.dial("{to}")')
    near = difflib.get_close_matches(to, _WORDS, n=1, cutoff=0.5)
    raise ConfigError(
        f'rt.connect() goes to "local", "openai" or a ws:// or wss:// URL, not to {to!r}',
        hint=f'rt.connect("{near[0] if near else "local"}")',
    )


def _is_host(url: str, names: tuple[str, ...]) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return any(host == name or (name.startswith(".") and host.endswith(name)) for name in names)


def _own_key(url: str) -> Secret | None:
    """The environment's key for this host; a key never goes to a host it does not belong to."""
    if _is_host(url, AZURE_HOSTS):
        return _environment("AZURE_OPENAI_API_KEY")
    if _is_host(url, OPENAI_HOSTS) or url == _openai_url():
        return _environment("OPENAI_API_KEY")
    return None


def _headers(url: str, key: Secret | None, auth: Auth | None) -> dict[str, str | Secret]:
    headers: dict[str, str | Secret] = {}
    if key is not None:
        name, wrap = _AUTHS[auth or ("api-key" if _is_host(url, AZURE_HOSTS) else "bearer")]
        headers[name] = wrap(key)
    if _is_host(url, OPENAI_HOSTS):
        for header, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                headers[header] = value
    return headers


_AUTHS: dict[Auth, tuple[str, Callable[[Secret], Secret]]] = {
    "bearer": ("Authorization", lambda key: Secret(f"Bearer {key.reveal()}")),
    "api-key": ("api-key", lambda key: key),
}
