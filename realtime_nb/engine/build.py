"""An engine from its parts: chosen, fetched, loaded side by side, and warm before anybody is let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from realtime_nb.engine.base import Asr, Cancel, ChatMessage, Llm, Tts, TurnEnd, Vad, Vision
from realtime_nb.engine.machine import best_brain
from realtime_nb.engine.weights import Progress as Fetched
from realtime_nb.engine.weights import ensure
from realtime_nb.errors import ConfigError, MissingExtra, ModelError

__all__ = ["Engine", "build_engine", "default_weights"]


class Tell(Protocol):
    """Hears how far it is."""

    def __call__(self, stage: str, message: str, fraction: float | None = None) -> None:
        """A step, in words; the fraction where it is known, from 0 to 1."""
        ...


@dataclass(frozen=True)
class Engine:
    """What hears, thinks and speaks; shared by all sessions of a server.

    Parameters
    ----------
    vad : Vad
        Tells speech from everything else.
    asr : Asr
        Writes it down.
    llm : Llm
        Answers it.
    tts : Tts
        Says the answer.
    vision : Vision
        Looks at pictures for a brain that cannot.
    ending : TurnEnd or None
        Tells whether a turn is over; None where the words alone must do.
    """

    vad: Vad
    asr: Asr
    llm: Llm
    tts: Tts
    vision: Vision
    ending: TurnEnd | None = None

    @property
    def brain(self) -> str:
        """Who answers."""
        return self.llm.name

    def describe(self) -> dict[str, str]:
        """Each stage's name."""
        return {stage: each.name for stage, each in vars(self).items() if each is not None}

    def close(self) -> None:
        """Let go of what a stage holds: connections, native memory."""
        for stage in vars(self).values():
            close = getattr(stage, "close", None)
            if close is not None:
                close()


Files = Mapping[str, Path]
_VAD: Final = "silero-vad"
_ENDING: Final = "smart-turn-v3.2"
_AUTO: Final[Mapping[str, Callable[[], str]]] = {
    "asr": lambda: "moonshine-tiny-en",
    "llm": best_brain,
    "tts": lambda: "piper-en-us-joe",
}
_REMOTE = re.compile(r"openai:(?P<url>https?://[^#]+)#(?P<model>.+)")


def default_weights() -> tuple[str, ...]:
    """The models the engine would choose on this machine now.

    Returns
    -------
    tuple of str
        Names of the registry.
    """
    return (_VAD, _ENDING, *(choose() for choose in _AUTO.values()))


def build_engine(asr: str = "auto", llm: str = "auto", tts: str = "auto", *, progress: Tell | None = None) -> Engine:
    """Choose, fetch, load and warm the stages.

    Parameters
    ----------
    asr, llm, tts : str
        A name of the registry, ``auto``, or ``openai:http://HOST:PORT/v1#MODEL``
        (for a brain that sees pictures, ``#MODEL+images``).
    progress : callable, optional
        Takes ``(stage, message, fraction)``; may be called on several threads.

    Returns
    -------
    Engine
        Every stage has done its work once.

    Raises
    ------
    ConfigError
        A name is unknown.
    ModelError
        A model cannot be had or does not load; with the line that mends it.
    MissingExtra
        A package is not installed.
    """
    tell = progress or _silent
    chosen = {stage: _chosen(stage, spec) for stage, spec in (("asr", asr), ("llm", llm), ("tts", tts))}
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="realtime-load") as pool:
        brain = pool.submit(_stage, "llm", chosen["llm"], tell)  # the largest: it sets the pace
        voice = pool.submit(_stage, "tts", chosen["tts"], tell)
        vad = _stage("vad", _VAD, tell)
        ears = pool.submit(_stage, "asr", chosen["asr"], tell, vad)
        ending = _ending(tell)
        return Engine(vad, ears.result(), brain.result(), voice.result(), _vision(), ending)


def _silent(stage: str, message: str, fraction: float | None = None) -> None:
    """Tell nobody."""


def _ending(tell: Tell) -> TurnEnd | None:
    """What tells the end of a turn, if it can be had: without it, ``semantic_vad`` goes by the words alone."""
    try:
        found: TurnEnd = _stage("ending", _ENDING, tell)
    except ModelError as fault:
        tell("ending", f"{_ENDING} is not here ({fault.message}): turns end by their words")
        return None
    return found


def _vision() -> Vision:
    from realtime_nb.engine.vision import PixelVision

    return PixelVision()


