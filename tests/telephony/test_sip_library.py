"""The SIP library that is installed, and how frames get in and out of it."""

from __future__ import annotations

import pjsua2 as pj
import pytest

from telephony import Endpoint, SipSettings, library


@pytest.mark.parametrize("access", [library.frame_access(), library._ELEMENTWISE], ids=lambda a: a.name)
def test_frame_bytes_go_in_and_out_unchanged(access):
    data = bytes(range(256)) + bytes(64)
    frame = pj.MediaFrame()
    access.write(frame.buf, data)
    assert access.read(frame.buf) == data
    access.write(frame.buf, data[:10])
    assert access.read(frame.buf) == data[:10]


def test_a_fast_way_is_found_on_this_build():
    assert library.frame_access().name == ("memory" if library.is_pypi_wheel() else "native")


def test_a_way_that_reads_wrong_bytes_is_not_taken(monkeypatch):
    wrong = library.FrameAccess("wrong", lambda vector: bytes(320), lambda vector, data: None)
    monkeypatch.setattr(library, "_NATIVE", wrong)
    monkeypatch.setattr(library, "_MEMORY", wrong)
    assert library.frame_access() is library._ELEMENTWISE


async def test_the_endpoint_knows_its_build_and_its_capacity():
    async with Endpoint(SipSettings(port=5128)) as endpoint:
        if library.is_pypi_wheel():
            assert (endpoint.capacity, endpoint.build) == (4, "PyPI wheel, PJSIP 2.15.1")
        else:
            assert endpoint.capacity > 4
            assert endpoint.build.startswith("own build, PJSIP 2.")
