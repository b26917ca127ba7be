"""Whether a turn is over, by its melody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb.engine.base import Samples
from realtime_nb.engine.smart_turn import SmartTurn, log_mel


@pytest.fixture(scope="module")
def judge(weights_or_skip: Callable[..., Any]) -> SmartTurn:
    """The end-of-turn model."""
    return SmartTurn(weights_or_skip("smart-turn-v3.2"))


@pytest.mark.models
@pytest.mark.parametrize("name", ["austen_0870", "goforward", "jfk", "something", "question"])
def test_a_finished_turn_is_complete(judge: SmartTurn, speech: Callable[[str], Samples], name: str) -> None:
    """Recordings of whole sentences are judged complete."""
    assert judge.complete(speech(name)) > 0.8


@pytest.mark.models
@pytest.mark.parametrize("name", ["austen_0870", "jfk", "question"])
def test_a_turn_cut_short_is_not(judge: SmartTurn, speech: Callable[[str], Samples], name: str) -> None:
    """The same recordings, cut at 60 %, are not."""
    samples = speech(name)
    assert judge.complete(samples[: len(samples) * 6 // 10]) < 0.2


@pytest.mark.models
def test_only_the_last_eight_seconds_count(judge: SmartTurn, speech: Callable[[str], Samples]) -> None:
    """What was said long before does not matter; too little sound, or none, is judged too."""
    samples = speech("jfk")
    assert judge.complete(samples) == judge.complete(samples[-8 * judge.rate :])
    assert 0.0 <= judge.complete(np.zeros(0, np.float32)) <= 1.0


def test_a_tone_is_one_mel() -> None:
    """A steady tone is loudest, all the time, in the filter at its pitch: 1 kHz is mel 15 of 45.2."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(128_000) / 16_000).astype(np.float32)
    features = log_mel(tone)
    assert features.shape == (80, 800)
    assert set(features[:, 5:-5].argmax(axis=0)) == {26}
    assert features.max() - features.min() == pytest.approx(2.0)
