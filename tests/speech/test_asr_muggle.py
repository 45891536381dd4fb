"""The muggle ear: the rebuilt network, its gates against noise, and listening for what is expected."""

from __future__ import annotations

import csv
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest

from dialogue.protocol import Expectation
from voicebot.settings import PROJECT_ROOT, load_settings
from voicebot.speech.asr import muggle
from voicebot.speech.asr.lowrank import read_adaptation
from voicebot.speech.asr.muggle import OTHERS, MuggleAsr, accepted, is_tone, vote
from voicebot.speech.asr.muggle_features import BANDS, KEPT_MS, QUIET_MS, features, find_activity, frame_turn
from voicebot.speech.asr.muggle_net import MuggleNet, no_past
from voicebot.speech.asr.search import Decoded, Scored
from voicebot.speech.asr.words import read_words
from voicebot.speech.audio import mix, read_telephone, through_g711, to_float, to_pcm16

FOLDER = load_settings().data_home / "models" / "muggle"
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "speech"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "decoder.onnx").is_file(), reason="weights are absent: voicebot models pull muggle"
)
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of real speech are absent")

SENTENCE = "BAC009S0150W0077.wav"
SAID = "想听歌曲唱着情歌流着泪"


@pytest.fixture(scope="module")
def ear() -> MuggleAsr:
    return MuggleAsr(FOLDER)


@pytest.fixture(scope="module")
def net() -> MuggleNet:
    return MuggleNet(FOLDER)


