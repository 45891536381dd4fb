"""May this contact take place now, and if not, when? One pure function over facts.

Every rule is asked from when on it has nothing against the contact, supposing that nothing else happens. A contact is
permitted when no rule puts it off. All rules that refuse are named, and the next moment at which none of them would:
found by asking each again for the moment that the others put it off to, until they agree.

    facts missing ──────────────────────────> Refusal FACTS-MISSING
    rule: nothing against it now ──┐
    rule: not before 08:00 ────────┼── the latest ── asked again ──> next_allowed
    rule: never by waiting ────────┴──────────────────────────────> None

All moments are compared in UTC: two wall-clock times of one zone compare wrongly where the clocks go back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.compliance.facts import Contact, Facts, Party, Request, Status
from voicebot.compliance.packs import Certainty, Counted, Kind, Pack, Per, Rule

MISSING = "FACTS-MISSING"
_ROUNDS = 1000  # rules that have not agreed on a moment by then never will


@dataclass(frozen=True, slots=True)
class Objection:
    """Why not: the rule as people can look it up, and from when on it alone would not object."""

    rule: str
    zh: str
    en: str
    instrument: str
    article: str
    certainty: Certainty
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Permit:
    """`valid_until`: when the hours end within which the contact must begin. `better_at`: when it would be more
    welcome; None: now."""

    pack: str
    version: str
    valid_until: datetime | None
    better_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """`next_allowed`: the first moment at which this would be permitted if nothing else happened; None: never."""

    pack: str
    version: str
    objections: tuple[Objection, ...]
    next_allowed: datetime | None


def judge(pack: Pack, facts: Facts, request: Request) -> Permit | Refusal:
    """Never raises: what cannot be judged is refused."""
    try:
        zone = _zone(pack, facts)
        facts, request = _in_utc(facts, request)
    except _Unknown as e:
        return Refusal(pack.name, pack.version, (_missing(str(e)),), None)
    rules = [r for r in pack.rules if _holds(r, facts, request)]
    binding = [r for r in rules if r.kind is not Kind.PREFERRED]
    objections = []
    for rule in binding:
        free = _free_from(rule, facts, request, zone)
        if free != request.now:
            objections.append(_objection(rule, free))
    if objections:
        when = _agreed(binding, facts, request, zone)
        return Refusal(pack.name, pack.version, tuple(objections), when)
    ends = [_hours_end(r, request.now, zone) for r in binding if r.kind is Kind.HOURS]
    better = _agreed(rules, facts, request, zone) if len(rules) > len(binding) else request.now
    return Permit(pack.name, pack.version, min(ends, default=None), None if better == request.now else better)


def hang_up_by(pack: Pack, facts: Facts, request: Request) -> datetime | None:
    """When must a call that `request` began be over? Some grace after the hours end, to say goodbye in; None: never.

    For a call that should not have begun: at once."""
    judged = judge(pack, facts, request)
    if isinstance(judged, Refusal):
        return request.now
    zone = _zone(pack, facts)
    now = request.now.astimezone(UTC)
    hours = [r for r in pack.rules if r.kind is Kind.HOURS and _holds(r, facts, request)]
    return min((_hours_end(r, now, zone) + timedelta(seconds=r.grace_s) for r in hours), default=None)


class _Unknown(Exception):
    """What nobody knows."""


def _zone(pack: Pack, facts: Facts) -> ZoneInfo:
    name = facts.zone or pack.zone
    if name is None:
        raise _Unknown("the debtor's time zone")
    try:
        return _zone_info(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _Unknown(f"the time zone {name}") from None


@lru_cache(64)
def _zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _in_utc(facts: Facts, request: Request) -> tuple[Facts, Request]:
    if request.now.tzinfo is None:
        raise _Unknown("the zone of the time of the request")
    if facts.contacts is None:
        raise _Unknown("earlier contacts")
    if any(c.at.tzinfo is None for c in facts.contacts):
        raise _Unknown("the zone of an earlier contact's time")
    contacts = tuple(c if c.at.tzinfo is UTC else replace(c, at=c.at.astimezone(UTC)) for c in facts.contacts)
    return replace(facts, contacts=contacts), replace(request, now=request.now.astimezone(UTC))


def _missing(what: str) -> Objection:
    return Objection(MISSING, f"缺少判断所需的信息:{what}", f"{what} is not known", "", "", Certainty.POLICY, None)


def _objection(rule: Rule, until: datetime | None) -> Objection:
    return Objection(rule.id, rule.zh, rule.en, rule.instrument, rule.article, rule.certainty, until)


def _holds(rule: Rule, facts: Facts, request: Request) -> bool:
    """Is this contact within the rule's scope?"""
    return (
        request.channel in rule.channels
        and request.party in rule.parties
        and (request.automated or not rule.automated)
        and (rule.unless is None or rule.unless not in facts.consents)
    )


