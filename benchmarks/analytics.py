"""An Analytics export through the source ``ga4`` into the catalog, beside DuckDB copying the same columns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from figures import Figure, interleaved, measured, seconds
from world import CLIENT, NOW, World, blocks

from hub.sync.lines import close_line

BUDGET = 2.0
DAYS = 30
_CLIENT_FILE = """
name = "Bench"
country = "DK"
currency = "EUR"

[sources.web]
plugin = "ga4"
path = "exports"
"""


def figures(folder: Path, events: int, times: int) -> Iterator[Figure]:
    """Pull the events of a month, one file a day."""
    for name in ("clients", "exports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "hub.toml").touch()
    (folder / "clients" / f"{CLIENT}.toml").write_text(_CLIENT_FILE, encoding="utf-8")
    exports = folder / "exports"
    _export(exports, events // DAYS)
    world = World(folder, events)
    catalog, cache = world.wiring().catalog, world.wiring().folder / "cache"
    size = sum(file.stat().st_size for file in exports.iterdir())
    theirs, stored = folder / "own.duckdb", []

    def pull() -> None:
        catalog.delete()
        shutil.rmtree(cache, ignore_errors=True)
        wiring = world.wiring()
        with wiring.open_ledger() as ledger, wiring.catalog.writer(NOW) as writer:
            reader = wiring.source("web", ledger)
            try:
                pages = reader.read("events", None, NOW)
                report = writer.load("web", "web", "events", reader.streams["events"], pages)
            finally:
                close_line(reader)
        stored.append(report.read["events"])

    def own() -> None:
        theirs.unlink(missing_ok=True)
        with duckdb.connect(theirs) as con:
            con.execute(blocks("files.sql")["analytics_columns"].replace("$files", f"{exports}/*.parquet"))

    pull()
    own()
    pairs = interleaved(pull, own, times)
    with catalog.writer(NOW) as writer:
        people = measured(writer.rebuild)
    catalog.delete()
    theirs.unlink(missing_ok=True)
    yield Figure(
        f"analytics, {events // DAYS * DAYS:,} events in {DAYS} files, {size / 1e6:,.0f} MB",
        f"{pairs.ratio():.2f} × (processor {pairs.ratio('cpu'):.2f} ×)",
        f"≤ {BUDGET:g} × DuckDB reading and writing the same columns",
        pairs.ratio() <= BUDGET and set(stored) == {events // DAYS * DAYS},
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))}; "
        f"joining visitors to people after it: {seconds(people.wall)}",
    )


def _export(folder: Path, size: int) -> None:
    sql = blocks("files.sql")
    with duckdb.connect() as con:
        con.execute(sql["analytics"].replace("$size", str(size)))
        for number in range(DAYS):
            day = date(2026, 10, 1) + timedelta(days=number)
            begins = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
            parts = {"$begins": str(begins), "$day": str(number), "$file": f"{folder}/events_{day:%Y%m%d}.parquet"}
            text = sql["analytics_day"]
            for name, value in parts.items():
                text = text.replace(name, value)
            con.execute(text)
