"""A picture shown over a socket: what the brain reads of it, and what it costs."""

from __future__ import annotations

import base64
import io
import shutil
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from realtime_nb.engine.vision import PixelVision
from realtime_nb.protocol.usage import image_tokens
from realtime_nb.testing.stages import StubLlm, stub_engine

reads_text = pytest.mark.skipif(not shutil.which("tesseract"), reason="no text reader (tesseract) on this machine")


def chart() -> Image.Image:
    """A bar chart with a title, as a notebook draws it."""
    figure = Figure(figsize=(6.4, 4.8), dpi=100)
    axes = figure.subplots()
    axes.bar(["Mon", "Tue", "Wed"], [3, 9, 5], color="tab:red")
    axes.set_title("Rainfall in Bergen")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file)


def sign() -> Image.Image:
    """Words on a blue board."""
    board = Image.new("RGB", (600, 200), "blue")
    font = ImageFont.load_default(90)
    ImageDraw.Draw(board).text((300, 100), "CLOSED", "white", font=font, anchor="mm")
    return board


def data_url(picture: Image.Image, kind: str = "png") -> str:
    """As a client sends it."""
    file = io.BytesIO()
    picture.convert("RGB").save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def show(serve: Any, dial: Any, llm: StubLlm, url: str, **part: Any) -> Any:
    """Show a picture and ask about it: the response as it ended."""
    caller = dial(serve(engine=stub_engine(llm=llm, vision=PixelVision())))
    caller.until("session.created")
    parts = [{"type": "input_image", "image_url": url, **part}, {"type": "input_text", "text": "What is this?"}]
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": parts})
    caller.send("response.create", response={"output_modalities": ["text"]})
    return caller.until("response.done")["response"]


def test_the_brain_reads_what_is_in_a_chart(serve: Any, dial: Any) -> None:
    """Size, colours and bars of a chart are in the prompt, before the question, and the answer can use them."""
    llm = StubLlm()
    done = show(serve, dial, llm, data_url(chart()))
    prompt = llm.requests[-1].messages[-1].text
    assert "The picture is 640 by 480 pixels." in prompt
    assert "red" in prompt
    assert prompt.endswith("What is this?")
    assert "640 by 480" in done["output"][0]["content"][0]["text"]
    assert done["usage"]["input_token_details"]["image_tokens"] == image_tokens(640, 480)
    assert done["usage"]["input_token_details"]["image_tokens_estimated"] is True


@reads_text
@pytest.mark.parametrize(("picture", "words"), [(chart, "Rainfall"), (sign, "CLOSED")])
def test_the_brain_reads_the_text_in_a_picture(serve: Any, dial: Any, picture: Any, words: str) -> None:
    """A chart's title and a sign's word are in the prompt."""
    llm = StubLlm()
    show(serve, dial, llm, data_url(picture()))
    assert words in llm.requests[-1].messages[-1].text


@pytest.mark.parametrize(("detail", "tokens"), [("low", 85), ("high", image_tokens(600, 200)), ("auto", 425)])
def test_a_picture_costs_by_the_tile_rule(serve: Any, dial: Any, detail: str, tokens: int) -> None:
    """Image tokens are those of GPT-4o's tile rule for the picture's size and detail, in their own field."""
    usage = show(serve, dial, StubLlm(), data_url(sign(), "jpeg"), detail=detail)["usage"]
    details = usage["input_token_details"]
    assert details["image_tokens"] == tokens
    assert usage["input_tokens"] == tokens + details["text_tokens"]


def test_a_picture_that_cannot_be_decoded_fails_its_response(serve: Any, dial: Any) -> None:
    """A header without a picture behind it is let in by its size, and fails the response in words, not the session."""
    whole = data_url(sign())
    done = show(serve, dial, StubLlm(), whole[: len("data:image/png;base64,") + 400])
    assert done["status"] == "failed"
    assert "cannot be decoded" in done["status_details"]["error"]["message"]


def test_a_brain_that_sees_gets_the_picture_itself(serve: Any, dial: Any) -> None:
    """Where the brain sees, nothing is put into words for it."""
    llm = StubLlm(sees_images=True)
    url = data_url(sign())
    show(serve, dial, llm, url)
    assert (llm.requests[-1].messages[-1].images, llm.requests[-1].messages[-1].text) == ((url,), "What is this?")


def test_without_a_picture_nothing_is_estimated(caller: Any) -> None:
    """The mark of an estimate is on the usage of responses that read a picture, and on no other."""
    assert "image_tokens_estimated" not in caller.say("Hello")["usage"]["input_token_details"]
