"""Carts, orders and views that Klaviyo's link to the shop tells, as rows that other doors to the shop have too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub_klaviyo.stand_in.activity import SHOPIFY
from hub_klaviyo.stand_in.shop_events import Goods, checkout, order, refund, view
from tests.klaviyo_kit import AS_OF, Bench, serving
from tests.klaviyo_reader import Reader, plain

SHOE = Goods(101, "Trail shoe", "899.00")
SOCK = Goods(102, "Wool sock", "79.00", "Socks")
PLACED = "2026-11-20T10:00:00+00:00"
ANN = "ann@example.com"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


def tell(bench: Bench, metric: str, about: dict[str, Any], ago: float = 60, email: str = ANN, **more: Any) -> None:
    bench.vendor.happen(metric, email, about, ago=ago, **{"integration": SHOPIFY, **more})


def one_order(bench: Bench, *told: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the order after some events about it, a minute after each other."""
    for place, (metric, about) in enumerate(told):
        tell(bench, metric, about, ago=3_600 - 60 * place)
    reader = Reader(bench, "orders")
    reader.read()
    [row] = reader.table("orders")
    return row


# Carts.


def test_a_checkout_is_a_cart_with_the_link_that_brings_it_back(bench: Bench) -> None:
    tell(bench, "Checkout Started", checkout("t1", [SHOE, SOCK], PLACED))
    reader = Reader(bench, "carts")
    reader.read()

    [cart] = reader.table("carts")
    assert {name: value for name, value in cart.items() if value is not None and name != "_origin"} == {
        "cart_id": "t1",
        "email": ANN,
        "created_at": PLACED,
        "updated_at": AS_OF - timedelta(seconds=60),
        "total": 978.0,
        "currency": "DKK",
        "recovery_url": "https://shop.example.com/checkouts/ac/t1/recover?key=kt1",
    }
    lines = [(row["line"], row["product_id"], row["title"], row["product_type"], row["quantity"], row["unit_price"])
             for row in reader.table("cart_lines")]  # fmt: skip
    assert lines == [
        ("line-1", "101", "Trail shoe", "Shoes", 1, "899.00"),
        ("line-2", "102", "Wool sock", "Socks", 1, "79.00"),
    ]


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({"responsive_checkout_url": "https://a.example/r", "checkout_url": "https://a.example/c"}, "https://a.example/r"),
        ({"responsive_checkout_url": None, "checkout_url": "https://a.example/c"}, "https://a.example/c"),
        ({"responsive_checkout_url": None, "checkout_url": "https://a.example/orders/x/authenticate?key=1"}, None),
        ({"responsive_checkout_url": None, "checkout_url": "javascript:alert(1)"}, None),
        ({"responsive_checkout_url": None, "checkout_url": None}, None),
    ],
)  # fmt: skip
def test_only_a_link_that_leads_to_the_cart_is_one(bench: Bench, links: dict[str, Any], found: str | None) -> None:
    tell(bench, "Checkout Started", checkout("t1", [SHOE], PLACED, **links))
    reader = Reader(bench, "carts")
    reader.read()

    assert [row["recovery_url"] for row in reader.table("carts")] == [found]


def test_a_checkout_begun_again_is_the_same_cart_as_it_is_now(bench: Bench) -> None:
    tell(bench, "Checkout Started", checkout("t1", [SHOE], PLACED), ago=600)
    tell(bench, "Checkout Started", checkout("t1", [SHOE, SOCK], PLACED), ago=300)
    reader = Reader(bench, "carts")
    reader.read()

    assert [(row["cart_id"], row["total"]) for row in reader.table("carts")] == [("t1", 978.0)]


