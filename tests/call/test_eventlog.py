"""The event log: what is read is the very same as what was written, and a cut end is told, not hidden."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import typing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue import acts, protocol, understanding
from dialogue.acts import Act
from dialogue.protocol import CustomerSaid, Flag, LineHeard, PromiseStored
from dialogue.understanding import Slots, Understanding
from voicebot.call import core, turns
from voicebot.call.codec import CodecError, decode, encode
from voicebot.call.eventlog import EventLog, LogError, read_log

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = (SHANGHAI, UTC, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=5, minutes=30)))

moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).flatmap(
    lambda naive: st.sampled_from(ZONES).map(lambda zone: naive.replace(tzinfo=zone))
)
money = st.decimals(allow_nan=False, allow_infinity=False)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """All values of a type as the dataclasses of a call declare them."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if arguments:
        return st.one_of(*(values_of(a) for a in arguments))
    if dataclasses.is_dataclass(hint):
        types = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: values_of(types[f.name]) for f in dataclasses.fields(hint)})
    return {datetime: moments, Decimal: money, date: st.dates(), float: st.floats(allow_nan=False)}.get(
        hint, st.from_type(hint)
    )


def classes_of(module: Any) -> list[type]:
    return [c for c in vars(module).values() if dataclasses.is_dataclass(c) and c.__module__ == module.__name__]


PROTOCOL = st.one_of(*(values_of(c) for c in classes_of(protocol)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from(("in", "out", "note")), PROTOCOL), max_size=5))
def test_every_event_and_command_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[int, Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with EventLog.open(path) as log:
        for at, kind, value in written:
            log.append(at, kind, value)
    reader = read_log(path)
    read = [(e.at_samples, e.kind, e.value) for e in reader]
    assert read == written
    assert repr(read) == repr(written), "equal is not enough: same types, same digits, same zones"
    assert not reader.truncated


@pytest.mark.parametrize("cls", classes_of(turns), ids=lambda c: c.__name__)
def test_the_turns_can_be_logged_as_well(cls: type) -> None:
    @settings(max_examples=10, deadline=None)
    @given(values_of(cls))
    def comes_back(value: Any) -> None:
        assert repr(decode(encode(value))) == repr(value)

    comes_back()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | money
        | moments
        | st.times().map(lambda t: t.replace(fold=0)),  # of a wall clock's time alone, fold says nothing
        lambda inner: (
            st.lists(inner)
            | st.lists(inner).map(tuple)
            | st.dictionaries(st.text() | st.integers(), inner)
            | st.frozensets(st.integers() | st.text())
        ),
        max_leaves=8,
    )
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert written_out(decode(encode(value))) == written_out(value)


def written_out(value: Any) -> str:
    """As repr, which tells True from 1 and writes NaN as itself, with every frozenset in one order."""
    match value:
        case frozenset():
            return f"frozenset({sorted(map(written_out, value))})"
        case list() | tuple():
            return f"{type(value).__name__}[{', '.join(map(written_out, value))}]"
        case dict():
            return f"dict[{', '.join(f'{written_out(k)}: {written_out(v)}' for k, v in value.items())}]"
    return repr(value)


def test_a_moment_keeps_its_zone_through_the_change_of_clocks() -> None:
    second_time = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    back = decode(encode(second_time))
    assert (back.tzinfo, back.fold, back.utcoffset()) == (second_time.tzinfo, 1, timedelta(hours=1))


def test_numpy_s_numbers_become_plain_ones() -> None:
    back = decode(encode((np.float32(0.25), np.float64(0.1), np.int64(7))))
    assert back == (0.25, 0.1, 7)
    assert [type(v) for v in back] == [float, float, int]


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Stranger:
        n: int = 1

    class Mood(StrEnum):
        GOOD = "good"

    with EventLog.open(tmp_path / "e.jsonl") as log:
        for value in (Stranger(), Mood.GOOD, object()):
            with pytest.raises(CodecError, match=r"register_module|frozen dataclass"):
                log.append(0, "note", value)
    assert list(read_log(tmp_path / "e.jsonl")) == []


def test_a_class_that_takes_another_s_name_is_refused() -> None:
    impostor: type = dataclasses.make_dataclass("Flag", ["name"], frozen=True)
    impostor.__module__ = "voicebot.call.turns"
    with pytest.raises(CodecError, match=r"dialogue\.protocol has a class of that name"):
        encode(impostor("x"))


