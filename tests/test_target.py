"""Where a session goes, and which key goes with it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret
from realtime_nb.target import Target, resolve, with_model

KEY = Secret("sk-test-CANARY-0123456789")
OPENAI = "wss://api.openai.com/v1/realtime?model=gpt-realtime-mini"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with no keys in the environment."""
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


def target(to: str | None = None, **options: Any) -> Target:
    """Resolve with defaults."""
    return resolve(to, **{"model": None, "key": None, "auth": None, **options})


def revealed(where: Target) -> dict[str, str]:
    """The headers as the server gets them."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in where.headers.items()}


def test_without_a_key_it_is_the_local_engine() -> None:
    """Nothing set, nothing asked: local."""
    assert target().local
    assert target("local").local


def test_a_key_in_the_environment_means_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_API_KEY makes OpenAI the default; local can still be asked for."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    where = target()
    assert where.url == OPENAI
    assert revealed(where) == {"Authorization": "Bearer sk-env", "OpenAI-Organization": "org-1"}
    assert target("local").local


def test_a_key_given_means_openai() -> None:
    """api_key= alone goes to OpenAI with it."""
    where = target(key=KEY)
    assert where.url == OPENAI
    assert revealed(where)["Authorization"] == f"Bearer {KEY.reveal()}"
    assert "CANARY" not in repr(where)


def test_openai_without_a_key_says_how_to_give_one() -> None:
    """The error names the variable and the keyword."""
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        target("openai")
    assert "api_key=" in str(caught.value.hint)


def test_the_base_url_of_the_official_client_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_BASE_URL points "openai" elsewhere, with its key."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    where = target("openai")
    assert where.url == "ws://127.0.0.1:8000/v1/realtime?model=gpt-realtime-mini"
    assert revealed(where) == {"Authorization": "Bearer sk-env"}


def test_a_key_of_the_environment_never_goes_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is not OpenAI's gets no key but the one given for it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-env")
    for url in ("ws://127.0.0.1:9/v1/realtime", "wss://api.openai.com.evil.test/v1", "wss://evilapi.openai.com.x/"):
        assert revealed(target(url)) == {}
    assert revealed(target("ws://127.0.0.1:9/", key=KEY)) == {"Authorization": f"Bearer {KEY.reveal()}"}
    assert revealed(target("wss://eu.api.openai.com/v1/realtime")) == {"Authorization": "Bearer sk-env"}


def test_azure_gets_its_own_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure takes the key as api-key, and keeps its deployment; auth= chooses the header anywhere."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-env")
    url = "wss://mine.openai.azure.com/openai/realtime?api-version=2025-10-01&deployment=mini"
    where = target(url)
    assert where.url == url
    assert revealed(where) == {"api-key": "az-env"}
    assert revealed(target("wss://gateway.test/v1", key=KEY, auth="api-key")) == {"api-key": KEY.reveal()}
    assert revealed(target(url, key=KEY, auth="bearer")) == {"Authorization": f"Bearer {KEY.reveal()}"}


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("ws://h/v1/realtime", "ws://h/v1/realtime?model=a%2Fb"),
        ("ws://h/?x=1", "ws://h/?x=1&model=a%2Fb"),
        ("ws://h/?model=mine", "ws://h/?model=mine"),
        ("ws://h/?call_id=rtc_1", "ws://h/?call_id=rtc_1"),
    ],
)
def test_the_model_goes_into_the_query_once(url: str, full: str) -> None:
    """A URL that says its model, or a call, is left alone."""
    assert with_model(url, "a/b") == full


@pytest.mark.parametrize(
    ("to", "hint"),
    [
        ("locl", 'rt.connect("local")'),
        ("opnai", 'rt.connect("openai")'),
        ("http://h/v1", 'rt.connect("ws://h/v1")'),
        ("https://h/v1", 'rt.connect("wss://h/v1")'),
        ("ws://", 'rt.connect("local")'),
        ("", 'rt.connect("local")'),
        ("sip:me@there", 'call = rt.calls.dial("sip:me@there")'),
    ],
)
def test_what_is_no_address_is_refused_with_the_nearest(to: str, hint: str) -> None:
    """A typing error gets the line that was meant."""
    with pytest.raises(ConfigError) as caught:
        target(to)
    assert caught.value.hint == hint
