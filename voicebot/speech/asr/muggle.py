"""What did the customer say? The muggle network, listening for what the dialogue expects.

A turn is decoded anew as it grows: the whole of three seconds costs some 40 ms, so nothing is carried from one partial
to the next except when no speech has come since; then the last result stands, and the final one is free.

With closed answers expected, each is scored as a whole (log P(answer | audio)), and so are the short answers that
people give to anything. The best is accepted when it is likely in itself, or when it is less likely than that but
stands clear of every answer that was not expected and is not far behind what is heard freely; heard freely, most short
answers come out wrong. Between a yes and a no that are nearly as likely nothing is accepted. Otherwise the turn's last
words come with the others that a beam found nearly as likely, for the understanding to weigh. Over a noisy line the
beam has two looks with equal votes: one as it is; one slower, with the noise taken out, that leans more on what the
network has learned since it was published. What the noise makes of a syllable in one it rarely makes of it in the
other. What the network hears in noise is kept out by four gates: too little sound, a sound that is one tone, a free
decode that hears nothing, and one that is mumbling.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dialogue.protocol import Expectation
from dialogue.rules import is_bare_yes
from dialogue.understanding import Alternative
from voicebot.speech.api import RATE_HZ, AsrStream, Hypothesis
from voicebot.speech.asr import search
from voicebot.speech.asr.base import TurnAudio, spoken
from voicebot.speech.asr.lowrank import Adaptation
from voicebot.speech.asr.muggle_features import (
    QUIET_MS,
    Activity,
    background,
    features,
    find_activity,
    frame_turn,
)
from voicebot.speech.asr.muggle_net import EOS, Encoded, MuggleNet, Past, no_past
from voicebot.speech.asr.words import END, WordModel
from voicebot.speech.audio import Samples, to_float

Bandwidth = Literal["narrow", "wide"]

ACCEPT_LOG_P = -5.0  # an expected answer as likely as this was said
LIKELY_BY = 0.5  # ... if it is likelier than any unexpected one by this
CLEAR_LOG_P = -10.0  # one as likely as this was said if it is CLEAR_BY likelier than any unexpected one
CLEAR_BY = 1.5
DENIED_BY = 2.0  # an answer that is less than this likelier than one that denies it is left to the free words
BEHIND_FREE = 5.0  # ... and no further than this behind the free decode
OTHERS = 7  # texts of the beam that come with the best
OTHERS_TEMPERATURE = 2.0  # of their weights; chosen with OTHERS on data/dev
OTHERS_LEAST = 0.02  # weight
# The look at noisy speech with its noise taken out: its speed, and how much of what was learned it heeds, in shares of
# what is kept (voicebot.speech.adapt). Both chosen on data/dev.
SLOWER = 0.9
BY_HEART = 1.5
# What people say to anything: the rivals that an expected answer must beat.
# fmt: off
COMMON = (
    "是", "是的", "是我", "我是", "对", "对的", "对啊", "不是", "不是我", "我不是", "打错了", "你打错了",
    "好", "好的", "好吧", "可以", "可以的", "行", "行吧", "不行", "不可以", "没有", "有", "能", "不能",
    "不知道", "没问题", "不用了", "等一下", "不方便", "嗯", "嗯嗯", "喂", "你好", "你说", "什么", "你是谁",
    "今天", "明天", "后天", "没钱", "已经还了", "还了", "他不在", "知道了", "谢谢", "再见", "不需要",
)
# fmt: on
MIN_SPEECH_MS = 60  # a clipped 嗯 has more
MIN_CONFIDENCE = 0.2  # per character; under it, what was decoded is noise
TONE_SHARE = 0.9  # of the power within one narrow band: a line's tone, not a voice
_TONE_PERCENTILE = 85  # a tone sounds for a fifth of its cadence or more (ringing: 1 s of 5)
_CHARACTERS_PER_S = 8.0  # nobody speaks Mandarin faster for long


class MuggleAsr:
    """Mandarin, from a folder with the muggle-speech weights. Thread-safe; raises MissingWeights.

    `adaptation` is what the network has learned since it was published (voicebot.speech.asr.lowrank), `words` what
    customers say (voicebot.speech.asr.words).
    `bandwidth` "wide" is for recordings of `rate_hz` 16 kHz and more, to compare with; calls are "narrow".
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 1,
        bandwidth: Bandwidth = "narrow",
        rate_hz: int = RATE_HZ,
        adaptation: Adaptation | None = None,
        words: WordModel | None = None,
    ) -> None:
        self._net = self._by_heart = MuggleNet(folder, threads, adaptation)
        if adaptation is not None:
            self._by_heart = MuggleNet(folder, threads, adaptation.times(BY_HEART))
        self._words = _Words(words, self._net) if words is not None else None
        self.name = f"muggle+{adaptation.name}" if adaptation else "muggle"
        self._narrowband = bandwidth == "narrow"
        self._rate_hz = rate_hz

    def stream(self, expectation: Expectation) -> AsrStream:
        words = self._words if expectation.customer else None
        return _Turn(self._net, self._by_heart, expectation, words, self._rate_hz, self._narrowband)


