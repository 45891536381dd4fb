"""Do whole calls come to the right end? Calls by text, against what the bank should have booked.

    python bench/calls.py                                   # models/intent/data/calls/*.jsonl
    python bench/calls.py --calls FILE.jsonl --show

Each line of a file is one call as `voicebot converse` takes it, with `expect`: disposition, and pay_date, pay_amount,
callback_at where they are agreed. Shown per file: dispositions right, days and sums right among the calls that promise,
times right among the callbacks, and calls in which somebody who is not the debtor heard of the debt.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from dialogue.script import DEBT_WORDS
from voicebot.call.typed import TypedCall
from voicebot.campaign.scripts import find_script
from voicebot.cli.converse import Conversation, hold
from voicebot.intent.understander import understander_of
from voicebot.settings import PROJECT_ROOT, load_settings

CALLS = PROJECT_ROOT / "models" / "intent" / "data" / "calls"
NOT_THE_DEBTOR = ("wrong_number", "third_party", "call_assistant", "deceased_or_detained", "no_response")
VALUES = ("pay_date", "pay_amount", "callback_at")


@dataclass(frozen=True)
class Judged:
    call: TypedCall
    expect: dict[str, object]
    told: dict[str, object]

    @property
    def disposition_right(self) -> bool:
        return self.told["disposition"] == self.expect["disposition"]

    def value_right(self, name: str) -> bool:
        return (self.told[name] or None) == (self.expect.get(name) or None)

    @property
    def told_the_wrong_one(self) -> bool:
        """Whether somebody who is not the debtor, as the file says, heard a word of the debt; whatever the robot took
        him for."""
        if self.expect["disposition"] not in NOT_THE_DEBTOR:
            return False
        robot = [said for said in self.call.transcript if said.who == "robot"]
        return any("debt" in said.discloses or any(word in said.text for word in DEBT_WORDS) for said in robot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=Path, nargs="+", default=sorted(CALLS.glob("*.jsonl")))
    parser.add_argument("--script", default="m1_collection")
    parser.add_argument("--show", action="store_true", help="the transcript of every call that went wrong")
    options = parser.parse_args()
    settings = load_settings()
    script, understander = find_script(options.script, settings), understander_of(settings)
    zone = ZoneInfo(settings.timezone)
    table = Table(title=f"{script.name}, {understander.name}", title_justify="left")
    for column in ("calls", "n", "disposition right", "day and sum right", "callback right", "told the wrong one"):
        table.add_column(column, justify="left" if column == "calls" else "right")
    for file in options.calls:
        judged = []
        for line in file.read_text("utf-8").splitlines():
            data = json.loads(line)
            call, told = hold(script, understander, Conversation.model_validate(data), zone, settings.bank)
            judged.append(Judged(call, data["expect"], told))
        table.add_row(file.stem, *_row(judged))
        if options.show:
            _show(judged)
    Console(width=max(120, Console().width)).print(table)


def _row(judged: list[Judged]) -> list[str]:
    promised = [j for j in judged if j.expect.get("pay_date")]
    callbacks = [j for j in judged if j.expect.get("callback_at")]
    right = sum(j.disposition_right for j in judged)
    kept = sum(j.value_right("pay_date") and j.value_right("pay_amount") for j in promised)
    times = sum(j.value_right("callback_at") for j in callbacks)
    return [
        str(len(judged)),
        f"{right} ({right / len(judged):.1%})",
        f"{kept} of {len(promised)}",
        f"{times} of {len(callbacks)}",
        str(sum(j.told_the_wrong_one for j in judged)),
    ]


def _show(judged: list[Judged]) -> None:
    for j in judged:
        if j.disposition_right and all(j.value_right(name) for name in VALUES):
            continue
        print(j.told["id"], "expected", j.expect, "got", {name: j.told[name] for name in ("disposition", *VALUES)})
        for said in j.call.transcript:
            acts = ",".join(said.understood.acts) if said.understood else ""
            print(f"    {said.who:8} {said.text} {acts}")


if __name__ == "__main__":
    main()
