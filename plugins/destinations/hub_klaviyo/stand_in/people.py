"""What the stand-in knows of people: profiles, lists with who is on them, import jobs that take time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(slots=True)
class Profile:
    """One profile; ``suppressed`` and ``left`` (by list) are (reason, time) on e-mail.

    ``agreed`` is what it said by channel: consent, time, method, and whether it was asked twice.
    """

    id: str
    email: str | None
    created: float
    fields: Json = field(default_factory=dict)
    location: Json = field(default_factory=dict)
    properties: Json = field(default_factory=dict)
    suppressed: list[tuple[str, float]] = field(default_factory=list)
    left: list[tuple[str, str, float]] = field(default_factory=list)
    agreed: dict[str, Json] = field(default_factory=dict)
    updated: float = 0.0


@dataclass(slots=True)
class List:
    """One list; ``members`` are profile ids with the time they joined."""

    id: str
    name: str
    created: float
    opt_in_process: str
    members: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """One bulk import; its rows wait until it is ``due``."""

    id: str
    rows: list[Json]
    lists: list[str]
    created: float
    due: float
    total: int
    profiles: list[str] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    completed: float | None = None


def wrong_field(attributes: Mapping[str, Any]) -> str | None:
    """Return which identifier of a row Klaviyo refuses, if any."""
    email, phone = attributes.get("email"), attributes.get("phone_number")
    if email is not None and not _EMAIL.fullmatch(str(email)):
        return "email"
    if phone is not None and not _PHONE.fullmatch(str(phone)):
        return "phone_number"
    return None if email or phone or attributes.get("external_id") else "email"


def iso(moment: float) -> str:
    """Write a time as Klaviyo does."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
