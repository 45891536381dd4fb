"""What every ear must do, tried on every engine whose weights are here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dialogue.protocol import Expectation
from voicebot.settings import Settings, load_settings
from voicebot.speech.api import AsrEngine, Hypothesis
from voicebot.speech.asr import ENGINES, AsrError, MissingExtra, MissingWeights, make_asr
from voicebot.speech.audio import frames, read_telephone, to_pcm16

MODELS = load_settings().data_home / "models"
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "speech"
MANDARIN = RECORDINGS / "BAC009S0150W0077.wav"


@cache
def built(engine: str, folder: Path) -> AsrEngine:
    if engine == "muggle":
        from voicebot.speech.asr.muggle import MuggleAsr

        return MuggleAsr(folder)
    if engine == "vosk":
        from voicebot.speech.asr.vosk import VoskAsr

        return VoskAsr(folder)
    pytest.importorskip("faster_whisper", reason="the whisper extra is not installed")
    from voicebot.speech.asr.whisper import WhisperAsr

    return WhisperAsr(folder)


@dataclass(frozen=True)
class Case:
    """An engine and the marker file that says its weights are here."""

    engine: str
    folder: str
    marker: str

    def build(self) -> AsrEngine:
        if not (MODELS / self.folder / self.marker).is_file():
            pytest.skip(f"weights are absent: voicebot models pull {self.folder}")
        return built(self.engine, MODELS / self.folder)


CASES = [
    Case("muggle", "muggle", "decoder.onnx"),
    Case("vosk", "vosk-en", "am/final.mdl"),
    Case("whisper", "whisper-base", "model.bin"),
]


@pytest.fixture(params=CASES, ids=lambda c: c.engine)
def ear(request) -> AsrEngine:
    return request.param.build()


@pytest.fixture
def speech() -> bytes:
    if not MANDARIN.is_file():
        pytest.skip("the recordings of real speech are absent")
    return read_telephone(MANDARIN)


def heard(ear: AsrEngine, pcm16: bytes, expectation: Expectation | None = None) -> Hypothesis:
    turn = ear.stream(expectation or Expectation())
    for frame in frames(pcm16):
        turn.feed(frame)
    return turn.final()


def test_nothing_fed_is_nothing_heard(ear):
    turn = ear.stream(Expectation())
    assert turn.partial().text == ""
    final = turn.final()
    assert (final.text, final.final, final.audio_ms) == ("", True, 0)


@pytest.mark.parametrize("answers", [(), ("是", "不是", "yes", "no")])
def test_silence_says_nothing(ear, answers):
    final = heard(ear, bytes(32000), Expectation(answers=answers))
    assert (final.text, final.closed, final.confidence) == ("", None, 0.0)


def test_speech_gives_words_and_their_price(ear, speech):
    final = heard(ear, speech)
    assert len(final.text) >= 4
    assert 0.0 < final.confidence <= 1.0
    assert final.audio_ms == pytest.approx(len(speech) / 16, abs=20)
    assert final.cpu_ms > 0


def test_partials_grow_with_the_audio_and_are_not_final(ear, speech):
    turn = ear.stream(Expectation())
    partials = []
    for i, frame in enumerate(frames(speech)):
        turn.feed(frame)
        if i % 60 == 59:
            partials.append(turn.partial())
    assert not any(p.final for p in partials)
    assert any(p.text for p in partials)
    lengths = [p.audio_ms for p in partials]
    assert lengths == sorted(lengths)


def alike(ear: AsrEngine, one: str, other: str) -> bool:
    """Kaldi dithers its features with noise from one generator for all, so a Vosk text may differ in a word."""
    return SequenceMatcher(None, one, other).ratio() > 0.7 if ear.name == "vosk" else one == other


def test_a_turn_is_heard_the_same_every_time(ear, speech):
    assert alike(ear, heard(ear, speech).text, heard(ear, speech).text)


def test_asking_twice_gives_the_same_end(ear, speech):
    turn = ear.stream(Expectation())
    turn.feed(speech)
    assert turn.final().text == turn.final().text


def test_two_calls_at_once_do_not_mix(ear, speech):
    alone = heard(ear, speech).text
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(heard(ear, speech).text)) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 2
    assert all(alike(ear, alone, r) for r in results)


def test_an_expectation_with_unknown_words_does_no_harm(ear, speech):
    assert heard(ear, speech, Expectation(answers=("ヴ☃", ""), phrases=("☃",))).text


def test_an_answer_that_was_not_said_is_not_accepted(ear, speech):
    assert heard(ear, speech, Expectation(answers=("不是", "no", "yes"))).closed is None


# ---- choosing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Callable[..., Settings]:
    monkeypatch.delenv("VOICEBOT_HOME", raising=False)
    return lambda **speech: Settings.model_validate({"home": tmp_path, "speech": speech})


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_weights_are_named_with_the_way_out(engine, empty, tmp_path):
    with pytest.raises(AsrError) as failure:
        make_asr(empty(asr=engine))
    if isinstance(failure.value, MissingExtra):
        assert "pip install" in str(failure.value)
    else:
        assert str(tmp_path) in str(failure.value)
        assert "voicebot models pull" in str(failure.value) or "speech.asr_model" in str(failure.value)


def test_with_nothing_present_the_default_ear_says_how_to_get_it(empty):
    with pytest.raises(MissingWeights, match=r"encoder\.onnx: no such file; .*voicebot models pull muggle"):
        make_asr(empty())


@pytest.mark.parametrize(
    ("folders", "chosen"),
    [
        (("muggle", "whisper-base"), "encoder.onnx"),
        (("vosk-cn", "muggle", "whisper-base"), "final.mdl"),
    ],
)
def test_auto_takes_the_best_that_is_present(empty, tmp_path, folders, chosen):
    for folder in folders:
        (tmp_path / "models" / folder).mkdir(parents=True)
    with pytest.raises(MissingWeights, match=chosen):
        make_asr(empty())


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "label_map.py"])
def test_a_damaged_muggle_file_is_named(tmp_path, name):
    source = MODELS / "muggle"
    if not (source / "decoder.onnx").is_file():
        pytest.skip("weights are absent: voicebot models pull muggle")
    for file in ("encoder.onnx", "decoder.onnx", "label_map.py"):
        (tmp_path / file).symlink_to(source / file)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"half a download \x00")
    from voicebot.speech.asr.muggle import MuggleAsr

    with pytest.raises(MissingWeights, match=name.replace(".", r"\.") + ": .*models pull muggle"):
        MuggleAsr(tmp_path)


def test_a_label_map_is_read_as_data_and_never_run(tmp_path):
    from voicebot.speech.asr.muggle_net import read_label_map

    (tmp_path / "label_map.py").write_text("open('ran', 'w')\nlabel_map = {3: '是', 4: '不'}\n", "utf-8")
    assert read_label_map(tmp_path / "label_map.py") == {3: "是", 4: "不"}
    assert not Path("ran").exists()
    (tmp_path / "label_map.py").write_text("label_map = {3: open('ran', 'w')}\n", "utf-8")
    with pytest.raises(MissingWeights, match="not a table"):
        read_label_map(tmp_path / "label_map.py")
    assert not Path("ran").exists()


def test_a_damaged_vosk_model_is_named(tmp_path):
    for file in ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/words.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    from voicebot.speech.asr.vosk import VoskAsr

    with pytest.raises(MissingWeights, match="damaged"):
        VoskAsr(tmp_path)


def test_a_damaged_whisper_model_is_named(tmp_path):
    pytest.importorskip("faster_whisper", reason="the whisper extra is not installed")
    from voicebot.speech.asr.whisper import WhisperAsr

    for file in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / file).write_bytes(b"{}")
    with pytest.raises(MissingWeights, match="damaged"):
        WhisperAsr(tmp_path)


# ---- vosk, with a real model of another language ------------------------------------------------------------------


def test_vosk_hears_only_the_grammar_when_an_answer_is_expected():
    ear = CASES[1].build()
    noise = to_pcm16(np.random.default_rng(7).standard_normal(8000).astype(np.float32) * 0.05)
    final = heard(ear, noise, Expectation(answers=("yes", "no")))
    assert final.closed in (None, "yes", "no")
    assert final.closed is None or final.text == final.closed


# ---- sherpa: what a folder holds ----------------------------------------------------------------------------------


def _onnx(path: Path, **notes: str) -> None:
    from onnx import helper

    model = helper.make_model(helper.make_graph([], "g", [], []))
    helper.set_model_props(model, notes)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("files", "kind", "parts"),
    [
        (
            {"encoder.onnx": {"decode_chunk_len": "32"}, "decoder.onnx": {}, "joiner.onnx": {}},
            "streaming transducer",
            {"encoder": "encoder.onnx", "decoder": "decoder.onnx", "joiner": "joiner.onnx"},
        ),
        (
            {"encoder-99.int8.onnx": {}, "encoder-99.onnx": {}, "decoder-99.onnx": {}, "joiner-99.onnx": {}},
            "transducer",
            {"encoder": "encoder-99.int8.onnx", "decoder": "decoder-99.onnx", "joiner": "joiner-99.onnx"},
        ),
        (
            {"encoder.int8.onnx": {}, "decoder.int8.onnx": {}},
            "streaming paraformer",
            {"encoder": "encoder.int8.onnx", "decoder": "decoder.int8.onnx"},
        ),
        ({"model.int8.onnx": {"model_type": "paraformer"}}, "paraformer", {"model": "model.int8.onnx"}),
        ({"model.onnx": {"model_type": "sense_voice_ctc"}}, "sense voice", {"model": "model.onnx"}),
        ({"ctc.onnx": {"model_type": "zipformer2_ctc"}}, "ctc", {"model": "ctc.onnx"}),
    ],
)
def test_a_sherpa_model_is_recognised_by_its_files(tmp_path, files, kind, parts):
    from voicebot.speech.asr.sherpa import find_model

    (tmp_path / "tokens.txt").write_text("<blk> 0\n", "utf-8")
    for name, notes in files.items():
        _onnx(tmp_path / name, **notes)
    found = find_model(tmp_path)
    assert found.kind == kind
    assert {p: f.name for p, f in found.parts.items()} == parts


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((), "tokens.txt"),
        (("tokens.txt",), r"no \*\.onnx"),
        (("tokens.txt", "encoder.onnx"), "only a part"),
        (("tokens.txt", "model.onnx"), "neither Paraformer"),
    ],
)
def test_a_folder_that_is_no_sherpa_model_is_named(tmp_path, files, says):
    from voicebot.speech.asr.sherpa import find_model

    for name in files:
        if name.endswith(".onnx"):
            _onnx(tmp_path / name)
        else:
            (tmp_path / name).write_text("<blk> 0\n", "utf-8")
    with pytest.raises(MissingWeights, match=says):
        find_model(tmp_path)
