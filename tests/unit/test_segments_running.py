from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub.segments import Definition, definitions_from, explain, run_segments
from tests.segment_shop import AS_OF, DAY, Shop, defined, evidence, members, reason, run


class Number(api.Config):
    number: float | None = api.Field(default=90, description="any number")
    window: api.Duration = api.Field(default=timedelta(days=365), description="any window")
    word: str | None = api.Field(default=None, description="any word")


def strategy(name: str, **parts: Any) -> type[api.Segment[Number]]:
    defaults: dict[str, Any] = {"name": name, "Config": Number, "__module__": "shop_strategies"}
    return type("Made", (api.Segment,), defaults | parts)


def values(*amounts: Any) -> str:
    rows = ", ".join(f"({person}, {'null' if amount is None else amount})" for person, amount in enumerate(amounts, 1))
    return f"select * from (values {rows}) as t(person_id, amount)"


def of_values(*amounts: Any, rule: tuple[api.Condition, ...], name: str = "made") -> type[api.Segment[Number]]:
    base = api.Base("values", values(*amounts), "has no amount", {"amount": "money"})
    return strategy(name, base=base, rule=rule, evidence=("amount",))


def in_group(name: str, people: list[int], column: str = "amount", value: str = "0") -> Definition:
    rows = ", ".join(f"({person}, {value})" for person in people) or "(0, null)"
    sql = f"select * from (values {rows}) as t(person_id, {column}) where person_id > 0"
    return defined(strategy(name, base=api.Base(name, sql, f"not one of {name}"), evidence=(column,)))


# Conditions


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (api.at_least("amount", 20), [2, 3]),
        (api.at_most("amount", 20), [1, 2]),
        (api.more_than("amount", 20), [3]),
        (api.less_than("amount", 20), [1]),
        (api.equals("amount", 20), [2]),
        (api.Condition("amount", api.Test.IS, None), [4]),
        (api.at_least("amount", "$number"), []),
        (api.at_least("amount", "$word"), [1, 2, 3, 4]),
        (api.at_least("amount", 99, unless="number"), [1, 2, 3, 4]),
        (api.at_least("amount", 30, unless="word"), [3]),
    ],
)
def test_each_condition_keeps_whom_it_says(condition: api.Condition, expected: list[int]) -> None:
    made = of_values(10, 20, 30, None, rule=(condition,))

    assert members(Shop(), defined(made)) == expected


def test_a_missing_value_is_out_whatever_is_asked_of_it() -> None:
    low = of_values(None, 1, rule=(api.at_most("amount", 5),))

    assert members(Shop(), defined(low)) == [2]
    assert reason(Shop(), defined(low), 1) == "amount is not known, needs at most 5.00: out (insufficient data)"


def test_settings_are_bound_and_never_become_sql() -> None:
    wicked = "x' or 1=1 --"
    sql = "select person_id, email from people where email = $word"
    made = strategy("wicked", sql=sql, evidence=("email",))
    shop = Shop(people=[1])
    shop.person(2, email=wicked)

    assert members(shop, defined(made, word=wicked)) == [2]


# Percentiles


def nearest_rank(amounts: list[int | None], percent: Fraction) -> int | None:
    known = sorted(amount for amount in amounts if amount is not None)
    return known[max(1, ceil(percent * len(known) / 100)) - 1] if known else None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=60), st.integers(0, 1000))
def test_percentiles_are_the_nearest_rank_of_known_values(amounts: list[int | None], tenths: int) -> None:
    bar = nearest_rank(amounts, Fraction(tenths, 10))
    made = of_values(*amounts, rule=(api.at_least("amount", api.percentile("amount", "$number")),))
    expected = [p for p, amount in enumerate(amounts, 1) if bar is not None and amount is not None and amount >= bar]

    assert members(Shop(), defined(made, number=tenths / 10)) == expected


@pytest.mark.parametrize("percent", [7, 14, 28, 29, 55, 56, 57, 58, 99, 100, 0, 0.1])
def test_no_rank_is_off_by_one_where_floating_point_would_be(percent: float) -> None:
    made = of_values(*range(1, 101), rule=(api.equals("amount", api.percentile("amount", "$number")),))

    assert members(Shop(), defined(made, number=percent)) == [max(1, ceil(Fraction(str(percent))))]


