"""The endpoints of account, audience and contacts that the stand-in serves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_mailchimp.stand_in.contacts import (
    MOST_FIELDS,
    STATUSES,
    Audience,
    Contact,
    Json,
    World,
    hash_of,
    is_address,
    wrong_field,
)
from hub_mailchimp.stand_in.shapes import Answer, Refusal, audience_object, contact_object, not_found, page

ROWS_A_CALL = 500
_FIELD_TYPES = frozenset(
    ("text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown", "birthday", "zip")
)
_COMPLIANCE = "Member In Compliance State"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, read; ``trouble`` are the texts in addresses that make rows fail, or a whole call break."""

    world: World
    now: float
    base: str
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: Json
    batch_seconds: float
    role: str
    poison: str | None = None
    breaking: str | None = None
    terse: bool = False

    @property
    def audience(self) -> Audience:
        """Return the audience that the path names."""
        return self.world.audience(self.ids[0])

    @property
    def contact(self) -> Contact:
        """Return the contact that the path names, by hash or address."""
        name = self.ids[1]
        found = self.audience.contacts.get(hash_of(name) if "@" in name else name)
        if found is None:
            raise not_found()
        return found

    def is_set(self, name: str) -> bool:
        """Tell whether a parameter says true."""
        return self.query.get(name, "").lower() in {"true", "1"}


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[Asked], Answer]


def route(method: str, path: str, answer: Callable[[Asked], Answer]) -> Route:
    """Make a route; ``{}`` in the path is an id."""
    return Route(method, re.compile(path.replace("{}", "([^/]+)")), answer)


def _root(asked: Asked) -> Answer:
    subscribed = sum(
        contact.status == "subscribed" for each in asked.world.audiences.values() for contact in each.contacts.values()
    )
    about = {"account_id": "sandbox", "account_name": "hub sandbox", "role": asked.role}
    return Answer(200, {**about, "pricing_plan_type": "monthly", "total_subscribers": subscribed, "_links": []})


def _ping(_: Asked) -> Answer:
    return Answer(200, {"health_status": "Everything's Chimpy!"})


def _lists(asked: Asked) -> Answer:
    return page("lists", list(asked.world.audiences.values()), audience_object, asked.query)


def _list(asked: Asked) -> Answer:
    return Answer(200, audience_object(asked.audience))


def _add_many(asked: Asked) -> Answer:
    """Create or update contacts; 200 even where rows fail."""
    rows = asked.body.get("members")
    if not isinstance(rows, list) or len(rows) > ROWS_A_CALL:
        raise _invalid("members", f"Schema describes an array of at most {ROWS_A_CALL} items")
    emails = [str(each.get("email_address", "")).lower() for each in rows]
    if len(set(emails)) < len(emails) and not asked.is_set("skip_duplicate_check"):
        raise _invalid("members", "Duplicate items found")
    if asked.breaking and any(asked.breaking in email for email in emails):
        raise Refusal(500, "Internal Server Error", "An unexpected internal error has occurred.")
    new: list[Json] = []
    updated: list[Json] = []
    errors: list[Json] = []
    first: dict[str, Json] = {}
    for email, row in zip(emails, rows, strict=True):
        first.setdefault(email, row)
    for email, row in first.items():
        error = _row_error(asked, email, row)
        if error is not None:
            errors.append({"field": "", "field_message": "", **error, "email_address": row.get("email_address")})
            continue
        known = asked.audience.of(email)
        there = known is not None and known.status != "archived"
        (updated if there else new).append(contact_object(_upsert(asked, row), asked.audience))
    told: Json = {"new_members": new, "updated_members": updated, "errors": errors}
    return Answer(200, told | {"total_created": len(new), "total_updated": len(updated), "error_count": len(errors)})


def _row_error(asked: Asked, email: str, row: Mapping[str, Any]) -> Json | None:
    if row.get("status") not in STATUSES:
        return _generic("Value must be one of the statuses", field="status")
    if not is_address(email) or (asked.poison and asked.poison in email):
        return _generic(f"{email} looks fake or invalid, please enter a real email address.")
    if hash_of(email) in asked.audience.deleted:
        return _generic(
            f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on "
            "the list."
        )
    known = asked.audience.of(email)
    if known is not None and known.status != "archived" and not asked.body.get("update_existing"):
        return {
            "error": f"{email} is already a list member, do you want to update? please provide update_existing:true in "
            "the request body",
            "error_code": "ERROR_CONTACT_EXISTS",
        }
    wrong = wrong_field(asked.audience, row.get("merge_fields") or {})
    return (
        None if wrong is None else _generic("Your merge fields were invalid.", field=wrong[0], field_message=wrong[1])
    )


def _upsert(asked: Asked, row: Mapping[str, Any]) -> Contact:
    known = asked.audience.of(str(row["email_address"]))
    if known is None or known.status == "archived":
        return asked.world.add_contact(asked.audience, row, asked.now)
    known.status = str(row["status"])
    asked.world.write(asked.audience, known, row.get("merge_fields") or {}, asked.now)
    return known


def _members(asked: Asked) -> Answer:
    return page("members", _found(asked), lambda each: contact_object(each, asked.audience), asked.query)


