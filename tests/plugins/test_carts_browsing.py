"""Browse-abandoners, time-on-site, viewed and funnel-stage."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_carts import BrowseAbandoners, FunnelStage, TimeOnSite, Viewed
from tests.segment_shop import defined
from tests.strategy_shop import AS_OF, DAY, HOUR, MICROSECOND, Shop, a_shop

BROWSERS = defined(BrowseAbandoners)
STAGES = ("view", "cart", "checkout", "payment", "order")
NOW = timedelta(0)


def visited(shop: Shop, *names: str) -> Shop:
    shop.people(*names)
    shop.gives("orders", "order_lines", "carts", "cart_lines", "events", "products")
    return shop


# Browse abandoners


def test_a_view_is_abandoned_from_one_hour_to_under_seven_days(shop: Shop) -> None:
    ages = {
        "hour": HOUR,
        "sooner": HOUR - MICROSECOND,
        "later": HOUR + MICROSECOND,
        "week": 7 * DAY,
        "lessthanweek": 7 * DAY - MICROSECOND,
        "now": NOW,
    }
    visited(shop, *ages, "never")
    for name, age in ages.items():
        shop.event(name, age)

    assert shop.members(BROWSERS) == {"hour", "later", "lessthanweek"}


@pytest.mark.parametrize("as_of", ["2026-03-29T02:30+00:00", "2026-10-25T02:30+00:00", "2024-02-29T00:00+00:00"])
def test_an_hour_is_an_hour_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    with a_shop(as_of=datetime.fromisoformat(as_of), timezone="Europe/Copenhagen") as shop:
        visited(shop, "in", "out").event("in", HOUR)
        shop.event("out", HOUR - MICROSECOND)
        shop.event("out", 2 * DAY)

        assert shop.members(BROWSERS) == {"in"}


def test_a_cart_or_an_order_since_the_view_ends_it(shop: Shop) -> None:
    visited(shop, *"abcdefghijk")
    for name in "abcdefghijk":
        shop.event(name, 3 * HOUR)
    shop.cart("a", 2 * HOUR)
    shop.cart("b", 4 * HOUR)
    shop.cart("c", 9 * DAY, updated_at=shop.ago(HOUR))
    shop.order("d", 2 * HOUR)
    shop.order("e", 4 * HOUR)
    shop.order("f", 2 * HOUR, status="cancelled")
    shop.order("g", 2 * HOUR, total=0)
    shop.event("h", 2 * HOUR, "add_to_cart")
    shop.event("i", 2 * HOUR, "purchase")
    shop.event("j", 3 * HOUR, "add_to_cart")
    shop.event("k", 4 * HOUR, "begin_checkout")

    assert shop.members(BROWSERS) == {"b", "e", "f", "k"}


def test_the_last_view_counts_and_only_views_of_the_kinds_asked_for(shop: Shop) -> None:
    visited(shop, "ann", "bob", "cat")
    shop.event("ann", 2 * DAY, product_type="Boots")
    shop.event("ann", HOUR / 2, product_type="socks")
    shop.event("bob", 2 * DAY, product_type="socks")
    shop.event("bob", 3 * DAY, product_type="socks")
    shop.event("cat", 2 * DAY, "page_view")

    assert shop.members(BROWSERS) == {"bob"}
    assert shop.members(defined(BrowseAbandoners, product_types=["boots"])) == {"ann"}
    assert shop.members(defined(BrowseAbandoners, min_views=2)) == {"bob"}


def test_evidence_names_the_product_looked_at_last(shop: Shop) -> None:
    visited(shop, "ann")
    shop.add(
        "products", {"product_id": "p2", "title": "Boot", "url": "https://shop.example/p2", "product_type": "boots"}
    )
    shop.event("ann", 5 * HOUR, product_id="p1")
    shop.event("ann", 4 * HOUR, product_id="p2")

    assert shop.evidence(BROWSERS)["ann"] == {
        "product_id": "p2",
        "product_title": "Boot",
        "product_url": "https://shop.example/p2",
        "product_image": None,
        "product_type": "boots",
        "viewed_at": (AS_OF - 4 * HOUR).replace(tzinfo=None),
        "views": 2,
    }


def test_an_order_placed_as_a_guest_ends_it_too(shop: Shop) -> None:
    visited(shop, "ann").event("ann", 3 * HOUR)
    shop.order(None, HOUR, email="ANN@example.com")

    assert shop.members(BROWSERS) == set()


def test_a_visitor_nobody_knows_is_a_member_without_an_address(shop: Shop) -> None:
    visited(shop).event(None, 3 * HOUR, visitor_id="v1")

    assert shop.members(BROWSERS) == {"v1"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("early", "viewed 2026-03-01 11:30 UTC (30 minutes ago), needs at least 1 hour ago: out by 30 minutes"),
        ("carted", "cart since yes, needs exactly no: out"),
        ("nobody", "no such product viewed in the last 7 days"),
    ],
)
def test_the_sentence_for_a_browser(shop: Shop, name: str, told: str) -> None:
    visited(shop, "early", "carted", "nobody")
    shop.event("early", HOUR / 2)
    shop.event("carted", 3 * HOUR)
    shop.cart("carted", HOUR)

    assert shop.reason(BROWSERS, name) == told


# Time on site


def test_seconds_of_attention_add_up_to_the_bound(shop: Shop) -> None:
    visited(shop, "at", "below", "outside", "unmeasured", "nobody")
    shop.event("at", DAY, engagement_ms=200_000)
    shop.event("at", 30 * DAY - MICROSECOND, "scroll", engagement_ms=100_000)
    shop.event("below", DAY, engagement_ms=299_900)
    shop.event("outside", DAY, engagement_ms=200_000)
    shop.event("outside", 30 * DAY, engagement_ms=100_000)
    shop.event("unmeasured", DAY)

    site = defined(TimeOnSite)
    assert shop.members(site) == {"at"}
    assert shop.evidence(site)["at"]["engaged_seconds"] == 300
    assert shop.reason(site, "below") == "engaged seconds 299.9 in 30 days, needs at least 300: out by 0.10"
    assert shop.reason(site, "unmeasured") == (
        "engaged seconds is not known, needs at least 300: out (insufficient data)"
    )
    assert shop.reason(site, "nobody") == "no visit in the last 30 days"


# Viewed


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"pages": ["/sale/"]}, {"sale"}),
        ({"pages": ["/SALE/", "/about"]}, {"sale", "about"}),
        ({"pages": [*(f"/nowhere/{number}" for number in range(9)), "/SALE/"]}, {"sale"}),
        ({"pages": [*(f"/nowhere/{number}" for number in range(7)), "/SALE/"]}, {"sale"}),
        ({"pages": [f"/nowhere/{number}" for number in range(12)]}, set()),
        ({"pages": ["/sale/"], "min_views": 2}, {"sale"}),
        ({"pages": ["/sale/"], "min_views": 3}, set()),
        ({"products": ["p1"]}, {"boots", "about"}),
        ({"product_types": ["BOOTS"]}, {"boots"}),
        ({"products": ["p1"], "product_types": ["boots"]}, {"boots"}),
        ({"products": ["p1"], "product_types": ["hats"]}, set()),
        ({"pages": ["/sale/"], "product_types": ["boots"]}, {"boots"}),
        ({"products": ["p9"]}, set()),
        ({"products": ["p9"], "window": "60d"}, {"boots"}),
    ],
)
def test_a_view_must_fit_everything_that_is_said(shop: Shop, what: dict[str, Any], expected: set[str]) -> None:
    visited(shop, "sale", "about", "boots")
    shop.event("sale", DAY, "page_view", url="https://shop.example/Sale/1")
    shop.event("sale", DAY, "page_view", url="https://shop.example/sale/2")
    shop.event("sale", DAY, "scroll", url="https://shop.example/sale/2")
    shop.event("about", DAY, "page_view", url="https://shop.example/about")
    shop.event("about", DAY, "view_item", product_id="p1")
    shop.event("boots", DAY, "view_item", product_id="p1", product_type="boots", url="https://shop.example/sale/b")
    shop.event("boots", 40 * DAY, "view_item", product_id="p9", product_type="boots")

    assert shop.members(defined(Viewed, **what)) == expected


def test_the_window_of_views_is_open_at_its_start(shop: Shop) -> None:
    visited(shop, "in", "out")
    shop.event("in", 30 * DAY - MICROSECOND, product_id="p")
    shop.event("out", 30 * DAY, product_id="p")

    assert shop.members(defined(Viewed, products=["p"])) == {"in"}


# Funnel stage


def stage(shop: Shop, name: str) -> list[str]:
    return [each for each in STAGES if name in shop.members(defined(FunnelStage, stages=[each]))]


def test_everybody_with_a_step_is_where_they_came_furthest(shop: Shop) -> None:
    steps: dict[str, list[str]] = {
        "looker": ["view_item"],
        "putter": ["view_item", "add_to_cart", "view_item"],
        "starter": ["begin_checkout", "view_item"],
        "shipper": ["add_shipping_info"],
        "payer": ["add_payment_info", "begin_checkout"],
        "buyer": ["purchase", "view_item"],
        "reader": ["page_view", "scroll"],
    }
    visited(shop, *steps)
    for name, events in steps.items():
        for number, event in enumerate(events):
            shop.event(name, (9 - number) * HOUR, event)

    assert {name: stage(shop, name) for name in steps} == {
        "looker": ["view"],
        "putter": ["cart"],
        "starter": ["checkout"],
        "shipper": ["checkout"],
        "payer": ["payment"],
        "buyer": ["order"],
        "reader": [],
    }
    found = shop.evidence(defined(FunnelStage, stages=["cart"]))["putter"]
    assert found["stage_at"] == (AS_OF - 8 * HOUR).replace(tzinfo=None)
    assert found["last_step_at"] == (AS_OF - 7 * HOUR).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("cart", "expected"),
    [
        ({}, "cart"),
        ({"step": "cart"}, "cart"),
        ({"step": "contact_information"}, "checkout"),
        ({"step": "Payment_Method"}, "payment"),
        ({"step": "shipping", "completed": True}, "order"),
    ],
)
def test_the_shops_carts_and_their_steps_count(shop: Shop, cart: dict[str, Any], expected: str) -> None:
    visited(shop, "ann")
    done = shop.ago(DAY) if cart.pop("completed", False) else None
    shop.cart("ann", 2 * DAY, completed_at=done, **cart)

    assert stage(shop, "ann") == [expected]


def test_counted_orders_end_the_way_and_others_do_not(shop: Shop) -> None:
    visited(shop, "paid", "cancelled")
    for name in ("paid", "cancelled"):
        shop.event(name, 2 * DAY, "add_payment_info")
        shop.order(name, DAY, status=name)

    assert stage(shop, "paid") == ["order"]
    assert stage(shop, "cancelled") == ["payment"]


def test_the_window_of_steps_is_open_at_its_start_and_whoever_is_on_the_way_may_be_left_out(shop: Shop) -> None:
    visited(shop, "old", "inside", "onthe", "stopped")
    shop.event("old", 14 * DAY)
    shop.event("inside", 14 * DAY - MICROSECOND)
    shop.event("onthe", 5 * HOUR, "add_to_cart")
    shop.event("onthe", HOUR - MICROSECOND)
    shop.event("stopped", HOUR, "add_to_cart")

    assert shop.members(defined(FunnelStage, stages=["view", "cart"])) == {"inside", "onthe", "stopped"}
    assert shop.members(defined(FunnelStage, stages=["view", "cart"], min_age="1h")) == {"inside", "stopped"}


def test_the_sentence_for_a_stage(shop: Shop) -> None:
    visited(shop, "ann", "bob").event("ann", DAY, "add_to_cart")

    payment = defined(FunnelStage, stages=["checkout", "payment"])

    assert shop.reason(payment, "ann") == "stage cart, needs one of checkout, payment: out"
    assert shop.reason(payment, "bob") == "no view, cart or order in the last 14 days"


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_the_five_stages_divide_everybody_with_a_step(seed: int) -> None:
    chance = random.Random(seed)
    events = ["view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase", "page_view"]
    furthest: dict[str, int] = {}
    with a_shop() as shop:
        visited(shop)
        for number in range(40):
            name = f"p{number}"
            shop.person(name)
            for _ in range(chance.randint(0, 4)):
                event, days = chance.randrange(6), chance.randint(0, 20)
                shop.event(name, days * DAY, events[event])
                if event < 5 and days < 14:
                    furthest[name] = max(furthest.get(name, 0), event)

        for place, each in enumerate(STAGES):
            expected = {name for name, found in furthest.items() if found == place}
            assert shop.members(defined(FunnelStage, stages=[each])) == expected


# All of them


def test_without_visits_nobody_is_in_and_it_is_said(shop: Shop) -> None:
    shop.people("ann")
    shop.order("ann", DAY)
    shop.cart("ann", 2 * DAY)
    needy = [BROWSERS, defined(TimeOnSite), defined(Viewed, products=["p"]), defined(FunnelStage, stages=["view"])]

    for definition in needy:
        assert shop.notes(definition) == ("no source gives events, so nobody can be in this segment",)
    assert stage(shop, "ann") == ["order"]


@pytest.mark.parametrize("strategy", ["browse", "funnel"])
def test_additions_wait_where_orders_are_older_than_carts(shop: Shop, strategy: str) -> None:
    from hub import api

    visited(shop, "ann").event("ann", 3 * HOUR)
    shop.reaches = {"orders": api.Reach(None, AS_OF - DAY), "carts": api.Reach(None, AS_OF)}

    definition = BROWSERS if strategy == "browse" else defined(FunnelStage, stages=["view"])

    assert shop.result(definition).stale


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (BrowseAbandoners, {"min_age": "7d"}, "min_age must be shorter than max_age, not 7d and 7d"),
        (BrowseAbandoners, {"min_views": 0}, "greater than or equal"),
        (TimeOnSite, {"min_seconds": 0}, "greater than 0"),
        (Viewed, {}, "say what was viewed"),
        (Viewed, {"pages": ["/a"], "window": "2y"}, "is not a duration"),
        (FunnelStage, {}, "Field required"),
        (FunnelStage, {"stages": []}, "at least 1"),
        (FunnelStage, {"stages": ["basket"]}, "'view', 'cart', 'checkout', 'payment' or 'order'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)
