"""Strategies about what was bought: high-value-items, low-value-items, product-line, cross-sell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_purchases import CrossSell, HighValueItems, LowValueItems, ProductLine
from tests.segment_shop import defined
from tests.strategy_shop import AS_OF, DAY, MICROSECOND, Shop, a_shop, line

YEAR = 365 * DAY
HIGH, LOW = defined(HighValueItems), defined(LowValueItems)


@contextmanager
def priced(**people: list[Any]) -> Iterator[Shop]:
    """Make a shop where each person bought one line at each price."""
    with a_shop() as shop:
        for name, prices in people.items():
            shop.person(name)
            for price in prices:
                shop.order(name, DAY, 10, line("thing", price))
        yield shop


# High-value and low-value items


def test_the_bar_is_a_percentile_of_line_prices_not_of_people(shop: Shop) -> None:
    shop.people("few", "many", "dear")
    for _ in range(6):
        shop.order("many", DAY, 10, line("thing", 10))
    shop.order("few", DAY, 10, line("thing", 20))
    shop.order("dear", DAY, 10, line("thing", 100))

    assert shop.members(HIGH) == {"few", "dear", "many"}
    assert shop.members(defined(HighValueItems, percentile=76)) == {"few", "dear"}
    assert shop.evidence(defined(HighValueItems, percentile=90))["dear"] == {
        "average_price": 100.0,
        "price_bar": Decimal("100.00"),
        "lines": 1,
        "last_order_at": (AS_OF - DAY).replace(tzinfo=None),
    }


def test_the_average_may_equal_the_bar_and_a_cent_beside_it_is_out(shop: Shop) -> None:
    for name, prices in (("at", (20, 20)), ("below", (20, "19.99")), ("above", (20, "20.01"))):
        shop.person(name)
        shop.order(name, DAY, 10, *(line("thing", price) for price in prices))

    assert shop.members(defined(HighValueItems, min_price=20)) == {"at", "above"}
    assert shop.members(defined(LowValueItems, max_price=20)) == {"at", "below"}


def test_the_price_of_a_piece_counts_not_the_number_of_pieces(shop: Shop) -> None:
    shop.people("bulk", "one")
    shop.order("bulk", DAY, 10, line("thing", 1, quantity=500))
    shop.order("one", DAY, 10, line("thing", 90))

    assert shop.members(HIGH) == {"one"}
    assert shop.members(LOW) == {"bulk"}


def test_gift_cards_and_orders_that_do_not_count_say_nothing_about_prices(shop: Shop) -> None:
    shop.people("giver", "returner", "buyer", "early")
    shop.order("giver", DAY, 10, line("card", 500, gift_card="true"), line("thing", 5))
    shop.order("returner", DAY, 10, line("thing", 500), status="refunded")
    shop.order("returner", DAY, 10, line("thing", 5))
    shop.order("buyer", DAY, 10, line("thing", 50))
    shop.order("early", YEAR, 10, line("thing", 500))
    shop.order("early", YEAR - MICROSECOND, 10, line("thing", 5))

    assert shop.members(defined(HighValueItems, percentile=80)) == {"buyer"}
    assert shop.evidence(defined(LowValueItems, max_price=5))["early"]["lines"] == 1


def test_whoever_has_no_line_with_a_price_is_out_for_insufficient_data(shop: Shop) -> None:
    shop.people("unpriced", "no-lines", "priced")
    shop.order("unpriced", DAY, 10, line("thing", None))
    shop.order("no-lines", DAY, 10)
    shop.order("priced", DAY, 10, line("thing", 5), line("thing", None))

    for name in ("unpriced", "no-lines"):
        assert shop.reason(LOW, name) == ("average price is not known, needs at most 5.00: out (insufficient data)")
    assert shop.members(LOW) == {"priced"}


def test_the_sentence_shows_the_bar_in_money(shop: Shop) -> None:
    shop.people("cheap", "dear", "nobody")
    shop.order("cheap", DAY, 10, line("thing", 5))
    shop.order("dear", DAY, 10, line("thing", 80))

    assert shop.reason(HIGH, "cheap") == "average price 5.00 in 365 days, needs at least 80.00: out by 75.00"
    assert shop.reason(HIGH, "nobody") == "no counted order in the last 365 days"


def test_one_line_is_every_percentile_and_no_line_is_none(shop: Shop) -> None:
    shop.person("only")
    shop.order("only", DAY, 10, line("thing", 5))

    assert shop.members(HIGH) == shop.members(LOW) == {"only"}
    with priced(nobody=[]) as empty:
        empty.gives("orders", "order_lines")
        assert empty.members(HIGH) == set()


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), max_size=4), min_size=1, max_size=12),
    st.lists(st.integers(1, 1000), min_size=3, max_size=3),
)
def test_price_bars_equal_a_calculation_by_hand(people: list[list[int]], tenths: list[int]) -> None:
    prices = {f"p{number}": each for number, each in enumerate(people)}
    every = sorted(price for each in people for price in each)
    with priced(**prices) as shop:
        shop.gives("orders", "order_lines")
        for tenth in tenths:
            bar = every[max(1, ceil(Fraction(tenth * len(every), 1000))) - 1] if every else 0
            average = {name: Fraction(sum(each), len(each)) for name, each in prices.items() if each}
            percentile = tenth / 10

            assert shop.members(defined(HighValueItems, percentile=percentile)) == {
                name for name, mean in average.items() if mean >= bar
            }
            assert shop.members(defined(LowValueItems, percentile=percentile)) == {
                name for name, mean in average.items() if mean <= bar
            }


# Product line


def line_shop(shop: Shop) -> Shop:
    shop.people("machine", "beans", "both", "typeless", "no-lines", "nothing", "early")
    shop.order(
        "machine", 10 * DAY, 10, line("Coffee Machine", 300, sku="M1", vendor="Acme", collections="kitchen, sale")
    )
    shop.order("beans", DAY, 10, line("beans", 12, sku="B1", vendor="Roaster", collections="pantry"))
    shop.order("both", DAY, 10, line("coffee machine", 200, sku="M2", vendor="roaster", collections="Kitchen"))
    shop.order(
        "both", 3 * DAY, 10, line("beans", 12, quantity=2, discount=4, sku="B1", vendor="Roaster", collections="pantry")
    )
    shop.order("both", 4 * DAY, 10, line("beans", 12, sku="B2", vendor="Roaster", collections="pantry"))
    shop.order("typeless", DAY, 10, line(None, 5, sku="X1"))
    shop.order("no-lines", DAY, 10)
    shop.order("early", YEAR, 10, line("beans", 12, sku="B1", vendor="Roaster", collections="pantry"))
    shop.order("early", DAY, 10, line("beans", 12, sku="B1"), status="cancelled")
    return shop


@pytest.mark.parametrize(
    ("given_settings", "expected"),
    [
        ({"product_types": ["coffee machine"]}, {"machine", "both"}),
        ({"product_types": ["COFFEE MACHINE", "beans"]}, {"machine", "both", "beans", "early"}),
        ({"vendors": ["roaster"]}, {"beans", "both", "early"}),
        ({"vendors": ["roaster"], "product_types": ["coffee machine"]}, {"both"}),
        ({"skus": ["m1", "x1"]}, {"machine", "typeless"}),
        ({"collections": ["sale"]}, {"machine"}),
        ({"collections": ["kitchen"]}, {"machine", "both"}),
        ({"product_types": ["beans"], "window": "365d"}, {"beans", "both"}),
        ({"product_types": ["beans"], "min_orders": 2}, {"both"}),
        ({"product_types": ["tea"]}, set()),
        ({"product_types": ["coffee machine"], "bought": False}, {"beans", "early"}),
        ({"product_types": ["beans"], "bought": False, "window": "365d"}, {"machine", "early"}),
        ({"skus": ["m1"], "bought": False}, {"beans", "both", "typeless", "early"}),
    ],
)
def test_who_bought_a_line_or_never_did(shop: Shop, given_settings: dict[str, Any], expected: set[str]) -> None:
    assert line_shop(shop).members(defined(ProductLine, **given_settings)) == expected


def test_evidence_of_a_line_counts_orders_money_and_the_last_time(shop: Shop) -> None:
    found = line_shop(shop).evidence(defined(ProductLine, product_types=["beans"]))["both"]

    assert found == {
        "line_orders": 2,
        "line_spend": Decimal("32.00"),
        "line_at": (AS_OF - 3 * DAY).replace(tzinfo=None),
    }


def test_two_lines_of_one_order_are_one_order(shop: Shop) -> None:
    shop.person("ann")
    shop.order("ann", DAY, 10, line("beans"), line("beans"))

    assert shop.members(defined(ProductLine, product_types=["beans"], min_orders=2)) == set()


def test_vendor_and_collections_come_from_the_product_where_the_line_does_not_say(shop: Shop) -> None:
    shop.people("ann", "bob")
    shop.add("products", {"product_id": "p1", "vendor": "Acme", "collections": ["kitchen"], "title": "Pot"})
    shop.order("ann", DAY, 10, line("pot", product_id="p1"))
    shop.order("bob", DAY, 10, line("pot", product_id="p1", vendor="Other"))

    assert shop.members(defined(ProductLine, vendors=["acme"])) == {"ann"}
    assert shop.members(defined(ProductLine, collections=["kitchen"])) == {"ann", "bob"}
    assert shop.members(defined(ProductLine, vendors=["acme"], bought=False)) == {"bob"}


@pytest.mark.parametrize("name", ["typeless", "no-lines"])
def test_never_is_not_said_where_a_kind_is_unknown(shop: Shop, name: str) -> None:
    line_shop(shop)

    never = defined(ProductLine, product_types=["beans"], bought=False)

    assert shop.reason(never, name) == "bought is not known, needs exactly no: out (insufficient data)"
    assert shop.reason(defined(ProductLine, product_types=["beans"]), name).endswith("out (insufficient data)")


def test_a_part_that_is_known_to_be_wrong_decides_against_one_that_is_unknown(shop: Shop) -> None:
    line_shop(shop)

    never = defined(ProductLine, product_types=["beans"], skus=["B1"], bought=False)

    assert shop.reason(never, "typeless").endswith("needs exactly no: in")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("machine", "bought no, needs exactly yes: out"),
        ("beans", "line orders 1, needs at least 2: out by 1"),
        ("nothing", "no counted order"),
    ],
)
def test_the_sentence_for_a_product_line(shop: Shop, name: str, told: str) -> None:
    assert line_shop(shop).reason(defined(ProductLine, product_types=["beans"], min_orders=2), name) == told


def test_never_waits_for_orders_as_fresh_as_the_carts() -> None:
    never, ever = defined(ProductLine, skus=["a"], bought=False), defined(ProductLine, skus=["a"])

    assert never.strategy is not None
    assert ever.strategy is not None
    assert set(never.strategy.needs) - set(ever.strategy.needs) == {"orders as fresh as carts"}


# Cross-sell


@pytest.mark.parametrize(
    ("given_settings", "expected"),
    [
        ({"bought_types": ["coffee machine"], "never_types": ["beans"]}, {"machine"}),
        ({"bought_types": ["beans"], "never_types": ["coffee machine"]}, {"beans", "early"}),
        ({"bought_vendors": ["roaster"], "never_skus": ["b2"]}, {"beans", "early"}),
        ({"bought_collections": ["pantry"], "never_collections": ["kitchen"]}, {"beans", "early"}),
        ({"bought_types": ["beans"], "never_types": ["tea"], "max_age": "365d"}, {"beans", "both"}),
        ({"bought_types": ["beans"], "never_types": ["tea"], "min_age": "365d"}, {"early"}),
        ({"bought_types": ["beans"], "never_types": ["tea"], "min_age": "3d"}, {"both", "early"}),
        ({"bought_types": ["beans"], "never_types": ["beans"]}, set()),
    ],
)
def test_who_bought_one_thing_and_never_the_other(
    shop: Shop, given_settings: dict[str, Any], expected: set[str]
) -> None:
    assert line_shop(shop).members(defined(CrossSell, **given_settings)) == expected


def test_a_single_line_of_unknown_kind_leaves_open_whether_the_other_was_bought(shop: Shop) -> None:
    shop.person("ann")
    shop.order("ann", DAY, 10, line("machine"), line(None))
    cross = defined(CrossSell, bought_types=["machine"], never_types=["beans"])

    assert shop.reason(cross, "ann") == "bought other is not known, needs exactly no: out (insufficient data)"


def test_evidence_names_the_last_thing_bought(shop: Shop) -> None:
    shop.person("ann")
    shop.order("ann", 9 * DAY, 10, line("machine", title="Old one"))
    shop.order("ann", 2 * DAY, 10, line("machine", title="New one"))

    cross = defined(CrossSell, bought_types=["machine"], never_types=["beans"])

    assert shop.evidence(cross)["ann"] == {
        "line_title": "New one",
        "line_at": (AS_OF - 2 * DAY).replace(tzinfo=None),
        "line_orders": 2,
    }


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_lines_and_their_absence_equal_a_calculation_by_hand(seed: int) -> None:
    chance = random.Random(seed)
    kinds = ["tea", "pot", "cup", None]
    bought: dict[str, list[list[str | None]]] = {
        f"p{number}": [[chance.choice(kinds) for _ in range(chance.randint(0, 3))] for _ in range(chance.randint(0, 3))]
        for number in range(25)
    }
    with a_shop() as shop:
        shop.gives("orders", "order_lines")
        for name, orders in bought.items():
            shop.person(name)
            for lines in orders:
                shop.order(name, DAY, 10, *(line(kind) for kind in lines))
        every = {name: [kind for lines in orders for kind in lines] for name, orders in bought.items()}
        sure = {name for name, orders in bought.items() if orders and all(orders) and None not in every[name]}

        assert shop.members(defined(ProductLine, product_types=["tea", "pot"])) == {
            name for name, kinds_of in every.items() if {"tea", "pot"} & set(kinds_of)
        }
        assert shop.members(defined(ProductLine, product_types=["tea"], min_orders=2)) == {
            name for name, orders in bought.items() if sum("tea" in lines for lines in orders) >= 2
        }
        assert shop.members(defined(ProductLine, product_types=["tea"], bought=False)) == {
            name for name in sure if "tea" not in every[name]
        }
        assert shop.members(defined(CrossSell, bought_types=["pot"], never_types=["tea"])) == {
            name for name in sure if "pot" in every[name] and "tea" not in every[name]
        }


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (ProductLine, {}, "say what was bought"),
        (ProductLine, {"skus": []}, "at least 1"),
        (ProductLine, {"skus": ["a"], "bought": False, "min_orders": 2}, "with bought = false there is none"),
        (ProductLine, {"skus": ["a"], "window": "0d"}, "greater than"),
        (CrossSell, {"bought_skus": ["a"]}, "say what never was"),
        (CrossSell, {"never_skus": ["a"]}, "say what was bought"),
        (CrossSell, {"bought_skus": ["a"], "never_skus": ["b"], "min_age": "9d", "max_age": "9d"}, "shorter than"),
        (HighValueItems, {"percentile": 0}, "greater than 0"),
        (LowValueItems, {"max_price": -1}, "greater than or equal"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)


def test_without_lines_nobody_is_in_and_it_is_said(shop: Shop) -> None:
    shop.person("ann")
    shop.add(
        "orders", {"order_id": "1", "customer_id": "ann", "placed_at": shop.ago(DAY), "total": "1", "status": "paid"}
    )

    for definition in (HIGH, LOW, defined(ProductLine, skus=["a"], bought=False)):
        assert shop.notes(definition)[0] == "no source gives order_lines, so nobody can be in this segment"
        assert shop.members(definition) == set()
