"""Short-lived ``ek_`` secrets for browsers: made for a holder of the token, good for sessions alone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from realtime_nb.server.security import Grant

__all__ = ["LONGEST_S", "SHORTEST_S", "USUAL_S", "EphemeralSecrets"]

SHORTEST_S, USUAL_S, LONGEST_S = 10, 600, 7200
"""How long a secret may live, in seconds (protocol, 1.2)."""


@dataclass(frozen=True)
class _Issued:
    grant: Grant
    deadline: float


class EphemeralSecrets:
    """The secrets that are out; they end with the server.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.

    Notes
    -----
    A secret may open several sessions until it expires, and sessions outlive it
    (protocol, 1.2). Only digests are kept: a look into memory shows no secret, and
    a look-up takes no longer for a near miss.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._issued: dict[bytes, _Issued] = {}

    def issue(self, seconds: float, session: Mapping[str, Any], origin: str | None = None) -> str:
        """Make a secret.

        Parameters
        ----------
        seconds : float
            How long it lives.
        session : mapping
            The fields a session opened with it starts from.
        origin : str, optional
            Of the page it is for, which may then make calls with it from there.

        Returns
        -------
        str
            ``ek_`` and 256 random bits.
        """
        self._drop_expired()
        value = f"ek_{secrets.token_urlsafe(32)}"
        grant = Grant(ephemeral=True, session=dict(session), origin=origin)
        self._issued[_digest(value)] = _Issued(grant, self._clock() + seconds)
        return value

    def grant(self, shown: str) -> Grant | None:
        """Say what a secret allows.

        Parameters
        ----------
        shown : str
            What the caller shows.

        Returns
        -------
        Grant or None
            None when it is none of ours, or has expired.
        """
        issued = self._issued.get(_digest(shown))
        return issued.grant if issued is not None and self._clock() < issued.deadline else None

    def serves(self, origin: str) -> bool:
        """Say whether a secret is out for pages of an origin."""
        now = self._clock()
        return any(issued.grant.origin == origin and now < issued.deadline for issued in self._issued.values())

    def _drop_expired(self) -> None:
        now = self._clock()
        self._issued = {digest: issued for digest, issued in self._issued.items() if now < issued.deadline}

    def __repr__(self) -> str:
        return f"<EphemeralSecrets {len(self._issued)} out>"


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
