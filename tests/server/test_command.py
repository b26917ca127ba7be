"""The command line of the server."""

from __future__ import annotations

import msgspec
import pytest

from realtime_nb.engine.barge_in import BargeIn
from realtime_nb.errors import ConfigError
from realtime_nb.protocol.limits import Limits
from realtime_nb.secret import Secret
from realtime_nb.server.command import TOKEN_VARIABLE, parse_options
from realtime_nb.server.options import SIZES


def test_the_defaults_are_safe() -> None:
    """Without options the server listens on this machine, behind a fresh token, with the best models there are."""
    command = parse_options([])
    assert (command.options.host, command.options.port) == ("127.0.0.1", 8765)
    assert command.options.token is not None
    assert len(command.options.token.reveal()) == 43
    assert (command.asr, command.llm, command.tts, command.tier) == ("auto", "auto", "auto", None)


def test_a_child_takes_any_port_and_its_parent_s_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's token comes by the environment, which its own children do not inherit."""
    monkeypatch.setenv(TOKEN_VARIABLE, "from-the-parent")
    command = parse_options(["--child"])
    assert command.child
    assert command.options.port == 0
    assert command.options.token == Secret("from-the-parent")
    assert parse_options(["--child"]).options.token != command.options.token


def test_every_option_arrives() -> None:
    """Each option of the command line sets its field."""
    flags = (
        "--host ::1 --port 9 --token t --asr a --llm b --tts c --tier 3 --allow-host h --allow-host i --origin o",
        "--sessions 2 --max-session-s 60 --idle-s 30 --require-model --no-deflate",
    )
    command = parse_options(" ".join(flags).split())
    options = command.options
    assert (options.host, options.port, options.token) == ("::1", 9, Secret("t"))
    assert (command.asr, command.llm, command.tts, command.tier) == ("a", "b", "c", "3")
    assert (options.hosts, options.origins, options.sessions) == (("h", "i"), ("o",), 2)
    assert (options.limits.session_s, options.limits.idle_s) == (60.0, 30.0)
    assert options.require_model
    assert not options.deflate


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_every_limit_of_a_session_is_an_option(name: str) -> None:
    """``--limit NAME=N`` sets any of them, and leaves the others."""
    limits = parse_options(["--limit", f"{name}=7"]).options.limits
    assert getattr(limits, name) == 7
    assert limits == msgspec.structs.replace(Limits(), **{name: 7})


@pytest.mark.parametrize("name", SIZES)
def test_every_limit_of_the_server_is_an_option(name: str) -> None:
    """``--limit NAME=N`` sets these, too."""
    assert getattr(parse_options(["--limit", f"{name}=7", "--limit", "items=8"]).options, name) == 7


@pytest.mark.parametrize("given", ["nope=1", "items", "items=many", "items="])
def test_a_limit_that_is_none_is_a_usage_error(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none, or a value that is no number, ends with the usage."""
    with pytest.raises(SystemExit):
        parse_options(["--limit", given])
    assert "--limit" in capsys.readouterr().err


def test_no_token_is_for_this_machine_alone() -> None:
    """``--no-token`` opens the server on loopback, and is refused anywhere else."""
    assert parse_options(["--no-token"]).options.token is None
    with pytest.raises(ConfigError, match="without a token"):
        parse_options(["--no-token", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit):
        parse_options(["--no-token", "--token", "t"])


def test_a_limit_of_nothing_is_refused() -> None:
    """No sessions at all is a mistake, and is said to be one."""
    with pytest.raises(ConfigError, match="sessions is 0"):
        parse_options(["--sessions", "0"])


@pytest.mark.parametrize(
    ("flags", "barge_in"),
    [
        ("", BargeIn(224, None)),
        ("--echo-safe", BargeIn(400, 6.0)),
        ("--echo-safe --barge-in-db 10", BargeIn(400, 10.0)),
        ("--barge-in-ms 300", BargeIn(300, None)),
    ],
)
def test_how_an_answer_is_interrupted_is_an_option(flags: str, barge_in: BargeIn) -> None:
    """``--echo-safe`` is a pair of figures, and each can be chosen alone."""
    assert parse_options(flags.split()).options.barge_in == barge_in


@pytest.mark.parametrize("flag", ["--barge-in-ms", "--barge-in-db"])
def test_a_barge_in_takes_something(flag: str) -> None:
    """Nothing at all is no figure."""
    with pytest.raises(ConfigError, match="more than 0"):
        parse_options([flag, "0"])
