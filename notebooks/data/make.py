"""Record the talk that the gallery of plots draws: ``realtime-nb serve --tier 1 --no-token --port 8766``, then this."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

import realtime_nb as rt

HERE = Path(__file__).parent
SOUNDS = HERE.parent.parent / "tests" / "data"


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"22 degrees and sunny in {city}"


def main() -> None:
    """Two spoken questions, the second answer cut off; a call; a picture; and some written turns."""
    shutil.rmtree(HERE / "talk", ignore_errors=True)
    with rt.connect(
        "ws://127.0.0.1:8766/v1/realtime",
        instructions="You are a friendly companion. Answer in one or two short sentences.",
        turn_detection={"type": "server_vad", "silence_duration_ms": 400},
        log=False,
    ) as session:
        turn = session.say(rt.Audio.read(SOUNDS / "question.wav").chunks(0.02))
        time.sleep(turn.audio.duration_s)  # a person listens to the end before they go on
        turn = session.say("Tell me a long story about a river.", wait=False)
        while turn.latency.first_audio_ms is None:
            time.sleep(0.05)
        time.sleep(1.5)
        session.interrupt(audio_end_ms=1500)
        session.tool(get_weather)
        session.say("What is the weather in Paris?", response={"tool_choice": "required"})
        session.update(tools=[])
        session.say("What colour is this?", np.full((64, 64, 3), (30, 90, 200), np.uint8))
        for text in ("Name three rivers of Africa.", "And three of Asia.", "Thank you."):
            session.say(text)
        session.trim(last=4)
        session.say("Which of them is the longest?")
        session.save(HERE / "talk")
    print(rt.open_history(HERE / "talk").turns[["status", "output", "first_audio_ms", "input_tokens"]])


if __name__ == "__main__":
    main()
