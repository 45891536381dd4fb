"""Sends what strategies want sent and the gate permits; one pass over what is due."""

from __future__ import annotations

import logging
from collections import Counter

from voicebot.compliance import Channel
from voicebot.messages.senders import NotSent, Outgoing, PerhapsSent, Sender
from voicebot.messages.templates import Template, TemplateError
from voicebot.store import MessageClaim, Store

AT_ONCE = 50
log = logging.getLogger(__name__)


def send_due(store: Store, ways: dict[Channel, Sender], templates: dict[str, Template]) -> Counter[str]:
    """How many were sent, failed, unknown. Channels without a way wait."""
    done: Counter[str] = Counter()
    while due := store.claim_messages(AT_ONCE, tuple(ways)):
        for message in due:
            state, told = _send(ways[message.channel], templates, message)
            done[state] += 1
            if state != "sent":
                log.warning("message %s to case %s: %s: %s", message.message_id, message.case.case_id, state, told)
            store.message_sent(message.message_id, state, told)
    return done


def _send(way: Sender, templates: dict[str, Template], message: MessageClaim) -> tuple[str, str]:
    """(sent, provider's id) or (failed or unknown, why)."""
    template = templates.get(message.template)
    if template is None:
        return "failed", f"template {message.template}: no such template"
    if not message.address and message.channel is not Channel.LETTER:
        return "failed", f"no address for {message.channel}"
    try:
        text = template.fill(message.case)
        sent = Outgoing(f"voicebot-{message.message_id}", message.case.case_id, message.address, template.subject, text)
        return "sent", way.send(sent)
    except (TemplateError, NotSent) as e:
        return "failed", str(e)
    except PerhapsSent as e:
        return "unknown", str(e)
