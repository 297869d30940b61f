"""What the stand-in answers: objects, pages and problem documents in Mailchimp's shapes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hub import api
from hub_mailchimp.stand_in.contacts import Audience, Campaign, Contact, Json, Operations, Tag, iso

T = TypeVar("T")
_GUIDE = "https://mailchimp.com/developer/marketing/docs/errors/"
LARGEST_PAGE = 1_000


Answer = api.Answer


class Refusal(Exception):
    """A request that Mailchimp refuses, as a problem document."""

    def __init__(self, status: int, title: str, detail: str, errors: Sequence[Json] = ()) -> None:
        super().__init__(detail)
        body: Json = {"type": _GUIDE, "title": title, "status": status, "detail": detail}
        body["instance"] = str(uuid.uuid4())
        if errors:
            body["errors"] = list(errors)
        self.answer = Answer(status, body, {"Content-Type": "application/problem+json; charset=utf-8"})


def not_found() -> Refusal:
    """Return what is said of what there is not."""
    return Refusal(404, "Resource Not Found", "The requested resource could not be found.")


def page(name: str, rows: Sequence[T], shape: Callable[[T], Json], query: Mapping[str, str], **more: Any) -> Answer:
    """Return a part of some rows, by count and offset."""
    count, offset = _number(query, "count", 10), _number(query, "offset", 0)
    if count > LARGEST_PAGE:
        raise Refusal(
            400, "Invalid Resource", f"The resource submitted could not be validated: count over {LARGEST_PAGE}."
        )
    shown = [shape(each) for each in rows[offset : offset + count]]
    return Answer(200, {name: shown, **more, "total_items": len(rows), "_links": []})


def chosen(answer: Answer, fields: str | None) -> Answer:
    """Return an answer with the fields that were asked for, such as ``members.email_address``."""
    if not fields or answer.body is None or answer.status >= 300:
        return answer
    wanted: Json = {}
    for path in fields.split(","):
        node = wanted
        for part in path.split("."):
            node = node.setdefault(part, {})
    answer.body = _kept(answer.body, wanted)
    return answer


def contact_object(each: Contact, audience: Audience) -> Json:
    """Return a contact."""
    tags = [{"id": tag, "name": audience.tags[tag].name} for tag in sorted(each.tags)]
    about: Json = {
        "id": each.id,
        "email_address": each.email,
        "unique_email_id": each.id[:10],
        "contact_id": each.id,
        "email_type": "html",
        "status": each.status,
        "merge_fields": {tag: each.merge_fields.get(tag, "") for tag in audience.fields},
        "ip_signup": each.ip,
        "timestamp_signup": each.signup,
        "ip_opt": each.ip or "198.51.100.1",
        "timestamp_opt": each.opt,
        "last_changed": iso(each.changed),
        "source": each.source,
        "tags_count": len(tags),
        "tags": tags[:50],
        "list_id": audience.id,
        "_links": [],
    }
    return about | ({"unsubscribe_reason": each.reason} if each.reason else {})


def tag_object(each: Tag, audience: Audience) -> Json:
    """Return a tag as the segment it is."""
    active = sum(member.status == "subscribed" for member in audience.tagged(each.id))
    about = {"id": each.id, "name": each.name, "member_count": active, "type": "static"}
    return about | {"created_at": iso(each.created), "updated_at": iso(each.created), "list_id": audience.id}


def audience_object(each: Audience) -> Json:
    """Return an audience."""
    by_status = [contact.status for contact in each.contacts.values()]
    stats = {
        "member_count": by_status.count("subscribed"),
        "unsubscribe_count": by_status.count("unsubscribed"),
        "cleaned_count": by_status.count("cleaned"),
        "merge_field_count": len(each.fields),
    }
    return {"id": each.id, "name": "Sandbox", "double_optin": each.double_optin, "stats": stats, "_links": []}


def operations_object(each: Operations, base: str, now: float) -> Json:
    """Return a batch of operations as far as it is."""
    done = each.completed is not None
    begun = now >= each.created + (each.due - each.created) / 4
    return {
        "id": each.id,
        "status": "finished" if done else "started" if begun else "pending",
        "total_operations": each.total,
        "finished_operations": len(each.results),
        "errored_operations": sum(result["status_code"] >= 300 for result in each.results),
        "submitted_at": iso(each.created),
        "completed_at": iso(each.completed) if each.completed is not None else "",
        "response_body_url": f"{base}/batches/{each.id}/results" if done else "",
        "_links": [],
    }


def campaign_object(each: Campaign) -> Json:
    """Return a campaign that was sent."""
    return {
        "id": each.id,
        "type": "regular",
        "status": "sent",
        "emails_sent": len(each.to),
        "send_time": iso(each.sent),
        "recipients": {"list_id": each.list_id},
        "settings": {"title": each.title, "subject_line": each.title},
    }


def _kept(value: Any, wanted: Mapping[str, Any]) -> Any:
    if not wanted:
        return value
    if isinstance(value, list):
        return [_kept(each, wanted) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _kept(each, wanted[name]) for name, each in value.items() if name in wanted}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise Refusal(400, "Invalid Resource", f"The parameter {name} is not a number.")
    return int(text)
