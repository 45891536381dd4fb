"""What came of a batch? Counts, rates and amounts from its report rows; as a table and as CSV.

The trade's ladder, each step within the one above: cases, dialled (an INVITE went out), contacted (somebody
answered), right party (the debtor in person talked with us), promised.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.table import Table

from dialogue.acts import Disposition
from voicebot.call.outcomes import DISPOSITION_OF
from voicebot.store import AttemptState, CaseStatus, ReportRow

PROMISED = frozenset({Disposition.PROMISED, Disposition.PROMISED_PARTIAL})

RIGHT_PARTY = PROMISED | {
    Disposition.ALREADY_PAID,
    Disposition.REFUSED,
    Disposition.HARDSHIP,
    Disposition.DISPUTED,
}
"""Dispositions that only the debtor in person can bring about: the script discloses the debt, and asks for it, only
after the right party has confirmed. Callbacks, complaints and the like may come from anybody, and do not count."""

_STILL_TO_CALL = (CaseStatus.OPEN, CaseStatus.CLAIMED)

NAMES: dict[Disposition, str] = {
    Disposition.PROMISED: "承诺还款",
    Disposition.PROMISED_PARTIAL: "承诺部分还款",
    Disposition.ALREADY_PAID: "称已还款",
    Disposition.REFUSED: "拒绝还款",
    Disposition.HARDSHIP: "还款困难",
    Disposition.DISPUTED: "有异议",
    Disposition.WRONG_NUMBER: "号码有误",
    Disposition.THIRD_PARTY: "第三人接听",
    Disposition.CALLBACK: "约定回电",
    Disposition.DO_NOT_CALL: "要求停呼",
    Disposition.COMPLAINT: "投诉",
    Disposition.TRANSFERRED: "已转人工",
    Disposition.CRISIS: "危机",
    Disposition.CALL_ASSISTANT: "智能助理接听",
    Disposition.DECEASED_OR_DETAINED: "身故或羁押",
    Disposition.NO_RESPONSE: "接通无应答",
    Disposition.UNCLEAR: "不明确",
    Disposition.NO_ANSWER: "无人接听",
    Disposition.BUSY: "占线",
    Disposition.REJECTED: "拒接",
    Disposition.POWERED_OFF: "关机",
    Disposition.INVALID_NUMBER: "空号",
    Disposition.SUSPENDED: "停机",
    Disposition.UNREACHABLE: "无法接通",
    Disposition.FAILED: "呼叫失败",
}


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """Money in yuan. Means are None where nothing was measured."""

    cases: int
    dialled: int
    contacted: int
    right_party: int
    promised: int
    amount_due: Decimal
    amount_promised: Decimal
    open: int  # still to be called, or being called
    waiting: int  # the rules do not allow a contact before another time
    held: int  # the rules do not allow any until something changes
    unknown: int  # dialled by a worker that vanished; how it ended is not known
    by_disposition: tuple[tuple[Disposition, int], ...]  # most frequent first
    mean_talk_s: float | None
    mean_response_ms: float | None  # over all turns of all calls


def disposition_of(row: ReportRow) -> Disposition | None:
    """The call's where somebody answered, else what the line said; None while the case is to be called."""
    if row.disposition is not None:
        return row.disposition
    if row.status in _STILL_TO_CALL or row.outcome is None:
        return None
    return row.line_disposition or DISPOSITION_OF.get(row.outcome, Disposition.FAILED)


class _Sums:
    """One pass over the rows, so that they can be streamed."""

    def __init__(self) -> None:
        self.cases = self.dialled = self.contacted = self.right_party = self.promised = self.open = self.unknown = 0
        self.waiting = self.held = 0
        self.due = self.promised_amount = Decimal(0)
        self.dispositions: Counter[Disposition] = Counter()
        self.talk_s: list[float] = []
        self.turns = 0
        self.response_ms = 0.0

    def add(self, row: ReportRow) -> None:
        disposition = disposition_of(row)
        self.cases += 1
        self.due += row.amount_due
        self.dialled += row.dialed_at is not None
        self.contacted += row.answered_at is not None
        self.right_party += row.answered_at is not None and disposition in RIGHT_PARTY
        self.open += row.status in (CaseStatus.OPEN, CaseStatus.CLAIMED)
        self.waiting += row.status is CaseStatus.WAITING
        self.held += row.status is CaseStatus.HELD
        self.unknown += row.attempt_state is AttemptState.UNKNOWN
        if row.promised_amount is not None:
            self.promised += 1
            self.promised_amount += row.promised_amount
        if disposition is not None:
            self.dispositions[disposition] += 1
        if row.talk_s is not None:
            self.talk_s.append(row.talk_s)
        if row.turns and row.response_ms is not None:
            self.turns += row.turns
            self.response_ms += row.turns * row.response_ms


