"""May this debtor be contacted now? The law as data, judged by a pure function. Others import from here."""

from voicebot.compliance.facts import Channel, Consent, Contact, Facts, Party, Request, Status
from voicebot.compliance.judge import Objection, Permit, Refusal, hang_up_by, judge
from voicebot.compliance.packs import Pack, PackError, Rule, load_pack, pack_names

__all__ = [
    "Channel",
    "Consent",
    "Contact",
    "Facts",
    "Objection",
    "Pack",
    "PackError",
    "Party",
    "Permit",
    "Refusal",
    "Request",
    "Rule",
    "Status",
    "hang_up_by",
    "judge",
    "load_pack",
    "pack_names",
]
