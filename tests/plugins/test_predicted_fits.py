"""When the predictions from purchases refuse, and what they say of their fit."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.api import PluginError
from hub.segments import run_segments
from hub_predicted import LikelyLost, LikelyToReturn, TopPredictedValue
from hub_predicted.buying import Histories, fit_buying
from tests.predicted_shop import AS_OF, DAY, WEEK, PredictedShop, evidence, ran, shop_of, simulate
from tests.segment_shop import defined, golden

MICROSECOND = timedelta(microseconds=1)
ALL = (LikelyLost, LikelyToReturn, TopPredictedValue)
EVERYBODY = defined(LikelyToReturn, "everybody", min_probability=0)


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
        assert {each["expected_value"] for each in evidence(session, EVERYBODY).values()} == {None}
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
    customers = Histories(
        np.array([len(each) - 1.0 for each in known.values()]),
        np.array([(each[-1] - each[0]) / WEEK for each in known.values()]),
        np.array([(cut - each[0]) / WEEK for each in known.values()]),
    )
    model, _ = fit_buying(customers)

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
