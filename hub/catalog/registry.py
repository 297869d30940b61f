"""Which physical table holds what: one per source, stream and table, and a second one while a snapshot is staged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.api import Table
from hub.catalog.blocks import quoted, sql
from hub.catalog.tables import data_columns, definition, lacking, physical, spare
from hub.sql import run

if TYPE_CHECKING:
    import duckdb


def naive(instant: datetime) -> datetime:
    """Return an instant as DuckDB's columns hold it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


@dataclass(frozen=True, slots=True)
class Load:
    """What one stream gave for one table; ``state`` is reading, held or visible.

    ``brought`` are the columns it has beside those that every load of its table has.
    """

    load_id: int
    source: str
    system: str
    stream: str
    table: str
    state: str
    brought: tuple[str, ...] = ()

    @property
    def physical(self) -> str:
        """Return the name of its physical table."""
        return physical(self.table, self.load_id)


class Registry:
    """The loads of a catalog, kept in memory beside the table that records them."""

    def __init__(self, con: duckdb.DuckDBPyConnection, now: datetime) -> None:
        self._con = con
        self._now = now
        self._loads: dict[int, Load] = {}
        self.reload()

    def reload(self) -> None:
        """Read the loads again, after a rollback."""
        rows = self._con.execute(sql("schema.loads")).fetchall()
        loads = [Load(*row) for row in rows]
        self._loads = {load.load_id: replace(load, brought=tuple(load.brought)) for load in loads}

    def all(self) -> list[Load]:
        """Return every load."""
        return list(self._loads.values())

    def knows(self, load: Load) -> bool:
        """Tell whether the load is still there."""
        return load.load_id in self._loads

    def visible(self, source: str, stream: str, table: str) -> Load | None:
        """Return the load whose rows count."""
        wanted = (source, stream, table, "visible")
        return next((x for x in self.all() if (x.source, x.stream, x.table, x.state) == wanted), None)

    def of_source(self, source: str) -> list[Load]:
        """Return every load of a source, staged ones included."""
        return [load for load in self.all() if load.source == source]

    def of_table(self, table: str) -> list[Load]:
        """Return the loads whose rows of a table count."""
        return [load for load in self.all() if load.table == table and load.state == "visible"]

    def held(self, source: str, stream: str) -> list[Load]:
        """Return the loads of a snapshot that waits."""
        return [x for x in self.of_source(source) if x.stream == stream and x.state == "held"]

    def add(
        self, source: str, system: str, stream: str, table: Table, state: str, incoming: Collection[str] = ()
    ) -> Load:
        """Make an empty load for rows that bring some columns."""
        brought = sorted(spare(table).intersection(incoming))
        load = Load(max(self._loads, default=0) + 1, source, system, stream, table.name, state, tuple(brought))
        values = {"load_id": load.load_id, "source": source, "system": system, "stream": stream, "table": table.name}
        values |= {"state": state, "loaded_at": self._now, "brought": brought}
        self._con.execute(sql("schema.add_load"), values)
        self._con.execute(sql("load.create_physical", target=load.physical, columns=definition(table, brought)))
        self._loads[load.load_id] = load
        return load

    def widen(self, load: Load, table: Table, incoming: Collection[str]) -> Load:
        """Give a load the columns that a page brings for the first time."""
        load = self._loads[load.load_id]
        missing = sorted(lacking(table, load.brought).intersection(incoming))
        if not missing:
            return load
        kinds = data_columns(table)
        for name in missing:
            self._con.execute(sql("load.add_column", target=load.physical, column=quoted(name), kind=kinds[name]))
        load = self._loads[load.load_id] = replace(load, brought=(*load.brought, *missing))
        self._con.execute(sql("schema.set_brought"), {"load_id": load.load_id, "brought": list(load.brought)})
        return load

    def drop(self, load: Load) -> None:
        """Remove a load and its rows."""
        self._con.execute(sql("load.drop_physical", target=load.physical))
        run(self._con, sql("schema.drop_load"), {"load_id": load.load_id})
        del self._loads[load.load_id]

    def set_state(self, load: Load, state: str) -> None:
        """Change what a load is."""
        self._con.execute(sql("schema.set_load_state"), {"load_id": load.load_id, "state": state})
        self._loads[load.load_id] = replace(self._loads[load.load_id], state=state)


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection, registry: Registry) -> Iterator[None]:
    """Commit at the end, or undo everything."""
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        registry.reload()
        raise
    con.commit()
