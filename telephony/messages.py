"""What does this SIP message say? Only the little that the library does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from telephony.errors import BadHeader, BadUri

_COMPACT = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
}
"""Compact header names, RFC 3261 section 7.3.3 and the registry it started."""

_URI = re.compile(r"sips?:(?:[^\s@<>\"]+@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:[;?][^\s<>\"]*)?")
_NAME_ADDR = re.compile(r'(?:"[^"\r\n]*"\s*|[^<>"\r\n]*)<([^<>\r\n]+)>[^<>\r\n]*')
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_Q850 = re.compile(r"Q\.850\b[^,]*?;\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)


class Headers(Mapping[str, str]):
    """Headers of one message: names without regard to case, repeated ones joined by a comma as RFC 3261 allows."""

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        self._items: dict[str, tuple[str, str]] = {}
        for name, value in (items or {}).items():
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        key = name.lower()
        key = _COMPACT.get(key, key)
        shown, old = self._items.get(key, (name, ""))
        self._items[key] = (shown, f"{old}, {value}" if old else value)

    def __getitem__(self, name: str) -> str:
        key = name.lower()
        return self._items[_COMPACT.get(key, key)][1]

    def __iter__(self) -> Iterator[str]:
        return (shown for shown, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


def parse_message(text: str) -> tuple[str, Headers]:
    """Start line and headers of a request or response. Lines that are no header are passed over."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    lines = re.sub(r"\r?\n[ \t]+", " ", head).splitlines()
    headers = Headers()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.add(name.strip(), value.strip())
    return (lines[0] if lines else ""), headers


def q850_cause(headers: Mapping[str, str]) -> int | None:
    """The cause in a Reason header (RFC 3326), or None."""
    found = _Q850.search(headers.get("Reason", ""))
    return int(found[1]) if found and int(found[1]) <= 127 else None


def user_part(uri: str) -> str:
    """The user of a SIP URI or name-addr, unescaped; empty where there is none."""
    found = re.search(r"sips?:([^@<>;?\s]+)@", uri)
    return unquote(found[1].split(":")[0]) if found else ""


def request_user(start_line: str) -> str:
    """Who was dialled: the user part of a request line."""
    parts = start_line.split(" ")
    return user_part(parts[1]) if len(parts) > 1 else ""


def host_part(uri: str) -> str:
    """The host of a SIP URI or name-addr, without port or brackets; empty where there is none."""
    found = re.search(r"sips?:(?:[^@<>;?\s]+@)?(\[[^\]]+\]|[^:;?<>\s]+)", uri)
    return found[1].strip("[]") if found else ""


def check_sip_uri(uri: str) -> str:
    """The URI itself if it is a SIP URI or a name-addr around one. Raises BadUri."""
    named = _NAME_ADDR.fullmatch(uri)
    if not _URI.fullmatch(named[1] if named else uri):
        raise BadUri(f"{uri!r} is not a SIP URI; expected something like sip:13800138000@pbx.example:5060")
    return uri


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what would end a header early or start another one. Raises BadHeader."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise BadHeader(f"{name!r} is not a header name; letters, digits and - expected")
        if any((ord(ch) < 32 and ch != "\t") or ord(ch) == 127 for ch in value):
            raise BadHeader(f"header {name}: {value!r} contains a control character")


def response_to(request: str, code: int, reason: str) -> bytes:
    """A final response to a request of our own that nobody answers, as its sender would have to receive it."""
    _, headers = parse_message(request)
    via = [line for line in request.splitlines() if line.lower().startswith(("via:", "v:"))]
    to = headers.get("To", "")
    if ";tag=" not in to.lower():
        to += ";tag=unanswered"
    lines = [
        f"SIP/2.0 {code} {reason}",
        *via,
        f"From: {headers.get('From', '')}",
        f"To: {to}",
        f"Call-ID: {headers.get('Call-ID', '')}",
        f"CSeq: {headers.get('CSeq', '')}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
