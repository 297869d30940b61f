"""Write the catalog: load streams, rebuild the merged tables, erase people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hub.api import Page, Reach, Stream, Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.consenting import refusals
from hub.catalog.erasing import Erasure
from hub.catalog.identity import Identity
from hub.catalog.loading import Loader, Progress, Task
from hub.catalog.merge import Merger
from hub.catalog.models import (
    CatalogSettings,
    ErasureReport,
    Matches,
    OnBlocks,
    OptOut,
    Reading,
    RebuildReport,
    RejectedRow,
    StreamReport,
    Till,
)
from hub.catalog.registry import Load, Registry, naive, transaction
from hub.config.models import Guards
from hub.sql import run

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def tell_nobody(blocks: Sequence[OptOut]) -> None:
    """Take opt-outs and tell nobody."""


def _quietly(done: int, total: int | None) -> None:
    """Take progress and show nothing."""


class Writer:
    """The catalog opened for writing; made by ``Catalog.writer``.

    ``has_dropped`` tells that rows of erased people were read since the file was last written anew. They were dropped,
    also where the load failed, but their bytes may be in the file until ``erase`` writes it anew.
    """

    def __init__(
        self,
        path: Path,
        reopen: Callable[[], duckdb.DuckDBPyConnection],
        con: duckdb.DuckDBPyConnection,
        tables: Mapping[str, Table],
        settings: CatalogSettings,
        now: datetime,
    ) -> None:
        self.con = con
        self.now = now
        self.has_dropped = False
        self._path = path
        self._reopen = reopen
        self._tables = tables
        self._settings = settings
        self._registry: Registry

    def start(self, marks: Mapping[str, str], on_refusals: OnBlocks) -> None:
        """Make what a new catalog needs, if these are its marks; drop what no source is listed for, or a kill left.

        ``on_refusals`` gets who said no in what is dropped: nobody reads it again.
        """
        if marks:
            self.con.begin()
            run(self.con, sql("schema.create"))
            self._set_about(marks)
            self.con.commit()
        self._registry = Registry(self.con, self.now)
        known = dict(self._settings.sources)
        systems = {"sources": list(known), "systems": list(known.values())}
        with transaction(self.con, self._registry):
            self.con.execute(sql("schema.forget_readings"), systems)
            gone = [
                load
                for load in self._registry.all()
                if load.state == "reading" or known.get(load.source) != load.system or load.table not in self._tables
            ]
            for load in gone:
                self._keep_refusals(load, on_refusals)
            for load in gone:
                self._drop(load.source, load.stream, load.state)

    def _keep_refusals(self, load: Load, on_refusals: OnBlocks) -> None:
        if load.table == "consents" and load.state == "visible":
            values = {"system": load.system, "now": naive(self.now)}
            if found := refusals(self.con, load.physical, "", load.source, values):
                on_refusals(found)

    def _drop(self, source: str, stream: str, state: str) -> None:
        """Drop the loads of a stream; without its rows its cursor means nothing."""
        for load in self._registry.of_source(source):
            if load.stream == stream and (state != "reading" or load.state == "reading"):
                self._registry.drop(load)
                self._touch()
        if state != "reading":
            self.con.execute(sql("schema.drop_cursor"), {"source": source, "stream": stream})

    def close(self) -> None:
        """Close the file."""
        self.con.close()

    def cursor(self, source: str, stream: str) -> Any:
        """Return the cursor of the last page stored, or None."""
        row = one(self.con, sql("schema.cursor"), {"source": source, "stream": stream})
        return json.loads(row[0]) if row else None

    def load(
        self,
        source: str,
        system: str,
        stream_name: str,
        stream: Stream,
        pages: Iterable[Page],
        *,
        guards: Guards | None = None,
        accept_shrink: Mapping[str, int] | None = None,
        erasures: pa.Table | None = None,
        on_blocks: OnBlocks = tell_nobody,
        progress: Progress = _quietly,
    ) -> StreamReport:
        """Store the pages of a stream, each with its cursor or not at all.

        ``accept_shrink`` names tables whose shrinking was approved, with the number of rows approved;
        ``erasures`` (address_key, recorded_at) who must not come back. ``on_blocks`` gets opt-outs before the
        page that tells them is committed; if it raises, the page is not stored.

        Raises:
            SourceError: too many rows cannot be used; what was stored before stands.
            PluginError: the source gave what its stream does not declare.
        """
        has_erasures = erasures is not None and erasures.num_rows > 0
        if has_erasures:
            self.con.register("erasures", erasures)
        task = Task(
            source,
            system,
            stream_name,
            stream,
            guards or Guards(),
            accept_shrink or {},
            self.now,
            has_erasures,
            on_blocks,
            progress,
        )
        loader = Loader(self.con, self._tables, self._registry, task)
        try:
            return loader.run(pages)
        finally:
            self.has_dropped |= loader.report.dropped > 0
            if has_erasures:
                self.con.unregister("erasures")

    def set_reading(self, reading: Reading, system: str) -> None:
        """Remember how reading a source went; a stream that was read to its end before stays so."""
        streams, trouble = list(reading.streams), reading.trouble
        values = {"source": reading.source, "system": system, "streams": streams, "trouble": trouble}
        self.con.execute(sql("schema.set_reading"), values)

    def set_reach(self, source: str, reaches: Mapping[str, Reach]) -> None:
        """Remember how far a source's tables reach."""
        starts = [naive(reach.start) if reach.start else None for reach in reaches.values()]
        untils = [naive(reach.fresh_until) if reach.fresh_until else None for reach in reaches.values()]
        values = {"source": source, "tables": list(reaches), "starts": starts, "untils": untils}
        self.con.execute(sql("schema.set_reach"), values)

    def rebuild(self, *, force: bool = False) -> RebuildReport:
        """Merge and resolve persons again, if a pull or the settings changed something."""
        mark = self._settings.merging_mark()
        changed = force or self._about("changed") != "no" or self._about("merged_with") != mark
        matches: tuple[Matches, ...] = ()
        if changed:
            with transaction(self.con, self._registry):
                self.con.execute(sql("schema.drop_derived"))
                merger = Merger(self.con, self._tables, self._registry, self._settings, self.now)
                Identity(self.con, self._tables, merger.run(), merger.rows, merger.given()).run()
                rows = self.con.execute(sql("identity.found_matches")).fetchall()
                matches = tuple(Matches(*row) for row in rows)
                merger.clear()
                orders, mails = one(self.con, sql("identity.last_times")) or (None, None)
                merged = {"changed": "no", "merged_with": mark, "merge": uuid4().hex}
                self._set_about({**merged, "orders_until": orders, "mails_until": mails})
        row = one(self.con, sql("identity.summary")) or (0, 0)
        tills = tuple(Till(*till) for till in self.con.execute(sql("identity.stored_tills")).fetchall())
        return RebuildReport(changed, int(row[0]), int(row[1]), tills, matches)

    def erase(self, addresses: Iterable[str]) -> ErasureReport:
        """Remove people from every table and write the file anew, so that no byte of them is left.

        ``addresses`` are address texts (``email:…``, ``phone:…``, ``customer:<system>:<id>``); every other
        address of the same people goes too, and is named in the report.
        """
        self.rebuild()
        erasure = Erasure(self.con, self._tables, self._registry)
        with transaction(self.con, self._registry):
            report = erasure.delete(addresses)
            self._touch()
        self.rebuild(force=True)
        self._write_anew()
        return report

    def rejected(self, limit: int = 100, source: str | None = None) -> list[RejectedRow]:
        """Return rows that could not be used."""
        rows = self.con.execute(sql("schema.rejected"), {"limit": limit, "source": source}).fetchall()
        return [RejectedRow(*row) for row in rows]

    def _write_anew(self) -> None:
        """Copy what is left into a new file: deleted text stays in the old one until it is gone."""
        fresh = self._path.with_name("catalog.new.duckdb")
        leftovers = (fresh, fresh.with_name(fresh.name + ".wal"))
        for path in leftovers:
            path.unlink(missing_ok=True)
        name = one(self.con, "select current_database()")
        old = quoted(name[0] if name else "catalog")
        self.con.execute(sql("erase.copy", fresh=str(fresh).replace("'", "''"), old=old))
        self.con.close()
        fresh.replace(self._path)
        self._path.with_name(self._path.name + ".wal").unlink(missing_ok=True)
        self.has_dropped = False
        self.con = self._reopen()
        self._registry = Registry(self.con, self.now)

    def _touch(self) -> None:
        self._set_about({"changed": "yes"})

    def _about(self, key: str) -> str | None:
        about: dict[str, str] = dict(self.con.execute(sql("schema.about")).fetchall())
        return about.get(key)

    def _set_about(self, told: Mapping[str, str | None]) -> None:
        self.con.execute(sql("schema.forget_about"), {"keys": list(told)})
        self.con.execute(sql("schema.add_about"), {"keys": list(told), "values": list(told.values())})
