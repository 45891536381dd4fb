"""What will the customer probably say now? Short answers and phrases that the ears listen for first."""

from __future__ import annotations

from datetime import date

from dialogue.acts import Pending
from dialogue.policy import smallest_part
from dialogue.protocol import CaseFacts, Expectation
from dialogue.rendering import say_amount
from dialogue.script import Node, Policy

_YES = ("是", "是的", "对", "对的", "对啊", "嗯", "嗯对", "好", "好的", "好吧", "行", "行吧", "可以", "没问题")
_NO = ("不是", "不对", "不行", "不可以", "没有", "不")
_WHAT = ("什么", "啥", "听不清", "你再说一遍", "喂", "你说什么", "没听清")
_WHO = ("你是谁", "你谁啊", "哪位", "你哪位", "你是哪里", "你是机器人吗", "有什么事", "什么事")
_STEER = ("转人工", "我在开会", "我在开车", "没空", "别打了", "不需要", "再见")

_ANSWERS: dict[Pending, tuple[str, ...]] = {
    Pending.VERIFY_IDENTITY: (
        "是",
        "是我",
        "是的",
        "我是",
        "我就是",
        "对",
        "对是我",
        "对的",
        "嗯",
        "嗯是我",
        "是本人",
        "本人",
        "是的你说",
        "你说",
        "请讲",
        "不是",
        "不是我",
        "我不是",
        "打错了",
        "你打错了",
        "不认识",
        "没这个人",
        "他不在",
        "她不在",
        "喂",
        "你好",
        *_WHO,
        "什么",
        "我在开会",
        "我在开车",
        "没空",
    ),
    Pending.ASK_PAY_TODAY: (
        "能",
        "可以",
        "可以的",
        "行",
        "好",
        "好的",
        "嗯",
        "没问题",
        "今天还",
        "我今天还",
        "马上还",
        "今天可以",
        "不能",
        "不行",
        "今天不行",
        "还不了",
        "没钱",
        "我没钱",
        "现在没钱",
        "我失业了",
        "明天",
        "明天还",
        "我明天还",
        "后天",
        "周五",
        "过几天",
        "我已经还了",
        "已经还了",
        "还过了",
        "不还",
        *_WHAT,
        *_STEER,
    ),
    Pending.ASK_PAY_DATE: (
        "今天",
        "明天",
        "后天",
        "明天还",
        "后天还",
        "大后天",
        "周一",
        "周二",
        "周三",
        "周四",
        "周五",
        "周六",
        "周日",
        "星期五",
        "礼拜五",
        "这周五",
        "下周一",
        "下周三",
        "下周五",
        "周五吧",
        "这周末",
        "月底",
        "下个月",
        "过几天",
        "不知道",
        "不一定",
        "不好说",
        "没钱",
        "我已经还了",
        "还不了",
        *_YES[7:],
        *_NO[2:4],
        *_WHAT,
        *_STEER,
    ),
    Pending.CONFIRM_PROMISE: (
        *_YES,
        "没错",
        "嗯嗯",
        "对对对",
        "是的没错",
        "确认",
        "知道了",
        "明白",
        *_NO,
        "不对不对",
        "说错了",
        "等一下",
        *_WHAT,
        *_STEER,
    ),
    Pending.ASK_REASON: (
        "没钱",
        "失业了",
        "我失业了",
        "没工作",
        "生病了",
        "住院了",
        "工资没发",
        "工资还没发",
        "忘了",
        "我忘了",
        "不知道",
        "不想说",
        "没什么",
        "下个月",
        "过段时间",
        "不好说",
        "不清楚",
        *_YES,
        *_NO,
        *_WHAT,
        *_STEER,
    ),
}
PICKUP = Expectation(
    answers=(
        "喂",
        "喂你好",
        "你好",
        "喂您好",
        "您好",
        "喂哪位",
        "哪位",
        "喂谁啊",
        "喂你哪位",
        "喂喂",
        "说话",
        "讲",
        "是我",
        "嗯",
    )
)
"""What people say when they pick up."""

_ANSWERS_ELSE = (*_YES, *_NO, *_WHAT, *_WHO, *_STEER, "知道了", "嗯嗯", "谢谢", "不方便", "我转告他", "下午三点")

_WHEN = (
    "今天",
    "明天",
    "后天",
    "大后天",
    "周一",
    "周二",
    "周三",
    "周四",
    "周五",
    "周六",
    "周日",
    "这周五",
    "下周一",
    "下周五",
    "这个周末",
    "月底",
    "月初",
    "下个月",
    "发工资",
    "三天之内",
)
_PAY = (
    "最低还款",
    "先还一半",
    "还一半",
    "先还五百",
    "先还一千",
    "全部还清",
    "全部还上",
    "全部还了",
    "今天就还",
    "还上",
    "还清",
    "还不上",
    "还过了",
    "转过去",
    "没到账",
    "没钱",
    "分期",
    "宽限几天",
    "还款",
)
_CLOCK = ("上午十点", "下午两点", "下午三点", "晚上八点", "明天上午", "半小时以后", "一个小时以后")
_PHRASES: dict[Pending, tuple[str, ...]] = {
    Pending.VERIFY_IDENTITY: ("是我本人", "你打错了", "我是他老婆", "我是他老公", "我是他朋友", "他不在"),
    Pending.ASK_PAY_TODAY: (*_WHEN, *_PAY, "转人工", "已经还了"),
    Pending.ASK_PAY_DATE: (*_WHEN, *_PAY, "转人工"),
    Pending.CONFIRM_PROMISE: (*_WHEN, *_PAY),
    Pending.ASK_REASON: ("失业了", "没有工作", "工资还没发", "住院", "生病", "转人工"),
    Pending.NONE: (*_CLOCK, *_WHEN[:11]),
}


def expectation(node: Node, pending: Pending, policy: Policy, case: CaseFacts, today: date) -> Expectation:
    """What the ears should favour while `node` waits for its answer. Pure; the same for the same case and day."""
    answers = _ANSWERS.get(pending, _ANSWERS_ELSE)
    phrases = _PHRASES.get(pending, ())
    if pending is Pending.VERIFY_IDENTITY:
        phrases = (case.name, f"我是{case.name}", f"我不是{case.name}", *phrases)
    elif pending in (Pending.ASK_PAY_TODAY, Pending.ASK_PAY_DATE):
        part = smallest_part(policy, case)
        phrases = (*phrases, *(say_amount(a) for a in (case.min_amount, part) if a == a.to_integral_value()))
    return Expectation(tuple(dict.fromkeys(node.answers + answers)), tuple(dict.fromkeys(node.phrases + phrases)))
