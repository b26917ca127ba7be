"""Speech recognition by Moonshine tiny: English, about a twentieth of the sound's length on one core.

The decoder is greedy with a KV cache; each token's probability falls out of it.
On silence, noise or a click the model answers all the same ("You", mostly; at
times a sentence without end), so nothing is decoded in which the VAD hears no
speech, and a decoder in a loop is stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_nb.engine.base import Samples, Transcription
from realtime_nb.engine.hints import Expected, keywords
from realtime_nb.engine.ort import Cancelled, Model
from realtime_nb.engine.silero import SileroVad
from realtime_nb.errors import ConfigError

__all__ = ["MoonshineAsr", "Tokenizer", "quiet_cuts"]

_RATE: Final = 16_000
_START, _END = 1, 2
_MARKS: Final = frozenset((b"<unk>", b"<s>", b"</s>"))
_HEADS, _HEAD_SIZE = 8, 36
_TOKENS_PER_S: Final = 6.5
"""No one speaks more; a decoder that writes more is in a loop."""
_LONGEST_S: Final = 28.0
_SHORTEST: Final = 1_600
"""Samples that the encoder's convolutions need, with room: shorter sounds are padded."""
_LEAST_SPEECH_S: Final = 0.1
_SURE_SPEECH_S: Final = 0.3
"""With less speech than this, the answer "You" is what the model says to noise."""
_LOOP_TOKENS, _LOOP_TIMES = 12, 4
"""A phrase said this often in a row, and this long altogether, is a loop and no speech."""

Feeds = dict[str, NDArray[np.generic]]
"""What the decoder is given."""