def _agreed(rules: list[Rule], facts: Facts, request: Request, zone: ZoneInfo) -> datetime | None:
    at = request.now
    for _ in range(_ROUNDS):
        latest = at
        for rule in rules:
            free = _free_from(rule, facts, replace(request, now=at), zone)
            if free is None:
                return None
            latest = max(latest, free)
        if latest == at:
            return at
        at = latest
    return None


def _free_from(rule: Rule, facts: Facts, request: Request, zone: ZoneInfo) -> datetime | None:
    """The first moment from request.now on at which this rule does not object; None: never by waiting."""
    now = request.now
    match rule.kind:
        case Kind.HOURS | Kind.PREFERRED:
            return _open_from(rule, now, zone)
        case Kind.LIMIT:
            return _limit_from(rule, facts, request, zone)
        case Kind.QUIET:
            quiet = [_day(c.at, zone) + timedelta(days=rule.days) for c in _counted(rule, facts, request)]
            return max(now, _start(max(quiet), zone)) if quiet else now
        case Kind.STATUS:
            return None if rule.statuses & facts.statuses else now
        case Kind.THIRD_PARTY:
            way = facts.unreachable or {Status.DECEASED, Status.INCAPABLE} & facts.statuses
            return now if request.party is not Party.THIRD_PARTY or way else None
        case Kind.DO_NOT_CALL:
            return None if {"*", request.number} & facts.do_not_call else now
        case Kind.OPT_OUT:
            return None if request.channel in facts.opted_out else now
        case Kind.CONSENT:
            return now if rule.consent in facts.consents else None
        case Kind.NEVER:
            return None


# ---- times of the day ---------------------------------------------------------------------------------------------


def _open_from(rule: Rule, now: datetime, zone: ZoneInfo) -> datetime:
    for begins, ends in _opening(rule, now, zone):
        if now < ends:
            return max(now, begins)
    raise AssertionError("windows recur every day")


def _hours_end(rule: Rule, now: datetime, zone: ZoneInfo) -> datetime:
    """When the window that `now` lies in ends."""
    return next(ends for begins, ends in _opening(rule, now, zone) if begins <= now < ends)


def _opening(rule: Rule, now: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The windows of the day and of the next two."""
    today = _day(now, zone)
    for ahead in range(3):
        day = today + timedelta(days=ahead)
        for begins, ends in rule.windows:
            yield _moment(day, begins, zone), _moment(day, ends, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a moment. Packs name none at which clocks are changed, but for midnight."""
    if at == time.max:
        return _start(day + timedelta(days=1), zone)
    return datetime.combine(day, at, zone).astimezone(UTC)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day, also where midnight is skipped or comes twice."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


# ---- how often ----------------------------------------------------------------------------------------------------


def _counted(rule: Rule, facts: Facts, request: Request) -> list[Contact]:
    """The contacts of the past that count for this rule. One that nobody knows the end of counts as either."""
    assert facts.contacts is not None
    found = []
    for c in facts.contacts:
        if c.channel not in rule.channels:
            continue
        if rule.per is Per.NUMBER and c.number != request.number:
            continue
        if rule.per is Per.LOAN and c.loan != request.loan:
            continue
        if rule.kind is Kind.QUIET or rule.counted is Counted.CONVERSATIONS:
            counts = c.reached is not False
        else:
            counts = c.outbound and (rule.counted is Counted.DIALS or c.reached is not True)
        if counts:
            found.append(c)
    return found


def _limit_from(rule: Rule, facts: Facts, request: Request, zone: ZoneInfo) -> datetime:
    """When enough of what was counted has left the window. What is dated later than now counts: clocks may differ."""
    if rule.days:
        leave = sorted(
            _start(_day(c.at, zone) + timedelta(days=rule.days), zone) for c in _counted(rule, facts, request)
        )
    else:
        leave = sorted(c.at + timedelta(seconds=rule.seconds) for c in _counted(rule, facts, request))
    still = [at for at in leave if at > request.now]
    return request.now if len(still) < rule.limit else still[len(still) - rule.limit]
