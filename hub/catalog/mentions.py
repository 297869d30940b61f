"""Find the addresses that stand somewhere in a text, such as a record that could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hub.catalog.addresses import address_text, normalise_email, normalise_phone

SHORTEST_ID = 4
"""How long a customer id is before it tells more than any number in a text."""

_ESCAPED = re.compile(r"\\u(?!d[89a-f])([0-9a-f]{4})", re.IGNORECASE)
_DOMAIN = r"@[^\s@\"(),:;<>\[\\\]|=/'&?{}*!#%~`^$+_]+"
# Some signs may be part of an address, and more often stand before one: both are tried.
_EMAILS = (
    re.compile(r"[^\s@\"(),:;<>\[\\\]]+" + _DOMAIN),
    re.compile(r"[^\s@\"(),:;<>\[\\\]|=/'&?{}*]+" + _DOMAIN),
)
_PHONES = (re.compile(r"\+?[(]?\d[\d ()./\u00a0-]{4,}\d"), re.compile(r"\+?\d{6,15}"))
_SIGNS = re.compile(r"[ ()./\u00a0-]")
_COUNTRY = re.compile(r"\b[A-Z]{2}\b")
_IDS = (re.compile(r"[^,;|\t\r\n\"]+"), re.compile(r"[0-9A-Za-z_-]+"))


def addresses_in(text: str, country: str | None, system: str) -> set[str]:
    """Return the address text of all that looks like an e-mail, a phone or a customer id of ``system``.

    A national number is read as of ``country`` and of every country whose code stands in the text.
    """
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    found = {address_text("email", email) for each in _found(_EMAILS, text) if (email := normalise_email(each))}
    countries = {country, *_COUNTRY.findall(text)}
    for each in {_SIGNS.sub("", phone) for phone in _found(_PHONES, text)}:
        phones = {normalise_phone(each, known) for known in ([None] if each.startswith("+") else countries)}
        found |= {address_text("phone", phone) for phone in phones if phone}
    ids = {each.strip(" '") for each in _found(_IDS, text)}
    return found | {address_text("customer", each, system) for each in ids if len(each) >= SHORTEST_ID}


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> Iterator[str]:
    for pattern in patterns:
        yield from set(pattern.findall(text))
