"""What the stand-in knows: profiles, lists with who is on them, import jobs that take time, events."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
_FIELDS = ("phone_number", "external_id", "first_name", "last_name", "organization", "locale", "title", "image")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(slots=True)
class Profile:
    """One profile; ``suppressed`` and ``left`` (by list) are (reason, time) on e-mail."""

    id: str
    email: str | None
    created: float
    fields: Json = field(default_factory=dict)
    location: Json = field(default_factory=dict)
    properties: Json = field(default_factory=dict)
    suppressed: list[tuple[str, float]] = field(default_factory=list)
    left: list[tuple[str, str, float]] = field(default_factory=list)


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


class World:
    """All of an account. It knows no HTTP; whoever calls holds the lock."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.by_email: dict[str, str] = {}
        self.lists: dict[str, List] = {}
        self.jobs: dict[str, Job] = {}
        self.events: list[Json] = []
        self.erased: list[str] = []
        self._seen: set[tuple[str, str, str]] = set()
        self._waiting: list[Job] = []

    def make_list(self, name: str, opt_in_process: str | None, now: float) -> List:
        """Create a list; names need not be unique."""
        made = List(_id("L", 6), name, now, opt_in_process or "double_opt_in")
        self.lists[made.id] = made
        return made

    def upsert(self, row: Mapping[str, Any], now: float) -> Profile:
        """Create or update a profile as its row says: fields and properties merge, ``unset`` takes away."""
        attributes = row["attributes"]
        email = attributes.get("email")
        found = self.profiles.get(row.get("id") or "") or self._of(email)
        if found is None:
            found = Profile(_id("01", 26), email and email.strip().lower(), now)
            self.profiles[found.id] = found
            if found.email:
                self.by_email[found.email] = found.id
        found.fields |= {name: attributes[name] for name in _FIELDS if attributes.get(name) is not None}
        found.location |= attributes.get("location") or {}
        found.properties |= attributes.get("properties") or {}
        unset = ((row.get("meta") or {}).get("patch_properties") or {}).get("unset") or []
        for name in [unset] if isinstance(unset, str) else unset:
            found.properties.pop(name, None)
        return found

    def start(self, rows: list[Json], lists: list[str], now: float, seconds: float) -> Job:
        """Take an import; it is worked on as time passes."""
        job = Job(str(uuid.uuid4()), rows, lists, now, now + seconds, len(rows))
        self.jobs[job.id] = job
        self._waiting.append(job)
        return job

    def work(self, now: float, failing: Iterable[str] = ()) -> None:
        """Finish the imports that are due; a row whose address contains a text of ``failing`` fails by itself."""
        due = [job for job in self._waiting if job.due <= now]
        if due:
            self._waiting = [job for job in self._waiting if job.due > now]
            for job in due:
                self._finish(job, tuple(failing))

    def record(self, metric: str, profile: Profile, event: Mapping[str, Any], *, backfill: bool) -> None:
        """Record an event, unless this profile has one of this metric with the same ``unique_id``."""
        unique = str(event.get("unique_id") or event.get("time"))
        if (profile.id, metric, unique) in self._seen:
            return
        self._seen.add((profile.id, metric, unique))
        self.events.append(
            {
                "metric": metric,
                "email": profile.email,
                "time": event.get("time"),
                "value": event.get("value"),
                "backfill": backfill,
                "unique_id": unique,
                "properties": dict(event.get("properties") or {}),
            }
        )

    def erase(self, email: str) -> None:
        """Erase a profile and everything it is part of."""
        profile_id = self.by_email.pop(email.strip().lower(), None)
        if profile_id is None:
            return
        del self.profiles[profile_id]
        for each in self.lists.values():
            each.members.pop(profile_id, None)
        self.events = [event for event in self.events if event["email"] != email]
        self.erased.append(profile_id)

    def suppress(self, email: str, reason: str, now: float, list_id: str | None = None) -> None:
        """Let a person say no, or a mail bounce; with a list only there."""
        profile = self._of(email) or self.upsert({"attributes": {"email": email}}, now)
        if list_id is None:
            profile.suppressed.append((reason, now))
        else:
            profile.left.append((list_id, reason, now))
            self.lists[list_id].members.pop(profile.id, None)

    def _of(self, email: str | None) -> Profile | None:
        return self.profiles.get(self.by_email.get((email or "").strip().lower(), ""))

    def _finish(self, job: Job, failing: tuple[str, ...]) -> None:
        for place, row in enumerate(job.rows):
            email = str(row["attributes"].get("email") or "")
            if any(part in email for part in failing):
                job.errors.append(_import_error(place, row))
                continue
            profile = self.upsert(row, job.due)
            job.profiles.append(profile.id)
            for list_id in job.lists:
                self.lists[list_id].members.setdefault(profile.id, job.due)
        job.rows = []
        job.completed = job.due


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


def _import_error(place: int, row: Json) -> Json:
    return {
        "code": "invalid",
        "title": "Invalid input.",
        "detail": f"Invalid email address: {row['attributes'].get('email')}",
        "source": {"pointer": f"/data/attributes/profiles/data/{place}/attributes/email"},
        "original_payload": dict(row["attributes"]),
    }


def _id(start: str, length: int) -> str:
    return start + uuid.uuid4().hex.upper()[: length - len(start)]
