"""Every rule at its edges, and all of them together against an independent oracle."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.compliance import histories, oracle
from voicebot.compliance import (
    Channel,
    Consent,
    Contact,
    Facts,
    Party,
    Permit,
    Refusal,
    Request,
    Status,
    hang_up_by,
    judge,
    load_pack,
    pack_names,
)
from voicebot.compliance.packs import FOLDER

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
CN, US = load_pack("cn"), load_pack("us")
NOON = datetime(2026, 11, 27, 12, tzinfo=SHANGHAI)
AMERICAN = Facts("d", zone="America/New_York", consents=frozenset({Consent.ARTIFICIAL_VOICE}))


def refused(judged: Permit | Refusal) -> set[str]:
    return {o.rule for o in judged.objections} if isinstance(judged, Refusal) else set()


def calls(*ago: timedelta, now: datetime = NOON, reached: bool | None = False, **more: str) -> tuple[Contact, ...]:
    return tuple(Contact(now - a, reached=reached, **more) for a in ago)


HOURS = [timedelta(hours=h) for h in range(1, 10)]


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("07:59:59.999999", False),
        ("08:00:00", True),
        ("21:59:59.999999", True),
        ("22:00:00", False),
        ("00:00:00", False),
    ],
)
def test_the_hours_of_the_law_begin_and_end_to_the_microsecond(clock: str, allowed: bool) -> None:
    now = datetime.fromisoformat(f"2026-11-27T{clock}").replace(tzinfo=SHANGHAI)
    judged = judge(CN, Facts("d"), Request(now))
    assert isinstance(judged, Permit) is allowed
    if isinstance(judged, Refusal):
        day = 27 if now.hour < 8 else 28
        assert judged.next_allowed == datetime(2026, 11, day, 8, tzinfo=SHANGHAI)


def test_a_permit_says_until_when_it_holds() -> None:
    judged = judge(CN, Facts("d"), Request(NOON))
    assert isinstance(judged, Permit)
    assert judged.valid_until == datetime(2026, 11, 27, 22, tzinfo=SHANGHAI)


def test_who_agreed_to_it_may_be_called_at_night() -> None:
    night = NOON.replace(hour=23)
    assert judge(CN, Facts("d", consents=frozenset({Consent.OUTSIDE_HOURS})), Request(night)) == Permit(
        "cn", CN.version, None
    )


def test_the_day_is_the_debtors_own() -> None:
    early = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)  # 7:30 in New York
    judged = judge(US, AMERICAN, Request(early))
    assert refused(judged) == {"US-TIME"}
    assert isinstance(judged, Refusal) and judged.next_allowed == datetime(2026, 11, 27, 8, tzinfo=NEW_YORK)


@pytest.mark.parametrize("day", [8, 1])
def test_days_on_which_clocks_change_begin_at_eight_too(day: int) -> None:
    month = 3 if day == 8 else 11
    before = datetime(2026, month, day, 0, 30, tzinfo=NEW_YORK)
    judged = judge(US, AMERICAN, Request(before))
    assert isinstance(judged, Refusal) and judged.next_allowed == datetime(2026, month, day, 8, tzinfo=NEW_YORK)


def test_three_conversations_a_day_over_all_agencies() -> None:
    talks = calls(*HOURS[:2], reached=True) + calls(HOURS[3], reached=True, agency="other")
    judged = judge(CN, Facts("d", contacts=talks), Request(NOON))
    assert refused(judged) == {"CN-FREQ-TALK"}
    assert isinstance(judged, Refusal) and judged.next_allowed == datetime(2026, 11, 28, 8, tzinfo=SHANGHAI)
    assert isinstance(judge(CN, Facts("d", contacts=talks[:2]), Request(NOON)), Permit)


def test_a_call_that_nobody_knows_the_end_of_counts_as_talked() -> None:
    open_calls = calls(*HOURS[:3], reached=None)
    assert "CN-FREQ-TALK" in refused(judge(CN, Facts("d", contacts=open_calls), Request(NOON)))


def test_six_unanswered_dials_a_day_to_one_number() -> None:
    facts = Facts("d", contacts=calls(*(timedelta(minutes=20 * m) for m in range(4, 10)), number="a"))
    assert "CN-FREQ-DIAL" in refused(judge(CN, facts, Request(NOON, number="a")))
    assert isinstance(judge(CN, facts, Request(NOON, number="b")), Permit)
    agreed = replace(facts, consents=frozenset({Consent.MORE_DIALS}))
    assert "CN-FREQ-DIAL" not in refused(judge(CN, agreed, Request(NOON, number="a")))


def test_a_minute_is_over_after_sixty_seconds() -> None:
    facts = Facts("d", contacts=calls(timedelta(seconds=59, microseconds=999_999)))
    judged = judge(CN, facts, Request(NOON))
    assert isinstance(judged, Refusal) and judged.next_allowed == NOON + timedelta(microseconds=1)
    assert isinstance(judge(CN, Facts("d", contacts=calls(timedelta(seconds=60))), Request(NOON)), Permit)


def test_seven_calls_in_seven_days_for_one_debt() -> None:
    now = datetime(2026, 6, 10, 12, tzinfo=NEW_YORK)
    facts = replace(AMERICAN, contacts=calls(*(timedelta(days=d) for d in range(7)), now=now, loan="l"))
    judged = judge(US, facts, Request(now, loan="l"))
    assert refused(judged) == {"US-7IN7"}
    assert isinstance(judged, Refusal) and judged.next_allowed == datetime(2026, 6, 11, 8, tzinfo=NEW_YORK)
    assert isinstance(judge(US, facts, Request(now, loan="other")), Permit)


def test_seven_days_of_peace_after_a_conversation() -> None:
    now = datetime(2026, 6, 10, 12, tzinfo=NEW_YORK)
    facts = replace(AMERICAN, contacts=calls(timedelta(days=1), now=now, reached=True, loan="l"))
    judged = judge(US, facts, Request(now, loan="l"))
    assert refused(judged) == {"US-QUIET"}
    assert isinstance(judged, Refusal) and judged.next_allowed == datetime(2026, 6, 16, 8, tzinfo=NEW_YORK)


def test_an_artificial_voice_needs_consent_and_a_person_does_not() -> None:
    facts = replace(AMERICAN, consents=frozenset())
    now = datetime(2026, 6, 10, 12, tzinfo=NEW_YORK)
    judged = judge(US, facts, Request(now))
    assert refused(judged) == {"US-AI"} and isinstance(judged, Refusal) and judged.next_allowed is None
    assert isinstance(judge(US, facts, Request(now, automated=False)), Permit)


def test_others_are_called_only_where_the_debtor_cannot_be_reached() -> None:
    third = Request(NOON, party=Party.THIRD_PARTY)
    assert refused(judge(CN, Facts("d"), third)) == {"CN-3RD"}
    assert isinstance(judge(CN, Facts("d", unreachable=True), third), Permit)
    assert refused(judge(load_pack("hk"), Facts("d", unreachable=True), third)) == {"HK-THIRD"}


@pytest.mark.parametrize(
    ("status", "rule", "machines_only"),
    [
        (Status.INSTALMENT_PLAN, "CN-PLAN", False),
        (Status.CLOSED, "HOUSE-CLOSED", False),
        (Status.LEGAL_HOLD, "HOUSE-LEGAL-HOLD", False),
        (Status.DECEASED, "HOUSE-DECEASED", False),
        (Status.DISPUTE, "HOUSE-DISPUTE", True),
        (Status.VULNERABLE, "HOUSE-VULNERABLE", True),
        (Status.INCAPABLE, "HOUSE-VULNERABLE", True),
        (Status.PROMISE, "HOUSE-PROMISE", True),
    ],
)
def test_who_is_left_in_peace(status: Status, rule: str, machines_only: bool) -> None:
    facts = Facts("d", statuses=frozenset({status}))
    assert refused(judge(CN, facts, Request(NOON))) == {rule}
    assert isinstance(judge(CN, facts, Request(NOON, automated=False)), Permit) is machines_only


def test_do_not_call_and_opt_out() -> None:
    assert refused(judge(CN, Facts("d", do_not_call=frozenset({"a"})), Request(NOON, number="a"))) == {
        "HOUSE-DO-NOT-CALL"
    }
    out = Facts("d", opted_out=frozenset({Channel.SMS}))
    assert refused(judge(CN, out, Request(NOON, channel=Channel.SMS))) == {"HOUSE-OPT-OUT"}
    assert isinstance(judge(CN, out, Request(NOON)), Permit)


def test_a_message_outside_the_preferred_hours_is_told_when_it_would_be_welcome() -> None:
    judged = judge(CN, Facts("d"), Request(NOON, channel=Channel.SMS))
    assert isinstance(judged, Permit) and judged.better_at == NOON.replace(hour=15)
    assert judge(CN, Facts("d"), Request(NOON.replace(hour=10), channel=Channel.SMS)).better_at is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("facts", "request_"),
    [
        (Facts("d", zone="Nowhere/Atall"), Request(NOON)),
        (Facts("d", contacts=None), Request(NOON)),
        (Facts("d"), Request(NOON.replace(tzinfo=None))),
        (Facts("d", contacts=(Contact(NOON.replace(tzinfo=None)),)), Request(NOON)),
    ],
)
def test_what_cannot_be_judged_is_refused(facts: Facts, request_: Request) -> None:
    judged = judge(CN, facts, request_)
    assert refused(judged) == {"FACTS-MISSING"} and isinstance(judged, Refusal) and judged.next_allowed is None


def test_without_a_zone_nobody_in_a_country_of_many_is_called() -> None:
    assert refused(judge(US, Facts("d"), Request(NOON))) == {"FACTS-MISSING"}


def test_all_rules_that_refuse_are_named() -> None:
    facts = Facts("d", statuses=frozenset({Status.DISPUTE, Status.PROMISE}), do_not_call=frozenset({"*"}))
    assert refused(judge(CN, facts, Request(NOON.replace(hour=23)))) == {
        "CN-TIME",
        "HOUSE-DISPUTE",
        "HOUSE-PROMISE",
        "HOUSE-DO-NOT-CALL",
    }


def test_an_open_call_ends_soon_after_the_hours_do() -> None:
    began = Request(NOON.replace(hour=21, minute=58))
    assert hang_up_by(CN, Facts("d"), began) == datetime(2026, 11, 27, 22, 1, tzinfo=SHANGHAI)
    late = Request(NOON.replace(hour=22))
    assert hang_up_by(CN, Facts("d"), late) == late.now


@pytest.mark.parametrize("name", pack_names())
def test_the_judge_agrees_with_the_oracle(name: str) -> None:
    pack, slow = load_pack(name), oracle.read(FOLDER / f"{name}.yaml")
    chance = random.Random(f"tests/{name}")
    for _ in range(1500):
        facts, request = histories.case(chance)
        judged = judge(pack, facts, request)
        assert refused(judged) == oracle.refusing(slow, facts, request), (facts, request)
        for objection in judged.objections if isinstance(judged, Refusal) else ():
            if objection.until is not None:
                alone = slow | {"rules": [r for r in slow["rules"] if r["id"] == objection.rule]}
                until = replace(request, now=objection.until)
                before = replace(request, now=objection.until - timedelta(microseconds=1))
                assert not oracle.refusing(alone, facts, until) and oracle.refusing(alone, facts, before)
        if isinstance(judged, Refusal) and judged.next_allowed is not None:
            at = judged.next_allowed
            assert oracle.refusing(slow, facts, replace(request, now=at)) == set(), (facts, request, at)
            just_before = replace(request, now=at - timedelta(microseconds=1))
            assert oracle.refusing(slow, facts, just_before), (facts, request, at)


def test_nothing_is_permitted_before_the_next_allowed_moment() -> None:
    slow, chance, seen = oracle.read(FOLDER / "cn.yaml"), random.Random(5), 0
    while seen < 60:
        facts, request = histories.case(chance)
        judged = judge(CN, facts, request)
        if isinstance(judged, Refusal) and judged.next_allowed is not None:
            seen += 1
            for at in oracle.minutes_between(request.now.astimezone(UTC), judged.next_allowed, 7):
                assert oracle.refusing(slow, facts, replace(request, now=at)), (facts, request, at)
