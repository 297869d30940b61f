"""Words for what a person reads: counts, codes, ages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

CODES = {
    "SUPPRESSED": "blocked by hand, complaint, bounce or erasure",
    "NO_ADDRESS": "no address for this channel",
    "INVALID_ADDRESS": "the address does not work",
    "OPTED_OUT": "said no",
    "PENDING_CONFIRMATION": "has not confirmed yet",
    "REGION_UNKNOWN": "region unknown, strictest rule applied",
    "SINGLE_OPT_IN": "single opt-in where the shop wants a double one",
    "NO_CONSENT": "never said yes",
    "SALE_OPT_OUT": "opted out of sale and sharing",
    "ADS_CONSENT_MISSING": "no consent for ad platforms",
    "ADS_STORAGE_DENIED": "refused ad storage on the site",
    "SAME_ADDRESS": "shares the address with somebody who is contacted",
    "STALE_SOURCE": "orders are older than carts",
    "HOLDOUT": "held out to measure lift",
    "COOLDOWN": "had this not long ago",
    "FREQUENCY_CAP": "had another mail not long ago",
    "REFUSED": "the destination refused this person",
}


def meaning(code: str, codes: Mapping[str, str]) -> str:
    """Say what a code means: one of hub's own, or one of those that extensions brought."""
    return CODES.get(code) or codes.get(code, "")


def shown(value: str | float) -> str:
    """Write a value of an extension's table."""
    return value if isinstance(value, str) else f"{value:,}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 person``, ``2,448 orders``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def people(number: int) -> str:
    """Write a number of people."""
    return count(number, "person", "people")


def how_long(minutes: float | None) -> str:
    """Write about how long calls take by their limits, in one unit."""
    if minutes is None:
        return "as it answers"
    if minutes < 1:
        return "under a minute"
    for unit, size in (("days", 1_440), ("h", 60)):
        if minutes >= 2 * size:
            return f"{minutes / size:,.0f} {unit}"
    return f"{minutes:,.0f} min"


def age(since: datetime | None, now: datetime) -> str:
    """Write how long ago something was, in one unit."""
    if since is None:
        return "never"
    gap = now - since
    if gap < timedelta(0):
        return "in the future"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if gap.total_seconds() >= 2 * size or (unit == "min" and gap.total_seconds() >= size):
            return f"{int(gap.total_seconds() // size)} {unit} ago"
    return "just now"
