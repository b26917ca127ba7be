"""The door: ``rt.connect``, and the same for a coroutine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from realtime_nb.connection import CONNECT_S, planned
from realtime_nb.display import ProgressView
from realtime_nb.errors import ConfigError
from realtime_nb.portal import await_on, call_on, portal
from realtime_nb.secret import Secret
from realtime_nb.session import Session
from realtime_nb.session.awaitable import AsyncSession
from realtime_nb.session.config import SessionConfig
from realtime_nb.target import Auth, Way

if TYPE_CHECKING:
    from typing import Unpack

    from realtime_nb.calls import DialledCall

__all__ = ["aconnect", "connect"]


def connect(
    to: str | None = None,
    *,
    model: str | None = None,
    api_key: str | Secret | None = None,
    auth: Auth | None = None,
    budget_usd: float | None = None,
    tier: int | str | None = None,
    asr: str | None = None,
    llm: str | None = None,
    tts: str | None = None,
    log: bool = True,
    transport: Way = "websocket",
    timeout_s: float | None = None,
    **config: Unpack[SessionConfig],
) -> Session:
    """Open a session with a realtime model.

    Parameters
    ----------
    to : str, optional
        ``"local"``: the embedded engine, no key and no network; ``"openai"``; or the
        ``ws://`` or ``wss://`` URL of any server of this protocol. By default OpenAI
        where there is a key (`api_key`, or ``OPENAI_API_KEY``), else local. ``"cassette:lesson1.cassette"`` plays
        what ``session.record`` recorded: ``?speed=real``, ``2x`` or ``20ms`` instead of at
        once, ``?match=lenient`` for other words than then, ``?session=2`` for the second one.
        A ``sip:`` address places a call, and gives a :class:`realtime_nb.calls.DialledCall`
        instead of a session: a telephone, which has sound and keys.
    model : str, optional
        By default ``gpt-realtime-mini``. The local engine plays that model: its
        limits hold, and costs are what its card would charge; ``"local"`` is free.
    api_key : str or Secret, optional
        By default ``OPENAI_API_KEY`` for OpenAI and ``AZURE_OPENAI_API_KEY`` for
        Azure; other servers get a key only from here.
    auth : {"bearer", "api-key"}, optional
        Which header the key goes into; by default the one of the host.
    budget_usd : float, optional
        Responses that might pass it are refused before they are asked for. So that this
        holds for speech, too, the server is told not to answer it by itself
        (``create_response``); the client asks for the answer when speech ends.
    tier : int or str, optional
        Your usage tier, ``1`` to ``5``: responses wait until its limits on requests and
        tokens a minute allow them, rather than being refused. All sessions of this process
        with that model at that server share the limits.
    asr, llm, tts : str, optional
        What hears, thinks and speaks in the local engine: a name of ``realtime-nb
        models list``, or ``openai:http://HOST:PORT/v1#MODEL``.
    log : bool
        False: this session is not kept. Otherwise words, sounds and events are kept on this
        machine, unless ``REALTIME_NB_LOG=0`` is set; ``realtime-nb logs --help`` says what and where.
    transport : {"websocket", "webrtc"}
        ``"webrtc"`` makes a call: sound goes by RTP, at the pace of speech and with gaps rather than
        delays where the network loses some, so that a turn lasts as long as its answer sounds, and its
        ``audio`` is what arrived, through Opus. What you append is said in real time, with silence between. The
        server itself knows what was played, and forgets the rest when it is interrupted. Needs ``realtime-nb[webrtc]``.
    timeout_s : float, optional
        How long the connection may take, in seconds; loading models is not counted. By default 5, and 30 for a call.
    **config : SessionConfig
        The session's settings in the API's words: ``instructions``, ``voice``,
        ``output_modalities``, ``turn_detection``, ``transcription`` (on by default),
        ``tools`` (Python functions), ``tool_choice``, ``max_output_tokens``, ...

    Returns
    -------
    Session
        Connected; the server has acknowledged the settings.

    Raises
    ------
    ConfigError
        An unknown keyword, with the nearest known one, or a wrong value.
    Unsupported
        The model's card says no.
    ConnectError
        Nothing answers there, or what answers refuses.
    ModelError
        The local engine cannot be had.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> session = rt.connect("local", voice="marin")  # doctest: +SKIP
    >>> session.say("Name three rivers of Africa.").text  # doctest: +SKIP
    'The Nile, the Congo and the Niger.'
    """
    if to is not None and to.lower().startswith(("sip:", "sips:")):
        settings = {"model": model, "budget_usd": budget_usd, "tier": tier, "asr": asr, "llm": llm, "tts": tts}
        given = {name: value for name, value in settings.items() if value is not None}
        return _place(to, timeout_s, {**given, **config})  # type: ignore[return-value] # a telephone, as the text above says
    api_key = Secret.of(api_key)  # at once: a traceback shows this frame's variables
    plan = planned(
        to,
        model=model,
        api_key=api_key,
        auth=auth,
        budget_usd=budget_usd,
        tier=tier,
        asr=asr,
        llm=llm,
        tts=tts,
        log=log,
        transport=transport,
        timeout_s=CONNECT_S if timeout_s is None else timeout_s,
        **config,
    )
    view = ProgressView()
    try:
        return Session(call_on(portal().loop, plan.open(view), beat=view.draw))
    finally:
        view.close()
        plan.tell()


def _place(to: str, timeout_s: float | None, config: Mapping[str, Any]) -> DialledCall:
    """Place a call: a telephone has no settings."""
    from realtime_nb.calls import dial

    if config:
        raise ConfigError(
            f"a call to {to} takes no {next(iter(config))}=: the settings are with who answers",
            hint=f'call = rt.connect("{to}")',
        )
    return dial(to) if timeout_s is None else dial(to, timeout_s=timeout_s)


async def aconnect(
    to: str | None = None,
    *,
    model: str | None = None,
    api_key: str | Secret | None = None,
    auth: Auth | None = None,
    budget_usd: float | None = None,
    tier: int | str | None = None,
    asr: str | None = None,
    llm: str | None = None,
    tts: str | None = None,
    log: bool = True,
    transport: Way = "websocket",
    timeout_s: float = CONNECT_S,
    **config: Unpack[SessionConfig],
) -> AsyncSession:
    """Open a session from a coroutine; everything else is as in :func:`connect`, which alone places calls."""
    api_key = Secret.of(api_key)  # at once: a traceback shows this frame's variables
    plan = planned(
        to,
        model=model,
        api_key=api_key,
        auth=auth,
        budget_usd=budget_usd,
        tier=tier,
        asr=asr,
        llm=llm,
        tts=tts,
        log=log,
        transport=transport,
        timeout_s=timeout_s,
        **config,
    )
    view = ProgressView()
    try:
        return await await_on(portal().loop, plan.open(view), beat=view.draw)
    finally:
        view.close()
        plan.tell()
