"""What do the robot's ears make of a turn? Speaks turns over a telephone line and writes down what comes back.

A network that has only seen clean text stumbles over 已经环过了. Turns that were spoken, sent through G.711 and noise
and transcribed by the robot's own recogniser belong into the training data, and into a test that means anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dialogue.acts import Pending
from dialogue.expectations import ANSWERS
from dialogue.protocol import Expectation
from voicebot.intent.data import Example
from voicebot.settings import Settings
from voicebot.speech.adapt import line as telephone
from voicebot.speech.adapt.mouths import MANDARIN, punctuated, read_shard
from voicebot.speech.api import RATE_HZ, AsrEngine, Hypothesis
from voicebot.speech.audio import Samples, mix, read_telephone, through_g711, to_float, to_pcm16, write_wav
from voicebot.speech.tts.kokoro import KokoroVoice

VOICES = tuple(MANDARIN)  # the speakers that the ears learned from too; HELD_OUT ones are for measuring
SPEEDS = (0.9, 1.0, 1.15)
BEFORE_MS, AFTER_MS = 500, 80
TALKERS = 6  # people in a babble
NEARLY_AS_LIKELY = 0.35  # weight of another text that is worth learning from


@dataclass(frozen=True, slots=True)
class Line:
    """How a turn travels. `babble_db`: speech over the babble of others, in dB; None: a quiet room."""

    voice: str
    speed: float
    babble_db: float | None


def line_for(text: str, babble_db: Sequence[float | None], voices: Sequence[str] = VOICES) -> Line:
    """A voice, a speed and a noise for a turn: the same ones every time."""
    digest = hashlib.sha256(text.encode()).digest()
    return Line(
        voices[digest[0] % len(voices)],
        SPEEDS[digest[1] % len(SPEEDS)],
        babble_db[digest[2] % len(babble_db)],
    )


class Speaker:
    """Renders turns and keeps them on disk: some hundred take minutes. Raises VoiceError when there is no voice."""

    def __init__(self, settings: Settings) -> None:
        self._weights = settings.data_home / "models" / "kokoro"
        self._folder = settings.data_home / "bench" / "turns"
        self._voices: dict[str, KokoroVoice] = {}

    def say(self, text: str, voice: str, speed: float) -> Samples:
        """8 kHz audio of a turn, without the line's damage."""
        name = hashlib.sha256(f"{text}|{voice}|{speed}".encode()).hexdigest()[:24]
        file = self._folder / f"{name}.wav"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            if voice not in self._voices:
                self._voices[voice] = KokoroVoice(self._weights, voice)
            write_wav(file, self._voices[voice].render(punctuated(text), speed))
        return to_float(read_telephone(file))


class Babble:
    """Several people at once, out of turns that others speak. Seeded."""

    def __init__(self, talk: Sequence[Samples], seed: int) -> None:
        self._talk = np.concatenate(list(talk))
        self._rng = np.random.default_rng(seed)

    def take(self, samples: int) -> Samples:
        starts = self._rng.integers(0, max(1, len(self._talk) - samples), TALKERS)
        return np.asarray(sum(np.resize(self._talk[s : s + samples], samples) for s in starts), np.float32)


def on_the_line(spoken: Samples, babble: Samples | None, babble_db: float | None) -> bytes:
    """What arrives: silence, the turn, silence; over it the babble; through G.711 A-law. pcm16."""
    silent = [np.zeros(ms * RATE_HZ // 1000, np.float32) for ms in (BEFORE_MS, AFTER_MS)]
    whole = np.concatenate([silent[0], spoken, silent[1]])
    if babble is not None and babble_db is not None:
        whole = mix(whole, babble[: len(whole)], babble_db)
    return through_g711(to_pcm16(whole))


def hear(ear: AsrEngine, pcm16: bytes, pending: Pending) -> Hypothesis:
    """The final words, listened for as the call does after this question."""
    stream = ear.stream(Expectation(ANSWERS.get(pending, ()), customer=True))
    stream.feed(pcm16)
    return stream.final()


def spoken_and_heard(
    settings: Settings,
    ear: AsrEngine,
    turns: Sequence[tuple[str, Pending]],
    babble_db: Sequence[float | None],
    voices: Sequence[str] = VOICES,
    seed: int = 15,
) -> Iterator[Hypothesis]:
    """What the ears made of each turn, in order."""
    speaker = Speaker(settings)
    first = [speaker.say(text, line_for(text, babble_db, voices).voice, 1.0) for text, _ in turns[:TALKERS]]
    babble = Babble(first, seed)
    for text, pending in turns:
        line = line_for(text, babble_db, voices)
        spoken = speaker.say(text, line.voice, line.speed)
        noise = babble.take(len(spoken) + RATE_HZ) if line.babble_db is not None else None
        yield hear(ear, on_the_line(spoken, noise, line.babble_db), pending)


def rendered_and_heard(
    shards: Sequence[Path], ear: AsrEngine, examples: Iterable[Example], times: int, seed: int
) -> Iterator[tuple[Example, str]]:
    """What the ears make of lines that `voicebot ears speak` rendered, each `times` over a telephone of its own.

    With it comes what they found nearly as likely: in a call the understanding weighs that too.

    A line that is labelled after several questions is heard after each of them.
    """
    labelled: dict[str, list[Example]] = {}
    for e in examples:
        labelled.setdefault(e.text, []).append(e)
    for shard in shards:
        lines, chance = read_shard(shard), np.random.default_rng([seed, *shard.stem.encode()])
        talk = telephone.talk_of([said.samples for said in lines])
        for said in lines:
            for e in labelled.get(said.text, ()):
                for _ in range(times):
                    call = telephone.travelled(said.samples, talk, chance)
                    heard = hear(ear, to_pcm16(call), e.pending)
                    yield e, heard.text
                    yield from ((e, o.text) for o in heard.others if o.weight >= NEARLY_AS_LIKELY)
