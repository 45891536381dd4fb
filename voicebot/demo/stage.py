"""Who plays, and with which settings? Debtors and a seat in processes of their own, the robot pointed at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voicebot.debtor.process import DebtorProcess
from voicebot.settings import PROJECT_ROOT, Settings, SipAccount

DEBTOR_RTP = (40000, 44999)
SEAT_RTP = (45000, 49999)
SIMULATED_RULES = PROJECT_ROOT / "examples" / "simulated_rules.yaml"  # at any hour: nobody real is called
RING_TIMEOUT_S = 12.0  # one persona never answers; nobody wants to watch that for half a minute


@dataclass(frozen=True, slots=True)
class Stage:
    """`settings`: the robot's, its trunk leading to the debtors. `records`: what the debtors and the seat heard."""

    settings: Settings
    records: Path


@contextmanager
def stage(settings: Settings, cast: Sequence[Path], folder: Path, *, seat: Path) -> Iterator[Stage]:
    """Start the debtors `cast` and the human seat; stop them on leaving. What they hear is recorded in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        DebtorProcess(cast, record=folder, rtp_ports=DEBTOR_RTP, log=folder / "debtors.log") as debtors,
        DebtorProcess([seat], record=folder, rtp_ports=SEAT_RTP, log=folder / "seat.log") as person,
    ):
        yield Stage(_pointed_at(settings, debtors.port, person.port), folder)


def _pointed_at(settings: Settings, debtor_port: int, seat_port: int) -> Settings:
    sip = settings.sip.model_copy(
        update={
            "trunk": f"sip:{{phone}}@127.0.0.1:{debtor_port}",
            "trunks": (),
            "bind": "127.0.0.1",
            "ring_timeout_s": RING_TIMEOUT_S,
            # No call of a demo leaves the machine, whatever trunk the settings name.
            "public_address": None,
            "outbound_proxy": None,
            "account": SipAccount(),
        }
    )
    seats = settings.seats.model_copy(update={"addresses": (f"sip:8001@127.0.0.1:{seat_port}",)})
    return at_any_hour(settings.model_copy(update={"sip": sip, "seats": seats}))


def at_any_hour(settings: Settings) -> Settings:
    """With rules for debtors that do not exist."""
    rules = settings.compliance.model_copy(update={"pack": str(SIMULATED_RULES)})
    return settings.model_copy(update={"compliance": rules})
