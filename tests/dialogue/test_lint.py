"""What the lint finds in scripts that load, but must not call anybody."""

from __future__ import annotations

import pytest

from dialogue.lint import Severity, has_errors, lint
from dialogue.loader import load_script
from dialogue.mermaid import draw
from dialogue.script import Script


@pytest.mark.parametrize("name", ["m0", "m1"])
def test_the_scripts_that_ship_are_clean(name: str, request: pytest.FixtureRequest) -> None:
    assert lint(request.getfixturevalue(name)) == ()


@pytest.mark.parametrize(
    ("old", "new", "what", "problem"),
    [
        ("  greet: 您好，", "  greet: 您好，关于您的欠款，", "lines.greet", "before the right party confirmed"),
        (
            "  self: {go: disclose, right_party: true}",
            "  self: {go: disclose}",
            "lines.facts",
            "before the right party",
        ),
        ("then: facts}", "then: ask_today}", "nodes.facts", "no call can come here"),
        (
            "  disclose: {say: disclose, then",
            "  disclose: {say: facts, then",
            "lines.facts",
            "before the customer knows",
        ),
        ("    interruptible: false\n", "", "lines.disclose", "add interruptible: false"),
        ("对吗？\n", "对吗？\n    - 再不还{pay_date}，就起诉，对吗？\n", "lines.readback", "forbidden word 「起诉」"),
        ("  noted: 好的，", "  noted: 好的，" + "啊" * 60 + "，", "lines.noted", "cut it into two lines"),
        ("  sorry: [", "  sorry: [已经登记了。, ", "lines.sorry", "before it is stored"),
        (
            "  persuade: [",
            "  persuade: ['{pay_date}，行吗？', ",
            "lines.persuade",
            "needs {pay_date}, which is not known",
        ),
        ("    again: greet_again\n", "", "nodes.greet", "give `again` a line of at least two wordings"),
        ("    hardship: {go: hardship, flags: hardship}\n", "", "reactions.verified", "nothing answers hardship"),
        ("  answer_robot: [", "  answer_robot: [我是真人。, ", "lines.answer_robot", "denies being a machine"),
        (
            "      affirm: {do: store}\n      self: {do: store}\n",
            "",
            "nodes.readback",
            "no answer does: store",
        ),
        (
            "  disclose: {say: disclose, then: facts}",
            "  disclose: {say: disclose, then: disclose}",
            "nodes.disclose",
            "circle",
        ),
    ],
)
def test_a_fault_is_found(m1_text: str, old: str, new: str, what: str, problem: str) -> None:
    assert old in m1_text
    findings = lint(load_script(m1_text.replace(old, new), "m1.yaml"))
    assert any(f.what == what and problem in f.problem and f.severity is Severity.ERROR for f in findings), findings
    assert has_errors(findings)
    assert all(f.place.startswith(("m1.yaml", "base")) for f in findings)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("  sorry: [", "  nobody_says: 您好。\n  sorry: [", "lines.nobody_says"),
        ("，{pay_date}，还款{pay_amount}，对吗？", "，{pay_date}，还款一共是{pay_amount}对吗？", "lines.readback"),
    ],
)
def test_what_is_only_unwise_is_a_warning(m1_text: str, old: str, new: str, what: str) -> None:
    findings = lint(load_script(m1_text.replace(old, new), "m1.yaml"))
    assert [(f.what, f.severity) for f in findings] == [(what, Severity.WARNING)]
    assert not has_errors(findings)


def test_the_drawing_shows_every_node_of_the_script_and_where_it_leads(m1: Script) -> None:
    picture = draw(m1)
    assert picture.startswith("flowchart TD\n")
    for node_id in m1.own_nodes:
        assert f"    {node_id}" in picture
    assert "disclose --> facts" in picture
    assert "offer -- too_late --> ask_date" in picture
    assert "store -- stored --> noted" in picture
