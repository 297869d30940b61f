"""The contract of sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from hub.api import TABLES, Page, Reach
from hub.catalog import Catalog, CatalogSettings
from hub.config.models import Guards
from hub.testing.connections import ConnectionConformance
from hub.testing.gaps import require

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NOTES = {"_origin", "_record", "_raw"}
Fresh = Callable[[], Any]


class SourceConformance(ConnectionConformance):
    """Check a source: subclass it, name ``plugin`` and ``settings``, and put data there: ``fill`` or a ``stand_in``.

    ``rejected`` is how many rows of that data cannot be used; ``tables`` are those that must get rows.
    """

    kind = "source"
    rejected: ClassVar[int] = 0
    tables: ClassVar[tuple[str, ...]] = ()

    def test_streams_declare_known_tables(self) -> None:
        named = [table for stream in self.plugin.streams.values() for table in stream.tables]
        unknown = sorted({table for table in named if table not in TABLES})
        require(not unknown, f"streams name tables that hub does not know: {', '.join(unknown)}")
        require(len(named) == len(set(named)), "two streams fill the same table")

    def test_pages_keep_to_what_their_stream_declares(self, fresh: Fresh) -> None:
        source = fresh()
        for name, stream in source.streams.items():
            for page in _pages(source, name):
                require(isinstance(page, Page), f"{name} yields something that is not an api.Page")
                strange = sorted(set(page.tables) - set(stream.tables))
                require(not strange, f"{name} yields rows of {', '.join(strange)}, which it does not declare")
                require((page.window is not None) == (stream.kind == "window"), f"{name}: a window goes with that kind")
                json.dumps(page.cursor)

    def test_rows_have_canonical_columns(self, fresh: Fresh) -> None:
        source = fresh()
        for name in source.streams:
            for page in _pages(source, name):
                for table, rows in page.tables.items():
                    known = {column.name for column in TABLES[table].columns} | _NOTES
                    strange = sorted(_columns(rows) - known)
                    require(not strange, f"{name}: {table} has no column {', '.join(strange)}")

    def test_the_catalog_takes_the_rows(self, fresh: Fresh, tmp_path: Path) -> None:
        source = fresh()
        settings = CatalogSettings(
            country="DK", currency="DKK", timezone="Europe/Copenhagen", sources=[("shop", "shop")]
        )
        read: dict[str, int] = {}
        rejected = 0
        with Catalog(tmp_path / "conformance", settings, b"k" * 32).writer(NOW) as writer:
            for name, stream in source.streams.items():
                report = writer.load(
                    "shop", "shop", name, stream, _pages(source, name), guards=Guards(max_rejected=1.0)
                )
                read |= report.read
                rejected += sum(report.rejected.values())
            reasons = sorted({row.reason for row in writer.rejected()})

        require(rejected == self.rejected, f"{rejected} rows cannot be used, not {self.rejected}: {'; '.join(reasons)}")
        empty = [table for table in self.tables if not read.get(table)]
        require(not empty, f"no row came for {', '.join(empty)}")

    def test_the_same_data_is_read_the_same_twice(self, fresh: Fresh) -> None:
        first, second = fresh(), fresh()
        for name in first.streams:
            require(_content(first, name) == _content(second, name), f"{name} gave other rows the second time")

    def test_a_read_goes_on_from_its_cursor(self, fresh: Fresh) -> None:
        source = fresh()
        for name, stream in source.streams.items():
            cursors = [page.cursor for page in _pages(source, name) if page.cursor is not None]
            if not cursors or stream.kind == "window":
                continue
            since = json.loads(json.dumps(cursors[-1]))
            again = _content(fresh(), name, since)
            require(len(again) <= len(_content(source, name)), f"{name} reads more from its cursor than from the start")

    def test_reach_is_told_for_every_table(self, fresh: Fresh) -> None:
        source = fresh()
        for name, stream in source.streams.items():
            for _ in _pages(source, name):
                pass
            for table in stream.tables:
                require(isinstance(source.reach(table), Reach), f"reach({table!r}) returns no api.Reach")

    def test_reading_changes_nothing(self, fresh: Fresh, look: Callable[[], Any]) -> None:
        before = look()
        source = fresh()
        for name in source.streams:
            _content(source, name)

        require(look() == before, "reading changed the other side")


def _pages(source: Any, stream: str, since: Any = None) -> Iterator[Page]:
    pages: Iterator[Page] = source.read(stream, since, NOW)
    return pages


def _columns(rows: Any) -> set[str]:
    if isinstance(rows, pa.Table | pa.RecordBatch | pa.RecordBatchReader):
        return set(rows.schema.names)
    return {name for row in rows for name in row}


def _content(source: Any, stream: str, since: Any = None) -> list[str]:
    """Return every row as text, in the order read."""
    content: list[str] = []
    for page in _pages(source, stream, since):
        for table, rows in sorted(page.tables.items()):
            if isinstance(rows, pa.RecordBatchReader):
                plain = rows.read_all().to_pylist()
            else:
                plain = rows.to_pylist() if isinstance(rows, pa.Table | pa.RecordBatch) else list(rows)
            content += [json.dumps([table, row], sort_keys=True, default=str) for row in plain]
    return content


__all__ = ["NOW", "SourceConformance"]
