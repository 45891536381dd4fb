"""Which number do these characters say? Chinese and Arabic numerals as they are spoken on the phone."""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2, "幺": 1}
_SMALL_UNITS = {"十": 10, "百": 100, "千": 1000, "佰": 100, "仟": 1000, "拾": 10}
_HUNDRED_MILLION = 100_000_000
_BIG_UNITS = {"万": 10_000, "亿": _HUNDRED_MILLION, "萬": 10_000}
CHARACTERS = "".join(DIGITS) + "".join(_SMALL_UNITS) + "".join(_BIG_UNITS)
NUMERAL = rf"(?:\d+(?:\.\d+)?[{''.join(_SMALL_UNITS)}{''.join(_BIG_UNITS)}]?|[{CHARACTERS}]+)"
_ARABIC = re.compile(r"(\d+(?:\.\d+)?)([十百千万亿]?)$")


def parse_number(text: str) -> Decimal | None:
    """三千五 -> 3500, 一万二 -> 12000, 一千零五 -> 1005, 二零二六 -> 2026, 1.5万 -> 15000; None when it says no number.

    A digit after a unit without 零 counts in tenths of that unit, as one speaks: 一千五 is 1500.
    """
    if m := _ARABIC.match(text):
        unit = _SMALL_UNITS.get(m[2]) or _BIG_UNITS.get(m[2]) or 1
        return Decimal(m[1]) * unit
    if not text or any(c not in CHARACTERS for c in text):
        return None
    if all(c in DIGITS for c in text):
        return Decimal("".join(str(DIGITS[c]) for c in text))
    total = section = 0
    digit: int | None = None
    last_unit = 1
    zero = False
    for c in text:
        if c in DIGITS:
            if digit is not None and not zero:
                return None
            digit, zero = DIGITS[c], DIGITS[c] == 0
        elif c in _SMALL_UNITS:
            last_unit = _SMALL_UNITS[c]
            section += (1 if digit is None or zero else digit) * last_unit
            digit, zero = None, False
        else:
            last_unit = _BIG_UNITS[c]
            section += digit or 0
            if section == 0 and total == 0:
                return None
            if last_unit == _HUNDRED_MILLION:
                total = (total + section) * last_unit
            else:
                total += section * last_unit
            section, digit, zero = 0, None, False
    if digit is not None:
        spoken_short = last_unit >= 100 and "零" not in text[-2:] and "〇" not in text[-2:]
        section += digit * (last_unit // 10 if spoken_short else 1)
    return Decimal(total + section)


def parse_whole(text: str) -> int | None:
    number = parse_number(text)
    return int(number) if number is not None and number == number.to_integral_value() else None
