"""The catalog file: opening, version, waiting for whoever holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

import duckdb

from hub.api import TABLES, Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.failures import plain_failures
from hub.catalog.models import CatalogSettings, Given, OnBlocks
from hub.catalog.registry import Registry, naive
from hub.catalog.session import Session
from hub.catalog.tables import lacking
from hub.catalog.writer import Writer, tell_nobody
from hub.errors import BusyError
from hub.keys import install_keyed_hash
from hub.places import silence_permits
from hub.sql import run

VERSION = "8"
LARGE = 2**28
"""From how many bytes of a file on its connections keep memory for what they read next."""
_HOLDER = re.compile(r"held in (.*?)\.? (?:However|See)|held in (.*?PID \d+\))", re.DOTALL)
_POLL = 0.1


class Derivation(Protocol):
    """Something made of the merged tables and kept in the schema ``derived`` until these are made anew."""

    def is_missing(self, con: duckdb.DuckDBPyConnection, now: datetime) -> bool:
        """Tell whether it must be made; ``now`` is naive UTC."""
        raise NotImplementedError

    def make(self, session: Session) -> None:
        """Make it, as of the session's instant, in a transaction that is already open."""
        raise NotImplementedError


class Catalog:
    """A client's data in one DuckDB file; deleting the file is always safe.

    ``tables`` are the canonical tables and those that plugins declare. ``on_refusals`` gets who said no in what is
    dropped because its source is listed no more, before it is dropped. ``pause`` and ``clock`` are what waiting for
    another process uses.
    """

    def __init__(
        self,
        folder: Path,
        settings: CatalogSettings,
        key: bytes,
        *,
        tables: Mapping[str, Table] = TABLES,
        on_refusals: OnBlocks = tell_nobody,
        pause: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.path = folder / "catalog.duckdb"
        self.settings = settings
        self.key = key
        self.tables = {**TABLES, **tables}
        self._on_refusals = on_refusals
        self._pause = pause
        self._clock = clock

    @property
    def exists(self) -> bool:
        """Tell whether there is a catalog; an empty file, as a full disk leaves it, is none."""
        return self.path.exists() and self.path.stat().st_size > 0

    @property
    def is_readable(self) -> bool:
        """Tell whether there is a catalog that this version of hub stored by these settings; others are made anew."""
        if not self.exists:
            return False
        try:
            con = self._connect(read_only=True, wait=0.0)
        except BusyError:  # whoever opens it next waits, and is told
            return True
        try:
            with plain_failures(self.path):
                return self._marks_of(con) == self._marks()
        finally:
            con.close()

    @contextmanager
    def writer(self, now: datetime | None = None) -> Iterator[Writer]:
        """Open the catalog for writing; one of another version or currency is made anew.

        Raises:
            BusyError: another process or session holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        instant = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        con = self._open_current()
        writer = Writer(self.path, self._open_current, con, self.tables, self.settings, instant)
        try:
            with plain_failures(self.path):
                writer.start({} if self._marks_of(con) else self._marks(), self._on_refusals)
                yield writer
        finally:
            writer.close()

    @contextmanager
    def session(
        self, as_of: datetime, now: datetime, *, wait: float = 0.0, derive: Derivation | None = None
    ) -> Iterator[Session]:
        """Open the catalog for reading as of an instant, waiting up to ``wait`` seconds for whoever holds it.

        ``derive`` is what the session wants kept beside the merged tables, made first where it is missing.

        Raises:
            BusyError: it is still held; the message names the holder.
        """
        con = self._open_ready(now, wait, derive)
        try:
            with plain_failures(self.path):
                self._prepare(con, writing=False)
                yield Session(con, self.tables, self.settings, as_of, now)
        finally:
            con.close()

    def _open_ready(self, now: datetime, wait: float, derive: Derivation | None) -> duckdb.DuckDBPyConnection:
        """Open the catalog for reading, after merging and deriving what is not current."""
        current = lacking = False
        if self.exists:
            con = self._connect(read_only=True, wait=wait)
            try:
                current = self._is_current(con)
                lacking = current and derive is not None and derive.is_missing(con, naive(now))
            except BaseException:
                con.close()
                raise
            if current and not lacking:
                return con
            con.close()
        if not current:
            with self.writer(now) as writer:
                writer.rebuild()
        if derive is not None:
            self._derive(derive, now)
        return self._connect(read_only=True, wait=wait)

    def _derive(self, derive: Derivation, now: datetime) -> None:
        """Make what is missing; while somebody else reads the file, do without."""
        try:
            con = self._connect(read_only=False, wait=0.0)
        except BusyError:
            return
        try:
            with plain_failures(self.path):
                if not derive.is_missing(con, naive(now)):
                    return
                self._prepare(con, writing=False)
                con.execute("begin")
                derive.make(Session(con, self.tables, self.settings, now, now))
                con.execute("commit")
        finally:
            con.close()

    def given(self, table: str, column: str) -> list[Given]:
        """Count what each source gave of a table when it was last pulled, and how much of it has a column's value.

        Raises:
            BusyError: another process or session holds the catalog.
        """
        if not self.exists:
            return []
        con = self._connect(read_only=True, wait=0.0)
        try:
            if not self._marks_of(con):
                return []
            loads = Registry(con, datetime.now(UTC)).of_table(table)
            counts = {}
            for load in loads:
                wanted = "null" if column in lacking(self.tables[table], load.brought) else quoted(column)
                counts[load.source] = one(con, sql("schema.given", target=load.physical, column=wanted))
            return [Given(source, *count) for source, count in counts.items() if count]
        finally:
            con.close()

    def delete(self) -> None:
        """Remove the file; the next pull reads everything again."""
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            path.unlink(missing_ok=True)

    def _marks(self) -> dict[str, str]:
        """Return what the stored rows depend on beyond the data."""
        units = {name: str(rate) for name, rate in sorted(self.settings.currencies.items())}
        columns = {name: [str(column) for column in table.columns] for name, table in sorted(self.tables.items())}
        money = [self.settings.currency, units, self.settings.country, columns]
        return {"version": VERSION, "reading": sha256(json.dumps(money).encode()).hexdigest()}

    def _open_current(self) -> duckdb.DuckDBPyConnection:
        if not self.exists:
            self.delete()  # DuckDB takes an empty file for a broken one
        con = self._connect(read_only=False, wait=0.0)
        if self._marks_of(con) not in ({}, self._marks()):
            con.close()
            self.delete()
            con = self._connect(read_only=False, wait=0.0)
        self._prepare(con, writing=True)
        return con

    def _is_current(self, con: duckdb.DuckDBPyConnection) -> bool:
        expected = self._marks() | {"changed": "no", "merged_with": self.settings.merging_mark()}
        about = self._about(con)
        return all(about.get(key) == value for key, value in expected.items())

    def _marks_of(self, con: duckdb.DuckDBPyConnection) -> dict[str, str]:
        about = self._about(con)
        return {key: about[key] for key in self._marks() if key in about}

    @staticmethod
    def _about(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """Return what the file says about itself; nothing where it is not a catalog yet."""
        try:
            return dict(con.execute(sql("schema.about")).fetchall())
        except duckdb.CatalogException:
            return {}

    def _connect(self, *, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
        deadline = self._clock() + wait
        while True:
            try:
                return duckdb.connect(self.path, read_only=read_only, config=self._config())
            except duckdb.Error as error:
                if not _is_busy(error):
                    with plain_failures(self.path):
                        raise
                if self._clock() >= deadline:
                    raise BusyError(
                        f"the catalog {self.path.name} is held by {_holder(error)}",
                        next_step="Try again when it has finished.",
                    ) from None
            self._pause(_POLL)

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        return {"memory_limit": self.settings.memory_limit} if self.settings.memory_limit else {}

    def _prepare(self, con: duckdb.DuckDBPyConnection, *, writing: bool) -> None:
        """Give a connection the zone and the macros that every block expects; what reads rows expects more."""
        install_keyed_hash(con, self.key)
        blocks = ["settings.connection", "reading.macros_of_all"]
        if writing:
            blocks.append("reading.macros")
        if self.path.stat().st_size > LARGE and not self.settings.memory_limit:  # who limits it wants it back
            blocks.append("settings.keep_memory")
        for block in blocks:
            run(con, sql(block))
        if writing:
            self._set_variables(con)

    def _set_variables(self, con: duckdb.DuckDBPyConnection) -> None:
        """Tell a connection what reading rows and merging them depends on."""
        rates = {name.upper(): str(rate) for name, rate in self.settings.currencies.items()}
        con.execute(sql("settings.variables_currency"), {"value": self.settings.currency})
        con.execute(sql("settings.variables_country"), {"value": self.settings.country})
        con.execute(sql("settings.variables_rates"), {"names": list(rates), "rates": list(rates.values())})
        con.execute(sql("settings.variables_silence"), {"countries": sorted(silence_permits())})


def _is_busy(error: Exception) -> bool:
    text = str(error)
    busy = isinstance(error, duckdb.IOException | duckdb.ConnectionException)
    return busy and ("lock" in text.lower() or "different configuration" in text)


def _holder(error: Exception) -> str:
    found = _HOLDER.search(str(error))
    return " ".join((found[1] or found[2]).split()) if found else "this process"
