"""Calls: what is run, when, and what the model is told."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from typing import Any

import pytest

from realtime_nb.errors import ConfigError
from realtime_nb.protocol.items import FunctionCall
from realtime_nb.protocol.tools import McpServer
from realtime_nb.tools import CallRecord, ToolBox


def call(name: str, arguments: str = "{}", call_id: str = "call_1") -> FunctionCall:
    """A call as the model makes it."""
    return FunctionCall(name=name, arguments=arguments, call_id=call_id)


def run(box: ToolBox, *calls: FunctionCall) -> list[CallRecord]:
    """Run calls on a loop of their own."""
    return asyncio.run(box.run(calls))


def told(record: CallRecord) -> dict[str, str]:
    """The error that the model was told of."""
    found: dict[str, str] = json.loads(record.output)["error"]
    return found


@pytest.fixture
def box() -> ToolBox:
    """A box of small functions."""
    box = ToolBox(timeout_s=60)

    @box.add
    def add(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    @box.add
    async def shout(text: str) -> str:
        """Say it loudly."""
        await asyncio.sleep(0)
        return text.upper()

    @box.add
    def fail(how: str) -> None:
        """Fail."""
        raise {"value": ValueError, "stop": StopIteration, "exit": SystemExit, "timeout": TimeoutError}[how]("as asked")

    return box


def test_functions_and_coroutines(box: ToolBox) -> None:
    """Plain and coroutine functions are run with their arguments; the results are text."""
    records = run(box, call("add", '{"a": 1, "b": 2}'), call("shout", '{"text": "hi"}', "call_2"))
    assert [(record.call_id, record.output, record.error) for record in records] == [
        ("call_1", "3.0", None),
        ("call_2", "HI", None),
    ]


def test_decorated_functions_stay_functions(box: ToolBox) -> None:
    """The decorator gives the function back."""

    def twice(x: int) -> int:
        """Double."""
        return 2 * x

    assert box.add(twice) is twice


def test_each_call_runs_once(box: ToolBox) -> None:
    """A call that comes again, by another event, is not run again."""
    ran: list[int] = []

    @box.add
    def count() -> None:
        """Count."""
        ran.append(1)

    async def twice() -> list[list[CallRecord]]:
        return [await box.run([call("count"), call("count")]), await box.run([call("count")])]

    first, second = asyncio.run(twice())
    assert (len(first), second, ran) == (1, [], [1])


@pytest.mark.parametrize(
    ("how", "kind"),
    [("value", "ValueError"), ("stop", "StopIteration"), ("exit", "SystemExit"), ("timeout", "TimeoutError")],
)
def test_errors_are_told_without_places(box: ToolBox, how: str, kind: str) -> None:
    """The model is told type and message; the record keeps the error; nothing is raised."""
    (record,) = run(box, call("fail", json.dumps({"how": how})))
    assert told(record) == {"type": kind, "message": "as asked"}
    assert record.error is not None
    assert "test_box" not in record.output


@pytest.mark.parametrize("arguments", ['{"a": 1', '{"a": 1}', '{"a": 1, "b": "x"}', "[]", '{"a": 1, "b": 2, "c": 3}'])
def test_wrong_arguments_are_told(box: ToolBox, arguments: str) -> None:
    """Arguments that are no JSON or do not match are told with the place, and the function is not run."""
    (record,) = run(box, call("add", arguments))
    assert told(record)["type"] == "InvalidArguments"
    assert told(record)["message"].endswith("see the parameters of add")


def test_unknown_functions_are_told(box: ToolBox) -> None:
    """A name that the model made up is answered with those there are."""
    (record,) = run(box, call("divide"))
    assert told(record) == {
        "type": "UnknownFunction",
        "message": "There is no function 'divide'; there are: add, shout, fail",
    }


def test_slow_functions_are_given_up(box: ToolBox) -> None:
    """A function that takes too long is told as such, plain or coroutine, and holds nothing up."""
    release = threading.Event()
    box.timeout_s = 0.05

    @box.add
    def hang() -> None:
        """Hang."""
        release.wait(60)

    @box.add
    async def sleep() -> None:
        """Sleep."""
        await asyncio.Event().wait()

    records = run(box, call("hang"), call("sleep", call_id="call_2"))
    release.set()
    assert [told(record)["message"] for record in records] == [
        "hang took longer than 0.05 s",
        "sleep took longer than 0.05 s",
    ]


def test_a_function_may_be_given_longer_than_the_others(box: ToolBox) -> None:
    """Work of minutes comes to its end where it was said that it may take them."""
    given_up = threading.Event()
    box.timeout_s = 0.05

    @box.add
    async def sleep() -> None:
        """Sleep."""
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    def count() -> str:
        """Count until the other was given up."""
        return "31,000 trees" if given_up.wait(60) else "none"

    box.add(count, timeout_s=60)
    records = run(box, call("sleep"), call("count", call_id="call_2"))
    assert told(records[0])["type"] == "Timeout"
    assert records[1].output == "31,000 trees"
    given_up.clear()
    box.add(count)  # again, and nothing said
    assert told(run(box, call("count", call_id="call_3"))[0])["type"] == "Timeout"
    given_up.set()


def test_calls_run_at_the_same_time() -> None:
    """The calls of one response do not wait for each other."""
    box = ToolBox(timeout_s=60)
    both = threading.Barrier(2)

    @box.add
    def meet(name: str) -> str:
        """Wait for the other."""
        both.wait(60)
        return name

    records = run(box, call("meet", '{"name": "a"}', "1"), call("meet", '{"name": "b"}', "2"))
    assert [record.output for record in records] == ["a", "b"]


def test_plain_functions_leave_the_loop_alone(box: ToolBox) -> None:
    """A plain function runs in another thread, with the caller's context."""
    mark = contextvars.ContextVar("mark", default="none")

    @box.add
    def where() -> list[Any]:
        """Say where it runs."""
        return [threading.current_thread() is threading.main_thread(), mark.get()]

    mark.set("seen")
    assert run(box, call("where"))[0].output == '[false,"seen"]'


