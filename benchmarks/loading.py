"""CSV files through the source ``csv`` into the catalog, beside DuckDB's own ``read_csv`` into a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from figures import Figure, interleaved, seconds
from world import CLIENT, NOW, World, blocks

from hub.sync.lines import close_line

BUDGET = 0.5
_CLIENT_FILE = """
name = "Bench"
country = "DK"
currency = "EUR"

[sources.till]
plugin = "csv"

[[sources.till.files]]
path = "till/orders.csv"
table = "orders"
constants = { currency = "EUR", status = "paid" }
[sources.till.files.columns]
order_id = "Invoice"
customer_id = "Customer"
email = "Mail"
placed_at = "When"
total = "Sum"
discount = "Off"

[sources.shop]
plugin = "csv"
folder = "exports"
"""


def figures(folder: Path, people: int, times: int) -> Iterator[Figure]:
    """Load orders through a mapping, and customers in the layout of a shop's export."""
    for name in ("clients", "till", "exports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "hub.toml").touch()
    (folder / "clients" / f"{CLIENT}.toml").write_text(_CLIENT_FILE, encoding="utf-8")
    world = World(folder, people)
    for source, stream, file, size in (
        ("till", "orders", folder / "till" / "orders.csv", people * 2),
        ("shop", "customers", folder / "exports" / "customers.csv", people),
    ):
        with duckdb.connect() as con:
            query = blocks("files.sql")[stream]
            con.execute(f"copy ({query.replace('$size', str(size))}) to '{file}' (header)")
        yield _load(world, source, stream, file, size, times)


def _load(world: World, source: str, stream: str, file: Path, size: int, times: int) -> Figure:
    wiring = world.wiring()
    ours, theirs = wiring.catalog.path, world.folder / "own.duckdb"
    stored = []

    def load() -> None:
        wiring.catalog.delete()
        with wiring.open_ledger() as ledger, wiring.catalog.writer(NOW) as writer:
            reader = wiring.source(source, ledger)
            try:
                pages = reader.read(stream, None, NOW)
                report = writer.load(source, source, stream, reader.streams[stream], pages)
            finally:
                close_line(reader)
        stored.append(report.read[stream])

    def own() -> None:
        theirs.unlink(missing_ok=True)
        with duckdb.connect(theirs) as con:
            con.execute(f"create table loaded as select * from read_csv('{file}')")

    load()
    own()
    pairs = interleaved(load, own, times)
    ours.unlink(missing_ok=True)
    share = 1 / pairs.ratio()
    return Figure(
        f"loading {size:,} {stream}, {file.stat().st_size / 1e6:,.0f} MB",
        f"{share:.0%} (processor {1 / pairs.ratio('cpu'):.0%})",
        f"≥ {BUDGET:.0%} of read_csv's rate",
        share >= BUDGET and set(stored) == {size},
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))}",
    )
