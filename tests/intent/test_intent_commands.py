"""`voicebot understand`, `converse` and `intent`, as other programs call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from voicebot.cli import converse, intent, understand
from voicebot.settings import PROJECT_ROOT

CASE = {
    "name": "王强",
    "gender": "male",
    "amount": "3280.50",
    "min_amount": "328.05",
    "days_overdue": 5,
    "stage": "M1",
    "due_date": "2026-11-13",
    "product": "信用卡",
    "card_tail": "3344",
}


def run(module: object, command: str, *lines: object, args: tuple[str, ...] = ()) -> Result:
    import typer

    app = typer.Typer()
    app.callback()(lambda: None)
    module.register(app)  # type: ignore[attr-defined]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    return CliRunner().invoke(app, [command, *args], input=text)


def answers(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_turns_are_answered_one_by_one() -> None:
    done = run(
        understand,
        "understand",
        {
            "id": "a",
            "question": "您看哪天能还？",
            "pending": "ask_pay_date",
            "text": "下周五还一千二",
            "now": "2026-11-18T10:20",
        },
        {"id": 2, "pending": "verify_identity", "text": "是我", "now": "2026-11-18T10:20"},
        {"id": "c", "pending": "inform", "text": "开会呢你下午三点再打", "now": "2026-11-18T10:20"},
    )
    assert done.exit_code == 0, done.stderr
    first, second, third = answers(done)
    assert first["intents"] in (["promise_pay"], ["promise_partial"])
    assert first["slots"] == {"pay_date": "2026-11-27", "pay_amount": "1200.00"}
    assert (second["id"], second["intents"], second["slots"]) == (2, ["self"], {})
    assert third["slots"] == {"callback_at": "2026-11-18T15:00"}
    assert all(0 <= a["confidence"] <= 1 and a["ms"] >= 0 for a in (first, second, third))  # type: ignore[operator]


def test_a_bad_line_is_named_and_the_others_are_answered() -> None:
    done = run(
        understand,
        "understand",
        {"id": "a", "pending": "ask_pay_now", "text": "好"},
        "no json",
        {"id": "c", "pending": "none", "text": "好"},
    )
    assert done.exit_code == 2
    first, second, third = answers(done)
    assert first["id"] == "a" and "pending" in str(first["error"])
    assert "error" in second and "intents" in third
    assert "line 1" in done.stderr and "line 2" in done.stderr


def test_a_call_by_text_comes_to_its_promise() -> None:
    turns = ["喂", "对是我", "今天不行", "周五吧", "对", "好再见"]
    done = run(
        converse,
        "converse",
        {"id": "k1", "case": CASE, "now": "2026-11-18T10:20", "customer_turns": turns},
        args=("--script", "m1_collection"),
    )
    assert done.exit_code == 0, done.stderr
    [call] = answers(done)
    assert (call["disposition"], call["pay_date"], call["pay_amount"]) == ("promised", "2026-11-20", "3280.50")
    assert call["handoff"] is False and call["callback_at"] is None
    told = call["turns"]
    assert isinstance(told, list)
    before = told[: next(i for i, t in enumerate(told) if t["who"] == "customer" and "self" in t["acts"])]
    assert not [t for t in before if "debt" in t.get("discloses", ())]
    disclosed = [d for t in told for d in t.get("discloses", ())]
    assert disclosed[:4] == ["identity", "ai", "recorded", "debt"]


def test_silence_is_an_empty_turn_and_a_person_is_called_when_asked_for() -> None:
    done = run(
        converse,
        "converse",
        {"id": 1, "case": CASE, "now": "2026-11-18T10:20", "customer_turns": ["", "", "", "喂"]},
        {"id": 2, "case": CASE, "now": "2026-11-18T10:20", "customer_turns": ["是我", "我要找你们人工客服", "好"]},
    )
    silent, person = answers(done)
    assert silent["disposition"] == "no_response"
    assert (person["disposition"], person["handoff"], person["handoff_reason"]) == (
        "transferred",
        True,
        "request_human",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [({"amount": "0"}, "amount"), ({"days_overdue": None, "due_date": None}, "neither"), ({"name": ""}, "name")],
)
def test_a_case_that_is_no_case_is_told_why(change: dict[str, object], message: str) -> None:
    done = run(converse, "converse", {"id": 1, "case": CASE | change, "customer_turns": ["是我"]})
    assert done.exit_code == 2
    [answer] = answers(done)
    assert message in str(answer["error"])


def test_the_report_names_every_act_and_measures_own_turns(tmp_path: Path) -> None:
    file = tmp_path / "ours.tsv"
    file.write_text("none\t-\trequest_human\t给我转人工\t{}\nverify_identity\t-\tself\t是我\t{}\n", "utf-8")
    done = run(intent, "intent", args=("report", "--test", str(file), "--wrong"))
    assert done.exit_code == 0, done.stderr
    assert "request_human *" in done.stdout and "1.000" in done.stdout


def test_a_model_that_is_no_model_is_not_installed(tmp_path: Path) -> None:
    done = run(intent, "intent", args=("install", str(tmp_path)))
    assert done.exit_code == 2 and "not an intent model" in done.stderr


def test_a_worse_model_is_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_use, candidate = tmp_path / "in_use", tmp_path / "candidate"
    for folder in (in_use, candidate):
        folder.mkdir()
        for name in ("model.onnx", "pieces.tsv", "ending.npz", "model.json"):
            (folder / name).write_bytes((PROJECT_ROOT / "models" / "intent" / name).read_bytes())
    facts = json.loads((candidate / "model.json").read_text("utf-8"))
    facts["thresholds"] = dict.fromkeys(facts["thresholds"], 0.01)  # every act everywhere
    (candidate / "model.json").write_text(json.dumps(facts), "utf-8")
    monkeypatch.setenv("VOICEBOT__UNDERSTANDING__MODEL", str(in_use))
    held = run(intent, "intent", args=("install", str(candidate)))
    assert held.exit_code == 1 and "Held back" in held.stdout and "--anyway" in held.stdout
    assert json.loads((in_use / "model.json").read_text("utf-8")) != facts
    forced = run(intent, "intent", args=("install", str(candidate), "--anyway"))
    assert forced.exit_code == 0
    assert json.loads((in_use / "model.json").read_text("utf-8")) == facts
