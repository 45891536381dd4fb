"""The recording: both sides in step, playable after a crash, and a full disk does not end the call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.call.recording import Recording, RecordingError, clip

FRAME = 160
LIMITED = """
import resource, signal, sys
from pathlib import Path
from voicebot.call.recording import Recording, RecordingError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, 100_001))
recorder, errors = Recording.open(Path(sys.argv[1])), []
for n in range(500):
    try:
        recorder.write(bytes([n % 100] * 320), bytes(320))
    except RecordingError as e:
        errors.append(str(e))
recorder.close()
print(recorder.samples, recorder.stored_samples, len(errors), recorder.error == None, errors[0], sep="|")
"""
CRASHING = """
import os, signal, sys
from pathlib import Path
from voicebot.call.recording import Recording
recorder = Recording.open(Path(sys.argv[1]))
for n in range(int(sys.argv[2])):
    recorder.write(n.to_bytes(2, "little") * 160, bytes(320))
os.kill(os.getpid(), signal.SIGKILL)
"""


def tone(samples: int, start: int = 0) -> bytes:
    return np.arange(start, start + samples).astype("<i2").tobytes()


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_the_customer_is_left_and_the_robot_right(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with Recording.open(path) as recorder:
        for n in range(100):
            recorder.write(tone(FRAME, n * FRAME), tone(FRAME, -n * FRAME))
        assert recorder.samples == 100 * FRAME
    with wave.open(str(path)) as w:
        assert (w.getnchannels(), w.getframerate(), w.getsampwidth(), w.getnframes()) == (2, 8000, 2, 16_000)
        both = np.frombuffer(w.readframes(16_000), dtype="<i2").reshape(-1, 2)
    assert both[:, 0].tobytes() == tone(16_000)
    assert both[FRAME : 2 * FRAME, 1].tobytes() == tone(FRAME, -FRAME)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 4000), max_size=12), data=st.data())
def test_a_clip_is_what_was_written_there(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("clip") / "call.wav"
    total = sum(lengths)
    at = 0
    with Recording.open(path) as recorder:
        for n in lengths:
            recorder.write(tone(n, at), tone(n, 7 * at))
            at += n
    start = data.draw(st.integers(0, total))
    end = data.draw(st.integers(start, total))
    cut = clip(path, start, end)
    assert cut.customer == tone(end - start, start)
    assert len(cut.robot) == len(cut.customer)


def test_a_running_call_can_be_clipped_after_a_flush(tmp_path: Path) -> None:
    recorder = Recording.open(tmp_path / "call.wav")
    recorder.write(tone(FRAME), tone(FRAME))
    with pytest.raises(RecordingError, match="holds 0 samples; 0 to 160"):
        clip(recorder.path, 0, FRAME)
    recorder.flush()
    assert clip(recorder.path, 0, FRAME).customer == tone(FRAME)
    recorder.close()


def test_a_killed_process_leaves_a_playable_file_and_loses_at_most_200_ms(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    done = run(CRASHING, str(path), "507")
    assert done.returncode == -signal.SIGKILL
    written = 507 * FRAME
    with wave.open(str(path)) as w:
        assert written - w.getnframes() <= 8000 + 1600, "the header is right to within about a second"
        assert len(w.readframes(w.getnframes())) == w.getnframes() * 4
    held = (path.stat().st_size - 44) // 4
    assert 0 <= written - held <= 1600
    assert clip(path, held - FRAME, held).customer == (held // FRAME - 1).to_bytes(2, "little") * FRAME


def test_a_disk_that_fills_up_is_told_once_and_the_file_stays_good(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    done = run(LIMITED, str(path))
    samples, stored, errors, without_error, message = done.stdout.strip().split("|")
    assert (int(samples), int(errors), without_error) == (500 * FRAME, 1, "False"), done.stderr
    assert "the recording ends at 3.1 s: File too large" in message
    assert int(stored) == (100_001 - 44) // 4
    with wave.open(str(path)) as w:
        assert w.getnframes() == int(stored)
    assert clip(path, 0, int(stored)).customer[-2:] != b""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_really_full_disk_ends_the_recording_and_not_the_call(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    try:
        recorder = Recording.open(disk / "call.wav")
        failed_at = []
        for n in range(500):
            try:
                recorder.write(tone(FRAME), tone(FRAME))
            except RecordingError as e:
                failed_at.append(n)
                assert "No space left on device" in str(e)
        assert len(failed_at) == 1
        assert recorder.samples == 500 * FRAME
        recorder.close()
        with wave.open(str(recorder.path)) as w:
            assert 0 < w.getnframes() <= 16_384
            assert w.getnframes() == recorder.stored_samples
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    Recording.open(tmp_path / "call.wav").close()
    with pytest.raises(RecordingError, match="never written over"):
        Recording.open(tmp_path / "call.wav")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("a file")
    with pytest.raises(RecordingError, match=r"calls/today/call\.wav: cannot be opened"):
        Recording.open(tmp_path / "calls" / "today" / "call.wav")


@pytest.mark.parametrize(("customer", "robot"), [(b"\0\0", b"\0\0\0\0"), (b"\0", b"\0")])
def test_sides_of_different_length_are_a_mistake(tmp_path: Path, customer: bytes, robot: bytes) -> None:
    with Recording.open(tmp_path / "call.wav") as recorder, pytest.raises(ValueError, match="one length"):
        recorder.write(customer, robot)


def test_other_files_are_not_taken_for_recordings(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16_000)
        w.writeframes(bytes(3200))
    with pytest.raises(RecordingError, match="not a recording of this program"):
        clip(path, 0, 1)
    with pytest.raises(RecordingError, match="No such file"):
        clip(tmp_path / "none.wav", 0, 1)
    with pytest.raises(ValueError, match="from <= to"):
        clip(path, 5, 1)
