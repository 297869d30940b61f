"""Requests to Klaviyo held against its official description, and the stand-in against its official client."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.stand_in import API_KEY, KlaviyoStandIn
from tests.klaviyo_kit import AS_OF, LIST, batch, member, serving
from tests.klaviyo_spec import JSON_API, Request, WrongRequest, descriptions, judge

HEADERS = {"authorization": "Klaviyo-API-Key pk_x", "revision": bodies.REVISION, "content-type": JSON_API}
IMPORT = "/api/profile-bulk-import-jobs"
ABOUT = {"first_name": "Ann", "city": "Aarhus", "cart_url": "https://a.example", "value": 19.5, "gone": None}


def asked(target: str, body: Any = None, method: str = "POST", **headers: str) -> Request:
    raw = b"" if body is None else json.dumps(body).encode()
    return Request(method, target, {name: value for name, value in (HEADERS | headers).items() if value}, raw)


def good() -> dict[str, Any]:
    return bodies.import_job([bodies.profile(member(1, **ABOUT), LIST)], "L1")


def at(body: dict[str, Any], *path: Any) -> Any:
    for each in path:
        body = body[each]
    return body


ROW = ("data", "attributes", "profiles", "data", 0)
WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a misspelt field": lambda body: at(body, *ROW, "attributes").update(frist_name="Ann"),
    "a field of another type": lambda body: at(body, *ROW, "attributes").update(email=7),
    "a misspelt instruction": lambda body: at(body, *ROW, "meta", "patch_properties").update(unsett=["x"]),
    "another resource": lambda body: at(body, "data").update(type="profile-import-job"),
    "no attributes": lambda body: at(body, "data").pop("attributes"),
    "a list without id": lambda body: at(body, "data", "relationships", "lists", "data", 0).pop("id"),
}


def test_the_judge_takes_what_is_right() -> None:
    descriptions()

    judge(asked(IMPORT, good()))


@pytest.mark.parametrize("fault", list(WRONG))
def test_the_judge_refuses_a_wrong_body(fault: str) -> None:
    descriptions()
    body = copy.deepcopy(good())
    WRONG[fault](body)

    with pytest.raises(WrongRequest):
        judge(asked(IMPORT, body))


@pytest.mark.parametrize(
    "request_",
    [
        asked(IMPORT, good(), revision=""),
        asked(IMPORT, good(), revision="2024-10-15"),
        asked(IMPORT, good(), authorization=""),
        asked(IMPORT, good(), **{"content-type": "text/plain"}),
        asked(IMPORT, good(), method="PUT"),
        asked("/api/profile-import-jobs", good()),
        asked("/api/profiles?page%5Bsize%5D=101", method="GET"),
        asked("/api/profiles?pagesize=10", method="GET"),
        asked("/api/profiles?fields%5Bprofile%5D=emial", method="GET"),
        asked('/api/profiles?filter=contains(email,"x")', method="GET"),
        asked("/api/lists", {"data": {"type": "list", "attributes": {}}}),
    ],
    ids=lambda each: f"{each.method} {each.target}"[:50],
)
def test_the_judge_refuses_a_wrong_request(request_: Request) -> None:
    descriptions()

    with pytest.raises(WrongRequest):
        judge(request_)


def test_everything_that_hub_asks_of_klaviyo_is_described(tmp_path: Path) -> None:
    descriptions()
    with serving(tmp_path) as bench:
        destination = bench.destination(entered_event="Entered", opt_in_process="single_opt_in")
        list(destination.check())
        audience = destination.ensure_audience(LIST)
        people = [member(1, **ABOUT), member(2), api.Member("b", "broken@example.com")]
        bench.vendor.fault("failing-rows")
        sent = list(destination.push(batch(api.Op.ADD, audience, people)))
        bench.clock.go(60)
        list(destination.poll(batch(api.Op.ADD, audience, people, receipt=sent[0].receipt)))
        list(destination.push(batch(api.Op.UPDATE, audience, people)))
        list(destination.serving("cart_reminder").push(batch(api.Op.ADD, "metric:Carts", people)))
        list(destination.read_suppressions(AS_OF))
        list(destination.read_members(audience))
        list(destination.push(batch(api.Op.REMOVE, audience, people)))
        del bench.vendor.world.lists[audience]
        list(destination.push(batch(api.Op.REMOVE, audience, people)))
        destination.forget(people[0])

        endpoints = {(method, _template(path)) for method, path, _ in bench.vendor.requests}
    # Leaving `serving` judged every one of them.
    assert endpoints == ENDPOINTS


def _template(path: str) -> str:
    """Return a path with its id named as such."""
    return re.sub(r"(/lists/|-jobs/)[^/]+", r"\1{id}", path)


ENDPOINTS = {
    ("GET", "/api/accounts"),
    ("GET", "/api/lists"),
    ("POST", "/api/lists"),
    ("GET", "/api/lists/{id}"),
    ("GET", "/api/lists/{id}/profiles"),
    ("DELETE", "/api/lists/{id}/relationships/profiles"),
    ("GET", "/api/profiles"),
    ("POST", "/api/profile-bulk-import-jobs"),
    ("GET", "/api/profile-bulk-import-jobs/{id}"),
    ("GET", "/api/profile-bulk-import-jobs/{id}/import-errors"),
    ("GET", "/api/profile-bulk-import-jobs/{id}/profiles"),
    ("POST", "/api/event-bulk-create-jobs"),
    ("POST", "/api/data-privacy-deletion-jobs"),
}


# The official client.


@pytest.fixture
def official() -> Iterator[tuple[KlaviyoStandIn, KlaviyoAPI]]:
    stand_in = KlaviyoStandIn(job_seconds=0)
    yield stand_in, KlaviyoAPI(API_KEY, max_retries=0, test_host=stand_in.start())
    stand_in.stop()


def test_the_official_client_makes_fills_reads_and_empties_a_list(
    official: tuple[KlaviyoStandIn, KlaviyoAPI],
) -> None:
    _, client = official
    made = client.Lists.create_list({"data": {"type": "list", "attributes": {"name": LIST}}}).data.id

    body = bodies.import_job([bodies.profile(member(number), LIST) for number in (1, 2)], made)
    job = client.Profiles.bulk_import_profiles(body).data.id
    assert client.Profiles.get_bulk_import_profiles_job(job).data.attributes.status == "complete"
    held = {each.attributes.email: each.id for each in client.Lists.get_profiles_for_list(made).data}
    assert set(held) == {"p1@example.com", "p2@example.com"}

    client.Lists.remove_profiles_from_list(made, bodies.list_members([held["p1@example.com"]]))
    left = [each.attributes.email for each in client.Lists.get_profiles_for_list(made).data]
    assert left == ["p2@example.com"]


def test_the_official_client_reads_why_a_row_failed_and_who_is_suppressed(
    official: tuple[KlaviyoStandIn, KlaviyoAPI],
) -> None:
    stand_in, client = official
    stand_in.fault("failing-rows")
    row = bodies.profile(api.Member("b", "broken@example.com"))

    job = client.Profiles.bulk_import_profiles({"data": bodies.import_job([row], "x")["data"] | {"relationships": {}}})
    errors = client.Profiles.get_errors_for_bulk_import_profiles_job(job.data.id).data
    assert [each.attributes.code for each in errors] == ["invalid"]

    stand_in.suppress("ann@example.com", "HARD_BOUNCE")
    (found,) = client.Profiles.get_profiles(
        filter='equals(email,"ann@example.com")', additional_fields_profile=["subscriptions"]
    ).data
    (suppression,) = found.attributes.subscriptions.email.marketing.suppression
    assert suppression.reason == "HARD_BOUNCE"


def test_the_official_client_records_events_and_erases(official: tuple[KlaviyoStandIn, KlaviyoAPI]) -> None:
    stand_in, client = official
    entry = bodies.Entry(LIST, LIST, AS_OF, "DKK", backfill=True)

    client.Events.bulk_create_events(bodies.events_job([bodies.event(member(1), entry)]))
    assert [(each["email"], each["backfill"]) for each in stand_in.world.events] == [("p1@example.com", True)]

    client.Data_Privacy.request_profile_deletion(bodies.erasure("p1@example.com"))
    assert stand_in.world.profiles == {}
