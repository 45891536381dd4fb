"""Which pjsua2 is this, how many calls does it hold, and how do audio frames get in and out of it quickly?

Two builds are known. The wheel on PyPI (`pjsua2-python`, PJSIP 2.15.1) was compiled for 4 calls; our own build
(tools/build_pjsip.py) for many more, and it has accessors that copy a frame at once. On the wheel a frame crosses as
a `std::vector<unsigned char>`; reading it element by element costs 50 times as much as copying its memory, so the
memory is copied through ctypes - after a check, at start-up, that the vector lies as expected. If it does not,
the slow way is taken.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

Reader = Callable[[Any], bytes]
Writer = Callable[[Any, bytes], None]

WHEEL_CALLS = 4
"""What every build holds at least: PJSIP's own default, and the most that the PyPI wheel has."""


@dataclass(frozen=True)
class FrameAccess:
    """How the bytes of a MediaFrame are read and written; `name` says which way was found to work."""

    name: str
    read: Reader
    write: Writer


def describe(version: str) -> str:
    """The build in words, for logs and `voicebot doctor`."""
    origin = "PyPI wheel" if is_pypi_wheel() else "own build"
    return f"{origin}, PJSIP {version}"


def is_pypi_wheel() -> bool:
    """True for `pjsua2-python` from PyPI, whose package says which PJSIP it was built from."""
    return hasattr(pj, "__path__")


def compiled_capacity() -> int:
    """Most calls one process can hold. Ask after libInit with `maxCalls` set high: the library cuts it down."""
    try:
        return int(_library().pjsua_call_get_max_count())
    except (AttributeError, OSError):
        return WHEEL_CALLS


def hush() -> None:
    """Keep the library from printing before it has been told its log level."""
    with contextlib.suppress(AttributeError, OSError):
        _library().pj_log_set_level(0)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(pj._pjsua2.__file__)


def frame_access() -> FrameAccess:
    """The fastest way to frame bytes that this build supports and that proves right on a sample."""
    for access in (_NATIVE, _MEMORY):
        try:
            if _proves_right(access):
                return access
        except (AttributeError, TypeError, ValueError, OSError):
            continue
    return _ELEMENTWISE


def _proves_right(access: FrameAccess) -> bool:
    pattern = bytes(range(256)) + bytes(64)
    vector = pj.ByteVector(list(pattern))
    if access.read(vector) != pattern:
        return False
    replaced = pattern[::-1]
    access.write(vector, replaced)
    if bytes(vector) != replaced or len(vector) != len(replaced):
        return False
    empty = pj.ByteVector()
    access.write(empty, pattern)
    return bytes(empty) == pattern


def _read_native(vector: Any) -> bytes:
    out = bytearray(vector.size())
    vector.copy_to_bytearray(out)
    return bytes(out)


def _write_native(vector: Any, data: bytes) -> None:
    vector.assign_from_bytes(data)


def _span(vector: Any) -> tuple[int, int]:
    """Address and length of a vector's memory. Every standard library in use keeps begin, end and capacity so."""
    begin, end, room = ctypes.cast(int(vector.this), ctypes.POINTER(ctypes.c_void_p))[0:3]
    begin, end, room = begin or 0, end or 0, room or 0
    if not (end - begin == vector.size() and room >= end):
        raise ValueError("the frame vector does not lie in memory as expected")
    return begin, end - begin


def _read_memory(vector: Any) -> bytes:
    address, length = _span(vector)
    return ctypes.string_at(address, length) if length else b""


def _write_memory(vector: Any, data: bytes) -> None:
    if vector.size() != len(data):
        vector.resize(len(data))
    address, length = _span(vector)
    ctypes.memmove(address, data, length)


def _write_elementwise(vector: Any, data: bytes) -> None:
    vector.assign(0, 0)
    vector.reserve(len(data))
    for value in data:
        vector.append(value)


_NATIVE = FrameAccess("native", _read_native, _write_native)
_MEMORY = FrameAccess("memory", _read_memory, _write_memory)
_ELEMENTWISE = FrameAccess("elementwise", bytes, _write_elementwise)
