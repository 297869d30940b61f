"""Read files with DuckDB: one connection per read, its rejects, and a second look at broken rows."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from hub import api
from hub_csv.feeds import Feed, given, literal, value_of
from hub_csv.files import Opened, unpack, wrong_encoding
from hub_csv.parts import Part
from hub_csv.zones import offsets

SMALL = 16 << 20
ROWS = 122_880
"""Rows of a batch: as many as DuckDB compresses together, so that a page ends where its store does."""
PAGE_ROWS = 8 * ROWS
PAGE_BYTES = 128 << 20
_BLOCK = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


@cache
def blocks(name: str) -> Mapping[str, str]:
    """Return the named blocks of an SQL file of this package."""
    pieces = _BLOCK.split(files("hub_csv").joinpath(name).read_text(encoding="utf-8"))[1:]
    return {key: text.strip() for key, text in zip(pieces[::2], pieces[1::2], strict=True)}


def statement(name: str, **parts: object) -> str:
    """Return a named statement with its braces filled."""
    return blocks("statements.sql")[name].format(**parts)


def connection(folder: Path, timezone: str) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills into ``folder`` and fetches nothing from outside."""
    con = duckdb.connect(config={"temp_directory": str(folder), "autoinstall_known_extensions": False})
    _set_zone(con, timezone)
    macros = blocks("macros.sql")
    con.execute(macros["utc_of_utc" if timezone == "UTC" else "utc_of_zone"])
    con.execute(macros["macros"])
    return con


def _set_zone(con: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Tell a connection the zone of times that name none."""
    con.execute("set TimeZone = 'UTC'")
    if timezone != "UTC":
        con.register("zone", offsets(timezone))
        for name in ("zone_bounds", "zone_before", "zone_after"):
            con.execute(blocks("macros.sql")[name])
        con.unregister("zone")


class Database:
    """A database in memory for all reads of a source: to open one costs more than a small file."""

    def __init__(self, cache: Path, timezone: str) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self.cache = cache
        self.timezone = timezone
        self._spill = tempfile.TemporaryDirectory(prefix="csv-", dir=cache)
        self._con = connection(Path(self._spill.name), timezone)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with temporary tables of its own."""
        con = self._con.cursor()
        _set_zone(con, self.timezone)
        return con

    def close(self) -> None:
        """Let go of it, and of what it spilled."""
        self._con.close()
        self._spill.cleanup()


@contextmanager
def failures(label: str) -> Iterator[None]:
    """Turn DuckDB's failures into one clear error about a file; what DuckDB says may show data and is cut."""
    try:
        yield
    except (duckdb.IOException, OSError) as error:
        raise api.SourceError(
            f"{label} cannot be read to its end ({type(error).__name__})",
            next_step="Export or copy the file again; check that hub may read it and that the disk is not full.",
        ) from error
    except duckdb.InvalidInputException as error:
        if "invalid state" in str(error):
            raise api.SourceError(
                f"{label} changes its line ends on the way",
                next_step="Save the file again with one kind of line end.",
            ) from error
        raise api.SourceError(
            f"{label} is not CSV that can be read: {str(error).splitlines()[0]}",
            next_step="Export the file again; check quotes and delimiter.",
        ) from error


class Reader:
    """Read the parts of one stream; a context manager that leaves no file behind."""

    def __init__(self, database: Database) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="csv-", dir=database.cache))
        self.timezone = database.timezone
        self.con = database.connect()
        self.rejected: list[api.Reject] = []
        self._local: dict[str, Path] = {}
        self._gaps: dict[int, list[int]] = {}
        self._judged: set[str] = set()
        self._scans = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.con.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return self.con.execute(sql).fetchall()

    def number(self, sql: str) -> int:
        """Run a statement that gives one number."""
        return int(self.fetch(sql)[0][0])

    def csv(self, opened: Opened, number: int) -> str:
        """Return the table function that reads a file, columns named by position."""
        label = opened.found.label
        if label not in self._local:
            self._local[label] = unpack(opened, self.folder)
        path = self._local[label]
        self._scans += 1
        return statement(
            "csv",
            path=literal(path),
            columns=", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(opened.header))),
            delimiter=literal(opened.delimiter),
            compression="'gzip'" if path.suffix.lower() == ".gz" else "'none'",
            errors=statement("storing", scan=f"{number}_{self._scans}"),
        )

    def table_of(self, part: Part, number: int) -> str:
        """Return what stands after FROM: the file, or the result of the query over it."""
        return f"query_{number}" if part.query else self.csv(part.opened, number)

    def fields(self, part: Part, number: int, *, numbered: bool = False) -> str:
        """Return the select that names a file's fields; numbered also gives record numbers and raw records."""
        fields = ", ".join(f'{sql} as "{name}"' for name, sql in part.fields.items())
        table = self.table_of(part, number)
        if not numbered:
            return statement("plain", fields=fields, csv=table)
        gaps = [line - place for place, line in enumerate(self._gaps.get(number, []))]
        return statement("numbered", fields=f"{fields}, _row", csv=table, shifts=gaps, raw=self._raw(part))

    def _raw(self, part: Part) -> str:
        delimiter = literal(part.opened.delimiter)
        width = len(part.opened.header)
        of_query = [sql for sql in part.fields.values() if sql.startswith('"')]
        names = of_query if part.query else [f"c{place}" for place in range(width)]
        cells = ", ".join(f"csv_cell({name}::varchar, {delimiter})" for name in names)
        return f"array_to_string([{cells}], {delimiter})"

    def rows(self, part: Part, number: int, feed: Feed, *, numbered: bool, stale: bool = False) -> str:
        """Return the select that gives canonical rows of one file, with a reason where one cannot be used."""
        rows = self.fields(part, number, numbered=numbered)
        if stale:
            rows = statement("without_stale", rows=rows, key=key_of(part.main), number=number)
        if feed.each:
            rows = statement("spread", each=", ".join(feed.each), rows=rows)
        rows = valued(feed, rows if feed.keep == "true" else statement("kept", rows=rows, keep=feed.keep))
        return statement(
            "numbered_rows" if numbered else "rows",
            columns=select_list(feed),
            origin=literal(part.label),
            reason=feed.reason,
            rows=rows,
            small=str(part.size <= SMALL).lower(),
        )

    def first_look(self, part: Part, number: int) -> None:
        """Learn a small file's broken records before its rows are numbered."""
        if part.query is None and part.size <= SMALL:
            with failures(part.label):
                counts = self.fetch(statement("scanned", csv=self.csv(part.opened, number)))[0]
            self.learn(part.opened, number, part.main.table, max(counts))

    def learn(self, opened: Opened, number: int, table: str, rows: int) -> None:
        """Take over what DuckDB's reader rejected in the scans of a file that have just ended.

        Every scan tells again which records have too many fields; only one that reads a column sees that its
        text is wrongly encoded.

        Raises:
            SourceError: the file is wrongly encoded, or no record has as many fields as the header.
        """
        fresh = [name for (name,) in self.fetch(statement("scans", number=number)) if name not in self._judged]
        self._judged.update(fresh)
        for name in fresh:
            unreadable = self.fetch(statement("unreadable", table=name))[0][0]
            if unreadable is not None:
                raise wrong_encoding(opened.found, opened.encoding, f"record {unreadable - 1}")
        if fresh and number not in self._gaps:
            broken = self.fetch(statement("rejects", table=fresh[0]))
            self._gaps[number] = [line - 1 for line, *_ in broken]
            self.take_over(opened, table, rows, broken)

    def take_over(self, opened: Opened, table: str, rows: int, broken: list[tuple[Any, ...]]) -> None:
        """Judge and keep broken records: (line, kind, raw, message)."""
        label = opened.found.label
        for line, _, _, message in broken:
            found = _FIELDS.search(message)
            if not rows and found:
                raise api.SourceError(
                    f"no record of {label} has the {found[1]} fields of its header; record {line - 1} has {found[2]}",
                    next_step="Set the delimiter that the rows have, or export the file again.",
                )
        for line, kind, raw, message in broken:
            if _FIELDS.search(message) and raw and is_blank(raw, opened):
                continue
            lines = (raw or "").strip("\r\n").splitlines() if kind == "UNQUOTED VALUE" else [(raw or "").strip("\r\n")]
            why = in_words(kind, message)
            self.rejected += [api.Reject(table, label, why, text, line - 1) for text in lines or [""]]

    def look_again(self, part: Part, number: int, feed: Feed, *, stale: bool = False) -> None:
        """Find record number and raw record of the rows that cannot be used, by a second look at their file."""
        rows = self.rows(part, number, feed, numbered=True, stale=stale)
        for reason, record, raw in self.fetch(
            f"select _reason, _record, _raw from ({statement('look_again', rows=rows)}) order by _record"
        ):
            self.reject(part, feed.table, reason, raw, record)

    def reject(self, part: Part, table: str, reason: str, raw: str, record: int) -> None:
        """Keep a record that cannot be used; a line without a single value, as spreadsheets leave them, is none."""
        if part.query is not None or not is_blank(raw, part.opened):
            self.rejected.append(api.Reject(table, part.label, reason, raw, record))


