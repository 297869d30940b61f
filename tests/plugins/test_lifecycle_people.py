"""Due-to-reorder, journey-stage and acquisition-channel."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_lifecycle import AcquisitionChannel, DueToReorder, JourneyStage
from tests.segment_shop import AS_OF, DAY, MICROSECOND, defined, evidence, members, reason
from tests.segment_shop import Shop as Orders
from tests.strategy_shop import Shop, a_shop

STAGES = ("visitor", "prospect", "first-time", "repeat", "loyal", "lapsed")
DUE = defined(DueToReorder)


# Due to reorder


def every(days: float, since: timedelta, orders: int = 3) -> Orders:
    """Make a shop where one person ordered at even intervals, the last so long ago."""
    shop = Orders(people=[1])
    for number in range(orders):
        shop.order(1, since + number * days * DAY, 5)
    return shop


@pytest.mark.parametrize("days", [1, 7, 10, 30, 45.5, 365])
@pytest.mark.parametrize(
    ("share", "past", "inside"),
    [
        (0.8, timedelta(0), True),
        (0.8, -MICROSECOND, False),
        (1.0, timedelta(0), True),
        (1.5, timedelta(0), True),
        (1.5, MICROSECOND, False),
    ],
)
def test_due_from_eight_tenths_to_one_and_a_half_of_the_own_interval(
    days: float, share: float, past: timedelta, inside: bool
) -> None:
    assert members(every(days, days * DAY * share + past), DUE) == ([1] if inside else [])


@pytest.mark.parametrize(("orders", "inside"), [(2, False), (3, True), (9, True)])
def test_fewer_than_three_orders_make_no_rhythm(orders: int, inside: bool) -> None:
    shop = every(10, 10 * DAY, orders)

    assert members(shop, DUE) == ([1] if inside else [])
    assert members(shop, defined(DueToReorder, min_orders=2)) == [1]


def test_the_median_of_uneven_intervals_counts_and_evidence_says_when_it_is_due() -> None:
    shop = Orders(people=[1])
    for age in (9, 19, 39, 139):
        shop.order(1, age * DAY, 5)

    assert evidence(shop, defined(DueToReorder, due_from=0.4))[1] == {
        "due_at": AS_OF + 11 * DAY,
        "last_order_at": AS_OF - 9 * DAY,
        "median_days_between_orders": 20.0,
        "intervals_since": 0.45,
        "orders": 4,
    }
    assert reason(shop, DUE, 1) == "intervals since 0.45, needs at least 0.8: out by 0.35"


def test_orders_at_one_instant_are_no_rhythm() -> None:
    shop = every(0, 5 * DAY)

    assert reason(shop, DUE, 1) == "intervals since is not known, needs at least 0.8: out (insufficient data)"


def test_cancelled_orders_do_not_make_the_rhythm() -> None:
    shop = every(10, 10 * DAY)
    shop.order(1, DAY, 5, status="cancelled")

    assert members(shop, DUE) == [1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 200), max_size=6), min_size=1, max_size=8))
def test_due_equals_a_calculation_by_hand(people: list[list[int]]) -> None:
    shop = Orders(people=range(1, len(people) + 1))
    expected = []
    for person, ages in enumerate(people, 1):
        for age in ages:
            shop.order(person, age * DAY, 5)
        ordered = sorted(ages)
        gaps = [later - age for age, later in pairwise(ordered)]
        if (
            len(ages) >= 3
            and median(gaps)
            and 4 * median(gaps) <= 5 * ordered[0]
            and 2 * ordered[0] <= 3 * median(gaps)
        ):
            expected.append(person)

    assert members(shop, DUE) == expected


# Journey stage


def at_stage(shop: Shop) -> dict[str, set[str]]:
    return {stage: shop.members(defined(JourneyStage, stages=[stage])) for stage in STAGES}


def test_everybody_stands_at_one_stage(shop: Shop) -> None:
    ages = {
        "prospect": [],
        "one": [180 * DAY - MICROSECOND],
        "two": [DAY, 500 * DAY],
        "three": [DAY, 2 * DAY, 3 * DAY],
        "four": [180 * DAY - MICROSECOND, 200 * DAY, 300 * DAY, 400 * DAY],
        "gone-one": [180 * DAY],
        "gone-many": [180 * DAY, 200 * DAY, 300 * DAY, 400 * DAY],
    }
    for name, each in ages.items():
        shop.person(name)
        for age in each:
            shop.order(name, age)
    shop.order("prospect", DAY, status="cancelled")
    shop.event(None, DAY, visitor_id="stranger")

    assert at_stage(shop) == {
        "visitor": {"stranger"},
        "prospect": {"prospect"},
        "first-time": {"one"},
        "repeat": {"two", "three"},
        "loyal": {"four"},
        "lapsed": {"gone-one", "gone-many"},
    }
    assert (
        shop.reason(defined(JourneyStage, stages=["loyal"]), "two") == "journey stage repeat, needs one of loyal: out"
    )


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_the_stages_divide_everybody(seed: int) -> None:
    chance = random.Random(seed)
    with a_shop() as shop:
        for number in range(40):
            shop.person(f"p{number}")
            for _ in range(chance.choice([0, 0, 1, 2, 3, 4, 5])):
                shop.order(f"p{number}", chance.randint(0, 300) * DAY)
        for number in range(5):
            shop.event(None, DAY, visitor_id=f"v{number}")
        parts = at_stage(shop)

        assert sum(len(part) for part in parts.values()) == len(shop.names)
        assert set().union(*parts.values()) == set(shop.names.values())


# Acquisition channel


def test_the_first_visit_says_which_channel_brought_somebody(shop: Shop) -> None:
    shop.people("paid", "organic", "mail", "unknown", "nobody")
    shop.event("paid", 9 * DAY, traffic_source="Google / cpc")
    shop.event("paid", DAY, traffic_source="newsletter / email")
    shop.event("organic", 9 * DAY, traffic_source="google / organic")
    shop.event("mail", 9 * DAY, traffic_source="newsletter")
    shop.event("unknown", 9 * DAY)

    def found(*sources: str) -> set[str]:
        return shop.members(defined(AcquisitionChannel, sources=list(sources)))

    assert found("google / cpc") == {"paid"}
    assert found("google") == {"paid", "organic"}
    assert found("CPC", "newsletter") == {"paid", "mail"}
    assert found("email") == set()
    for name in ("unknown", "nobody"):
        assert shop.reason(defined(AcquisitionChannel, sources=["google"]), name) == (
            "channels is not known, needs any of google: out (insufficient data)"
        )


def test_a_channel_of_a_stage_is_a_combination(shop: Shop) -> None:
    from hub.segments import Definition

    shop.people("ann", "bob")
    for name, source in (("ann", "google / cpc"), ("bob", "direct")):
        shop.event(name, DAY, traffic_source=source)
        shop.order(name, DAY)
    parts = (defined(JourneyStage, stages=["first-time"]), defined(AcquisitionChannel, sources=["google"]))

    both = Definition("both", None, all=("journey-stage", "acquisition-channel"))

    assert shop.members(both, *parts) == {"ann"}


def test_without_visits_nobody_has_a_channel_and_it_is_said(shop: Shop) -> None:
    shop.people("ann")
    shop.order("ann", DAY)

    assert shop.notes(defined(AcquisitionChannel, sources=["google"])) == (
        "no source gives events, so nobody can be in this segment",
    )


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (DueToReorder, {"due_from": 1.5}, "due_from must be less than due_until, not 1.5 and 1.5"),
        (DueToReorder, {"min_orders": 1}, "greater than or equal to 2"),
        (JourneyStage, {}, "Field required"),
        (JourneyStage, {"stages": ["fan"]}, "'visitor', 'prospect'"),
        (AcquisitionChannel, {"sources": []}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)
