"""What does a message say? Approved templates, filled with a case's values. Errors name file, line, key and way out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dialogue.protocol import CaseFacts
from dialogue.rendering import case_values
from dialogue.script import ScriptError
from dialogue.yamltree import parse
from voicebot.settings import PROJECT_ROOT

FILE = PROJECT_ROOT / "config" / "templates.zh.yaml"
VALUES = ("name", "salutation", "bank", "product", "card_tail", "due_date", "amount", "min_amount", "days")
_PLACE = re.compile(r"\{(\w*)\}")


class TemplateError(ValueError):
    """Templates that cannot be used; the message names the place and the way out."""


@dataclass(frozen=True, slots=True)
class Template:
    """`approved`: the number under which somebody answers for the text; None: nobody does yet."""

    name: str
    text: str
    subject: str = ""
    approved: str | None = None

    def fill(self, case: CaseFacts) -> str:
        """Raises TemplateError for one that nobody has approved."""
        if self.approved is None:
            raise TemplateError(f"template {self.name}: nobody has approved it; write `approved:` with the number")
        known = case_values(case)
        values = {name: known[name] for name in ("name", "salutation", "bank", "product", "card_tail")}
        values |= {
            "due_date": f"{case.due_date.month}月{case.due_date.day}日",
            "amount": f"{case.amount_due:.2f}",
            "min_amount": f"{case.min_amount:.2f}",
            "days": str(max(0, case.days_overdue)),
        }
        return _PLACE.sub(lambda m: values[m[1]], self.text)


def load_templates(file: Path = FILE) -> dict[str, Template]:
    """Raises TemplateError."""
    try:
        tree = parse(file.read_text("utf-8"), str(file))
        found = {}
        for name, item in tree.mapping().items():
            fields = item.fields(("text", "subject", "approved"), ("text",))
            text = fields["text"].text()
            for place in _PLACE.findall(text):
                if place not in VALUES:
                    raise fields["text"].fail(f"{{{place}}} is not known; there are: {', '.join(VALUES)}")
            subject = fields["subject"].text() if "subject" in fields else ""
            approved = fields["approved"].text() if "approved" in fields else None
            found[name] = Template(name, text.strip(), subject, approved)
        return found
    except OSError as e:
        raise TemplateError(f"{file}: cannot be read: {e.strerror}") from e
    except ScriptError as e:
        raise TemplateError(str(e)) from e
