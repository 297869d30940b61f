"""The endpoints that the stand-in serves, each with its tier and what it does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub_klaviyo.stand_in.asking import Asked
from hub_klaviyo.stand_in.limits import LISTS_A_DAY
from hub_klaviyo.stand_in.people import Job, Json, List, Profile, wrong_field
from hub_klaviyo.stand_in.queries import conditions
from hub_klaviyo.stand_in.reads import get_events, get_metrics, get_profiles
from hub_klaviyo.stand_in.shapes import (
    Answer,
    Refusal,
    account_object,
    job_object,
    list_object,
    profile_object,
)

LARGEST_BODY = 5_000_000
_LARGEST_PROFILE = 100_000


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, its rate limits, and the function that answers."""

    method: str
    path: re.Pattern[str]
    tier: str
    answer: Callable[[Asked], Answer]
    a_day: int | None = None


def _accounts(asked: Asked) -> Answer:
    return Answer(200, {"data": [account_object(asked.base)], "links": {"self": asked.url, "next": None, "prev": None}})


def _get_lists(asked: Asked) -> Answer:
    found = list(asked.world.lists.values())
    if "filter" in asked.query:
        for operator, field, value in conditions(asked.query["filter"], {"name": "any equals", "id": "any equals"}):
            found = [each for each in found if getattr(each, field) in (value if operator == "any" else [value])]
    return asked.page([list_object(each, asked.base) for each in found], largest=10, default=10)


def _make_list(asked: Asked) -> Answer:
    data = _data(asked.body, "list")
    name, opt_in = data.get("name"), data.get("opt_in_process")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "invalid", "name is required.", pointer="/data/attributes/name")
    if opt_in not in {None, "double_opt_in", "single_opt_in"}:
        raise Refusal(400, "invalid", "not an opt-in process", pointer="/data/attributes/opt_in_process")
    return Answer(201, {"data": list_object(asked.world.make_list(name, opt_in, asked.now), asked.base)})


def _get_list(asked: Asked) -> Answer:
    return Answer(200, {"data": list_object(_list(asked), asked.base)})


def _list_profiles(asked: Asked) -> Answer:
    members = _list(asked).members
    profiles = [(asked.world.profiles[each], joined) for each, joined in members.items()]
    return asked.page([profile_object(each, asked.base, joined=joined) for each, joined in profiles])


def _list_profile_ids(asked: Asked) -> Answer:
    return asked.page([{"type": "profile", "id": each} for each in _list(asked).members])


def _add_members(asked: Asked) -> Answer:
    found = _list(asked)
    for each in _named_profiles(asked):
        found.members.setdefault(each.id, asked.now)
    return Answer(204)


def _remove_members(asked: Asked) -> Answer:
    found = _list(asked)
    for each in _named_profiles(asked):
        found.members.pop(each.id, None)
    return Answer(204)


def _flow_triggers(asked: Asked) -> Answer:
    _list(asked)
    return asked.page([])


def _get_profile(asked: Asked) -> Answer:
    found = asked.world.profiles.get(asked.ids[0])
    if found is None:
        raise Refusal(404, "not_found", "A profile with that id does not exist.", title="Not found.")
    return Answer(200, {"data": profile_object(found, asked.base)})


def _import_one(asked: Asked) -> Answer:
    row = asked.body.get("data")
    _data(asked.body, "profile")
    if wrong := wrong_field(row["attributes"]):  # type: ignore[index]  # _data has looked
        raise Refusal(400, "invalid", f"Invalid {wrong}.", pointer=f"/data/attributes/{wrong}", title="Invalid input.")
    before = len(asked.world.profiles)
    made = asked.world.upsert(row, asked.now)  # type: ignore[arg-type]
    status = 201 if len(asked.world.profiles) > before else 200
    return Answer(status, {"data": profile_object(made, asked.base)})


