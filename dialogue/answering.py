"""What does a turn call for? Chooses the reaction to what the customer meant, and says when nothing was understood."""

from __future__ import annotations

import re
from dataclasses import replace

from dialogue.acting import Acting
from dialogue.acts import Act, Disposition, Pending
from dialogue.policy import Offer
from dialogue.rules import normalise
from dialogue.script import MANDATORY_DISCLOSURES, PROTECTED_ACTS, Reaction
from dialogue.understanding import Slots, Understanding
from dialogue.vulnerability import Vulnerability, vulnerability

UNCLEAR_BEFORE_END = 2
MISHEARD_SHARE = 0.5  # a question heard less than this cannot have been answered by one or two characters
_REASONS = (Act.HARDSHIP, Act.REQUEST_EXTENSION, Act.OUT_OF_SCOPE, Act.ACKNOWLEDGE, Act.DENY, Act.REFUSE_PAY)
_QUESTIONS = frozenset(a for a in Act if a.startswith("ask_")) | {Act.SUSPECT_SCAM}
SURE_TO_END = 0.6  # calibrated confidence
_ENDS_THE_MATTER = frozenset({Act.DISPUTE_DEBT, Act.DISPUTE_AMOUNT, Act.ALREADY_PAID, Act.REFUSE_PAY, Act.GOODBYE})
_ASKED_ONCE_MORE = (Act.WRONG_PERSON, Act.DECEASED_OR_DETAINED)
SURE_OVER_THE_CASE = 0.75  # similarity from which general knowledge is preferred to the case's own figures
_FROM_THE_CASE = (Act.ASK_AMOUNT, Act.ASK_DUE_DATE)
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
_ENDS_THE_TALK = (Act.ABUSE, Act.STOP_CALLING, Act.COMPLAINT)
_OBJECTS = re.compile(r"不对|不是|错了|等等|等一?下|慢着|先别|算了")
_TAKES_BACK = (Act.DENY, Act.REFUSE_PAY, Act.DISPUTE_DEBT, Act.ALREADY_PAID, Act.HARDSHIP, Act.REQUEST_EXTENSION)
_DEFERRABLE = (Act.CRISIS, Act.STOP_CALLING, Act.COMPLAINT, Act.REQUEST_HUMAN)


