"""A report in one HTML file: no network, no script; what was said is text in it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from realtime_nb import plots
from realtime_nb.archive.markdown import facts, rows, said, who
from realtime_nb.audio.player import player_html

if TYPE_CHECKING:
    from realtime_nb.archive.saved import SavedHistory

__all__ = ["report"]

_PLOTS = ("timeline", "latency", "tokens", "cost", "context", "rate_limits")
_FRAMES = ("turns", "usage", "what_if")
_MAX_ROWS = 500
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1e21;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}
.item{margin:1rem 0;padding-left:.8rem;border-left:3px solid #c8ccd0}.item>b{display:block}.said{white-space:pre-wrap}
table{border-collapse:collapse;font-size:12px;display:block;overflow-x:auto}
th,td{padding:2px 8px;text-align:left;border-bottom:1px solid #e3e5e8;vertical-align:top}img{max-width:100%}
"""


def report(saved: SavedHistory) -> str:
    """Make the page.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.

    Returns
    -------
    str
        HTML with everything in it: transcript with players, plots as pictures, frames. A policy in it
        forbids scripts and the network.
    """
    known = "".join(f"<tr><th>{name}</th><td>{escape(fact)}</td></tr>" for name, fact in facts(saved))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Conversation with {escape(saved.card.name)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Conversation</h1><table>{known}</table>"
        f"<h2>What was said</h2>{''.join(_items(saved))}"
        f"<h2>What happened</h2>{''.join(_plots(saved))}"
        f"<h2>Figures</h2>{''.join(_frames(saved))}</body></html>\n"
    )


def _items(saved: SavedHistory) -> Iterator[str]:
    for row in rows(saved.history):
        words, sound = said(row), saved.sounds.get(row["item_id"])
        if words or sound:
            player = player_html(sound, voice="model" if row["role"] == "assistant" else "user") if sound else ""
            yield f'<div class="item"><b>{escape(who(row))}</b><div class="said">{escape(words)}</div>{player}</div>'


def _plots(saved: SavedHistory) -> Iterator[str]:
    draw = {name: getattr(saved.plot, name) for name in _PLOTS}
    if voices := saved.audio:  # None, too, where there are sounds of which nothing was heard
        draw["waveform"] = partial(saved.plot.waveform, voices)
    for name, plot in draw.items():
        picture = io.BytesIO()
        with plots.theme("light"):  # the page is, whatever the notebook is
            plot().figure.savefig(picture, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(picture.getvalue()).decode()
        yield f'<p><img alt="{name.replace("_", " ")}" src="data:image/png;base64,{data}"></p>'


def _frames(saved: SavedHistory) -> Iterator[str]:
    for name in _FRAMES:
        table = getattr(saved, name)
        more = f"<p>The first {_MAX_ROWS:,} of {len(table):,} rows.</p>" if len(table) > _MAX_ROWS else ""
        yield f"<h3>{name}</h3>{table.head(_MAX_ROWS).to_html(index=False, escape=True, na_rep='', border=0)}{more}"
