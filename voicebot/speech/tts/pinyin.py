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
    "为准": "wei2 zhun3",
    "为止": "wei2 zhi3",
    "为限": "wei2 xian4",
    "先生": "xian1 sheng5",
}
"""Word -> syllables with tone numbers (5: neutral)."""

SURNAMES: dict[str, str] = {
    "单": "shan4",
    "曾": "zeng1",
    "仇": "qiu2",
    "解": "xie4",
    "任": "ren2",
    "朴": "piao2",
    "区": "ou1",
    "盖": "ge3",
    "华": "hua4",
    "查": "zha1",
    "尉迟": "yu4 chi2",
    "万俟": "mo4 qi2",
    "翟": "zhai2",
    "燕": "yan1",
    "纪": "ji3",
}
"""Read like this as a surname: at the start of a phrase or after 是, 找, 叫, ..., and before 先生, 女士 or 本人."""

_HAN = "\u4e00-\u9fff"
_SEGMENT = re.compile(rf"[{_HAN}]+|[A-Za-z]+|[^{_HAN}A-Za-z]+")
_READ_IN_CONTEXT = re.compile(
    # 还 as repayment: before an amount, at the end of a phrase, after 按时 and the like
    r"(?P<huan2>(?<=按时|及时|准时|哪天|那天)还(?!款|清|钱|上|不上|一部分|是)"
    r"|还(?=[零一二两三四五六七八九十百千万半吗呢吧了的]|好了|最方便|$))"
    # 得 as must
    r"|(?P<dei3>(?<![觉记值懂获取使晓显舍认])得(?=先|专员|由|请|跟))"
    rf"|(?:^|(?<=[是找叫问到系给位的好]))(?!任何|解决|单位|单身|查询|曾经|区别)(?P<surname>{'|'.join(SURNAMES)})"
    rf"(?=[{_HAN}]{{0,2}}(?:先生|女士|小姐)|[{_HAN}]{{1,2}}本人)"
)
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
    words: list[list[str]] = []
    done = 0
    for found in _READ_IN_CONTEXT.finditer(han):
        words += [_read(word) for word in _cut(han[done : found.start()])]
        words.append((SURNAMES.get(found["surname"]) or str(found.lastgroup)).split())
        done = found.end()
    return words + [_read(word) for word in _cut(han[done:])]


def _read(word: str) -> list[str]:
    return WORDS[word].split() if word in WORDS else _tools()[1](word)


def _cut(han: str) -> list[str]:
    return _tools()[0](han)


@functools.lru_cache(maxsize=2000)
def _sound(syllable: str) -> str:
    """One syllable as Kokoro knows it; empty for the few dozen characters that have no Mandarin syllable (兙, 瓧)."""
    from misaki.zh import ZHG2P

    try:
        return str(ZHG2P.py2ipa(syllable)).replace(_COMBINING_BELOW, "")
    except ValueError:
        return ""


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
