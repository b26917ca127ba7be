"""%rt in a real kernel: sessions, Tab, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

STATE = """(lambda shell: (
    sorted(kind + name for kind, table in shell.magics_manager.magics.items() for name in table),
    {name: len(hooks) for name, hooks in shell.events.callbacks.items()},
    [matcher.matcher_identifier for matcher in shell.Completer.custom_matchers],
    sorted(vars(shell.display_formatter)),
    sorted(vars(shell)),
    len(shell.configurables),
    sorted(name for name in globals() if not name.startswith('_')),
))(get_ipython())"""


def test_connect_binds_and_close_ends(connected: Any, serving: Any) -> None:
    """%rt connect binds `session`, --as another name, with its voice; %rt close ends the one it means."""
    assert connected.value("type(session).__name__") == "'Session'"
    assert not connected.run(f"url = {serving.url!r}\n%rt connect {{url}} --voice cedar --as other").errors
    assert connected.value("other.config.audio.output.voice") == "'cedar'"
    assert "closed" in connected.run("%rt close").printed
    assert "state closed" in connected.value("other")
    assert "state open" in connected.value("session")


def test_a_name_that_is_taken_is_not_replaced(kernel: Any, serving: Any) -> None:
    """A variable of another kind stays; a session of that name is replaced, and closed if %rt connect opened it."""
    said = kernel.run(f"session = 3\n%rt connect {serving.url}").said
    assert "holds a int already" in said
    assert kernel.value("session") == "3"
    kernel.run(f"del session\n%rt connect {serving.url}")
    kernel.run(f"old = session\n%rt connect {serving.url}")
    assert "state closed" in kernel.value("old")
    kernel.run(f"import realtime_nb\nmine = session = realtime_nb.connect({serving.url!r})")
    kernel.run(f"%rt connect {serving.url}")
    assert "state open" in kernel.value("mine")


def test_the_frames_and_the_status(connected: Any) -> None:
    """status, usage, history and turns show what the session has."""
    connected.run("session.say('Hello.', show=False);")
    assert "<table" in connected.run("%rt status").html
    for name in ("usage", "history", "turns"):
        assert connected.value(
            f"_ = get_ipython().run_line_magic('rt', '{name}')\nlen(_) == len(session.{name}) > 0"
        ) == ("True")
    examined = connected.run("%rt doctor").html
    assert all(name in examined for name in ("python", "ipykernel", "round trip", "session.talk()"))
    assert "%rt connect" in connected.run("%rt").printed


def test_reset_forgets_the_conversation(connected: Any) -> None:
    """Items are deleted at the server; costs stay; the session goes on."""
    connected.run("session.say('Hello.')")
    assert "2 items forgotten" in connected.run("%rt reset").printed
    assert connected.value("len(session.aio.actor.link.connection.conversation), len(session.turns)") == "(0, 1)"
    assert "You said" in connected.run("session.say('Again.')").html


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%rt stats", "but 'status'"),
        ("%rt status now", "nothing more"),
        ("%rt usage", "no session yet"),
        ("%rt connect --voise marin", "but '--voice'"),
        ("%rt connect --voice", "without what"),
        ("%rt connect a b", "one place"),
        ("%rt connect local --as 1x", "no name"),
        ("%rt connect ws://127.0.0.1:9/", "ConnectError"),
        ("%rt watch maybe", "on or off"),
        ("%rt watch on", "no session yet"),
    ],
)
def test_errors_are_plain(kernel: Any, line: str, words: str) -> None:
    """A wrong command is told as fact, rule and a line that runs, without a traceback; the cell fails."""
    ran = kernel.run(line)
    assert words in ran.said
    assert "\n  Try: " in ran.said
    assert "Traceback" not in ran.said
    assert ran.reply["status"] == "error"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%rt st", ["status"]),
        ("%rt watch o", ["on", "off"]),
        ("%rt connect lo", ["local"]),
        ("%rt connect local --v", ["--voice"]),
        ("%rt connect --voice ma", ["marin"]),
        ("%rt connect --model gpt-realtime-m", ["gpt-realtime-mini"]),
        ("%%ask --p", ["--prose"]),
        ("%%say --voice ced", ["cedar"]),
    ],
)
def test_tab_completes(kernel: Any, line: str, offered: list[str]) -> None:
    """Tab offers commands, options and their values, and nothing else."""
    found = kernel.complete(line)
    assert set(offered) <= set(found)
    assert all(name.startswith(line.rsplit(maxsplit=1)[-1]) for name in found)


def test_unload_leaves_nothing(kernel: Any, serving: Any) -> None:
    """Magics, hooks, matchers and names are as before; the sessions it bound are closed; it can be loaded again."""
    kernel.run("%unload_ext realtime_nb")
    before = kernel.value(STATE)
    kernel.run("%load_ext realtime_nb")
    assert kernel.value(STATE) != before
    kernel.run(f"%rt connect {serving.url}\n%rt watch on")
    kernel.run("_kept = session")
    assert not kernel.run("%unload_ext realtime_nb").errors
    assert kernel.value(STATE) == before
    assert "state closed" in kernel.value("_kept")
    assert not kernel.run("%load_ext realtime_nb").errors
    assert not kernel.run("%reload_ext realtime_nb").errors
    assert "%rt" in kernel.run("%rt").printed


def test_a_magic_of_the_same_name_comes_back(kernel: Any) -> None:
    """A person's own %%say is there again after unload."""
    kernel.run("%unload_ext realtime_nb")
    kernel.run("get_ipython().register_magic_function(lambda line, cell: 'mine', 'cell', 'say')")
    kernel.run("%load_ext realtime_nb")
    kernel.run("%unload_ext realtime_nb")
    assert kernel.value("%%say\nx") == "'mine'"
    kernel.run("del get_ipython().magics_manager.magics['cell']['say']")
