"""Build one mail, byte for byte as mailbox providers want it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

import idna

_RAW = frozenset({"list-unsubscribe", "list-unsubscribe-post", "list-id", "message-id", "to"})
_LITERAL = _RAW | {"subject"}
_ENCODED = "=?"  # how an RFC 2047 encoded word begins
_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LONGEST_LINE = 998
LONGEST_LOCAL_PART = 64
# RFC 5322's atext, dots included; quoted local parts do not occur in shops' data and are refused.
_LOCAL_PART = re.compile(r"[!#$%&'*+/=?^_`{|}~.\w-]+")


class MailPolicy(EmailPolicy):
    """Take values literally, write some as one raw line, and subjects in words that keep every space.

    The standard library decodes what looks like an RFC 2047 encoded word in a value that is given to it, so that a
    person's name could bring line breaks into the header. It folds at white space; a link longer than the line has
    none, so it would be written as encoded words, which no provider reads as List-Unsubscribe (CPython issue 85725).
    Its folding of subjects loses a space here and there between two encoded words; its older ``Header`` does not.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Keep the value as it is where it is shown to people or comes from them, else read it."""
        return (name, value) if name.lower() in _LITERAL else super().header_store_parse(name, value)

    def fold(self, name: str, value: str) -> str:
        """Return the header as text; see the class for what is different."""
        if name.lower() in _RAW:
            return f"{name}: {value}{self.linesep}"
        if name.lower() == "subject" and (not value.isascii() or _ENCODED in value):
            encoded = Header(str(value), "utf-8", maxlinelen=76, header_name=name).encode(linesep=self.linesep)
            return f"{name}: {encoded}{self.linesep}"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the header as bytes; see the class for what is different."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii")


_PLAIN = MailPolicy(linesep="\r\n")
_INTERNATIONAL = MailPolicy(linesep="\r\n", utf8=True)


class RowError(ValueError):
    """This one mail cannot be built; the text says why and names no address."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail before it becomes bytes; ``links`` are the List-Unsubscribe addresses, https first."""

    sender: tuple[str, str]
    to: str
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime
    links: tuple[str, ...]
    reply_to: tuple[str, str] | None = None
    list_id: str | None = None


def message_id(key: str, domain: str) -> str:
    """Return the Message-ID that a batch key always gets."""
    return f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def ascii_address(address: str) -> str:
    """Return the address with its domain in IDNA.

    Raises:
        RowError: it is not one plain address.
    """
    local, at, domain = address.rpartition("@")
    fits = _LOCAL_PART.fullmatch(local) and _ENCODED not in local and len(local.encode()) <= LONGEST_LOCAL_PART
    if not at or not fits:
        raise RowError("the address cannot be written in a mail's header")
    try:
        domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise RowError("the address's domain is not a name") from None
    return f"{local}@{domain}"


def build(mail: Mail) -> bytes:
    """Return the mail as bytes, lines ended by CR LF.

    Raises:
        RowError: a value does not fit into its header.
    """
    policy = _PLAIN if mail.to.isascii() else _INTERNATIONAL
    message = EmailMessage(policy=policy)
    for name, value in _headers(mail):
        _refuse_injection(name, value)
        message[name] = value
    message["From"] = Address(mail.sender[0], addr_spec=mail.sender[1])
    if mail.reply_to:
        message["Reply-To"] = Address(mail.reply_to[0], addr_spec=mail.reply_to[1])
    message.set_content(_tidy(mail.text), charset="utf-8", cte="quoted-printable")
    message.add_alternative(_tidy(mail.html), subtype="html", charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


def _headers(mail: Mail) -> Iterable[tuple[str, str]]:
    yield "To", mail.to
    yield "Subject", mail.subject
    yield "Date", format_datetime(mail.date)
    yield "Message-ID", mail.message_id
    if mail.list_id:
        yield "List-ID", f"<{mail.list_id}>"
    yield "List-Unsubscribe", ", ".join(f"<{link}>" for link in mail.links)
    if not mail.links[0].startswith("mailto:"):
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def fits_one_line(text: str) -> bool:
    """Tell whether a text is without line breaks, controls and halves of characters; spaces of every width may be."""
    return not any(unicodedata.category(sign) in _NO_TEXT for sign in text)


def _refuse_injection(name: str, value: str) -> None:
    if not fits_one_line(value):
        raise RowError(f"the {name.lower()} has a line break or a control character in it")
    if name != "Subject" and len(value.encode()) > _LONGEST_LINE - len(name) - 2:
        raise RowError(f"the {name.lower()} is too long for a header")


def _tidy(text: str) -> str:
    """Keep what mail may carry: line ends as LF, no controls but tab, no lone surrogates, one final line end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    kept = "".join(sign for sign in lines if sign in "\n\t" or (sign >= " " and sign != "\x7f"))
    return kept.encode("utf-8", "replace").decode() + "\n"
