"""Debtors and their loans: what a case is, and how case files are read. Others import from here."""

from voicebot.cases.importer import CaseFile, load_case
from voicebot.cases.model import CaseRow
from voicebot.cases.payments import PaymentFile, PaymentRow
from voicebot.cases.rows import CasesError, RowError

__all__ = ["CaseFile", "CaseRow", "CasesError", "PaymentFile", "PaymentRow", "RowError", "load_case"]
