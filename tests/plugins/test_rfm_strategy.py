"""RFM: whole tables of cells, scores by cut points, fixed thresholds, frozen cut points."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.segments import explain, run_segments
from hub_rfm import TABLES, Rfm
from tests.segment_shop import (
    ANN,
    AS_OF,
    BOB,
    CAT,
    DAN,
    DAY,
    EVE,
    FAY,
    GUS,
    HAL,
    MICROSECOND,
    Shop,
    defined,
    evidence,
    golden,
    members,
    reason,
    run,
)

YEAR = 365 * DAY
SHOPIFY = ("dormant", "at-risk", "previously-loyal", "almost-lost", "needs-attention", "loyal", "promising", "active",
           "new", "champions", "prospects")  # fmt: skip
KLAVIYO = ("inactive", "at-risk", "needs-attention", "loyal", "recent", "champions", "prospects")


def group(name: str, **more: Any) -> Any:
    return defined(Rfm, groups=[name], **more)


def everybody(shop: Shop, **more: Any) -> dict[int, dict[str, Any]]:
    """Return everybody's scores: all groups of the table together."""
    return evidence(shop, defined(Rfm, groups=list(TABLES[more.get("table", "shopify")].names), **more))


# Tables


@pytest.mark.parametrize(("name", "names"), [("shopify", SHOPIFY), ("klaviyo", KLAVIYO)])
def test_every_cell_belongs_to_exactly_one_group_and_every_group_has_a_cell(name: str, names: tuple[str, ...]) -> None:
    table = TABLES[name]
    scores = range(1, table.scale + 1)

    assert sorted(table.groups) == sorted(f"{r}{f}{m}" for r in scores for f in scores for m in scores)
    assert len(table.in_order) == table.scale**3
    assert set(table.groups.values()) == set(names) - {"prospects"}
    assert set(table.names) == set(names)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("555", "champions"),
        ("545", "champions"),
        ("534", "champions"),  # the mean of 3 and 4 is 3.5, rounded up to 4
        ("533", "active"),
        ("511", "new"),
        ("512", "active"),
        ("411", "promising"),
        ("444", "loyal"),
        ("322", "needs-attention"),
        ("311", "almost-lost"),
        ("255", "previously-loyal"),
        ("233", "at-risk"),
        ("222", "almost-lost"),
        ("144", "at-risk"),
        ("111", "dormant"),
        ("122", "dormant"),
    ],
)
def test_cells_of_the_shopify_table(cell: str, expected: str) -> None:
    assert TABLES["shopify"].groups[cell] == expected


def test_the_klaviyo_table_holds_its_27_cells_once() -> None:
    assert Counter(TABLES["klaviyo"].groups.values()) == {
        "champions": 3,
        "loyal": 5,
        "recent": 3,
        "needs-attention": 7,
        "at-risk": 5,
        "inactive": 4,
    }


# Relative scores


