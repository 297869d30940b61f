"""Run a user's select over a file, where it can reach nothing but that file."""

from __future__ import annotations

import re
from dataclasses import replace

import duckdb

from hub import api
from hub_csv.files import Opened, wrong_encoding
from hub_csv.parts import Part, Query, of_result
from hub_csv.reading import Reader, connection, failures, statement

_FIRST = 1_000_000
_QUOTES = re.compile(r"""'[^']*'|"[^"]*\"""")


def resolved(reader: Reader, part: Part, number: int) -> Part:
    """Return the part with the feeds of its query's result, which is registered with the reader.

    Raises:
        SourceError: the query cannot run over this file, or gives the wrong columns.
    """
    if part.query is None:
        return part
    con = connection(reader.folder, reader.timezone)
    try:
        _load(reader, con, part.query)
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        result = _select(con, part.query, part.label)
        types = {name: str(type_) for name, type_ in zip(result.columns, result.types, strict=True)}
        with failures(part.label):
            arrow = _run(result, part.label)
    finally:
        con.close()
    reader.con.register(f"query_{number}", arrow)
    made = of_result(part, part.query, types)
    return replace(made, query=part.query)


def _load(reader: Reader, con: duckdb.DuckDBPyConnection, query: Query) -> None:
    headers = list(dict.fromkeys(text for opened in query.opened for text in _names(opened)))
    columns = ", ".join(f"{_quoted(text)} varchar" for text in headers)
    con.execute(f"create table file ({columns})")
    for place, opened in enumerate(query.opened):
        fields = ", ".join(f"c{at} as {_quoted(text)}" for at, text in enumerate(_names(opened)))
        number = _FIRST + place
        source = statement("plain", fields=fields, csv=reader.csv(opened, number))
        with failures(opened.found.label):
            added = con.execute(f"insert into file by name {source}").fetchall()[0][0]
        (scan,) = con.execute(statement("scans", number=number)).fetchall()[0]
        unreadable = con.execute(statement("unreadable", table=scan)).fetchall()[0][0]
        if unreadable is not None:
            raise wrong_encoding(opened.found, opened.encoding, f"record {unreadable - 1}")
        broken = con.execute(statement("rejects", table=scan)).fetchall()
        reader.take_over(opened, query.mapping.table, int(added), broken)


def _names(opened: Opened) -> list[str]:
    """Return the header with every name once; DuckDB does not tell upper from lower case."""
    names: dict[str, str] = {}
    for place, text in enumerate(opened.header, start=1):
        name = text or f"column_{place}"
        while name.casefold() in names:
            name = f"{name}_{place}"
        names[name.casefold()] = name
    return list(names.values())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _select(con: duckdb.DuckDBPyConnection, query: Query, label: str) -> duckdb.DuckDBPyRelation:
    text = query.mapping.query or ""
    step = "Write one select over `file`; its columns are the file's headers, all text."
    try:
        statements = con.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise api.SourceError(f"the query over {label} is not one select", next_step=step)
        others = {name for name in con.get_table_names(text) if name.casefold() != "file"}
        if others:
            raise api.SourceError(
                f"the query over {label} reads {', '.join(sorted(others))}; it may read only `file`", next_step=step
            )
        return con.sql(text)
    except duckdb.Error as error:
        raise _failed(label, error, step) from error


def _run(result: duckdb.DuckDBPyRelation, label: str) -> object:
    try:
        return result.to_arrow_table()
    except duckdb.Error as error:
        step = "Use try_cast or try_strptime where a cell may be empty or broken; `file` is all text."
        raise _failed(label, error, step) from error


def _failed(label: str, error: duckdb.Error, step: str) -> api.SourceError:
    told = str(error).splitlines()[0]
    if not isinstance(error, duckdb.ProgrammingError):
        # What could not be converted is quoted in the message, and may be an address.
        told = _QUOTES.sub("(value)", told)
    return api.SourceError(f"the query over {label} does not run: {told}", next_step=step)
