"""A talk in a cell, in JupyterLab and Chromium, with a file for its microphone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.engine.base import ChatRequest
from realtime_nb.engine.build import Engine
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import Answer, StubLlm, stub_engine
from realtime_nb.testing.stages import Call as StubCall

DATA = Path(__file__).parents[1] / "data"
TALK = ".rtnb-talk"
LONG = "The Nile flows north through eleven countries and reaches the sea in Egypt " * 4
"""Sixteen seconds of the stub voice: long enough to be spoken over."""

TOOL = """@session.tool
def get_weather(city: str) -> str:
    '''The weather.'''
    return "<b>sunny</b> in " + city"""

Open = Callable[..., Any]

EAR = """
(() => {  // hears what leaves the page, whoever plays it: when sound begins, and when it ends; counts what is open
  window.tracks = [];
  window.contexts = [];
  const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (ask)
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await ask(wish);
      window.tracks.push(...stream.getTracks());
      return stream;
    };
  window.AudioContext = class extends AudioContext {
    constructor(...args) {
      super(...args);
      window.contexts.push(this);
    }
  };
  const ear = () => registerProcessor("ear", class extends AudioWorkletProcessor {
    process([[samples = []] = []]) {  // on the clock of the sound: a busy page does not make it late
      const loud = samples.some((x) => Math.abs(x) > 0.005);
      if (loud !== !!this.loud) this.port.postMessage({ loud, s: currentTime, ms: Date.now() });
      this.loud = loud;
      return true;
    }
  });
  const connect = AudioNode.prototype.connect;
  window.aloud = [];
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode)
      this.context.audioWorklet.addModule(URL.createObjectURL(new Blob([`(${ear})()`], { type: "text/javascript" })))
        .then(() => {
          const tap = new AudioWorkletNode(this.context, "ear");
          tap.port.onmessage = ({ data: { ms, ...turn } }) =>
            window.aloud.push({ ...turn, at: ms - performance.timeOrigin });
          connect.call(this, tap);
          connect.call(tap, target);
        });
    return connect.call(this, target, ...rest);
  };
})()
"""


OPEN = """() => [window.tracks.filter(track => track.readyState === 'live').length,
    window.contexts.filter(context => context.state !== 'closed').length]"""
"""How many microphones and AudioContexts the page holds."""


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
def mic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question, and 4 s later some words into the answer, which is then begun on any machine; then silence."""
    question = rt.Audio.read(DATA / "question.wav").resample(48_000)
    silent = rt.Audio.silence
    parts = [silent(1, rate=48_000), question, silent(4, rate=48_000), question[:1.2], silent(60, rate=48_000)]
    return rt.Audio.concatenate(parts).save(tmp_path_factory.mktemp("talk") / "mic.wav")


@pytest.fixture(scope="module")
def chrome(browser_or_skip: None, mic: Path) -> Iterator[Any]:
    """A browser that hears `mic` each time its microphone is opened, and whose output is listened to."""
    from lab import Chrome

    with Chrome(mic=mic, flags=["--host-resolver-rules=MAP plain-http.test 127.0.0.1"]) as browser:
        browser.context.add_init_script(EAR)
        yield browser


def connecting(serving: Serving) -> str:
    """The cell that opens a session there."""
    assert serving.token is not None
    return f"import realtime_nb as rt\nsession = rt.connect({serving.url!r}, api_key={serving.token.reveal()!r})"


@pytest.fixture
def talk(open_notebook: Open, serving: Serving) -> Callable[..., Any]:
    """Open a notebook with a session and its talk; further cells as given."""
    connect = connecting(serving)

    def begin(*cells: str, **how: Any) -> Any:
        notebook = open_notebook(connect, "session.talk()", *cells, **how)
        notebook.run(0)
        notebook.run(1)
        return notebook

    return begin


def phase(notebook: Any, name: str, timeout_s: float = 60) -> None:
    """Wait until the talk shows this phase."""
    notebook.page.wait_for_selector(f"{TALK}[data-phase={name}]", timeout=timeout_s * 1000)


def hears(notebook: Any) -> None:
    """Wait until this page's microphone is the talk's, whatever is being said: the file speaks round and round."""
    notebook.page.wait_for_selector(f"{TALK} button:has-text('Mute')")
    notebook.until("session.talk()._duplex.now.mic")


