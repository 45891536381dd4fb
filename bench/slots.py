"""How many days, sums and times of spoken turns are found exactly? Ours beside the libraries that read Chinese.

    python bench/slots.py                                   # models/intent/data/slots.tsv
    python bench/slots.py --cases ../shared/data/dates      # and the published cases of Duckling, JioNLP and cn2an

The libraries are in the extra `bench`; one that is not installed is left out, and a line says so. They know nothing of
promises, so each is given the acts like ours, and its first value of the wanted kind that is not past is taken.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dialogue.acts import Act
from dialogue.amounts import find_amounts
from dialogue.dates import find_dates
from dialogue.numerals import parse_number
from dialogue.rules import normalise
from dialogue.slots import PROMISES, find_slots
from dialogue.times import find_times

TURNS = Path(__file__).parents[1] / "models" / "intent" / "data" / "slots.tsv"
CHINA = timezone(timedelta(hours=8))
SLOTS = ("pay_date", "pay_amount", "callback_at")


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the file; `slots` as the contract writes them, `amount_kind` beside them."""

    now: datetime
    acts: tuple[Act, ...]
    text: str
    slots: dict[str, str]


@dataclass(slots=True)
class Score:
    names: tuple[str, ...] = SLOTS
    turns: int = 0
    exact: int = 0
    wanted: int = 0
    wrong: int = 0  # another value, or a value where there is none
    missed: int = 0
    seconds: float = 0.0
    by_slot: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in SLOTS})


@dataclass(frozen=True, slots=True)
class System:
    """`find` gives the slots of a turn; `names` are those that it can fill at all."""

    name: str
    find: Callable[[Turn], dict[str, str]]
    names: tuple[str, ...] = SLOTS


def read_turns(path: Path = TURNS) -> list[Turn]:
    turns = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            now, acts, text, slots = line.split("\t")
            turns.append(
                Turn(datetime.fromisoformat(now), tuple(Act(a) for a in acts.split(",")), text, json.loads(slots))
            )
    return turns


# ---- the systems -----------------------------------------------------------------------------------------------------


def ours(turn: Turn) -> dict[str, str]:
    found = find_slots(normalise(turn.text), turn.acts, turn.now)
    slots: dict[str, str] = {}
    if found.pay_date:
        slots["pay_date"] = found.pay_date.isoformat()
    if found.pay_amount is not None:
        slots["pay_amount"] = str(found.pay_amount)
    if found.amount_kind in ("half", "minimum"):  # "full" changes nothing: a promise without a sum is in full
        slots["amount_kind"] = found.amount_kind
    if found.callback_at:
        slots["callback_at"] = found.callback_at.strftime("%Y-%m-%dT%H:%M")
    return slots


def _first_values(turn: Turn, moments: Iterable[tuple[datetime, bool]], amounts: Iterable[Decimal]) -> dict[str, str]:
    """`moments`: with whether an hour was named; the acts say which slots there can be."""
    slots: dict[str, str] = {}
    if set(turn.acts) & set(PROMISES):
        days = [at.date() for at, _ in moments if at.date() >= turn.now.date()]
        if days:
            slots["pay_date"] = days[0].isoformat()
        if (first := next(iter(amounts), None)) is not None:
            slots["pay_amount"] = str(first.quantize(Decimal("0.01")))
    if Act.REQUEST_CALLBACK in turn.acts:
        hours = [at for at, with_hour in moments if with_hour and at >= turn.now]
        if hours:
            slots["callback_at"] = hours[0].strftime("%Y-%m-%dT%H:%M")
    return slots


def _decimals(values: Iterable[Any]) -> Iterator[Decimal]:
    for value in values:
        with contextlib.suppress(InvalidOperation):
            yield Decimal(str(value))


def jionlp_system() -> System:
    with contextlib.redirect_stdout(io.StringIO()):
        import jionlp

    def find(turn: Turn) -> dict[str, str]:
        moments = []
        for entity in jionlp.ner.extract_time(turn.text, time_base=turn.now.replace(tzinfo=CHINA).timestamp()):
            detail = entity["detail"]
            if detail["type"] in ("time_point", "time_span") and isinstance(detail["time"], list):
                start, end = (datetime.fromisoformat(t) if t[:1].isdigit() else None for t in detail["time"])
                at = end if detail["type"] == "time_span" and end else start
                if at:
                    moments.append((at.replace(second=0), re.search("点|时|:", entity["text"]) is not None))
        amounts = [m["detail"]["num"] for m in jionlp.ner.extract_money(turn.text, with_parsing=True)]
        return _first_values(turn, moments, _decimals(a for a in amounts if isinstance(a, str)))

    return System("JioNLP", find)


