"""What the stand-in knows: audiences with contacts, tags and merge fields, batch operations, campaigns."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

Json = dict[str, Any]
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_ZIP = re.compile(r"\d{5}(-\d{4})?")
_WEB = re.compile(r"https?://\S+")
_US_PHONE = re.compile(r"\d{3}-\d{3}-\d{4}")
_BIRTHDAY = re.compile(r"\d\d/\d\d")
LONGEST_TEXT = 255
MOST_FIELDS = 80
LONGEST_TAG = 100


@dataclass(slots=True)
class Contact:
    """One contact; ``before`` is the status that an archived one had, ``left`` when it unsubscribed."""

    email: str
    status: str
    changed: float
    merge_fields: Json = field(default_factory=dict)
    signup: str = ""
    opt: str = ""
    reason: str | None = None
    before: str | None = None
    left: float = 0.0
    ip: str = ""
    source: str = "API - Generic"
    tags: set[int] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Return the MD5 of the address in lower case."""
        return hash_of(self.email)


@dataclass(slots=True)
class Tag:
    """A segment with a list of members."""

    id: int
    name: str
    created: float


@dataclass(slots=True)
class Audience:
    """One audience: contacts by id, tags, merge fields, and whom it may never take again."""

    id: str
    contacts: dict[str, Contact] = field(default_factory=dict)
    tags: dict[int, Tag] = field(default_factory=dict)
    fields: dict[str, Json] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    double_optin: bool = False

    def of(self, email: str) -> Contact | None:
        """Return a contact by its address."""
        return self.contacts.get(hash_of(email))

    def tagged(self, tag_id: int) -> list[Contact]:
        """Return who has a tag."""
        return [each for each in self.contacts.values() if tag_id in each.tags]


@dataclass(slots=True)
class Operations:
    """A batch of operations; they wait until it is ``due``."""

    id: str
    waiting: list[Json]
    created: float
    due: float
    total: int
    results: list[Json] = field(default_factory=list)
    completed: float | None = None


@dataclass(slots=True)
class Campaign:
    """A campaign that was sent: to whom, and what they did; ``activity`` has (address, action, time)."""

    id: str
    list_id: str
    title: str
    sent: float
    to: list[str] = field(default_factory=list)
    activity: list[tuple[str, str, float]] = field(default_factory=list)
    left: list[tuple[str, str, float]] = field(default_factory=list)


class World:
    """All of an account. It knows no HTTP; whoever calls holds the lock."""

    def __init__(self) -> None:
        self.audiences: dict[str, Audience] = {}
        self.operations: dict[str, Operations] = {}
        self.campaigns: dict[str, Campaign] = {}
        self._numbers = 0

    def audience(self, list_id: str) -> Audience:
        """Return an audience; the sandbox takes whatever id a client's file has."""
        if list_id not in self.audiences:
            made = Audience(list_id)
            for tag, kind in (("FNAME", "text"), ("LNAME", "text"), ("PHONE", "phone"), ("BIRTHDAY", "birthday")):
                self.add_field(made, tag, tag, kind)
            self.audiences[list_id] = made
        return self.audiences[list_id]

    def add_field(self, audience: Audience, tag: str, name: str, kind: str, options: Json | None = None) -> Json:
        """Add a merge field."""
        made = {"merge_id": self._number(), "tag": tag, "name": name, "type": kind, "required": False}
        made |= {"default_value": "", "public": False, "display_order": len(audience.fields) + 2}
        audience.fields[tag] = made | {"options": options or {}, "help_text": "", "list_id": audience.id}
        return audience.fields[tag]

    def add_tag(self, audience: Audience, name: str, now: float) -> Tag:
        """Add a tag."""
        made = Tag(self._number(), name, now)
        audience.tags[made.id] = made
        return made

    def add_contact(self, audience: Audience, row: Mapping[str, Any], now: float) -> Contact:
        """Add a contact, or bring an archived one back with the status that is asked for."""
        email = str(row["email_address"])
        made = Contact(email, str(row["status"]), now)
        known = audience.of(email)
        if known is not None:
            made.tags, made.merge_fields = known.tags, known.merge_fields
        made.left = now if made.status == "unsubscribed" else 0.0
        made.signup = str(row.get("timestamp_signup") or "")
        opted_in = iso(now) if made.status == "subscribed" else ""
        made.opt = str(row.get("timestamp_opt") or opted_in)
        if audience.double_optin and made.status == "subscribed":
            made.status = "pending"
        self.write(audience, made, row.get("merge_fields") or {}, now)
        audience.contacts[made.id] = made
        return made

    def write(self, audience: Audience, contact: Contact, values: Mapping[str, Any], now: float) -> None:
        """Write merge fields; those that the audience does not have are ignored."""
        contact.merge_fields |= {tag: value for tag, value in values.items() if tag in audience.fields}
        contact.changed = now

    def archive(self, contact: Contact, now: float) -> None:
        """Put a contact away."""
        contact.before, contact.status, contact.changed = contact.status, "archived", now

    def erase(self, audience: Audience, contact: Contact) -> None:
        """Delete a contact for good."""
        del audience.contacts[contact.id]
        audience.deleted.add(contact.id)
        for campaign in self.campaigns.values():
            campaign.activity = [each for each in campaign.activity if each[0] != contact.email]
            campaign.to = [each for each in campaign.to if each != contact.email]

    def start(self, operations: list[Json], now: float, seconds: float) -> Operations:
        """Take a batch of operations; it is worked on as time passes."""
        made = Operations(uuid.uuid4().hex[:10], operations, now, now + seconds, len(operations))
        self.operations[made.id] = made
        return made

    def send(self, list_id: str, title: str, to: Sequence[str], now: float) -> Campaign:
        """Send a campaign."""
        made = Campaign(uuid.uuid4().hex[:10], list_id, title, now, list(to))
        self.campaigns[made.id] = made
        return made

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def wrong_field(audience: Audience, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first merge field with a value that it does not take, and what Mailchimp says."""
    for tag, value in values.items():
        about = audience.fields.get(tag)
        if about is not None and value not in {"", None} and not _fits(about, value):
            return tag, f"This value is not a valid {about['type']}"
    return None


def is_address(email: object) -> bool:
    """Tell whether Mailchimp takes a text for an address."""
    return isinstance(email, str) and _EMAIL.fullmatch(email) is not None


def hash_of(email: str) -> str:
    """Return the id of the contact with an address."""
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def iso(moment: float) -> str:
    """Write a time as Mailchimp does."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _fits(about: Mapping[str, Any], value: Any) -> bool:
    kind, options, text = about["type"], about["options"], str(value)
    checks = {
        "text": len(text) <= LONGEST_TEXT,
        "number": isinstance(value, int | float) or _is_number(text),
        "zip": _ZIP.fullmatch(text),
        "url": _WEB.fullmatch(text),
        "imageurl": _WEB.fullmatch(text),
        "date": _is_day(text),
        "birthday": _BIRTHDAY.fullmatch(text),
        "phone": options.get("phone_format") != "US" or _US_PHONE.fullmatch(text),
        "radio": text in options.get("choices", ()),
        "dropdown": text in options.get("choices", ()),
        "address": isinstance(value, dict) and {"addr1", "city", "state", "zip"} <= value.keys(),
    }
    return bool(checks[kind])


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
