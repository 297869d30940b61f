"""likely-lost, likely-to-return and top-predicted-value through a real catalog: what counts, and every bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from hub.catalog import Session
from hub.segments import Definition, explain, run_segments
from hub_predicted import LikelyLost, LikelyToReturn, TopPredictedValue, forecast
from tests.predicted_shop import AS_OF, DAY, PredictedShop, evidence, people_of, ran, shop_of
from tests.segment_shop import defined

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
ALL = (LikelyLost, LikelyToReturn, TopPredictedValue)
EVERYBODY = defined(LikelyToReturn, "everybody", min_probability=0)


def told(session: Session, definition: Definition = EVERYBODY) -> dict[str, dict[str, Any]]:
    return evidence(session, definition)


def predicted(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name] for name in ("probability_alive", "return_probability", "expected_purchases"))


# What a purchase is


def twice(shop: PredictedShop, name: str) -> None:
    shop.order(name, 100 * DAY, 40)
    shop.order(name, 50 * DAY, 40)


ODD: dict[str, Callable[[PredictedShop, str], None]] = {
    "an order split in two": lambda shop, name: shop.order(name, 50 * DAY - HOUR, 10),
    "a gift": lambda shop, name: shop.order(name, 20 * DAY, 0),
    "an order paid back in full": lambda shop, name: shop.order(name, 20 * DAY, 40, refunded="40.00"),
    "an order refunded": lambda shop, name: shop.order(name, 20 * DAY, 40, status="refunded"),
    "a cancelled order": lambda shop, name: shop.order(name, 20 * DAY, 40, status="cancelled"),
    "a test": lambda shop, name: shop.order(name, 20 * DAY, 40, test=True),
}


def test_what_is_no_purchase_of_its_own_changes_no_prediction() -> None:
    shop = shop_of()
    twice(shop, "plain")
    twice(shop, "more")
    shop.order("more", 20 * DAY, 0.01)
    for name, add in ODD.items():
        twice(shop, name)
        add(shop, name)

    with shop.session() as session:
        found = told(session)

    assert {name for name in ODD if predicted(found[name]) != predicted(found["plain"])} == set()
    assert predicted(found["more"]) != predicted(found["plain"])


def test_orders_on_both_sides_of_midnight_are_two_purchases_and_an_order_of_this_instant_is_one() -> None:
    shop = shop_of()
    noon_to_midnight = 12 * HOUR
    for name, second in (
        ("same day", 90 * DAY + noon_to_midnight - 2 * MICROSECOND),
        ("next day", 90 * DAY + noon_to_midnight),
    ):
        shop.order(name, 90 * DAY + noon_to_midnight + MICROSECOND, 40)
        shop.order(name, second, 40)
    for name, first in (
        ("one", 90 * DAY + noon_to_midnight + MICROSECOND),
        ("now", timedelta(0)),
        ("later", -MICROSECOND),
    ):
        shop.order(name, first, 40)

    with shop.session() as session:
        found = told(session)

    # Noon less half a day is midnight, where the next day begins.
    assert found["next day"]["probability_alive"] is not None
    assert found["one"]["probability_alive"] is None
    assert found["same day"]["probability_alive"] is not None
    assert predicted(found["now"])[1] > predicted(found["one"])[1]
    assert "later" not in found


@pytest.mark.parametrize("as_of", ["2024-02-29T12:00", "2026-03-29T12:00", "2026-10-25T12:00"])
def test_leap_days_and_clock_changes_move_nobody(as_of: str) -> None:
    first, other = shop_of(), shop_of()
    other.as_of = datetime.fromisoformat(as_of)
    for row in other.orders:
        row["placed_at"] += other.as_of - AS_OF

    with first.session() as session, other.session() as later:
        found, expected = told(later), told(session)

    assert {name: predicted(each) for name, each in found.items()} == {
        name: predicted(each) for name, each in expected.items()
    }


# Only what was known


def test_an_earlier_instant_sees_nothing_of_what_came_after_it() -> None:
    whole, cut = shop_of(), shop_of()
    earlier = AS_OF - 40 * DAY
    cut.orders = [row for row in cut.orders if row["placed_at"] <= earlier]

    with whole.session(as_of=earlier) as session, cut.session(as_of=earlier) as before:
        assert told(session) == told(before)
        assert ran(session, EVERYBODY).notes == ran(before, EVERYBODY).notes


def test_the_order_in_which_orders_arrived_changes_nothing() -> None:
    shop = shop_of()

    with shop.session() as session, shop.session(backwards=True) as backwards:
        assert told(session) == told(backwards)


@pytest.mark.parametrize(("frozen", "moves"), [("month", False), ("week", True), (None, True)])
def test_frozen_models_move_nobody_because_others_bought(frozen: str | None, moves: bool) -> None:
    """The month began at midnight, twelve hours ago; the week six days before."""
    before, after = shop_of(), shop_of()
    age = 12 * HOUR - MICROSECOND if frozen != "week" else 6 * DAY + 13 * HOUR
    for number in range(60):
        after.order(f"c{number}", age, 500)
    definition = defined(LikelyToReturn, min_probability=0, frozen=frozen)

    with before.session() as session, after.session() as later:
        first, second = told(session, definition), told(later, definition)

    untouched = [f"c{number}" for number in range(60, 600)]
    assert any(first[name] != second[name] for name in untouched) == moves
    assert predicted(first["c0"]) != predicted(second["c0"])


def test_a_frozen_model_is_the_one_that_a_run_at_the_beginning_of_the_period_fits() -> None:
    shop = shop_of()
    for number, (_, add) in enumerate(ODD.items()):
        twice(shop, f"odd{number}")
        add(shop, f"odd{number}")
    began = datetime(shop.as_of.year, shop.as_of.month, 1)

    with shop.session() as session, shop.session(as_of=began) as earlier:
        notes = ran(session, defined(LikelyToReturn, frozen="month")).notes
        assert notes == ran(earlier, defined(LikelyToReturn)).notes

    assert notes[0].startswith(f"BG/NBD fitted at {began:%Y-%m-%d} 00:00 UTC")


def test_of_many_customers_some_are_fitted_and_everybody_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which ones follows from when they bought, not from the order in which they came to be known."""
    monkeypatch.setattr(forecast, "ENOUGH", 400)
    shop = shop_of()

    with shop.session() as session, shop.session(backwards=True) as backwards:
        found, (fitted, worth, tried, *_) = told(session), ran(session, EVERYBODY).notes
        assert (found, (fitted, worth, tried)) == (told(backwards), ran(backwards, EVERYBODY).notes[:3])

    assert len(found) == 600
    assert "to 600 customers" in fitted
    assert "of 300 of them" in fitted
    came = re.search(r"purchases predicted, (\d+) came", tried)
    assert came is not None
    assert 0 < int(came[1]) < sum(order["placed_at"] > AS_OF - 91 * DAY for order in shop.orders)


