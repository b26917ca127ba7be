"""A key never shows itself."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable

import pytest

from realtime_nb.secret import Secret

CANARY = "sk-test-CANARY-0123456789"


@pytest.mark.parametrize("show", [str, repr, ascii, "{}".format, "%s".__mod__, lambda s: f"{s!r:>40}"])
def test_no_way_of_printing_shows_the_key(show: Callable[[Secret], str]) -> None:
    """Printing a Secret shows its kind and nothing more."""
    assert "CANARY" not in show(Secret(CANARY))


def test_a_secret_refuses_to_be_pickled() -> None:
    """A key cannot end up in a file by way of the object that holds it."""
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps({"key": Secret(CANARY)})


def test_a_secret_has_no_variables() -> None:
    """vars() has nothing to show."""
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_a_traceback_with_its_variables_does_not_show_the_key() -> None:
    """The verbose traceback of a notebook prints every local variable; a Secret among them stays masked."""
    key = Secret(CANARY)
    try:
        int(f"no use for {key}")
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    text = "".join(lines)
    assert CANARY not in text


def test_the_key_is_redacted_from_others_words() -> None:
    """What a server says back is masked before it is shown."""
    assert Secret(CANARY).redact(f"Incorrect API key provided: {CANARY}.") == "Incorrect API key provided: sk-…."


def test_an_empty_key_is_no_key() -> None:
    """An unset or blank variable counts as absent."""
    assert Secret.of("") is None
    assert Secret.of(None) is None
    assert Secret.of("  \n") is None


def test_secrets_compare_by_their_key() -> None:
    """Two Secrets of one key are equal, and a copy is the same Secret."""
    assert Secret(CANARY) == Secret(f"{CANARY}\n")
    assert Secret(CANARY) != Secret("sk-other")
    assert Secret(CANARY) != CANARY
    secret = Secret(CANARY)
    assert copy.deepcopy({"k": secret})["k"] is secret
