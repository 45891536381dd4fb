"""Who speaks to the ears while they learn? Lines as they are said by people that do not exist.

A voice of Kokoro is a table of style vectors, and between two tables lie others: a Mandarin speaker blended with
another one, or with one who speaks another language, is somebody new who still speaks Mandarin. Speakers that the ears
are measured with (HELD_OUT) take no part.

Lines are rendered into shards of SHARD lines on disk; what is there already is not rendered again, and line number n of
a seed is the same whoever renders it. Rendering costs about 0.6 s of CPU for each second of speech.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicebot.speech.api import RATE_HZ
from voicebot.speech.audio import Samples, to_float
from voicebot.speech.tts.errors import VoiceError
from voicebot.speech.tts.kokoro import KokoroVoice, Style, read_style

MANDARIN = {"zf_xiaobei": 4.0, "zm_yunjian": 4.0, "zm_yunxia": 4.0, "zf_xiaoni": 1.0}
"""Who teaches, and how often. zf_xiaoni is hard to understand even for other listeners (docs/engines.md)."""
HELD_OUT = ("zf_xiaoxiao", "zf_xiaoyi", "zm_yunxi", "zm_yunyang")
ALONE, TWO = 0.2, 0.25  # shares of lines by one Mandarin speaker, by two of them blended; the rest with a foreigner
SPEEDS = (0.85, 0.9, 1.0, 1.0, 1.1, 1.2)
SHORT_SHARE = 0.28  # of the lines: the short answers that the scripts expect
SHARD = 200
_MIN_MS = 100


@dataclass(frozen=True, slots=True)
class Line:
    """What is said by whom. `blend`: how much of each voice; the shares sum to 1."""

    text: str
    blend: tuple[tuple[str, float], ...]
    speed: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rendered line: 8 kHz, nothing around it."""

    text: str
    voice: str
    samples: Samples


def lines(turns: Sequence[str], answers: Sequence[str], foreigners: Sequence[str], seed: int, shard: int) -> list[Line]:
    """The lines of one shard. Pure: the same arguments give the same lines."""
    chance = random.Random(f"{seed}/{shard}")
    return [
        Line(
            chance.choice(answers) if answers and chance.random() < SHORT_SHARE else chance.choice(turns),
            _blend(foreigners, chance),
            chance.choice(SPEEDS),
        )
        for _ in range(SHARD)
    ]


def _blend(foreigners: Sequence[str], chance: random.Random) -> tuple[tuple[str, float], ...]:
    (first,) = chance.choices(list(MANDARIN), list(MANDARIN.values()))
    kind = chance.random()
    if kind < ALONE or (kind >= ALONE + TWO and not foreigners):
        return ((first, 1.0),)
    if kind < ALONE + TWO:
        others = {v: weight for v, weight in MANDARIN.items() if v != first}
        (other,) = chance.choices(list(others), list(others.values()))
        share = chance.uniform(0.2, 0.8)
    else:
        other, share = chance.choice(foreigners), chance.uniform(0.45, 0.85)
    return ((first, share), (other, 1 - share))


def render(
    folders: Sequence[Path],
    turns: Sequence[str],
    answers: Sequence[str],
    out: Path,
    shards: int,
    seed: int = 1,
    workers: int = 2,
) -> Iterator[Path]:
    """Render what is missing of so many shards; yields each shard's file when it is there.

    `folders`: Kokoro's own first, then others with a folder `voices`. Raises VoiceError when there is no voice.
    """
    out.mkdir(parents=True, exist_ok=True)
    voices = {p.stem: p for folder in folders for p in sorted((folder / "voices").glob("*.bin"))}
    if absent := [v for v in MANDARIN if v not in voices]:
        raise VoiceError(f"{folders[0]}: no voice {absent[0]}; run `voicebot models pull kokoro`")
    foreigners = sorted(v for v in voices if not v.startswith("z"))
    files = [out / f"{seed}-{shard:04d}.npz" for shard in range(shards)]
    yield from (f for f in files if f.exists())
    # A fresh interpreter each: an onnxruntime session does not survive a fork.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, fresh, initializer=end_with_parent) as pool:
        jobs = [
            pool.submit(_render_shard, folders[0], voices, lines(turns, answers, foreigners, seed, shard), file)
            for shard, file in enumerate(files)
            if not file.exists()
        ]
        yield from (job.result() for job in as_completed(jobs))


def end_with_parent() -> None:
    """A worker whose program was killed stops too, in the middle of a line if need be."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def _render_shard(kokoro: Path, voices: dict[str, Path], said: Sequence[Line], file: Path) -> Path:
    styles: dict[str, Style] = {}
    voice = _voice(kokoro)
    clips, told = [], []
    for line in said:
        for name, _ in line.blend:
            styles.setdefault(name, read_style(voices[name]))
        style = sum((styles[name] * np.float32(share) for name, share in line.blend), np.zeros(1, np.float32))
        pcm16 = voice.as_spoken_by(np.asarray(style, np.float32)).render(punctuated(line.text), line.speed)
        if len(pcm16) // 2 >= _MIN_MS * RATE_HZ // 1000:
            clips.append(np.frombuffer(pcm16, "<i2"))
            told.append((line.text, "+".join(name for name, _ in line.blend)))
    part = file.with_suffix(".part.npz")
    np.savez(part, samples=np.concatenate(clips), lengths=[len(c) for c in clips], told=json.dumps(told))
    part.replace(file)
    return file


_LOADED: dict[Path, KokoroVoice] = {}


def _voice(kokoro: Path) -> KokoroVoice:
    """One network a process, for all shards that it renders."""
    if kokoro not in _LOADED:
        _LOADED[kokoro] = KokoroVoice(kokoro, next(iter(MANDARIN)))
    return _LOADED[kokoro]


def read_shard(file: Path) -> list[Spoken]:
    """The lines of a shard. Raises ValueError for a file that is none."""
    try:
        with np.load(file) as z:
            samples, ends, told = z["samples"], np.cumsum(z["lengths"]), json.loads(str(z["told"]))
    except (OSError, KeyError, ValueError) as e:
        raise ValueError(f"{file}: not a shard of spoken lines ({e}); delete it and render again") from e
    starts = [0, *ends[:-1]]
    return [
        Spoken(text, voice, to_float(samples[a:b].tobytes()))
        for (text, voice), a, b in zip(told, starts, ends, strict=True)
    ]


def punctuated(text: str) -> str:
    """The voice breathes at commas and needs an end."""
    return "，".join(text.replace("…", "，").split()).rstrip("，。") + "。"
