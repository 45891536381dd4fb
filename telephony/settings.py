"""What has to be known before a phone can be picked up?"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from telephony.errors import BadSettings, BadUri
from telephony.messages import check_sip_uri

RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * 2


@dataclass(frozen=True)
class SipSettings:
    """One SIP endpoint. Raises BadSettings or BadUri on values that cannot work.

    `port` 0: any free one. `public_address`: what Contact and SDP advertise behind NAT. `rtp_ports`: inclusive range.
    `codecs`: in order of preference; all others are switched off. `caller_id`: a SIP URI or a bare number.
    `outbound_proxy`: a SIP URI every request goes through. `registrar`: a SIP URI to register with; without it nothing
    is registered, while `user` and `password` still answer digest challenges to calls. `max_calls` None: as many as
    the library was built for. `follow_transfers`: obey an incoming REFER or INVITE with Replaces; a robot must not,
    whoever speaks SIP to it could make it dial.
    """

    bind: str = "127.0.0.1"
    port: int = 0
    public_address: str | None = None
    rtp_ports: tuple[int, int] = (20000, 29999)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    caller_id: str = "sip:robot@127.0.0.1"
    outbound_proxy: str | None = None
    registrar: str | None = None
    user: str | None = None
    password: str | None = None
    realm: str = "*"
    ring_timeout_s: float = 30.0
    dead_host_timeout_s: float = 5.0
    user_agent: str = "voicebot"
    max_calls: int | None = None
    playout_limit_ms: int = 30000
    log_level: int = 0
    follow_transfers: bool = False

    def __post_init__(self) -> None:
        _address("bind", self.bind)
        if not 0 <= self.port <= 65535:
            raise BadSettings(f"port: {self.port} is not a port; 0 to 65535 expected (0: any free one)")
        low, high = self.rtp_ports
        if not (1024 <= low < high <= 65535) or high - low < 7:
            raise BadSettings(
                f"rtp_ports: {low}-{high} is not a usable range; 1024 to 65535 and at least 8 ports expected"
            )
        if not self.codecs or set(self.codecs) - {"PCMA", "PCMU"}:
            raise BadSettings(f"codecs: {self.codecs} cannot be spoken; choose from PCMA, PCMU")
        for field in ("outbound_proxy", "registrar"):
            if (uri := getattr(self, field)) is not None:
                try:
                    check_sip_uri(uri)
                except BadUri as e:
                    raise BadUri(f"{field}: {e}") from None
        self.caller_uri()
        if self.registrar and not self.user:
            raise BadSettings("user: needed to register with a registrar")
        for field in ("ring_timeout_s", "dead_host_timeout_s", "playout_limit_ms"):
            if getattr(self, field) <= 0:
                raise BadSettings(f"{field}: {getattr(self, field)} must be above 0")
        if self.max_calls is not None and self.max_calls < 1:
            raise BadSettings(f"max_calls: {self.max_calls} must be at least 1")

    def caller_uri(self, caller_id: str | None = None) -> str:
        """The From of a call: `caller_id`, or the setting's, as a SIP URI."""
        wanted = caller_id or self.caller_id
        if not wanted.startswith(("sip:", "sips:", "<", '"')):
            wanted = f"sip:{wanted}@{self.domain}"
        return check_sip_uri(wanted)

    @property
    def domain(self) -> str:
        """The domain part of our own addresses: the registrar's, or the address we are known by."""
        if self.registrar:
            return self.registrar.split(":", 1)[1].split(";")[0].split(">")[0].rsplit("@", 1)[-1]
        return self.public_address or self.bind


def _address(field: str, value: str) -> None:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        raise BadSettings(f"{field}: {value!r} is not an IPv4 address of this machine, like 127.0.0.1") from None