def batch_figures(rows: Iterable[ReportRow]) -> BatchFigures:
    sums = _Sums()
    for row in rows:
        sums.add(row)
    return _figures(sums)


def _figures(sums: _Sums) -> BatchFigures:
    return BatchFigures(
        cases=sums.cases,
        dialled=sums.dialled,
        contacted=sums.contacted,
        right_party=sums.right_party,
        promised=sums.promised,
        amount_due=sums.due,
        amount_promised=sums.promised_amount,
        open=sums.open,
        waiting=sums.waiting,
        held=sums.held,
        unknown=sums.unknown,
        by_disposition=tuple(sums.dispositions.most_common()),
        mean_talk_s=sum(sums.talk_s) / len(sums.talk_s) if sums.talk_s else None,
        mean_response_ms=sums.response_ms / sums.turns if sums.turns else None,
    )


def figures_table(figures: BatchFigures) -> Table:
    """The batch at a glance, for the terminal."""
    f = figures
    table = Table(title="批次报告 batch report", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    table.add_row("案件 cases", str(f.cases), _yuan(f.amount_due))
    table.add_row("已拨打 dialled", str(f.dialled), _share(f.dialled, f.cases))
    table.add_row("接通 contacted", str(f.contacted), _share(f.contacted, f.dialled))
    table.add_row("本人 right party", str(f.right_party), _share(f.right_party, f.contacted))
    table.add_row("承诺还款 promised", str(f.promised), _share(f.promised, f.right_party))
    table.add_row("承诺金额 amount promised", _yuan(f.amount_promised), _share(f.amount_promised, f.amount_due))
    table.add_row("平均通话 mean talk", "-" if f.mean_talk_s is None else f"{f.mean_talk_s:.1f} s", "")
    response = "-" if f.mean_response_ms is None else f"{f.mean_response_ms:.0f} ms"
    table.add_row("平均响应 mean response", response, "")
    if f.open:
        table.add_row("未完成 still open", str(f.open), _share(f.open, f.cases))
    if f.waiting:
        table.add_row("按规定须等待 must wait", str(f.waiting), _share(f.waiting, f.cases))
    if f.held:
        table.add_row("按规定不得联系 held", str(f.held), _share(f.held, f.cases))
    if f.unknown:
        table.add_row("结局不明 ended unknown", str(f.unknown), _share(f.unknown, f.cases))
    table.add_section()
    for disposition, n in f.by_disposition:
        table.add_row(f"{NAMES[disposition]} {disposition.value}", str(n), _share(n, f.cases))
    return table


COLUMNS = (
    "case_id",
    "name",
    "phone",
    "sip_uri",
    "amount_due",
    "due_date",
    "status",
    "attempts",
    "outcome",
    "sip_code",
    "disposition",
    "dialed_at",
    "talk_s",
    "turns",
    "response_ms",
    "promise_id",
    "promised_date",
    "promised_amount",
    "promised_partial",
    "callback_booked",
    "callback_at",
    "flags",
    "call_id",
    "recording",
    "log",
    "not_before",
    "refused_by",
)


def write_report(rows: Iterable[ReportRow], path: Path) -> BatchFigures:
    """Write one line per case (UTF-8 with BOM, for spreadsheets) and return the figures of the same pass."""
    sums = _Sums()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for row in rows:
            sums.add(row)
            out.writerow([_cell(_value(row, column)) for column in COLUMNS])
    return _figures(sums)


def _value(row: ReportRow, column: str) -> object:
    match column:
        case "disposition":
            return disposition_of(row)
        case "talk_s":
            return None if row.talk_s is None else f"{row.talk_s:.1f}"
        case "flags" | "refused_by":
            return " ".join(getattr(row, column))
        case _:
            return getattr(row, column)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    # A spreadsheet would run a name that begins like a formula.
    return f"'{text}" if text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:].isdigit()) else text


def _yuan(amount: Decimal) -> str:
    return f"￥{amount:,.2f}"


def _share(part: int | Decimal, whole: int | Decimal) -> str:
    return f"{part / whole:.0%}" if whole else "-"
