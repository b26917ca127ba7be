"""Every response of a connection: begun, fed by reports, ended, counted."""

from __future__ import annotations

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.context import Context, ContextOverflow, Cost, Counter, is_read, without_orphans
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.effects import (
    CallDelta,
    EndPlayback,
    Generate,
    Generated,
    GenerationFailed,
    PromptRead,
    SpeechDelta,
    Stop,
    TextDelta,
)
from realtime_nb.protocol.events import (
    RateLimitsUpdated,
    ResponseCancel,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    ResponseError,
    ResponseParams,
    ResponseReason,
    StatusDetails,
)
from realtime_nb.protocol.faults import EventError, fault
from realtime_nb.protocol.items import Item, ItemReference
from realtime_nb.protocol.limits import RateLimiter
from realtime_nb.protocol.mcp import check_servers
from realtime_nb.protocol.response import State as Stage
from realtime_nb.protocol.response import Step
from realtime_nb.protocol.session_config import RetentionRatio, Session, check_modalities
from realtime_nb.protocol.tools import FunctionTool, McpServer, Tool, ToolChoice, ToolChoiceFunction, ToolChoiceMcp
from realtime_nb.protocol.usage import Usage

from .intake import Intake
from .jobs import Config, Job, Origin, configure
from .listings import Listings
from .mcp_calls import McpCalls
from .output import Output
from .quiet import Quiet
from .state import State

__all__ = ["Responses", "check_tool_choice"]

_ENDS = {"stop": Step.END, "tool_calls": Step.END, "length": Step.LENGTH}
_REASONS: dict[Step, ResponseReason] = {Step.LENGTH: "max_output_tokens", Step.FILTER: "content_filter"}