def recognizers_system() -> System:
    from recognizers_date_time import Culture, recognize_datetime
    from recognizers_number_with_unit import recognize_currency

    def find(turn: Turn) -> dict[str, str]:
        moments = []
        for result in recognize_datetime(turn.text, Culture.Chinese, reference=turn.now):
            for value in (result.resolution or {}).get("values", []):
                said = value.get("value") or value.get("end") or ""
                if value["type"] == "time" and len(said) == 8:
                    said = f"{turn.now.date()} {said}"
                with contextlib.suppress(ValueError):
                    moments.append((datetime.fromisoformat(said), len(said) > 10))
        amounts = [r.resolution.get("value") for r in recognize_currency(turn.text, Culture.Chinese) if r.resolution]
        return _first_values(turn, moments, _decimals(a for a in amounts if a))

    return System("Recognizers-Text", find)


def cn2an_system() -> System:
    import cn2an

    warnings.simplefilter("ignore")  # it warns of every idiom that it cannot read as a number

    def find(turn: Turn) -> dict[str, str]:
        numbers = re.findall(r"(\d+(?:\.\d+)?)(?:块|元|$|[吧行先])", cn2an.transform(turn.text, "cn2an"))
        return _first_values(turn, (), _decimals(numbers))

    return System("cn2an", find, ("pay_amount",))


def systems(console: Console) -> list[System]:
    found = [System("ours", ours)]
    for name, make in (
        ("jionlp", jionlp_system),
        ("recognizers-text", recognizers_system),
        ("cn2an", cn2an_system),
    ):
        try:
            found.append(make())
        except ImportError as e:
            console.print(f"{name} is left out: {e}; pip install 'voicebot\\[bench]' brings it")
    return found


# ---- scoring ---------------------------------------------------------------------------------------------------------


def score(system: System, turns: Iterable[Turn]) -> Score:
    result = Score(system.names)
    for turn in turns:
        began = time.perf_counter()
        try:
            found = system.find(turn)
        except Exception:  # a library that stumbles over a turn has found nothing in it
            found = {}
        result.seconds += time.perf_counter() - began
        names = (*system.names, "amount_kind") if system.name == "ours" else system.names
        wanted = {name: value for name, value in turn.slots.items() if name in names}
        found = {name: value for name, value in found.items() if name in names}
        result.turns += 1
        result.exact += found == wanted
        result.wanted += len(wanted)
        result.missed += sum(name not in found for name in wanted)
        result.wrong += sum(wanted.get(name) != value for name, value in found.items())
        for name in SLOTS:
            if name in turn.slots and name in names:
                result.by_slot[name].append(found.get(name) == turn.slots[name])
    return result