def test_shops_that_are_linked_by_hand_are_read_by_the_names_of_klaviyos_guide(bench: Bench) -> None:
    items = [{"ProductID": "9", "SKU": "S", "ProductName": "Mug", "Quantity": 2, "ItemPrice": 9.5, "Brand": "Acme"}]
    about = {"$event_id": "c9", "$value": 19, "CheckoutURL": "https://a.example/c9", "Items": items}
    tell(bench, "Started Checkout", about, integration="API")
    bought = {"$event_id": "o9", "$value": 19, "DiscountCode": "TEN", "DiscountValue": 1, "Items": items}
    tell(bench, "Placed Order", bought, integration="API")
    names = {"integration": "API", "checkout_metric": "Started Checkout"}
    carts, orders = Reader(bench, "carts", **names), Reader(bench, "orders", **names)
    carts.read()
    orders.read()

    [cart], [line] = carts.table("carts"), carts.table("cart_lines")
    assert (cart["cart_id"], cart["total"], cart["recovery_url"]) == ("c9", 19, "https://a.example/c9")
    assert (line["product_id"], line["title"], line["quantity"], line["unit_price"]) == ("9", "Mug", 2, 9.5)
    [row], [sold] = orders.table("orders"), orders.table("order_lines")
    assert (row["order_id"], row["status"], row["discount"], row["discount_codes"]) == ("o9", "paid", 1, ["TEN"])
    assert (row["placed_at"], sold["vendor"]) == (AS_OF - timedelta(seconds=60), "Acme")


# Orders.


def test_an_order_has_shopifys_own_ids_and_amounts(bench: Bench) -> None:
    row = one_order(
        bench,
        ("Placed Order", order(4500000001, [SHOE, SOCK], PLACED, checkout_token="t1", email="Order@example.com")),
    )

    assert {name: value for name, value in row.items() if value is not None and name != "_origin"} == {
        "order_id": "4500000001",
        "name": "#1",
        "checkout_token": "t1",
        "customer_id": "450000000",
        "email": "Order@example.com",
        "placed_at": PLACED,
        "currency": "DKK",
        "total": "978.00",
        "discount": "0.00",
        "discount_codes": [],
        "refunded": Decimal(0),
        "status": "paid",
        "test": False,
        "channel": "web",
        "country": "DK",
    }


@pytest.mark.parametrize(
    ("financial", "status"),
    [("pending", "pending"), ("authorized", "pending"), ("partially_paid", "paid"), ("voided", "failed"),
     ("partially_refunded", "paid"), ("refunded", "refunded"), (None, "paid"), ("a_new_one", "a_new_one")],
)  # fmt: skip
def test_a_status_is_one_of_hubs_and_a_new_word_is_left_for_the_catalog_to_refuse(
    bench: Bench, financial: str | None, status: str
) -> None:
    row = one_order(bench, ("Placed Order", order(1, [SHOE], PLACED, financial_status=financial)))

    assert row["status"] == status


@pytest.mark.parametrize(
    ("about", "discount", "codes"),
    [
        ({"total_discounts": "90.00", "discount_codes": [{"code": "TEN", "type": "percentage"}],
          "discount_applications": [{"target_type": "line_item"}]}, "90.00", ["TEN"]),
        ({"total_discounts": "49.00", "discount_codes": [{"code": "SHIP", "type": "shipping"}],
          "discount_applications": [{"target_type": "shipping_line"}]}, "0", []),
        ({"total_discounts": "139.00", "discount_codes": [{"code": "SHIP", "type": "shipping"}, {"code": "TEN", "type": "x"}],
          "discount_applications": [{"target_type": "shipping_line"}, {"target_type": "line_item"}]}, "139.00", ["TEN"]),
    ],
)  # fmt: skip
def test_free_shipping_alone_is_no_discount(
    bench: Bench, about: dict[str, Any], discount: str, codes: list[str]
) -> None:
    row = one_order(bench, ("Placed Order", order(1, [SHOE], PLACED, **about)))

    assert (row["discount"], row["discount_codes"]) == (discount, codes)


