"""The edges of speech, out of probabilities per frame."""

from __future__ import annotations

from voicebot.call.gate import Edge, SpeechGate
from voicebot.speech.api import FRAME_SAMPLES


def edges(gate: SpeechGate, probabilities: list[float]) -> list[Edge]:
    pushed = (gate.push(p, (i + 1) * FRAME_SAMPLES) for i, p in enumerate(probabilities))
    return [edge for edge in pushed if edge is not None]


def test_speech_begins_where_it_began_and_is_known_three_frames_later() -> None:
    begun, ended = edges(SpeechGate(), [0, 0, 0.9, 0.9, 0.9, 0.9, 0, 0, 0])
    assert begun == Edge(True, 5 * FRAME_SAMPLES, 2 * FRAME_SAMPLES)
    assert ended == Edge(False, 9 * FRAME_SAMPLES, 6 * FRAME_SAMPLES)


def test_a_sound_that_may_become_speech_stirs_until_it_is_speech_or_over() -> None:
    gate = SpeechGate()
    seen = []
    for i, p in enumerate([0, 0.9, 0, 0, 0, 0, 0.9, 0.9, 0.9]):
        gate.push(p, (i + 1) * FRAME_SAMPLES)
        seen.append((gate.stirring, gate.speaking))
    quiet, stirs, speaks = (False, False), (True, False), (False, True)
    assert seen == [quiet, stirs, stirs, stirs, stirs, quiet, stirs, stirs, speaks]
