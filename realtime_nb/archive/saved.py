"""A conversation that was saved, opened again: the same frames, plots and sounds, without a session."""

from __future__ import annotations

import os
import warnings
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_nb import plots
from realtime_nb.archive.export import export
from realtime_nb.archive.lines import Line, ShownLine, SoundLine, UnknownLine
from realtime_nb.archive.mix import Stereo, mix, voices
from realtime_nb.archive.reader import Damage, LineFile
from realtime_nb.archive.rows import payloads
from realtime_nb.archive.writer import read_sound
from realtime_nb.audio import Audio
from realtime_nb.display import facts_html
from realtime_nb.history import Entry, EventLog, History
from realtime_nb.history.columns import EventColumns
from realtime_nb.history.frames import no_collection
from realtime_nb.models import ModelCard

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.plots import PlotAccessor

__all__ = ["SavedHistory", "SoundShelf", "open_history"]


class SoundShelf(Mapping[str, Audio]):
    """The sounds of a saved conversation by item, read when they are asked for.

    Parameters
    ----------
    folder : Path
        The conversation's.
    """

    def __init__(self, folder: Path) -> None:
        self.lines: dict[str, SoundLine] = {}
        """What is known of each, by item, in the order in which they ended."""
        self._folder = folder

    def __getitem__(self, item_id: str) -> Audio:
        return read_sound(self._folder, self.lines[item_id].file)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def duration_s(self) -> float:
        """All of them together, in seconds."""
        return sum(line.duration_s for line in self.lines.values())

    def __repr__(self) -> str:
        return f"{len(self)} sounds, {self.duration_s:.1f} s"


class SavedHistory(History):
    """What :func:`open_history` gives: frames, plots and sounds of a saved conversation.

    Parameters
    ----------
    file : LineFile
        Its lines.
    """

    def __init__(self, file: LineFile) -> None:
        super().__init__(EventLog(), file.header.card)
        self.path = file.folder
        """Its folder."""
        self.sounds = SoundShelf(file.folder)
        """The sounds by ``item_id``: ``saved.sounds["item_1"]``."""
        self._file = file
        self._rows = EventColumns()
        self._numbers = array("I")
        """Of the lines that are rows of ``events``."""
        damage: list[Damage] = []
        with no_collection():
            lines: list[Any]
            for lines in file.lines(Line, damage):
                self._add(lines)
            self._fold.items.settle()
        self.damage = tuple(damage)
        """Lines that could not be used, by number."""

    def _add(self, lines: list[Any]) -> None:
        sounds = [line for line in lines if type(line) is SoundLine]
        entries = [line for line in lines if type(line) is not SoundLine] if sounds else lines
        self._fold.add(*entries)
        self._rows.add(entries)
        self._numbers.fromlist([entry.seq for entry in entries])
        self.sounds.lines |= {line.item_id: line for line in sounds}

    def _catch_up(self) -> None:
        """All was folded when it was opened."""

    @property
    def events(self) -> pd.DataFrame:
        """One row an event on the wire; the payloads are read from the file when asked for."""
        from realtime_nb.history.schema import EVENTS

        lines = self._file.lines(ShownLine | UnknownLine | SoundLine, [])
        with no_collection():
            return EVENTS.of_columns({**self._rows.columns(), "payload": payloads(lines, self._numbers)})

    @property
    def audio(self) -> tuple[Audio, Audio] | None:
        """Both voices, yours and the model's, a clip each on the same time line; None where nothing was said aloud."""
        return voices(self.mix())

    def mix(self) -> Stereo:
        """Both voices as samples, a column each: the user's and the model's, at 24 kHz."""
        return mix(self.sounds.lines.values(), lambda line: self.sounds[line.item_id], self.history)

    def entries(self) -> Iterator[Entry]:
        """The events themselves, in order; read from the file, one block after the other."""
        blocks: Iterator[list[Any]] = self._file.lines(Line, [])
        for lines in blocks:
            yield from [line for line in lines if isinstance(line, Entry)]

    @property
    def plot(self) -> PlotAccessor:
        """The plots of all this: ``saved.plot.timeline()``; shown by itself, their list."""
        return plots.PlotAccessor(self, lambda: self.audio)

    def export(self, path: str | os.PathLike[str], *, frame: str | None = None) -> Path:
        """Write it to a file; see :meth:`realtime_nb.Session.export`."""
        return export(self, path, frame)

    @property
    def card(self) -> ModelCard:
        """The model's card, with the prices of then."""
        return self._file.header.card

    @property
    def id(self) -> str:
        """The session's id at the server."""
        return self._file.header.session_id

    @property
    def brain(self) -> str:
        """Which model answered."""
        return self._file.header.brain

    @property
    def begun(self) -> str:
        """When the session began: UTC, ISO 8601."""
        return self._file.header.begun

    def _facts(self) -> dict[str, str]:
        facts = {
            "model": self.card.name,
            "brain": self.brain,
            "begun": self.begun,
            "turns": str(len(self._fold.responses)),
            "events": f"{len(self._rows):,}",
            "sound": f"{self.sounds.duration_s:.1f} s",
        }
        if self.damage:
            facts["damage"] = _told(self.damage)
        return facts

    def __repr__(self) -> str:
        return f"SavedHistory({', '.join(f'{name} {fact}' for name, fact in self._facts().items())})"

    def _repr_html_(self) -> str:
        return facts_html("saved", "Saved conversation", self._facts())


def open_history(folder: str | os.PathLike[str]) -> SavedHistory:
    """Open a conversation that ``session.save`` wrote.

    Parameters
    ----------
    folder : path
        As it was given to ``session.save``. It may still be written to; what comes
        later is not in what is opened now.

    Returns
    -------
    SavedHistory
        With ``history``, ``turns``, ``usage``, ``events``, ``rate_limits``, ``plot`` and
        ``sounds``; ``.damage`` tells the lines that could not be used.

    Raises
    ------
    CassetteError
        There is no conversation, or it is of a newer format.

    Warns
    -----
    UserWarning
        Some lines are torn or damaged; all others are there.
    """
    saved = SavedHistory(LineFile(Path(folder).expanduser()))
    if saved.damage:
        warnings.warn(f"{saved.path / 'events.jsonl'}: {_told(saved.damage)}", stacklevel=2)
    return saved


def _told(damage: tuple[Damage, ...]) -> str:
    first = "; ".join(f"line {each.line}: {each.problem}" for each in damage[:3])
    return first if len(damage) <= 3 else f"{first}; and {len(damage) - 3} more"
