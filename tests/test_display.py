"""What a waiting cell shows, and what must never reach a page or a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from realtime_nb.display import ProgressView, in_notebook, plain, screen_for, words_html
from realtime_nb.errors import ConfigError
from realtime_nb.local import Progress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Nile,\n\tCongo.", "Nile,\n\tCongo."),
        ("\x1b[2J\x1b]0;title\x07gone", "[2J]0;titlegone"),
        ("a\u202eb\u2066c", "abc"),
        ("half \ud800 a pair", "half  a pair"),
        ("naïve 👩\u200d🚀 日本\u00a0語", "naïve 👩\u200d🚀 日本\u00a0語"),
    ],
)
def test_control_characters_are_taken_out(text: str, shown: str) -> None:
    """Nothing can move the cursor or turn the writing round; every language stays as it is."""
    assert plain(text) == shown
    plain(text).encode()


def test_words_are_escaped() -> None:
    """What was heard and what was answered are text, whatever they contain."""
    html = words_html("<b>", "<script>alert(1)</script>")
    assert "<b>" not in html
    assert "<script>" not in html


def test_show_is_one_of_four_things() -> None:
    """Anything but True, False, None or a function is a mistake that is told."""
    with pytest.raises(ConfigError, match="show='yes'") as caught:
        screen_for("yes")  # type: ignore[arg-type]
    assert caught.value.hint
    assert not in_notebook()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal one line of the error stream follows the steps, and is taken away at the end."""
    monkeypatch.setattr(sys, "stderr", _Terminal())
    view = ProgressView()
    view.draw()
    view.note(Progress("llm", "fetching \x1b[2Jqwen", 0.25))
    view.draw()
    view.close()
    written = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "llm: fetching [2Jqwen" in written
    assert "25%" in written


def test_progress_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """A script whose output is read by another writes nothing."""
    view = ProgressView()
    view.note(Progress("llm", "fetching", 0.25))
    view.draw()
    view.close()
    assert capsys.readouterr() == ("", "")
