"""Reading a Shopify shop again: what changed, what is gone, and no more calls than that takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hub_shopify.stand_in import ALL_SCOPES
from tests.shopify_client import Bench, Clock, Limits, Shop, bench


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def fill(made: Bench, customers: int) -> None:
    """Add customers, each with an order of two lines."""
    shop = made.shop
    for number in range(customers):
        customer = shop.add_customer(email=f"{number}@example.com", first_name=f"P{number}")
        shop.add_order([shop.line("Boot", "10.00"), shop.line("Cap", "5.00")], customer)


def read(made: Bench, table: str) -> int:
    """Pull, and return how many rows of a table came."""
    return made.pull().sources[0].tables[table]["read"]


def test_only_what_changed_is_read_again_and_only_once(made: Bench) -> None:
    fill(made, 30)
    made.clock.go(hours=1)
    made.pull()
    made.clock.go(hours=1)
    first = read(made, "customers")

    made.shop.update_customer(next(iter(made.shop.customers.values())), first_name="Ada")
    second, third = read(made, "customers"), read(made, "customers")

    assert (first, second, third) == (0, 1, 0)
    assert made.ask("select count(*) from customers where first_name = 'Ada'") == [(1,)]


def test_a_read_with_nothing_new_takes_one_call_for_each_list(made: Bench) -> None:
    fill(made, 3)
    made.pull()
    made.clock.go(hours=1)
    made.pull()
    before = made.asked("served")

    made.clock.go(hours=1)
    made.pull()

    assert made.asked("served") - before == 1 + 4  # what the app may see, and four lists


def test_what_was_changed_while_it_was_read_is_not_missed(made: Bench) -> None:
    fill(made, 3)
    ada, bo, _ = made.shop.customers.values()
    made.pull()
    made.clock.go(hours=1)

    # The same second, before and after it was looked at.
    made.shop.update_customer(ada, first_name="Ada", updated_at=made.clock())
    made.pull()
    made.shop.update_customer(bo, first_name="Bo", updated_at=ada.updated_at)
    made.shop.update_customer(ada, first_name="Ada Marie", updated_at=ada.updated_at)
    made.pull()

    assert made.ask("select first_name from customers order by email limit 2") == [("Ada Marie",), ("Bo",)]


def test_a_change_that_the_index_shows_late_is_found_by_looking_back(made: Bench) -> None:
    fill(made, 2)
    made.pull()
    made.clock.go(hours=1)
    late, _ = made.shop.customers.values()
    made.stand_in.fault("late-search", seconds=60)
    made.shop.update_customer(late, first_name="Late")
    made.pull()

    made.stand_in.heal()
    made.clock.go(minutes=15)
    made.pull()

    assert made.ask("select count(*) from customers where first_name = 'Late'") == [(1,)]


@pytest.mark.parametrize("lines", [10, 11, 35])
def test_lists_inside_a_page_are_followed_to_their_end(made: Bench, lines: int) -> None:
    made.pull()
    made.clock.go(hours=1)
    shop = made.shop
    shop.add_order([shop.line(f"Line {number}", "1.00") for number in range(lines)])
    shop.add_checkout([shop.checkout_line(f"Line {number}", "1.00") for number in range(lines)])
    shop.add_product("Boot", "1.00", collections=[shop.add_collection(f"C{number}").number for number in range(lines)])

    made.pull()

    assert made.ask("select count(distinct line) from order_lines") == [(lines,)]
    assert made.ask("select count(distinct line) from cart_lines") == [(lines,)]
    assert made.ask("select len(collections) from products") == [(lines,)]


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])  # every example is several pulls
@given(data=st.data())
def test_whatever_happens_in_the_shop_the_catalog_follows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    clock = Clock()
    with bench(tmp_path_factory.mktemp("shop"), clock=clock) as made:
        shop = made.shop
        fill(made, 3)
        for _ in range(data.draw(st.integers(1, 3), "pulls")):
            made.pull()
            for _ in range(data.draw(st.integers(0, 4), "events")):
                clock.go(seconds=data.draw(st.integers(0, 900), "pause"))
                orders, customers = list(shop.orders.values()), list(shop.customers.values())
                match data.draw(st.sampled_from(["customer", "order", "line", "refund", "cart", "done", "cancel"])):
                    case "customer":
                        fill(made, 1)
                    case "order":
                        shop.add_order([shop.line("Sock", "3.00")], data.draw(st.sampled_from(customers)))
                    case "line":
                        order = data.draw(st.sampled_from(orders))
                        shop.remove_line(order, order.lines[0], vanish=data.draw(st.booleans()))
                    case "refund":
                        shop.refund(data.draw(st.sampled_from(orders)), "1.00")
                    case "cart":
                        shop.add_checkout([shop.checkout_line("Cap", "5.00")], data.draw(st.sampled_from(customers)))
                    case "done" if shop.checkouts:
                        shop.complete_checkout(data.draw(st.sampled_from(list(shop.checkouts.values()))))
                    case "cancel":
                        shop.cancel_order(data.draw(st.sampled_from(orders)))
        made.pull()
        followed = everything(made)
        made.wiring().catalog.delete()
        made.pull()

        assert followed == everything(made)


def everything(made: Bench) -> list[list[tuple[Any, ...]]]:
    """Return all rows; what Shopify counts for each customer moves no customer's ``updatedAt`` and waits for a recount."""
    counted = {"customers": ", lifetime_orders, lifetime_spend"}
    tables = ("customers", "orders", "order_lines", "carts", "cart_lines")
    return [made.rows(table, f"* exclude (loaded_at, person_id{counted.get(table, '')})") for table in tables]


