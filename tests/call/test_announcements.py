"""Announcements are typed by their words; people, assistants and letter boxes are left alone."""

from __future__ import annotations

import pytest

from dialogue.acts import Disposition as D
from voicebot.presence.announcements import announced


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("对不起，您拨打的号码是空号，请核对后再拨", D.INVALID_NUMBER),
        ("您好，您拨打的电话号码不存在，请查证后再拨", D.INVALID_NUMBER),
        ("对不起，您拨打的用户已停机", D.SUSPENDED),
        ("您拨打的电话已暂停服务", D.SUSPENDED),
        ("对不起您拨打的用户已关机请稍后再拨", D.POWERED_OFF),
        ("您拨打的电话已官机", D.POWERED_OFF),  # as the recogniser may write it
        ("您好，您所拨打的电话正在通话中，请稍后再拨", D.BUSY),
        ("对不起，您拨打的用户正忙，请稍后再拨", D.BUSY),
        ("您拨打的电话暂时无人接听，请稍后再拨", D.NO_ANSWER),
        ("您拨打的用户暂时无法接通，请稍后再拨", D.UNREACHABLE),
        ("您拨打的用户不在服务区", D.UNREACHABLE),
        ("我是机主的智能助理，机主正在通话中，请留言", None),
        ("您拨打的用户正忙，请在滴声后留言", None),
        ("喂，你好", None),
        ("我手机刚关机了，才开", None),
        ("我那卡都停机了", None),
        ("", None),
    ],
)
def test_an_announcement_is_typed_by_its_words(said: str, meant: D | None) -> None:
    assert announced([said]) is meant


def test_it_may_come_in_pieces() -> None:
    assert announced(["您拨打的用户", "已关机"]) is D.POWERED_OFF