class Tokenizer:
    """The model's vocabulary, read out of ``tokenizer.bin``.

    Parameters
    ----------
    data : bytes
        For each token a length (one byte, or two with the low 7 bits first) and its bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.pieces: tuple[bytes, ...] = tuple(_pieces(data))

    def text(self, tokens: Sequence[int]) -> str:
        """Write tokens out.

        Parameters
        ----------
        tokens : sequence of int
            Token numbers.

        Returns
        -------
        str
            Their text; a token that is a part of a character alone becomes U+FFFD.
        """
        return b"".join(map(self._bytes, tokens)).decode("utf-8", "replace").replace("\u2581", " ")

    def _bytes(self, token: int) -> bytes:
        piece = self.pieces[token]
        return b"" if piece in _MARKS or piece.startswith(b"<<") else piece


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            length = (length & 127) + data[at] * 128
            at += 1
        yield data[at : at + length]
        at += length


class MoonshineAsr:
    """Hears English.

    Parameters
    ----------
    files : dict of str to Path
        What :func:`realtime_nb.engine.weights.ensure` gives for :attr:`weights`.
    vad : SileroVad
        Asked whether there is speech at all.
    """

    weights = "moonshine-tiny-en"
    name = "moonshine-tiny-en"
    rate = _RATE

    def __init__(self, files: Mapping[str, Path], vad: SileroVad) -> None:
        self._encoder = Model(files["encoder_model.ort"])
        self._decoder = Model(files["decoder_model_merged.ort"])
        self._tokenizer = Tokenizer(files["tokenizer.bin"].read_bytes())
        self._numbers = {piece: number for number, piece in enumerate(self._tokenizer.pieces) if piece not in _MARKS}
        self._vad = vad
        self._growing = tuple(name for name in self._decoder.outputs if ".decoder." in name)
        self._heard(np.zeros(_RATE, dtype=np.float32), threading.Event())  # once, so that nobody waits for it

    def transcribe(
        self, samples: Samples, *, cancel: threading.Event, language: str | None = None, prompt: str | None = None
    ) -> Transcription:
        """Write down what is said.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            At 16 kHz; sound longer than 28 s is heard in pieces, cut where it is quiet.
        cancel : threading.Event
            Set it, and what was written so far comes back within 100 ms.
        language : str, optional
            ``en`` or a variety of it.
        prompt : str, optional
            Keywords that are written where they fit the sound nearly as well: see :mod:`.hints`.

        Returns
        -------
        Transcription
            Empty text for silence, noise or a click.

        Raises
        ------
        ConfigError
            If another language is asked for.
        """
        _check_language(language)
        expected = Expected(words, self._numbers) if (words := keywords(prompt)) else None
        found: list[tuple[int, float]] = []
        for start, end in pairwise(quiet_cuts(samples)):
            piece = samples[start:end]
            speech_s = self._vad.speech_s(piece, enough_s=_SURE_SPEECH_S)
            if speech_s < _LEAST_SPEECH_S:
                continue
            tokens = self._heard(piece, cancel, expected)
            if speech_s >= _SURE_SPEECH_S or not self._is_noise_word(tokens):
                found += tokens
        logprobs = tuple((self._tokenizer.text([token]), logprob) for token, logprob in found)
        text = self._tokenizer.text([token for token, _ in found]).strip()
        return Transcription(text=text, logprobs=logprobs, language="en", tokens=len(found))

    def _is_noise_word(self, tokens: Sequence[tuple[int, float]]) -> bool:
        return self._tokenizer.text([token for token, _ in tokens]).strip(" .,!?").lower() == "you"

    def _heard(
        self, piece: Samples, cancel: threading.Event, expected: Expected | None = None
    ) -> list[tuple[int, float]]:
        """Write a piece down, with the keywords that are expected where they fit."""
        sound = np.pad(piece, (0, max(0, _SHORTEST - len(piece)))).astype(np.float32, copy=False)[None]
        heard = np.ones(sound.shape, dtype=np.int64)
        try:
            (states,) = self._encoder.run({"input_values": sound, "attention_mask": heard}, cancel=cancel)
        except Cancelled:
            return []
        feeds, most = self._first_feeds(states, heard), int(len(piece) / _RATE * _TOKENS_PER_S) + 3
        plain = _unlooped(self._tokens(feeds, most, cancel))
        if expected is None:
            return plain
        favoured = _unlooped(self._tokens(feeds, most, cancel, expected))
        return max(
            plain, favoured, key=lambda tokens: expected.count(self._tokenizer.text([each for each, _ in tokens]))
        )

    def _tokens(
        self, feeds: Feeds, most: int, cancel: threading.Event, expected: Expected | None = None
    ) -> Iterator[tuple[int, float]]:
        """Decode greedily: each token and its natural-log probability."""
        outputs, written = self._decoder.outputs, b""
        for _ in range(most):
            if cancel.is_set():
                return
            results = dict(zip(outputs, self._decoder.run(feeds, outputs), strict=True))
            logits = results.pop("logits")[0, -1]
            token = int((logits if expected is None else expected.favour(logits, written)).argmax())
            if token == _END:
                return
            yield token, _logprob(logits, token)
            written += self._tokenizer.pieces[token]
            feeds = feeds | {name.replace("present", "past_key_values"): value for name, value in results.items()}
            feeds |= {"input_ids": np.array([[token]]), "use_cache_branch": np.array([True])}
            outputs = ("logits", *self._growing)  # what was heard stays; only what was written grows

    def _first_feeds(self, states: NDArray[np.float32], heard: NDArray[np.int64]) -> Feeds:
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), dtype=np.float32)
        feeds: Feeds = {name: empty for name in self._decoder.inputs if name.startswith("past_key_values")}
        return feeds | {
            "encoder_attention_mask": heard,
            "encoder_hidden_states": states,
            "input_ids": np.array([[_START]]),
            "use_cache_branch": np.array([False]),
        }


def _check_language(language: str | None) -> None:
    if language is not None and language.lower().split("-")[0] not in ("en", "english"):
        raise ConfigError(
            f"moonshine-tiny-en hears English only, and {language!r} was asked for.",
            hint="realtime-nb serve --asr openai:http://HOST:PORT/v1#MODEL",
        )


def _unlooped(tokens: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Take tokens until they go round in a circle; of the circle, the first round is kept."""
    taken: list[tuple[int, float]] = []
    for pair in tokens:
        taken.append(pair)
        if round_ := _loop([token for token, _ in taken[-_LOOP_TOKENS * _LOOP_TIMES :]]):
            times = max(_LOOP_TIMES, -(-_LOOP_TOKENS // round_))
            return taken[: len(taken) - round_ * (times - 1)]
    return taken


def _loop(tokens: Sequence[int]) -> int:
    """How many tokens the phrase has that the end repeats, or 0."""
    for length in range(1, _LOOP_TOKENS + 1):
        times = max(_LOOP_TIMES, -(-_LOOP_TOKENS // length))
        tail = tokens[-length * times :]
        if len(tail) == length * times and all(tail[i] == tail[i % length] for i in range(len(tail))):
            return length
    return 0


def _logprob(logits: NDArray[np.float32], token: int) -> float:
    return -float(np.log(np.exp(logits - logits[token]).sum()))


def quiet_cuts(samples: Samples, *, longest_s: float = _LONGEST_S, rate: int = _RATE) -> list[int]:
    """Where to cut a sound into pieces: at its quietest tenth of a second before each is too long.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        The sound.
    longest_s : float
        No piece is longer.
    rate : int
        Samples per second.

    Returns
    -------
    list of int
        Sample numbers, 0 and n among them.

    Examples
    --------
    >>> import numpy as np
    >>> sound = np.ones(100_000, np.float32)
    >>> sound[50_000:52_000] = 0
    >>> quiet_cuts(sound, longest_s=4)
    [0, 50400, 100000]
    """
    cuts = [0]
    step, longest = rate // 10, int(longest_s * rate)
    while len(samples) - cuts[-1] > longest:
        window = samples[cuts[-1] + longest // 2 : cuts[-1] + longest]
        blocks = window[: len(window) // step * step].reshape(-1, step)
        quietest = int((blocks**2).mean(axis=1).argmin())
        cuts.append(cuts[-1] + longest // 2 + quietest * step + step // 2)
    return [*cuts, len(samples)]
