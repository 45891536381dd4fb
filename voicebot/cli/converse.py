"""`voicebot converse`: whole calls by text. JSON Lines in, JSON Lines out, for tests and other programs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, Field

from dialogue.protocol import CaseFacts
from dialogue.script import Script
from dialogue.understanding import Understander
from voicebot.call.typed import Said, TypedCall
from voicebot.campaign.scripts import find_script
from voicebot.cli.common import ConfigOption, ScriptOption, settings_or_fail, user_errors
from voicebot.cli.jsonl import answer_lines
from voicebot.cli.understand import local
from voicebot.intent.understander import understander_of

_GENDERS = {"male": "male", "female": "female", "男": "male", "女": "female", "m": "male", "f": "female"}


class Case(BaseModel):
    """The case of one line. `days_overdue` and `due_date` each follow from the other."""

    name: str = Field(min_length=1)
    gender: str = "unknown"
    amount: Decimal = Field(gt=0)
    min_amount: Decimal | None = None
    days_overdue: int | None = None
    stage: str = ""
    due_date: date | None = None
    product: str = "信用卡"
    card_tail: str = "0000"
    bank: str = ""

    def facts(self, case_id: str, today: date, bank: str) -> CaseFacts:
        due, days = self.due_date, self.days_overdue
        if due is None and days is None:
            raise ValueError("case: neither days_overdue nor due_date; give one of them")
        if due is None:
            assert days is not None
            due = today - timedelta(days=days)
        if days is None:
            days = (today - due).days
        return CaseFacts(
            case_id=case_id,
            name=self.name,
            gender=_GENDERS.get(self.gender.lower(), "unknown"),
            bank=self.bank or bank,
            product=self.product,
            card_tail=self.card_tail,
            amount_due=self.amount,
            min_amount=self.min_amount if self.min_amount is not None else self.amount,
            due_date=due,
            days_overdue=days,
            stage=self.stage or ("M1" if days > 0 else "M0"),
        )


class Conversation(BaseModel):
    """One line of the input."""

    id: str | int
    case: Case
    now: datetime | None = None  # the call's clock; the real one if not given
    customer_turns: list[str]


def register(app: typer.Typer) -> None:
    app.command()(converse)


def converse(
    script: ScriptOption = "m1_collection",
    config: ConfigOption = None,
) -> None:
    """Read {"id", "case", "now", "customer_turns"} lines from stdin and hold each call; write {"id", "disposition",
    "pay_date", "pay_amount", "callback_at", "handoff", "flags", "turns"} lines. An empty turn is silence; turns left
    over when the robot ends the call are not used; a customer who has no more turns hangs up."""
    settings = settings_or_fail(config)
    zone = ZoneInfo(settings.timezone)
    with user_errors():
        told = find_script(script, settings)
        understander = understander_of(settings)
    answer_lines(Conversation, lambda line: hold(told, understander, line, zone, settings.bank)[1])


def hold(
    script: Script, understander: Understander, line: Conversation, zone: ZoneInfo, bank: str
) -> tuple[TypedCall, dict[str, object]]:
    """Hold one call; the call itself, and the line that answers it."""
    now = local(line.now, zone)
    call = TypedCall(script, line.case.facts(str(line.id), now.date(), bank), now, understander)
    for words in line.customer_turns:
        if call.over:
            break
        call.say(words)
    if not call.over:
        call.hang_up()
    callback_at = call.callback.at if call.callback is not None else None
    return call, {
        "id": line.id,
        "disposition": call.disposition,
        "pay_date": call.promise.pay_date.isoformat() if call.promise else None,
        "pay_amount": f"{call.promise.amount:.2f}" if call.promise else None,
        "callback_at": callback_at.strftime("%Y-%m-%dT%H:%M") if callback_at else None,
        "handoff": call.handoff is not None,
        "handoff_reason": call.handoff,
        "flags": call.flags,
        "turns": [_turn(said) for said in call.transcript],
    }


def _turn(said: Said) -> dict[str, object]:
    told: dict[str, object] = {"who": said.who, "text": said.text}
    if said.understood is not None:
        told["acts"] = list(said.understood.acts)
    if said.who == "robot":
        told["discloses"] = list(said.discloses)
    return told
