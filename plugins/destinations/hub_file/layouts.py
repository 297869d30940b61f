"""What a row looks like: plain, or as Meta's and Google's upload pages want it.

Both vendors match on SHA-256 of normalised values; their rules differ in small ways, which are all here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from hub import api

Row = dict[str, Any]
_HASHED = re.compile(r"[0-9a-fA-F]{64}")
_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme", "jr", "sr", "ii", "iii", "phd", "md"}
)
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_GENDERS = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a layout and how a member fills them; ``plain`` adds a column per attribute."""

    columns: tuple[str, ...]
    row: Callable[[api.Member], Row]
    purpose: str
    open_ended: bool = False


def hashed(value: str) -> str:
    """Return the SHA-256 as lower-case hexadecimal; nothing of nothing, and a hash stays what it is."""
    if not value:
        return ""
    if _HASHED.fullmatch(value):
        return value.lower()
    return sha256(value.encode()).hexdigest()


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return "" if value is None else str(value).strip()


def _country(attributes: Mapping[str, Any]) -> str:
    country = _text(attributes, "country")
    return country.upper() if re.fullmatch(r"[A-Za-z]{2}", country) else ""


def _plain(member: api.Member) -> Row:
    rest = {name: value for name, value in member.attributes.items() if name not in {"email", "phone"}}
    return {"email": member.email, "phone": member.phone, **rest}


def meta_phone(phone: str) -> str:
    """Return the digits with country code, without plus and leading zeros."""
    return re.sub(r"\D", "", phone).lstrip("0")


def _letters(text: str, *, spaces: bool = False) -> str:
    """Lower the text and take out punctuation; letters of every script stay."""
    kept = re.sub(r"[^\w\s]|_", "", text.lower())
    return re.sub(r"\s+", " " if spaces else "", kept).strip()


def _meta(member: api.Member) -> Row:
    known = member.attributes
    country, region = _country(known), _letters(_text(known, "region"))
    postcode = re.sub(r"\s", "", _text(known, "postcode").lower())
    if country == "US":
        region = region if len(region) == 2 else ""
        postcode = postcode[:5] if not _HASHED.fullmatch(postcode) else postcode
    clear = {
        "email": (member.email or "").strip().lower(),
        "phone": _unless_hashed(member.phone or "", meta_phone),
        "fn": _letters(_text(known, "first_name"), spaces=True),
        "ln": _letters(_text(known, "last_name"), spaces=True),
        "zip": postcode,
        "ct": _letters(_text(known, "city")),
        "st": region,
        "country": country.lower(),
        "doby": _year(known.get("birth_date")),
        "gen": _GENDERS.get(_text(known, "gender").lower(), ""),
    }
    return {name: hashed(value) for name, value in clear.items()}


def google_email(email: str) -> str:
    """Return the address without spaces, lower-case; at Gmail also without dots and what follows a plus."""
    local, at, domain = re.sub(r"\s", "", email).lower().rpartition("@")
    if domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    return f"{local}{at}{domain}"


def google_phone(phone: str) -> str:
    """Return plus and digits."""
    digits = re.sub(r"\D", "", phone)
    return f"+{digits}" if digits else ""


def google_name(name: str) -> str:
    """Return the name lower-case, accents kept, without Mr, Dr, Jr. and the like before and after it."""
    words = name.lower().split()
    while len(words) > 1 and words[0].strip(".,") in _TITLES:
        words = words[1:]
    while len(words) > 1 and words[-1].strip(".,") in _TITLES:
        words = words[:-1]
    return " ".join(words).rstrip(",")


def _google(member: api.Member) -> Row:
    known = member.attributes
    place = [
        hashed(_unless_hashed(_text(known, "first_name"), google_name)),
        hashed(_unless_hashed(_text(known, "last_name"), google_name)),
        _country(known),
        _text(known, "postcode"),
    ]
    if not all(place):  # Google matches an address by all four parts, or not at all
        place = [""] * 4
    return {
        "Email": hashed(_unless_hashed(member.email or "", google_email)),
        "Phone": hashed(_unless_hashed(member.phone or "", google_phone)),
        **dict(zip(("First Name", "Last Name", "Country", "Zip"), place, strict=True)),
    }


def _unless_hashed(value: str, normalise: Callable[[str], str]) -> str:
    return value if _HASHED.fullmatch(value) else normalise(value)


def _year(value: object) -> str:
    if isinstance(value, date | datetime):
        return f"{value.year:04d}"
    found = re.match(r"(\d{4})(?:-|$)", str(value or ""))
    return found[1] if found else ""


LAYOUTS = {
    "plain": Layout(("email", "phone"), _plain, "email_marketing", open_ended=True),
    "meta": Layout(("email", "phone", "fn", "ln", "zip", "ct", "st", "country", "doby", "gen"), _meta, "ads"),
    "google": Layout(("Email", "Phone", "First Name", "Last Name", "Country", "Zip"), _google, "ads"),
}
"""The layouts by the name that settings use."""
