"""What leaves the catalog: deletions, and what is missing from a list of all that remains."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.api import Gone, Merged, Page, Remaining
from hub.catalog import Shrink
from hub.config.models import Guards
from hub.errors import PluginError
from tests.catalog_shop import NOW, Shop, a_shop, days, order

KEEP_ALL = Guards(max_shrink=1.0)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def orders_with_lines(*numbers: int) -> dict[str, Any]:
    """Return orders placed so many days ago, each with a line."""
    return {
        "orders": [order(str(number), number) for number in numbers],
        "order_lines": [{"order_id": str(number), "line": "1"} for number in numbers],
    }


def left_in(shop: Shop) -> list[str]:
    return [row[0] for row in shop.ask("select order_id from orders order by order_id")]


def test_what_is_not_among_all_that_remains_goes_with_its_children(shop: Shop) -> None:
    shop.load(orders_with_lines(1, 2, 3))

    report = shop.load(Page({}, remaining=[Remaining("orders", ["gid://shopify/Order/1", "3", "999"])]))

    assert (report.changed, report.shrunk) == (True, [])
    assert left_in(shop) == ["1", "3"]
    assert shop.ask("select order_id from order_lines order by 1") == [("1",), ("3",)]


def test_rows_of_the_same_page_may_be_judged_and_arrow_readers_are_lists_too(shop: Shop) -> None:
    shop.load(orders_with_lines(1, 2))
    keys = pa.table({"id": pa.array(["2", "3"])})

    shop.load(Page(orders_with_lines(3), remaining=[Remaining("orders", keys.to_reader(1))]))

    assert left_in(shop) == ["2", "3"]


@pytest.mark.parametrize(("since", "left"), [(2.5, ["3", "4"]), (3, ["4"]), (3.000001, ["4"]), (None, [])])
def test_only_rows_from_a_time_on_are_judged(shop: Shop, since: float | None, left: list[str]) -> None:
    shop.load(orders_with_lines(1, 2, 3, 4))

    begin = None if since is None else days(since)
    shop.load(Page({}, remaining=[Remaining("orders", [], since=begin)]), guards=KEEP_ALL)

    assert left_in(shop) == left


def test_a_table_that_would_lose_too_much_stands_with_its_cursor(shop: Shop) -> None:
    shop.load(Page(orders_with_lines(1, 2, 3), cursor="old"))

    report = shop.load(
        Page(orders_with_lines(4), cursor="first"),
        Page(orders_with_lines(5), cursor="new", remaining=[Remaining("orders", ["1"])]),
        Page(orders_with_lines(6), cursor="never"),
    )

    assert report.shrunk == [Shrink("orders", 5, 1)]
    assert left_in(shop) == ["1", "2", "3", "4"]
    with shop.catalog.writer(NOW) as writer:
        assert writer.cursor("shop", "all") == "first"


@pytest.mark.parametrize(("accepted", "left"), [(1, 1), (0, 1), (2, 4)])
def test_a_loss_that_somebody_approved_is_taken(shop: Shop, accepted: int, left: int) -> None:
    shop.load(orders_with_lines(1, 2, 3, 4))

    shop.load(Page({}, remaining=[Remaining("orders", ["1"])]), accept_shrink={"orders": accepted})

    assert len(left_in(shop)) == left


def test_the_guard_looks_at_the_rows_that_are_judged(shop: Shop) -> None:
    shop.load(orders_with_lines(*range(1, 101)))

    report = shop.load(Page({}, remaining=[Remaining("orders", [], since=days(10))]))

    assert report.shrunk == [Shrink("orders", 10, 0)]
    assert len(left_in(shop)) == 100


def test_statements_about_people_who_left_go_by_their_subject(shop: Shop) -> None:
    shop.load(
        {
            "customers": [{"customer_id": n, "email": f"{n}@x.example"} for n in "123"],
            "consents": [
                {"subject": n, "subject_kind": "customer_id", "channel": channel, "status": "subscribed"}
                for n in "123"
                for channel in ("email", "sms")
            ],
        }
    )

    keys = ["1", "2"]
    shop.load(Page({}, remaining=[Remaining("customers", keys), Remaining("consents", keys)]))

    assert shop.ask("select customer_id from customers order by 1") == [("1",), ("2",)]
    assert shop.ask("select distinct subject from consent_records order by 1") == [("1",), ("2",)]


def test_another_source_of_the_shop_keeps_what_it_gave(tmp_path: Path) -> None:
    shop = Shop(tmp_path, [("api", "shop"), ("files", "shop")])
    shop.load(orders_with_lines(1, 2), source="api")
    shop.load(orders_with_lines(2, 3), source="files")

    shop.load(Page({}, remaining=[Remaining("orders", [])]), source="api", guards=KEEP_ALL)

    assert left_in(shop) == ["2", "3"]


def test_a_table_that_was_never_read_loses_nothing_and_one_that_is_none_is_the_plugins_fault(shop: Shop) -> None:
    assert shop.load(Page({}, remaining=[Remaining("orders", ["1"])])).shrunk == []

    with pytest.raises(PluginError, match="'parcels' is no table"):
        shop.load(Page({}, remaining=[Remaining("parcels", [])]))


@settings(max_examples=15, deadline=None)
@given(stored=st.sets(st.integers(1, 30)), kept=st.sets(st.integers(1, 30)))
def test_what_stays_is_what_was_stored_and_remains(stored: set[int], kept: set[int]) -> None:
    with a_shop() as shop:
        shop.load(orders_with_lines(*stored))

        shop.load(Page({}, remaining=[Remaining("orders", sorted(kept))]), guards=KEEP_ALL)

        assert left_in(shop) == sorted(str(number) for number in stored & kept)


def test_many_deletions_of_one_page_are_all_done(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": str(n), "email": f"{n}@x.example"} for n in range(300)]})

    erased = [Gone("customers", str(n), erased=True) for n in range(0, 300, 2)]
    report = shop.load(Page({}, gone=[*erased, Gone("customers", "1")]))

    assert shop.ask("select count(*), min(customer_id::int) from customers") == [(149, 3)]
    assert len(report.erased) == len(shop.blocks) == 300  # an id and an e-mail each


def test_a_page_that_brings_only_a_cursor_is_stored_and_no_reason_to_merge_again(shop: Shop) -> None:
    shop.load(orders_with_lines(1))

    report = shop.load(Page({}, cursor={"job": 7}), Page({"orders": []}), rebuild=False)

    assert not report.changed
    with shop.catalog.writer(NOW) as writer:
        assert writer.cursor("shop", "all") == {"job": 7}
        assert not writer.rebuild().rebuilt


def test_a_table_that_is_given_for_the_first_time_is_there_although_it_is_empty(shop: Shop) -> None:
    shop.load(orders_with_lines(1))

    shop.load({"carts": []})

    with shop.session() as session:
        assert "carts" in session.tables


def test_a_record_that_shows_no_address_any_more_shows_none(shop: Shop) -> None:
    def told(email: str | None, at: datetime) -> dict[str, Any]:
        statement = {"subject": "1", "subject_kind": "customer_id", "channel": "email", "status": "unknown"}
        return {"customers": [{"customer_id": "1", "email": email}], "consents": [statement | {"recorded_at": at}]}

    shop.load(told("a@x.example", days(2)))
    shop.load(told(None, days(1)))

    assert shop.ask("select count(*) from consent_records where address is not null and address_kind = 'email'") == [
        (0,)
    ]


def test_who_was_erased_is_blocked_also_where_a_snapshot_says_so(shop: Shop) -> None:
    known = {"customers": [{"customer_id": "1", "email": "a@x.example"}, {"customer_id": "2", "email": "b@x.example"}]}
    shop.load(known, kind="snapshot")

    left = Page({"customers": known["customers"][1:]}, gone=[Gone("customers", "1", erased=True)])
    shop.load(left, kind="snapshot")

    assert {(block.address, block.channel, block.reason) for block in shop.blocks} == {
        ("email:a@x.example", "*", "erasure"),
        ("customer:shop:1", "*", "erasure"),
    }


def test_a_customer_merged_into_itself_stays_and_numbers_are_ids(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": str(number), "email": f"c{number}@x.example"} for number in (1, 2, 3)]})

    shop.load(Page({}, merged=[Merged("1", "1"), Merged(2, 3)]))  # type: ignore[arg-type]  # what vendors return

    assert shop.ask("select customer_id from customers order by 1") == [("1",), ("3",)]


@pytest.mark.parametrize(
    ("merged", "says"),
    [
        ([Merged("1", "2"), Merged("2", "1")], "in a circle"),
        ([Merged("1", "2"), Merged("2", "3"), Merged("3", "1")], "in a circle"),
        ([Merged("1", None)], "into nobody"),  # type: ignore[arg-type]  # a plugin's mistake
    ],
)
def test_merges_that_cannot_be_take_nobody_out(shop: Shop, merged: list[Merged], says: str) -> None:
    shop.load({"customers": [{"customer_id": str(number)} for number in (1, 2, 3)]})

    with pytest.raises(PluginError, match=says):
        shop.load(Page({}, merged=merged))

    assert shop.ask("select count(*) from customers") == [(3,)]
