"""How events travel: every way has the same methods (see :mod:`realtime_nb.transports.base`)."""
