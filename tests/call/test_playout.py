"""What is said and how much of it was heard, against a leg that plays 20 ms whenever it is told to."""

from __future__ import annotations

import asyncio

from dialogue.protocol import Speak
from voicebot.call.playout import LEAD_MS, LineBegun, LineOver, Playout

MS = 16  # bytes


class PlainLeg:
    """Plays what was written, 20 ms per call of `play`."""

    def __init__(self) -> None:
        self.queue = b""
        self.heard = b""
        self.gains: list[float] = []

    @property
    def queued(self) -> int:
        return len(self.queue) // 2

    def write(self, pcm16: bytes) -> int:
        self.queue += pcm16
        return len(pcm16)

    def flush(self) -> int:
        dropped, self.queue = len(self.queue) // 2, b""
        return dropped

    def set_gain(self, db: float) -> None:
        self.gains.append(db)

    def play(self) -> None:
        now, self.queue = self.queue[:320], self.queue[320:]
        self.heard += now


class Voices:
    """Clauses of 1 s, each byte its own character; those in `late` come only when released."""

    def __init__(self, late: set[str] | None = None) -> None:
        self.late = late or set()
        self.release = asyncio.Event()

    def get(self, text: str) -> bytes | None:
        return None if text in self.late else self._audio(text)

    async def render(self, text: str, *, urgent: bool) -> bytes:
        if text == "坏，":
            raise RuntimeError("no voice")
        await self.release.wait()
        return self._audio(text)

    def _audio(self, text: str) -> bytes:
        return bytes([ord(text[0]) % 251 + 1]) * (1000 * MS)


def line(line_id: str, *clauses: str) -> Speak:
    return Speak(line_id, "".join(clauses), clauses)


def run(playout: Playout, leg: PlainLeg, ms: int) -> list[object]:
    happened: list[object] = []
    for _ in range(ms // 20):
        happened += playout.advance()
        leg.play()
    return happened


def voiced(leg: PlainLeg) -> int:
    return (len(leg.heard) - leg.heard.count(0)) // MS


def test_a_line_begins_is_heard_whole_and_is_over() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.say(line("a", "你好，", "请问。"))
    happened = run(playout, leg, 4000)
    assert [type(h) for h in happened] == [LineBegun, LineOver]
    assert happened[1] == LineOver("a", 1.0)
    assert voiced(leg) == 2000
    assert playout.idle


def test_never_more_than_the_lead_is_handed_over() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.say(line("a", "你好，", "请问。"))
    for _ in range(50):
        playout.advance()
        assert len(leg.queue) <= LEAD_MS * MS
        leg.play()


def test_a_pause_silences_at_once_and_tells_what_was_heard() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.say(line("a", "你好，"))
    playout.say(line("b", "请问。"))
    run(playout, leg, 500)
    remaining_ms, cut = playout.pause()
    before = len(leg.heard)
    run(playout, leg, 500)
    assert len(leg.heard) == before
    assert [name for name, _ in cut] == ["a", "b"]
    assert cut[1][1] == 0.0
    assert abs(cut[0][1] - 500 / 1130) < 0.03
    assert 1700 < remaining_ms < 2000


def test_a_resumed_line_goes_on_a_syllable_before_it_stopped() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.say(line("a", "你好，"))
    run(playout, leg, 500)
    playout.pause()
    playout.resume()
    happened = run(playout, leg, 2000)
    assert LineOver("a", 1.0) in happened
    assert 1100 <= voiced(leg) <= 1200


def test_what_is_dropped_is_never_said() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.say(line("a", "你好，"))
    playout.say(line("b", "请问。"))
    run(playout, leg, 200)
    playout.pause()
    playout.drop()
    playout.say(line("c", "再见。"))
    happened = run(playout, leg, 2000)
    assert [getattr(h, "line_id", None) for h in happened if isinstance(h, LineOver)] == ["c"]


async def test_a_line_does_not_begin_when_it_would_stall_after_its_first_word() -> None:
    leg, voices = PlainLeg(), Voices(late={"请问是王强先生本人吗？"})
    playout = Playout(leg, voices, -12)
    playout.say(line("a", "你好，", "请问是王强先生本人吗？"))
    assert run(playout, leg, 2000) == [] and voiced(leg) == 0
    voices.release.set()
    await asyncio.sleep(0.01)
    run(playout, leg, 3000)
    assert voiced(leg) == 2000


async def test_the_first_clause_is_said_while_the_second_is_still_being_rendered() -> None:
    leg, voices = PlainLeg(), Voices(late={"请问。"})
    playout = Playout(leg, voices, -12)
    playout.say(line("a", "你好，", "请问。"))
    run(playout, leg, 2000)
    assert voiced(leg) == 1000
    assert not playout.idle
    voices.release.set()
    await asyncio.sleep(0.01)
    assert LineOver("a", 1.0) in run(playout, leg, 2000)
    assert voiced(leg) == 2000


async def test_a_clause_whose_voice_fails_is_left_out_and_reported() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(late={"坏，"}), -12)
    playout.say(line("a", "坏，", "你好。"))
    await asyncio.sleep(0.01)
    run(playout, leg, 2000)
    assert playout.idle
    assert voiced(leg) == 1000
    assert "坏" in playout.failures[0]


def test_ducking_lowers_the_voice_and_brings_it_back() -> None:
    leg = PlainLeg()
    playout = Playout(leg, Voices(), -12)
    playout.duck()
    playout.unduck()
    assert leg.gains == [-12, 0.0]
