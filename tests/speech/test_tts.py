"""Voices: what is said, how loud, with which pauses, and what happens when something is missing."""

from __future__ import annotations

import sys
import threading
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.settings import Settings, load_settings
from voicebot.speech.audio import level_dbfs, to_float, to_pcm16, write_wav
from voicebot.speech.tts import VoiceError, make_voice
from voicebot.speech.tts.coqui import CoquiVoice
from voicebot.speech.tts.kokoro import PIECE_CHARACTERS, KokoroVoice, pieces, speakers
from voicebot.speech.tts.pinyin import phonemes, syllables
from voicebot.speech.tts.recordings import RecordedVoice, Recordings
from voicebot.speech.tts.shape import LEVEL_DBFS, PEAK, at_level, trimmed

KOKORO = load_settings().data_home / "models" / "kokoro"
needs_kokoro = pytest.mark.skipif(
    not (KOKORO / "model.onnx").exists(), reason="weights are absent: voicebot models pull kokoro"
)


# ---- readings ------------------------------------------------------------------------------------------------------


def read(text: str) -> str:
    return " ".join(s for word in syllables(text) for s in word)


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("还两万元", "huan2 liang3 wan4 yuan2"),
        ("请您今天还款", "qing3 nin2 jin1 tian1 huan2 kuan3"),
        ("应还金额", "ying1 huan2 jin1 e2"),
        ("您还有三天", "nin2 hai2 you3 san1 tian1"),
        ("还没有", "hai2 mei2 you3"),
        ("能按时还吗", "neng2 an4 shi2 huan2 ma5"),
        ("按时还就没问题", "an4 shi2 huan2 jiu4 mei2 wen4 ti2"),
        ("如果已经还好了", "ru2 guo3 yi3 jing1 huan2 hao3 le5"),
        ("今天先还", "jin1 tian1 xian1 huan2"),
        ("还是您还在听", "hai2 shi4 nin2 hai2 zai4 ting1"),
        ("我得先确认", "wo3 dei3 xian1 que4 ren4"),
        ("您记得先还款", "nin2 ji4 de5 xian1 huan2 kuan3"),
        ("以合同为准", "yi3 he2 tong2 wei2 zhun3"),
        ("我行信用卡", "wo3 hang2 xin4 yong4 ka3"),
        ("逾期五天", "yu2 qi1 wu3 tian1"),
        ("请问是单先生吗", "qing3 wen4 shi4 shan4 xian1 sheng5 ma5"),
        ("您好曾丽华女士", "nin2 hao3 zeng1 li4 hua2 nv3 shi4"),
        ("是任伟本人", "shi4 ren2 wei3 ben3 ren2"),
        ("曾经", "ceng2 jing1"),
        ("任何先生", "ren4 he2 xian1 sheng5"),
        ("重新还一部分", "chong2 xin1 huan2 yi2 bu4 fen5"),
        ("幺二三七八", "yao1 er4 san1 qi1 ba1"),
    ],
)
def test_the_words_of_the_trade_are_read_right(text: str, reading: str) -> None:
    assert read(text) == reading


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=20))
def test_every_character_has_exactly_one_syllable(han: str) -> None:
    assert sum(len(word) for word in syllables(han)) == len(han)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_has_phonemes_or_none(text: str) -> None:
    assert isinstance(phonemes(text), str)


def test_latin_letters_are_spelled_out() -> None:
    assert phonemes("APP") == "ˈA pˈi pˈi"


# ---- pieces and pauses ---------------------------------------------------------------------------------------------


def test_sentences_are_spoken_one_by_one_with_the_pause_their_punctuation_asks_for() -> None:
    assert pieces("您好。请问您今天能还款吗？") == [("您好。", 260), ("请问您今天能还款吗？", 120)]


@settings(deadline=None)
@given(st.text(alphabet="一二三四五，。！？；、", max_size=300))
def test_no_piece_is_too_long_and_nothing_is_lost(text: str) -> None:
    cut = [piece for piece, _ in pieces(text)]
    assert [c for c in "".join(cut) if c in "一二三四五"] == [c for c in text if c in "一二三四五"]
    assert all(len(piece.rstrip("，。！？；、")) <= PIECE_CHARACTERS for piece in cut)


# ---- level and silence ---------------------------------------------------------------------------------------------


