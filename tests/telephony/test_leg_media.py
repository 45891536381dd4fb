"""What the bridge clock and the program see of a leg's audio, without any phone."""

from __future__ import annotations

import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.media import RING_FRAMES, SILENCE, LegMedia
from telephony.settings import FRAME_BYTES


def constant(value: int, samples: int) -> bytes:
    return struct.pack("<h", value) * samples


def tick(media: LegMedia, rx: bytes | None = None) -> bytes:
    frame = media.pull()
    media.push(rx)
    return frame


def test_what_is_written_is_played_in_order_and_counted():
    media = LegMedia()
    assert media.write(constant(7, 400)) == 800
    frames = [tick(media) for _ in range(4)]
    assert b"".join(frames) == constant(7, 400) + bytes(FRAME_BYTES * 4 - 800)
    assert (media.written, media.played, media.queued) == (400, 400, 0)


def test_silence_that_fills_a_gap_is_not_counted_as_played():
    media = LegMedia()
    tick(media)
    assert media.played == 0
    media.write(constant(1, 10))
    tick(media)
    assert media.played == 10


def test_flush_drops_what_is_left_and_says_how_much():
    media = LegMedia()
    media.write(constant(5, 1000))
    tick(media)
    assert media.flush() == 840
    assert tick(media) == SILENCE
    assert (media.written, media.played) == (1000, 160)


def test_the_playout_takes_no_more_than_its_limit_and_never_half_a_sample():
    media = LegMedia(playout_limit_ms=40)
    assert media.write(bytes(1001)) == 640
    assert media.write(bytes(2)) == 0
    tick(media)
    assert media.write(bytes(3)) == 2


def test_ducking_takes_effect_on_the_next_frame_and_can_be_undone():
    media = LegMedia()
    media.write(constant(10000, 480))
    loud, _ = tick(media), media.set_gain(-12.0)
    ducked, _ = tick(media), media.set_gain(0.0)
    assert loud == tick(media) == constant(10000, 160)
    assert struct.unpack("<160h", ducked) == pytest.approx([2512] * 160, abs=1)


def test_a_gain_above_zero_clips_instead_of_wrapping_round():
    media = LegMedia()
    media.set_gain(12.0)
    media.write(constant(-30000, 160))
    assert tick(media) == constant(-32768, 160)


def test_each_frame_pairs_both_directions_of_one_tick():
    media = LegMedia()
    media.write(constant(1, 160))
    tick(media, constant(9, 160))
    tick(media, None)
    first, second = media.take_frames()
    assert (first.index, first.rx, first.tx) == (0, constant(9, 160), constant(1, 160))
    assert (second.index, second.rx, second.tx) == (1, SILENCE, SILENCE)
    assert second.at_s >= first.at_s
    assert media.take_frames() == []


def test_frames_nobody_takes_are_dropped_oldest_first_and_counted():
    media = LegMedia()
    for _ in range(RING_FRAMES + 5):
        tick(media)
    frames = media.take_frames()
    assert media.dropped_frames == 5
    assert [frames[0].index, frames[-1].index] == [5, RING_FRAMES + 4]


def test_while_bridged_the_far_end_hears_the_other_leg():
    customer, seat = LegMedia(), LegMedia()
    customer.hear(seat)
    seat.push(constant(3, 160))
    customer.push(constant(4, 160))
    assert customer.take_frames()[0].tx == constant(3, 160)
    customer.hear(None)
    tick(customer)
    assert customer.take_frames()[0].tx == SILENCE


def test_writing_and_flushing_from_other_threads_loses_no_sample():
    media = LegMedia()
    flushed = 0
    done = threading.Event()

    def clock() -> None:
        while not done.is_set():
            tick(media)

    thread = threading.Thread(target=clock)
    thread.start()
    for n in range(2000):
        media.write(bytes(2 * (n % 200)))
        if n % 7 == 0:
            flushed += media.flush()
    done.set()
    thread.join()
    assert media.written == media.played + media.queued + flushed


@given(st.lists(st.one_of(st.integers(0, 2000), st.sampled_from(["tick", "flush"])), max_size=80))
def test_every_sample_written_is_played_flushed_or_waiting(script):
    media = LegMedia(playout_limit_ms=200)
    flushed = 0
    for action in script:
        if action == "tick":
            assert len(tick(media)) == FRAME_BYTES
        elif action == "flush":
            flushed += media.flush()
        else:
            assert media.write(bytes(action)) <= action
    assert media.written == media.played + media.queued + flushed
    assert media.queued <= 200 * 8
