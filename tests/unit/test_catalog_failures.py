"""What an error is told as: the kind and what helps, never what it quotes of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from hub.catalog import safe_error
from hub.errors import HubError

ODD = "select cast(name as int) as n from (values ('1'), ('Anna Jensen, Storgade 4')) as people(name)"


def of_select(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(ODD).fetchall()


def of_stream(con: duckdb.DuckDBPyConnection) -> None:
    for _ in con.sql(ODD).to_arrow_reader(1):
        pass


def of_constraint(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table people (name text primary key)")
    con.execute("insert into people values ('Anna Jensen, Storgade 4'), ('Anna Jensen, Storgade 4')")


@pytest.mark.parametrize("fail", [of_select, of_stream, of_constraint])
def test_what_duckdb_quotes_of_the_data_is_not_told(fail: Callable[[Any], None]) -> None:
    with duckdb.connect() as con, pytest.raises((duckdb.Error, OSError)) as raised:
        fail(con)

    assert "Anna Jensen" in str(raised.value)
    assert "Anna" not in safe_error(raised.value)
    assert safe_error(raised.value).startswith(
        f"{type(raised.value).__name__}: what DuckDB says of it may quote the data"
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("anna@example.com"), "KeyError: '<email>'"),
        (ValueError("call +45 32 12 34 56"), "ValueError: call <phone>"),
        (HubError("as it was written"), "as it was written"),
        (FileNotFoundError(2, "No such file", "a.csv"), "FileNotFoundError: [Errno 2] No such file: 'a.csv'"),
        (duckdb.BinderException("Binder Error: no column n"), "BinderException: Binder Error: no column n"),
        (duckdb.ConnectionException("Connection Error: closed"), "ConnectionException: Connection Error: closed"),
        (
            duckdb.OutOfMemoryException("Out of Memory Error: 1 GB"),
            "OutOfMemoryException: the catalog ran out of memory",
        ),
    ],
)
def test_what_helps_is_told(error: Exception, expected: str) -> None:
    assert safe_error(error) == expected
