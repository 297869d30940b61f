"""Sources that are doors to one shop: one row per thing, in any order of arrival."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalog_shop import NOW, Shop, a_shop, days, order

TWO = [("first", "shop"), ("second", "shop")]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, TWO)


def test_the_source_listed_first_wins_a_field_and_others_fill_gaps(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "city": "Berlin", "last_name": "Second"}]}, source="second")
    shop.load({"customers": [{"customer_id": "gid://shopify/Customer/1", "last_name": "First"}]}, source="first")

    assert shop.ask("select customer_id, last_name, city, source from customers") == [("1", "First", "Berlin", "first")]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"order_id": "gid://shopify/Order/55"}, {"order_id": "'55"}),
        ({"order_id": "55", "name": "#1001"}, {"order_id": "#1001", "name": "#1001"}),
        ({"order_id": "55", "name": "#1001"}, {"order_id": "#1001"}),
        ({"order_id": "55", "name": "#1001"}, {"name": "#1001"}),
        ({"order_id": "#1001", "name": "#1001"}, {"name": "#1001"}),
    ],
)
def test_an_id_and_a_name_are_one_order(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    lines = [{"line": "1", "product_type": "shoe"}]
    for sources in (("first", "second"), ("second", "first")):
        with a_shop(TWO) as shop:
            for source, ids in zip(sources, (ours, theirs), strict=True):
                key = ids.get("order_id") or ids["name"]
                shop.load(
                    {"orders": [order("", 1) | ids], "order_lines": [line | {"order_id": key} for line in lines]},
                    source=source,
                )

            assert shop.ask("select count(*), sum(net) from orders") == [(1, Decimal(10))]
            assert shop.ask(
                "select count(*), count(distinct l.order_id) from order_lines l join orders using (order_id)"
            ) == [(1, 1)]


def test_two_ids_with_one_name_are_two_orders(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1, name="#5")]}, source="first")
    shop.load({"orders": [order("2", 1, name="#5")]}, source="second")

    assert shop.ask("select count(*) from orders") == [(2,)]


def test_a_name_and_an_id_within_one_source_are_one_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    shop.load({"orders": [order("#1", 1, name="#1", email="a@x.example"), order("9", 1, name="#1")]})

    assert shop.ask("select order_id, email from orders") == [("9", "a@x.example")]


def test_lines_come_from_the_first_source_that_has_any(shop: Shop) -> None:
    shop.load(
        {"orders": [order("1", 1), order("2", 1)], "order_lines": [{"order_id": "1", "line": "a"}]}, source="first"
    )
    lines = [{"order_id": order_id, "line": line} for order_id in "12" for line in "xy"]
    shop.load({"orders": [order("1", 1), order("2", 1)], "order_lines": lines}, source="second")

    assert shop.ask("select order_id, line from order_lines order by all") == [("1", "a"), ("2", "x"), ("2", "y")]


def test_lines_without_an_order_are_not_seen(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1)], "order_lines": [{"order_id": "9", "line": "a"}]}, source="first")

    assert shop.ask("select count(*) from order_lines") == [(0,)]


def test_a_product_fills_the_type_of_lines_and_events(shop: Shop) -> None:
    shop.load(
        {
            "products": [{"product_id": "7", "product_type": "shoe"}],
            "orders": [order("1", 1)],
            "order_lines": [{"order_id": "1", "line": "1", "product_id": "7"}],
            "events": [{"event_id": "1", "name": "view_item", "happened_at": NOW, "product_id": "7"}],
        },
        source="first",
    )

    assert shop.ask("select product_type from order_lines union all select product_type from events") == [
        ("shoe",),
        ("shoe",),
    ]


@pytest.mark.parametrize(("hours", "kept"), [(0, False), (24, False), (24.1, True)])
def test_a_cart_from_analytics_yields_to_a_shop_cart_of_the_same_day(tmp_path: Path, hours: float, kept: bool) -> None:
    shop = Shop(tmp_path, [("shop", "shop"), ("ga", "shop")])
    shop.load({"orders": [], "carts": [{"cart_id": "s", "email": "a@x.example", "created_at": days(2)}]}, source="shop")

    cart = {"cart_id": "g", "email": "a@x.example", "created_at": days(2 + hours / 24)}
    shop.load({"events": [], "carts": [cart, cart | {"cart_id": "h", "email": "b@x.example"}]}, source="ga")

    expected = [("g",), ("h",), ("s",)] if kept else [("h",), ("s",)]
    assert shop.ask("select cart_id from carts order by 1") == expected


def test_events_of_two_sources_are_not_merged(shop: Shop) -> None:
    for source in ("first", "second"):
        shop.load({"events": [{"event_id": "1", "name": "view_item", "happened_at": NOW}]}, source=source)

    assert shop.ask("select count(*) from events") == [(2,)]


FIELDS = {"last_name": ["A", "B", None], "city": ["X", None], "email": ["a@x.example", "b@x.example", None]}
CUSTOMERS = st.lists(
    st.tuples(
        st.sampled_from(["first", "second", "third"]),
        st.sampled_from("12"),
        st.fixed_dictionaries({n: st.sampled_from(v) for n, v in FIELDS.items()}),
    ),
    unique_by=lambda part: part[:2],
    max_size=6,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=CUSTOMERS)
def test_merging_is_the_same_in_any_order_and_as_an_independent_merge(rows: list[Any]) -> None:
    sources = [("first", "shop"), ("second", "shop"), ("third", "shop")]
    answers = []
    for source_order in list(permutations(["first", "second", "third"]))[::2]:
        with a_shop(sources) as shop:
            for source in source_order:
                page = [{"customer_id": key} | fields for name, key, fields in rows if name == source]
                shop.load({"customers": page}, source=source)
            answers.append(shop.ask("select customer_id, last_name, city, email, person_id from customers order by 1"))

    assert all(answer == answers[0] for answer in answers)
    assert [row[:4] for row in answers[0]] == _expected(rows)


def _expected(rows: list[Any]) -> list[tuple[Any, ...]]:
    merged: dict[str, dict[str, Any]] = {}
    for _, key, fields in sorted(rows, key=lambda part: ("first", "second", "third").index(part[0])):
        known = merged.setdefault(key, dict.fromkeys(FIELDS))
        merged[key] = {name: fields[name] if known[name] is None else known[name] for name in FIELDS}
    return [(key, *(merged[key][name] for name in FIELDS)) for key in sorted(merged)]


def test_a_table_that_no_source_gave_has_the_columns_of_one_that_was_given(tmp_path: Path) -> None:
    bare, full = Shop(tmp_path / "bare"), Shop(tmp_path / "full")
    bare.load({"customers": [{"customer_id": "1", "email": "a@b.dk"}]})
    who = {"customer_id": "1", "email": "a@b.dk"}
    happened = {"happened_at": days(1)}

    full.load(
        {
            "customers": [who],
            "orders": [order("1", 2, **who)],
            "order_lines": [{"order_id": "1", "line": "1", "quantity": 1, "unit_price": 5}],
            "carts": [{"cart_id": "1", "created_at": days(1), **who}],
            "cart_lines": [{"cart_id": "1", "line": "1", "quantity": 1, "unit_price": 5}],
            "events": [{"event_id": "1", "name": "page_view", "visitor_id": "v", "user_id": "1", **happened}],
            "engagement": [{"subject": "a@b.dk", "kind": "sent", "campaign": "spring", **happened}],
            "traits": [{"subject": "1", "name": "size", "value": "40"}],
        }
    )

    columns = (
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'merged' "
        "and table_name not in ('orders', 'orders_merged') order by 1, 2"
    )
    assert bare.ask(columns) == full.ask(columns)
    assert {name for name, _, _ in full.ask(columns)} >= {"events", "arrivals", "ads_signals", "carts", "engagement"}
