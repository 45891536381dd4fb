"""From SIP and Q.850 numbers to what came of the attempt."""

from __future__ import annotations

import pytest

from telephony.leg import LegEvent
from telephony.outcome import OutcomeKind, classify, ended_by

K = OutcomeKind


def remote(sip_code: int, q850: int | None = None, responded: bool = True) -> OutcomeKind:
    return classify(cause=LegEvent.DISCONNECT, answered=False, responded=responded, sip_code=sip_code, q850_cause=q850)


@pytest.mark.parametrize(
    ("sip_code", "kind"),
    [
        (404, K.INVALID_NUMBER),
        (410, K.INVALID_NUMBER),
        (484, K.INVALID_NUMBER),
        (604, K.INVALID_NUMBER),
        (486, K.BUSY),
        (600, K.BUSY),
        (603, K.REJECTED),
        (403, K.REJECTED),
        (480, K.NO_ANSWER),
        (408, K.NO_ANSWER),
        (487, K.CANCELLED),
        (502, K.UNREACHABLE),
        (500, K.FAILED),
        (503, K.FAILED),
        (488, K.FAILED),
        (699, K.FAILED),
    ],
)
def test_a_sip_code_alone_is_understood(sip_code, kind):
    assert remote(sip_code) is kind


@pytest.mark.parametrize(
    ("sip_code", "q850", "kind"),
    [
        (480, 20, K.POWERED_OFF),
        (480, 19, K.NO_ANSWER),
        (480, 1, K.INVALID_NUMBER),
        (503, 17, K.BUSY),
        (500, 21, K.REJECTED),
        (403, 54, K.SUSPENDED),
        (404, 3, K.UNREACHABLE),
        (486, 31, K.BUSY),
        (486, 16, K.BUSY),
        (480, 127, K.NO_ANSWER),
    ],
)
def test_the_networks_own_cause_wins_where_it_says_more(sip_code, q850, kind):
    assert remote(sip_code, q850) is kind


def test_a_transport_error_is_not_taken_for_an_answer_of_the_far_side():
    assert remote(503, responded=False) is K.UNREACHABLE
    assert ended_by(cause=LegEvent.DISCONNECT, responded=False, sip_code=503) == "error"
    assert ended_by(cause=LegEvent.DISCONNECT, responded=False, sip_code=408) == "timeout"


@pytest.mark.parametrize(
    ("cause", "kind", "by"),
    [
        (LegEvent.HANGUP, K.CANCELLED, "local"),
        (LegEvent.RING_TIMEOUT, K.NO_ANSWER, "timeout"),
        (LegEvent.DEAD_HOST, K.UNREACHABLE, "timeout"),
        (LegEvent.FAIL, K.FAILED, "error"),
    ],
)
def test_our_own_reason_counts_more_than_the_code_that_came_back(cause, kind, by):
    found = classify(cause=cause, answered=False, responded=True, sip_code=486, q850_cause=17)
    assert found is kind
    assert ended_by(cause=cause, responded=True, sip_code=486) == by


def test_an_answered_call_is_answered_however_it_ended():
    for cause in (LegEvent.HANGUP, LegEvent.DISCONNECT, LegEvent.FAIL):
        assert classify(cause=cause, answered=True, responded=True, sip_code=200) is K.ANSWERED
