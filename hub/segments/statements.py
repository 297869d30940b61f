"""The one place where the select of a segment is put together.

Identifiers are quoted, values are always bound by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.api import ColumnValue, Condition, Test
from hub.config.models import Limit

PERSON = "person_id"


@dataclass(frozen=True, slots=True)
class Query:
    """SQL and the values of exactly those parameters that it names."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operand:
    """A segment that takes part in a combination, with its evidence columns."""

    table: str
    evidence: tuple[str, ...]


def quoted(name: str) -> str:
    """Return a name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def temporary_table(name: str, query: Query, *, replace: bool = True) -> Query:
    """Return the statement that keeps a query's answer in a temporary table."""
    manner = "create or replace temporary table" if replace else "create temporary table if not exists"
    return Query(f"{manner} {quoted(name)} as {query.sql}", query.values)


_WANTED = "list_transform({bound}::varchar[], lambda t: lower(t))"
_OWN = "list_transform({column}, lambda t: lower(t))"
_BEGINS = "list_transform({bound}::varchar[], lambda t: starts_with(lower({column}), lower(t)))"
_LISTS = {
    Test.ONE_OF: f"list_contains({_WANTED}, lower({{column}}))",
    Test.HAS_ANY: f"list_has_any({_OWN}, {_WANTED})",
    Test.HAS_ALL: f"list_has_all({_OWN}, {_WANTED})",
    Test.HAS_NONE: f"not list_has_any({_OWN}, {_WANTED})",
    Test.BEGINS_WITH: f"list_bool_or({_BEGINS})",
}
_TIMES = {
    Test.WITHIN: "{column} > $hub_as_of - {bound} and {column} <= $hub_as_of",
    Test.NOT_WITHIN: "{column} <= $hub_as_of - {bound}",
}


def predicate(condition: Condition, bound: Any, name: str, as_of: Any) -> Query:
    """Return a condition as SQL with its bound under ``name``; NULL where the column is missing."""
    values = {}
    against = f"${name}"
    if isinstance(bound, ColumnValue):
        against = quoted(bound.column)
    else:
        values[name] = bound
    test = condition.test
    if test in _TIMES:
        values["hub_as_of"] = as_of
    if test is Test.IS:
        return Query(f"({quoted(condition.column)} is not distinct from {against})", values)
    shape = _TIMES.get(test) or _LISTS.get(test) or f"{{column}} {test.value} {{bound}}"
    return Query(f"({shape.format(column=quoted(condition.column), bound=against)})", values)


def members(source: Query, evidence: Sequence[str], conditions: Sequence[Query], *, none: bool = False) -> Query:
    """Select the people of a source for whom all conditions hold; ``none`` keeps only the columns' types."""
    columns = ", ".join([PERSON, *(quoted(name) for name in evidence if name != PERSON)])
    where = f" where {' and '.join(condition.sql for condition in conditions)}" if conditions else ""
    tail = " limit 0" if none else ""
    values = dict(source.values)
    for condition in conditions:
        values |= condition.values
    return Query(f"select {columns} from {source.sql}{where}{tail}", values)


def one_person(source: Query, person_id: int, predicates: Sequence[Query] = ()) -> Query:
    """Select the row of one person, with whether each predicate holds."""
    extra = "".join(f", {test.sql} as hub_test_{number}" for number, test in enumerate(predicates))
    values = dict(source.values) | {"hub_person": person_id}
    for test in predicates:
        values |= test.values
    return Query(f"select *{extra} from {source.sql} where {PERSON} = $hub_person", values)


def known_values(table: str, columns: Iterable[str]) -> Query:
    """Count rows, and per column the values that are not missing."""
    return Query(f"{_known(columns)} from {quoted(table)}")


def known_of_some(source: Query, columns: Iterable[str], most: int) -> Query:
    """Count rows and known values of the people up to a person_id, which takes a fraction of what all of them take."""
    return Query(f"{_known(columns)} from {source.sql} where {PERSON} <= {most:d}", source.values)


def _known(columns: Iterable[str]) -> str:
    return f"select count(*){''.join(f', count({quoted(name)})' for name in columns)}"


def known_people(table: str) -> Query:
    """Count rows and rows with a person, and find the least and the greatest person_id."""
    return Query(f"select count(*), count({PERSON}), min({PERSON}), max({PERSON}) from {quoted(table)}")


