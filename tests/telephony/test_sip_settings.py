"""Settings that cannot work are refused before a socket is opened."""

from __future__ import annotations

import pytest

from telephony import BadSettings, BadUri, SipSettings


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("bind", "localhost", "bind: 'localhost' is not an IPv4 address"),
        ("port", 70000, "port: 70000"),
        ("rtp_ports", (30000, 30002), "rtp_ports: 30000-30002"),
        ("rtp_ports", (30000, 70000), "rtp_ports"),
        ("codecs", ("opus",), "codecs"),
        ("codecs", (), "codecs"),
        ("ring_timeout_s", 0, "ring_timeout_s: 0 must be above 0"),
        ("max_calls", 0, "max_calls: 0"),
    ],
)
def test_a_setting_that_cannot_work_is_named(field, value, says):
    with pytest.raises(BadSettings, match=says):
        SipSettings(**{field: value})


def test_an_address_that_is_no_sip_uri_is_named():
    with pytest.raises(BadUri, match="outbound_proxy"):
        SipSettings(outbound_proxy="10.0.0.1")


def test_registering_needs_a_user():
    with pytest.raises(BadSettings, match="user: needed"):
        SipSettings(registrar="sip:pbx.example")


def test_a_bare_number_becomes_a_caller_id_of_our_domain():
    assert SipSettings(caller_id="95588").caller_uri() == "sip:95588@127.0.0.1"
    at_pbx = SipSettings(caller_id="95588", registrar="sip:pbx.example:5070", user="u", password="p")
    assert at_pbx.caller_uri() == "sip:95588@pbx.example:5070"
    assert at_pbx.caller_uri("sip:1@b.example") == "sip:1@b.example"
