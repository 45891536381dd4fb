"""A written line becomes a spoken one."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.speech.normalise import cardinal, for_speech, money

SAID = {
    # amounts
    "应还1235.60元": "应还一千二百三十五元六角",
    "1,235.60元": "一千二百三十五元六角",
    "￥1235.65": "一千二百三十五元六角五分",
    "人民币88.00元": "八十八元",
    "0.05元": "五分",
    "0.50元": "五角",
    "0.20元": "两角",
    "2元": "两元",
    "12元": "十二元",
    "0元": "零元",
    "100.05元": "一百元零五分",
    "100.50元": "一百元五角",
    "1.22元": "一元二角二分",
    "20000元": "两万元",
    "22000元": "两万两千元",
    "200元": "两百元",
    "1002元": "一千零二元",
    "1010元": "一千零一十元",
    "10010.10元": "一万零一十元一角",
    "110000元": "十一万元",
    "1.5万元": "一点五万元",
    "还2000块": "还两千块",
    "-5元": "负五元",
    "500-1000元": "五百到一千元",
    # dates and times
    "2026-11-27": "十一月二十七号",
    "2026/1/2": "一月二号",
    "2026年11月27日": "二零二六年十一月二十七号",
    "11月27日": "十一月二十七号",
    "2月2日": "二月二号",
    "2026年1月": "二零二六年一月",
    "每月10日前": "每月十号前",
    "15日内": "十五日内",
    "11月27日-30日": "十一月二十七号到三十号",
    "15:30": "十五点半",
    "9:05": "九点零五分",
    "下午2点": "下午两点",
    "9：00-18：00": "九点到十八点",
    "14点20分": "十四点二十分",
    # strings of digits
    "尾号3344的信用卡": "尾号三三四四的信用卡",
    "尾号为1012": "尾号为幺零幺二",
    "工号：8021": "工号：八零二幺",
    "13800001234": "幺三八，零零零零，幺二三四",
    "138 0000 1234": "幺三八，零零零零，幺二三四",
    "+86 13800001234": "幺三八，零零零零，幺二三四",
    "400-820-1234": "四零零，八二零，幺二三四",
    "010-66668888": "零幺零，六六六六八八八八",
    "请拨打12378": "请拨打幺二三七八",
    "客服热线95588": "客服热线九五五八八",
    "12378": "幺二三七八",
    "6222****3344": "六二二二，三三四四",
    # counts
    "5天": "五天",
    "2天": "两天",
    "12天": "十二天",
    "101天": "一百零一天",
    "2个月": "两个月",
    "第2期": "第二期",
    "共12期": "共十二期",
    "3-5天": "三到五天",
    "５天": "五天",
    # shares and the rest
    "利率4.35%": "利率百分之四点三五",
    "万分之5": "万分之五",
    "0.05%": "百分之零点零五",
    "1/3": "三分之一",
    "3.50": "三点五零",
    "25℃": "二十五摄氏度",
    "007": "零零七",
    # nothing to do
    "张伟先生，您好。": "张伟先生，您好。",
    "": "",
    "  您好 ， 再见 ": "您好，再见",
}


@pytest.mark.parametrize(("written", "said"), SAID.items())
def test_a_line_is_said_as_a_person_would(written: str, said: str) -> None:
    assert for_speech(written) == said


@pytest.mark.parametrize("hotline", ["12378元", "95588元", "12345天"])
def test_an_amount_that_looks_like_a_hotline_stays_an_amount(hotline: str) -> None:
    assert "万" in for_speech(hotline)


@settings(deadline=None)
@given(st.text(alphabet="0123456789０５٣²③.,:-/年月日号元块角分天个万%￥尾号拨打第*~ 张A，。", max_size=40))
def test_no_digit_reaches_the_voice(text: str) -> None:
    assert not any(c.isdigit() and c.isascii() for c in for_speech(text))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_normalised_and_comes_out_without_ascii_digits(text: str) -> None:
    assert not set(for_speech(text)) & set("0123456789")


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,:-/年月日号元块角分天个万%￥尾号拨打第*~ 张A，。", max_size=40))
def test_what_was_normalised_once_is_not_changed_again(text: str) -> None:
    once = for_speech(text)
    assert for_speech(once) == once


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=30))
def test_chinese_text_is_left_alone(text: str) -> None:
    assert for_speech(text) == text


_VALUE = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2}
_UNIT = {"十": 10, "百": 100, "千": 1000}


def heard_number(said: str) -> int:
    """Read a Chinese cardinal back, the way a listener does."""
    total = group = digit = 0
    for c in said:
        if c in _VALUE:
            digit = _VALUE[c]
        elif c in _UNIT:
            group, digit = group + (digit or 1) * _UNIT[c], 0
        else:
            total, group, digit = (total + (group + digit)) * {"万": 10**4, "亿": 10**8}[c], 0, 0
    return total + group + digit


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=99_999_999))
def test_a_listener_hears_the_number_that_was_meant(number: int) -> None:
    assert heard_number(cardinal(number)) == number


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=9_999_999_99))
def test_a_listener_hears_the_amount_that_was_meant(fen: int) -> None:
    said = money(Decimal(fen) / 100)
    yuan_said, yuan_mark, rest = said.partition("元")
    if not yuan_mark:
        yuan_said, rest = "零", said
    jiao_said, jiao_mark, rest_of_it = rest.partition("角")
    fen_said = (rest_of_it if jiao_mark else rest).removesuffix("分")
    jiao = heard_number(jiao_said) if jiao_mark else 0
    assert heard_number(yuan_said) * 100 + jiao * 10 + heard_number(fen_said) == fen
