"""What a row looks like: plain, or as Meta's and Google's upload pages want it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub import api

Row = dict[str, Any]
_GOOGLE = {
    "email": "Email",
    "phone": "Phone",
    "given_name": "First Name",
    "family_name": "Last Name",
    "region_code": "Country",
    "postal_code": "Zip",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a layout and how a member fills them; ``plain`` adds a column per attribute."""

    columns: tuple[str, ...]
    row: Callable[[api.Member], Row]
    purpose: str
    open_ended: bool = False


def _plain(member: api.Member) -> Row:
    rest = {name: value for name, value in member.attributes.items() if name not in {"email", "phone"}}
    return {"email": member.email, "phone": member.phone, **rest}


def _google(member: api.Member) -> Row:
    return {_GOOGLE[name]: value for name, value in api.google_identifiers(member).items()}


LAYOUTS = {
    "plain": Layout(("email", "phone"), _plain, "email_marketing", open_ended=True),
    "meta": Layout(
        ("email", "phone", "fn", "ln", "zip", "ct", "st", "country", "doby", "gen"), api.meta_identifiers, "ads"
    ),
    "google": Layout(tuple(_GOOGLE.values()), _google, "ads"),
}
"""The layouts by the name that settings use."""
