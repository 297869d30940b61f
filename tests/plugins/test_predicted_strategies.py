"""likely-lost, likely-to-return and top-predicted-value through a real catalog: bounds, refusals, and what is said."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from hub.api import PluginError
from hub.catalog import Session
from hub.segments import Definition, SegmentResult, explain, run_segments
from hub_predicted import LikelyLost, LikelyToReturn, TopPredictedValue
from hub_predicted.buying import Histories, fit_buying
from tests.predicted_shop import AS_OF, DAY, WEEK, PredictedShop, people_of, simulate
from tests.segment_shop import defined, golden

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
ALL = (LikelyLost, LikelyToReturn, TopPredictedValue)
EVERYBODY = defined(LikelyToReturn, "everybody", min_probability=0)


def shop_of(seed: int = 1, size: int = 600, **more: Any) -> PredictedShop:
    shop = PredictedShop()
    shop.buyers(simulate(seed, size, **more))
    return shop


def ran(session: Session, definition: Definition) -> SegmentResult:
    result = run_segments(session, [definition])[definition.name]
    if result.error is not None:
        raise result.error
    return result


def told(session: Session, definition: Definition = EVERYBODY) -> dict[str, dict[str, Any]]:
    """Return the evidence by name."""
    result = ran(session, definition)
    assert result.table is not None, result.refused
    names = people_of(session)
    answer = session.con.execute(f"select * from {result.table}")
    columns = [column[0] for column in answer.description or ()]
    return {names[row[0]]: dict(zip(columns[1:], row[1:], strict=True)) for row in answer.fetchall()}


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
        run_segments(session, [defined(LikelyLost, horizon="30d")])

        assert (same, bases(session)) == (1, 2)


def bases(session: Session) -> int:
    found = session.con.execute("from duckdb_tables() where table_name like 'base!_%' escape '!'").fetchall()
    return len(found)


# Refusals


def scarce(
    customers: int = 500,
    came_back: int = 100,
    thrice: int = 20,
    history: timedelta = 180 * DAY,
    silence: timedelta = DAY,
) -> PredictedShop:
    """Return a shop with exactly so many customers, the first order and the last so long ago."""
    rng = np.random.default_rng(9)
    shop = PredictedShop()
    for number in range(customers):
        first = history - (number % 40) * DAY * (number > 0)
        shop.order(f"c{number}", first, rng.uniform(10, 90))
        if number < came_back:
            shop.order(f"c{number}", silence + (number % 45) * DAY, rng.uniform(10, 90))
        if number < thrice:
            shop.order(f"c{number}", silence + (60 + number) * DAY, rng.uniform(10, 90))
    return shop


@pytest.mark.parametrize(
    ("enough", "lacking", "reason"),
    [
        ({"customers": 500}, {"customers": 499}, "499 customers with a purchase (500 are needed)"),
        ({"came_back": 100}, {"came_back": 99}, "99 who came back (100 are needed)"),
        ({"thrice": 20}, {"thrice": 19}, "19 with three purchases or more (20 are needed)"),
        (
            {"history": 180 * DAY},
            {"history": 180 * DAY - MICROSECOND},
            "179 days of history (180 are needed)",
        ),
        (
            {"silence": 30 * DAY - MICROSECOND},
            {"silence": 30 * DAY},
            "no order for 30 days (at most 30)",
        ),
    ],
)
def test_below_what_is_needed_there_is_no_answer(enough: Any, lacking: Any, reason: str) -> None:
    with scarce(**enough).session() as session:
        assert ran(session, defined(LikelyLost)).refused is None
    with scarce(**lacking).session() as session:
        results = run_segments(session, [defined(each) for each in ALL])

    assert {result.refused for result in results.values()} == {f"too_little_data: {reason}"}


def test_the_golden_example_is_far_too_small() -> None:
    result = run_segments(golden(), [defined(LikelyLost)])["likely-lost"]

    assert result.refused == (
        "too_little_data: 7 customers with a purchase (500 are needed), 4 who came back (100 are needed), "
        "2 with three purchases or more (20 are needed)"
    )
    assert result.error is None


def test_nobody_bought_yet() -> None:
    shop = PredictedShop()
    shop.order("ann", DAY, 0)

    with shop.session() as session:
        assert ran(session, defined(TopPredictedValue)).refused == "too_little_data: nobody has bought anything yet"


def often(shop: PredictedShop, name: str, *gaps: int) -> None:
    age = sum(gaps) + 3
    shop.order(name, age * DAY, 40)
    for gap in gaps:
        age -= gap
        shop.order(name, age * DAY, 40)


@pytest.mark.parametrize(
    ("others", "gaps", "refused"),
    [
        (3, (30, 30, 30), True),
        (4, (30, 30, 30), False),
        (3, (26, 30, 34), True),  # the standard deviation is 4 of 30
        (3, (25, 30, 35), False),  # 5 of 30
        (3, (30, 30), False),  # three purchases tell nothing
    ],
)
def test_where_a_quarter_of_the_frequent_ones_buys_at_fixed_intervals_prediction_is_refused(
    others: int, gaps: tuple[int, ...], refused: bool
) -> None:
    shop = scarce()
    for number in range(others):
        often(shop, f"random{number}", 5, 40, 11 + number)
    often(shop, "subscriber", *gaps)

    with shop.session() as session:
        found = ran(session, defined(LikelyLost))
        allowed = ran(session, defined(LikelyLost, allow_subscriptions=True))

    assert (found.refused is not None) == refused
    if found.refused:
        assert found.refused.startswith("subscriptions: 1 of 4 customers who bought on four days or more")
    assert allowed.refused is None


def test_worth_without_a_mean_refuses_values_only() -> None:
    shop = shop_of(spending=(2.0, 0.6, 10.0))

    with shop.session() as session:
        lost = ran(session, defined(LikelyLost))
        assert lost.refused is None
        assert {each["expected_value"] for each in told(session).values()} == {None}
        assert [
            note for note in lost.notes if note.startswith("no_value") and note.endswith("there is no expected_value")
        ]
        assert (ran(session, defined(TopPredictedValue)).refused or "").startswith("no_value: what purchases are worth")


def test_without_scipy_check_and_runs_say_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    (tmp_path / "hub.toml").write_text("")
    client = 'name = "Acme"\n' + "".join(
        f'[segments.{name}]\nplugin = "{name}"\n' for name in ("likely-lost", "likely-to-recover", "inactive")
    )
    (tmp_path / "clients" / "acme.toml").write_text(client)
    program = "import sys; sys.modules['scipy'] = None; from hub.cli.app import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "check", "acme", "--offline"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    shown = " ".join(done.stdout.split())
    assert (
        shown.count("predictions need scipy, which is not installed: run `pip install 'audience-hub[predicted]'`") == 2
    )
    assert "inactive" not in shown


def test_another_fault_of_import_is_a_failure_and_not_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hub_predicted.forecast", None)

    with shop_of(size=3).session() as session, pytest.raises(PluginError, match=r"hub_predicted\.forecast"):
        ran(session, defined(LikelyLost))


# What is said of the fit


def test_the_trial_is_what_a_fit_without_the_last_weeks_would_have_said() -> None:
    shop = shop_of(4, 1_500)
    cut = AS_OF - 91 * DAY
    days: dict[str, dict[Any, datetime]] = {}
    for row in sorted(shop.orders, key=lambda row: row["placed_at"]):
        days.setdefault(row["customer_id"], {}).setdefault(row["placed_at"].date(), row["placed_at"])
    known = {name: [at for at in each.values() if at <= cut] for name, each in days.items()}
    known = {name: each for name, each in known.items() if each}
    came = sum(len(days[name]) - len(each) for name, each in known.items())
    model, _ = fit_buying(
        Histories(
            np.array([len(each) - 1.0 for each in known.values()]),
            np.array([(each[-1] - each[0]) / WEEK for each in known.values()]),
            np.array([(cut - each[0]) / WEEK for each in known.values()]),
        )
    )
    customers = Histories(
        np.array([len(each) - 1.0 for each in known.values()]),
        np.array([(each[-1] - each[0]) / WEEK for each in known.values()]),
        np.array([(cut - each[0]) / WEEK for each in known.values()]),
    )

    with shop.session() as session:
        (note,) = [note for note in ran(session, defined(LikelyLost)).notes if note.startswith("tried on")]

    total = model.expected_purchases(customers, 13).sum()
    assert note.startswith(
        f"tried on the last 91 days, fitted without them: {total:,.0f} purchases predicted, {came:,} came"
    )
    once = [name for name, each in known.items() if len(each) == 1]
    assert f"1 purchase: {model.expected_purchases(customers, 13)[customers.repeats == 0].sum():,.0f} and " in note
    assert f" and {sum(len(days[name]) - 1 for name in once):,}, 2: " in note
    assert abs(total / came - 1) < 0.2


def test_a_shop_that_changed_is_told_by_the_trial() -> None:
    shop = shop_of(4)
    for number in range(0, 600, 2):
        shop.order(f"c{number}", timedelta(days=10 + number % 40), 30)

    with shop.session() as session:
        notes = ran(session, defined(LikelyLost)).notes

    assert re.search(r"the trial was off \(\d+% too few\): take probabilities as a ranking", notes[-1])


def test_who_buys_often_and_spends_more_is_told() -> None:
    shop = PredictedShop()
    made = simulate(1, 600)
    made.worths = [[worth * len(each) for worth in each] for each in made.worths]
    shop.buyers(made)

    with shop.session() as session:
        notes = ran(session, defined(LikelyLost)).notes

    assert "those who buy often spend more each time here, which the model of worth leaves out" in notes


def test_a_horizon_longer_than_the_history_is_said() -> None:
    with scarce(history=200 * DAY).session() as session:
        assert not [note for note in ran(session, defined(LikelyLost, horizon="200d")).notes if "horizon" in note]
        notes = ran(session, defined(LikelyLost, horizon="201d")).notes

    assert "horizon = 201d looks further ahead than the 200 days of history look back" in notes


def test_too_few_before_the_last_weeks_leave_the_models_untried() -> None:
    with scarce(came_back=100, history=180 * DAY).session() as session:
        notes = ran(session, defined(LikelyLost)).notes

    assert "not tried on the last 45 days: too few had bought before" in notes


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
