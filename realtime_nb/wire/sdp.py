"""What the two ends of a call agree on: SDP offers and answers of one G.711 audio line (RFC 8866, RFC 3264).

Telephone trunks speak G.711, so that is what is spoken: PCMU or PCMA at 8 kHz,
keys by RFC 4733, plain RTP. SRTP, Opus and video are answered with a port of 0,
and with 488 where nothing else is offered.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Literal

from realtime_nb.errors import RemoteProtocolError

__all__ = ["Codec", "Direction", "Media", "Offer", "SdpError", "read_answer", "read_offer", "write_offer"]

Codec = Literal["PCMU", "PCMA"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_STATIC: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}
"""Payload types that mean a codec without saying so (RFC 3551, 6)."""
_MIRROR: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
PTIMES_MS = (10, 20, 30, 40, 60)
KEYS = "telephone-event"
KEYS_TYPE = 101
MAX_LINES = 500


class SdpError(RemoteProtocolError):
    """A description that is broken, or has nothing this end can speak: 488."""


@dataclass(frozen=True)
class Media:
    """One end of the audio.

    Parameters
    ----------
    host : str
        An IP address; ``0.0.0.0`` is the old way of saying *hold*.
    port : int
        Of its RTP.
    codec : {"PCMU", "PCMA"}
        How the sound is coded.
    payload_type : int
        Of the sound.
    keys_type : int or None
        The payload type of pressed keys; None when they cannot be sent.
    ptime_ms : int
        Sound in a packet, in milliseconds.
    direction : {"sendrecv", "sendonly", "recvonly", "inactive"}
        As that end sees it.
    """

    host: str
    port: int
    codec: Codec = "PCMU"
    payload_type: int = 0
    keys_type: int | None = KEYS_TYPE
    ptime_ms: int = 20
    direction: Direction = "sendrecv"

    @property
    def sends(self) -> bool:
        """Whether that end means to send sound."""
        return self.direction in {"sendrecv", "sendonly"}

    @property
    def hears(self) -> bool:
        """Whether that end wants sound."""
        return self.direction in {"sendrecv", "recvonly"} and not ipaddress.ip_address(self.host).is_unspecified

    @property
    def holds(self) -> bool:
        """Whether that end has put the call on hold (RFC 3264, 8.4): it may play music meanwhile, or send nothing."""
        return not (self.sends and self.hears)


@dataclass(frozen=True)
class Offer:
    """What the other end offers.

    Parameters
    ----------
    media : Media
        Its first audio line that can be spoken.
    index : int
        Where that line stands among all of them.
    lines : tuple of str
        Each media line as it was offered; the others are refused with port 0.
    """

    media: Media
    index: int
    lines: tuple[str, ...]

    def answer(self, host: str, port: int, *, version: int) -> tuple[bytes, Media]:
        """Accept it.

        Parameters
        ----------
        host, port : str, int
            Where this end takes RTP.
        version : int
            Of the description; grows with each.

        Returns
        -------
        bytes, Media
            The answer, and this end as it describes it.
        """
        local = replace(self.media, host=host, port=port, direction=_MIRROR[self.media.direction])
        blocks = [_block(local) if at == self.index else _refused(line) for at, line in enumerate(self.lines)]
        return _description(host, version, blocks), local


def write_offer(host: str, port: int, *, version: int, codecs: tuple[Codec, ...] = ("PCMU", "PCMA")) -> bytes:
    """Offer G.711 and keys.

    Parameters
    ----------
    host, port : str, int
        Where this end takes RTP.
    version : int
        Of the description.
    codecs : tuple of {"PCMU", "PCMA"}
        In order of preference.

    Returns
    -------
    bytes
        The description.
    """
    names = {kind: codec for codec in codecs for kind, name in _STATIC.items() if name == codec}
    return _description(host, version, [_lines(port, names, KEYS_TYPE)])


def read_offer(body: bytes) -> Offer:
    """Read an offer.

    Parameters
    ----------
    body : bytes
        ``application/sdp``.

    Returns
    -------
    Offer
        To be answered.

    Raises
    ------
    SdpError
        When it is broken, or offers no G.711 over plain RTP.
    """
    session, blocks = _sections(body)
    for index, block in enumerate(blocks):
        if (media := _media(session, block)) is not None:
            return Offer(media, index, tuple(block[0] for block in blocks))
    raise SdpError("the offer has no audio line of G.711 (PCMU or PCMA) over RTP/AVP")


def read_answer(body: bytes) -> Media:
    """Read an answer: the other end's audio.

    Parameters
    ----------
    body : bytes
        ``application/sdp``.

    Returns
    -------
    Media
        The other end.

    Raises
    ------
    SdpError
        When it is broken, or accepts nothing.
    """
    return read_offer(body).media


# ---------------------------------------------------------------- reading
def _sections(body: bytes) -> tuple[list[str], list[list[str]]]:
    """The lines of the session, and those of each media line, which comes first."""
    lines = [line.strip() for line in body.decode("utf-8", "replace").replace("\r", "\n").split("\n") if line.strip()]
    if not lines or not lines[0].startswith("v=0") or len(lines) > MAX_LINES:
        raise SdpError("not an SDP description of version 0")
    session: list[str] = []
    blocks: list[list[str]] = []
    for line in lines:
        if line[1:2] != "=":
            raise SdpError(f"an SDP line reads type=value, not {line[:20]!r}")
        if line.startswith("m="):
            blocks.append([line])
        else:
            (blocks[-1] if blocks else session).append(line)
    return session, blocks


def _media(session: list[str], block: list[str]) -> Media | None:
    """A media line that can be spoken; None for one that cannot."""
    words = block[0][2:].split()
    if len(words) < 4 or words[0] != "audio" or words[2] not in {"RTP/AVP", "RTP/AVPF"}:
        return None
    port = _number(words[1].partition("/")[0], 65_535, "a port")
    types = [_number(word, 127, "a payload type") for word in words[3:]]
    names = _names(block)
    spoken = [(kind, codec) for kind in types if (codec := _codec(kind, names)) is not None]
    if port == 0 or not spoken:
        return None
    keys = next((kind for kind in types if names.get(kind, "").lower() == f"{KEYS}/8000"), None)
    return Media(
        host=_host(session, block),
        port=port,
        codec=spoken[0][1],
        payload_type=spoken[0][0],
        keys_type=keys,
        ptime_ms=_ptime(block),
        direction=_direction(session, block),
    )


def _number(text: str, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > most:
        raise SdpError(f"{text[:20]!r} is not {what}")
    return int(text)


def _names(block: list[str]) -> dict[int, str]:
    """Payload types with their encodings, as ``a=rtpmap`` gives them."""
    maps = (line[len("a=rtpmap:") :].split(maxsplit=1) for line in block if line.startswith("a=rtpmap:"))
    return {_number(found[0], 127, "a payload type"): found[1].strip() for found in maps if len(found) == 2}


def _codec(kind: int, names: dict[int, str]) -> Codec | None:
    if kind not in names:
        return _STATIC.get(kind)
    name = names[kind].upper().removesuffix("/1")
    return next((codec for codec in _STATIC.values() if name == f"{codec}/8000"), None)


def _host(session: list[str], block: list[str]) -> str:
    line = next((line for line in (*block, *session) if line.startswith("c=")), None)
    if line is None:
        raise SdpError("no c= line says where the sound goes")
    words = line[2:].split()
    try:
        return str(ipaddress.ip_address(words[2].partition("/")[0]))
    except (IndexError, ValueError):
        raise SdpError("the c= line has no IP address") from None


def _ptime(block: list[str]) -> int:
    given = next((line[len("a=ptime:") :].strip() for line in block if line.startswith("a=ptime:")), "20")
    return next((ms for ms in PTIMES_MS if given == str(ms)), 20)


def _direction(session: list[str], block: list[str]) -> Direction:
    for line in (*block, *session):
        for direction in _MIRROR:
            if line == f"a={direction}":
                return direction
    return "sendrecv"


# ---------------------------------------------------------------- writing
def _description(host: str, version: int, blocks: list[list[str]]) -> bytes:
    family = "IP6" if ":" in host else "IP4"
    session = ["v=0", f"o=- 1 {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    lines = [*session, *(line for block in blocks for line in block)]
    return "\r\n".join([*lines, ""]).encode()


def _block(media: Media) -> list[str]:
    return _lines(media.port, {media.payload_type: media.codec}, media.keys_type, media.ptime_ms, media.direction)


def _lines(
    port: int, names: dict[int, Codec], keys: int | None, ptime_ms: int = 20, direction: Direction = "sendrecv"
) -> list[str]:
    types = [*names] if keys is None else [*names, keys]
    lines = [f"m=audio {port} RTP/AVP {' '.join(map(str, types))}"]
    lines += [f"a=rtpmap:{kind} {codec}/8000" for kind, codec in names.items()]
    if keys is not None:
        lines += [f"a=rtpmap:{keys} {KEYS}/8000", f"a=fmtp:{keys} 0-15"]
    return [*lines, f"a=ptime:{ptime_ms}", f"a={direction}"]


def _refused(line: str) -> list[str]:
    words = line[2:].split()
    return [f"m={' '.join([words[0], '0', *words[2:]])}"] if words else ["m=audio 0 RTP/AVP 0"]
