"""A workspace with an Analytics export, read through the source's public surface and through whole pulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub import api
from hub.testing import Notes, make_connection
from hub_ga4 import Ga4
from tests.ga4_export import Export

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    """Read an instant of November 2026, UTC: ``20 09:30`` or ``20 09:30:05``."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"2026-11-{day.zfill(2)}T{clock or '12:00'}+00:00")


@dataclass
class Read:
    """What one read of a stream gave."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    windows: list[tuple[datetime, datetime] | None] = field(default_factory=list)
    rejected: list[api.Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    totals: list[int | None] = field(default_factory=list)
    cursor: Any = None

    @property
    def pages(self) -> int:
        return len(self.windows)

    def column(self, name: str, table: str = "events") -> list[Any]:
        return [row[name] for row in self.tables.get(table, [])]


@dataclass
class Analytics:
    """A workspace whose source reads ``ga4/``."""

    workspace: Path
    settings: Mapping[str, Any] = field(default_factory=lambda: {"path": "ga4"})
    secrets: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.export = Export(self.workspace / "ga4")
        self.export.folder.mkdir(parents=True, exist_ok=True)

    def source(self, **settings: Any) -> Ga4:
        return make_connection(
            Ga4, {**self.settings, **settings}, self.workspace, remember=Notes(), secrets=self.secrets
        )

    def read(self, stream: str = "events", since: Any = None, **settings: Any) -> Read:
        result = Read()
        for page in self.source(**settings).read(stream, since, NOW):
            for table, rows in page.tables.items():
                plain = rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows
                result.tables.setdefault(table, []).extend(plain.to_pylist())
            result.windows.append(page.window)
            result.rejected += page.rejected
            result.notes += page.notes
            result.totals.append(page.total)
            result.cursor = page.cursor or result.cursor
        return result

    def carts(self, **settings: Any) -> list[dict[str, Any]]:
        """Return the carts with their lines, the earliest first."""
        read = self.read("carts", **settings)
        lines: dict[str, list[dict[str, Any]]] = {}
        for line in read.tables.get("cart_lines", []):
            lines.setdefault(line["cart_id"], []).append(line)
        carts = sorted(read.tables.get("carts", []), key=lambda cart: (cart["created_at"], cart["visitor_id"]))
        return [cart | {"lines": sorted(lines.get(cart["cart_id"], []), key=lambda x: x["line"])} for cart in carts]

    def findings(self, **settings: Any) -> list[api.Finding]:
        return list(self.source(**settings).check())


def codes(findings: Sequence[api.Finding]) -> set[str | None]:
    return {finding.code for finding in findings if finding.level in (api.Level.WARNING, api.Level.ERROR)}
