"""What only the events tell: when a response was asked for, what was taken for speech, how much sound was made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from realtime_nb.plots.columns import Floats, numbers, texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["asked_at", "made_s", "voice_spans"]

_PCM_BYTES_A_S = 48_000  # audio/pcm: 24 kHz, 16 bits
_G711_BYTES_A_S = 8_000  # audio/pcmu, audio/pcma
_STARTED, _STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"


def _of(
    events: pd.DataFrame | None, *types: str, columns: list[str], responses: Iterable[Any] | None = None
) -> pd.DataFrame | None:
    """These columns of the events of these types, and of these responses; None if there are none."""
    if events is None or not len(events):
        return None
    wanted = events["type"].isin(types)
    if responses is not None:
        wanted &= events["response_id"].isin(list(responses))
    kept = events[columns][wanted]  # a payload is long: only those that are read are copied
    return kept if len(kept) else None


def asked_at(turns: pd.DataFrame, events: pd.DataFrame | None) -> Floats:
    """When each response was asked for, or else created.

    Parameters
    ----------
    turns : pandas.DataFrame
        The session's.
    events : pandas.DataFrame, optional
        The session's.

    Returns
    -------
    ndarray of float64, shape (turns,)
        Seconds; NaN where no event tells.

    Notes
    -----
    A ``response.create`` has no response's id; each belongs to the first
    response created after it.
    """
    kept = _of(events, "response.create", "response.created", columns=["type", "response_id", "t_s"])
    if kept is None:
        return np.full(len(turns), np.nan)
    at: dict[Any, float] = {}
    wish: float | None = None
    for kind, ident, time in zip(texts(kept, "type"), texts(kept, "response_id"), numbers(kept, "t_s"), strict=True):
        if kind == "response.create":
            wish = float(time) if wish is None else wish
        else:
            at[ident] = float(time) if wish is None else wish
            wish = None
    return np.array([at.get(ident, np.nan) for ident in texts(turns, "response_id")], dtype=np.float64)


def voice_spans(events: pd.DataFrame | None) -> tuple[Floats, Floats]:
    """What voice activity detection took for speech, on the time line of the wire.

    Parameters
    ----------
    events : pandas.DataFrame, optional
        The session's.

    Returns
    -------
    start_s, end_s : ndarray of float64, shape (n,)
        Seconds, in order.

    Notes
    -----
    The events count milliseconds of the sound that was sent, which stands still
    while the microphone is off. So a span ends when the server said so, and is
    as long as it said.
    """
    kept = _of(events, _STARTED, _STOPPED, columns=["type", "t_s", "payload"])
    begun: dict[Any, float] = {}
    spans = []
    if kept is not None:
        for kind, at, payload in zip(texts(kept, "type"), numbers(kept, "t_s"), texts(kept, "payload"), strict=True):
            event = _mapping(payload)
            if kind == _STARTED:
                begun[event.get("item_id")] = event.get("audio_start_ms", np.nan)
            elif event.get("item_id") in begun:
                spans.append((at - (event.get("audio_end_ms", np.nan) - begun.pop(event["item_id"])) / 1000, at))
    found = np.array(spans, dtype=np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def made_s(turns: pd.DataFrame, events: pd.DataFrame | None) -> Floats:
    """How much sound came over the wire for the turns that were interrupted; ``output_s`` is what was heard of it.

    Parameters
    ----------
    turns : pandas.DataFrame
        The session's.
    events : pandas.DataFrame, optional
        The session's.

    Returns
    -------
    ndarray of float64, shape (turns,)
        Seconds; NaN for other turns.
    """
    ids = texts(turns, "response_id")
    cut = {ident for ident, at in zip(ids, numbers(turns, "interrupted_at_ms"), strict=True) if np.isfinite(at)}
    columns = ["response_id", "payload"]
    kept = _of(events, "response.output_audio.delta", columns=columns, responses=cut) if cut else None
    if kept is None:
        return np.full(len(turns), np.nan)
    sizes = kept["payload"].astype("object").astype(str).str.extract(r"<(\d+) bytes", expand=False).astype("float64")
    total = sizes.groupby(kept["response_id"]).sum().to_dict()
    return np.array([total.get(ident, np.nan) for ident in ids], dtype=np.float64) / _bytes_a_s(events)


def _bytes_a_s(events: pd.DataFrame | None) -> int:
    """Bytes a second of the reply's sound, by the session's format."""
    kept = _of(events, "session.created", "session.updated", columns=["payload"])
    found: Any = {} if kept is None else _mapping(texts(kept, "payload")[-1])
    for key in ("session", "audio", "output", "format", "type"):
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return _G711_BYTES_A_S if found in ("audio/pcmu", "audio/pcma") else _PCM_BYTES_A_S


def _mapping(payload: Any) -> dict[str, Any]:
    """An event's payload as a mapping; it is JSON."""
    decoded = msgspec.json.decode(payload) if isinstance(payload, (str, bytes)) else payload
    return decoded if isinstance(decoded, dict) else {}
