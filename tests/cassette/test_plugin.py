"""The fixture and the option, in a pytest of their own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SCRIPTED = """
import socket
import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer

def hello():
    with rt.connect("wss://model.invalid/v1/realtime") as session:
        return session.say("Hello.").text

def test_hello(rt_cassette, monkeypatch):
    if rt_cassette.plays:
        assert hello() == "One."
        return
    from realtime_nb import connection
    real = connection.open_websocket
    with ScriptedServer(Reply("One.")) as server:
        monkeypatch.setattr(connection, "open_websocket", lambda url, **rest: real(server.url, **rest))
        assert hello() == "One."
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a test in it."""
    monkeypatch.setenv("REALTIME_NB_LOG", "0")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_talk=SCRIPTED)
    return pytester


def outcome(run: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run it."""
    return run.runpytest_subprocess("-p", "realtime_nb.pytest_plugin", "-p", "no:cacheprovider", *options)


def test_it_is_recorded_once_and_played_from_then_on(run: pytest.Pytester) -> None:
    """The cassette lies beside the test, and is named after it."""
    outcome(run, "--rt-record=once").assert_outcomes(passed=1)
    assert (run.path / "cassettes" / "test_talk" / "test_hello.cassette" / "session-1.jsonl").is_file()
    outcome(run).assert_outcomes(passed=1)
    outcome(run, "--rt-record=once").assert_outcomes(passed=1)


def test_without_a_cassette_the_option_is_named(run: pytest.Pytester) -> None:
    """By default nothing is connected to."""
    result = outcome(run)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_hello.cassette' is not there*", "*Try: pytest --rt-record=once*"])


def test_no_socket_is_opened(run: pytest.Pytester) -> None:
    """Anything else in the test that wants the network is told the option, too; what stays in the machine works."""
    run.makepyfile(
        test_talk="""
import asyncio, socket, pytest
from realtime_nb.errors import CassetteError

def test_blocked(rt_cassette):
    with pytest.raises(CassetteError, match="--rt-record=none"):
        socket.create_connection(("127.0.0.1", 9))
    async def dial():
        await asyncio.open_connection("127.0.0.1", 9)
    with pytest.raises(CassetteError, match="--rt-record=none"):
        asyncio.run(dial())
    with pytest.raises(CassetteError, match="--rt-record=none"):
        socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))
    one, other = socket.socketpair()
    one.close(), other.close()
"""
    )
    outcome(run).assert_outcomes(passed=1)


def test_classes_have_cassettes_of_their_own(run: pytest.Pytester) -> None:
    """Tests of one name in two classes do not play each other's conversation."""
    run.makepyfile(
        test_talk="""
class TestTea:
    def test_ask(self, rt_cassette):
        assert rt_cassette.folder.name == "TestTea-test_ask.cassette"

class TestCake:
    def test_ask(self, rt_cassette):
        assert rt_cassette.folder.name == "TestCake-test_ask.cassette"
"""
    )
    outcome(run).assert_outcomes(passed=2)


def test_an_unknown_mode_is_refused(run: pytest.Pytester) -> None:
    """By pytest itself, with the modes there are."""
    result = outcome(run, "--rt-record=often")
    result.stderr.fnmatch_lines(["*invalid choice: 'often'*"])
