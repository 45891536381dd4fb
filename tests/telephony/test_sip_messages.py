"""The little SIP that we read and write ourselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import BadHeader, BadUri
from telephony.messages import (
    Headers,
    check_headers,
    check_sip_uri,
    host_part,
    parse_message,
    q850_cause,
    request_user,
    response_to,
    user_part,
)

INVITE = (
    "INVITE sip:%2B8613800138000@10.0.0.1:5060;user=phone SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK1\r\n"
    "v: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK2\r\n"
    'f: "Bank" <sip:95588@bank.example>;tag=a1\r\n'
    "To: <sip:+8613800138000@10.0.0.1>\r\n"
    "i: 77@bank.example\r\n"
    "CSeq: 12 INVITE\r\n"
    "X-Case: one,\r\n two\r\n"
    "not a header line\r\n"
    "\r\n"
    "v=0\r\n"
)


def test_headers_are_found_by_any_spelling_folded_or_compact():
    start, headers = parse_message(INVITE)
    assert start.startswith("INVITE sip:")
    assert headers["call-id"] == headers["i"] == "77@bank.example"
    assert headers["From"].endswith("tag=a1")
    assert headers["x-case"] == "one, two"
    assert "branch=z9hG4bK1" in headers["via"] and "branch=z9hG4bK2" in headers["VIA"]
    assert "v=0" not in dict(headers)
    assert "Reason" not in headers


def test_the_dialled_user_is_unescaped():
    assert request_user(INVITE.splitlines()[0]) == "+8613800138000"
    assert user_part('"Bank" <sip:95588@bank.example>') == "95588"
    assert user_part("sip:bank.example") == ""


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sip:a@pbx.example:5070;lr", "pbx.example"),
        ("<sip:10.1.2.3>", "10.1.2.3"),
        ("sip:a@[::1]:5060", "::1"),
        ("tel:123", ""),
    ],
)
def test_the_host_of_a_uri_is_found(uri, host):
    assert host_part(uri) == host


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ('Q.850;cause=17;text="User busy"', 17),
        ("SIP;cause=200, q.850 ; cause = 20", 20),
        ("SIP;cause=486", None),
        ("Q.850;text=none", None),
        ("Q.850;cause=999", None),
    ],
)
def test_the_isdn_cause_is_read_from_the_reason_header(reason, cause):
    assert q850_cause(Headers({"Reason": reason})) == cause


def test_an_answer_in_anothers_name_belongs_to_the_same_transaction():
    text = response_to(INVITE, 408, "Request Timeout").decode()
    start, headers = parse_message(text)
    assert start == "SIP/2.0 408 Request Timeout"
    assert headers["CSeq"] == "12 INVITE"
    assert headers["Via"].index("z9hG4bK1") < headers["Via"].index("z9hG4bK2")
    assert ";tag=" in headers["To"]
    assert text.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    "uri",
    ["sip:a@b", "sips:a@b.example:5061;transport=tls", "sip:10.0.0.1", '"张三" <sip:1@b.example>', "<sip:a@b>;x=1"],
)
def test_what_can_be_dialled_is_accepted(uri):
    assert check_sip_uri(uri) == uri


@pytest.mark.parametrize(
    "uri", ["", "13800138000", "tel:123", "sip:", "sip:a b@c", "sip:a@b\r\nX: y", "sip:a@b>", "<sip:a@b", "sip:a@"]
)
def test_what_cannot_be_dialled_is_refused_with_an_example(uri):
    with pytest.raises(BadUri, match="expected something like"):
        check_sip_uri(uri)


@pytest.mark.parametrize("headers", [{"X-A": "1\r\nVia: x"}, {"X A": "1"}, {"": "1"}, {"X-A": "a\0b"}])
def test_a_header_cannot_smuggle_in_another(headers):
    with pytest.raises(BadHeader):
        check_headers(headers)


@given(st.text(max_size=300))
def test_no_text_makes_the_parser_fail(text):
    start, headers = parse_message(text)
    q850_cause(headers)
    request_user(start)
    response_to(text, 200, "OK")
    assert all(isinstance(value, str) for value in headers.values())
