"""Which number do these characters say? Chinese and Arabic numerals as they are spoken on the phone."""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2, "幺": 1}
_SMALL_UNITS = {"十": 10, "百": 100, "千": 1000, "佰": 100, "仟": 1000, "拾": 10}
_HUNDRED_MILLION = 100_000_000
_BIG_UNITS = {"万": 10_000, "亿": _HUNDRED_MILLION, "萬": 10_000}
_CONTRACTED = {"廿": "二十", "卅": "三十"}
CHARACTERS = "".join(DIGITS) + "".join(_SMALL_UNITS) + "".join(_BIG_UNITS)
DAY_OF_MONTH = (
    r"(?:[二三四五六七八九]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|卅一?|[一二三四五六七八九]|(?<!\d)\d{1,2})"
)
_D = f"[{''.join(DIGITS)}]"
_UNITS = f"[{''.join(_SMALL_UNITS)}{''.join(_BIG_UNITS)}]"


def _section(last: str) -> str:
    """Up to 9999; `last` is a digit without its unit, 五 in 一千五."""
    tens = f"(?:(?:[零〇]?{_D})?[十拾]|[廿卅])(?:{_D}(?![十百千拾佰仟]))?"
    hundreds = f"[零〇]?{_D}[百佰](?:(?!{DAY_OF_MONTH}[号日])(?:{tens}|{last}))?"
    return f"(?:[零〇]?{_D}[千仟](?:{hundreds}|(?!{DAY_OF_MONTH}[号日])(?:{tens}|{last}))?|{hundreds}|{tens})"


# 五百一口气, 五百一定, 五百两天后, 八百四号: the digit belongs to what follows.
_OWN = (
    r"(?!一[口次个下把点会半定分天共样直般边起句时人家件])"
    r"(?!两|[\d一二三四五六七八九](?:[号日天个期点]|周(?![一二三四五六日天末]))|[一二三四五六七八九]月(?![底初末尾]))"
)
_LAST = f"(?:[零〇]{_D}|{_OWN}{_D})(?!{_UNITS})"
_LAST_BEFORE_BIG = f"(?:[零〇]{_D}|{_D})(?![{''.join(_SMALL_UNITS)}])"
_SECTION = _section(_LAST)
_COUNT = f"(?:{_section(_LAST_BEFORE_BIG)}|{_D})"
_TEN_THOUSANDS = f"{_COUNT}[万萬](?:{_SECTION}|{_LAST})?"
_MILLIONS = f"(?:{_TEN_THOUSANDS}|{_COUNT})亿(?:{_TEN_THOUSANDS}|{_SECTION}|{_LAST})?"
# One number, not two in a row: 三百三百 is said twice, 周五五百 is a day and a sum.
NUMERAL = (
    rf"(?:\d+(?:,\d{{3}})*(?:\.\d+)?{_UNITS}?|(?:{_MILLIONS}|{_TEN_THOUSANDS}|{_SECTION})|{_D}点{_D}[万亿千]|{_D}+)"
)
_TENTHS = re.compile(rf"({_D})点({_D})([万亿千])$")
_ARABIC = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)([十百千万亿]?)$")


def parse_number(text: str) -> Decimal | None:
    """三千五 -> 3500, 一万二 -> 12000, 一千零五 -> 1005, 二零二六 -> 2026, 1.5万 -> 15000; None when it says no number.

    A digit after a unit without 零 counts in tenths of that unit, as one speaks: 一千五 is 1500.
    """
    if m := _ARABIC.match(text):
        unit = _SMALL_UNITS.get(m[2]) or _BIG_UNITS.get(m[2]) or 1
        return Decimal(m[1].replace(",", "")) * unit
    for short, full in _CONTRACTED.items():
        text = text.replace(short, full)
    if m := _TENTHS.match(text):
        return (DIGITS[m[1]] + Decimal(DIGITS[m[2]]) / 10) * (_SMALL_UNITS | _BIG_UNITS)[m[3]]
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


def is_range(text: str) -> bool:
    """两三 in 两三天, 一两 in 一两点: two numbers next to each other, and neither is meant."""
    return len(text) > 1 and all(c in DIGITS for c in text) and not text.startswith(("零", "〇"))
