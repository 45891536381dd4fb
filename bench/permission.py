"""Is a contact ever judged wrongly? Random histories against an independent oracle, and how fast the judge is.

    python bench/permission.py                # 200,000 histories over all rule packs

The oracle (tests/compliance/oracle.py) reads the same YAML on its own and counts on wall clocks and calendars. Wherever
a contact is refused, the oracle must refuse it for the same rules, must still refuse it one microsecond before the next
allowed moment that the judge names, and permit it at that moment.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.compliance import histories, oracle
from voicebot.compliance import Refusal, judge, load_pack, pack_names
from voicebot.compliance.packs import FOLDER


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=200_000, help="over all packs together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = pack_names()
    table = Table(title=f"{options.histories} histories and requests, seed {options.seed}", title_justify="left")
    for column in ("pack", "judged", "permitted", "refused", "with a next time", "disagreements", "judged per s"):
        table.add_column(column, justify="right" if column != "pack" else "left")
    rules: Counter[str] = Counter()
    wrong = 0
    for name in names:
        pack, slow = load_pack(name), oracle.read(FOLDER / f"{name}.yaml")
        chance = random.Random(f"{options.seed}/{name}")
        count = options.histories // len(names)
        permitted = timed = disagreed = 0
        seconds = 0.0
        for _ in range(count):
            facts, request = histories.case(chance)
            began = time.perf_counter()
            judged = judge(pack, facts, request)
            seconds += time.perf_counter() - began
            mine = {o.rule for o in judged.objections} if isinstance(judged, Refusal) else set()
            rules.update(mine)
            permitted += not mine
            agree = mine == oracle.refusing(slow, facts, request)
            if isinstance(judged, Refusal) and (at := judged.next_allowed) is not None:
                timed += 1
                before = replace(request, now=at - timedelta(microseconds=1))
                agree &= not oracle.refusing(slow, facts, replace(request, now=at))
                agree &= bool(oracle.refusing(slow, facts, before))
            if not agree:
                disagreed += 1
                if disagreed <= 3:
                    print(f"{name}: {judged} for {facts}, {request}")
        wrong += disagreed
        cells = (count, permitted, count - permitted, timed, disagreed, round(count / seconds))
        table.add_row(name, *(f"{n:,}" for n in cells))
    out = Console(width=max(110, Console().width))
    out.print(table)
    often = Table(title="refusals by rule", title_justify="left")
    often.add_column("rule")
    often.add_column("refusals", justify="right")
    for rule, n in rules.most_common():
        often.add_row(rule, f"{n:,}")
    out.print(often)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
