"""How is a written line said aloud? Digits, amounts, dates and numbers become the words a Chinese speaker says.

A chain of rules, most specific first; each turns what it understands into characters without digits, so no later
rule can touch it again. Whatever is left at the end is read digit by digit: no digit ever reaches a voice.
Pure and idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

_DIGITS = "零一二三四五六七八九"
_PHONE_DIGITS = "零幺二三四五六七八九"  # 幺 for 1, so that it is not heard as 七
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_MAX_CARDINAL_DIGITS = 12  # longer strings are numbers of things that are read digit by digit

_NUM = r"\d+(?:\.\d+)?"
_NOT_INSIDE_NUMBER = r"(?<![\d.])"
_AFTER_NUMBER = r"(?![\d]|\.\d)"
_COUNTED = (  # what is counted with 两 instead of 二
    "个天次笔位年周期张份人名家条项件套页部小分秒倍种通遍块元角步档轮亿万千"
)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def digits(text: str, *, phone: bool = True) -> str:
    """Digit by digit: 3344 -> 三三四四. `phone`: 1 is 幺."""
    table = _PHONE_DIGITS if phone else _DIGITS
    return "".join(table[int(c)] if c in "0123456789" else c for c in text)


def cardinal(number: int) -> str:
    """A whole number as said: 12 -> 十二, 20000 -> 两万, 1015 -> 一千零一十五."""
    if number < 0:
        return "负" + cardinal(-number)
    if number == 0:
        return "零"
    if len(str(number)) > 16:
        return digits(str(number), phone=False)
    said, gap = "", False
    for power in range(len(_GROUPS) - 1, -1, -1):
        group = number // 10_000**power % 10_000
        if not group:
            gap = bool(said)
            continue
        if said and (gap or group < 1000):
            said += "零"
        said += _below_10000(group, leading=not said, alone=power == 0 and not said) + _GROUPS[power]
        gap = False
    return said


def _below_10000(number: int, *, leading: bool, alone: bool) -> str:
    said, gap = "", False
    for power in range(3, -1, -1):
        digit = number // 10**power % 10
        if not digit:
            gap = bool(said)
            continue
        if gap:
            said, gap = said + "零", False
        if digit == 1 and power == 1 and not said and leading:
            said += "十"
        elif digit == 2 and (power == 3 or (power == 2 and not said and leading)):
            said += "两" + _UNITS[power]
        else:
            said += _DIGITS[digit] + _UNITS[power]
    return "两" if number == 2 and leading and not alone else said


def spoken_number(text: str) -> str:
    """A number as written, with or without decimals: 3.50 -> 三点五零, 12 -> 十二, 007 -> 零零七."""
    whole, _, decimals = text.partition(".")
    if (len(whole) > 1 and whole.startswith("0")) or len(whole) > _MAX_CARDINAL_DIGITS:
        said = digits(whole, phone=False)
    else:
        said = cardinal(int(whole))
    if not decimals:
        return said
    if said == "两":
        said = "二"
    return said + "点" + digits(decimals, phone=False)


def counted(text: str) -> str:
    """A number before a measure word: 2 -> 两 (两天), everything else as usual."""
    return "两" if text == "2" else spoken_number(text)


def money(yuan: Decimal) -> str:
    """1235.60 -> 一千二百三十五元六角; 0.05 -> 五分; 20000 -> 两万元. Rounded to the fen."""
    if yuan < 0:
        return "负" + money(-yuan)
    fen_total = int((yuan * 100).quantize(Decimal(1), ROUND_HALF_UP))
    whole, jiao, fen = fen_total // 100, fen_total // 10 % 10, fen_total % 10
    if not fen_total:
        return "零元"
    said = f"{counted(str(whole))}元" if whole else ""
    if jiao:
        said += f"{counted(str(jiao)) if not said else _DIGITS[jiao]}角"
    if fen:
        said += "零" if whole and not jiao else ""
        said += f"{counted(str(fen)) if not said else _DIGITS[fen]}分"
    return said


# ---- rules -----------------------------------------------------------------------------------------------------------


def _amount(match: re.Match[str]) -> str:
    number, scale = match["num"].replace(",", ""), match["scale"] or ""
    if scale:
        return f"{counted(number)}{scale}元"
    return money(Decimal(number))


def _blocks(match: re.Match[str]) -> str:
    return f"{counted(match['num'])}{match['scale'] or ''}块"


def _mobile(match: re.Match[str]) -> str:
    number = re.sub(r"\D", "", match["num"])
    return "，".join(digits(part) for part in (number[:3], number[3:7], number[7:]))


def _dashed(match: re.Match[str]) -> str:
    return "，".join(digits(part) for part in re.split(r"[-\s]+", match["num"]) if part)


def _said_digits(match: re.Match[str]) -> str:
    return match["lead"] + digits(re.sub(r"[-\s]", "", match["num"]))


def _masked(match: re.Match[str]) -> str:
    return f"{digits(match[1])}，{digits(match[2])}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["h"]), int(match["m"])
    second = match.groupdict().get("s")
    if hour > 24 or minute > 59 or (second and int(second) > 59):
        return match[0]
    said = f"{counted(str(hour))}点"
    if second:
        return f"{said}{_two_digits(minute)}分{_two_digits(int(second))}秒"
    if minute == 30:
        return said + "半"
    return said + (f"{_two_digits(minute)}分" if minute else "")


def _two_digits(number: int) -> str:
    return ("零" + _DIGITS[number]) if 0 < number < 10 else cardinal(number)


def _date(match: re.Match[str]) -> str:
    month, day = int(match["mo"]), int(match["d"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    year = match.groupdict().get("y")
    return (f"{digits(year, phone=False)}年" if year else "") + f"{_plain(month)}月{_plain(day)}号"


def _year_month(match: re.Match[str]) -> str:
    month = int(match["mo"])
    return f"{digits(match['y'], phone=False)}年{_plain(month)}月" if 1 <= month <= 12 else match[0]


def _plain(number: int) -> str:
    return "二" if number == 2 else cardinal(number)


def _percent(match: re.Match[str]) -> str:
    return ("百分之" if match["sign"] in "%％" else "千分之") + spoken_number(match["num"])


def _fraction(match: re.Match[str]) -> str:
    if int(match[2]) == 0:
        return match[0]
    return f"{_plain(int(match[2]))}分之{_plain(int(match[1]))}"


def _measured(match: re.Match[str]) -> str:
    return str(_wetext().normalize(match[0]))


@cache
def _wetext() -> Any:
    """wetext's transducers (they come with its wheel): right for units of measure, which have no rules here."""
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn")


