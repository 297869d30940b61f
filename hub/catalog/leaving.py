"""Take out what a page says has gone: deletions, merges, and what is missing from a list of all that remains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Gone, Page, Remaining, Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.consenting import refusals
from hub.catalog.models import OnBlocks, Shrink
from hub.catalog.pages import to_arrow
from hub.catalog.registry import Load, Registry, naive
from hub.catalog.tables import own_key
from hub.errors import PluginError

if TYPE_CHECKING:
    import duckdb

Believe = Callable[[str, int, int], Shrink | None]
"""Judge a table that would go from one number of rows to another: None, or why it waits for somebody."""


class ShrunkError(Exception):
    """More rows would go than the guard lets go."""

    def __init__(self, shrunk: list[Shrink]) -> None:
        super().__init__()
        self.shrunk = shrunk


class Departures:
    """Apply the deletions of the pages of one stream.

    ``on_refusals`` gets the refusals of consents that leave, which reading again could not tell.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        tables: Mapping[str, Table],
        registry: Registry,
        source: str,
        system: str,
        *,
        now: datetime,
        on_refusals: OnBlocks,
    ) -> None:
        self.con = con
        self._now = now
        self._on_refusals = on_refusals
        self.tables = tables
        self.registry = registry
        self.source = source
        self.system = system

    def apply(self, page: Page, on_erased: Callable[[list[str]], None]) -> bool:
        """Take out what a page reports as gone or merged; tell whether it reported anything.

        ``on_erased`` gets the address texts of people who were erased, while they can still be looked up.
        """
        gone = self.hear(page, on_erased)
        for table in dict.fromkeys(each.table for each in gone):
            self._delete(table, [str(each.key) for each in gone if each.table == table])
        return bool(gone)

    def hear(self, page: Page, on_erased: Callable[[list[str]], None]) -> list[Gone]:
        """Note merges and erasures that a page reports; return everything that has gone by it.

        Raises:
            PluginError: it reports what cannot be: a table that is none, a customer merged into nobody or in a circle.
        """
        merges = self._merges(page)
        for customer_id, into in merges.items():
            who = {"source": self.source, "system": self.system}
            self.con.execute(sql("schema.merge_id"), who | {"customer_id": customer_id, "into_id": into})
        gone = [*page.gone, *(Gone("customers", customer_id) for customer_id in merges)]
        for table in dict.fromkeys(each.table for each in gone):
            if table not in self.tables:
                raise PluginError(f"source {self.source}: {table!r} is no table")
            erased = [str(each.key) for each in gone if each.table == table and each.erased]
            if erased:
                on_erased(self._addresses(table, erased))
        return gone

    def _merges(self, page: Page) -> dict[str, str]:
        """Return which customer was merged into which; one merged into itself is as it was."""
        pairs: list[tuple[Any, Any]] = [(each.customer_id, each.into) for each in page.merged]
        if any(None in pair for pair in pairs):
            raise PluginError(f"source {self.source}: a customer was merged into nobody")
        merges = {str(customer_id): str(into) for customer_id, into in pairs if str(customer_id) != str(into)}
        for customer_id, into in merges.items():
            reached, at = {customer_id}, into
            while at in merges and at not in reached:
                reached.add(at)
                at = merges[at]
            if at in reached:
                raise PluginError(f"source {self.source}: customers were merged in a circle")
        return merges

    def keep_only(self, stream: str, remaining: Sequence[Remaining], believe: Believe) -> bool:
        """Take out what is not among all that remains; tell whether anything was.

        Raises:
            ShrunkError: more would go than ``believe`` takes; nothing was taken out.
        """
        judged = [found for each in remaining if (found := self._judge(stream, each))]
        counted = [(load.table, *self._count(keys)) for load, keys in judged]
        shrunk = [loss for table, before, after in counted if (loss := believe(table, before, after))]
        if shrunk:
            raise ShrunkError(shrunk)
        for load, keys in judged:
            self._delete_lost(load, keys)
        return any(before > after for _, before, after in counted)

    def _judge(self, stream: str, remaining: Remaining) -> tuple[Load, str] | None:
        """Write which keys remain into a table of their own, and return it beside the load."""
        if remaining.table not in self.tables:
            raise PluginError(f"source {self.source}: {remaining.table!r} is no table")
        load = self.registry.visible(self.source, stream, remaining.table)
        if load is None:
            return None
        table = self.tables[remaining.table]
        keys = remaining.keys if hasattr(remaining.keys, "schema") else _column(remaining.keys)
        lost = quoted(f"lost_{table.name}")
        since = naive(remaining.since) if remaining.since else None
        self.con.register("incoming", to_arrow(keys))
        try:
            names = {"target": load.physical, "lost": lost, "key": quoted(own_key(table)[0])}
            names |= {"column": quoted(keys.schema.names[0]), "time": quoted(table.time) if table.time else "null"}
            self.con.execute(sql("load.find_lost", **names), {"since": since})
        finally:
            self.con.unregister("incoming")
        return load, lost

    def _delete_lost(self, load: Load, lost: str) -> None:
        key = quoted(own_key(self.tables[load.table])[0])
        self._keep_refusals(load, sql("load.gone_lost", key=key, lost=lost))
        for other in self._with_children(load.table):
            self.con.execute(sql("load.delete_lost", target=other.physical, lost=lost, key=key))
        self.con.execute(sql("load.drop_lost", lost=lost))

    def _delete(self, table: str, keys: Sequence[str]) -> None:
        key = quoted(own_key(self.tables[table])[0])
        for load in self._with_children(table):
            self._keep_refusals(load, sql("load.gone_keys", key=key), {"keys": list(keys)})
            self.con.execute(sql("load.delete_keys", target=load.physical, key=key), {"keys": list(keys)})

    def _keep_refusals(self, load: Load, gone: str, values: Mapping[str, Any] | None = None) -> None:
        """Tell who said no in rows that leave."""
        if load.table != "consents":
            return
        known = {"system": self.system, "now": self._now, **(values or {})}
        found = refusals(self.con, load.physical, gone, self.source, known)
        if found:
            self._on_refusals(found)

    def _with_children(self, table: str) -> Iterable[Load]:
        for load in self.registry.of_source(self.source):
            if table in (load.table, self.tables[load.table].parent):
                yield load

    def _addresses(self, table: str, keys: Sequence[str]) -> list[str]:
        """Return every address text that any source of the shop has for these keys."""
        found: set[str] = set()
        if table == "customers":
            ids = self.con.execute(sql("load.ids_of_keys"), {"keys": list(keys)}).fetchall()
            found.update(f"customer:{self.system}:{row[0]}" for row in ids)
        for load in self.registry.of_table(table):
            if load.system != self.system:
                continue
            query = sql("load.addresses_of_keys", target=load.physical, key=quoted(own_key(self.tables[table])[0]))
            for email, phone, customer_id in self.con.execute(query, {"keys": list(keys)}).fetchall():
                kinds = (("email", email), ("phone", phone), (f"customer:{self.system}", customer_id))
                found.update(f"{kind}:{value}" for kind, value in kinds if value)
        return sorted(found)

    def _count(self, lost: str) -> tuple[int, int]:
        before, after = one(self.con, sql("load.count_lost", lost=lost)) or (0, 0)
        return int(before), int(after)


def _column(keys: Iterable[Any]) -> pa.Table:
    return pa.table({"key": pa.array([str(key) for key in keys], pa.string())})
