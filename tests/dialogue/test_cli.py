"""The commands for people who write scripts, run as they run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from voicebot.cli import chat, script

CASE = {
    "case_id": "C-1",
    "name": "王强",
    "gender": "male",
    "bank": "示例银行",
    "product": "信用卡",
    "card_tail": "3344",
    "amount": "3200.50",
    "min_amount": "320",
    "due_date": "2026-11-10",
}


@pytest.fixture
def voicebot() -> typer.Typer:
    app = typer.Typer()
    script.register(app)
    chat.register(app)
    return app


@pytest.fixture
def case_file(tmp_path: Path) -> Path:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(CASE, ensure_ascii=False), "utf-8")
    return path


def run(app: typer.Typer, *arguments: str, typed: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments, input=typed)
    return result.exit_code, result.stdout, result.stderr


def test_lint_passes_the_scripts_that_ship(voicebot: typer.Typer) -> None:
    code, out, _ = run(voicebot, "script", "lint")
    assert code == 0
    assert out.count("good") >= 2


def test_lint_names_line_and_way_out_of_a_broken_file(voicebot: typer.Typer, tmp_path: Path, m1_text: str) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(m1_text.replace("go: disclose", "go: disclos"), "utf-8")
    code, out, _ = run(voicebot, "script", "lint", str(broken))
    assert code == 1
    assert "broken.yaml:" in out and "did you mean disclose" in out


def test_lint_fails_a_script_that_speaks_of_debt_too_early(voicebot: typer.Typer, tmp_path: Path, m1_text: str) -> None:
    careless = tmp_path / "careless.yaml"
    careless.write_text(m1_text.replace("  greet: 您好，", "  greet: 您好，关于您的欠款，"), "utf-8")
    code, out, _ = run(voicebot, "script", "lint", str(careless))
    assert code == 1 and "before the right party confirmed" in out
    assert "error: debt-before-verification: lines.greet" in out and "    by greet\n" in out


def test_lint_prints_findings_as_json_lines(voicebot: typer.Typer, tmp_path: Path, m1_text: str) -> None:
    poor, no_script = tmp_path / "poor.yaml", tmp_path / "no_script.yaml"
    poor.write_text(m1_text.replace("  refused: {say: refused_noted,", "  refused: {"), "utf-8")
    no_script.write_text("script: 1", "utf-8")
    code, out, _ = run(voicebot, "script", "lint", "--json", str(poor), str(no_script), "m0_reminder")
    assert code == 1
    goodbye, unused, refused = (json.loads(line) for line in out.splitlines())
    assert (goodbye["rule"], goodbye["what"], goodbye["severity"]) == ("goodbye-missing", "nodes.refused", "error")
    assert [hop["to"] for hop in goodbye["path"]][-3:] == ["persuade", "refused", "[end: refused]"]
    assert goodbye["path"][-2] == {"by": "refuse_pay", "to": "refused"}
    assert (unused["rule"], unused["severity"], unused["script"]) == ("line-never-said", "warning", str(poor))
    assert (refused["rule"], refused["script"]) == ("not-a-script", str(no_script))


def test_lint_lets_warnings_pass_unless_it_is_strict(voicebot: typer.Typer, tmp_path: Path, m1_text: str) -> None:
    unwise = tmp_path / "unwise.yaml"
    unwise.write_text(m1_text.replace("  sorry: [", "  nobody_says: 您好。\n  sorry: ["), "utf-8")
    assert run(voicebot, "script", "lint", str(unwise))[0] == 0
    assert run(voicebot, "script", "lint", "--strict", str(unwise))[0] == 1


def test_a_script_that_is_not_there_is_a_usage_error(voicebot: typer.Typer) -> None:
    code, _, err = run(voicebot, "script", "show", "no_such_script")
    assert code == 2
    assert "no_such_script" in err and "m1_collection" in err


def test_show_draws_the_script(voicebot: typer.Typer) -> None:
    code, out, _ = run(voicebot, "script", "show", "m1_collection")
    assert code == 0 and out.startswith("flowchart TD")


def test_a_typed_call_ends_with_its_promise(voicebot: typer.Typer, case_file: Path) -> None:
    typed = "是我\n今天不行\n周五吧\n对\n"
    code, out, _ = run(voicebot, "chat", "--case", str(case_file), "--now", "2026-11-18T10:20", typed=typed)
    assert code == 0
    assert "请问是王强先生本人吗" in out and "promise_pay" in out and "pay_date=2026-11-20" in out
    assert "结果 promised" in out and "2026-11-20 3200.50元" in out


def test_an_empty_line_is_silence_and_the_end_of_input_hangs_up(voicebot: typer.Typer, case_file: Path) -> None:
    code, out, _ = run(voicebot, "chat", "--case", str(case_file), "--now", "2026-11-18T10:20", typed="\n")
    assert code == 0
    assert "沉默" in out and "客户挂机" in out and "结果 unclear" in out


def test_without_a_seat_the_chat_shows_the_callback(voicebot: typer.Typer, case_file: Path) -> None:
    arguments = ("chat", "--case", str(case_file), "--now", "2026-11-18T10:20", "--no-seat")
    code, out, _ = run(voicebot, *arguments, typed="转人工\n")
    assert code == 0 and "结果 callback" in out and "request_human" in out


@pytest.mark.parametrize(("option", "value"), [("--now", "tomorrow"), ("--case", "nowhere.json"), ("--script", "none")])
def test_wrong_arguments_are_told_without_a_traceback(
    voicebot: typer.Typer, case_file: Path, option: str, value: str
) -> None:
    arguments = {"--case": str(case_file), option: value}
    code, _, err = run(voicebot, "chat", *(part for pair in arguments.items() for part in pair))
    assert code == 2
    assert value in err and "Traceback" not in err
