"""The lines of a card in words: drawn by its repr, quoted by its errors."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_nb.models.card import ModelCard, Shutdown, TierLimit

__all__ = ["facts"]


def facts(card: ModelCard) -> dict[str, str]:
    """Title and text of every line that `card` has, in the order of the published card.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    dict of str to str
        Lines without a text are left out.
    """
    lines = [*card.labels.items(), *_abilities(card), *_sizes(card), *_names(card), *_money(card)]
    return {title: text for title, text in lines if text}


def _abilities(card: ModelCard) -> Iterator[tuple[str, str]]:
    note = f" ({card.modality_note})" if card.modality_note else ""
    yield "input modalities", ", ".join(card.input_modalities)
    yield "output modalities", ", ".join(card.output_modalities) + note
    yield "connections", ", ".join(card.connections)
    yield "endpoints", ", ".join(card.endpoints)
    yield "supported", ", ".join(card.supported)
    yield "not supported", ", ".join(card.unsupported)


def _sizes(card: ModelCard) -> Iterator[tuple[str, str]]:
    sizes = {
        "context window": card.context_window,
        "max input": card.max_input_tokens,
        "max output": card.max_output_tokens,
    }
    for title, tokens in sizes.items():
        yield title, "" if tokens is None else f"{tokens:,} tokens"
    yield "knowledge cutoff", "" if card.knowledge_cutoff is None else card.knowledge_cutoff.isoformat()


def _names(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "snapshots", _snapshots(card)
    yield "shutdown", "" if card.shutdown is None else _end(card.shutdown)


def _snapshots(card: ModelCard) -> str:
    if not card.snapshots:
        return ""
    first, *others = card.snapshots
    also = f"; also {', '.join(others)}" if others else ""
    return f"{card.name} -> {first} (pin either){also}"


def _end(shutdown: Shutdown) -> str:
    then = f"; successor {shutdown.successor}" if shutdown.successor else ""
    return f"announced for {shutdown.date.isoformat()}: {', '.join(shutdown.names)}{then}"


def _money(card: ModelCard) -> Iterator[tuple[str, str]]:
    for kind, rate in card.rates.items():
        prices = {"in": rate.input, "cached in": rate.cached, "out": rate.output}
        text = ", ".join(f"${usd:.2f} {way}" for way, usd in prices.items() if usd is not None)
        yield f"{kind} tokens", f"{text} per 1M"
    yield "text input compared", ", ".join(f"{name} ${usd:.2f}" for name, usd in card.comparison.items())
    for limit in card.tier_limits:
        yield f"tier {limit.tier}", _limit(limit)


def _limit(limit: TierLimit) -> str:
    if limit.rpm is None or limit.tpm is None:
        return "not supported"
    return f"{limit.rpm:,} requests and {limit.tpm:,} tokens per minute"