def line(notebook: Any, text: str, who: str = "") -> None:
    """Wait until the transcript has a line with these words."""
    said = f"[data-who={who}]" if who else ""
    notebook.page.wait_for_selector(f"{TALK} .rtnb-log li{said}:has-text({json.dumps(text)})")


def told(notebook: Any) -> list[str]:
    """The transcript, as the page shows it."""
    lines: list[str] = notebook.page.locator(f"{TALK} .rtnb-log li").all_inner_texts()
    return [" ".join(each.split()) for each in lines]


def turns(notebook: Any) -> list[dict[str, Any]]:
    """The session's turns, from the kernel."""
    found: list[dict[str, Any]] = json.loads(notebook.kernel("print(session.turns.to_json(orient='records'))"))
    return found


CUT = """() => {  // once the answer that sounds was cut: how long after the news, how much was heard, and over how long
  const begun = aloud.find((each) => each.loud)?.at;
  const news = performance.getEntriesByName("realtime_nb hearing").find((mark) => mark.startTime > begun)?.startTime;
  if (news === undefined) return false;
  const next = aloud.findIndex((each) => each.loud && each.at > news); // the answer to what was said into this one
  const heard = next < 0 ? aloud : aloud.slice(0, next);
  const last = heard.at(-1);
  const heard_s = heard.reduce((sum, each) => sum + (each.loud ? -each.s : each.s), 0);
  return !last.loud && { late_ms: last.at - news, heard_ms: 1000 * heard_s, span_ms: last.at - begun };
}"""


def spoken_over(notebook: Any) -> dict[str, float]:
    """Let the file be spoken into the answer; gives what `CUT` says of it."""
    cut: dict[str, float] = notebook.page.wait_for_function(CUT, timeout=60_000).json_value()
    return cut


@pytest.mark.parametrize(
    ("busy", "older"), [(False, False), (True, False), (True, True)], ids=["idle", "busy", "busy-ipykernel-6"]
)
def test_speaking_over_an_answer_silences_the_page(
    talk: Callable[..., Any], request: pytest.FixtureRequest, tmp_path: Path, busy: bool, older: bool
) -> None:
    """Sound stops within 150 ms of the news, and the frame says what was heard; also while a cell blocks the kernel."""
    kernel = request.getfixturevalue("older_kernel") if older else "python3"
    flag = tmp_path / "flag"
    blocking = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.05)"
    notebook = talk(blocking, kernel=kernel)
    assert (notebook.kernel("import ipykernel; print(ipykernel.__version__)") == "6.31.0") is older
    phase(notebook, "listening")
    if busy:
        notebook.run(2, wait=False)
    cut = spoken_over(notebook)
    if busy:
        assert notebook.running(2)
    assert cut["late_ms"] <= 150
    phase(notebook, "speaking")  # the words into the answer are a question, too
    flag.touch()
    notebook.wait_idle()
    notebook.until("session.turns.interrupted_at_ms.notna().iloc[0]")
    first = turns(notebook)[0]
    assert first["interrupted_at_ms"] == pytest.approx(cut["heard_ms"], abs=100)
    line(notebook, "hello", "user")
    notebook.page.wait_for_selector(f"{TALK} li[data-state=cut]")
    shown = told(notebook)
    assert shown[0].startswith("You hello")
    assert shown[1].startswith("Model The Nile")
    assert shown[1].endswith("interrupted") is False  # the words alone: the sign is the style sheet's
    assert notebook.page.locator(f"{TALK} li[data-state=cut]").count() == 1
    assert notebook.kernel("print(session.talk().faults)") == "()"


