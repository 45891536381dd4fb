"""Has the customer finished? How a half-heard turn sounds, so that the endpointing knows how long to wait.

Cautious on purpose: cutting somebody off costs more than a third of a second. A turn is COMPLETE only when it answers
the pending question and nothing in it asks to be continued.
"""

from __future__ import annotations

import re

from dialogue.acts import Pending
from dialogue.numerals import NUMERAL
from dialogue.patterns import LEADING_NOISE, PARTICLES, SHORT_NO, SHORT_YES
from dialogue.understanding import Completeness

_HUM = re.compile(r"[嗯恩呃额啊哦唔噢诶哎唉喂]+")
_HESITATION = re.compile(r"(?:[嗯恩呃额啊哦唔噢]|那个|这个|就是|然后|那)+")
_TRAILING = re.compile(
    r"(?:那个|这个|就是说?|然后|因为|但是|但|可是|不过|而且|所以|如果|要是|或者|还是|比如|"
    r"因|跟|和|把|被|让|给|从|对于|关于|主要|"
    r"我是.{1,3}的|其实|反正|嗯+|呃+|额|呃|我想|我说|我觉得|我是说|我这边|我这|我们?|你们?|他|她|的时候|在|"
    r"的话|大概|可能|应该|估计|恐怕|肯定|一定|真的?|实在|确实|现在|暂时|目前|最近|想|能不能|可不可以|"
    r"是不是|有没有|为什么|怎么|什么时候|那我|那你|到|先|再|要|去|等|等我|得|才|也|都|又|会|就|不太|不|很|太|"
    r"最|第|先还|我先|只能|最多|不好意思|[我个的这那]钱|(?:我|个|的|这|那)工资)$"
)
_ENDS_WELL = re.compile(
    r"(?:是我|就是我|找我|给我|告诉我|联系我|谢谢你|不是我|听我|还给你|转给你|给你们?|"
    r"是你|想想|怎么办|不要|可能不行|是这个|我们?不去|没去|不想|必须要|知道你|是他|找他|"
    r"认识他|不认识她?|是真的|我一定|没有不|行不|会不会)$"
)
_HALF_DATE = re.compile(
    rf"(?:下个?|这个?|上个?|本|下下)(?:周|礼拜|星期|月)?$|(?:周|礼拜|星期)$|"
    rf"(?:{NUMERAL})(?:月)?$|(?:{NUMERAL})月份?的?$|大后$|(?:今|明|后)$|三天$|(?:上|下)$|"
    rf"过$|过几$|过两$"
)
_WHOLE_DAY = (
    r"(?:大后天|明天|后天|(?:下个?|下下个?|这个?|本)?(?:周|礼拜|星期)[一二三四五六日天末]|"
    r"(?:这个?周末|月底|月初|下个?月[底初])|(?:(?:下个?月|[\d一二三四五六七八九十]+月)?[\d一二三四五六七八九十]+[号日]))"
)
_DAY = rf"(?:{_WHOLE_DAY}|今天|今晚|明晚|明早|下个?月|下午|晚上|上午|中午|早上)"
_DAY_ANSWERS = re.compile(rf"^(?:嗯|呃|啊|哦|就)*{_WHOLE_DAY}$")
_DAY_OF_MINE = re.compile(rf"^(?:嗯|呃|啊|哦|就|那|这个?|那个)*我(?:这个?|那个?|就|们)?(?:{_DAY})+[啊呀呢嘛]?$")
_BARE_DAY = re.compile(rf"^(?:嗯|呃|啊|哦|就|那|这个?|那个|要|等)*(?:{_DAY})+[啊呀呢嘛]?$")
_DAY_DONE = re.compile(
    rf"{_DAY}(?:吧|(?:就|可以|能)?还吧?|可以|行吧?|(?:真|真的|可能|肯定|都)?不太?行|之前|前|以前|左右|还上|还清|能还|"
    rf"处理|转过去|还给你们?|还款)$"
)
_PAYS = re.compile(r"(?:还上|还清|还完|还掉|转过去|转给你们?|结清)(?:吧|了|的)?$|还的$|钱还$|一半(?:吧|行吗|可以吗)?$")
_AMOUNT_DONE = re.compile(
    rf"(?:先)?还?(?:个)?(?:{NUMERAL})(?:块钱?|元钱?|来块)(?:吧|行吗|可以吗|钱)?$|"
    rf"最低(?:还款)?(?:吧|行吗|可以吗)$"
)
_ROUND_AMOUNT = re.compile(r"[百千万]$")
_CLOSED = re.compile(
    r"(?:打错了|没这个人|不认识(?:这个人|[他她])?|转人工|找人工|人工客服|听不清|没听清|再说一遍|什么事|你是谁|你谁|哪位|"
    r"挂了|再见|拜拜|还过了|已经还了|还了呀|还清了|没钱|失业了|没工作|忘了|生病了|住院了|没发|"
    r"不知道|不还|别打了|投诉|骗子|机器人吗?|真人吗|不在|开会呢?|开车呢?|没空|在忙|怎么还|"
    r"多少钱|过几天|没问题|知道了|还不了|还不起|还不上|今天不行|现在(?:就)?还|尽快还?|"
    r"是我本人|我就是|是本人|打过来|再打|转告他?|说一声|跟[他她]说|打电话了|明白了|过两天|怎么样|"
    rf"麻烦(?:你们?|您)了?|谢谢|(?:你们?|您)是哪(?:里|儿|家|个)(?:打来的?|银行|公司|的)?|怎么了|(?<!不)是{_WHOLE_DAY}|行吗|可以吗|好吗|对吗|是吗|吗)$"
)
_WHOLE_IDENTITY = re.compile(
    r"(?:是我|我是(?![他她你])\S{1,3}[^的\s]|^(?:对|是的?|嗯)+我(?:就)?是|你说|请讲|您说|请说)$"
)
_SOFTENERS = re.compile(r"[啊呀吧呢哦嘛哈]+$")
_ENDS_IN_DAY = re.compile(rf"{_WHOLE_DAY}$")
_WHOLE = frozenset(
    {"本人", "明白", "明白了", "收到", "不需要", "马上还", "能还", "不一定", "不好说", "不清楚", "你说什么"}
)
_PERHAPS_WHOLE = frozenset({"什么", "啥", "你好", "您好"})
_BEGINNINGS = frozenset({"不", "没", "好", "得", "别", "我不是"})
# 「今天还……」 goes on as often as not, 今天还不了, 今天还没发工资, and the ears hear it in 「今天啊……」.
_TODAY_STILL = frozenset({"今天还", "我今天还", "今天就还"})
_ANSWERS_ONLY = {
    "是": frozenset({Pending.VERIFY_IDENTITY, Pending.CONFIRM_PROMISE}),
    "能": frozenset({Pending.ASK_PAY_TODAY}),
    # 「不对」 to the promise read back, 「不是」 to the name: who says so mostly goes on to say what is right.
    "不对": frozenset(Pending) - {Pending.CONFIRM_PROMISE},
    "不是": frozenset(Pending) - {Pending.CONFIRM_PROMISE, Pending.VERIFY_IDENTITY},
    "错了": frozenset(Pending) - {Pending.CONFIRM_PROMISE},
}
"""Short words, and the questions to which they are a whole answer."""
_LONG_ENOUGH = 3


