"""The Mailchimp stand-in keeps the documented limits, and hub keeps within them."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from hub import api
from hub_mailchimp import bodies
from hub_mailchimp.stand_in import API_KEY, LIST_ID, MailchimpStandIn
from hub_mailchimp.stand_in.server import CONNECTIONS
from tests.deliver_kit import World, member_row
from tests.mailchimp_kit import TAG, Bench, batch, member, people, serving

BASIC = f"Basic {base64.b64encode(f'any:{API_KEY}'.encode()).decode()}"
HEADERS = {"Authorization": BASIC, "Content-Type": "application/json"}
LIST = f"/lists/{LIST_ID}"
Answer = tuple[int, dict[str, str], Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Serve a stand-in that is asked wrong questions on purpose."""
    with serving(tmp_path, judged=False) as made:
        yield made


def ask(bench: Bench, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(bench.address + path, raw, HEADERS | headers, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, decoded(reply.read())
    except HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, decoded(error.read())


def decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def rows(count: int, **about: Any) -> list[dict[str, Any]]:
    return [bodies.new_contact(member(number), {}) | about for number in range(count)]


def create(bench: Bench, *members: dict[str, Any], query: str = "", **more: Any) -> Answer:
    return ask(bench, "POST", LIST + query, {"members": list(members), **more})


def tag(bench: Bench) -> str:
    return str(bench.vendor.world.add_tag(bench.audience, TAG, 0).id)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Authorization": f"Bearer {API_KEY}"}, 200),
        ({"Authorization": f"Basic {base64.b64encode(b'any:wrong-us1').decode()}"}, 401),
        ({"Authorization": "Basic %%%"}, 401),
        ({"Authorization": ""}, 401),
    ],
)
def test_the_key_is_a_password_or_a_token(bench: Bench, headers: dict[str, str], status: int) -> None:
    found, told, answer = ask(bench, "GET", "/ping", **headers)

    assert found == status
    if status == 401:
        assert (told["content-type"], answer["title"]) == ("application/problem+json; charset=utf-8", "API Key Invalid")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/ping", None, 405),
        ("POST", LIST, b"not json", 400),
        ("POST", LIST, {"members": "none"}, 400),
        ("POST", LIST, {"members": rows(501)}, 400),
        ("POST", LIST, {"members": rows(500)}, 200),
        ("POST", LIST, {"members": rows(1) * 2}, 400),
        ("POST", f"{LIST}?skip_duplicate_check=true", {"members": rows(1) * 2}, 200),
        ("POST", f"{LIST}/segments", {"name": "x"}, 400),
        ("POST", f"{LIST}/segments", {"name": "x" * 101, "static_segment": []}, 400),
        ("POST", f"{LIST}/segments/99", {"members_to_add": []}, 404),
        ("POST", f"{LIST}/merge-fields", {"tag": "ELEVENCHARS", "name": "x", "type": "text"}, 400),
        ("POST", f"{LIST}/merge-fields", {"tag": "FNAME", "name": "x", "type": "text"}, 400),
        ("POST", f"{LIST}/merge-fields", {"tag": "A", "name": "x", "type": "colour"}, 400),
        ("GET", f"{LIST}/members?count=1001", None, 400),
        ("GET", f"{LIST}/members?count=1000", None, 200),
        ("GET", f"{LIST}/members?unsubscribed_since=2026-01-01T00:00:00%2B00:00", None, 400),
        ("GET", f"{LIST}/members?since_last_changed=yesterday", None, 400),
        ("GET", f"{LIST}/members/{bodies.subscriber_hash('nobody@example.com')}", None, 404),
        ("POST", "/batches", {"operations": []}, 400),
        ("POST", "/batches", {"operations": [{}] * 1_001}, 400),
        ("GET", "/batches/none", None, 404),
        ("GET", "/reports/none/sent-to", None, 404),
    ],
    ids=range(23),
)
def test_what_mailchimp_refuses_is_refused(bench: Bench, method: str, path: str, body: Any, status: int) -> None:
    found, _, answer = ask(bench, method, path, body)

    assert found == status
    if status >= 400:
        assert {*answer} >= {"type", "title", "status", "detail", "instance"}


