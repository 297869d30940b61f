from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub import api
from hub.segments import Definition, Observed, Verdict, explain, sentence
from hub_carts import CartAbandoners
from hub_purchases import CouponLovers, HighSpenders, OneTime
from tests.segment_shop import ANN, AS_OF, BOB, CAT, DAY, GUS, HAL, HOUR, MICROSECOND, defined, golden

YEAR = timedelta(days=365)


def observed(column: str, value: Any, test: api.Test, threshold: Any, verdict: str = "failed", **more: Any) -> Observed:
    return Observed(column, value, test, threshold, Verdict(verdict), AS_OF, **more)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            observed("spend", Decimal("212.50"), api.Test.AT_LEAST, 340, unit="money", window=YEAR),
            "spend 212.50 in 365 days, needs at least 340.00: out by 127.50",
        ),
        (
            observed("spend", Decimal(340), api.Test.AT_LEAST, 340, "passed", unit="money", percent=90, people=12),
            "spend 340.00, needs at least 340.00, the 90th percentile of 12 people: in",
        ),
        (
            observed("orders", 1, api.Test.AT_LEAST, 2, unit="orders", window=timedelta(days=1)),
            "orders 1 in 1 day, needs at least 2: out by 1",
        ),
        (
            observed("discounted_share", 0.25, api.Test.AT_LEAST, 0.5, unit="share"),
            "discounted share 25 %, needs at least 50 %: out by 25 %",
        ),
        (observed("score", 0.25, api.Test.MORE_THAN, 0.3), "score 0.25, needs more than 0.3: out by 0.05"),
        (
            observed("cart_value", Decimal(100), api.Test.MORE_THAN, Decimal(100), unit="money"),
            "cart value 100.00, needs more than 100.00: out, the bound itself is not enough",
        ),
        (observed("country", "DK", api.Test.EQUALS, "SE"), "country DK, needs exactly SE: out"),
        (observed("member", False, api.Test.IS, True), "member no, needs yes: out"),
        (
            observed("last_seen_at", None, api.Test.NOT_WITHIN, 30 * DAY, "insufficient data"),
            "last seen is not known, needs at least 30 days ago: out (insufficient data)",
        ),
        (
            observed("last_order_at", AS_OF - 26 * HOUR, api.Test.NOT_WITHIN, 9 * DAY),
            "last order 2026-02-28 10:00 UTC (1 day 2 hours ago), needs at least 9 days ago: out by 7 days 22 hours",
        ),
        (
            observed("seen_at", AS_OF + HOUR, api.Test.WITHIN, DAY),
            "seen 2026-03-01 13:00 UTC (in the future), needs less than 1 day ago: out",
        ),
        (
            observed(
                "seen_at",
                AS_OF - MICROSECOND,
                api.Test.NOT_WITHIN,
                timedelta(seconds=1),
            ),
            (
                "seen 2026-03-01 11:59:59.999999 UTC (less than a second ago), needs at least 1 second ago:"
                " out by less than a second"
            ),
        ),
    ],
)
def test_a_condition_as_a_sentence(seen: Observed, said: str) -> None:
    assert sentence(seen) == said


def test_each_condition_tells_value_threshold_and_verdict() -> None:
    told = explain(golden(), [defined(HighSpenders)], "high-spenders", HAL)

    assert [(each.column, each.value, each.threshold, each.verdict) for each in told.conditions] == [
        ("orders", 2, 2, Verdict.PASSED),
        ("spend", Decimal("42.00"), Decimal("490.00"), Verdict.FAILED),
    ]
    assert told.deciding is not None
    assert (told.deciding.column, told.deciding.percent, told.deciding.people) == ("spend", 90, 6)
    assert not told.member
    assert told.evidence == {}


def test_a_member_is_told_all_that_holds_and_the_evidence() -> None:
    told = explain(golden(), [defined(HighSpenders, min_spend=400)], "high-spenders", ANN)

    assert (
        told.reason == "orders 4 in 365 days, needs at least 2: in; spend 490.00 in 365 days, needs at least 400.00: in"
    )
    assert told.evidence["spend"] == Decimal("490.00")


@pytest.mark.parametrize(("person", "window"), [(CAT, "365 days"), (GUS, "365 days"), (99, "365 days")])
def test_absence_from_the_base_is_said_in_its_words(person: int, window: str) -> None:
    told = explain(golden(), [defined(CouponLovers)], "coupon-lovers", person)

    assert told.reason == f"no counted order in the last {window}"
    assert told.conditions == ()


def vip() -> list[Definition]:
    segments = [defined(HighSpenders), defined(CouponLovers), defined(OneTime), defined(CartAbandoners)]
    return [
        *segments,
        Definition("best", None, all=("high-spenders",), none=("coupon-lovers",)),
        Definition("either", None, any=("one-time", "coupon-lovers")),
        Definition("outer", None, all=("best",), none=("either",)),
        Definition("picky", None, all=("coupon-lovers",), none=("either",)),
    ]


@pytest.mark.parametrize(
    ("segment", "person", "member", "branch", "reason"),
    [
        ("best", ANN, True, "high-spenders", "in high-spenders: orders 4 in 365 days, needs at least 2: in; "),
        ("best", BOB, False, "high-spenders", "not in high-spenders: spend 90.00 in 365 days, needs at least 490.00, "),
        (
            "either",
            BOB,
            True,
            "coupon-lovers",
            "in coupon-lovers: discounted orders 3 in 365 days, needs at least 2: in",
        ),
        (
            "either",
            HAL,
            False,
            "one-time",
            "in none of one-time, coupon-lovers: one-time: orders 2, needs exactly 1: out by 1",
        ),
        ("outer", BOB, False, "best", "not in best: not in high-spenders: spend 90.00"),
        ("outer", ANN, True, "best", "in best: in high-spenders: "),
        ("picky", BOB, False, "either", "in either, which is left out: in coupon-lovers: "),
    ],
)
def test_a_combination_names_the_branch_that_decided(
    segment: str, person: int, member: bool, branch: str, reason: str
) -> None:
    told = explain(golden(), vip(), segment, person)

    assert told.member is member
    assert told.decided_by == branch
    assert told.reason.startswith(reason)
    assert told.deciding is not None


def test_explaining_agrees_with_running_for_everybody() -> None:
    shop = golden()
    from hub.segments import run_segments

    results = run_segments(shop, vip())
    for name, result in results.items():
        inside = {row[0] for row in shop.con.execute(f"select person_id from {result.table}").fetchall()}
        for person in range(1, 10):
            assert explain(shop, vip(), name, person).member == (person in inside)