class Responses:
    """The responses under way: at most one in the conversation, others out of band beside it.

    Parameters
    ----------
    state : State
        Shared.
    intake : Intake
        Lets in the items of a response's own ``input``.
    listings : Listings
        Knows what MCP servers offer.
    calls : McpCalls
        Those of MCP tools.
    quiet : Quiet
        Is told when the conversation rests.
    counter : Counter
        Counts tokens.
    rate : RateLimiter or None
        Tokens and requests a minute; None where nothing is limited.
    """

    def __init__(
        self,
        state: State,
        intake: Intake,
        *,
        listings: Listings,
        calls: McpCalls,
        quiet: Quiet,
        counter: Counter,
        rate: RateLimiter | None,
    ) -> None:
        self._state = state
        self._intake = intake
        self._listings = listings
        self._calls = calls
        self._quiet = quiet
        self._counter = counter
        self._rate = rate
        self._jobs: dict[str, Job] = {}
        self._default: Job | None = None
        self._turns: list[str] = []  # turns that want a response and have none yet
        self._first: str | None = None  # the oldest item a retention ratio has left

    # ------------------------------------------------------------ asked for
    def create(self, event: ResponseCreate) -> None:
        """Begin a response that the client asks for."""
        session = self._session
        params = event.response or ResponseParams()
        self._check(params, session)
        config = configure(session, params)
        check_servers(config.tools, "response.tools")
        check_tool_choice(config.tool_choice, config.tools, "response.tool_choice")
        source = self._state.conversation if params.input is None else self._read(params.input)
        self._listings.want(params.tools or ())
        self._begin(config, source, "client")

    def turn(self, item_id: str) -> None:
        """A turn has ended and wants a response: it gets one when its words are there, if there are any."""
        if self._state.talks:
            self._turns.append(item_id)

    def nobody(self) -> None:
        """Nobody has said anything: ask whether anybody is there."""
        self._begin(configure(self._session, ResponseParams()), self._state.conversation, "quiet")

    @property
    def is_active(self) -> bool:
        """Whether one is under way in the conversation, whatever it waits for."""
        return self._default is not None

    @property
    def _session(self) -> Session:
        """The session. In one that only transcribes, nothing gets as far as to ask."""
        return self._state.talks or Session()

    @property
    def _most(self) -> int:
        """Tokens that any response may write."""
        return self._state.limits.max_output_tokens

    def _check(self, params: ResponseParams, session: Session) -> None:
        if params.conversation not in (None, "auto", "none"):
            raise fault("conversation", value=params.conversation)
        if params.conversation != "none" and self._default is not None:
            raise fault("active_response", id=self._default.id)
        if len(self._jobs) >= self._state.limits.responses:
            raise fault("too_many_responses", bound=self._state.limits.responses)
        if params.output_modalities is not None:
            check_modalities(params.output_modalities, "response.output_modalities")
        voice = params.audio and params.audio.output and params.audio.output.voice
        if voice and params.conversation != "none" and self._state.spoken and voice != session.audio.output.voice:
            raise fault("voice_fixed", param="response.audio.output.voice")

    def _read(self, given: tuple[Item | ItemReference, ...]) -> Conversation:
        """The context of a response that brings its own."""
        talk = self._state.conversation
        source, named = Conversation(), Conversation()
        for index, item in enumerate(given):
            at = f"response.input[{index}]"
            if isinstance(item, ItemReference):
                if item.id not in talk:
                    raise fault("reference", param=f"{at}.id", id=item.id)
                if item.id not in source:
                    source.adopt(talk, item.id)
            else:
                admitted = self._intake.admit(item, at, named)
                named.insert(admitted)
                # a name the client chose may be one in another response's input, too
                source.insert(replace(admitted, id=self._state.ids.new("item")) if item.id else admitted)
        for item in source:
            if item.id not in talk:
                source.put(self._intake.keep(item, source))
        return source

    # ------------------------------------------------------------ beginning
    def _begin(self, config: Config, source: Conversation, origin: Origin) -> None:
        state = self._state
        name = state.ids.new("resp")
        output = Output(state, self._counter, self._calls, name, config.format, in_conversation=config.in_conversation)
        empty = Context(ids=(), fixed=Cost(), costs=())
        job = Job(name, config, origin=origin, source=source, context=empty, output=output)
        self._jobs[name] = job
        if config.in_conversation:
            self._default = job
            self._turns.clear()
            self._quiet.disarm()
        state.send(ResponseCreated(response=job.resource()))
        try:
            job.context = self._context(job)
        except ContextOverflow as overflow:
            self._fail(
                job, ResponseError(type="invalid_request_error", code="context_length_exceeded", message=str(overflow))
            )
            return
        self._reserve(job)

    def _context(self, job: Job) -> Context:
        session = self._session
        items = [item for item in job.source if is_read(item)]
        is_talk = job.source is self._state.conversation
        sticky = isinstance(session.truncation, RetentionRatio) and is_talk
        costed = [(item, self._counter.item(job.source, item)) for item in items]
        self._counter.keep(self._state.conversation)
        names = [item.id for item in items]
        if sticky and self._first in names:
            costed = costed[names.index(self._first) :]
        if is_talk:  # what a client chose itself is read as it is
            costed = without_orphans(costed)
        fixed = self._counter.fixed(job.config.instructions, self._listings.toolbox(job.config.tools).functions)
        context = Context.fit(costed, fixed, session.truncation, self._state.limits)
        if sticky and len(context.ids) < len(costed):
            self._first = context.ids[0] if context.ids else None
        return context

    def _reserve(self, job: Job) -> None:
        tokens = job.context.total + job.limit(self._most)
        refusal = self._rate.reserve(tokens, self._state.now) if self._rate else None
        if refusal:
            self._fail(job, ResponseError(type=refusal.kind, code="rate_limit_exceeded", message=refusal.message))
        else:
            job.reserved = tokens

    def consider(self) -> None:
        """Start and end what can be by now, and answer turns that can be answered."""
        for job in list(self._jobs.values()):
            if job.stage is Stage.WAITING:
                self._start(job)
            elif job.generated is not None and not self._calls.is_running(job.id):
                self._end(job, _ENDS[job.generated.reason])
        self._answer_turns()

    def _start(self, job: Job) -> None:
        state = self._state
        if not state.unheard.isdisjoint(job.context.ids):
            return
        if job.config.brings_tools and self._listings.is_waiting(job.config.tools):
            return
        deaf = next((state.deaf.pop(name) for name in job.context.ids if name in state.deaf), None)
        if deaf is not None:
            self._fail(job, deaf)
            return
        toolbox = job.output.toolbox = self._listings.toolbox(job.config.tools)
        try:
            choice, functions = toolbox.choose(job.config.tool_choice)
        except EventError as error:
            self._fail(job, ResponseError(type=error.type, code=error.code, message=error.message))
            return
        job.step(Step.HEARD)
        words = {**state.words, **state.sounds}
        state.do(Generate(job.id, job.request(words, functions, choice, self._most)))

    def _answer_turns(self) -> None:
        """Answer when all turns' words are there and the user is done; a breath, which has no words, gets no answer."""
        state = self._state
        self._turns = [name for name in self._turns if name in state.conversation]
        if not self._turns or self._default is not None:
            return
        detection = state.turn_detection
        if not state.unheard.isdisjoint(self._turns):
            return
        if state.speech is not None and detection is not None and detection.interrupt_response:
            return
        worth = any(state.words.get(name) or name in state.deaf for name in self._turns)
        self._turns.clear()
        if worth:
            self._begin(configure(self._session, ResponseParams()), state.conversation, "turn")
            self.consider()
        else:
            self._quiet.arm()

    # ------------------------------------------------------------ reported
    def read(self, report: PromptRead) -> None:
        """The brain knows what it was asked."""
        if job := self._jobs.get(report.response_id):
            job.read = report

    def text(self, report: TextDelta) -> None:
        """Some words of a written answer. A smaller limit of its own the brain was told, and counts better than we."""
        if job := self._writing(report.response_id):
            self._go_on(job, room=job.output.text(report.text, self._most))

    def speech(self, report: SpeechDelta) -> None:
        """Some of a spoken answer; cut where the response has all the tokens it may have."""
        if job := self._writing(report.response_id):
            limit = job.limit(self._most)
            self._go_on(job, room=job.output.speech(report.transcript, report.audio, limit))

    def call(self, report: CallDelta) -> None:
        """Some of a function call."""
        if job := self._writing(report.response_id):
            self._go_on(job, room=job.output.call(report.index, report.name, report.arguments, self._most))

    def generated(self, report: Generated) -> None:
        """The answer is complete; the response is when the MCP tools it calls have answered."""
        if job := self._writing(report.response_id):
            job.generated = report
            job.output.close("incomplete" if report.reason == "length" else "completed")

    def failed(self, report: GenerationFailed) -> None:
        """The brain gave up."""
        if job := self._writing(report.response_id):
            error = ResponseError(type="server_error", code=report.code, message=report.message)
            self._end(job, Step.FAIL, error=error, stop=False)

    def _writing(self, response_id: str) -> Job | None:
        """The response a report is about; None when it is over, which is no fault: threads finish when they do."""
        job = self._jobs.get(response_id)
        if job is None or job.stage is not Stage.GENERATING or job.generated is not None:
            return None
        job.step(Step.OUTPUT)
        return job

    def _go_on(self, job: Job, *, room: bool) -> None:
        """End a response that has all the tokens it may have."""
        if not room:
            self._end(job, Step.LENGTH)

    # ------------------------------------------------------------ stopped
    def cancel(self, event: ResponseCancel) -> None:
        """Stop the response the client names, or the conversation's. A turn that still waits gets no answer."""
        if event.response_id is None:
            self._turns.clear()
        job = self._default if event.response_id is None else self._jobs.get(event.response_id)
        if job is None:
            raise fault("not_active")
        self._end(job, Step.CANCEL, reason="client_cancelled")

    def interrupt(self) -> None:
        """Stop the conversation's response, because the user speaks."""
        if self._default is not None:
            self._end(self._default, Step.CANCEL, reason="turn_detected")

    def stop_item(self, item_id: str) -> None:
        """Stop the response that is writing this item, because the client cuts or deletes it."""
        if self._default is not None and self._default.output.open_id == item_id:
            self._end(self._default, Step.CANCEL, reason="client_cancelled")

    def close(self) -> None:
        """Stop everything, without a word: the connection is gone."""
        for job in self._jobs.values():
            if job.stage is Stage.GENERATING and job.generated is None:
                self._state.do(Stop(job.id))
            self._settle(job, job.usage() if job.stage is Stage.GENERATING else Usage())
        self._calls.close()
        self._jobs.clear()
        self._turns.clear()
        self._default = None

    # ------------------------------------------------------------ ended
    def _fail(self, job: Job, error: ResponseError) -> None:
        self._end(job, Step.FAIL, error=error)

    def _end(
        self,
        job: Job,
        step: Step,
        *,
        reason: ResponseReason | None = None,
        error: ResponseError | None = None,
        stop: bool = True,
    ) -> None:
        state = self._state
        started = job.stage is Stage.GENERATING
        if started and stop and job.generated is None:
            state.do(Stop(job.id))
        stage = job.step(step)
        job.output.close("completed" if stage is Stage.COMPLETED else "incomplete")
        self._calls.drop(job.id)
        usage = job.usage() if started else Usage()
        details = None
        if stage is not Stage.COMPLETED:
            details = StatusDetails(type=job.resource().status, reason=reason or _REASONS.get(step), error=error)
        del self._jobs[job.id]
        self._intake.forget(job.source)
        state.send(ResponseDone(response=job.resource(details, usage)))
        if state.plays:
            state.do(EndPlayback(job.id))
        self._settle(job, usage)
        state.send(RateLimitsUpdated(rate_limits=self._rate.rows(state.now) if self._rate else ()))
        if job is self._default:
            self._default = None
            if reason is not None and not state.plays:
                state.playing_until = min(state.playing_until, state.now)  # who stops an answer plays no more of it
            if job.origin != "quiet":
                self._quiet.arm()

    def _settle(self, job: Job, usage: Usage) -> None:
        """Give back what a response reserved and did not use."""
        if self._rate and job.reserved:
            self._rate.settle(job.reserved, usage.total_tokens, self._state.now)


def check_tool_choice(choice: ToolChoice, tools: tuple[Tool, ...], param: str) -> None:
    """Refuse a function, or an MCP server, that must be called and is not there.

    Parameters
    ----------
    choice : ToolChoice
        What was asked for.
    tools : tuple of Tool
        What there is.
    param : str
        Where it was asked for.

    Raises
    ------
    EventError
        When no tool has that name.
    """
    if isinstance(choice, ToolChoiceFunction) and not any(
        isinstance(tool, FunctionTool) and tool.name == choice.name for tool in tools
    ):
        raise fault("tool_choice", param=param, name=choice.name)
    if isinstance(choice, ToolChoiceMcp) and not any(
        isinstance(tool, McpServer) and tool.server_label == choice.server_label for tool in tools
    ):
        raise fault("tool_choice", param=param, name=choice.server_label)
