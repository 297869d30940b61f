"""What requests say: pure functions from members to the bodies of Klaviyo's reference (revision 2026-07-15)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub import api

REVISION = "2026-07-15"
JSON_API = "application/vnd.api+json"
PROFILES_A_JOB = 10_000
EVENTS_A_JOB = 1_000
MEMBERS_A_CALL = 1_000
LARGEST_BODY = 5_000_000
ENVELOPE = 2_000
"""Bytes kept free in a body for what stands around its rows."""

PROFILE_FIELDS = frozenset({"first_name", "last_name", "organization", "locale", "title", "image", "external_id"})
LOCATION_FIELDS = frozenset({"address1", "address2", "city", "country", "region", "zip", "timezone"})
_PLACES = dict.fromkeys(PROFILE_FIELDS, "field") | dict.fromkeys(LOCATION_FIELDS, "location")
RESERVED = frozenset({"email", "phone_number", "id"})
SEGMENT_PROPERTY = "hub_segment"


@dataclass(frozen=True, slots=True)
class Entry:
    """What an event says about the moment somebody enters: the metric, the audience, when, in which currency."""

    metric: str
    audience: str
    at: datetime
    currency: str | None = None
    backfill: bool = False


def profile(member: api.Member, segment: str | None = None) -> dict[str, Any]:
    """Return a member as a row of a bulk import job.

    Attributes with the name of one of Klaviyo's fields are that field, all others are custom properties; one that
    is unknown now is unset, since null clears nothing in this job. ``segment`` is written to ``hub_segment``.
    """
    # One pass, since a first load builds a million of these twice.
    fields: dict[str, Any] = {"email": member.email}
    location: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    gone: list[str] = []
    for name, value in member.attributes.items():
        place = _PLACES.get(name)
        if _is_unknown(value):
            if place is None:
                gone.append(name)
        elif place is None:
            properties[name] = value
        else:
            (fields if place == "field" else location)[name] = str(value)
    if segment is not None:
        properties[SEGMENT_PROPERTY] = segment
    if location:
        fields["location"] = location
    if properties:
        fields["properties"] = properties
    row: dict[str, Any] = {"type": "profile", "attributes": fields}
    if gone:
        row["meta"] = {"patch_properties": {"unset": sorted(gone)}}
    return row


def import_job(rows: Iterable[Mapping[str, Any]], list_id: str) -> dict[str, Any]:
    """Return the body of a bulk import job that puts its profiles on a list, and touches no consent."""
    return {
        "data": {
            "type": "profile-bulk-import-job",
            "attributes": {"profiles": {"data": list(rows)}},
            "relationships": {"lists": {"data": [{"type": "list", "id": list_id}]}},
        }
    }


def event(member: api.Member, entry: Entry) -> dict[str, Any]:
    """Return the event of one member who enters.

    ``unique_id`` is the same on one day (UTC), so that a repeated request records nothing twice.
    """
    known = {name: value for name, value in member.attributes.items() if not _is_unknown(value)}
    about: dict[str, Any] = {
        "metric": {"data": {"type": "metric", "attributes": {"name": entry.metric}}},
        "properties": {**known, "segment": entry.audience},
        "time": entry.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "unique_id": f"{entry.audience}:{member.key}:{entry.at.astimezone(UTC):%Y-%m-%d}",
    }
    value = _amount(known)
    if value is not None:
        about["value"] = value
        if entry.currency:
            about["value_currency"] = entry.currency
    row: dict[str, Any] = {
        "profile": {"data": {"type": "profile", "attributes": _person(member)}},
        "events": {"data": [{"type": "event", "attributes": about}]},
    }
    if entry.backfill:
        row["backfill"] = True
    return {"type": "event-bulk-create", "attributes": row}


def events_job(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the body of a bulk event job."""
    attributes = {"events-bulk-create": {"data": list(rows)}}
    return {"data": {"type": "event-bulk-create-job", "attributes": attributes}}


def new_list(name: str, opt_in_process: str | None) -> dict[str, Any]:
    """Return the body that creates a list."""
    attributes = {"name": name}
    if opt_in_process is not None:
        attributes["opt_in_process"] = opt_in_process
    return {"data": {"type": "list", "attributes": attributes}}


def list_members(ids: Sequence[str]) -> dict[str, Any]:
    """Return the body that takes profiles off a list; their consent stays as it is."""
    return {"data": [{"type": "profile", "id": each} for each in ids]}


def erasure(email: str) -> dict[str, Any]:
    """Return the body that asks for the erasure of a profile; Klaviyo wants exactly one identifier."""
    data = {"type": "profile", "attributes": {"email": email}}
    return {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": data}}}}


def equals(field: str, value: str) -> str:
    """Return a filter for one text."""
    return f"equals({field},{_quoted(value)})"


def one_of(field: str, values: Iterable[str]) -> str:
    """Return a filter for any of some texts."""
    return f"any({field},[{','.join(map(_quoted, values))}])"


def later_than(field: str, moment: datetime) -> str:
    """Return a filter for times after a moment."""
    return f"greater-than({field},{written(moment)})"


def between(field: str, since: datetime | None, until: datetime) -> str:
    """Return a filter for times from a moment on (None: any) and before another."""
    before = f"less-than({field},{written(until)})"
    return before if since is None else f"greater-or-equal({field},{written(since)}),{before}"


def written(moment: datetime) -> str:
    """Write a time as filters want it, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _person(member: api.Member) -> dict[str, Any]:
    """Return who an event is about: the fields of the profile, without its properties."""
    return {name: value for name, value in profile(member)["attributes"].items() if name != "properties"}


def _is_unknown(value: Any) -> bool:
    if isinstance(value, str):
        return not value
    if isinstance(value, Decimal):
        return not value.is_finite()
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _amount(known: Mapping[str, Any]) -> float | None:
    for name in ("value", "cart_value"):
        value = known.get(name)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return float(value)
    return None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
