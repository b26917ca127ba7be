"""The errors a server answers with, as one table (protocol, 4.10).

A refused event is an :class:`EventError`, made from a row of :data:`CATALOGUE`;
the connection sends it as an ``error`` event and goes on. Rows marked *ours*
have no recorded wording: the code is our choice, in the style of the service.
"""

from __future__ import annotations

from typing import NamedTuple

from realtime_nb.errors import RemoteProtocolError

__all__ = ["CATALOGUE", "EventError", "Fault", "fault"]


class EventError(RemoteProtocolError):
    """A client event that is refused.

    Parameters
    ----------
    code : str or None
        The ``error.code``.
    message : str
        The ``error.message``.
    param : str, optional
        The dotted path of the field at fault.
    event_id : str, optional
        The client's own id of the event.
    type : str
        The ``error.type``.
    """

    def __init__(
        self,
        code: str | None,
        message: str,
        param: str | None = None,
        event_id: str | None = None,
        *,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id = event_id
        self.type = type


class Fault(NamedTuple):
    """One row of the catalogue."""

    code: str | None
    message: str
    """With the names of its words in braces."""
    param: str | None = None
    """The path at fault, where it is always the same."""


CATALOGUE: dict[str, Fault] = {
    # what is not an event at all
    "binary_frame": Fault("invalid_event", "Expected a text WebSocket message; binary frames are not supported."),
    "too_large": Fault("invalid_event", "The event has {size} bytes; an event may have {bound}."),  # ours
    "not_json": Fault("invalid_json", "Invalid event: failed to parse JSON value. {reason}"),
    "not_object": Fault("invalid_event", "Invalid event: expected a JSON object, but got {got}."),  # ours
    "no_type": Fault("invalid_event", "The 'type' field is missing."),
    # what an event may not contain
    "unsupported_value": Fault("invalid_value", "Invalid value: '{value}'. Supported values are: {supported}."),
    "unknown_parameter": Fault("unknown_parameter", "Unknown parameter: '{param}'."),
    "missing_parameter": Fault("missing_required_parameter", "Missing required parameter: '{param}'."),
    "wrong_type": Fault("invalid_type", "Invalid type for '{param}': expected {expected}, but got {got} instead."),
    "integer_below": Fault(
        "integer_below_min_value", "Invalid '{param}': integer below minimum value. Expected a value >= {bound}."
    ),
    "integer_above": Fault(
        "integer_above_max_value", "Invalid '{param}': integer above maximum value. Expected a value <= {bound}."
    ),
    "number_below": Fault(
        "decimal_below_min_value", "Invalid '{param}': decimal below minimum value. Expected a value >= {bound}."
    ),
    "number_above": Fault(
        "decimal_above_max_value", "Invalid '{param}': decimal above maximum value. Expected a value <= {bound}."
    ),
    "number_range": Fault("invalid_value", "Invalid '{param}': number out of range."),
    "string_too_long": Fault(
        "string_above_max_length",
        "Invalid '{param}': string too long. Expected a string with maximum length {bound}.",
    ),
    "object_too_long": Fault(
        "object_above_max_properties",
        "Invalid '{param}': too many properties. Expected an object with at most {bound} properties.",
    ),
    "invalid": Fault("invalid_value", "Invalid '{param}': {reason}."),
    "bad_audio": Fault(
        "invalid_value",
        "Invalid '{param}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value.",
    ),
    "modalities": Fault(
        "invalid_value", "Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio']."
    ),
    # the session
    "wrong_session": Fault(
        None, "Passing a {given} session update event to a {kept} session is not allowed.", "session.type"
    ),
    "voice_fixed": Fault("cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present."),
    "tracing_fixed": Fault("cannot_update_tracing", "Cannot update tracing once it is set.", "session.tracing"),  # ours
    "manual_turns_only": Fault(
        "invalid_value",
        "The transcription model '{model}' requires 'turn_detection' to be null.",
        "session.audio.input.turn_detection",
    ),  # ours
    "expired": Fault("session_expired", "Your session hit the maximum duration of {minutes:g} minutes."),
    "idle": Fault("session_idle", "Your session was idle for {minutes:g} minutes."),  # ours
    # the sound that is heard
    "short_commit": Fault(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least {bound}ms of audio, "
        "but buffer only has {ms:.2f}ms of audio.",
    ),
    "append_too_large": Fault(
        "invalid_value", "Invalid 'audio': {size} bytes of base64 in one event; at most {bound} are allowed.", "audio"
    ),  # ours
    "buffer_full": Fault(
        "input_audio_buffer_full",
        "The input audio buffer holds {seconds:g} s of uncommitted audio, which is all it can. Commit or clear it.",
        "audio",
    ),  # ours
    # items
    "item_exists": Fault(
        "item_create_duplicate_item_id", "Error adding item: an item with id '{id}' already exists.", "item.id"
    ),  # ours
    "previous_item": Fault(
        "item_create_invalid_previous_item_id",
        "Error adding item: the previous item with id '{id}' does not exist.",
        "previous_item_id",
    ),  # ours
    "too_many_items": Fault(
        "conversation_items_limit", "The conversation has {bound} items, which is all it can have. Delete some."
    ),  # ours
    "tool_call": Fault("invalid_tool_call_id", "Tool call ID '{id}' not found in conversation."),
    "approval_request": Fault(
        "invalid_approval_request_id", "MCP approval request ID '{id}' not found in conversation."
    ),  # ours
    "image": Fault(
        "invalid_value", "Invalid '{param}'. Expected a base64-encoded data URL with an image/png or image/jpeg."
    ),
    "image_too_large": Fault("image_too_large", "Invalid '{param}': {reason}."),  # ours
    "retrieve": Fault(
        "item_retrieve_invalid_item_id", "Error retrieving item: the item with id '{id}' does not exist."
    ),
    "delete": Fault("item_delete_invalid_item_id", "Error deleting item: the item with id '{id}' does not exist."),
    "truncate": Fault("item_truncate_invalid_item_id", "Error truncating item: item with id '{id}' not found."),
    "truncate_kind": Fault("unsupported_content_type", "Only model output audio messages can be truncated"),
    "truncate_far": Fault(
        "invalid_value", "Audio content of {have}ms is already shorter than {want}ms", "audio_end_ms"
    ),
    # responses
    "active_response": Fault(
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress: {id}. "
        "Wait until the response is finished before creating a new one.",
    ),
    "too_many_responses": Fault(
        "too_many_responses", "{bound} responses are in progress, which is all there can be."
    ),  # ours
    "not_active": Fault("response_cancel_not_active", "Cancellation failed: no active response found"),
    "reference": Fault("invalid_item_reference", "Item with id '{id}' not found in conversation."),  # ours
    "tool_choice": Fault("invalid_value", "Tool choice '{name}' not found in 'tools' parameter."),
    # MCP servers
    "too_many_servers": Fault(
        "array_above_max_length", "Invalid '{param}': at most {bound} MCP servers are allowed."
    ),  # ours
    "server_label_twice": Fault(
        "invalid_value", "Invalid '{param}': the label '{label}' is another server's; labels are used once."
    ),  # ours
    "server_places": Fault("invalid_value", "Invalid '{param}': give one of {given}, not both."),  # ours
    "server_url": Fault("invalid_value", "Invalid '{param}'. Expected an http:// or https:// URL."),  # ours
    "header": Fault("invalid_value", "Invalid '{param}': not what an HTTP header may contain."),  # ours
    "mcp_tool_choice": Fault(
        "mcp_tool_not_found", "The MCP server '{label}' has not listed the {what} that must be called."
    ),  # ours
    "conversation": Fault(
        "invalid_value", "Invalid value: '{value}'. Supported values are: 'auto', 'none'.", "response.conversation"
    ),
}


def fault(name: str, /, *, param: str | None = None, **words: object) -> EventError:
    """Make an error of the catalogue.

    Parameters
    ----------
    name : str
        The row.
    param : str, optional
        The path at fault; else the row's own.
    **words : object
        What the message's braces name.

    Returns
    -------
    EventError
        To be raised.

    Examples
    --------
    >>> fault("retrieve", id="x").message
    "Error retrieving item: the item with id 'x' does not exist."
    """
    row = CATALOGUE[name]
    where = param or row.param
    return EventError(row.code, row.message.format(param=where, **words), where)
