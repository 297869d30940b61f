"""Events of Klaviyo's mails as engagement: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_klaviyo.feed import Happening

METRICS: Mapping[str, str] = {
    "Received Email": "sent",
    "Opened Email": "opened",
    "Clicked Email": "clicked",
    "Bounced Email": "bounced",
    "Marked Email as Spam": "complained",
    "Unsubscribed": "unsubscribed",
    "Unsubscribed from Email Marketing": "unsubscribed",
}
"""Klaviyo's metrics of mails ("Email metrics reference" in its help center), with what they mean to hub."""

_MACHINES = {"opened": {"machine_open", "apple_privacy_open"}, "clicked": {"bot_click"}}
_NAMES = ("Campaign Name", "Message Name", "Subject", "$message")


def engagement(told: Happening) -> dict[str, Any] | None:
    """Return what somebody did with a mail; None where nobody's address is left."""
    if told.email is None:
        return None
    kind = told.metric.means
    named = (told.properties.get(name) for name in _NAMES)
    row = {"subject": told.email, "kind": kind, "campaign": next((str(each) for each in named if each), None)}
    if kind == "unsubscribed" and row["campaign"] is None:
        row["campaign"] = "none"  # who leaves by a page of the shop's was sent there by no mail
    return row | {"happened_at": told.at, "machine": _by_machine(kind, told.properties), "_origin": told.origin}


def _by_machine(kind: str, properties: Mapping[str, Any]) -> bool | None:
    """Tell whether a machine did it, where Klaviyo says so.

    It marks opens as "Apple Privacy Open" (``machine_open`` in the event) since November 2021, and clicks as "Bot
    Click". Such an open may be a person's: nobody can know.
    """
    wanted = _MACHINES.get(kind, set())
    said = [str(value).lower() == "true" for name, value in properties.items() if _word(name) in wanted]
    return any(said) if said else None


def _word(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
