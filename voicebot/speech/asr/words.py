"""What do customers of a collection call say? How likely a character is after the ones before it; counted, not trained.

A telephone leaves the recogniser with two or three characters that it takes for equally likely; which of them people
say in such a call is known. Interpolated Witten-Bell estimates over characters (Witten and Bell 1991; Chen and Goodman
1999), kept as a back-off table: per n-gram its log-probability, and what the context of a missing one costs.

An .npz: `characters`, one string, the first of them the end of a turn; per order n `keys_n` (the characters' places in
it, packed into one integer, sorted), `log_p_n` and `back_off_n`, natural logs; `about`, JSON. `voicebot ears words`
writes it, models/ears/ has the one that is shipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicebot.speech.asr.base import MissingWeights, spoken

ORDER = 4
KEEP = 2  # three and four characters in a row that were seen less often are not kept
END = "\n"
_BITS = 13  # per character in a key: ORDER of them fit into 63 bits

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Table:
    """The n-grams of one order. `back_off` is 0 for those that are no context."""

    keys: npt.NDArray[np.int64]
    log_p: Floats
    back_off: Floats

    def find(self, keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        at = np.searchsorted(self.keys, keys)
        at = np.minimum(at, len(self.keys) - 1)
        return at, self.keys[at] == keys


class WordModel:
    """`log_p(before, next)`: natural log of P(character | the characters before it). Read only; thread-safe."""

    def __init__(self, name: str, characters: str, tables: Sequence[_Table]) -> None:
        self.name = name
        self.characters = characters
        self.tables = tuple(tables)
        self._places = {c: i for i, c in enumerate(characters)}

    def places(self, characters: Iterable[str]) -> npt.NDArray[np.int64]:
        """Where each character stands in `characters`; -1 for one that no customer was seen to say."""
        return np.array([self._places.get(c, -1) for c in characters], np.int64)

    def log_p(self, before: Sequence[int], candidates: npt.NDArray[np.int64]) -> Floats:
        """`before`: the turn so far, as places; `candidates`: places [k]. Returns [k]."""
        context = [0, *before][-(len(self.tables) - 1) :]
        if -1 in context:
            context = context[len(context) - context[::-1].index(-1) :]
        unseen = float(self.tables[0].log_p.min()) - 1.0
        found = np.full(len(candidates), np.nan, np.float32)
        owed = 0.0
        for n in range(len(context), -1, -1):
            head = _packed(context[len(context) - n :])
            at, hit = self.tables[n].find((head << _BITS) | candidates)
            fresh = hit & np.isnan(found) & (candidates >= 0)
            found[fresh] = self.tables[n].log_p[at[fresh]] + owed
            if n > 0:
                place, is_context = self.tables[n - 1].find(np.array([head]))
                owed += float(self.tables[n - 1].back_off[place[0]]) if is_context[0] else 0.0
        found[np.isnan(found)] = unseen + owed
        return found


def count(turns: Iterable[str], name: str, order: int = ORDER, keep: int = KEEP) -> WordModel:
    """Learn from turns as text. Raises ValueError when there is nothing in them."""
    rows = [row for row in (spoken(turn) for turn in turns) if row]
    if not rows:
        raise ValueError("no turn with a word in it to learn from")
    common = Counter(c for row in rows for c in row)
    characters = END + "".join(sorted(c for c, _ in common.most_common(2**_BITS - 2)))
    place = {c: i for i, c in enumerate(characters)}
    counts: list[Counter[int]] = [Counter() for _ in range(order)]
    for row in rows:
        ids = [0, *(place[c] for c in row if c in place), 0]
        for i in range(1, len(ids)):
            for n in range(min(order, i + 1)):
                counts[n][_packed(ids[i - n : i + 1])] += 1
    for n in range(2, order):
        counts[n] = Counter({key: seen for key, seen in counts[n].items() if seen >= keep})
    return WordModel(name, characters, _estimated([seen for seen in counts if seen], len(characters)))


def _estimated(counts: Sequence[Mapping[int, int]], characters: int) -> list[_Table]:
    """From counts to probabilities, order by order: each rests on the one below. Every context is itself an n-gram."""
    lower = {0: 1.0 / (characters + 1)}  # P of any character when nothing is known
    found: list[dict[int, float]] = []
    back_off: list[dict[int, float]] = []
    for n, seen in enumerate(counts):
        total, kinds = Counter[int](), Counter[int]()
        for key, times in seen.items():
            total[key >> _BITS] += times
            kinds[key >> _BITS] += 1
        shorter = (1 << _BITS * n) - 1
        lower = {
            key: (times + kinds[key >> _BITS] * lower[key & shorter]) / (total[key >> _BITS] + kinds[key >> _BITS])
            for key, times in seen.items()
        }
        found.append(lower)
        if n:
            back_off.append({c: float(np.log(kinds[c] / (total[c] + kinds[c]))) for c in total})
    back_off.append({})
    return [_table(likely, costs) for likely, costs in zip(found, back_off, strict=True)]


def _table(likely: Mapping[int, float], costs: Mapping[int, float]) -> _Table:
    keys = sorted(likely)
    log_p = np.log([likely[k] for k in keys])
    return _Table(np.array(keys, np.int64), log_p.astype(np.float32), np.array([costs.get(k, 0.0) for k in keys], "f4"))


def _packed(places: Sequence[int]) -> int:
    key = 0
    for place in places:
        key = key << _BITS | place
    return key


def write_words(model: WordModel, file: Path, about: Mapping[str, object]) -> None:
    """Written beside and renamed, so that nobody reads half of it. Logs are kept to three digits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    parts: dict[str, npt.NDArray[np.generic]] = {}
    for n, table in enumerate(model.tables, start=1):
        parts |= {f"keys_{n}": table.keys, f"log_p_{n}": table.log_p.astype(np.float16)}
        parts[f"back_off_{n}"] = table.back_off.astype(np.float16)
    part = file.with_suffix(".part.npz")
    told = json.dumps({"name": model.name, **about}, ensure_ascii=False)
    np.savez_compressed(part, characters=model.characters, about=told, **parts)  # type: ignore[arg-type]
    part.replace(file)


def read_words(file: Path) -> WordModel:
    """Raises MissingWeights, naming the file, when it is not there or not what it should be."""
    try:
        with np.load(file) as z:
            orders = sum(name.startswith("keys_") for name in z.files)
            tables = [
                _Table(z[f"keys_{n}"], z[f"log_p_{n}"].astype(np.float32), z[f"back_off_{n}"].astype(np.float32))
                for n in range(1, orders + 1)
            ]
            return WordModel(str(json.loads(str(z["about"]))["name"]), str(z["characters"]), tables)
    except Exception as e:
        raise MissingWeights(
            "muggle",
            file,
            f"cannot be read ({type(e).__name__}: {e})",
            "take it from the repository again, write it with voicebot ears words, or set speech.asr_words to null",
        ) from e
