"""What can go wrong before a call exists, or when the library is used wrongly."""

from __future__ import annotations


class TelephonyError(Exception):
    """Base of everything this package raises."""


class NoFreeLine(TelephonyError):
    """Every line of this process is taken."""


class BadUri(TelephonyError, ValueError):
    """A target, a caller ID or a proxy that is not a SIP URI."""


class BadHeader(TelephonyError, ValueError):
    """A header that would break the message it is put into."""


class BadSettings(TelephonyError, ValueError):
    """A SIP setting that cannot be used; names the field and what would be accepted."""


class EndpointBusy(TelephonyError):
    """This process already has a live endpoint; the SIP library allows one at a time."""


class EndpointClosed(TelephonyError):
    """The endpoint was left, or has not been entered yet."""


class EndpointFailed(TelephonyError):
    """The SIP library refused to start: the address is taken, the port range is wrong, ..."""


class LegEnded(TelephonyError):
    """The leg is no longer in a state in which this can be done."""


class LibraryError(TelephonyError):
    """The SIP library refused what it was asked to do. `status` and `reason` are its own."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{reason} (PJSIP status {status})")
        self.status = status
        self.reason = reason
