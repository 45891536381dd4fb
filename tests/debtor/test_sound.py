"""A line on the wire: exact pauses, honest damage, noise at its level."""

from __future__ import annotations

import numpy as np
import pytest
from debtor_sounds import silence, voice

from voicebot.debtor.activity import rms, speech_spans
from voicebot.debtor.persona import Network, Noise
from voicebot.debtor.sound import Background, assemble, babble, damaged, speech_rms


def test_pieces_are_joined_with_exactly_the_planned_silence() -> None:
    one = np.concatenate([silence(90), voice(600), silence(130)])
    two = np.concatenate([silence(40), voice(700, seed=9), silence(70)])
    spoken = assemble([(one, 450), (two, 0)])
    (pause,) = spoken.pauses
    assert pause.ms == 450
    assert not spoken.samples[pause.first : pause.last + 1].any()
    assert spoken.samples[pause.first - 1] and spoken.samples[pause.last + 1]
    assert spoken.speech.ms == pytest.approx(600 + 450 + 700, abs=6)


def test_a_line_is_whole_frames_and_starts_with_speech() -> None:
    spoken = assemble([(np.concatenate([silence(50), voice(333), silence(50)]), 0)])
    assert spoken.samples.size % 160 == 0
    assert len(spoken.frames()) * 160 == spoken.samples.size
    assert spoken.speech.first == 0 and spoken.samples[0] != 0


def test_a_silent_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="piece 2"):
        assemble([(voice(300), 100), (silence(300), 0)])


def test_packet_loss_takes_whole_frames_and_says_which() -> None:
    spoken = assemble([(voice(20_000), 0)])
    broken = damaged(spoken, Network(packet_loss_percent=10), np.random.default_rng(5))
    frames, before = broken.frames(), spoken.frames()
    assert {n for n, frame in enumerate(frames) if not any(frame)} == set(broken.lost)
    assert all(frame == before[n] for n, frame in enumerate(frames) if n not in broken.lost)
    assert len(broken.lost) / len(frames) == pytest.approx(0.10, abs=0.025)
    assert 0 not in broken.lost


def test_jitter_leaves_holes_of_at_most_its_length() -> None:
    broken = damaged(assemble([(voice(20_000), 0)]), Network(jitter_ms=60), np.random.default_rng(5))
    assert broken.lost
    runs = np.split(np.array(broken.lost), np.flatnonzero(np.diff(broken.lost) > 1) + 1)
    assert max(run.size for run in runs) <= 3


def test_an_unharmed_network_changes_nothing() -> None:
    spoken = assemble([(voice(1000), 0)])
    assert damaged(spoken, Network(), np.random.default_rng(0)).frames() == spoken.frames()


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_background_noise_lies_that_far_below_the_voice(kind: str) -> None:
    spoken = assemble([(voice(3000), 0)])
    rng = np.random.default_rng(2)
    source = babble([voice(2500, seed=n) for n in range(6)], rng) if kind == "babble" else None
    background = Background(Noise(kind=kind, snr_db=15), speech_rms(spoken.samples), source, rng)
    noise = background.next(80_000)
    assert 20 * np.log10(speech_rms(spoken.samples) / rms(noise)) == pytest.approx(15, abs=1)


def test_babble_never_falls_silent() -> None:
    mix = babble([np.concatenate([voice(900, seed=n), silence(300)]) for n in range(8)], np.random.default_rng(3))
    assert len(speech_spans(mix, join_ms=100)) == 1
