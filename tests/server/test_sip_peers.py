"""Telephones that other people wrote call a server with stub stages: aiosipua, sipp, baresip."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from witness import WAIT_S, Mirror, Reader, Witness, released

from realtime_nb.audio import Audio
from realtime_nb.engine.base import Cancel
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions
from realtime_nb.testing.stages import StubTts, stub_engine

pytestmark = pytest.mark.peer

RATE = 8_000
TONE_HZ = 440
GOOD_DB = 35
SAID = Audio.tone(TONE_HZ, 1.0, RATE, peak_dbfs=-6)


def needs(program: str) -> Any:
    """Skip where a program of the system is missing."""
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed: apt-get install sip-tester baresip-core")


@pytest.fixture
def serving(serve: Any) -> Any:
    """A server that takes calls, and answers in long hums."""
    options = ServerOptions(phone=PhoneOptions(port=0))
    return serve(options, stub_engine(tts=StubTts(seconds_per_word=1.0)))


# ---------------------------------------------------------------- aiosipua
def test_aiosipua_talks_with_the_model(serving: Any, dial: Any, tone_snr_db: Callable[..., float]) -> None:
    """A pip-only telephone: 35 dB and more each way, a spoken question answered in sound, keys told."""
    witness = Witness(serving, dial, keys=2)
    heard = asyncio.run(_aiosipua(serving.sip, over=witness.over))
    witness.done()
    assert tone_snr_db(witness.kept, TONE_HZ) >= GOOD_DB
    assert tone_snr_db(heard, witness.hum_hz) >= GOOD_DB
    assert witness.keys == ["7", "#"]
    assert released(serving)


@pytest.mark.models
def test_a_stranger_s_telephone_is_understood_and_answered_in_speech(
    serve: Any, dial: Any, real_engine: Any, data: Path
) -> None:
    """A recorded question by aiosipua to the real engine: its words are right, and what comes back is words, too."""
    serving = serve(ServerOptions(phone=PhoneOptions(port=0)), real_engine)
    reader = Reader(serving, dial)
    question = Audio.read(data / "question.wav").resample(RATE)
    heard = asyncio.run(_aiosipua(serving.sip, question, enough=_spoken, over=reader.over))
    assert "for your country" in reader.done(90).words.lower()
    said = real_engine.asr.transcribe(heard.resample(real_engine.asr.rate).samples, cancel=Cancel()).text
    assert len(said.split()) >= 3
    assert released(serving)


def _loud(heard: Audio) -> bool:
    """Whether three seconds have come, and there was an answer among them."""
    return heard.duration_s > 3 and np.abs(heard.samples).max() > 0.1


def _spoken(heard: Audio) -> bool:
    """Whether an answer has begun and ended."""
    return np.abs(heard.samples).max(initial=0) > 0.05 and np.abs(heard.samples[-RATE:]).max() < 0.01


async def _aiosipua(
    address: tuple[str, int],
    said: Audio = SAID,
    enough: Callable[[Audio], bool] = _loud,
    *,
    over: Callable[[], bool],
) -> Audio:
    """Call, speak, listen, press two keys, hang up when all was seen; gives what was heard."""
    from aiosipua.rtp_bridge import CallSession
    from aiosipua.sdp import parse_sdp
    from aiosipua.sdp_negotiate import build_sdp
    from aiosipua.transport import UdpSipTransport
    from aiosipua.uac import SipUAC

    wire = UdpSipTransport()
    wire.local_addr = ("127.0.0.1", 0)
    await wire.start()
    wire.local_addr = wire._udp_transport.get_extra_info("sockname")
    uac = SipUAC(wire)
    wire.on_message = lambda message, source: (
        uac.handle_response(message, source) if hasattr(message, "status_code") else None
    )
    rtp_port = _free_port()
    offer = build_sdp("127.0.0.1", rtp_port, 0, "PCMU")
    call = uac.send_invite("sip:alice@127.0.0.1", "sip:bob@127.0.0.1", address, offer)
    heard = bytearray()
    try:
        await call.wait_answered(WAIT_S)
        answer = call.sdp_answer if not isinstance(call.sdp_answer, bytes) else parse_sdp(call.sdp_answer.decode())
        media = CallSession("127.0.0.1", rtp_port, answer)
        await media.start()
        media.on_audio = lambda pcm, _at: heard.extend(pcm)
        await _speak(media, said)
        await _until(lambda: enough(Audio.from_pcm16(bytes(heard), RATE)))
        media.send_dtmf("7")
        await asyncio.sleep(0.4)
        media.send_dtmf("#")
        await _until(over)
        call.hangup(uac)
        await asyncio.sleep(0.1)
        await media.close()
    finally:
        uac.close()
        await wire.stop()
    return Audio.from_pcm16(bytes(heard), RATE)


async def _until(state: Callable[[], bool]) -> None:
    """Wait until something is so; what comes of it if it never is, is seen later."""
    end = asyncio.get_running_loop().time() + WAIT_S
    while not state() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - of other threads
        await asyncio.sleep(0.05)


async def _speak(media: Any, said: Audio) -> None:
    """Say it, and a second of silence, at their pace."""
    pcm = (said + Audio.silence(1.0, RATE)).to_pcm16()
    start = asyncio.get_running_loop().time()
    for number in range(len(pcm) // 320):
        media.send_audio_pcm(pcm[320 * number : 320 * number + 320], 160 * number)
        await asyncio.sleep(max(0.0, start + (number + 1) * 0.02 - asyncio.get_running_loop().time()))


def _free_port() -> int:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---------------------------------------------------------------- sipp
SCENARIO = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller who speaks">
  <send retrans="500"><![CDATA[
INVITE sip:bob@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:bob@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [@PORT@] RTP/AVP @CODEC@
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:bob@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Length: 0

]]></send>
@TALK@
  <send retrans="500"><![CDATA[
INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:bob@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 INFO
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=9
Duration=160
]]></send>
  <recv response="200"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:bob@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 3 BYE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


SPEAKS = """  <nop><action><exec rtp_stream="{sound},1,{codec}/8000"/></action></nop>
  <pause milliseconds="3500"/>"""
ECHOES = """  <pause milliseconds="4000"/>"""


by_either = pytest.mark.parametrize("way", [("u1", "0,PCMU"), ("t1", "8,PCMA")], ids=["udp", "tcp"])


def sipp(serving: Any, folder: Path, way: tuple[str, str], talk: str, *, port: str, more: str = "") -> None:
    """Place one call as the scenario has it, by a transport and a codec, and see it through."""
    transport, codec = way
    filled = {"@TALK@": talk, "@PORT@": port, "@CODEC@": codec.partition(",")[0]}
    text = SCENARIO
    for name, value in filled.items():
        text = text.replace(name, value)
    scenario, errors = folder / "caller.xml", folder / "errors"
    scenario.write_text(text)
    command = ["sipp", f"127.0.0.1:{serving.sip[1]}", "-sf", str(scenario), "-i", "127.0.0.1", "-mi", "127.0.0.1"]
    command += ["-t", transport, "-m", "1", "-timeout", "20s", "-timeout_error", "-trace_err", *more.split()]
    command += ["-error_file", str(errors)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=folder)
    told = errors.read_text() if errors.exists() else ""
    assert done.returncode == 0, told + done.stdout.decode(errors="replace")[-2000:]


@needs("sipp")
@by_either
def test_sipp_talks_with_the_model(
    serving: Any, dial: Any, tmp_path: Path, tone_snr_db: Callable[..., float], way: tuple[str, str]
) -> None:
    """The testers' telephone, by UDP and mu-law, by TCP and A-law: heard at 35 dB and more, its key told, released."""
    law = f"audio/{way[1][2:].lower()}"
    sound = tmp_path / "said.raw"
    sound.write_bytes((SAID + Audio.silence(2.0, RATE)).to_wire(law))
    witness = Witness(serving, dial, keys=1)
    sipp(serving, tmp_path, way, SPEAKS.format(sound=sound, codec=way[1]), port="rtpstream_audio_port")
    assert witness.done().codec == law
    assert tone_snr_db(witness.kept, TONE_HZ) >= GOOD_DB
    assert witness.keys == ["9"]
    assert released(serving)


