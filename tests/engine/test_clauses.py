"""Text, cut into what can be spoken while the rest is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.engine.clauses import FIRST_SOFT, LONGEST, Clauses, speakable

WRITING = st.text(st.sampled_from('aB1 .,;:?!\n\u2014\u2019")*3x') | st.characters(codec="utf-8"), max_size=700)


def cut(text: str, *sizes: int) -> list[str]:
    """The clauses of a text that arrives in pieces of these sizes, then one character at a time."""
    clauses, done, start = Clauses(), [], 0
    for size in (*sizes, *[1] * len(text)):
        done += clauses.feed(text[start : start + size])
        start += size
    return done + clauses.finish()


@given(WRITING, st.lists(st.integers(1, 40), max_size=20))
def test_the_cuts_depend_on_the_text_alone(text: str, sizes: list[int]) -> None:
    """However a text arrives, its clauses are the same, and joined they are the text."""
    whole = Clauses()
    at_once = whole.feed(text) + whole.finish()
    assert cut(text, *sizes) == at_once
    assert "".join(at_once) == text


@given(WRITING)
def test_no_clause_is_longer_than_a_breath(text: str) -> None:
    """A voice that gives a whole clause at once would be late with a longer one."""
    assert all(len(clause) <= LONGEST for clause in cut(text))


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Banana.", ["Banana."]),
        ("Well now, that is it. Yes.", ["Well now, ", "that is it. ", "Yes."]),
        ("Yes, of course.", ["Yes, of course."]),
        ("One thing first: two, three, four. Five.", ["One thing first: ", "two, three, four. ", "Five."]),
        ("It is 3.5 metres. Good.", ["It is 3.5 metres. ", "Good."]),
        ("It costs 1,000 euros, or less.", ["It costs 1,000 euros, ", "or less."]),
        ("See https://example.org/a.b, now. Go.", ["See https://example.org/a.b, ", "now. ", "Go."]),
        ("Dr. Who met Mr. J. Smith. Both left.", ["Dr. Who met Mr. J. Smith. ", "Both left."]),
        ("Fruit, e.g. apples. Good.", ["Fruit, e.g. apples. ", "Good."]),
        ('He said "stop." Then he left.', ['He said "stop." ', "Then he left."]),
        ("What?! No way. Really\u2026 yes.", ["What?! ", "No way. ", "Really\u2026 ", "yes."]),
        ("1. Apples\n2. Pears\n", ["1. Apples\n", "2. Pears\n"]),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", ["\u4f60\u597d\u3002", "\u518d\u89c1\u3002"]),
        ("... and so on. Yes.", ["... and so on. ", "Yes."]),
    ],
)
def test_a_clause_ends_where_a_reader_would_breathe(text: str, clauses: list[str]) -> None:
    """Sentences and the first comma end a clause; figures, addresses and abbreviations do not."""
    assert cut(text) == clauses


def test_the_first_clause_is_out_before_its_sentence_ends() -> None:
    """Speech begins at the first comma."""
    clauses = Clauses()
    assert clauses.feed("Once upon a time, there") == ["Once upon a time, "]


def test_later_sentences_stay_whole_unless_they_are_long() -> None:
    """A comma cuts a later sentence only after some seventy characters."""
    assert cut("Hello. Short, with, commas. End.") == ["Hello. ", "Short, with, commas. ", "End."]
    long = "This sentence goes on for quite a while before the first of its commas comes, and then on."
    assert cut(f"Hello. {long}") == ["Hello. ", long[: long.index(",") + 2], "and then on."]


def test_text_without_marks_is_cut_at_a_space() -> None:
    """A model that writes no marks is still spoken in time."""
    text = "word " * 100
    pieces = cut(text)
    assert len(pieces) > 1
    assert all(piece.endswith(" ") for piece in pieces)


def test_a_short_yes_waits_for_what_follows() -> None:
    """A first clause has some length, or a gap would follow it."""
    assert len("Yes,") < FIRST_SOFT
    assert cut("Yes, I do. Fine.") == ["Yes, I do. ", "Fine."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**Bold** and `code`.", "Bold and code."),
        ("# Title\n", "Title"),
        ("Hello \U0001f600!", "Hello!"),
        ("[a link](http://x.y) here", "a link here"),
        ("```python", ""),
        ("...", ""),
        ("3.5", "3.5"),
        ("It's fine - really.", "It's fine - really."),
    ],
)
def test_marks_are_not_spoken(text: str, said: str) -> None:
    """What a voice cannot say is left out; what has no words is not said at all."""
    assert speakable(text) == said