def test_a_percentile_over_nobody_keeps_nobody() -> None:
    made = of_values(None, None, rule=(api.at_least("amount", api.percentile("amount", 50)),))

    assert members(Shop(), defined(made)) == []


def test_a_percentile_whose_setting_is_none_is_left_out() -> None:
    made = of_values(1, 2, rule=(api.at_least("amount", api.percentile("amount", "$number")),))

    assert members(Shop(), defined(made, number=None)) == [1, 2]


# Bases


def test_equal_bases_run_once_and_others_by_themselves() -> None:
    base = api.Base(
        "orders", "select person_id, count(*) as n from orders where placed_at > $as_of - $window group by 1", "none"
    )
    first = strategy("first", base=base, rule=(api.at_least("n", 1),))
    second = strategy("second", base=base, rule=(api.at_least("n", "$number"),))
    shop = Shop(people=[1])
    shop.order(1, DAY, 10)

    run(shop, defined(first), defined(second, number=2), defined(first, "shorter", window="1h"))
    names = shop.con.execute("select table_name from duckdb_tables() where table_name like 'base_%'").fetchall()

    assert len(names) == 2


IN_WINDOW = api.Base(
    "orders in the window above a number",
    "select person_id, n, $number as bar from bought where n > $number",
    "no",
    parts={
        "bought": "select person_id, count(*) as n from orders where placed_at > $as_of - $window group by 1",
        "known": "select person_id from people",
    },
)


def kept(shop: Shop, kind: str) -> int:
    return len(
        shop.con.execute(f"select table_name from duckdb_tables() where starts_with(table_name, '{kind}_')").fetchall()
    )


def test_equal_parts_of_bases_that_differ_are_computed_once() -> None:
    some = strategy("some", base=IN_WINDOW, evidence=("n", "bar"))
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10)
    shop.order(2, DAY, 10)

    run(shop, defined(some, number=0), defined(some, "more", number=1))
    assert kept(shop, "part") == 2

    run(shop, defined(some, "shorter", number=1, window="1h"))
    assert kept(shop, "part") == 3
    assert evidence(shop, defined(some, number=1)) == {1: {"n": 2, "bar": 1}}


@pytest.mark.parametrize(
    ("bounds", "tables"),
    [
        pytest.param((1,), 0, id="asked for once"),
        pytest.param((1, 2), 1, id="asked for twice"),
        pytest.param((api.percentile("n", 50),), 1, id="a percentile is taken of it"),
        pytest.param((9,), 0, id="nobody fits, and the first people tell that it is known"),
    ],
)
def test_a_base_is_kept_only_where_more_than_the_members_is_asked_of_it(bounds: tuple[Any, ...], tables: int) -> None:
    base = api.Base("orders", "select person_id, count(*) as n from orders group by 1", "none")
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10)
    shop.order(2, DAY, 10)

    found = run(
        shop,
        *(
            defined(strategy(f"s{number}", base=base, rule=(api.at_least("n", bound),), evidence=("n",)))
            for number, bound in enumerate(bounds)
        ),
    )

    assert kept(shop, "base") == tables
    assert [each.members for each in found.values()] == [{1: 2, 2: 1, 9: 0}.get(bound, 2) for bound in bounds]


def test_a_column_is_unknown_only_where_nobody_at_all_knows_it() -> None:
    base = api.Base("values", "select person_id, case when person_id > 5000 then 1 end as n from people", "none")
    some = defined(strategy("some", base=base, rule=(api.at_least("n", 9),), evidence=("n",)))

    for people, told in (([1, 2, 5001], 0), ([1, 2, 5000], 1)):
        [found] = run(Shop(people=people), some).values()
        assert (found.members, len(found.notes)) == (0, told)


def test_a_base_of_parts_explains_itself_and_says_what_it_reads() -> None:
    some = strategy("some", base=IN_WINDOW, rule=(api.at_least("n", 2),), evidence=("n",))
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)

    assert reason(shop, defined(some, number=0), 1) == "n 1 in 365 days, needs at least 2: out by 1"
    assert reason(shop, defined(some, number=0), 2) == "no"
    assert run(shop, defined(some, number=0))["some"].reads == {"orders"}