@pytest.mark.parametrize(
    ("amounts", "financial", "status"),
    [
        (["100.00"], "partially_refunded", "paid"),
        (["100.00", "799.00"], "refunded", "refunded"),
        (["898.99"], "paid", "paid"),
        (["899.00"], "paid", "refunded"),
        ([], "paid", "paid"),
    ],
)
def test_what_was_paid_back_is_told_and_all_of_it_makes_the_order_refunded(
    bench: Bench, amounts: list[str], financial: str, status: str
) -> None:
    back = {"financial_status": financial, "refunds": [refund(amount) for amount in amounts]}
    row = one_order(
        bench,
        ("Placed Order", order(1, [SHOE], PLACED)),
        ("Refunded Order", order(1, [SHOE], PLACED, **back)),
    )

    assert (row["status"], row["refunded"]) == (status, sum(map(Decimal, amounts), Decimal(0)))
    assert row["placed_at"] == PLACED


def test_a_cancelled_order_stays_cancelled_whatever_is_told_first(bench: Bench) -> None:
    back = {"refunds": [refund("899.00")], "financial_status": "refunded"}
    row = one_order(
        bench,
        ("Placed Order", order(1, [SHOE], PLACED)),
        ("Refunded Order", order(1, [SHOE], PLACED, **back)),
        ("Cancelled Order", order(1, [SHOE], PLACED, **back, cancelled_at="2026-11-20T12:00:00Z")),
    )

    assert (row["status"], row["cancelled_at"]) == ("cancelled", "2026-11-20T12:00:00Z")


def test_a_refund_that_tells_nothing_of_its_order_changes_nothing_and_is_said(bench: Bench) -> None:
    tell(bench, "Placed Order", order(1, [SHOE], PLACED), ago=600)
    tell(bench, "Refunded Order", {"$event_id": "1", "$value": 899}, ago=300)
    reader = Reader(bench, "orders")
    reader.read()

    assert [row["status"] for row in reader.table("orders")] == ["paid"]
    assert reader.notes == ["1 events of orders tell nothing of the order itself: it stays as it was"]


@given(
    doings=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["Refunded Order", "Cancelled Order"]), st.integers(1, 20 * 86_400)),
        max_size=8,
    ),
    kills=st.lists(st.integers(0, 5), max_size=4),
    pauses=st.lists(st.integers(60, 3 * 86_400), min_size=4, max_size=4),
    page=st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_an_order_is_what_happened_to_it_last_however_often_and_brokenly_it_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    doings: list[tuple[int, str, int]],
    kills: list[int],
    pauses: list[int],
    page: int,
) -> None:
    with serving(tmp_path_factory.mktemp("orders"), judged=False) as bench, pytest.MonkeyPatch.context() as patch:
        for number in range(1, 5):
            tell(bench, "Placed Order", order(number, [SHOE], PLACED), ago=20 * 86_400 + number)
        for number, metric, ago in doings:
            amount = f"{ago % 899}.00"
            tell(bench, metric, order(number, [SHOE], PLACED, refunds=[refund(amount)]), ago=ago)
        patch.setattr("hub_klaviyo.account.EVENTS_A_PAGE", page)
        patch.setattr("hub_klaviyo.feed.EVENTS_A_PAGE", page)
        whole, killed = Reader(bench, "orders"), Reader(bench, "orders")
        whole.read()
        for pages, pause in zip(kills, pauses, strict=False):
            killed.read(pages=pages)
            bench.clock.go(pause)
        killed.read()
        bench.clock.go(pauses[-1])
        killed.read()

        assert plain(killed.stored) == plain(whole.stored)
        # Who cancels pays back in the same second.
        in_order = sorted(doings, key=lambda each: (-each[2], each[1] == "Cancelled Order"))
        last = {number: metric for number, metric, _ in in_order}
        for row in killed.table("orders"):
            assert (row["status"] == "cancelled") == (last.get(int(row["order_id"])) == "Cancelled Order")


