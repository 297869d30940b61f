"""Turn JSON lines into pages of canonical rows, in memory that does not grow with the lines.

DuckDB reads the file twice, projecting differently: once for the children, which it keeps (on disk where they are
many), once for their parents, which stream through in pages. So children may stand anywhere in the file.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from hub import api

PAGE = 50_000
"""Parents of one page."""
_MEMORY = "256MB"
_THREADS = 2  # each needs buffers of its own out of that memory
_BATCH = 10_000
_BLOCK = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_TABLES: Mapping[str, Sequence[str]] = {
    "customers": ("customers", "consents"),
    "orders": ("orders", "order_lines"),
    "carts": ("carts", "cart_lines"),
    "products": ("products",),
}


@cache
def _blocks() -> Mapping[str, str]:
    pieces = _BLOCK.split(files("hub_shopify").joinpath("lines.sql").read_text(encoding="utf-8"))[1:]
    return {key: text.strip() for key, text in zip(pieces[::2], pieces[1::2], strict=True)}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a stream's tables that belong together.

    ``erased`` are customers who were erased, ``moved`` pairs of customers: orders of the first are the second's now.
    ``parents`` and ``emails`` count what the rows came from.
    """

    tables: Mapping[str, pa.Table]
    erased: Sequence[str] = ()
    moved: Sequence[tuple[str, str]] = ()
    parents: int = 0
    emails: int = 0

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return sum(table.num_rows for table in self.tables.values())


class Staging:
    """Read files of JSON lines of one stream; a context manager that leaves no file behind.

    ``shows_people`` tells whether the app may read personal data at all; it is asked only about a file that has records
    without any. ``lines`` is how many lines of orders or carts the file has.
    """

    def __init__(self, stream: str, shop: api.Shop, shows_people: Callable[[], bool]) -> None:
        self.stream = stream
        self.tables: Sequence[str] = _TABLES[stream]
        self.lines = 0
        self._shows_people = shows_people
        self._owners = shop.cache / "owners.parquet"
        self._cache = shop.cache
        self._currency = shop.currency

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "_con" in self.__dict__:
            self._con.close()

    @cached_property
    def _con(self) -> duckdb.DuckDBPyConnection:
        """Return the database that reads; a stream with nothing new needs none."""
        return _connection(self._cache)

    def rows(self, path: Path, *, page: int = PAGE) -> Iterator[Rows]:
        """Yield the file's rows; no ``Rows`` for a file without a line.

        Raises:
            DamagedFileError: a line is no JSON.
        """
        with _failures():
            self._gather(path)
            roots = self._reader(path, f"{self.stream}_roots", _BATCH)
            for table in _pages(roots, page):
                yield self._page(table)

    def ids(self, path: Path) -> pa.RecordBatchReader:
        """Return the numbers of all parents in a file."""
        return self._reader(path, "ids", _BATCH * 10)

    def keep_owners(self, path: Path) -> None:
        """Remember whose each order of a file is, so that it shows when it becomes somebody else's."""
        if self.stream == "orders":
            fresh = self._owners.with_suffix(".new")
            _set(self._con, "lines", str(path))
            _set(self._con, "owners", str(fresh))
            self._con.execute(_blocks()["keep_owners"])
            fresh.replace(self._owners)

    def empty(self) -> Mapping[str, pa.Table]:
        """Return the stream's tables without rows."""
        return {name: pa.table({column: pa.array([], pa.string()) for column in _key(name)}) for name in self.tables}

    def _gather(self, path: Path) -> None:
        """Keep the children of the file."""
        _set(self._con, "lines", str(path))
        self._con.execute(_blocks().get(f"{self.stream}_children") or _blocks()["no_children"])
        if f"{self.stream}_gathered" in _blocks():
            self._con.execute(_blocks()[f"{self.stream}_gathered"])
        if any(api.TABLES[name].parent for name in self.tables):
            self.lines = int(self._con.execute(_blocks()["count_lines"]).fetchall()[0][0])

    def _reader(self, path: Path, block: str, size: int) -> pa.RecordBatchReader:
        """Read a file on a connection of its own: one that is being read from takes no other question."""
        con = self._con.cursor()
        _set(con, "lines", str(path))
        _set(con, "currency", self._currency)
        return con.sql(_blocks()[block]).to_arrow_reader(size)

    def _page(self, page: pa.Table) -> Rows:
        self._con.register("page", page)
        try:
            erased, moved = self._erased(), self._moved()
            tables = {name: self._con.sql(_blocks()[f"{self.stream}_{name}"]).to_arrow_table() for name in self.tables}
        finally:
            self._con.unregister("page")
        emails = page.num_rows - page["email"].null_count if "email" in page.column_names else 0
        return Rows(tables, erased, moved, page.num_rows, emails)

    def _erased(self) -> list[str]:
        """Find the people of the page who were erased, for its statements to leave them out."""
        if self.stream != "customers":
            return []
        nameless = int(self._con.execute(_blocks()["count_nameless"]).fetchall()[0][0])
        _set(self._con, "shows_people", nameless > 0 and self._shows_people())
        erased = self._con.sql(_blocks()["customers_erased"]).to_arrow_table()
        self._con.register("erased", erased)
        return [str(each) for each in erased["id"].to_pylist()]

    def _moved(self) -> list[tuple[str, str]]:
        if self.stream != "orders" or not self._owners.exists():
            return []
        _set(self._con, "owners", str(self._owners))
        return [(str(gone), str(kept)) for gone, kept in self._con.execute(_blocks()["orders_moved"]).fetchall()]


class DamagedFileError(Exception):
    """A file of JSON lines cannot be read to its end."""


def _set(con: duckdb.DuckDBPyConnection, name: str, value: Any) -> None:
    con.execute(f"set variable {name} = $value", {"value": value})


def _key(table: str) -> list[str]:
    return [column for column in api.TABLES[table].key if column not in ("system", "source")]


def _pages(reader: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    """Put small batches together to pages of about a size."""
    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(batch)
        if sum(each.num_rows for each in batches) >= size:
            yield pa.Table.from_batches(batches)
            batches = []
    if any(batch.num_rows for batch in batches):
        yield pa.Table.from_batches(batches)


def _connection(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills into ``folder`` and fetches nothing from outside."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
        "memory_limit": _MEMORY,
        "threads": min(_THREADS, os.cpu_count() or 1),
    }
    con = duckdb.connect(config=config)
    con.execute(_blocks()["macros"])
    return con


@contextmanager
def _failures() -> Iterator[None]:
    """Turn DuckDB's failures over a file into one error; what DuckDB says may show data."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise DamagedFileError(type(error).__name__) from None
    except duckdb.IOException as error:
        raise OSError(errno.EIO, str(error).splitlines()[0]) from None
