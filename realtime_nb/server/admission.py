"""What may still go wrong after the 101: an ``error`` event, and a close frame that names it (protocol, 1.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from realtime_nb.protocol.events import Error, ErrorDetail
from realtime_nb.server.catalog import DEFAULT_MODEL
from realtime_nb.server.security import Refusal

__all__ = [
    "TRY_LATER",
    "Rejection",
    "check_request",
    "crowded",
    "denied",
    "full_house",
    "not_attachable",
    "unknown_call",
    "wants_transcription",
]

UNAUTHORIZED, BAD_REQUEST, TRY_LATER = 3000, 4000, 1013
"""Close codes: the first two are the service's own, the third is RFC 6455's."""


@dataclass(frozen=True)
class Rejection:
    """Why a connection ends before its session begins.

    Parameters
    ----------
    close_code : int
        Of the close frame.
    code : str or None
        Of the error.
    message : str
        In words.
    """

    close_code: int
    code: str | None
    message: str

    @property
    def event(self) -> Error:
        """The one event the client gets."""
        return Error(error=ErrorDetail(code=self.code, message=self.message))

    @property
    def reason(self) -> str:
        """The close frame's reason: the error's type and code."""
        return f"invalid_request_error.{self.code}" if self.code else "invalid_request_error"


def denied(refusal: Refusal) -> Rejection:
    """Put a refused key as the service does.

    Parameters
    ----------
    refusal : Refusal
        What the security checks say.

    Returns
    -------
    Rejection
        With close code 3000.
    """
    return Rejection(UNAUTHORIZED, refusal.code, refusal.message)


def full_house(sessions: int) -> Rejection:
    """Say that there are as many sessions as there may be.

    Parameters
    ----------
    sessions : int
        How many.

    Returns
    -------
    Rejection
        With close code 1013, *try again later*.
    """
    message = f"This server serves {sessions} sessions at once, and all are taken. Close one, or try again later."
    return Rejection(TRY_LATER, "session_limit_reached", message)


def unknown_call(call_id: str) -> Rejection:
    """Say that there is no session of that name to attach to; close code 4000.

    Parameters
    ----------
    call_id : str
        What ``?call_id=`` said.

    Returns
    -------
    Rejection
        One that was never there and one that has ended look alike.
    """
    return Rejection(BAD_REQUEST, "call_id_not_found", f"No session found for call_id '{call_id[:100]}'.")


def not_attachable() -> Rejection:
    """Say that an ephemeral secret opens sessions of its own, and does not listen in on others; close code 3000."""
    message = "An ephemeral secret opens sessions only; to attach to one, show the server's token."
    return Rejection(UNAUTHORIZED, "ephemeral_secret", message)


def crowded(peers: int) -> Rejection:
    """Say that a session has as many connections as it may have; close code 1013, *try again later*.

    Parameters
    ----------
    peers : int
        How many.

    Returns
    -------
    Rejection
        With the number.
    """
    message = f"A session has at most {peers} connections, and this one has them all. Close one, or try again later."
    return Rejection(TRY_LATER, "peer_limit_reached", message)


def wants_transcription(query: Mapping[str, str]) -> bool:
    """Say whether ``?intent=transcription`` asks for a session that only writes down."""
    return query.get("intent") == "transcription"


def check_request(
    query: Mapping[str, str], headers: Mapping[str, str], *, known: Callable[[str], bool], require_model: bool
) -> Rejection | None:
    """Check what a connection asks for.

    Parameters
    ----------
    query : mapping
        Of the URL; what is unknown in it is ignored.
    headers : mapping
        Of the upgrade.
    known : callable
        Tells whether a model's name is one of the API's realtime models.
    require_model : bool
        Whether no name is a fault, as at the service.

    Returns
    -------
    Rejection or None
        None when a session can begin.
    """
    if "realtime=v1" in headers.get("openai-beta", ""):
        message = "The Realtime Beta API is not served. Leave out the header 'OpenAI-Beta: realtime=v1'."
        return Rejection(BAD_REQUEST, "beta_api_shape_disabled", message)
    model = query.get("model")
    if wants_transcription(query) or (model is None and not require_model):
        return None
    if model is None:
        message = f"You must provide a model parameter, for example /v1/realtime?model={DEFAULT_MODEL}."
        return Rejection(BAD_REQUEST, "missing_model", message)
    if not known(model):
        return Rejection(BAD_REQUEST, "invalid_model", f'Model "{model[:100]}" is not supported in realtime mode.')
    return None