@needs("sipp")
@by_either
def test_sipp_hears_the_model(
    serving: Any, dial: Any, tmp_path: Path, tone_snr_db: Callable[..., float], way: tuple[str, str]
) -> None:
    """It sends back what it hears, so that what it heard can be heard: 35 dB and more after both ways."""
    mirror = Mirror(serving, dial)
    sipp(serving, tmp_path, way, ECHOES, port="media_port", more=f"-rtp_echo -mp {_free_port()}")
    assert tone_snr_db(mirror.done().kept, mirror.hum_hz) >= GOOD_DB
    assert released(serving)


# ---------------------------------------------------------------- baresip
BARESIP = """
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
sip_listen 127.0.0.1:0
net_interface 127.0.0.1
audio_source aufile,{said}
audio_player aufile,{heard}
audio_alert aufile,{heard}
audio_srate 8000
audio_channels 1
snd_path {folder}
rtp_ports 30000-39999
"""


@needs("baresip")
def test_baresip_talks_with_the_model(
    serving: Any, dial: Any, tmp_path: Path, tone_snr_db: Callable[..., float]
) -> None:
    """A telephone that people use: 35 dB and more each way."""
    said = (Audio.silence(0.5, RATE) + SAID + Audio.silence(8.0, RATE)).save(tmp_path / "said.wav")
    settings = BARESIP.format(said=said, heard=tmp_path / "heard.wav", folder=tmp_path)
    (tmp_path / "config").write_text(settings)
    (tmp_path / "accounts").write_text("<sip:alice@127.0.0.1>;regint=0;audio_codecs=PCMU\n")
    (tmp_path / "contacts").write_text("")
    witness = Witness(serving, dial)
    command = ["baresip", "-f", str(tmp_path), "-e", f"/dial sip:bob@127.0.0.1:{serving.sip[1]}", "-t", "6"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    witness.done()
    assert tone_snr_db(witness.kept, TONE_HZ) >= GOOD_DB
    heard = next(iter(tmp_path.glob("dump-*-dec.wav")), tmp_path / "heard.wav")
    assert heard.exists(), done.stdout.decode(errors="replace")[-2000:]
    assert tone_snr_db(Audio.read(heard), witness.hum_hz) >= GOOD_DB
    assert released(serving)
