"""Who promised what, and how can it be proved?

A promise enters the ledger only with its evidence: the stretch of the recording in which it was said, read back and
confirmed, and the words as they were understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dialogue.protocol import StorePromise
from voicebot.call.recording import Clip, clip
from voicebot.store import NewPromise, StoredPromise


class EvidenceError(ValueError):
    """A promise whose evidence does not prove it; it is not to be stored."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where and how a promise was made. The span, in samples at 8 kHz, reaches from the first sample of the promise to
    the one after the last of the confirmation."""

    recording: str | Path
    from_sample: int
    to_sample: int
    text: str  # the customer's words that promised
    confirmation_text: str  # the customer's words that confirmed the read-back
    confirmed_turn: int

    def for_ledger(self, call_id: str, promise: StorePromise) -> NewPromise:
        """The promise as the store takes it. Raises EvidenceError when something of the proof is missing."""
        where = f"call {call_id}, turn {promise.said_turn}"
        if self.confirmed_turn != promise.confirmed_turn:
            raise EvidenceError(
                f"{where}: the evidence is of turn {self.confirmed_turn}, the confirmation was turn "
                f"{promise.confirmed_turn}"
            )
        if promise.said_turn > promise.confirmed_turn:
            raise EvidenceError(f"{where}: confirmed before it was said, in turn {promise.confirmed_turn}")
        if not 0 <= self.from_sample < self.to_sample:
            raise EvidenceError(
                f"{where}: samples {self.from_sample} to {self.to_sample} are no stretch of a recording"
            )
        if not self.text or not self.confirmation_text:
            raise EvidenceError(f"{where}: the words of the promise or of its confirmation are missing")
        return NewPromise(
            call_id=call_id,
            pay_date=promise.pay_date,
            amount=promise.amount,
            partial=promise.partial,
            recording=Path(self.recording),
            said_turn=promise.said_turn,
            said_text=self.text,
            from_sample=self.from_sample,
            to_sample=self.to_sample,
            confirmed_turn=promise.confirmed_turn,
            confirmed_text=self.confirmation_text,
        )


def proof(stored: StoredPromise) -> Clip:
    """The sound of a promise, from its first word to the confirmation. Raises RecordingError."""
    p = stored.promise
    return clip(p.recording, p.from_sample, p.to_sample)
