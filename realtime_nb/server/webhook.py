"""Telling the operator's program of a call: a signed POST, tried again under the same id."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

import httpx
import msgspec

from realtime_nb.server.phone_options import Webhook
from realtime_nb.wire.webhooks import sign

__all__ = ["deliver", "incoming_call"]

PAUSES_S = (1.0, 3.0)
"""Between attempts: three in all, while the caller hears it ring."""

logger = logging.getLogger("realtime_nb.server")


def incoming_call(webhook_id: str, call_id: str, fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Make ``realtime.call.incoming``.

    Parameters
    ----------
    webhook_id : str
        ``evt_...``.
    call_id : str
        ``rtc_...``.
    fields : iterable of (str, str)
        The headers of the INVITE.

    Returns
    -------
    dict
        The webhook's body.
    """
    headers = [{"name": _clean(name), "value": _clean(value)} for name, value in fields]
    return {
        "object": "event",
        "id": webhook_id,
        "type": "realtime.call.incoming",
        "created_at": int(time.time()),
        "data": {"call_id": call_id, "sip_headers": headers},
    }


def _clean(text: str) -> str:
    """A header is any bytes; JSON is not."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def deliver(webhook: Webhook, event: dict[str, Any]) -> bool:
    """Post a webhook until somebody takes it.

    Parameters
    ----------
    webhook : Webhook
        Where to, and how it is signed.
    event : dict
        The body, with its ``id``.

    Returns
    -------
    bool
        Whether any attempt was answered by 2xx. Redirects are not followed.
    """
    body = msgspec.json.encode(event)
    async with httpx.AsyncClient(timeout=webhook.timeout_s, trust_env=False) as client:
        for pause_s in (*PAUSES_S, None):
            if await _attempt(client, webhook, event["id"], body):
                return True
            if pause_s is not None:
                await asyncio.sleep(pause_s)
    return False


async def _attempt(client: httpx.AsyncClient, webhook: Webhook, webhook_id: str, body: bytes) -> bool:
    headers = sign(webhook.secret, webhook_id, int(time.time()), body)
    try:
        async with asyncio.timeout(webhook.timeout_s):  # httpx counts each read for itself
            answer = await client.post(
                webhook.url, content=body, headers={**headers, "content-type": "application/json"}
            )
    except (httpx.HTTPError, TimeoutError) as fault:
        logger.warning("the webhook was not delivered: %s", type(fault).__name__)
        return False
    if not answer.is_success:
        logger.warning("the webhook was answered by HTTP %s", answer.status_code)
    return answer.is_success
