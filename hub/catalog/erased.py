"""Keep erased people out: drop rows that match an erasure and do not carry their own, later time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.api import Kind, Table
from hub.catalog.blocks import one, quoted, sql

if TYPE_CHECKING:
    import duckdb

_KIND_OF = {"customer_id": "customer", "user_id": "customer"}


def address_columns(table: Table) -> dict[str, str]:
    """Return the columns that name a person by an address, with the kind of address."""
    kinds = {c.name: c.kind.value for c in table.columns if c.kind in {Kind.EMAIL, Kind.PHONE}}
    return kinds | {c.name: _KIND_OF[c.name] for c in table.columns if c.name in _KIND_OF}


def drop_erased(con: duckdb.DuckDBPyConnection, table: Table, target: str, system: str) -> int:
    """Delete the rows of erased people from what was just read; return how many went."""
    columns = address_columns(table)
    has_subject = table.column("subject") is not None
    if not columns and not has_subject:
        return 0
    parts = [
        sql("load.erased_addresses_of", target=target, column=quoted(column), kind=kind)
        for column, kind in columns.items()
    ]
    match = [f"(e.kind = '{kind}' and e.value = t.{quoted(column)})" for column, kind in columns.items()]
    if has_subject:
        parts += [sql("load.erased_addresses_of", target=target, column="subject", kind=kind) for kind in _SUBJECTS]
        match.append("e.value = t.subject")
    con.execute(sql("load.erased_addresses", addresses=" union all ".join(parts)), {"system": system})
    if not one(con, "select 1 from erased_here limit 1"):
        return 0
    query = sql("load.drop_erased", target=target, match=" or ".join(match), own_time=_own_time(table))
    done = one(con, query)
    return int(done[0]) if done else 0


_SUBJECTS = ("email", "phone", "customer")


def _own_time(table: Table) -> str:
    """Return the time that a row itself carries; never a file's."""
    if table.name == "consents":
        return "case when t.dated_by = 'record' then t.recorded_at end"
    return f"t.{quoted(table.time)}" if table.time else "null::timestamp"
