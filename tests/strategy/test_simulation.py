"""A strategy on a virtual clock: the same twice, nobody lost, nothing against the law; and the command around it."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner

from voicebot.cli import strategy as command
from voicebot.compliance import load_pack
from voicebot.strategy.debtors import FILE, load_debtors
from voicebot.strategy.loader import StrategyError, load_strategy
from voicebot.strategy.model import Means
from voicebot.strategy.planning import Case
from voicebot.strategy.simulation import Outcome, Simulation

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 27, tzinfo=ZONE)
app = typer.Typer()
command.register(app)


def cases(count: int) -> list[Case]:
    chance = random.Random(3)
    return [
        Case(f"C{i}", date(2026, 11, 27) - timedelta(days=chance.randint(-3, 20)), Decimal(3000), (f"{i}",), ZONE)
        for i in range(count)
    ]


def run(count: int, seed: int = 1, days: int = 40) -> Outcome:
    return Simulation(load_strategy("default"), load_pack("cn"), load_debtors(), START, days, seed).run(cases(count))


def test_the_same_seed_gives_the_same_figures_and_another_does_not() -> None:
    assert run(60) == run(60)
    assert run(60) != run(60, seed=2)


def test_every_case_is_somewhere_at_the_end() -> None:
    o = run(200)
    assert o.cases == 200 == o.paid.total() + o.handed.total() + o.still_open
    assert o.kept.total() <= o.promised.total() <= o.reached.total()
    assert o.recovered == o.paid.total() * 3000


def test_the_law_is_asked_before_every_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    from voicebot.strategy import simulation

    asked = []

    def listening(pack, facts, request):
        judged = real(pack, facts, request)
        asked.append((request, judged))
        return judged

    real = simulation.judge
    monkeypatch.setattr(simulation, "judge", listening)
    o = run(60)
    permitted = [r for r, judged in asked if isinstance(judged, simulation.Permit)]
    by_robot = sum(n for (_, means), n in o.contacts.items() if means in simulation._CHANNEL)
    assert len(permitted) == by_robot > 100
    assert all(8 <= r.now.astimezone(ZONE).hour < 22 for r in permitted if r.channel == "voice")


def test_the_command_draws_charts_and_writes_a_summary(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["strategy", "simulate", "--count", "80", "--start", "2026-11-27", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["cases"] == 80 and summary["contacts"][Means.VOICE] > 0
    charts = sorted(tmp_path.glob("*.svg"))
    assert len(charts) == 4
    for chart in charts:
        assert ElementTree.parse(chart).getroot().tag.endswith("svg")


def test_what_comes_next_is_explained_in_chinese() -> None:
    told = {
        "due_date": "2026-11-20",
        "amount": "3000",
        "numbers": ["a"],
        "now": "2026-11-24T09:06:00+08:00",
        "events": [{"at": "2026-11-24T09:05:00+08:00", "step": "late_call", "ending": "busy", "number": "a"}],
    }
    result = CliRunner().invoke(app, ["strategy", "explain"], input=json.dumps(told))
    assert result.exit_code == 0 and "2026-11-24 09:20" in result.output and "重试" in result.output
    wrong = told | {"events": [told["events"][0] | {"step": "nowhere"}]}  # type: ignore[index, operator]
    result = CliRunner().invoke(app, ["strategy", "explain"], input=json.dumps(wrong))
    assert result.exit_code == 2 and "nowhere" in result.stderr


@pytest.mark.parametrize(("old", "new"), [("0.62\n", "1.62\n"), ("pays_alone", "pays_never"), ("promised:", "vowed:")])
def test_a_model_of_debtors_that_is_wrong_is_named(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FILE.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(StrategyError, match=r"mine\.yaml"):
        load_debtors(file)
