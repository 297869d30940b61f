"""Carts rebuilt from web analytics: whose they are, and that the shop's own word overrules them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog_shop import NOW, Shop, days, order

ADA = "email:ada@shop.example"
HOUR = 1 / 24
MINUTE = HOUR / 60
BEGUN, LEFT = 3, 1
"""Days before now: when the cart was begun, and when it was last changed."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with two customers, and analytics that are another door to it."""
    shop = Shop(tmp_path, (("shop", "shop"), ("web", "shop")))
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "ada@shop.example"},
                {"customer_id": "2", "email": "bo@shop.example"},
            ],
            "orders": [order("77", 300, name="#1001", customer_id="1")],
        }
    )
    return shop


def event(number: int, **values: Any) -> dict[str, Any]:
    first = {"event_id": str(number), "name": "add_to_cart", "happened_at": days(LEFT), "visitor_id": "v"}
    return first | {"analytics_consent": True} | values


def cart(cart_id: str = "c", begun: float = BEGUN, left: float = LEFT, **values: Any) -> dict[str, Any]:
    first = {"cart_id": cart_id, "created_at": days(begun), "updated_at": days(left), "total": 100, "step": "checkout"}
    return first | values


def see(shop: Shop, *events: dict[str, Any], carts: tuple[dict[str, Any], ...] = ()) -> None:
    """Load what analytics saw; by default one cart of the visitor ``v``."""
    lines = [{"cart_id": each["cart_id"], "line": "1", "product_id": "p"} for each in carts]
    shop.load(
        {"events": list(events), "carts": list(carts or (cart(visitor_id="v"),)), "cart_lines": lines}, source="web"
    )


def owners(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.ask("select cart_id, person_ref from carts left join people using (person_id) order by 1")


@pytest.mark.parametrize(
    ("events", "owner"),
    [
        ([event(1, user_id="1"), event(2)], ADA),
        ([event(1, name="purchase", transaction_id="1001"), event(2)], ADA),
        ([event(1)], None),
        ([event(1, user_id="1"), event(2, user_id="2")], None),
        ([event(1, user_id="1", analytics_consent=False)], None),
        ([event(1, user_id="1", analytics_consent=None)], None),
        ([], None),
    ],
    ids=["signed in once", "bought once", "stranger", "shared", "refused", "silent in Denmark", "no event"],
)
def test_a_cart_belongs_to_whoever_its_browser_is_known_to_be(
    shop: Shop, events: list[dict[str, Any]], owner: str | None
) -> None:
    see(shop, *events)

    assert owners(shop) == [("c", owner)]


def test_a_cart_that_names_its_customer_is_theirs_even_on_a_shared_browser(shop: Shop) -> None:
    see(shop, event(1, user_id="1"), event(2, user_id="2"), carts=(cart(visitor_id="v", customer_id="2"),))

    assert owners(shop) == [("c", "email:bo@shop.example")]


@pytest.mark.parametrize(
    ("ordered", "is_open"),
    [
        (None, True),
        (BEGUN + HOUR + MINUTE, True),
        (BEGUN + HOUR, False),
        (BEGUN, False),
        (2, False),
        (LEFT, False),
        (LEFT - MINUTE, False),
    ],
)
def test_whoever_ordered_since_about_when_the_cart_was_begun_did_not_abandon_it(
    shop: Shop, ordered: float | None, is_open: bool
) -> None:
    see(shop, event(1, user_id="1"))
    if ordered is not None:
        shop.load({"orders": [order("9", ordered, customer_id="1")]}, stream="later")

    assert shop.facts("open_carts")[ADA] == {"open_carts": int(is_open)}
    assert shop.ask("select open from carts") == [(is_open,)]


@pytest.mark.parametrize("why_not", [{"status": "cancelled"}, {"test": True}, {"customer_id": "2"}])
def test_an_order_that_does_not_count_or_is_anothers_ends_no_cart(shop: Shop, why_not: dict[str, Any]) -> None:
    see(shop, event(1, user_id="1"))
    shop.load({"orders": [order("9", 2) | {"customer_id": "1"} | why_not]}, stream="later")

    assert shop.facts("open_carts")[ADA] == {"open_carts": 1}


def test_the_shops_own_cart_stays_open_when_it_was_changed_after_an_order(shop: Shop) -> None:
    shop.load({"carts": [cart(customer_id="1")], "orders": [order("9", 2, customer_id="1")]}, stream="later")

    assert shop.facts("open_carts")[ADA] == {"open_carts": 1}


def test_the_shops_cart_of_the_same_day_takes_the_place_of_a_visitors(shop: Shop) -> None:
    carts = (cart("near", visitor_id="v"), cart("far", BEGUN + 2, visitor_id="v"))
    see(shop, event(1, user_id="1"), carts=carts)
    shop.load({"carts": [cart("own", BEGUN - 0.9, customer_id="1")]}, stream="later")

    assert owners(shop) == [("far", ADA), ("own", ADA)]
    assert shop.ask("select cart_id from cart_lines") == [("far",)]


def test_an_order_that_is_not_there_yet_leaves_the_cart_open(shop: Shop) -> None:
    see(shop, event(1, user_id="1", happened_at=days(BEGUN)))
    shop.load({"orders": [order("9", 2, customer_id="1")]}, stream="later")

    assert shop.facts("open_carts", as_of=days(2.5))[ADA] == {"open_carts": 1}
    assert shop.facts("open_carts", as_of=days(2))[ADA] == {"open_carts": 0}


def test_carts_of_a_forgotten_persons_browser_go(shop: Shop) -> None:
    carts = (cart("hers", visitor_id="v"), cart("other", visitor_id="w"))
    see(shop, event(1, user_id="1"), carts=carts)

    with shop.catalog.writer(NOW) as writer:
        report = writer.erase(["email:ada@shop.example"])

    assert (report.rows["carts"], report.rows["cart_lines"]) == (1, 1)
    assert owners(shop) == [("other", None)]