def test_ten_requests_at_once_are_served_and_the_eleventh_is_refused(bench: Bench) -> None:
    go_on = threading.Event()
    bench.vendor.meanwhile = lambda _method, _path: go_on.wait(30) and None

    with ThreadPoolExecutor(CONNECTIONS + 3) as pool:
        futures = [pool.submit(ask, bench, "GET", "/ping") for _ in range(CONNECTIONS + 3)]
        ended = as_completed(futures)
        # Ten wait inside, so that whoever is answered now was not let in.
        refused = [next(ended).result() for _ in range(3)]
        go_on.set()
        served = [each.result() for each in ended]

    assert [status for status, _, _ in refused] == [429] * 3
    assert "retry-after" not in refused[0][1]
    assert [status for status, _, _ in served] == [200] * CONNECTIONS
    assert ask(bench, "GET", "/ping")[0] == 200


def test_rows_fail_alone_in_an_answer_of_200(bench: Bench) -> None:
    bench.know("p0@example.com")
    bench.audience.deleted.add(bodies.subscriber_hash("p1@example.com"))
    wrong = [
        *rows(3),
        bodies.new_contact(api.Member("x", "no address"), {}),
        bodies.new_contact(member(4), {"BIRTHDAY": "soon"}),
    ]

    status, _, told = create(bench, *wrong)

    assert (status, told["total_created"], told["error_count"]) == (200, 1, 4)
    assert [each["email_address"] for each in told["new_members"]] == ["p2@example.com"]
    assert [
        (each["error_code"], each["field"]) for each in sorted(told["errors"], key=lambda e: e["email_address"])
    ] == [
        ("ERROR_GENERIC", ""),
        ("ERROR_CONTACT_EXISTS", ""),
        ("ERROR_GENERIC", ""),
        ("ERROR_GENERIC", "BIRTHDAY"),
    ]


def test_update_existing_changes_the_status_and_archived_contacts_come_back(bench: Bench) -> None:
    """What hub must never ask for, and whom it must never send."""
    bench.know("p0@example.com", "p1@example.com", status="unsubscribed")
    bench.vendor.world.archive(bench.contact("p1@example.com"), 0)

    create(bench, *rows(2), update_existing=True)

    assert [bench.contact(f"p{number}@example.com").status for number in (0, 1)] == ["subscribed", "subscribed"]


def test_double_opt_in_makes_subscribed_pending(bench: Bench) -> None:
    bench.audience.double_optin = True

    create(bench, *rows(1))

    assert bench.contact("p0@example.com").status == "pending"


def test_the_tags_call_takes_500_and_500_and_says_who_had_it(bench: Bench) -> None:
    create(bench, *rows(500))
    audience = tag(bench)
    emails = [f"p{number}@example.com" for number in range(500)]
    path = f"{LIST}/segments/{audience}"
    assert ask(bench, "POST", path, {"members_to_add": emails[:250]})[2]["total_added"] == 250

    told = ask(
        bench, "POST", path, {"members_to_add": [*emails[250:], emails[249]], "members_to_remove": emails[:249]}
    )[2]

    assert (told["total_added"], told["total_removed"], told["error_count"]) == (250, 249, 1)
    assert told["errors"][0]["email_addresses"] == [emails[249]]
    status, _, refused = ask(bench, "POST", path, {"members_to_remove": [*emails, "one@example.com"]})
    assert (status, refused["detail"]) == (400, "Maximum allowed member items exceeded")


def test_who_is_no_contact_is_ignored_by_the_tags_call(bench: Bench) -> None:
    told = ask(bench, "POST", f"{LIST}/segments/{tag(bench)}", {"members_to_add": ["nobody@example.com"]})[2]

    assert (told["total_added"], told["errors"], bench.held()) == (0, [], set())


def test_members_of_a_tag_who_are_not_subscribed_show_only_where_asked_for(bench: Bench) -> None:
    path = f"{LIST}/segments/{tag(bench)}/members"
    for number, status in enumerate(("subscribed", "pending", "unsubscribed", "cleaned", "transactional")):
        bench.know(f"p{number}@example.com", status=status)
        bench.contact(f"p{number}@example.com").tags.add(bench.tag().id)

    assert ask(bench, "GET", path)[2]["total_items"] == 2
    flags = "&".join(f"include_{status}=true" for status in ("unsubscribed", "cleaned", "transactional"))
    assert ask(bench, "GET", f"{path}?{flags}")[2]["total_items"] == 5


