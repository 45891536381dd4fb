"""The prompt cache: at hand at once, rendered once, urgent first, and no fault of disk or child loses a line."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voicebot.settings import Settings, load_settings
from voicebot.speech.audio import read_telephone, write_wav
from voicebot.speech.prompt_files import PromptFiles, pack, unpack
from voicebot.speech.prompts import PromptCache, RenderProcess, make_prompts
from voicebot.speech.tts import VoiceError
from voicebot.speech.tts.recordings import Recordings

KOKORO = load_settings().data_home / "models" / "kokoro"


class Typist:
    """A renderer that notes what it says; a line takes `seconds`, and 「坏」 cannot be said."""

    def __init__(self, said: list[str], seconds: float = 0.0) -> None:
        self.said, self.seconds, self.closed = said, seconds, False

    async def render(self, text: str, speed: float) -> bytes:
        await asyncio.sleep(self.seconds)
        self.said.append(text)
        if "坏" in text:
            raise VoiceError(f"cannot say {text}")
        return text.encode() * 50

    async def close(self) -> None:
        self.closed = True


class Desk:
    """A cache over a folder, with typists as its renderers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.typists: list[Typist] = []

    def cache(self, *, seconds: float = 0.0, **options: object) -> PromptCache:
        def start() -> Typist:
            self.typists.append(Typist(self.said, seconds))
            return self.typists[-1]

        given = {"voice_name": "typist", "max_mb": 10} | options
        return PromptCache(folder=self.folder, start_renderer=start, **given)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "prompts")


async def test_a_rendered_line_is_at_hand_in_this_program_and_in_the_next(desk: Desk) -> None:
    async with desk.cache() as cache:
        assert cache.get("您好") is None
        audio = await cache.render("您好")
        assert cache.get("您好") == audio
    assert desk.cache().get("您好") == audio
    assert desk.said == ["您好"]


async def test_two_spellings_that_are_said_alike_are_one_line(desk: Desk) -> None:
    async with desk.cache() as cache:
        await cache.render("应还1235.60元")
        assert cache.get("应还1,235.60元") is not None


async def test_speed_and_voice_are_part_of_the_key(desk: Desk) -> None:
    async with desk.cache() as cache:
        await cache.render("您好")
    assert desk.cache(speed=1.1).get("您好") is None
    assert desk.cache(voice_name="other").get("您好") is None


async def test_a_line_that_many_ask_for_is_rendered_once(desk: Desk) -> None:
    async with desk.cache(seconds=0.02, workers=3) as cache:
        lines = await asyncio.gather(*(cache.render("您好", urgent=i % 2 == 0) for i in range(10)))
    assert desk.said == ["您好"] and len(set(lines)) == 1


async def test_an_urgent_line_goes_before_what_is_prefetched(desk: Desk) -> None:
    async with desk.cache(seconds=0.02) as cache:
        prefetch = asyncio.create_task(cache.prefetch(["一", "二", "三", "四"]))
        await asyncio.sleep(0.01)
        await cache.render("急")
        await prefetch
    assert desk.said.index("急") == 1


async def test_a_prefetched_line_that_becomes_urgent_overtakes_the_others(desk: Desk) -> None:
    async with desk.cache(seconds=0.02) as cache:
        prefetch = asyncio.create_task(cache.prefetch(["一", "二", "三", "四"]))
        await asyncio.sleep(0.01)
        await cache.render("四", urgent=True)
        assert desk.said == ["一", "四"]
        await prefetch
    assert desk.said == ["一", "四", "二", "三"]


async def test_one_who_gives_up_waiting_does_not_take_the_line_from_the_others(desk: Desk) -> None:
    async with desk.cache(seconds=0.05) as cache:
        impatient, patient = (asyncio.create_task(cache.render("您好")) for _ in range(2))
        await asyncio.sleep(0.01)
        impatient.cancel()
        assert await patient


async def test_prefetch_tells_its_progress_and_skips_what_is_there(desk: Desk) -> None:
    async with desk.cache(workers=2) as cache:
        await cache.render("一")
        seen: list[tuple[int, int]] = []
        assert await cache.prefetch(["一", "二", "三", "二"], lambda done, total: seen.append((done, total))) == 2
    assert seen == [(1, 3), (2, 3), (3, 3)]


async def test_a_line_that_cannot_be_said_does_not_stop_the_others(desk: Desk) -> None:
    async with desk.cache() as cache:
        with pytest.raises(VoiceError, match="1 of 3 lines could not be rendered; the first: cannot say 坏"):
            await cache.prefetch(["坏", "二", "三"])
        assert cache.get("三") is not None
        with pytest.raises(VoiceError):
            await cache.render("坏")


async def test_extra_children_end_when_there_is_nothing_left_to_do(desk: Desk) -> None:
    async with desk.cache(seconds=0.01, workers=3) as cache:
        await cache.prefetch([str(i) for i in range(12)])
        await asyncio.sleep(0.01)
        assert sorted(t.closed for t in desk.typists) == [False, True, True]
        await cache.render("后来")
        assert len(desk.typists) == 3
    assert all(t.closed for t in desk.typists)


async def test_leaving_gives_up_what_is_being_rendered(desk: Desk) -> None:
    async with desk.cache(seconds=30) as cache:
        waiting = asyncio.create_task(cache.render("您好"))
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.typists[0].closed