def test_a_plain_function_may_give_an_awaitable(box: ToolBox) -> None:
    """What a lambda gives is awaited."""

    async def later() -> str:
        await asyncio.sleep(0)
        return "late"

    def ask() -> Any:
        """Ask."""
        return later()

    box.add(ask)
    assert run(box, call("ask"))[0].output == "late"


def test_results_that_cannot_be_written_are_told(box: ToolBox) -> None:
    """A result without end is an error for the model, not for the session."""

    @box.add
    def loop() -> list[Any]:
        """Contain itself."""
        found: list[Any] = []
        found.append(found)
        return found

    assert told(run(box, call("loop"))[0])["type"] == "RecursionError"


def test_a_function_that_is_cancelled_inside_is_an_output(box: ToolBox) -> None:
    """What a coroutine function waited for was cancelled, and not the turn: the model is told, as of any failure."""

    @box.add
    async def look_up() -> str:
        """Wait for something that is cancelled."""
        raise asyncio.CancelledError("given up")

    (record,) = asyncio.run(box.run([FunctionCall(call_id="c", name="look_up", arguments="{}")]))
    assert record.output == '{"error":{"type":"CancelledError","message":"given up"}}'


def test_cancelling_cancels_the_functions(box: ToolBox) -> None:
    """When the turn is interrupted, a coroutine function is cancelled."""
    events: list[str] = []
    began = asyncio.Event()

    @box.add
    async def wait() -> None:
        """Wait."""
        events.append("began")
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("ended")

    async def interrupt() -> None:
        task = asyncio.ensure_future(box.run([call("wait")]))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupt())
    assert events == ["began", "ended"]


def test_long_outputs_are_cut() -> None:
    """What the model is told is cut to the box's size."""
    box = ToolBox(max_chars=10)

    @box.add
    def talk() -> str:
        """Talk."""
        return "x" * 100

    assert run(box, call("talk"))[0].output == "x" * 10 + "\n[cut: the first 10 of 100 characters]"


def test_declarations(box: ToolBox) -> None:
    """The session's tools are declared in order; the same name again replaces."""

    def add(a: int) -> int:
        """Something new."""
        return a

    box.add(add)
    declared = box.declared()
    assert [tool["name"] for tool in declared] == ["add", "shout", "fail"]
    assert declared[0]["description"] == "Something new."
    assert all(tool["type"] == "function" for tool in declared)
    assert repr(box) == "ToolBox(add, shout, fail)"


def test_replace(box: ToolBox) -> None:
    """The tools that are given are declared and no others; descriptions as the API has them pass through."""
    mine = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    server = McpServer(server_label="files", server_url="https://example.com/mcp")

    def ping() -> None:
        """Ping."""

    declared = box.replace([ping, mine, server])
    assert declared == box.declared()
    assert declared[1] == mine
    assert declared[2] == {"type": "mcp", "server_label": "files", "server_url": "https://example.com/mcp"}
    assert box.answers("ping")
    assert not box.answers("mine")
    assert box.answers("made_up")
    assert run(box, call("mine")) == []
    assert box.replace([]) == []


def test_tools_of_one_response(box: ToolBox) -> None:
    """Tools of one response are described and can be run, but the session does not have them."""

    def extra(x: int) -> int:
        """Extra."""
        return x

    (schema,) = box.schemas([extra])
    assert schema["name"] == "extra"
    assert "extra" not in repr(box)
    assert run(box, call("extra", '{"x": 4}'))[0].output == "4"


@pytest.mark.parametrize("wrong", [3, {"type": "function"}, lambda x: x])
def test_nothing_changes_when_one_is_wrong(box: ToolBox, wrong: Any) -> None:
    """One tool that cannot be refuses all, and the box is as it was."""

    def fine() -> None:
        """Fine."""

    before = box.declared()
    with pytest.raises(ConfigError):
        box.replace([fine, wrong])
    assert box.declared() == before


def test_record_repr(box: ToolBox) -> None:
    """A call shows what was asked and what came, on one short line."""
    (record,) = run(box, call("shout", json.dumps({"text": "word\n" * 100})))
    assert repr(record).startswith('shout({"text": "word')
    assert "… in " in repr(record)
    assert "\n" not in repr(record)
