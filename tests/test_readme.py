"""The README's Python blocks run, in order, as a person would run them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_cell(source: str, namespace: dict[str, Any]) -> None:
    """Run a cell as IPython does: with `await` allowed at the top."""
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307 - the project's own README
    if inspect.isawaitable(result):
        asyncio.run(_wait(result))


async def _wait(awaitable: Any) -> None:
    await awaitable


@pytest.mark.models
@pytest.mark.usefixtures("engine_weights")
def test_the_blocks_of_the_readme_run_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the README works when pasted into one notebook, with no key and no network."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert len(blocks) >= 3
    namespace: dict[str, Any] = {}
    try:
        for block in blocks:
            run_cell(block, namespace)
    finally:
        rt.local.stop()
    assert "paris" in namespace["session"].history["arguments"].dropna().str.lower().str.cat()
