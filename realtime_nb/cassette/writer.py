"""Writes one session of a cassette: lines as they come, sounds when they are whole, and the end."""

from __future__ import annotations

import hashlib
import os
import weakref
from itertools import count
from pathlib import Path
from typing import IO, Any

import msgspec

from realtime_nb.archive.writer import lock_file
from realtime_nb.cassette.cut import cut
from realtime_nb.cassette.lines import CallLine, ClosedLine, EndLine, FrameLine, Header, Piece, SoundLine
from realtime_nb.cassette.mask import masked
from realtime_nb.cassette.media import Shelf, suffix_of_picture
from realtime_nb.errors import ConfigError, ConnectionClosed
from realtime_nb.history.log import Direction
from realtime_nb.protocol import events as ev

__all__ = ["TrackWriter", "being_written"]

_MOST_BYTES = 60 * 48_000
"""A sound that goes on is kept in parts of a minute, so that an open microphone does not fill the memory."""
_ENDS = (ev.InputAudioBufferCommit, ev.InputAudioBufferClear, ev.InputAudioBufferCommitted)
"""What ends the sound the client streams."""
_writers: weakref.WeakSet[TrackWriter] = weakref.WeakSet()


class _Stream:
    """A sound that comes in pieces."""

    def __init__(self, number: int, direction: Direction) -> None:
        self.number = number
        self.direction: Direction = direction
        self.data = bytearray()


class TrackWriter:
    """One session of a cassette, being recorded; it has its name only when it is whole.

    Parameters
    ----------
    path : Path
        Of the lines.
    header : Header
        The first of them.

    Raises
    ------
    ConfigError
        Another process records it, or has just done so.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.events = 0
        self._part = path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._shelf = Shelf(path.parent)
        self._file: IO[bytes] | None = _claimed(self._part, path)
        self._digest = hashlib.sha256()
        self._numbers = count(1)
        self._streams: dict[str, _Stream] = {}
        self._formats = {"sent": "flac", "received": "flac"}
        _writers.add(self)
        self._write(header)

    def frame(self, direction: Direction, t_s: float, event: Any, text: str) -> None:
        """Write a frame.

        Parameters
        ----------
        direction : {"sent", "received"}
            Seen from the client.
        t_s : float
            When, in seconds since the connection.
        event : ClientEvent or ServerEvent
            What was read in it.
        text : str
            The frame.
        """
        self._follow(event)
        rest, found = cut(masked(text.replace("\n", " ").replace("\r", " ")))
        stream = _stream_of(event)
        pieces: list[Piece | None] = []
        for place in found:
            if place is None:
                pieces.append(None)
            elif stream is not None:
                pieces.append(self._add(stream, direction, place.data))
            else:
                kind = suffix_of_picture(place.picture) if place.picture else self._formats[direction]
                pieces.append(Piece(len(place.data), file=self._shelf.put(place.data, kind)))
        raw = msgspec.Raw(rest.encode("utf-8", "replace"))
        self._write(FrameLine(t_s=t_s, direction=direction, event=raw, cut=tuple(pieces)))
        self.events += 1
        self._cut_off(event)

    def _follow(self, event: Any) -> None:
        """Which format sounds are in."""
        if isinstance(event, ev.SessionCreated | ev.SessionUpdated):
            audio = event.session.audio
            self._formats["sent"] = _kind(audio.input.format)
            self._formats["received"] = _kind(getattr(getattr(audio, "output", None), "format", None))

    def _add(self, name: str, direction: Direction, data: bytes) -> Piece:
        stream = self._streams.get(name)
        if stream is not None and len(stream.data) > _MOST_BYTES:
            self._end(name)
            stream = None
        if stream is None:
            stream = self._streams[name] = _Stream(next(self._numbers), direction)
        stream.data += data
        return Piece(len(data), sound=stream.number)

    def _cut_off(self, event: Any) -> None:
        if isinstance(event, _ENDS):
            self._end("input")
        elif isinstance(event, ev.ResponseOutputAudioDone):
            self._end(event.item_id)
        elif isinstance(event, ev.ResponseDone):
            for item in event.response.output:
                self._end(item.id)

    def _end(self, name: str) -> None:
        stream = self._streams.pop(name, None)
        if stream is None:
            return
        kind = self._formats[stream.direction]
        rate = 48_000 if kind == "flac" else 8_000
        file = self._shelf.put(bytes(stream.data), kind)
        duration_s = round(len(stream.data) / rate, 3)
        self._write(SoundLine(sound=stream.number, direction=stream.direction, duration_s=duration_s, file=file))

    def called(self, call_id: str, took_s: float) -> None:
        """Write how long a function took."""
        self._write(CallLine(call_id=call_id, took_s=took_s))

    def ended(self, t_s: float, end: ConnectionClosed) -> None:
        """Write that the server has ended the connection."""
        self._write(
            ClosedLine(t_s=t_s, message=masked_text(end.message), code=end.code, reason=masked_text(end.reason))
        )

    def _write(self, line: Any) -> None:
        if self._file is not None:
            text = msgspec.json.encode(line) + b"\n"
            self._digest.update(text)
            self._file.write(text)

    def close(self) -> None:
        """Write the end, and give the file its name; idempotent."""
        if self._file is None:
            return
        for name in list(self._streams):
            self._end(name)
        self._write(EndLine(events=self.events, sha256=self._digest.hexdigest()))
        self._file.flush()
        if os.name == "nt":  # there an open file keeps its name; elsewhere nobody is to take it before it has its own
            self._file.close()
        self._part.replace(self.path)
        self._file.close()
        self._file = None

    def discard(self) -> None:
        """Let what was written go."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)


def being_written(folder: Path) -> list[Path]:
    """The sessions of a cassette that are being recorded, by whatever process; they have no names yet."""
    writers = [writer for writer in _writers if writer._file is not None]  # noqa: SLF001 - one module
    ours = [writer.path for writer in writers if writer.path.parent.resolve() == folder.resolve()]
    return ours + [part.with_suffix(".jsonl") for part in folder.glob("session-*.part") if _is_locked(part)]


def _is_locked(part: Path) -> bool:
    try:
        with part.open("rb") as file:
            return not lock_file(file.fileno(), "LOCK_SH", "LOCK_NB")
    except FileNotFoundError:  # it has its name by now
        return False


def _claimed(part: Path, path: Path) -> IO[bytes]:
    """The file of a recording, marked as being written to; one that was broken off is begun anew."""
    file = part.open("ab")
    if not lock_file(file.fileno(), "LOCK_EX", "LOCK_NB") or path.exists() or not part.exists():
        file.close()
        raise ConfigError(
            f"{path.stem} of {str(path.parent)!r} is being recorded by another process, or just was.",
            hint=f'session.record("{path.parent.name}", mode="new")  # adds this session to it',
        )
    file.truncate(0)
    return file


def masked_text(text: str) -> str:
    """`text`, which is no JSON, without secrets."""
    return str(msgspec.json.decode(masked(msgspec.json.encode(text).decode())))


def _stream_of(event: Any) -> str | None:
    """The name of the sound that an event carries a piece of."""
    if isinstance(event, ev.InputAudioBufferAppend):
        return "input"
    return event.item_id if isinstance(event, ev.ResponseOutputAudioDelta) else None


def _kind(format: Any) -> str:
    return "bin" if format is not None and type(format).__struct_config__.tag != "audio/pcm" else "flac"