def test_a_part_is_checked_as_the_base_is() -> None:
    parts = {"files": "select * from 'people.csv'"}
    base = api.Base("files", "select person_id from files", "no", parts=parts)
    wrong = api.Base("wrong", "select person_id from one", "no", parts={"one": "select $nothing as person_id"})

    peeks = run_segments(Shop(), [defined(strategy("peeks", base=base))])["peeks"]
    asks = run_segments(Shop(), [defined(strategy("asks", base=wrong))])["asks"]

    assert "may not read 'people.csv'" in str(peeks.error)
    assert "the SQL names $nothing, which is no setting" in str(asks.error)


def test_a_part_that_reads_what_was_prepared_is_shared_only_with_what_is_equal() -> None:
    class Prepares(api.Segment[Number]):
        name = "prepares"
        Config = Number
        base = api.Base(
            "labels", "select person_id, label from labels", "no", parts={"labels": "select * from prepared"}
        )
        evidence = ("label",)

        def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
            return api.Prepared(table=pa.table({"person_id": [1], "label": [str(self.config.number)]}))

    results = run(shop := Shop(people=[1]), defined(Prepares, number=1), defined(Prepares, "other", number=2))

    labels = [shop.con.execute(f'select label from "{each.table}"').fetchall() for each in results.values()]
    assert labels == [[("1.0",)], [("2.0",)]]


def test_a_segment_over_purchases_rests_on_the_orders() -> None:
    base = api.Base("spend", "select person_id, sum(net) as net from purchases group by 1", "no")
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(2, DAY, 10, status="cancelled")
    shop.order(None, DAY, 10)

    result = run(shop, defined(strategy("spend", base=base, evidence=("net",))))["spend"]

    assert (result.members, result.reads) == (1, {"orders"})
    assert [words.partition(" ")[0] for words in result.no_past] == ["refunds", "cancellations"]


def test_prepare_gives_parameters_and_a_table() -> None:
    class Prepares(api.Segment[Number]):
        name = "prepares"
        Config = Number
        base = api.Base(
            "joined", "select person_id, label, $mean as mean from people join prepared using (person_id)", "no"
        )
        evidence = ("label", "mean")

        def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
            mean = catalog.table("select avg(total) as mean from orders where placed_at <= $as_of")["mean"][0].as_py()
            return api.Prepared({"mean": mean}, pa.table({"person_id": [1, 3], "label": ["a", "b"]}))

    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 20)

    assert evidence(shop, defined(Prepares)) == {1: {"label": "a", "mean": 15}}
    assert reason(shop, defined(Prepares), 2) == "no"


def test_prepare_may_read_facts_and_nothing_outside_the_catalog() -> None:
    class Peeks(api.Segment[Number]):
        name = "peeks"
        Config = Number
        evidence = ("orders",)

        def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
            catalog.table("select max(spend) from facts where orders > $least", {"least": 0})
            catalog.table("select * from 'people.csv'")
            return api.Prepared()

    result = run_segments(Shop(people=[1]), [defined(Peeks)])["peeks"]

    assert "may not read 'people.csv'" in str(result.error)


def test_a_strategy_with_a_select_of_its_own_explains_itself() -> None:
    made = strategy(
        "own",
        sql="select person_id, sum(total) as total from orders group by 1 having sum(total) > $number",
        explain_sql="select 'total ' || coalesce(sum(total), 0) || ', needs more than ' || $number as condition,"
        " sum(total) > $number as passed from orders where person_id = $person_id",
        evidence=("total",),
    )
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 100)

    assert reason(shop, defined(made, number=50), 1) == "total 100.00, needs more than 50.0"
    assert reason(shop, defined(made, number=50), 2) == "total 0.00, needs more than 50.0"


# Combinations


ONE_TO_THREE = api.Base("a", "select * from (values (1, 10), (2, 10), (3, 10)) as t(person_id, amount)", "not one of a")
A = in_group("a", [1, 2, 3], "amount", "10")
B = in_group("b", [2, 3, 4], "amount", "20")
C = in_group("c", [3, 5], "word", "'c'")