class _Words:
    """The word model in the network's ids."""

    def __init__(self, model: WordModel, net: MuggleNet) -> None:
        self._model = model
        characters = {i: c for c, i in net.ids.items()} | {EOS: END}
        self._places = model.places(characters.get(i, "") for i in range(max(characters) + 1))

    def log_p(self, before: search.Ids, candidates: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return self._model.log_p(self._places[list(before)].tolist(), self._places[candidates])


@dataclass(frozen=True, slots=True)
class _Heard:
    """A network bound to one utterance: what search.Stepper asks for."""

    net: MuggleNet
    encoded: Encoded
    eos: int = EOS
    unspoken: tuple[int, ...] = (1, 2)

    def start(self, batch: int) -> Past:
        return no_past(batch)

    def step(self, characters: npt.NDArray[np.int64], past: Any) -> tuple[npt.NDArray[np.float32], Past]:
        return self.net.step(characters, past, self.encoded)


@dataclass(frozen=True, slots=True)
class _Noisy:
    """Framed speech, and the noise of its line alone, at `rate_hz`."""

    speech: Samples
    noise: Samples
    rate_hz: int


@dataclass(frozen=True, slots=True)
class _Decode:
    """What came of the audio up to the end of its last sound."""

    activity: Activity
    heard: _Heard | None
    text: str
    confidence: float
    closed: str | None
    max_length: int = 0
    noisy: _Noisy | None = None  # None on a quiet line
    searched: bool = False  # text and confidence are those of the beam
    others: tuple[Alternative, ...] = ()


class _Turn:
    def __init__(
        self,
        net: MuggleNet,
        by_heart: MuggleNet,
        expectation: Expectation,
        words: _Words | None,
        rate_hz: int,
        narrowband: bool,
    ) -> None:
        self._net, self._by_heart, self._words = net, by_heart, words
        self._rate_hz, self._narrowband = rate_hz, narrowband
        self._audio = TurnAudio(rate_hz)
        self._last: _Decode | None = None
        known = {a: search.as_ids(spoken(a), net.ids) for a in expectation.answers}
        expected = {spoken(a) for a in expectation.answers}
        self._answers = {a: ids for a, ids in known.items() if ids}
        common = (search.as_ids(c, net.ids) for c in COMMON if c not in expected)
        self._others = [ids for ids in common if ids] if self._answers else []
        phrases = (search.as_ids(spoken(p), net.ids) for p in expectation.phrases)
        self._phrases = [ids for ids in phrases if ids]

    def feed(self, pcm16: bytes) -> None:
        self._audio.feed(pcm16)

    def partial(self) -> Hypothesis:
        return self._hear(final=False)

    def final(self) -> Hypothesis:
        return self._hear(final=True)

    def _hear(self, *, final: bool) -> Hypothesis:
        began = time.thread_time()
        pcm16 = self._audio.snapshot()
        samples = to_float(pcm16)
        activity = find_activity(samples, self._rate_hz)
        if self._last is None or self._last.activity != activity:
            self._last = self._decode(samples, activity)
        if final:
            self._last = self._searched(self._last)
        found = self._last
        return Hypothesis(
            text=found.text,
            confidence=found.confidence,
            final=final,
            audio_ms=self._audio.ms(pcm16),
            cpu_ms=(time.thread_time() - began) * 1000,
            closed=found.closed,
            others=found.others,
        )

    def _decode(self, samples: Samples, activity: Activity) -> _Decode:
        nothing = _Decode(activity, None, "", 0.0, None)
        if activity.active_ms < MIN_SPEECH_MS or is_tone(samples[activity.start : activity.end], self._rate_hz):
            return nothing
        noisy = _Noisy(
            frame_turn(samples, self._rate_hz, activity), background(samples, self._rate_hz, activity), self._rate_hz
        )
        heard = self._look(noisy, self._net)
        seconds = (activity.end - activity.start) / self._rate_hz
        max_length = 4 + int(seconds * _CHARACTERS_PER_S)
        free = search.greedy(heard, max_length)
        if not free.ids:
            return nothing
        closed = self._closed(heard, free, seconds * 1000)
        if closed is not None:
            return _Decode(activity, heard, closed[0], closed[1], closed[0])
        if free.confidence < MIN_CONFIDENCE:
            return nothing
        again = noisy if len(noisy.noise) else None
        return _Decode(activity, heard, self._net.text(free.ids), free.confidence, None, max_length, again)

    def _look(self, noisy: _Noisy, net: MuggleNet, speed: float = 1.0) -> _Heard:
        """Speech that is taken for sampled at a lower rate is slower."""
        seen = features(
            noisy.speech,
            round(noisy.rate_hz * speed),
            narrowband=self._narrowband,
            noise=noisy.noise,
            quiet_ms=QUIET_MS,
        )
        return _Heard(net, net.encode(seen))

    def _searched(self, found: _Decode) -> _Decode:
        """The same with the best words that a beam finds, where there is something to favour."""
        if found.searched or found.heard is None or found.closed is not None or not (self._phrases or self._words):
            return found
        looks = [found.heard]
        if (noisy := found.noisy) is not None:
            as_it_is = self._look(replace(noisy, noise=noisy.noise[:0]), self._net)
            looks = [as_it_is, self._look(noisy, self._by_heart, SLOWER)]
        trie = search.PhraseTrie(self._phrases)
        best, *rest = vote([search.beam_search(look, found.max_length, trie, self._words) for look in looks])
        return replace(
            found,
            text=self._net.text(best.ids),
            confidence=best.confidence,
            searched=True,
            others=tuple(
                Alternative(self._net.text(text.ids), round(text.weight / best.weight, 3))
                for text in rest
                if text.weight >= OTHERS_LEAST * best.weight
            ),
        )

    def _closed(self, heard: _Heard, free: search.Decoded, sound_ms: float) -> tuple[str, float] | None:
        """The expected answer that was said, with its probability; None when none was."""
        if not self._answers:
            return None
        mine = {a: ids for a, ids in self._answers.items() if _fits(ids, sound_ms)}
        if not mine:
            return None
        others = [ids for ids in self._others if _fits(ids, sound_ms)]
        scored = search.score_answers(heard, [*mine.values(), *others], floor=CLEAR_LOG_P - CLEAR_BY)
        expected = [(a, s) for a, s in zip(mine, scored, strict=False) if s is not None]
        other = max((s.log_p for s in scored[len(mine) :] if s is not None), default=-np.inf)
        return accepted(expected, other, free.log_p)


@dataclass(frozen=True, slots=True)
class Voted:
    """A text with its share of the votes, and the probability that the best look gave each of its characters."""

    ids: search.Ids
    weight: float
    confidence: float


def vote(looks: Sequence[Sequence[search.Scored]]) -> list[Voted]:
    """What was heard in all looks at a turn, the likeliest first. `looks`: of each, its finished texts, the best first;
    every look has one vote, which its likeliest texts share."""
    found: dict[search.Ids, Voted] = {}
    for texts in looks:
        heeded = texts[: OTHERS + 1]
        weights = [math.exp((s.score - texts[0].score) / OTHERS_TEMPERATURE) for s in heeded]
        for s, weight in zip(heeded, weights, strict=True):
            before = found.get(s.decoded.ids, Voted(s.decoded.ids, 0.0, 0.0))
            share = before.weight + weight / sum(weights)
            found[s.decoded.ids] = Voted(s.decoded.ids, share, max(before.confidence, s.decoded.confidence))
    return sorted(found.values(), key=lambda v: -v.weight)


def accepted(expected: list[tuple[str, search.Decoded]], other: float, free: float) -> tuple[str, float] | None:
    """The expected answer that was said, with its probability. `other`, `free`: log P of the best unexpected answer and
    of what was heard freely."""
    if not expected:
        return None
    answer, best = max(expected, key=lambda pair: pair[1].log_p)
    if any(denies(a) != denies(answer) and s.log_p > best.log_p - DENIED_BY for a, s in expected):
        return None
    likely = best.log_p >= max(ACCEPT_LOG_P, other + LIKELY_BY)
    clear = best.log_p >= max(CLEAR_LOG_P, free - BEHIND_FREE) and best.log_p >= other + CLEAR_BY
    return (answer, best.confidence) if likely or clear else None


def denies(answer: str) -> bool:
    """Is it a no? 不是我 and 嗯是我 differ by one syllable, which a telephone may swallow."""
    return ("不" in answer or "没" in answer) and not is_bare_yes(answer)  # 没问题 is a yes


def _fits(answer: search.Ids, sound_ms: float) -> bool:
    """Can an answer of so many characters last so long? Generous: drawled, with a breath before it."""
    return sound_ms <= 900 + 450 * len(answer)


def is_tone(samples: Samples, rate_hz: int) -> bool:
    """Does one frequency carry nearly all of it, whenever it sounds? (dial, busy and ringing tone: 450 Hz in China)"""
    size = 512
    if len(samples) < size:
        return False
    pieces = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    total = power.sum(axis=1)
    # Measured against what sounds for long: one loud syllable, or a click, is not the whole of a turn.
    power = power[total >= np.percentile(total, _TONE_PERCENTILE) * 0.1]
    peak = power.argmax(axis=1)
    around = np.clip(peak[:, None] + np.arange(-2, 3), 0, power.shape[1] - 1)
    share = np.take_along_axis(power, around, axis=1).sum(axis=1) / (power.sum(axis=1) + 1e-9)
    # Under 300 Hz lie the pitch of a voice and the hum of the mains.
    lowest_hz = float(peak.min()) * rate_hz / size
    return bool(np.median(share) > TONE_SHARE and peak.max() - peak.min() <= 2 and lowest_hz > 300.0)