def test_an_event_of_another_shape_is_named_and_costs_nothing_else(bench: Bench) -> None:
    tell(bench, "Placed Order", order(1, [SHOE], PLACED))
    tell(bench, "Placed Order", order(2, [SHOE], PLACED, refunds=[{"transactions": ["what?"]}]))
    tell(bench, "Placed Order", order(3, [SHOE], PLACED, shipping_address="Main Street 1"))
    reader = Reader(bench, "orders")
    reader.read()

    assert [row["order_id"] for row in reader.table("orders")] == ["1"]
    assert {each.reason for each in reader.rejected} == {
        "the event has another shape than events of Placed Order (AttributeError)"
    }
    assert {each.table for each in reader.rejected} == {"orders"}


def test_an_order_of_another_integration_is_not_counted_too(bench: Bench) -> None:
    tell(bench, "Placed Order", order(1, [SHOE], PLACED))
    tell(bench, "Placed Order", order(2, [SHOE], PLACED), integration="API")
    reader = Reader(bench, "orders")
    reader.read()

    assert [row["order_id"] for row in reader.table("orders")] == ["1"]


def test_a_part_whose_metric_is_missing_is_said_and_read_when_it_comes(bench: Bench) -> None:
    reader = Reader(bench, "orders")
    reader.read()
    before = reader.notes, reader.cursor, reader.source.reach("orders")
    tell(bench, "Placed Order", order(1, [SHOE], PLACED), ago=400 * 86_400)
    reader.read()

    assert before == (["Klaviyo has no metric 'Placed Order': nothing is read as orders"], None, api.Reach())
    assert [row["order_id"] for row in reader.table("orders")] == ["1"]
    assert reader.source.reach("order_lines") == api.Reach(None, AS_OF)


def test_refunds_that_begin_later_are_read_from_the_beginning(bench: Bench) -> None:
    tell(bench, "Placed Order", order(1, [SHOE], PLACED), ago=40 * 86_400)
    reader = Reader(bench, "orders")
    reader.read()
    back = order(1, [SHOE], PLACED, refunds=[refund("899.00")])
    tell(bench, "Refunded Order", back, ago=30 * 86_400)
    bench.clock.go(3_600)
    reader.read()

    assert [row["status"] for row in reader.table("orders")] == ["refunded"]


def test_what_the_settings_leave_out_is_not_asked_for(bench: Bench) -> None:
    tell(bench, "Placed Order", order(1, [SHOE], PLACED))
    reader = Reader(bench, "orders", parts=["engagement"])

    assert (reader.read(), reader.calls, reader.cursor) == ([], [], None)


# Views.


@pytest.mark.parametrize(("allowed", "consent"), [(False, None), (True, True)])
def test_a_view_is_an_event_of_the_address_and_tells_the_product(
    bench: Bench, allowed: bool, consent: bool | None
) -> None:
    tell(bench, "Viewed Product", view(SHOE), integration="API")
    reader = Reader(bench, "views", views_allowed=allowed)
    reader.read()

    [row], [product] = reader.table("events"), reader.table("products")
    assert (row["name"], row["user_id"], row["product_id"], row["analytics_consent"]) == (
        "view_item",
        ANN,
        "101",
        consent,
    )
    assert row["url"] == product["url"] == "https://shop.example.com/products/101"
    assert (product["product_id"], product["title"], product["vendor"]) == ("101", "Trail shoe", "Acme")
    assert reader.source.reach("events") == api.Reach(AS_OF - timedelta(days=365), AS_OF)


def test_views_that_two_integrations_tell_are_the_shops(bench: Bench) -> None:
    tell(bench, "Viewed Product", view(SHOE), integration="API")
    tell(bench, "Viewed Product", view(SOCK), integration=SHOPIFY)
    reader = Reader(bench, "views")
    reader.read()

    assert [row["product_id"] for row in reader.table("events")] == ["102"]