async def test_recordings_are_at_hand_without_rendering(desk: Desk, tmp_path: Path) -> None:
    write_wav(tmp_path / "您好.wav", b"\1\0" * 80)
    async with desk.cache(recordings=Recordings(tmp_path)) as cache:
        assert cache.get("您好！") == b"\1\0" * 80 == await cache.render("您好。")
    assert desk.said == []


# ---- the disk ------------------------------------------------------------------------------------------------------


def truncate(data: bytes) -> bytes:
    return data[:-10]


def flip(data: bytes) -> bytes:
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


@pytest.mark.parametrize("damage", [truncate, flip, lambda data: b"", lambda data: b"\0" * len(data)])
async def test_a_damaged_file_is_rendered_again(desk: Desk, damage: Callable[[bytes], bytes]) -> None:
    async with desk.cache() as cache:
        audio = await cache.render("您好")
    (file,) = desk.folder.rglob("*.wav")
    file.write_bytes(damage(file.read_bytes()))
    async with desk.cache() as cache:
        assert cache.get("您好") is None
        assert await cache.render("您好") == audio
    assert desk.cache().get("您好") == audio


async def test_a_full_disk_is_one_warning_and_the_lines_stay_in_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("voicebot.speech.prompt_files.tempfile.NamedTemporaryFile", full)
    async with desk.cache() as cache:
        await cache.prefetch(["一", "二", "三"])
        assert cache.get("一") and cache.get("三")
    assert [r.getMessage().count("No space left on device") for r in caplog.records] == [1]


def test_the_folder_stays_within_its_size_and_the_least_used_go_first(tmp_path: Path) -> None:
    files = PromptFiles(tmp_path, max_mb=1)
    audio = bytes(100_000)
    for i in range(9):
        files.write(f"{i:064d}", audio, {"text": str(i)})
        path = next(tmp_path.rglob(f"{i:064d}.wav"))
        os.utime(path, (i, i))
    assert files.read(f"{0:064d}") == audio
    files.write(f"{9:064d}", audio, {"text": "9"})
    assert files.read(f"{0:064d}") is not None, "it was read a moment ago"
    assert files.read(f"{1:064d}") is None
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.wav")) <= 1_000_000


def test_a_cached_line_is_a_wav_file_that_anything_plays(tmp_path: Path) -> None:
    audio = b"\1\2" * 400
    (tmp_path / "x.wav").write_bytes(pack(audio, {"text": "您好"}))
    assert read_telephone(tmp_path / "x.wav") == audio
    assert unpack(pack(audio, {})) == audio


# ---- the child -----------------------------------------------------------------------------------------------------

CHILD = """
import json, os, sys
sys.stdin.buffer.readline()
for line in sys.stdin.buffer:
    text = json.loads(line)["text"]
    if text == "死" or (text == "死一次" and not os.path.exists(sys.argv[1])):
        open(sys.argv[1], "w").close()
        sys.exit(1)
    if text == "乱":
        sys.stdout.buffer.write(b"this is no answer\\n")
    elif text == "坏":
        sys.stdout.buffer.write(b'{"error": "cannot say it"}\\n')
    else:
        sys.stdout.buffer.write(b'{"bytes": 70000}\\n' + bytes(70000))
    sys.stdout.buffer.flush()
"""


@pytest.fixture
async def child(tmp_path: Path):
    process = RenderProcess(Settings(), (sys.executable, "-c", CHILD, str(tmp_path / "died")))
    yield process
    await process.close()


async def test_a_child_that_dies_is_replaced_and_the_line_is_said(child: RenderProcess) -> None:
    assert len(await child.render("死一次", 1.0)) == 70000
    assert len(await child.render("您好", 1.0)) == 70000


@pytest.mark.parametrize("line", ["死", "乱"])
async def test_a_line_that_ends_the_child_twice_is_given_up_and_the_next_one_works(
    child: RenderProcess, line: str
) -> None:
    with pytest.raises(VoiceError, match="ended twice"):
        await child.render(line, 1.0)
    assert len(await child.render("您好", 1.0)) == 70000


async def test_a_refused_line_keeps_the_child(child: RenderProcess) -> None:
    await child.render("您好", 1.0)
    before = child._child
    with pytest.raises(VoiceError, match="cannot say it"):
        await child.render("坏", 1.0)
    await child.render("您好", 1.0)
    assert child._child is before


async def test_a_line_given_up_in_the_middle_does_not_leave_its_answer_to_the_next(child: RenderProcess) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(child.render("您好", 1.0), 0.001)
    with pytest.raises(VoiceError):
        await child.render("坏", 1.0)


async def test_without_weights_the_line_fails_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    process = RenderProcess(Settings())
    with pytest.raises(VoiceError, match="voicebot models pull kokoro"):
        await process.render("您好", 1.0)
    await process.close()


@pytest.mark.skipif(not (KOKORO / "model.onnx").exists(), reason="weights are absent: voicebot models pull kokoro")
async def test_the_real_voice_in_the_real_child_says_a_line_and_ends_with_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "kokoro").symlink_to(KOKORO)
    async with make_prompts(Settings()) as cache:
        audio = await cache.render("您好。")
        assert 0.3 < len(audio) / 16000 < 2.0
        await asyncio.sleep(0)
        (renderer,) = cache._resting
        assert isinstance(renderer, RenderProcess) and renderer._child
        child = renderer._child
    assert child.returncode is not None
    assert make_prompts(Settings()).get("您好。") == audio
