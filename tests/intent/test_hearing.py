"""Rendered lines are heard after every question that they are labelled for, each time over another telephone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dialogue.acts import Act, Pending
from dialogue.expectations import ANSWERS
from dialogue.protocol import Expectation
from dialogue.understanding import Alternative
from voicebot.cli import intent
from voicebot.intent.data import Example
from voicebot.intent.hearing import rendered_and_heard
from voicebot.speech.api import RATE_HZ, Hypothesis


class CountingEar:
    """Writes down how much came and what was expected."""

    name = "counting"

    def __init__(self, others: tuple[Alternative, ...] = ()) -> None:
        self.calls: list[tuple[Expectation, bytes]] = []
        self.others = others

    def stream(self, expectation: Expectation) -> CountingEar:
        self.calls.append((expectation, b""))
        return self

    def feed(self, pcm16: bytes) -> None:
        self.calls[-1] = (self.calls[-1][0], pcm16)

    def partial(self) -> Hypothesis:
        return self.final()

    def final(self) -> Hypothesis:
        return Hypothesis(f"words {len(self.calls)}", 1.0, True, 0, others=self.others)


def shard_of(folder: Path, *texts: str) -> Path:
    tone = (np.sin(np.arange(RATE_HZ) / 5) * 8000).astype("<i2")
    told = json.dumps([(t, "zf_xiaobei") for t in texts])
    np.savez(folder / "1-0000.npz", samples=np.tile(tone, len(texts)), lengths=[len(tone)] * len(texts), told=told)
    return folder / "1-0000.npz"


def test_every_label_of_a_line_is_heard_so_many_times(tmp_path: Path):
    shard = shard_of(tmp_path, "行", "没人要的")
    labelled = [
        Example(Pending.ASK_PAY_TODAY, (Act.PROMISE_PAY,), "行"),
        Example(Pending.CLOSING, (Act.AFFIRM,), "行"),
        Example(Pending.CLOSING, (Act.DENY,), "没有"),
    ]
    ear = CountingEar()
    found = list(rendered_and_heard([shard], ear, labelled, times=3, seed=1))
    assert [e for e, _ in found] == [labelled[0]] * 3 + [labelled[1]] * 3
    assert [w for _, w in found] == [f"words {i}" for i in range(1, 7)]
    assert [e.answers for e, _ in ear.calls[::3]] == [ANSWERS.get(e.pending, ()) for e in labelled[:2]]
    assert len({pcm16 for _, pcm16 in ear.calls}) == 6
    again = CountingEar()
    list(rendered_and_heard([shard], again, labelled, times=3, seed=1))
    assert again.calls == ear.calls


def test_what_was_nearly_as_likely_comes_with_the_words(tmp_path: Path):
    labelled = [Example(Pending.CLOSING, (Act.AFFIRM,), "行")]
    ear = CountingEar((Alternative("形", 0.8), Alternative("型", 0.1)))
    found = list(rendered_and_heard([shard_of(tmp_path, "行")], ear, labelled, times=2, seed=1))
    assert found == [(labelled[0], w) for w in ("words 1", "形", "words 2", "形")]


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--part", "3/2"], "which of how many"), (["--part", "x"], "which of how many"), ([], "voicebot ears speak")],
)
def test_what_cannot_be_heard_is_told(tmp_path: Path, options: list[str], told: str):
    pytest.importorskip("onnx")
    ran = CliRunner().invoke(intent.app, ["hear", "-o", str(tmp_path / "x.tsv"), "--rendered", str(tmp_path), *options])
    assert ran.exit_code != 0
    assert told in ran.output
    assert not (tmp_path / "x.tsv").exists()