def _import_many(asked: Asked) -> Answer:
    data = _data(asked.body, "profile-bulk-import-job")
    rows = (data.get("profiles") or {}).get("data")
    rows = _rows(asked, rows, "profiles", 10_000)
    lists = asked.body["data"].get("relationships", {}).get("lists", {}).get("data", [])
    for each in lists:
        if each.get("id") not in asked.world.lists:
            raise Refusal(404, "not_found", "A list with that id does not exist.", title="Not found.")
    _refuse_rows(asked, rows, "profiles", lambda row: row.get("attributes") or {})
    job = asked.world.start(rows, [each["id"] for each in lists], asked.now, asked.job_seconds)
    return Answer(202, {"data": job_object(job, asked.base, asked.now)})


def _get_job(asked: Asked) -> Answer:
    return Answer(200, {"data": job_object(_job(asked), asked.base, asked.now)})


def _job_errors(asked: Asked) -> Answer:
    job = _job(asked)
    named = enumerate(job.errors)
    return asked.page([{"type": "import-error", "id": f"{job.id}-{n}", "attributes": each} for n, each in named])


def _job_profiles(asked: Asked) -> Answer:
    world = asked.world
    found = [world.profiles[each] for each in _job(asked).profiles if each in world.profiles]
    return asked.page([profile_object(each, asked.base) for each in found])


def _events(asked: Asked) -> Answer:
    data = _data(asked.body, "event-bulk-create-job")
    rows = _rows(asked, (data.get("events-bulk-create") or {}).get("data"), "events-bulk-create", 1_000)
    _refuse_rows(asked, rows, "events-bulk-create", lambda row: row["attributes"]["profile"]["data"]["attributes"])
    named = [(row["attributes"], event["attributes"]) for row in rows for event in row["attributes"]["events"]["data"]]
    unique = [about["unique_id"] for _, about in named if about.get("unique_id")]
    if len(unique) != len(set(unique)):
        raise Refusal(400, "invalid", "unique_id is repeated.", pointer="/data/attributes/events-bulk-create/data")
    for attributes, about in named:
        profile = asked.world.upsert(attributes["profile"]["data"], asked.now)
        metric = about["metric"]["data"]["attributes"]["name"]
        asked.world.record(metric, profile, about, asked.now, backfill=bool(attributes.get("backfill")))
    return Answer(202)


def _event(asked: Asked) -> Answer:
    data = _data(asked.body, "event")
    profile = asked.world.upsert(data["profile"]["data"], asked.now)
    metric = data["metric"]["data"]["attributes"]["name"]
    asked.world.record(metric, profile, data, asked.now, backfill=bool(data.get("backfill")))
    return Answer(202)


def _erase(asked: Asked) -> Answer:
    data = _data(asked.body, "data-privacy-deletion-job")
    attributes = data["profile"]["data"].get("attributes") or {}
    if len([value for value in attributes.values() if value]) != 1 or not attributes.get("email"):
        raise Refusal(400, "invalid", "Give exactly one identifier.", pointer="/data/attributes/profile")
    asked.world.erase(attributes["email"])
    return Answer(202)


def _suppress(asked: Asked) -> Answer:
    rows = (_data(asked.body, "profile-suppression-bulk-create-job").get("profiles") or {}).get("data")
    for row in _rows(asked, rows, "profiles", 100):
        asked.world.suppress(row["attributes"]["email"], "USER_SUPPRESSED", asked.now)
    body = {"type": "profile-suppression-bulk-create-job", "id": "done", "attributes": {"status": "complete"}}
    return Answer(202, {"data": body | {"links": {"self": asked.url}}})


def _list(asked: Asked) -> List:
    found = asked.world.lists.get(asked.ids[0])
    if found is None:
        raise Refusal(404, "not_found", "A list with that id does not exist.", title="Not found.")
    return found


def _job(asked: Asked) -> Job:
    found = asked.world.jobs.get(asked.ids[0])
    if found is None:
        raise Refusal(404, "not_found", "A job with that id does not exist.", title="Not found.")
    return found


