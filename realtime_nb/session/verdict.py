"""What a finished response means for whoever waited: nothing, or an error with the partial turn on it."""

from __future__ import annotations

from realtime_nb.errors import ConnectionClosed, RealtimeError, ServerError, TurnFailed, TurnIncomplete
from realtime_nb.protocol.events import ErrorDetail, ResponseError
from realtime_nb.session.link import server_error
from realtime_nb.session.reply import Reply
from realtime_nb.turn import Turn

__all__ = ["verdict", "with_turn"]

_SERVER_CODES = {"rate_limit_exceeded", "inference_rate_limit_exceeded", "insufficient_quota"}
"""Not this response's fault: the server would refuse any."""


def verdict(turn: Turn, reply: Reply, *, limited: bool) -> RealtimeError | None:
    """The error a finished turn is to raise.

    Parameters
    ----------
    turn : Turn
        Goes along with the error.
    reply : Reply
        Its last response.
    limited : bool
        The user set a limit to the reply's length: reaching it is no error.

    Returns
    -------
    RealtimeError or None
        None for ``completed`` and for ``cancelled``, which somebody wanted.
    """
    state = reply.state
    if state.status == "failed":
        return _failure(turn, state.error or ResponseError())
    if state.status != "incomplete" or (state.reason == "max_output_tokens" and limited):
        return None
    return TurnIncomplete(
        f"the response is incomplete: {_REASONS.get(state.reason or '', state.reason or _NONE)}",
        turn=turn,
        hint='session.say("Go on.")' if state.reason == "max_output_tokens" else _PARTIAL,
    )


def _failure(turn: Turn, error: ResponseError) -> RealtimeError:
    message = error.message or _NONE
    if error.code in _SERVER_CODES:
        detail = ErrorDetail(type=error.type or "server_error", code=error.code, message=message)
        return server_error(detail, turn=turn)
    named = f" ({error.code})" if error.code else ""
    return TurnFailed(f"the response failed: {message}{named}", turn=turn, hint=_PARTIAL)


_NONE = "the server gave no reason"
_PARTIAL = "session.history  # has what was heard of it"
_REASONS = {
    "max_output_tokens": "it reached the model's output limit (max_output_tokens)",
    "content_filter": "the content filter stopped it",
}


def with_turn(error: Exception, turn: Turn) -> Exception:
    """`error` with what was heard of the turn on it.

    Parameters
    ----------
    error : Exception
        What went wrong.
    turn : Turn
        As far as it came.

    Returns
    -------
    Exception
        The same error, or one of ours that says more.
    """
    if isinstance(error, ConnectionClosed | ServerError):
        error.turn = turn
    if isinstance(error, TimeoutError):
        return TurnFailed(str(error), turn=turn, hint="session.interrupt()")
    return error
