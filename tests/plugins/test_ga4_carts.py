"""Carts rebuilt from what visitors did, and what customers said about analytics and ads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ga4_export import Row, event, item, visits
from tests.ga4_shop import Analytics, at

A, B = item("a", 10.0), item("b", 2.5, 2)
STEPS = ("add_to_cart", "view_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase")


@pytest.fixture
def analytics(tmp_path: Path) -> Analytics:
    return Analytics(tmp_path)


def step(clock: str, name: str, *items: Row, day: int = 20, value: Any = None, **columns: Any) -> Row:
    """Return what a visitor did with a cart; without items the tag sends none."""
    params = {"currency": "EUR"} | ({} if value is None else {"value": value})
    return event(at(f"{day} {clock}"), name, items=items, params=params, **columns)


def bought(clock: str, transaction: str = "T1", *items: Row, **columns: Any) -> Row:
    return step(clock, "purchase", *items, ecommerce={"transaction_id": transaction}, **columns)


def rebuilt(analytics: Analytics, *rows: Row, **how: Any) -> list[dict[str, Any]]:
    analytics.export.put(*rows)
    return analytics.carts(**how)


def contents(cart: dict[str, Any]) -> dict[str, Decimal]:
    return {line["product_id"]: line["quantity"] for line in cart["lines"]}


# -- what is in a cart


@pytest.mark.parametrize(
    ("steps", "held", "total"),
    [
        ([("add_to_cart", A)], {"a": 1}, 10),
        ([("add_to_cart", A), ("add_to_cart", A)], {"a": 2}, 20),
        ([("add_to_cart", A), ("add_to_cart", B)], {"a": 1, "b": 2}, 15),
        ([("add_to_cart", A), ("add_to_cart", B), ("remove_from_cart", A)], {"b": 2}, 5),
        ([("add_to_cart", B), ("remove_from_cart", item("b", 2.5))], {"b": 1}, Decimal("2.5")),
        ([("view_cart", A, B)], {"a": 1, "b": 2}, 15),
        ([("add_to_cart", A), ("begin_checkout", B)], {"b": 2}, 5),
        ([("begin_checkout", B), ("add_to_cart", A)], {"a": 1, "b": 2}, 15),
        ([("add_to_cart", A), ("begin_checkout",)], {"a": 1}, 10),
        ([("add_to_cart", item("c", None, None))], {"c": 1}, None),
        ([("view_cart", item("c", None), A)], {"a": 1, "c": 1}, None),
    ],
)
def test_a_cart_holds_what_was_put_in_since_it_was_last_seen_whole(
    analytics: Analytics, steps: list[tuple[Any, ...]], held: dict[str, int], total: Any
) -> None:
    rows = [step(f"09:{minute:02}", name, *items) for minute, (name, *items) in enumerate(steps)]

    (cart,) = rebuilt(analytics, *rows)

    assert contents(cart) == held
    assert cart["total"] == total
    assert (cart["currency"], cart["completed_at"]) == ("EUR", None)
    assert cart["created_at"] == at("20 09:00").replace(tzinfo=None)
    assert cart["updated_at"] == at(f"20 09:{len(steps) - 1:02}").replace(tzinfo=None)


def test_a_line_names_its_product(analytics: Analytics) -> None:
    shoe = item("77", 50.0, 1, item_name="Shoe", item_category="Shoes", item_variant="42")

    (cart,) = rebuilt(analytics, step("09:00", "add_to_cart", shoe, item("77", 50.0, item_variant="43")))

    assert [line["line"] for line in cart["lines"]] == ["77 42", "77 43"]
    first = cart["lines"][0]
    assert (first["product_id"], first["title"], first["product_type"]) == ("77", "Shoe", "Shoes")
    assert (first["quantity"], first["unit_price"]) == (1, 50)


@pytest.mark.parametrize(
    ("steps", "total"),
    [([("add_to_cart", 7), ("begin_checkout", 31)], 31), ([("begin_checkout", 31), ("add_to_cart", 7)], 31), ([("add_to_cart", 7)], None)],
)  # fmt: skip
def test_a_site_that_sends_no_items_still_tells_what_a_cart_is_worth(
    analytics: Analytics, steps: list[tuple[str, int]], total: int | None
) -> None:
    rows = [step(f"09:{minute:02}", name, value=value) for minute, (name, value) in enumerate(steps)]

    (cart,) = rebuilt(analytics, *rows)

    assert (cart["total"], cart["lines"]) == (total, [])


def test_a_cart_that_was_emptied_is_none(analytics: Analytics) -> None:
    assert rebuilt(analytics, step("09:00", "add_to_cart", A), step("09:01", "remove_from_cart", A)) == []


@pytest.mark.parametrize(
    ("names", "reached"),
    [
        (["add_to_cart"], "cart"),
        (["view_cart"], "cart"),
        (["add_to_cart", "begin_checkout"], "checkout"),
        (["add_to_cart", "begin_checkout", "add_shipping_info"], "shipping"),
        (["begin_checkout", "add_shipping_info", "add_payment_info"], "payment"),
        (["begin_checkout", "add_payment_info", "view_cart"], "payment"),
    ],
)
def test_the_step_is_the_furthest_reached(analytics: Analytics, names: list[str], reached: str) -> None:
    (cart,) = rebuilt(analytics, *(step(f"09:{minute:02}", name, A) for minute, name in enumerate(names)))

    assert cart["step"] == reached


# -- where a cart begins and ends


def test_a_purchase_completes_the_cart_and_the_next_step_begins_another(analytics: Analytics) -> None:
    first, second = rebuilt(
        analytics, step("09:00", "add_to_cart", A), bought("09:05", "T1", A), step("09:10", "add_to_cart", B)
    )

    assert first["completed_at"] == at("20 09:05").replace(tzinfo=None)
    assert first["updated_at"] == at("20 09:00").replace(tzinfo=None)
    assert (contents(first), contents(second), second["completed_at"]) == ({"a": 1}, {"b": 2}, None)


def test_a_purchase_told_again_ends_no_other_cart(analytics: Analytics) -> None:
    rows = [
        step("09:00", "add_to_cart", A, day=18),
        bought("09:05", "T1", A, day=18),
        step("09:00", "add_to_cart", B),
        bought("09:01", "T1", A),
        bought("09:02", "T1", A, visitor="9.9"),
    ]

    first, second = rebuilt(analytics, *rows)

    assert (first["completed_at"] is not None, second["completed_at"]) == (True, None)
    assert contents(second) == {"b": 2}


def test_a_purchase_without_steps_is_no_cart(analytics: Analytics) -> None:
    assert rebuilt(analytics, bought("09:00")) == []


def test_a_cart_goes_on_over_days_and_sessions(analytics: Analytics) -> None:
    (cart,) = rebuilt(
        analytics, step("09:00", "add_to_cart", A, day=14), step("23:30", "begin_checkout", A, B, day=19, session=5)
    )

    assert (cart["created_at"].day, cart["updated_at"].day, cart["step"]) == (14, 19, "checkout")


@pytest.mark.parametrize(("rest", "carts"), [(timedelta(days=7), 1), (timedelta(days=7, microseconds=1), 2)])
def test_a_cart_that_rested_a_week_is_over(analytics: Analytics, rest: timedelta, carts: int) -> None:
    rows = [event(moment, "add_to_cart", items=[A]) for moment in (at("10"), at("10") + rest)]

    assert len(rebuilt(analytics, *rows)) == carts


def test_carts_of_two_visitors_are_two(analytics: Analytics) -> None:
    carts = rebuilt(
        analytics, step("09:00", "add_to_cart", A, visitor="1.1"), step("09:01", "begin_checkout", A, visitor="2.2")
    )

    assert [cart["visitor_id"] for cart in carts] == ["1.1", "2.2"]
    assert len({cart["cart_id"] for cart in carts}) == 2
    assert all("." not in cart["cart_id"] for cart in carts), "a visitor's id stays out of what a sync may send"


@pytest.mark.parametrize(("carts", "found"), [("10d", 1), ("11d", 2)])
def test_carts_are_rebuilt_as_far_back_as_the_setting_says(analytics: Analytics, carts: str, found: int) -> None:
    rows = [step("09:00", "add_to_cart", A, day=day) for day in (10, 20)]

    assert len(rebuilt(analytics, *rows, carts=carts)) == found


# -- whose it may be


@pytest.mark.parametrize(
    ("consent", "country", "found"),
    [
        (("Yes", "No"), "Denmark", 1),
        (("No", "No"), "United States", 0),
        ((None, None), "Denmark", 0),
        ((None, None), "Switzerland", 0),
        ((None, None), "United States", 1),
        ((None, None), "Atlantis", 0),
        ((None, None), None, 0),
    ],
)
def test_only_steps_that_may_be_attributed_make_a_cart(
    analytics: Analytics, consent: tuple[str | None, str | None], country: str | None, found: int
) -> None:
    assert len(rebuilt(analytics, step("09:00", "add_to_cart", A, consent=consent, country=country))) == found


def test_a_ping_without_a_visitor_makes_no_cart(analytics: Analytics) -> None:
    assert rebuilt(analytics, step("09:00", "add_to_cart", A, visitor=None, user_id="c1")) == []


def test_the_customer_is_the_last_who_signed_in(analytics: Analytics) -> None:
    (cart,) = rebuilt(
        analytics,
        step("09:00", "add_to_cart", A, user_id="c1"),
        step("09:01", "begin_checkout", A, user_id="c2"),
        step("09:02", "add_shipping_info", A),
    )

    assert cart["customer_id"] == "c2"


def test_duplicates_put_nothing_in_twice(analytics: Analytics) -> None:
    row = step("09:00", "add_to_cart", A)
    analytics.export.put(row, row, part="_0")
    analytics.export.put(row, part="_1", form="lines")

    (cart,) = analytics.carts()

    assert contents(cart) == {"a": 1}


# -- against a second reckoning, visitor by visitor and step by step


def reckoned(rows: list[Row]) -> Iterator[dict[str, Any]]:
    """Yield the carts of the generator's rows, found by walking through them."""
    allowed = [row for row in rows if row["privacy_info"]["analytics_storage"] == "Yes" or abroad(row)]
    steps = [row for row in allowed if row["user_pseudo_id"] and row["event_name"] in STEPS]
    steps.sort(key=lambda row: (row["user_pseudo_id"], row["event_timestamp"]))
    for visitor, own in groupby(steps, key=lambda row: row["user_pseudo_id"]):
        cart: list[Row] = []
        for row in own:
            if cart and (cart[-1]["event_name"] == "purchase" or rested(cart[-1], row)):
                yield from closed(visitor, cart)
                cart = []
            cart.append(row)
        yield from closed(visitor, cart)


