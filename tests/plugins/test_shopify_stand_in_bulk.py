"""The stand-in's bulk operations: rules, states, files of JSON lines, and everything that ends them early."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_shopify.stand_in import ALL_SCOPES, Limits, Shop
from tests.shopify_kit import Client, Clock, serving

RUN = """mutation($query: String!, $group: Boolean! = false) { bulkOperationRunQuery(query: $query, groupObjects: $group) {
    bulkOperation { id status type query } userErrors { code field message } } }"""
LOOK = """query($id: ID!) { bulkOperation(id: $id) {
    status errorCode objectCount rootObjectCount fileSize url partialDataUrl createdAt completedAt } }"""
CANCEL = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
CUSTOMERS = "{ customers { edges { node { id email } } } }"
ORDERS = """{ orders(sortKey: ID) { edges { node { id name
    lineItems { edges { node { id quantity } } }
    discountApplications { edges { node { index ... on DiscountCodeApplication { code } } } }
    refunds { id } customer { id } } } } }"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(client: Client, query: str, *, group: bool = False) -> str:
    """Begin a bulk operation and return its id."""
    said = client.ask(RUN, query=query, group=group)["bulkOperationRunQuery"]
    assert said["userErrors"] == []
    assert said["bulkOperation"]["status"] == "CREATED"
    gid: str = said["bulkOperation"]["id"]
    return gid


def look(client: Client, gid: str) -> dict[str, Any]:
    found: dict[str, Any] = client.ask(LOOK, id=gid)["bulkOperation"]
    return found


def finish(client: Client, gid: str) -> dict[str, Any]:
    """Look until the operation has ended."""
    while (found := look(client, gid))["status"] in {"CREATED", "RUNNING", "CANCELING"}:
        continue
    return found


def lines(url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in httpx.get(url).text.splitlines()]


def read_what_comes(url: str) -> bytes:
    """Return what is received until the connection breaks."""
    got = b""
    with httpx.stream("GET", url) as reply:
        try:
            for chunk in reply.iter_raw():
                got += chunk
        except httpx.RemoteProtocolError:
            return got
    raise AssertionError("the whole file came")


def refused(client: Client, query: str) -> list[tuple[str, str]]:
    said = client.ask(RUN, query=query)["bulkOperationRunQuery"]
    assert said["bulkOperation"] is None
    return [(error["code"], error["message"]) for error in said["userErrors"]]


