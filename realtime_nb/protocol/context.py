"""What a response reads: counted by modality, cut to fit, and what of it the cache saved (protocol, 5 and 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from .conversation import Conversation
from .items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    OutputAudio,
    Part,
    text_of,
)
from .limits import Limits
from .pictures import read_data_url
from .session_config import RetentionRatio, Truncation
from .tools import FunctionTool
from .usage import CachedTokens, InputTokens, audio_in_tokens, audio_out_tokens, image_tokens

__all__ = ["Context", "ContextOverflow", "Cost", "Counter", "cached_split", "is_read", "without_orphans"]

MESSAGE_TOKENS = 4
"""What an item costs beside its text: the marks of its role (2 to 12 at the service)."""
CACHE_STEP = 64
"""Cached tokens come in multiples of this."""


_UNREAD = (McpListTools, McpApprovalRequest, McpApprovalResponse)  # a union would be made anew for each item


class Cost(NamedTuple):
    """Tokens by modality."""

    text: int = 0
    audio: int = 0
    image: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.audio + self.image

    def plus(self, other: Cost) -> Cost:
        """Add two costs."""
        return Cost(self.text + other.text, self.audio + other.audio, self.image + other.image)


class ContextOverflow(Exception):
    """The context does not fit, and may not be cut so that it does."""


def is_read(item: Item) -> bool:
    """Tell whether a model reads this item at all.

    Not what is unfinished or was cut before its first word, and not what only client and server tell each other.

    Parameters
    ----------
    item : Item
        Any item.

    Returns
    -------
    bool
        False for items in progress, cut calls, empty messages, and MCP's lists and approvals.
    """
    if item.status == "in_progress" or isinstance(item, _UNREAD):
        return False
    if isinstance(item, (FunctionCall, McpCall)):
        return item.status != "incomplete"
    return not isinstance(item, Message) or any(_says_something(part) for part in item.content)


def _says_something(part: Part) -> bool:
    match part:
        case InputAudio() | InputImage():
            return True
        case OutputAudio():
            return bool(part.transcript)
        case _:
            return bool(part.text)


class Counter:
    """Counts tokens by the rules of protocol 5.2; remembers each item's cost while the item stays the same.

    Parameters
    ----------
    count : Callable[[str], int]
        Tokens in a text, by the model's own tokenizer.
    """

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._known: dict[str, tuple[Item, int, Cost]] = {}

    def text(self, text: str) -> int:
        """Tokens in a text."""
        return self._count(text) if text else 0

    def fixed(self, instructions: str, tools: Sequence[FunctionTool]) -> Cost:
        """Count what every response reads: instructions and the tools' schemas.

        Parameters
        ----------
        instructions : str
            The response's.
        tools : Sequence[FunctionTool]
            The response's.

        Returns
        -------
        Cost
            Text only.
        """
        schemas = sum(self.text(msgspec.json.encode(tool).decode()) for tool in tools)
        return Cost(text=self.text(instructions) + schemas + MESSAGE_TOKENS)

    def item(self, conversation: Conversation, item: Item) -> Cost:
        """Count an item.

        Parameters
        ----------
        conversation : Conversation
            Which has the item's sound.
        item : Item
            The item.

        Returns
        -------
        Cost
            The user's sound by 100 ms, the assistant's by 50 ms with its transcript as text, pictures by estimate.
        """
        size = sum(ledger.size for i in range(_parts(item)) if (ledger := conversation.sound(item.id, i)))
        known = self._known.get(item.id)
        if known is None or known[0] is not item or known[1] != size:
            known = (item, size, self._cost(conversation, item))
            self._known[item.id] = known
        return known[2]

    def keep(self, conversation: Conversation) -> None:
        """Forget the costs of items that are not in the conversation."""
        self._known = {name: known for name, known in self._known.items() if name in conversation}

    def _cost(self, conversation: Conversation, item: Item) -> Cost:
        if isinstance(item, Message):
            cost = Cost(text=MESSAGE_TOKENS)
            for index, part in enumerate(item.content):
                ledger = conversation.sound(item.id, index)
                cost = cost.plus(self._part(part, ledger.ms if ledger else 0.0))
            return cost
        name = item.name if isinstance(item, FunctionCall | McpCall) else None
        output = _given(item) if isinstance(item, McpCall) else None
        words = " ".join(filter(None, (name, text_of(item), output)))
        return Cost(text=self.text(words) + MESSAGE_TOKENS)

    def _part(self, part: Part, ms: float) -> Cost:
        match part:
            case InputAudio():
                return Cost(audio=audio_in_tokens(ms))
            case OutputAudio():
                return Cost(text=self.text(part.transcript or ""), audio=audio_out_tokens(ms))
            case InputImage():
                picture = read_data_url(part.image_url)
                return Cost(image=image_tokens(picture.width, picture.height, part.detail or "auto") if picture else 0)
            case _:
                return Cost(text=self.text(part.text))


def _given(call: McpCall) -> str | None:
    return call.error.message if call.error else call.output


def _parts(item: Item) -> int:
    return len(item.content) if isinstance(item, Message) else 0


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What one response reads, decided when it begins."""

    ids: tuple[str, ...]
    """The items that were kept, in order."""
    fixed: Cost
    costs: tuple[Cost, ...]

    @property
    def total(self) -> int:
        """Tokens in all."""
        return self.fixed.total + sum(cost.total for cost in self.costs)

    @classmethod
    def fit(cls, items: Sequence[tuple[Item, Cost]], fixed: Cost, truncation: Truncation, limits: Limits) -> Context:
        """Cut the context to what the model can read (protocol, 6.2).

        ``auto`` drops the oldest items until the rest fits; instructions and tools are never dropped.
        A retention ratio drops down to that share of the limit at once. The newest item always stays.
        An output whose call was dropped goes with it.

        Parameters
        ----------
        items : Sequence of (Item, Cost)
            Oldest first.
        fixed : Cost
            Instructions and tools.
        truncation : Truncation
            The session's.
        limits : Limits
            ``max_input_tokens`` is the window.

        Returns
        -------
        Context
            What is kept.

        Raises
        ------
        ContextOverflow
            When nothing may be dropped, or dropping does not help.
        """
        most = min(limits.max_input_tokens, limits.context_tokens)
        limit = most - fixed.total
        ratio = 1.0
        if isinstance(truncation, RetentionRatio):
            ratio = truncation.retention_ratio
            if truncation.token_limits and (cap := truncation.token_limits.post_instructions) is not None:
                limit = min(limit, cap)
        total = sum(cost.total for _, cost in items)
        first = 0
        if total > limit:
            if truncation == "disabled":
                raise ContextOverflow(f"{total + fixed.total} tokens do not fit into {most}")
            first, total = _drop(items, total, int(limit * ratio))
        if total > limit or limit < 0:
            raise ContextOverflow(f"{total + fixed.total} tokens do not fit into {most}")
        kept = without_orphans(items[first:]) if first else items
        return cls(ids=tuple(item.id for item, _ in kept), fixed=fixed, costs=tuple(cost for _, cost in kept))


