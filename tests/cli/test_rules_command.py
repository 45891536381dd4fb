"""`voicebot rules` as people and programs use it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from voicebot.cli import rules

app = typer.Typer()
rules.register(app)
NIGHT = {"id": 1, "now": "2026-11-27T22:30:00+08:00"}


def run(*args: str, given: object):
    return CliRunner().invoke(app, ["rules", *args], input=given if isinstance(given, str) else json.dumps(given))


def test_a_refusal_names_rule_and_next_time_in_the_debtors_zone() -> None:
    told = json.loads(run("check", given=NIGHT).stdout)
    assert (told["permitted"], told["rules"]) == (False, ["CN-TIME"])
    assert told["next_allowed"] == "2026-11-28T08:00:00+08:00"
    assert told["objections"][0]["instrument"].startswith("GB/T 45251")


def test_a_permit_says_until_when() -> None:
    told = json.loads(run("check", given=NIGHT | {"now": "2026-11-27T12:00:00+08:00"}).stdout)
    assert (told["permitted"], told["valid_until"]) == (True, "2026-11-27T22:00:00+08:00")


def test_a_bad_line_is_named_and_the_others_are_judged() -> None:
    lines = [json.dumps({"now": "2026-11-27T12:00:00"}), json.dumps(NIGHT | {"colour": "red"}), json.dumps(NIGHT)]
    result = run("check", given="\n".join(lines))
    told = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert "now" in told[0]["error"] and "colour" in told[1]["error"] and told[2]["rules"] == ["CN-TIME"]
    assert result.exit_code == 2


def test_it_is_explained_in_chinese() -> None:
    assert "2026-11-28 08:00" in run("explain", given=NIGHT).stdout
    assert "不得致电" in run("explain", given=NIGHT).stdout
    assert "可以联系" in run("explain", given=NIGHT | {"now": "2026-11-27T12:00:00+08:00"}).stdout


@pytest.mark.parametrize("name", ["cn", "us", "hk", "in"])
def test_every_pack_can_be_listed(name: str) -> None:
    assert run("list", "--pack", name, given="").exit_code == 0


def test_a_pack_that_is_not_there_is_an_error_with_a_way_out() -> None:
    result = run("check", "--pack", "atlantis", given="")
    assert result.exit_code == 2 and "cn" in result.stderr


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{id: X, kind: hourly, instrument: i, certainty: policy, zh: z, en: e}", "hours"),
        ("{id: X, kind: hours, windows: ['22:00-08:00'], instrument: i, certainty: policy, zh: z, en: e}", "one day"),
        ("{id: X, kind: hours, windows: ['02:30-08:00'], instrument: i, certainty: policy, zh: z, en: e}", "clocks"),
        ("{id: X, kind: never, limit: 3, instrument: i, certainty: policy, zh: z, en: e}", "unknown key 'limit'"),
        ("{id: X, kind: quiet, per: loan, instrument: i, certainty: policy, zh: z, en: e}", "days"),
        (
            "{id: X, kind: limit, counted: dials, per: loan, limit: 1, instrument: i, certainty: policy, zh: z, en: e}",
            "days or within seconds",
        ),
    ],
)
def test_a_pack_that_is_wrong_names_place_and_way_out(tmp_path, rule: str, problem: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"pack: mine\nversion: '1'\nzone: UTC\nrules:\n  - {rule}\n", "utf-8")
    result = run("check", "--pack", str(file), given="")
    assert result.exit_code == 2 and "mine.yaml:5" in result.stderr and problem in result.stderr