class Answering(Acting):
    """One step in the making, able to answer a customer's turn."""

    def _answer(self, u: Understanding) -> None:
        if self._misheard(u):
            self._stay()
            return
        if self.state.stored and self.state.verified and self._takes_back(u):
            self._withdraw()
        if protected := self._protected(u):
            act, reaction = protected
            self._protect(act, reaction, u)
            return
        if (kind := self._vulnerable(u)) is not None:
            self._spare(kind, u)
            return
        if u.primary is Act.REQUEST_REPEAT and Act.REQUEST_REPEAT not in self.node.on:
            self._repeat()
            return
        if (answer := self._known(u)) is not None:
            self._set(unclear=0, fillers=0)
            self._stay((answer,))
            return
        leads = ["stop_calling_noted"] if u.has(Act.STOP_CALLING) else []
        if u.has(Act.STOP_CALLING):
            self._flag("stop_calling")
        for act in self._in_turn(u):
            if (follows := self._reaction_to(act)) is not None:
                if self._too_unsure(u, act, follows):
                    break
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
        """The acts in the order in which they are answered: who he is comes before what he says of the money, and that
        he has no time now before both."""
        if self.state.verified or Act.SELF not in u.acts or Act.SELF not in self.node.on:
            return u.acts
        if Act.REQUEST_CALLBACK in u.acts:
            return (Act.REQUEST_CALLBACK, *(a for a in u.acts if a is not Act.REQUEST_CALLBACK))
        return (Act.SELF, *(a for a in u.acts if a is not Act.SELF))

    def _carry(self, u: Understanding) -> None:
        """Keep what cannot be spoken of yet."""
        money = tuple(a for a in u.acts if a in _OF_THE_MONEY)
        if money:
            self._set(carried=replace(u, acts=money), carried_turn=self.state.turn)

    def _takes_back(self, u: Understanding) -> bool:
        """Whether these words undo or change the promise that was just stored."""
        offer, slots = self.state.kept if self.state.stored else self.state.offer, u.slots
        other_day = slots.pay_date is not None and slots.pay_date != offer.pay_date
        other_amount = slots.pay_amount is not None and slots.pay_amount != offer.amount
        if u.has(Act.PROMISE_PAY, Act.PROMISE_PARTIAL):
            return other_day or other_amount or (u.has(Act.PROMISE_PARTIAL) and not offer.partial)
        if u.primary is Act.DENY and self.node.ask is Pending.CLOSING:
            return _OBJECTS.search(u.text) is not None  # 没有了 after the closing words takes nothing back
        return u.has(*_TAKES_BACK) and u.primary not in (Act.GOODBYE, Act.ACKNOWLEDGE)

    def _known(self, u: Understanding) -> str | None:
        """The line of the bank's knowledge that answers: what no act covers, or a question it answers more exactly."""
        if not self.state.verified or not (u.primary in _QUESTIONS or u.primary is Act.OUT_OF_SCOPE):
            return None
        found = self.script.knowledge.find(u.text)
        if found is None or (u.primary in _FROM_THE_CASE and found[1] < SURE_OVER_THE_CASE):
            return None
        return found[0].line_id

    def _too_unsure(self, u: Understanding, act: Act, follows: Reaction) -> bool:
        """Whether this would end the matter on words that were hardly understood: better ask once more."""
        node = self.script.nodes.get(follows.go or "")
        ends = follows.end is not None or (node is not None and node.end is not None)
        return ends and act in _ENDS_THE_MATTER and u.confidence < SURE_TO_END and self.state.unclear == 0

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
            if act in _ASKED_ONCE_MORE and u.confidence < SURE_TO_END and self.state.unclear == 0:
                continue
            if self.state.verified and act is Act.THIRD_PARTY and u.primary is not act:
                continue
            reaction = self.node.on.get(act, self.script.protected[act])
            if act in _ENDS_THE_TALK and u.has(Act.REQUEST_HUMAN):
                for name in reaction.flags:
                    self._flag(name)
                continue  # who wants a person gets one; what he is angry about is kept beside it
            return act, reaction
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

    def _vulnerable(self, u: Understanding) -> Vulnerability | None:
        """Whether the speaker has just told of something that forbids to press him. A minor is one in any case; the
        rest counts when it is said as a reason."""
        kind = vulnerability(normalise(u.text))
        if kind is Vulnerability.MINOR:
            return kind
        said_why = u.primary in _REASONS or (u.has(Act.HARDSHIP) and self.state.verified)
        return kind if said_why and (self.state.verified or u.primary is not Act.OUT_OF_SCOPE) else None

    def _spare(self, kind: Vulnerability, u: Understanding) -> None:
        """Leave him in peace. What he promises all the same is taken down, with a kind word and without a push."""
        reaction = self.script.vulnerable[kind]
        self._set(unclear=0, fillers=0)
        if u.has(Act.PROMISE_PAY, Act.PROMISE_PARTIAL) and self.state.verified and kind is not Vulnerability.MINOR:
            for name in reaction.flags:
                self._flag(name)
            follows = self._reaction_to(Act.PROMISE_PAY)
            if follows is not None:
                self._react(follows, u, ["vulnerable_care"])
                return
        self._react(reaction, u)

    def _reaction_to(self, act: Act) -> Reaction | None:
        if act is Act.WILL_RELAY and self.state.verified:
            act = Act.ACKNOWLEDGE  # the debtor himself will tell somebody at home
        if act in PROTECTED_ACTS:
            return None
        if act is Act.SELF and self.node.id == "third_party" and not self.state.disclosed:
            return self.script.nodes[self.script.start].on.get(act)  # the phone was handed over
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
                self._set(deferred=act if act is Act.CRISIS else self.state.deferred or act)
                return
        if self._takes_back(u):
            self._set(second_thought=u)
