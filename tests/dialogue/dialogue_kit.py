"""A whole call in one line: what the customer says goes in, what the robot did comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from dialogue.acts import Act, Disposition, Pending
from dialogue.loader import load_script
from dialogue.manager import initial_state, step
from dialogue.protocol import (
    BookCallback,
    CallStarted,
    CaseFacts,
    Command,
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    CustomerSilent,
    Event,
    Flag,
    Handoff,
    HangUp,
    LineHeard,
    Listen,
    PromiseStored,
    Speak,
    StorePromise,
    WithdrawPromise,
)
from dialogue.rules import make_understander
from dialogue.script import Script
from dialogue.understanding import Slots, Understanding

SCRIPTS = Path(__file__).parents[2] / "scripts"
NOW = datetime(2026, 11, 18, 10, 20, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Wednesday
CASE = CaseFacts(
    case_id="C-1",
    name="王强",
    gender="male",
    bank="示例银行",
    product="信用卡",
    card_tail="3344",
    amount_due=Decimal("3200.50"),
    min_amount=Decimal("320.00"),
    due_date=date(2026, 11, 10),
    days_overdue=8,
    stage="M1",
)
CASE_DUE_SOON = replace(CASE, due_date=date(2026, 11, 23), days_overdue=-5, stage="M0")
SILENCE = ""


@cache
def read_script(name: str) -> Script:
    path = SCRIPTS / f"{name}.yaml"
    return load_script(path.read_text("utf-8"), str(path))


def case_for(script: Script) -> CaseFacts:
    return CASE_DUE_SOON if script.stage == "M0" else CASE


@dataclass
class Call:
    """Feeds one call and keeps everything that came out. Lines are heard to their end, promises are stored at once,
    unless told otherwise."""

    script: Script
    case: CaseFacts = CASE
    now: datetime = NOW
    stores: bool = True
    cut: dict[str, float] = field(default_factory=dict)  # lines of which only a share is heard, the first time
    commands: list[Command] = field(default_factory=list)
    trail: list[Event | Command] = field(default_factory=list)
    pending: Pending = Pending.OPENING
    turns: int = 0

    def __post_init__(self) -> None:
        self.state = initial_state(self.script)
        self.understander = make_understander()
        self.feed(CallStarted(self.case, self.now))

    def feed(self, event: Event) -> list[Command]:
        self.trail.append(event)
        self.state, commands = step(self.script, self.state, event)
        for command in commands:
            self.commands.append(command)
            self.trail.append(command)
            if isinstance(command, Listen):
                self.pending = command.pending
        for command in commands:
            if isinstance(command, Speak):
                self.feed(LineHeard(command.line_id, self.cut.pop(command.line_id, 1.0)))
            elif isinstance(command, StorePromise) and self.stores:
                self.feed(PromiseStored("P-1"))
        return list(commands)

    def say(self, *texts: str) -> Call:
        for text in texts:
            if text == SILENCE:
                self.feed(CustomerSilent(self.now))
            else:
                self.turns += 1
                understood = self.understander.understand(text, pending=self.pending, now=self.now)
                self.feed(CustomerSaid(understood, self.turns, self.now))
        return self

    def mean(self, *acts: Act, text: str = "某一句话", slots: Slots | None = None) -> Call:
        self.turns += 1
        self.feed(CustomerSaid(Understanding(text, acts, slots or Slots()), self.turns, self.now))
        return self

    def hang_up(self) -> Call:
        self.feed(CustomerHungUp(self.now))
        return self

    # ---- what came out ----

    @property
    def lines(self) -> list[Speak]:
        return [c for c in self.commands if isinstance(c, Speak)]

    @property
    def said(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def line_ids(self) -> list[str]:
        return [line.line_id for line in self.lines]

    @property
    def disposition(self) -> Disposition | None:
        found = [c.disposition for c in self.commands if isinstance(c, Conclude)]
        return found[-1] if found else None

    @property
    def hang_ups(self) -> int:
        return sum(isinstance(c, HangUp) for c in self.commands)

    @property
    def flags(self) -> set[str]:
        return {c.name for c in self.commands if isinstance(c, Flag)}

    @property
    def promise(self) -> StorePromise | None:
        return next((c for c in self.commands if isinstance(c, StorePromise)), None)

    @property
    def promises(self) -> list[StorePromise]:
        return [c for c in self.commands if isinstance(c, StorePromise)]

    @property
    def withdrawals(self) -> list[WithdrawPromise]:
        return [c for c in self.commands if isinstance(c, WithdrawPromise)]

    @property
    def callback(self) -> BookCallback | None:
        return next((c for c in self.commands if isinstance(c, BookCallback)), None)

    @property
    def handoffs(self) -> list[str]:
        return [c.reason for c in self.commands if isinstance(c, Handoff)]


def call(script: Script, *texts: str, **options: object) -> Call:
    return Call(script, case_for(script), **options).say(*texts)  # type: ignore[arg-type]