def _named_profiles(asked: Asked) -> list[Profile]:
    rows = asked.body.get("data")
    if not isinstance(rows, list) or not rows or len(rows) > 1_000:
        raise Refusal(400, "invalid", "Give 1 to 1,000 profiles.", pointer="/data")
    known = [asked.world.profiles.get(str(row.get("id"))) for row in rows]
    if None in known:
        raise Refusal(404, "not_found", "A profile does not exist.", pointer=f"/data/{known.index(None)}/id")
    return [each for each in known if each is not None]


def _data(body: Json, kind: str) -> Json:
    data = body.get("data")
    if not isinstance(data, dict) or data.get("type") != kind or not isinstance(data.get("attributes"), dict):
        raise Refusal(400, "invalid", f"The type must be {kind}.", pointer="/data/type")
    return data["attributes"]  # type: ignore[no-any-return]


def _rows(asked: Asked, rows: Any, name: str, most: int) -> list[Json]:
    if asked.size > LARGEST_BODY:
        raise Refusal(413, "payload_too_large", "The payload is larger than 5 MB.")
    if not isinstance(rows, list) or not 1 <= len(rows) <= most:
        raise Refusal(400, "invalid", f"Give 1 to {most} rows.", pointer=f"/data/attributes/{name}")
    return rows


def _refuse_rows(asked: Asked, rows: list[Json], name: str, person: Callable[[Json], Json]) -> None:
    """Refuse the whole request, naming every wrong row."""
    wrong = []
    for place, row in enumerate(rows):
        attributes = person(row)
        field = wrong_field(attributes)
        if asked.poison and asked.poison in str(attributes.get("email")):
            field = "email"
        if asked.size > _LARGEST_PROFILE and len(json.dumps(row, ensure_ascii=False).encode()) > _LARGEST_PROFILE:
            field = "properties"
        if field:
            wrong.append((f"/data/attributes/{name}/data/{place}/attributes/{field}", field))
    if wrong:
        refusals = [
            Refusal(400, "invalid", f"Invalid {field}.", pointer=at, title="Invalid input.") for at, field in wrong
        ]
        refusals[0].answer.body = {"errors": [each.answer.body["errors"][0] for each in refusals if each.answer.body]}
        raise refusals[0]


def _route(method: str, path: str, tier: str, answer: Callable[[Asked], Answer], a_day: int | None = None) -> Route:
    return Route(method, re.compile(path.replace("{id}", "([^/]+)") + "/?"), tier, answer, a_day)


ROUTES = (
    _route("GET", "/api/accounts", "XS", _accounts),
    _route("GET", "/api/lists", "L", _get_lists),
    _route("POST", "/api/lists", "M", _make_list, LISTS_A_DAY),
    _route("GET", "/api/lists/{id}", "L", _get_list),
    _route("GET", "/api/lists/{id}/profiles", "L", _list_profiles),
    _route("GET", "/api/lists/{id}/relationships/profiles", "L", _list_profile_ids),
    _route("POST", "/api/lists/{id}/relationships/profiles", "M", _add_members),
    _route("DELETE", "/api/lists/{id}/relationships/profiles", "M", _remove_members),
    _route("GET", "/api/lists/{id}/flow-triggers", "S", _flow_triggers),
    _route("GET", "/api/profiles", "L", get_profiles),
    _route("GET", "/api/profiles/{id}", "L", _get_profile),
    _route("POST", "/api/profile-import", "L", _import_one),
    _route("POST", "/api/profile-bulk-import-jobs", "M", _import_many),
    _route("GET", "/api/profile-bulk-import-jobs/{id}", "M", _get_job),
    _route("GET", "/api/profile-bulk-import-jobs/{id}/import-errors", "M", _job_errors),
    _route("GET", "/api/profile-bulk-import-jobs/{id}/profiles", "M", _job_profiles),
    _route("POST", "/api/event-bulk-create-jobs", "M", _events),
    _route("POST", "/api/events", "XL", _event),
    _route("GET", "/api/events", "XL", get_events),
    _route("GET", "/api/metrics", "M", get_metrics),
    _route("POST", "/api/data-privacy-deletion-jobs", "S", _erase),
    _route("POST", "/api/profile-suppression-bulk-create-jobs", "L", _suppress),
)
