"""Which of our numbers is shown: a local one first, always the same for the same debtor."""

from __future__ import annotations

from voicebot.campaign.caller_ids import choose

OURS = ("+861051000001", "+862151000001", "+8675551000001", "+862051000001", "+862051000002")
"""北京, 上海, 深圳, 广州 twice."""


def test_a_number_of_the_same_city_then_of_the_same_province() -> None:
    assert choose(OURS, "+8613801000000") == "+861051000001"  # a mobile of Beijing
    assert choose(OURS, "+862085550000") in OURS[3:]  # Guangzhou
    assert choose(OURS, "+8676985550000") in OURS[2:]  # Dongguan: of Guangdong


def test_where_none_is_local_any_and_always_the_same() -> None:
    theirs = "+8627855500" + "00"
    assert choose(OURS, theirs) in OURS and choose(OURS, theirs) == choose(OURS, theirs)
    assert len({choose(OURS, f"+86278555{n:04d}") for n in range(50)}) == len(OURS)
    assert choose((), "+8613800000001") is None
    assert choose(OURS, None) == OURS[0] and choose(OURS, "sip:x@y") in OURS
