"""Identifiers as ad platforms match them: normalised by each vendor's rules, then hashed.

The vendors match on SHA-256 of normalised values; their rules differ in small ways, which are all here. What is already
a SHA-256 stays as it is, nothing empty is hashed, and what a vendor would refuse is left out: an address without ``@``,
a phone that is no E.164 number, an incomplete postal address where only a whole one is matched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from hashlib import sha256
from itertools import takewhile
from typing import Any

from hub.api.destinations import Member

_HASHED = re.compile(r"[0-9a-fA-F]{64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"[1-9]\d{6,14}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_POSTCODE = re.compile(r"[\w][\w -]{0,14}")
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme"})
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "phd", "md"})
_NO_LETTERS = re.compile(r"(?:[^\w\s]|_)+")  # Python counts no combining mark among the letters
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_GENDERS = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}


def hashed(value: str) -> str:
    """Return the SHA-256 as lower-case hexadecimal; nothing of nothing, and a hash stays what it is."""
    if not value:
        return ""
    if _HASHED.fullmatch(value):
        return value.lower()
    return sha256(value.encode()).hexdigest()


def meta_identifiers(member: Member) -> dict[str, str]:
    """Return what Meta matches a member by, hashed; a value that is missing or cannot be used is ``""``.

    Keys: ``email``, ``phone``, ``fn``, ``ln``, ``zip``, ``ct``, ``st``, ``country``, ``doby``, ``gen``, of the
    attributes first_name, last_name, postcode, city, region, country, birth_date and gender. Source: Meta's Marketing
    API, Customer File Custom Audiences, "Hashing and Normalization for Multi-Key".
    """
    known = member.attributes
    country, region = _country(known), _letters(_text(known, "region"))
    postcode = re.sub(r"\s", "", _text(known, "postcode").lower())
    if country == "US":
        region = region if len(region) == 2 else ""
        postcode = postcode[:5] if not _HASHED.fullmatch(postcode) else postcode
    clear = {
        "email": _unless_hashed(member.email, _meta_email),
        "phone": _unless_hashed(member.phone, _meta_phone),
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


def google_identifiers(member: Member) -> dict[str, str]:
    """Return what Google matches a member by; a value that is missing or cannot be used is ``""``.

    Keys: ``email``, ``phone``, ``given_name``, ``family_name``, hashed, and ``region_code``, ``postal_code``,
    readable, of the attributes first_name, last_name, country and postcode. The last four are all there or all empty:
    Google matches a postal address by all its parts or not at all. Source: Google's Data Manager API, "Format user
    data".
    """
    known = member.attributes
    place = {
        "given_name": hashed(_unless_hashed(_text(known, "first_name"), _google_name)),
        "family_name": hashed(_unless_hashed(_text(known, "last_name"), _google_name)),
        "region_code": _country(known),
        "postal_code": _matched(_POSTCODE, _text(known, "postcode")),
    }
    if not all(place.values()):
        place = dict.fromkeys(place, "")
    return {
        "email": hashed(_unless_hashed(member.email, _google_email)),
        "phone": hashed(_unless_hashed(member.phone, _google_phone)),
        **place,
    }


def _meta_email(email: str) -> str:
    return _matched(_EMAIL, email.strip().lower())


def _meta_phone(phone: str) -> str:
    """Return the digits with country code, without plus and leading zeros."""
    return _matched(_PHONE, re.sub(r"\D", "", phone).lstrip("0"))


def _google_email(email: str) -> str:
    """Return the address without spaces, lower-case; at Gmail also without dots and what follows a plus."""
    local, at, domain = re.sub(r"\s", "", email).lower().rpartition("@")
    if domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    return _matched(_EMAIL, f"{local}{at}{domain}")


def _google_phone(phone: str) -> str:
    """Return plus and digits."""
    digits = _meta_phone(phone)
    return f"+{digits}" if digits else ""


def _google_name(name: str) -> str:
    """Return the name lower-case, accents kept, without Mr, Dr and the like before it, Jr. and the like after it."""
    words = unicodedata.normalize("NFC", name).lower().split()
    while len(words) > 1 and words[0].strip(".,") in _TITLES:
        words = words[1:]
    while len(words) > 1 and words[-1].strip(".,") in _SUFFIXES:
        words = words[:-1]
    return " ".join(words).rstrip(",")


def _letters(text: str, *, spaces: bool = False) -> str:
    """Lower the text and take out punctuation and symbols; letters of every script stay, with their marks."""
    kept = _NO_LETTERS.sub(_marks, unicodedata.normalize("NFC", text).lower())
    return re.sub(r"\s+", " " if spaces else "", kept).strip()


def _marks(found: re.Match[str]) -> str:
    """Return the marks of the letter before; a mark after a symbol belongs to the symbol."""
    return "".join(takewhile(lambda sign: unicodedata.category(sign).startswith("M"), found[0]))


def _year(value: object) -> str:
    if isinstance(value, date | datetime):
        return f"{value.year:04d}"
    found = re.match(r"(\d{4})(?:-|$)", str(value or ""))
    return found[1] if found else ""


def _country(attributes: Mapping[str, Any]) -> str:
    return _matched(_COUNTRY, _text(attributes, "country").upper())


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return "" if value is None else str(value).strip()


def _matched(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def _unless_hashed(value: str | None, normalise: Callable[[str], str]) -> str:
    if not value:
        return ""
    return value if _HASHED.fullmatch(value) else normalise(value)
