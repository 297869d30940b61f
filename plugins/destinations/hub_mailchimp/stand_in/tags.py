"""The endpoints of tags, batch operations and reports that the stand-in serves."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

from hub_mailchimp.stand_in.contacts import LONGEST_TAG, Audience, Campaign, Contact, Json, Tag, iso
from hub_mailchimp.stand_in.routes import ROWS_A_CALL, Asked, Route, route, seconds
from hub_mailchimp.stand_in.shapes import (
    Answer,
    Refusal,
    campaign_object,
    contact_object,
    not_found,
    operations_object,
    page,
    tag_object,
)

_OPERATIONS = 1_000
_OPEN_BATCHES = 500
_INCLUDED = {"subscribed", "pending"}


def _tag_search(asked: Asked) -> Answer:
    prefix = asked.query.get("name", "").lower()
    found = [{"id": each.id, "name": each.name} for each in asked.audience.tags.values()]
    found = [each for each in found if str(each["name"]).lower().startswith(prefix)]
    return Answer(200, {"tags": found, "total_items": len(found)})


def _segments(asked: Asked) -> Answer:
    tags = list(asked.audience.tags.values()) if asked.query.get("type", "static") == "static" else []
    return page("segments", tags, lambda each: tag_object(each, asked.audience), asked.query)


def _add_segment(asked: Asked) -> Answer:
    name, members = asked.body.get("name"), asked.body.get("static_segment")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_TAG or not isinstance(members, list):
        raise Refusal(400, "Bad Request", 'Must provide a "name" and a "static_segment" field')
    if any(each.name.casefold() == name.casefold() for each in asked.audience.tags.values()):
        raise Refusal(400, "Bad Request", "Sorry, that tag already exists.")
    made = asked.world.add_tag(asked.audience, name, asked.now)
    for email in members:
        if contact := asked.audience.of(str(email)):
            contact.tags.add(made.id)
    return Answer(200, tag_object(made, asked.audience))


def _segment(asked: Asked) -> Answer:
    return Answer(200, tag_object(_tag(asked), asked.audience))


def _delete_segment(asked: Asked) -> Answer:
    tag = _tag(asked)
    for each in asked.audience.tagged(tag.id):
        each.tags.discard(tag.id)
    del asked.audience.tags[tag.id]
    return Answer(204)


def _change_segment(asked: Asked) -> Answer:
    """Add to a tag and take from it, 500 each; who is no contact is ignored, who has the tag already is an error."""
    tag = _tag(asked)
    add, remove = (asked.body.get(name) or [] for name in ("members_to_add", "members_to_remove"))
    if len(add) > ROWS_A_CALL or len(remove) > ROWS_A_CALL:
        raise Refusal(400, "Bad Request", "Maximum allowed member items exceeded")
    added, there = _apart(asked.audience, add, tag.id, having=False)
    removed, _ = _apart(asked.audience, remove, tag.id, having=True)
    for each in added:
        each.tags.add(tag.id)
        each.changed = asked.now
    for each in removed:
        each.tags.discard(tag.id)
        each.changed = asked.now
    errors: list[Json] = []
    if there and not asked.terse:
        emails = [each.email for each in there]
        errors = [{"email_addresses": emails, "error": "Email address is already in the segment"}]
    told = {"members_added": _shown(added, asked), "members_removed": _shown(removed, asked), "errors": errors}
    totals = {"total_added": len(added), "total_removed": len(removed), "error_count": len(errors)}
    return Answer(200, {**told, **totals, "_links": []})


def _segment_members(asked: Asked) -> Answer:
    shown = _INCLUDED | {
        status for status in ("unsubscribed", "cleaned", "transactional") if asked.is_set(f"include_{status}")
    }
    members = [each for each in asked.audience.tagged(_tag(asked).id) if each.status in shown]
    return page("members", members, lambda each: contact_object(each, asked.audience), asked.query)


def _member_tags(asked: Asked) -> Answer:
    tags = [{"id": tag, "name": asked.audience.tags[tag].name} for tag in sorted(asked.contact.tags)]
    return page("tags", tags, dict, asked.query)


def _change_member_tags(asked: Asked) -> Answer:
    for wanted in asked.body["tags"]:
        found = [each for each in asked.audience.tags.values() if each.name == wanted["name"]]
        if wanted["status"] == "active":
            tag = found[0] if found else asked.world.add_tag(asked.audience, wanted["name"], asked.now)
            asked.contact.tags.add(tag.id)
        elif found:
            asked.contact.tags.discard(found[0].id)
    return Answer(204)


def _start_batch(asked: Asked) -> Answer:
    operations = asked.body.get("operations")
    if not isinstance(operations, list) or not 0 < len(operations) <= _OPERATIONS:
        raise Refusal(400, "Bad Request", f"A batch has 1 to {_OPERATIONS} operations")
    if sum(each.completed is None for each in asked.world.operations.values()) >= _OPEN_BATCHES:
        raise Refusal(429, "Too Many Requests", f"You have more than {_OPEN_BATCHES} pending batches.")
    made = asked.world.start(operations, asked.now, asked.batch_seconds)
    return Answer(200, operations_object(made, asked.base, asked.now))


def _batches(asked: Asked) -> Answer:
    every = list(asked.world.operations.values())
    return page("batches", every, lambda each: operations_object(each, asked.base, asked.now), asked.query)


def _batch(asked: Asked) -> Answer:
    found = asked.world.operations.get(asked.ids[0])
    if found is None:
        raise not_found()
    return Answer(200, operations_object(found, asked.base, asked.now))


def _results(asked: Asked) -> Answer:
    found = asked.world.operations.get(asked.ids[0])
    if found is None or found.completed is None:
        raise not_found()
    return Answer(200, _archive(found.results), {"Content-Type": "application/gzip"})


def _campaigns(asked: Asked) -> Answer:
    since, before = seconds(asked.query.get("since_send_time")), seconds(asked.query.get("before_send_time"), 9e15)
    wanted = asked.query.get("list_id")
    found = [
        each
        for each in asked.world.campaigns.values()
        if (wanted is None or each.list_id == wanted) and since < each.sent < before
    ]
    return page("campaigns", sorted(found, key=lambda each: each.sent), campaign_object, asked.query)


def _activity(asked: Asked) -> Answer:
    since = seconds(asked.query.get("since"))
    campaign = _campaign(asked)
    by_person: dict[str, list[Json]] = {email: [] for email in campaign.to}
    for email, action, moment in campaign.activity:
        if moment > since:
            about = {"action": action, "timestamp": iso(moment), "ip": "192.0.2.1"}
            by_person[email].append(about | ({"type": "hard"} if action == "bounce" else {}))
    rows = [
        {"campaign_id": campaign.id, "list_id": campaign.list_id, "email_address": email, "activity": did}
        for email, did in by_person.items()
        if did or since == float("-inf")
    ]
    return page("emails", rows, dict, asked.query, campaign_id=campaign.id)


def _sent_to(asked: Asked) -> Answer:
    campaign = _campaign(asked)
    bounced = {email for email, action, _ in campaign.activity if action == "bounce"}
    rows = [
        {"email_address": email, "status": "hard" if email in bounced else "sent", "campaign_id": campaign.id}
        for email in campaign.to
    ]
    return page("sent_to", rows, dict, asked.query, campaign_id=campaign.id)


def _unsubscribed(asked: Asked) -> Answer:
    campaign = _campaign(asked)
    rows = [
        {"email_address": email, "reason": reason, "timestamp": iso(moment), "campaign_id": campaign.id}
        for email, reason, moment in campaign.left
    ]
    return page("unsubscribes", rows, dict, asked.query, campaign_id=campaign.id)


def _campaign(asked: Asked) -> Campaign:
    found = asked.world.campaigns.get(asked.ids[0])
    if found is None:
        raise not_found()
    return found


def _tag(asked: Asked) -> Tag:
    found = asked.audience.tags.get(int(asked.ids[1])) if asked.ids[1].isdigit() else None
    if found is None:
        raise not_found()
    return found


def _apart(audience: Audience, emails: Sequence[Any], tag: int, *, having: bool) -> tuple[list[Contact], list[Contact]]:
    """Return the contacts of some addresses: those whose having the tag is as said, and the others."""
    found = {each.id: each for email in emails if (each := audience.of(str(email))) and each.status != "archived"}
    fitting = [each for each in found.values() if (tag in each.tags) is having]
    return fitting, [each for each in found.values() if (tag in each.tags) is not having]


def _shown(contacts: Sequence[Contact], asked: Asked) -> list[Json]:
    return [contact_object(each, asked.audience) for each in contacts]


def _archive(results: Sequence[Json]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        folder = tarfile.TarInfo("results/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for number, start in enumerate(range(0, len(results), 100)):
            content = json.dumps(results[start : start + 100]).encode()
            about = tarfile.TarInfo(f"results/{number}.json")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


_LIST = "/lists/{}"

TAG_ROUTES: tuple[Route, ...] = (
    route("GET", f"{_LIST}/tag-search", _tag_search),
    route("GET", f"{_LIST}/segments", _segments),
    route("POST", f"{_LIST}/segments", _add_segment),
    route("GET", f"{_LIST}/segments/{{}}", _segment),
    route("POST", f"{_LIST}/segments/{{}}", _change_segment),
    route("DELETE", f"{_LIST}/segments/{{}}", _delete_segment),
    route("GET", f"{_LIST}/segments/{{}}/members", _segment_members),
    route("GET", f"{_LIST}/members/{{}}/tags", _member_tags),
    route("POST", f"{_LIST}/members/{{}}/tags", _change_member_tags),
    route("GET", "/batches", _batches),
    route("POST", "/batches", _start_batch),
    route("GET", "/batches/{}", _batch),
    route("GET", "/batches/{}/results", _results),
    route("GET", "/campaigns", _campaigns),
    route("GET", "/reports/{}/email-activity", _activity),
    route("GET", "/reports/{}/sent-to", _sent_to),
    route("GET", "/reports/{}/unsubscribed", _unsubscribed),
)
