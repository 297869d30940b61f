"""Give columns their types, and every value that cannot be read a reason, as SQL.

SQL is put together here because headers, formats and columns differ from file to file; what is put in are
expressions of ``layouts.py``, names of fields and quoted literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub import api
from hub_csv.config import FALSE_WORDS, TRUE_WORDS


@dataclass(frozen=True, slots=True)
class Formats:
    """How a file writes times, numbers and yes or no."""

    date_format: str | None = None
    decimal: str = "."
    true_words: tuple[str, ...] = TRUE_WORDS
    false_words: tuple[str, ...] = FALSE_WORDS


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a column's value comes from: SQL that gives text (or already the type), and what messages call it.

    ``unread`` is SQL that tells whether a typed value was there and could not be read.
    """

    sql: str
    label: str
    typed: bool = False
    constant: bool = False
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """Rows of one table out of one file: a select list, which records count, and why a row cannot be used."""

    table: str
    columns: Mapping[str, str]
    reason: str
    keep: str = "true"
    each: tuple[str, ...] = ()


def merged(feeds: Sequence[Feed]) -> Feed:
    """Return one feed for files of one layout that have not all the same columns."""
    columns = {name: sql for feed in reversed(feeds) for name, sql in feed.columns.items()}
    reasons = ", ".join(dict.fromkeys(feed.reason for feed in feeds))
    return replace(feeds[0], columns=columns, reason=f"coalesce({reasons})")


def literal(value: object) -> str:
    """Write a text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def literals(values: Sequence[str]) -> str:
    """Write texts as an SQL list."""
    return "[" + ", ".join(literal(value) for value in values) + "]"


def value_of(column: str) -> str:
    """Return the name of a column's value while it stands beside the fields it comes from."""
    return f"_v_{column}"


def given(feed: Feed, column: str) -> str:
    """Return what rows with their values give for a column: the value, or what the values beside it make of it.

    An order whose payment went back in full is refunded, also where a file keeps calling it paid.
    """
    value = value_of(column)
    if feed.table != "orders" or column != "status" or not {"total", "refunded"} <= set(feed.columns):
        return value
    total, refunded = value_of("total"), value_of("refunded")
    whole = f"{value} in ('pending', 'paid') and {total} > 0 and {refunded} >= {total}"
    return f"case when {whole} then 'refunded' else {value} end"


def feed(
    table: str,
    cells: Mapping[str, Cell],
    formats: Formats,
    *,
    keep: str = "true",
    each: tuple[str, ...] = (),
    refund: str | None = None,
) -> Feed:
    """Give every cell its column's type, and a reason to every value that has not got it."""
    columns: dict[str, str] = {}
    reasons: list[tuple[str, str]] = []
    for column in api.TABLES[table].columns:
        cell = cells.get(column.name)
        if cell is not None:
            columns[column.name] = typed(cell, _kind(column), formats)
            reasons += _complaints(column, cell, formats)
        if column.required and cell is None:
            reasons.append(("true", f"no {column.name}"))
    if refund and "total" in columns:
        reasons.append((f"{value_of('total')} < 0", refund))
    branches = " ".join(f"when {bad} then {literal(why)}" for bad, why in reasons)
    return Feed(table, columns, f"case {branches} end" if branches else "null::varchar", keep, each)


def _kind(column: api.Column) -> api.Kind:
    """Read a postcode like an id: both may carry an apostrophe."""
    return api.Kind.ID if column.name == "postcode" else column.kind


def typed(cell: Cell, kind: api.Kind, formats: Formats) -> str:
    if cell.typed:
        return cell.sql
    date_format = None if cell.constant else formats.date_format
    number = "point_number({})" if cell.constant or formats.decimal == "." else "comma_number({})"
    day = "try_strptime(trim({}), " + literal(date_format) + ")::date" if date_format else "day_of({})"
    yes, no = literals(formats.true_words), literals(formats.false_words)
    ways = {
        api.Kind.ID: "id_of({})",
        api.Kind.PHONE: "id_of({})",
        api.Kind.COUNTRY: "upper(text_of({}))",
        api.Kind.MONEY: number,
        api.Kind.NUMBER: number,
        api.Kind.INTEGER: f"{number}::bigint",
        api.Kind.BOOLEAN: "truth_of({}, " + yes + ", " + no + ")",
        api.Kind.DATE: day,
        api.Kind.TEXTS: "texts_of({})",
    }
    if kind is api.Kind.TIME:
        return _moment(cell.sql, date_format)
    # Not format(): expressions hold braces of their own.
    return ways.get(kind, "text_of({})").replace("{}", cell.sql, 1)


def _moment(sql: str, date_format: str | None) -> str:
    if date_format is None:
        return f"time_of({sql})"
    parsed = f"try_strptime(trim({sql}), {literal(date_format)})"
    return f"timezone('UTC', {parsed})" if "%z" in date_format.lower() else f"utc_of({parsed})"


def _complaints(column: api.Column, cell: Cell, formats: Formats) -> list[tuple[str, str]]:
    """Say in words what may be wrong with a cell; never its value, which may be personal."""
    value = value_of(column.name)
    wanted = {
        api.Kind.TIME: f"time ({formats.date_format or 'YYYY-MM-DD HH:MM:SS'})",
        api.Kind.DATE: f"date ({formats.date_format or 'YYYY-MM-DD'})",
        api.Kind.MONEY: f"amount (decimal sign {formats.decimal})",
        api.Kind.NUMBER: f"number (decimal sign {formats.decimal})",
        api.Kind.INTEGER: "whole number",
        api.Kind.BOOLEAN: f"yes or no ({', '.join((*formats.true_words, *formats.false_words))})",
    }.get(column.kind)
    found: list[tuple[str, str]] = []
    unread = cell.unread if cell.typed else f"{value} is null and text_of({cell.sql}) is not null"
    if wanted and unread:
        found.append((unread, f"'{cell.label}' holds no {wanted}"))
    if column.required:
        missing = "customer id, e-mail or phone" if column.name == "customer_id" else column.name
        place = "" if missing != column.name or cell.label == column.name else f": '{cell.label}' is empty"
        found.append((f"{value} is null", f"no {missing}{place}"))
    if column.choices and not cell.typed:
        words = ", ".join(column.choices)
        found.append((f"{value} not in {_tuple(column.choices)}", f"'{cell.label}' is none of {words}"))
    return found


def _tuple(values: Sequence[str]) -> str:
    return "(" + ", ".join(literal(value) for value in values) + ")"
