"""What the lint walks: the ways of real calls, and whatever a careless edit leaves of a script."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import pytest
from dialogue_kit import NOW, SCRIPTS, Call, case_for, read_script
from hypothesis import HealthCheck, example, given, settings
from hypothesis import Phase as Testing
from hypothesis import strategies as st

from dialogue.acts import Act
from dialogue.lint import Hop, has_errors, lint, show
from dialogue.lint.hearing import Hearing
from dialogue.lint.steps import Walk
from dialogue.lint.turns import NOW as LINT_NOW
from dialogue.lint.turns import Turns, sample_case
from dialogue.lint.walk import walk
from dialogue.loader import load_script
from dialogue.manager import initial_state, step
from dialogue.protocol import (
    CallStarted,
    CustomerSaid,
    CustomerSilent,
    Handoff,
    HandoffEnded,
    HandoffResult,
    HangUp,
    PromiseStored,
    Speak,
    StorePromise,
)
from dialogue.script import MANDATORY_DISCLOSURES, Script, ScriptError
from dialogue.state import Phase, State
from dialogue.understanding import Slots, Understanding

NAMES = ("m0_reminder", "m1_collection")
TODAY = "greet --self--> disclose --> facts --> ask_today"
STORING = f"{TODAY} --affirm--> readback --self--> [storing]"


@cache
def walked(name: str) -> Walk:
    return walk(read_script(name))


@cache
def ways(name: str) -> frozenset[str]:
    found = walked(name)
    return frozenset(show(found.path(edge)) for edge in found.edges)


@pytest.mark.parametrize(
    "way",
    [
        "greet --promise_pay (a good day)--> greet --self--> disclose --> facts --> ask_today --> readback",
        "greet --dispute_debt--> greet --affirm--> disclose --> facts --> ask_today --> disputed --> [end: disputed]",
        f"{TODAY} --promise_pay (too late a day)--> ask_date",
        f"{TODAY} --promise_partial--> ask_part --promise_partial (too little)--> ask_part",
        f"{STORING} --stored--> noted --deny (that is wrong)--> readback --> ask_date",
        f"{STORING} --store failed--> not_noted --> [end: callback]",
        f"{STORING} --crisis--> [storing] --stored--> [a person: crisis]",
        f"{STORING} --time up--> [storing] --stored--> [end: promised]",
        f"{TODAY} --third_party--> third_party --silence--> third_party",
        f"{TODAY} --request_callback--> callback_ask --out_of_scope (asked too often)--> [end: callback]",
        f"{TODAY} --request_callback (a time)--> [end: callback]",
        f"{TODAY} --out_of_scope (third time)--> [a person: not_understood]",
        f"{TODAY} --silence (third time)--> [end: unclear]",
        f"{TODAY} --abuse (second time)--> [end: refused]",
        f"{TODAY} --one turn too many--> [end: unclear]",
        f"{TODAY} --will_relay--> ask_date --deny (asked too often)--> no_agreement --> [end: unclear]",
    ],
)
def test_the_walk_goes_every_way_that_a_call_can_go(way: str) -> None:
    assert way in ways("m1_collection")


def test_a_limit_is_used_up_only_on_ways_that_pass_the_node() -> None:
    assert not any(
        "persuade (" in way or "ask_today --refuse_pay (asked too often)" in way for way in ways("m1_collection")
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_walked_in_a_bounded_number_of_steps(name: str) -> None:
    assert 1_000 < len(walked(name).edges) < 8_000  # about a second


@pytest.mark.parametrize("name", NAMES)
def test_every_act_is_said_at_every_place_where_the_call_listens(name: str) -> None:
    found = walked(name)
    said: dict[object, set[Act]] = {}
    for edge in found.answers:
        if edge.turn.plain:
            said.setdefault((edge.before.node, edge.before.verified), set()).add(edge.turn.acts[0])
    listening = {(s.node, s.verified) for s in found.places.values() if s.phase is Phase.TALKING}
    assert listening == said.keys()
    assert {node for node, _ in listening} == {n.id for n in read_script(name).nodes.values() if n.ask is not None}
    assert all(acts == set(Act) for acts in said.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_path_begins_at_the_start_and_names_what_the_customer_did(name: str) -> None:
    script, found = read_script(name), walked(name)
    for edge in found.edges:
        path = found.path(edge)
        assert path[0] == Hop("", script.start)
        for before, hop in pairwise(path):
            assert hop.to in script.nodes or hop.to.startswith("[")
            asks = before.to not in script.nodes or script.nodes[before.to].ask is not None
            assert not hop.by or asks, f"{before.to} does not listen: {show(path)}"


@pytest.mark.parametrize("name", NAMES)
def test_only_the_right_party_hears_of_the_debt_on_any_way(name: str) -> None:
    script = read_script(name)
    for edge in walked(name).edges:
        for said in edge.lines:
            if script.lines[said.line_id].tells_debt:
                assert said.verified
                assert said.disclosed == MANDATORY_DISCLOSURES


def where(state: State) -> str:
    """The node at which the call listens, or what it waits for instead."""
    return state.node if state.phase is Phase.TALKING else state.phase.value


@cache
def steps_walked(name: str) -> frozenset[tuple[object, ...]]:
    return frozenset(
        (where(e.before), e.before.verified, e.turn.event, e.entered, e.handoff, e.stores, e.end is None)
        for e in walked(name).edges
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_call_takes_a_step_that_was_not_walked(name: str, data: st.DataObject) -> None:
    script = read_script(name)
    turns = Turns(script)
    state, _ = step(script, initial_state(script), CallStarted(sample_case(script), LINT_NOW))
    for _ in range(14):
        if state.phase is Phase.ENDED:
            break
        turn = data.draw(st.sampled_from(turns.after(state)), label="turn")
        heard = Hearing(script, state)
        heard.take(turn.event)
        handoff = next((c.reason for c in heard.commands if isinstance(c, Handoff)), None)
        stores = any(isinstance(c, StorePromise) for c in heard.commands)
        goes_on = not any(isinstance(c, HangUp) for c in heard.commands)
        taken = (where(state), state.verified, turn.event, tuple(heard.entered), handoff, stores, goes_on)
        assert taken in steps_walked(name)
        state = heard.state


# ---- careless edits ----

_NODE_BLOCK = re.compile(r"^  (\w+):(?: \{.*)?$")
_REACTION = re.compile(r"^ {4,6}(\w+): (?=[{\w])")
_TARGET = re.compile(r"(?:go: |then: |exhausted: |^ {4,6}[a-z_]+: (?!\{))([a-z_]+)")


@cache
def parts(name: str) -> tuple[tuple[str, ...], frozenset[str]]:
    text = (SCRIPTS / f"{name}.yaml").read_text("utf-8")
    return tuple(text.splitlines()), read_script(name).own_nodes


def spoilt(name: str, edits: Iterable[tuple[str, int, int]]) -> Script | None:
    """The script after these edits; None where it is no script any more."""
    lines, nodes = list(parts(name)[0]), parts(name)[1]
    begin = lines.index("nodes:")
    for kind, one, other in edits:
        if kind == "again":
            found = [i for i, line in enumerate(lines) if line.startswith("    again: ")]
        elif kind == "reaction":
            acts = set(Act)
            found = [i for i, line in enumerate(lines[begin:], begin) if (m := _REACTION.match(line)) and m[1] in acts]
        else:
            found = [i for i, line in enumerate(lines[begin:], begin) if any(t in nodes for t in _TARGET.findall(line))]
        if not found:
            continue
        at = found[one % len(found)]
        if kind != "swap":
            del lines[at]
            continue
        to = found[other % len(found)]
        here, there = (next(m for m in _TARGET.finditer(lines[i]) if m[1] in nodes) for i in (at, to))
        if at != to:
            lines[at] = lines[at][: here.start(1)] + there[1] + lines[at][here.end(1) :]
            lines[to] = lines[to][: there.start(1)] + here[1] + lines[to][there.end(1) :]
    try:
        return load_script("\n".join(lines), f"{name}.yaml")
    except ScriptError:
        return None


UNSHRUNK = (Testing.explicit, Testing.reuse, Testing.generate)
"""A lint takes seconds, and so few edits are small as they are."""

edits = st.lists(
    st.tuples(st.sampled_from(["again", "reaction", "swap"]), st.integers(0, 400), st.integers(0, 400)),
    min_size=1,
    max_size=3,
)
meant = st.sampled_from(list(Act))
sayings = st.lists(
    st.tuples(
        st.sampled_from([*Act, Act.SELF, Act.AFFIRM, Act.DENY, Act.PROMISE_PAY]),
        st.sampled_from([Slots(), Slots(pay_date=NOW.date())]),
    )
    | st.none(),
    max_size=12,
)


def converse(script: Script, turns: Iterable[tuple[Act, Slots] | None]) -> Call:
    """A call in which these things are meant; None is silence."""
    played = Call(script, case_for(script), stores=False)
    for turn in turns:
        phase = played.state.phase
        if phase is Phase.ENDED:
            break
        if phase is Phase.STORING:
            played.feed(PromiseStored("P-1"))
        elif phase is Phase.HANDOFF:
            played.feed(HandoffEnded(HandoffResult.NO_ANSWER, NOW))
        elif turn is None:
            played.feed(CustomerSilent(NOW))
        else:
            played.turns += 1
            played.feed(CustomerSaid(Understanding("我说的是另一件事", (turn[0],), turn[1]), played.turns, NOW))
    return played


def assert_the_debt_is_kept(played: Call) -> None:
    confirmed, disclosed = False, set[str]()
    for item in played.trail:
        if isinstance(item, CustomerSaid):
            confirmed = confirmed or item.understanding.has(Act.SELF, Act.AFFIRM)
        elif isinstance(item, Speak):
            if played.script.lines[item.line_id].tells_debt:
                assert confirmed, f"debt before verification: {item.text}"
                assert disclosed >= MANDATORY_DISCLOSURES, item.text
            disclosed |= set(item.discloses)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=UNSHRUNK)
@example(edits=[("again", 3, 0)], talks=[[(Act.SELF, Slots()), (Act.DENY, Slots()), None]])
@example(edits=[("swap", 198, 224)], talks=[])  # a circle of nodes that no call can come to
@given(edits=edits, talks=st.lists(sayings, min_size=3, max_size=6))
def test_whatever_an_edit_leaves_is_linted_and_what_is_clean_keeps_the_debt(
    name: str, edits: list[tuple[str, int, int]], talks: list[list[tuple[Act, Slots] | None]]
) -> None:
    script = spoilt(name, edits)
    if script is None:
        return
    findings = lint(script)
    assert all(f.path or f.rule in ("unreachable-node", "line-never-said") for f in findings), findings
    if not has_errors(findings):
        for turns in talks:
            assert_the_debt_is_kept(converse(script, turns))


@pytest.mark.parametrize("name", NAMES)
def test_edits_spoil_some_scripts_and_leave_others_clean(name: str) -> None:
    verdicts = [
        None if (script := spoilt(name, [(kind, at, at + 3)])) is None else has_errors(lint(script))
        for kind, at in (("again", 2), ("reaction", 4), ("swap", 6))
    ]
    assert True in verdicts and False in verdicts
