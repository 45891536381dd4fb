"""The ledger: no promise without its proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dialogue.protocol import StorePromise
from voicebot.call.recording import Recording, RecordingError
from voicebot.promises.ledger import Evidence, EvidenceError, proof
from voicebot.store import StoredPromise

PROMISE = StorePromise(date(2026, 11, 27), Decimal("1235.60"), partial=False, said_turn=4, confirmed_turn=5)
EVIDENCE = Evidence(Path("/calls/1.wav"), 8000, 24_000, "周五还", "对", 5)


def test_a_promise_takes_its_evidence_along() -> None:
    new = EVIDENCE.for_ledger("c1", PROMISE)
    assert (new.call_id, new.pay_date, new.amount, new.partial) == ("c1", PROMISE.pay_date, PROMISE.amount, False)
    assert (new.recording, new.from_sample, new.to_sample) == (Path("/calls/1.wav"), 8000, 24_000)
    assert (new.said_turn, new.said_text, new.confirmed_turn, new.confirmed_text) == (4, "周五还", 5, "对")


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [
        ({"confirmed_turn": 6}, "the evidence is of turn 6, the confirmation was turn 5"),
        ({"from_sample": 0, "to_sample": 0}, "samples 0 to 0 are no stretch"),
        ({"from_sample": -1}, "no stretch"),
        ({"text": ""}, "words of the promise"),
        ({"confirmation_text": ""}, "or of its confirmation are missing"),
    ],
)
def test_without_proof_it_is_refused(flaw: dict[str, object], complaint: str) -> None:
    with pytest.raises(EvidenceError, match=f"call c1, turn 4: .*{complaint}"):
        replace(EVIDENCE, **flaw).for_ledger("c1", PROMISE)


def test_what_is_confirmed_before_it_is_said_is_refused() -> None:
    with pytest.raises(EvidenceError, match="confirmed before it was said"):
        EVIDENCE.for_ledger("c1", replace(PROMISE, said_turn=6))


def test_the_proof_is_the_sound_of_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with Recording.open(path) as recording:
        recording.write(b"\1\0" * 400, b"\2\0" * 400)
    evidence = replace(EVIDENCE, recording=path, from_sample=100, to_sample=300)
    stored = StoredPromise("P1", "D1", evidence.for_ledger("c1", PROMISE), datetime.now(UTC))
    sound = proof(stored)
    assert (sound.customer, sound.robot) == (b"\1\0" * 200, b"\2\0" * 200)
    beyond = replace(stored, promise=replace(stored.promise, to_sample=401))
    with pytest.raises(RecordingError, match="holds 400 samples"):
        proof(beyond)
