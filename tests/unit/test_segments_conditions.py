"""Conditions on lists of texts, on another column, and such that only some settings bring in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from tests.segment_shop import AS_OF, DAY, MICROSECOND, Shop, defined, members, reason

PEOPLE = """
select * from (values
    (1, 'Århus', ['VIP', 'club'], 10, 10),
    (2, 'aalborg', ['vip'], 10, 11),
    (3, 'Odense', [], 11, null),
    (4, null, null, null, 10)
) as t(person_id, city, tags, seen, bar)
"""
WORDS = ("a", "B", "æ", "Ærø", "tåge", "x y")


class Wanted(api.Config):
    """Settings of the strategy under test."""

    texts: tuple[str, ...] | None = api.Field(default=None, description="texts")
    manner: str = api.Field(default="plain", description="which conditions count")
    window: api.Duration = api.Field(default=timedelta(days=2), description="a window")


def ruled(*rule: api.Condition, sql: str = PEOPLE) -> type[api.Segment[Wanted]]:
    base = api.Base("people of the table", sql, "not one of them")
    parts = {"name": "ruled", "Config": Wanted, "base": base, "rule": rule, "__module__": "shop_strategies"}
    return type("Ruled", (api.Segment,), parts)


@pytest.mark.parametrize(
    ("condition", "texts", "expected"),
    [
        (api.one_of("city", "$texts"), ("århus", "AALBORG"), [1, 2]),
        (api.one_of("city", "$texts"), ("Århu",), []),
        (api.one_of("city", "$texts"), None, [1, 2, 3, 4]),
        (api.one_of("city", ["odense"]), None, [3]),
        (api.begins_with("city", "$texts"), ("å", "AAL"), [1, 2]),
        (api.begins_with("city", "$texts"), ("dense",), []),
        (api.has_any("tags", "$texts"), ("Vip", "new"), [1, 2]),
        (api.has_all("tags", "$texts"), ("vip", "CLUB"), [1]),
        (api.has_none("tags", "$texts"), ("club",), [2, 3]),
        (api.has_none("tags", "$texts"), ("club", "vip"), [3]),
    ],
)
def test_lists_of_texts_are_compared_whatever_their_case_and_a_missing_value_is_out(
    condition: api.Condition, texts: Any, expected: list[int]
) -> None:
    assert members(Shop(), defined(ruled(condition), texts=texts)) == expected


@pytest.mark.parametrize(
    ("condition", "person", "told"),
    [
        (api.one_of("city", "$texts"), 3, "city Odense, needs one of vip, new: out"),
        (api.begins_with("city", "$texts"), 3, "city Odense, needs one that begins with vip, new: out"),
        (api.has_any("tags", "$texts"), 1, "tags VIP, club, needs any of vip, new: in"),
        (api.has_all("tags", "$texts"), 2, "tags vip, needs all of vip, new: out"),
        (api.has_none("tags", "$texts"), 3, "tags none, needs none of vip, new: in"),
        (api.has_none("tags", "$texts"), 4, "tags is not known, needs none of vip, new: out (insufficient data)"),
    ],
)
def test_lists_of_texts_are_told_as_they_stand(condition: api.Condition, person: int, told: str) -> None:
    assert reason(Shop(), defined(ruled(condition), texts=("vip", "new")), person) == told


def test_a_list_is_bound_and_never_becomes_sql() -> None:
    wicked = "x'] or true --"

    assert members(Shop(), defined(ruled(api.one_of("city", "$texts")), texts=(wicked,))) == []


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), unique=True), min_size=1, max_size=6),
    st.lists(st.sampled_from(WORDS), min_size=1, unique=True),
)
def test_tests_of_lists_are_what_sets_say(held: list[list[str]], wanted: list[str]) -> None:
    rows = ", ".join(f"({person}, {words!r}::varchar[])" for person, words in enumerate(held, 1))
    sql = f"select * from (values {rows}) as t(person_id, words)"
    upper = tuple(word.upper() for word in wanted)

    def found(condition: api.Condition) -> list[int]:
        return members(Shop(), defined(ruled(condition, sql=sql), texts=upper))

    sets = {person: set(words) for person, words in enumerate(held, 1)}
    assert found(api.has_any("words", "$texts")) == [p for p, words in sets.items() if words & set(wanted)]
    assert found(api.has_all("words", "$texts")) == [p for p, words in sets.items() if words >= set(wanted)]
    assert found(api.has_none("words", "$texts")) == [p for p, words in sets.items() if not words & set(wanted)]


def test_a_bound_may_be_another_column_of_the_same_person() -> None:
    made = ruled(api.at_least("seen", api.column_value("bar")))

    assert members(Shop(), defined(made)) == [1]
    assert reason(Shop(), defined(made), 2) == "seen 10, needs at least 11: out by 1"
    assert reason(Shop(), defined(made), 3) == (
        "seen 11, and what it is held against is not known: out (insufficient data)"
    )
    assert reason(Shop(), defined(made), 4) == "seen is not known, needs at least 10: out (insufficient data)"


def test_a_window_may_be_a_column_too_and_stays_half_open() -> None:
    sql = """select person_id, $as_of - to_microseconds(age) as done_at, interval 2 day as patience
             from (values (1, 172799999999), (2, 172800000000)) as t(person_id, age)"""

    assert members(Shop(), defined(ruled(api.within("done_at", api.column_value("patience")), sql=sql))) == [1]
    assert members(Shop(), defined(ruled(api.not_within("done_at", api.column_value("patience")), sql=sql))) == [2]


def test_facts_named_by_a_bound_are_asked_for() -> None:
    made = type(
        "OnFacts",
        (api.Segment,),
        {
            "name": "on-facts",
            "Config": Wanted,
            "rule": (api.equals("first_order_at", api.column_value("last_order_at")),),
        },
    )
    shop = Shop(people=[1, 2, 3])
    shop.order(1, DAY, 1)
    shop.order(2, DAY, 1)
    shop.order(2, DAY - MICROSECOND, 1)

    assert members(shop, defined(made)) == [1]
    assert shop.asked == [frozenset({"first_order_at", "last_order_at"})]


@pytest.mark.parametrize(("manner", "expected"), [("strict", [2]), ("plain", [1, 2]), ("other", [1, 2, 3])])
def test_a_condition_counts_only_where_its_setting_has_the_value(manner: str, expected: list[int]) -> None:
    made = ruled(
        api.equals("bar", 11, when=("manner", "strict")),
        api.at_most("seen", 10, when=("manner", "plain")),
        api.has_none("tags", ["none"]),
    )

    assert members(Shop(), defined(made, manner=manner)) == expected


def test_a_condition_on_a_setting_that_does_not_exist_is_a_fault_of_the_strategy() -> None:
    made = ruled(api.equals("bar", 11, when=("mood", "good")))

    with pytest.raises(api.PluginError, match="names the setting 'mood', which does not exist"):
        members(Shop(AS_OF), defined(made))


def test_a_column_that_looks_back_for_ever_is_not_told_with_the_window() -> None:
    sql = "select 1 as person_id, 2 as lately, 3 as always where $window is not null"
    base = api.Base("both", sql, "not there", ever=("always",))
    rule = (api.at_least("lately", 1), api.at_least("always", 1))
    made = type("Both", (api.Segment,), {"name": "both", "Config": Wanted, "base": base, "rule": rule})

    assert (
        reason(Shop(), defined(made), 1) == "lately 2 in 2 days, needs at least 1: in; always 3, needs at least 1: in"
    )