def cut_points(values: list[Any], scale: int) -> list[Any]:
    """Return the values at the nearest ranks, without hub."""
    ranked = sorted(values)
    return [ranked[-(-k * len(ranked) // scale) - 1] for k in range(1, scale)]


def score(value: Any, cuts: list[Any]) -> int:
    return 1 + sum(cut < value for cut in cuts)


Buyers = dict[int, list[tuple[int, int]]]


def shop_of(buyers: Buyers, strangers: int = 0) -> Shop:
    shop = Shop(people=range(1, len(buyers) + strangers + 1))
    for person, orders in buyers.items():
        for age, total in orders:
            shop.order(person, age * DAY, total)
    return shop


def by_hand(buyers: Buyers, scale: int, days: int) -> dict[int, str]:
    """Score everybody without SQL."""
    measured = {
        person: (
            -min(age for age, _ in orders),
            sum(age < days for age, _ in orders),
            sum(total for age, total in orders if age < days),
        )
        for person, orders in buyers.items()
    }
    cuts = [cut_points([values[part] for values in measured.values()], scale) for part in range(3)]
    return {
        person: "".join(str(score(values[part], cuts[part])) for part in range(3))
        for person, values in measured.items()
    }


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["shopify", "klaviyo"]), st.sampled_from([60, 365]))
def test_scores_equal_a_calculation_by_hand_ties_together_and_groups_divide_everybody(
    seed: int, table: str, days: int
) -> None:
    chance = random.Random(seed)
    buyers = {
        person: [(chance.randint(0, 400), chance.choice([5, 10, 50])) for _ in range(chance.choice([1, 1, 1, 2, 3, 6]))]
        for person in range(1, chance.randint(52, 80))
    }
    shop = shop_of(buyers, strangers=3)
    scale = TABLES[table].scale
    expected = by_hand(buyers, scale, days)
    names = TABLES[table].names

    found = everybody(shop, table=table, window=f"{days}d")
    groups = [defined(Rfm, name, groups=[name], table=table, window=f"{days}d") for name in names]
    parts = {
        name: {person for (person,) in shop.con.execute(f"select person_id from {result.table}").fetchall()}
        for name, result in run(shop, *groups).items()
    }

    assert {person: each["rfm_score"] for person, each in found.items() if person in buyers} == expected
    assert all(parts[TABLES[table].groups[cell]] >= {person} for person, cell in expected.items())
    assert sum(len(part) for part in parts.values()) == len(buyers) + 3
    assert parts["prospects"] == set(range(len(buyers) + 1, len(buyers) + 4))


def test_with_many_one_time_buyers_equal_values_have_equal_scores_and_some_scores_stay_empty() -> None:
    buyers: Buyers = {person: [(10, 20)] for person in range(1, 71)}
    buyers |= {person: [(10, 20), (10, 20)] for person in range(71, 101)}

    found = everybody(shop_of(buyers))

    assert {each["frequency_score"] for person, each in found.items() if person <= 70} == {1}
    assert {each["frequency_score"] for person, each in found.items() if person > 70} == {4}
    assert {each["recency_score"] for each in found.values()} == {1}


@pytest.mark.parametrize("people", [49, 50])
def test_fewer_than_fifty_customers_are_not_ranked(people: int) -> None:
    shop = shop_of({person: [(person, person)] for person in range(1, people + 1)})

    result = run_segments(shop, [group("new")])["rfm"]

    if people == 50:
        assert (result.refused, result.members) == (None, 10)
    else:
        assert result.refused is not None
        assert result.refused.startswith("population_too_small: 49 people with a counted order by 2026-03-01")
        assert 'use scoring = "fixed"' in result.refused
        assert explain(shop, [group("champions")], "rfm", 1).member is None


def test_the_golden_shop_is_too_small_to_rank_and_fixed_thresholds_do() -> None:
    assert run_segments(golden(), [group("champions")])["rfm"].refused is not None

    found = everybody(golden(), scoring="fixed")

    assert {person: each["rfm_score"] for person, each in found.items()} == {
        ANN: "523",
        BOB: "521",
        CAT: "111",
        DAN: "211",
        EVE: "511",
        FAY: "122",
        GUS: None,
        HAL: "521",
    }
    assert {person: each["rfm_group"] for person, each in found.items()} == {
        ANN: "active",
        BOB: "active",
        CAT: "dormant",
        DAN: "almost-lost",
        EVE: "new",
        FAY: "dormant",
        GUS: "prospects",
        HAL: "active",
    }


def test_the_cut_points_and_how_many_have_each_score_are_told() -> None:
    buyers = {person: [(person, 10 * person)] for person in range(1, 61)}

    (note,) = run(shop_of(buyers), group("champions"))["rfm"].notes

    assert note == (
        "cut points of 60 people at 2026-03-01 12:00 UTC: days since the last order 49.0, 37.0, 25.0, 13.0; "
        "orders 1, 1, 1, 1; spend 120.00, 240.00, 360.00, 480.00; people with scores 1 to 5: "
        "recency 12, 12, 12, 12, 12; frequency 60, 0, 0, 0, 0; monetary 12, 12, 12, 12, 12"
    )


def test_only_counted_orders_and_the_windows_money_count_while_recency_looks_back_for_ever() -> None:
    buyers: Buyers = {person: [(1, 10)] for person in range(1, 60)}
    shop = shop_of(buyers | {60: [(400, 5000)]})
    shop.order(60, DAY, 5000, status="cancelled")
    shop.order(60, DAY, 5000, test=True)

    found = everybody(shop)[60]

    assert (found["orders"], found["spend"], found["rfm_score"]) == (0, Decimal(0), "111")
    assert found["last_order_at"] == AS_OF - 400 * DAY


# Fixed thresholds


@pytest.mark.parametrize(
    ("age", "recency"),
    [
        (30 * DAY - MICROSECOND, 5),
        (30 * DAY, 4),
        (60 * DAY - MICROSECOND, 4),
        (60 * DAY, 3),
        (90 * DAY, 2),
        (180 * DAY - MICROSECOND, 2),
        (180 * DAY, 1),
        (timedelta(0), 5),
    ],
)
def test_fixed_recency_is_below_its_days(age: timedelta, recency: int) -> None:
    shop = Shop(people=[1])
    shop.order(1, age, 1)

    assert everybody(shop, scoring="fixed")[1]["recency_score"] == recency


@pytest.mark.parametrize(("orders", "frequency"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (19, 4), (20, 5)])
def test_fixed_frequency_reaches_its_orders(orders: int, frequency: int) -> None:
    shop = shop_of({1: [(1, 0)] * orders})

    assert everybody(shop, scoring="fixed")[1]["frequency_score"] == frequency


@pytest.mark.parametrize(
    ("spend", "monetary"),
    [("99.99", 1), (100, 2), ("199.99", 2), (200, 3), (500, 4), ("999.99", 4), (1000, 5), (0, 1)],
)
def test_fixed_spend_reaches_its_amount(spend: Any, monetary: int) -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, spend)

    assert everybody(shop, scoring="fixed")[1]["monetary_score"] == monetary


