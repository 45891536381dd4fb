"""How does a line sound for this case? Templates and case values in, text and clauses out.

Dates and amounts are written as a person would write them (11月27日, 1235.60元); the voice says the digits. Values that
change within a call stand in clauses of their own, so that all the rest can be synthesised before it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain

from dialogue.policy import latest_date, smallest_part
from dialogue.protocol import CaseFacts
from dialogue.script import CALL_VARIABLES, Line, Node, Script, Wording

_WEEKDAYS = "一二三四五六日"
_COMPOUND_SURNAME = re.compile(
    "欧阳|司马|上官|诸葛|司徒|东方|皇甫|尉迟|公孙|慕容|令狐|宇文|长孙|端木|夏侯|南宫|轩辕|呼延|闻人|澹台|百里"
)
_TITLES = {"male": "先生", "female": "女士"}


class RenderError(ValueError):
    """A line needs a value that is not known at this point of the call; `dialogue.lint` finds such scripts."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """`clauses` joined are `text`."""

    text: str
    clauses: tuple[str, ...]


def render(wording: Wording, values: Mapping[str, str]) -> Rendered:
    """Fill in the values. Raises RenderError when one is missing."""
    clauses = tuple(_fill(clause.template, clause.variables, values) for clause in wording.clauses)
    return Rendered("".join(clauses), clauses)


def _fill(template: str, variables: Iterable[str], values: Mapping[str, str]) -> str:
    for name in variables:
        if name not in values:
            raise RenderError(f"「{template}」 needs {{{name}}}, which is not known here")
        template = template.replace("{" + name + "}", values[name])
    return template


def case_values(case: CaseFacts) -> dict[str, str]:
    """The values that need nothing but the case."""
    title = _TITLES.get(case.gender, "")
    return {
        "name": case.name,
        "salutation": case.name + title,
        "short_salutation": surname(case.name) + title if title else case.name,
        "bank": case.bank,
        "product": case.product,
        "card_tail": case.card_tail,
        "amount_due": say_amount(case.amount_due),
        "min_amount": say_amount(case.min_amount),
        "due_date": say_day(case.due_date),
        "days_overdue": f"{max(case.days_overdue, 0)}天",
    }


def policy_values(script: Script, case: CaseFacts, today: date) -> dict[str, str]:
    return {
        "latest_date": say_date(latest_date(script.policy, case, today), today),
        "smallest_part": say_amount(smallest_part(script.policy, case)),
    }


def surname(name: str) -> str:
    return name[:2] if _COMPOUND_SURNAME.match(name) and len(name) > 2 else name[:1]


def say_amount(amount: Decimal) -> str:
    """1235.60 -> 1235.60元, 3000.00 -> 3000元."""
    cents = amount.quantize(Decimal("0.01"))
    whole = cents == cents.to_integral_value()
    return f"{cents.to_integral_value() if whole else cents}元"


def say_day(day: date) -> str:
    return f"{day.month}月{day.day}日"


def say_date(day: date, today: date) -> str:
    """A day as one names it to be understood and to be held to it: 今天11月22日, 下周三12月2日, 12月20日."""
    ahead = (day - today).days
    if 0 <= ahead <= 2:
        return ("今天", "明天", "后天")[ahead] + say_day(day)
    weeks = (day - timedelta(days=day.weekday()) - (today - timedelta(days=today.weekday()))).days // 7
    if weeks in (0, 1) and ahead > 0:
        return ("这周", "下周")[weeks] + _WEEKDAYS[day.weekday()] + say_day(day)
    return say_day(day)


def say_moment(at: datetime, now: datetime) -> str:
    """A time to call: 今天下午3点, 明天上午10点半."""
    hour, minute = at.hour, at.minute
    part = "凌晨" if hour < 6 else "上午" if hour < 12 else "中午" if hour < 13 else "下午" if hour < 18 else "晚上"
    clock = hour - 12 if hour > 12 else hour
    tail = "" if not minute else "半" if minute == 30 else f"{minute}分"
    ahead = (at.date() - now.date()).days
    day = ("今天", "明天", "后天")[ahead] if 0 <= ahead <= 2 else say_day(at.date())
    return f"{day}{part}{clock}点{tail}"


def all_fixed_clauses(script: Script) -> tuple[str, ...]:
    """Clauses without any variable: rendered once, at start-up. Those said first in a call stand first."""
    return _distinct(c.template for w in _wordings(_in_order(script)) for c in w.clauses if not c.variables)


def case_clauses(script: Script, case: CaseFacts, now: datetime) -> tuple[str, ...]:
    """Clauses that only need the case and the day: rendered while the phone rings. Those said first stand first."""
    values = case_values(case) | policy_values(script, case, now.date())
    return _distinct(
        _fill(c.template, c.variables, values)
        for w in _wordings(_in_order(script))
        for c in w.clauses
        if c.variables and not CALL_VARIABLES.intersection(c.variables)
    )


def day_clauses(script: Script, today: date, days: int = 8) -> tuple[str, ...]:
    """Clauses that only need the day of a promise, for today and the days after it: the same for every case."""
    templates = dict.fromkeys(c for w in _wordings(_in_order(script)) for c in w.clauses)
    return _distinct(
        _fill(c.template, c.variables, {"pay_date": say_date(today + timedelta(days=n), today)})
        for n in range(days)
        for c in templates
        if set(c.variables) == {"pay_date"}
    )


def likely_clauses(script: Script, case: CaseFacts, now: datetime, limit: int = 40) -> tuple[str, ...]:
    """Clauses with a date or an amount that the customer is likely to name; the likeliest first."""
    today = now.date()
    base = case_values(case) | policy_values(script, case, today)
    last = latest_date(script.policy, case, today)
    days = [today + timedelta(days=n) for n in range((last - today).days + 1)]
    amounts = dict.fromkeys((case.amount_due, case.min_amount, smallest_part(script.policy, case)))
    out = []
    for clause in dict.fromkeys(c for w in _wordings(_in_order(script)) for c in w.clauses):
        wanted = CALL_VARIABLES.intersection(clause.variables)
        if wanted == {"pay_date"}:
            choices = [{"pay_date": say_date(day, today)} for day in days]
        elif wanted == {"pay_amount"}:
            choices = [{"pay_amount": say_amount(amount)} for amount in amounts]
        else:
            continue
        out += [(rank, _fill(clause.template, clause.variables, base | more)) for rank, more in enumerate(choices)]
    return _distinct(text for _, text in sorted(out, key=lambda pair: pair[0]))[:limit]


def _in_order(script: Script) -> Iterable[Line]:
    """The lines in the order in which a call walks the nodes; those that no node says come last."""
    named = chain.from_iterable(node.say + node.again for node in _walk(script))
    return (script.lines[line_id] for line_id in dict.fromkeys(chain(named, script.lines)))


def _walk(script: Script) -> list[Node]:
    todo, seen = [script.start], dict[str, Node]()
    while todo:
        node_id = todo.pop(0)
        if node_id in seen:
            continue
        node = seen[node_id] = script.nodes[node_id]
        next_ids = [node.then, *(r.go for r in node.on.values()), node.exhausted]
        todo += [n for n in next_ids if n is not None]
    return list(seen.values())


def _wordings(lines: Iterable[Line]) -> Iterable[Wording]:
    """Every line's first wording first: the others are said only when the call comes back to a line."""
    every = tuple(lines)
    return chain((line.wordings[0] for line in every), chain.from_iterable(line.wordings[1:] for line in every))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
