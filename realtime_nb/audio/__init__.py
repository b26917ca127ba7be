"""Sound: the :class:`Audio` value, and the parts it is made of.

``clip`` the value; ``pcm``, ``g711`` and ``formats`` what lies in the bytes of an
event; ``resample`` rates, also as a stream; ``files`` and ``webm`` sound files;
``coerce`` what a notebook calls a sound; ``measure`` levels, delays and the true
end of speech; ``player`` the HTML face.
"""

from __future__ import annotations

from realtime_nb.audio.clip import Audio
from realtime_nb.audio.formats import FORMATS, WireFormat, wire_format
from realtime_nb.audio.measure import lag_s, snr_db, speech_bounds
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.resample import Resampler

__all__ = ["FORMATS", "Audio", "Resampler", "Samples", "WireFormat", "lag_s", "snr_db", "speech_bounds", "wire_format"]