def test_every_group_can_be_reached_by_somebody() -> None:
    ages = {5: 1, 4: 40, 3: 70, 2: 100, 1: 200}
    orders = {1: 1, 2: 2, 3: 5, 4: 10, 5: 20}
    shop = Shop(people=range(1, 27))
    for number, (recency, level) in enumerate(((r, level) for r in ages for level in orders), 1):
        spend = {1: 0, 2: 100, 3: 200, 4: 500, 5: 1000}[level]
        for _ in range(orders[level]):
            shop.order(number, ages[recency] * DAY, Decimal(spend) / orders[level])

    parts = {name: members(shop, group(name, scoring="fixed")) for name in TABLES["shopify"].names}

    assert all(parts.values())
    assert sum(len(part) for part in parts.values()) == 26


def test_thresholds_of_the_shops_own() -> None:
    own = {
        "scoring": "fixed",
        "table": "klaviyo",
        "recency_days": [10, 20],
        "frequency_orders": [3, 2],
        "monetary_spend": ["9.99", 5],
    }
    shop = shop_of({1: [(9, 5), (9, 0), (9, "4.99")], 2: [(10, 5), (19, 0)], 3: [(20, 4)]})  # type: ignore[list-item]

    assert {person: each["rfm_score"] for person, each in everybody(shop, **own).items()} == {
        1: "333",
        2: "222",
        3: "111",
    }


# Frozen cut points


def moving(as_of: str) -> Shop:
    """Make a shop of 60 at an instant; after Monday, 23 February 2026, everybody but one ordered again for 1,000."""
    shop = Shop(datetime.fromisoformat(as_of), people=range(1, 61))
    monday = datetime(2026, 2, 23)
    for person in range(1, 61):
        shop.order(person, shop.as_of - (monday - person * DAY), 10 * person)
        if person > 1:
            shop.order(person, shop.as_of - (monday + timedelta(hours=1)), 1000)
    return shop


@pytest.mark.parametrize(
    ("frozen", "instant"),
    [("week", "2026-02-23 00:00"), ("month", "2026-02-01 00:00"), (None, "2026-02-28 12:00")],
)
def test_frozen_cut_points_are_those_of_the_beginning_of_the_period(frozen: str | None, instant: str) -> None:
    shop = moving("2026-02-28T12:00")

    result = run_segments(shop, [group("champions", frozen=frozen)])["rfm"]

    if frozen == "month":
        assert result.refused is not None
        assert "39 people with a counted order by 2026-02-01" in result.refused
    else:
        assert f"people at {instant} UTC" in result.notes[0]


