"""Turn the rows of a page into an Arrow table and into the select that reads them as a canonical table."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Column, Kind, Table
from hub.catalog.blocks import quoted, sql
from hub.catalog.tables import DERIVED, TYPES, data_columns, lacking

if TYPE_CHECKING:
    import duckdb

_TYPED = {
    Kind.INTEGER: {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"},
    Kind.MONEY: {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL"},
    Kind.NUMBER: {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL"},
    Kind.BOOLEAN: {"BOOLEAN"},
    Kind.TIME: {"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"},
    Kind.DATE: {"DATE", "TIMESTAMP"},
}
_EXACT = _TYPED[Kind.MONEY] - {"DOUBLE", "FLOAT"}
_UNLISTED = "_foreign is not null and not map_contains(getvariable('rates'), _foreign)"
VALUE = "\x1f"
_KEYED_BY_ADDRESS = {"customers": "customer_id", "carts": "cart_id"}


def to_arrow(rows: Any) -> Any:
    """Return rows as something DuckDB scans: Arrow as it is, mappings as an Arrow table."""
    if isinstance(rows, pa.Table | pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    return _from_mappings(list(rows))


def unknown_columns(table: Table, brought: pa.Schema) -> Iterator[str]:
    """Say which columns of a page are none of the table's and not kept: nobody else would notice a slip of the pen."""
    known = sorted({*(column.name for column in table.columns), "system", "source", "loaded_at"})
    for column in sorted({each for each in brought.names if not each.startswith("_")}.difference(known)):
        near = get_close_matches(column, known, 1)
        meant = f"; is {near[0]!r} meant?" if near else ""
        yield f"{table.name} has no column {column!r}, so what its plugin gives there is not kept{meant}"