def _found(asked: Asked) -> list[Contact]:
    """Return the contacts that a query names; archived ones only where they are asked for."""
    query, status = asked.query, asked.query.get("status")
    if "unsubscribed_since" in query and status != "unsubscribed":
        raise _invalid("unsubscribed_since", "status must be unsubscribed")
    since, left = seconds(query.get("since_last_changed")), seconds(query.get("unsubscribed_since"))
    before = seconds(query.get("before_last_changed"), float("inf"))
    found = [
        each
        for each in asked.audience.contacts.values()
        if (each.status == status if status else each.status != "archived")
        and since < each.changed < before
        and left < each.left
    ]
    if query.get("sort_field") == "last_changed":
        found.sort(key=lambda each: each.changed, reverse=query.get("sort_dir") == "DESC")
    return found


def _member(asked: Asked) -> Answer:
    return Answer(200, contact_object(asked.contact, asked.audience))


def _add_one(asked: Asked) -> Answer:
    email = str(asked.body.get("email_address", ""))
    if asked.audience.of(email) is not None:
        raise Refusal(
            400, "Member Exists", f"{email} is already a list member. Use PUT to insert or update list members."
        )
    _judge(asked, email, asked.body)
    return Answer(200, contact_object(asked.world.add_contact(asked.audience, asked.body, asked.now), asked.audience))


def _put_one(asked: Asked) -> Answer:
    email = str(asked.body.get("email_address", ""))
    if asked.audience.of(email) is not None:
        return _change_one(asked)
    row = {**asked.body, "status": asked.body.get("status") or asked.body.get("status_if_new")}
    _judge(asked, email, row)
    return Answer(200, contact_object(asked.world.add_contact(asked.audience, row, asked.now), asked.audience))


def _change_one(asked: Asked) -> Answer:
    contact, body = asked.contact, asked.body
    if wrong := wrong_field(asked.audience, body.get("merge_fields") or {}):
        raise _invalid(*wrong)
    if "status" in body and contact.status in {"unsubscribed", "cleaned"} and body["status"] == "subscribed":
        detail = f"{contact.email} is in a compliance state due to unsubscribe, bounce, or compliance review."
        raise Refusal(400, _COMPLIANCE, detail)
    if body.get("status") == "unsubscribed" != contact.status:
        contact.left = asked.now
    contact.status = body.get("status", contact.status)
    asked.world.write(asked.audience, contact, body.get("merge_fields") or {}, asked.now)
    return Answer(200, contact_object(contact, asked.audience))


def _archive_one(asked: Asked) -> Answer:
    if asked.contact.status == "archived":
        raise Refusal(405, "Method Not Allowed", "This list member cannot be removed. Please contact support.")
    asked.world.archive(asked.contact, asked.now)
    return Answer(204)


def _erase_one(asked: Asked) -> Answer:
    asked.world.erase(asked.audience, asked.contact)
    return Answer(204)


def _merge_fields(asked: Asked) -> Answer:
    return page("merge_fields", list(asked.audience.fields.values()), dict, asked.query, list_id=asked.audience.id)


def _add_merge_field(asked: Asked) -> Answer:
    tag, kind = str(asked.body.get("tag") or f"MMERGE{len(asked.audience.fields)}"), asked.body.get("type")
    if kind not in _FIELD_TYPES or not re.fullmatch(r"[A-Z][A-Z0-9_]{0,9}", tag):
        raise _invalid("tag", "A merge tag has at most 10 capital letters, digits and underscores")
    if tag in asked.audience.fields:
        raise Refusal(400, "Invalid Resource", f'A Merge Field with the tag "{tag}" already exists for this list.')
    if len(asked.audience.fields) >= MOST_FIELDS:
        raise Refusal(400, "Invalid Resource", f"You have reached the maximum of {MOST_FIELDS} merge fields.")
    made = asked.world.add_field(asked.audience, tag, str(asked.body["name"]), kind, asked.body.get("options"))
    return Answer(200, dict(made))


def _judge(asked: Asked, email: str, row: Mapping[str, Any]) -> None:
    error = _row_error(asked, email, row)
    if error is None:
        return
    if error["field"]:
        raise _invalid(error["field"], error["field_message"] or error["error"])
    forgotten = "permanently deleted" in error["error"]
    raise Refusal(400, "Forgotten Email Not Subscribed" if forgotten else "Invalid Resource", error["error"])


def _generic(text: str, **more: str) -> Json:
    return {"error": text, "error_code": "ERROR_GENERIC", "field": "", "field_message": "", **more}


def _invalid(name: str, message: str) -> Refusal:
    detail = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
    return Refusal(400, "Invalid Resource", detail, [{"field": name, "message": message}])


def seconds(text: str | None, default: float = float("-inf")) -> float:
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise _invalid("since_last_changed", "not a date and time") from None


_LIST = "/lists/{}"
_MEMBER = f"{_LIST}/members/{{}}"

AUDIENCE_ROUTES = (
    route("GET", "/", _root),
    route("GET", "/ping", _ping),
    route("GET", "/lists", _lists),
    route("GET", _LIST, _list),
    route("POST", _LIST, _add_many),
    route("GET", f"{_LIST}/members", _members),
    route("POST", f"{_LIST}/members", _add_one),
    route("GET", _MEMBER, _member),
    route("PUT", _MEMBER, _put_one),
    route("PATCH", _MEMBER, _change_one),
    route("DELETE", _MEMBER, _archive_one),
    route("POST", f"{_MEMBER}/actions/delete-permanent", _erase_one),
    route("GET", f"{_LIST}/merge-fields", _merge_fields),
    route("POST", f"{_LIST}/merge-fields", _add_merge_field),
)