def test_silence_around_speech_is_cut_off() -> None:
    rate_hz = 24000
    tone = np.sin(np.arange(rate_hz) * 0.1).astype(np.float32)
    padded = np.concatenate([np.zeros(rate_hz, np.float32), tone, np.zeros(rate_hz, np.float32)])
    assert len(trimmed(padded, rate_hz)) == pytest.approx(rate_hz, abs=0.03 * rate_hz)
    assert len(trimmed(np.zeros(100, np.float32), rate_hz)) == 0


@settings(deadline=None)
@given(st.floats(0.001, 4.0), st.integers(0, 2**32 - 1))
def test_any_voice_comes_out_at_telephone_level_without_clipping(gain: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, gain, 8000).astype(np.float32)
    shaped = at_level(noise)
    assert float(np.abs(shaped).max()) <= PEAK + 1e-4
    assert level_dbfs(to_pcm16(shaped)) == pytest.approx(LEVEL_DBFS, abs=1.5)


# ---- kokoro --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kokoro() -> KokoroVoice:
    return KokoroVoice(KOKORO)


@needs_kokoro
def test_a_line_is_spoken_at_once_at_telephone_level_for_a_plausible_time(kokoro: KokoroVoice) -> None:
    pcm16 = kokoro.render("您好，请问是张伟先生吗？")
    samples = to_float(pcm16)
    assert 1.2 < len(samples) / 8000 < 4.0
    assert int(np.flatnonzero(np.abs(samples) > 0.02)[0]) < 8000 * 0.06
    assert -26 < level_dbfs(pcm16) < -17
    assert float(np.abs(samples).max()) < 0.95


@needs_kokoro
def test_speed_shortens_a_line(kokoro: KokoroVoice) -> None:
    assert len(kokoro.render("好的，再见。", speed=1.3)) < len(kokoro.render("好的，再见。"))


@needs_kokoro
@pytest.mark.parametrize("word", ["是", "好"])
def test_a_syllable_that_stands_alone_is_said_in_one_piece(kokoro: KokoroVoice, word: str) -> None:
    samples = np.frombuffer(kokoro.render(word), np.int16).astype(float)
    loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
    assert np.diff(loud).max() / 8 < 60  # ms; broken up, the pieces lie a quarter of a second apart


@needs_kokoro
def test_a_line_without_words_is_empty(kokoro: KokoroVoice) -> None:
    assert kokoro.render("") == b"" == kokoro.render("……，。")


@needs_kokoro
def test_threads_share_a_voice_and_hear_the_same(kokoro: KokoroVoice) -> None:
    out: list[bytes] = []
    threads = [threading.Thread(target=lambda: out.append(kokoro.render("您好。"))) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(out) == 3 and len(set(out)) == 1


@needs_kokoro
def test_a_speaker_that_does_not_exist_lists_those_there_are() -> None:
    assert "zf_xiaoyi" in speakers(KOKORO)
    with pytest.raises(VoiceError, match=r"no voice 'nobody'.*zf_xiaoyi"):
        KokoroVoice(KOKORO, "nobody")


def test_missing_weights_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    with pytest.raises(VoiceError, match="voicebot models pull kokoro"):
        make_voice(Settings())
    with pytest.raises(VoiceError, match=r"model\.onnx is missing; run `voicebot models pull kokoro`"):
        KokoroVoice(tmp_path)


def test_a_corrupt_net_says_how_to_check_it(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "model.onnx").write_bytes(b"not a net")
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {}}}')
    (tmp_path / "voices" / "zf_xiaoyi.bin").write_bytes(bytes(4 * 256 * 510))
    with pytest.raises(VoiceError, match="voicebot models check kokoro"):
        KokoroVoice(tmp_path).render("您好")


# ---- coqui ---------------------------------------------------------------------------------------------------------


