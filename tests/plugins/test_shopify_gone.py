"""What is deleted, merged or erased in a Shopify shop is so in the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub_shopify.stand_in import ALL_SCOPES
from tests.shopify_client import Bench, Clock, Shop, bench

WEEK = timedelta(days=7)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def people(made: Bench, *names: str) -> list[Any]:
    """Add customers by name, each with an order and a cart."""
    shop, found = made.shop, []
    for name in names:
        customer = shop.add_customer(
            email=f"{name.lower()}@example.com", first_name=name, phone=f"+4520{len(name):06d}"
        )
        shop.set_consent(customer, "email", "SUBSCRIBED", opt_in_level="CONFIRMED_OPT_IN")
        shop.add_order([shop.line("Boot", "10.00")], customer, created_at=made.clock())
        shop.add_checkout([shop.checkout_line("Cap", "5.00")], customer)
        found.append(customer)
    return found


def recount(made: Bench) -> None:
    """Let it become due to read all again."""
    made.clock.go(days=7)
    made.pull()


def test_a_deleted_customer_leaves_with_every_consent(made: Bench) -> None:
    ada, _, _ = people(made, "Ada", "Bo", "Cleo")
    made.pull()

    made.shop.delete_customer(ada)
    recount(made)

    assert made.rows("customers", "first_name") == [("Bo",), ("Cleo",)]
    assert made.ask("select count(distinct subject) from consent_records") == [(2,)]
    assert made.ask("select count(*) from orders where customer_id is null") == [(1,)]


def test_a_deleted_order_and_a_deleted_product_leave(made: Bench) -> None:
    people(made, "Ada", "Bo", "Cleo")
    kept, gone, _ = (made.shop.add_product(title, "1.00") for title in ("Kept", "Gone", "Kept too"))
    made.pull()

    made.shop.delete_order(next(iter(made.shop.orders.values())))
    made.shop.delete_product(gone)
    recount(made)

    assert made.rows("orders", "name") == [("#1002",), ("#1003",)]
    assert made.ask("select count(*) from order_lines") == [(2,)]
    assert made.rows("products", "title") == [("Kept",), ("Kept too",)]
    assert str(kept.number) in {row[0] for row in made.rows("products", "product_id")}


def test_all_is_read_again_when_it_is_due_and_nobody_waits_for_it(made: Bench) -> None:
    people(made, "Ada")
    made.pull()
    made.clock.go(days=6, hours=23)
    made.pull()
    before = len(made.asked("bulk_operations"))
    made.clock.go(hours=2)
    slept = len(made.clock.slept)
    made.pull()

    assert len(made.asked("bulk_operations")) - before == 3  # customers, orders, products
    assert made.clock.slept[slept:] == [5.0] * 3  # between looks, as many as there are lists

    made.clock.go(minutes=15)
    read = made.pull().sources[0].tables
    assert {name: read[name]["read"] for name in ("customers", "orders", "carts")} == {
        "customers": 1,
        "orders": 1,
        "carts": 0,
    }


def test_what_changed_while_all_was_read_again_is_as_new_as_it_is(made: Bench) -> None:
    [ada] = people(made, "Ada")
    made.pull()
    made.clock.go(days=6, hours=23)
    made.pull()
    made.clock.go(hours=2)
    made.pull()  # begun, with Ada in it
    assert made.cursor("customers")["job"] is not None
    made.clock.go(minutes=5)
    made.shop.update_customer(ada, first_name="Ada Marie")
    made.pull()
    made.clock.go(minutes=15)
    made.pull()

    assert made.rows("customers", "first_name") == [("Ada Marie",)]


def test_where_runs_are_rare_all_is_read_again_at_once(made: Bench) -> None:
    ada, *_ = people(made, "Ada", "Bo", "Cleo")
    made.pull()

    made.shop.delete_customer(ada)
    made.clock.go(days=8)
    made.pull()

    assert made.rows("customers", "first_name") == [("Bo",), ("Cleo",)]


@pytest.mark.parametrize(("setting", "days", "due"), [("1d", 2, True), ("30d", 20, False), ("30d", 31, True)])
def test_how_often_is_a_setting(made: Bench, setting: str, days: int, due: bool) -> None:
    made.settings = f'reconcile = "{setting}"'
    made.pull()
    before = len(made.asked("bulk_operations"))

    made.clock.go(days=days)
    made.pull()

    assert (len(made.asked("bulk_operations")) > before) is due


def test_a_list_that_comes_out_short_waits_for_somebody(made: Bench) -> None:
    everybody = people(made, *(f"P{'x' * number}" for number in range(10)))
    made.pull()
    for customer in everybody[:6]:
        made.shop.delete_customer(customer)
    made.clock.go(days=7)

    held = made.pull_anyhow().sources[0]

    assert held.status == "failed"
    assert held.trouble.text == "customers shrank from 10 to 4 rows; the old content stands"
    assert "hub approve acme shop" in held.trouble.next_step
    assert made.ask("select count(*) from customers") == [(10,)]
    with made.wiring().open_ledger() as ledger:
        ledger.approve("shop")
    made.pull()
    assert made.ask("select count(*) from customers") == [(4,)]


def test_orders_beyond_what_the_app_sees_are_no_deletions(tmp_path: Path) -> None:
    clock = Clock()
    shop = Shop(now=clock)
    for days in (100, 61, 59, 1):
        shop.add_order([shop.line("Boot", "10.00")], created_at=clock() - timedelta(days=days))
    with bench(tmp_path, shop, clock=clock) as made:
        made.pull()
    without = [scope for scope in ALL_SCOPES if scope != "read_all_orders"]
    with bench(tmp_path, shop, clock=clock, scopes=without) as made:
        recount(made)

        assert made.ask("select count(*) from orders") == [(4,)]


def test_merged_customers_become_one(made: Bench) -> None:
    ada, other, _ = people(made, "Ada", "Adele", "Cleo")
    made.pull()

    made.shop.merge_customers(ada, other)
    made.pull()

    assert made.rows("customers", "first_name") == [("Ada",), ("Cleo",)]
    assert made.ask(f"select count(*), count(distinct person_id) from orders where customer_id = '{ada.number}'") == [
        (2, 1)
    ]
    assert made.ask(f"select count(*) from consent_records where subject = '{other.number}'") == [(0,)]


def test_what_another_source_has_of_a_merged_customer_goes_to_the_one_that_is_left(made: Bench) -> None:
    ada, other, _ = people(made, "Ada", "Adele", "Cleo")
    (made.folder / "old").mkdir()
    (made.folder / "old" / "customers.csv").write_text(
        f"Customer ID,First Name,Email,Total Orders\n{other.number},Adele,old.address@example.com,1\n"
    )
    made.rest = '[sources.old]\nplugin = "csv"\nfolder = "old"\nsystem = "shop"\n'
    made.pull()

    made.shop.merge_customers(ada, other)
    made.pull()

    assert made.ask(
        "select count(distinct person_id) from identities where value in ('ada@example.com', 'old.address@example.com')"
    ) == [(1,)]


def test_an_order_given_to_another_customer_merges_nobody(made: Bench) -> None:
    ada, bo = people(made, "Ada", "Bo")
    made.pull()

    made.shop.update_order(made.shop.orders_of(ada.number)[0], customer=bo.number, email="bo@example.com")
    made.pull()

    assert made.rows("customers", "first_name") == [("Ada",), ("Bo",)]
    assert made.ask("select count(*) from people") == [(2,)]


def test_an_erased_customer_is_erased_and_stays_so(made: Bench) -> None:
    ada, _ = people(made, "Ada", "Bo")
    (made.folder / "old").mkdir()
    (made.folder / "old" / "customers.csv").write_text(
        f"Customer ID,First Name,Email,Total Orders\n{ada.number},Ada,ada@example.com,1\n9,Dora,dora@example.com,1\n"
    )
    made.rest = '[sources.old]\nplugin = "csv"\nfolder = "old"\nsystem = "shop"\n'
    made.pull()

    made.shop.redact_customer(ada)
    made.pull()
    made.clock.go(hours=1)
    made.pull()

    assert sorted(row[0] for row in made.rows("customers", "first_name")) == ["Bo", "Dora"]
    assert made.ask("select count(*) from identities where value = 'ada@example.com'") == [(0,)]
    assert b"ada@example.com" not in made.wiring().catalog.path.read_bytes()
    with made.wiring().open_ledger() as ledger:
        assert ledger.blocks().table["reason"].to_pylist().count("erasure") >= 3  # number, e-mail, phone


def test_an_app_that_may_read_no_personal_data_erases_nobody(made: Bench) -> None:
    people(made, "Ada", "Bo")
    made.stand_in.fault("redacted")

    made.pull()

    assert made.ask("select count(*), count(email), count(first_name) from customers") == [(2, 0, 0)]
    with made.wiring().open_ledger() as ledger:
        assert ledger.blocks().table.num_rows == 0


def test_a_customer_who_only_has_a_phone_is_somebody(made: Bench) -> None:
    people(made, "Ada")
    made.shop.add_customer(phone="+4520222222")
    made.pull()

    assert made.ask("select count(*) from customers") == [(2,)]