def _drop(items: Sequence[tuple[Item, Cost]], total: int, target: int) -> tuple[int, int]:
    first = 0
    while total > target and first < len(items) - 1:
        total -= items[first][1].total
        first += 1
    return first, total


def without_orphans(items: Sequence[tuple[Item, Cost]]) -> list[tuple[Item, Cost]]:
    """Leave out the outputs whose calls are not there.

    Parameters
    ----------
    items : Sequence of (Item, Cost)
        What is left of a conversation whose beginning was dropped.

    Returns
    -------
    list of (Item, Cost)
        The others.
    """
    calls = {item.call_id for item, _ in items if isinstance(item, FunctionCall)}
    return [(item, cost) for item, cost in items if not isinstance(item, FunctionCallOutput) or item.call_id in calls]


def cached_split(context: Context, prompt_tokens: int, cached_tokens: int) -> InputTokens:
    """Say what was read, by modality, and what of it the cache saved.

    The brain counts its own prompt, where spoken words are text; so what it saved is taken as a share,
    ``cached / prompt``, of what was read by the service's rules. A cache keeps a prefix: the share is
    spent from the front -- instructions and tools, then item by item -- and each modality's part of it
    is floored to a multiple of 64. So the sum is never above what was really saved.

    Parameters
    ----------
    context : Context
        What the response read.
    prompt_tokens, cached_tokens : int
        The brain's own report.

    Returns
    -------
    InputTokens
        With all sub-fields.
    """
    costs = (context.fixed, *context.costs)
    read = _sum(costs)
    share = min(cached_tokens, prompt_tokens) / prompt_tokens if prompt_tokens > 0 else 0.0
    saved = _prefix(costs, int(read.total * share))
    text, audio, image = (tokens - tokens % CACHE_STEP for tokens in saved)
    return InputTokens(
        text_tokens=read.text,
        audio_tokens=read.audio,
        image_tokens=read.image,
        cached_tokens=text + audio + image,
        cached_tokens_details=CachedTokens(text_tokens=text, audio_tokens=audio, image_tokens=image),
        image_tokens_estimated=bool(read.image),
    )


def _sum(costs: Iterable[Cost]) -> Cost:
    return Cost(*map(sum, zip(*costs, strict=True)))


def _prefix(costs: Iterable[Cost], budget: int) -> Cost:
    spent = []
    for cost in costs:
        if cost.total > budget:
            text = min(cost.text, budget)
            audio = min(cost.audio, budget - text)
            spent.append(Cost(text, audio, budget - text - audio))
            break
        spent.append(cost)
        budget -= cost.total
    return _sum(spent)
