"""A cassette that is not what was recorded is refused before any of it is played, by an error that says why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors

Recorded = tuple[Path, Any]


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Its lines."""
    return [json.loads(line) for line in (folder / "session-1.jsonl").read_text().splitlines()]


def sealed(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Write lines with an end that fits them: what somebody does who knows the format."""
    body = "".join(f"{json.dumps(line)}\n" for line in lines[:-1])
    end = {**lines[-1], "sha256": hashlib.sha256(body.encode()).hexdigest()}
    (folder / "session-1.jsonl").write_text(body + json.dumps(end) + "\n")


def refused(folder: Path, words: str) -> errors.CassetteError:
    """The error of a cassette that cannot be played."""
    with pytest.raises(errors.CassetteError, match=words) as caught:
        rt.connect(f"cassette:{folder}")
    assert caught.value.hint
    return caught.value


def test_changed_words_are_noticed(recorded: Recorded) -> None:
    """One letter of one line is enough."""
    track = recorded[0] / "session-1.jsonl"
    track.write_text(track.read_text().replace("Two.", "Too."))
    refused(recorded[0], "it was changed")


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.999])
def test_a_torn_recording_is_noticed(recorded: Recorded, keep: float) -> None:
    """Without its last line nobody knows what is missing."""
    track = recorded[0] / "session-1.jsonl"
    data = track.read_bytes()
    track.write_bytes(data[: int(keep * len(data))])
    refused(recorded[0], "cut off")


def test_a_recording_that_was_broken_off_says_so(recorded: Recorded) -> None:
    """Until it is whole a recording has another name."""
    (recorded[0] / "session-1.jsonl").rename(recorded[0] / "session-1.part")
    refused(recorded[0], "broken off")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "no JSON\n", '{"line": "header", "version": 1}\n', "\xff\xfe"])
def test_what_is_no_cassette_is_told(recorded: Recorded, text: str) -> None:
    """Another program's file, an empty one, and a saved conversation."""
    (recorded[0] / "session-1.jsonl").write_text(text, encoding="latin-1")
    refused(recorded[0], "is no cassette of realtime-nb")


def test_a_saved_conversation_is_no_cassette(tmp_path: Path) -> None:
    """A folder without a session is told as such; so is a file, and nothing at all."""
    (tmp_path / "events.jsonl").write_text("{}\n")
    refused(tmp_path, "no session-1.jsonl")
    assert refused(tmp_path / "events.jsonl", "is a file").hint == 'session.record("events.cassette")'
    refused(tmp_path / "nothing", "is not there")


def test_a_newer_format_is_told(recorded: Recorded) -> None:
    """The hint is the upgrade."""
    lines = lines_of(recorded[0])
    lines[0]["version"] = 2
    sealed(recorded[0], lines)
    assert "--upgrade" in str(refused(recorded[0], "format 2; this package plays up to 1"))


@pytest.mark.parametrize("name", ["../../secret.flac", "/etc/passwd", "x.flac", "A" * 64 + ".flac", "0" * 64 + ".py"])
def test_no_other_file_is_opened(recorded: Recorded, name: str) -> None:
    """A line that names a path, and one that names what is no sound, are refused although the digest fits."""
    lines = lines_of(recorded[0])
    next(line for line in lines if line["line"] == "sound")["file"] = name
    sealed(recorded[0], lines)
    refused(recorded[0], "no other file is opened")


def _shortened(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize("spoil", [_shortened, _flipped, lambda _: b"", lambda _: b"RIFF"])
def test_a_changed_sound_is_noticed(recorded: Recorded, spoil: Callable[[bytes], bytes]) -> None:
    """A sound is named by what is in it."""
    sound = next((recorded[0] / "media").glob("*.flac"))
    sound.write_bytes(spoil(sound.read_bytes()))
    refused(recorded[0], "was changed")


def test_a_missing_sound_is_told(recorded: Recorded) -> None:
    """By its name."""
    sound = next((recorded[0] / "media").glob("*.flac"))
    sound.unlink()
    assert sound.name[:12] in str(refused(recorded[0], "No such file"))


def test_a_sound_that_is_too_short_for_its_pieces_is_told(recorded: Recorded) -> None:
    """A line that asks for more sound than there is is named."""
    lines = lines_of(recorded[0])
    piece = next(line for line in lines if line.get("cut") and line["cut"][0].get("sound"))
    piece["cut"][0]["bytes"] += 2
    sealed(recorded[0], lines)
    refused(recorded[0], "shorter than its pieces")


def test_lines_in_a_wrong_shape_are_told_by_number(recorded: Recorded) -> None:
    """A line nobody knows is named by its number."""
    lines = lines_of(recorded[0])
    lines.insert(3, {"line": "surprise"})
    sealed(recorded[0], lines)
    refused(recorded[0], "line 4: cannot be read")