def combined(name: str = "x", **parts: tuple[str, ...]) -> Definition:
    return Definition(name, None, parts.get("all", ()), parts.get("any", ()), parts.get("none", ()))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"all": ("a", "b")}, {2: {"amount": 10}, 3: {"amount": 10}}),
        ({"all": ("b", "a")}, {2: {"amount": 20}, 3: {"amount": 20}}),
        ({"all": ("a", "c")}, {3: {"amount": 10, "word": "c"}}),
        (
            {"any": ("b", "a", "c")},
            {
                1: {"amount": 10, "word": None},
                2: {"amount": 20, "word": None},
                3: {"amount": 20, "word": "c"},
                4: {"amount": 20, "word": None},
                5: {"amount": None, "word": "c"},
            },
        ),
        ({"all": ("a",), "none": ("b",)}, {1: {"amount": 10}}),
        ({"all": ("a",), "any": ("c", "b")}, {2: {"amount": 10, "word": None}, 3: {"amount": 10, "word": "c"}}),
        ({"none": ("a",)}, {4: {}, 5: {}, 6: {}}),
        ({"all": ("a", "a")}, {1: {"amount": 10}, 2: {"amount": 10}, 3: {"amount": 10}}),
        ({"all": ("a",), "none": ("a",)}, {}),
    ],
)
def test_combinations_and_where_their_evidence_comes_from(parts: Any, expected: dict[int, Any]) -> None:
    shop = Shop(people=range(1, 7))

    result = run(shop, A, B, C, combined(**parts))["x"]
    answer = shop.con.execute(f"select * from {result.table}")
    names = [column[0] for column in answer.description][1:]

    assert {row[0]: dict(zip(names, row[1:], strict=True)) for row in answer.fetchall()} == expected
    assert list(result.evidence) == names


GROUPS = st.lists(st.sets(st.integers(1, 6)), min_size=4, max_size=4)
PARTS = st.tuples(*[st.lists(st.sampled_from("abcd"), max_size=3, unique=True) for _ in range(3)])


@settings(max_examples=25, deadline=None)
@given(GROUPS, PARTS)
def test_combinations_are_what_sets_say(groups: list[set[int]], parts: tuple[list[str], list[str], list[str]]) -> None:
    sets = dict(zip("abcd", groups, strict=True))
    needed, alternatives, barred = parts
    expected = set(range(1, 7)).intersection(*(sets[name] for name in needed))
    if alternatives:
        expected &= set().union(*(sets[name] for name in alternatives))
    expected = expected.difference(*(sets[name] for name in barred))
    definitions = [in_group(name, sorted(people)) for name, people in sets.items()]
    mixed = combined(all=tuple(needed), any=tuple(alternatives), none=tuple(barred))
    shop = Shop(people=range(1, 7))

    assert members(shop, mixed, *definitions) == sorted(expected)
    for person in range(1, 7):
        assert explain(shop, [mixed, *definitions], "x", person).member == (person in expected)


def test_combinations_of_combinations_run_in_the_order_they_need() -> None:
    deep = combined("deep", all=("x",), none=("c",))

    results = run_segments(Shop(people=[1]), [deep, combined(all=("a", "b")), C, B, A], ["deep"])

    assert list(results) == ["a", "b", "x", "c", "deep"]
    assert results["deep"].members == 1
    assert results["deep"].version == "all(all(a 1, b 1)) none(c 1)"


def test_only_what_is_wanted_and_what_it_needs_is_run() -> None:
    assert list(run_segments(Shop(), [A, B, C, combined(all=("a",))], ["x"])) == ["a", "x"]


@pytest.mark.parametrize(
    ("definitions", "told"),
    [
        ([combined("x", all=("y",)), combined("y", none=("x",))], "in a circle: x -> y -> x"),
        ([combined("x", all=("x",))], "in a circle: x -> x"),
        ([A, combined("x", all=("aa",))], "segment 'x' names 'aa', which does not exist .* did you mean 'a'"),
        ([in_group("a-b", [1]), in_group("a_b", [1])], "differ by - and _ only"),
    ],
)
def test_circles_unknown_names_and_clashes_are_configuration_errors(definitions: Any, told: str) -> None:
    with pytest.raises(api.ConfigError, match=told):
        run_segments(Shop(), definitions)


