"""Random debtors and requests, made to sit on the edges of the rules: of hours, days, windows, time zones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from voicebot.compliance.facts import Channel, Consent, Contact, Facts, Party, Request, Status

ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/Havana",
    "America/Asuncion",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/London",
)
_EDGES = ("00:00", "05:00", "08:00", "09:00", "11:00", "15:00", "17:00", "19:00", "21:00", "22:00", "23:59")
_DAYS = (
    datetime(2026, 3, 8),  # clocks change in the United States
    datetime(2026, 11, 1),
    datetime(2026, 3, 29),  # and in Europe, in Beirut at midnight
    datetime(2026, 10, 25),
    datetime(2028, 2, 29),
    datetime(2026, 12, 31),
    datetime(2026, 6, 15),
)
_NUMBERS, _LOANS = ("a", "b"), ("l1", "l2")


def case(chance: random.Random) -> tuple[Facts, Request]:
    zone = chance.choice(ZONES) if chance.random() < 0.9 else None
    now = _moment(chance, ZoneInfo(zone or "Asia/Shanghai"))
    contacts = tuple(_contact(chance, now) for _ in range(chance.choice((0, 1, 2, 3, 6, 7, 8, 12, 22))))
    if chance.random() < 0.5:
        chance.shuffle(list(contacts))
    facts = Facts(
        debtor="d",
        zone="Nowhere/Atall" if chance.random() < 0.01 else zone,
        contacts=None if chance.random() < 0.01 else contacts,
        statuses=_some(chance, Status, 0.04),
        consents=_some(chance, Consent, 0.5),
        do_not_call=frozenset(n for n in ("a", "*") if chance.random() < 0.04),
        opted_out=_some(chance, Channel, 0.05),
        unreachable=chance.random() < 0.5,
    )
    request = Request(
        now=now,
        channel=chance.choice((Channel.VOICE, Channel.VOICE, Channel.SMS, *Channel)),
        loan=chance.choice(_LOANS),
        number=chance.choice(_NUMBERS),
        party=chance.choice((Party.DEBTOR, Party.DEBTOR, Party.DEBTOR, *Party)),
        automated=chance.random() < 0.7,
    )
    return facts, request


def _some(chance: random.Random, kinds, share: float) -> frozenset:
    return frozenset(k for k in kinds if chance.random() < share)


def _moment(chance: random.Random, zone: ZoneInfo) -> datetime:
    day = chance.choice(_DAYS) + timedelta(days=chance.randint(-2, 2))
    hour, minute = map(int, chance.choice(_EDGES).split(":"))
    edge = day.replace(hour=hour, minute=minute, tzinfo=zone, fold=chance.randint(0, 1)).astimezone(UTC)
    if chance.random() < 0.5:
        edge += timedelta(microseconds=chance.choice((-1, 0, 1, -1_000_000, 1_000_000)))
    else:
        edge += timedelta(seconds=chance.randint(-14 * 3600, 14 * 3600))
    return edge if chance.random() < 0.3 else edge.astimezone(zone)


def _contact(chance: random.Random, now: datetime) -> Contact:
    kind = chance.random()
    utc = now.astimezone(UTC)
    if kind < 0.25:
        seconds = chance.choice((60, 3600, 86400, 7 * 86400))
        at = utc - timedelta(seconds=seconds, microseconds=chance.choice((-1, 0, 1)))
    elif kind < 0.9:
        at = utc - timedelta(seconds=chance.randint(0, chance.choice((3600, 86400, 8 * 86400))))
    else:
        at = utc + timedelta(seconds=chance.randint(0, 86400))  # another machine's clock is ahead
    return Contact(
        at=at,
        channel=chance.choice((Channel.VOICE, Channel.VOICE, Channel.VOICE, Channel.SMS)),
        reached=chance.choice((True, False, False, False, None)),
        outbound=chance.random() < 0.85,
        loan=chance.choice(_LOANS),
        number=chance.choice(_NUMBERS),
        agency=chance.choice(("", "agency-a")),
    )
