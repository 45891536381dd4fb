"""Speech is found to the sample, whatever the line adds to it."""

from __future__ import annotations

import numpy as np
import pytest
from debtor_sounds import on_the_line, silence, voice

from voicebot.debtor.activity import (
    Samples,
    Segmenter,
    Span,
    Started,
    WentQuiet,
    speech_bounds,
    speech_spans,
)

FRAME = 160


@pytest.mark.parametrize("lead_ms", [400, 403, 407, 1011])
def test_speech_through_g711_is_found_within_two_milliseconds(lead_ms: int) -> None:
    heard = on_the_line(silence(lead_ms), voice(900), silence(700))
    (span,) = speech_spans(heard)
    assert abs(span.first - lead_ms * 8) <= 16
    assert abs(span.last - (lead_ms + 900) * 8) <= 16


@pytest.mark.parametrize("comfort_rms", [5.0, 20.0, 60.0])
def test_comfort_noise_is_not_speech_and_does_not_move_it(comfort_rms: float) -> None:
    rng = np.random.default_rng(7)
    clean = np.concatenate([silence(1000), voice(800), silence(1000)])
    heard = on_the_line((clean + rng.normal(0, comfort_rms, clean.size)).astype(np.int16))
    (span,) = speech_spans(heard)
    assert abs(span.first - 8000) <= 40
    assert abs(span.last - 14400) <= 40


def test_silence_and_clicks_are_no_speech() -> None:
    assert speech_spans(on_the_line(silence(2000))) == []
    click = silence(1000)
    click[4000:4080] = 8000
    assert speech_spans(on_the_line(click)) == []
    assert speech_bounds(silence(3)) is None


def test_gaps_shorter_than_asked_for_belong_to_the_speech() -> None:
    heard = on_the_line(silence(300), voice(500), silence(150), voice(500), silence(260), voice(500), silence(300))
    assert len(speech_spans(heard, join_ms=200)) == 2
    assert len(speech_spans(heard, join_ms=100)) == 3
    assert len(speech_spans(heard, join_ms=300)) == 1


def test_a_voice_lowered_by_twelve_decibels_is_still_speech() -> None:
    heard = on_the_line(silence(300), voice(500), voice(500, level=3000 * 10 ** (-12 / 20)), silence(500))
    (span,) = speech_spans(heard)
    assert abs(span.last - 1300 * 8) <= 16


def test_a_frame_that_slipped_in_does_not_cut_an_utterance() -> None:
    spoken = voice(1000)
    heard = on_the_line(silence(300), spoken[:4000], silence(20), spoken[4000:], silence(500))
    assert len(speech_spans(heard)) == 1


def segment(heard: Samples, quiet_ms: int = 700) -> list[Started | WentQuiet]:
    segmenter = Segmenter(quiet_ms)
    found: list[Started | WentQuiet] = []
    for index in range(heard.size // FRAME):
        found += segmenter.push(index, heard[index * FRAME : (index + 1) * FRAME].tobytes())
    if (rest := segmenter.finish()) is not None:
        found.append(rest)
    return found


def test_a_running_stream_is_cut_where_the_whole_recording_would_be() -> None:
    heard = on_the_line(silence(500), voice(800), silence(300), voice(600), silence(1000), voice(700), silence(1200))
    whole = speech_spans(heard, join_ms=700)
    parts = [found.span for found in segment(heard) if isinstance(found, WentQuiet)]
    assert len(parts) == len(whole) == 2
    for part, span in zip(parts, whole, strict=True):
        assert abs(part.first - span.first) <= 80
        assert abs(part.last - span.last) <= 80


def test_an_utterance_is_over_only_after_the_silence_asked_for() -> None:
    heard = on_the_line(silence(500), voice(500), silence(650), voice(500), silence(900))
    assert [type(found) for found in segment(heard)] == [Started, WentQuiet]


def test_an_utterance_comes_with_the_audio_around_it() -> None:
    heard = on_the_line(silence(500), voice(500), silence(900))
    done = next(found for found in segment(heard) if isinstance(found, WentQuiet))
    assert len(done.pcm16) // 2 / 8 == pytest.approx(300 + 500 + 700, abs=60)


def test_a_call_that_ends_in_the_middle_of_an_utterance_keeps_it() -> None:
    found = segment(on_the_line(silence(500), voice(500)))
    assert isinstance(found[-1], WentQuiet)
    assert found[-1].span.ms == pytest.approx(500, abs=10)


def test_noise_on_the_line_is_learned_and_not_taken_for_the_robot() -> None:
    noise = np.random.default_rng(1).normal(0, 30, 8000 * 4).astype(np.int16)
    assert [f for f in segment(on_the_line(noise)) if isinstance(f, WentQuiet) and f.span.ms > 300] == []


def test_spans_count_both_ends() -> None:
    assert Span(0, 7999).ms == 1000
