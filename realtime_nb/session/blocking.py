"""A conversation with a model, as a notebook holds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from realtime_nb.display import Show, Showing
from realtime_nb.findings import Findings
from realtime_nb.portal import call_on
from realtime_nb.session.actor import ANSWER_S
from realtime_nb.session.awaitable import PUBLIC, prepare, talk_with
from realtime_nb.session.config import ResponseConfig, SessionConfig
from realtime_nb.session.deltas import Deltas
from realtime_nb.session.kept import Kept
from realtime_nb.tools import TIMEOUT_S
from realtime_nb.turn import Turn
from realtime_nb.usage.trimmed import Trimmed

if TYPE_CHECKING:
    from typing import Self, Unpack

    from realtime_nb.target import Way
    from realtime_nb.widgets.talk import Talk


__all__ = ["Session"]

F = TypeVar("F", bound=Callable[..., Any])


class Session(Kept):
    """A conversation with a model; :func:`realtime_nb.connect` gives one.

    Its methods wait for their result; ``session.aio`` has the same ones to be
    awaited. *Interrupt* stops either at once and leaves the session usable.

    Parameters
    ----------
    aio : AsyncSession
        The awaitable face of the same session.
    """

    # ---------------------------------------------------------------- saying
    def say(
        self,
        *parts: Any,
        response: ResponseConfig | None = None,
        rate: int | None = None,
        wait: bool = True,
        show: Show = None,
        timeout_s: float = ANSWER_S,
    ) -> Turn:
        """Say or show something, and wait for the answer.

        Parameters
        ----------
        *parts : str, Audio, path, picture or generator
            Texts, sounds and pictures make one message, in this order. A sound is
            an :class:`~realtime_nb.Audio`, a sound file's path, or what a recorder
            holds; a picture is a figure, a PIL image, a uint8 array, a picture
            file's path, or IPython's Image. A generator (plain or async) of chunks
            (Audio, PCM16 bytes, arrays) is sent while it comes, at the pace of
            speech, so that the server's voice detection ends the turn. An async one
            runs on the session's own loop, and by ``session.aio`` on yours.
        response : ResponseConfig, optional
            What this one response is to do otherwise, such as
            ``{"output_modalities": "text"}``; ``{"conversation": "none"}`` asks
            beside the conversation and is not remembered.
        rate : int, optional
            Samples per second of arrays that do not say. Chunks of bytes without it
            are in the session's input format.
        wait : bool
            False: give the turn at once; it fills meanwhile, ``turn.wait()`` waits.
        show : bool or callable, optional
            Show the words as they come: by default in a notebook only. A function
            is given each new piece of text.
        timeout_s : float
            How long the server may be silent before the turn is given up, in seconds.

        Returns
        -------
        Turn
            What was answered. ``cancelled`` is no error: somebody interrupted.

        Raises
        ------
        ConfigError, AudioError, ImageError, Unsupported
            What was said cannot be sent; nothing was.
        BudgetExceeded
            The response might pass ``budget_usd``; nothing was sent.
        TurnFailed, TurnIncomplete, RateLimited, ServerError
            The response did not come to its end; what came is on ``.turn``. A reply
            that is cut by a ``max_output_tokens`` you set is no error.
        ConnectionClosed
            The connection ended; what came is on ``.turn``.

        Notes
        -----
        One answer at a time: while another one comes, this waits for its end.
        Functions the model calls are run, their outputs sent, and the answer to
        them awaited, all in the same turn.
        """
        if not wait:
            return self._open(parts, response, rate, timeout_s).turn
        actor = self.actor
        with Showing(show) as view:
            said, params = prepare(actor, parts, response, rate)
            beat = None if actor.link.timeline.hurried else view.draw  # what is there at once is drawn once
            return call_on(actor.loop, actor.say(said, params, timeout_s, view.watch), beat=beat)

    def stream(
        self,
        *parts: Any,
        response: ResponseConfig | None = None,
        rate: int | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Deltas:
        """Say something, and iterate over the answer's pieces as they come.

        Parameters
        ----------
        *parts : str, Audio, path, picture or generator
            As for :meth:`say`.
        response : ResponseConfig, optional
            As for :meth:`say`.
        rate : int, optional
            As for :meth:`say`.
        timeout_s : float
            As for :meth:`say`.

        Returns
        -------
        Deltas
            Each piece has ``text`` or ``audio``; ``.turn`` is the whole. Leaving the
            loop early interrupts the answer.
        """
        return self._open(parts, response, rate, timeout_s)

    def _open(self, parts: tuple[Any, ...], response: Any, rate: int | None, timeout_s: float) -> Deltas:
        actor = self.actor
        said, params = prepare(actor, parts, response, rate)
        return Deltas(actor, *self._call(actor.open(said, params, timeout_s)))

    def append(self, chunk: Any, *, rate: int | None = None) -> None:
        """Send sound as it comes, from a microphone for instance.

        The server's voice detection makes turns of it; ``session.send`` has the
        ``input_audio_buffer.commit`` for a session without.

        Parameters
        ----------
        chunk : Audio, bytes or array
            The next piece; bytes without a rate are in the session's input format.
        rate : int, optional
            Samples per second of arrays, and of bytes that are PCM16.
        """
        self._call(self.aio.append(chunk, rate=rate))

    def interrupt(self, audio_end_ms: int | None = None) -> Turn | None:
        """Stop the answer that comes, as speaking over it would.

        Parameters
        ----------
        audio_end_ms : int, optional
            How much of its sound was heard, in milliseconds: the model forgets the
            rest. Without it, the model remembers all that came.

        Returns
        -------
        Turn or None
            The turn that was stopped; None when there was none.
        """
        return self._call(self.aio.interrupt(audio_end_ms))

    def talk(self, transport: Way = "websocket", *, echo_cancellation: bool = True) -> Talk:
        """Talk in the notebook, both ways at once: speak, be answered aloud, and speak over the answer.

        Parameters
        ----------
        transport : {"websocket", "webrtc"}
            ``"webrtc"``: the page calls the server itself, with a secret that lives a minute and is in no
            notebook; the kernel keeps history, tools and frames by the call's sideband. The words are in the
            frames, the sound is not: it does not pass through the kernel. Begins a conversation, which ends with the
            call; the browser must reach the server, which a hosted notebook's cannot reach in its kernel.
        echo_cancellation : bool
            False with headphones: the browser then leaves the voice as it is. With it, Chromium holds back most of
            what is said over the first seconds of the first answer, until it knows the room.

        Returns
        -------
        Talk
            The widget, shown in this cell; it goes on while other cells run. ``talk.close()`` leaves its
            static form, and the session open.
        """
        return talk_with(self.aio, transport, echo_cancellation=echo_cancellation)

    def doctor(self) -> Findings:
        """Say how the session is: who answers, how far away, and how sound travels to the page.

        Returns
        -------
        Findings
            ``media path`` says which way sound takes (``proxy``, ``direct`` or ``comm``), its round trip, and
            why no better one; the line below what is not well mends it.
        """
        return self._call(self.aio.doctor())

    # ---------------------------------------------------------------- settings
    def update(self, **config: Unpack[SessionConfig]) -> None:
        """Change the session's settings; all of them, or none if one is refused.

        Parameters
        ----------
        **config : SessionConfig
            The keywords of :func:`realtime_nb.connect` that name settings.

        Raises
        ------
        ConfigError, Unsupported
            Nothing was sent.
        ServerError
            The server refused; nothing has changed.
        """
        self._call(self.aio.update(**config))

    @overload
    def tool(self, function: F, *, timeout_s: float = TIMEOUT_S) -> F: ...
    @overload
    def tool(self, function: None = None, *, timeout_s: float = TIMEOUT_S) -> Callable[[F], F]: ...
    def tool(self, function: F | None = None, *, timeout_s: float = TIMEOUT_S) -> F | Callable[[F], F]:
        """Let the model call a Python function; a decorator, with or without ``(timeout_s=600)``.

        Parameters
        ----------
        function : callable
            Its name, annotations and docstring tell the model what it is for. A
            coroutine function is awaited, a plain one runs in a thread of its own.
        timeout_s : float
            How long it may take, in seconds; then the model is told so, and goes on without it.

        Returns
        -------
        callable
            The same function.
        """
        if function is None:
            return partial(self.tool, timeout_s=timeout_s)
        return self._call(self.aio.tool(function, timeout_s=timeout_s))

    def send(self, event: Any) -> str:
        """Send a client event as it is.

        Parameters
        ----------
        event : mapping or ClientEvent
            In the API's words, such as ``{"type": "input_audio_buffer.commit"}``.

        Returns
        -------
        str
            Its ``event_id``: an ``error`` in ``session.events`` refers to it.

        Raises
        ------
        LocalProtocolError
            It is no event of the protocol.
        """
        return self._call(self.aio.send(event))

    def trim(
        self, *, last: int | None = None, images: bool = True, summarise: bool = False, timeout_s: float = ANSWER_S
    ) -> Trimmed:
        """Let the next responses read less: old turns, pictures, or all but a summary leave the conversation.

        ``session.update(truncation=...)`` lets the server do it where the window is full;
        ``session.context.truncations()`` compares what its settings cost.

        Parameters
        ----------
        last : int, optional
            So many turns stay; a turn begins with what the user says.
        images : bool
            False: pictures leave; the words and sounds beside them stay.
        summarise : bool
            The model sums up what leaves (all turns, without `last`), and the summary
            stands for it; a response of its own, paid for.
        timeout_s : float
            How long the server may be silent, in seconds.

        Returns
        -------
        Trimmed
            What was freed, and what it costs: a cache keeps a beginning, and what
            comes behind the first change is read anew, at the full price, once.

        Raises
        ------
        ConfigError
            There is nothing to do.
        BudgetExceeded
            The summary might pass ``budget_usd``; nothing was taken away.
        TurnIncomplete
            The model gave no summary; nothing was taken away.
        """
        work = self.aio.trim(last=last, images=images, summarise=summarise, timeout_s=timeout_s)
        return self._call(work)

    # ---------------------------------------------------------------- the end
    def close(self) -> None:
        """End the session within 2 s, or when all of it is where it is saved; idempotent. Frames and turns stay."""
        self._call(self.aio.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        return sorted({*PUBLIC, "aio"})
