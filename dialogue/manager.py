"""What is said next? The dialogue as a pure reducer: (script, state, event) -> (state, commands).

Rules of this file
- One event in, all commands out; nothing is remembered outside the state.
- How a turn is answered, first match wins:
      protected acts (`dialogue.base`) > the node's own reactions > its `otherwise` while the party is unverified
      > the script's reactions for (un)verified parties > those for anywhere > a filler is waited out
      > the node's `otherwise` > "not understood", which after the third time ends or gives the call to a person.
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

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dialogue.acts import Act, Disposition, Pending
from dialogue.expectations import expectation
from dialogue.policy import Offer, extend, weigh
from dialogue.protocol import (
    BookCallback,
    CallStarted,
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
    PromiseStoreFailed,
    StorePromise,
    TimeUp,
    WithdrawPromise,
)
from dialogue.script import PROTECTED_ACTS, Do, Node, Reaction, Script
from dialogue.speaking import Speaking
from dialogue.state import Phase, State, bumped, count
from dialogue.understanding import Slots, Understanding

MANDATORY_DISCLOSURES = frozenset({"identity", "ai", "recorded"})
SILENCES_BEFORE_END = 2
UNCLEAR_BEFORE_END = 2
MISHEARD_SHARE = 0.5  # a question heard less than this cannot have been answered by one or two characters
_QUESTIONS = frozenset(a for a in Act if a.startswith("ask_")) | {Act.SUSPECT_SCAM}
_TAKES_UP = (Pending.ASK_PAY_TODAY, Pending.ASK_PAY_DATE)
_OF_THE_MONEY = frozenset(
    {
        Act.PROMISE_PAY,
        Act.PROMISE_PARTIAL,
        Act.ALREADY_PAID,
        Act.REFUSE_PAY,
        Act.HARDSHIP,
        Act.REQUEST_EXTENSION,
        Act.REQUEST_INSTALLMENT,
        Act.REQUEST_WAIVER,
        Act.DISPUTE_DEBT,
        Act.DISPUTE_AMOUNT,
    }
)
_TAKES_BACK = (Act.DENY, Act.REFUSE_PAY, Act.DISPUTE_DEBT, Act.ALREADY_PAID, Act.HARDSHIP, Act.REQUEST_EXTENSION)
_DEFERRABLE = (Act.CRISIS, Act.STOP_CALLING, Act.COMPLAINT, Act.REQUEST_HUMAN)


def initial_state(script: Script) -> State:
    return State(node=script.start)


def step(script: Script, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """Take one event; return the new state and what to do, in order."""
    turn = _Step(script, state)
    match event:
        case CallStarted():
            turn.started(event)
        case CustomerSaid():
            turn.said(event)
        case CustomerSilent():
            turn.silent(event.now)
        case LineHeard():
            turn.heard(event)
        case PromiseStored():
            turn.promise_stored()
        case PromiseStoreFailed():
            turn.promise_failed()
        case HandoffEnded():
            turn.handoff_ended(event)
        case TimeUp():
            turn.time_up()
        case CustomerHungUp():
            turn.hung_up(event.now)
    return turn.state, tuple(turn.commands)


class _Step(Speaking):
    """How each event is answered."""

    # ---- events ----

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
        self._set(stored=True, storing=False)
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

    # ---- answering a turn ----

    def _answer(self, u: Understanding) -> None:
        if self._misheard(u):
            self._stay()
            return
        if self.state.stored and self._takes_back(u):
            self._withdraw()
        if protected := self._protected(u):
            act, reaction = protected
            self._protect(act, reaction, u)
            return
        if u.primary is Act.REQUEST_REPEAT and Act.REQUEST_REPEAT not in self.node.on:
            self._repeat()
            return
        leads = ["stop_calling_noted"] if u.has(Act.STOP_CALLING) else []
        if u.has(Act.STOP_CALLING):
            self._flag("stop_calling")
        for act in self._in_turn(u):
            if (follows := self._reaction_to(act)) is not None:
                self._set(unclear=0, fillers=0)
                if not self.state.verified:
                    self._carry(u)
                self._react(follows, u, leads + self._asides(u, act, follows))
                return
        if u.primary is Act.FILLER and self.state.fillers == 0:
            self._set(fillers=1)
            self._listen()
        elif u.primary is not Act.FILLER and self.node.otherwise is not None:
            self._react(self.node.otherwise, u, leads)
        else:
            self._not_understood()

    def _in_turn(self, u: Understanding) -> tuple[Act, ...]:
        """The acts in the order in which they are answered: who he is comes before what he says of the money."""
        if self.state.verified or Act.SELF not in u.acts or Act.SELF not in self.node.on:
            return u.acts
        return (Act.SELF, *(a for a in u.acts if a is not Act.SELF))

    def _carry(self, u: Understanding) -> None:
        """Keep what cannot be spoken of yet."""
        money = tuple(a for a in u.acts if a in _OF_THE_MONEY)
        if money:
            self._set(carried=replace(u, acts=money), carried_turn=self.state.turn)

    def _take_up(self) -> None:
        """Answer now what was said before the right party had confirmed."""
        u, turn = self.state.carried, self.state.turn
        assert u is not None
        self._set(carried=None, turn=self.state.carried_turn)
        self._answer(u)
        self._set(turn=turn)

    def _takes_back(self, u: Understanding) -> bool:
        """Whether these words undo or change the promise that was just stored."""
        offer, slots = self.state.offer, u.slots
        other_day = slots.pay_date is not None and slots.pay_date != offer.pay_date
        other_amount = slots.pay_amount is not None and slots.pay_amount != offer.amount
        if u.has(Act.PROMISE_PAY, Act.PROMISE_PARTIAL):
            return other_day or other_amount or (u.has(Act.PROMISE_PARTIAL) and not offer.partial)
        return u.has(*_TAKES_BACK) and u.primary not in (Act.GOODBYE, Act.ACKNOWLEDGE)

    def _withdraw(self) -> None:
        self._set(stored=False, node=self.state.readback)
        self.commands.append(WithdrawPromise(self.state.turn))

    def _misheard(self, u: Understanding) -> bool:
        return (
            self.state.question_heard < MISHEARD_SHARE
            and len(u.text) <= 2
            and u.slots == Slots()
            and not u.has(*PROTECTED_ACTS - {Act.WRONG_PERSON})
        )

    def _protected(self, u: Understanding) -> tuple[Act, Reaction] | None:
        promises = u.has(Act.PROMISE_PAY, Act.PROMISE_PARTIAL) or (
            u.has(Act.AFFIRM) and self.node.ask is Pending.CONFIRM_PROMISE
        )
        for act in u.acts:
            if act not in PROTECTED_ACTS:
                continue
            if act is Act.STOP_CALLING and promises and self.state.verified:
                continue  # the promise goes on, the wish is kept beside it
            if self.state.verified and act is Act.WILL_RELAY:
                continue
            if self.state.verified and act is Act.THIRD_PARTY and u.primary is not act:
                continue
            return act, self.node.on.get(act, self.script.protected[act])
        return None

    def _protect(self, act: Act, reaction: Reaction, u: Understanding) -> None:
        if act is Act.ABUSE and "abuse" in self.state.flags:
            self._say("abuse_bye")
            self._finish(Disposition.REFUSED if self.state.verified else Disposition.UNCLEAR)
            return
        if act in (Act.WRONG_PERSON, Act.THIRD_PARTY, Act.WILL_RELAY, Act.DECEASED_OR_DETAINED):
            self._set(verified=False, offer=Offer(), carried=None)
        self._set(unclear=0, fillers=0)
        self._react(reaction, u)

    def _reaction_to(self, act: Act) -> Reaction | None:
        if act in PROTECTED_ACTS:
            return None
        if act in self.node.on:
            return self.node.on[act]
        if act is Act.FILLER:
            return None
        general = self.script.reactions
        if not self.state.verified and self.node.otherwise is not None:
            return self.node.otherwise
        scope = general.verified if self.state.verified else general.unverified
        return scope.get(act) or general.anywhere.get(act)

    def _asides(self, u: Understanding, chosen: Act, reaction: Reaction) -> list[str]:
        """A question asked beside the point is answered before the point is followed."""
        for act in u.acts:
            if act is not chosen and act in _QUESTIONS and reaction.end is None:
                aside = self._reaction_to(act)
                if aside is not None and aside.stays and aside is not self.node.otherwise:
                    return list(aside.say)
        return []

    def _not_understood(self) -> None:
        self._set(unclear=self.state.unclear + 1)
        if self.state.unclear <= UNCLEAR_BEFORE_END:
            self._stay(("not_understood",))
        elif self.state.verified and self.script.policy.lost_to_person:
            self._react(Reaction(say=("handoff_lost",), handoff="not_understood"), None)
        else:
            self._react(Reaction(say=("lost_bye",), end=Disposition.UNCLEAR), None)

    def _repeat(self) -> None:
        owed = set(self.state.cut)
        again = [
            line_id
            for line_id in self.state.last_lines
            if line_id in owed or not MANDATORY_DISCLOSURES & set(self.script.lines[line_id].discloses)
        ]
        self._set(fillers=0, last_lines=())
        self._say("repeat_lead")
        for line_id in again or self._question(self.node):
            self._say(line_id)
        self._listen()

    def _defer(self, u: Understanding) -> None:
        for act in _DEFERRABLE:
            if u.has(act):
                for name in self.script.protected[act].flags:
                    self._flag(name)
                self._set(deferred=self.state.deferred or act)
                return
        if self._takes_back(u):
            self._set(second_thought=u)

    # ---- carrying out a reaction ----

    def _react(self, r: Reaction, u: Understanding | None, leads: Iterable[str] = ()) -> None:
        for name in r.flags:
            self._flag(name)
        if r.right_party:
            self._set(verified=True)
        if r.end is None and r.handoff is None:
            self._say_owed(MANDATORY_DISCLOSURES)
        for line_id in leads:
            self._say(line_id)
        if r.do is Do.OFFER and u is not None:
            self._offer(u, r.say)
            return
        if r.do is Do.CALLBACK:
            self._callback(u, r.say)
            return
        if r.stays:
            self._stay(r.say)
            return
        for line_id in r.say:
            self._say(line_id)
        if r.do is Do.STORE:
            self._store()
        elif r.go is not None:
            self._go(r.go)
        elif r.handoff is not None:
            self._hand_off(r.handoff)
        elif r.end is not None:
            self._finish(r.end)

    def _offer(self, u: Understanding, say: tuple[str, ...]) -> None:
        today = self.now.date()
        pending = self.node.ask or Pending.NONE
        before = self.state.offer
        offer = extend(before, u, pending, self.state.turn, self.case, today)
        if pending is Pending.CONFIRM_PROMISE and replace(offer, said_turn=before.said_turn) == before:
            confirmed = self.node.on.get(Act.AFFIRM)
            if confirmed is not None and confirmed.do is Do.STORE:  # the read-back in the customer's own words
                self._react(confirmed, None)
                return
        verdict, offer = weigh(offer, self.script.policy, self.case, today)
        self._set(offer=offer)
        follows = self.script.offers[verdict]
        self._react(replace(follows, say=say + follows.say), None)

    def _store(self) -> None:
        offer = self.state.offer
        if offer.pay_date is None or offer.amount is None:
            self._not_understood()
            return
        self._set(phase=Phase.STORING, storing=True, readback=self.state.node)
        self.commands.append(
            StorePromise(offer.pay_date, offer.amount, offer.partial, offer.said_turn, self.state.turn)
        )

    def _callback(self, u: Understanding | None, say: tuple[str, ...]) -> None:
        at = u.slots.callback_at if u is not None else None
        for line_id in say:
            self._say(line_id)
        if at is not None and at > self.now:
            self._set(callback_at=at)
            self._say("callback_at")
        elif self.state.node == "callback_ask":
            at = None
            self._say("callback_open")
        else:
            self._go("callback_ask")
            return
        self.commands.append(BookCallback(at, "customer_asked"))
        self._finish(Disposition.CALLBACK)

    def _hand_off(self, reason: str) -> None:
        self._set(phase=Phase.HANDOFF, handoff_reason=reason)
        self.commands.append(Handoff(reason))

    def _no_person(self) -> None:
        self._say("crisis_no_person" if "crisis" in self.state.flags else "handoff_no_person")
        self.commands.append(BookCallback(None, self.state.handoff_reason))
        self._finish(Disposition.CALLBACK)

    def _flag(self, name: str) -> None:
        if name not in self.state.flags:
            self._set(flags=(*self.state.flags, name))
            self.commands.append(Flag(name))

    # ---- moving and ending ----

    def _go(self, node_id: str) -> None:
        self._set(last_lines=())
        for _ in range(len(self.script.nodes) + 1):
            node = self.script.nodes[node_id]
            before = count(self.state.visits, node_id)
            if node.limit is not None and node.exhausted is not None and before >= node.limit:
                node_id = node.exhausted
                continue
            self._set(visits=bumped(self.state.visits, node_id), node=node_id)
            if self.state.verified and self.state.carried is not None and node.ask in _TAKES_UP:
                self._take_up()
                return
            for line_id in node.again if before and node.again else node.say:
                self._say(line_id)
            if node.ask is not None:
                self._listen()
            elif node.end is not None:
                self._finish(node.end)
            elif node.handoff is not None:
                self._hand_off(node.handoff)
            elif node.then is not None:
                node_id = node.then
                continue
            return
        self._finish(self._disposition_so_far())

    def _stay(self, leads: tuple[str, ...] = ()) -> None:
        """Say something, then put the same question again in other words."""
        self._set(last_lines=())
        self._say_owed(MANDATORY_DISCLOSURES)
        for line_id in leads:
            self._say(line_id)
        self._say_owed(frozenset({"debt"}))
        for line_id in self._question(self.node):
            self._say(line_id)
        self._listen()

    def _question(self, node: Node) -> tuple[str, ...]:
        return node.again or node.say

    def _listen(self) -> None:
        node, policy = self.node, self.script.policy
        pending = node.ask or Pending.NONE
        expects = expectation(node, pending, policy, self.case, self.now.date())
        self.commands.append(Listen(pending, expects, node.silence_ms or policy.silence_ms))

    def _finish(self, disposition: Disposition) -> None:
        if "crisis" in self.state.flags:
            disposition = Disposition.CRISIS
        elif self.state.stored:
            disposition = self._promised()
        self._set(phase=Phase.ENDED)
        self.commands += [Conclude(disposition), HangUp()]

    def _promised(self) -> Disposition:
        return Disposition.PROMISED_PARTIAL if self.state.offer.partial else Disposition.PROMISED

    def _disposition_so_far(self) -> Disposition:
        flags = self.state.flags
        if "crisis" in flags:
            return Disposition.CRISIS
        if self.state.stored:
            return self._promised()
        for flag, disposition in (
            ("complaint", Disposition.COMPLAINT),
            ("stop_calling", Disposition.DO_NOT_CALL),
            ("hardship", Disposition.HARDSHIP),
            ("refused", Disposition.REFUSED),
        ):
            if flag in flags:
                return disposition
        if self.state.node == "third_party":
            return Disposition.THIRD_PARTY
        return Disposition.UNCLEAR
