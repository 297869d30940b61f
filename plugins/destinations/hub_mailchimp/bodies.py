"""What requests say: pure functions from members to the bodies of Mailchimp's reference (Marketing API 3.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hub import api

ROWS_A_CALL = 500
OPERATIONS_A_BATCH = 1_000
OPTED_IN = "OPT_IN"


def subscriber_hash(email: str) -> str:
    """Return the id by which an audience knows a contact: the MD5 of its address in lower case."""
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def by_address(members: Iterable[api.Member]) -> dict[str, list[api.Member]]:
    """Return members by their address in lower case, in order: one address is one row."""
    found: dict[str, list[api.Member]] = {}
    for member in members:
        if member.email:
            found.setdefault(member.email.lower(), []).append(member)
    return found


def new_contact(member: api.Member, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a member as a row that creates a contact.

    ``subscribed`` claims an opt-in and is said of those alone whom one cleared, with its time; everybody else is
    ``transactional``: known to the shop, and not to be sent campaigns.
    """
    row: dict[str, Any] = {"email_address": member.email, "email_type": "html", "status": "transactional"}
    permission = member.permission
    if permission is not None and permission.ground == OPTED_IN:
        row["status"] = "subscribed"
        if permission.recorded_at is not None:
            row["timestamp_signup"] = row["timestamp_opt"] = moment(permission.recorded_at)
    if fields:
        row["merge_fields"] = dict(fields)
    return row


def new_contacts(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the body that creates whoever is new and leaves everybody else as they are.

    ``update_existing`` would change the status of known contacts, ``sync_tags`` would take away the tags of others.
    """
    return {"members": list(rows), "update_existing": False, "sync_tags": False}


def merge_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that writes merge fields of a known contact; it says nothing of the status."""
    return {"merge_fields": dict(fields)}


def operations(list_id: str, fields: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return a batch of operations that write merge fields, by operation id: (address, fields)."""
    return {
        "operations": [
            {
                "method": "PATCH",
                "path": f"/lists/{list_id}/members/{subscriber_hash(email)}",
                "params": {"skip_merge_validation": "true"},
                "operation_id": key,
                "body": json.dumps(merge_fields(values), separators=(",", ":")),
            }
            for key, (email, values) in fields.items()
        ]
    }


def new_tag(name: str) -> dict[str, Any]:
    """Return the body that creates a tag: a segment with a list of members, empty."""
    return {"name": name, "static_segment": []}


def new_field(tag: str, name: str) -> dict[str, Any]:
    """Return the body that creates a merge field; texts take every value, and forms do not show it."""
    return {"tag": tag, "name": name, "type": "text", "required": False, "public": False}


def tagged(add: Sequence[str] = (), remove: Sequence[str] = ()) -> dict[str, Any]:
    """Return the body that puts a tag on addresses and takes it off others, 500 each at most."""
    body = {"members_to_add": list(dict.fromkeys(add)), "members_to_remove": list(dict.fromkeys(remove))}
    return {name: emails for name, emails in body.items() if emails}


def moment(at: datetime) -> str:
    """Write a time as Mailchimp does: ISO 8601, to the second, with its offset."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
