"""Make the README's plots from real conversations with the local engine: ``python notebooks/pictures/make.py``.

The picture of the talk is made by ``widgets.py`` beside it.
"""

from __future__ import annotations

import time
from pathlib import Path

import realtime_nb as rt
from realtime_nb import plots

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "tests" / "data"


def cost() -> None:
    """Draw what the gallery's conversation would have cost."""
    with plots.theme("light"):
        axes = rt.open_history(HERE.parent / "data" / "talk").plot.cost(budget_usd=0.02, figsize=(9, 2.8))
        axes.figure.savefig(HERE / "cost.png", dpi=110)


def timeline() -> None:
    """Talk, and draw who spoke when."""
    with rt.connect(
        "local",
        instructions="You are a friendly companion. Answer in one or two short sentences.",
        turn_detection={"type": "server_vad", "silence_duration_ms": 400},
        transcription="whisper-1",
    ) as session:
        for name in ("question.wav", "something.wav"):
            turn = session.say(chunk for chunk in rt.Audio.read(DATA / name).chunks(0.02))
            time.sleep(turn.audio.duration_s)  # a person listens to the end before they go on
        session.say("What is the capital of France?")
        with plots.theme("light"):
            axes = plots.timeline(session.history, session.turns, session.events, figsize=(9, 2.6))
            axes.figure.savefig(HERE / "timeline.png", dpi=110)
        print(session.history[["role", "type", "text", "transcript"]])


if __name__ == "__main__":
    cost()
    timeline()
