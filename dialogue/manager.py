"""What is said next? The dialogue as a pure reducer: (script, state, event) -> (state, commands).

Three rooms: `dialogue.manager` takes the events, `dialogue.answering` decides what a turn calls for, `dialogue.acting`
carries it out; the words come from `dialogue.speaking`.

Rules
- One event in, all commands out; nothing is remembered outside the state.
- How a turn is answered, first match wins:
      protected acts (`dialogue.base`) > people who must not be pressed > once more what was said > the bank's knowledge
      > the node's own reactions > its `otherwise` while the party is unverified > the script's reactions for
      (un)verified parties > those for anywhere > a filler is waited out > the node's `otherwise` > "not understood",
      which after the third time ends or gives the call to a person.
- A line that tells of a debt is never said before the right party has confirmed, whatever the script says.
- The same sentence is never said twice in a row.
- A stored promise decides the disposition, a crisis outranks even that. What the customer takes back before the call
  is over is struck from the ledger at once, and what follows is answered as if the read-back had just been heard.
- What is said of the money before the right party has confirmed is kept, and taken up in place of the first question.
- Silence after the closing words is no silence: the call is over.
- Every call gets its last Conclude together with its one HangUp, or is bridged to a person.

    NEW --CallStarted--> TALKING --confirmed--> STORING --stored/failed--> TALKING | ENDED
                            |--person wanted--> HANDOFF --bridged--> ENDED
                            |                      `--no answer--> ENDED
                            `--end node, hung up, time up, silence--> ENDED
"""

from __future__ import annotations

from datetime import datetime

from dialogue.acts import Disposition, Pending
from dialogue.answering import Answering
from dialogue.protocol import (
    BookCallback,
    CallStarted,
    Command,
    Conclude,
    CustomerHungUp,
    CustomerSaid,
    CustomerSilent,
    Event,
    HandoffEnded,
    HandoffResult,
    LineHeard,
    PromiseStored,
    PromiseStoreFailed,
    TimeUp,
)
from dialogue.script import Script
from dialogue.state import Phase, State

SILENCES_BEFORE_END = 2


def initial_state(script: Script) -> State:
    return State(node=script.start)


def step(script: Script, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """Take one event; return the new state and what to do, in order."""
    turn = Step(script, state)
    turn.take(event)
    return turn.state, tuple(turn.commands)


class Step(Answering):
    """How each event is answered."""

    def take(self, event: Event) -> None:
        match event:
            case CallStarted():
                self.started(event)
            case CustomerSaid():
                self.said(event)
            case CustomerSilent():
                self.silent(event.now)
            case LineHeard():
                self.heard(event)
            case PromiseStored():
                self.promise_stored()
            case PromiseStoreFailed():
                self.promise_failed()
            case HandoffEnded():
                self.handoff_ended(event)
            case TimeUp():
                self.time_up()
            case CustomerHungUp():
                self.hung_up(event.now)

    def started(self, event: CallStarted) -> None:
        if self.state.phase is not Phase.NEW:
            return
        self._set(phase=Phase.TALKING, case=event.case, now=event.now)
        self._go(self.script.start)

    def said(self, event: CustomerSaid) -> None:
        u = event.understanding
        self._set(now=event.now)
        if self.state.phase is Phase.STORING:
            self._set(turn=event.turn)
            self._defer(u)
        if self.state.phase is not Phase.TALKING:
            return
        self._set(turn=event.turn, turns=self.state.turns + 1, silences=0)
        if self.state.turns > self.script.policy.max_turns:
            self._say("too_long")
            self.commands.append(BookCallback(None, "too_long"))
            self._finish(self._disposition_so_far())
            return
        self._answer(u)

    def silent(self, now: datetime) -> None:
        if self.state.phase is not Phase.TALKING:
            return
        self._set(now=now, silences=self.state.silences + 1)
        if self.node.ask is Pending.CLOSING:
            self._finish(self._disposition_so_far())
        elif self.state.silences > SILENCES_BEFORE_END:
            self._say("silence_bye")
            self._finish(self._disposition_so_far() if self.state.turns else Disposition.NO_RESPONSE)
        else:
            self._stay(("silence",))

    def heard(self, event: LineHeard) -> None:
        line = self.script.lines.get(event.line_id)
        if line is None:
            return
        if event.line_id == self.state.question_line:
            self._set(question_heard=event.heard)
        cut = tuple(c for c in self.state.cut if c != line.id)
        if event.heard >= 1.0:
            known = dict.fromkeys(self.state.disclosed + line.discloses)
            self._set(disclosed=tuple(known), cut=cut)
        elif not set(line.discloses) <= set(self.state.disclosed):
            self._set(cut=(*cut, line.id))

    def promise_stored(self) -> None:
        if not self.state.storing:
            return
        self._set(stored=True, storing=False, kept=self.state.offer)
        self.commands.append(Conclude(self._disposition_so_far()))
        if self.state.phase is not Phase.STORING or self.script.stored is None:
            return
        self._set(phase=Phase.TALKING)
        deferred, second_thought = self.state.deferred, self.state.second_thought
        if deferred is None and second_thought is not None and not self.state.time_up:
            self._set(second_thought=None)
            self._answer(second_thought)
            return
        if deferred is None and not self.state.time_up:
            self._go(self.script.stored)
            return
        for line_id in self.script.nodes[self.script.stored].say:
            self._say(line_id)
        if deferred is None:
            self._finish(self._disposition_so_far())
        else:
            self._react(self.script.protected[deferred], None)

    def promise_failed(self) -> None:
        if not self.state.storing:
            return
        self._set(storing=False)
        self._flag("store_failed")
        if self.state.phase is Phase.STORING and self.script.store_failed is not None:
            self._set(phase=Phase.TALKING)
            self.commands.append(BookCallback(None, "store_failed"))
            self._go(self.script.store_failed)

    def handoff_ended(self, event: HandoffEnded) -> None:
        if self.state.phase is not Phase.HANDOFF:
            return
        self._set(now=event.now)
        crisis = "crisis" in self.state.flags
        if event.result is HandoffResult.BRIDGED:
            self._set(phase=Phase.ENDED)
            self.commands.append(Conclude(Disposition.CRISIS if crisis else Disposition.TRANSFERRED))
        else:
            self._no_person()

    def time_up(self) -> None:
        match self.state.phase:
            case Phase.NEW:
                self._finish(Disposition.NO_RESPONSE)
            case Phase.TALKING:
                self._say("time_up")
                self._finish(self._disposition_so_far())
            case Phase.STORING:
                self._set(time_up=True)
            case Phase.HANDOFF:
                self._no_person()

    def hung_up(self, now: datetime) -> None:
        phase = self.state.phase
        if phase is Phase.ENDED:
            return
        self._set(now=now)
        if phase is Phase.HANDOFF:
            self.commands.append(BookCallback(None, self.state.handoff_reason))
            self._finish(Disposition.CALLBACK)
        else:
            self._finish(self._disposition_so_far())
