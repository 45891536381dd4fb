"""A persona file says what it means, or the error says where it does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.debtor.persona import (
    PersonaError,
    load_persona,
    load_personas,
    normalise_user,
    pieces,
    resolve_date,
)

PERSONAS = Path(__file__).resolve().parents[2] / "examples" / "personas"

GOOD = """\
name: friday
about: 周五还
user: "13800000002"
lines:
  - hears: 今天.*还
    say: 今天不行啊
  - hears: any
    say: 周五吧
    repeat: always
expect: {disposition: promised, pay_date: friday, amount: full}
"""


def written(folder: Path, text: str, name: str = "p.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_good_file_becomes_a_persona(tmp_path: Path) -> None:
    persona = load_persona(written(tmp_path, GOOD))
    assert persona.lines[0].fits("您今天能还款吗")
    assert not persona.lines[0].fits("请问是王强先生吗")
    assert persona.lines[1].repeat > 1000
    assert persona.expect is not None and persona.expect.dispositions == ("promised",)


@pytest.mark.parametrize(
    ("broken", "line", "says"),
    [
        (GOOD.replace("say: 周五吧", "says: 周五吧"), 8, "says"),
        (GOOD.replace("今天.*还", "今天(还"), 5, "not a regular expression"),
        (GOOD.replace("    say: 今天不行啊\n", ""), 5, "does nothing"),
        (GOOD.replace("friday, amount", "someday, amount"), 10, "someday"),
        (GOOD.replace("about: 周五还\n", ""), 1, "about"),
        (GOOD + "voice: zf_nobody\n", 1, "zf_nobody"),
        (GOOD.replace("say: 周五吧", "play: gone.wav"), 0, "gone.wav"),
        (GOOD.replace("say: 周五吧", "say: '[450]周五吧'"), 7, "between words"),
        (GOOD.replace("lines:", "lines: ]"), 4, "YAML"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, broken: str, line: int, says: str) -> None:
    with pytest.raises(PersonaError) as caught:
        load_persona(written(tmp_path, broken))
    assert "p.yaml" in str(caught.value)
    assert says in str(caught.value)
    if line:
        assert f"line {line}" in str(caught.value)


def test_a_missing_file_is_a_persona_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match=r"nobody\.yaml"):
        load_persona(tmp_path / "nobody.yaml")


def test_two_personas_cannot_answer_for_one_phone(tmp_path: Path) -> None:
    one = written(tmp_path, GOOD, "a.yaml")
    two = written(tmp_path, GOOD.replace('"13800000002"', '"+86 138 0000 0002"'), "b.yaml")
    with pytest.raises(PersonaError, match=r"b\.yaml.*a\.yaml"):
        load_personas([one, two])


@pytest.mark.parametrize(
    "dialled", ["13800000001", "+8613800000001", "8613800000001", "008613800000001", "+86 138-0000-0001"]
)
def test_a_phone_is_the_same_line_with_and_without_its_country_code(dialled: str) -> None:
    assert normalise_user(dialled) == "13800000001"


def test_pauses_are_cut_out_of_the_text_to_the_millisecond() -> None:
    assert pieces("我明天……[450]下午[1200]转过去") == [("我明天……", 450), ("下午", 1200), ("转过去", 0)]


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_weekday_is_always_within_the_seven_days_after_today(today: date) -> None:
    friday = resolve_date("friday", today)
    assert friday.weekday() == 4
    assert 1 <= (friday - today).days <= 7


def test_every_shipped_persona_is_valid() -> None:
    personas = load_personas([PERSONAS, PERSONAS / "bench"])
    users = {normalise_user(p.user) for p in personas}
    assert {f"138000000{n:02d}" for n in range(1, 13)} <= users
    assert all(p.expect is not None for p in personas if p.user.startswith("138000000"))