def test_a_cut_last_line_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with EventLog.open(path) as log:
        log.append(0, "in", LineHeard("greet", 1.0))
        log.append(160, "out", Flag("complaint"))
    whole = path.read_bytes()
    ends = [i + 1 for i, b in enumerate(whole) if b == ord("\n")]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        reader = read_log(path)
        entries = list(reader)
        assert len(entries) == max(0, sum(end <= length for end in ends) - 1)
        assert reader.truncated == (length not in ends)


def test_a_line_damaged_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with EventLog.open(path) as log:
        for name in "abc":
            log.append(0, "note", Flag(name))
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in (b'{"at":0,"ki\n', b"[]\n", b'{"at":0}\n', b'{"at":0,"kind":"in","value":{"$":"Nobody"}}\n'):
        path.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
        with pytest.raises(LogError, match=r"e\.jsonl, line 3: "):
            list(read_log(path))
    for value in ('{"$":"Flag","nom":"x"}', '{"$decimal":"much"}', '{"$enum":"Act","is":"?"}', '{"$date":"now"}', "{}"):
        path.write_bytes(lines[0] + f'{{"at":0,"kind":"in","value":{value}}}\n'.encode())
        with pytest.raises(LogError, match=r"line 2: "):
            list(read_log(path))


def test_other_files_are_not_taken_for_logs(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"log": 99}\n')
    with pytest.raises(LogError, match="version 1, found 99"):
        list(read_log(path))
    with pytest.raises(LogError, match="No such file"):
        list(read_log(tmp_path / "none"))


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    EventLog.open(tmp_path / "e.jsonl").close()
    with pytest.raises(LogError, match="never written over"):
        EventLog.open(tmp_path / "e.jsonl")


def test_a_killed_process_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    code = (
        "import os, signal, sys; from pathlib import Path; from dialogue.protocol import Flag\n"
        "from voicebot.call.eventlog import EventLog\n"
        "log = EventLog.open(Path(sys.argv[1]))\n"
        "[log.append(n, 'note', Flag('x')) for n in range(1000)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=60).returncode == -signal.SIGKILL
    assert [e.at_samples for e in read_log(path)] == list(range(1000))


def test_a_disk_that_fills_up_is_told_once_and_what_was_written_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    code = (
        "import resource, signal, sys; from pathlib import Path; from dialogue.protocol import Flag\n"
        "from voicebot.call.eventlog import EventLog, LogError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5001, 5001))\n"
        "log, told = EventLog.open(Path(sys.argv[1])), []\n"
        "for n in range(1000):\n"
        "    try: log.append(n, 'note', Flag('x'))\n"
        "    except LogError as e: told.append(str(e))\n"
        "log.close(); print(len(told), log.dropped, log.error is not None, told[0], sep='|')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    told, dropped, has_error, message = done.stdout.strip().split("|")
    assert (told, has_error) == ("1", "True"), done.stderr
    assert "the event log ends here: File too large; make room on the disk" in message
    reader = read_log(path)
    entries = list(reader)
    assert [e.at_samples for e in entries] == list(range(len(entries)))
    assert reader.truncated
    assert len(entries) + 1 + int(dropped) == 1000


def test_a_durable_entry_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    really = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), really(fd))[1])
    with EventLog.open(tmp_path / "e.jsonl") as log:
        log.append(0, "note", Flag("x"))
        assert synced == []
        log.append(0, "in", PromiseStored("P1"), durable=True)
        assert synced == [log.path.stat().st_size]


def test_the_log_speaks_chinese_in_the_clear(tmp_path: Path) -> None:
    said = CustomerSaid(
        Understanding("周五还", (Act.PROMISE_PAY,), Slots(pay_date=date(2026, 11, 27))), 3, datetime.now(SHANGHAI)
    )
    with EventLog.open(tmp_path / "e.jsonl") as log:
        log.append(0, "in", said)
    assert "周五还" in (tmp_path / "e.jsonl").read_text("utf-8"), "people read it with grep"
    assert next(iter(read_log(tmp_path / "e.jsonl"))).value == said


def test_what_calls_log_is_known_to_the_log_each_class_by_a_name_of_its_own() -> None:
    classes = [cls for module in (acts, understanding, protocol, turns, core) for cls in classes_of(module)]
    public = [cls.__name__ for cls in classes if not cls.__name__.startswith("_")]
    assert sorted(public) == sorted(set(public))


def test_an_unknown_kind_is_a_mistake(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "e.jsonl") as log, pytest.raises(ValueError, match="expected one of in, out, note"):
        log.append(0, "sideways", Flag("x"))  # type: ignore[arg-type]
