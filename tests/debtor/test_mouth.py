"""The mouth knows which sample went out when, even where frames are late, lost to view, or cut off."""

from __future__ import annotations

import numpy as np
from debtor_sounds import voice
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.debtor.mouth import Mouth
from voicebot.debtor.persona import Noise
from voicebot.debtor.record import LineSaid
from voicebot.debtor.sound import Background, Spoken, assemble

SILENCE = bytes(320)


class Wire:
    """A playout queue that is emptied frame by frame, like the leg's."""

    def __init__(self, limit: int = 1500) -> None:
        self.frames: list[bytes] = []
        self.limit = limit

    def write(self, pcm16: bytes) -> int:
        frames = [pcm16[at : at + 320] for at in range(0, len(pcm16), 320)]
        taken = frames[: max(0, self.limit - len(self.frames))]
        self.frames += taken
        return 320 * len(taken)

    def flush(self) -> int:
        dropped = len(self.frames) * 160
        self.frames.clear()
        return dropped

    @property
    def queued(self) -> int:
        return len(self.frames) * 160

    def tick(self) -> bytes:
        return self.frames.pop(0) if self.frames else SILENCE


def line(ms: int = 1000) -> Spoken:
    return assemble([(voice(ms), 450), (voice(ms // 2, seed=8), 0)])


def run(wire: Wire, mouth: Mouth, ticks: int, start: int = 0) -> tuple[list[LineSaid], np.ndarray]:
    done, sent = [], []
    for index in range(start, start + ticks):
        tx = wire.tick()
        sent.append(tx)
        if (said := mouth.sent(index, tx)) is not None:
            done.append(said)
    return done, np.frombuffer(b"".join(sent), "<i2")


def test_a_line_is_marked_where_it_really_went_out() -> None:
    wire, spoken = Wire(), line()
    mouth = Mouth(wire, None)
    run(wire, mouth, 37)
    mouth.say(0, "喂", spoken, barge_in=False, backchannel=False)
    (said,), sent = run(wire, mouth, 200, start=37)
    offset = 37 * 160
    assert np.array_equal(sent[said.first_sample - offset :][: spoken.samples.size], spoken.samples)
    assert said.last_sample - said.first_sample == spoken.speech.last
    (pause,) = said.planned_pauses
    assert pause.ms == 450
    assert not sent[pause.first - offset : pause.last - offset + 1].any()
    assert not said.cut_off and not mouth.speaking


@given(st.integers(0, 12), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_ticks_in_which_nothing_was_sent_before_a_line_do_not_shift_it(late: int, limit: int) -> None:
    wire, spoken = Wire(limit), line(600)
    mouth = Mouth(wire, None)
    mouth.say(0, "喂", spoken, barge_in=False, backchannel=False)
    for index in range(late):
        assert mouth.sent(index, SILENCE) is None
    (said,), _sent = run(wire, mouth, 200, start=late)
    assert said.first_sample == late * 160
    assert mouth.torn_frames == 0


def test_the_noise_before_a_line_is_dropped_and_what_is_already_out_is_not_the_line() -> None:
    wire, spoken = Wire(), line()
    rng = np.random.default_rng(1)
    mouth = Mouth(wire, Background(Noise(snr_db=20), 2000, None, rng))
    run(wire, mouth, 50)
    in_flight = [wire.tick(), wire.tick()]  # pulled by the clock, not yet reported
    mouth.say(0, "喂", spoken, barge_in=False, backchannel=False)
    for index, tx in enumerate(in_flight, 50):
        assert mouth.sent(index, tx) is None
    (said,), sent = run(wire, mouth, 200, start=52)
    assert said.first_sample == 52 * 160
    assert np.array_equal(sent[: spoken.samples.size], spoken.samples)


def test_frames_that_nobody_saw_go_out_do_not_lose_the_place() -> None:
    wire = Wire()
    mouth = Mouth(wire, None)
    mouth.say(0, "喂", line(), barge_in=False, backchannel=False)
    run(wire, mouth, 20)
    wire.tick()
    wire.tick()
    done, _ = run(wire, mouth, 300, start=22)
    assert len(done) == 1 and not mouth.speaking
    assert mouth.misread_frames == 2


def test_a_line_whose_end_goes_out_unseen_is_still_over() -> None:
    wire = Wire()
    mouth = Mouth(wire, None)
    mouth.say(0, "喂", line(), barge_in=False, backchannel=False)
    run(wire, mouth, 20)
    wire.flush()
    done, _ = run(wire, mouth, 20, start=20)
    assert len(done) == 1 and not mouth.speaking


def test_a_line_that_is_cut_off_is_marked_as_far_as_it_went_out() -> None:
    wire = Wire()
    mouth = Mouth(wire, None)
    mouth.say(0, "喂", line(2000), barge_in=True, backchannel=False)
    run(wire, mouth, 30)
    said = mouth.stop()
    assert said is not None and said.cut_off and said.barge_in
    assert said.last_sample == 30 * 160 - 1
    assert said.planned_pauses == ()
    assert wire.queued == 0 and not mouth.speaking


def test_a_line_of_which_nothing_went_out_was_not_said() -> None:
    mouth = Mouth(Wire(), None)
    mouth.say(0, "喂", line(), barge_in=False, backchannel=False)
    assert mouth.stop() is None


def test_a_line_longer_than_the_playout_is_said_to_its_end() -> None:
    wire, spoken = Wire(limit=100), assemble([(voice(15_000), 0)])
    mouth = Mouth(wire, None)
    mouth.say(0, "长", spoken, barge_in=False, backchannel=False)
    (said,), sent = run(wire, mouth, 800)
    assert np.array_equal(sent[: spoken.samples.size], spoken.samples)
    assert said.last_sample == spoken.speech.last
    assert mouth.torn_frames == 0
