"""Does the robot wait as long as it must and no longer? Recorded turns with pauses inside, beside a fixed rule.

    python bench/endpointing.py                  # 120 turns, half of them with a pause of 300 to 600 ms inside
    python bench/endpointing.py --turns 40 --data models/intent/data/dev

The test turns, spoken by several voices over G.711, go frame by frame through the robot's own voice activity detector,
recogniser, understanding and turn reducer, in virtual time: an answer of the ears comes as late as it took to compute.
Cut off: the turn was taken before its last word. Wait: from the last sample of speech to the taking of the turn. The
same audio is judged by a fixed rule, 800 ms of silence, in the same run. Waits are chosen on other turns, by --data.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from dialogue.acts import Act, Pending
from dialogue.expectations import ANSWERS
from dialogue.protocol import Expectation
from dialogue.understanding import Understander
from voicebot.call import turns
from voicebot.call.gate import SpeechGate
from voicebot.debtor.measure import percentile
from voicebot.intent.data import read_test_turns
from voicebot.intent.hearing import Speaker, line_for
from voicebot.intent.understander import understander_of
from voicebot.settings import PROJECT_ROOT, load_settings
from voicebot.speech.adapt.mouths import HELD_OUT
from voicebot.speech.api import FRAME_SAMPLES, RATE_HZ, AsrEngine, AsrStream, Vad
from voicebot.speech.asr import make_asr
from voicebot.speech.asr.muggle_features import find_activity
from voicebot.speech.audio import Samples, frames, through_g711, to_pcm16
from voicebot.speech.vad import make_vad

TEST = PROJECT_ROOT / "models" / "intent" / "data" / "test"
NOW = datetime(2026, 11, 18, 10, 20, tzinfo=ZoneInfo("Asia/Shanghai"))
PAUSES_MS = (300, 600)
BEFORE_MS, AFTER_MS = 600, 2600
FIXED_MS = 800
_BREATH = re.compile(r"[，,、 ]+|…+")
LIGHT = frozenset({Act.FILLER, Act.GREETING, Act.OUT_OF_SCOPE})


@dataclass(frozen=True)
class Recorded:
    """A turn as it comes over the line. `end`: the sample after its last word."""

    text: str
    pending: Pending
    pcm16: bytes
    end: int
    pause_ms: int  # 0: none


@dataclass
class Taken:
    at: list[int] = field(default_factory=list)  # samples at which a turn was taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=120)
    parser.add_argument("--data", type=Path, default=TEST, help="folder of test turns; dev is for choosing")
    parser.add_argument("--list", action="store_true", help="name every turn that was cut off")
    options = parser.parse_args()
    settings = load_settings()
    understander, ear, vad = understander_of(settings), make_asr(settings), make_vad(settings)
    recorded = _record(Speaker(settings), options.data, options.turns)
    own = turns.Timing()
    fixed = turns.Timing(complete_ms=FIXED_MS, likely_ms=FIXED_MS, open_ms=FIXED_MS, hanging_ms=FIXED_MS)
    table = Table(title=f"{len(recorded)} turns, {understander.name}, {ear.name}, {vad.name}", title_justify="left")
    for column in ("", "cut off too early", "with a pause inside", "wait p50 ms", "p90 ms", "whole turns p50 ms"):
        table.add_column(column, justify="right" if column else "left")
    for name, timing in (("semantic", own), (f"fixed {FIXED_MS} ms", fixed)):
        table.add_row(name, *_judge(recorded, timing, understander, ear, vad, options.list))
    Console(width=max(120, Console().width)).print(table)


def _judge(
    recorded: Sequence[Recorded],
    timing: turns.Timing,
    understander: Understander,
    ear: AsrEngine,
    vad: Vad,
    name_them: bool,
) -> list[str]:
    cut, paused_cut, waits, whole = 0, 0, [], []
    for turn in recorded:
        first = _play(turn, timing, understander, ear, vad)
        if first is None:
            continue
        if first < turn.end - RATE_HZ * 60 // 1000:
            cut += 1
            paused_cut += turn.pause_ms > 0
            if name_them:
                print(f"cut off: {turn.text} ({turn.pending}, pause {turn.pause_ms} ms)")
            continue
        wait_ms = (first - turn.end) * 1000 / RATE_HZ
        waits.append(wait_ms)
        if not turn.pause_ms:
            whole.append(wait_ms)
    paused = sum(t.pause_ms > 0 for t in recorded)
    return [
        f"{cut} ({cut / len(recorded):.1%})",
        f"{paused_cut} of {paused} ({paused_cut / max(1, paused):.1%})",
        f"{percentile(waits, 50):.0f}",
        f"{percentile(waits, 90):.0f}",
        f"{percentile(whole, 50):.0f}",
    ]


def _play(turn: Recorded, timing: turns.Timing, understander: Understander, ear: AsrEngine, vad: Vad) -> int | None:
    """The sample at which the first turn was taken, in virtual time."""
    state, gate, stream_of = turns.TurnState(), SpeechGate(), vad.stream()
    history = bytearray()
    listening: AsrStream | None = None
    heard: list[tuple[int, turns.Heard]] = []
    taken = Taken()
    at = 0

    def feed(event: turns.TurnEvent) -> None:
        nonlocal state, listening
        state, commands = turns.step(state, event, timing)
        for command in commands:
            match command:
                case turns.OpenEars():
                    listening = ear.stream(Expectation(ANSWERS.get(turn.pending, ()), customer=True))
                    listening.feed(bytes(history[command.from_sample * 2 :]))
                case turns.AskEars() if listening is not None:
                    words = listening.final() if command.final else listening.partial()
                    completeness = understander.completeness(words.text, pending=turn.pending)
                    due = at + round(words.cpu_ms * RATE_HZ / 1000)
                    heard.append((due, turns.Heard(due, state.turn, at, words.text, completeness, False)))
                case turns.TakeTurn():
                    taken.at.append(at)

    for frame in frames(turn.pcm16):
        at += FRAME_SAMPLES
        history += frame
        if listening is not None:
            listening.feed(frame)
        edge = gate.push(stream_of.push(frame), at)
        if edge is not None:
            feed((turns.SpeechStarted if edge.speech else turns.SpeechStopped)(edge.at, edge.since))
        while heard and heard[0][0] <= at:
            feed(replace(heard.pop(0)[1], stirring=gate.stirring))
        deadline = turns.next_deadline(state, timing)
        if deadline is not None and at >= deadline:
            feed(turns.Tick(at, stirring=gate.stirring))
        if taken.at:
            return taken.at[0]
    return None


def _record(speaker: Speaker, folder: Path, count: int) -> list[Recorded]:
    chance = random.Random(450)
    examples = [t.example for t in read_test_turns(sorted(folder.glob("*.tsv")))]
    chance.shuffle(examples)
    broken = [e for e in examples if len(_parts(e.text)) >= 2 and 6 <= len(e.text) <= 22]
    plain = [e for e in examples if len(_parts(e.text)) == 1 and 2 <= len(e.text) <= 14 and e.acts[0] not in LIGHT]
    found = []
    for e in broken[: count // 2]:
        pieces = _parts(e.text)
        at = chance.randrange(1, len(pieces))
        pause_ms = chance.randrange(PAUSES_MS[0], PAUSES_MS[1] + 1, 50)
        halves = ("，".join(pieces[:at]), "，".join(pieces[at:]))
        found.append(_joined(speaker, e.text, e.pending, halves, pause_ms))
    found += [_joined(speaker, e.text, e.pending, (e.text,), 0) for e in plain[: count - count // 2]]
    return found


def _joined(speaker: Speaker, text: str, pending: Pending, halves: Sequence[str], pause_ms: int) -> Recorded:
    line = line_for(text, (None,), HELD_OUT)
    spoken = [_trimmed(speaker.say(half, line.voice, line.speed)) for half in halves]
    gap = np.zeros(RATE_HZ * pause_ms // 1000, np.float32)
    body = np.concatenate([p for half in spoken for p in (half, gap)][: 2 * len(spoken) - 1])
    lead, tail = (np.zeros(RATE_HZ * ms // 1000, np.float32) for ms in (BEFORE_MS, AFTER_MS))
    end = len(lead) + len(body)
    return Recorded(text, pending, through_g711(to_pcm16(np.concatenate([lead, body, tail]))), end, pause_ms)


def _trimmed(samples: Samples) -> Samples:
    """From the first sound to the last, so that a pause is as long as it says."""
    sounding = find_activity(samples, RATE_HZ)
    return samples[sounding.start : sounding.end]


def _parts(text: str) -> list[str]:
    return [part for part in _BREATH.split(text) if part.strip("。？！?!")]


if __name__ == "__main__":
    main()
