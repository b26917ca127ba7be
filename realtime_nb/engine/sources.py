"""Where the bytes of a weight come from: what a source is, and the first of them, a hub by HTTP."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

__all__ = ["CHUNK_BYTES", "Hub", "Source", "SourceError", "Stopped", "Transfer", "WrongBytes"]

CHUNK_BYTES = 1 << 20
"""How much is read and written at once."""
_HUB_STALLS = 3
"""Requests in a row that bring nothing new, after which a hub is given up."""
_HUB_TIMEOUT_S = (4.0, 20.0)
"""To connect, and between two pieces: a machine without the hub must reach the carrier in seconds."""

_unreachable: set[str] = set()
"""Hubs that did not answer this process; they are not asked again."""


class SourceError(Exception):
    """A source cannot give the file; the text says why, and the next one is asked."""


class WrongBytes(SourceError):
    """What came is not what was pinned; it is dropped, never used."""


class Stopped(Exception):
    """The caller's cancel was set; what came so far is kept."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file under way.

    Parameters
    ----------
    name : str
        The file's name.
    size : int
        Its pinned size in bytes: more than that is never written.
    keep : Path
        The folder for what is half done; it outlives an interruption.
    report : callable
        Takes the bytes of the file that are there.
    cancel : threading.Event
        Set it, and the source raises :class:`Stopped` within 0.1 s; a hub that is
        stalled just then, when its time to answer is over.
    """

    name: str
    size: int
    keep: Path
    report: Callable[[int], None]
    cancel: threading.Event

    def check(self) -> None:
        """Raise :class:`Stopped` if the caller wants no more."""
        if self.cancel.is_set():
            raise Stopped


class Source(Protocol):
    """One place a file can be had from."""

    @property
    def label(self) -> str:
        """What a message calls it."""
        ...

    def fetch(self, transfer: Transfer) -> Path:
        """Bring the file into ``transfer.keep`` and say where; go on from what an earlier try left."""
        ...

    def kept(self, transfer: Transfer) -> bool:
        """Whether an earlier try left something."""
        ...

    def forget(self, transfer: Transfer) -> None:
        """Drop what earlier tries left, because it was wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Hub:
    """A file's official address.

    Parameters
    ----------
    url : str
        ``https://...``; for huggingface.co the person's ``HF_ENDPOINT`` mirror is honoured.
    """

    url: str

    @property
    def label(self) -> str:
        """The address."""
        return self._url()

    def fetch(self, transfer: Transfer) -> Path:
        """Download with HTTP ranges, going on where an earlier try broke off."""
        host = urlsplit(self._url()).netloc
        if host in _unreachable:
            raise SourceError(f"{host} did not answer before")
        part = self._part(transfer)
        best, stalls = 0, 0
        while stalls < _HUB_STALLS:
            try:
                self._append(part, transfer)
            except ConnectionError as error:
                _unreachable.add(host)
                raise SourceError(f"no connection to {host} ({error})") from None
            here = part.stat().st_size
            if here == transfer.size:
                return part
            best, stalls = (here, 0) if here > best else (best, stalls + 1)
        raise SourceError(f"{host} broke off at {best} of {transfer.size} bytes, and gives no more")

    def kept(self, transfer: Transfer) -> bool:
        """Whether there is a partial download."""
        return self._part(transfer).exists()

    def forget(self, transfer: Transfer) -> None:
        """Drop the partial download."""
        self._part(transfer).unlink(missing_ok=True)

    def _url(self) -> str:
        official = "https://huggingface.co"
        return self.url.replace(official, os.environ.get("HF_ENDPOINT", official).rstrip("/"), 1)

    @staticmethod
    def _part(transfer: Transfer) -> Path:
        return transfer.keep / f"{transfer.name}.part"

    def _append(self, part: Path, transfer: Transfer) -> None:
        """One request; a broken one leaves its bytes for the next."""
        try:
            import httpx
        except ImportError:
            raise SourceError("httpx is not installed") from None
        have = part.stat().st_size if part.exists() else 0
        if have == transfer.size:
            return
        if have > transfer.size:
            part.unlink()
            have = 0
        headers = {"accept-encoding": "identity"} | ({"range": f"bytes={have}-"} if have else {})
        connect_s, read_s = _HUB_TIMEOUT_S
        timeout = httpx.Timeout(read_s, connect=connect_s)
        try:
            with httpx.stream("GET", self._url(), headers=headers, timeout=timeout, follow_redirects=True) as answer:
                _save(answer, part, have, transfer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.ProxyError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise SourceError(str(error)) from error
        except httpx.TransportError:
            part.touch()  # broken off in the middle: the next request asks for the rest


def _save(answer: httpx.Response, part: Path, have: int, transfer: Transfer) -> None:
    if answer.status_code not in (200, 206):
        raise SourceError(f"HTTP {answer.status_code} from {answer.url.host}")
    done = have if answer.status_code == 206 else 0  # 200: it knows no ranges, and begins again
    with part.open("ab" if done else "wb") as out:
        for chunk in answer.iter_raw():  # as it comes: what is gathered first is lost when it breaks off
            transfer.check()
            done += len(chunk)
            if done > transfer.size:
                raise WrongBytes(f"{answer.url.host} gives more than the pinned {transfer.size} bytes")
            out.write(chunk)
            transfer.report(done)
