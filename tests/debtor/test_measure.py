"""Measured from outside: synthetic calls whose answers are known to the sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from debtor_sounds import on_the_line, voice
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.debtor.activity import Samples, Span
from voicebot.debtor.measure import Measured, measure, measure_folder, percentile
from voicebot.debtor.record import (
    CallRecord,
    LineSaid,
    Recorder,
    RecordError,
    RobotHeard,
    read_channels,
    read_record,
    write_record,
)

TOLERANCE_MS = 5


def heard(total_ms: int, *robot: tuple[int, int], comfort_rms: float = 0.0) -> Samples:
    """What the debtor heard: the robot from .. to milliseconds, through G.711, over comfort noise."""
    samples = np.random.default_rng(4).normal(0, comfort_rms, total_ms * 8) if comfort_rms else np.zeros(total_ms * 8)
    for first_ms, last_ms in robot:
        samples[first_ms * 8 : last_ms * 8] = voice(last_ms - first_ms)
    return on_the_line(samples.astype(np.int16))


def said(first_ms: int, last_ms: int, **fields: object) -> LineSaid:
    return replace(LineSaid(0, "好的", first_ms * 8, last_ms * 8), **fields)  # type: ignore[arg-type]


def record(*lines: LineSaid) -> CallRecord:
    return CallRecord("c1", "p", "", "1", "sip:robot@127.0.0.1", "2026-01-01T00:00:00+08:00", lines=lines)


def run(samples: Samples, *lines: LineSaid) -> Measured:
    return measure(record(*lines), samples)


@pytest.mark.parametrize("comfort_rms", [0.0, 15.0, 60.0])
def test_the_response_time_runs_from_last_to_first_sample(comfort_rms: float) -> None:
    found = run(heard(9000, (500, 2500), (4437, 6000), comfort_rms=comfort_rms), said(3000, 4000))
    (response,) = found.responses
    assert response.response_ms == pytest.approx(437, abs=TOLERANCE_MS)
    assert not (found.cut_ins or found.interruptions or found.overlapped or found.unanswered)


@given(st.integers(60, 3000), st.integers(300, 2000), st.sampled_from([0.0, 40.0]))
@settings(max_examples=30, deadline=None)
def test_every_response_time_is_found_again(response_ms: int, line_ms: int, comfort_rms: float) -> None:
    end = 3000 + line_ms
    samples = heard(end + 6000, (500, 2500), (end + response_ms, end + response_ms + 900), comfort_rms=comfort_rms)
    (response,) = run(samples, said(3000, end)).responses
    assert response.response_ms == pytest.approx(response_ms, abs=TOLERANCE_MS)


def test_a_frame_that_slipped_into_the_robots_words_moves_nothing_else() -> None:
    samples = heard(9000, (500, 2500), (4400, 5000), (5020, 6000))
    (response,) = run(samples, said(3000, 4000)).responses
    assert response.response_ms == pytest.approx(400, abs=TOLERANCE_MS)


def test_robot_audio_that_was_already_there_is_no_answer() -> None:
    found = run(heard(9000, (500, 5000)), said(2000, 4000))
    assert found.responses == () and found.overlapped == (0,)


def test_a_line_that_the_debtor_itself_follows_up_is_not_answered_by_what_comes_later() -> None:
    found = run(heard(9000, (6400, 7000)), said(2000, 3000), said(5000, 6000))
    assert found.unanswered == (0,)
    assert [r.line for r in found.responses] == [1]
    assert found.responses[0].response_ms == pytest.approx(400, abs=TOLERANCE_MS)


def test_a_robot_that_starts_into_a_planned_pause_has_cut_in() -> None:
    line = said(3000, 5000, planned_pauses=(Span(3800 * 8, 4250 * 8 - 1),))
    (cut,) = run(heard(9000, (500, 2500), (4150, 6000)), line).cut_ins
    assert cut.in_pause
    assert cut.left_ms == pytest.approx(850, abs=TOLERANCE_MS)


def test_a_robot_that_starts_into_the_words_has_cut_in_too() -> None:
    (cut,) = run(heard(9000, (500, 2500), (3700, 6000)), said(3000, 5000)).cut_ins
    assert not cut.in_pause


def test_two_who_begin_at_once_have_collided_and_nobody_has_cut_in() -> None:
    found = run(heard(9000, (3090, 5000)), said(3000, 4000))
    assert found.collisions == (0,) and found.cut_ins == ()


def test_a_line_that_the_debtor_cut_off_itself_is_neither_answered_nor_cut_into() -> None:
    found = run(heard(9000, (3700, 4500)), said(3000, 4000, cut_off=True))
    assert (found.cut_ins, found.responses, found.unanswered) == ((), (), ())


@pytest.mark.parametrize("stop_ms", [40, 180, 333, 900])
def test_a_barge_in_is_over_when_the_robot_is_silent_in_the_debtors_ear(stop_ms: int) -> None:
    found = run(heard(9000, (500, 3000 + stop_ms), (5500, 6500)), said(3000, 5000, barge_in=True))
    (interruption,) = found.interruptions
    assert interruption.stop_ms == pytest.approx(stop_ms, abs=TOLERANCE_MS)
    assert interruption.resumed_after_ms == pytest.approx(2500 - stop_ms, abs=2 * TOLERANCE_MS)
    assert found.responses[0].response_ms == pytest.approx(500, abs=TOLERANCE_MS)
    assert found.cut_ins == ()


def test_a_breath_of_the_robot_shorter_than_the_silence_asked_for_is_no_stop() -> None:
    found = run(heard(9000, (500, 3100), (3250, 4200)), said(3000, 5000, barge_in=True))
    assert found.interruptions[0].stop_ms == pytest.approx(1200, abs=TOLERANCE_MS)


def test_a_voice_that_is_only_lowered_has_not_stopped() -> None:
    loud, low = voice(2500), voice(1000, level=3000 * 10 ** (-12 / 20))
    samples = on_the_line(np.concatenate([np.zeros(4000), loud, low, np.zeros(16000)]).astype(np.int16))
    (interruption,) = run(samples, said(2900, 3500, barge_in=True)).interruptions
    assert interruption.stop_ms == pytest.approx(4000 - 2900, abs=TOLERANCE_MS)


def test_a_hum_is_counted_apart_and_asks_for_no_answer() -> None:
    found = run(heard(9000, (500, 4500)), said(2000, 2300, backchannel=True, barge_in=True))
    assert found.interruptions[0].backchannel
    assert (found.responses, found.unanswered, found.overlapped) == ((), (), ())


def test_a_stop_that_the_end_of_the_call_hides_is_not_counted() -> None:
    found = run(heard(4000, (500, 4000)), said(3000, 3900, barge_in=True))
    assert found.interruptions[0].stop_ms is None


def test_an_interruption_planned_into_a_breath_of_the_robot_is_no_cut_in() -> None:
    found = run(heard(9000, (500, 2900), (3250, 3600)), said(3000, 5000, barge_in=True))
    assert found.cut_ins == ()
    assert found.interruptions[0].stop_ms == pytest.approx(600, abs=TOLERANCE_MS)


def test_a_recorded_call_is_measured_from_its_folder(tmp_path: Path) -> None:
    samples = heard(6000, (500, 1500), (3300, 4000))
    recorder = Recorder(tmp_path / "c1.wav")
    for index in range(samples.size // 160):
        if index != 20:  # a tick that was lost: the clock must hold
            part = samples[index * 160 : (index + 1) * 160].tobytes()
            recorder.frame(index, part, bytes(320))
    recorder.close()
    kept = replace(
        record(said(2000, 3000, planned_pauses=(Span(1, 2),), lost_samples=(7,))),
        wav="c1.wav",
        heard=(RobotHeard(1, 2, "您好", 0.9),),
        notes=("note",),
    )
    assert read_record(write_record(tmp_path, kept)) == kept
    left, right = read_channels(tmp_path / "c1.wav")
    assert left.size == samples.size and not right.any()
    (found,) = measure_folder(tmp_path)
    assert found.responses[0].response_ms == pytest.approx(300, abs=TOLERANCE_MS)


def test_what_is_no_record_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"call": 1}')
    with pytest.raises(RecordError, match=r"x\.json"):
        read_record(tmp_path / "x.json")
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(RecordError, match=r"x\.wav"):
        read_channels(tmp_path / "x.wav")


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert percentile([400, 100, 300, 200], 50) == 200
    assert percentile(range(1, 101), 95) == 95
    assert np.isnan(percentile([], 50))