def test_nobody_moves_within_a_week_because_others_bought() -> None:
    shop = moving("2026-02-28T12:00")
    frozen = everybody(shop, frozen="week")[1]["recency_score"]
    free = everybody(shop)[1]["recency_score"]
    days = {
        re.search(
            r"days since the last order ([\d., ]+);", run(moving(as_of), group("new", frozen="week"))["rfm"].notes[0]
        )[1]  # type: ignore[index]
        for as_of in ("2026-02-23T00:00", "2026-02-25T09:00", "2026-03-01T23:59:59")
    }

    assert (frozen, free) == (5, 1)
    assert days == {"49.0, 37.0, 25.0, 13.0"}


def test_frozen_scores_move_with_the_person_only() -> None:
    before = everybody(moving("2026-02-23T00:00"), frozen="week")
    after = everybody(moving("2026-02-28T12:00"), frozen="week")

    assert {after[person]["monetary_score"] for person in range(2, 61)} == {5}
    assert after[1]["monetary_score"] == before[1]["monetary_score"]
    assert before[60]["rfm_score"] == "115"


# Cells, explanations, sharing


def test_cells_pick_scores_directly() -> None:
    shop = golden()

    assert members(shop, defined(Rfm, cells=["521", "511"], scoring="fixed")) == [BOB, EVE, HAL]
    assert reason(shop, defined(Rfm, cells=["555"], scoring="fixed"), GUS) == (
        "rfm score is not known, needs one of 555: out (insufficient data)"
    )


def test_the_sentence_names_the_group_of_the_person() -> None:
    shop = golden()

    assert reason(shop, defined(Rfm, groups=["champions", "new"], scoring="fixed"), CAT) == (
        "rfm group dormant, needs one of champions, new: out"
    )


def test_all_groups_share_one_table_of_scores() -> None:
    shop = shop_of({person: [(person, 10)] for person in range(1, 61)})

    run(shop, *(defined(Rfm, f"rfm-{name}", groups=[name]) for name in TABLES["shopify"].names))
    bases = shop.con.execute("select count(*) from duckdb_tables() where table_name like 'base_%'").fetchall()

    assert bases == [(1,)]


def test_a_visitor_without_any_address_is_no_prospect() -> None:
    shop = Shop()
    shop.person(1, email=None)
    shop.person(2, email=None, phone="+4512345678")

    assert members(shop, group("prospects", scoring="fixed")) == [2]


def test_the_vendors_own_spellings_are_taken() -> None:
    shop = golden()

    assert members(shop, defined(Rfm, groups=["ALMOST_LOST"], scoring="fixed")) == [DAN]
    assert members(shop, defined(Rfm, groups=["Needs attention"], table="klaviyo", scoring="fixed")) == [DAN]


def test_without_orders_nobody_is_scored_and_it_is_said() -> None:
    shop = Shop(people=[1])
    shop.tables.remove("orders")

    assert run_segments(shop, [group("prospects", scoring="fixed")])["rfm"].notes == (
        "no source gives orders, so nobody can be in this segment",
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "give either groups or cells"),
        ({"groups": ["loyal"], "cells": ["555"]}, "give either groups or cells"),
        ({"groups": ["recent"]}, "the table shopify has no group 'recent'; it has dormant, at-risk"),
        ({"groups": ["dormant"], "table": "klaviyo"}, "the table klaviyo has no group 'dormant'"),
        ({"groups": ["best"]}, "'champions', 'loyal'"),
        ({"cells": ["555"], "table": "klaviyo"}, "the table klaviyo has no cell '555'; it has 111 to 333"),
        ({"groups": ["loyal"], "recency_days": [1, 2, 3, 4]}, 'recency_days goes with scoring = "fixed"'),
        (
            {"groups": ["loyal"], "scoring": "fixed", "recency_days": [1, 2]},
            "needs 4 thresholds for scores from 1 to 5",
        ),
        (
            {"groups": ["loyal"], "scoring": "fixed", "recency_days": [9, 8, 7, 6]},
            "the best first, each more than before",
        ),
        ({"groups": ["loyal"], "scoring": "fixed", "frequency_orders": [2, 2, 1, 1]}, "each less than before"),
        ({"groups": ["loyal"], "scoring": "fixed", "monetary_spend": [9, 8, 7, 0]}, "must be above 0"),
        ({"groups": ["loyal"], "scoring": "fixed", "frozen": "week"}, "leave out frozen"),
        ({"groups": ["loyal"], "frozen": "day"}, "'week' or 'month'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(Rfm, **wrong)
