"""A server whose stages cost nothing, in its own process: prints one ready line, ends with its standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

from realtime_nb.engine.base import Cancel, ChatDelta, ChatRequest
from realtime_nb.engine.silero import SileroVad
from realtime_nb.engine.weights import ensure, present
from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import StubLlm, echo, stub_engine

NUMBERS = "".join(f"number {n}, " for n in range(1, 400))


class Counter(StubLlm):
    """Echoes at once; but counts slowly when asked to, so that there is something to interrupt."""

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write one or the other."""
        counts = "Count" in request.messages[-1].text
        writer = StubLlm(lambda _: NUMBERS, delay_s=0.02) if counts else StubLlm(echo)
        return writer.chat(request, cancel=cancel)


if __name__ == "__main__":
    vad = SileroVad(ensure("silero-vad")) if present("silero-vad") else None  # a real ear where there is one
    with serve_in_thread(stub_engine(vad=vad, llm=Counter()), ServerOptions(token=Secret("benchmark"))) as serving:
        brain = "stub stages, Silero's ear" if vad else "stub stages"
        ready = {"url": serving.url, "http": serving.http, "brain": brain, "pid": os.getpid()}
        print(json.dumps({"ready": ready}), flush=True)
        sys.stdin.read()