_LISTED = (
    r"(?:尾号|末四位|后四位|卡号|账号|帐号|工号|编号|单号|号码|验证码|合同号|证号|身份证|房间号)(?:分别)?[是为:：]?\s*"
)
_DIALLED = r"(?:拨打|致电|拨|电话|热线|客服|座机|短信|发送|回复|联系|转)[是为:：]?\s*"
_UNIT_FOLLOWS = rf"(?!\s*[{_COUNTED}百日月号点岁%％‰])"

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str] | str]


def _rule(pattern: str, said: Callable[[re.Match[str]], str] | str) -> Rule:
    return re.compile(pattern), said


_RULES: tuple[Rule, ...] = (
    _rule(r"(?<!\d)(\d{3,})\*+(\d{2,})(?!\d)", _masked),
    _rule(r"\*+", ""),
    _rule(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])", lambda m: m[0].replace(",", "")),
    # numbers that are names
    _rule(rf"(?P<lead>{_LISTED}[A-Za-z]*-?)(?P<num>\d(?:[-\s]?\d)+)(?!\d)", _said_digits),
    _rule(r"(?<!\d)(?:\+?86[-\s]?)?(?P<num>1[3-9]\d[-\s]?\d{4}[-\s]?\d{4})(?!\d)", _mobile),
    _rule(r"(?<!\d)(?P<num>(?:400|800)[-\s]?\d{3}[-\s]?\d{4}|0\d{2,3}-\d{7,8}(?:-\d{1,5})?)(?!\d)", _dashed),
    _rule(rf"(?P<lead>{_DIALLED})(?P<num>\d(?:-?\d){{2,}})(?!\d|\.\d){_UNIT_FOLLOWS}", _said_digits),
    _rule(
        rf"(?P<lead>)(?<![\d.])(?P<num>95\d{{3,4}}|96\d{{3,4}}|123\d\d|100(?:00|10|86))(?![\d.]){_UNIT_FOLLOWS}",
        _said_digits,
    ),
    # dates and times
    _rule(r"(?<!\d)\d{4}(?P<sep>[-/.])(?P<mo>\d{1,2})(?P=sep)(?P<d>\d{1,2})[日号]?(?![\d.])", _date),
    _rule(r"(?<!\d)(?P<y>\d{4})年(?P<mo>\d{1,2})月(?P<d>\d{1,2})[日号]?(?!\d)", _date),
    _rule(r"(?<!\d)(?P<y>\d{4})年(?P<mo>\d{1,2})月(?!\d)", _year_month),
    _rule(r"(?<![\d.])(?P<mo>\d{1,2})月(?P<d>\d{1,2})[日号]?(?!\d)", _date),
    _rule(r"(?<!\d)([12]\d{3})年", lambda m: digits(m[1], phone=False) + "年"),
    _rule(r"(?<![\d.])(\d{1,2})月(?!\d)", lambda m: f"{_plain(int(m[1]))}月"),
    _rule(r"(?<![\d:])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?(?![\d:])", _clock),
    _rule(r"(?<![\d.])(?P<h>\d{1,2})点(?P<m>\d{1,2})分?(?!\d)", _clock),
    _rule(r"(?<![\d.])(\d{1,2})点(?!\d)", lambda m: f"{counted(m[1])}点"),
    _rule(r"(?<![\d.])(\d{1,2})日(?![内之])(?!以内)", lambda m: f"{_plain(int(m[1]))}号"),
    _rule(r"(?<![\d.])(\d{1,2})号", lambda m: f"{_plain(int(m[1]))}号"),
    # ranges and signs
    _rule(r"(?<=[\d元块天日号月年点分半期%％])\s*[-~～–—至]+\s*(?=[¥￥]?\d)", "到"),
    _rule(r"(?<=[号点半月日元])\s*[-~～–—至]+\s*(?=[零一二两三四五六七八九十])", "到"),
    _rule(r"(?<![\d\w])-(?=[¥￥]?\d)", "负"),
    # money
    _rule(rf"(?:人民币|RMB|CNY|[¥￥])\s*(?P<num>{_NUM}){_AFTER_NUMBER}(?P<scale>[万亿])?\s*元?", _amount),
    _rule(rf"{_NOT_INSIDE_NUMBER}(?P<num>{_NUM})\s*(?P<scale>[万亿])?\s*元", _amount),
    _rule(rf"{_NOT_INSIDE_NUMBER}(?P<num>{_NUM})(?P<scale>[万亿])?块", _blocks),
    # shares
    _rule(rf"{_NOT_INSIDE_NUMBER}(?P<num>{_NUM})\s*(?P<sign>[%％‰])", _percent),
    _rule(r"(?<![\d./])(\d{1,4})/(\d{1,4})(?![\d./])", _fraction),
    # the rest
    _rule(rf"{_NUM}\s*(?:℃|°C|kg|km/h|km|cm|mm|mg|ml|kWh|GB|MB)(?![A-Za-z])", _measured),
    _rule(r"(?<=第)(\d{1,12})(?!\d)", lambda m: _plain(int(m[1]))),
    _rule(rf"{_NOT_INSIDE_NUMBER}({_NUM}){_AFTER_NUMBER}(?=\s*[{_COUNTED}])", lambda m: counted(m[1])),
    _rule(r"\d+(?:\.\d+){2,}", lambda m: digits(m[0].replace(".", "点"), phone=False)),
    _rule(rf"{_NUM}", lambda m: "二" if m[0] == "2" else spoken_number(m[0])),
    _rule(r"(?<=[零一二三四五六七八九十百千万亿])\s*&\s*|\s*&\s*", "和"),
)


def for_speech(text: str) -> str:
    """`text` as a person would write it -> the same line as it is said. Names and punctuation stay as they are."""
    said = _plain_characters(text)
    for pattern, replacement in _RULES:
        said = pattern.sub(replacement, said)
    return _tidy_spaces(digits(said, phone=False))


def _plain_characters(text: str) -> str:
    """Full-width and foreign digits, letters and signs become ASCII; Chinese punctuation is left alone."""
    out = []
    for c in text:
        if c.isascii():
            out.append(c)
        elif (value := unicodedata.digit(c, None)) is not None:
            out.append(str(value))
        elif "Ａ" <= c <= "Ｚ" or "ａ" <= c <= "ｚ" or c in "％＊＋－／＆＠":
            out.append(unicodedata.normalize("NFKC", c))
        else:
            out.append(c)
    return re.sub(r"(?<=\d)([．：，])(?=\d{2})", _ascii_between_digits, "".join(out))


def _ascii_between_digits(match: re.Match[str]) -> str:
    return {"．": ".", "：": ":"}.get(match[1], match[1])


def _tidy_spaces(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)