def judge(words: str, pending: Pending) -> Completeness:
    """`words` normalised (see `dialogue.rules.normalise`). Cheap: a handful of regular expressions."""
    if not words or _HUM.fullmatch(words):
        # 「嗯」 may be a yes, and 「嗯……对，我是」 begins with it.
        return Completeness.OPEN
    if _HESITATION.fullmatch(words):
        return Completeness.HANGING
    core = LEADING_NOISE.sub("", words)
    short = PARTICLES.sub("", core) or core
    if short in _ANSWERS_ONLY:
        return Completeness.COMPLETE if pending in _ANSWERS_ONLY[short] else Completeness.OPEN
    if SHORT_YES.match(short) or SHORT_NO.match(short):
        # 「行」 answers; 「不」 and 「好」 are as often the beginning of a sentence.
        return Completeness.OPEN if core in _BEGINNINGS else Completeness.COMPLETE
    if core in _PERHAPS_WHOLE or core in _TODAY_STILL:
        return Completeness.OPEN
    if (found := _by_day(words, pending)) is not None:
        return found
    soft = _SOFTENERS.sub("", core)
    if core in _WHOLE or any(p.search(core) for p in (_DAY_DONE, _PAYS, _AMOUNT_DONE, _CLOSED)) or _CLOSED.search(soft):
        return Completeness.COMPLETE
    if _ROUND_AMOUNT.search(core) or _ENDS_IN_DAY.search(core):
        return Completeness.OPEN
    if _HALF_DATE.search(core) or (_TRAILING.search(core) and not _ENDS_WELL.search(core)):
        return Completeness.HANGING
    if pending is Pending.VERIFY_IDENTITY and _WHOLE_IDENTITY.search(soft):
        return Completeness.COMPLETE
    return Completeness.OPEN if len(core) >= _LONG_ENOUGH else Completeness.HANGING


def _by_day(words: str, pending: Pending) -> Completeness | None:
    """A day and hardly more: 「周五」 answers the question for a day, 「我周五」 waits for its verb."""
    if _DAY_ANSWERS.match(words):
        return Completeness.COMPLETE if pending is Pending.ASK_PAY_DATE else Completeness.OPEN
    if _DAY_OF_MINE.match(words):
        return Completeness.HANGING
    return Completeness.OPEN if _BARE_DAY.match(words) else None
