"""The life of a response, as a table.

::

    waiting ──heard──▶ generating ──end──▶ completed
       │                  │ ├──────length, filter──▶ incomplete
       ├──cancel──────────┼─┼──────cancel──▶ cancelled
       └──fail────────────┘ └──────fail────▶ failed

On the wire, ``waiting`` (for the words of what the user said) and ``generating``
are both ``in_progress``. What is not in the table is not legal; nothing leaves a
terminal state, so every ``response.created`` has exactly one ``response.done``.
"""

from __future__ import annotations

from enum import StrEnum

from realtime_nb.errors import LocalProtocolError

from .events import ResponseStatus

__all__ = ["TERMINAL", "TRANSITIONS", "State", "Step", "advance", "status"]


class State(StrEnum):
    """Where a response is."""

    WAITING = "waiting"
    GENERATING = "generating"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class Step(StrEnum):
    """What happens to a response."""

    HEARD = "heard"
    """The words of all that was said are there."""
    OUTPUT = "output"
    """A piece of the answer."""
    END = "end"
    """The model is done."""
    LENGTH = "length"
    """``max_output_tokens`` is reached."""
    FILTER = "filter"
    """The content filter stepped in."""
    CANCEL = "cancel"
    """The client, or the user's voice, stopped it."""
    FAIL = "fail"
    """Something broke, or a limit refused it."""


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.WAITING, Step.HEARD): State.GENERATING,
    (State.WAITING, Step.CANCEL): State.CANCELLED,
    (State.WAITING, Step.FAIL): State.FAILED,
    (State.GENERATING, Step.OUTPUT): State.GENERATING,
    (State.GENERATING, Step.END): State.COMPLETED,
    (State.GENERATING, Step.LENGTH): State.INCOMPLETE,
    (State.GENERATING, Step.FILTER): State.INCOMPLETE,
    (State.GENERATING, Step.CANCEL): State.CANCELLED,
    (State.GENERATING, Step.FAIL): State.FAILED,
}

TERMINAL = frozenset({State.COMPLETED, State.CANCELLED, State.INCOMPLETE, State.FAILED})


def advance(state: State, step: Step) -> State:
    """Say where a step leads.

    Parameters
    ----------
    state : State
        Where the response is.
    step : Step
        What happens.

    Returns
    -------
    State
        Where it is then.

    Raises
    ------
    LocalProtocolError
        When the step is not legal there.

    Examples
    --------
    >>> advance(State.WAITING, Step.HEARD)
    <State.GENERATING: 'generating'>
    """
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise LocalProtocolError(f"A response that is {state} cannot take the step {step!r}.") from None


_STATUS: dict[State, ResponseStatus] = {
    State.WAITING: "in_progress",
    State.GENERATING: "in_progress",
    State.COMPLETED: "completed",
    State.CANCELLED: "cancelled",
    State.INCOMPLETE: "incomplete",
    State.FAILED: "failed",
}


def status(state: State) -> ResponseStatus:
    """Give the state's name on the wire.

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    str
        ``response.status``.
    """
    return _STATUS[state]
