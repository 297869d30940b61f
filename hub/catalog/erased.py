"""Keep erased people out: drop rows that match an erasure and do not carry their own, later time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.api import Kind, Reject, Table
from hub.catalog.addresses import address_text
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.mentions import addresses_in

if TYPE_CHECKING:
    import duckdb

_KIND_OF = {"customer_id": "customer", "user_id": "customer"}
_AT_ONCE = 10_000


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


def drop_erased_noted(con: duckdb.DuckDBPyConnection, table: Table, target: str, system: str) -> int:
    """Delete the rows with a note of erased people, named by an address or anywhere in the row as it came.

    Such a row is no row of the table; but it would be kept, to show why it cannot be used.
    """
    named = list(address_columns(table).items())
    if table.column("subject") is not None:
        named += [("subject", kind) for kind in _SUBJECTS]
    query = sql("load.noted", target=target, columns=", ".join(quoted(column) for column, _ in named))
    con.execute(sql("load.create_erased_places"))
    country, after = _country(con), -1
    while rows := con.execute(query, {"after": after, "limit": _AT_ONCE}).fetchall():
        mentions = {}
        for place, text, values in rows:
            given = {address_text(kind, v, system) for (_, kind), v in zip(named, values, strict=True) if v}
            mentions[place] = given | addresses_in(text, country, system)
        _add_erased_places(con, mentions)
        after = rows[-1][0]
    done = one(con, sql("load.drop_erased_places", target=target, own_time=_own_time(table)))
    return int(done[0]) if done else 0


def erased_among(con: duckdb.DuckDBPyConnection, rejects: Sequence[Reject], system: str) -> set[int]:
    """Return the places of the rejects that name somebody who was erased; they carry no time that could be read."""
    country = _country(con)
    con.execute(sql("load.create_erased_places"))
    texts = (f"{each.reason}\n{each.raw}" for each in rejects)
    _add_erased_places(con, {place: addresses_in(text, country, system) for place, text in enumerate(texts)})
    return {place for (place,) in con.execute(sql("load.erased_places")).fetchall()}


def _add_erased_places(con: duckdb.DuckDBPyConnection, mentions: Mapping[int, Collection[str]]) -> None:
    pairs = [(place, address) for place, addresses in mentions.items() for address in addresses]
    places = pa.array([place for place, _ in pairs], pa.int64())
    con.register("mentions", pa.table({"place": places, "address": pa.array([text for _, text in pairs], pa.string())}))
    try:
        con.execute(sql("load.add_erased_places"))
    finally:
        con.unregister("mentions")


def _country(con: duckdb.DuckDBPyConnection) -> str | None:
    row = one(con, "select getvariable('country')")
    return row[0] if row else None


_SUBJECTS = ("email", "phone", "customer")


def _own_time(table: Table) -> str:
    """Return the time that a row itself carries; never a file's."""
    if table.name == "consents":
        return "case when t.dated_by = 'record' then t.recorded_at end"
    return f"t.{quoted(table.time)}" if table.time else "null::timestamp"
