"""Who may come in: the tables of the reliability notes, C1 to C5, without a socket."""

from __future__ import annotations

import pytest

from realtime_nb.errors import ConfigError
from realtime_nb.protocol.limits import Limits
from realtime_nb.secret import Secret
from realtime_nb.server.ephemeral import EphemeralSecrets
from realtime_nb.server.options import ServerOptions, is_loopback, new_token
from realtime_nb.server.security import Grant, Policy, Refusal, check_place, check_token, credential

TOKEN = "t0ken-of-the-test"
OPTIONS = ServerOptions(token=Secret(TOKEN), hosts=("engine.example",), origins=("https://lab.example",))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def policy(options: ServerOptions = OPTIONS, secrets: EphemeralSecrets | None = None) -> Policy:
    """What a server of these options accepts."""
    return Policy.of(options, (secrets or EphemeralSecrets(Clock())).grant)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8765", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8765", "engine.example:9"],
)
def test_own_names_may_be_called(host: str) -> None:
    """A Host header with a name of this machine, or a configured one, passes with any port."""
    assert check_place(policy(), {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.test",
        "evil.test:8765",
        "127.0.0.1.evil.test",
        "localhost.",
        "localhost.evil.test",
        "localhost@evil.test",
        "evil.test, localhost",
        "::1",
        "[::2]",
        "[0:0:0:0:0:0:0:1]",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "0.0.0.0",
        "127.0.0.1:",
        "127.0.0.1:port",
        "127.0.0.1:8765/",
        "127.0.0.1 ",
        "localhost\n",
    ],
)
def test_other_names_may_not_be_called(host: str) -> None:
    """A rebound, misspelt, doubled or missing Host is refused with 403 before anything else."""
    refusal = check_place(policy(), {"host": host, "authorization": f"Bearer {TOKEN}"})
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        (None, "none"),
        (None, "same-origin"),
        (None, "same-site"),
        ("https://lab.example", None),
        ("https://lab.example", "cross-site"),
    ],
)
def test_programs_and_listed_pages_may_call(origin: str | None, site: str | None) -> None:
    """No Origin at all, or a listed one, passes: the list outweighs what the browser says of sites."""
    headers = {"host": "localhost", "origin": origin, "sec-fetch-site": site}
    assert check_place(policy(), {name: value for name, value in headers.items() if value is not None}) is None


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("null", None),
        ("", None),
        ("file://", None),
        ("https://evil.test", None),
        ("https://evil.test", "same-origin"),
        ("http://lab.example", None),
        ("https://lab.example:8443", None),
        ("https://lab.example/", None),
        ("https://lab.example.evil.test", None),
        ("https://evil-lab.example", None),
        ("https://LAB.example", None),
        ("https://lab.example, https://lab.example", None),
        ("http://localhost:8888", None),
        (None, "cross-site"),
        (None, "Cross-Site"),
    ],
)
def test_other_pages_may_not_call(origin: str | None, site: str | None) -> None:
    """A page of any other origin, its look-alikes too, and an unnamed page of another site, get 403."""
    headers = {"host": "localhost", "origin": origin, "sec-fetch-site": site}
    refusal = check_place(policy(), {name: value for name, value in headers.items() if value is not None})
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("headers", "subprotocols", "shown"),
    [
        ({"authorization": "Bearer abc"}, (), "abc"),
        ({"authorization": "bearer  abc "}, (), "abc"),
        ({"api-key": "abc"}, (), "abc"),
        ({}, ("realtime", "openai-insecure-api-key.abc"), "abc"),
        ({}, ("realtime", "openai-insecure-api-key.abc", "openai-agents-sdk.0.24"), "abc"),
        ({"authorization": "Bearer first", "api-key": "second"}, (), "first"),
        ({"authorization": "Basic abc"}, (), None),
        ({"authorization": "Bearer "}, (), None),
        ({"authorization": "abc"}, (), None),
        ({"cookie": "token=abc"}, (), None),
        ({}, ("realtime",), None),
    ],
)
def test_the_credential_is_found(headers: dict[str, str], subprotocols: tuple[str, ...], shown: str | None) -> None:
    """A key is read from the bearer header, Azure's header or the browser's subprotocol, and nowhere else."""
    assert credential(headers, subprotocols) == shown


