"""``realtime-nb``: what it prints, where it leaves its files, how it fails."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from realtime_nb.cli import main
from realtime_nb.demo import question
from realtime_nb.doctor import Finding, examine, table
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import StubAsr, stub_engine


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server without a token whose stages are scripted."""
    with serve_in_thread(stub_engine(asr=StubAsr("what can I do")), ServerOptions(token=None)) as serving:
        yield serving.url


def test_the_demo_prints_one_object(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``demo --json`` prints what was heard, the answer, the brain, latencies, usage, cost, files, and nothing else."""
    assert main(["demo", "--json", "--to", url, "--out", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {"heard", "text", "brain", "latency_ms", "usage", "cost_usd", "files"}
    assert (report["heard"], report["text"]) == ("what can I do", "You said: what can I do.")
    assert report["brain"] == "scripted-llm"
    assert {"speech_end_to_first_audio", "asr", "llm_first_clause", "tts_first_chunk", "total"} <= report[
        "latency_ms"
    ].keys()
    assert report["latency_ms"]["speech_end_to_first_audio"] >= 300, "the silence timer of 500 ms is not hidden"
    assert report["usage"]["total_tokens"] > 0
    assert report["cost_usd"] > 0


def test_the_demo_leaves_sound_and_frames(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reply's sound and the conversation's frames are where the report says."""
    assert main(["demo", "--json", "--text", "Hello you", "--to", url, "--out", str(tmp_path)]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    with wave.open(files["reply.wav"]) as reply:
        assert reply.getframerate() == 24_000
        assert reply.getnframes() > 0
    assert pd.read_csv(files["history.csv"])["role"].tolist() == ["user", "assistant"]
    assert len(pd.read_csv(files["turns.csv"])) == 1


def test_the_demo_shows_a_person_what_happens(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--json``: who listens, the words, then a table with tokens, cost, waits and files."""
    assert main(["demo", "--text", "Hello you", "--to", url, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "scripted-llm listens",
        "model: You said: Hello you.",
        "tokens in",
        "cost",
        "first audio",
        "reply.wav",
    ):
        assert part in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--wav", "no-such.wav"], "no-such.wav"),
        (["demo", "--to", "ws://127.0.0.1:9/v1/realtime"], "127.0.0.1:9"),
        (["models", "fetch", "qwen"], "There is no model 'qwen'"),
        (["serve", "--host", "0.0.0.0", "--no-token"], "token"),
    ],
)
def test_a_fault_is_one_message_with_its_mend(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault exits with 1, names what is wrong, and shows no traceback."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_models_are_listed_with_licence_and_size(capsys: pytest.CaptureFixture[str]) -> None:
    """``models list`` has a line for each model of the registry."""
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "moonshine-tiny-en" in shown
    assert "MIT" in shown


def test_verify_tells_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``models verify`` reads what is there, and exits with 1 if it is not what was pinned."""
    monkeypatch.setenv("REALTIME_NB_CACHE", str(tmp_path))
    folder = tmp_path / "silero-vad"
    folder.mkdir()
    (folder / "silero_vad.onnx").write_bytes(b"not a model")
    assert main(["models", "verify", "silero-vad"]) == 1
    assert "silero_vad.onnx: damaged" in capsys.readouterr().out
    assert main(["models", "path", "silero-vad"]) == 0
    assert str(folder) in capsys.readouterr().out


def test_the_doctor_says_how_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding that is not well comes with its line; keys are told to be there, never shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-CANARY")
    findings = examine()
    assert {"python", "loopback", "key", "brain"} <= {finding.name for finding in findings}
    assert "CANARY" not in table(findings)
    assert "Try: pip install x" in table([Finding("x", "broken", "not there", "pip install x")])


def test_the_question_ships_with_the_package() -> None:
    """The demo needs no file of the person's."""
    assert question().is_file()
