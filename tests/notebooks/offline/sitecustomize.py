"""A process without a network: Python imports this first where this folder is on ``PYTHONPATH``.

Names are not looked up, and nothing beyond this machine is called or sent to. A kernel talks with its client by
loopback, so that works.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any


def _refuse_far(host: Any) -> None:
    if not isinstance(host, str) or host in {"", "localhost"}:
        return
    try:
        near = ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        near = False
    if not near:
        raise OSError(f"a lesson's replay wanted the network: {host!r}")


def _guard(name: str) -> None:
    real = getattr(socket.socket, name)

    def guarded(self: socket.socket, *given: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            _refuse_far(given[-1][0])
        return real(self, *given)

    setattr(socket.socket, name, guarded)


def _near_only(host: Any, *given: Any, **named: Any) -> Any:
    _refuse_far(host.decode() if isinstance(host, bytes) else host)
    return _look_up(host, *given, **named)


_look_up = socket.getaddrinfo

if __name__ == "sitecustomize":  # a collector of tests imports it by another name, and keeps its network
    for _name in ("connect", "connect_ex", "sendto"):
        _guard(_name)
    socket.getaddrinfo = _near_only
