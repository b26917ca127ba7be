"""What is read out of docstrings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.tools.docstrings import read_docstring

NUMPY = """Give the weather.

    Asks a service.

    Parameters
    ----------
    city : str
        Where, such as
        Oslo.
    lat, lon : float
        Instead of the city.
    *more
        And more.

    Returns
    -------
    str
        Words: sunny.
    """
GOOGLE = """Give the weather.

    Asks a service.

    Args:
        city (str): Where, such as
            Oslo.
        lat: Instead of the city.
        lon (float, optional): Instead of the city.
        *more: And more.

    Returns:
        str: Words: sunny.
    """
SPHINX = """Give the weather.

    Asks a service.

    :param str city: Where, such as
        Oslo.
    :param lat: Instead of the city.
    :param lon: Instead of the city.
    :type lon: float
    :param more: And more.
    :returns: Words: sunny.
    """


@pytest.mark.parametrize("docstring", [NUMPY, GOOGLE, SPHINX], ids=["numpydoc", "google", "sphinx"])
def test_styles(docstring: str) -> None:
    """The usual styles say the same."""
    found = read_docstring(docstring)
    assert found.summary == "Give the weather.\n\nAsks a service."
    assert found.parameters == {
        "city": "Where, such as Oslo.",
        "lat": "Instead of the city.",
        "lon": "Instead of the city.",
        "more": "And more.",
    }


@pytest.mark.parametrize("docstring", [None, "", "   \n  "])
def test_nothing(docstring: str | None) -> None:
    """No docstring says nothing."""
    found = read_docstring(docstring)
    assert (found.summary, found.parameters) == ("", {})


def test_plain() -> None:
    """A plain docstring is all summary; a word that only looks like a section stays in it."""
    text = "Switch the lamp.\n\nNotes are taken. Args\nfollow: none."
    assert read_docstring(text).summary == text


def test_entries_without_words() -> None:
    """A parameter that nothing is said of has no description."""
    assert read_docstring("Add.\n\nParameters\n----------\na : int\nb : int\n    Second.").parameters == {
        "b": "Second."
    }


@given(st.text())
def test_any_text(text: str) -> None:
    """No docstring is too strange to be read."""
    read_docstring(text)
    read_docstring("Do.\n\nParameters\n----------\n" + text)
    read_docstring("Do.\n\nArgs:\n" + text)
