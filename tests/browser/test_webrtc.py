"""A talk by WebRTC: the page calls the server itself, and the kernel follows by the call's sideband."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

import realtime_nb as rt
from realtime_nb.engine.base import ChatRequest
from realtime_nb.engine.build import Engine
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import Answer, StubLlm, stub_engine
from realtime_nb.testing.stages import Call as StubCall

DATA = Path(__file__).parents[1] / "data"
TALK = ".rtnb-talk"
TALK_CELL = "window.jupyterapp.shell.currentWidget.content.widgets[1]"
LONG = "The Nile flows north through eleven countries and reaches the sea in Egypt " * 4
TOOL = """@session.tool
def get_weather(city: str) -> str:
    '''The weather.'''
    return "sunny in " + city"""
Open = Callable[..., Any]

PEERS = """
(() => {  // keeps the page's calls, so that what they hear can be asked
  const Real = RTCPeerConnection;
  window.calls = [];
  window.RTCPeerConnection = function (...given) {
    const peer = new Real(...given);
    window.calls.push(peer);
    return peer;
  };
  window.heard = async () => {
    const stats = [...(await window.calls.at(-1).getStats()).values()];
    const audio = stats.find((each) => each.type === "inbound-rtp" && each.kind === "audio");
    return { energy: audio?.totalAudioEnergy ?? 0, lost: audio?.packetsLost ?? 0 };
  };
})()
"""


def answer(request: ChatRequest) -> Answer:
    """A long answer; to a typed question about the weather, a call first."""
    last = request.messages[-1]
    if last.role == "user" and "weather" in last.text:
        return StubCall("get_weather", {"city": "Paris"})
    return "It is sunny." if last.role == "tool" else LONG


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server whose stages cost nothing, in this process."""
    with serve_in_thread(stub_engine(llm=StubLlm(answer))) as server:
        yield server


@pytest.fixture(scope="module")
def chrome(browser_or_skip: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that hears a question, and later some words into the answer; then silence."""
    from lab import Chrome

    question = rt.Audio.read(DATA / "question.wav").resample(48_000)
    silent = rt.Audio.silence
    parts = [silent(2, rate=48_000), question, silent(5, rate=48_000), question, silent(60, rate=48_000)]
    mic = rt.Audio.concatenate(parts).save(tmp_path_factory.mktemp("rtc") / "mic.wav")
    with Chrome(mic=mic) as browser:
        browser.context.add_init_script(PEERS)
        yield browser


def connecting(serving: Serving) -> str:
    """The cell that opens a session there."""
    assert serving.token is not None
    return f"import realtime_nb as rt\nsession = rt.connect({serving.url!r}, api_key={serving.token.reveal()!r})"


def at_the_service(serving: Serving) -> str:
    """The same where the service is: by "openai", a key and a base URL."""
    assert serving.token is not None
    place = {"OPENAI_BASE_URL": f"{serving.http}/v1", "OPENAI_API_KEY": serving.token.reveal()}
    return f"import os\nos.environ |= {place!r}\nimport realtime_nb as rt\nsession = rt.connect('openai')"


def phase(notebook: Any, name: str, timeout_s: float = 60) -> None:
    """Wait until the talk shows this phase."""
    notebook.page.wait_for_selector(f"{TALK}[data-phase={name}]", timeout=timeout_s * 1000)


def turns(notebook: Any) -> list[dict[str, Any]]:
    """The session's frame of turns."""
    found: list[dict[str, Any]] = json.loads(notebook.kernel("print(session.turns.to_json(orient='records'))"))
    return found


def released(notebook: Any, serving: Serving) -> None:
    """Wait until the server has let the call go: it hears of the end later than the page."""
    for _ in range(1200):
        if not len(serving.hub.calls):
            return
        notebook.page.wait_for_timeout(50)
    raise AssertionError(f"{len(serving.hub.calls)} calls are held")


def test_a_page_talks_to_the_server_itself(open_notebook: Open, serving: Serving, lab: Any) -> None:
    """Heard, answered aloud, cut by the server when spoken over; the frames say so; tools run; no secret is kept.

    What the page asks is the service's shape: an offer, by the secret alone.
    """
    plain = "session.talk('webrtc', echo_cancellation=False)"  # with it, the first seconds of an answer are deaf
    notebook = open_notebook(at_the_service(serving), plain, TOOL)
    asked: list[Any] = []
    notebook.page.on("request", lambda request: asked.append(request) if request.url.startswith(serving.http) else None)
    notebook.run(0)
    notebook.run(2)
    notebook.run(1)
    phase(notebook, "speaking")
    assert len(serving.hub.calls) == 1
    notebook.page.wait_for_function("async () => (await window.heard()).energy > 0.001")
    notebook.page.wait_for_selector(f"{TALK} li[data-state=cut]")
    phase(notebook, "speaking")  # the words into the answer are a question, too
    notebook.until("session.turns.output.str.len().iloc[0] > 0 and session.turns.interrupted_at_ms.notna().iloc[0]")
    first = turns(notebook)[0]
    assert first["input"] == "hello there"
    assert first["output"].startswith("The Nile")
    assert len(first["output"]) < len(LONG) / 2  # as the server has it: no more than was heard
    assert 0 < first["interrupted_at_ms"] < 16_000
    sent = json.loads(notebook.kernel("print(session.events.query('direction == \"sent\"')['type'].to_json())"))
    assert "conversation.item.truncate" not in sent.values()
    assert "input_audio_buffer.append" not in sent.values()

    notebook.page.keyboard.press("Escape")
    notebook.page.fill(f"{TALK} input", "How is the weather?")
    notebook.page.press(f"{TALK} input", "Enter")
    notebook.page.wait_for_selector(f"{TALK} li[data-who=call][data-state=done]")
    notebook.page.wait_for_selector(f"{TALK} li:has-text('It is sunny.')")

    notebook.page.wait_for_function(f"() => JSON.stringify({TALK_CELL}.model.outputs.toJSON()).includes('sunny')")
    notebook.save()
    (call,) = (request for request in asked if request.method == "POST")
    assert call.url == f"{serving.http}/v1/realtime/calls"
    assert call.headers["content-type"] == "application/sdp"
    assert call.post_data.startswith("v=0\r\n")
    secret = call.headers["authorization"].removeprefix("Bearer ")
    assert secret.startswith("ek_")
    kept = [path.read_text() for path in lab.root.rglob("*.ipynb")]
    assert any("It is sunny." in text for text in kept)
    assert not [text for text in kept if secret in text or "ek_" in text]
    notebook.kernel("session.close()")
    phase(notebook, "closed")
    notebook.page.wait_for_function("() => window.calls.at(-1).connectionState === 'closed'")
    notebook.until("session.actor.link.closed is not None")
    released(notebook, serving)


@pytest.mark.models
def test_a_spoken_question_is_answered_aloud_by_webrtc(open_notebook: Open, real_engine: Engine) -> None:
    """Real speech by the page's own call to a real engine: the words are right, the answer sounds and is kept."""
    with serve_in_thread(real_engine) as server:
        notebook = open_notebook(connecting(server), 'session.talk(transport="webrtc")')
        notebook.run(0)
        notebook.run(1)
        phase(notebook, "speaking", 60)
        notebook.page.wait_for_function("async () => (await window.heard()).energy > 0.001")
        notebook.page.wait_for_selector(f"{TALK} li[data-who=user]:has-text('country')")
        notebook.until("session.history[session.history.role == 'assistant'].transcript.notna().any()")
        items = json.loads(notebook.kernel("print(session.history.to_json(orient='records'))"))
    assert "do for your country" in items[0]["transcript"].lower()
