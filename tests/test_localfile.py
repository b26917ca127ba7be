"""A file a person names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realtime_nb.errors import AudioError, RealtimeError
from realtime_nb.localfile import FileKind

KIND = FileKind(AudioError, "rt.Audio.read", "question.wav", 100)


@pytest.mark.parametrize("url", ["https://example.org/a.wav", "FILE:///etc/passwd", "s3://bucket/a.wav"])
def test_a_url_is_never_opened(url: str) -> None:
    """Nothing is fetched, whatever the scheme; not even a file of this machine."""
    with pytest.raises(AudioError, match="is a URL"):
        KIND.load(url)


def test_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    """The limit itself is allowed; beyond it the file is not opened."""
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(100))
    assert KIND.load(path) == bytes(100)
    path.write_bytes(bytes(101))
    with pytest.raises(AudioError, match="101 bytes: 100 is the most"):
        KIND.load(path)


def test_a_folder_is_refused_with_a_way_to_look_into_it(tmp_path: Path) -> None:
    """The hint lists the sounds in it."""
    with pytest.raises(AudioError, match="not a file") as caught:
        KIND.load(tmp_path)
    assert caught.value.hint == f'sorted(Path({str(tmp_path)!r}).glob("*.wav"))'


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero here")
def test_a_device_is_refused() -> None:
    """An endless file is not read."""
    with pytest.raises(AudioError, match="not a file"):
        KIND.load("/dev/zero")


@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b", "", "~nobody-of-this-name/x.wav", "RIFF" * 500])
def test_names_that_cannot_be_are_refused_briefly(name: str) -> None:
    """A name too long, with a zero in it, or of nobody's home gives a short error of ours."""
    with pytest.raises(RealtimeError) as caught:
        KIND.load(name)
    assert len(str(caught.value)) < 900


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root, and Windows, may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """The system's reason is in the message."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(AudioError, match="ermission"):
        KIND.load(path)