def test_the_token_opens() -> None:
    """The token grants everything."""
    assert check_token(policy(), {"authorization": f"Bearer {TOKEN}"}) == Grant()


@pytest.mark.parametrize("shown", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x", "ek_unknown", "t\xf6ken", "\udce4"])
def test_a_wrong_token_does_not(shown: str) -> None:
    """A prefix, an extension, another case or other bytes of the token are refused, and not repeated in the answer."""
    refusal = check_token(policy(), {"authorization": f"Bearer {shown}"})
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (401, "invalid_api_key")
    assert shown == "x" or shown not in refusal.message


def test_nothing_shown_is_refused_without_a_code() -> None:
    """A caller without any key hears the service's own words."""
    assert check_token(policy(), {}) == Refusal(401, None, "Missing bearer or basic authentication in header")


def test_an_open_server_asks_for_nothing() -> None:
    """Without a token everybody who passed Host and Origin is in, whatever key the client insists on sending."""
    is_open = policy(ServerOptions(token=None))
    assert check_token(is_open, {}) == Grant()
    assert check_token(is_open, {"authorization": "Bearer sk-anything"}) == Grant()


def test_an_ephemeral_secret_opens_until_it_expires() -> None:
    """An ``ek_`` secret grants sessions with its own settings, again and again, up to its last instant."""
    clock = Clock()
    secrets = EphemeralSecrets(clock)
    value = secrets.issue(600, {"instructions": "Be brief."})
    checks = policy(secrets=secrets)
    grant = Grant(ephemeral=True, session={"instructions": "Be brief."})
    for clock.now in (0.0, 599.9):
        assert check_token(checks, {"authorization": f"Bearer {value}"}) == grant
    clock.now = 600.0
    assert isinstance(check_token(checks, {"authorization": f"Bearer {value}"}), Refusal)


def test_secrets_are_kept_as_digests_and_dropped_when_expired() -> None:
    """Neither the store's repr nor its memory holds a secret, and expired ones do not pile up."""
    clock = Clock()
    secrets = EphemeralSecrets(clock)
    value = secrets.issue(10, {})
    assert value.startswith("ek_")
    assert value not in f"{secrets!r} {vars(secrets)}"
    clock.now = 11.0
    secrets.issue(10, {})
    assert repr(secrets) == "<EphemeralSecrets 1 out>"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "engine.example", ""])
def test_a_bind_beyond_this_machine_needs_a_token(host: str) -> None:
    """Listening on anything but loopback without a token is refused, with the line that gives one."""
    with pytest.raises(ConfigError, match="without a token") as caught:
        ServerOptions(host=host, token=None)
    assert "--token" in str(caught.value.hint)
    assert ServerOptions(host=host, token=new_token()).host == host


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_known(host: str, own: bool) -> None:
    """Only addresses of this machine count as loopback; other names may resolve to anything."""
    assert is_loopback(host) is own


def test_an_address_to_listen_on_is_a_name_to_be_called() -> None:
    """The configured address is accepted in the Host header, IPv6 in brackets."""
    options = ServerOptions(host="fd00::7", token=new_token())
    assert check_place(policy(options), {"host": "[fd00::7]:8765"}) is None


@pytest.mark.parametrize("name", ["sessions", "hearing_bytes", "send_bytes", "stall_s", "ping_s", "body_bytes"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    """Every limit must be more than 0."""
    with pytest.raises(ConfigError, match=name):
        ServerOptions(**{name: 0})


@pytest.mark.parametrize("name", ["session_s", "idle_s", "event_bytes", "bad_events"])
def test_a_session_s_limit_of_nothing_is_refused(name: str) -> None:
    """Every limit of a session must be more than 0, or absent."""
    with pytest.raises(ConfigError, match=name):
        ServerOptions(limits=Limits(**{name: 0}))


def test_a_fresh_token_has_256_bits_and_never_shows() -> None:
    """Two tokens differ, are 43 characters long, and the options' repr has none."""
    first, second = new_token(), new_token()
    assert first != second
    assert len(first.reveal()) == 43
    assert first.reveal() not in repr(ServerOptions(token=first))
