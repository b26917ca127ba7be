"""Make the README's pictures from a real conversation with the local engine: ``python notebooks/pictures/make.py``."""

from __future__ import annotations

from pathlib import Path

import realtime_nb as rt
from realtime_nb import plots

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "tests" / "data"


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"22 degrees and sunny in {city}"


def main() -> None:
    """Talk, and draw who spoke when."""
    with rt.connect(
        "local",
        instructions="You are a friendly companion. Answer in one or two short sentences.",
        turn_detection={"type": "server_vad", "silence_duration_ms": 400},
        transcription="whisper-1",
        tools=[get_weather],
    ) as session:
        session.say(chunk for chunk in rt.Audio.read(DATA / "question.wav").chunks(0.02))
        session.say("What is the weather in Paris?")
        with plots.theme("light"):
            axes = plots.timeline(session.history, session.turns, session.events, figsize=(9, 2.6))
            axes.figure.savefig(HERE / "timeline.png", dpi=110)
        print(session.history[["role", "type", "text", "transcript"]])


if __name__ == "__main__":
    main()