def test_coqui_wants_a_model_folder_with_config_and_weights(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match=r"config\.json is missing"):
        CoquiVoice(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(VoiceError, match=r"no weights here; one of model\.pth"):
        CoquiVoice(tmp_path)


def test_coqui_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.pth").write_bytes(b"x")
    with pytest.raises(VoiceError, match=r"voicebot\[coqui\]"):
        CoquiVoice(tmp_path)


class CoquiEngine:
    """The API of the package coqui-tts as far as a VITS model of several speakers shows it; speaks half a second."""

    is_multi_speaker, is_multi_lingual = True, False

    def __init__(self, *, model_path: str, config_path: str, progress_bar: bool) -> None:
        self.config = SimpleNamespace(model="vits")
        self.synthesizer = SimpleNamespace(output_sample_rate=22050, tts_model=SimpleNamespace(length_scale=1.0))

    def tts(self, text: str, speaker: str | None = None, language: str | None = None) -> list[float]:
        if speaker != "小王" or language is not None:
            raise ValueError(f"no speaker {speaker}")
        assert text == "应还五元"
        samples = int(11025 * self.synthesizer.tts_model.length_scale)
        return list(np.sin(np.arange(samples) * 0.2) * 0.01)


def test_coqui_speaks_at_telephone_rate_and_level_with_the_speaker_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = ModuleType("TTS.api")
    api.TTS = CoquiEngine  # type: ignore[attr-defined]
    package = ModuleType("TTS")
    package.__spec__ = ModuleSpec("TTS", None)
    monkeypatch.setitem(sys.modules, "TTS", package)
    monkeypatch.setitem(sys.modules, "TTS.api", api)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.pth").write_bytes(b"x")
    voice = CoquiVoice(tmp_path, "小王")
    said = voice.render("应还5元")
    assert len(said) / 16000 == pytest.approx(0.5, abs=0.05)
    assert level_dbfs(said) == pytest.approx(LEVEL_DBFS, abs=1.5)
    assert len(voice.render("应还5元", speed=1.25)) / len(said) == pytest.approx(0.8, abs=0.03)
    with pytest.raises(VoiceError, match="no speaker 小李"):
        CoquiVoice(tmp_path, "小李").render("应还5元")


def test_coqui_without_a_folder_in_the_settings_says_which_key() -> None:
    settings = Settings.model_validate({"speech": {"tts": "coqui"}})
    with pytest.raises(VoiceError, match=r"speech\.tts_model"):
        make_voice(settings)


# ---- recordings ----------------------------------------------------------------------------------------------------


class Typist:
    """A voice that says how often and what it was asked; 100 samples of silence a character."""

    name = "typist"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def render(self, text: str, speed: float = 1.0) -> bytes:
        self.asked.append(text)
        return bytes(200 * len(text))


def tone(level: int, ms: int = 100) -> bytes:
    return np.full(8 * ms, level, "<i2").tobytes()


def test_a_recorded_line_is_taken_from_the_folder_whatever_its_punctuation(tmp_path: Path) -> None:
    write_wav(tmp_path / "您好，请问是本人吗.wav", tone(1000))
    voice = RecordedVoice(Recordings(tmp_path), typist := Typist())
    assert voice.render("您好！请问是本人吗？") == tone(1000)
    assert typist.asked == []


def test_recorded_clauses_win_and_the_rest_is_synthesised(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("text,file\n您好,a.wav\n再见,b.wav\n", "utf-8")
    write_wav(tmp_path / "a.wav", tone(1000))
    write_wav(tmp_path / "b.wav", tone(2000))
    voice = RecordedVoice(Recordings(tmp_path), typist := Typist())
    said = voice.render("您好，张伟先生，应还5元。再见！")
    assert typist.asked == ["张伟先生，应还五元。"]
    assert said.startswith(tone(1000)) and tone(2000) in said[len(tone(1000)) :]


def test_a_recording_of_another_rate_is_brought_to_eight_kilohertz(tmp_path: Path) -> None:
    write_wav(tmp_path / "您好.wav", tone(1000, ms=300), rate_hz=24000)
    found = Recordings(tmp_path).find("您好")
    assert found is not None and len(found) == pytest.approx(1600, abs=4)


def test_new_recordings_give_the_voice_another_name_so_that_caches_notice(tmp_path: Path) -> None:
    write_wav(tmp_path / "您好.wav", tone(1000))
    before = RecordedVoice(Recordings(tmp_path), Typist()).name
    write_wav(tmp_path / "您好.wav", tone(1001))
    assert RecordedVoice(Recordings(tmp_path), Typist()).name != before


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("text,file\n您好,gone.wav\n", "line 2.*gone.wav does not exist"),
        ("text,file\n您好,\n", "line 2: needs both columns"),
    ],
)
def test_a_wrong_index_is_refused_by_line(tmp_path: Path, index: str, reason: str) -> None:
    (tmp_path / "index.csv").write_text(index, "utf-8")
    with pytest.raises(VoiceError, match=reason):
        Recordings(tmp_path)


def test_a_recording_that_is_no_wav_is_named(tmp_path: Path) -> None:
    (tmp_path / "您好.wav").write_bytes(b"ID3 this is an mp3")
    with pytest.raises(VoiceError, match=r"您好\.wav.*not a wav file"):
        Recordings(tmp_path)
