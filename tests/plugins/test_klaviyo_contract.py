"""Requests to Klaviyo held against its official description, and the stand-in against its official client."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from klaviyo_api import KlaviyoAPI

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.stand_in import API_KEY, KlaviyoStandIn
from hub_klaviyo.stand_in.activity import SHOPIFY
from hub_klaviyo.stand_in.shop_events import Goods, checkout, mail, opened, order, view
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
        asked('/api/events?filter=equals(metric_id,"M"),contains(datetime,2026-01-01T00:00:00Z)', method="GET"),
        asked('/api/events?filter=equals(metric_id,"M");less-than(datetime,2026-01-01T00:00:00Z)', method="GET"),
        asked("/api/events?include=profiles", method="GET"),
        asked("/api/metrics?page%5Bsize%5D=10", method="GET"),
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


def test_everything_that_hub_reads_of_klaviyo_as_a_source_is_described(tmp_path: Path) -> None:
    descriptions()
    with serving(tmp_path) as bench:
        live(bench.vendor)
        source, cursors = bench.source(pause="0s"), dict.fromkeys(bench.source().streams)
        list(source.check())
        for days in (0, 1, 8):
            bench.clock.go(days * 86_400 + 60)
            for stream in source.streams:
                told = [page.cursor for page in source.read(stream, cursors[stream], bench.clock.now)]
                cursors[stream] = next((each for each in reversed(told) if each is not None), cursors[stream])

        endpoints = {(method, path) for method, path, _ in bench.vendor.requests}
    # Leaving `serving` judged every one of them.
    assert endpoints == {("GET", f"/api/{name}") for name in ("accounts", "events", "metrics", "profiles")}


def live(vendor: KlaviyoStandIn) -> None:
    """Let one person be told of in every way."""
    vendor.subscribe("ann@example.com", double_optin=True)
    vendor.world.of("ann@example.com").fields["phone_number"] = "+4520123456"  # type: ignore[union-attr]  # is there
    vendor.subscribe("ann@example.com", "sms", method="TEXT")
    vendor.happen("Received Email", "ann@example.com", mail("Spring"), ago=120)
    vendor.happen("Opened Email", "ann@example.com", opened("Spring", machine=True), ago=60)
    goods = [Goods(101, "Trail shoe", "899.00")]
    for metric, about in (
        ("Viewed Product", view(goods[0])),
        ("Checkout Started", checkout("t1", goods, "2026-11-20T10:00:00Z")),
        ("Placed Order", order(1, goods, "2026-11-20T10:00:00Z")),
    ):
        vendor.happen(metric, "ann@example.com", about, integration=SHOPIFY, ago=30)


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


def test_the_official_client_reads_metrics_events_with_their_people_and_what_they_agreed_to(
    official: tuple[KlaviyoStandIn, KlaviyoAPI],
) -> None:
    stand_in, client = official
    live(stand_in)
    metrics = {each.attributes.name: each for each in client.Metrics.get_metrics().data}
    assert metrics["Placed Order"].attributes.integration["name"] == "Shopify"
    shops = client.Metrics.get_metrics(filter='equals(integration.name,"Shopify")').data
    assert {each.attributes.name for each in shops} == {"Viewed Product", "Checkout Started", "Placed Order"}

    wanted = f'equals(metric_id,"{metrics["Checkout Started"].id}"),greater-or-equal(datetime,2026-01-01T00:00:00Z)'
    told = client.Events.get_events(filter=wanted, include=["profile"], sort="datetime", page_size=1_000)
    [event], [person] = told.data, told.included
    assert (event.relationships.profile.data.id, person["attributes"]["email"]) == (person["id"], "ann@example.com")
    assert event.attributes.event_properties["$extra"]["token"] == "t1"
    assert client.Events.get_events(filter=f'equals(metric_id,"{metrics["Opened Email"].id}")').data != []

    [found] = client.Profiles.get_profiles(additional_fields_profile=["subscriptions"], sort="updated").data
    said = found.attributes.subscriptions
    assert (said.email.marketing.consent, said.email.marketing.double_optin) == ("SUBSCRIBED", True)
    assert (said.sms.marketing.consent, said.sms.marketing.can_receive_sms_marketing) == ("SUBSCRIBED", True)


def test_the_official_client_pages_through_events(official: tuple[KlaviyoStandIn, KlaviyoAPI]) -> None:
    stand_in, client = official
    for number in range(5):
        stand_in.happen("Opened Email", f"p{number}@example.com", opened("Spring"), ago=60 - number)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = client.Events.get_events(sort="datetime", page_size=2, **({"page_cursor": cursor} if cursor else {}))
        seen += [each.relationships.profile.data.id for each in page.data]
        cursor = page.links.next and parse_qs(urlsplit(page.links.next).query)["page[cursor]"][0]

    assert (len(set(seen)), cursor) == (5, None)