def different_people(table: str, least: int, most: int) -> Query:
    """Count different persons by a bit for each person_id from the least to the greatest."""
    return Query(f"select bit_count(bitstring_agg({PERSON}, {least:d}, {most:d})) from {quoted(table)}")


def value_at_rank(table: str, column: str, rank: int, count: int) -> Query:
    """Select the value at a rank (from 1) among ``count`` values sorted ascending.

    The share asked for lies in the middle between two ranks, so that neither rounding nor DuckDB's choice of
    rounding direction can move the answer by one.
    """
    share = (rank - 0.5) / count
    return Query(f"select quantile_disc({quoted(column)}, $share) from {quoted(table)}", {"share": share})


def combination(needed: Sequence[Operand], alternatives: Sequence[Operand], barred: Sequence[str]) -> Query:
    """Select who is in all of the first, in one of the second (if there are any), and in none of the third."""
    parts = [f"from ({_candidates(needed, alternatives)}) as who"]
    tests = []
    for number, operand in enumerate(needed):
        parts.append(f"join {quoted(operand.table)} as n{number} on n{number}.{PERSON} = who.{PERSON}")
    for number, operand in enumerate(alternatives):
        parts.append(f"left join {quoted(operand.table)} as a{number} on a{number}.{PERSON} = who.{PERSON}")
    if alternatives:
        tests.append(f"({' or '.join(f'a{number}.{PERSON} is not null' for number in range(len(alternatives)))})")
    tests += [f"not exists (select 1 from {quoted(table)} as b where b.{PERSON} = who.{PERSON})" for table in barred]
    where = f" where {' and '.join(tests)}" if tests else ""
    columns = "".join(f", {sql} as {quoted(name)}" for name, sql in _evidence(needed, alternatives).items())
    return Query(f"select who.{PERSON}{columns} {' '.join(parts)}{where}")


_PLACE = "('0x' || left(keyed_hash('sample:' || $hub_name || ':' || p.person_ref), 13))::ubigint / 4503599627370496.0"
"""A number from 0 to below 1 that depends on the segment's name and the person alone (13 hexadecimal digits, 2^52)."""


def sampled(table: str, name: str, share: float) -> Query:
    """Select the members whose place in the segment's own draw lies below a share; a larger share has them and more."""
    sql = f"select m.* from {quoted(table)} as m join people as p using ({PERSON}) where {_PLACE} < $hub_share"
    return Query(sql, {"hub_name": name, "hub_share": share})


def place_in_draw(name: str, person_id: int) -> Query:
    """Select the place of one person in a segment's draw."""
    sql = f"select {_PLACE} from people as p where p.{PERSON} = $hub_person"
    return Query(sql, {"hub_name": name, "hub_person": person_id})


def limited(table: str, name: str, limit: Limit) -> Query:
    """Select the members that come first by a column; equal ones by a draw that is the segment's own, never by row."""
    by = quoted(limit.by)
    sql = (
        f"select m.* from {quoted(table)} as m join people as p using ({PERSON}) where m.{by} is not null "
        f"order by m.{by} {'desc' if limit.first == 'largest' else 'asc'}, {_PLACE}, p.person_ref limit $hub_count"
    )
    return Query(sql, {"hub_name": name, "hub_count": limit.count})


def last_in(table: str, limit: Limit) -> Query:
    """Select the value of the member that came last by a limit's column."""
    return Query(f"select {'min' if limit.first == 'largest' else 'max'}({quoted(limit.by)}) from {quoted(table)}")


def _candidates(needed: Sequence[Operand], alternatives: Sequence[Operand]) -> str:
    if needed:
        return f"select {PERSON} from {quoted(needed[0].table)}"
    if alternatives:
        return " union ".join(f"select {PERSON} from {quoted(operand.table)}" for operand in alternatives)
    return f"select {PERSON} from people"


def _evidence(needed: Sequence[Operand], alternatives: Sequence[Operand]) -> dict[str, str]:
    """Return per evidence column where it comes from: the first operand listed that has the person."""
    chosen: dict[str, str] = {}
    for number, operand in enumerate(needed):
        for name in operand.evidence:
            chosen.setdefault(name, f"n{number}.{quoted(name)}")
    branches: dict[str, list[str]] = {}
    for number, operand in enumerate(alternatives):
        for name in operand.evidence:
            value = f"when a{number}.{PERSON} is not null then a{number}.{quoted(name)}"
            branches.setdefault(name, []).append(value)
    for name, values in branches.items():
        chosen.setdefault(name, f"case {' '.join(values)} end")
    return chosen
