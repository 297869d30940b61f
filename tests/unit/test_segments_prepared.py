"""What ``prepare`` may say beside parameters: notes, a refusal; and what strategies share."""

from __future__ import annotations

from datetime import datetime
from threading import Barrier
from typing import Any

import pyarrow as pa

from hub import api
from hub.segments import Definition, explain, review, run_segments
from tests.segment_shop import DAY, Shop, defined, members

FEWEST = 3
FEW = f"population_too_small: 2 people bought, {FEWEST} are needed"


class Nothing(api.Config):
    """No settings."""


class Ranked(api.Segment[Nothing]):
    """Whoever bought for as much as the mean buyer, where there are enough of them."""

    name = "ranked"
    Config = Nothing
    rule = (api.at_least("spend", "$mean"),)
    evidence = ("spend",)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        sql = "select count(distinct person_id) as buyers, avg(net)::double as mean from orders where counted"
        found = catalog.table(sql).to_pylist()[0]
        if found["buyers"] < FEWEST:
            return api.Prepared(refused=FEW)
        told = f"the mean is {found['mean']:g}, in {catalog.timezone}"
        return api.Prepared({"mean": found["mean"]}, notes=(told,))


def shop_of(*spends: int) -> Shop:
    shop = Shop(people=range(1, len(spends) + 1))
    for person, spend in enumerate(spends, 1):
        shop.order(person, DAY, spend)
    return shop


def test_notes_of_prepare_show_with_the_segment_and_in_every_explanation() -> None:
    shop = shop_of(10, 20, 60)
    shop.timezone = "Europe/Copenhagen"

    result = run_segments(shop, [defined(Ranked)])["ranked"]
    told = explain(shop, [defined(Ranked)], "ranked", 3)

    assert (result.members, result.notes) == (1, ("the mean is 30, in Europe/Copenhagen",))
    assert (told.member, told.notes) == (True, result.notes)
    assert result.delivers


def test_a_strategy_that_refuses_has_no_answer_and_neither_has_what_is_made_of_it() -> None:
    shop = shop_of(10, 20)
    others = Definition("others", None, none=("ranked",))
    beside = Definition("beside", None, all=("everybody",))
    everybody = defined(type("Everybody", (Ranked,), {"name": "everybody", "rule": (), "prepare": nothing_to_prepare}))

    results = run_segments(shop, [defined(Ranked), others, everybody, beside])

    refused = results["ranked"]
    assert (refused.error, refused.table, refused.members, refused.delivers) == (None, None, 0, False)
    assert (refused.refused, refused.notes) == (FEW, (FEW,))
    assert results["others"].refused == f"it is made of segment 'ranked', which has no answer: {FEW}"
    assert results["others"].table is None
    assert results["beside"].members == 2


