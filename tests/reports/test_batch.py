"""The report: every figure adds up, and a spreadsheet can open it."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dialogue.acts import Disposition
from telephony import OutcomeKind
from voicebot.reports.batch import (
    NAMES,
    batch_figures,
    disposition_of,
    figures_table,
    write_report,
)
from voicebot.store import AttemptState, CaseStatus, ReportRow

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def row(**other: object) -> ReportRow:
    values = {
        "case_id": "D1",
        "name": "王强",
        "phone": "+8613800000001",
        "sip_uri": None,
        "amount_due": Decimal("1000.00"),
        "due_date": date(2026, 11, 17),
        "status": CaseStatus.OPEN,
        "attempts": 0,
    }
    return ReportRow(**values | other)  # type: ignore[arg-type]


def dialled(outcome: str, **other: object) -> ReportRow:
    values = {
        "status": CaseStatus.FAILED if outcome == "failed" else CaseStatus.DONE,
        "attempts": 1,
        "attempt_state": AttemptState.DONE,
        "dialed_at": NOW,
        "outcome": outcome,
    }
    return row(**values | other)


def talked(disposition: Disposition, **other: object) -> ReportRow:
    values = {
        "call_id": "c1",
        "answered_at": NOW,
        "ended_at": NOW + timedelta(seconds=60),
        "disposition": disposition,
        "turns": 4,
        "response_ms": 400,
    }
    return dialled("answered", **values | other)


BATCH = [
    talked(Disposition.PROMISED, promise_id="P1", promised_amount=Decimal("1000.00"), promised_date=date(2026, 11, 27)),
    talked(
        Disposition.PROMISED_PARTIAL,
        promise_id="P2",
        promised_amount=Decimal("500.55"),
        ended_at=NOW + timedelta(seconds=120),
        turns=8,
        response_ms=700,
    ),
    talked(Disposition.REFUSED, turns=0, response_ms=None),
    talked(Disposition.WRONG_NUMBER),
    dialled("busy", sip_code=486),
    dialled("failed"),
    row(status=CaseStatus.FAILED, attempts=1, attempt_state=AttemptState.UNKNOWN, dialed_at=NOW),
    row(status=CaseStatus.CLAIMED, attempts=1, attempt_state=AttemptState.PERMITTED),
    row(),
]


def test_the_ladder_from_cases_to_promises() -> None:
    f = batch_figures(BATCH)
    assert (f.cases, f.dialled, f.contacted, f.right_party, f.promised) == (9, 7, 4, 3, 2)
    assert (f.amount_due, f.amount_promised) == (Decimal("9000.00"), Decimal("1500.55"))
    assert (f.open, f.unknown) == (2, 1)


def test_means_weigh_calls_by_their_length_and_turns_by_their_number() -> None:
    f = batch_figures(BATCH)
    assert f.mean_talk_s == (60 + 120 + 60 + 60) / 4
    assert f.mean_response_ms == (4 * 400 + 8 * 700 + 4 * 400) / 16


def test_an_unanswered_case_takes_its_disposition_from_the_line() -> None:
    assert disposition_of(dialled("busy")) is Disposition.BUSY
    assert disposition_of(dialled("failed")) is Disposition.FAILED
    assert disposition_of(row()) is None
    assert disposition_of(BATCH[6]) is None, "nobody knows how an unknown attempt ended"


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_every_outcome_of_the_line_has_a_disposition(kind: OutcomeKind) -> None:
    found = disposition_of(dialled(kind.value))
    assert found is not None
    assert (found is Disposition.FAILED) == (kind is OutcomeKind.FAILED)


def test_every_disposition_has_a_chinese_name() -> None:
    assert set(NAMES) == set(Disposition)


def test_an_empty_batch_has_no_shares() -> None:
    f = batch_figures([])
    assert (f.cases, f.mean_talk_s, f.mean_response_ms) == (0, None, None)
    assert "%" not in shown(figures_table(f))


def shown(table: object) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(table)
    return out.getvalue()


def test_the_table_shows_the_figures() -> None:
    text = shown(figures_table(batch_figures(BATCH)))
    for expected in ("￥1,500.55", "57%", "550 ms", "75.0 s", "占线 busy", "承诺部分还款"):
        assert expected in text, expected


def test_the_csv_has_one_line_per_case_and_can_be_read_by_programs(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "batch.csv"
    figures = write_report(iter(BATCH), path)
    assert figures == batch_figures(BATCH)
    with path.open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == len(BATCH)
    assert rows[0]["promised_amount"] == "1000.00" and rows[0]["promised_date"] == "2026-11-27"
    assert rows[0]["phone"] == "+8613800000001"
    assert rows[4]["disposition"] == "busy" and rows[4]["talk_s"] == ""
    assert rows[8]["status"] == "open"


@given(st.text(min_size=1, max_size=20))
def test_no_cell_of_the_csv_is_run_as_a_formula(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        write_report([row(name=name)], path)
        with path.open(encoding="utf-8-sig", newline="") as f:
            [back] = list(csv.DictReader(f))
    assert back["name"][:1] not in ("=", "@", "+", "-") or back["name"][1:].isdigit()
