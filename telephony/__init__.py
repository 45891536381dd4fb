"""SIP and RTP, and nothing else. The only package that imports pjsua2.

async with Endpoint(SipSettings()) as endpoint:
    leg = await endpoint.dial("sip:13800138000@pbx.example")
    if await leg.wait_answered():
        leg.write(speech)
        ...
        heard = leg.take_frames()
        await leg.hangup()
    outcome = await leg.wait_ended()
"""

from telephony.call import Leg, TransferResult
from telephony.endpoint import Endpoint
from telephony.errors import (
    BadHeader,
    BadSettings,
    BadUri,
    EndpointBusy,
    EndpointClosed,
    EndpointFailed,
    LegEnded,
    LibraryError,
    NoFreeLine,
    TelephonyError,
)
from telephony.leg import LegEvent, LegState
from telephony.media import MediaFrame
from telephony.outcome import CallOutcome, OutcomeKind
from telephony.settings import FRAME_BYTES, FRAME_MS, RATE_HZ, SipSettings
from telephony.sipcall import MediaStats

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "RATE_HZ",
    "BadHeader",
    "BadSettings",
    "BadUri",
    "CallOutcome",
    "Endpoint",
    "EndpointBusy",
    "EndpointClosed",
    "EndpointFailed",
    "Leg",
    "LegEnded",
    "LegEvent",
    "LegState",
    "LibraryError",
    "MediaFrame",
    "MediaStats",
    "NoFreeLine",
    "OutcomeKind",
    "SipSettings",
    "TelephonyError",
    "TransferResult",
]
