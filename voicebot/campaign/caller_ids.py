"""From which of our numbers is somebody called? A local one first: people pick up for their own city."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import phonenumbers
from phonenumbers import geocoder


def choose(ours: Sequence[str], theirs: str | None) -> str | None:
    """One of our numbers for a debtor's (E.164): of the same city, else of the same province, else any; for the same
    debtor always the same one. None where we have none."""
    if not ours:
        return None
    if theirs is None:
        return ours[0]
    at = _place(theirs)
    same_city = [n for n in ours if at and _place(n) == at]
    same_province = [n for n in ours if at and _province(_place(n)) == _province(at) != ""]
    among = same_city or same_province or list(ours)
    turn = int.from_bytes(hashlib.sha256(theirs.encode()).digest()[:4], "big")
    return among[turn % len(among)]


@lru_cache(10_000)
def _place(number: str) -> str:
    """As the numbering plan has it: 广东省深圳市; empty where it says nothing."""
    try:
        return geocoder.description_for_number(phonenumbers.parse(number, "CN"), "zh")
    except phonenumbers.NumberParseException:
        return ""


def _province(place: str) -> str:
    for end in ("省", "自治区", "市"):
        if end in place:
            return place[: place.index(end) + len(end)]
    return place