def abroad(row: Row) -> bool:
    return row["privacy_info"]["analytics_storage"] is None and row["geo"]["country"] in ("United States", "Türkiye")


def rested(before: Row, row: Row) -> bool:
    return bool(row["event_timestamp"] - before["event_timestamp"] > 7 * 86_400 * 1_000_000)


def closed(visitor: str, cart: list[Row]) -> Iterator[dict[str, Any]]:
    names = [row["event_name"] for row in cart]
    if set(names) == {"purchase"}:
        return
    held: dict[str, list[Any]] = {}
    for row in cart:
        if row["event_name"] != "add_to_cart":
            held = {}
        for each in row["items"]:
            line = held.setdefault(each["item_id"], [0, each["price"]])
            line[0], line[1] = line[0] + each["quantity"], each["price"]
    begun, changed = (moment(row) for row in (cart[0], [row for row in cart if row["event_name"] != "purchase"][-1]))
    yield {
        "visitor_id": visitor,
        "customer_id": next((row["user_id"] for row in reversed(cart) if row.get("user_id")), None),
        "created_at": begun,
        "updated_at": changed,
        "completed_at": moment(cart[-1]) if names[-1] == "purchase" else None,
        "total": sum((Decimal(str(price)) * quantity for quantity, price in held.values()), Decimal(0)),
        "currency": "DKK",
        "step": ("cart", "cart", "checkout", "shipping", "payment")[
            max(STEPS.index(n) for n in names if n != "purchase")
        ],
        "lines": {product: Decimal(quantity) for product, (quantity, _) in held.items()},
    }