def test_pages_filters_and_fields_are_mailchimps(bench: Bench) -> None:
    for number in range(12):
        bench.clock.go(60)
        bench.know(f"p{number}@example.com")
    since = quote(bodies.moment(bench.clock.now.replace(minute=bench.clock.now.minute - 2)))

    assert len(ask(bench, "GET", f"{LIST}/members")[2]["members"]) == 10
    told = ask(bench, "GET", f"{LIST}/members?offset=10&fields=members.email_address,total_items")[2]
    assert told == {"members": [{"email_address": f"p{n}@example.com"} for n in (10, 11)], "total_items": 12}
    query = f"since_last_changed={since}&sort_field=last_changed&sort_dir=DESC&fields=members.email_address"
    changed = ask(bench, "GET", f"{LIST}/members?{query}")[2]["members"]
    assert [each["email_address"] for each in changed] == ["p11@example.com", "p10@example.com"]


def test_a_batch_operation_goes_from_pending_to_finished_and_packs_its_results(bench: Bench) -> None:
    bench.know("p0@example.com")
    wanted = {"a": ("p0@example.com", {"FNAME": "Ann"}), "b": ("nobody@example.com", {"FNAME": "Ann"})}
    started = ask(bench, "POST", "/batches", bodies.operations(LIST_ID, wanted))[2]["id"]
    seen = []
    for _ in range(3):
        told = ask(bench, "GET", f"/batches/{started}")[2]
        seen.append((told["status"], told["finished_operations"], told["errored_operations"]))
        bench.clock.go(5)

    assert seen == [("pending", 0, 0), ("started", 0, 0), ("finished", 2, 1)]
    address = told["response_body_url"].removeprefix(bench.address)
    packed = ask(bench, "GET", address, Authorization="")[2]
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        results = [each for name in archive.getnames()[1:] for each in json.load(archive.extractfile(name))]  # type: ignore[arg-type]
    assert [(each["operation_id"], each["status_code"]) for each in results] == [("a", 200), ("b", 404)]
    assert json.loads(results[1]["response"])["title"] == "Resource Not Found"


def test_500_batch_operations_may_wait(bench: Bench) -> None:
    body = bodies.operations(LIST_ID, {"a": ("p0@example.com", {"FNAME": "Ann"})})

    statuses = [ask(bench, "POST", "/batches", body)[0] for _ in range(501)]

    assert statuses == [200] * 500 + [429]


def test_state_shows_tags_contacts_batches_and_faults(bench: Bench) -> None:
    destination = bench.destination()
    list(destination.push(batch(api.Op.ADD, destination.ensure_audience(TAG), people(2))))
    bench.vendor.unsubscribe("p1@example.com")
    bench.vendor.fault("slow", seconds="2", times="0")

    state = bench.vendor.state()

    assert [(each["name"], each["members"]) for each in state["tags"]] == [(TAG, ["p0@example.com", "p1@example.com"])]
    assert [(each["email"], each["status"]) for each in state["contacts"]] == [
        ("p0@example.com", "subscribed"),
        ("p1@example.com", "unsubscribed"),
    ]
    assert state["faults"] == {"slow": {"seconds": "2", "times": "0", "left": 0}}
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nonsense", {}), ("slow", {"colour": "red"}), ("slow", {"seconds": "-1"}), ("rate-limit", {"every": "0"})],
)
def test_a_fault_that_makes_no_sense_is_refused(name: str, parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        MailchimpStandIn().fault(name, **parameters)


def test_every_fault_can_be_asked_for_and_healed() -> None:
    stand_in = MailchimpStandIn()

    for each in stand_in.faults:
        stand_in.fault(each.name)
    assert set(stand_in.state()["faults"]) == {each.name for each in stand_in.faults}
    stand_in.heal()
    assert stand_in.state()["faults"] == {}


def test_hub_keeps_eight_connections_busy_and_is_never_refused(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    open_at_once: list[int] = []

    def look(method: str, path: str) -> None:
        open_at_once.append(bench.vendor._open)
        if method == "POST" and "segments" not in path:
            together.wait(30)  # breaks unless eight contacts' calls are under way

    with serving(tmp_path) as bench:
        world = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
        destination = bench.destination()
        audience = world.audience(destination)  # type: ignore[arg-type]
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(TAG))
        grounds = {"cleared_by": "OPT_IN", "record_basis": "opt_in_single", "recorded_at": None}
        rows = [member_row(f"k{number:05}", **grounds) for number in range(8_000)]
        bench.vendor.meanwhile = look

        tally = world.deliver(destination, add=rows, attributes=list(grounds))  # type: ignore[arg-type]
        world.close()

        assert (tally.delivered, tally.calls) == (8_000, 32)
        assert max(open_at_once) == 8
        assert [status for _, _, status in bench.vendor.requests if status == 429] == []
