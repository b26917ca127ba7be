"""What the shipped brain can do, over the wire: words said, facts recalled, functions called, questions answered.

None of the questions is among the examples in its prompt, nor was any of them used to choose those.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from latency import child
from wire import Caller

Figure = tuple[str, float, str]
Exam = Callable[[Caller], Awaitable[bool]]
TOKEN = "benchmark"


def function(name: str, description: str, **properties: str) -> dict[str, Any]:
    """A function as the API declares it; every parameter is required."""
    schema = {name: {"type": kind} for name, kind in properties.items()}
    parameters = {"type": "object", "properties": schema, "required": list(properties)}
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


TOOLS = [
    function("get_weather", "Get the current weather in a city.", city="string"),
    function("set_timer", "Start a countdown timer.", minutes="integer"),
    function("send_message", "Send a text message to a person.", person="string", text="string"),
]
WORDS = ("window", "carrot", "Tuesday", "umbrella", "copper", "ladder", "violin", "eleven", "harbour", "silver")
FACTS = (
    ("My sister is called Ingrid.", "What is my sister called?", "ingrid"),
    ("I work as a baker.", "What is my job?", "bak"),
    ("My train leaves at six.", "When does my train leave?", "six"),
    ("I was born in Dublin.", "Where was I born?", "dublin"),
    ("My favourite food is soup.", "What is my favourite food?", "soup"),
    ("The code of the door is 4821.", "What is the code of the door?", "4821"),
    ("My car is yellow.", "What colour is my car?", "yellow"),
    ("I have three children.", "How many children have I?", "three"),
    ("My cat is called Mimi.", "What is my cat called?", "mimi"),
    ("I play the trumpet.", "Which instrument do I play?", "trumpet"),
)
CALLS = (
    ("What is the weather in Oslo?", "get_weather", "Oslo"),
    ("How is the weather in Madrid today?", "get_weather", "Madrid"),
    ("Is it raining in London?", "get_weather", "London"),
    ("Do I need a coat in Helsinki?", "get_weather", "Helsinki"),
    ("Tell me the weather in Cairo, please.", "get_weather", "Cairo"),
    ("Set a timer for ten minutes.", "set_timer", 10),
    ("Wake me in twenty minutes.", "set_timer", 20),
    ("Start a timer of five minutes, please.", "set_timer", 5),
    ("Send Anna a message that I am late.", "send_message", "Anna"),
    ("Text Peter that dinner is ready.", "send_message", "Peter"),
)
TALK = (
    "Good morning!", "What is the capital of Italy?", "My name is Laura.", "Tell me a joke.", "Thank you very much.",
    "Please say the word paper.", "What is two plus three?", "I am a bit tired.", "Who wrote Hamlet?", "How are you?",
)  # fmt: skip
QUESTIONS = (
    ("What is the capital of Italy?", "rome"),
    ("What is two plus three?", "5 five"),
    ("Who wrote Hamlet?", "shakespeare"),
    ("How many days has a week?", "7 seven"),
    ("What colour is the sky on a clear day?", "blue"),
    ("What is the opposite of hot?", "cold"),
    ("Which animal gives us wool?", "sheep"),
    ("On which continent is Egypt?", "africa"),
    ("What is the largest planet of the solar system?", "jupiter"),
    ("What do bees make?", "honey"),
)


async def ask(caller: Caller, *items: dict[str, Any], words: str = "") -> list[dict[str, Any]]:
    """One turn; the items of its answer."""
    part = {"type": "input_text", "text": words}
    said = ({"type": "message", "role": "user", "content": [part]},) if words else ()
    since = len(caller.events)
    for item in (*items, *said):
        await caller.send("conversation.item.create", item=item)
    await caller.send("response.create")
    _, done = await caller.wait("response.done", since=since, seconds=120)
    output: list[dict[str, Any]] = done["response"]["output"]
    return output


def text(output: list[dict[str, Any]]) -> str:
    """The words of an answer, in small letters."""
    return " ".join(part["text"] for item in output for part in item.get("content", ())).lower()


def says(word: str) -> Exam:
    """Whether it says the word it is told to say, and nothing else."""

    async def exam(caller: Caller) -> bool:
        return text(await ask(caller, words=f"Please say the word {word}.")).strip(' ."!') == word.lower()

    return exam


def recalls(fact: str, question: str, answer: str) -> Exam:
    """Whether it knows what it was told, after something else was talked about."""

    async def exam(caller: Caller) -> bool:
        await ask(caller, words=fact)
        await ask(caller, words="What do bees make?")
        return answer in text(await ask(caller, words=question))

    return exam


def calls(request: str, name: str, argument: Any) -> Exam:
    """Whether it calls the right function, of three, with the right first argument."""

    async def exam(caller: Caller) -> bool:
        await caller.update(tools=TOOLS)
        made = [item for item in await ask(caller, words=request) if item["type"] == "function_call"]
        return [item["name"] for item in made] == [name] and argument in json.loads(made[0]["arguments"]).values()

    return exam


def reports(city: str, degrees: int) -> Exam:
    """Whether it tells what the function gave."""

    async def exam(caller: Caller) -> bool:
        await caller.update(tools=TOOLS)
        output = await ask(caller, words=f"What is the weather in {city}?")
        made = [item for item in output if item["type"] == "function_call"]
        given = json.dumps({"temperature_c": degrees, "sky": "cloudy"})
        results = [{"type": "function_call_output", "call_id": item["call_id"], "output": given} for item in made]
        return bool(results) and str(degrees) in text(await ask(caller, *results))

    return exam


def only_talks(words: str) -> Exam:
    """Whether it calls nothing where nothing is to be called."""

    async def exam(caller: Caller) -> bool:
        await caller.update(tools=TOOLS)
        return [item["type"] for item in await ask(caller, words=words)] == ["message"]

    return exam


def knows(question: str, answers: str) -> Exam:
    """Whether it answers a question of general knowledge."""

    async def exam(caller: Caller) -> bool:
        said = text(await ask(caller, words=question))
        return any(answer in said for answer in answers.split())

    return exam


EXAMS: dict[str, list[Exam]] = {
    "says the word it is told, and nothing else": [says(word) for word in WORDS],
    "recalls a fact two turns later": [recalls(*fact) for fact in FACTS],
    "calls the right function of three, with the right argument": [calls(*call) for call in CALLS],
    "tells what the function gave": [
        reports(city, 3 + 7 * n) for n, city in enumerate(("Oslo", "Rome", "Lima", "Kyiv"))
    ],
    "calls nothing where nothing is to be called": [only_talks(words) for words in TALK],
    "answers a simple question": [knows(*question) for question in QUESTIONS],
}


async def passes(url: str, exam: Exam) -> bool:
    """Whether it is passed, in a session of its own."""
    caller = await Caller.dial(url, TOKEN)
    await caller.update(output_modalities=["text"])
    try:
        return await exam(caller)
    finally:
        await caller.close()


def exams(_runs: int) -> Iterator[Figure]:
    """Each exam once: the brain answers the same each time."""
    os.environ["REALTIME_NB_TOKEN"] = TOKEN
    with child("-m", "realtime_nb.server", "--child") as (ready, _, _):
        for name, given in EXAMS.items():
            passed = [asyncio.run(passes(ready["url"], exam)) for exam in given]
            yield name, sum(passed), f"of {len(passed)} ({ready['brain']})"
