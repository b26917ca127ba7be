"""The cancel a stage is given: set by the client's, or by the pipeline's own, and waited for like any event."""

from __future__ import annotations

import threading

import pytest

from realtime_nb.engine.base import Cancel
from realtime_nb.engine.pipeline import _Either


@pytest.mark.parametrize("which", [0, 1])
def test_whoever_waits_is_woken_by_either(which: int) -> None:
    """A stage that waits on its cancel is woken when the one or the other is set."""
    both = Cancel(), Cancel()
    either = _Either(*both)
    assert not either.wait(0.001)
    threading.Timer(0.01, both[which].set).start()
    assert either.wait(60)
    assert either.wait(0)
