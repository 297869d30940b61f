"""Bulk operations: begun once, watched with patience, resumed, and read however their lines lie."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hub.api import AuthError, Page, TransientError
from tests.shopify_client import Bench, Clock, Limits, bench

MONEY = {"shopMoney": {"amount": "10.0", "currencyCode": "DKK"}}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def fill(made: Bench, orders: int = 20) -> None:
    for number in range(orders):
        customer = made.shop.add_customer(email=f"{number}@example.com")
        made.shop.add_order([made.shop.line("Boot", "10.00"), made.shop.line("Cap", "5.00")], customer)
    made.clock.go(hours=1)


def jobs(made: Bench, root: str) -> list[dict[str, Any]]:
    return [each for each in made.asked("bulk_operations") if each["query"].startswith(f"{{ {root}")]


def read_until(made: Bench, stream: str, since: Any, wanted: int) -> Any:
    """Read as far as some page, as a run does that is killed after storing it, and return the cursor kept."""
    with made.source() as source:
        for number, page in enumerate(source.read(stream, since, made.clock()), 1):
            since = page.cursor
            if number == wanted:
                return since
    return since


def read_until_it_fails(made: Bench, stream: str, why: str | None = None) -> Any:
    """Read until something passing goes wrong, and return the cursor kept by then."""
    cursors: list[Any] = []
    with made.source() as source:
        kept = (page.cursor for page in source.read(stream, None, made.clock()))
        with pytest.raises(TransientError, match=why):
            cursors.extend(kept)
    return cursors[-1]


def ordered(pages: Iterable[Page]) -> list[int]:
    """Return the ids of the orders in pages as they come."""
    return [number for page in pages if page.tables for number in column(page, "orders", "order_id")]


def column(page: Page, table: str, name: str) -> list[int]:
    rows = page.tables[table]
    return rows[name].to_pylist() if rows.num_rows else []


def ids(pages: list[Page], table: str = "orders", key: str = "order_id") -> set[Any]:
    return {row[key] for page in pages for row in page.tables.get(table, [])}


def test_an_operation_is_watched_less_and_less_often(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=12)) as made:
        fill(made, 1)
        made.read("products")

        pauses = made.clock.slept

    assert pauses[:4] == [5.0, 7.5, 11.25, 16.875]
    assert set(pauses[7:]) == {60.0}
    assert len(pauses) == 11


@pytest.mark.parametrize("stops_after", [1, 2, 3, 4])
def test_an_operation_that_a_killed_run_left_behind_is_taken_up(tmp_path: Path, stops_after: int) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=3)) as made:
        fill(made)
        cursor = read_until(made, "orders", None, stops_after)

        rest = made.read("orders", cursor)

        assert len(ids(rest)) == 20
        assert len(jobs(made, "orders")) == 1


def test_an_operation_whose_id_was_never_noted_is_found_again(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=5)) as made:
        fill(made)
        read_until(made, "orders", None, 1)

        assert len(ids(made.read("orders", None))) == 20
        assert len(jobs(made, "orders")) == 1


def test_an_operation_whose_beginning_was_not_heard_of_is_not_begun_twice(made: Bench) -> None:
    fill(made)
    with made.source() as source:
        pages = source.read("orders", None, made.clock())
        http = source.http
        post = http.post

        def lose_the_answer(path: str, **how: Any) -> Any:
            if "mutation" in str(how.get("json")):
                made.stand_in.fault("dropped", when="after", times=1)
            return post(path, **how)

        http.post = lose_the_answer
        rows = ordered(pages)

    assert len(rows) == 20
    assert len(jobs(made, "orders")) == 1


def test_a_run_that_is_stopped_while_it_waits_goes_on_next_time(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=50)) as made:
        fill(made)
        stop = threading.Event()
        made.clock.on_sleep = stop.set
        stopped = made.pull_anyhow(stop)
        made.clock.on_sleep = None
        made.pull()

        assert (stopped.status, stopped.sources) == ("failed", [])
        assert made.ask("select count(*) from orders") == [(20,)]
        assert all(len(jobs(made, root)) == 1 for root in ("customers", "abandonedCheckouts", "orders", "products"))


@pytest.mark.parametrize("fault", ["bulk-failed", "bulk-cancelled", "bulk-expired"])
def test_an_operation_that_comes_to_nothing_is_said_and_begun_anew_by_the_next_run(made: Bench, fault: str) -> None:
    fill(made)
    made.stand_in.fault(fault, times=1)

    first = made.pull_anyhow().sources[0]
    made.pull()

    assert first.status == "failed"
    assert "the bulk operation for customers is" in first.trouble.text
    assert made.ask("select (select count(*) from customers), (select count(*) from orders)") == [(20, 20)]
    assert len(jobs(made, "customers")) == 2


def test_a_recount_that_comes_to_nothing_costs_no_run(made: Bench) -> None:
    fill(made)
    made.pull()
    made.clock.go(days=8)
    made.stand_in.fault("bulk-failed", times=9)
    numbers = [made.pull() for _ in range(2)]
    made.stand_in.heal()
    begun = len(jobs(made, "orders"))
    made.clock.go(hours=1)
    made.pull()

    assert "looked for again tomorrow" in " ".join(numbers[0].sources[0].notes)
    assert len(jobs(made, "orders")) == begun == 2
    made.clock.go(days=1)
    made.pull()
    assert len(jobs(made, "orders")) == 3


def test_one_that_may_not_be_read_is_a_matter_of_access_and_begun_anew(made: Bench) -> None:
    made.stand_in.fault("bulk-failed", code="ACCESS_DENIED")

    with made.source() as source:
        pages = source.read("orders", None, made.clock())
        cursors: list[Any] = []
        with pytest.raises(AuthError, match="ACCESS_DENIED"):
            cursors.extend(page.cursor for page in pages)

    assert cursors[-1]["job"] is None


def test_where_as_many_operations_run_as_may_one_is_waited_for(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_running=1, bulk_polls=1)) as made:
        fill(made)
        cursor = read_until(made, "customers", None, 1)
        begun = made.clock.seconds
        with made.source() as source:
            pages = source.read("orders", None, made.clock())
            waiting = [next(pages) for _ in range(3)]
            waited = made.clock.seconds - begun
            made.read("customers", cursor)  # it is done now
            rows = ordered(pages)

    assert [page.cursor["job"] for page in waiting] == [None] * 3
    assert waited >= 60
    assert len(rows) == 20


def test_a_result_that_breaks_off_is_continued(made: Bench) -> None:
    fill(made)
    made.stand_in.fault("download-broken", times=3)

    assert len(ids(made.read("orders"))) == 20
    assert made.asked("downloads") == 4


def test_a_result_that_keeps_breaking_off_is_continued_by_the_next_run(made: Bench) -> None:
    fill(made)
    made.stand_in.fault("download-broken", after=700, times=4)
    cursor = read_until_it_fails(made, "orders")
    [part] = made.cache().glob("orders-*")
    held = part.stat().st_size

    rest = made.read("orders", cursor)

    assert held > 0
    assert len(ids(rest)) == 20
    assert not list(made.cache().glob("orders-*"))


def test_a_result_whose_address_is_too_old_is_asked_for_anew(made: Bench) -> None:
    fill(made)
    cursor = read_until(made, "orders", None, 3)
    for file in made.cache().glob("orders-*"):
        file.unlink()
    made.clock.go(days=8)

    with pytest.raises(TransientError, match="cannot be fetched"):
        made.read("orders", cursor)


@pytest.mark.parametrize("broken", ['{"id": "gid://shopify/Order/1"', "<html>", '{"id": 5} {"id": '])
def test_a_damaged_result_is_fetched_again(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "orders.jsonl"
    good = json.dumps(order(1))
    file.write_text(f"{good}\n{broken}\n")
    with bench(tmp_path, prepared={"orders": file}) as made:
        cursor = read_until_it_fails(made, "orders", "is damaged")
        file.write_text(f"{good}\n")

        assert ids(made.read("orders", cursor)) == {1}


def test_a_shop_without_anything_has_no_file(made: Bench) -> None:
    pages = made.read("orders")

    assert ids(pages) == set()
    assert pages[-1].cursor["since"] == "2026-11-21T12:00:00Z"
    assert [each.keys for each in pages[-1].remaining] == [[]]


def order(number: int) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "processedAt": "2026-11-01T00:00:00Z",
        "displayFinancialStatus": "PAID",
        "discountCodes": ["A", "B"],
        "totalPriceSet": MONEY,
        "totalDiscountsSet": MONEY,
        "totalRefundedSet": {"shopMoney": {"amount": "0.0"}},
    }


def line(number: int, parent: int) -> dict[str, Any]:
    parts = {"name": "Boot", "quantity": 1, "currentQuantity": 1, "originalUnitPriceSet": MONEY}
    return {"id": f"gid://shopify/LineItem/{number}", **parts, "__parentId": f"gid://shopify/Order/{parent}"}


def applied(code: str, target: str, parent: int) -> dict[str, Any]:
    return {"index": 0, "targetType": target, "code": code, "__parentId": f"gid://shopify/Order/{parent}"}


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(families=st.lists(st.integers(0, 4), max_size=8), seed=st.integers())
def test_children_find_their_parent_wherever_they_stand(
    tmp_path_factory: pytest.TempPathFactory, families: list[int], seed: int
) -> None:
    lines = [order(number) for number in range(1, len(families) + 1)]
    expected = set()
    for parent, children in enumerate(families, 1):
        expected |= {(parent, 100 * parent + child) for child in range(children)}
        lines += [line(100 * parent + child, parent) for child in range(children)]
        lines += [applied("A", "SHIPPING_LINE", parent)] * (children % 2)
    random.Random(seed).shuffle(lines)
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))

    with bench(folder, limits=Limits(bulk_polls=1), prepared={"orders": folder / "orders.jsonl"}) as made:
        pages = made.read("orders")

    rows = [row for page in pages for row in page.tables.get("order_lines", [])]
    assert {(row["order_id"], row["line"]) for row in rows} == expected
    assert len(rows) == len(expected)
    codes = {row["order_id"]: row["discount_codes"] for page in pages for row in page.tables.get("orders", [])}
    assert codes == {parent: ["B"] if children % 2 else ["A", "B"] for parent, children in enumerate(families, 1)}


def test_many_orders_come_in_pages_each_with_its_lines_and_a_count(tmp_path: Path) -> None:
    size = 60_000
    with (tmp_path / "orders.jsonl").open("w") as file:
        file.writelines(json.dumps(order(number)) + "\n" for number in range(1, size + 1))
        file.writelines(json.dumps(line(number, number)) + "\n" for number in range(size, 0, -1))
    clock = Clock()
    with bench(tmp_path, clock=clock, prepared={"orders": tmp_path / "orders.jsonl"}) as made, made.source() as source:
        pages = [page for page in source.read("orders", None, clock()) if ordered([page])]

    assert len(pages) == 2
    for page in pages:
        assert set(ordered([page])) == set(column(page, "order_lines", "line"))
        assert page.total == 2 * size
