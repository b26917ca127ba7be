"""Listening for calls: a webhook's receiver on this machine, and the calls it was told of."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from realtime_nb.calls.control import GONE, Control
from realtime_nb.calls.incoming import INCOMING, IncomingCall
from realtime_nb.display import ProgressView
from realtime_nb.errors import ConfigError, LocalProtocolError, ModelError, ServerError
from realtime_nb.local import Engine, PhoneStages, start
from realtime_nb.portal import await_on, call_on, portal
from realtime_nb.secret import Secret
from realtime_nb.session import Session
from realtime_nb.target import Auth, resolve
from realtime_nb.wire.webhooks import PREFIX, Once, WebhookRefused, check, signing_key

if TYPE_CHECKING:
    from typing import Unpack

    from realtime_nb.session.config import SessionConfig

__all__ = ["Phone", "listen", "receive"]

SECRET_VARIABLE = "OPENAI_WEBHOOK_SECRET"  # noqa: S105 - the variable's name, as OpenAI's own client has it
MAX_BODY_BYTES = 1 << 20
PATH = "/webhook"
RINGS_S = 60.0
"""How long a call rings."""

_once = Once()
_turn = threading.Lock()


def receive(
    body: bytes | str,
    headers: Mapping[str, str],
    *,
    to: str | None = None,
    api_key: str | Secret | None = None,
    auth: Auth | None = None,
    secret: str | Secret | None = None,
) -> IncomingCall | None:
    """Read a webhook that a web framework of your own was sent.

    Parameters
    ----------
    body : bytes or str
        Exactly as it came.
    headers : mapping of str to str
        Of the request.
    to, api_key, auth
        The server, as :func:`listen` takes it.
    secret : str or Secret, optional
        ``whsec_...``; by default ``OPENAI_WEBHOOK_SECRET``.

    Returns
    -------
    IncomingCall or None
        None for a webhook about something else.

    Raises
    ------
    WebhookRefused
        It was tampered with, is old, or was received before.
    """
    secret = _secret(secret)
    target = resolve(to, model=None, key=Secret.of(api_key), auth=auth)
    if target.local:
        raise ConfigError("the local engine's webhooks come to rt.calls.listen()", hint='rt.calls.listen("local")')
    event = _checked(body.encode() if isinstance(body, str) else body, headers, secret, _once)
    if event is None:
        raise WebhookRefused("the webhook was received before")
    if event.get("type") != INCOMING:
        return None
    return IncomingCall(Control(target.url, target.headers, target.key, auth), event)


def _secret(given: str | Secret | None) -> Secret:
    secret = Secret.of(given) or Secret.of(os.environ.get(SECRET_VARIABLE))
    if secret is None:
        raise ConfigError(
            f"webhooks are checked by their secret, and {SECRET_VARIABLE} is not set",
            hint='rt.calls.listen(..., secret="whsec_...")  # from the settings of the project',
        )
    signing_key(secret)  # what is no secret would refuse every call, and nobody would know
    return secret


def _checked(body: bytes, headers: Mapping[str, str], secret: Secret, once: Once) -> dict[str, Any] | None:
    """A webhook's event; None for a repetition."""
    webhook_id = check(secret, headers, body, time.time())
    with _turn:
        if not once.is_new(webhook_id, time.monotonic()):
            return None
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookRefused("the webhook's body is no JSON object")
    return event