def _from_mappings(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return pa.array(values, pa.string())
    if kinds <= {list, tuple}:
        return pa.array(
            [None if value is None else [str(part) for part in value] for value in values], pa.list_(pa.string())
        )
    if len(kinds) == 1 and kinds not in ({dict}, {datetime}):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return str(value)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The insert that reads a page, and the words for what it notes: those of problem n, with ``VALUE`` for a value."""

    sql: str
    words: list[str]


@dataclass(frozen=True, slots=True)
class _Problem:
    """A condition under which a row looks bad, what must hold too for it to be bad, the value, and the words."""

    condition: str
    sure: str
    value: str
    words: str


def page_query(table: Table, target: str, brought: Collection[str], incoming: Mapping[str, str]) -> PageQuery:
    """Return the insert that reads ``incoming`` (columns with their DuckDB types) into ``target``.

    Of the spare columns the target has those that were ``brought``.
    """
    reader = _Reader(table, brought, incoming)
    problems = reader.problems()
    query = sql(
        "reading.read_page",
        target=target,
        columns=", ".join([*(quoted(name) for name in reader.columns), *_derived(table)]),
        values=reader.values(),
        checks="".join(f", {each.condition} as _p{number}" for number, each in enumerate(problems)),
        odd=reader.odd(),
        reason=_reason(problems),
        origin=reader.note("_origin", "varchar"),
        record=reader.note("_record", "bigint"),
        raw=reader.raw(),
        foreign=reader.foreign(),
    )
    return PageQuery(query, [each.words for each in problems])


def _reason(problems: Sequence[_Problem]) -> str:
    """Return why a row cannot be used, as numbers and values; only rows that look bad are looked at again.

    The words come later (``reading.say_why``): in this query they would take half of its planning.
    """
    if not problems:
        return "cast(null as varchar)"
    bad = " or ".join(f"_p{number}" for number in range(len(problems)))
    each = ", ".join(
        f"case when _p{number}{problem.sure} then '{number}' || chr(31) || translate({problem.value}, chr(30), ' ') end"
        for number, problem in enumerate(problems)
    )
    return f"case when {bad} then nullif(concat_ws(chr(30), {each}), '') end"


def _derived(table: Table) -> list[str]:
    return [f"{text} as {quoted(name)}" for name, (_, text) in DERIVED.get(table.name, {}).items()]


class _Reader:
    """Put the select together, column by column."""

    def __init__(self, table: Table, brought: Collection[str], incoming: Mapping[str, str]) -> None:
        self.table = table
        self.incoming = incoming
        absent = lacking(table, brought)
        self.columns = [name for name in data_columns(table) if not name.startswith("shown_") and name not in absent]
        self.converts = "currency" in incoming and table.parent is None

    def values(self) -> str:
        """Return every column read, and beside it the value it came from."""
        parts = [f"{self._value(column)} as {quoted(column.name)}" for column in self.table.columns]
        parts += [f"{quoted(name)} as {quoted('_in_' + name)}" for name in self._given()]
        if self.table.name == "orders":
            parts.append(f"{self._plain('total')} as original_total")
        parts.append("_foreign")
        return ", ".join(parts)

    def _value(self, column: Column) -> str:
        if column.name == "subject":
            return self._subject()
        if column.name == "subject_kind":
            of_subject = sql("values.subject_kind", t=self._plain_text("subject"))
            return f"coalesce({self._read(column)}, {of_subject})"
        if self.table.name == "orders" and column.name == "order_id" and "name" in self.incoming:
            return f"coalesce({self._read(column)}, {sql('values.id', t=self._varchar('name'))})"
        if _KEYED_BY_ADDRESS.get(self.table.name) == column.name:
            return f"coalesce({', '.join([self._read(column), *self._addresses()])})"
        return self._read(column)

    def foreign(self) -> str:
        """Return the currency of a row's amounts where it is not the client's."""
        return f"foreign_code({self._varchar('currency')})" if self.converts else "cast(null as varchar)"

    def _addresses(self) -> list[str]:
        kinds = (Kind.EMAIL, Kind.PHONE)
        return [self._read(column) for kind in kinds for column in self.table.columns if column.kind is kind]

    def _subject(self) -> str:
        text, kind = self._varchar("subject"), "null"
        if "subject_kind" in self.incoming:
            kind = f"nullif({self._varchar('subject_kind')}, '')"
        return sql(
            "values.subject",
            kind=f"coalesce({kind}, {sql('values.subject_kind', t=text)})",
            email=sql("values.email", t=text),
            phone=sql("values.phone", t=text, country=self._country()),
            id=sql("values.id", t=text),
        )

    def _country(self) -> str:
        column = self.table.column("country")
        given = column and "country" in self.incoming
        own = sql("values.country", t=self._varchar("country")) if given else "null"
        return f"coalesce({own}, getvariable('country'))"

    def _read(self, column: Column) -> str:
        if column.name not in self.incoming:
            return f"cast(null as {TYPES[column.kind]})"
        return self._typed(column) or self._textual(column)

    def _typed(self, column: Column) -> str | None:
        """Return how a value is read that came with a fitting type of its own."""
        kind, name = self.incoming[column.name].split("(")[0], quoted(column.name)
        if column.kind is Kind.MONEY and self.converts:
            return sql("values.foreign_money", t=self._amount(column.name), code="_foreign")
        if kind.startswith("TIMESTAMP WITH") and column.kind in {Kind.TIME, Kind.DATE}:
            return f"cast(timezone('UTC', {name}) as {TYPES[column.kind]})"
        if kind.endswith("[]") and column.kind is Kind.TEXTS:
            return sql("values.list", t=name)
        return f"try_cast({name} as {TYPES[column.kind]})" if kind in _TYPED.get(column.kind, ()) else None

    def _textual(self, column: Column) -> str:
        text = self._varchar(column.name)
        if column.kind is Kind.PHONE:
            return sql("values.phone", t=text, country=self._country())
        if column.kind is Kind.TIME:
            return sql("values.time", iso=sql("values.iso", t=text))
        return sql(f"values.{column.kind.value}", t=text)

    def _varchar(self, name: str) -> str:
        kind = self.incoming[name]
        if kind == "VARCHAR":
            return quoted(name)
        if kind in {"DOUBLE", "FLOAT"}:
            return f"regexp_replace(cast({quoted(name)} as varchar), '[.]0$', '')"
        if kind.endswith("[]"):
            return f"array_to_string({quoted(name)}, ',')"
        return f"cast({quoted(name)} as varchar)"

    def _plain(self, name: str) -> str:
        given = name in self.incoming
        return sql("values.money", t=self._amount(name)) if given else "cast(null as decimal(18, 2))"

    def _amount(self, name: str) -> str:
        """Return an amount as it came where that is a number already: to write it out and read it again is dear."""
        return quoted(name) if self.incoming[name].split("(")[0] in _EXACT else self._varchar(name)

    def _plain_text(self, name: str) -> str:
        return sql("values.text", t=self._varchar(name)) if name in self.incoming else "cast(null as varchar)"

    def _checked(self) -> list[Column]:
        """Return the columns that came as something whose reading can fail."""
        free = {Kind.TEXT, Kind.ID, Kind.TEXTS, Kind.EMAIL, Kind.PHONE}
        return [c for c in self.table.columns if c.name in self.incoming and c.kind not in free]

    def odd(self) -> str:
        """Return the condition that a value waits for Python."""
        names = [c.name for c in self.table.columns if c.kind in {Kind.EMAIL, Kind.PHONE} and c.name in self.incoming]
        if self.table.column("subject"):
            names.append("subject")
        return " or ".join(f"coalesce(starts_with({quoted(name)}, chr(1)), false)" for name in names) or "false"

    def problems(self) -> list[_Problem]:
        """Return everything that can make a row of the page unusable."""
        return [*self._missing(), *self._unreadable(), *self._unlisted()]

    def _missing(self) -> Iterable[_Problem]:
        for column in self.table.columns:
            if column.required:
                blank = f" and {self._is_blank(column)}" if column in self._checked() else ""
                yield _Problem(f"{quoted(column.name)} is null", blank, "''", f"{column.name} is missing")

    def _unreadable(self) -> Iterable[_Problem]:
        for column in self._checked():
            given = quoted("_in_" + column.name)
            text = self.incoming[column.name] == "VARCHAR"
            listed = f" and not ({_UNLISTED})" if self.converts and column.kind is Kind.MONEY else ""
            yield _Problem(
                f"{quoted(column.name)} is null and {given} {'<> ' + chr(39) * 2 if text else 'is not null'}",
                f" and not {self._is_blank(column)}{listed}",
                f"left(cast({given} as varchar), 60)",
                f"{column.name}: '{VALUE}' is no {_WORDS[column.kind]}",
            )

    def _is_blank(self, column: Column) -> str:
        given = quoted("_in_" + column.name)
        if self.incoming[column.name] != "VARCHAR":
            return f"({given} is null)"
        return f"({given} is null or trim({given}) = '')"

    def _unlisted(self) -> Iterable[_Problem]:
        for column in self.table.columns:
            if column.choices and (column.name in self.incoming):
                name = quoted(column.name)
                choices = ", ".join(f"'{choice}'" for choice in column.choices)
                words = f"{column.name}: '{VALUE}' is none of {', '.join(column.choices)}"
                yield _Problem(f"{name} not in ({choices})", "", f"left({name}, 60)", words)
        if self.converts:
            words = f"currency {VALUE} is not listed in [currencies]"
            yield _Problem(_UNLISTED, "", "left(_foreign, 20)", words)

    def note(self, name: str, kind: str) -> str:
        """Return a column about the row, where the page carries it."""
        return f"try_cast({quoted(name)} as {kind})" if name in self.incoming else f"cast(null as {kind})"

    def _given(self) -> list[str]:
        return [name for name in self.incoming if name == "_raw" or not name.startswith("_")]

    def raw(self) -> str:
        """Return the row as it came; asked only for the few rows that need it, since JSON is dear."""
        names = [name for name in self._given() if name != "_raw"]
        struct = ", ".join(f"{quoted(name)} := {quoted('_in_' + name)}" for name in names)
        whole = f"cast(to_json(struct_pack({struct})) as varchar)" if struct else "cast(null as varchar)"
        return f"coalesce(cast(_in__raw as varchar), {whole})" if "_raw" in self.incoming else whole


_WORDS = {
    Kind.COUNTRY: "country (two letters, ISO 3166-1)",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.MONEY: "amount",
    Kind.BOOLEAN: "yes or no",
    Kind.TIME: "time",
    Kind.DATE: "date",
}


def incoming_types(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the columns of the registered ``incoming`` with their DuckDB types."""
    return {str(name): str(kind) for name, kind, *_ in con.execute("describe incoming").fetchall()}
