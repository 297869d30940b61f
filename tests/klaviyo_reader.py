"""A reader of Klaviyo's streams, as runs read them: each with the cursor of the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from hub import api
from hub.api import TABLES
from tests.klaviyo_kit import Bench

Row = dict[str, Any]
Store = dict[str, dict[tuple[Any, ...], Row]]


class Reader:
    """Reads one stream again and again; ``stored`` is what a catalog would hold: rows by key, the last one wins."""

    def __init__(self, bench: Bench, stream: str, **settings: Any) -> None:
        self.bench, self.stream, self.settings = bench, stream, settings
        self.cursor: Any = None
        self.remaining: dict[str, list[str]] = {}
        self.rejected: list[api.Reject] = []
        self.notes: list[str] = []
        self.calls: list[str] = []
        self.stored: Store = {}
        self.source = bench.source(**settings)

    def read(self, *, pages: int | None = None) -> list[Row]:
        """Return the rows of one more read; with ``pages`` the reader is killed after so many."""
        rows: list[Row] = []
        self.remaining = {}
        before = len(self.bench.vendor.requests)
        self.source = self.bench.source(**self.settings)
        for page in islice(self.source.read(self.stream, self.cursor, self.bench.clock.now), pages):
            for table, some in page.tables.items():
                self._store(table, some)
                rows += some
            if page.cursor is not None:
                self.cursor = json.loads(json.dumps(page.cursor))
            self.remaining |= {each.table: list(each.keys) for each in page.remaining}
            self.rejected += page.rejected
            self.notes += page.notes
        self.calls = [path for _, path, _ in self.bench.vendor.requests[before:]]
        return rows

    def table(self, name: str) -> list[Row]:
        """Return what is stored of a table."""
        return list(self.stored.get(name, {}).values())

    def _store(self, table: str, rows: list[Row]) -> None:
        key = [name for name in TABLES[table].key if name not in {"source", "system"}]
        for row in rows:
            self.stored.setdefault(table, {})[tuple(str(row.get(name)) for name in key)] = row


def plain(store: Mapping[str, Any]) -> str:
    """Return a store as text, for comparing."""
    return json.dumps(
        {table: sorted(([list(key), row] for key, row in rows.items()), key=str) for table, rows in store.items()},
        default=str,
        sort_keys=True,
    )
