"""Find everything that is held about people, to remove it or to show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Kind, Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.mentions import SHORTEST_ID
from hub.catalog.models import ErasureReport
from hub.catalog.registry import Load, Registry
from hub.catalog.tables import held, own_key

if TYPE_CHECKING:
    import duckdb

_NATIONAL_DIGITS = 8


class Holdings:
    """The stored rows that belong to the addresses in the temporary table ``wanted``."""

    def __init__(self, con: duckdb.DuckDBPyConnection, tables: Mapping[str, Table], registry: Registry) -> None:
        self.con = con
        self.tables = tables
        self.registry = registry
        con.execute(sql("erase.wanted"))

    def want(self, addresses: Iterable[str]) -> None:
        """Look for these address texts, and for every other address of the same people."""
        parts = [_parsed(address) for address in addresses]
        names = ("kind", "system", "value")
        given = {name: pa.array([part[i] for part in parts], pa.string()) for i, name in enumerate(names)}
        self.con.register("given", pa.table(given))
        self.con.execute(sql("erase.want_given"))
        self.con.unregister("given")
        self.con.execute(sql("erase.want_rest"))
        self._spell()

    def want_people(self, people: list[int]) -> None:
        """Look for people by person_id."""
        self.con.execute(sql("erase.want_people"), {"people": people})
        self._spell()

    def addresses(self) -> tuple[str, ...]:
        """Return the address texts that are looked for."""
        return tuple(str(row[0]) for row in self.con.execute(sql("erase.wanted_addresses")).fetchall())

    def rows(self, load: Load) -> list[dict[str, Any]]:
        """Return the rows of a load."""
        match = self._match(load)
        if match is None:
            return []
        columns = f"{held(self.tables[load.table], load.brought)}, loaded_at"
        query = sql("erase.select_matching", target=load.physical, columns=columns, match=match)
        return dictionaries(self.con.execute(query, self._values(match, load)))

    def delete(self, load: Load) -> int:
        """Delete the rows of a load and return how many there were."""
        match = self._match(load)
        if match is None:
            return 0
        query = sql("erase.delete_matching", target=load.physical, match=match)
        done = one(self.con, query, self._values(match, load))
        if load.table == "consents":
            self.con.execute(sql("erase.hide_shown", target=load.physical))
        return int(done[0]) if done else 0

    def rejected(self) -> list[dict[str, Any]]:
        """Return the rejected rows that name one of the people."""
        return dictionaries(self.con.execute(sql("erase.select_rejected", match=sql("erase.match_rejected"))))

    def delete_rest(self) -> int:
        """Delete rejected rows and what was remembered about customer ids; return the number of rejected rows."""
        self.con.execute(sql("erase.delete_seen"))
        self.con.execute(sql("erase.delete_merged"))
        done = one(self.con, sql("erase.delete_rejected", match=sql("erase.match_rejected")))
        return int(done[0]) if done else 0

    def _match(self, load: Load) -> str | None:
        table = self.tables[load.table]
        if table.parent:
            return self._match_child(load, table)
        return self._match_own(table)

    def _match_own(self, table: Table) -> str | None:
        names = {column.name for column in table.columns}
        others = [column.name for column in table.columns if column.kind is Kind.EMAIL]
        others += [name for name in ("customer_id",) if name in names]
        alone = "".join(f" and {quoted(name)} is null" for name in others)
        if table.name in {"customers", "carts"}:
            # A record without an id of its own is keyed by its phone.
            key = quoted(own_key(table)[0])
            alone = f" and (email is null and ({key} = phone or customer_id is null))"
        conditions = []
        for column in table.columns:
            kind = _match_kind(column.name, column.kind)
            if kind:
                conditions.append(sql(f"erase.match_{kind}", column=quoted(column.name), alone=alone))
        return " or ".join(conditions) or None

    def _match_child(self, load: Load, table: Table) -> str | None:
        parent = self.tables[table.parent or ""]
        parents = [x for x in self.registry.all() if x.table == parent.name and x.system == load.system]
        match = self._match_own(parent)
        key = quoted(own_key(table)[0])
        parts = [
            sql("erase.match_child", parent=x.physical, child=load.physical, key=key, match=match or "false")
            for x in parents
        ]
        return " or ".join(parts) or None

    def _values(self, match: str, load: Load) -> dict[str, str]:
        values = {"system": load.system, "source": load.source}
        return {name: value for name, value in values.items() if f"${name}" in match}

    def _spell(self) -> None:
        """List the texts by which a rejected row could name one of the people."""
        rows = self.con.execute("select distinct kind, value from wanted").fetchall()
        texts = [(kind, text) for kind, value in rows for text in _spellings(kind, value)]
        columns = {"kind": [kind for kind, _ in texts], "text": [text for _, text in texts]}
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        self.con.register("spelled", table)
        self.con.execute("create or replace temporary table wanted_texts as select * from spelled")
        self.con.unregister("spelled")


class Erasure:
    """Remove people from every table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, tables: Mapping[str, Table], registry: Registry) -> None:
        self._registry = registry
        self._holdings = Holdings(con, tables, registry)
        self._tables = tables

    def delete(self, addresses: Iterable[str]) -> ErasureReport:
        """Delete the rows; children go before the parents that tell whose they are."""
        self._holdings.want(addresses)
        rows: dict[str, int] = {}
        loads = sorted(self._registry.all(), key=lambda load: self._tables[load.table].parent is None)
        for load in loads:
            count = self._holdings.delete(load)
            if count:
                rows[load.table] = rows.get(load.table, 0) + count
        rejected = self._holdings.delete_rest()
        if rejected:
            rows["rejected_rows"] = rejected
        return ErasureReport(self._holdings.addresses(), rows)


def dictionaries(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the rows of an answer by column name."""
    names = [part[0] for part in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _match_kind(name: str, kind: Kind) -> str | None:
    if kind in {Kind.EMAIL, Kind.PHONE}:
        return kind.value
    return {"customer_id": "customer", "user_id": "customer", "subject": "subject", "visitor_id": "visitor"}.get(name)


def _parsed(address: str) -> tuple[str, str | None, str]:
    kind, _, value = address.partition(":")
    if kind != "customer":
        return kind, None, value
    system, _, customer_id = value.partition(":")
    return kind, system, customer_id


def _spellings(kind: str, value: str) -> list[str]:
    if kind == "email":
        local, _, domain = value.partition("@")
        try:
            return list({value, f"{local}@{domain.encode('ascii').decode('idna')}"})
        except UnicodeError:
            return [value]
    if kind == "phone":
        return [value[-_NATIONAL_DIGITS:]]
    return [value] if kind == "customer" and len(value) >= SHORTEST_ID else []
