"""What does a voice cost, how soon does it speak, how well is it understood on a telephone line?

    python bench/voice.py [--voice zf_xiaoyi ...] [--speed 1.0 ...] [--ears]

For every voice that is present: CPU real-time factor, wall time of the first short clause, level; then the prompt
cache: time to a line in memory and on disk. With --ears, the project's recogniser listens through 8 kHz G.711 A-law:
character error rate, and syllable error rate (tones and homophones forgiven), which tells a voice's faults from those
of the ears.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dialogue.protocol import Expectation
from voicebot.settings import Settings, load_settings
from voicebot.speech.api import RATE_HZ, AsrEngine, Voice
from voicebot.speech.audio import frames, level_dbfs, through_g711
from voicebot.speech.normalise import for_speech
from voicebot.speech.prompts import PromptCache, make_prompts
from voicebot.speech.tts import VoiceError, make_voice
from voicebot.speech.tts.kokoro import speakers

FIRST_CLAUSE = "好的，"
LINES = (
    "您好，请问是张伟先生吗？",
    "我是示例银行的智能助理，本次通话会录音。",
    "您尾号3344的信用卡已经逾期5天。",
    "应还金额是1235.60元。",
    "请问您今天能还款吗？",
    "那您什么时候方便还款？",
    "好的，您答应在11月27日还20000元，对吗？",
    "我给您转接人工坐席，请稍等。",
    "感谢您的接听，再见。",
    "如果您对本次服务不满意，可以拨打12378。",
    "不好意思，打扰您了。",
    "逾期会影响您的征信记录。",
    "最低还款额是286.50元。",
    "您可以登录手机银行还款。",
    "请问您是李娜女士本人吗？",
    "我们最晚可以等到下周五。",
)


def main() -> None:
    options = _options()
    settings = load_settings()
    out = Console(width=110)
    voices = _voices(settings, options.voice)
    ears = _ears(settings) if options.ears else None
    table = Table(title=f"{len(LINES)} lines a robot says", title_justify="left")
    for heading in ("voice", "speed", "RTF", "first ms", "syll/s", "dBFS", "CER", "SER"):
        table.add_column(heading, justify="right", no_wrap=True)
    for voice in voices:
        voice.render("您好。")
        for speed in options.speed:
            table.add_row(voice.name, f"{speed:g}", *_measure(voice, speed, ears))
    out.print(table)
    out.print(
        f"RTF: CPU; first: wall time of {FIRST_CLAUSE}; CER, SER: characters and syllables misheard through G.711"
    )
    asyncio.run(_cache(settings, out))


def _measure(voice: Voice, speed: float, ears: AsrEngine | None) -> list[str]:
    began = time.perf_counter()
    voice.render(FIRST_CLAUSE, speed)
    first_ms = (time.perf_counter() - began) * 1000
    cpu_s = audio_s = 0.0
    said_chars = wrong_chars = wrong_syllables = 0
    levels = []
    for line in LINES:
        began = time.process_time()
        pcm16 = voice.render(line, speed)
        cpu_s += time.process_time() - began
        audio_s += len(pcm16) / 2 / RATE_HZ
        levels.append(level_dbfs(pcm16))
        said = re.sub(r"\W", "", for_speech(line))
        said_chars += len(said)
        if ears is not None:
            heard = _heard(ears, pcm16)
            wrong_chars += edits(said, heard)
            wrong_syllables += edits(_syllables(said), _syllables(heard))
    row = [
        f"{cpu_s / audio_s:.2f}",
        f"{first_ms:.0f}",
        f"{said_chars / audio_s:.1f}",
        f"{sum(levels) / len(levels):.1f}",
    ]
    if ears is None:
        return [*row, "-", "-"]
    return [*row, f"{wrong_chars / said_chars:.3f}", f"{wrong_syllables / said_chars:.3f}"]


async def _cache(settings: Settings, out: Console) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with make_prompts(settings, folder=folder) as prompts:
            first_ms = await _timed_render(prompts, LINES[4])
            miss_ms = await _timed_render(prompts, LINES[5])
            memory_ms = min(_timed_get(prompts, LINES[4]) for _ in range(50))
        disk_ms = min(_timed_get(make_prompts(settings, folder=folder), LINES[4]) for _ in range(50))
    out.print(
        f"prompt cache: in memory {memory_ms:.3f} ms, on disk {disk_ms:.2f} ms, "
        f"rendered in the child {miss_ms:.0f} ms, the first one with loading {first_ms:.0f} ms"
    )


async def _timed_render(prompts: PromptCache, line: str) -> float:
    began = time.perf_counter()
    await prompts.render(line)
    return (time.perf_counter() - began) * 1000


def _timed_get(prompts: PromptCache, line: str) -> float:
    began = time.perf_counter()
    assert prompts.get(line) is not None
    return (time.perf_counter() - began) * 1000


def _heard(ears: AsrEngine, pcm16: bytes) -> str:
    stream = ears.stream(Expectation())
    silence = bytes(RATE_HZ)  # half a second before and after
    for frame in frames(silence + through_g711(pcm16) + silence):
        stream.feed(frame)
    return re.sub(r"\W", "", for_speech(stream.final().text))


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def _syllables(text: str) -> list[str]:
    from pypinyin import lazy_pinyin

    return list(lazy_pinyin(text))


def _voices(settings: Settings, names: list[str]) -> list[Voice]:
    found: list[Voice] = []
    for name in names or speakers(settings.data_home / "models" / "kokoro"):
        speech = settings.speech.model_copy(update={"tts": "kokoro", "voice": name, "recordings": None})
        found.append(make_voice(settings.model_copy(update={"speech": speech})))
    if settings.speech.tts_model is not None:
        speech = settings.speech.model_copy(update={"tts": "coqui", "recordings": None})
        found.append(make_voice(settings.model_copy(update={"speech": speech})))
    if not found:
        raise SystemExit("no voice is present: voicebot models pull kokoro")
    return found


def _ears(settings: Settings) -> AsrEngine:
    from voicebot.speech.asr import make_asr

    return make_asr(settings)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", nargs="*", default=[], help="Kokoro speakers; all that are present if none is named")
    parser.add_argument("--speed", nargs="*", type=float, default=[1.0])
    parser.add_argument("--ears", action="store_true", help="let the project's recogniser listen at 8 kHz G.711")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except VoiceError as e:
        raise SystemExit(f"bench/voice.py: {e}") from e
