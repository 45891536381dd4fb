"""Case files: good rows are kept, every bad cell is named with row, column and way out."""

from __future__ import annotations

import csv
import json
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.cases import CaseFile, CaseRow, CasesError, load_case
from voicebot.settings import PROJECT_ROOT

TODAY = date(2026, 11, 22)
HEADER = "案件编号,姓名,性别,手机号,银行,产品,卡尾号,应还金额,最低还款,到期日"
GOOD = "D1,王强,男,13800000001,示例银行,信用卡,3344,1235.60,123.56,2026-11-17"


def write(path: Path, *lines: str, encoding: str = "utf-8", header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
    return path


def read(path: Path, rejects: Path | None = None) -> tuple[list[CaseRow], CaseFile]:
    file = CaseFile(path, TODAY, "示例银行", rejects)
    return list(file), file


def one_row(tmp_path: Path, **cells: str) -> tuple[list[CaseRow], list[str]]:
    """One row, good but for the given cells; the good rows and the complaints."""
    row = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | cells
    path = tmp_path / "one.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, list(row))
        writer.writeheader()
        writer.writerow(row)
    rows, file = read(path)
    return rows, [str(e) for e in file.errors]


def test_a_row_becomes_a_case(tmp_path: Path) -> None:
    [row], file = read(write(tmp_path / "a.csv", GOOD))
    assert row == CaseRow(
        case_id="D1",
        name="王强",
        gender="male",
        bank="示例银行",
        product="信用卡",
        card_tail="3344",
        amount_due=Decimal("1235.60"),
        min_amount=Decimal("123.56"),
        due_date=date(2026, 11, 17),
        phone="+8613800000001",
    )
    facts = row.facts(TODAY)
    assert (facts.days_overdue, facts.stage) == (5, "M1")
    assert (file.accepted, file.rejected) == (1, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_all_usual_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    [row], _ = read(write(tmp_path / "a.csv", GOOD.replace("王强", "王䶮"), encoding=encoding))
    assert row.name == "王䶮"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_separators_are_read(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path / "a.csv", GOOD.replace(",", delimiter), header=HEADER.replace(",", delimiter))
    assert len(read(path)[0]) == 1


def test_english_headers_other_columns_and_any_order_are_fine(tmp_path: Path) -> None:
    header = "expect_disposition,Due_Date,amount,card_tail,product,phone,name,case_id"
    [row], _ = read(write(tmp_path / "a.csv", "promised,-5d,88,0012,消费贷,13800000001,李娜,7", header=header))
    assert (row.due_date, row.amount_due, row.card_tail) == (date(2026, 11, 17), Decimal("88.00"), "0012")
    assert (row.gender, row.bank, row.min_amount) == ("unknown", "示例银行", Decimal("88.00"))


@pytest.mark.parametrize(
    ("column", "cell", "complaint"),
    [
        ("手机号", "1380013800", "1380013800 is 10 digits; 11 expected"),
        ("手机号", "138001380001", "138001380001 is 12 digits; 11 expected"),
        ("手机号", "1.38E+10", "1.38E+10 was rounded by the spreadsheet; format the column as text and export again"),
        ("手机号", "不详", "不详 is no phone number; digits expected"),
        ("手机号", "00000000", "is not a number that exists"),
        ("手机号", "", "is empty; a phone number expected, or a sip_uri"),
        ("卡尾号", "344", "344 is 3 digits; 4 expected; a leading zero gets lost"),
        ("卡尾号", "33445", "33445 is 5 digits; 4 expected"),
        ("应还金额", "abc", "abc is no amount; yuan expected, like 1235.60"),
        ("应还金额", "", "nothing is no amount"),
        ("应还金额", "0", "0 is no debt; more than 0 expected"),
        ("应还金额", "-5", "-5 is no debt"),
        ("应还金额", "1.005", "1.005 has fractions of a fen; two decimals expected"),
        ("应还金额", "nan", "nan is no debt"),
        ("应还金额", "1e15", "1e15 is more than the system can hold"),
        ("最低还款", "2000", "2000.00 is more than the whole amount, 1235.60"),
        ("到期日", "2026-02-30", "2026-02-30 is not in the calendar"),
        ("到期日", "tomorrow", "tomorrow is no date; 2026-11-27 expected, or days from today like -5d"),
        ("性别", "其他", "其他 is no gender; 男, 女 or nothing expected"),
        ("姓名", "  ", "is empty"),
        ("案件编号", "", "is empty"),
    ],
)
def test_a_bad_cell_is_named_with_its_way_out(tmp_path: Path, column: str, cell: str, complaint: str) -> None:
    rows, complaints = one_row(tmp_path, **{column: cell})
    assert rows == []
    assert len(complaints) == 1
    assert complaints[0].startswith(f"row 2, column {column}: ")
    assert complaint in complaints[0]


@pytest.mark.parametrize(
    ("cell", "phone"),
    [
        ("13800000001", "+8613800000001"),
        ("+86 138-0000-0001", "+8613800000001"),
        ("008613800000001", "+8613800000001"),
        ("8613800000001", "+8613800000001"),
        ("１３８０００００００１", "+8613800000001"),
        ("'13800000001", "+8613800000001"),
        ("010-65551234", "+861065551234"),
        ("+85221234567", "+85221234567"),
        ("0085221234567", "+85221234567"),
    ],
)
def test_phones_are_understood_as_people_write_them(tmp_path: Path, cell: str, phone: str) -> None:
    [row], complaints = one_row(tmp_path, 手机号=cell)
    assert (row.phone, complaints) == (phone, [])


@pytest.mark.parametrize("cell", ["1235.6", "￥1,235.60", "1235.60元", "¥1235.60", "１２３５．６０"])
def test_amounts_are_understood_as_people_write_them(tmp_path: Path, cell: str) -> None:
    [row], _ = one_row(tmp_path, 应还金额=cell)
    assert str(row.amount_due) == "1235.60"


@pytest.mark.parametrize(
    "cell", ["2026-11-17", "2026/11/17", "2026.11.17", "20261117", "2026年11月17日", "-5d", "2026/11/17 0:00"]
)
def test_dates_are_understood_as_people_write_them(tmp_path: Path, cell: str) -> None:
    [row], _ = one_row(tmp_path, 到期日=cell)
    assert row.due_date == date(2026, 11, 17)


def test_a_sip_address_stands_in_for_a_phone(tmp_path: Path) -> None:
    [row], _ = one_row(tmp_path, 手机号="", sip_uri="sip:alice@127.0.0.1:5099")
    assert (row.phone, row.sip_uri) == (None, "sip:alice@127.0.0.1:5099")
    _, complaints = one_row(tmp_path, sip_uri="alice")
    assert complaints == ["row 2, column sip_uri: alice is no SIP address; sip:someone@host expected"]


def test_good_rows_are_kept_and_bad_ones_come_back_with_the_reason(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        GOOD,
        GOOD.replace("D1", "D2").replace("13800000001", "138").replace("3344", "33"),
        "",
        GOOD.replace("D1", "D3") + ",too,many",
        GOOD,
        "D5,王",
        GOOD.replace("D1", "D6"),
        encoding="gb18030",
    )
    rejects = tmp_path / "out" / "rejects.csv"
    rows, file = read(path, rejects)
    assert [r.case_id for r in rows] == ["D1", "D6"]
    assert (file.accepted, file.rejected) == (2, 4)
    with rejects.open(encoding="utf-8-sig", newline="") as f:
        back = list(csv.DictReader(f))
    assert [r["案件编号"] for r in back] == ["D2", "D3", "D1", "D5"]
    two_reasons, too_long, twice, too_short = (r["reason"] for r in back)
    assert two_reasons.startswith(
        "row 3, column 手机号: 138 is 3 digits; 11 expected; row 3, column 卡尾号: 33 is 2 digits; 4 expected"
    )
    assert too_long == "row 5, column 11: 12 cells where the header has 10; quote the commas"
    assert twice == "row 6, column 案件编号: D1 stands in an earlier row as well"
    assert "row 7, column 产品: is empty" in too_short


def test_a_repaired_reject_file_can_be_imported(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    read(write(tmp_path / "a.csv", GOOD.replace("13800000001", "138")), rejects)
    rejects.write_text(rejects.read_text("utf-8-sig").replace(",138,", ",13800000001,"), "utf-8-sig")
    [row], _ = read(rejects)
    assert row.phone == "+8613800000001"


def test_without_bad_rows_there_is_no_reject_file_and_an_old_one_is_gone(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    rejects.write_text("of yesterday")
    read(write(tmp_path / "a.csv", GOOD), rejects)
    assert not rejects.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "row 1: no column case_id/"),
        ("姓名,手机号\n".encode(), r"row 1: no column case_id/案件编号, product/产品, card_tail/卡尾号, amount"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "save it as 'CSV UTF-8'"),
        (b"PK\x03\x04\xff\xff\xff", "not an Excel workbook"),
        (f'{HEADER}\n{GOOD}\nD2,"open\n'.encode() + b"x" * 70_000, "row 3: .*quotation mark left open"),
    ],
)
def test_a_file_that_is_no_case_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(CasesError, match=complaint):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match=r"none\.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv")


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    _, a = read(write(tmp_path / "a.csv", GOOD))
    _, b = read(write(tmp_path / "b.csv", GOOD))
    _, c = read(write(tmp_path / "c.csv", GOOD.replace("5.60", "5.61")))
    assert a.sha256 == b.sha256 != c.sha256


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    def peak_bytes(n: int) -> int:
        path = write(tmp_path / f"{n}.csv", *(GOOD.replace("D1", f"D{i}") for i in range(n)))
        tracemalloc.start()
        assert sum(1 for _ in CaseFile(path, TODAY, "示例银行")) == n
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_bytes(10)  # loads the numbering plans
    assert peak_bytes(3000) - peak_bytes(1000) < 2000 * 200, "a row kept as an object takes about 1,000 bytes"


