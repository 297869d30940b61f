"""Read rows into a table: the common values in SQL, the odd ones in Python, each distinct value once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Column, Kind, Table
from hub.catalog.addresses import normalise_email, normalise_phone
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.pages import incoming_types, page_query
from hub.catalog.tables import listed, own_key

if TYPE_CHECKING:
    import duckdb

_MARK = "\x01"


def read_rows(
    con: duckdb.DuckDBPyConnection, table: Table, target: str, brought: Collection[str], rows: Any, now: datetime
) -> tuple[int, bool]:
    """Insert the rows of a page; those that cannot be used have a ``_note``.

    ``brought`` are the spare columns that the target has. Return how many rows came, and whether some may have a note.
    """
    if not rows.schema.names or (isinstance(rows, pa.Table) and not rows.num_rows):
        return 0, False
    con.register("incoming", rows)
    try:
        incoming = incoming_types(con)
        query = page_query(table, target, brought, incoming)
        done = one(con, query.sql, {"loaded_at": now})
    finally:
        con.unregister("incoming")
    noted = one(con, sql("reading.has_notes", target=target)) == (True,)
    if noted:
        con.execute(sql("reading.say_why", target=target), {"words": query.words})
        _read_odd(con, table, target)
    return int(done[0]) if done else 0, noted


def _read_odd(con: duckdb.DuckDBPyConnection, table: Table, target: str) -> None:
    columns = [c for c in table.columns if c.kind in {Kind.EMAIL, Kind.PHONE} or c.name == "subject"]
    for column in columns:
        _fix_odd(con, target, column)
    key = own_key(table)[0]
    addresses = [c.name for c in columns if c.name != key]
    if table.name in {"customers", "carts"}:
        con.execute(sql("reading.fix_key", target=target, key=quoted(key), addresses=listed(addresses)))
    if table.name in {"customers", "carts"} or key == "subject":
        reason = {"reason": f"{key} is missing: its address cannot be read"}
        con.execute(sql("reading.refuse_odd", target=target, column=quoted(key)), reason)
    con.execute(sql("reading.settle_odd", target=target))


def _fix_odd(con: duckdb.DuckDBPyConnection, target: str, column: Column) -> None:
    name = quoted(column.name)
    rows = con.execute(sql("reading.odd_values", target=target, column=name)).fetchall()
    if not rows:
        return
    values = [str(row[0]) for row in rows]
    odd = pa.table({"value": values, "normal": pa.array([_normal(value) for value in values], pa.string())})
    con.register("odd", odd)
    try:
        con.execute(sql("reading.fix_odd", target=target, column=name))
    finally:
        con.unregister("odd")


def _normal(marked: str) -> str | None:
    """Read a marked value: chr(1) and an e-mail, or chr(1), a country, chr(1) and a phone."""
    parts = marked.split(_MARK, 2)
    if len(parts) == 2:
        return normalise_email(parts[1])
    return normalise_phone(parts[2], parts[1] or None)


def keep_last(con: duckdb.DuckDBPyConnection, table: Table, target: str) -> None:
    """Keep the last of the rows that have the same key; of statements about consent a refusal that stands."""
    key = listed(own_key(table))
    if one(con, sql("load.has_twice", target=target, key=key)):
        which = "load.keep_last_said" if table.name == "consents" else "load.keep_last"
        con.execute(sql(which, target=target, key=key))
