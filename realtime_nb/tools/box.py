"""The functions of a session, and the one place where they are run."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime_nb.errors import ConfigError
from realtime_nb.protocol.items import FunctionCall
from realtime_nb.tools.declare import Tool, declare
from realtime_nb.tools.output import MAX_CHARS, error_output, output_text

__all__ = ["TIMEOUT_S", "CallRecord", "ToolBox", "in_thread"]

TIMEOUT_S = 30.0
"""How long a function may take, unless it was said; the model is told when it took longer."""
_SHOWN = 80


@dataclass(frozen=True, slots=True, repr=False)
class CallRecord:
    """One call: what was asked, what the function gave, and how long it took."""

    call_id: str
    name: str
    arguments: str
    """JSON text, made by the model."""
    output: str
    """What the model was told."""
    error: BaseException | None
    """What went wrong, with its traceback; the model was told its type and message only."""
    took_s: float

    def __repr__(self) -> str:
        return f"{self.name}({_short(self.arguments)}) -> {_short(self.output)} in {self.took_s * 1000:.0f} ms"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


class ToolBox:
    """The functions that the model may call.

    A plain function runs in a thread of its own, a coroutine function on the
    session's loop (where it must not block). Whatever happens in it, the model
    gets an output: the result, or what went wrong.

    Parameters
    ----------
    timeout_s : float
        How long a function may take of which :meth:`add` was not told.
    max_chars : int
        How much of its result the model is told.

    Examples
    --------
    >>> import asyncio
    >>> box = ToolBox()
    >>> @box.add
    ... def add(a: float, b: float) -> float:
    ...     "Add two numbers."
    ...     return a + b
    >>> [tool["name"] for tool in box.declared()]
    ['add']
    >>> call = FunctionCall(call_id="call_1", name="add", arguments='{"a": 1, "b": 2}')
    >>> asyncio.run(box.run([call]))[0].output
    '3.0'
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S, max_chars: int = MAX_CHARS) -> None:
        self.timeout_s = timeout_s
        self.max_chars = max_chars
        self._tools: dict[str, Tool] = {}
        self._limits: dict[str, float] = {}
        self._declared: dict[str, dict[str, Any]] = {}
        self._taken: set[str] = set()

    # ------------------------------------------------------------ what there is
    def add(self, function: Any, *, timeout_s: float | None = None) -> Any:
        """Declare a function; one of the same name is replaced. Works as a decorator.

        Parameters
        ----------
        function : callable or Tool
            See :func:`realtime_nb.tools.declare`.
        timeout_s : float, optional
            How long it may take, in seconds; by default as long as any.

        Returns
        -------
        callable or Tool
            `function`, unchanged.

        Raises
        ------
        ConfigError
            It cannot be a tool.
        """
        for schema in self.schemas([function]):
            self._declared[_key(schema)] = schema
            self._limits.pop(_key(schema), None)
            if timeout_s is not None:
                self._limits[_key(schema)] = timeout_s
        return function

    def declared(self) -> list[dict[str, Any]]:
        """The session's tools, as its configuration has them.

        Returns
        -------
        list of dict
            JSON values, in the order in which they were added.
        """
        return list(self._declared.values())

    def replace(self, tools: Iterable[Any]) -> list[dict[str, Any]]:
        """Declare these tools, and no others.

        Parameters
        ----------
        tools : iterable
            Functions, :class:`Tool`, and tools as the API has them (MCP servers, or functions you answer yourself).

        Returns
        -------
        list of dict
            JSON values.

        Raises
        ------
        ConfigError
            One of them cannot be a tool; nothing is changed.
        """
        schemas = self.schemas(tools)
        self._declared = {_key(schema): schema for schema in schemas}
        return self.declared()

    def schemas(self, tools: Iterable[Any]) -> list[dict[str, Any]]:
        """Describe tools without declaring them, for one response; their functions can be run from now on.

        Parameters
        ----------
        tools : iterable
            As for :meth:`replace`.

        Returns
        -------
        list of dict
            JSON values.

        Raises
        ------
        ConfigError
            One of them cannot be a tool; nothing is changed.
        """
        read = [_read(tool) for tool in tools]
        self._tools |= {tool.name: tool for tool in read if isinstance(tool, Tool)}
        return [msgspec.to_builtins(tool.declaration) if isinstance(tool, Tool) else tool for tool in read]

    def answers(self, name: str) -> bool:
        """Whether a call of that name is ours to answer.

        Parameters
        ----------
        name : str
            Of the function.

        Returns
        -------
        bool
            False for a function that was declared without Python code: whoever declared it answers.
        """
        return name in self._tools or name not in self._declared

    # ------------------------------------------------------------ running
    async def run(self, calls: Sequence[FunctionCall]) -> list[CallRecord]:
        """Run the calls of a response, at the same time.

        Parameters
        ----------
        calls : sequence of FunctionCall
            As the model made them.

        Returns
        -------
        list of CallRecord
            In the order of the calls, each ``call_id`` once in the life of this box: a call that
            was run before, or is not ours to answer, is left out.
        """
        fresh = []
        for call in calls:
            if call.call_id not in self._taken and self.answers(call.name):
                self._taken.add(call.call_id)
                fresh.append(call)
        return list(await asyncio.gather(*map(self._record, fresh)))

    async def _record(self, call: FunctionCall) -> CallRecord:
        begin = time.perf_counter()
        error: BaseException | None = None
        try:
            output = output_text(await self._call(call), max_chars=self.max_chars)
        except (Exception, SystemExit, asyncio.CancelledError) as raised:
            if isinstance(raised, asyncio.CancelledError) and _given_up():
                raise
            error = raised  # the model is told, and the record keeps it
            output = error_output(*_told(raised))
        return CallRecord(call.call_id, call.name, call.arguments, output, error, time.perf_counter() - begin)

    async def _call(self, call: FunctionCall) -> Any:
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            raise _Refused("UnknownFunction", f"There is no function {call.name!r}; there are: {known}")
        try:
            positional, named = tool.bind(call.arguments)
        except ValueError as error:
            raise _Refused("InvalidArguments", f"{error}; see the parameters of {call.name}") from error
        limit_s = self._limits.get(call.name, self.timeout_s)
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await _started(tool.function, positional, named)
        except TimeoutError as error:
            if not limit.expired():
                raise  # the function's own
            raise _Refused("Timeout", f"{call.name} took longer than {limit_s:g} s") from error

    def __repr__(self) -> str:
        return f"ToolBox({', '.join(self._declared)})"


