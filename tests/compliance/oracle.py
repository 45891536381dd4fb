"""The same question answered slowly and obviously: an independent reading of the YAML, for judge to be held against.

Shares the fact types with voicebot.compliance and nothing else. Works on wall clocks and calendars, minute by minute
where a moment is sought.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from voicebot.compliance.facts import Contact, Facts, Request

Rules = dict[str, Any]


def read(path: Path) -> Rules:
    return yaml.safe_load(path.read_text("utf-8"))


def refusing(pack: Rules, facts: Facts, request: Request) -> set[str]:
    """The ids of all rules that refuse this contact; FACTS-MISSING alone where something is not known."""
    zone_name = facts.zone or pack.get("zone")
    if zone_name is None or facts.contacts is None or request.now.utcoffset() is None:
        return {"FACTS-MISSING"}
    if any(c.at.utcoffset() is None for c in facts.contacts):
        return {"FACTS-MISSING"}
    try:
        zone = ZoneInfo(zone_name)
    except Exception:
        return {"FACTS-MISSING"}
    return {r["id"] for r in pack["rules"] if _in_scope(r, facts, request) and _refuses(r, facts, request, zone)}


def _in_scope(rule: Rules, facts: Facts, request: Request) -> bool:
    if "channels" in rule and str(request.channel) not in rule["channels"]:
        return False
    if "parties" in rule and str(request.party) not in rule["parties"]:
        return False
    if rule.get("automated") and not request.automated:
        return False
    return rule.get("unless") not in {str(c) for c in facts.consents}


def _refuses(rule: Rules, facts: Facts, request: Request, zone: ZoneInfo) -> bool:
    local = request.now.astimezone(zone)
    kind = rule["kind"]
    statuses = {str(s) for s in facts.statuses}
    if kind == "hours":
        clock = local.strftime("%H:%M")
        return not any(w.split("-")[0] <= clock < w.split("-")[1] for w in rule["windows"])
    if kind == "preferred":
        return False
    if kind == "limit":
        return sum(_counts(rule, c, request, zone) for c in facts.contacts) >= rule["limit"]
    if kind == "quiet":
        return any(
            c.reached is not False
            and _same(rule, c, request)
            and (local.date() - c.at.astimezone(zone).date()).days < rule["days"]
            for c in facts.contacts
        )
    if kind == "status":
        return bool(statuses & set(rule["statuses"]))
    if kind == "third_party":
        excused = facts.unreachable or "deceased" in statuses or "incapable" in statuses
        return str(request.party) == "third_party" and not excused
    if kind == "do_not_call":
        return "*" in facts.do_not_call or request.number in facts.do_not_call
    if kind == "opt_out":
        return request.channel in facts.opted_out
    if kind == "consent":
        return rule["consent"] not in {str(c) for c in facts.consents}
    if kind == "never":
        return True
    raise AssertionError(kind)


def _same(rule: Rules, c: Contact, request: Request) -> bool:
    if "channels" in rule and str(c.channel) not in rule["channels"]:
        return False
    if rule["per"] == "number":
        return c.number == request.number
    return rule["per"] == "debtor" or c.loan == request.loan


def _counts(rule: Rules, c: Contact, request: Request, zone: ZoneInfo) -> bool:
    if not _same(rule, c, request):
        return False
    talked, silent = c.reached in (True, None), c.reached in (False, None)
    if rule["counted"] == "conversations" and not talked:
        return False
    if rule["counted"] == "dials" and not c.outbound:
        return False
    if rule["counted"] == "unanswered" and not (c.outbound and silent):
        return False
    if "seconds" in rule:
        return (request.now - c.at).total_seconds() < rule["seconds"]
    first_day_that_counts = request.now.astimezone(zone).date() - timedelta(days=rule["days"] - 1)
    return c.at.astimezone(zone).date() >= first_day_that_counts


def minutes_between(start: datetime, end: datetime, step: int) -> list[datetime]:
    return [start + timedelta(minutes=m) for m in range(0, int((end - start).total_seconds() // 60), step)]