def moment(row: Row) -> datetime:
    return datetime(1970, 1, 1) + timedelta(microseconds=row["event_timestamp"])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_carts_are_those_that_a_second_reckoning_finds(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    analytics = Analytics(tmp_path_factory.mktemp("export"))
    rows = visits(seed, date(2026, 11, 1), days=19, visitors=15)
    analytics.export.put(*rows)

    found = analytics.carts()

    plain = [{**cart, "lines": contents(cart)} for cart in found]
    for cart in plain:
        del cart["cart_id"]
    expected = sorted(reckoned(rows), key=lambda cart: (cart["created_at"], cart["visitor_id"]))
    assert plain == expected


# -- when they are rebuilt


def test_carts_are_rebuilt_only_when_a_day_changed(analytics: Analytics) -> None:
    analytics.export.put(step("09:00", "add_to_cart", A))
    first = analytics.read("carts")
    assert analytics.read("carts", since=first.cursor).pages == 0
    analytics.export.put(step("09:00", "add_to_cart", A), step("09:05", "begin_checkout", A, B))

    second = analytics.read("carts", since=first.cursor)

    assert second.column("step", "carts") == ["checkout"]
    assert second.column("cart_id", "carts") == first.column("cart_id", "carts")


@pytest.mark.parametrize("stream", ["carts", "consents"])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_an_emptied_cache_changes_nothing(analytics: Analytics, stream: str, lost: int) -> None:
    analytics.export.put(*visits(3, date(2026, 11, 18), days=3))
    whole = analytics.read(stream)
    kept = analytics.workspace / ".hub" / "cache" / "days"
    for path in sorted(kept.iterdir())[lost:]:
        shutil.rmtree(path)

    again = analytics.read(stream)

    assert again.tables == whole.tables
    assert sum(map(len, whole.tables.values())) > 5


def test_an_export_without_any_cart_says_so(analytics: Analytics) -> None:
    analytics.export.put(event(at("20")))

    read = analytics.read("carts")

    assert read.tables == {"carts": [], "cart_lines": []}
    assert read.cursor is not None


# -- what customers said


def said(clock: str, customer: str | None, analytics: str | None, ads: str | None, **how: Any) -> Row:
    return event(at(f"20 {clock}"), user_id=customer, consent=(analytics, ads), **how)


def statements(analytics: Analytics, since: Any = None) -> dict[tuple[str, str], tuple[str, datetime]]:
    read = analytics.read("consents", since)
    for row in read.tables.get("consents", []):
        assert (row["subject_kind"], row["dated_by"]) == ("customer_id", "record")
    return {
        (row["subject"], row["channel"]): (row["status"], row["recorded_at"]) for row in read.tables.get("consents", [])
    }


@pytest.mark.parametrize(
    ("told", "analytics_status", "ads_status"),
    [
        (("Yes", "Yes"), "subscribed", "unknown"),
        (("Yes", "No"), "subscribed", "never"),
        (("No", "No"), "unsubscribed", "never"),
        (("No", "Yes"), "unsubscribed", None),
        (("Yes", None), "subscribed", None),
        ((None, "No"), None, "never"),
        ((None, "Yes"), None, None),
        ((None, None), None, None),
    ],
)
def test_storage_is_a_statement_about_the_channel_and_never_permits_ads(
    analytics: Analytics, told: tuple[str | None, str | None], analytics_status: str | None, ads_status: str | None
) -> None:
    analytics.export.put(said("09:00", "c1", *told))

    found = {channel: status for (_, channel), (status, _) in statements(analytics).items()}

    assert found == {k: v for k, v in (("analytics", analytics_status), ("ads", ads_status)) if v is not None}


def test_whoever_is_not_identified_states_nothing(analytics: Analytics) -> None:
    analytics.export.put(said("09:00", None, "Yes", "No"))

    read = analytics.read("consents")

    assert read.tables == {"consents": []}


def test_the_latest_word_counts_and_of_two_at_once_the_refusal(analytics: Analytics) -> None:
    analytics.export.put(
        said("09:00", "c1", "No", "No"),
        said("10:00", "c1", "Yes", "Yes"),
        said("09:00", "c2", "Yes", "Yes"),
        said("09:00", "c2", "No", "No", visitor="2.2"),
    )

    found = statements(analytics)

    assert found["c1", "analytics"] == ("subscribed", at("20 10:00").replace(tzinfo=None))
    assert found["c1", "ads"][0] == "unknown"
    assert (found["c2", "analytics"][0], found["c2", "ads"][0]) == ("unsubscribed", "never")


def test_an_older_day_read_again_does_not_outdate_a_newer_word(analytics: Analytics) -> None:
    old, new = event(at("10"), user_id="c1"), event(at("20"), user_id="c1", consent=("No", "No"))
    analytics.export.put(old, new)
    first = analytics.read("consents")
    analytics.export.put(old, event(at("10 13:00"), user_id="c2"))

    found = statements(analytics, first.cursor)

    assert found["c1", "analytics"] == ("unsubscribed", at("20").replace(tzinfo=None))
    assert found["c2", "analytics"] == ("subscribed", at("10 13:00").replace(tzinfo=None))


def test_only_whoever_said_something_on_a_changed_day_is_told_again(analytics: Analytics) -> None:
    analytics.export.put(event(at("10"), user_id="c1"), event(at("20"), user_id="c2"))
    first = analytics.read("consents")
    assert statements(analytics, first.cursor) == {}
    analytics.export.put(event(at("21 09:00"), user_id="c3"))

    assert {customer for customer, _ in statements(analytics, first.cursor)} == {"c3"}
