from __future__ import annotations

import duckdb
import pytest

from hub.api import PluginError
from hub.segments import Checker


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(duckdb.connect())


@pytest.mark.parametrize(
    "sql",
    [
        "select person_id from orders",
        "from orders",
        "select person_id from orders; -- with a comment",
        "with a as (select 1 as x), b as (select * from a) select * from b join orders on true",
        "select person_id from carts union all (select person_id from people except select person_id from identities)",
        "select person_id from facts qualify row_number() over (partition by country order by spend desc) = 1",
        "select person_id, unnest(tags) from people",
        "select person_id from orders asof join carts using (person_id, placed_at)",
        "select person_id from orders where exists (select 1 from carts where carts.person_id = orders.person_id)",
        "select list_transform(tags, lambda tag: lower(tag)), [x for x in tags if x > 'a'] from people",
        "select age($as_of, placed_at), keyed_hash(email) from orders group by all order by 1 limit 5",
        "select * from (values (1)) as t(x), lateral (select x + 1) left join prepared on true",
        "select points from loyalty.points",
        "select has_bought, pg_rating, read_at from (select 1 as has_bought, 2 as pg_rating, 3 as read_at)",
    ],
)
def test_a_select_over_canonical_names_passes(checker: Checker, sql: str) -> None:
    checker.read(sql, ["loyalty.points"])


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "drop table orders",
        "insert into orders values (1)",
        "create table x as select 1",
        "copy orders to 'orders.csv'",
        "attach 'other.duckdb'",
        "pragma database_list",
        "set memory_limit = '1GB'",
        "call pragma_version()",
        "explain select 1",
        "pivot orders on status using count(*)",
        "select 1; select 2",
        "select 1; drop table orders",
    ],
)
def test_anything_but_one_select_is_refused(checker: Checker, sql: str) -> None:
    with pytest.raises(PluginError, match="must be a single select"):
        checker.read(sql)


def test_a_mistake_in_the_syntax_is_named(checker: Checker) -> None:
    with pytest.raises(PluginError, match='cannot be read: syntax error at or near "selec"'):
        checker.read("selec person_id from orders")


@pytest.mark.parametrize(
    "table",
    [
        "'people.csv'",
        "'https://example.com/x.parquet'",
        "rejected_rows",
        "main.orders",
        "temp.orders",
        "information_schema.tables",
        "pg_catalog.pg_class",
        "sqlite_master",
        "loyalty.points",
        "consent_records",
    ],
)
@pytest.mark.parametrize(
    "sql",
    [
        "select * from {}",
        "select * from orders, {}",
        "select (select count(*) from {}) from orders",
        "with a as (select * from {}) select * from a",
        "select * from orders where person_id in (select 1 from {})",
        "select * from orders union select * from {}",
        "select * from orders limit (select count(*) from {})",
        "select * from (select * from {}) as a",
    ],
)
def test_other_tables_and_files_are_refused_wherever_they_stand(checker: Checker, sql: str, table: str) -> None:
    with pytest.raises(PluginError, match=r"may not read .* it can read cart_lines, carts, consents"):
        checker.read(sql.format(table))


@pytest.mark.parametrize(
    "sql",
    [
        "with rejected_rows as (select * from rejected_rows) select * from rejected_rows",
        "select * from (with hidden as (select 1) select * from hidden), hidden",
        "with a as (select * from b), b as (select 1) select * from a",
    ],
)
def test_a_name_made_by_with_hides_no_table_outside_of_its_reach(checker: Checker, sql: str) -> None:
    with pytest.raises(PluginError, match="may not read"):
        checker.read(sql)


@pytest.mark.parametrize(
    "call",
    [
        "read_csv('x')",
        "read_text('/etc/passwd')",
        "read_parquet('x')",
        "glob('*')",
        "duckdb_tables()",
        "duckdb_settings()",
        "query('select 1')",
        "query_table('orders')",
        "pragma_table_info('orders')",
        "range(10)",
        "unnest([1])",
    ],
)
def test_table_functions_are_refused(checker: Checker, call: str) -> None:
    with pytest.raises(PluginError, match=f"may not use the table function {call.partition('(')[0]}"):
        checker.read(f"select * from orders, {call}")


@pytest.mark.parametrize(
    "expression",
    [
        "now()",
        "current_timestamp",
        "current_date",
        "today()",
        "localtimestamp",
        "get_current_timestamp()",
        "age(placed_at)",
        "random()",
        "uuid()",
        "gen_random_uuid()",
        "nextval('s')",
        "getenv('HOME')",
        "'HOME'.getenv()",
        "GetEnv('HOME')",
        "current_setting('temp_directory')",
        "getvariable('key')",
        "current_user",
        "current_database()",
        "version()",
        "pg_size_pretty(1)",
        "write_log('x')",
        "sleep_ms(1)",
    ],
)
@pytest.mark.parametrize("sql", ["select {} from orders", "select 1 from orders where exists (select 1 order by {})"])
def test_clock_chance_and_environment_are_refused(checker: Checker, sql: str, expression: str) -> None:
    with pytest.raises(PluginError, match=r"may not use .* depends on nothing but the catalog"):
        checker.read(sql.format(expression))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select * from orders tablesample 10%", "may not sample"),
        ("with recursive r as (select 1 as n union all select n + 1 from r) select * from r", "a recursive query"),
        ("select * from (from orders) pivot (count(*) for status in ('paid'))", "pivot"),
        ("describe orders", "describe or summarize"),
        ("summarize orders", "describe or summarize"),
        ("select * from orders at (version => 1)", "version of a table"),
        ("select $1", "bound by name"),
        ("select ?", "bound by name"),
    ],
)
def test_what_would_give_another_answer_each_time_is_refused(checker: Checker, sql: str, told: str) -> None:
    with pytest.raises(PluginError, match=told):
        checker.read(sql)


def test_tables_columns_and_parameters_are_found(checker: Checker) -> None:
    found = checker.read(
        "with a as (select person_id from orders where placed_at > $as_of - $window)"
        " select f.spend from facts f join a using (person_id) where country = $country"
    )

    assert found.tables == {"orders", "facts"}
    assert found.columns >= {"person_id", "placed_at", "spend", "country"}
    assert found.parameters == {"as_of", "window", "country"}
    assert not found.open_ended


@pytest.mark.parametrize("sql", ["select columns('e.*') from facts", "select * from facts natural join people"])
def test_columns_taken_by_a_pattern_are_open_ended(checker: Checker, sql: str) -> None:
    assert checker.read(sql).open_ended
