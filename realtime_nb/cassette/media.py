"""Sounds and pictures beside the lines, each in a file named by what it carried on the wire."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from realtime_nb.audio import Audio
from realtime_nb.audio.files import encode_file
from realtime_nb.errors import AudioError, CassetteError

__all__ = ["MEDIA", "Shelf", "suffix_of_picture"]

MEDIA = "media"
_NAME = re.compile(r"([0-9a-f]{64})\.(flac|bin|png|jpeg|gif|webp)")
_PICTURES = frozenset({"png", "jpeg", "gif", "webp"})
RERECORD = 'session.record("lesson.cassette", mode="all")  # or REALTIME_NB_RECORD=all'


def suffix_of_picture(subtype: str) -> str:
    """The suffix for a picture of that MIME subtype."""
    return subtype if subtype in _PICTURES else "bin"


class Shelf:
    """The folder of sounds and pictures.

    PCM is kept as FLAC, which is lossless; anything else (G.711 is its own compression) as it came. A file is
    named by the SHA-256 of the bytes of the wire, not of the file, so reading it proves that what is replayed is
    what was recorded.

    Parameters
    ----------
    folder : Path
        The cassette's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / MEDIA

    def put(self, data: bytes, kind: str) -> str:
        """Keep some bytes.

        Parameters
        ----------
        data : bytes
            As they were on the wire, decoded from base64.
        kind : str
            ``flac`` for PCM16 at 24 kHz, else the suffix.

        Returns
        -------
        str
            The file's name.
        """
        encoded = _as_flac(data) if kind == "flac" else data
        if encoded is None:
            kind, encoded = "bin", data
        name = f"{hashlib.sha256(data).hexdigest()}.{kind}"
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".part{os.getpid()}")
            part.write_bytes(encoded)
            part.replace(path)
        return name

    def get(self, name: str) -> bytes:
        """Give the bytes of the wire back.

        Parameters
        ----------
        name : str
            As a line has it.

        Returns
        -------
        bytes
            What :meth:`put` was given.

        Raises
        ------
        CassetteError
            It is no such name (a path for instance), the file is missing, or it was changed.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise CassetteError(
                f"The cassette names a file {name!r}: 64 hexadecimal digits and a suffix are what its own have, "
                "and no other file is opened.",
                hint=RERECORD,
            )
        try:
            data = (self.folder / name).read_bytes()
            if found[2] == "flac":
                data = Audio.read(data).to_wire("audio/pcm")
        except OSError as error:
            raise CassetteError(f"{MEDIA}/{name[:12]}… cannot be read: {error.strerror}", hint=RERECORD) from None
        except AudioError:
            data = b""
        if hashlib.sha256(data).hexdigest() != found[1]:
            raise CassetteError(
                f"{MEDIA}/{name[:12]}… was changed: what is in it is not what its name says.", hint=RERECORD
            )
        return data

    def names(self) -> Iterator[str]:
        """The files of its own that are there."""
        if self.folder.is_dir():
            yield from (path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def drop(self, name: str) -> None:
        """Take a file of its own away."""
        if _NAME.fullmatch(name):
            (self.folder / name).unlink(missing_ok=True)


def _as_flac(data: bytes) -> bytes | None:
    """PCM16 as FLAC; None for what is no whole number of samples."""
    if not data or len(data) % 2:
        return None
    sound = Audio.from_wire(data, "audio/pcm")
    return encode_file(sound.samples, sound.rate, ".flac")