def nothing_to_prepare(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
    return api.Prepared()


def test_a_refusal_is_the_explanation() -> None:
    others = Definition("others", None, none=("ranked",))

    told = explain(shop_of(10, 20), [defined(Ranked), others], "others", 1)

    assert told.member is None
    assert told.reason == f"ranked has no answer: {FEW}"


def test_a_refusal_without_its_table_is_a_refusal() -> None:
    shop = Shop(people=[1])
    shop.tables.remove("orders")
    needy = type("Needy", (Ranked,), {"needs": (api.Need.ORDERS, api.Need.ORDER_LINES)})

    result = run_segments(shop, [defined(needy)])["ranked"]

    assert result.refused == FEW
    assert [note.partition(",")[0] for note in result.notes[:2]] == [
        "no source gives orders",
        "no source gives order_lines",
    ]


def test_strategies_that_ask_the_same_in_prepare_share_the_answer() -> None:
    seen: dict[str, list[pa.Table]] = {}

    def asks(name: str, least: int) -> Definition:
        def prepare(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
            seen.setdefault(name, []).append(
                catalog.table("select count(*) as n from orders where net >= $least", {"least": least})
            )
            return api.Prepared()

        return defined(type("Asks", (Ranked,), {"name": name, "rule": (), "prepare": prepare}))

    shop = shop_of(10, 20, 60)
    run_segments(shop, [asks("first", 20), asks("second", 20), asks("third", 60)])
    run_segments(shop, [asks("first", 20)])

    assert seen["first"][0] is seen["second"][0]
    assert [seen[name][0]["n"][0].as_py() for name in ("first", "third")] == [2, 1]
    assert seen["first"][1] is not seen["first"][0]


def means(catalog: api.Reader, least: int) -> float:
    counted = catalog.table("select avg(net)::double as mean from orders where net >= $least", {"least": least})
    FITTED.append((least, counted["mean"][0].as_py()))
    return FITTED[-1][1]


FITTED: list[tuple[int, float]] = []


def test_work_that_several_strategies_ask_for_with_equal_arguments_is_done_once_for_each_run() -> None:
    def asks(name: str, least: int) -> Definition:
        def prepare(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
            return api.Prepared({"mean": catalog.once(means, least)})

        return defined(type("Asks", (Ranked,), {"name": name, "prepare": prepare}))

    FITTED.clear()
    shop = shop_of(10, 20, 60)
    found = run_segments(shop, [asks("first", 1), asks("second", 1), asks("third", 15)])

    assert sorted(FITTED) == [(1, 30.0), (15, 40.0)]
    assert [each.members for each in found.values()] == [1, 1, 1]

    run_segments(shop, [asks("first", 1)])

    assert FITTED[2:] == [(1, 30.0)]


def test_strategies_prepare_side_by_side() -> None:
    both_are_at_it = Barrier(2)

    def asks(name: str) -> Definition:
        def prepare(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
            both_are_at_it.wait(timeout=60)
            mean = catalog.once(means, 1)
            both_are_at_it.wait(timeout=60)
            return api.Prepared({"mean": mean})

        return defined(type("Asks", (Ranked,), {"name": name, "prepare": prepare}))

    FITTED.clear()
    found = run_segments(shop_of(10, 20, 60), [asks("first"), asks("second")])

    assert [(each.error, each.members) for each in found.values()] == [(None, 1), (None, 1)]
    assert FITTED == [(1, 30.0)]


def test_work_that_fails_fails_everybody_who_asked_for_it_and_nobody_else() -> None:
    def asks(name: str, work: Any) -> Definition:
        def prepare(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
            return api.Prepared({"mean": catalog.once(work, 1)})

        return defined(type("Asks", (Ranked,), {"name": name, "prepare": prepare}))

    def breaks(catalog: api.Reader, least: int) -> float:
        raise ArithmeticError("no mean of nothing")

    found = run_segments(
        shop_of(10, 20, 60), [asks("first", breaks), asks("second", breaks), asks("third", means), defined(Ranked)]
    )

    assert ["no mean of nothing" in str(each.error) for each in found.values()] == [True, True, False, False]
    assert [each.members for each in found.values()] == [0, 0, 1, 1]


class Scored(Ranked):
    """Whoever has a score, which is what ``prepare`` says."""

    name = "scored"
    base = api.Base("scores", "select person_id, score from prepared join people using (person_id)", "without a score")
    rule = (api.at_least("score", 2),)
    evidence = ("score",)
    scores: tuple[int, ...] = ()

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        table = pa.table({"person_id": range(1, len(self.scores) + 1), "score": pa.array(self.scores, pa.int64())})
        return api.Prepared(table=table)


def scored(name: str, *scores: int, **more: Any) -> Definition:
    return defined(type("Scored", (Scored,), {"name": name, "scores": scores} | more))


def bases(shop: Shop) -> int:
    return len(shop.con.execute("from duckdb_tables() where table_name like 'base!_%' escape '!'").fetchall())


def test_equal_tables_share_a_base_and_others_do_not() -> None:
    shop = Shop(people=(1, 2, 3))
    same = [scored("first", 1, 2, 3), scored("second", 1, 2, 3, rule=(api.at_least("score", 3),))]

    shared = run_segments(shop, same)
    assert (bases(shop), [each.members for each in shared.values()]) == (1, [2, 1])

    other = run_segments(shop, [scored("third", 1, 2, 1), scored("first", 2, 2, 2)])
    assert (bases(shop), [each.members for each in other.values()]) == (1, [1, 3])
    assert explain(shop, [scored("third", 1, 2, 1)], "third", 1).reason == "score 1, needs at least 2: out by 1"


def test_a_strategy_that_refuses_whatever_the_data_is_told_before_there_is_any() -> None:
    def unable(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
        return api.Prepared(refused="the package slide-rule is not installed")

    def too_few(self: api.Segment[Any], catalog: api.Reader, as_of: datetime) -> api.Prepared:
        return api.Prepared({"mean": catalog.once(means, 1)})

    told = review([scored("never", prepare=unable), defined(type("Few", (Ranked,), {"prepare": too_few}))])

    (problem,) = [str(each) for each in told]
    assert problem.endswith("failed: the package slide-rule is not installed")
    assert "segment 'never'" in problem


def test_what_depends_on_the_settings_may_be_declared_by_each_strategy_itself() -> None:
    class Chosen(api.Config):
        column: str = api.Field(default="orders", description="which")

    class Choosing(api.Segment[Chosen]):
        name = "choosing"
        Config = Chosen
        rule = (api.at_least("orders", 1),)

        def __init__(self, config: Chosen) -> None:
            super().__init__(config)
            self.rule = (api.at_least(config.column, 20),)
            self.evidence = (config.column,)

    shop = shop_of(10, 20)

    assert members(shop, defined(Choosing, column="spend")) == [2]
    assert run_segments(shop, [defined(Choosing)])["choosing"].evidence == ("orders",)
