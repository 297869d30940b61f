"""A select of the user's own: the same checks, bound parameters, evidence and explanations."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.config import check_offline, load_client, load_workspace
from hub.plugins import Plugins
from hub.secrets import ConnectionSecrets
from hub.segments import Definition, explain, review, run_segments
from hub_sql import Sql
from tests.segment_shop import AS_OF, DAY, Shop, defined, evidence, members, reason, run


def select(query: str, **more: Any) -> Definition:
    return defined(Sql, "own", query=query, **more)


def bought() -> Shop:
    shop = Shop(people=[1, 2, 3])
    for person, spends in {1: [10], 2: [20, 30]}.items():
        for number, spend in enumerate(spends, 1):
            shop.order(person, number * DAY, spend)
    return shop


def test_a_select_finds_people_with_evidence_and_parameters() -> None:
    own = select(
        "select person_id, spend, orders from facts where orders >= $least and spend < $most",
        parameters={"least": 1, "most": 45.5},
        evidence=["spend", "orders"],
    )

    assert evidence(bought(), own) == {1: {"spend": 10, "orders": 1}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("p1@example.com", [1]),
        ("x' or true --", []),
        (["p1@example.com", "p2@example.com"], [1, 2]),
        ([], []),
    ],
)
def test_parameters_are_bound_and_never_become_sql(value: Any, expected: list[int]) -> None:
    test = "list_contains($wanted, email)" if isinstance(value, list) else "email = $wanted"

    assert (
        members(bought(), select(f"select person_id from people where {test}", parameters={"wanted": value}))
        == expected
    )


@pytest.mark.parametrize(
    "since",
    [
        (AS_OF - DAY).replace(tzinfo=UTC),
        (AS_OF - DAY + timedelta(hours=2)).replace(tzinfo=timezone(timedelta(hours=2))),
        AS_OF - DAY,
        date(2026, 2, 28),
    ],
)
def test_times_are_utc_whatever_their_zone(since: datetime | date) -> None:
    own = select("select distinct person_id from orders where placed_at >= $since", parameters={"since": since})

    assert members(bought(), own) == [1, 2]
    assert members(bought(), select(own.settings["query"], parameters={"since": AS_OF - DAY / 2})) == []


def test_as_of_is_the_instant_of_the_run() -> None:
    shop = bought()
    shop.order(3, -DAY, 10)

    assert members(shop, select("select distinct person_id from orders where placed_at <= $as_of")) == [1, 2]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select person_id from secrets", "may not read 'secrets'"),
        ("select person_id from read_csv('people.csv')", "may not use the table function read_csv()"),
        ("select person_id from people where created_at < now()", "may not use now"),
        ("drop table orders", "must be a single select"),
        ("select person_id from people; select 1", "must be a single select"),
        ("select person_id form people", "the SQL cannot be read"),
        ("select person_id from people where email = $nobody", "names \\$nobody, which is no setting"),
        ("select email from people", "person_id"),
        ("select 1 as person_id from people", "2 people more than once"),
        ("select person_id, nothing from people", "nothing"),
    ],
)
def test_the_same_checks_hold_as_for_every_strategy(query: str, told: str) -> None:
    results = run_segments(bought(), [select(query), select_everybody()])

    failure = str(results["own"].error)
    assert failure.startswith("segment 'own': strategy 'sql' of")
    assert re.search(told, failure)
    assert results["everybody"].members == 3


def select_everybody() -> Definition:
    return defined(Sql, "everybody", query="select person_id from people")


def test_evidence_that_the_select_does_not_give_is_a_failure_with_its_name() -> None:
    failure = run_segments(bought(), [select("select person_id from people", evidence=["spend"])])["own"].error

    assert "spend" in str(failure)


def test_a_select_takes_part_in_combinations() -> None:
    own = select("select person_id from facts where orders > 1")

    assert members(bought(), Definition("x", None, all=("everybody",), none=("own",)), own, select_everybody()) == [
        1,
        3,
    ]


def test_without_an_explanation_of_its_own_it_says_who_is_in() -> None:
    own = select("select person_id from facts where orders > 1")

    assert reason(bought(), own, 2) == "the strategy's select has the person"
    assert reason(bought(), own, 1) == "the strategy's select does not have the person"


def test_an_explanation_of_its_own_names_what_decided() -> None:
    own = select(
        "select person_id from facts where orders >= $least",
        parameters={"least": 2},
        explain="select 'orders ' || orders || ', needs at least ' || $least as condition, orders >= $least as passed "
        "from facts where person_id = $person_id",
    )

    assert reason(bought(), own, 1) == "orders 1, needs at least 2"
    assert explain(bought(), [own], "own", 2).member is True


def test_a_table_that_no_source_gives_is_said_where_the_select_needs_it() -> None:
    own = select("select person_id from people", needs=["orders", "traits"])
    shop = bought()

    result = run(shop, own)["own"]

    assert (result.members, result.notes) == (0, ("no source gives traits, so nobody can be in this segment",))


def test_the_tables_that_it_reads_are_those_it_rests_on() -> None:
    own = select(
        "with b as (select person_id from orders) select distinct person_id from b join carts using (person_id)"
    )

    assert run(bought(), own)["own"].reads == {"orders", "carts"}


@pytest.mark.parametrize(
    ("query", "more", "told"),
    [
        ("select person_id from people where $nobody", {}, "names $nobody, which is no setting"),
        ("select person_id from persons", {}, "may not read 'persons'"),
        ("select person_id from people", {"explain": "select $nothing"}, "names $nothing"),
        ("select person_id from people where $a = $as_of", {"parameters": {"a": 1}}, None),
        ("select person_id from people", {"explain": "select $person_id"}, None),
    ],
)
def test_a_review_finds_the_mistake_before_there_is_any_data(query: str, more: Any, told: str | None) -> None:
    found = [str(problem) for problem in review([select(query, **more)])]

    assert (len(found) == 1 and told in found[0]) if told else found == []


CLIENT = """
name = "Acme"

[segments.regulars]
plugin = "sql"
query = '''
    select person_id, spend from facts
    where orders >= $least and last_order_at > $since
'''
parameters = { least = 3, since = 2026-01-01T00:00:00Z }
evidence = ["spend"]

[segments.top-regulars]
all = ["regulars"]
limit = { count = 10, by = "spend" }
"""


def test_it_stands_in_a_clients_file_and_the_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    (tmp_path / "hub.toml").write_text("")
    (tmp_path / "clients" / "acme.toml").write_text(CLIENT)
    workspace = load_workspace(tmp_path)

    found = check_offline(workspace, "acme", Plugins(tmp_path), lambda name: ConnectionSecrets("acme", name, None, {}))

    assert [each.text for each in found if each.level == "error"] == []
    assert load_client(workspace, "acme").segments["regulars"].options["parameters"]["least"] == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "Field required"),
        ({"query": ""}, "at least 1 character"),
        ({"query": "select 1", "parameters": {"as_of": 1}}, "'as_of' cannot be a parameter's name"),
        ({"query": "select 1", "parameters": {"hub_x": 1}}, "'hub_x' cannot be"),
        ({"query": "select 1", "parameters": {"A b": 1}}, "'A b' cannot be"),
        ({"query": "select 1", "parameters": {"a": {"b": 1}}}, "parameters.a"),
        ({"query": "select 1", "evidence": ["person_id"]}, "person_id is no evidence"),
        ({"query": "select 1", "needs": ["people"]}, "'orders'"),
        ({"query": "select 1", "limit": 5}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(Sql, **wrong)