def test_a_page_that_is_loaded_again_and_a_second_tab_go_on(talk: Callable[..., Any], chrome: Any, lab: Any) -> None:
    """What was said is there again, the microphone waits for a click; a second tab sees, and may take over."""
    notebook = talk()
    phase(notebook, "listening")
    notebook.page.fill(f"{TALK} input", "Which river?")
    notebook.page.press(f"{TALK} input", "Enter")
    phase(notebook, "speaking")
    notebook.save()
    notebook.page.once("dialog", lambda dialog: dialog.accept())  # where something changed since
    notebook.page.reload(wait_until="domcontentloaded")
    phase(notebook, "off")
    line(notebook, "Which river?", "user")
    assert told(notebook)[0] == "You Which river?"
    notebook.page.click(f"{TALK} button:has-text('Talk')")
    hears(notebook)

    other = chrome.open(lab, notebook.page.url.rpartition("/")[2].partition("?")[0])
    other.page.wait_for_selector(f"{TALK} .rtnb-note:has-text('Another tab')")
    line(other, "Which river?", "user")  # the note stands before the kernel has told what was said
    assert told(other)[0] == "You Which river?"
    other.page.click("text=Use it here")
    notebook.page.wait_for_selector(f"{TALK} .rtnb-note:has-text('Another tab')")
    hears(other)
    other.page.close()


def test_keys_tools_and_the_form_that_stays(talk: Callable[..., Any]) -> None:
    """Space held makes a turn, M mutes, Escape stops; a call shows; ended, the talk is a record that plays."""
    notebook = talk(TOOL, "session.talk()")
    notebook.run(2)
    page = notebook.page
    phase(notebook, "listening")
    page.focus(TALK)
    page.keyboard.press("m")
    phase(notebook, "muted")  # if the file had begun its question, that is answered first
    notebook.run(3)  # another view: both show the same, and one can go
    page.wait_for_selector(f"{TALK}[data-phase=muted] >> nth=1")
    notebook.command("notebook:clear-cell-output")
    page.wait_for_function("() => document.querySelectorAll('.rtnb-talk').length === 1")
    page.focus(TALK)
    page.keyboard.down(" ")
    phase(notebook, "hearing")
    notebook.until("session.talk()._duplex._uplink._held_bytes > 0.4 * 48_000")  # a turn needs sound
    page.keyboard.up(" ")
    phase(notebook, "speaking")
    page.keyboard.press("Escape")
    phase(notebook, "muted")
    notebook.until("type(session.config.audio.input.turn_detection).__name__ == 'ServerVad'")
    page.fill(f"{TALK} input", "How is the weather?")
    page.press(f"{TALK} input", "Enter")
    page.wait_for_selector(f"{TALK} li[data-who=call][data-state=done]")
    line(notebook, "It is sunny.", "assistant")
    call = next(each for each in told(notebook) if each.startswith("Function"))
    assert call == 'Function get_weather({"city": "Paris"}) → <b>sunny</b> in Paris'
    phase(notebook, "muted")
    assert notebook.js(OPEN) == [1, 2]
    page.click(f"{TALK} button:has-text('End')")
    page.wait_for_selector(TALK, state="detached")
    page.wait_for_function(f"() => ({OPEN})().every(count => count === 0)")
    page.wait_for_selector("[class^=rtnb-static] audio >> nth=0")
    page.wait_for_selector("[class^=rtnb-static]:has-text('How is the weather?'):has-text('It is sunny.')")
    assert notebook.kernel("print(session.actor.link.closed)") == "None"


def test_what_went_wrong_is_said_with_what_to_do(talk: Callable[..., Any]) -> None:
    """A closed session, then a restarted kernel: each says so, and how to go on."""
    notebook = talk()
    phase(notebook, "listening")
    notebook.kernel("session.close()")
    phase(notebook, "closed")
    note = notebook.page.locator(f"{TALK} .rtnb-note")
    assert note.inner_text() == "The session is closed. Try: session = rt.connect()"
    assert not notebook.page.locator(f"{TALK} input").is_visible()
    notebook.restart_kernel()
    notebook.page.wait_for_selector(f"{TALK} .rtnb-note:has-text('Run the cell again')")


def typed(notebook: Any) -> None:
    """Type a question, and read the answer."""
    notebook.page.fill(f"{TALK} input", "Which river?")
    notebook.page.press(f"{TALK} input", "Enter")
    line(notebook, "The Nile", "assistant")


@pytest.mark.parametrize(
    ("how", "cancelled"),
    [("", True), ("echo_cancellation=False", False), ("'webrtc', echo_cancellation=False", False)],
)
def test_with_headphones_the_voice_is_left_as_it_is(
    open_notebook: Open, serving: Serving, how: str, cancelled: bool
) -> None:
    """Asked for no echo cancellation, the browser opens its microphone without, whoever takes the sound; else with."""
    notebook = open_notebook(connecting(serving), f"session.talk({how})")
    notebook.run(0)
    notebook.run(1)
    hears(notebook)
    assert notebook.js("() => window.tracks.at(-1).getSettings().echoCancellation") is cancelled


