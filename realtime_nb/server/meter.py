"""What the server counts, in Prometheus' words."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from realtime_nb.protocol.events import Error, ResponseCreated, ResponseDone, ResponseOutputAudioDelta, ServerEvent

__all__ = ["CONTENT_TYPE", "Meter", "Tally"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Meter:
    """The counters of one server; each server has its own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.sessions = Gauge("realtime_nb_sessions", "Sessions open now.", registry=self._registry)
        self.opened = self._counter("sessions_opened", "Sessions opened.")
        self.refused = self._counter("connections_refused", "Connections closed before a session.", "code")
        self.closed = self._counter("sessions_closed_by_server", "Sessions the server ended.", "code")
        self.received = self._counter("events_received", "Client events and other frames.")
        self.sent = self._counter("events_sent", "Server events.", "type")
        self.errors = self._counter("errors", "Error events sent.", "code")
        self.responses = self._counter("responses", "Responses ended.", "status")
        self.first_audio = self._histogram("first_audio_seconds", "From response.created to its first audio.")

    def render(self) -> bytes:
        """Write all figures in the text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"realtime_nb_{name}", help, labels, registry=self._registry)

    def _histogram(self, name: str, help: str) -> Histogram:
        return Histogram(f"realtime_nb_{name}", help, buckets=_SECONDS, registry=self._registry)


class Tally:
    """What one session adds.

    Parameters
    ----------
    meter : Meter
        The server's.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._begun: dict[str, float] = {}

    def count(self, event: ServerEvent, now: float) -> None:
        """Count an event that is sent.

        Parameters
        ----------
        event : ServerEvent
            Any event of the server's.
        now : float
            Monotonic seconds.
        """
        self._meter.sent.labels(type(event).__struct_config__.tag).inc()
        match event:
            case Error():
                self._meter.errors.labels(event.error.code or "none").inc()
            case ResponseCreated():
                self._begun[event.response.id] = now
            case ResponseOutputAudioDelta():
                begun = self._begun.pop(event.response_id, None)
                if begun is not None:
                    self._meter.first_audio.observe(now - begun)
            case ResponseDone():
                self._begun.pop(event.response.id, None)
                self._meter.responses.labels(event.response.status).inc()
