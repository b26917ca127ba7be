"""Every event of the protocol as a struct, and the codec.

The struct's name is the event's type in CamelCase: ``response.output_audio.delta`` is
:class:`ResponseOutputAudioDelta`. Bytes are base64 on the wire and bytes here.
"""

from __future__ import annotations

from . import beta, client, codec, response, server
from .beta import *  # noqa: F403 -- this package is one namespace, cut in files
from .client import *  # noqa: F403
from .codec import *  # noqa: F403
from .response import *  # noqa: F403
from .server import *  # noqa: F403

__all__ = beta.__all__ + client.__all__ + codec.__all__ + response.__all__ + server.__all__