cells = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(GOOD.split(","))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells, min_size=1, max_size=11), max_size=6))
def test_whatever_stands_in_the_rows_each_is_accepted_or_explained(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(HEADER.split(","))
        writer.writerows(rows)
    try:
        good, file = read(path)
    except CasesError:
        return
    assert file.accepted == len(good)
    assert file.accepted + file.rejected <= len(rows)
    assert len({e.row for e in file.errors}) == file.rejected
    assert all(g.amount_due > 0 and (g.phone or g.sip_uri) for g in good)


def test_the_example_names_twelve_debtors_of_the_first_month() -> None:
    rows, file = read(PROJECT_ROOT / "examples" / "cases.csv")
    assert (len(rows), file.errors) == (12, [])
    assert [r.phone for r in rows] == [f"+86138{n:08d}" for n in range(1, 13)]
    assert {r.facts(TODAY).stage for r in rows} == {"M1"}


def test_the_example_case_can_be_loaded_by_hand() -> None:
    now = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
    facts = load_case(PROJECT_ROOT / "examples" / "case.json", now, "Asia/Shanghai")
    assert (facts.name, facts.amount_due, facts.due_date) == ("王强", Decimal("3280.50"), date(2026, 11, 17))
    assert facts.days_overdue == 5, "it is already the 22nd in Shanghai"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"amount": None}, "no key amount"),
        ({"amount": "many"}, "key amount: many is no amount"),
        ({"卡尾号": "1", "card_tail": None}, "key 卡尾号: 1 is 1 digits; 4 expected"),
        ({"name": ["王强"]}, "key name: a text or a number expected"),
        ({"bank": None}, "no key bank"),
    ],
)
def test_a_bad_case_by_hand_is_named_by_key(tmp_path: Path, data: dict[str, object], complaint: str) -> None:
    good = json.loads((PROJECT_ROOT / "examples" / "case.json").read_text("utf-8"))
    path = tmp_path / "case.json"
    path.write_text(json.dumps(good | data), "utf-8")
    with pytest.raises(CasesError, match=rf"case\.json: {complaint}"):
        load_case(path, datetime.now(UTC), ZoneInfo("Asia/Shanghai"))


def test_amounts_by_hand_keep_their_digits(tmp_path: Path) -> None:
    good = (PROJECT_ROOT / "examples" / "case.json").read_text("utf-8")
    path = tmp_path / "case.json"
    path.write_text(good.replace('"3280.50"', "3280.10"), "utf-8")
    assert load_case(path, datetime.now(UTC), "Asia/Shanghai").amount_due == Decimal("3280.10")


@pytest.mark.parametrize("content", ["[]", "{", ""])
def test_a_case_by_hand_must_be_an_object(tmp_path: Path, content: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(content)
    with pytest.raises(CasesError, match=r"not valid JSON|expected one object"):
        load_case(path, datetime.now(UTC), "Asia/Shanghai")
