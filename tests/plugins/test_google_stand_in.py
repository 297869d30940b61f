"""The Google stand-in keeps the documented limits, and hub keeps within them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from hub_google import bodies
from hub_google.stand_in import GoogleStandIn
from tests.google_kit import ADD, CUSTOMER, INGEST, LIST, REMOVAL, STATUS, Bench, batch, member, serving
from tests.meta_kit import sha, shas

LISTS = f"/v1/accountTypes/GOOGLE_ADS/accounts/{CUSTOMER}/userLists"
ADDRESS = {"givenName": sha("a"), "familyName": sha("b"), "regionCode": "DK", "postalCode": "1456"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Serve a stand-in that is asked wrong questions on purpose."""
    with serving(tmp_path, limits=True, judged=False) as made:
        made.vendor.tokens["test"] = made.clock.seconds() + 86_400 * 365
        yield made


def ask(bench: Bench, method: str, path: str, body: Any = None, token: str = "test") -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(bench.address + path, raw, headers, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def made(bench: Bench, days: int = 30, name: str = LIST) -> str:
    fields = bodies.new_list(name, timedelta(days=days))
    return bench.vendor.world.make_list(CUSTOMER, fields, bench.clock.seconds()).id


def upload(list_id: str, *emails: str) -> dict[str, Any]:
    rows = [(member(0), [{"emailAddress": sha(each)}]) for each in emails]
    return bodies.ingestion(bodies.account(CUSTOMER, None), list_id, rows)


def removal(list_id: str, *emails: str) -> dict[str, Any]:
    return bodies.removal(bodies.account(CUSTOMER, None), [list_id], [[{"emailAddress": sha(each)}] for each in emails])


def reasons(answer: tuple[int, Any]) -> list[tuple[str, str]]:
    """Return the fields that an error names, with their reasons."""
    details = answer[1]["error"]["details"]
    return [(each["field"], each["reason"]) for detail in details for each in detail.get("fieldViolations", ())]


def test_strangers_and_tokens_that_ended_are_refused(bench: Bench) -> None:
    assert ask(bench, "GET", LISTS, token="wrong")[0] == 401

    bench.destination().ensure_audience(LIST)
    [given] = [token for token in bench.vendor.tokens if token != "test"]
    assert ask(bench, "GET", LISTS, token=given)[0] == 200
    bench.clock.go(3_600)
    assert ask(bench, "GET", LISTS, token=given)[0] == 401


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ([{"emailAddress": "p@example.com"}], ("user_identifiers[0].email_address", "INVALID_SHA256_FORMAT")),
        ([{"emailAddress": sha("")}], ("user_identifiers[0].email_address", "INVALID_SHA256_FORMAT")),
        ([{"phoneNumber": sha("1").upper()}], ("user_identifiers[0].phone_number", "INVALID_SHA256_FORMAT")),
        ([{}], ("user_identifiers[0]", "INVALID_AUDIENCE_MEMBER")),
        ([{"address": ADDRESS | {"postalCode": ""}}], ("user_identifiers[0].address", "REQUIRED_FIELD_MISSING")),
        (
            [{"address": ADDRESS | {"postalCode": "?"}}],
            ("user_identifiers[0].address.postal_code", "INVALID_POSTAL_CODE"),
        ),
        (
            [{"address": ADDRESS | {"regionCode": "dk"}}],
            ("user_identifiers[0].address.region_code", "INVALID_COUNTRY_CODE"),
        ),
        (
            [{"address": ADDRESS | {"givenName": "Ann"}}],
            ("user_identifiers[0].address.given_name", "INVALID_SHA256_FORMAT"),
        ),
    ],
    ids=range(8),
)
def test_one_wrong_value_fails_the_whole_request_and_is_named(
    bench: Bench, identifiers: Any, expected: tuple[str, str]
) -> None:
    body = upload(made(bench), "a@example.com", "b@example.com")
    body["audienceMembers"][1]["userData"]["userIdentifiers"] = identifiers

    answer = ask(bench, "POST", INGEST, body)

    assert answer[0] == 400
    assert reasons(answer) == [(f"audience_members[1].user_data.{expected[0]}", expected[1])]
    assert bench.vendor.world.requests == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"audienceMembers": []}, "REQUIRED_FIELD_MISSING"),
        ({"audienceMembers": [{"userData": {"userIdentifiers": []}}]}, "NO_IDENTIFIERS_PROVIDED"),
        (
            {"audienceMembers": [{"userData": {"userIdentifiers": [{"emailAddress": sha("a")}] * 11}}]},
            "TOO_MANY_USER_IDENTIFIERS",
        ),
        ({"encoding": "BASE64"}, "REQUIRED_FIELD_MISSING"),
        ({"termsOfService": {}}, "REQUIRED_FIELD_MISSING"),
        ({"destinations": []}, "REQUIRED_FIELD_MISSING"),
    ],
    ids=range(6),
)
def test_a_request_that_lacks_something_is_refused(bench: Bench, change: dict[str, Any], reason: str) -> None:
    answer = ask(bench, "POST", INGEST, upload(made(bench), "a@example.com") | change)

    assert (answer[0], reasons(answer)[0][1]) == (400, reason)


