"""A script that cannot be used says where, what and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.loader import load_script
from dialogue.script import PROTECTED_ACTS, ScriptError

SMALL = """\
script: small
version: "1"
stage: M1
start: hello
lines:
  hello: 您好，请问是{salutation}本人吗？
  hello_again: [请问是您吗？, 是您本人吗？]
  bye: 再见。
nodes:
  hello:
    say: hello
    ask: verify_identity
    again: hello_again
    on:
      self: bye
  bye: {say: bye, end: unclear}
"""


def test_a_small_script_loads_with_everything_it_inherits() -> None:
    script = load_script(SMALL, "small.yaml")
    assert script.name == "small"
    assert script.nodes["bye"].end == "unclear"
    assert set(script.protected) == PROTECTED_ACTS
    assert "crisis" in script.lines and "third_party" in script.nodes


def test_an_inherited_line_can_be_worded_anew() -> None:
    script = load_script(SMALL.replace("  bye: 再见。", "  bye: 再见。\n  silence: [喂？, 您好？]"), "s")
    assert [w.template for w in script.lines["silence"].wordings] == ["喂？", "您好？"]


def test_constants_are_filled_in() -> None:
    script = load_script(SMALL.replace("再见。", "请拨打{hotline}。") + "constants: {hotline: 95500}\n", "s")
    assert script.lines["bye"].wordings[0].template == "请拨打95500。"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("self: bye", "selff: bye", "s.yaml:15:", "unknown act 'selff'; did you mean self"),
        ("self: bye", "self: by", "s.yaml:15:", "unknown node 'by'; did you mean bye"),
        ("say: hello\n", "say: helo\n", "s.yaml:11:", "unknown line 'helo'; did you mean hello"),
        ("start: hello", "start: nowhere", "s.yaml:4:", "unknown node 'nowhere'"),
        ("{salutation}", "{salutaton}", "s.yaml:6:", "unknown variable {salutaton}; did you mean salutation"),
        ("ask: verify_identity", "ask: verify", "s.yaml:12:", "unknown pending 'verify'"),
        ("end: unclear", "end: unclaer", "s.yaml:16:", "did you mean unclear"),
        ("end: unclear", "end: unclear, then: hello", "s.yaml:16:", "then and end exclude each other"),
        (", end: unclear", "", "s.yaml:16:", "leads nowhere"),
        ("stage: M1\n", "", "s.yaml:1:", "the key 'stage' is missing"),
        ("stage: M1", "stage: M1\nstge: M1", "s.yaml:4:", "unknown key 'stge'; did you mean stage"),
        ("stage: M1", "stage: M1\nstage: M0", "s.yaml:4:", "stage stands twice"),
        ("self: bye", "crisis: bye", "s.yaml:15:", "handled the same way in every script"),
        (
            "  bye: {say",
            "  third_party: {say: bye, end: unclear}\n  bye: {say",
            "s.yaml:16:",
            "inherited by every script",
        ),
        ("bye: 再见。", "bye:", "s.yaml:8:", "expected text, got nothing"),
        ("bye: 再见。", "bye: [{salutation}]", "s.yaml:8:", "expected text, got keys and values"),
        ("bye: 再见。", "bye: [再见。", "s.yaml:9:", "not valid YAML"),
        ("self: bye", "self: {go: bye, end: unclear}", "s.yaml:15:", "go and end exclude each other"),
        ("self: bye", "self: {do: store}", "s.yaml:15:", "do: store needs the top-level keys"),
        ("self: bye", "self: {do: offer}", "s.yaml:15:", "needs a reaction for every verdict"),
        ("    on:", "    limit: 2\n    on:", "s.yaml:11:", "limit and exhausted belong together"),
        ("stage: M1", "stage: M1\npolicy: {max_days_ahead: soon}", "s.yaml:4:", "'soon' is no whole number"),
        ("stage: M1", "stage: M1\npolicy: {smallest_part_share: 3}", "s.yaml:4:", "between 0 and 1"),
        ("bye: 再见。", "bye: {say: 再见。, discloses: [name]}", "s.yaml:8:", "unknown 'name'"),
    ],
)
def test_a_mistake_is_reported_with_its_place_and_the_way_out(old: str, new: str, place: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(ScriptError) as caught:
        load_script(SMALL.replace(old, new, 1), "s.yaml")
    assert str(caught.value).startswith(place)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "just words", "- a list", "lines: [", "\t: x", "a: &b [*b]"])
def test_what_is_no_script_at_all_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^s\.yaml"):
        load_script(text, "s.yaml")


@given(cut=st.integers(0, len(SMALL)), junk=st.text(alphabet=":{}[]-# \nabc您好,&*!|", max_size=6))
def test_broken_text_raises_nothing_but_a_script_error(cut: int, junk: str) -> None:
    try:
        load_script(SMALL[:cut] + junk + SMALL[cut:], "s.yaml")
    except ScriptError as e:
        assert str(e).startswith("s.yaml")


def test_the_smallest_script_of_the_manual_loads() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text("utf-8")
    example = manual.split("```yaml\n")[1].split("```")[0]
    assert load_script(example, "docs").start == "greet"


def test_the_manual_names_every_line_that_protects_somebody() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text("utf-8")
    protected = load_script(SMALL, "s").protected
    for line_id in {line_id for reaction in protected.values() for line_id in reaction.say}:
        assert f"`{line_id}`" in manual
