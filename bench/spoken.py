"""How much understanding is lost between the mouth and the words? Test turns as text, and as the robot hears them.

    python bench/spoken.py               # 300 test turns; the first time rendering takes some ten minutes

The same turns are spoken at three speeds by the four voices that neither ears nor understanding learned from, sent
through G.711, alone and under the babble of six others 15 dB below, transcribed by the robot's own recogniser listening
for what the question lets it expect, and classified.
"""

from __future__ import annotations

import argparse
import difflib
import random
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from voicebot.intent.classifier import Decision, IntentClassifier
from voicebot.intent.data import Example, read_test_turns
from voicebot.intent.hearing import spoken_and_heard
from voicebot.intent.pieces import spoken
from voicebot.intent.quality import Quality, assess
from voicebot.settings import PROJECT_ROOT, load_settings
from voicebot.speech.adapt.mouths import HELD_OUT
from voicebot.speech.api import Hypothesis
from voicebot.speech.asr import make_asr

TEST = PROJECT_ROOT / "models" / "intent" / "data" / "test"
BABBLE_DB = 15.0
LONGEST = 30  # characters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--data", type=Path, default=TEST, help="folder of test turns")
    parser.add_argument("--model", type=Path, default=load_settings().understanding.model)
    parser.add_argument("--show", action="store_true", help="list the turns that were read right and heard wrong")
    options = parser.parse_args()
    settings = load_settings()
    classifier, ear = IntentClassifier(options.model), make_asr(settings)
    examples = [
        t.example for t in read_test_turns(sorted(options.data.glob("*.tsv"))) if len(t.example.text) <= LONGEST
    ]
    random.Random(300).shuffle(examples)
    chosen = examples[: options.turns]
    turns = [(e.text, e.pending) for e in chosen]
    table = Table(title=f"{len(chosen)} test turns, {classifier.name}, {ear.name}", title_justify="left")
    for column in ("", "primary right", "loss, points", "set F1", "worst critical recall", "words right"):
        table.add_column(column, justify="right" if column else "left")
    text = _assess(chosen, classifier.decide_all(turns))
    table.add_row("text", f"{text.primary:.3f}", "", f"{text.set_f1:.3f}", f"{text.critical_recall:.3f}", "")
    for name, babble_db in (("G.711", None), (f"G.711, babble {BABBLE_DB:.0f} dB", BABBLE_DB)):
        heard = list(spoken_and_heard(settings, ear, turns, (babble_db,), HELD_OUT))
        decided = [_decide(classifier, h, e) for h, e in zip(heard, chosen, strict=True)]
        q = _assess(chosen, decided)
        likeness = [
            difflib.SequenceMatcher(None, spoken(e.text), h.text, autojunk=False).ratio()
            for e, h in zip(chosen, heard, strict=True)
        ]
        table.add_row(
            name,
            f"{q.primary:.3f}",
            f"{(text.primary - q.primary) * 100:.1f}",
            f"{q.set_f1:.3f}",
            f"{q.critical_recall:.3f}",
            f"{sum(likeness) / len(likeness):.2f}",
        )
        if options.show:
            _list_lost(chosen, classifier.decide_all(turns), heard, decided)
    Console(width=max(120, Console().width)).print(table)


def _decide(classifier: IntentClassifier, heard: Hypothesis, example: Example) -> Decision:
    texts = [(heard.text, 1.0), *((o.text, o.weight) for o in heard.others)]
    return classifier.decide_between(texts, example.pending)


def _assess(chosen: Sequence[Example], decided: Sequence[Decision]) -> Quality:
    return assess([e.acts for e in chosen], [d.acts for d in decided])


def _list_lost(
    chosen: Sequence[Example], read: Sequence[Decision], heard: Sequence[Hypothesis], decided: Sequence[Decision]
) -> None:
    for e, r, h, d in zip(chosen, read, heard, decided, strict=True):
        if r.acts[0] is e.acts[0] is not d.acts[0]:
            print(f"{e.text} -> {h.text}: {e.acts[0]} -> {d.acts[0]}")


if __name__ == "__main__":
    main()
