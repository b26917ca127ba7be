"""Where ``rt.connect`` goes while a cassette is in: a session of it that is played, or a new one that is recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from realtime_nb.cassette.match import as_value, difference, same
from realtime_nb.cassette.reader import Track, names_of, open_tracks
from realtime_nb.cassette.recording import MODES, Recording, RecordMode, begin, blank, check_own, last_number
from realtime_nb.errors import CassetteError, CassetteMiss, ConfigError
from realtime_nb.models import ModelCard
from realtime_nb.transports.cassette import CassetteTransport, Speed, speed_of
from realtime_nb.transports.websocket import safe_url

if TYPE_CHECKING:
    from realtime_nb.session.link import Link

__all__ = ["CASSETTE", "RECORD", "SCHEME", "Deck", "Opening", "Slot", "Track", "deck_for", "inserted"]

CASSETTE = "REALTIME_NB_CASSETTE"
"""The cassette every session of the process is recorded to, or played from."""
RECORD = "REALTIME_NB_RECORD"
"""Its mode: none (by default), once, new or all."""
SCHEME = "cassette:"
_OPTIONS = {"match", "speed", "session"}


@dataclass(frozen=True)
class Opening:
    """How ``rt.connect`` was called: by this a session is found on a cassette."""

    to: str | None
    model: str | None
    fields: dict[str, Any]
    """The ``session`` of its first ``session.update``."""
    bare: bool = False
    """Whether no setting was given: then those of the recording hold."""

    @classmethod
    def of(cls, to: str | None, model: str | None, fields: dict[str, Any], *, bare: bool) -> Opening:
        """Make it of what ``rt.connect`` was given, without what may hide a key."""
        return cls(safe_url(to) if to is not None and "://" in to else to, model, fields, bare)

    @property
    def key(self) -> str:
        """The same for the same call."""
        return json.dumps([self.to, self.model, self.fields], sort_keys=True, default=str)


@dataclass
class Deck:
    """A cassette, and how it is used.

    Parameters
    ----------
    folder : Path
        The cassette.
    mode : {"none", "once", "new", "all"}
        none: sessions are played, and nothing is connected to; once: the same where the cassette is there, else
        they are recorded; new: those that are not on it are; all: all are, anew.
    strict : bool
        Whether an event that was not recorded is an error.
    speed : callable
        Of the replay.
    hint : str
        What to do where a recording is missing.
    """

    folder: Path
    mode: RecordMode = "none"
    strict: bool = True
    speed: Speed = field(default_factory=lambda: speed_of("fast"))
    hint: str = f"{RECORD}=once {CASSETTE}=..."
    number: int | None = None
    """The one session to be played, by its number; None: the one that was opened alike."""
    _tracks: list[Track] | None = None
    _times: dict[str, int] = field(default_factory=dict)
    """How often a session was opened like this."""
    _recorded: int = 0
    _reserved: int | None = None
    """The last place that was given away: in the order of the calls, whichever connection comes about first."""

    @property
    def plays(self) -> bool:
        """Whether nothing may be recorded."""
        return self.mode == "none" or (self.mode == "once" and self._reserved is None and bool(names_of(self.folder)))

    def track(self, opening: Opening) -> Track | None:
        """Find the session that is opened.

        Parameters
        ----------
        opening : Opening
            How.

        Returns
        -------
        Track or None
            To be played; None: to be recorded.

        Raises
        ------
        CassetteError
            There is no cassette, or it cannot be played.
        CassetteMiss
            No session on it was opened like this, and none may be recorded.
        """
        if not self.plays and self.mode != "new":
            return None
        if self.plays and not self.folder.exists():
            raise CassetteError(
                f"The cassette {str(self.folder)!r} is not there, and in mode {self.mode!r} nothing is connected to.",
                hint=self.hint,
            )
        tracks = self._all()
        if self.number is not None:
            return self._numbered(tracks, self.number)
        found = [track for track in tracks if _opened(track, opening)]
        count = self._times[opening.key] = self._times.get(opening.key, -1) + 1
        if self.mode == "new":
            return found[count] if count < len(found) else None
        if found:
            return found[count % len(found)]
        raise self._miss(tracks, opening)

    def _all(self) -> list[Track]:
        if self._tracks is None:
            new = self.mode == "new" and not names_of(self.folder)
            self._tracks = [] if new else open_tracks(self.folder)
        return self._tracks

    def _numbered(self, tracks: list[Track], number: int) -> Track:
        if number > len(tracks):
            raise CassetteError(
                f"{self.folder.name} has {len(tracks)} sessions, and no {number}.",
                hint=f'rt.connect("{SCHEME}{self.folder.name}")',
            )
        return tracks[number - 1]

    def _miss(self, tracks: list[Track], opening: Opening) -> CassetteMiss:
        header, fields = tracks[0].header, first_update(tracks[0])
        recorded = {"to": header.to, "model": header.model, "session": fields}
        given = {"to": opening.to, "model": opening.model, "session": opening.fields}
        return CassetteMiss(
            f"No session on {self.folder.name} was opened like this; the first one was otherwise.",
            diff=difference(recorded, given),
            hint=self.hint,
        )

    def slot(self, opening: Opening) -> Slot:
        """Find out what is done for a call of ``rt.connect``; raises as :meth:`track` does."""
        track = self.track(opening)
        return Slot(self, opening, track, None if track is not None else self._reserve())

    def _reserve(self) -> int:
        """A place for a session that is to be recorded."""
        if self._reserved is None:
            check_own(self.folder)
            self._reserved = 0 if self.mode == "all" else last_number(self.folder)
        self._reserved += 1
        return self._reserved

    def begin(self) -> None:
        """A session is recorded: what it is to replace goes now."""
        self._recorded += 1
        if self.mode == "all" and self._recorded == 1:
            blank(self.folder)


@dataclass(frozen=True)
class Slot:
    """What is done for one call of ``rt.connect``: `track` is played, or without one the session is recorded."""

    deck: Deck
    opening: Opening
    track: Track | None
    number: int | None = None
    """The place of a session that is recorded."""

    @property
    def fields(self) -> dict[str, Any]:
        """The settings to ask for."""
        bare = self.opening.bare and self.deck.number is not None and self.track is not None
        return first_update(self.track) if bare and self.track is not None else self.opening.fields

    def play(self) -> CassetteTransport:
        """The wire to the session that was recorded; on the loop it is to live on."""
        if self.track is None:
            raise CassetteError("There is nothing to be played here: the session is recorded.")
        return CassetteTransport(self.track, strict=self.deck.strict, speed=self.deck.speed)

    def record(self, link: Link, *, session_id: str, brain: str, card: ModelCard) -> Recording:
        """Record the session, until its end."""
        self.deck.begin()
        return begin(
            link,
            self.deck.folder,
            number=self.number,
            to=self.opening.to,
            model=self.opening.model,
            session_id=session_id,
            brain=brain,
            card=card,
        )


def first_update(track: Track) -> dict[str, Any]:
    """The settings a session was opened with."""
    for frame in track.frames:
        if frame.direction == "sent":
            return dict(as_value(frame.text).get("session", {}))
    return {}


def _opened(track: Track, opening: Opening) -> bool:
    header = track.header
    given = json.loads(json.dumps(opening.fields, default=str))
    return (header.to, header.model) == (opening.to, opening.model) and same(first_update(track), given)


def deck_of(text: str, mode: RecordMode, hint: str) -> Deck:
    """Read a path with its options: ``lesson.cassette?match=lenient&speed=real``.

    Raises
    ------
    ConfigError
        An option is unknown, or its value.
    """
    path, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    wrong = sorted(set(options) - _OPTIONS)
    match, number = options.get("match", "strict"), options.get("session", "")
    if wrong or match not in {"strict", "lenient"} or not (number.isdecimal() or number == "") or number == "0":
        raise ConfigError(
            f"{text!r}: a cassette takes match=strict or lenient, speed=real, fast, 2x or 20ms, and session=1, 2, ...",
            hint=f'rt.connect("{SCHEME}lesson.cassette?match=lenient&speed=real")',
        )
    return Deck(
        folder=Path(path).expanduser(),
        mode=mode,
        strict=match == "strict",
        speed=speed_of(options.get("speed", "fast")),
        hint=hint,
        number=int(number) if number else None,
    )


_inserted: list[Deck] = []
"""Decks that stand before the environment's; the last one holds."""
_environment: dict[tuple[str, str], Deck] = {}


