"""The leg's state machine: pure, so every rule is a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.leg import IGNORED, TABLE, IllegalEvent, LegEvent, LegRecord, LegState, step, to_mermaid

E, S = LegEvent, LegState


def play(*events: LegEvent, direction: str = "outgoing") -> LegRecord:
    record = LegRecord(direction)  # type: ignore[arg-type]
    for n, event in enumerate(events):
        record = step(record, event, float(n))
    return record


def test_an_answered_call_goes_through_ringing_to_its_end():
    record = play(E.DIAL, E.PROGRESS, E.RING, E.ANSWER, E.HANGUP, E.DISCONNECT)
    assert record.state is S.ENDED
    assert record.cause is E.HANGUP
    assert record.answered
    assert record.at(E.ANSWER) == 3.0


def test_the_first_cause_stays_the_cause_when_both_sides_hang_up():
    assert play(E.DIAL, E.ANSWER, E.HANGUP, E.DISCONNECT, E.HANGUP, E.DISCONNECT).cause is E.HANGUP
    assert play(E.DIAL, E.ANSWER, E.DISCONNECT, E.HANGUP).cause is E.DISCONNECT


def test_an_answer_that_crosses_our_cancel_does_not_revive_the_call():
    record = play(E.DIAL, E.RING, E.RING_TIMEOUT, E.ANSWER)
    assert record.state is S.ENDING
    assert not record.answered


def test_a_dead_host_ends_the_leg_at_once():
    assert play(E.DIAL, E.DEAD_HOST).state is S.ENDED


def test_a_host_that_has_rung_is_not_dead():
    assert play(E.DIAL, E.RING, E.DEAD_HOST).state is S.RINGING


def test_alerting_after_early_media_keeps_the_audio():
    assert play(E.DIAL, E.EARLY_MEDIA, E.RING).state is S.EARLY


def test_a_goodbye_without_answer_ends_by_lingering():
    record = play(E.DIAL, E.ANSWER, E.HANGUP, E.LINGER)
    assert record.state is S.ENDED
    assert record.cause is E.HANGUP


def test_bridged_legs_come_back_to_answered():
    assert play(E.OFFER, E.ANSWER, E.BRIDGE, E.UNBRIDGE, direction="incoming").state is S.ANSWERED


@pytest.mark.parametrize("events", [(E.ANSWER,), (E.DIAL, E.BRIDGE), (E.DIAL, E.DIAL), (E.DIAL, E.FAIL, E.BRIDGE)])
def test_what_only_our_own_code_can_ask_for_is_an_error_in_the_wrong_state(events):
    with pytest.raises(IllegalEvent, match=r"a leg that is \w+ cannot take"):
        play(*events)


def test_no_event_is_both_obeyed_and_ignored():
    for state in LegState:
        assert not set(TABLE[state]) & IGNORED[state]


def test_nothing_leads_out_of_ended():
    assert TABLE[S.ENDED] == {}


def test_a_wish_to_hang_up_is_understood_in_every_state_of_a_call():
    for state in set(LegState) - {S.IDLE}:
        assert E.HANGUP in TABLE[state] or E.HANGUP in IGNORED[state]


def test_every_state_can_reach_the_end():
    for start in LegState:
        seen, frontier = {start}, [start]
        while frontier:
            for after in TABLE[frontier.pop()].values():
                if after not in seen:
                    seen.add(after)
                    frontier.append(after)
        assert S.ENDED in seen


@given(st.sampled_from(["outgoing", "incoming"]), st.lists(st.sampled_from(list(LegEvent)), max_size=60))
def test_any_sequence_of_events_ends_a_leg_at_most_once_and_for_one_reason(direction, events):
    record = LegRecord(direction)
    endings, causes = 0, set()
    for n, event in enumerate(events):
        before = record
        try:
            record = step(before, event, float(n))
        except IllegalEvent:
            continue
        if record is before:
            continue
        assert before.state is not S.ENDED
        endings += record.state is S.ENDED
        causes.add(record.cause)
        assert record.history[:-1] == before.history
    assert endings == (record.state is S.ENDED)
    assert len(causes - {None}) <= 1
    assert (record.cause is not None) == (record.state in (S.ENDING, S.ENDED))


def test_the_diagram_shows_every_transition_of_the_table():
    diagram = to_mermaid()
    assert diagram.startswith("stateDiagram-v2")
    for state, row in TABLE.items():
        for event, after in row.items():
            assert any(
                line.strip().startswith(f"{state} --> {after}:") and event.value in line
                for line in diagram.splitlines()
            )


def test_the_diagram_in_the_documentation_is_the_table():
    page = (Path(__file__).resolve().parents[2] / "docs" / "trunk.md").read_text("utf-8")
    assert to_mermaid().strip() in page
