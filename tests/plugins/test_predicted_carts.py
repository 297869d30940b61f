"""likely-to-recover through a real catalog: which carts count, what the model says of them, and when it says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from hub.catalog import Session
from hub.segments import Definition, explain
from hub_predicted import LikelyToRecover
from tests.predicted_shop import AS_OF, DAY, PredictedShop, evidence, people_of, ran
from tests.segment_shop import defined

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
WEEK = 7 * DAY
EVERY = defined(LikelyToRecover, "every", min_probability=0)
Change = Callable[[PredictedShop], None]


def shop_of(lost: int = 500, recovered: int = 100, hours: tuple[float, ...] = (2, 12, 50, 100)) -> PredictedShop:
    """Return a shop of carts left long ago, each by somebody else; the recovered ones after these hours in turn."""
    shop = PredictedShop()
    for number in range(lost):
        shop.cart(f"l{number}", (20 + number % 100) * DAY, 50)
    for number in range(recovered):
        age = (20 + number % 100) * DAY
        shop.cart(f"r{number}", age, 50)
        shop.order(f"r{number}", age - hours[number % len(hours)] * HOUR, 50)
    return shop


def told(session: Session, definition: Definition = EVERY) -> dict[str, dict[str, Any]]:
    return evidence(session, definition)


# What is learned from


def learned(shop: PredictedShop, definition: Definition = EVERY) -> tuple[int, int]:
    """Return how many carts the model was fitted to, and how many of them were recovered."""
    with shop.session() as session:
        note = ran(session, definition).notes[0]
    found = re.match(r"fitted to ([\d,]+) carts left alone for an hour: ([\d.]+)% were recovered within 7 days", note)
    assert found is not None, note
    carts = int(found[1].replace(",", ""))
    return carts, round(float(found[2]) * carts / 100)


def left(shop: PredictedShop, age: timedelta = 30 * DAY, **more: Any) -> None:
    shop.cart("ann", age, 50, **more)


def done(hours: float, **more: Any) -> Change:
    """Complete the cart so long after it was begun, which is its last change."""
    at = AS_OF - 30 * DAY + hours * HOUR
    return lambda shop: left(shop, completed_at=at, updated_at=at, **more)


def ordered(after: timedelta, name: str = "ann", **more: Any) -> Change:
    def change(shop: PredictedShop) -> None:
        left(shop)
        shop.order(name, 30 * DAY - after, more.pop("total", 50), **more)

    return change


def touched(shop: PredictedShop) -> None:
    left(shop, updated_at=AS_OF - 29 * DAY)
    shop.order("ann", 29 * DAY - 30 * MINUTE)


OUTCOMES: dict[str, tuple[Change, int, int]] = {
    "nothing happened": (left, 1, 0),
    "an order within the hour": (ordered(HOUR - MICROSECOND), 0, 0),
    "an order after exactly an hour": (ordered(HOUR), 1, 1),
    "an order after exactly a week": (ordered(WEEK), 1, 1),
    "an order after more than a week": (ordered(WEEK + MICROSECOND), 1, 0),
    "an order before": (ordered(-DAY), 1, 0),
    "somebody else's order": (ordered(DAY, "bob"), 1, 0),
    "a cancelled order": (ordered(DAY, status="cancelled"), 1, 0),
    "a test order": (ordered(DAY, test=True), 1, 0),
    "an order worth nothing": (ordered(DAY, total=0), 1, 1),
    "completed within the hour": (done(0.5), 0, 0),
    "completed after an hour": (done(1), 1, 1),
    "completed after a week": (done(168), 1, 1),
    "completed after more than a week": (done(168.001), 1, 0),
    "touched a day later and ordered within the hour": (touched, 0, 0),
    "left exactly a week ago": (lambda shop: left(shop, WEEK), 1, 0),
    "left less than a week ago": (lambda shop: left(shop, WEEK - MICROSECOND), 0, 0),
    "left just within the window": (lambda shop: left(shop, 365 * DAY - MICROSECOND), 1, 0),
    "left exactly the window ago": (lambda shop: left(shop, 365 * DAY), 0, 0),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_cart_was_abandoned_after_an_hour_and_recovered_within_a_week(outcome: str) -> None:
    change, carts, recovered = OUTCOMES[outcome]
    shop = shop_of(recovered=80)
    change(shop)

    assert learned(shop) == (580 + carts, 80 + recovered)


# Which open carts are scored


def replaced(shop: PredictedShop) -> None:
    shop.cart("ann", 20 * HOUR, 70)


def replaced_and_bought(shop: PredictedShop) -> None:
    shop.cart("ann", 20 * HOUR, 70, completed_at=AS_OF - 10 * HOUR, updated_at=AS_OF - 10 * HOUR)


def named_by_an_order(shop: PredictedShop) -> None:
    """The cart is touched once more after the order that came from it."""
    shop.carts[-1]["updated_at"] = AS_OF - 5 * HOUR
    shop.order("ann", 10 * HOUR, 50, cart_id=shop.carts[-1]["cart_id"])


OPEN: dict[str, tuple[timedelta, Change | None, str | None]] = {
    "left for exactly an hour": (HOUR, None, "left"),
    "left for less": (HOUR - MICROSECOND, None, None),
    "left for less than a week": (WEEK - MICROSECOND, None, "left"),
    "left for exactly a week": (WEEK, None, None),
    "ordered since": (2 * DAY, lambda shop: shop.order("ann", DAY), None),
    "ordered before": (2 * DAY, lambda shop: shop.order("ann", 3 * DAY), "left"),
    "replaced by a newer one": (2 * DAY, replaced, "newer"),
    "replaced by one that was bought": (2 * DAY, replaced_and_bought, None),
    "named by an order and touched again": (2 * DAY, named_by_an_order, None),
}


@pytest.mark.parametrize("case", OPEN)
def test_only_the_latest_cart_counts_as_long_as_it_is_open(case: str) -> None:
    age, change, expected = OPEN[case]
    shop = shop_of()
    shop.cart("ann", age, 50, cart_id="left")
    if change is not None:
        change(shop)
        shop.carts[-1]["cart_id"] = "newer" if len(shop.carts) == 602 else "left"

    with shop.session() as session:
        found = told(session)

    assert found.get("ann", {}).get("cart_id") == expected


@pytest.mark.parametrize(
    ("age", "member"),
    [(5 * HOUR - MICROSECOND, False), (5 * HOUR, True), (48 * HOUR - MICROSECOND, True), (48 * HOUR, False)],
)
def test_ages_of_ones_own_are_half_open_too(age: timedelta, member: bool) -> None:
    shop = shop_of()
    shop.cart("ann", age, 50)
    shop.cart("bob", 6 * HOUR, 50)

    with shop.session() as session:
        found = told(session, defined(LikelyToRecover, min_probability=0, min_age="5h", max_age="2d"))

    assert set(found) == ({"ann", "bob"} if member else {"bob"})


def test_evidence_is_the_cart_with_its_lines_and_its_way_back() -> None:
    shop = shop_of()
    shop.cart("ann", DAY, 59.9, cart_id="k-ann", recovery_url="https://shop.example/cart/7", step="payment")
    shop.line(2, 20)
    shop.line(1, 19.9)
    shop.cart("bob", DAY, None)
    shop.line(3, 10.5)
    shop.cart("cat", DAY, None)
    shop.line(1, None)

    with shop.session() as session:
        found = told(session)

    ann = {name: str(value) for name, value in found["ann"].items() if name != "recovery_probability"}
    assert ann == {
        "cart_id": "k-ann",
        "cart_value": "59.90",
        "cart_items": "3",
        "cart_url": "https://shop.example/cart/7",
        "cart_step": "payment",
        "cart_at": str(AS_OF - DAY),
    }
    assert (str(found["bob"]["cart_value"]), found["bob"]["cart_items"]) == ("31.50", 3)
    assert (found["cat"]["cart_value"], found["cat"]["cart_items"]) == (None, 1)


# What the model says


def test_the_longer_a_cart_was_left_the_less_of_its_probability_remains() -> None:
    """Of equal carts one in six came back, after 2, 12, 50 and 100 hours in turn."""
    shop = shop_of(hours=(2, 12, 50, 100))
    ages = {"fresh": 1.5, "after some": 2.0, "half": 12.5, "most": 60, "all": 120}
    for name, hours in ages.items():
        shop.cart(name, hours * HOUR, 50)

    with shop.session() as session:
        found = {name: each["recovery_probability"] for name, each in told(session).items()}

    whether = 1 / 6
    passed = {"fresh": 0, "after some": 0.25, "half": 0.5, "most": 0.75, "all": 1}
    expected = {name: whether * (1 - share) / (1 - whether * share) for name, share in passed.items()}
    assert found == pytest.approx(expected, abs=1e-4)


def test_what_tells_carts_apart_is_found_and_its_calibration_shown() -> None:
    rng = np.random.default_rng(3)
    shop = PredictedShop()
    for number in range(2_000):
        value, age = float(rng.uniform(5, 500)), timedelta(days=float(rng.uniform(8, 300)))
        shop.cart(f"c{number}", age, value)
        if rng.random() < 1 / (1 + np.exp(4 - value / 70)):
            shop.order(f"c{number}", age - timedelta(hours=float(rng.uniform(1, 160))), value)
    for name, value in (("cheap", 20), ("dear", 480)):
        shop.cart(name, 2 * HOUR, value)

    with shop.session() as session:
        fitted, trial = ran(session, EVERY).notes
        found = told(session)

    fifths = [
        (int(one), int(other)) for one, other in re.findall(r"(\d+)% and (\d+)%", trial.partition("recovered: ")[2])[:5]
    ]
    assert len(fifths) == 5
    assert all(abs(one - other) <= 12 for one, other in fifths)
    assert [one for one, _ in fifths] == sorted(one for one, _ in fifths)
    assert fifths[0][1] + 40 < fifths[-1][1]
    assert trial.startswith("tried on the newest 500 carts, fitted without them")
    assert int(re.findall(r"in (\d+)% of cases", trial)[0]) > 75
    assert re.search(r"log-odds: value \+[12]\.\d\d, ", fitted)
    assert found["cheap"]["recovery_probability"] < 0.2 < 0.7 < found["dear"]["recovery_probability"]


def test_carts_that_nothing_tells_apart_are_told_as_such() -> None:
    with shop_of().session() as session:
        notes = ran(session, EVERY).notes

    assert notes[-1] == "the model hardly tells carts apart here: treat all of them alike"


def test_people_whose_earlier_carts_came_back_are_told_from_those_whose_did_not() -> None:
    shop = PredictedShop()
    for number in range(150):
        for place in range(5):
            name, age = f"{'good' if number % 3 == 0 else 'bad'}{number}", (10 + 15 * place) * DAY
            shop.cart(name, age, 50)
            if number % 3 == 0:
                shop.order(name, age - 20 * HOUR, 50)
    shop.cart("good0", 2 * HOUR, 50)
    shop.cart("bad1", 2 * HOUR, 50)

    with shop.session() as session:
        found = told(session)

    assert found["good0"]["recovery_probability"] > 0.8
    assert found["bad1"]["recovery_probability"] < 0.2


# Rules


def test_likely_and_unlikely_divide_the_open_carts_at_the_percentile() -> None:
    shop = shop_of()
    for number in range(40):
        shop.cart(f"open{number}", (2 + 4 * number) * HOUR, 50)

    with shop.session() as session:
        every = told(session)
        likely = told(session, defined(LikelyToRecover, percentile=75))
        unlikely = told(session, defined(LikelyToRecover, which="unlikely", percentile=75))

    ranked = sorted(each["recovery_probability"] for each in every.values())
    bar = ranked[30 - 1]
    assert len(every) == 40
    assert set(likely) == {name for name, each in every.items() if each["recovery_probability"] >= bar}
    assert set(unlikely) == set(every) - set(likely)


def test_the_bound_itself_is_in_and_just_beyond_is_out_and_the_explanation_says_so() -> None:
    shop = shop_of()
    shop.cart("ann", 3 * HOUR, 50)
    with shop.session() as session:
        chance = told(session)["ann"]["recovery_probability"]
        person = {name: number for number, name in people_of(session).items()}["ann"]

        def members(**settings: Any) -> set[str]:
            return set(told(session, defined(LikelyToRecover, **settings)))

        assert members(min_probability=chance) == {"ann"}
        assert members(min_probability=chance + 0.0001) == set()
        assert members(which="unlikely", max_probability=chance) == {"ann"}
        assert members(which="unlikely", max_probability=chance - 0.0001) == set()
        said = explain(session, [defined(LikelyToRecover, min_probability=0.5)], "likely-to-recover", person).reason
        stranger = explain(session, [defined(LikelyToRecover)], "likely-to-recover", person + 10_000).reason

    assert said == (f"recovery probability {chance * 100:.4g} %, needs at least 50 %: out by {50 - chance * 100:.4g} %")
    assert stranger == (
        "no open cart left between 1 hour and 7 days ago: none, or it was completed, ordered or replaced"
    )


def test_an_earlier_instant_sees_nothing_of_what_came_after_it() -> None:
    whole, cut = shop_of(), shop_of()
    earlier = AS_OF - 25 * DAY
    cut.orders = [row for row in cut.orders if row["placed_at"] <= earlier]
    cut.carts = [row for row in cut.carts if row["created_at"] <= earlier]
    later = earlier + 5 * HOUR
    whole.cart("ann", 25 * DAY + 2 * HOUR, 50, cart_id="of ann", updated_at=later, completed_at=later)
    cut.cart("ann", 25 * DAY + 2 * HOUR, 50, cart_id="of ann")

    with whole.session(as_of=earlier) as session, cut.session(as_of=earlier) as before:
        assert told(session) == told(before)
        assert ran(session, EVERY).notes == ran(before, EVERY).notes
        assert "ann" in told(session)


# Refusals


@pytest.mark.parametrize(
    ("lost", "recovered", "reason"),
    [
        (450, 50, None),
        (449, 50, "499 carts left alone for an hour, at least a week ago (500 are needed)"),
        (451, 49, "49 recovered (50 are needed)"),
        (50, 450, None),
        (49, 451, "49 not recovered (50 are needed)"),
        (0, 0, "0 carts left alone for an hour, at least a week ago (500 are needed), 0 recovered (50 are needed), "
               "0 not recovered (50 are needed)"),
    ],
)  # fmt: skip
def test_with_too_few_carts_there_is_no_answer(lost: int, recovered: int, reason: str | None) -> None:
    shop = shop_of(lost, recovered)
    shop.cart("ann", 2 * HOUR, 50)
    shop.order("ann", 300 * DAY, 50)

    with shop.session() as session:
        result = ran(session, EVERY)

    assert result.refused == (None if reason is None else f"too_little_data: {reason}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"min_age": "59m"}, "greater than or equal to 1 hour"),
        ({"max_age": "169h"}, "less than or equal to 7 days"),
        ({"min_age": "5h", "max_age": "5h"}, "min_age must be shorter than max_age, not 5h and 5h"),
        ({"which": "unlikely", "min_probability": 0.5}, 'min_probability goes with which = "likely"'),
        ({"max_probability": 0.5}, 'max_probability goes with which = "unlikely"'),
        ({"percentile": -1}, "greater than or equal to 0"),
        ({"window": "29d"}, "greater than or equal to 30 days"),
        ({"which": "maybe"}, "'likely' or 'unlikely'"),
    ],
)
def test_settings_are_bounded_and_fit_together(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        defined(LikelyToRecover, **wrong)
