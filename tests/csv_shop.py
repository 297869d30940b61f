"""A workspace with CSV files, read through the source's public surface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub import api
from hub_csv import CsvSource

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class NoMemory:
    """Remember nothing: files need no store."""

    def get(self, key: str) -> Any:
        return None

    def set(self, key: str, value: Any) -> None:
        return None


@dataclass
class Read:
    """What one read of a stream gave."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rejected: list[api.Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cursor: Any = None
    pages: int = 0

    def column(self, table: str, name: str) -> list[Any]:
        return [row.get(name) for row in self.tables[table]]


@dataclass
class CsvShop:
    """A workspace; ``write`` puts files into it, ``read`` reads a stream of a source configured so."""

    workspace: Path
    timezone: str = "Europe/Copenhagen"

    def write(self, name: str, content: str | bytes, *, made: datetime = NOW) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (made.timestamp(), made.timestamp()))
        return path

    def source(self, settings: Mapping[str, Any] | None = None) -> CsvSource:
        shop = api.Shop(
            client="acme",
            name="Acme",
            timezone=self.timezone,
            country="DK",
            currency="DKK",
            workspace=self.workspace,
            cache=self.workspace / ".hub" / "cache",
        )
        config = CsvSource.Config.model_validate(settings or {"folder": "exports"})
        return CsvSource(connection="shop", config=config, shop=shop, remember=NoMemory())

    def read(self, stream: str, settings: Mapping[str, Any] | None = None, since: Any = None) -> Read:
        result = Read()
        for page in self.source(settings).read(stream, since, NOW):
            result.pages += 1
            for table, rows in page.tables.items():
                assert isinstance(rows, pa.Table)
                result.tables.setdefault(table, []).extend(rows.to_pylist())
            result.rejected += page.rejected
            result.notes += page.notes
            result.cursor = page.cursor or result.cursor
        return result

    def mapped(self, mapping: Mapping[str, Any], since: Any = None) -> Read:
        stream = CsvSource.Config.model_validate({"files": [mapping]}).files[0].stream
        return self.read(stream, {"files": [mapping]}, since)