def test_more_than_pages_show_is_read_in_bulk(tmp_path: Path) -> None:
    lines = [
        {"id": f"gid://shopify/Customer/{number}", "firstName": "P", "dataSaleOptOut": False}
        for number in range(25_001)
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    clock = Clock()
    with bench(
        tmp_path, clock=clock, limits=Limits(bulk_polls=1), prepared={"customers": tmp_path / "all.jsonl"}
    ) as made:
        made.pull()
        made.clock.go(hours=1)
        for _ in range(25_001):
            made.shop.add_customer(first_name="P")
        made.pull()

        begun = [each["query"] for each in made.asked("bulk_operations") if each["query"].startswith("{ customers")]

    assert len(begun) == 2
    assert begun[0].startswith("{ customers {")
    assert begun[1].startswith("{ customers(query: \"updated_at:>='2026-11-21T11:50:01Z'\") {")


def test_as_much_as_pages_show_is_read_by_pages(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(depth=300)) as made:
        made.pull()
        made.clock.go(hours=1)
        for number in range(300):
            made.shop.add_customer(email=f"{number}@example.com")
        rows = read(made, "customers")

        assert rows == 300
        assert sum(each["query"].startswith("{ customers") for each in made.asked("bulk_operations")) == 1


def test_pages_go_on_where_a_stopped_read_left_off(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.pull()
        made.clock.go(hours=1)
        for number in range(900):
            made.shop.add_customer(email=f"{number}@example.com")
            made.clock.go(seconds=10)
        with made.source() as source:
            pages = source.read("customers", made.cursor("customers"), made.clock())
            first = next(pages)
            begun = made.asked("points_used")
        rest = made.read("customers", first.cursor)

        assert first.tables["customers"].num_rows < 900
        known = {row["customer_id"] for row in first.tables["customers"].to_pylist()}
        later = {row["customer_id"] for page in rest for row in page.tables.get("customers", [])}
        assert len(known | later) == 900
        assert not known & later
        assert made.asked("points_used") > begun


def test_a_place_that_shopify_no_longer_knows_begins_the_window_anew(made: Bench) -> None:
    made.pull()
    made.clock.go(hours=1)
    fill(made, 5)
    made.clock.go(seconds=1)
    cursor = made.cursor("customers")
    window = {"since": cursor["since"], "until": "2026-11-21T12:30:00Z", "after": "nowhere", "newest": cursor["since"]}

    pages = made.read("customers", cursor | {"window": window})

    assert sum(len(page.tables.get("customers", [])) for page in pages) == 5


def test_a_cursor_of_another_kind_begins_anew(made: Bench) -> None:
    fill(made, 2)

    pages = made.read("customers", {"page": 7})

    assert sum(len(page.tables.get("customers", [])) for page in pages) == 2


def test_orders_reach_as_far_as_the_app_sees_them(tmp_path: Path) -> None:
    without = [scope for scope in ALL_SCOPES if scope != "read_all_orders"]
    clock = Clock()
    with bench(tmp_path, clock=clock, scopes=without) as made:
        shop = made.shop
        shop.add_order([shop.line("Old", "10.00")], created_at=clock() - timedelta(days=90))
        shop.add_order([shop.line("New", "10.00")], created_at=clock() - timedelta(days=30))
        made.pull()
        began = clock().replace(tzinfo=None)

        with made.wiring().catalog.session(clock(), clock()) as session:
            [orders], [carts] = session.reach("orders"), session.reach("carts")

    assert made.rows("orders", "name") == [("#1002",)]
    assert timedelta(0) <= began - timedelta(days=60) - orders.start <= timedelta(minutes=5)
    assert carts.start is None
    assert carts.fresh_until < orders.fresh_until, "orders that are older than carts would hold everybody back"


def test_an_app_that_may_see_all_orders_from_now_on_reads_them(tmp_path: Path) -> None:
    clock = Clock()
    shop = Shop(now=clock)
    shop.add_order([shop.line("Old", "10.00")], created_at=clock() - timedelta(days=90))
    without = [scope for scope in ALL_SCOPES if scope != "read_all_orders"]
    with bench(tmp_path, shop, clock=clock, scopes=without) as made:
        made.pull()
        before = made.rows("orders", "name")
    with bench(tmp_path, shop, clock=clock) as made:
        made.pull()

        assert (before, made.rows("orders", "name")) == ([], [("#1001",)])
        with made.wiring().catalog.session(clock(), clock()) as session:
            assert session.reach("orders")[0].start is None


def test_what_has_nothing_new_is_as_fresh_as_the_read(made: Bench) -> None:
    fill(made, 1)
    made.pull()
    made.clock.go(hours=5)
    made.pull()

    with made.wiring().catalog.session(made.clock(), made.clock()) as session:
        fresh = {table: session.reach(table)[0].fresh_until for table in ("customers", "orders", "carts", "products")}
    assert set(fresh.values()) == {made.clock().replace(tzinfo=None)}