class Phone:
    """Calls that come; :func:`listen` gives one. A context manager, and an iterator over calls: ``async for``, too.

    Parameters
    ----------
    secret : Secret
        Of the webhooks.
    host : str
        Where they are received.
    port : int
        0 for any free one.
    """

    def __init__(self, secret: Secret, host: str, port: int) -> None:
        self._secret = secret
        self._once = Once()
        self._loop = portal().loop
        self._waiting: asyncio.Queue[tuple[float, IncomingCall] | None] = asyncio.Queue()
        self._control: Control | None = None
        self._engine: Engine | None = None
        self._closed = False
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(self))
        except OSError as fault:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {fault.strerror}", hint="rt.calls.listen(port=0)"
            ) from None
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="realtime_nb_webhooks", daemon=True
        ).start()

    # ------------------------------------------------------------ where
    @property
    def url(self) -> str:
        """Where the server posts its webhooks; OpenAI's must reach it through a tunnel of yours."""
        host, port = self._server.server_address[:2]
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}{PATH}"

    @property
    def sip(self) -> str:
        """What to dial, where the embedded engine takes the calls; else empty."""
        return f"sip:{self._engine.sip}" if self._engine is not None and self._engine.sip else ""

    # ------------------------------------------------------------ calls
    def wait(self, timeout_s: float | None = None) -> IncomingCall:
        """Wait for the next call.

        Parameters
        ----------
        timeout_s : float, optional
            How long; by default until *Interrupt*.

        Returns
        -------
        IncomingCall
            To be accepted, or rejected: it rings for a minute.

        Raises
        ------
        TimeoutError
            When nobody called.
        LocalProtocolError
            The phone is closed, or was closed meanwhile.
        ModelError
            When the embedded engine has ended.
        """
        return call_on(self._loop, self._next(timeout_s))

    async def _next(self, timeout_s: float | None) -> IncomingCall:
        try:
            async with asyncio.timeout(timeout_s):
                call = None if self._closed else await self._ringing()
        except TimeoutError:
            raise TimeoutError(f"nobody has called for {timeout_s:g} s") from None
        if call is None:
            self._waiting.put_nowait(None)  # whoever else waits is to know it, too
            raise self._over()
        return call

    def _over(self) -> Exception:
        if self._closed:
            return LocalProtocolError("the phone is closed", hint="phone = rt.calls.listen()")
        return ModelError("the local engine, which took the calls, has ended", hint='rt.calls.listen("local")')

    async def _ringing(self) -> IncomingCall | None:
        """The next call, those that were missed left out; None where there is none any more."""
        while (told := await self._waiting.get()) is not None:
            since, call = told
            if self._loop.time() - since < RINGS_S:
                return call
        return None

    def answer(self, *, timeout_s: float | None = None, **config: Unpack[SessionConfig]) -> Session:
        """Wait for the next call and take it; a caller who gives up before is passed over.

        Parameters
        ----------
        timeout_s : float, optional
            How long nobody may call, in seconds; by default until *Interrupt*.
        **config : SessionConfig
            As of :func:`realtime_nb.connect`: ``instructions``, ``voice``, ``tools``, ...

        Returns
        -------
        Session
            Attached to the call.
        """
        while True:
            try:
                return self.wait(timeout_s).accept(**config)
            except ServerError as error:
                if error.code not in GONE:
                    raise

    def __iter__(self) -> Iterator[IncomingCall]:
        with contextlib.suppress(LocalProtocolError):  # it was closed
            while True:
                yield self.wait()

    async def __aiter__(self) -> AsyncIterator[IncomingCall]:
        with contextlib.suppress(LocalProtocolError):
            while True:
                yield await await_on(self._loop, self._next(None))

    # ------------------------------------------------------------ its life
    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Take a webhook, on any thread; a repetition has no second effect.

        Raises
        ------
        WebhookRefused
            It is not the server's, or not of now.
        """
        event = _checked(body, headers, self._secret, self._once)
        if event is not None and event.get("type") == INCOMING and self._control is not None:
            call = IncomingCall(self._control, event)
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, (self._loop.time(), call))

    def attach(self, control: Control, engine: Engine | None = None) -> None:
        """Belong to a server."""
        self._control, self._engine = control, engine
        if engine is not None:
            self._watching = asyncio.run_coroutine_threadsafe(self._watch(engine), self._loop)

    async def _watch(self, engine: Engine) -> None:
        await engine.ended()
        self._waiting.put_nowait(None)

    def close(self) -> None:
        """Listen no more; calls that were accepted go on, unless the embedded engine ends here, too. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._waiting.put_nowait, None)
        self._server.shutdown()
        self._server.server_close()
        if self._engine is not None:
            call_on(self._loop, self._engine.stop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self.sip or (self._control.place if self._control is not None else "nowhere")
        return f"<Phone {'closed' if self._closed else where}>"


def _handler(phone: Phone) -> type[BaseHTTPRequestHandler]:
    """What answers the webhooks of a phone."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            self.send_response(self._take())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _take(self) -> int:
            length = self.headers.get("Content-Length", "")
            if self.path != PATH or not length.isdigit():
                return 404 if self.path != PATH else 411
            if int(length) > MAX_BODY_BYTES:
                return 413
            try:
                phone.take(self.rfile.read(int(length)), dict(self.headers.items()))
            except WebhookRefused:
                return 401
            return 200

        def log_message(self, *_args: Any) -> None:
            """Say nothing: a cell is no log."""

    return Handler


def listen(
    to: str | None = None,
    *,
    api_key: str | Secret | None = None,
    auth: Auth | None = None,
    secret: str | Secret | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    sip: str = "127.0.0.1:5060",
    asr: str | None = None,
    llm: str | None = None,
    tts: str | None = None,
) -> Phone:
    """Listen for telephone calls.

    Parameters
    ----------
    to : str, optional
        As of :func:`realtime_nb.connect`. ``"local"`` starts an engine of its own that
        takes calls at `sip`; ``"openai"`` and ``ws://`` or ``wss://`` URLs are servers that run, and
        post their webhooks to :attr:`Phone.url`.
    api_key, auth
        As of :func:`realtime_nb.connect`.
    secret : str or Secret, optional
        The webhooks', ``whsec_...``; by default ``OPENAI_WEBHOOK_SECRET``. The embedded engine gets one of its own.
    host, port : str, int
        Where webhooks are received; port 0 is any free one.
    sip : str
        Where the embedded engine takes calls; this machine alone can reach the default.
    asr, llm, tts : str, optional
        As of :func:`realtime_nb.connect`.

    Returns
    -------
    Phone
        Listening.

    Raises
    ------
    ConfigError
        A port is taken, or a key or a secret is missing, or is none.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> with rt.calls.listen("local", sip="127.0.0.1:0") as phone:  # doctest: +SKIP
    ...     session = phone.answer(instructions="You are a hotel's reception.", tools=[rooms_free])
    """
    api_key, secret = Secret.of(api_key), Secret.of(secret)  # at once: a traceback shows this frame's variables
    chosen = {name: spec for name, spec in (("asr", asr), ("llm", llm), ("tts", tts)) if spec is not None}
    target = resolve(to, model=None, key=api_key, auth=auth)
    if target.local:
        return _listen_here(chosen, sip, secret, host, port)
    if chosen:
        raise ConfigError(
            f"rt.calls.listen() got {next(iter(chosen))}=, a model of the local engine: it goes elsewhere",
            hint='rt.calls.listen("local")',
        )
    phone = Phone(_secret(secret), host, port)
    phone.attach(Control(target.url, target.headers, target.key, auth))
    return phone


def _listen_here(chosen: dict[str, str], sip: str, secret: Secret | None, host: str, port: int) -> Phone:
    """Start an engine that takes calls, and listen to it."""
    made_up = secret or Secret(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    phone = Phone(made_up, host, port)
    view = ProgressView()
    try:
        stages = PhoneStages(**chosen, sip=sip, webhook=phone.url, secret=made_up)
        engine = call_on(portal().loop, start(stages, watch=view.note), beat=view.draw)
    except BaseException:
        phone.close()
        raise
    finally:
        view.close()
    headers = {"Authorization": Secret(f"Bearer {engine.token.reveal()}")}
    phone.attach(Control(engine.url, headers, engine.token), engine)
    return phone
