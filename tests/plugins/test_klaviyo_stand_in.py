"""The Klaviyo stand-in keeps the documented limits, and hub keeps within them."""

from __future__ import annotations

import dataclasses
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.stand_in import API_KEY, KlaviyoStandIn
from hub_klaviyo.stand_in.limits import LISTS_A_DAY, TIERS, Windows
from tests.klaviyo_kit import LIST, Bench, batch, member, serving

HEADERS = {"Authorization": f"Klaviyo-API-Key {API_KEY}", "revision": "2026-07-15", "Content-Type": bodies.JSON_API}
IMPORT = "/api/profile-bulk-import-jobs"
Answer = tuple[int, dict[str, str], Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Serve a stand-in that is asked wrong questions on purpose."""
    with serving(tmp_path, limits=True, judged=False) as made:
        yield made


def ask(bench: Bench, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(bench.address + path, raw, HEADERS | headers, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            text = reply.read()
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, json.loads(text) if text else None
    except HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, json.loads(error.read())


def rows(count: int, **about: Any) -> list[dict[str, Any]]:
    return [bodies.profile(member(number, **about)) for number in range(count)]


@pytest.mark.parametrize("tier", list(TIERS))
def test_a_window_takes_its_number_and_no_more(tier: str) -> None:
    burst, steady = TIERS[tier]
    windows = Windows(tier)

    answers = [windows.take(600 + second) for second in range(60) for _ in range(burst + 1)]

    taken = [wait for wait, _ in answers if wait is None]
    assert len(taken) == min(steady, 60 * burst)
    assert windows.take(660)[0] is None


def test_a_refusal_says_when_and_an_answer_says_what_is_left(bench: Bench) -> None:
    status, headers, _ = ask(bench, "GET", "/api/accounts")
    assert (status, headers["ratelimit-remaining"], headers["ratelimit-reset"]) == (200, "14", "60")

    status, headers, body = ask(bench, "GET", "/api/accounts")
    assert (status, headers["retry-after"], body["errors"][0]["code"]) == (429, "1", "throttled")
    assert "ratelimit-remaining" not in headers


def test_endpoints_have_windows_of_their_own(bench: Bench) -> None:
    for _ in range(2):
        ask(bench, "GET", "/api/accounts")

    assert ask(bench, "GET", "/api/lists")[0] == 200


def test_no_more_than_150_lists_a_day(bench: Bench) -> None:
    made = []
    for number in range(LISTS_A_DAY + 1):
        bench.clock.go(1)
        made.append(ask(bench, "POST", "/api/lists", bodies.new_list(f"List {number}", None))[0])

    assert made == [201] * LISTS_A_DAY + [429]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (IMPORT, bodies.import_job(rows(1), "none"), 404),
        (IMPORT, bodies.import_job([], "none"), 400),
        (IMPORT, bodies.import_job(rows(10_001), "none"), 400),
        (IMPORT, bodies.import_job(rows(1, text="x" * 100_001), "none"), 404),
        (IMPORT, bodies.import_job(rows(60, text="x" * 90_000), "none"), 413),
        (IMPORT, b"not json", 400),
        (IMPORT, {"data": {"type": "list", "attributes": {}}}, 400),
        (IMPORT, {"data": []}, 400),
        ("/api/nothing", {}, 404),
        ("/api/accounts", {}, 405),
    ],
    ids=range(10),
)
def test_what_klaviyo_refuses_is_refused(bench: Bench, path: str, body: Any, status: int) -> None:
    found, _, answer = ask(bench, "POST", path, body)
    # Reaching 404 shows that everything before the list was fine, but for the one that is too large by itself.
    assert (found, {*answer["errors"][0]} >= {"id", "code", "title", "detail"}) == (status, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Authorization": "Klaviyo-API-Key wrong"}, 401), ({"revision": ""}, 400), ({"Content-Type": "text/plain"}, 415)],
)
def test_strangers_are_refused(bench: Bench, headers: dict[str, str], status: int) -> None:
    assert ask(bench, "POST", IMPORT, bodies.import_job(rows(1), "x"), **headers)[0] == status


def test_a_wrong_row_fails_the_whole_import_and_is_named(bench: Bench) -> None:
    made = bench.vendor.world.make_list(LIST, None, 0)
    wrong = rows(3)
    wrong[1]["attributes"]["phone_number"] = "12 34"
    wrong[2]["attributes"]["properties"] = {"text": "x" * 100_001}

    status, _, answer = ask(bench, "POST", IMPORT, bodies.import_job(wrong, made.id))

    assert status == 400
    assert [each["source"]["pointer"] for each in answer["errors"]] == [
        "/data/attributes/profiles/data/1/attributes/phone_number",
        "/data/attributes/profiles/data/2/attributes/properties",
    ]
    assert bench.vendor.world.jobs == {}


def test_more_than_a_thousand_members_are_not_removed_at_once(bench: Bench) -> None:
    made = bench.vendor.world.make_list(LIST, None, 0)
    people = [bench.vendor.world.upsert(row, 0).id for row in rows(1_001)]
    path = f"/api/lists/{made.id}/relationships/profiles"

    assert ask(bench, "DELETE", path, bodies.list_members(people))[0] == 400
    assert ask(bench, "DELETE", path, bodies.list_members(people[:1_000]))[0] == 204


def test_a_repeated_unique_id_fails_the_whole_request(bench: Bench) -> None:
    entry = bodies.Entry(LIST, LIST, bench.clock.now)
    body = bodies.events_job([bodies.event(member(1), entry)] * 2)

    assert ask(bench, "POST", "/api/event-bulk-create-jobs", body)[0] == 400
    assert bench.vendor.world.events == []


def test_an_import_goes_from_queued_to_complete_as_time_passes(bench: Bench) -> None:
    made = bench.vendor.world.make_list(LIST, None, 0)
    job = ask(bench, "POST", IMPORT, bodies.import_job(rows(2), made.id))[2]["data"]["id"]
    seen = []
    for _ in range(3):
        seen.append((ask(bench, "GET", f"{IMPORT}/{job}")[2]["data"]["attributes"]["status"], len(made.members)))
        bench.clock.go(5)

    assert seen == [("queued", 0), ("processing", 0), ("complete", 2)]


def test_state_shows_lists_members_jobs_and_faults(bench: Bench) -> None:
    destination = bench.destination()
    list(destination.push(batch(api.Op.ADD, destination.ensure_audience(LIST), [member(1)])))
    bench.clock.go(60)
    bench.vendor.fault("slow", seconds="2", times="0")

    state = bench.vendor.state()

    assert [(each["name"], each["members"]) for each in state["lists"]] == [(LIST, ["p1@example.com"])]
    assert state["faults"] == {"slow": {"seconds": "2", "times": "0", "left": 0}}
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nonsense", {}), ("slow", {"colour": "red"}), ("slow", {"seconds": "-1"}), ("rate-limit", {"every": "0"})],
)
def test_a_fault_that_makes_no_sense_is_refused(name: str, parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        KlaviyoStandIn().fault(name, **parameters)


@pytest.mark.parametrize(
    "path",
    [
        "/api/events?page%5Bsize%5D=1001",
        "/api/events?page%5Bsize%5D=0",
        "/api/events?page%5Bcursor%5D=nonsense",
        "/api/events?sort=value",
        "/api/events?include=attributions,lists",
        "/api/events?filter=equals(value,1)",
        "/api/events?filter=greater-than(datetime,yesterday)",
        "/api/events?filter=less-than(datetime,2026-01-01T00:00:00Z)less-than(datetime,2026-01-01T00:00:00Z)",
        "/api/metrics?page%5Bsize%5D=10",
        "/api/metrics?filter=equals(name,%22Placed%20Order%22)",
        "/api/profiles?page%5Bsize%5D=101",
        "/api/profiles?filter=greater-or-equal(updated,2026-01-01T00:00:00Z)",
        "/api/profiles?sort=last_name",
        "/api/profiles?expand=lists",
    ],
)
def test_questions_that_klaviyo_does_not_answer_are_refused(bench: Bench, path: str) -> None:
    assert ask(bench, "GET", path)[0] == 400


def test_who_changes_while_profiles_are_read_makes_nobody_be_passed_over(bench: Bench) -> None:
    for number in range(6):
        bench.vendor.subscribe(f"p{number}@example.com")
        bench.clock.go(1)
    path, seen = "/api/profiles?sort=updated&page%5Bsize%5D=2", []
    for _ in range(5):
        _, _, page = ask(bench, "GET", path)
        seen += [each["attributes"]["email"] for each in page["data"]]
        bench.vendor.subscribe("p0@example.com")
        bench.clock.go(1)
        if page["links"]["next"] is None:
            break
        path = page["links"]["next"].removeprefix(bench.address)

    assert {f"p{number}@example.com" for number in range(6)} <= set(seen)


@pytest.mark.parametrize(
    ("operator", "found"),
    [("greater-than", ["c"]), ("greater-or-equal", ["b", "c"]), ("less-than", ["a"]), ("less-or-equal", ["a", "b"])],
)
def test_events_are_found_by_their_second(bench: Bench, operator: str, found: list[str]) -> None:
    for name, ago in (("a", 61), ("b", 60), ("c", 59)):
        bench.vendor.happen("Opened Email", f"{name}@example.com", {"Subject": name}, ago=ago)
    path = f"/api/events?sort=datetime&filter={operator}(datetime,2026-11-21T11:59:00Z)"

    _, _, page = ask(bench, "GET", path)

    assert [each["attributes"]["event_properties"]["Subject"] for each in page["data"]] == found


def test_only_what_is_asked_for_is_told_of_an_object(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "ann@example.com", {})
    fields = "fields%5Bevent%5D=datetime&fields%5Bprofile%5D=email&include=profile"

    _, _, page = ask(bench, "GET", f"/api/events?{fields}")

    assert [set(each["attributes"]) for each in (*page["data"], *page["included"])] == [{"datetime"}, {"email"}]


def test_saying_yes_lifts_what_was_said_before_and_no_bounce(bench: Bench) -> None:
    for name, why in (("a", "UNSUBSCRIBE"), ("b", "SPAM_COMPLAINT"), ("c", "HARD_BOUNCE")):
        bench.vendor.suppress(f"{name}@example.com", why)
        bench.vendor.subscribe(f"{name}@example.com")

    assert [each["email"] for each in bench.vendor.state()["suppressed"]] == ["c@example.com"]


def test_every_fault_can_be_asked_for_and_healed() -> None:
    stand_in = KlaviyoStandIn()

    for each in stand_in.faults:
        stand_in.fault(each.name)
    assert set(stand_in.state()["faults"]) == {each.name for each in stand_in.faults}
    stand_in.heal()
    assert stand_in.state()["faults"] == {}


@pytest.mark.parametrize("way", ["imports", "removals", "events"])
def test_hub_uses_the_quota_and_is_hardly_ever_refused(bench: Bench, way: str) -> None:
    destination: api.Destination[Any] = bench.destination()
    if way == "events":
        destination = destination.serving("cart_reminder")
    audience = destination.ensure_audience(LIST)
    ids = [bench.vendor.world.upsert(row, 0).id for row in rows(600)] if way == "removals" else [None] * 600
    op = api.Op.REMOVE if way == "removals" else api.Op.ADD
    bench.clock.go(60 - bench.clock.seconds() % 60)
    began = bench.clock.seconds()

    for number, profile_id in enumerate(ids):
        one = dataclasses.replace(member(number), remote_id=profile_id)
        list(destination.push(batch(op, audience, [one])))

    took = bench.clock.seconds() - began
    refused = sum(status == 429 for _, _, status in bench.vendor.requests)
    # 150 a minute: 600 calls take three minutes, and the fourth hundred and fifty begin at once.
    assert 600 / (150 * (took + 15) / 60) >= 0.95
    assert took >= 180
    assert refused <= 6