def test_plain_http_has_no_microphone_and_says_so(talk: Callable[..., Any], lab: Any) -> None:
    """A page that is not secure has neither microphone nor sound, says so, and shows the answer to what is typed."""
    notebook = talk(url=lab.url.replace("127.0.0.1", "plain-http.test"))
    note = notebook.page.wait_for_selector(f"{TALK} .rtnb-note:has-text('plain HTTP')")
    assert "https://" in note.inner_text()
    typed(notebook)
    phase(notebook, "off")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--use-fake-device-for-media-stream", "--deny-permission-prompts"], "did not allow"),
        ([], "No microphone"),
    ],
    ids=["refused", "none"],
)
def test_without_a_microphone_one_types(lab: Any, serving: Serving, flags: list[str], said: str) -> None:
    """No microphone, or none allowed: it says so and what to do; a typed question is answered aloud."""
    from lab import Chrome

    allowed = "--autoplay-policy=no-user-gesture-required"
    with Chrome(fake=False, flags=[*flags, allowed]) as browser:
        notebook = browser.open(lab, lab.notebook("without", [connecting(serving), "session.talk()"]))
        notebook.run(0)
        notebook.run(1)
        notebook.page.wait_for_selector(f"{TALK} .rtnb-note:has-text('{said}')")
        assert notebook.page.is_visible(f"{TALK} button:has-text('Talk')")
        typed(notebook)
        phase(notebook, "speaking")
        notebook.end()


@pytest.mark.models
def test_a_spoken_question_is_answered_aloud(open_notebook: Open, real_engine: Engine) -> None:
    """Real speech, a real engine: the question is written down, the answer sounds, and both are in the frames."""
    with serve_in_thread(real_engine) as server:
        notebook = open_notebook(connecting(server), "session.talk()")
        notebook.run(0)
        notebook.run(1)
        phase(notebook, "speaking", 60)
        notebook.page.wait_for_function("() => window.aloud.at(-1)?.loud")
        line(notebook, "country", "user")
        notebook.until(SPOKEN)
        items = json.loads(notebook.kernel("print(session.history.to_json(orient='records'))"))
    assert items[0]["role"] == "user"
    assert "do for your country" in items[0]["transcript"].lower()
    assert items[0]["audio_s"] == pytest.approx(2.6, abs=0.8)


@pytest.mark.models
def test_a_real_answer_is_spoken_over(open_notebook: Open, real_engine: Engine) -> None:
    """Real speech into a real answer: silent within 150 ms of the news; what was heard, and what was said, are kept."""
    with serve_in_thread(real_engine) as server:
        notebook = open_notebook(connecting(server), "session.talk()")
        page = notebook.page
        notebook.js(NO_MICROPHONE)  # so that the file begins when the answer sounds, however long that took
        notebook.run(0)
        notebook.run(1)
        page.wait_for_selector(f"{TALK} .rtnb-note:has-text('No microphone')")
        page.fill(f"{TALK} input", "Tell me a long story about a fox and a river.")
        page.press(f"{TALK} input", "Enter")
        phase(notebook, "speaking", 60)
        page.wait_for_function("() => window.aloud.at(-1)?.loud")
        notebook.js("() => { delete navigator.mediaDevices.getUserMedia }")
        page.click(f"{TALK} button:has-text('Talk')")
        cut = spoken_over(notebook)
        assert cut["late_ms"] <= 150
        page.wait_for_selector(f"{TALK} li[data-who=assistant][data-state=cut]")
        notebook.until("session.turns.interrupted_at_ms.notna().iloc[0]")
        line(notebook, "country", "user")
        assert 0 < turns(notebook)[0]["interrupted_at_ms"] <= cut["span_ms"] + 500  # a voice begins with a breath


SPOKEN = "((h := session.history[session.history.role == 'assistant']).transcript.notna() & (h.audio_s > 0)).any()"
"""An answer has words and sound."""

NO_MICROPHONE = """() => { navigator.mediaDevices.getUserMedia =
    () => Promise.reject(new DOMException('none', 'NotFoundError')) }"""
