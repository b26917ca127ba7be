"""Whether a sentence is over, by its words."""

from __future__ import annotations

import pytest

from realtime_nb.server.endings import combined, completeness


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("What is the capital of France?", 1.0),
        ("Go forward ten metres.", 1.0),
        ('He said "no!"', 1.0),
        ("go forward ten metres", 0.5),
        ("What is the capital of", 0.0),
        ("I went to the.", 0.0),
        ("Stop that.", 1.0),
        ("What are you looking for?", 1.0),
        ("And then,", 0.0),
        ("Let me think...", 0.0),
        ("", 0.0),
        ("   ", 0.0),
        ('"', 0.0),
    ],
)
def test_completeness(text: str, complete: float) -> None:
    """A full stop ends a turn, a comma or an open word does not, and bare words leave it undecided."""
    assert completeness(text) == complete


@pytest.mark.parametrize(
    ("words", "voice", "complete"),
    [(1.0, None, 1.0), (0.0, None, 0.0), (1.0, 0.9, 1.0), (1.0, 0.1, 0.0), (0.5, 0.5, 0.5), (0.0, 0.9, 0.5)],
)
def test_the_voice_decides_where_there_is_one(words: float, voice: float | None, complete: float) -> None:
    """A voice that falls ends even bare words, one that stays up holds a full stop open; open words take half back."""
    assert combined(words, voice) == pytest.approx(complete)
