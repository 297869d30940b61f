"""E-mail addresses and phone numbers in one canonical form.

The common forms are read in SQL (``reading.sql`` has the same two patterns); only the odd ones come here, each
distinct value once.
"""

from __future__ import annotations

import re

_PLAIN_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,63}")
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]+")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_PLAIN_PHONE = re.compile(
    r"\+(1[2-9][0-9]{2}[2-9][0-9]{6}"
    r"|(20|27|3[0-4]|36|4[0-1]|4[3-9]|5[1-8]|6[0-6]|8[1246]|9[0-5]|98)[1-9][0-9]{7,8})"
)
_LONGEST = 254


def normalise_email(text: str) -> str | None:
    """Return the address trimmed, in lower case and with its domain in IDNA; None if it is no address."""
    text = text.strip().removeprefix("'").removeprefix("mailto:").strip()
    if _PLAIN_EMAIL.fullmatch(text) and len(text) <= _LONGEST:
        return text.lower()
    local, _, domain = text.lower().rpartition("@")
    if not _LOCAL_PART.fullmatch(local):
        return None
    try:
        domain = domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return None
    address = f"{local}@{domain}"
    return address if _DOMAIN.fullmatch(domain) and len(address) <= _LONGEST else None


def normalise_phone(text: str, country: str | None) -> str | None:
    """Return the number in E.164, a national one read as of ``country``; None if it is no possible number."""
    text = text.strip().removeprefix("'").strip()
    if _PLAIN_PHONE.fullmatch(text):
        return text
    import phonenumbers  # noqa: PLC0415 - its tables take a tenth of a second to load

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def address_text(kind: str, value: str, system: str | None = None) -> str:
    """Return the text whose keyed hash identifies an address: ``email:…``, ``phone:…``, ``customer:<system>:<id>``."""
    return f"customer:{system}:{value}" if kind == "customer" else f"{kind}:{value}"
