"""The lines of the simulated customers, as they are written and as telephone ears hear them.

Behind each line stand spellings that the 8 kHz recogniser gave for it, and others of the same sound. A person who reads
them still knows what was meant; so must the understander. Lines that arrive as something else (是的我是 as 智能模式)
are not here: there the robot has to ask again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from dialogue_kit import NOW

from dialogue.acts import Act, Pending
from dialogue.homophones import put_right
from dialogue.rules import make_understander, normalise

WEDNESDAY, THURSDAY, FRIDAY = date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)
DAYS = {"-": None, "today": WEDNESDAY, "tomorrow": THURSDAY, "friday": FRIDAY, "+2d": FRIDAY}

HEARD = """
[verify_identity]
self - -: 对，我就是，你说吧。 随我就是你说吧 对我就是你说把
self - -: 嗯，是我。 你是我啊 嗯事我 嗯试我
self - -: 对，我是。 给我试 非我是 随我是 队我是
self - -: 是我。 是我呀。 是我要 四我 事我啊
self - -: 对，我就是。 队我就是 兑我就是
self - -: 是的，我是。 是的我事 是的模式
self - -: 嗯，我是，你说。 你我是你说 死我是你说 嗯我市你说
self - -: 我是我是。 莫是我是 我去我是 我是我训
self - -: 嗯……对，我是。 随我是 嗯对我试
self - -: 对，我是，什么事？ 对我是什么事 队我是什么事
self - -: 我是，你是哪里打来的？ 我事你是哪里打来的
wrong_person - -: 你打错了吧，我不认识这个人。 你大错了吧我不认识这个人 你打搓了吧我不认时这个人
wrong_person - -: 你打错了吧也不认识细的人
wrong_person - -: 你打错了。 你大错了 你打措了 你打挫了
third_party - -: 她不在家，我是她爱人，你有什么事吗？ 他不在家我是她爱人你有什么去吧 他不在家不是他爱人你有什么去吗
third_party - -: 她不在，你晚点再打吧。 他不在你玩紧在打吧 他不在你玩品在打吧 他不在你晚点在打吧
greeting - -: 喂，你好。 为你好 微你好 喂？ 微
ask_identity - -: 喂，哪位？ 微哪位 为哪位
ask_identity - -: 不好意思，我先问一句，你是哪家银行？ 不好意思我先闻一句你是哪家银航
request_repeat - -: 不好意思，没听清，你再说一遍。 不好意思没听听你再说一遍 不好意思没听信息再说一点
request_repeat - -: 不好意思没听轻你在说一边
request_repeat - -: 没听清，麻烦再说一遍。 没听听麻烦再说一遍 微信心麻烦再说一点 没听青麻烦在说一变
request_repeat - -: 啊？你说什么？ 他你说什么 怕你说什么 爱心说什么
request_repeat - -: 喂？你说什么？ 你说什么？ 什么？ 你说什么啊 微你说什么
request_repeat - -: 我这边太吵了，你再说一遍。 我这边太吵了你在说一遍 我这边太吵了请再说一遍
request_repeat - -: 不好意思，你再说一遍。 你再说一遍。 请再说一遍。 富豪一丝细再说一件 不好意思你在说一便
request_repeat - -: 喂，你那边说什么我这里其实不太…… 为你那边说什么我这里其实不太
already_paid - -: 我已经还过了。 我以经环过了 我已经怀过了 我已近还过了
hardship - -: 我没有工作，没有钱还。 我没有工作没用钱还 我没有工作没有钱海 我没有工做没有钱环
call_assistant - -: 您好，您所拨打的电话已关机，请稍后再拨。 你好你所不打的电话已关机请烧后再拨
filler - -: 等一下，你先听我说。 等一下你先挺我说 等一下你先听我所
[ask_pay_today]
promise_pay today full: 哦，我给忘了，行，我今天就把它全部还上。 哦我给忘了行我今天就把他全部还上 我今天就把它全部怀上
promise_pay today full: 我今天就把它全不环上
promise_pay today full: 今天，今天全部还清。 今天今天全部环境 今天今天全不还请 今天今天群不怀清
promise_pay today full: 可以，我今天就全部还了。 可已我今天就全部怀了 可以我今天就前不还了
promise_pay today -: 好，我今天还。 好我今天换 好我金天还 好我今天怀
deny - -: 今天不行。 今天步行 今天部行 金天不行
deny - -: 今天还不了啊。 明天还不聊啊 今天换不了啊 今天怀不了啊 今天环不聊啊
deny - -: 今天恐怕不太行，得过两天。 今天恐怕不太行得郭亮天 今天恐怕不太行得说亮天 冰片恐怕不太行得郭亮天
deny - -: 今天啊今天真不行 今天啊今天不行 今天安今天真不行 今天寒今天真步行
hardship - -: 今天啊……今天真不行，手头没钱。 今天寒今天真不行手头没钱 今天安今天真不行手头没前
hardship - -: 今天今天恐怕不太行我钱还没到账 今天今天恐怕不太行我钱还没到帐 今天啊恐怕不太行我前还没到账
hardship - -: 我上个月被公司裁员了……现在没有收入，真的还不上。 我上个月被公司裁员了也电在没有收入真的缓膜上
hardship - -: 我上个月被公司才员了现在没有收入真的怀不上 我上个月被工资裁员了现在没有收入真的还名上
hardship - -: 我没有钱 我没有前 没钱 没前 我失业了 我事业了 我实业了 我失夜了
promise_pay tomorrow -: 今天不行，明天吧。 今天步行明天吧 今天部行名天吧 今天不行明显吧
promise_pay tomorrow -: 别说了，我知道，我明天还。 别说了我知道我明天怀 别说了我知道我明天孩
promise_pay +2d full: 那我后天全部还上吧。 那我后天全部回上吧 那我后天群不回上吧 那我候天全部怀上吧
promise_partial tomorrow half: 我明天先还一半。 我明天先怀疑吧 我明天先还一般 我明天先还疑吧
promise_partial - half: 我先还一半。 我先怀疑吧 我先换一办 我现还一半
already_paid - -: 不对吧，这个钱我昨天就已经还了呀。 不对吧这个前我昨天就已经还了呀 不对吧这个情我做天就以经环了呀
already_paid - -: 已经还了，昨天用手机银行还的。 已经还了福迁用手机银行海的 已近还了昨天用手机银行还的
request_human - -: 给我转人工客服。 给我转林宫可服 给我专人工客服 给我转人公课服
request_human - -: 我不想跟你说，给我转人工客服。 我不想跟你说给我转林宫可服 转人工 专人工 转人公 赚人工
request_human - -: 你们有没有人工客服 你们有没有员工客服 你们有没有人公可服
request_installment - -: 我想问一下能不能分期还。 你好总算有个队员了我想问一下能不能分奇海 能不能份期还
request_repeat - -: 我现在这边信号不太好，我是想说那个钱的事情其实…… 我现在这边信号不太好我是想说那个情的事情其实
ask_amount - -: 我一共欠了多少钱啊？ 无一共建的多少钱啊 无疑共建的多少钱
ask_how_to_pay - -: 那我怎么还呢？ 那我怎么怀念 那我怎么环呢 那我怎么换
ask_is_robot - -: 你是机器人吗？ 你是机器的吗 你是鸡器人吗
ask_consequence - -: 不还的话会怎么样？ 部分这话会怎么样 不怀的话会怎么样
acknowledge - -: 行了行了，我都听明白了。 别的行了我都听明白了 几个行的我都听明白了
complaint - -: 你们天天打电话烦不烦啊，我跟你说了多少遍了，听不懂是不是？
request_callback - -: 我告诉你，我现在忙得很，没有时间跟你们在这里扯这些有的没的！
request_callback - -: 我告诉你我现在忙得喊没有时间跟你们在这里扯旧戏有的没的
stop_calling - -: 别再给我打电话了，再打我就投诉你们，听见没有？ 别在给我打电话了在打我就头诉你们听见没有
[ask_pay_date]
promise_pay friday full: 那就周五吧，周五我全部还上。 那就周五吧周五前不怀上 那就周舞吧周五我群不还上
promise_pay friday full: 下就周五发周五前不环上
promise_pay friday full: 周五，周五我全部还清。 周五周五我全部环境 周无周五我全部还情 周武周五我全部换清
promise_pay friday full: 我这个周五可以全部还上。 我这周五可以前不怀上 我这个周无可以全部环上
promise_pay friday -: 周五还 周五换 周无还 周武环 州五孩 星期舞还
promise_pay tomorrow full: 明天，明天全部还上。 明天明天全部环上 明天明天全部怀上 明天明天全部晚上 情些明天前不怀上
promise_pay tomorrow -: 明天还。 明天换 明天欢 名天还 明天孩
promise_partial tomorrow half: 钱不太够，我明天先还一半行吗？ 捐不太够我明天先还一半行吗 钱不太够我明天先怀疑吧行吗
hardship - -: 我现在没有工作，没有钱还。 我现在没有工作没有钱海 我现在没有工作没用钱还
[confirm_promise]
affirm - -: 对，没问题。 睡没问题 对没文题 队没问题
affirm - -: 对，是的。 对事的 对事等 队是的
affirm - -: 对，就这样。 所以就这样 队就这样
affirm - -: 嗯，对。 嗯队 恩对
affirm - -: 对，没错。 对的，没错。 微没错啊 对梅错 睡的没错 对你没错
affirm - -: 对。 对的。 队的 兑
promise_pay friday -: 不对，我说的是周五。 福对我说的是周五 不对意我说的是周五 不对我说的是周无
promise_pay friday full: 不对，我说的是周五，周五全部还上。 不对我说的是周五周五全部怀上 服对我说的是周舞周五全部环上
promise_pay friday -: 不是今天，是周五 不是今天是周无 不是金天是周五
deny - -: 不是今天
promise_partial tomorrow half: 不对，是明天，我明天先还一半。 不对是明天我明天先还一吧 不对是名天我明天先怀疑吧
[ask_reason]
acknowledge - -: 好，那就麻烦你们了。 好耐就麻烦你们累 放那就麻烦你们了 后来就麻烦你们冷
hardship - -: 我现在没有工作，没有钱还。 我现在没有工作没有钱海
[inform]
will_relay - -: 行，等她回来我跟她说。 请等他回来不真查说 行怎么他回来不跟他说
third_party - -: 她不在，你晚点再打吧。 他不在你玩锦再打吧
[closing]
goodbye - -: 好，再见。 嗯，再见。 好嘞，再见。 行，再见。 你在见 靠在见 好累再见 金在建 后再解啊
goodbye affirm - -: 好的，拜拜。 好多拜拜 口都被拜 谢谢，再见。 谢谢在见
affirm acknowledge - -: 没事。 没时啊 没事儿
"""


def turns() -> Iterator[tuple[Pending, frozenset[Act], date | None, str | None, str]]:
    pending = Pending.NONE
    for row in HEARD.strip().splitlines():
        if row.startswith("["):
            pending = Pending(row.strip("[]"))
            continue
        meaning, texts = row.split(":", 1)
        *acts, day, kind = meaning.split()
        for text in texts.split():
            yield pending, frozenset(map(Act, acts)), DAYS[day], None if kind == "-" else kind, text


@pytest.mark.parametrize(("pending", "acts", "day", "kind", "text"), list(turns()))
def test_a_customers_line_means_the_same_through_the_telephone(
    pending: Pending, acts: frozenset[Act], day: date | None, kind: str | None, text: str
) -> None:
    heard = make_understander().understand(text, pending=pending, now=NOW)
    assert heard.primary in acts
    assert (heard.slots.pay_date, heard.slots.amount_kind) == (day, kind)


@pytest.mark.parametrize(
    "words",
    [
        "我老婆怀上了",
        "我在海上",
        "三天前不还上会怎样",
        "周五前不还会怎么样",
        "全不还",
        "晚上全部晚上还",
        "我怀疑你是骗子",
        "一周无法还",
        "下周午饭后",
        "分七期",
        "我换手机号了",
        "我手机坏了",
        "上海清算",
        "我在做实业",
        "我一般周五发工资",
        "现在打工",
        "他现在在打电话",
        "今天换了个手机",
        "今天孩子病了",
        "周一般不行",
        "我不是本人",
        "你别换人",
        "出现还款",
        "说明天气",
        "没前途",
        "我家在周庄",
        "周医院",
        "怎么换卡",
        "以前",
        "目前不还",
        "我在天津天天加班",
        "我真的还没上班",
    ],
)
def test_words_that_only_sound_alike_are_left_alone(words: str) -> None:
    assert put_right(words) == words


@pytest.mark.parametrize("words", ["三天前不还上会怎样", "我老婆怀上了", "全不还", "我怀疑你是骗子", "目前不还"])
def test_a_sound_does_not_make_a_promise(words: str) -> None:
    heard = make_understander().understand(words, pending=Pending.ASK_PAY_TODAY, now=NOW)
    assert not heard.has(Act.PROMISE_PAY, Act.PROMISE_PARTIAL)


def test_putting_right_what_is_right_changes_nothing() -> None:
    for *_, text in turns():
        once = normalise(text)
        assert normalise(once) == once
