"""Seasonal: bought in this season of earlier years, and not yet in this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_purchases import Seasonal
from tests.segment_shop import defined
from tests.strategy_shop import Shop, a_shop

COPENHAGEN = "Europe/Copenhagen"
CHRISTMAS = {"start": "11-20", "end": "12-24"}


@contextmanager
def at(as_of: str, timezone: str = "UTC", **orders: list[str]) -> Iterator[Shop]:
    """Make a shop at an instant, where each person ordered at local times."""
    zone = ZoneInfo(timezone)
    with a_shop(as_of=local(as_of, zone), timezone=timezone) as shop:
        shop.gives("orders", "order_lines")
        for name, times in orders.items():
            shop.person(name)
            for time in times:
                shop.order(name, shop.as_of - local(time, zone))
        yield shop


def local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def test_the_season_is_the_quarter_of_the_year_unless_told_otherwise() -> None:
    people = {
        "lastspring": ["2025-04-10T12:00"],
        "already": ["2025-04-10T12:00", "2026-03-01T01:00"],
        "summer": ["2025-07-10T12:00"],
        "longago": ["2022-04-10T12:00"],
        "threeyears": ["2023-03-01T00:00"],
        "never": [],
    }
    with at("2026-03-01T12:00", **people) as shop:
        assert shop.members(defined(Seasonal)) == {"lastspring", "threeyears"}
        assert shop.members(defined(Seasonal, years=4)) == {"lastspring", "threeyears", "longago"}
        assert shop.members(defined(Seasonal, years=1)) == {"lastspring"}


@pytest.mark.parametrize(
    ("bought", "inside"),
    [
        ("2024-11-20T00:00", True),
        ("2024-11-19T23:59", False),
        ("2024-12-24T23:59", True),
        ("2024-12-25T00:00", False),
    ],
)
def test_first_and_last_day_belong_to_the_season_by_the_shops_own_clock(bought: str, inside: bool) -> None:
    with at("2025-12-01T12:00", COPENHAGEN, ann=[bought]) as shop:
        assert shop.members(defined(Seasonal, **CHRISTMAS)) == ({"ann"} if inside else set())


@pytest.mark.parametrize(
    ("as_of", "years", "inside"),
    [
        ("2026-01-15T12:00", 1, True),
        ("2025-12-31T23:59", 1, True),
        ("2025-11-30T23:59", 1, False),
        ("2026-02-28T23:59", 1, True),
        ("2026-03-01T00:00", 1, False),
        ("2025-12-01T00:00", 1, True),
    ],
)
def test_winter_runs_over_the_turn_of_the_year(as_of: str, years: int, inside: bool) -> None:
    with at(as_of, ann=["2025-01-15T12:00"]) as shop:
        assert shop.members(defined(Seasonal, years=years)) == ({"ann"} if inside else set())


def test_one_winter_is_one_season_on_both_sides_of_new_year() -> None:
    with at(
        "2026-01-15T12:00",
        twice=["2024-12-20T12:00", "2025-01-10T12:00"],
        apart=["2024-12-20T12:00", "2024-01-10T12:00"],
    ) as shop:
        found = shop.evidence(defined(Seasonal))

        assert {name: each["seasons_before"] for name, each in found.items()} == {"twice": 1, "apart": 2}
        assert shop.members(defined(Seasonal, min_years=2)) == {"apart"}
        assert found["twice"]["last_season_order_at"] == datetime(2025, 1, 10, 12)


@pytest.mark.parametrize(
    ("end", "bought", "inside"),
    [
        ("02-29", "2024-02-29T23:59", True),
        ("02-29", "2023-02-28T23:59", True),
        ("02-29", "2023-03-01T00:00", False),
        ("02-28", "2024-02-29T00:01", False),
        ("02-28", "2024-02-28T23:59", True),
    ],
)
def test_29_february_belongs_to_the_season_whose_end_it_is(end: str, bought: str, inside: bool) -> None:
    with at("2026-02-10T12:00", ann=[bought]) as shop:
        assert shop.members(defined(Seasonal, start="02-01", end=end)) == ({"ann"} if inside else set())


def test_a_season_may_begin_on_29_february() -> None:
    with at(
        "2026-03-02T12:00", leap=["2024-02-29T00:00"], common=["2025-03-01T00:00"], before=["2025-02-28T23:59"]
    ) as shop:
        assert shop.members(defined(Seasonal, start="02-29", end="03-31")) == {"leap", "common"}


def test_days_are_the_shops_when_the_clocks_change() -> None:
    # In Copenhagen 30 March 2025 had 23 hours, so that its last minute is 21:59 UTC.
    with at("2026-03-29T12:00", COPENHAGEN, last=["2025-03-30T23:59"], next=["2025-03-31T00:00"]) as shop:
        assert shop.members(defined(Seasonal, start="03-15", end="03-30")) == {"last"}


@pytest.mark.parametrize(
    ("as_of", "lead", "inside"),
    [
        ("2025-11-06T00:00", "14d", True),
        ("2025-11-05T23:59", "14d", False),
        ("2025-12-24T23:59", "14d", True),
        ("2025-12-25T00:00", "14d", False),
        ("2025-11-19T23:59", "0d", False),
    ],
)
def test_the_season_may_begin_earlier_than_its_first_day(as_of: str, lead: str, inside: bool) -> None:
    with at(as_of, ann=["2024-12-01T12:00"]) as shop:
        assert shop.members(defined(Seasonal, **CHRISTMAS, lead=lead)) == ({"ann"} if inside else set())


def test_with_a_lead_the_quarter_that_begins_comes_before_the_one_that_ends() -> None:
    with at("2026-02-20T12:00", winter=["2025-01-15T12:00"], spring=["2025-03-15T12:00"]) as shop:
        assert shop.members(defined(Seasonal)) == {"winter"}
        assert shop.members(defined(Seasonal, lead="14d")) == {"spring"}


def test_out_of_season_nobody_is_in_and_it_says_when_the_next_begins() -> None:
    with at("2026-01-02T12:00", ann=["2025-12-01T12:00"]) as shop:
        christmas = defined(Seasonal, **CHRISTMAS)

        assert shop.members(christmas) == set()
        assert (
            shop.notes(christmas)[0]
            == "it is not the season, so nobody is in this segment; the next begins on 2026-11-20"
        )
        assert shop.reason(christmas, "ann") == "no counted order in this season of 3 years before and of this year"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("already", "orders this season 1, needs exactly 0: out by 1"),
        ("once", "seasons before 1, needs at least 2: out by 1"),
        ("summer", "no counted order in this season of 3 years before and of this year"),
    ],
)
def test_the_sentence_names_what_decided(name: str, told: str) -> None:
    people = {
        "already": ["2025-04-10T12:00", "2024-04-10T12:00", "2026-03-10T12:00"],
        "once": ["2025-04-10T12:00"],
        "summer": ["2025-07-10T12:00"],
    }
    with at("2026-03-20T12:00", **people) as shop:
        assert shop.reason(defined(Seasonal, min_years=2), name) == told


def test_only_counted_orders_count() -> None:
    with at("2026-03-20T12:00", ann=["2025-04-10T12:00"], bob=[]) as shop:
        shop.order("ann", timedelta(days=1), status="cancelled")
        shop.order("bob", shop.as_of - datetime(2025, 4, 10, tzinfo=UTC), test="true")

        assert shop.members(defined(Seasonal)) == {"ann"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start": "11-20"}, "give both"),
        ({"start": "11-31", "end": "12-24"}, "'11-31' is not a day of the year"),
        ({"start": "Nov 20", "end": "12-24"}, "match pattern"),
        ({"years": 2, "min_years": 3}, "min_years must not be more than years, not 3 of 2"),
        ({"lead": "91d"}, "less than or equal"),
        ({"years": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(Seasonal, **wrong)


HOURS = st.integers(0, 5 * 365 * 24)


def season_year(moment: datetime) -> int | None:
    """Return the year in which the Christmas season of a local time begins, computed without hub."""
    day = (moment.month, moment.day)
    return moment.year if (11, 20) <= day <= (12, 24) else None


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(HOURS, max_size=6), min_size=3, max_size=25), st.integers(0, 34 * 24), st.integers(1, 4))
def test_members_equal_a_calculation_by_hand(ages: list[list[int]], hour: int, years: int) -> None:
    zone = ZoneInfo("America/New_York")
    as_of = datetime(2025, 11, 20, 6, tzinfo=UTC) + timedelta(hours=hour)
    expected = set()
    with a_shop(as_of=as_of, timezone=str(zone)) as shop:
        shop.gives("orders", "order_lines")
        for number, each in enumerate(ages):
            shop.person(f"p{number}")
            seasons = {season_year((as_of - timedelta(hours=age)).astimezone(zone)) for age in each}
            if 2025 not in seasons and seasons & set(range(2025 - years, 2025)):
                expected.add(f"p{number}")
            for age in each:
                shop.order(f"p{number}", timedelta(hours=age))

        assert shop.members(defined(Seasonal, **CHRISTMAS, years=years)) == expected
