"""How is a reaction carried out? Moving through the script, offers and promises, callbacks, people, the end.

The base of one step of `dialogue.manager`; what a turn calls for is decided above, in `dialogue.answering`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace

from dialogue.acts import Act, Disposition, Pending
from dialogue.expectations import expectation
from dialogue.policy import extend, weigh
from dialogue.protocol import (
    BookCallback,
    Conclude,
    Flag,
    Handoff,
    HangUp,
    Listen,
    StorePromise,
    WithdrawPromise,
)
from dialogue.script import MANDATORY_DISCLOSURES, Do, Node, Reaction
from dialogue.speaking import Speaking
from dialogue.state import Phase, bumped, count
from dialogue.understanding import Understanding

_TAKES_UP = (Pending.ASK_PAY_TODAY, Pending.ASK_PAY_DATE)


class Acting(Speaking, ABC):
    """One step in the making, able to do what a reaction says."""

    @abstractmethod
    def _answer(self, u: Understanding) -> None:
        """Decide what a turn calls for, and do it."""

    # ---- reactions ----

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
            self._stay(("not_understood",))
            return
        if self.state.stored:
            if (offer.pay_date, offer.amount) == (self.state.kept.pay_date, self.state.kept.amount):
                self._go(self.script.stored or self.state.node)
                return
            self._withdraw()
        self._set(phase=Phase.STORING, storing=True, readback=self.state.node)
        self.commands.append(
            StorePromise(offer.pay_date, offer.amount, offer.partial, offer.said_turn, self.state.turn)
        )

    def _withdraw(self) -> None:
        self._set(stored=False, node=self.state.readback, offer=self.state.kept)
        self.commands.append(WithdrawPromise(self.state.turn))

    def _callback(self, u: Understanding | None, say: tuple[str, ...]) -> None:
        at = u.slots.callback_at if u is not None else None
        for line_id in say:
            self._say(line_id)
        if at is not None and at > self.now:
            self._set(callback_at=at)
            self._say("callback_at")
        elif self.state.node == "callback_ask" and count(self.state.said, "callback_ask_again"):
            at = None
            self._say("callback_open")
        elif self.state.node == "callback_ask":
            self._stay()
            return
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
            ("dispute_debt", Disposition.DISPUTED),
            ("dispute_amount", Disposition.DISPUTED),
            ("hardship", Disposition.HARDSHIP),
            ("refused", Disposition.REFUSED),
        ):
            if flag in flags:
                return disposition
        if self.state.node == "third_party":
            return Disposition.THIRD_PARTY
        return Disposition.UNCLEAR

    def _take_up(self) -> None:
        """Answer now what was said before the right party had confirmed."""
        u, turn = self.state.carried, self.state.turn
        assert u is not None
        self._set(carried=None, turn=self.state.carried_turn)
        self._answer(u)
        self._set(turn=turn)