def test_notes_and_codes_of_the_parts_show_in_the_combination() -> None:
    waits = strategy("waits", base=ONE_TO_THREE, needs=(api.Need.ORDERS_AS_FRESH_AS_CARTS,))
    shop = Shop()
    shop.reaches = {"orders": [("till", None, AS_OF - DAY)], "carts": [("web", None, AS_OF)]}

    results = run(shop, defined(waits), combined("x", all=("waits",)), combined("y", none=("x",)))

    assert results["y"].codes == ("STALE_SOURCE",)
    assert results["y"].notes[0].startswith("waits: orders of till reach until")


# Faults


class Raises(api.Segment[Number]):
    """A strategy that breaks."""

    name = "raises"
    Config = Number

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        return api.Prepared({"share": 1 // 0})


def faulty(**parts: Any) -> type[api.Segment[Number]]:
    return strategy("faulty", **parts)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Raises, "strategy 'raises' of .* failed: ZeroDivisionError"),
        (faulty(sql="select person_id from nowhere"), "may not read 'nowhere'"),
        (faulty(sql="select person_id, nothing from people"), 'column "nothing" not found'),
        (faulty(sql="select person_id from people where $nothing"), "names \\$nothing, which is no setting"),
        (faulty(rule=(api.at_least("orders", "$nothing"),)), "setting 'nothing', which does not exist"),
        (faulty(rule=(api.at_least("orders", 1, unless="nothing"),)), "setting 'nothing', which does not exist"),
        (faulty(rule=(api.at_least("nothing", 1),)), 'column "nothing" not found'),
        (faulty(windows=("nothing",)), "windows names the setting 'nothing'"),
        (faulty(sql="select 1 as person_id from people"), "1 people more than once"),
        (faulty(sql="select null as person_id from people"), "without a person_id"),
        (faulty(sql="select person_id, error('broke') from people"), "may not use error"),
        (
            faulty(sql="select person_id, cast(email as int) as n from people", evidence=("n",)),
            "ConversionException: what DuckDB says of it may quote the data, and is not told here$",
        ),
        (faulty(rule=(api.at_least("orders", api.percentile("orders", 101)),)), "between 0 and 100, not 101"),
    ],
)
def test_one_failing_strategy_harms_no_other(broken: type[api.Segment[Any]], told: str) -> None:
    bad = defined(broken)
    name = bad.name
    built_on_it = [combined("x", all=("a", name)), combined("y", any=("a", "b")), combined("z", none=("x",))]

    results = run_segments(Shop(people=[1, 2]), [bad, A, B, *built_on_it])

    failed = results[name].error
    assert isinstance(failed, api.PluginError)
    assert pd.Series([str(failed)]).str.contains(told).all(), str(failed)
    assert f"segment {name!r}" in str(failed)
    assert "@" not in str(failed)
    assert results[name].table is None
    assert (results["a"].members, results["b"].members, results["y"].members) == (3, 3, 4)
    assert f"made of segment {name!r}, which failed" in str(results["x"].error)
    assert "made of segment 'x'" in str(results["z"].error)


def test_memory_that_does_not_suffice_is_told_with_what_to_do_and_harms_no_other() -> None:
    greedy = faulty(sql="select person_id from people where len(list_sort(range(9000000 + person_id))) > 0")
    shop = Shop(people=[1, 2])
    limit = shop.con.execute("select current_setting('memory_limit')").fetchall()[0][0]
    shop.con.execute("set memory_limit = '16MB'")
    try:
        results = run_segments(shop, [defined(greedy), A])
    finally:
        shop.con.execute(f"set memory_limit = '{limit}'")

    failed = results["faulty"].error
    assert "ran out of memory" in str(failed)
    assert "memory_limit" in str(getattr(failed, "next_step", None))
    assert results["a"].members == 3