def noise(ms: int, level: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(ms * 8).astype(np.float32) * level


def tone(hz: float, ms: int) -> np.ndarray:
    return (np.sin(np.arange(ms * 8) / 8000 * 2 * np.pi * hz) * 0.2).astype(np.float32)


def hear(ear: MuggleAsr, samples: np.ndarray, expectation: Expectation | None = None):
    turn = ear.stream(expectation or Expectation())
    turn.feed(through_g711(to_pcm16(samples)))
    return turn.final()


def recording(name: str) -> np.ndarray:
    return to_float(read_telephone(RECORDINGS / name))


# ---- the network --------------------------------------------------------------------------------------------------


def test_the_rebuilt_graphs_agree_with_the_published_ones(net):
    import onnx
    import onnxruntime as ort

    published = onnx.load(str(FOLDER / "decoder.onnx"))
    published.graph.output.append(onnx.helper.make_empty_tensor_value_info("onnx::TopK_1572"))  # its LogSoftmax
    decoder = ort.InferenceSession(published.SerializeToString())
    encoder = ort.InferenceSession(str(FOLDER / "encoder.onnx"))
    seen = np.random.default_rng(0).standard_normal((150, BANDS)).astype(np.float32)
    names = ["preds", "beam_enc_states", "beam_enc_mask", "scores", "ending_flag"]
    prefix, states, mask, scores, ended = encoder.run(names, {"inputs": seen[None]})
    heard, past, last = net.encode(seen), no_past(1), np.zeros((1, 1), np.int64)
    for _ in range(5):
        fed = {
            "preds": prefix,
            "beam_enc_states": states,
            "beam_enc_mask": mask,
            "scores.1": scores,
            "ending_flag": ended,
        }
        prefix, scores, ended, log_p = decoder.run(["preds_symbol", "scores", "end_flag", "onnx::TopK_1572"], fed)
        ours, past = net.step(last, past, heard)
        assert np.abs(log_p.reshape(-1, log_p.shape[-1])[-1] - ours[0, -1]).max() < 1e-2
        last = prefix[:, -1:]


def test_a_whole_answer_scores_as_its_characters_one_by_one(net):
    heard = net.encode(np.random.default_rng(0).standard_normal((120, BANDS)).astype(np.float32))
    ids = np.array([[0, net.ids["不"], net.ids["是"]]])
    at_once, _ = net.step(ids, no_past(1), heard)
    past, stepwise = no_past(1), []
    for c in ids[0]:
        log_p, past = net.step(np.array([[c]]), past, heard)
        stepwise.append(log_p[0, 0])
    assert np.abs(at_once[0] - np.array(stepwise)).max() < 1e-3


# ---- what comes before it -----------------------------------------------------------------------------------------


def test_speech_is_framed_by_its_own_background_and_then_by_quiet():
    samples = np.concatenate([noise(1000, 0.001), noise(500, 0.1, 2), noise(1000, 0.001, 3)])
    activity = find_activity(samples, 8000)
    assert activity.start / 8 == pytest.approx(1000, abs=20)
    assert activity.end / 8 == pytest.approx(1500, abs=20)
    framed = frame_turn(samples, 8000, activity)
    assert len(framed) / 8 == pytest.approx(500 + 2 * QUIET_MS, abs=40)
    assert not framed[: (QUIET_MS - KEPT_MS) * 8].any()


@pytest.mark.parametrize("gain", [0.02, 0.1, 1.0])
def test_loudness_does_not_change_what_the_network_sees(gain):
    samples = np.concatenate([noise(300, 1e-4), noise(500, 0.2, 2), noise(300, 1e-4, 3)])
    seen = features(frame_turn(samples, 8000, find_activity(samples, 8000)), 8000, narrowband=True)
    soft = samples * gain
    as_soft = features(frame_turn(soft, 8000, find_activity(soft, 8000)), 8000, narrowband=True)
    assert seen.shape[1] == BANDS
    assert np.abs(seen - as_soft).mean() < 0.1


def test_the_quiet_around_a_syllable_does_not_outweigh_it():
    samples = np.concatenate([noise(500, 1e-4), noise(200, 0.2, 2), noise(500, 1e-4, 3)])
    framed = frame_turn(samples, 8000, find_activity(samples, 8000))
    syllable = slice(QUIET_MS // 10 + 2, QUIET_MS // 10 + 18)
    drowned = features(framed, 8000, narrowband=True)[syllable].mean()
    weighted = features(framed, 8000, narrowband=True, quiet_ms=QUIET_MS)[syllable].mean()
    assert 0 < weighted < drowned * 0.75


def test_lost_packets_are_not_taken_for_the_background():
    samples = np.concatenate([np.zeros(4000, np.float32), noise(500, 0.01), noise(300, 0.2, 2), noise(500, 0.01, 3)])
    activity = find_activity(samples, 8000)
    assert activity.start / 8 == pytest.approx(1000, abs=20)


# ---- gates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [(), ("是", "不是", "喂")])
@pytest.mark.parametrize("hz", [350, 450, 1000])
def test_a_tone_says_nothing(ear, hz, answers):
    heard = hear(ear, tone(hz, 1000), Expectation(answers=answers))
    assert (heard.text, heard.closed) == ("", None)


def test_a_busy_tone_says_nothing(ear):
    busy = np.concatenate([np.concatenate([tone(450, 350), np.zeros(2800, np.float32)]) for _ in range(4)])
    assert hear(ear, busy, Expectation(answers=("喂", "是"))).text == ""


def test_a_click_says_nothing(ear):
    click = np.zeros(8000, np.float32)
    click[4000:4040] = 0.8
    assert hear(ear, click).text == ""


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_steady_noise_is_no_expected_answer(ear, seed):
    heard = hear(ear, noise(1200, 0.05, seed), Expectation(answers=("是", "不是", "打错了", "好的")))
    assert heard.closed is None


@needs_recordings
def test_a_voice_is_no_tone():
    assert not any(is_tone(recording(f.name), 8000) for f in sorted(RECORDINGS.glob("*.wav")))


@needs_recordings
def test_one_loud_syllable_makes_no_tone_of_a_voice():
    samples = recording(sorted(f.name for f in RECORDINGS.glob("*.wav"))[0])
    at = int(np.abs(samples).argmax()) // 512 * 512
    samples[at : at + 512] += tone(450, 64) * 20
    assert not is_tone(samples, 8000)


# ---- which expected answer ----------------------------------------------------------------------------------------


def scored(**log_ps: float) -> list[tuple[str, Decoded]]:
    return [(answer, Decoded((3,), (log_p,))) for answer, log_p in log_ps.items()]


@pytest.mark.parametrize(
    ("expected", "other", "free", "said"),
    [
        (scored(是我=-1.0, 不是我=-7.0), -9.0, -0.5, "是我"),
        (scored(是我=-5.5, 不是我=-4.4), -9.0, -0.5, None),  # one swallowed syllable apart: neither
        (scored(是我=-4.5, 是的=-4.4), -9.0, -0.5, "是的"),  # both a yes: whichever
        (scored(对没错=-4.5, 对的=-4.4), -9.0, -0.5, "对的"),  # as are these
        (scored(没问题=-4.4, 不行=-4.9), -9.0, -0.5, None),
        (scored(是我=-4.8), -4.6, -0.5, None),  # something else is as likely
        (scored(是我=-7.0), -9.0, -3.0, "是我"),  # not likely in itself, but clear of all others
        (scored(是我=-7.0), -9.0, -1.0, None),  # too far behind what was heard freely
        ([], -9.0, -1.0, None),
    ],
)
def test_an_expected_answer_is_accepted_when_nothing_else_is_as_likely(expected, other, free, said):
    found = accepted(expected, other, free)
    assert (found and found[0]) == said


# ---- hearing ------------------------------------------------------------------------------------------------------


def look(*texts: tuple[tuple[int, ...], float]) -> list[Scored]:
    return [Scored(Decoded(ids, (-0.1,) * (len(ids) + 1)), score) for ids, score in texts]


def test_one_look_keeps_its_order_and_its_weights():
    voted = vote([look(((1,), -1.0), ((2,), -3.0), ((3,), -5.0))])
    assert [v.ids for v in voted] == [(1,), (2,), (3,)]
    assert [v.weight / voted[0].weight for v in voted] == pytest.approx([1.0, np.exp(-1), np.exp(-2)])


def test_what_both_looks_heard_wins_over_what_either_heard_best():
    unsure = look(((1,), -4.0), ((2,), -4.2)), look(((3,), -9.0), ((2,), -9.2))
    assert vote(unsure)[0].ids == (2,)


def test_every_look_has_one_vote_however_well_it_heard():
    clear, faint = look(((1,), -1.0)), look(((2,), -60.0))
    assert [v.weight for v in vote([clear, faint])] == pytest.approx([1.0, 1.0])


def test_only_the_likeliest_texts_of_a_look_have_a_say():
    many = look(*(((n,), -1.0 - n / 10) for n in range(1, 30)))
    assert len(vote([many])) == OTHERS + 1


@needs_recordings
def test_a_sentence_is_heard_through_a_telephone_line(ear):
    heard = hear(ear, recording(SENTENCE))
    assert heard.text == SAID
    assert heard.confidence > 0.7


@needs_recordings
def test_the_expected_answer_is_accepted_when_it_was_said(ear):
    heard = hear(ear, recording(SENTENCE), Expectation(answers=("不是", SAID, "打错了")))
    assert (heard.text, heard.closed) == (SAID, SAID)


@needs_recordings
def test_an_expected_phrase_is_favoured_and_leaves_other_words_alone(ear):
    freely, said = "BAC009S0150W0333.wav", "高谈阔论"
    without = hear(ear, recording(freely)).text
    within = hear(ear, recording(freely), Expectation(phrases=(said, "最低还款"))).text
    assert said not in without
    assert said in within
    assert "最低还款" not in within


@needs_recordings
def test_in_noise_the_others_that_it_may_have_been_come_with_the_words():
    knowing = MuggleAsr(FOLDER, words=read_words(PROJECT_ROOT / "models" / "ears" / "words.npz"))
    noisy = mix(recording(SENTENCE), noise(1000, 1.0), 5.0)
    heard = hear(knowing, noisy, Expectation(customer=True))
    assert heard.others and heard.text not in {o.text for o in heard.others}
    weights = [o.weight for o in heard.others]
    assert weights == sorted(weights, reverse=True) and weights[-1] > 0 and weights[0] <= 1
    accepted_one = hear(knowing, recording(SENTENCE), Expectation(answers=(SAID,), customer=True))
    assert accepted_one.closed == SAID and accepted_one.others == ()


@needs_recordings
def test_only_in_noise_does_the_ear_lean_on_what_it_has_learned(monkeypatch):
    models = PROJECT_ROOT / "models" / "ears"
    learned, words = read_adaptation(models / "telephone.npz"), read_words(models / "words.npz")
    quiet = np.pad(recording(SENTENCE), 4000)
    noisy = mix(quiet, noise(len(quiet) // 8, 1.0), 8.0)
    heard = []
    for share in (0.0, muggle.BY_HEART):
        monkeypatch.setattr(muggle, "BY_HEART", share)
        ear = MuggleAsr(FOLDER, adaptation=learned, words=words)
        turns = [hear(ear, samples, Expectation(customer=True)) for samples in (quiet, noisy)]
        heard.append([(turn.text, turn.others) for turn in turns])
    assert heard[0][0] == heard[1][0]
    assert heard[0][1] != heard[1][1]


@needs_recordings
def test_no_new_speech_makes_the_final_result_free(ear):
    turn = ear.stream(Expectation())
    turn.feed(to_pcm16(recording(SENTENCE)))
    partial = turn.partial()
    turn.feed(bytes(3200))
    final = turn.final()
    assert final.text == partial.text
    assert final.cpu_ms < partial.cpu_ms / 4


@needs_recordings
def test_pinning_the_upper_bands_is_what_makes_the_network_hear_a_telephone(ear):
    unpinned = MuggleAsr(FOLDER, bandwidth="wide")
    rows = list(csv.DictReader((RECORDINGS / "manifest.tsv").open(encoding="utf-8"), delimiter="\t"))[40:56]

    def right(engine: MuggleAsr) -> int:
        """Characters of the transcripts that were heard, in order."""
        pairs = [(r["transcript"], hear(engine, recording(r["file"])).text) for r in rows]
        return sum(m.size for a, b in pairs for m in SequenceMatcher(None, a, b, False).get_matching_blocks())

    assert right(ear) > right(unpinned)


@needs_recordings
def test_noise_lowers_the_confidence(ear):
    samples = recording(SENTENCE)
    assert hear(ear, mix(samples, noise(1000, 1.0), 5.0)).confidence < hear(ear, samples).confidence
