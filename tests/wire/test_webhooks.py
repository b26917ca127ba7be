from __future__ import annotations

import json

import openai
import pytest

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret
from realtime_nb.wire.webhooks import TOLERANCE_S, Once, WebhookRefused, check, sign

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW = 1_614_265_330
BODY = b'{"test": 2432232314}'


def test_the_example_of_the_standard_is_signed_as_there() -> None:
    """The vector published with Standard Webhooks."""
    headers = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, BODY)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_signed_is_accepted() -> None:
    """In any case of the headers' names, and beside other signatures."""
    headers = sign(SECRET, "evt_1", NOW, BODY)
    headers["webhook-signature"] = f"v1,AAAA v1a,xyz {headers['webhook-signature']}"
    assert check(SECRET, {name.title(): value for name, value in headers.items()}, BODY, NOW) == "evt_1"


@pytest.mark.parametrize("change", ["body", "id", "time", "signature", "secret", "old", "early", "none", "no time"])
def test_anything_else_is_refused(change: str) -> None:
    """Tampered with, of another secret, old, early, or not signed."""
    headers, body, now, secret = sign(SECRET, "evt_1", NOW, BODY), BODY, float(NOW), SECRET
    if change == "body":
        body = b'{"test": 2432232315}'
    elif change == "id":
        headers["webhook-id"] = "evt_2"
    elif change == "time":
        headers["webhook-timestamp"] = str(NOW + 1)
    elif change == "signature":
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v0,")
    elif change == "secret":
        secret = Secret("whsec_" + "A" * 32)
    elif change in {"old", "early"}:
        now += (TOLERANCE_S + 1) * (1 if change == "old" else -1)
    elif change == "none":
        headers = {}
    else:
        headers["webhook-timestamp"] = "soon"
    with pytest.raises(WebhookRefused):
        check(secret, headers, body, now)


def test_a_repetition_is_known() -> None:
    """The same id twice within the time it would be accepted."""
    once = Once()
    assert once.is_new("evt_1", 0.0)
    assert not once.is_new("evt_1", TOLERANCE_S)


@pytest.mark.parametrize("text", ["whsec_", "whsec_ä", "whsec_QUJD", "not base64!"])
def test_a_secret_that_is_none_is_said_so(text: str) -> None:
    """Too short, or no base64."""
    with pytest.raises(ConfigError, match="whsec_"):
        sign(Secret(text), "evt_1", NOW, BODY)


@pytest.mark.peer
def test_openais_own_package_accepts_our_signature_and_refuses_it_tampered_with() -> None:
    """`client.webhooks.unwrap` is the judge."""
    import time

    client = openai.OpenAI(api_key="sk-test", webhook_secret=SECRET.reveal())
    data = {"call_id": "rtc_1", "sip_headers": []}
    told = {"id": "evt_1", "object": "event", "type": "realtime.call.incoming", "created_at": 1, "data": data}
    body = json.dumps(told).encode()
    headers = sign(SECRET, "evt_1", int(time.time()), body)
    event = client.webhooks.unwrap(body.decode(), headers)
    assert (event.type, event.data.call_id) == ("realtime.call.incoming", "rtc_1")
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body.decode().replace("rtc_1", "rtc_2"), headers)
