"""Is that a person? Labelled clips of what a line brings: tones, announcements, music, letter boxes, people.

    python bench/presence.py                           # some 170 clips, synthesised
    python bench/presence.py --people FOLDER           # recordings of real people (wav) beside them
    python bench/presence.py --list                    # name each that was taken for something else

Tones drift in frequency, rhythm and level; announcements are spoken by three voices; music is chords and melodies;
people say 喂 and what else they say on picking up. All go through G.711, noise on some, into the listener that hears
the line. Shown: what each kind was taken for, how many announcements were typed right, how soon people were known.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dialogue.acts import Disposition
from voicebot.debtor.measure import percentile
from voicebot.intent.hearing import Speaker
from voicebot.presence.listener import TONE_MEANS, Kind, LineListener, Verdict
from voicebot.presence.tones import Tone
from voicebot.settings import load_settings
from voicebot.speech.api import RATE_HZ
from voicebot.speech.asr import make_asr
from voicebot.speech.audio import Samples, frames, read_telephone, through_g711, to_float, to_pcm16
from voicebot.speech.vad import make_vad

VOICES = ("zf_xiaoxiao", "zm_yunyang", "zf_xiaobei")
PEOPLE_VOICES = ("zf_xiaoxiao", "zf_xiaoyi", "zm_yunxi", "zm_yunyang", "zf_xiaobei", "zm_yunjian")
LEAD_MS, TAIL_MS = 400, 1600
SAID: dict[Disposition, tuple[str, ...]] = {
    Disposition.INVALID_NUMBER: (
        "您好，您拨打的号码是空号，请核对后再拨。",
        "对不起，您拨叫的号码不存在，请查证后再拨。",
        "您拨打的号码已改号。",
    ),
    Disposition.SUSPENDED: (
        "您好，您拨打的电话已停机。",
        "对不起，您所拨打的号码已暂停服务，请稍后再拨。",
        "您拨打的用户已欠费停机。",
    ),
    Disposition.POWERED_OFF: (
        "您好，您拨打的电话已关机，请稍后再拨。",
        "对不起，您所拨打的用户已关机。",
    ),
    Disposition.UNREACHABLE: (
        "对不起，您拨打的电话暂时无法接通，请稍后再拨。",
        "您好，您所拨打的用户不在服务区。",
        "网络忙，请稍后再拨。",
    ),
    Disposition.BUSY: (
        "您好，您拨打的电话正在通话中，请稍后再拨。",
        "对不起，您拨叫的用户正忙，请稍后再拨。",
    ),
    Disposition.NO_ANSWER: ("您拨打的电话暂时无人接听，请稍后再拨。",),
}
MACHINES = (
    "您好，我是机主的智能助理，机主现在不方便接听，请问您有什么事，我可以帮您转告。",
    "您的来电已转到语音信箱，请在滴声后留言。",
    "我是通信助理，请说明来意，我会转达给机主。",
    "你好，我是小爱电话助手，请留言。",
)
GREETINGS = (
    "喂？",
    "喂，你好。",
    "喂，哪位？",
    "你好，请问哪位？",
    "喂，说话。",
    "谁呀？",
    "哎，你好。",
    "喂，你是哪里？",
)


@dataclass(frozen=True)
class Clip:
    label: Kind
    name: str
    pcm16: bytes
    tone: Tone | None = None
    disposition: Disposition | None = None
    recorded: bool = False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, help="folder of wav files of real people")
    parser.add_argument("--most", type=int, default=60, help="of those recordings")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    settings = load_settings()
    ears, vad, speaker = make_asr(settings), make_vad(settings), Speaker(settings)
    chance = np.random.default_rng(12)
    clips = [*_tones(chance), *_music(chance), *_spoken(speaker, chance)]
    if options.people:
        clips += _recorded(sorted(options.people.glob("*.wav"))[: options.most])
    out = Console(width=max(120, Console().width))
    found = [(clip, _judge(clip, LineListener(ears, vad))) for clip in clips]
    table = Table(title=f"{len(clips)} clips, {ears.name}, {vad.name}: what they were taken for", title_justify="left")
    table.add_column("")
    for kind in Kind:
        table.add_column(kind.value, justify="right")
    for label in dict.fromkeys(c.label for c in clips):
        taken = Counter(v.kind for c, v in found if c.label is label)
        table.add_row(f"{label} ({taken.total()})", *(str(taken[k] or "") for k in Kind))
    out.print(table)
    typed = [(c, v) for c, v in found if c.label is Kind.ANNOUNCEMENT]
    right = sum(c.disposition is v.disposition for c, v in typed)
    tones = [(c, v) for c, v in found if c.label is Kind.TONE]
    known = sum(c.tone is v.tone for c, v in tones)
    people = [v for c, v in found if c.label is Kind.PERSON]
    lost = sum(not v.is_person for v in people)
    machines = sum(v.is_person for c, v in found if c.label is not Kind.PERSON)
    out.print(f"announcements typed right: {right} of {len(typed)} ({right / len(typed):.1%})")
    out.print(f"tones named right: {known} of {len(tones)} ({known / len(tones):.1%})")
    out.print(f"people taken for machines: {lost} of {len(people)}; machines taken for people: {machines}")
    for what, recorded in (("who greet", False), ("recorded, who speak on", True)):
        waits = [v.at_ms - LEAD_MS for c, v in found if v.is_person and c.recorded is recorded]
        if waits:
            late = f"p50 {percentile(waits, 50):.0f} ms, longest {max(waits)} ms"
            out.print(f"people {what} ({len(waits)}): known {late} after their first sound")
    if options.list:
        for c, v in found:
            if c.label is not v.kind or (c.disposition or v.disposition) is not v.disposition or c.tone is not v.tone:
                out.print(f"{c.label} {c.name} -> {v.kind} {v.disposition or ''} {v.tone or ''} at {v.at_ms}: {v.text}")
    return 0 if lost == 0 and right >= 0.97 * len(typed) else 1


def _judge(clip: Clip, listener: LineListener) -> Verdict:
    for frame in frames(clip.pcm16):
        if (verdict := listener.listen(frame)) is not None:
            return verdict
    return listener.guess()


def _line(samples: Samples, chance: np.random.Generator | None = None, *, lead_ms: int = LEAD_MS) -> bytes:
    lead, tail = (np.zeros(ms * RATE_HZ // 1000, np.float32) for ms in (lead_ms, TAIL_MS))
    whole = np.concatenate([lead, samples, tail])
    if chance is not None:
        whole = whole + chance.normal(0, 10 ** (-45 / 20), len(whole)).astype(np.float32)
    return through_g711(to_pcm16(np.clip(whole, -1, 1)))


def _tones(chance: np.random.Generator) -> list[Clip]:
    """Six of each kind: 25 Hz, a tenth of each duration, -8 to -35 dB."""
    cadences: dict[Tone, tuple[tuple[float, int, int], ...]] = {
        Tone.RINGBACK: ((450, 1000, 4000),) * 2,
        Tone.BUSY: ((450, 350, 350),) * 6,
        Tone.CONGESTION: ((450, 700, 700),) * 4,
        Tone.UNOBTAINABLE: ((450, 100, 100), (450, 100, 100), (450, 100, 100), (450, 400, 400)) * 2,
    }
    clips = []
    for tone, cadence in cadences.items():
        for n in range(6):
            drift, stretch = chance.uniform(-25, 25), chance.uniform(0.9, 1.1)
            loud = 10 ** (chance.uniform(-35, -8) / 20)
            parts = []
            for hz, on_ms, off_ms in cadence:
                t = np.arange(int(on_ms * stretch) * RATE_HZ // 1000) / RATE_HZ
                parts.append(loud * np.sin(2 * np.pi * (hz + drift) * t))
                parts.append(np.zeros(int(off_ms * stretch) * RATE_HZ // 1000))
            pcm16 = _line(np.concatenate(parts).astype(np.float32), chance if n % 2 else None)
            clips.append(Clip(Kind.TONE, tone, pcm16, tone, TONE_MEANS.get(tone)))
    return clips


def _music(chance: np.random.Generator) -> list[Clip]:
    """Chords, arpeggios and a beat; nobody sings."""
    clips = []
    for n in range(16):
        root = 220 * 2 ** (chance.integers(0, 12) / 12)
        out = np.zeros(6 * RATE_HZ, np.float32)
        at = 0
        while at < len(out):
            length = int(chance.uniform(0.18, 0.5) * RATE_HZ)
            t = np.arange(min(length, len(out) - at)) / RATE_HZ
            notes = chance.choice([0, 2, 4, 5, 7, 9, 11, 12], size=3 if n % 2 else 1, replace=False)
            decay = np.exp(-t * chance.uniform(1, 5))
            for note in notes:
                hz = root * 2 ** (note / 12)
                for k, part in enumerate((1.0, 0.5, 0.3, 0.2), start=1):
                    out[at : at + len(t)] += (0.12 * part * decay * np.sin(2 * np.pi * hz * k * t)).astype(np.float32)
            at += length
        clips.append(Clip(Kind.MUSIC, f"music {n}", _line(out, None)))
    return clips


def _spoken(speaker: Speaker, chance: np.random.Generator) -> list[Clip]:
    clips = []
    for disposition, texts in SAID.items():
        for i, text in enumerate(texts):
            for j, voice in enumerate(VOICES):
                pcm16 = _line(speaker.say(text, voice, 1.0), chance if (i + j) % 2 else None)
                clips.append(Clip(Kind.ANNOUNCEMENT, text, pcm16, None, disposition))
    for text in MACHINES:
        for voice in VOICES:
            pcm16 = _line(speaker.say(text, voice, 1.0))
            clips.append(Clip(Kind.MACHINE, text, pcm16, None, Disposition.CALL_ASSISTANT))
    for i, text in enumerate(GREETINGS):
        for j, voice in enumerate(PEOPLE_VOICES):
            pcm16 = _line(speaker.say(text, voice, 1.1), chance if (i + j) % 2 else None)
            clips.append(Clip(Kind.PERSON, text, pcm16))
    return clips


def _recorded(paths: list[Path]) -> list[Clip]:
    """As somebody who picks up and says that: whatever it is, it is a person."""
    return [Clip(Kind.PERSON, p.name, _line(to_float(read_telephone(p)), None), recorded=True) for p in paths]


if __name__ == "__main__":
    sys.exit(main())