@contextmanager
def inserted(deck: Deck) -> Iterator[Deck]:
    """Send every ``rt.connect`` to a deck: what the pytest fixture does.

    Parameters
    ----------
    deck : Deck
        The cassette.

    Yields
    ------
    Deck
        The same.
    """
    _inserted.append(deck)
    try:
        yield deck
    finally:
        _inserted.remove(deck)


def deck_for(to: str | None) -> Deck | None:
    """Find the deck that a call of ``rt.connect`` goes to.

    Parameters
    ----------
    to : str or None
        As it was given.

    Returns
    -------
    Deck or None
        None: no cassette is in.
    """
    if to is not None and to.startswith(SCHEME):
        deck = deck_of(to[len(SCHEME) :], "none", f'session.record("{Path(to[len(SCHEME) :]).name}")')
        deck.number = deck.number or 1
        return deck
    if _inserted:
        return _inserted[-1]
    path, mode = os.environ.get(CASSETTE, ""), os.environ.get(RECORD) or "none"
    if not path:
        return None
    if mode not in MODES:
        raise ConfigError(f"{RECORD}={mode!r} is no mode: {', '.join(MODES)} are", hint=f"{RECORD}=none")
    if (path, mode) not in _environment:
        _environment[path, mode] = deck_of(path, mode, f"{RECORD}=once {CASSETTE}={path} jupyter lab")
    return _environment[path, mode]
