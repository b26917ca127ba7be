"""A voice bot of ``pipecat-ai``: a pipeline with its realtime service; microphone and loudspeaker are of no device."""

from __future__ import annotations

import asyncio
import time

import jobs
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMContextAggregatorPair,
    UserTurnMessageAddedMessage,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

WEATHER = FunctionSchema(
    name="get_weather",
    description="Tell the weather of a city.",
    properties={"city": {"type": "string"}},
    required=["city"],
)


class Loudspeaker(BaseOutputTransport):
    """Plays to nobody, in real time."""

    def __init__(self, talk: jobs.Talk, speaking: asyncio.Event) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0))
        self._talk = talk
        self._free_at = 0.0
        self._speaking = speaking

    async def start(self, frame: StartFrame) -> None:
        """Begin."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Take as long as the sound is."""
        seconds = len(frame.audio) / 2 / frame.sample_rate
        self._talk.played_ms += 1000 * seconds
        self._free_at = max(self._free_at, time.monotonic()) + seconds
        await asyncio.sleep(self._free_at - time.monotonic())
        return True

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Watch the bot begin and end to speak."""
        if isinstance(frame, BotStartedSpeakingFrame):
            self._speaking.set()
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._speaking.clear()
        await super().push_frame(frame, direction)


def service(job: jobs.Job) -> OpenAIRealtimeLLMService:
    """The service, changed only in its URL."""
    hearing = events.AudioInput(
        transcription=events.InputAudioTranscription(model="gpt-4o-mini-transcribe"),
        turn_detection=events.TurnDetection(),
        noise_reduction=events.InputAudioNoiseReduction(type="near_field"),
    )
    return OpenAIRealtimeLLMService(
        api_key=job["key"],
        base_url=job["url"],
        settings=OpenAIRealtimeLLMService.Settings(
            model="gpt-realtime-mini",
            system_instruction=job["instructions"],
            session_properties=events.SessionProperties(
                output_modalities=[job["modality"]],
                audio=events.AudioConfiguration(input=hearing),
                max_output_tokens=4096,
            ),
        ),
    )


class Bot:
    """A pipeline, and what its user does."""

    def __init__(self, job: jobs.Job, talk: jobs.Talk) -> None:
        self._talk = talk
        self._context = LLMContext(tools=ToolsSchema(standard_tools=[WEATHER] if job["tools"] else []))
        self._service = service(job)
        self._service.register_function("get_weather", self._weather)
        self.microphone = jobs.Microphone()
        self.speaking = asyncio.Event()
        both = LLMContextAggregatorPair(self._context)
        pipeline = Pipeline([both.user(), self._service, Loudspeaker(talk, self.speaking), both.assistant()])
        self.worker = PipelineWorker(pipeline, enable_rtvi=False)
        both.user().add_event_handler("on_user_turn_message_added", self._heard)
        both.assistant().add_event_handler("on_assistant_turn_stopped", self._answered)
        self.worker.add_event_handler("on_pipeline_error", self._failed)

    async def _weather(self, call: FunctionCallParams) -> None:
        self._talk.asked.append(call.arguments["city"])
        await call.result_callback({"weather": "22 degrees, sunny"})

    async def _heard(self, _aggregator: object, message: UserTurnMessageAddedMessage) -> None:
        self._talk.heard.append(message.content)

    async def _answered(self, _aggregator: object, message: AssistantTurnStoppedMessage) -> None:
        self._talk.answered(message.content, interrupted=message.interrupted)

    async def _failed(self, _worker: object, frame: ErrorFrame) -> None:
        self._talk.failed(frame.error)

    async def write(self, text: str) -> None:
        """Say something in writing: the first message begins the conversation."""
        message = {"role": "user", "content": text}
        if not self._context.get_messages():
            self._context.add_message(message)
            await self.worker.queue_frame(LLMRunFrame())
        else:
            await self._service.queue_frame(LLMMessagesAppendFrame([message], run_llm=True))

    async def listen(self) -> None:
        """Keep the microphone on."""
        async for chunk in self.microphone.chunks():
            await self.worker.queue_frame(InputAudioRawFrame(chunk, sample_rate=jobs.RATE_HZ, num_channels=1))


async def hold(job: jobs.Job, talk: jobs.Talk) -> None:
    """Hold a conversation."""
    bot = Bot(job, talk)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(bot.worker)
    running = asyncio.create_task(runner.run())
    listening = asyncio.create_task(bot.listen())
    await jobs.converse(bot, job, talk)
    listening.cancel()
    await bot.worker.stop_when_done()
    await running


jobs.serve(hold)
