"""What the tests of the child process start: the real ``main``, with stub stages where the models would be."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from realtime_nb.errors import ModelError
from realtime_nb.server import launch
from realtime_nb.server.__main__ import main
from realtime_nb.testing.stages import StubLlm, stub_engine


def think(_request: Any) -> str:
    """Never come to an end, whoever asks for it."""
    while True:
        time.sleep(3600)


def build(*specs: str, progress: Any) -> Any:
    """Load nothing, as the environment says: at once, never, with an error, or a brain that thinks for ever."""
    progress("llm", "loading", 0.5)
    match os.environ.get("STUB_ENGINE"):
        case "fails":
            raise ModelError("the model is not there", hint="realtime-nb models fetch")
        case "hangs":
            time.sleep(3600)
        case "thinks":
            return stub_engine(llm=StubLlm(think))
    return stub_engine()


if __name__ == "__main__":
    launch.build_engine = build
    sys.exit(main())
