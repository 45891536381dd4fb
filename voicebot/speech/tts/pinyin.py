"""Which syllables does a Chinese line have, and which sounds does Kokoro know them by?

Segmentation is jieba's, readings are pypinyin's, sounds are misaki's. What they get wrong in the language of loan
collection is mended here: words with a reading of their own, and 还, which is huán before money and hái elsewhere.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
from collections.abc import Callable

WORDS: dict[str, str] = {
    # 还 as repayment
    "还款": "huan2 kuan3",
    "还款日": "huan2 kuan3 ri4",
    "还款人": "huan2 kuan3 ren2",
    "还清": "huan2 qing1",
    "还钱": "huan2 qian2",
    "还上": "huan2 shang4",
    "还不上": "huan2 bu2 shang4",
    "还得起": "huan2 de5 qi3",
    "还不起": "huan2 bu4 qi3",
    "还掉": "huan2 diao4",
    "应还": "ying1 huan2",
    "未还": "wei4 huan2",
    "已还": "yi3 huan2",
    "偿还": "chang2 huan2",
    "归还": "gui1 huan2",
    "最低还": "zui4 di1 huan2",
    "能还": "neng2 huan2",
    "可还": "ke3 huan2",
    "先还": "xian1 huan2",
    "还到": "huan2 dao4",
    "还进": "huan2 jin4",
    "一部分": "yi2 bu4 fen5",
    "还多少": "huan2 duo1 shao3",
    "还最低": "huan2 zui4 di1",
    "还全款": "huan2 quan2 kuan3",
    "还全额": "huan2 quan2 e2",
    # the trade
    "逾期": "yu2 qi1",
    "尾号": "wei3 hao4",
    "应付": "ying1 fu4",
    "应缴": "ying1 jiao3",
    "扣款": "kou4 kuan3",
    "转账": "zhuan3 zhang4",
    "转接": "zhuan3 jie1",
    "转人工": "zhuan3 ren2 gong1",
    "征信": "zheng1 xin4",
    "坐席": "zuo4 xi2",
    "重新": "chong2 xin1",
    "重复": "chong2 fu4",
    "银行": "yin2 hang2",
    "分行": "fen1 hang2",
    "支行": "zhi1 hang2",
    "本行": "ben3 hang2",
    "我行": "wo3 hang2",
    "行长": "hang2 zhang3",
    "打扰": "da3 rao3",
    "为您": "wei4 nin2",
    "几号": "ji3 hao4",
    "好的": "hao3 de5",
    # surnames with a reading of their own
    "单先生": "shan4 xian1 sheng5",
    "单女士": "shan4 nv3 shi4",
    "曾先生": "zeng1 xian1 sheng5",
    "曾女士": "zeng1 nv3 shi4",
    "仇先生": "qiu2 xian1 sheng5",
    "仇女士": "qiu2 nv3 shi4",
    "解先生": "xie4 xian1 sheng5",
    "解女士": "xie4 nv3 shi4",
    "任先生": "ren2 xian1 sheng5",
    "任女士": "ren2 nv3 shi4",
    "朴先生": "piao2 xian1 sheng5",
    "朴女士": "piao2 nv3 shi4",
    "区先生": "ou1 xian1 sheng5",
    "区女士": "ou1 nv3 shi4",
    "盖先生": "ge3 xian1 sheng5",
    "盖女士": "ge3 nv3 shi4",
    "华先生": "hua4 xian1 sheng5",
    "华女士": "hua4 nv3 shi4",
    "查先生": "zha1 xian1 sheng5",
    "查女士": "zha1 nv3 shi4",
}
"""Word -> syllables with tone numbers (5: neutral)."""

_HAN = "\u4e00-\u9fff"
_SEGMENT = re.compile(rf"[{_HAN}]+|[A-Za-z]+|[^{_HAN}A-Za-z]+")
_REPAY = re.compile(r"(还)(?=[零一二两三四五六七八九十百千万半])")
_PUNCTUATION = str.maketrans(
    {"，": ", ", "、": ", ", "。": ". ", "．": ". ", "！": "! ", "？": "? ", "：": ": ", "；": "; ", "…": "… "}
)
_LETTERS = {  # the names of the English letters in Kokoro's own phonemes
    "A": "ˈA",
    "B": "bˈi",
    "C": "sˈi",
    "D": "dˈi",
    "E": "ˈi",
    "F": "ˈɛf",
    "G": "ʤˈi",
    "H": "ˈAʧ",
    "I": "ˈI",
    "J": "ʤˈA",
    "K": "kˈA",
    "L": "ˈɛl",
    "M": "ˈɛm",
    "N": "ˈɛn",
    "O": "ˈO",
    "P": "pˈi",
    "Q": "kjˈu",
    "R": "ˈɑɹ",
    "S": "ˈɛs",
    "T": "tˈi",
    "U": "jˈu",
    "V": "vˈi",
    "W": "dˈʌbᵊlju",
    "X": "ˈɛks",
    "Y": "wˈI",
    "Z": "zˈi",
}
_COMBINING_BELOW = chr(815)  # misaki leaves this mark behind; Kokoro has no token for it
_loading = threading.Lock()


def phonemes(text: str) -> str:
    """A line without digits -> Kokoro's phonemes. Latin letters are spelled out by name."""
    out = []
    for segment in _SEGMENT.findall(text):
        if "\u4e00" <= segment[0] <= "\u9fff":
            out.append(" ".join("".join(map(_sound, word)) for word in syllables(segment)))
        elif segment[0].isascii() and segment[0].isalpha():
            out.append(" ".join(_LETTERS[c] for c in segment.upper()) + " ")
        else:
            out.append(segment.translate(_PUNCTUATION))
    return "".join(out).strip()


def syllables(han: str) -> list[list[str]]:
    """A run of Chinese characters -> its words, each a list of syllables: [["xin4", "yong4", "ka3"], ...]."""
    cut, read = _tools()
    words: list[list[str]] = []
    for piece in filter(None, _REPAY.split(han)):
        if piece == "还":
            words.append(["huan2"])
        else:
            words += [WORDS[word].split() if word in WORDS else read(word) for word in cut(piece)]
    return words


@functools.lru_cache(maxsize=2000)
def _sound(syllable: str) -> str:
    from misaki.zh import ZHG2P

    return str(ZHG2P.py2ipa(syllable)).replace(_COMBINING_BELOW, "")


def _tools() -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    with _loading:
        return _load_tools()


@functools.cache
def _load_tools() -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    """jieba's cutter and pypinyin's reader. Takes 0.7 s once; nothing needs them before the first line is spoken."""
    import jieba
    from pypinyin import Style, lazy_pinyin

    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    cutter.initialize()
    for word in WORDS:
        cutter.add_word(word, freq=2_000_000)
    return cutter.lcut, functools.partial(lazy_pinyin, style=Style.TONE3, neutral_tone_with_five=True)
