"""What may stand in one cell of a case file, and what to tell people when something else does?

Each reader takes the cell's text and returns the value, or raises CellError with a sentence that ends the line
`row 17, column 手机号: ...`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

import phonenumbers

REGION = "CN"

HEADERS: Mapping[str, tuple[str, ...]] = {
    "case_id": ("case_id", "案件编号", "案件号", "编号"),
    "name": ("name", "姓名", "客户姓名"),
    "gender": ("gender", "性别"),
    "phone": ("phone", "手机号", "手机", "手机号码", "电话", "联系电话"),
    "sip_uri": ("sip_uri", "sip"),
    "bank": ("bank", "银行"),
    "product": ("product", "产品", "产品名称"),
    "card_tail": ("card_tail", "卡尾号", "尾号"),
    "amount_due": ("amount", "amount_due", "应还金额", "金额", "欠款金额"),
    "min_amount": ("min_amount", "最低还款", "最低还款额"),
    "due_date": ("due_date", "到期日", "还款日", "到期日期"),
    "priority": ("priority", "优先级"),
    "debtor": ("debtor", "客户号", "客户编号"),
    "risk": ("risk", "风险等级", "风险"),
    "other_phones": ("other_phones", "备用电话", "其他电话", "备用手机"),
    "email": ("email", "邮箱", "电子邮箱"),
    "push_token": ("push_token", "推送标识"),
    "contact_phones": ("contact_phones", "联系人电话", "紧急联系人电话"),
}
"""The names a column may carry in the header, by the field it fills."""

REQUIRED = ("case_id", "name", "product", "card_tail", "amount_due", "due_date")


class CellError(ValueError):
    """Why a cell cannot be taken, and what is expected."""


def plain(cell: str) -> str:
    """Full-width digits and letters made plain, blanks and the spreadsheet's leading apostrophe taken off."""
    return unicodedata.normalize("NFKC", cell).strip().removeprefix("'").strip()


def required_text(cell: str) -> str:
    text = plain(cell)
    if not text:
        raise CellError("is empty")
    return text


_GENDERS = {
    **dict.fromkeys(("男", "male", "m", "先生"), "male"),
    **dict.fromkeys(("女", "female", "f", "女士", "小姐"), "female"),
    **dict.fromkeys(("", "unknown", "未知", "不详"), "unknown"),
}


def gender(cell: str) -> str:
    try:
        return _GENDERS[plain(cell).lower()]
    except KeyError:
        raise CellError(f"{plain(cell)} is no gender; 男, 女 or nothing expected") from None


def phone(cell: str) -> str:
    """A Chinese number as people write it, or any number with +; returned in E.164."""
    text = plain(cell)
    if re.search(r"\d[eE]\+?\d", text) or re.fullmatch(r"\d+\.\d+", text):
        raise CellError(f"{text} was rounded by the spreadsheet; format the column as text and export again")
    digits = re.sub(r"[\s()\-.]", "", text)
    if not re.fullmatch(r"\+?\d+", digits):
        raise CellError(f"{text} is no phone number; digits expected")
    national = re.sub(r"^(\+86|0086|86(?=1\d{10}$))", "", digits)
    if national.startswith("1") and len(national) != 11:
        raise CellError(f"{text} is {len(national)} digits; 11 expected")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    try:
        number = phonenumbers.parse(digits, REGION)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise CellError(f"{text} is not a number that exists; 11 digits expected, or area code and number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(cell: str) -> tuple[str, ...]:
    """Several numbers, between commas, semicolons, slashes or 、; each once."""
    return tuple(dict.fromkeys(phone(part) for part in re.split(r"[,;/、|]+", plain(cell)) if part.strip()))


def sip_uri(cell: str) -> str:
    text = plain(cell)
    if not re.fullmatch(r"sips?:([^\s@<>]+@)?[^\s@<>]+", text):
        raise CellError(f"{text} is no SIP address; sip:someone@host expected")
    return text


def email(cell: str) -> str:
    text = plain(cell)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise CellError(f"{text} is no e-mail address")
    return text


def card_tail(cell: str) -> str:
    text = plain(cell)
    if not re.fullmatch(r"\d+", text):
        raise CellError(f"{text or 'nothing'} where 4 digits are expected")
    if len(text) != 4:
        hint = "; a leading zero gets lost when the column is not formatted as text" if len(text) < 4 else ""
        raise CellError(f"{text} is {len(text)} digits; 4 expected{hint}")
    return text


def amount(cell: str) -> Decimal:
    """Yuan, more than zero, at most two decimals: 1235.6, ￥1,235.60, 1235.60元."""
    text = plain(cell)
    bare = re.sub(r"^(¥|RMB|CNY)\s*|\s*元$", "", text, flags=re.IGNORECASE)
    bare = re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", bare)
    try:
        value = Decimal(bare)
    except InvalidOperation:
        raise CellError(f"{text or 'nothing'} is no amount; yuan expected, like 1235.60") from None
    if not value.is_finite() or value <= 0:
        raise CellError(f"{text} is no debt; more than 0 expected")
    if value >= Decimal(10) ** 12:
        raise CellError(f"{text} is more than the system can hold; less than {10**12} expected")
    if value != round(value, 2):
        raise CellError(f"{text} has fractions of a fen; two decimals expected")
    return value.quantize(Decimal("0.01"))


_DATES = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?:[ T]0{1,2}:00(:00)?)?"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
)


def due_date(cell: str, today: date) -> date:
    """2026-11-27, 2026/11/27, 20261127, 2026年11月27日; or days from today for examples and tests: -5d, 0d, +3d."""
    text = plain(cell)
    if relative := re.fullmatch(r"([+-]?\d{1,4})d", text):
        return today + timedelta(days=int(relative[1]))
    for form in _DATES:
        if found := form.fullmatch(text):
            try:
                return date(int(found["y"]), int(found["m"]), int(found["d"]))
            except ValueError:
                raise CellError(f"{text} is not in the calendar") from None
    raise CellError(f"{text or 'nothing'} is no date; 2026-11-27 expected, or days from today like -5d")


def priority(cell: str) -> int:
    text = plain(cell)
    if not re.fullmatch(r"-?\d{1,6}", text):
        raise CellError(f"{text} is no priority; a whole number expected, smaller is earlier")
    return int(text)