# Rules


@pytest.mark.parametrize(
    ("strategy", "setting", "evidence", "sign"),
    [
        (LikelyLost, "max_alive", "probability_alive", 1),
        (LikelyToReturn, "min_probability", "return_probability", -1),
        (TopPredictedValue, "min_value", "expected_value", -1),
    ],
)
def test_the_bound_itself_is_in_and_just_beyond_is_out(strategy: Any, setting: str, evidence: str, sign: int) -> None:
    step = Decimal("0.01") if setting == "min_value" else 0.0001
    with shop_of().session() as session:
        name, found = next(
            (name, each)
            for name, each in told(session).items()
            if 0.1 < (each[evidence] or 0) < (0.9 if sign > 0 else 99)
        )
        horizon = {"horizon": "90d"}

        inside = told(session, defined(strategy, **horizon, **{setting: found[evidence]}))
        outside = told(session, defined(strategy, **horizon, **{setting: found[evidence] - sign * step}))

    assert name in inside
    assert name not in outside


def test_the_percentile_of_value_is_by_nearest_rank_over_everybody_who_bought() -> None:
    with shop_of().session() as session:
        values = sorted(
            each["expected_value"] for each in told(session, defined(TopPredictedValue, percentile=0)).values()
        )
        found = told(session, defined(TopPredictedValue, percentile=75))

    bar = values[-(-75 * len(values) // 100) - 1]
    assert len(values) == 600
    assert sorted(each["expected_value"] for each in found.values()) == [value for value in values if value >= bar]


def test_explanations_name_the_prediction_its_time_and_the_bound() -> None:
    shop = shop_of()
    shop.order("once", 30 * DAY, 40)
    shop.order("gifted", 30 * DAY, 0)
    for age in (300, 290, 280, 270, 260):
        shop.order("gone", age * DAY, 40)
    with shop.session() as session:
        numbers = {name: person for person, name in people_of(session).items()}
        known = told(session, defined(LikelyToReturn, "everybody", min_probability=0))

        def said(strategy: Any, name: str, **settings: Any) -> str:
            return explain(session, [defined(strategy, **settings)], strategy.name, numbers[name]).reason

        share = f"{known['once']['return_probability'] * 100:.4g}"
        short = f"{50 - known['once']['return_probability'] * 100:.4g}"
        alive = f"{known['gone']['probability_alive'] * 100:.4g}"
        assert said(LikelyLost, "gone") == f"probability alive {alive} %, needs at most 25 %: in"
        assert said(LikelyLost, "once") == "probability alive is not known, needs at most 25 %: out (insufficient data)"
        assert said(LikelyLost, "gifted") == "no purchase that was worth anything, so nothing to predict from"
        assert said(LikelyToReturn, "once") == (
            f"return probability {share} % in 90 days, needs at least 50 %: out by {short} %"
        )
        assert re.fullmatch(
            r"expected value [\d.]+ in 365 days, needs at least [\d.]+, the 90th percentile of 602 people: out by [\d.]+",
            said(TopPredictedValue, "once"),
        )


def test_segments_with_the_same_horizon_share_one_scoring() -> None:
    with shop_of().session() as session:
        run_segments(session, [defined(LikelyLost), defined(LikelyToReturn), defined(TopPredictedValue, horizon="90d")])
        same = bases(session)
        other = [defined(LikelyLost, horizon="30d"), defined(LikelyToReturn, horizon="30d")]
        run_segments(session, other)

        assert (same, bases(session)) == (1, 2)


def bases(session: Session) -> int:
    found = session.con.execute("from duckdb_tables() where table_name like 'base!_%' escape '!'").fetchall()
    return len(found)


@pytest.mark.parametrize(
    ("strategy", "wrong", "said"),
    [
        (LikelyLost, {"max_alive": 1.01}, "less than or equal to 1"),
        (LikelyLost, {"horizon": "23h"}, "greater than or equal to 1 day"),
        (LikelyToReturn, {"min_probability": -0.1}, "greater than or equal to 0"),
        (LikelyToReturn, {"horizon": "1096d"}, "less than or equal to 1095 days"),
        (LikelyToReturn, {"frozen": "year"}, "'week' or 'month'"),
        (TopPredictedValue, {"percentile": 101}, "less than or equal to 100"),
        (TopPredictedValue, {"min_value": 0}, "greater than 0"),
        (TopPredictedValue, {"max_alive": 0.5}, "Extra inputs"),
    ],
)
def test_settings_are_bounded(strategy: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        defined(strategy, **wrong)
