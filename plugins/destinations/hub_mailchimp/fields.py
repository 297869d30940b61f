"""Merge fields: what an audience calls an attribute, and how a value must look to be taken."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import api

LONGEST_TAG = 10
LONGEST_TEXT = 255
_TAG = re.compile(r"[A-Z][A-Z0-9_]{0,9}")
_KNOWN = {"first_name": "FNAME", "last_name": "LNAME", "birth_date": "BIRTHDAY", "phone": "PHONE"}
_RESERVED = frozenset({"EMAIL", "EMAIL_TYPE", "STATUS"})
_SHOPS_OWN = frozenset({"FNAME", "LNAME", "ADDRESS", "PHONE", "BIRTHDAY"})
"""Fields of every new audience, which sign-up forms fill too."""
_US_PHONE = re.compile(r"(?:\+?1)?[ .-]*\(?(\d{3})\)?[ .-]*(\d{3})[ .-]*(\d{4})")
_ZIP = re.compile(r"\d{5}(?:-\d{4})?")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """A merge field of an audience: its tag, its type and what its options demand."""

    tag: str
    type: str = "text"
    choices: tuple[str, ...] = ()
    us_phone: bool = False
    date_format: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Field:
        """Read a field as Mailchimp tells it."""
        options = told.get("options") or {}
        return cls(
            str(told["tag"]),
            str(told.get("type") or "text"),
            tuple(options.get("choices") or ()),
            options.get("phone_format") == "US",
            str(options.get("date_format") or ""),
        )


def tag_of(name: str) -> str:
    """Return the merge tag of an attribute: itself if it is one, else made of its letters, ten at most.

    Raises:
        ConfigError: no tag can be made of it, or Mailchimp keeps it for itself.
    """
    tag = _KNOWN.get(name) or (name if _TAG.fullmatch(name) else re.sub(r"[^A-Z0-9]", "", name.upper())[:LONGEST_TAG])
    if not _TAG.fullmatch(tag) or tag in _RESERVED:
        raise api.ConfigError(
            f"the attribute {name!r} cannot be a merge field of Mailchimp",
            next_step="Name it on the left like a merge tag: a capital letter, then capital letters and digits.",
        )
    return tag


def tags_of(names: Sequence[str]) -> dict[str, str]:
    """Return the merge tag of every attribute.

    Raises:
        ConfigError: two attributes would be the same field.
    """
    tags = {name: tag_of(name) for name in names}
    for name, tag in tags.items():
        same = sorted(other for other, its in tags.items() if its == tag and other != name)
        if same:
            raise api.ConfigError(
                f"the attributes {name!r} and {same[0]!r} would both be Mailchimp's merge field {tag}",
                next_step="Give one of them another name on the left.",
            )
    return tags


def values_of(attributes: Mapping[str, Any], known: Mapping[str, Field], *, new: bool) -> dict[str, Any]:
    """Return a member's merge fields.

    A value that its field would refuse is left out, so that it costs nobody the row. For a ``new`` contact so is what
    is unknown; a known one's field is emptied then, unless it is one that the shop's own forms fill too.
    """
    made: dict[str, Any] = {}
    for name, value in attributes.items():
        tag = tag_of(name)
        if _is_unknown(value):
            if not new and tag not in _SHOPS_OWN:
                made[tag] = ""
            continue
        taken = value_of(known.get(tag) or Field(tag), value)
        if taken not in {None, ""}:
            made[tag] = taken
    return made


def value_of(field: Field, value: Any) -> str | float | None:
    """Return a known value as its field takes it; None where it would be refused ("Merge fields" in the docs)."""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    reader = _READERS.get(field.type)
    return reader(field, value) if reader else None


def _text(_: Field, value: Any) -> str | None:
    text = _plain(value)
    if len(text) <= LONGEST_TEXT:
        return text
    # Half a link leads nowhere.
    return None if _WEB.fullmatch(text) else text[:LONGEST_TEXT]


def _number(_: Field, value: Any) -> float | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return float(number) if number.is_finite() else None


def _link(_: Field, value: Any) -> str | None:
    text = _plain(value)
    return text if len(text) <= LONGEST_TEXT and _WEB.fullmatch(text) else None


def _zip(_: Field, value: Any) -> str | None:
    text = _plain(value).strip()
    return text if _ZIP.fullmatch(text) else None


def _phone(field: Field, value: Any) -> str | None:
    text = _plain(value).strip()
    if not field.us_phone:
        return text if len(text) <= LONGEST_TEXT else None
    found = _US_PHONE.fullmatch(text)
    return "-".join(found.groups()) if found else None


def _choice(field: Field, value: Any) -> str | None:
    text = _plain(value)
    return text if text in field.choices else None


def _date(_: Field, value: Any) -> str | None:
    day = _day(value)
    return day.isoformat() if day else None


def _birthday(_: Field, value: Any) -> str | None:
    day = _day(value)
    return f"{day:%m/%d}" if day else None


_READERS = {
    "text": _text,
    "number": _number,
    "url": _link,
    "imageurl": _link,
    "zip": _zip,
    "phone": _phone,
    "radio": _choice,
    "dropdown": _choice,
    "date": _date,
    "birthday": _birthday,
}


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _is_unknown(value: Any) -> bool:
    if isinstance(value, str | list | tuple):
        return not value
    if isinstance(value, Decimal):
        return not value.is_finite()
    return value is None or (isinstance(value, float) and not math.isfinite(value))
