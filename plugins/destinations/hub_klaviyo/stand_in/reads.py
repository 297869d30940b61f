"""What the stand-in tells a source: profiles with what they agreed to, metrics and events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub_klaviyo.stand_in.activity import Event, Metric
from hub_klaviyo.stand_in.asking import Asked
from hub_klaviyo.stand_in.people import Json, Profile, iso
from hub_klaviyo.stand_in.queries import Condition, answer, conditions, known_only, ordered, page, sparse, within
from hub_klaviyo.stand_in.shapes import Answer, Refusal, profile_object
from hub_klaviyo.stand_in.world import World

_TIMES = "greater-than greater-or-equal less-than less-or-equal"
SUPPRESSED = "subscriptions.email.marketing.suppression.timestamp"
LEFT = "subscriptions.email.marketing.list_suppressions.timestamp"
_PROFILE_FILTERS = {
    "email": "any equals",
    "id": "any equals",
    "phone_number": "any equals",
    "created": "greater-than less-than",
    "updated": "greater-than less-than",
    SUPPRESSED: _TIMES,
    LEFT: _TIMES,
}
_EVENT_FILTERS = {"metric_id": "equals", "profile_id": "equals", "datetime": _TIMES, "timestamp": _TIMES}
_EVENT_KEYS = dict.fromkeys(("datetime", "timestamp"), lambda each: (int(each.at), each.id))
_PROFILE_KEYS = {
    "id": lambda each: (each.id,),
    "created": lambda each: (each.created, each.id),
    "updated": lambda each: (each.updated, each.id),
    "email": lambda each: (each.email or "", each.id),
    SUPPRESSED: lambda each: (max((when for _, when in each.suppressed), default=0), each.id),
    LEFT: lambda each: (max((when for _, _, when in each.left), default=0), each.id),
}


def get_profiles(asked: Asked) -> Answer:
    """Return a page of profiles."""
    query = asked.query
    known_only(query, "additional-fields[profile]", "fields[profile]", "filter", "page[size]", "sort")
    found: Iterator[Profile] = iter(asked.world.profiles.values())
    if "filter" in query:
        found = _matching(asked.world, conditions(query["filter"], _PROFILE_FILTERS))
    rows = ordered(found, query.get("sort", "id"), _PROFILE_KEYS)
    some, links = page(rows, query, asked.url, largest=100, default=20)
    told = "subscriptions" in query.get("additional-fields[profile]", "").split(",")
    return answer([sparse(profile_object(each, asked.base, subscriptions=told), query) for each in some], links)


def get_metrics(asked: Asked) -> Answer:
    """Return a page of metrics; how many are on one cannot be asked for."""
    query = asked.query
    known_only(query, "fields[metric]", "filter")
    wanted = conditions(query["filter"], {"integration.name": "equals"}) if "filter" in query else []
    found = [
        each
        for each in asked.world.activity.metrics.values()
        if all(each.integration == value for _, _, value in wanted)
    ]
    some, links = page(
        ordered(found, "id", {"id": lambda each: (each.id,)}), query, asked.url, largest=200, default=200
    )
    return answer([sparse(_metric_object(each, asked.base), query) for each in some], links)


def get_events(asked: Asked) -> Answer:
    """Return a page of events, with their profiles and metrics where they are asked for."""
    query = asked.query
    names = ("fields[event]", "fields[profile]", "fields[metric]", "filter", "include", "page[size]", "sort")
    known_only(query, *names)
    included = query.get("include", "").split(",") if "include" in query else []
    if set(included) - {"profile", "metric"}:
        raise Refusal(400, "invalid", "This cannot be included.")
    wanted = conditions(query["filter"], _EVENT_FILTERS) if "filter" in query else []
    found = [each for each in asked.world.activity.seen_at(asked.now) if _fits(each, wanted)]
    rows = ordered(found, query.get("sort", "-datetime"), _EVENT_KEYS)
    some, links = page(rows, {"sort": "-datetime", **query}, asked.url, largest=1_000, default=200)
    return answer(
        [sparse(_event_object(each, asked.base), query) for each in some], links, _related(asked, some, included)
    )


def _related(asked: Asked, events: list[Event], included: list[str]) -> Iterator[Json]:
    if "profile" in included:
        known = (asked.world.profiles.get(number) for number in dict.fromkeys(each.profile for each in events))
        for profile in known:
            if profile is not None:
                yield sparse(profile_object(profile, asked.base), asked.query)
    if "metric" in included:
        for metric in dict.fromkeys(each.metric for each in events):
            yield sparse(_metric_object(metric, asked.base), asked.query)


def _fits(each: Event, wanted: list[Condition]) -> bool:
    ids = {"metric_id": each.metric.id, "profile_id": each.profile}
    if any(ids[field] != value for _, field, value in wanted if field in ids):
        return False
    return within([each.at], wanted, "datetime") and within([each.at], wanted, "timestamp")


def _matching(world: World, wanted: list[Condition]) -> Iterator[Profile]:
    for each in world.profiles.values():
        texts = {"email": each.email, "id": each.id, "phone_number": each.fields.get("phone_number")}
        times = {
            "created": [each.created],
            "updated": [each.updated],
            SUPPRESSED: [when for _, when in each.suppressed],
            LEFT: [when for _, _, when in each.left],
        }
        named = all(_is(texts[field], operator, value) for operator, field, value in wanted if field in texts)
        if named and all(within(when, wanted, field) for field, when in times.items()):
            yield each


def _is(text: str | None, operator: str, value: Any) -> bool:
    return text in {str(one).lower() if "@" in str(one) else one for one in (value if operator == "any" else [value])}


def _metric_object(each: Metric, base: str) -> Json:
    about: Json = {"object": "integration", "id": each.integration.lower(), "name": each.integration}
    about |= {"key": each.integration.lower(), "category": {"object": "category", "name": "eCommerce"}}
    return {
        "type": "metric",
        "id": each.id,
        "attributes": {
            "name": each.name,
            "created": iso(each.created),
            "updated": iso(each.created),
            "integration": about,
        },
        "links": {"self": f"{base}/api/metrics/{each.id}/"},
    }


def _event_object(each: Event, base: str) -> Json:
    url = f"{base}/api/events/{each.id}"
    related = {"profile": each.profile, "metric": each.metric.id}
    return {
        "type": "event",
        "id": each.id,
        "attributes": {
            "timestamp": int(each.at),
            "event_properties": each.told(),
            "datetime": iso(int(each.at)),
            "uuid": each.id,
        },
        "relationships": {
            kind: {
                "data": {"type": kind, "id": number},
                "links": {"self": f"{url}/relationships/{kind}/", "related": f"{url}/{kind}/"},
            }
            for kind, number in related.items()
        },
        "links": {"self": f"{url}/"},
    }
