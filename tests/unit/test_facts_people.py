"""Facts: definitions, windows and boundaries; the golden example; a calculation by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.catalog import FACT_COLUMNS
from tests.catalog_shop import NOW, Shop, a_shop, days, order

ME = "email:a@x.example"
MINUTE = 1 / 1440


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def mine(*orders: dict[str, Any], **tables: Any) -> dict[str, Any]:
    return {"orders": [one | {"email": "a@x.example"} for one in orders]} | tables


def test_spend_is_total_less_refunds_of_counted_orders(shop: Shop) -> None:
    shop.load(
        mine(
            order("1", 1, 100, refunded="30"),
            order("2", 2, 50, status="pending", discount="5"),
            order("3", 3, 20, discount_codes="X"),
            order("4", 4, 999, status="refunded"),
            order("5", 5, 999, status="cancelled"),
            order("6", 6, 999, status="failed"),
            order("7", 7, 999, test="true"),
        )
    )

    facts = shop.facts()[ME]
    assert facts["orders"] == 3
    assert facts["spend"] == Decimal(140)
    assert facts["avg_order"] == Decimal("46.67")
    assert (facts["discounted_orders"], facts["full_price_orders"]) == (2, 1)
    assert facts["first_order_at"] == days(3).replace(tzinfo=None)
    assert facts["last_order_at"] == days(1).replace(tzinfo=None)


def test_counts_are_zero_where_a_source_has_the_table_and_unknown_where_none_has(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}], "orders": []})

    facts = shop.facts()[ME]
    assert (facts["orders"], facts["spend"], facts["avg_order"]) == (0, 0, None)
    assert (facts["open_carts"], facts["views_30d"], facts["emails_received"]) == (None, None, None)


def test_only_the_columns_that_are_asked_for_are_made_and_later_ones_join_them(shop: Shop) -> None:
    shop.load(mine(order("1", 1)))

    with shop.session() as session:
        session.prepare_facts(["spend"])
        first = [row[0] for row in session.con.execute("describe facts").fetchall()]
        session.prepare_facts(["country"])
        second = {row[0] for row in session.con.execute("describe facts").fetchall()}
        session.prepare_facts(None)
        every = {row[0] for row in session.con.execute("describe facts").fetchall()}
        with pytest.raises(KeyError, match="shoe_size"):
            session.prepare_facts(["shoe_size"])
    assert first == ["person_id", "spend"]
    assert {"spend", "country"} <= second
    assert every == FACT_COLUMNS | {"person_id"}


def test_an_order_is_visible_from_the_instant_it_was_placed(shop: Shop) -> None:
    shop.load(mine(order("1", 10), order("2", 5)))

    assert shop.facts("orders", as_of=days(5))[ME]["orders"] == 2
    assert shop.facts("orders", as_of=days(5 + MINUTE))[ME]["orders"] == 1
    assert shop.facts("orders", as_of=days(11)) == {}


def test_a_past_as_of_does_not_see_what_came_later(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example"},
                {"customer_id": "2", "email": "b@x.example", "created_at": days(1)},
            ],
            "carts": [
                {
                    "cart_id": "1",
                    "customer_id": "1",
                    "created_at": days(9),
                    "updated_at": days(3),
                    "completed_at": days(2),
                }
            ],
            "events": [
                {
                    "event_id": "1",
                    "name": "view_item",
                    "happened_at": days(4),
                    "user_id": "1",
                    "analytics_consent": True,
                }
            ],
            "traits": [{"subject": "1", "name": "a", "recorded_at": days(4)}, {"subject": "1", "name": "b"}],
        }
    )

    past = days(5)
    assert shop.ask("select customer_id from customers", past) == [("1",)]
    assert shop.ask("select person_ref from people", past) == [(ME,)]
    assert shop.ask("select changed_at, completed, open from carts", past) == [
        (days(9).replace(tzinfo=None), False, True)
    ]
    assert shop.ask("select completed, open from carts") == [(True, False)]
    assert shop.ask("select count(*) from events", past) == [(0,)]
    assert shop.ask("select name from traits", past) == [("b",)]


@pytest.mark.parametrize(
    ("bought", "open_"),
    [
        (order("1", 2), False),
        (order("1", 3), True),
        (order("1", 4), True),
        (order("1", 2, status="cancelled"), True),
        (order("1", 2, email="other@x.example"), True),
        (order("1", 2, email=None, customer_id="1"), False),
        (order("1", 4, email="other@x.example", cart_id="k"), False),
    ],
)
def test_a_cart_is_open_until_its_person_orders_after_its_last_change(
    shop: Shop, bought: dict[str, Any], open_: bool
) -> None:
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "orders": [{"email": "a@x.example"} | bought],
            "carts": [{"cart_id": "k", "email": "a@x.example", "created_at": days(5), "updated_at": days(3)}],
        }
    )

    assert shop.ask("select open from carts") == [(open_,)]


def test_the_latest_open_cart_is_described(shop: Shop) -> None:
    cart = {"email": "a@x.example", "created_at": days(9)}
    shop.load(
        {
            "carts": [
                cart | {"cart_id": "old", "total": "1"},
                cart
                | {
                    "cart_id": "new",
                    "updated_at": days(1),
                    "total": "80",
                    "recovery_url": "https://x",
                    "step": "payment",
                },
                cart | {"cart_id": "done", "completed_at": days(1)},
            ],
            "cart_lines": [{"cart_id": "new", "line": n, "quantity": q} for n, q in (("1", 2), ("2", 1))],
        }
    )

    columns = ("open_carts", "cart_id", "cart_value", "cart_items", "cart_url", "cart_step", "cart_at")
    facts = shop.facts()[ME]
    assert [facts[name] for name in columns] == [
        2,
        "new",
        Decimal(80),
        3,
        "https://x",
        "payment",
        days(1).replace(tzinfo=None),
    ]


HOUR = 1 / 24


@pytest.mark.parametrize(
    ("cart", "orders", "abandoned", "recovered"),
    [
        ({"created_at": days(89)}, [], 1, 0),
        ({"created_at": days(90)}, [], 0, 0),
        ({"created_at": days(90 - MINUTE)}, [], 1, 0),
        ({"created_at": days(HOUR)}, [], 1, 0),
        ({"created_at": days(HOUR - MINUTE)}, [], 0, 0),
        ({"created_at": days(20)}, [order("1", 13)], 0, 1),
        ({"created_at": days(20)}, [order("1", 13 - MINUTE)], 1, 0),
        ({"created_at": days(20)}, [order("1", 20)], 1, 0),
        ({"created_at": days(20), "completed_at": days(20 - HOUR)}, [], 0, 1),
        ({"created_at": days(20), "completed_at": days(20 - HOUR + MINUTE)}, [], 0, 0),
    ],
)
def test_carts_abandoned_and_recovered_in_90_days(
    shop: Shop, cart: dict[str, Any], orders: list[Any], abandoned: int, recovered: int
) -> None:
    shop.load(mine(*orders, carts=[{"cart_id": "1", "email": "a@x.example"} | cart]))

    facts = shop.facts("carts_abandoned_90d", "carts_recovered_90d")[ME]
    assert (facts["carts_abandoned_90d"], facts["carts_recovered_90d"]) == (abandoned, recovered)


@pytest.mark.parametrize(
    ("ages", "stage"),
    [
        ([], "prospect"),
        ([1], "first-time"),
        ([180 - MINUTE], "first-time"),
        ([180], "lapsed"),
        ([1, 2], "repeat"),
        ([1, 2, 3], "repeat"),
        ([1, 2, 3, 4], "loyal"),
        ([181, 182, 183, 184], "lapsed"),
    ],
)
def test_the_journey_stage_follows_number_and_age_of_orders(shop: Shop, ages: list[float], stage: str) -> None:
    shop.load(
        mine(
            *(order(str(n), age) for n, age in enumerate(ages)),
            customers=[{"customer_id": "1", "email": "a@x.example"}],
        )
    )

    assert shop.facts("journey_stage")[ME] == {"journey_stage": stage}


def test_visits_and_engagement_count_in_half_open_windows(shop: Shop) -> None:
    event = {
        "user_id": "1",
        "name": "view_item",
        "analytics_consent": True,
        "session_id": "s1",
        "engagement_ms": 1500,
        "product_type": "shoe",
    }
    sent = {"subject": "1", "campaign": "c"}
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "events": [
                event | {"event_id": "1", "happened_at": days(30), "traffic_source": "google"},
                event | {"event_id": "2", "happened_at": days(30 - MINUTE), "traffic_source": "mail"},
                event
                | {
                    "event_id": "3",
                    "happened_at": days(1),
                    "name": "page_view",
                    "session_id": "s2",
                    "product_type": "hat",
                },
            ],
            "engagement": [
                sent | {"kind": "sent", "happened_at": days(400)},
                sent | {"kind": "opened", "happened_at": days(90)},
                sent | {"kind": "opened", "happened_at": days(89)},
                sent | {"kind": "opened", "happened_at": days(2), "machine": True},
                sent | {"kind": "clicked", "happened_at": days(80)},
                sent | {"kind": "sent", "happened_at": days(1), "subject": "+4520123456"},
            ],
        }
    )

    facts = shop.facts()[ME]
    assert (facts["sessions_30d"], facts["views_30d"], facts["engaged_seconds_30d"]) == (2, 1, 3.0)
    assert (facts["viewed_types_30d"], facts["first_traffic_source"]) == (["shoe"], "google")
    assert facts["last_seen_at"] == days(1).replace(tzinfo=None)
    assert (facts["emails_received"], facts["emails_opened_90d"], facts["emails_clicked_90d"]) == (1, 1, 1)
    assert facts["last_engaged_at"] == days(80).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("other", "opened", "engaged"),
    [({"machine": True}, 1, days(5)), ({"machine": False}, 2, days(3)), ({}, 0, days(9))],
)
def test_opens_that_nobody_marks_are_nobody_s(
    shop: Shop, other: dict[str, bool], opened: int, engaged: datetime
) -> None:
    mail = {"subject": "1", "campaign": "c", "kind": "opened"}
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "engagement": [
                mail | {"happened_at": days(5)},
                mail | {"kind": "clicked", "happened_at": days(9)},
                mail | {"happened_at": days(3)} | other,
            ],
        }
    )

    facts = shop.facts("emails_opened_90d", "emails_clicked_90d", "last_engaged_at")[ME]
    assert facts == {
        "emails_opened_90d": opened, "emails_clicked_90d": 1, "last_engaged_at": engaged.replace(tzinfo=None),
    }  # fmt: skip


def test_product_types_are_those_of_counted_orders(shop: Shop) -> None:
    lines = [
        {"order_id": n, "line": "1", "product_type": t}
        for n, t in (("1", "hat"), ("2", "shoe"), ("3", "bag"), ("4", "hat"))
    ]
    shop.load(mine(order("1", 9), order("2", 3), order("3", 1, status="failed"), order("4", 5), order_lines=lines))

    assert shop.facts("product_types", "last_product_type")[ME] == {
        "product_types": ["hat", "shoe"],
        "last_product_type": "shoe",
    }


@pytest.mark.parametrize(("born", "age"), [("1990-03-01", 36), ("1990-03-02", 35), ("2000-02-29", 26)])
def test_age_turns_on_the_birthday_in_the_clients_zone(shop: Shop, born: str, age: int) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "birth_date": born}]})

    assert shop.facts("age")[ME]["age"] == age


def test_the_clients_zone_decides_what_today_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path, timezone="Pacific/Auckland")
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "birth_date": date(1990, 3, 2)}]})

    assert shop.facts("age")[ME]["age"] == 36


def test_a_person_without_a_country_has_that_of_the_latest_order(shop: Shop) -> None:
    shop.load(mine(order("1", 9, country="DE", region="BE"), order("2", 1, country="us", region="CA"), order("3", 0.5)))

    facts = shop.facts("country", "region")[ME]
    assert (facts["country"], facts["region"]) == ("US", "CA")


GOLDEN = {
    "ann": [(10, 120, False), (60, 90, False), (150, 200, False), (300, 80, False)],
    "bob": [(20, 30, True), (90, 25, True), (200, 35, True)],
    "cat": [(400, 500, False)],
    "dan": [(100, 40, False)],
    "eve": [(15, 60, False)],
    "fay": [(190, 70, False), (240, 65, True)],
    "gus": [],
    "hal": [(5, 20, False), (30, 22, True)],
}


def test_the_golden_example_is_the_same_through_two_sources_in_any_order() -> None:
    customers = [{"customer_id": name, "email": f"{name}@x.example"} for name in GOLDEN]
    by_id = [
        order(f"{name}{n}", age, net, name=f"#{name}{n}", customer_id=name, discount_codes=["X"] if off else [])
        for name, orders in GOLDEN.items()
        for n, (age, net, off) in enumerate(orders)
    ]
    by_name = [
        {k: v for k, v in row.items() if k not in {"order_id", "customer_id"}}
        | {"email": f"{row['customer_id'].upper()}@x.example"}
        for row in by_id
    ]
    loads = [
        ("api", {"customers": customers, "orders": by_id}),
        ("file", {"orders": by_name}),
        ("file", {"orders": by_name[::-1]}),
    ]
    answers = []
    for chosen in permutations(loads):
        with a_shop([("api", "shop"), ("file", "shop")]) as shop:
            for source, page in chosen:
                shop.load(page, source=source)
            answers.append(shop.facts("orders", "spend", "discounted_orders", "first_order_at", "journey_stage"))

    assert all(answer == answers[0] for answer in answers)
    found = {
        ref[6:9]: (facts["orders"], facts["spend"], facts["discounted_orders"]) for ref, facts in answers[0].items()
    }
    assert found == {
        name: (len(orders), sum(net for _, net, _ in orders), sum(off for *_, off in orders))
        for name, orders in GOLDEN.items()
    }
    assert answers[0]["email:hal@x.example"]["first_order_at"] == days(30).replace(tzinfo=None)


SHOPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 400),
        st.decimals(0, 500, places=2),
        st.one_of(st.none(), st.decimals(0, 50, places=2)),
        st.sampled_from(["paid", "pending", "refunded", "cancelled", "failed"]),
        st.sampled_from([None, False, True]),
        st.sampled_from([None, "0", "5"]),
        st.sampled_from([None, [], ["X"]]),
    ),
    max_size=30,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=SHOPS)
def test_order_facts_are_those_of_a_calculation_by_hand(rows: list[Any]) -> None:
    orders = [
        order(
            str(n),
            age,
            total,
            email=f"{who}@x.example",
            refunded=refunded,
            status=status,
            test=test,
            discount=discount,
            discount_codes=codes,
        )
        for n, (who, age, total, refunded, status, test, discount, codes) in enumerate(rows)
    ]
    customers = [{"customer_id": who, "email": f"{who}@x.example"} for who in "abc"]

    with a_shop() as shop:
        shop.load({"customers": customers, "orders": orders})
        found = shop.facts(*BY_HAND)

    for who in "abc":
        assert found[f"email:{who}@x.example"] == _by_hand([row for row in rows if row[0] == who])


BY_HAND = (
    "orders",
    "spend",
    "discounted_orders",
    "full_price_orders",
    "avg_order",
    "first_order_at",
    "last_order_at",
    "median_days_between_orders",
    "journey_stage",
)


def _by_hand(rows: list[Any]) -> dict[str, Any]:
    counted = [row for row in rows if row[4] in {"paid", "pending"} and row[5] is not True]
    spend = sum((row[2] - (row[3] or 0) for row in counted), Decimal(0))
    ages = sorted((row[1] for row in counted), reverse=True)
    gaps = [older - newer for older, newer in pairwise(ages)]
    discounted = sum(row[6] == "5" or bool(row[7]) for row in counted)
    return {
        "orders": len(counted),
        "spend": spend,
        "discounted_orders": discounted,
        "full_price_orders": len(counted) - discounted,
        "avg_order": pytest.approx(spend / len(counted), abs=Decimal("0.011")) if counted else None,
        "first_order_at": _at(ages[0]) if ages else None,
        "last_order_at": _at(ages[-1]) if ages else None,
        "median_days_between_orders": median(gaps) if gaps else None,
        "journey_stage": _stage(ages),
    }


def _stage(ages: list[int]) -> str:
    if not ages:
        return "prospect"
    if ages[-1] >= 180:
        return "lapsed"
    return {1: "first-time", 2: "repeat", 3: "repeat"}.get(len(ages), "loyal")


def _at(age: int) -> datetime:
    return NOW.replace(tzinfo=None) - timedelta(days=age)
