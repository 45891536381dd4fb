"""`voicebot understand`: what does a turn mean? JSON Lines in, JSON Lines out, for tests and other programs."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel

from dialogue.acts import Pending
from dialogue.understanding import Slots, Understander
from voicebot.cli.common import ConfigOption, settings_or_fail, user_errors
from voicebot.cli.jsonl import answer_lines
from voicebot.intent.understander import understander_of


class Turn(BaseModel):
    """One line of the input."""

    id: str | int
    text: str
    pending: Pending = Pending.NONE
    question: str = ""  # the robot's words, for people who read the file; the pending question is what counts
    now: datetime | None = None  # the call's clock; the real one if not given


def register(app: typer.Typer) -> None:
    app.command()(understand)


def understand(config: ConfigOption = None) -> None:
    """Read {"id", "question", "pending", "text", "now"} lines from stdin; write {"id", "intents", "slots",
    "confidence", "ms"} lines: the acts, primary first, the values found, how sure, and how long it took."""
    settings = settings_or_fail(config)
    zone = ZoneInfo(settings.timezone)
    with user_errors():
        understander = understander_of(settings)
    understander.understand(
        "喂", pending=Pending.NONE, now=datetime.now(zone)
    )  # the first call loads, the others answer
    answer_lines(Turn, lambda turn: _answer(understander, turn, zone))


def _answer(understander: Understander, turn: Turn, zone: ZoneInfo) -> dict[str, object]:
    now = local(turn.now, zone)
    began = time.perf_counter()
    understood = understander.understand(turn.text, pending=turn.pending, now=now)
    ms = (time.perf_counter() - began) * 1000
    return {
        "id": turn.id,
        "intents": list(understood.acts),
        "slots": named_values(understood.slots),
        "confidence": round(understood.confidence, 3),
        "ms": round(ms, 2),
    }


def named_values(slots: Slots) -> dict[str, str]:
    """The values of a turn as text; those that only the case resolves (一半, 最低) are left out."""
    found: dict[str, str] = {}
    if slots.pay_date is not None:
        found["pay_date"] = slots.pay_date.isoformat()
    if slots.pay_amount is not None:
        found["pay_amount"] = f"{slots.pay_amount:.2f}"
    if slots.callback_at is not None:
        found["callback_at"] = slots.callback_at.strftime("%Y-%m-%dT%H:%M")
    return found


def local(moment: datetime | None, zone: ZoneInfo) -> datetime:
    """A time of the input in the bank's zone; one without a zone is meant in it."""
    if moment is None:
        return datetime.now(zone)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