def test_explaining_a_failing_strategy_says_why_there_is_no_answer() -> None:
    told = explain(Shop(people=[1]), [defined(Raises), combined("x", all=("raises",))], "x", 1)

    assert told.member is None
    assert told.reason.startswith("raises has no answer: segment 'raises': strategy 'raises' of")


# Definitions from settings


class Settings:
    """A configured segment, as a client's file gives it."""

    def __init__(self, name: str, plugin: str | None = None, enabled: bool = True, **more: Any) -> None:
        self.name = name
        self.plugin = plugin
        self.enabled = enabled
        self.options: dict[str, Any] = more.get("options", {})
        self.all: tuple[str, ...] = more.get("all", ())
        self.any: tuple[str, ...] = more.get("any", ())
        self.none: tuple[str, ...] = more.get("none", ())
        self.sample: float | None = more.get("sample")
        self.limit: Any = more.get("limit")
        self.min_size: int | None = more.get("min_size")


def build(model: type[api.Config], settings: Any) -> api.Config:
    return model.model_validate(settings.options)


def load(name: str) -> type[api.Segment[Any]]:
    if name == "broken":
        raise api.PluginError("plugin 'broken' of shop-strategies cannot be imported")
    return strategy(name, base=ONE_TO_THREE, evidence=("amount",))


def test_definitions_carry_their_settings_and_leave_out_what_is_off() -> None:
    made = definitions_from(
        [
            Settings("one", "s", options={"number": 5}),
            Settings("two", all=("one",)),
            Settings("off", "s", enabled=False),
        ],
        load,
        build,
    )

    assert [definition.name for definition in made] == ["one", "two"]
    assert made[0].settings == {"number": 5.0, "window": timedelta(days=365), "word": None}
    assert run(Shop(), *made)["two"].members == 3


def test_a_strategy_that_cannot_be_loaded_fails_alone() -> None:
    made = definitions_from([Settings("bad", "broken"), Settings("good", "s")], load, build)

    results = run_segments(Shop(), made)

    assert "segment 'bad': plugin 'broken' of shop-strategies cannot be imported" in str(results["bad"].error)
    assert results["good"].members == 3


def test_a_combination_of_something_switched_off_is_a_configuration_error() -> None:
    with pytest.raises(api.ConfigError, match="'off', which does not exist or is switched off"):
        definitions_from([Settings("off", "s", enabled=False), Settings("x", all=("off",))], load, build)


# A whole shop, against pandas


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_shop_gives_the_same_members_as_pandas(seed: int) -> None:
    from hub_purchases import CouponLovers, HighSpenders, LowSpenders, OneTime

    chance = random.Random(seed)
    shop = Shop(people=range(1, 501))
    rows = []
    for _ in range(2_000):
        person, hours = int(chance.triangular(1, 500, 1)), chance.randrange(0, 600 * 24)
        cents, refund = chance.randrange(0, 20_000), chance.choice([0, 0, 0, 500])
        status = chance.choice(["paid"] * 8 + ["pending", "refunded", "cancelled"])
        coupon = chance.random() < 0.4
        rows.append((person, hours, cents - min(refund, cents), status in ("paid", "pending"), coupon))
        shop.order(
            person,
            timedelta(hours=hours),
            Decimal(cents) / 100,
            refunded=Decimal(min(refund, cents)) / 100,
            status=status,
            discount_codes=["X"] if coupon else [],
        )
    frame = pd.DataFrame(rows, columns=["person", "hours", "net", "counted", "coupon"]).query("counted")
    window = (
        frame.query("hours < 8760").groupby("person").agg(n=("net", "size"), net=("net", "sum"), k=("coupon", "sum"))
    )
    ranked = sorted(window.net)
    often = window[window.n >= 2]
    once = frame.groupby("person").size()

    assert members(shop, defined(HighSpenders)) == sorted(often[often.net >= ranked[ceil(len(ranked) * 0.9) - 1]].index)
    assert members(shop, defined(LowSpenders)) == sorted(often[often.net <= ranked[ceil(len(ranked) / 4) - 1]].index)
    assert members(shop, defined(CouponLovers)) == sorted(window.query("k >= 2 and k / n >= 0.5").index)
    assert members(shop, defined(OneTime)) == sorted(once[once == 1].index)
