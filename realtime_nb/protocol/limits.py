"""What a session may use: sizes, times, and tokens a minute (protocol, 6; all are options)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .events import RateLimit

__all__ = ["Limits", "RateLimiter", "RateRefusal"]

MIB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every limit of a session. None, where it is allowed, is no limit."""

    context_tokens: int = 32_000
    """The model's window (gpt-realtime-mini: 32,000)."""
    max_input_tokens: int = 28_224
    """What of it a response may read; the SDK's docs name it for a 32k model."""
    max_output_tokens: int = 4_096
    """What a response may write, where it says ``inf``."""
    event_bytes: int = 16 * MIB
    """One frame of the client."""
    append_bytes: int = 15 * MIB
    """The audio of one ``input_audio_buffer.append``, as it is sent: in base64; refused before the frame is."""
    min_commit_ms: int = 100
    """The least sound that ``input_audio_buffer.commit`` takes."""
    audio_buffer_s: float = 600.0
    """Uncommitted sound; with turn detection the oldest is forgotten, without it the append is refused."""
    item_bytes: int = 64 * MIB
    """The sound of a retrieved item, in base64; a longer one is left out. Clients that read no larger messages than
    8 MiB, as openai-agents, and listen to turns of minutes need less than that."""
    items: int = 2_000
    """Items in the conversation."""
    responses: int = 8
    """Responses in progress at once, out of band ones included."""
    image_bytes: int = 20_000_000
    """One picture, decoded from base64."""
    image_pixels: int = 16_000_000
    """One picture, as its header says."""
    session_s: float | None = 3_600.0
    """A session's life; it ends with ``session_expired`` and close 1001."""
    idle_s: float | None = 1_800.0
    """Time without any event of the client, after which the session is closed with 1001."""
    bad_events: int = 100
    """So many refused events in :attr:`bad_events_s` close the connection with 1008."""
    bad_events_s: float = 10.0


class RateRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response may not start."""

    kind: str
    """``requests`` or ``tokens``."""
    message: str
    wait_s: float | None
    """When to try again; None when it is never allowed."""


class _Bucket:
    """A limit that fills up again linearly, a sixtieth of it each second."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self._missing = 0.0
        self._at: float | None = None

    def missing(self, now: float) -> float:
        if self._at is not None:
            self._missing = max(0.0, self._missing - (now - self._at) * self.limit / 60)
        self._at = now
        return self._missing

    def take(self, amount: float, now: float) -> None:
        self._missing = max(0.0, self.missing(now) + amount)

    def wait_s(self, amount: float, now: float) -> float | None:
        """Seconds until so much can be taken; 0 for now, None for never."""
        if amount > self.limit:
            return None
        return max(0.0, (self.missing(now) + amount - self.limit) * 60 / self.limit) if self.limit else None

    def tighten(self, limit: int, remaining: int, now: float) -> None:
        """Believe whoever says that less is left."""
        self.limit = min(self.limit, limit)
        self._missing = max(self.missing(now), float(self.limit - remaining))

    def row(self, now: float) -> RateLimit:
        missing = self.missing(now)
        return RateLimit(
            name="requests" if self.name == "requests" else "tokens",
            limit=self.limit,
            remaining=max(0, int(self.limit - missing)),
            reset_seconds=round(missing * 60 / self.limit, 3) if self.limit else 0.0,
        )


class RateLimiter:
    """Requests and tokens a minute: reserved when a response starts, settled when it ends (protocol, 6.1).

    A reservation is the estimate of what a response reads, and all it may write. Both limits fill up
    linearly, a sixtieth each second. May be shared by all sessions of a server.

    Parameters
    ----------
    requests_per_min : int
        Responses a minute; 0 where the tier does not serve the model (Free).
    tokens_per_min : int
        Tokens a minute, input and output together.
    enforce : bool
        False counts and shows, but refuses nothing.
    model : str
        Named in the refusal.

    Examples
    --------
    >>> limiter = RateLimiter(requests_per_min=200, tokens_per_min=40_000, model="gpt-realtime-mini")
    >>> limiter.reserve(39_000, now=0.0)
    >>> limiter.reserve(5_280, now=0.0).message
    'Rate limit reached for gpt-realtime-mini on tokens per min (TPM): Limit 40000, Used 39000, Requested 5280. Please try again in 6.42s.'
    >>> limiter.settle(39_000, 1_510, now=0.0)
    >>> limiter.rows(now=0.0)[1]
    RateLimit(name='tokens', limit=40000, remaining=38490, reset_seconds=2.265)
    """  # noqa: E501 -- the message is the service's own

    def __init__(self, *, requests_per_min: int, tokens_per_min: int, enforce: bool = True, model: str = "") -> None:
        self._requests = _Bucket("requests", requests_per_min)
        self._tokens = _Bucket("tokens", tokens_per_min)
        self._enforce = enforce
        self._model = model

    def reserve(self, tokens: int, now: float) -> RateRefusal | None:
        """Take one request and so many tokens, or say why not.

        Parameters
        ----------
        tokens : int
            What the response reads, and all it may write.
        now : float
            Monotonic seconds.

        Returns
        -------
        RateRefusal or None
            None when it may start; nothing is taken otherwise.
        """
        if self._enforce:
            for bucket, amount, unit in ((self._requests, 1, "RPM"), (self._tokens, tokens, "TPM")):
                wait = bucket.wait_s(amount, now)
                if wait is None or wait > 0:
                    return self._refusal(bucket, amount, unit, wait, now)
        self._requests.take(1, now)
        self._tokens.take(tokens, now)
        return None

    def _refusal(self, bucket: _Bucket, amount: int, unit: str, wait_s: float | None, now: float) -> RateRefusal:
        fact = f"for {self._model or 'the model'} on {bucket.name} per min ({unit}): Limit {bucket.limit}"
        if bucket.limit == 0:
            message = f"Rate limit reached {fact}. This tier does not serve the model."
        elif wait_s is None:
            message = f"Request too large {fact}, Requested {amount}."
        else:
            used = round(bucket.missing(now))
            message = f"Rate limit reached {fact}, Used {used}, Requested {amount}. Please try again in {wait_s:.3g}s."
        return RateRefusal(kind=bucket.name, message=message, wait_s=wait_s)

    def settle(self, reserved: int, used: int, now: float) -> None:
        """Give back what a response reserved and did not use.

        Parameters
        ----------
        reserved, used : int
            Tokens.
        now : float
            Monotonic seconds.
        """
        self._tokens.take(used - reserved, now)

    def told(self, rows: Iterable[RateLimit], now: float) -> None:
        """Take over what a server says is left, where that is less: others may use the same limit.

        Parameters
        ----------
        rows : iterable of RateLimit
            Of ``rate_limits.updated``.
        now : float
            Monotonic seconds.

        Examples
        --------
        >>> limiter = RateLimiter(requests_per_min=200, tokens_per_min=40_000)
        >>> limiter.told([RateLimit(name="tokens", limit=40_000, remaining=4_000, reset_seconds=54.0)], now=0.0)
        >>> limiter.reserve(10_000, now=0.0).wait_s
        9.0
        """
        buckets = {"requests": self._requests, "tokens": self._tokens}
        for row in rows:
            if row.name in buckets:
                buckets[row.name].tighten(row.limit, row.remaining, now)

    def rows(self, now: float) -> tuple[RateLimit, ...]:
        """Say what is left, as ``rate_limits.updated`` carries it.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        tuple of RateLimit
            ``requests``, then ``tokens``. The live service was only seen to send ``tokens``; the types allow both.
        """
        return self._requests.row(now), self._tokens.row(now)
