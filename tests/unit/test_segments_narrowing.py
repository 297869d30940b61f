"""Sample, limit, min_size and priority: what they leave, and that explanations agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub.config.models import Limit
from hub.segments import Definition, SegmentResult, definitions_from, explain, review, run_segments
from tests.segment_shop import Shop, defined, members

PEOPLE = 400


class Nothing(api.Config):
    """No settings."""


def segment(name: str, people: dict[int, Any] | range, **narrowing: Any) -> Definition:
    """Return a segment of these people, with what each spent as evidence."""
    spends = people if isinstance(people, dict) else dict.fromkeys(people, 1)
    values = ", ".join(f"({person}, {'null' if spend is None else spend})" for person, spend in spends.items())
    sql = f"select * from (values {values or '(0, 0)'}) as t(person_id, spend) where person_id > 0"
    parts = {"name": name, "Config": Nothing, "sql": sql, "evidence": ("spend",), "__module__": "shop_strategies"}
    return replace(defined(type("Made", (api.Segment,), parts)), **narrowing)


def first(count: int, by: str = "spend", **more: Any) -> Limit:
    return Limit(count=count, by=by, **more)


def shop(people: int = PEOPLE) -> Shop:
    return Shop(people=range(1, people + 1))


def results(where: Shop, *definitions: Definition, **more: Any) -> dict[str, SegmentResult]:
    return run_segments(where, definitions, **more)


def ids(where: Shop, result: SegmentResult) -> list[int]:
    assert result.table is not None
    found = [row[0] for row in where.con.execute(f"select person_id from {result.table}").fetchall()]
    assert len(found) == result.members
    return found


# Sample


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=4))
def test_a_larger_sample_has_whom_a_smaller_one_has(shares: list[float]) -> None:
    where = shop(60)

    drawn = [set(members(where, segment("a", range(1, 61), sample=share))) for share in sorted(shares)]

    assert all(smaller <= larger for smaller, larger in pairwise(drawn))
    assert members(where, segment("a", range(1, 61), sample=1.0)) == list(range(1, 61))


def test_a_sample_is_the_same_each_time_and_does_not_depend_on_the_others_in_it() -> None:
    everybody = members(shop(), segment("a", range(1, PEOPLE + 1), sample=0.3))
    half = members(shop(), segment("a", range(1, PEOPLE // 2), sample=0.3))

    assert 0.3 * PEOPLE - 40 < len(everybody) < 0.3 * PEOPLE + 40
    assert half == [person for person in everybody if person < PEOPLE // 2]


def test_a_sample_goes_with_the_person_not_with_the_number_of_this_catalog() -> None:
    one, two = Shop(), Shop()
    for person in range(1, 51):
        one.person(person, email=f"x{person}@example.com")
        two.person(51 - person, email=f"x{person}@example.com")

    drawn = members(one, segment("a", range(1, 51), sample=0.5))

    assert sorted(51 - person for person in members(two, segment("a", range(1, 51), sample=0.5))) == drawn


def test_samples_of_two_segments_are_drawn_apart_so_that_half_of_a_half_is_a_quarter() -> None:
    where = shop()
    half = segment("half", range(1, PEOPLE + 1), sample=0.5)
    quarter = Definition("quarter", None, all=("half",), sample=0.5)

    found = results(where, half, quarter)

    assert 0.25 * PEOPLE - 40 < found["quarter"].members < 0.25 * PEOPLE + 40
    assert set(ids(where, found["quarter"])) < set(ids(where, found["half"]))


def test_the_rest_of_a_sample_is_everybody_else() -> None:
    where = shop()
    parts = [
        segment("all-of-them", range(1, PEOPLE + 1)),
        Definition("a", None, all=("all-of-them",), sample=0.5),
        Definition("b", None, all=("all-of-them",), none=("a",)),
    ]

    found = results(where, *parts)

    assert found["a"].members + found["b"].members == PEOPLE
    assert found["a"].version == "all(all-of-them 1) sample(0.5)"


def test_whoever_is_not_drawn_is_told_their_place() -> None:
    where = shop()
    drawn = segment("a", range(1, 5), sample=0.5)
    inside = members(where, drawn)

    for person in range(1, 5):
        told = explain(where, [drawn], "a", person)
        assert told.member == (person in inside)
        assert person in inside or told.reason.startswith("not in the sample of 50 %: place 0.")
        assert bool(told.evidence) == told.member
    assert explain(where, [drawn], "a", 9).reason == "the strategy's select does not have the person"


def test_whom_a_select_makes_up_is_neither_drawn_nor_explained_as_drawn() -> None:
    where = shop(1)
    made_up = segment("a", range(7, 9), sample=1.0)

    assert members(where, made_up) == []
    assert explain(where, [made_up], "a", 7).reason == "nobody whom the shop knows, so not drawn"


# Limit


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (first(2), [3, 4]),
        (first(3), [2, 3, 4]),
        (first(2, first="smallest"), [1, 2]),
        (first(4), [1, 2, 3, 4]),
        (first(99), [1, 2, 3, 4]),
    ],
)
def test_a_limit_keeps_those_who_come_first_and_nobody_whose_value_is_unknown(limit: Limit, expected: Any) -> None:
    made = segment("a", {1: 10, 2: 20, 3: 30, 4: 40, 5: None}, limit=limit)

    assert members(shop(), made) == expected


SPENDS = st.dictionaries(st.integers(1, 12), st.one_of(st.none(), st.integers(0, 3)), min_size=1)


@settings(max_examples=25, deadline=None)
@given(SPENDS, st.integers(1, 6), st.randoms(use_true_random=False), st.sampled_from(["largest", "smallest"]))
def test_equal_values_are_told_apart_by_the_person_whatever_the_order_of_rows(
    spends: dict[int, int | None], count: int, chance: Any, side: str
) -> None:
    shuffled = dict(chance.sample(list(spends.items()), len(spends)))
    limit = first(count, first=side)
    where = shop(12)

    kept = members(where, segment("a", spends, limit=limit))
    again = members(where, segment("a", shuffled, limit=limit))
    more = members(where, segment("a", spends, limit=first(count + 1, first=side)))
    known = {person: spend for person, spend in spends.items() if spend is not None}
    ranked = sorted(known.values(), reverse=side == "largest")

    assert kept == again
    assert set(kept) <= set(more)
    assert sorted((known[person] for person in kept), reverse=side == "largest") == ranked[:count]


def test_a_limit_takes_its_first_from_the_sample() -> None:
    people = {person: person for person in range(1, PEOPLE + 1)}
    where = shop()
    drawn = members(where, segment("a", people, sample=0.2))

    assert members(where, segment("a", people, sample=0.2, limit=first(5))) == drawn[-5:]


def test_what_is_made_of_a_limited_segment_has_only_those_it_keeps() -> None:
    top = segment("top", {1: 10, 2: 20, 3: 30}, limit=first(2))
    found = results(shop(), top, Definition("x", None, all=("top",)), Definition("y", None, none=("top",)))

    assert (found["top"].members, found["x"].members, found["y"].members) == (2, 2, PEOPLE - 2)
    assert found["top"].version == "top 1 limit(2 largest spend)"


@pytest.mark.parametrize(
    ("person", "member", "told"),
    [
        (1, False, "spend 10, the first 2 have 20 or more: out"),
        (4, True, "the strategy's select has the person"),
        (5, False, "spend is not known, and the limit ranks by it: out (insufficient data)"),
        (6, False, "the strategy's select does not have the person"),
    ],
)
def test_the_sentence_for_a_limit(person: int, member: bool, told: str) -> None:
    top = segment("top", {1: 10, 2: 20, 4: 40, 5: None}, limit=first(2))

    explained = explain(shop(), [top], "top", person)

    assert (explained.member, explained.reason) == (member, told)


def test_the_sentence_for_equal_ones_says_that_a_draw_decides() -> None:
    top = segment("top", {1: 10, 2: 10, 3: 10}, limit=first(2))
    where = shop()
    (out,) = {1, 2, 3} - set(members(where, top))

    assert explain(where, [top], "top", out).reason == (
        "spend 10, the first 2 have 10 or more: out; among equal ones a fixed draw decides"
    )


@pytest.mark.parametrize("members_of", ["all", "any"])
def test_a_limit_must_rank_by_evidence(members_of: str) -> None:
    class Settings:
        plugin = "s"
        options: Any = {}
        all = any = none = ()
        sample = limit = min_size = None
        enabled = True

        def __init__(self, name: str, **more: Any) -> None:
            self.name = name
            vars(self).update(more)

    def load(name: str) -> type[api.Segment[Any]]:
        if name == "broken":
            raise api.PluginError("no such module")
        return type(segment("s", {1: 1}).strategy)

    def make(*made: Settings) -> Any:
        return definitions_from(made, load, lambda model, each: model())

    one = Settings("one")
    with pytest.raises(
        api.ConfigError, match=r"'one' has a limit by 'age', which is no evidence of it; there is spend"
    ):
        make(Settings("one", limit=first(1, "age")))
    with pytest.raises(api.ConfigError, match="'x' has a limit by 'age'"):
        make(one, Settings("x", plugin=None, limit=first(1, "age"), **{members_of: ("one",)}))
    with pytest.raises(api.ConfigError, match=r"no evidence of it; there is none$"):
        make(one, Settings("x", plugin=None, limit=first(1, "spend"), none=("one",)))
    assert len(make(one, Settings("x", plugin=None, limit=first(1), **{members_of: ("one",)}))) == 2
    assert len(make(Settings("bad", plugin="broken", limit=first(1, "anything")))) == 1


# Min_size


@pytest.mark.parametrize(("size", "refused"), [(4, True), (5, False), (6, False)])
def test_a_segment_smaller_than_its_min_size_is_refused_with_the_reason(size: int, refused: bool) -> None:
    result = results(shop(), segment("a", range(1, size + 1), min_size=5))["a"]

    told = f"{size} people, fewer than min_size = 5"
    assert result.refused == (told if refused else None)
    assert result.notes == ((told,) if refused else ())
    assert result.delivers is not refused
    assert result.members == size


def test_one_person_is_one_person() -> None:
    assert results(shop(), segment("a", range(1, 2), min_size=2))["a"].refused == ("1 person, fewer than min_size = 2")


def test_min_size_judges_what_sample_limit_and_priority_leave_and_binds_nobody_else() -> None:
    where = shop()
    small = segment("small", {person: person for person in range(1, 9)}, limit=first(4), min_size=5)
    rest = segment("rest", range(1, 9), min_size=5, earlier=("small",))
    found = results(where, small, rest, Definition("made-of-it", None, none=("small",)))

    assert found["small"].refused == "4 people, fewer than min_size = 5"
    assert found["rest"].refused == "4 people, fewer than min_size = 5"
    assert (found["made-of-it"].refused, found["made-of-it"].members) == (None, PEOPLE - 4)


# Priority


SETS = st.lists(st.sets(st.integers(1, 5)), min_size=3, max_size=3)


def in_line(groups: list[set[int]]) -> list[Definition]:
    names = [f"s{number}" for number in range(len(groups))]
    return [
        segment(name, dict.fromkeys(sorted(group), 1), earlier=tuple(names[:number]))
        for number, (name, group) in enumerate(zip(names, groups, strict=True))
    ]


@settings(max_examples=12, deadline=None)
@given(SETS, st.randoms(use_true_random=False))
def test_everybody_is_in_exactly_the_first_of_the_list_that_has_them(groups: list[set[int]], chance: Any) -> None:
    where = shop(5)
    line = in_line(groups)
    found = {name: set(ids(where, result)) for name, result in results(where, *chance.sample(line, len(line))).items()}

    for person in range(1, 6):
        first_one = next((f"s{number}" for number, group in enumerate(groups) if person in group), None)
        assert [name for name, people in sorted(found.items()) if person in people] == (
            [first_one] if first_one else []
        )
        for definition in line:
            assert explain(where, line, definition.name, person).member == (definition.name == first_one)


def test_what_is_made_of_a_segment_has_its_people_whatever_the_priority() -> None:
    where = shop()
    everybody = segment("everybody", range(1, 5), earlier=("vip",))
    vip = Definition("vip", None, all=("everybody", "rich"))
    found = results(where, vip, everybody, segment("rich", range(4, 9)))

    assert ids(where, found["vip"]) == [4]
    assert ids(where, found["everybody"]) == [1, 2, 3]
    assert found["everybody"].notes == ("1 person of 4 left to vip, earlier in the priority list",)
    assert found["vip"].notes == ()


def test_a_wanted_segment_brings_those_that_come_before_it_along() -> None:
    where = shop()
    line = [*in_line([{1, 2}, {2, 3}]), segment("other", {1: 1}), Definition("of-it", None, all=("s1",))]

    alone = results(where, *line, wanted=["s1"])
    through = results(where, *line, wanted=["of-it"])

    assert {name: ids(where, result) for name, result in alone.items()} == {"s0": [1, 2], "s1": [3]}
    assert {name: ids(where, result) for name, result in through.items()} == {
        "s0": [1, 2],
        "s1": [3],
        "of-it": [2, 3],
    }


def test_evidence_stays_with_whom_priority_leaves() -> None:
    where = shop()
    first_one, second = segment("s0", {1: 5}), segment("s1", {1: 6, 2: 7}, earlier=("s0",))

    table = results(where, first_one, second)["s1"].table

    assert where.con.execute(f"select * from {table}").fetchall() == [(2, 7)]


def test_nobody_is_delivered_by_a_later_one_while_an_earlier_one_has_no_answer() -> None:
    class Refuses(api.Segment[Nothing]):
        name = "s0"
        Config = Nothing
        sql = "select person_id from people"

        def prepare(self, catalog: api.Reader, as_of: Any) -> api.Prepared:
            return api.Prepared(refused="too few")

    later = segment("s1", range(1, 4), earlier=("s0",))
    broken = replace(segment("s0", range(1, 2)), strategy=None, error=api.PluginError("cannot be imported"))

    failed = results(shop(), broken, later)["s1"]
    refused = results(shop(), defined(Refuses), later)["s1"]
    told = explain(shop(), [defined(Refuses), later], "s1", 1)

    assert "segment 's1': segment 's0', which comes first in the priority list, failed: segment 's0'" in str(
        failed.error
    )
    assert refused.refused == "segment 's0', which comes first in the priority list, has no answer: too few"
    assert (failed.table, refused.table, refused.delivers) == (None, None, False)
    assert told.member is None
    assert explain(shop(), [defined(Refuses), later], "s1", 9).member is False


def test_the_sentence_for_priority_names_the_segment_that_has_the_person() -> None:
    line = in_line([{1}, {1, 2}])

    told = explain(shop(), line, "s1", 1)

    assert (told.member, told.decided_by) == (False, "s0")
    assert told.reason == "in s0, which comes first in the priority list: the strategy's select has the person"


# Review


def test_a_review_finds_selects_that_do_not_pass_the_check_and_needs_no_data() -> None:
    wrong = segment("wrong", {1: 1})
    assert wrong.strategy is not None
    wrong.strategy.sql = "select person_id from persons"
    told = segment("told", {1: 1})
    assert told.strategy is not None
    told.strategy.explain_sql = "select now()"

    found = [str(problem) for problem in review([wrong, told, segment("right", {1: 1}), Definition("x", None)])]

    assert len(found) == 2
    assert "may not read 'persons'" in found[0]
    assert "may not use now" in found[1]