def table(scores: Mapping[str, Score]) -> Table:
    shown = Table(title="Slots of spoken turns, the acts being known")
    for column in ("", "turns exact", "days", "sums", "times", "wrong values", "missed", "ms a turn"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, s in scores.items():
        per_slot = (f"{sum(hits) / len(hits):.1%}" if hits else "-" for hits in s.by_slot.values())
        shown.add_row(
            name,
            "-" if len(s.names) < len(SLOTS) else f"{s.exact / s.turns:.1%}",
            *per_slot,
            str(s.wrong),
            str(s.missed),
            f"{s.seconds * 1000 / s.turns:.2f}",
        )
    return shown


# ---- published cases -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A published expression; `want` a date, a datetime (to the minute) or a Decimal."""

    text: str
    now: datetime
    want: date | Decimal


_DUCKLING_DAY = re.compile(r"\(datetime \((\d+), (\d+), (\d+), (\d+), (\d+), 0\) (Day|Minute|Hour)\)$")
_TRADITIONAL = re.compile("[週號後點個禮鐘兩這晚間聖節]|而家|依家|宜家|今個|聽日|[a-zA-Z/]")


def duckling_cases(folder: Path) -> Iterator[Case]:
    """Days and clock times still ahead, in simplified characters."""
    for line in (folder / "duckling_Time.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        m = _DUCKLING_DAY.match(row["expected_hs"])
        if m and not _TRADITIONAL.search(row["text"]):
            now = datetime.fromisoformat(row["ref"]).replace(tzinfo=None)
            at = datetime(*(int(g) for g in m.groups()[:5]))  # type: ignore[arg-type]
            if at.date() >= now.date():
                yield Case(row["text"], now, at.date() if m[6] == "Day" else at)


def jionlp_cases(folder: Path) -> Iterator[Case]:
    """Points of one day or one minute that are still ahead."""
    for line in (folder / "jionlp_time_parser.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        expected = row["expected"]
        if not isinstance(row["time_base"], int | float) or not isinstance(expected, dict):
            continue
        if expected.get("type") != "time_point" or expected.get("definition") != "accurate":
            continue
        now = datetime.fromtimestamp(row["time_base"], CHINA).replace(tzinfo=None)
        start, end = (datetime.fromisoformat(t) for t in expected["time"])
        if start.date() < now.date() or re.search("[a-zA-Z]", row["text"]):
            continue
        if end - start == timedelta(days=1, seconds=-1):
            yield Case(row["text"], now, start.date())
        elif end - start <= timedelta(hours=1):
            yield Case(row["text"], now, start)


def number_cases(folder: Path) -> Iterator[Case]:
    for line in (folder / "cn2an_cn2an.jsonl").read_text("utf-8").splitlines():
        said, number, *_ = [*json.loads(line)["case"], "", ""]
        if isinstance(number, int) and 0 < number < 10_000_000 and not re.search("[壹贰叁肆伍陆柒捌玖]", str(said)):
            yield Case(str(said), datetime(2026, 1, 1), Decimal(number))


def money_cases(folder: Path) -> Iterator[Case]:
    for line in (folder / "jionlp_money_parser.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        expected = row["expected"][0] if isinstance(row["expected"], list) else row["expected"]
        if expected["case"] == "元" and expected["definition"] == "accurate" and isinstance(expected["num"], str):
            yield Case(row["text"], datetime(2026, 1, 1), Decimal(expected["num"]))


def reads(case: Case) -> bool:
    """Whether ours reads the bare expression as published."""
    words = normalise(case.text)
    if isinstance(case.want, Decimal):
        amounts = [m.amount for m in find_amounts(words)]
        return parse_number(words) == case.want or amounts == [case.want]
    if isinstance(case.want, datetime):
        return [m.at for m in find_times(words, case.now)][:1] == [case.want]
    return [m.day for m in find_dates(words, case.now.date())][:1] == [case.want]


def published(folder: Path, console: Console, *, show: bool) -> None:
    shown = Table(title="Published cases that ours reads as published")
    for column in ("", "cases", "read"):
        shown.add_column(column, justify="left" if not column else "right")
    kinds = (
        ("Duckling, days and times ahead", duckling_cases),
        ("JioNLP, days and times ahead", jionlp_cases),
        ("JioNLP, sums in yuan", money_cases),
        ("cn2an, whole numbers", number_cases),
    )
    for name, cases in kinds:
        all_cases = list(cases(folder))
        unread = [c for c in all_cases if not reads(c)]
        shown.add_row(name, str(len(all_cases)), f"{1 - len(unread) / max(1, len(all_cases)):.1%}")
        if show:
            console.print(name, [(c.text, str(c.want)) for c in unread])
    console.print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=Path, default=TURNS, help="a file like models/intent/data/slots.tsv")
    parser.add_argument("--cases", type=Path, help="folder with the published cases as JSON Lines")
    parser.add_argument("--show", action="store_true", help="print what ours gets wrong")
    options = parser.parse_args()
    console = Console(width=max(120, Console().width))
    logging.disable(logging.CRITICAL)  # the libraries log what they cannot read
    turns = read_turns(options.turns)
    without = sum(not t.slots for t in turns)
    console.print(f"{len(turns)} turns, {without} without a slot, {len({t.now for t in turns})} clocks")
    console.print(table({system.name: score(system, turns) for system in systems(console)}))
    if options.show:
        for turn in turns:
            if (found := ours(turn)) != turn.slots:
                console.print(f"{turn.now:%m-%d %H:%M} {turn.text}: wanted {turn.slots}, found {found}", markup=False)
    if options.cases:
        published(options.cases, console, show=options.show)


if __name__ == "__main__":
    main()