# ---------------------------------------------------------------- choosing
def _chosen(stage: str, spec: str) -> str:
    if spec == "auto":
        return _AUTO[stage]()
    if _REMOTE.fullmatch(spec) or spec in _LOADERS[stage]:
        return spec
    known = ", ".join(_LOADERS[stage])
    near = get_close_matches(spec, _LOADERS[stage], 1) or ["auto"]
    raise ConfigError(
        f"there is no {stage} called {spec!r}: it is auto, {known}, or openai:http://HOST:PORT/v1#MODEL",
        hint=f"realtime-nb serve --{stage} {near[0]}",
    )


# ---------------------------------------------------------------- loading
def _stage(stage: str, spec: str, tell: Tell, *needs: Any) -> Any:
    """One stage, loaded and warm."""
    remote = _REMOTE.fullmatch(spec)
    if remote:
        tell(stage, f"{remote['model']} at {remote['url']}")
        loaded = _load(stage, "openai", (remote["url"], remote["model"]))
    else:
        tell(stage, f"{spec}: looking for it")
        files = ensure(spec, progress=lambda step: _tell_fetch(tell, step))
        tell(stage, f"{spec}: loading")
        loaded = _load(stage, spec, (files, *needs))
        tell(stage, f"{spec}: warming")
        _WARM_UP.get(stage, _nothing)(loaded)
    tell(stage, f"{spec}: ready", 1.0)
    return loaded


def _tell_fetch(tell: Tell, step: Fetched) -> None:
    tell(step.stage, f"{step.model}: fetching {step.total_bytes / 1e6:.0f} MB", step.fraction)


def _load(stage: str, spec: str, given: tuple[Any, ...]) -> Any:
    load = _LOADERS[stage].get(spec) or _REMOTES[stage]
    try:
        return load(*given)
    except ModuleNotFoundError as fault:
        raise MissingExtra(
            f"{spec} needs the package {fault.name}, which is not installed", hint='pip install "realtime-nb[local]"'
        ) from fault


def _silero(files: Files) -> Vad:
    from realtime_nb.engine.silero import SileroVad

    return SileroVad(files)


def _smart_turn(files: Files) -> TurnEnd:
    from realtime_nb.engine.smart_turn import SmartTurn

    return SmartTurn(files)


def _moonshine(files: Files, vad: Any) -> Asr:
    from realtime_nb.engine.moonshine import MoonshineAsr

    return MoonshineAsr(files, vad)


def _qwen(files: Files) -> Llm:
    from realtime_nb.engine.llama import qwen

    return qwen(files)


def _smollm(files: Files) -> Llm:
    from realtime_nb.engine.llama import smollm

    return smollm(files)


def _piper(files: Files) -> Tts:
    from realtime_nb.engine.piper import PiperTts

    return PiperTts(files)


def _kokoro(files: Files) -> Tts:
    from realtime_nb.engine.kokoro import KokoroTts

    return KokoroTts(files)


_LOADERS: Final[Mapping[str, Mapping[str, Callable[..., Any]]]] = {
    "vad": {_VAD: _silero},
    "ending": {_ENDING: _smart_turn},
    "asr": {"moonshine-tiny-en": _moonshine},
    "llm": {"qwen2.5-coder-0.5b-instruct": _qwen, "smollm2-135m-instruct": _smollm},
    "tts": {"piper-en-us-joe": _piper, "kokoro-82m": _kokoro},
}


def _http_asr(url: str, model: str) -> Asr:
    from realtime_nb.engine.http_stages import HttpAsr

    return HttpAsr(url, model)


def _http_llm(url: str, model: str) -> Llm:
    from realtime_nb.engine.http_stages import HttpLlm

    return HttpLlm(url, model)


def _http_tts(url: str, model: str) -> Tts:
    from realtime_nb.engine.http_stages import HttpTts

    return HttpTts(url, model)


_REMOTES: Final[Mapping[str, Callable[[str, str], Any]]] = {"asr": _http_asr, "llm": _http_llm, "tts": _http_tts}


# ---------------------------------------------------------------- warming: each does its work once
def _nothing(_loaded: Any) -> None:
    """It needs no warming."""


def _hear(asr: Asr) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, asr.rate).astype(np.float32)
    asr.transcribe(noise, cancel=Cancel())


def _judge(ending: TurnEnd) -> None:
    ending.complete(np.zeros(ending.rate, np.float32))


def _think(llm: Llm) -> None:
    llm.warm((ChatMessage("system", "You are a helpful assistant."),))


def _speak(tts: Tts) -> None:
    for _chunk in tts.speak("Hello there.", voice="alloy", speed=1.0, cancel=Cancel()):
        pass


_WARM_UP: Final[Mapping[str, Callable[[Any], None]]] = {"asr": _hear, "ending": _judge, "llm": _think, "tts": _speak}