def _given_up() -> bool:
    """Whether it is the turn that is cancelled, and not something inside the function."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Refused(Exception):
    """Why a call came to nothing, as the model is told."""


def _told(error: BaseException) -> tuple[str, str]:
    """Type and message, without files and lines."""
    if isinstance(error, _Refused):
        return str(error.args[0]), str(error.args[1])
    return type(error).__name__, str(error)


async def _started(function: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> Any:
    """Run a function where it belongs; a plain one that gives an awaitable is awaited here."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - its kind is asked, not whether it is there
        return await function(*positional, **named)
    result = await in_thread(lambda: function(*positional, **named))
    return await result if inspect.isawaitable(result) else result


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run in a daemon thread of its own: a function that never ends must keep neither others nor the kernel's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = context.run(function)
        except BaseException as raised:  # noqa: BLE001 - carried to whoever waits
            error = _carried(raised)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="realtime-nb", daemon=True).start()
    return await done


def _carried(error: BaseException) -> BaseException:
    """`error`; what a future cannot carry, or must not stop the loop, in a form that can be told."""
    if isinstance(error, StopIteration | KeyboardInterrupt | SystemExit | asyncio.CancelledError):
        return _Refused(type(error).__name__, str(error))
    return error


# ---------------------------------------------------------------- what people pass
def _read(tool: Any) -> Tool | dict[str, Any]:
    """A tool, or the API's description of one."""
    match tool:
        case Tool():
            return tool
        case msgspec.Struct():
            return _described(msgspec.to_builtins(tool))
        case Mapping():
            return _described(dict(tool))
        case _:
            return declare(tool)


def _described(tool: dict[str, Any]) -> dict[str, Any]:
    if not _key(tool):
        hint = 'session.update(tools=[{"type": "function", "name": "weather", "parameters": {"type": "object"}}])'
        raise ConfigError("A tool described as a mapping must have a name (or a server_label)", hint=hint)
    return tool


def _key(tool: Mapping[str, Any]) -> str:
    return str(tool.get("name") or tool.get("server_label") or "")