def test_an_operation_is_created_runs_and_completes_with_a_file(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")

    with serving(shop) as client:
        gid = run(client, CUSTOMERS)
        clock.pass_by(seconds=30)
        states = [look(client, gid) for _ in range(3)]
        reply = httpx.get(states[-1]["url"])

    assert [state["status"] for state in states] == ["RUNNING", "COMPLETED", "COMPLETED"]
    assert states[0]["url"] is None
    assert states[1] == states[2]
    assert states[1] | {"url": ""} == {
        "status": "COMPLETED",
        "errorCode": None,
        "objectCount": "1",
        "rootObjectCount": "1",
        "fileSize": str(len(reply.content)),
        "url": "",
        "partialDataUrl": None,
        "createdAt": "2026-11-20T12:00:00Z",
        "completedAt": "2026-11-20T12:00:30Z",
    }
    assert [json.loads(line) for line in reply.text.splitlines()] == [{"id": ada.id, "email": "ada@example.com"}]


@pytest.mark.parametrize("polls", [1, 2, 5])
def test_an_operation_takes_as_many_looks_as_asked_for(polls: int) -> None:
    with serving(size=3, limits=Limits(bulk_polls=polls)) as client:
        gid = run(client, CUSTOMERS)
        states = [look(client, gid)["status"] for _ in range(polls)]

    assert states == ["RUNNING"] * (polls - 1) + ["COMPLETED"]


def test_a_long_operation_shows_how_far_it_is() -> None:
    with serving(size=200, limits=Limits(bulk_step=50)) as client:
        gid = run(client, CUSTOMERS)
        counts = [int(look(client, gid)["objectCount"]) for _ in range(5)]
        end = look(client, gid)

    assert counts == [50, 100, 150, 200, 200]
    assert end["status"] == "COMPLETED"


def test_no_rows_no_file(clock: Clock) -> None:
    with serving(Shop(now=clock)) as client:
        end = finish(client, run(client, CUSTOMERS))

    assert (end["status"], end["url"], end["objectCount"]) == ("COMPLETED", None, "0")


def test_lines_are_what_pages_would_have_said(clock: Clock) -> None:
    text = """query($after: String) { orders(first: 20, after: $after, sortKey: ID) { pageInfo { hasNextPage endCursor } nodes {
        id name lineItems(first: 9) { nodes { id quantity } } refunds { id } customer { id }
        discountApplications(first: 9) { nodes { index ... on DiscountCodeApplication { code } } } } } }"""
    with serving(size=60, limits=Limits(bucket=10**6, single_query=10**5)) as client:
        paged: list[dict[str, Any]] = []
        after = None
        while True:
            page = client.ask(text, after=after)["orders"]
            paged += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        end = finish(client, run(client, ORDERS))
        rows = lines(end["url"])

    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if "__parentId" in row:
            children[row.pop("__parentId")].append(row)
    parents = [row for row in rows if str(row.get("id")).startswith("gid://shopify/Order/")]
    joined = [
        {
            **parent,
            "lineItems": {"nodes": [row for row in children[parent["id"]] if "id" in row]},
            "discountApplications": {"nodes": [row for row in children[parent["id"]] if "index" in row]},
        }
        for parent in parents
    ]
    assert sorted(joined, key=lambda row: row["id"]) == sorted(paged, key=lambda row: row["id"])
    assert end["objectCount"] == str(len(rows))
    assert end["rootObjectCount"] == str(len(parents))


def places(rows: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Return whether every child comes after its parent, and whether every family stands together."""
    seen: list[str] = []
    after = together = True
    for row in rows:
        parent = row.get("__parentId")
        if parent is None:
            seen.append(row["id"])
        else:
            after = after and parent in seen
            together = together and parent == seen[-1]
    return after, together


@pytest.mark.parametrize("group", [False, True])
def test_children_follow_their_parent_and_stand_with_it_only_if_grouped(group: bool) -> None:
    with serving(size=60) as client:
        rows = lines(finish(client, run(client, ORDERS, group=group))["url"])

    assert places(rows) == (True, group)


def test_the_search_and_the_order_of_the_inner_query_are_kept_and_first_is_not() -> None:
    query = '{ customers(first: 1, query: "id:>%d", sortKey: ID, reverse: true) { edges { node { id } } } }'
    with serving(size=10) as client:
        numbers = sorted(client.shop.customers)
        rows = lines(finish(client, run(client, query % numbers[6]))["url"])

    assert [row["id"] for row in rows] == [f"gid://shopify/Customer/{number}" for number in reversed(numbers[7:])]


def test_records_are_chosen_when_it_is_run_and_read_as_they_are_then(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada, bo = shop.add_customer(first_name="Ada"), shop.add_customer(first_name="Bo")

    with serving(shop) as client:
        gid = run(client, "{ customers { edges { node { id firstName } } } }")
        shop.add_customer(first_name="Cleo")
        shop.update_customer(bo, first_name="Boo")
        rows = lines(finish(client, gid)["url"])

    assert rows == [{"id": ada.id, "firstName": "Ada"}, {"id": bo.id, "firstName": "Boo"}]


def test_what_was_deleted_meanwhile_is_not_read(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada, bo = shop.add_customer(), shop.add_customer()

    with serving(shop) as client:
        gid = run(client, CUSTOMERS)
        shop.delete_customer(ada)
        rows = lines(finish(client, gid)["url"])

    assert [row["id"] for row in rows] == [bo.id]


def test_products_with_variants_and_collections_come_in_one_operation(clock: Clock) -> None:
    shop = Shop(now=clock)
    sale = shop.add_collection("Sale")
    boot = shop.add_product("Boot", "200.00", collections=[sale.number])
    query = """{ products { edges { node { id title variants { edges { node { id price } } }
        collections { edges { node { id title } } } } } } }"""

    with serving(shop) as client:
        rows = lines(finish(client, run(client, query, group=True))["url"])

    assert rows == [
        {"id": boot.id, "title": "Boot"},
        {"id": boot.variants[0].id, "price": "200.00", "__parentId": boot.id},
        {"id": sale.id, "title": "Sale", "__parentId": boot.id},
    ]


def test_a_connection_below_an_object_belongs_to_the_line_it_stands_in(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    order = shop.add_order([shop.line("Boot", "10")], ada)
    query = "{ abandonedCheckouts { edges { node { id customer { id orders { edges { node { id } } } } } } } }"
    checkout = shop.add_checkout([shop.checkout_line("Boot", "10")], ada)

    with serving(shop) as client:
        rows = lines(finish(client, run(client, query))["url"])

    assert rows == [{"id": checkout.id, "customer": {"id": ada.id}}, {"id": order.id, "__parentId": checkout.id}]


def test_fragments_are_read_like_what_they_stand_for(clock: Clock) -> None:
    shop = Shop(now=clock)
    order = shop.add_order([shop.line("Boot", "10")])
    query = """fragment Whole on Order { id lineItems { edges { node { ...Line } } } }
        fragment Line on LineItem { id title }
        { orders { edges { node { ...Whole } } } }"""

    with serving(shop) as client:
        rows = lines(finish(client, run(client, query))["url"])

    assert rows == [{"id": order.id}, {"id": order.lines[0].id, "title": "Boot", "__parentId": order.id}]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { name } }", "Bulk queries must contain at least one connection."),
        ('{ node(id: "gid://shopify/Order/1") { id } }', "Bulk queries cannot contain a top level `node` field."),
        ("{ nodes(ids: []) { id } }", "Bulk queries cannot contain a top level `nodes` field."),
        (
            "{ customers { edges { node { id } } } orders { edges { node { id } } } }",
            "Bulk queries must have exactly one top level field.",
        ),
        ('mutation { tagsAdd(id: "x", tags: []) { node { id } } }', "Only `query` operations are supported."),
        (
            "query($q: String) { customers(query: $q) { edges { node { id } } } }",
            "Bulk queries cannot have variables.",
        ),
        ("{ customers { nodes { id } } }", "Selecting via 'nodes' is not supported"),
        (
            "{ orders { edges { node { name lineItems { edges { node { id } } } } } } }",
            "Connection fields without 'id': orders.",
        ),
        (
            "{ orders { edges { node { number: id lineItems { edges { node { id } } } } } } }",
            "Connection fields without 'id': orders.",
        ),
        (
            "{ orders { edges { node { id refunds { id refundLineItems { edges { node { quantity } } } } } } } }",
            "a connection field within a list field",
        ),
        (
            "{ customers { edges { node { id orders { edges { node { id lineItems { edges { node { id } } } } } } } } } }",
            "nesting depth greater than 2",
        ),
        ("{ customers { edges { node { nope } } } }", "Invalid bulk query: Cannot query field 'nope'"),
        ("{ customers {", "Invalid bulk query: Syntax Error"),
        ("", "Invalid bulk query: Syntax Error"),
    ],
)
def test_a_query_that_breaks_the_rules_is_not_run(query: str, message: str) -> None:
    with serving(size=1) as client:
        errors = refused(client, query)
        counts = client.counts()

    assert [code for code, _ in errors] == ["INVALID"]
    assert message in errors[0][1]
    assert counts["bulk_operations"] == []


@pytest.mark.parametrize(("aliases", "allowed"), [(4, True), (5, False)])
def test_five_connections_are_the_most(aliases: int, allowed: bool) -> None:
    lists = " ".join(f"l{number}: lineItems {{ edges {{ node {{ id }} }} }}" for number in range(aliases))
    with serving(size=1) as client:
        said = client.ask(RUN, query=f"{{ orders {{ edges {{ node {{ id {lists} }} }} }} }}")["bulkOperationRunQuery"]

    assert (said["userErrors"] == []) is allowed


@pytest.mark.parametrize(("most", "code"), [(1, "OPERATION_IN_PROGRESS"), (5, "LIMIT_REACHED")])
def test_only_so_many_operations_run_at_once(most: int, code: str) -> None:
    with serving(size=3, limits=Limits(bulk_running=most)) as client:
        running = [run(client, CUSTOMERS) for _ in range(most)]
        too_many = refused(client, CUSTOMERS)
        finish(client, running[0])
        run(client, CUSTOMERS)

    assert [each[0] for each in too_many] == [code]


def test_running_operations_can_be_listed_and_found_again(clock: Clock) -> None:
    text = """query($q: String) { bulkOperations(first: 10, query: $q) { nodes { id status query } }
        currentBulkOperation { id } }"""
    with serving(Shop(now=clock)) as client:
        done = run(client, CUSTOMERS)
        finish(client, done)
        clock.pass_by(minutes=1)
        running = run(client, ORDERS)
        everything, active = client.ask(text), client.ask(text, q="status:running")
        by_node = client.ask("query($id: ID!) { node(id: $id) { ... on BulkOperation { status } } }", id=done)

    assert [node["id"] for node in everything["bulkOperations"]["nodes"]] == [running, done]
    assert active["bulkOperations"]["nodes"] == [{"id": running, "status": "RUNNING", "query": ORDERS}]
    assert everything["currentBulkOperation"] == {"id": running}
    assert by_node == {"node": {"status": "COMPLETED"}}


def test_listing_does_not_make_an_operation_go_on() -> None:
    with serving(size=3) as client:
        gid = run(client, CUSTOMERS)
        for _ in range(5):
            client.ask("{ bulkOperations(first: 10) { nodes { status } } }")

        assert look(client, gid)["status"] == "RUNNING"


def test_an_operation_nobody_knows_is_null() -> None:
    with serving(size=1) as client:
        assert client.ask(LOOK, id="gid://shopify/BulkOperation/1") == {"bulkOperation": None}


def test_a_cancelled_operation_is_cancelled_at_the_next_look() -> None:
    with serving(size=3) as client:
        gid = run(client, CUSTOMERS)
        said = client.ask(CANCEL, id=gid)["bulkOperationCancel"]
        end = look(client, gid)
        again = client.ask(CANCEL, id=gid)["bulkOperationCancel"]
        unknown = client.ask(CANCEL, id="gid://shopify/BulkOperation/1")["bulkOperationCancel"]

    assert said == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    assert (end["status"], end["url"]) == ("CANCELED", None)
    assert again["userErrors"] == [{"message": "A bulk operation cannot be canceled when it is canceled"}]
    assert unknown == {"bulkOperation": None, "userErrors": [{"message": "Bulk operation does not exist"}]}


def test_an_operation_that_fails_on_the_way_has_a_part_and_a_code() -> None:
    with serving(size=10) as client:
        client.stand_in.fault("bulk-failed", code="TIMEOUT")
        gid = run(client, CUSTOMERS)
        end = look(client, gid)
        part = lines(end["partialDataUrl"])
        after = finish(client, run(client, CUSTOMERS))

    assert (end["status"], end["errorCode"], end["url"]) == ("FAILED", "TIMEOUT", None)
    assert len(part) == 5 == int(end["objectCount"])
    assert (after["status"], after["objectCount"]) == ("COMPLETED", "10")


def test_an_operation_may_fail_without_a_part() -> None:
    with serving(size=10) as client:
        client.stand_in.fault("bulk-failed", partial="no", times=2)
        ends = [look(client, run(client, CUSTOMERS)) for _ in range(2)]

    assert {(end["status"], end["errorCode"], end["partialDataUrl"]) for end in ends} == {
        ("FAILED", "INTERNAL_SERVER_ERROR", None)
    }


@pytest.mark.parametrize(("fault", "status"), [("bulk-cancelled", "CANCELED"), ("bulk-expired", "EXPIRED")])
def test_somebody_else_or_time_may_end_an_operation(fault: str, status: str) -> None:
    with serving(size=3) as client:
        client.stand_in.fault(fault)
        ended = look(client, run(client, CUSTOMERS))
        after = finish(client, run(client, CUSTOMERS))

    assert (ended["status"], ended["url"]) == (status, None)
    assert after["status"] == "COMPLETED"


def test_without_the_scope_an_operation_fails_as_denied() -> None:
    with serving(size=3, scopes=["read_orders"]) as client:
        end = finish(client, run(client, CUSTOMERS))
        shown = client.counts()["bulk_operations"][0]

    assert (end["status"], end["errorCode"], end["url"]) == ("FAILED", "ACCESS_DENIED", None)
    assert end["completedAt"] is not None
    assert "read_customers" in shown["problem"]


def test_old_orders_are_not_in_a_bulk_operation_without_their_scope(clock: Clock) -> None:
    scopes = [scope for scope in ALL_SCOPES if scope != "read_all_orders"]
    with serving(size=40, now=clock, scopes=scopes) as client:
        rows = lines(finish(client, run(client, "{ orders { edges { node { id createdAt } } } }"))["url"])
        total = len(client.shop.orders)

    assert 0 < len(rows) < total
    assert min(row["createdAt"] for row in rows) >= "2026-09-21T12:00:00Z"


def test_reading_in_bulk_costs_only_the_calls_that_steer_it() -> None:
    with serving(size=50) as client:
        finish(client, run(client, CUSTOMERS))
        counts = client.counts()

    assert counts["points_used"] == 10 + 2 * 1


def test_a_file_needs_no_token_and_is_streamed_from_any_place(clock: Clock) -> None:
    with serving(size=50, now=clock) as client:
        url = finish(client, run(client, CUSTOMERS))["url"]
        whole = httpx.get(url)
        rest = httpx.get(url, headers={"Range": "bytes=1000-"})
        beyond = httpx.get(url, headers={"Range": f"bytes={len(whole.content)}-"})

    assert (whole.status_code, rest.status_code, beyond.status_code) == (200, 206, 416)
    assert rest.content == whole.content[1000:]
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"


def test_a_file_is_kept_for_seven_days(clock: Clock) -> None:
    with serving(size=1, now=clock) as client:
        url = finish(client, run(client, CUSTOMERS))["url"]
        clock.pass_by(days=7, seconds=-1)
        before = httpx.get(url).status_code
        clock.pass_by(seconds=1)
        after = httpx.get(url).status_code

    assert (before, after) == (200, 404)


def test_a_download_that_breaks_can_be_resumed() -> None:
    with serving(size=300) as client:
        url = finish(client, run(client, CUSTOMERS))["url"]
        whole = httpx.get(url).content
        client.stand_in.fault("download-broken", after=5000)
        got = read_what_comes(url)
        rest = httpx.get(url, headers={"Range": f"bytes={len(got)}-"}).content

    assert len(got) == 5000
    assert got + rest == whole


def test_a_prepared_file_stands_in_for_a_shop_that_would_be_too_large(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    rows = [{"id": f"gid://shopify/Order/{number}"} for number in range(500)]
    children = [{"id": f"gid://shopify/LineItem/{number}", "__parentId": rows[number]["id"]} for number in range(500)]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *children]))

    with serving(size=3, prepared={"orders": file}) as client:
        end = finish(client, run(client, ORDERS))
        content = httpx.get(end["url"]).content
        others = finish(client, run(client, CUSTOMERS))

    assert content == file.read_bytes()
    assert (end["objectCount"], end["rootObjectCount"], others["objectCount"]) == ("1000", "500", "3")


def test_the_files_are_gone_when_the_stand_in_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with serving(size=3) as client:
        finish(client, run(client, CUSTOMERS))
        run(client, CUSTOMERS)
        during = list(tmp_path.rglob("*.jsonl"))

    assert len(during) == 2
    assert list(tmp_path.iterdir()) == []
    assert [each["status"] for each in client.counts()["bulk_operations"]] == ["COMPLETED", "CANCELED"]
