"""Cart-abandoners by items, kinds, steps, first or repeated abandonment, customer or prospect."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_carts import CartAbandoners
from tests.segment_shop import defined
from tests.strategy_shop import DAY, HOUR, MICROSECOND, Shop, a_shop, line


@pytest.mark.parametrize(
    ("narrower", "expected"),
    [
        ({"max_value": 100}, {"small"}),
        ({"max_value": "99.99"}, set()),
        ({"min_items": 3}, {"large"}),
        ({"min_items": 4}, set()),
        ({"product_types": ["BOOTS"]}, {"large"}),
        ({"product_types": ["boots", "socks"]}, {"large", "small"}),
        ({"steps": ["Payment"]}, {"large"}),
        ({"steps": ["payment", "shipping"]}, {"large", "small"}),
        ({"steps": ["shipping"], "product_types": ["boots"]}, set()),
    ],
)
def test_what_is_in_the_cart_and_how_far_it_came(shop: Shop, narrower: dict[str, Any], expected: set[str]) -> None:
    shop.people("small", "large", "unknown")
    shop.cart("small", DAY, 100, line("socks", quantity=2), step="shipping")
    shop.cart("large", DAY, 300, line("boots", quantity=2), line("socks"), step="payment")
    shop.cart("unknown", DAY, 200)
    shop.gives("orders")

    assert shop.members(defined(CartAbandoners)) == {"small", "large", "unknown"}
    assert shop.members(defined(CartAbandoners, **narrower)) == expected


@pytest.mark.parametrize(
    ("narrower", "told"),
    [
        ({"min_items": 1}, "cart items is not known, needs at least 1: out (insufficient data)"),
        ({"product_types": ["boots"]}, "product types is not known, needs any of boots: out (insufficient data)"),
        ({"steps": ["payment"]}, "cart step is not known, needs one of payment: out (insufficient data)"),
    ],
)
def test_what_is_not_known_of_the_cart_is_insufficient_data(shop: Shop, narrower: dict[str, Any], told: str) -> None:
    shop.people("ann")
    shop.cart("ann", DAY)
    shop.gives("orders")

    assert shop.reason(defined(CartAbandoners, **narrower), "ann") == told


@pytest.mark.parametrize(
    ("earlier", "repeated"),
    [
        ({"age": 30 * DAY}, True),
        ({"age": 90 * DAY - MICROSECOND}, True),
        ({"age": 90 * DAY}, False),
        ({"age": 30 * DAY, "completed": 29 * DAY}, False),
        ({"age": 30 * DAY, "ordered": 30 * DAY - HOUR}, False),
        ({"age": 30 * DAY, "ordered": 23 * DAY}, False),
        ({"age": 30 * DAY, "ordered": 23 * DAY - MICROSECOND}, True),
        ({"age": 30 * DAY, "ordered": 31 * DAY}, True),
        (None, False),
    ],
)
def test_abandoning_again_needs_another_abandoned_cart_in_ninety_days(
    shop: Shop, earlier: dict[str, timedelta] | None, repeated: bool
) -> None:
    shop.people("ann", "bob")
    shop.gives("orders")
    shop.cart("ann", DAY)
    shop.cart("bob", 20 * DAY)
    if earlier is not None:
        done = earlier.get("completed")
        shop.cart("ann", earlier["age"], completed_at=None if done is None else shop.ago(done))
        if "ordered" in earlier:
            shop.order("ann", earlier["ordered"])

    assert shop.members(defined(CartAbandoners, abandonment="repeated")) == ({"ann"} if repeated else set())
    assert shop.members(defined(CartAbandoners, abandonment="first")) == (set() if repeated else {"ann"})


def test_whoever_ever_bought_is_a_customer(shop: Shop) -> None:
    shop.people("customer", "prospect", "tester")
    for name in ("customer", "prospect", "tester"):
        shop.cart(name, DAY)
    shop.order("customer", 900 * DAY)
    shop.order("tester", 900 * DAY, test="true")

    assert shop.members(defined(CartAbandoners, who="customers")) == {"customer"}
    assert shop.members(defined(CartAbandoners, who="prospects")) == {"prospect", "tester"}
    assert shop.reason(defined(CartAbandoners, who="prospects"), "customer") == (
        "who customers, needs exactly prospects: out"
    )


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_first_and_repeated_customers_and_prospects_divide_the_abandoners(seed: int) -> None:
    chance = random.Random(seed)
    with a_shop() as shop:
        shop.gives("orders", "order_lines", "carts", "cart_lines")
        for number in range(30):
            shop.person(f"p{number}")
            for _ in range(chance.randint(0, 3)):
                shop.cart(f"p{number}", chance.randint(0, 20 * 24) * HOUR)
            for _ in range(chance.randint(0, 2)):
                shop.order(f"p{number}", chance.randint(0, 40 * 24) * HOUR)
        everybody = shop.members(defined(CartAbandoners))

        for setting, parts in (("abandonment", ("first", "repeated")), ("who", ("customers", "prospects"))):
            first, second = (shop.members(defined(CartAbandoners, **{setting: part})) for part in parts)
            assert first | second == everybody
            assert not first & second


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"min_value": 100, "max_value": 100}, "max_value must be more than min_value, not 100 and 100"),
        ({"min_items": 0}, "greater than or equal to 1"),
        ({"steps": []}, "at least 1"),
        ({"abandonment": "second"}, "'first' or 'repeated'"),
        ({"who": "visitors"}, "'customers' or 'prospects'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(CartAbandoners, **wrong)
