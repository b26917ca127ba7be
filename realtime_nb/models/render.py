"""Draws a card: plain text, and HTML that follows the notebook's theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from realtime_nb.models.card import ModelCard
from realtime_nb.models.words import ENDPOINTS

__all__ = ["as_html", "as_text"]

# Colours come from JupyterLab's theme; elsewhere from the text's own colour, so dark pages work too.
_STYLE = """
.rtnb-card { --ink: var(--jp-content-font-color1, currentColor); --dim: var(--jp-content-font-color2, currentColor);
  --line: var(--jp-border-color2, rgba(128, 128, 128, .35)); --tint: var(--jp-layout-color2, rgba(128, 128, 128, .12));
  color: var(--ink); border: 1px solid var(--line); border-radius: 8px;
  max-width: 46em; padding: .9em 1.1em; line-height: 1.45 }
.rtnb-card h3 { margin: 0; font-size: 1.15em }
.rtnb-card h4 { margin: .9em 0 .2em; font-size: .85em; font-weight: 600; color: var(--dim) }
.rtnb-card p { margin: .1em 0 .6em; color: var(--dim) }
.rtnb-card small { display: block; margin-top: .6em; color: var(--dim) }
.rtnb-card table { border-collapse: collapse; margin: .3em 0 0; font-size: .92em; color: inherit }
.rtnb-card tr { background: none }
.rtnb-card th, .rtnb-card td { padding: .2em .9em .2em 0; text-align: left; vertical-align: top; border: 0 }
.rtnb-card th { font-weight: 500; color: var(--dim); white-space: nowrap }
.rtnb-card table.figures :is(th, td) { border-bottom: 1px solid var(--line) }
.rtnb-card table.figures :is(th, td):not(:first-child) {
  text-align: right; font-variant-numeric: tabular-nums; padding: .2em .5em .2em 1em }
.rtnb-card .chip { display: inline-block; background: var(--tint); border-radius: 1em;
  padding: 0 .7em; margin: 0 .35em .3em 0; font-size: .88em }
.rtnb-card .no { opacity: .6; text-decoration: line-through }
.rtnb-card .tables { display: flex; flex-wrap: wrap; gap: 0 2.5em }
"""


def as_text(card: ModelCard) -> str:
    """The card as lines of text.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    str
        Title and text of every fact.
    """
    facts = card.facts
    width = max(map(len, facts), default=0)
    lines = [f"{card.name}: {card.summary}", *(f"  {title:<{width}}  {text}" for title, text in facts.items())]
    return "\n".join([*lines, f"  {'sources':<{width}}  {'; '.join(card.sources)}"])


def as_html(card: ModelCard) -> str:
    """The card as a box with its facts, prices and limits.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    str
        HTML; everything of the card is escaped.
    """
    parts = [
        f"<style>{_STYLE}</style>",
        f"<h3>{escape(card.name)}</h3><p>{escape(card.summary)}</p>",
        _chips(f"{title}: {text}" for title, text in card.labels.items()),
        _facts(card),
        f'<div class="tables">{_prices(card)}{_tiers(card)}</div>',
        _endpoints(card),
        f"<small>Sources: {escape('; '.join(card.sources))}</small>",
    ]
    return f'<div class="rtnb-card">{"".join(parts)}</div>'


def _chips(texts: Iterable[str]) -> str:
    chips = "".join(f'<span class="chip">{escape(text)}</span>' for text in texts)
    return f"<div>{chips}</div>" if chips else ""


def _facts(card: ModelCard) -> str:
    """The lines that are drawn neither as chips nor as tables of their own."""
    elsewhere = {
        *card.labels,
        *(f"{kind} tokens" for kind in card.rates),
        *(f"tier {t.tier}" for t in card.tier_limits),
    }
    rows = "".join(
        f"<tr><th scope='row'>{escape(title)}</th><td>{escape(text)}</td></tr>"
        for title, text in card.facts.items()
        if title not in elsewhere
    )
    return f"<table>{rows}</table>"


def _prices(card: ModelCard) -> str:
    rows = [(kind, _usd(r.input), _usd(r.cached), _usd(r.output)) for kind, r in card.rates.items()]
    return _figures("Prices, USD per 1M tokens", ("kind", "input", "cached input", "output"), rows)


def _tiers(card: ModelCard) -> str:
    rows = [(limit.tier, _count(limit.rpm), _count(limit.tpm)) for limit in card.tier_limits]
    return _figures("Rate limits by usage tier", ("tier", "requests/min", "tokens/min"), rows)


def _figures(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f'<table class="figures"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
    return f"<div><h4>{escape(title)}</h4>{table}</div>"


def _endpoints(card: ModelCard) -> str:
    """The platform's endpoints, those of this model first, the others struck out."""
    ordered = sorted(ENDPOINTS, key=lambda path: path not in card.endpoints)
    chips = "".join(
        f'<span class="chip{"" if path in card.endpoints else " no"}" title="{escape(path)}">'
        f"{escape(ENDPOINTS[path])}</span>"
        for path in ordered
    )
    return f"<h4>Endpoints of the platform</h4><div>{chips}</div>"


def _usd(price: float | None) -> str:
    return "-" if price is None else f"{price:.2f}"


def _count(number: int | None) -> str:
    return "not supported" if number is None else f"{number:,}"
