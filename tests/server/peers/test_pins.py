"""Which versions of the other projects' clients our server is held against."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.mark.parametrize("peer", ["openai", "openai-agents"])
def test_a_peer_beside_us_is_pinned(peer: str) -> None:
    """What its next version sends is looked at before it is believed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [wanted] = [line for line in extras["dev"] if re.match(rf"{peer}\b(?!-)", line)]
    assert re.fullmatch(rf"{peer}==\d+(\.\d+)+", wanted)


@pytest.mark.parametrize(
    ("file", "peer"),
    [("pipecat", "pipecat-ai"), ("livekit", "livekit-plugins-openai"), ("livekit", "livekit-agents")],
)
def test_a_peer_in_an_environment_of_its_own_is_pinned_with_all_it_wants(file: str, peer: str) -> None:
    """Every line is one version, the peer's among them."""
    lines = [line for line in (HERE / "isolated" / f"{file}.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.match(r"[a-z0-9_.-]+(\[[a-z,]+\])?==[0-9][^ ]*( ; .+)?$", line) for line in lines)
    assert any(line.startswith((f"{peer}==", f"{peer}[")) for line in lines)
