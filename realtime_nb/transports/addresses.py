"""Where things are at a server whose sessions are at a ``ws://`` or ``wss://`` URL."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

__all__ = ["calls_url", "sideband_url"]


def calls_url(url: str) -> str:
    """Where calls are made.

    Parameters
    ----------
    url : str
        Of the sessions.

    Returns
    -------
    str
        ``http://`` or ``https://``, without a query.

    Examples
    --------
    >>> calls_url("wss://api.openai.com/v1/realtime?model=gpt-realtime-mini")
    'https://api.openai.com/v1/realtime/calls'
    """
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/calls", "", ""))


def sideband_url(url: str, call_id: str) -> str:
    """Where a call's events are, beside its own data channel.

    Parameters
    ----------
    url : str
        Of the sessions.
    call_id : str
        ``rtc_...``.

    Returns
    -------
    str
        A WebSocket.

    Examples
    --------
    >>> sideband_url("ws://127.0.0.1:8000/v1/realtime?model=m", "rtc_1")
    'ws://127.0.0.1:8000/v1/realtime?call_id=rtc_1'
    """
    return urlunsplit(urlsplit(url)._replace(query=f"call_id={quote(call_id, safe='')}"))
