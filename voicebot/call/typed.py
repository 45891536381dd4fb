"""A call without a phone: the words are typed, every line is heard to its end, ledger and seat are played on paper.

The same script, manager and understanding as on the line. `voicebot chat` shows it, `voicebot converse` answers by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dialogue.acts import Disposition, Pending
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
    HandoffEnded,
    HandoffResult,
    HangUp,
    LineHeard,
    Listen,
    PromiseStored,
    Speak,
    StorePromise,
    WithdrawPromise,
)
from dialogue.script import Script
from dialogue.understanding import Understander, Understanding


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the transcript. `understood` of the customer's turns, `discloses` of the robot's."""

    who: str  # "robot" | "customer"
    text: str
    understood: Understanding | None = None
    discloses: tuple[str, ...] = ()


class TypedCall:
    """One call. It begins when it is made; `watch` hears of every command, and of every turn as it was understood."""

    def __init__(
        self,
        script: Script,
        case: CaseFacts,
        now: datetime,
        understander: Understander,
        *,
        bridged: bool = True,
        watch: Callable[[Command | Understanding], None] = lambda _: None,
    ) -> None:
        self.script, self.now, self.bridged = script, now, bridged
        self.transcript: list[Said] = []
        self.over = False
        self.disposition: Disposition | None = None
        self.promise: StorePromise | None = None  # the one that stands
        self.callback: BookCallback | None = None
        self.handoff: str | None = None  # the reason
        self.flags: list[str] = []
        self._state = initial_state(script)
        self._understander = understander
        self._watch = watch
        self._pending = Pending.OPENING
        self._turns = 0
        self._feed(CallStarted(case, now))

    def say(self, words: str) -> None:
        """The customer's next turn; empty words are silence."""
        if not words.strip():
            self.transcript.append(Said("customer", ""))
            self._feed(CustomerSilent(self.now))
            return
        understood = self._understander.understand(words, pending=self._pending, now=self.now)
        self.transcript.append(Said("customer", words, understood))
        self._turns += 1
        self._watch(understood)
        self._feed(CustomerSaid(understood, self._turns, self.now))

    def hang_up(self) -> None:
        self._feed(CustomerHungUp(self.now))
        self.over = True

    def _feed(self, event: Event) -> None:
        events = [event]
        while events:
            self._state, commands = step(self.script, self._state, events.pop(0))
            for command in commands:
                self._watch(command)
                if (answer := self._carry_out(command)) is not None:
                    events.append(answer)

    def _carry_out(self, command: Command) -> Event | None:
        match command:
            case Speak():
                self.transcript.append(Said("robot", command.text, discloses=command.discloses))
                return LineHeard(command.line_id, 1.0)
            case Listen():
                self._pending = command.pending
            case StorePromise():
                self.promise = command
                return PromiseStored("typed")
            case WithdrawPromise():
                self.promise = None
            case Handoff():
                self.handoff = command.reason
                self.over = self.bridged
                return HandoffEnded(HandoffResult.BRIDGED if self.bridged else HandoffResult.NO_ANSWER, self.now)
            case BookCallback():
                self.callback = command
            case Flag():
                self.flags.append(command.name)
            case Conclude():
                self.disposition = command.disposition
            case HangUp():
                self.over = True
        return None