def test_no_more_than_ten_thousand_people_and_ten_lists(bench: Bench) -> None:
    list_id = made(bench)
    row = upload(list_id, "a@example.com")["audienceMembers"]
    full = upload(list_id, "a@example.com") | {"audienceMembers": row * 10_000}
    assert ask(bench, "POST", INGEST, full)[0] == 200
    assert (
        reasons(ask(bench, "POST", INGEST, full | {"audienceMembers": row * 10_001}))[0][1]
        == "TOO_MANY_AUDIENCE_MEMBERS"
    )

    lists = [made(bench, name=f"List {number}") for number in range(11)]
    people = [[{"emailAddress": sha("a")}]]
    for count, status in ((10, 200), (11, 400)):
        body = bodies.removal(bodies.account(CUSTOMER, None), lists[:count], people)
        assert ask(bench, "POST", REMOVAL, body)[0] == status


def test_a_list_of_another_account_is_not_found(bench: Bench) -> None:
    list_id = made(bench)
    body = upload(list_id, "a@example.com")
    body["destinations"][0]["operatingAccount"]["accountId"] = "99999"

    assert reasons(ask(bench, "POST", INGEST, body)) == [
        ("destinations[0].product_destination_id", "INVALID_USER_LIST_ID")
    ]
    assert ask(bench, "GET", f"/v1/accountTypes/GOOGLE_ADS/accounts/99999/userLists/{list_id}")[0] == 404


def test_a_removal_takes_neither_consent_nor_terms(bench: Bench) -> None:
    assert ask(bench, "POST", REMOVAL, removal(made(bench), "a@example.com") | {"consent": {}})[0] == 400


def test_the_work_is_done_when_its_time_has_come(bench: Bench) -> None:
    list_id = made(bench)
    request = ask(bench, "POST", INGEST, upload(list_id, "a@example.com"))[1]["requestId"]
    seen = []
    for _ in range(2):
        [told] = ask(bench, "GET", f"{STATUS}?requestId={request}")[1]["requestStatusPerDestination"]
        seen.append((told["requestStatus"], len(bench.vendor.world.lists[list_id].people)))
        bench.clock.go(600)

    assert seen == [("PROCESSING", 0), ("SUCCESS", 1)]


def test_requests_are_worked_on_in_the_order_of_their_times(bench: Bench) -> None:
    list_id = made(bench)
    ask(bench, "POST", INGEST, upload(list_id, "a@example.com"))
    bench.clock.go(1)
    ask(bench, "POST", REMOVAL, removal(list_id, "a@example.com"))
    bench.clock.go(700)

    assert bench.held() == set()


def test_who_shares_an_identifier_is_one_person(bench: Bench) -> None:
    list_id = made(bench)
    body = upload(list_id, "a@example.com", "a@example.com", "b@example.com")
    body["audienceMembers"][1]["userData"]["userIdentifiers"].append({"phoneNumber": sha("1")})
    ask(bench, "POST", INGEST, body)
    bench.clock.go(600)
    bench.held()
    assert len(bench.vendor.world.lists[list_id].people) == 2

    gone = removal(list_id, "x@example.com")
    gone["audienceMembers"][0]["userData"]["userIdentifiers"] = [{"phoneNumber": sha("1")}]
    ask(bench, "POST", REMOVAL, gone)
    bench.clock.go(600)
    assert bench.held() == {sha("b@example.com")}


@pytest.mark.parametrize(("days", "stays"), [(29, True), (30, False)])
def test_members_leave_when_their_time_is_over(bench: Bench, days: int, stays: bool) -> None:
    ask(bench, "POST", INGEST, upload(made(bench, days=30), "a@example.com"))
    bench.clock.go(600 + days * 86_400)

    assert (bench.held() == {sha("a@example.com")}) is stays


@pytest.mark.parametrize(
    ("region", "consent", "held"),
    [
        ("DK", True, True),
        ("DK", False, False),
        ("GB", False, False),
        ("CH", False, False),
        ("US", False, True),
        (None, False, False),
    ],
)
def test_people_of_the_eea_need_both_consents_and_others_do_not(
    bench: Bench, region: str | None, consent: bool, held: bool
) -> None:
    body = upload(made(bench), "a@example.com")
    if region is not None:
        address = {"address": ADDRESS | {"regionCode": region}}
        body["audienceMembers"][0]["userData"]["userIdentifiers"].append(address)
    if not consent:
        body["consent"]["adPersonalization"] = "CONSENT_DENIED"
    ask(bench, "POST", INGEST, body)
    bench.clock.go(600)

    assert bool(bench.held()) is held


