"""Requests to Mailchimp held against its official description, and the stand-in against its official client."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

from hub import api
from hub_mailchimp import bodies
from hub_mailchimp.stand_in import API_KEY, LIST_ID, MailchimpStandIn
from tests.mailchimp_kit import AS_OF, OPTED_IN, TAG, batch, member, people, serving
from tests.mailchimp_spec import (
    Request,
    WrongRequest,
    changes_a_status,
    descriptions,
    inside,
    judge,
    judged_by_the_client,
)

HEADERS = {
    "authorization": f"Basic {base64.b64encode(b'hub:key-us1').decode()}",
    "content-type": "application/json",
}
LIST = f"/3.0/lists/{LIST_ID}"
CREATE = f"{LIST}?skip_merge_validation=true&skip_duplicate_check=true"


def asked(target: str, body: Any = None, method: str = "POST", **headers: str) -> Request:
    raw = b"" if body is None else json.dumps(body).encode()
    return Request(method, target, {name: value for name, value in (HEADERS | headers).items() if value}, raw)


def good() -> dict[str, Any]:
    return bodies.new_contacts([bodies.new_contact(member(1, OPTED_IN), {"FNAME": "Ann", "CARTTOTAL": 19.5})])


def row(body: dict[str, Any]) -> dict[str, Any]:
    return body["members"][0]


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a misspelt field": lambda body: row(body).update(emial_address="p1@example.com"),
    "a field of another type": lambda body: row(body).update(merge_fields="Ann"),
    "a status that there is not": lambda body: row(body).update(status="archived"),
    "status_if_new, which rows of this call do not have": lambda body: row(body).update(status_if_new="subscribed"),
    "a misspelt instruction": lambda body: body.update(update_existng=False),
    "an instruction of another type": lambda body: body.update(update_existing="no"),
    "no members": lambda body: body.pop("members"),
    "members that are none": lambda body: body.update(members=["p1@example.com"]),
}


def test_the_judge_takes_what_is_right() -> None:
    descriptions()

    judge(asked(CREATE, good()))


@pytest.mark.parametrize("fault", list(WRONG))
def test_the_judge_refuses_a_wrong_body(fault: str) -> None:
    descriptions()
    body = copy.deepcopy(good())
    WRONG[fault](body)

    with pytest.raises(WrongRequest):
        judge(asked(CREATE, body))


@pytest.mark.parametrize(
    "request_",
    [
        asked(CREATE, good(), authorization=""),
        asked(CREATE, good(), **{"content-type": "text/plain"}),
        asked(CREATE),
        asked(CREATE, good(), method="PUT"),
        asked(CREATE.removeprefix("/3.0"), good()),
        asked(f"{LIST}?skip_duplicates=true", good()),
        asked(f"{LIST}?skip_merge_validation=yes", good()),
        asked(f"{LIST}/members?count=1001", method="GET"),
        asked(f"{LIST}/members?status=gone", method="GET"),
        asked(f"{LIST}/members?fields=members email", method="GET"),
        asked(f"{LIST}/members?since=2026-01-01", method="GET"),
        asked(f"{LIST}/members", {"a": "body"}, method="GET"),
        asked(f"{LIST}/contacts", method="GET"),
        asked(f"{LIST}/segments", {"static_segment": []}),
        asked(f"{LIST}/segments/1", {"members_to_add": [1]}),
        asked("/3.0/batches", {"operations": [{"method": "PATCH"}]}),
        asked("/3.0/batches", {"operations": [{"method": "PATCH", "path": "/x", "body": {"merge_fields": {}}}]}),
    ],
    ids=lambda each: f"{each.method} {each.target}"[:60],
)
def test_the_judge_refuses_a_wrong_request(request_: Request) -> None:
    descriptions()

    with pytest.raises(WrongRequest):
        judge(request_)


def test_a_batch_operation_is_judged_as_the_requests_that_it_asks_for() -> None:
    descriptions()
    right = bodies.operations(LIST_ID, {"a": ("p1@example.com", {"FNAME": "Ann"})})
    wrong = copy.deepcopy(right)
    wrong["operations"][0]["body"] = json.dumps({"merge_fild": {}})

    judge(*inside(asked("/3.0/batches", right)))
    judge(asked("/3.0/batches", wrong))  # an operation's body is any text to the description
    with pytest.raises(WrongRequest):
        judge(*inside(asked("/3.0/batches", wrong)))


@pytest.mark.parametrize(
    ("request_", "touches"),
    [
        (asked(CREATE, good()), False),
        (asked(CREATE, good() | {"update_existing": True}), True),
        (asked(CREATE, good() | {"sync_tags": True}), True),
        (asked(f"{LIST}/members/x", {"merge_fields": {}}, method="PATCH"), False),
        (asked(f"{LIST}/members/x", {"status": "subscribed"}, method="PATCH"), True),
        (asked(f"{LIST}/members/x", {"status_if_new": "subscribed"}, method="PUT"), True),
        (asked(f"{LIST}/segments/1", {"members_to_add": ["p1@example.com"]}), False),
    ],
    ids=range(7),
)
def test_a_request_that_could_change_a_status_is_noticed(request_: Request, touches: bool) -> None:
    assert changes_a_status(request_) is touches


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/campaigns", "since=2026"),
        ("GET", "/campaigns", "list_id=x&count=1001"),
        ("POST", "/campaigns", "list_id=x"),
        ("GET", "/reports/c1/email-activity", "since_time=2026"),
        ("GET", "/reports/c1/sent-to", "since=2026"),
        ("GET", "/reports/c1/unsubscribed", "offst=10"),
    ],
)
def test_a_report_is_asked_for_as_the_official_client_does(method: str, path: str, query: str) -> None:
    with pytest.raises(WrongRequest):
        judged_by_the_client(method, path, query)


def test_everything_that_hub_asks_of_mailchimp_is_described(tmp_path: Path) -> None:
    descriptions()
    with serving(tmp_path) as bench:
        bench.know("known@example.com")
        destination = bench.destination()
        list(destination.check())
        destination.prepare(["first_name", "cart_url"])
        audience = destination.ensure_audience(TAG)
        about = {"first_name": "Ann", "cart_url": "https://a.example/c"}
        list(destination.push(batch(api.Op.ADD, audience, people(6, **about))))
        bench.vendor.fault("terse-tags")
        (sent, *_) = destination.push(batch(api.Op.ADD, audience, people(6, **about)))
        bench.vendor.world.erase(bench.audience, bench.contact("p1@example.com"))
        bench.clock.go(60)
        list(destination.poll(batch(api.Op.ADD, audience, people(6), receipt=sent.receipt)))
        list(destination.push(batch(api.Op.UPDATE, audience, people(1, first_name="Bea"))))
        list(destination.read_suppressions(AS_OF))
        list(destination.read_members(audience))
        list(destination.push(batch(api.Op.REMOVE, audience, people(6))))
        destination.account.is_well()
        destination.forget(member(2))
        bench.vendor.fault("no-audience", times=1)
        list(destination.check())

        endpoints = {(method, _template(path)) for method, path, _ in bench.vendor.requests}
    # Leaving `serving` judged every one of them.
    assert endpoints == ENDPOINTS


def _template(path: str) -> str:
    """Return a path with its ids named as such."""
    return re.sub(r"(/lists/|/members/|/segments/|/batches/)[^/]+", r"\1{id}", path)


ENDPOINTS = {
    ("GET", "/"),
    ("GET", "/ping"),
    ("GET", "/lists"),
    ("GET", "/lists/{id}"),
    ("POST", "/lists/{id}"),
    ("GET", "/lists/{id}/members"),
    ("GET", "/lists/{id}/members/{id}"),
    ("PATCH", "/lists/{id}/members/{id}"),
    ("POST", "/lists/{id}/members/{id}/actions/delete-permanent"),
    ("GET", "/lists/{id}/merge-fields"),
    ("POST", "/lists/{id}/merge-fields"),
    ("GET", "/lists/{id}/tag-search"),
    ("POST", "/lists/{id}/segments"),
    ("POST", "/lists/{id}/segments/{id}"),
    ("GET", "/lists/{id}/segments/{id}/members"),
    ("POST", "/batches"),
    ("GET", "/batches/{id}"),
    ("GET", "/batches/{id}/results"),
}


# The official client.

Official = tuple[MailchimpStandIn, Client]


@pytest.fixture
def official() -> Iterator[Official]:
    stand_in = MailchimpStandIn(job_seconds=0)
    client = Client()
    client.set_config({"api_key": API_KEY})
    client.api_client.host = stand_in.start()
    yield stand_in, client
    stand_in.stop()


def test_the_official_client_makes_fills_reads_and_empties_a_tag(official: Official) -> None:
    _, client = official
    assert client.ping.get()["health_status"] == "Everything's Chimpy!"
    made = client.lists.create_segment(LIST_ID, bodies.new_tag(TAG))
    assert client.lists.tag_search(LIST_ID, name="Aband")["tags"] == [{"id": made["id"], "name": TAG}]

    told = client.lists.batch_list_members(LIST_ID, good())
    assert (told["total_created"], told["error_count"]) == (1, 0)
    again = client.lists.batch_list_members(LIST_ID, good())
    assert [each["error_code"] for each in again["errors"]] == ["ERROR_CONTACT_EXISTS"]
    client.lists.batch_segment_members(bodies.tagged(["p1@example.com"]), LIST_ID, made["id"])

    held = client.lists.get_segment_members_list(LIST_ID, made["id"], fields=["members.email_address"])
    assert held == {"members": [{"email_address": "p1@example.com"}]}
    told = client.lists.batch_segment_members(bodies.tagged(remove=["p1@example.com"]), LIST_ID, made["id"])
    assert (told["total_added"], told["total_removed"]) == (0, 1)
    assert client.lists.get_segment_members_list(LIST_ID, made["id"])["members"] == []


def test_the_official_client_adds_reads_changes_archives_and_erases_a_contact(official: Official) -> None:
    stand_in, client = official
    row = bodies.new_contact(member(1, OPTED_IN), {"FNAME": "Ann"})
    contact = bodies.subscriber_hash("p1@example.com")

    made = client.lists.add_list_member(LIST_ID, row)
    assert (made["id"], made["status"], made["timestamp_opt"]) == (contact, "subscribed", "2026-05-21T12:00:00+00:00")
    client.lists.update_list_member(LIST_ID, contact, bodies.merge_fields({"FNAME": "Bea"}))
    assert client.lists.get_list_member(LIST_ID, contact)["merge_fields"]["FNAME"] == "Bea"
    client.lists.set_list_member(LIST_ID, contact, {"email_address": "p1@example.com", "status_if_new": "pending"})
    assert client.lists.get_list_member(LIST_ID, contact)["status"] == "subscribed"

    stand_in.unsubscribe("p1@example.com")
    said = refusal(lambda: client.lists.update_list_member(LIST_ID, contact, {"status": "subscribed"}))
    assert said == (400, "Member In Compliance State")
    assert client.lists.get_list_members_info(LIST_ID, status="unsubscribed")["total_items"] == 1

    client.lists.delete_list_member(LIST_ID, contact)
    assert client.lists.get_list_members_info(LIST_ID)["total_items"] == 0
    client.lists.delete_list_member_permanent(LIST_ID, contact)
    said = refusal(lambda: client.lists.add_list_member(LIST_ID, row))
    assert said == (400, "Forgotten Email Not Subscribed")


def test_the_official_client_makes_fields_and_follows_a_batch_operation(official: Official) -> None:
    stand_in, client = official
    assert client.lists.add_list_merge_field(LIST_ID, bodies.new_field("CARTURL", "cart_url"))["tag"] == "CARTURL"
    assert "CARTURL" in [each["tag"] for each in client.lists.get_list_merge_fields(LIST_ID, count=100)["merge_fields"]]
    client.lists.batch_list_members(LIST_ID, good())

    started = client.batches.start(bodies.operations(LIST_ID, {"a": ("p1@example.com", {"CARTURL": "x"})}))
    told = client.batches.status(started["id"])

    assert (told["status"], told["total_operations"], told["errored_operations"]) == ("finished", 1, 0)
    contact = stand_in.world.audience(LIST_ID).of("p1@example.com")
    assert contact is not None
    assert contact.merge_fields["CARTURL"] == "x"


def test_the_official_client_is_told_what_is_wrong(official: Official) -> None:
    _, client = official
    made = client.lists.create_segment(LIST_ID, bodies.new_tag(TAG))
    too_many = {"members_to_add": [f"p{number}@example.com" for number in range(501)]}

    assert refusal(lambda: client.lists.get_list_member(LIST_ID, "nobody")) == (404, "Resource Not Found")
    assert refusal(lambda: client.lists.batch_segment_members(too_many, LIST_ID, made["id"])) == (400, "Bad Request")
    client.set_config({"api_key": "wrong-us1"})
    assert refusal(client.ping.get) == (401, "API Key Invalid")


def test_the_official_client_reads_campaigns_and_what_people_did(official: Official) -> None:
    stand_in, client = official
    sent = stand_in.send("Spring", ["a@example.com", "b@example.com"])
    stand_in.act(sent, "a@example.com", "open")
    stand_in.act(sent, "b@example.com", "left:bored")

    assert [each["id"] for each in client.campaigns.list(list_id=LIST_ID, status="sent")["campaigns"]] == [sent]
    assert client.reports.get_campaign_recipients(sent)["total_items"] == 2
    (did, nothing) = client.reports.get_email_activity_for_campaign(sent)["emails"]
    assert ([each["action"] for each in did["activity"]], nothing["activity"]) == (["open"], [])
    (left,) = client.reports.get_unsubscribed_list_for_campaign(sent)["unsubscribes"]
    assert (left["email_address"], left["reason"]) == ("b@example.com", "bored")


def refusal(call: Callable[[], Any]) -> tuple[int | None, str]:
    """Return status and title of what a call is refused with."""
    with pytest.raises(ApiClientError) as caught:
        call()
    return caught.value.status_code, json.loads(caught.value.text)["title"]
