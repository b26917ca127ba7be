"""The portal: one loop thread, a blocking face and an awaitable face over the same coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from realtime_nb.errors import LocalProtocolError
from realtime_nb.portal import Portal, await_on, call_on, portal


@pytest.fixture
def gate() -> Iterator[Portal]:
    """A portal of its own for each test."""
    home = Portal("test")
    yield home
    home.stop()


async def answer(value: object) -> object:
    """Work that succeeds."""
    await asyncio.sleep(0)
    return value


async def fail(error: BaseException) -> None:
    """Work that fails."""
    raise error


class Endless:
    """Work that never ends by itself and notes how it ended."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cleaned = threading.Event()

    async def work(self) -> None:
        """Wait until cancelled."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.cleaned.set()


def test_call_gives_the_result_of_the_coroutine(gate: Portal) -> None:
    """A blocking call returns what its coroutine returns."""
    assert gate.call(answer(3)) == 3


def test_call_raises_what_the_coroutine_raises(gate: Portal) -> None:
    """An error of the work arrives in the caller, a TimeoutError too."""
    with pytest.raises(TimeoutError, match="mine"):
        gate.call(fail(TimeoutError("mine")))


def test_the_work_runs_on_the_portal_thread(gate: Portal) -> None:
    """The caller's thread only waits."""

    async def where() -> int:
        return threading.get_ident()

    assert gate.call(where()) != threading.get_ident()


def test_the_callers_context_goes_along(gate: Portal) -> None:
    """Context variables, by which a kernel knows the cell of an output, are visible to the work."""
    cell = contextvars.ContextVar("cell", default="none")
    cell.set("this one")

    async def read() -> str:
        return cell.get()

    assert gate.call(read()) == "this one"


def test_a_blocking_call_on_the_portal_itself_is_refused(gate: Portal) -> None:
    """Waiting for oneself is an error that says so, not a hang."""

    async def inner() -> None:
        call_on(asyncio.get_running_loop(), answer(1))

    with pytest.raises(LocalProtocolError, match="aio"):
        gate.call(inner())


def test_interrupt_cancels_a_blocking_call_and_waits_for_its_cleaning_up(gate: Portal) -> None:
    """A kernel's Interrupt ends the work before it reaches the cell."""
    endless = Endless()

    def press() -> None:
        endless.began.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        gate.call(endless.work())
    assert endless.cleaned.is_set()


def test_await_gives_the_result_on_any_loop(gate: Portal) -> None:
    """The awaitable face returns what the coroutine on the portal returns."""
    assert asyncio.run(gate.await_(answer("here"))) == "here"


def test_await_on_the_portals_own_loop_just_awaits(gate: Portal) -> None:
    """Work already at home needs no second thread."""
    assert gate.call(gate.await_(answer("home"))) == "home"


def test_a_cancel_of_the_awaiting_task_cancels_the_work(gate: Portal) -> None:
    """Cancelling a cell that awaits ends the work and waits for its cleaning up."""
    endless = Endless()

    async def cell() -> None:
        task = asyncio.create_task(gate.await_(endless.work()))
        await asyncio.to_thread(endless.began.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cell())
    assert endless.cleaned.is_set()


def test_interrupt_of_an_awaiting_cell_cancels_the_work(gate: Portal) -> None:
    """An Interrupt while a loop of the main thread awaits ends the work as well."""
    endless = Endless()

    def press() -> None:
        endless.began.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(gate.await_(endless.work()))
    assert endless.cleaned.is_set()


def test_stop_runs_the_closers_and_ends_the_thread(gate: Portal) -> None:
    """What was registered is awaited once, last first, and the thread is gone."""
    order: list[str] = []
    for name in ("first", "second"):

        async def closer(name: str = name) -> None:
            order.append(name)

        gate.at_exit(closer)
    gate.stop()
    gate.stop()
    assert order == ["second", "first"]
    assert "stopped" in repr(gate)


def test_a_process_has_one_portal() -> None:
    """Every session shares one loop thread."""
    assert portal() is portal()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_portal_of_its_own() -> None:
    """Threads do not survive a fork, so the child starts its own loop instead of waiting for a dead one."""
    portal().call(answer(1))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(portal().call(answer(7))).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 8) == b"7"
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_that_a_session_stayed_behind() -> None:
    """What lives on the parent's loop is refused in the child at once, in either face: nobody would ever answer."""
    loop = portal().loop
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        for ask in (lambda: call_on(loop, answer(1)), lambda: asyncio.run(await_on(loop, answer(1)))):
            try:
                ask()
            except LocalProtocolError:
                os.write(writer, b"x")
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert os.read(reader, 8) == b"xx"
    os.close(reader)
    assert portal().call(answer(2)) == 2