def test_members_go_to_the_lists_they_refer_to(bench: Bench) -> None:
    one, other = made(bench), made(bench, name="Other")
    body = upload(one, "a@example.com", "b@example.com")
    account = bodies.account(CUSTOMER, None)
    body["destinations"] = [{**account, "productDestinationId": each, "reference": each} for each in (one, other)]
    for row, lists in zip(body["audienceMembers"], ([one], [one, other]), strict=True):
        row["destinationReferences"] = lists
    ask(bench, "POST", INGEST, body)
    bench.clock.go(600)

    assert bench.held() == {sha("a@example.com"), sha("b@example.com")}
    assert bench.held("Other") == {sha("b@example.com")}


def test_a_validation_does_nothing(bench: Bench) -> None:
    status, told = ask(bench, "POST", INGEST, upload(made(bench), "a@example.com") | {"validateOnly": True})

    assert (status, "requestId" in told, bench.vendor.world.requests) == (200, True, {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"displayName": ""}, "REQUIRED_FIELD_MISSING"),
        ({"ingestedUserListInfo": {}}, "REQUIRED_FIELD_MISSING"),
        ({"membershipDuration": "46742400s"}, "MEMBERSHIP_DURATION_TOO_LONG"),
        ({"membershipDuration": "90000s"}, "INVALID_MEMBERSHIP_DURATION"),
        ({"displayName": "Taken"}, "DISPLAY_NAME_ALREADY_USED"),
    ],
)
def test_a_list_that_google_would_refuse_is_refused(bench: Bench, change: dict[str, Any], reason: str) -> None:
    made(bench, name="Taken")

    answer = ask(bench, "POST", LISTS, bodies.new_list(LIST, timedelta(days=540)) | change)

    assert (answer[0], reasons(answer)[0][1]) == (400, reason)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{LISTS}?filter=name%3D1", 400),
        ("PATCH", f"{LISTS}/{{id}}", 400),
        ("PATCH", f"{LISTS}/{{id}}?updateMask=id", 400),
        ("GET", f"{STATUS}?requestId=none", 400),
        ("GET", "/v1/nothing", 404),
        ("PUT", INGEST, 404),
    ],
)
def test_what_makes_no_sense_is_refused(bench: Bench, method: str, path: str, status: int) -> None:
    found, told = ask(bench, method, path.format(id=made(bench)), None if method == "GET" else {})

    assert (found, told["error"]["code"]) == (status, status)
    assert ask(bench, "POST", INGEST, b"{")[0] == 400


def test_the_minute_has_its_quota_for_each_service(bench: Bench) -> None:
    list_id = made(bench)
    body = removal(list_id, "a@example.com")

    answers = [ask(bench, "POST", REMOVAL, body)[0] for _ in range(301)]

    assert answers == [200] * 300 + [429]
    assert ask(bench, "GET", LISTS)[0] == 200
    bench.clock.go(60)
    assert ask(bench, "POST", REMOVAL, body)[0] == 200


def test_hub_uses_the_quota_and_is_never_refused(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    began = bench.clock.seconds()

    for number in range(890):
        list(destination.push(batch(ADD, audience, [member(number)])))

    took = bench.clock.seconds() - began
    assert [status for _, _, status in bench.vendor.requests if status != 200] == []
    # 300 a minute: nearly nine hundred calls take two minutes, and the last of them begin at once.
    assert 120 <= took <= 126
    assert 890 / (300 * (took + 60) / 60) >= 0.95


def test_state_shows_lists_hashes_requests_and_faults(bench: Bench) -> None:
    destination = bench.destination()
    list(destination.push(batch(ADD, destination.ensure_audience(LIST), [member(1)])))
    bench.clock.go(600)
    bench.vendor.fault("slow", seconds="2", times="0")

    state = bench.vendor.state()

    [shown] = state["lists"]
    assert (shown["name"], shown["count"], set(shown["members"])) == (LIST, 1, shas(1))
    assert [(each["adds"], each["status"]) for each in state["requests_taken"]] == [(True, "SUCCESS")]
    assert state["writes"] == 2
    assert json.loads(json.dumps(state)) == state


def test_every_fault_can_be_asked_for_and_healed() -> None:
    stand_in = GoogleStandIn()

    for each in stand_in.faults:
        stand_in.fault(each.name)
    assert set(stand_in.state()["faults"]) == {each.name for each in stand_in.faults}
    stand_in.heal()
    assert stand_in.state()["faults"] == {}
