"""What the lint finds in scripts that load, but must not call anybody: one small edit, one fault, one way to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from dialogue_kit import SCRIPTS, read_script

from dialogue.acts import Act
from dialogue.knowledge import Entry, Knowledge
from dialogue.knowledge_file import with_knowledge
from dialogue.lint import Finding, Severity, has_errors, lint, show
from dialogue.loader import load_script
from dialogue.mermaid import draw
from dialogue.script import PROTECTED_ACTS, Script

NAMES = ("m0_reminder", "m1_collection")
TODAY = "greet --self--> disclose --> facts --> ask_today"
READY = "greet --self--> disclose --> facts --> ask_ready"
STORING = f"{TODAY} --affirm--> readback --self--> [storing]"


@dataclass(frozen=True)
class Fault:
    """`edits` spoil a script; the lint must answer with `rule` at `what`, reached by `path`. `also`: what follows."""

    script: str
    edits: tuple[tuple[str, str], ...]
    rule: str
    what: str
    path: str
    also: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.script[:2]}-{self.rule}-{self.what}"


def m0(old: str, new: str, rule: str, what: str, path: str, also: tuple[str, ...] = ()) -> Fault:
    return Fault("m0_reminder", ((old, new),), rule, what, path, also)


def m1(old: str, new: str, rule: str, what: str, path: str, also: tuple[str, ...] = ()) -> Fault:
    return Fault("m1_collection", ((old, new),), rule, what, path, also)


DEBT = "debt-before-verification"
FAULTS = (
    # who learns of the debt, and when
    m1("  greet: 您好，", "  greet: 您好，关于您的欠款，", DEBT, "lines.greet", "greet"),
    m1(
        "      self: {go: disclose, right_party: true}",
        "      self: {go: disclose}",
        DEBT,
        "lines.facts",
        "greet --self--> disclose --> facts",
        ("no-answer-to-self",),
    ),
    m1(
        "  persuade: [",
        "  third_party_thanks: 好的，请他尽快还款，再见。\n  persuade: [",
        DEBT,
        "lines.third_party_thanks",
        "greet --will_relay--> [end: third_party]",
    ),
    m0(
        "reactions:\n  verified:",
        "reactions:\n  unverified:\n    ask_identity: {say: answer_due_date}\n  verified:",
        DEBT,
        "lines.answer_due_date",
        "greet --ask_identity--> greet",
    ),
    m0(
        "  noted: 好的，",
        "  too_long: 还款的事，下次再说，再见。\n  noted: 好的，",
        DEBT,
        "lines.too_long",
        "greet --one turn too many--> [end: unclear]",
    ),
    m1(
        "      deny: {say: wrong_person",
        "      greeting: {go: disclose, right_party: true}\n      deny: {say: wrong_person",
        "right-party-unconfirmed",
        "nodes.greet",
        "greet --greeting--> disclose --> facts --> ask_today",
    ),
    m0(
        "reactions:\n  verified:",
        "reactions:\n  unverified:\n    promise_pay: {go: disclose, right_party: true}\n  verified:",
        "right-party-unconfirmed",
        "nodes.greet",
        "greet --promise_pay--> disclose --> facts --> ask_ready --> readback",
    ),
    Fault(
        "m1_collection",
        (
            ("  disclose: {say: disclose, then: facts}", "  disclose: {say: facts, then: ask_today}"),
            ("  facts: {say: facts, then: ask_today}", "  facts: {say: disclose, then: ask_today}"),
        ),
        "disclosure-missing",
        "lines.facts",
        "greet --self--> disclose",
        ("unreachable-node",),
    ),
    m0(
        "[identity, ai, recorded]",
        "[identity, ai]",
        "disclosure-missing",
        "lines.facts",
        "greet --self--> disclose --> facts",
    ),
    m0(
        "      affirm: {go: disclose, right_party: true}",
        "      affirm: {go: facts, right_party: true}",
        "disclosure-missing",
        "lines.facts",
        "greet --affirm--> facts",
    ),
    m1("    interruptible: false\n", "", "disclosure-interruptible", "lines.disclose", "greet --self--> disclose"),
    # what is answered
    m1(
        "    say: ask_today\n    ask: ask_pay_today\n    again: ask_today_again\n",
        "    ask: ask_pay_today\n",
        "no-answer-to-silence",
        "nodes.ask_today",
        f"{TODAY} --silence--> ask_today",
    ),
    m0(
        "    ask: ask_reason\n",
        "    ask: ask_reason\n    silence_ms: 60000\n",
        "no-answer-to-silence",
        "nodes.hardship",
        f"{READY} --hardship--> hardship",
    ),
    m1(
        "    hardship: {go: hardship, flags: hardship}\n",
        "",
        "no-answer-to-hardship",
        "nodes.ask_today",
        f"{TODAY} --hardship--> ask_today",
        ("unreachable-node",),
    ),
    m0(
        "    ask_how_to_pay: {say: answer_how}\n",
        "",
        "no-answer-to-ask_how_to_pay",
        "nodes.ask_ready",
        f"{READY} --ask_how_to_pay--> ask_ready",
    ),
    m1(
        "    dispute_debt: {go: disputed, flags: dispute_debt}\n",
        "",
        "no-answer-to-dispute_debt",
        "nodes.ask_today",
        f"{TODAY} --dispute_debt--> ask_today",
    ),
    m0(
        "    dispute_debt: {go: disputed,",
        "    dispute_debt: {say: answer_consequence, go: ask_date,",
        "no-answer-to-dispute_debt",
        "nodes.ask_date",
        f"{READY} --dispute_debt--> ask_date",
    ),
    m1(
        "      deny: ask_date\n      acknowledge: ask_date\n",
        "      acknowledge: ask_date\n",
        "no-answer-to-deny",
        "nodes.ask_today",
        f"{TODAY} --deny--> ask_today",
    ),
    m0(
        "      deny: {say: readback_wrong, go: ask_date}\n",
        "",
        "no-answer-to-deny",
        "nodes.readback",
        f"{READY} --promise_pay--> readback --deny--> readback",
    ),
    m1(
        "      self: {go: disclose, right_party: true}\n",
        "",
        "no-answer-to-self",
        "nodes.greet",
        "greet --self--> greet",
    ),
    # where the call goes
    m1(
        "  disclose: {say: disclose, then: facts}",
        "  disclose: {say: disclose, then: disclose}",
        "endless-loop",
        "nodes.disclose",
        "greet --self--> disclose --> disclose",
        ("unreachable-node",),
    ),
    m0(
        "  facts: {say: facts, then: ask_ready}",
        "  facts: {say: facts, then: disclose}",
        "endless-loop",
        "nodes.disclose",
        "greet --self--> disclose --> facts --> disclose",
        ("unreachable-node",),
    ),
    m1(
        "    limit: 4\n    exhausted: no_agreement\n    on:\n      affirm: {go: ask_date}",
        "    limit: 4\n    exhausted: ask_date\n    on:\n      affirm: {go: ask_date}",
        "endless-loop",
        "nodes.ask_date",
        f"{TODAY} --will_relay--> ask_date --will_relay (asked too often)--> [end: unclear]",
    ),
    m1("  max_turns: 30", "  max_turns: 300", "endless-loop", "policy.max_turns", "greet --ask_amount--> greet"),
    m1("then: facts}", "then: ask_today}", "unreachable-node", "nodes.facts", ""),
    m0(
        "    refuse_pay: {go: refused, flags: refused}",
        "    refuse_pay: {go: reminded, flags: refused}",
        "unreachable-node",
        "nodes.refused",
        "",
    ),
    Fault(
        "m0_reminder",
        (
            ("      deny: {say: wrong_person, end: wrong_number}", "      deny: who"),
            (
                "  disclose: {say: disclose,",
                "  who:\n    say: greet\n    ask: verify_identity\n    again: greet_again\n    otherwise: {}\n"
                "  disclose: {say: disclose,",
            ),
        ),
        "dead-end",
        "nodes.who",
        "greet --deny--> who",
    ),
    m1(
        "      self: {go: disclose, right_party: true}\n      affirm: {go: disclose, right_party: true}\n"
        "      deny: {say: wrong_person, end: wrong_number}",
        "      self: {}\n      affirm: {}\n      deny: {}",
        "dead-end",
        "nodes.greet",
        "greet",
        ("unreachable-node",),
    ),
    # what is said
    m1(
        "    - 好的，我跟您核对一下，{pay_date}，",
        "    - 再不还就起诉，{pay_date}，",
        "forbidden-word",
        "lines.readback",
        f"{TODAY} --affirm--> readback",
    ),
    m1(
        "  noted: 好的，",
        "  noted: 好的，" + "请您放心，" * 9,
        "line-too-long",
        "lines.noted",
        f"{STORING} --stored--> noted",
    ),
    m0(
        "是这样，您的{product}，尾号",
        "是这样，您的{product}，最低{min_amount}，尾号",
        "line-too-long",
        "lines.facts",
        "greet --self--> disclose --> facts",
    ),
    m1(
        "  answer_robot: [",
        "  answer_robot: [我是真人。, ",
        "denies-being-a-robot",
        "lines.answer_robot",
        f"{TODAY} --ask_is_robot--> ask_today",
    ),
    m1("    again: greet_again\n", "", "same-words-twice", "nodes.greet", "greet --silence--> greet"),
    m0(
        "  ask_ready_again: [您看，到期前能还上吗？, 所以想问一下，按时还没问题吧？, 您到时候方便按时还吗？]",
        "  ask_ready_again: 您看，到期前能还上吗？",
        "same-words-twice",
        "nodes.ask_ready",
        f"{READY} --silence--> ask_ready --silence--> ask_ready",
    ),
    m1(
        "  persuade: [",
        "  silence: 喂，您好？\n  persuade: [",
        "same-words-twice",
        "lines.silence",
        "greet --silence--> greet",
    ),
    # values and promises
    m1(
        "  persuade: [",
        "  persuade: ['{pay_date}，行吗？', ",
        "value-not-known",
        "lines.persuade",
        f"{TODAY} --refuse_pay--> persuade",
    ),
    m0(
        "  too_small:\n",
        "  too_small:\n    - 刚才说的，{pay_amount}，少了一点。\n",
        "value-not-known",
        "lines.too_small",
        f"{READY} --promise_partial (too little)--> ask_part",
    ),
    m1(
        "  persuade: [",
        "  persuade: ['{callback_at}，我再打来。', ",
        "value-not-known",
        "lines.persuade",
        f"{TODAY} --refuse_pay--> persuade",
    ),
    m1(
        "  sorry: [",
        "  sorry: [已经登记了。, ",
        "noted-before-stored",
        "lines.sorry",
        f"{TODAY} --hardship--> hardship",
    ),
    m0(
        "  not_noted: 很抱歉，刚才系统没有登记成功，",
        "  not_noted: 好的，已经登记了，",
        "noted-before-stored",
        "lines.not_noted",
        f"{READY} --promise_pay--> readback --self--> [storing] --store failed--> not_noted",
    ),
    m1(
        "      deny: ask_date\n      acknowledge: ask_date",
        "      deny: ask_date\n      acknowledge: {do: store}",
        "store-without-readback",
        "nodes.ask_today",
        f"{TODAY} --acknowledge--> ask_today",
    ),
    m0(
        "      deny: ask_date\n  readback:",
        "      deny: ask_date\n      affirm: {do: store}\n  readback:",
        "store-without-readback",
        "nodes.ask_part",
        f"{READY} --promise_partial--> ask_part --affirm--> ask_part",
    ),
    m1(
        "    - 那我再核对一遍，{pay_date}，还款{pay_amount}，是这样吗？",
        "    - 那我再核对一遍，{pay_date}，是这样吗？",
        "store-without-readback",
        "nodes.readback",
        STORING,
    ),
    m1(
        "      deny: {say: readback_wrong, go: ask_date}",
        "      deny: {do: store}",
        "store-without-consent",
        "nodes.readback",
        f"{TODAY} --affirm--> readback --deny--> [storing]",
    ),
    m0(
        "      affirm: {do: store}\n      self: {do: store}\n",
        "",
        "readback-without-store",
        "nodes.readback",
        f"{READY} --promise_pay--> readback",
        ("no-answer-to-affirm", "unreachable-node"),
    ),
    m1(
        "    say: noted\n    ask: closing",
        "    ask: closing",
        "promise-unheard",
        "nodes.noted",
        f"{STORING} --stored--> noted",
    ),
    m0(
        "  not_noted: {say: not_noted, end: callback}",
        "  not_noted: {end: callback}",
        "promise-unheard",
        "nodes.not_noted",
        f"{READY} --promise_pay--> readback --self--> [storing] --store failed--> not_noted --> [end: callback]",
    ),
    m1(
        "      acknowledge: {}\n",
        "      acknowledge: {say: noted_again, end: promised}\n",
        "promised-unstored",
        "nodes.readback",
        f"{TODAY} --affirm--> readback --will_relay--> [end: promised]",
    ),
    # how the call is left
    m1(
        "    request_waiver: {say: no_waiver, flags: request_waiver}",
        "    request_waiver: {handoff: request_waiver}",
        "handoff-without-words",
        "nodes.ask_today",
        f"{TODAY} --request_waiver--> [a person: request_waiver]",
    ),
    m0(
        "  disputed: {say: disputed, end: disputed}",
        "  disputed: {handoff: dispute}",
        "handoff-without-words",
        "nodes.disputed",
        f"{READY} --dispute_debt--> disputed --> [a person: dispute]",
    ),
    m1(
        "  persuade: [",
        "  handoff: '……'\n  persuade: [",
        "handoff-without-words",
        "nodes.greet",
        "greet --request_human--> [a person: request_human]",
    ),
    m1(
        "  refused: {say: refused_noted, end: refused}",
        "  refused: {end: refused}",
        "goodbye-missing",
        "nodes.refused",
        f"{TODAY} --refuse_pay--> persuade --refuse_pay--> refused --> [end: refused]",
    ),
    m0(
        "  sorry: [",
        "  silence_bye: '……'\n  sorry: [",
        "goodbye-missing",
        "nodes.greet",
        "greet --silence (third time)--> [end: no_response]",
    ),
    m1(
        "  sorry: [",
        "  abuse_bye: '……'\n  sorry: [",
        "goodbye-missing",
        "nodes.greet",
        "greet --abuse (second time)--> [end: unclear]",
    ),
    m0(
        "  sorry: [",
        "  lost_bye: '……'\n  sorry: [",
        "goodbye-missing",
        "nodes.greet",
        "greet --acknowledge (third time)--> [end: unclear]",
    ),
    m1(
        "  sorry: [",
        "  handoff_no_person: '……'\n  sorry: [",
        "goodbye-missing",
        "nodes.greet",
        "greet --request_human--> [a person: request_human] --no person there--> [end: callback]",
    ),
    Fault(
        "m1_collection",
        (
            ("    exhausted: refused", "    exhausted: enough"),
            ("  no_agreement: {say", "  enough: {end: refused}\n  no_agreement: {say"),
        ),
        "goodbye-missing",
        "nodes.enough",
        f"{TODAY} --refuse_pay--> persuade --will_relay--> ask_date --refuse_pay (asked too often)--> enough"
        " --> [end: refused]",
    ),
)


@cache
def text_of(name: str) -> str:
    return (SCRIPTS / f"{name}.yaml").read_text("utf-8")


def edited(name: str, *edits: tuple[str, str]) -> Script:
    text = text_of(name)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return load_script(text, f"{name}.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_that_ship_are_clean(name: str) -> None:
    assert lint(read_script(name)) == ()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_found_by_its_rule_and_with_the_way_to_it(fault: Fault) -> None:
    findings = lint(edited(fault.script, *fault.edits))
    found = [f for f in findings if (f.rule, f.what) == (fault.rule, fault.what)]
    assert [(f.severity, show(f.path)) for f in found] == [(Severity.ERROR, fault.path)], findings
    assert found[0].place.startswith((fault.script, "base"))
    others = {f.rule for f in findings if f.severity is Severity.ERROR} - {fault.rule}
    assert others == set(fault.also)
    assert has_errors(findings)


def test_every_rule_has_a_fault() -> None:
    rules = {f.rule for f in FAULTS} | {"clause-rendered-live", "line-never-said"}
    documented = Path(__file__).parents[2] / "docs" / "scripts.md"
    told = {line.split("`")[1] for line in documented.read_text("utf-8").splitlines() if line.startswith("| `")}
    assert {rule for rule in rules if not rule.startswith("no-answer-to-")} <= told
    assert {"no-answer-to-silence", "no-answer-to-<act>"} <= told
    assert len(FAULTS) >= 30


@pytest.mark.parametrize(
    ("old", "new", "rule", "what"),
    [
        ("  sorry: [", "  nobody_says: 您好。\n  sorry: [", "line-never-said", "lines.nobody_says"),
        (
            "，{pay_date}，还款{pay_amount}，对吗？",
            "，{pay_date}，还款一共是{pay_amount}对吗？",
            "clause-rendered-live",
            "lines.readback",
        ),
        (
            "，您需要的话可以转人工。, 对，我是智能语音助手，不是真人。]",
            "]",
            "same-words-twice",
            "lines.answer_robot",
        ),
    ],
)
def test_what_is_only_unwise_is_a_warning(old: str, new: str, rule: str, what: str) -> None:
    findings = lint(edited("m1_collection", (old, new)))
    assert [(f.rule, f.what, f.severity) for f in findings] == [(rule, what, Severity.WARNING)]
    assert not has_errors(findings)


def test_what_a_script_cannot_lose_is_missed_when_it_is_lost(m1: Script) -> None:
    for act in (Act.REQUEST_HUMAN, Act.STOP_CALLING, Act.CRISIS, Act.COMPLAINT):
        poor = replace(m1, protected={a: r for a, r in m1.protected.items() if a is not act})
        assert [f.rule for f in lint(poor)] == [f"no-answer-to-{act}"]


@pytest.mark.parametrize(
    ("act", "instead"),
    [
        (Act.CRISIS, Act.COMPLAINT),
        (Act.REQUEST_HUMAN, Act.CALL_ASSISTANT),
        (Act.STOP_CALLING, Act.THIRD_PARTY),
        (Act.COMPLAINT, Act.ABUSE),
        (Act.WRONG_PERSON, Act.ABUSE),
    ],
)
def test_a_protected_act_that_is_answered_like_another_is_not_answered(m1: Script, act: Act, instead: Act) -> None:
    assert act in PROTECTED_ACTS
    spoiled = replace(m1, protected={**m1.protected, act: m1.protected[instead]})
    found = [f for f in lint(spoiled) if f.rule == f"no-answer-to-{act}"]
    assert len(found) == 1
    assert show(found[0].path).startswith(f"greet --{act}--> ")


def test_what_the_bank_knows_is_checked_like_the_script_itself(m1: Script) -> None:
    threat = Entry("late", ("不还会怎么样呢", "最坏会怎样"), "再不还款，就上门。", "knowledge.yaml:3:5")
    findings = lint(with_knowledge(m1, Knowledge((threat,))))
    assert [(f.rule, f.what, f.place) for f in findings] == [
        ("forbidden-word", "lines.know_late", "knowledge.yaml:3:5")
    ]
    assert show(findings[0].path) == f"{TODAY} --out_of_scope (不还会怎么样呢)--> ask_today"


def test_a_finding_reads_in_two_lines_and_as_plain_values() -> None:
    finding = lint(
        edited("m1_collection", ("then: facts}", "then: ask_today}"), ("  greet: 您好，", "  greet: 欠款，"))
    )
    by_rule: dict[str, Finding] = {f.rule: f for f in finding}
    greet, facts = by_rule[DEBT], by_rule["unreachable-node"]
    assert (
        str(greet).splitlines()[0].startswith("m1_collection.yaml:20:10: error: debt-before-verification: lines.greet")
    )
    assert str(greet).splitlines()[1] == "    by greet"
    assert "\n" not in str(facts)
    assert greet.as_json()["path"] == [{"by": "", "to": "greet"}]
    assert facts.as_json()["rule"] == "unreachable-node"


def test_the_drawing_shows_every_node_of_the_script_and_where_it_leads(m1: Script) -> None:
    picture = draw(m1)
    assert picture.startswith("flowchart TD\n")
    for node_id in m1.own_nodes:
        assert f"    {node_id}" in picture
    assert "disclose --> facts" in picture
    assert "offer -- too_late --> ask_date" in picture
    assert "store -- stored --> noted" in picture