def is_blank(raw: str, opened: Opened) -> bool:
    """Tell whether a line holds nothing but what separates values."""
    return not raw.strip(f'{opened.delimiter}" \t\r\n')


def in_words(kind: str, message: str) -> str:
    """Say what DuckDB's reader found wrong with a record."""
    fields = _FIELDS.search(message)
    if fields:
        return f"{fields[2]} fields where the header has {fields[1]}"
    if kind == "UNQUOTED VALUE":
        return "a quote that does not close its field"
    return "longer than 2 MB" if kind == "LINE SIZE OVER MAXIMUM" else f"not readable as CSV ({kind.lower()})"


def select_list(feed: Feed) -> str:
    """Return the feed's columns as a select list over ``valued`` rows."""
    return ", ".join(f"{given(feed, name)} as {name}" for name in feed.columns)


def valued(feed: Feed, rows: str) -> str:
    """Return rows with every column's value beside the fields it comes from, so that each is made once."""
    return statement(
        "valued", values=", ".join(f"{sql} as {value_of(name)}" for name, sql in feed.columns.items()), rows=rows
    )


def key_of(feed: Feed) -> str:
    """Return the row's key as one text."""
    names = [name for name in api.TABLES[feed.table].key if name not in ("system", "source")]
    if feed.columns.get("line") == "text_of(_record::varchar)":
        names.remove("line")
    parts = [f"({feed.columns[name]})::varchar" for name in names if name in feed.columns]
    return parts[0] if len(parts) == 1 else f"concat_ws(chr(31), {', '.join(parts)})"


def pages(answer: duckdb.DuckDBPyRelation) -> Iterator[pa.Table]:
    """Yield an answer in tables large enough to store well and small enough to hold."""
    held: list[pa.RecordBatch] = []
    for batch in answer.to_arrow_reader(ROWS):
        held.append(batch)
        if len(held) * ROWS >= PAGE_ROWS or sum(each.nbytes for each in held) >= PAGE_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def usable(page: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows that can be used, and how many cannot."""
    reasons = page.column("_reason")
    broken = len(reasons) - reasons.null_count
    table = page.filter(reasons.is_null()) if broken else page
    return table.drop_columns([name for name in ("_reason", "_raw_lazy") if name in table.column_names]), broken
