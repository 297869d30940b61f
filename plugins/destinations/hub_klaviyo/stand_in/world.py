"""All of an account: who is in it, on which lists, and what they did."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from hub_klaviyo.stand_in.activity import API, Activity
from hub_klaviyo.stand_in.people import Job, Json, List, Profile, iso

_FIELDS = ("phone_number", "external_id", "first_name", "last_name", "organization", "locale", "title", "image")
_LASTING = frozenset({"HARD_BOUNCE", "INVALID_EMAIL"})  # subscribing lifts every other suppression


class World:
    """All of an account. It knows no HTTP; whoever calls holds the lock."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.by_email: dict[str, str] = {}
        self.lists: dict[str, List] = {}
        self.jobs: dict[str, Job] = {}
        self.activity = Activity()
        self.erased: list[str] = []
        self._waiting: list[Job] = []
        self._numbers = count(1)

    def make_list(self, name: str, opt_in_process: str | None, now: float) -> List:
        """Create a list; names need not be unique."""
        made = List(_id("L", 6), name, now, opt_in_process or "double_opt_in")
        self.lists[made.id] = made
        return made

    def upsert(self, row: Mapping[str, Any], now: float) -> Profile:
        """Create or update a profile as its row says: fields and properties merge, ``unset`` takes away."""
        attributes = row["attributes"]
        email = attributes.get("email")
        found = self.profiles.get(row.get("id") or "") or self.of(email)
        if found is None:
            # Klaviyo's ids are in the order in which profiles were made.
            found = Profile(_id(f"01{next(self._numbers):010}", 26), email and email.strip().lower(), now)
            self.profiles[found.id] = found
            if found.email:
                self.by_email[found.email] = found.id
        found.fields |= {name: attributes[name] for name in _FIELDS if attributes.get(name) is not None}
        found.location |= attributes.get("location") or {}
        found.properties |= attributes.get("properties") or {}
        unset = ((row.get("meta") or {}).get("patch_properties") or {}).get("unset") or []
        for name in [unset] if isinstance(unset, str) else unset:
            found.properties.pop(name, None)
        found.updated = now
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

    @property
    def events(self) -> list[Json]:
        """Return what was recorded, as the sandbox shows it."""
        return [each.shown() for each in self.activity.events]

    def record(self, metric: str, profile: Profile, event: Mapping[str, Any], now: float, *, backfill: bool) -> None:
        """Record an event that the API was told."""
        self.activity.record(self.activity.metric(metric, API, now), profile, event, now, backfill=backfill)

    def agree(self, email: str, channel: str, now: float, **said: Any) -> Profile:
        """Let a person say something about a channel; saying yes to mails lifts what they or others said before."""
        profile = self.of(email) or self.upsert({"attributes": {"email": email}}, now)
        profile.agreed[channel] = {"consent": "SUBSCRIBED", "consent_timestamp": iso(now), **said}
        profile.updated = now
        if channel == "email" and profile.agreed[channel]["consent"] == "SUBSCRIBED":
            profile.suppressed = [each for each in profile.suppressed if each[0] in _LASTING]
        return profile

    def erase(self, email: str) -> None:
        """Erase a profile and everything it is part of."""
        profile_id = self.by_email.pop(email.strip().lower(), None)
        if profile_id is None:
            return
        del self.profiles[profile_id]
        for each in self.lists.values():
            each.members.pop(profile_id, None)
        self.activity.forget(profile_id)
        self.erased.append(profile_id)

    def suppress(self, email: str, reason: str, now: float, list_id: str | None = None) -> None:
        """Let a person say no, or a mail bounce; with a list only there."""
        profile = self.of(email) or self.upsert({"attributes": {"email": email}}, now)
        if list_id is None:
            profile.suppressed.append((reason, now))
        else:
            profile.left.append((list_id, reason, now))
            self.lists[list_id].members.pop(profile.id, None)

    def of(self, email: str | None) -> Profile | None:
        """Return the profile with an address."""
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
