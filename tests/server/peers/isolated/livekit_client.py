"""A voice agent of ``livekit-agents`` with the plugin of OpenAI; microphone and loudspeaker are of no device."""

from __future__ import annotations

import asyncio
import time

import jobs
from livekit import rtc
from livekit.agents import Agent, AgentSession, ChatMessage, ConversationItemAddedEvent, FunctionTool, function_tool, io
from livekit.plugins.openai.realtime import RealtimeModel

OUTPUT_RATE_HZ = 24_000


class Microphone(io.AudioInput):
    """A microphone as a session wants it."""

    def __init__(self, microphone: jobs.Microphone) -> None:
        super().__init__(label="microphone")
        self._chunks = microphone.chunks()

    async def __anext__(self) -> rtc.AudioFrame:
        chunk = await anext(self._chunks)
        return rtc.AudioFrame(chunk, jobs.RATE_HZ, 1, len(chunk) // 2)


class Loudspeaker(io.AudioOutput):
    """Plays to nobody, in real time."""

    def __init__(self, talk: jobs.Talk, speaking: asyncio.Event) -> None:
        super().__init__(
            label="loudspeaker", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=OUTPUT_RATE_HZ
        )
        self._talk = talk
        self._begun = self._taken_s = 0.0
        self._stopped = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None
        self._speaking = speaking

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a piece of an answer; the first one begins to sound at once."""
        await super().capture_frame(frame)
        if not self._taken_s:
            self._begun = time.monotonic()
            self._stopped.clear()
            self._speaking.set()
            self.on_playback_started(created_at=time.time())
        self._taken_s += frame.duration

    def flush(self) -> None:
        """The answer is whole: play it to its end."""
        super().flush()
        if self._taken_s:
            self._playing = asyncio.create_task(self._play())

    def clear_buffer(self) -> None:
        """Be silent at once."""
        self._stopped.set()

    async def _play(self) -> None:
        try:
            async with asyncio.timeout(self._begun + self._taken_s - time.monotonic()):
                await self._stopped.wait()
        except TimeoutError:
            pass
        played_s = min(time.monotonic() - self._begun, self._taken_s)
        interrupted = self._stopped.is_set()
        self._taken_s = 0.0
        self._speaking.clear()
        self._talk.played_ms += 1000 * played_s
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


def weather(talk: jobs.Talk) -> FunctionTool:
    """The function an agent may call."""

    @function_tool
    async def get_weather(city: str) -> str:
        """Tell the weather of a city."""
        talk.asked.append(city)
        return "22 degrees, sunny"

    return get_weather


class Bot:
    """A session, and what its user does."""

    def __init__(self, job: jobs.Job, talk: jobs.Talk) -> None:
        self._talk = talk
        modalities = ["text", "audio"] if job["modality"] == "audio" else ["text"]
        self.model = RealtimeModel(
            model="gpt-realtime-mini", base_url=job["url"], api_key=job["key"], modalities=modalities
        )
        self.session = AgentSession(
            llm=self.model, vad=None, aec_warmup_duration=None, turn_handling={"turn_detection": None}
        )
        self.microphone = jobs.Microphone()
        self.speaking = asyncio.Event()
        self.session.input.audio = Microphone(self.microphone)
        if job["modality"] == "audio":
            self.session.output.audio = Loudspeaker(talk, self.speaking)
        self.session.on("conversation_item_added", self._added)
        self.session.on("error", lambda event: talk.failed(repr(event.error)))

    def _added(self, event: ConversationItemAddedEvent) -> None:
        message = event.item
        if not isinstance(message, ChatMessage):
            return
        if message.role == "user":
            self._talk.heard.append(message.text_content or "")
        elif message.role == "assistant":
            self._talk.answered(message.text_content, interrupted=message.interrupted)

    async def write(self, text: str) -> None:
        """Say something in writing."""
        self.session.generate_reply(user_input=text)


async def hold(job: jobs.Job, talk: jobs.Talk) -> None:
    """Hold a conversation."""
    bot = Bot(job, talk)
    await bot.session.start(Agent(instructions=job["instructions"], tools=[weather(talk)] if job["tools"] else []))
    await jobs.converse(bot, job, talk)
    await bot.session.aclose()
    await bot.model.aclose()


jobs.serve(hold)
