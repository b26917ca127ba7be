"""Webhooks signed and checked as Standard Webhooks 1.0 has it: by HMAC-SHA256 over id, time and body.

https://github.com/standard-webhooks/standard-webhooks; OpenAI signs its own so.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from realtime_nb.errors import ConfigError, RemoteProtocolError
from realtime_nb.secret import Secret

__all__ = ["TOLERANCE_S", "Once", "WebhookRefused", "check", "sign", "signing_key"]

PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE_S = 300
"""How old, or how early, a webhook may be."""
MAX_REMEMBERED = 10_000


class WebhookRefused(RemoteProtocolError):
    """A webhook that was not sent by who knows the secret, or not now, or not for the first time."""


def signing_key(secret: Secret) -> bytes:
    """The key in a webhook's secret.

    Parameters
    ----------
    secret : Secret
        ``whsec_`` and base64.

    Returns
    -------
    bytes
        For :func:`hmac.digest`.

    Raises
    ------
    ConfigError
        When it is no such secret.
    """
    text = secret.reveal().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 16:
        raise ConfigError(
            "a webhook's secret is whsec_ and 16 bytes or more in base64",
            hint="secret = 'whsec_' + base64.b64encode(os.urandom(32)).decode()",
        )
    return key


def sign(secret: Secret, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Make the headers of a webhook.

    Parameters
    ----------
    secret : Secret
        Shared with the receiver.
    webhook_id : str
        The same for every attempt to deliver it.
    timestamp : int
        Unix time in seconds, of this attempt.
    body : bytes
        Exactly as it is sent.

    Returns
    -------
    dict of str to str
        ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``.
    """
    signature = f"{VERSION},{_digest(secret, webhook_id, str(timestamp), body)}"
    return {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def check(secret: Secret, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Make sure that a webhook is from who knows the secret, and from now.

    Parameters
    ----------
    secret : Secret
        Shared with the sender.
    headers : mapping
        Of the request; names in any case.
    body : bytes
        Exactly as it came.
    now : float
        Unix time in seconds.

    Returns
    -------
    str
        Its id, for :class:`Once`.

    Raises
    ------
    WebhookRefused
        When it is not.
    """
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        raise WebhookRefused("the webhook has no id, or no time")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise WebhookRefused(f"the webhook is more than {TOLERANCE_S} s from now")
    wanted = _digest(secret, webhook_id, timestamp, body).encode()
    shown = [word.partition(",") for word in given.get("webhook-signature", "").split()[:16]]
    good = [hmac.compare_digest(wanted, text.encode()) for version, _, text in shown if version == VERSION]
    if not any(good):
        raise WebhookRefused("no signature of the webhook is that of its secret")
    return webhook_id


def _digest(secret: Secret, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(signing_key(secret), signed, "sha256")).decode()


class Once:
    """Remembers what was taken, for as long as it could be sent again.

    Examples
    --------
    >>> once = Once()
    >>> once.is_new("evt_1", now=0.0), once.is_new("evt_1", now=1.0), once.is_new("evt_1", now=700.0)
    (True, False, True)
    """

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def is_new(self, webhook_id: str, now: float) -> bool:
        """Say whether an id comes for the first time.

        Parameters
        ----------
        webhook_id : str
            From :func:`check`.
        now : float
            Seconds, of one clock throughout.

        Returns
        -------
        bool
            False for a repetition.
        """
        for old in [old for old, at in self._seen.items() if at < now - 2 * TOLERANCE_S]:
            del self._seen[old]
        if webhook_id in self._seen:
            return False
        if len(self._seen) >= MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[webhook_id] = now
        return True
