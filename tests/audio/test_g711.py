"""The codec of the telephone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from realtime_nb.audio import g711, pcm

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # audioop says that it will go; that is why we have tables
    audioop = pytest.importorskip("audioop", reason="audioop was removed in Python 3.13")

EVERY_STEP = np.arange(-32_768, 32_768).astype("<i2").tobytes()
EVERY_CODE = bytes(range(256))
ENCODERS = [(g711.encode_ulaw, audioop.lin2ulaw), (g711.encode_alaw, audioop.lin2alaw)]
DECODERS = [(g711.decode_ulaw, audioop.ulaw2lin), (g711.decode_alaw, audioop.alaw2lin)]


@pytest.mark.parametrize(("ours", "theirs"), ENCODERS)
def test_every_step_has_the_code_audioop_gave_it(ours, theirs) -> None:  # noqa: ANN001 - functions of two libraries
    """All 65,536 values of PCM16 are encoded exactly as audioop did."""
    assert ours(pcm.decode_pcm16(EVERY_STEP)) == theirs(EVERY_STEP, 2)


@pytest.mark.parametrize(("ours", "theirs"), DECODERS)
def test_every_code_has_the_value_audioop_gave_it(ours, theirs) -> None:  # noqa: ANN001 - functions of two libraries
    """All 256 codes are decoded exactly as audioop did."""
    assert pcm.encode_pcm16(ours(EVERY_CODE)) == theirs(EVERY_CODE, 2)


@pytest.mark.parametrize(
    ("encode", "decode"), [(g711.encode_ulaw, g711.decode_ulaw), (g711.encode_alaw, g711.decode_alaw)]
)
def test_decoding_then_encoding_gives_the_code_back(encode, decode) -> None:  # noqa: ANN001 - two pairs of functions
    """A second passage through the codec loses nothing, but for mu-law's two codes of zero."""
    back = encode(decode(EVERY_CODE))
    assert [code for code in range(256) if back[code] != code] in ([], [0x7F])


@pytest.mark.parametrize("decode", [g711.decode_ulaw, g711.decode_alaw])
def test_a_decoded_sound_is_the_callers_own(decode) -> None:  # noqa: ANN001 - two functions
    """Writing into what was decoded does not spoil the tables."""
    first = decode(EVERY_CODE)
    first[:] = 9
    assert np.abs(decode(EVERY_CODE)).max() <= 1
