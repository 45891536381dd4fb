"""Teaching the ears: who speaks, what the line does to it, what is learned, and that it is what the call then hears."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from voicebot.settings import load_settings
from voicebot.speech.adapt import line, mouths
from voicebot.speech.api import RATE_HZ
from voicebot.speech.asr.base import MissingWeights
from voicebot.speech.asr.lowrank import read_adaptation, write_adaptation
from voicebot.speech.asr.muggle_net import MuggleNet, no_past, published_weights

FOLDER = load_settings().data_home / "models" / "muggle"
needs_weights = pytest.mark.skipif(
    not (FOLDER / "decoder.onnx").is_file(), reason="weights are absent: voicebot models pull muggle"
)

TURNS = ("我明天还", "他不在家", "钱不够 先还一半", "你打错了")
ANSWERS = ("是", "不是")
FOREIGNERS = ("af_bella", "jm_kumo")


# ---- who speaks ---------------------------------------------------------------------------------------------------


def test_a_shard_is_the_same_lines_whoever_renders_it():
    assert mouths.lines(TURNS, ANSWERS, FOREIGNERS, 1, 3) == mouths.lines(TURNS, ANSWERS, FOREIGNERS, 1, 3)
    assert mouths.lines(TURNS, ANSWERS, FOREIGNERS, 1, 3) != mouths.lines(TURNS, ANSWERS, FOREIGNERS, 1, 4)


def test_nobody_who_is_held_out_speaks_and_every_blend_is_a_whole_person():
    said = [item for shard in range(5) for item in mouths.lines(TURNS, ANSWERS, FOREIGNERS, 1, shard)]
    assert {name for item in said for name, _ in item.blend} == {*mouths.MANDARIN, *FOREIGNERS}
    for item in said:
        assert sum(share for _, share in item.blend) == pytest.approx(1.0)
        assert item.blend[0][0] in mouths.MANDARIN
    short = sum(item.text in ANSWERS for item in said) / len(said)
    assert short == pytest.approx(mouths.SHORT_SHARE, abs=0.05)


def test_without_foreigners_mandarin_speakers_are_blended_with_each_other():
    said = mouths.lines(TURNS, (), (), 1, 0)
    assert {name for item in said for name, _ in item.blend} == set(mouths.MANDARIN)


def test_a_shard_comes_back_as_it_was_written(tmp_path: Path):
    clips = [np.arange(800, dtype="<i2"), np.arange(400, dtype="<i2")]
    told = json.dumps([("是", "zf_xiaobei"), ("不是", "zm_yunjian+af_bella")])
    np.savez(tmp_path / "1-0000.npz", samples=np.concatenate(clips), lengths=[800, 400], told=told)
    first, second = mouths.read_shard(tmp_path / "1-0000.npz")
    assert (first.text, second.text, second.voice) == ("是", "不是", "zm_yunjian+af_bella")
    assert len(first.samples) == 800
    assert np.array_equal(second.samples * 32768, clips[1])


def test_a_damaged_shard_is_named(tmp_path: Path):
    (tmp_path / "1-0000.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match=r"1-0000\.npz.*delete it"):
        mouths.read_shard(tmp_path / "1-0000.npz")


def test_a_killed_program_leaves_no_worker_behind(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from voicebot.speech.adapt.mouths import end_with_parent\n"
        "if __name__ == '__main__':\n"
        "    pool = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'), initializer=end_with_parent)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    pool.submit(time.sleep, 60).result()\n"
    )
    running = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    worker = psutil.Process(int(running.stdout.readline()))
    running.kill()
    running.wait()
    worker.wait(timeout=10)


# ---- the line -----------------------------------------------------------------------------------------------------


def test_every_line_arrives_within_bounds_and_never_twice_the_same():
    voice = np.sin(np.arange(RATE_HZ) / 6).astype(np.float32) * 0.1
    talk, chance = line.talk_of([voice, voice * 2]), np.random.default_rng(1)
    calls = [line.travelled(voice, talk, chance) for _ in range(20)]
    shortest = sum((1 / line.SIZES[1] if s is None else s[0]) for s in (line.BEFORE_S, line.AFTER_S))
    for call in calls:
        assert len(call) > (line.SIZES[0] + shortest - 0.01) * RATE_HZ
        assert np.abs(call).max() <= 1.0
    assert len({call.tobytes() for call in calls}) == len(calls)


# ---- what is learned ----------------------------------------------------------------------------------------------


def test_a_low_rank_change_is_added_in_the_shape_of_the_published_matrix(tmp_path: Path):
    file = tmp_path / "learned.npz"
    down, up = np.ones((2, 3), np.float16), np.full((4, 2), 0.5, np.float16)
    learned = {"decoder.output_layer/down": down, "decoder.output_layer/up": up}
    learned["encoder.blocks.0.norm1/bias_change"] = np.full(3, 0.25, np.float16)
    write_adaptation(file, learned, {"name": "mine"})
    found = read_adaptation(file)
    assert found.name == "mine"
    assert found.changes["decoder.output_layer.weight"].shape == (3, 4)
    assert np.all(found.changes["decoder.output_layer.weight"] == 1.0)
    assert np.all(found.changes["encoder.blocks.0.norm1.bias"] == 0.25)
    assert len(found.changes) == 2
    more = found.times(1.5)
    assert more.name == "mine" and more.changes.keys() == found.changes.keys()
    assert np.all(more.changes["decoder.output_layer.weight"] == 1.5)
    assert np.all(more.changes["encoder.blocks.0.norm1.bias"] == 0.375)


@pytest.mark.parametrize("content", [b"", b"PK nonsense"])
def test_a_damaged_file_of_changes_is_named_with_a_way_out(tmp_path: Path, content: bytes):
    (tmp_path / "learned.npz").write_bytes(content)
    with pytest.raises(MissingWeights, match=r"learned\.npz.*asr_adaptation"):
        read_adaptation(tmp_path / "learned.npz")


@needs_weights
def test_changes_of_another_network_are_refused(tmp_path: Path):
    file = tmp_path / "learned.npz"
    write_adaptation(file, {"decoder.no_such/weight_change": np.ones(3, np.float16)}, {"name": "other"})
    with pytest.raises(MissingWeights, match="other"):
        MuggleNet(FOLDER, adaptation=read_adaptation(file))


@needs_weights
def test_what_was_learned_changes_what_is_heard(tmp_path: Path):
    file = tmp_path / "learned.npz"
    weights = published_weights(FOLDER)
    bias = np.zeros(len(weights["decoder.blocks.5.norm3.bias"]), np.float16)
    heard = np.random.default_rng(0).standard_normal((120, 40)).astype(np.float32)
    found = []
    for value in (0.0, 0.5):
        write_adaptation(file, {"decoder.blocks.5.norm3/bias_change": bias + np.float16(value)}, {"name": "x"})
        net = MuggleNet(FOLDER, adaptation=read_adaptation(file))
        found.append(net.step(np.array([[0, 100]]), no_past(1), net.encode(heard))[0])
    plain = MuggleNet(FOLDER)
    assert np.array_equal(found[0], plain.step(np.array([[0, 100]]), no_past(1), plain.encode(heard))[0])
    assert np.abs(found[1] - found[0]).max() > 0.1


@needs_weights
def test_the_network_that_learns_is_the_network_that_hears(tmp_path: Path):
    torch = pytest.importorskip("torch")
    from voicebot.speech.adapt.network import AdaptedMuggle

    torch.manual_seed(1)
    learning = AdaptedMuggle(published_weights(FOLDER), rank=4).eval()
    with torch.no_grad():
        for name, value in learning.named_parameters():
            if name.endswith(("up", "change")):
                value.copy_((torch.randn_like(value) * 0.02).half())
            else:
                value.copy_(value.half())
    write_adaptation(tmp_path / "learned.npz", learning.changes(), {"name": "x"})
    hearing = MuggleNet(FOLDER, adaptation=read_adaptation(tmp_path / "learned.npz"))
    seen, text = np.random.default_rng(0).standard_normal((2, 150, 40)).astype(np.float32), [[0, 100, 200, 300]]
    with torch.no_grad():
        states, there = learning.encode(torch.from_numpy(seen), torch.tensor([150, 120]))
        scores = learning.decode(torch.tensor(text * 2), states, there).log_softmax(-1).numpy()
    for row, length in enumerate((150, 120)):
        heard, _ = hearing.step(np.array(text), no_past(1), hearing.encode(seen[row, :length]))
        assert np.abs(scores[row] - heard[0]).max() < 0.01
