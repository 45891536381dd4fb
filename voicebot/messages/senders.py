"""How does a message leave the house? One small adapter per way, chosen by the settings.

    sms      HTTP gateway: POST {"to", "text", "id"}; its answer's "id" is what receipts are known by
    email    SMTP, with STARTTLS where it is offered
    push     webhook: POST {"to", "text", "id"}
    letter   webhook of the print service: POST {"case_id", "subject", "text", "id"}

A way that says nothing, or answers with 5xx, may have sent it: the message becomes unknown and is never sent again.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Protocol

import httpx

from voicebot.compliance import Channel
from voicebot.settings import Gateway, Mail, Messages

TIMEOUT_S = 15.0


class NotSent(RuntimeError):
    """It was refused, for certain: nobody got it."""


class PerhapsSent(RuntimeError):
    """Nobody knows whether it was sent."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`reference`: our number of it, the same if it is ever sent twice, so that a gateway can tell."""

    reference: str
    case_id: str
    address: str
    subject: str
    text: str


class Sender(Protocol):
    def send(self, message: Outgoing) -> str:
        """What the provider knows it by. Raises NotSent, PerhapsSent."""
        ...


@dataclass(frozen=True, slots=True)
class HttpSender:
    """SMS gateways, push services and print services behind a URL of the bank's."""

    gateway: Gateway

    def send(self, message: Outgoing) -> str:
        headers = {"Idempotency-Key": message.reference}
        if self.gateway.token:
            headers["Authorization"] = f"Bearer {self.gateway.token}"
        body = {"id": message.reference, "to": message.address, "case_id": message.case_id}
        body |= {"subject": message.subject, "text": message.text}
        try:
            answer = httpx.post(self.gateway.url, json=body, headers=headers, timeout=TIMEOUT_S)
        except httpx.ConnectError as e:
            raise NotSent(f"{self.gateway.url}: {e}") from e
        except httpx.HTTPError as e:
            raise PerhapsSent(f"{self.gateway.url}: {type(e).__name__}: {e}") from e
        if answer.status_code >= 500:
            raise PerhapsSent(f"{self.gateway.url}: {answer.status_code}")
        if not answer.is_success:
            raise NotSent(f"{self.gateway.url}: {answer.status_code} {answer.text[:200]}")
        try:
            return str(answer.json()["id"])
        except (ValueError, KeyError, TypeError):
            return message.reference


@dataclass(frozen=True, slots=True)
class MailSender:
    mail: Mail

    def send(self, message: Outgoing) -> str:
        m = self.mail
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = m.sender, message.address, message.subject
        letter["Message-ID"] = make_msgid(message.reference.replace(":", "-"), domain=m.sender.rpartition("@")[2])
        letter.set_content(message.text)
        try:
            with smtplib.SMTP(m.host, m.port, timeout=TIMEOUT_S) as smtp:
                if smtp.has_extn("starttls") or (smtp.ehlo() and smtp.has_extn("starttls")):
                    smtp.starttls(context=ssl.create_default_context())
                if m.user:
                    smtp.login(m.user, m.password)
                smtp.send_message(letter)
        except (smtplib.SMTPServerDisconnected, TimeoutError) as e:
            raise PerhapsSent(f"{m.host}:{m.port}: {e}") from e
        except (smtplib.SMTPException, OSError) as e:
            raise NotSent(f"{m.host}:{m.port}: {e}") from e
        return str(letter["Message-ID"])


def senders_of(settings: Messages) -> dict[Channel, Sender]:
    """The ways that are set up."""
    ways: dict[Channel, Sender] = {}
    for channel, gateway in (
        (Channel.SMS, settings.sms),
        (Channel.PUSH, settings.push),
        (Channel.LETTER, settings.letter),
    ):
        if gateway is not None:
            ways[channel] = HttpSender(gateway)
    if settings.email is not None:
        ways[Channel.EMAIL] = MailSender(settings.email)
    return ways
