"""Store one stream's pages: read, replace, swap."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.api import Page, Reject, Stream, Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.consenting import refusals, show_addresses, withdrawals
from hub.catalog.erased import drop_erased, drop_erased_noted, erased_among
from hub.catalog.leaving import Departures, ShrunkError
from hub.catalog.models import OnBlocks, OptOut, Shrink, StreamReport
from hub.catalog.pages import to_arrow, unknown_columns
from hub.catalog.reader import keep_last, read_rows
from hub.catalog.registry import Load, Registry, naive, transaction
from hub.catalog.tables import definition, own_key, same_key
from hub.config.models import Guards
from hub.errors import PluginError, SourceError

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[int, int | None], None]
_LARGE_PAGE = 1000
_APPROVED_SLACK = 0.9
_KEPT_AFTER_FAILURE = 1000


@dataclass(frozen=True, slots=True)
class Task:
    """One stream to load, and what the caller wants to know and to allow."""

    source: str
    system: str
    name: str
    stream: Stream
    guards: Guards
    accept_shrink: Mapping[str, int]
    now: datetime
    has_erasures: bool
    on_blocks: OnBlocks
    progress: Progress


class Loader:
    """Load one stream; made anew for each."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, tables: Mapping[str, Table], registry: Registry, task: Task
    ) -> None:
        self.con = con
        self.tables = tables
        self.registry = registry
        self.task = task
        self.report = StreamReport()
        self._staged: dict[str, Load] = {}
        self._unusable = Counter[str]()
        self._cursor: Any = None

    def run(self, pages: Iterable[Page]) -> StreamReport:
        """Store every page, and swap the snapshot at the end."""
        snapshot = self.task.stream.kind == "snapshot"
        try:
            for page in pages:
                self._take(page, snapshot)
        except ShrunkError as error:
            self.report.shrunk, self.report.changed = error.shrunk, False
        except BaseException:
            self._discard_staged()
            raise
        if snapshot:
            self._finish_snapshot()
        return self.report

    def _take(self, page: Page, snapshot: bool) -> None:
        self._check_tables(page)
        if not self.report.pages:
            self._forget_old_rejected()
        self.report.pages += 1
        self.report.notes += [note for note in page.notes if note not in self.report.notes]
        rejected: list[tuple[Any, ...]] = []
        try:
            with transaction(self.con, self.registry):
                self._store(page, snapshot, rejected)
        except SourceError:
            self._keep_rejected(rejected)
            raise
        self.task.progress(sum(self.report.read.values()), page.total)

    def _check_tables(self, page: Page) -> None:
        for name in page.tables:
            if name not in self.task.stream.tables or name not in self.tables:
                stream = f"stream {self.task.name}"
                raise PluginError(
                    f"source {self.task.source}: {stream} gave rows of {name!r}, which it does not declare"
                )

    def _store(self, page: Page, snapshot: bool, rejected: list[tuple[Any, ...]]) -> None:
        self._take_unread(page.rejected)
        known = len(self.registry.all())
        tables = {name: to_arrow(rows) for name, rows in page.tables.items()}
        told = (note for name, rows in tables.items() for note in unknown_columns(self.tables[name], rows.schema))
        self.report.notes += [note for note in told if note not in self.report.notes]
        loads = {name: self._load_of(name, snapshot, rows.schema.names) for name, rows in tables.items()}
        fresh: dict[str, str] = {}
        for name, rows in tables.items():
            fresh[name] = self._read(name, loads[name], rows, snapshot, page, rejected)
        if snapshot:
            # Whoever is missing from it goes with it; that they were erased nothing else tells.
            self._departures.hear(page, self._block_erased)
        else:
            self._settle(page, loads, fresh)
            left = self._leave(page)
            self._set_cursor(page.cursor)
            brought = page.window or any(not self._is_empty(name) for name in fresh.values())
            if left or brought or len(self.registry.all()) > known:
                # A page that brings nothing, such as a job's number to remember, is no reason to merge again.
                self.con.execute(sql("schema.touch"))
                self.report.changed = True
        self._cursor = page.cursor

    @property
    def _departures(self) -> Departures:
        task = self.task
        return Departures(
            *(self.con, self.tables, self.registry, task.source, task.system), now=task.now, on_refusals=task.on_blocks
        )

    def _leave(self, page: Page) -> bool:
        """Take out what has gone; tell whether anything had."""
        reported = self._departures.apply(page, self._block_erased)
        return self._departures.keep_only(self.task.name, page.remaining, self._believe) or reported

    def _load_of(self, name: str, snapshot: bool, incoming: Collection[str] = ()) -> Load:
        """Return the load that a page's rows of a table go to, with every column that they bring."""
        task, table = self.task, self.tables[name]
        found = self._staged.get(name) if snapshot else self.registry.visible(task.source, task.name, name)
        if found is not None:
            load = self.registry.widen(found, table, incoming)
        else:
            state = "reading" if snapshot else "visible"
            load = self.registry.add(task.source, task.system, task.name, table, state, incoming)
        if snapshot:
            self._staged[name] = load
        return load

    def _read(
        self, name: str, load: Load, rows: Any, snapshot: bool, page: Page, rejected: list[tuple[Any, ...]]
    ) -> str:
        """Read the rows and return the table that now has them: the load's own where nothing can be replaced."""
        table = self.tables[name]
        direct = snapshot or self._is_empty(load.physical)
        target = load.physical
        if not direct:
            target = quoted(f"page_{name}")
            self.con.execute(f"drop table if exists {target}")
            self.con.execute(sql("load.create_page", page=target, columns=definition(table, load.brought)))
        count, noted = read_rows(self.con, table, target, load.brought, rows, self.task.now)
        refused = self._take_rejected(load, target, rejected) if noted else 0
        self.report.read[name] = self.report.read.get(name, 0) + count
        if not snapshot:
            unread = sum(reject.table == name for reject in page.rejected)
            self._judge(name, refused + unread, count + unread, minimum=_LARGE_PAGE, stands=not direct)
            if count:
                keep_last(self.con, table, target)
        return target

    def _take_rejected(self, load: Load, target: str, rejected: list[tuple[Any, ...]]) -> int:
        """Put the rows that cannot be used aside, but for those of erased people; return how many there were."""
        task, dropped = self.task, 0
        if task.has_erasures:
            dropped = drop_erased_noted(self.con, self.tables[load.table], target, task.system)
            self.report.dropped += dropped
        who = {"source": task.source, "stream": task.name, "load_id": load.load_id, "table": load.table}
        kept = one(self.con, sql("reading.keep_rejected", target=target), who)
        count = int(kept[0]) if kept else 0
        if count:
            rejected += self._rejected_of([load.load_id])
            self.con.execute(sql("reading.drop_rejected", target=target))
            self.report.rejected[load.table] = self.report.rejected.get(load.table, 0) + count
        self._unusable[load.table] += count + dropped
        return count + dropped

    def _settle(self, page: Page, loads: Mapping[str, Load], fresh: Mapping[str, str]) -> None:
        """Put what was read in the place of what it replaces."""
        self._drop_erased(fresh)
        if "consents" in fresh:
            self._consents(
                fresh["consents"], fresh.get("customers"), new_is_stored=fresh["consents"] == loads["consents"].physical
            )
        if self.task.stream.kind == "window":
            self._judge_window(page, fresh)
        for name, load in loads.items():
            self._replace(self.tables[name], load, fresh, page)
        for name, load in loads.items():
            if fresh[name] != load.physical:
                self.con.execute(sql("load.append", target=load.physical, page=fresh[name]))

    def _judge_window(self, page: Page, fresh: Mapping[str, str]) -> None:
        """Refuse a page whose period is none; one that brings no table at all says that nothing was in it."""
        if page.window is None or naive(page.window[0]) > naive(page.window[1]):
            which = "no period" if page.window is None else "a period that ends before it begins"
            raise PluginError(f"source {self.task.source}: a page of the window stream {self.task.name} names {which}")
        for name in () if fresh else self.task.stream.tables:
            load = self.registry.visible(self.task.source, self.task.name, name)
            if load is not None and self.tables[name].time:
                self._empty_window(self.tables[name], load, page.window)

    def _empty_window(self, table: Table, load: Load, window: tuple[datetime, datetime]) -> None:
        period = {"from": naive(window[0]), "until": naive(window[1])}
        self.con.execute(sql("load.replace_window", target=load.physical, time=quoted(str(table.time))), period)

    def _replace(self, table: Table, load: Load, fresh: Mapping[str, str], page: Page) -> None:
        page_table = fresh[table.name]
        if page.window is not None and table.time and page_table != load.physical:
            self._empty_window(table, load, page.window)
        if page_table != load.physical:
            same = same_key(table, "t", page_table)
            self.con.execute(sql("load.replace_keys", target=load.physical, page=page_table, same=same))
            self._replace_children(table, page_table, fresh)

    def _replace_children(self, table: Table, page_table: str, fresh: Mapping[str, str]) -> None:
        key = quoted(own_key(table)[0])
        for child in self.tables.values():
            load = self.registry.visible(self.task.source, self.task.name, child.name)
            if child.parent != table.name or load is None or fresh.get(child.name) == load.physical:
                continue
            self.con.execute(sql("load.parents", key=key, page=page_table))
            self.con.execute(sql("load.replace_children", target=load.physical, key=key))

    def _block_erased(self, addresses: list[str]) -> None:
        self.report.erased += addresses
        self.task.on_blocks([OptOut(address, "*", "erasure", self.task.now, self.task.source) for address in addresses])

    def _finish_snapshot(self) -> None:
        if not self._staged:
            self._settle_held()
            return
        rejected: list[tuple[Any, ...]] = []
        try:
            self._judge_snapshot(rejected)
        except SourceError:
            self._discard_staged()
            self._keep_rejected(rejected)
            raise
        with transaction(self.con, self.registry):
            for name, load in self._staged.items():
                keep_last(self.con, self.tables[name], load.physical)
            fresh = {name: load.physical for name, load in self._staged.items()}
            self._drop_erased(fresh)
            if "consents" in fresh:
                self._consents(fresh["consents"], fresh.get("customers"), new_is_stored=False)
                self._keep_refusals(fresh["consents"])
            for old in self.registry.held(self.task.source, self.task.name):
                self.registry.drop(old)
            self._set_cursor(self._cursor)
            for load in self._staged.values():
                self.registry.set_state(load, "held")
            self._swap_or_hold()

    def _settle_held(self) -> None:
        """Look again at a snapshot that waits for approval, when the source had nothing new."""
        if self.registry.held(self.task.source, self.task.name):
            with transaction(self.con, self.registry):
                self._swap_or_hold()

    def _swap_or_hold(self) -> None:
        held = {load.table: load for load in self.registry.held(self.task.source, self.task.name)}
        self.report.shrunk = [shrink for load in held.values() if (shrink := self._shrink(load))]
        if self.report.shrunk:
            self.report.changed = False
            return
        self.report.changed = True
        self.con.execute(sql("schema.touch"))
        for name, load in held.items():
            old = self.registry.visible(self.task.source, self.task.name, name)
            if old:
                self.registry.drop(old)
            self.registry.set_state(load, "visible")

    def _shrink(self, load: Load) -> Shrink | None:
        old = self.registry.visible(self.task.source, self.task.name, load.table)
        return self._believe(load.table, self._count(old.physical), self._count(load.physical)) if old else None

    def _believe(self, table: str, before: int, after: int) -> Shrink | None:
        approved = self.task.accept_shrink.get(table)
        if approved is not None and after >= approved * _APPROVED_SLACK:
            return None
        return Shrink(table, before, after) if before - after > self.task.guards.max_shrink * before else None

    def _judge_snapshot(self, rejected: list[tuple[Any, ...]]) -> None:
        ids = [load.load_id for load in self._staged.values()]
        rejected += self._rejected_of(ids)
        for name, refused in self._unusable.items():
            old = self.registry.visible(self.task.source, self.task.name, name)
            stands = old is not None and not self._is_empty(old.physical)
            self._judge(name, refused, self.report.read.get(name, 0), minimum=0, stands=stands)

    def _judge(self, name: str, refused: int, count: int, *, minimum: int, stands: bool) -> None:
        if not refused or count < minimum or refused <= self.task.guards.max_rejected * count:
            return
        rest = "what was stored before stands" if stands else "nothing of them is stored"
        raise SourceError(
            f"source {self.task.source}: {refused} of {count} rows of {name} cannot be used, more than "
            f"max_rejected = {self.task.guards.max_rejected:g}; {rest}",
            next_step="Look at them with `hub rejected`, then mend the export or its mapping.",
        )

    def _rejected_of(self, load_ids: list[int]) -> list[tuple[Any, ...]]:
        values = {"loads": load_ids, "limit": _KEPT_AFTER_FAILURE}
        return self.con.execute(sql("schema.rejected_of_loads"), values).fetchall()

    def _take_unread(self, rejects: Sequence[Reject]) -> None:
        """Keep what the source itself could not read, but for what names erased people."""
        erased = erased_among(self.con, rejects, self.task.system) if self.task.has_erasures and rejects else set()
        self.report.dropped += len(erased)
        for place, reject in enumerate(rejects):
            load = self._load_of(reject.table, self.task.stream.kind == "snapshot")
            self.report.read[reject.table] = self.report.read.get(reject.table, 0) + 1
            self._unusable[reject.table] += 1
            if place not in erased:
                self._reject(load, reject)

    def _reject(self, load: Load, reject: Reject) -> None:
        self.report.rejected[reject.table] = self.report.rejected.get(reject.table, 0) + 1
        self._insert_rejected(load.load_id, (reject.table, reject.origin, reject.record, reject.reason, reject.raw))

    def _insert_rejected(self, load_id: int | None, row: tuple[Any, ...]) -> None:
        task = self.task
        names = ("table", "origin", "record", "reason", "raw")
        values = dict(zip(names, row, strict=True)) | {"source": task.source, "stream": task.name}
        self.con.execute(sql("schema.add_rejected"), values | {"load_id": load_id, "loaded_at": task.now})

    def _keep_rejected(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Keep what was refused, so that `hub rejected` can show why nothing was stored."""
        with transaction(self.con, self.registry):
            for row in rows:
                self._insert_rejected(None, row)

    def _forget_old_rejected(self) -> None:
        with transaction(self.con, self.registry):
            self.con.execute(sql("schema.forget_rejected"), {"source": self.task.source, "stream": self.task.name})

    def _discard_staged(self) -> None:
        staged = {name: load for name, load in self._staged.items() if self.registry.knows(load)}
        if staged:
            with transaction(self.con, self.registry):
                # Counted though nothing of them is stored: their bytes are in the file.
                self._drop_erased({name: load.physical for name, load in staged.items()})
                for load in staged.values():
                    self.registry.drop(load)

    def _drop_erased(self, fresh: Mapping[str, str]) -> None:
        if not self.task.has_erasures:
            return
        for name, target in fresh.items():
            self.report.dropped += drop_erased(self.con, self.tables[name], target, self.task.system)

    def _consents(self, fresh: str, customers: str | None, *, new_is_stored: bool) -> None:
        task = self.task
        stored = [load for load in self.registry.of_table("customers") if load.system == task.system]
        stored.sort(key=lambda load: load.source != task.source)
        show_addresses(self.con, fresh, [*([customers] if customers else []), *(load.physical for load in stored)])
        old = [load.physical for load in self.registry.of_table("consents") if load.source == task.source]
        old = [name for name in old if name != fresh or not new_is_stored]
        found = withdrawals(self.con, old, fresh, task.source, task.system, task.now)
        overruled = sql("load.gone_overruled", fresh=fresh)
        for name in old:
            found += refusals(self.con, name, overruled, task.source, {"system": task.system, "now": task.now})
        if found:
            task.on_blocks(found)

    def _keep_refusals(self, fresh: str) -> None:
        """Tell who said no in the snapshot before and is not in the new one."""
        task = self.task
        before = self.registry.visible(task.source, task.name, "consents")
        if before is not None:
            gone = sql("load.gone_unread", fresh=fresh)
            found = refusals(self.con, before.physical, gone, task.source, {"system": task.system, "now": task.now})
            if found:
                task.on_blocks(found)

    def _set_cursor(self, cursor: Any) -> None:
        if cursor is not None:
            values = {"source": self.task.source, "stream": self.task.name, "cursor": json.dumps(cursor)}
            self.con.execute(sql("schema.set_cursor"), values)

    def _is_empty(self, target: str) -> bool:
        row = one(self.con, sql("load.is_empty", target=target))
        return bool(row and row[0])

    def _count(self, target: str) -> int:
        row = one(self.con, sql("load.count", target=target))
        return int(row[0]) if row else 0
