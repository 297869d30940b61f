"""Demographic, geographic, tags and traits."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_people import Demographic, Geographic, Tags, Traits
from tests.segment_shop import defined
from tests.strategy_shop import AS_OF, DAY, MICROSECOND, Shop, a_shop

# Demographic


@pytest.mark.parametrize(
    ("as_of", "timezone", "born", "age"),
    [
        ("2026-03-01T12:00+00:00", "UTC", "1996-03-01", 30),
        ("2026-03-01T12:00+00:00", "UTC", "1996-03-02", 29),
        ("2026-02-28T12:00+00:00", "UTC", "1996-02-29", 29),
        ("2026-03-01T00:00+00:00", "UTC", "1996-02-29", 30),
        ("2028-02-29T00:00+00:00", "UTC", "1996-02-29", 32),
        ("2026-02-28T23:30+00:00", "Europe/Copenhagen", "1996-03-01", 30),
        ("2026-03-01T04:00+00:00", "America/New_York", "1996-03-01", 29),
    ],
)
def test_age_is_in_full_years_on_the_shops_own_day(as_of: str, timezone: str, born: str, age: int) -> None:
    with a_shop(as_of=datetime.fromisoformat(as_of), timezone=timezone) as shop:
        shop.person("ann", birth_date=born)

        assert shop.members(defined(Demographic, min_age=age, max_age=age)) == {"ann"}
        assert shop.members(defined(Demographic, min_age=age + 1)) == set()
        assert shop.members(defined(Demographic, max_age=age - 1)) == set()


def test_gender_and_language_are_compared_whatever_their_case(shop: Shop) -> None:
    shop.person("ann", gender="Female", locale="de-AT")
    shop.person("bob", gender="male", locale="de_DE")
    shop.person("cat", gender="F", locale="DE")
    shop.person("dan", locale="da-DK")
    shop.person("eve", locale="del")

    def found(**more: Any) -> set[str]:
        return shop.members(defined(Demographic, **more))

    assert found(genders=["female", "f"]) == {"ann", "cat"}
    assert found(locales=["de"]) == {"ann", "bob", "cat"}
    assert found(locales=["DE_de", "da"]) == {"bob", "dan"}
    assert found(locales=["de"], genders=["male"]) == {"bob"}
    assert shop.evidence(defined(Demographic, locales=["de-at"]))["ann"] == {
        "age": None,
        "gender": "Female",
        "locale": "de-AT",
    }


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"min_age": 18}, "age is not known, needs at least 18: out (insufficient data)"),
        ({"genders": ["f"]}, "gender is not known, needs one of f: out (insufficient data)"),
        ({"locales": ["de"]}, "languages is not known, needs any of de: out (insufficient data)"),
    ],
)
def test_what_is_not_known_of_a_person_is_insufficient_data(shop: Shop, what: dict[str, Any], told: str) -> None:
    shop.people("ann")

    assert shop.reason(defined(Demographic, **what), "ann") == told
    assert "is not known for anybody, so nobody is in this segment" in shop.notes(defined(Demographic, **what))[0]


def test_the_sentence_says_by_how_many_years(shop: Shop) -> None:
    shop.person("ann", birth_date="2000-01-01")

    assert shop.reason(defined(Demographic, min_age=30), "ann") == "age 26, needs at least 30: out by 4"


# Geographic


def placed(shop: Shop) -> Shop:
    shop.person("aarhus", country="DK", region="Midtjylland", city="Århus C", postcode="8000")
    shop.person("london", country="GB", city="London", postcode="sw1a 1aa")
    shop.person("berlin", country="DE", region="BE", city="Berlin", postcode="10115")
    shop.person("somewhere", country="DK")
    shop.people("nowhere")
    return shop


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"countries": ["dk"]}, {"aarhus", "somewhere"}),
        ({"countries": ["DK", "DE"]}, {"aarhus", "somewhere", "berlin"}),
        ({"regions": ["be"]}, {"berlin"}),
        ({"cities": ["århus c", "BERLIN"]}, {"aarhus", "berlin"}),
        ({"postcodes": ["80"]}, {"aarhus"}),
        ({"postcodes": ["8000", "10"]}, {"aarhus", "berlin"}),
        ({"postcodes": ["SW1A1"]}, {"london"}),
        ({"postcodes": ["SW1A 1"]}, {"london"}),
        ({"postcodes": ["000"]}, set()),
        ({"countries": ["DK"], "postcodes": ["10"]}, set()),
    ],
)
def test_a_place_must_fit_everything_that_is_said(shop: Shop, where: dict[str, Any], expected: set[str]) -> None:
    assert placed(shop).members(defined(Geographic, **where)) == expected


def test_the_country_of_the_latest_order_stands_in_for_an_account_without_one(shop: Shop) -> None:
    shop.people("ann")
    shop.order("ann", 9 * DAY, country="SE", region="AB")
    shop.order("ann", DAY, country="NO")

    assert shop.members(defined(Geographic, countries=["NO"])) == {"ann"}
    assert shop.members(defined(Geographic, regions=["AB"])) == set()


@pytest.mark.parametrize(
    ("where", "name", "told"),
    [
        ({"countries": ["SE"]}, "aarhus", "country DK, needs one of SE: out"),
        ({"postcodes": ["9"]}, "aarhus", "postal code 8000, needs one that begins with 9: out"),
        ({"cities": ["Oslo"]}, "somewhere", "city is not known, needs one of Oslo: out (insufficient data)"),
        ({"countries": ["SE"]}, "nowhere", "country is not known, needs one of SE: out (insufficient data)"),
    ],
)
def test_the_sentence_for_a_place(shop: Shop, where: dict[str, Any], name: str, told: str) -> None:
    assert placed(shop).reason(defined(Geographic, **where), name) == told


# Tags


def tagged(shop: Shop) -> Shop:
    shop.person("member", tags=["Club", "summer 2025"])
    shop.person("trade", tags=["wholesale", "club"])
    shop.person("untagged")
    shop.order("guest", DAY)
    shop.rows["shop"]["orders"][-1].pop("customer_id")
    return shop


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"any_of": ["CLUB"]}, {"member", "trade"}),
        ({"any_of": ["summer 2025", "wholesale"]}, {"member", "trade"}),
        ({"all_of": ["club", "Wholesale"]}, {"trade"}),
        ({"none_of": ["wholesale"]}, {"member", "untagged"}),
        ({"any_of": ["club"], "none_of": ["wholesale", "staff"]}, {"member"}),
        ({"any_of": ["summer"]}, set()),
    ],
)
def test_which_tags(shop: Shop, which: dict[str, Any], expected: set[str]) -> None:
    assert tagged(shop).members(defined(Tags, **which)) == expected


def test_a_guest_has_no_account_and_so_nobody_knows_their_tags(shop: Shop) -> None:
    tagged(shop)

    assert shop.reason(defined(Tags, none_of=["wholesale"]), "guest") == (
        "tags is not known, needs none of wholesale: out (insufficient data)"
    )
    assert shop.reason(defined(Tags, none_of=["wholesale"]), "untagged") == "tags none, needs none of wholesale: in"


def test_a_shop_that_gives_no_tags_knows_nobodys(shop: Shop) -> None:
    shop.people("ann")

    assert shop.members(defined(Tags, none_of=["wholesale"])) == set()
    assert shop.notes(defined(Tags, none_of=["wholesale"])) == (
        "tags is not known for anybody, so nobody is in this segment",
    )


def test_tags_of_all_accounts_of_a_person_count(shop: Shop) -> None:
    shop.person("ann", tags=["club"])
    shop.add("customers", {"customer_id": "ann-office", "email": "ann@example.com", "tags": ["wholesale"]})

    assert shop.members(defined(Tags, none_of=["wholesale"])) == set()
    assert shop.evidence(defined(Tags, all_of=["club", "wholesale"]))["ann"] == {"tags": ["club", "wholesale"]}


# Traits


def surveyed(shop: Shop) -> Shop:
    shop.people("runner", "hiker", "both", "none", "words", "undated")
    shop.trait("runner", "Sport", "Running")
    shop.trait("hiker", "sport", "hiking ")
    shop.trait("both", "sport", "running, hiking; chess")
    shop.trait("none", "colour", "red")
    shop.trait("undated", "sport", "running", None)
    for name, score in (("runner", "9"), ("hiker", "10"), ("both", "6.5"), ("words", "very good"), ("none", " ")):
        shop.trait(name, "nps", score)
    return shop


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"trait": "sport"}, {"runner", "hiker", "both", "undated"}),
        ({"trait": "SPORT", "values": ["RUNNING"]}, {"runner", "both", "undated"}),
        ({"trait": "sport", "values": ["hiking", "chess"]}, {"hiker", "both"}),
        ({"trait": "sport", "values": ["running, hiking; chess"]}, {"both"}),
        ({"trait": "sport", "values": ["run"]}, set()),
        ({"trait": "sport", "max_age": "7d"}, {"runner", "hiker", "both"}),
        ({"trait": "nps", "min_value": 9}, {"runner", "hiker"}),
        ({"trait": "nps", "max_value": 6.5}, {"both"}),
        ({"trait": "nps", "min_value": 6.5, "max_value": 9}, {"runner", "both"}),
        ({"trait": "nps"}, {"runner", "hiker", "both", "words"}),
        ({"trait": "shoe"}, set()),
    ],
)
def test_who_said_what(shop: Shop, what: dict[str, Any], expected: set[str]) -> None:
    assert surveyed(shop).members(defined(Traits, **what)) == expected


@pytest.mark.parametrize(
    ("what", "name", "told"),
    [
        ({"trait": "nps", "min_value": 9}, "words", "number is not known, needs at least 9: out (insufficient data)"),
        ({"trait": "nps", "min_value": 9}, "both", "number 6.5, needs at least 9: out by 2.5"),
        ({"trait": "sport", "values": ["chess"]}, "runner", "answers Running, needs any of chess: out"),
        ({"trait": "sport"}, "none", "no answer on record"),
        (
            {"trait": "sport", "max_age": "7d"},
            "undated",
            "answered is not known, needs less than 7 days ago: out (insufficient data)",
        ),
    ],
)
def test_the_sentence_for_an_answer(shop: Shop, what: dict[str, Any], name: str, told: str) -> None:
    assert surveyed(shop).reason(defined(Traits, **what), name) == told


@pytest.mark.parametrize(("age", "inside"), [(7 * DAY - MICROSECOND, True), (7 * DAY, False)])
def test_an_answer_is_fresh_less_than_max_age(shop: Shop, age: timedelta, inside: bool) -> None:
    shop.people("ann")
    shop.trait("ann", "nps", "9", age)

    assert shop.members(defined(Traits, trait="nps", max_age="7d")) == ({"ann"} if inside else set())


def test_the_newest_answer_of_a_person_counts_whoever_asked(shop: Shop) -> None:
    shop.people("ann", "bob")
    shop.trait("ann", "nps", "2", 9 * DAY)
    shop.trait("ann", "nps", "9", 3 * DAY, source="survey")
    shop.trait("bob", "nps", "9", 3 * DAY)
    shop.trait("bob@example.com", "nps", "2", 2 * DAY, source="survey")

    assert shop.members(defined(Traits, trait="nps", min_value=9)) == {"ann"}
    assert shop.evidence(defined(Traits, trait="nps"))["ann"] == {
        "answer": "9",
        "answered_at": (AS_OF - 3 * DAY).replace(tzinfo=None),
    }


@pytest.mark.parametrize("answer", ["nan", "inf", "-Infinity"])
def test_what_is_written_like_a_number_and_is_none_is_no_number(shop: Shop, answer: str) -> None:
    shop.people("ann")
    shop.trait("ann", "nps", answer)

    assert shop.members(defined(Traits, trait="nps", min_value=9)) == set()


def test_without_answers_nobody_is_in_and_it_is_said(shop: Shop) -> None:
    shop.people("ann")

    assert shop.notes(defined(Traits, trait="nps")) == ("no source gives traits, so nobody can be in this segment",)


# All of them


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_members_equal_a_calculation_by_hand(seed: int) -> None:
    chance = random.Random(seed)
    tags = ["a", "B", "c"]
    people = {
        f"p{number}": {
            "birth_date": chance.choice([None, f"{chance.randint(1940, 2015)}-03-{chance.randint(1, 2):02}"]),
            "country": chance.choice([None, "DK", "SE"]),
            "tags": chance.sample(tags, chance.randint(0, 3)),
        }
        for number in range(40)
    }
    with a_shop() as shop:
        for name, each in people.items():
            shop.person(name, **each)

        def age(born: str | None) -> int:
            return -1 if born is None else 2026 - int(born[:4]) - (born[5:] > "03-01")

        assert shop.members(defined(Demographic, min_age=30, max_age=50)) == {
            name for name, each in people.items() if 30 <= age(each["birth_date"]) <= 50
        }
        assert shop.members(defined(Geographic, countries=["se"])) == {
            name for name, each in people.items() if each["country"] == "SE"
        }
        assert shop.members(defined(Tags, any_of=["A", "b"], none_of=["C"])) == {
            name for name, each in people.items() if {"a", "B"} & set(each["tags"]) and "c" not in each["tags"]
        }


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (Demographic, {}, "say who: min_age"),
        (Demographic, {"min_age": 50, "max_age": 30}, "min_age must not be more than max_age, not 50 and 30"),
        (Demographic, {"min_age": -1}, "greater than or equal to 0"),
        (Geographic, {}, "say where: countries"),
        (Geographic, {"countries": ["Denmark"]}, "match pattern"),
        (Geographic, {"postcodes": [" "]}, "at least 1 character"),
        (Tags, {}, "say which tags"),
        (Tags, {"any_of": []}, "at least 1"),
        (Traits, {}, "Field required"),
        (Traits, {"trait": "nps", "min_value": 9, "max_value": 8}, "min_value must not be more than max_value"),
        (Traits, {"trait": "nps", "min_value": float("nan")}, "less than or equal"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)
