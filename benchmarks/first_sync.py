"""The first sync of everybody, beside a loop that reads the same rows and posts the same bodies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
from figures import Figure, interleaved, seconds
from server import members_taken, requests_taken
from world import World, blocks

BATCH = 10_000
BUDGET = 0.4
AIM = 0.6


def figures(world: World, folder: Path, times: int) -> Iterator[Figure]:
    """Sync into an empty audience again and again, each time with a new ledger."""
    world.use_segments(world.BUYERS)
    rows = folder / "rows.duckdb"
    size = keep_members(world, rows)
    delivered = []

    def sync() -> None:
        numbers = world.sync()
        delivered.append(numbers.syncs[0].delivered)

    def loop() -> None:
        with duckdb.connect(rows, read_only=True) as con, httpx.Client(trust_env=False) as client:
            for batch in con.sql(blocks("by_hand.sql")["rows"]).to_arrow_reader(BATCH):
                emails, *columns = (column.to_pylist() for column in batch.columns)
                names = batch.schema.names[1:]
                properties = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
                profiles = [
                    {"type": "profile", "attributes": {"email": email, "properties": values}}
                    for email, values in zip(emails, properties, strict=True)
                ]
                client.post(f"{world.address}/loop", json={"profiles": profiles}).raise_for_status()

    def fresh() -> None:
        world.forget_deliveries()
        sync()

    loop()
    before, known = requests_taken(world.address), members_taken(world.address)
    pairs = interleaved(fresh, loop, times)
    calls, arrived = requests_taken(world.address) - before, members_taken(world.address) - known
    share, of_processor = 1 / pairs.ratio(), 1 / pairs.ratio("cpu")
    whole = delivered == [size] * times and arrived == {"/add": times * size, "/loop": times * size}
    whole = whole and calls["/add"] == times * -(-size // BATCH)
    yield Figure(
        f"first sync, {size:,} members",
        f"{share:.0%} (processor {of_processor:.0%})",
        f"≥ {BUDGET:.0%} of a loop's rate (aim {AIM:.0%})",
        share >= BUDGET and whole,
        f"{seconds(pairs.middle('left'))} ({size / pairs.middle('left'):,.0f} members/s) "
        f"against {seconds(pairs.middle('right'))}",
    )


def keep_members(world: World, file: Path) -> int:
    """Write what a loop by hand reads into a table ``kept`` of a file of its own; return how many members that are."""
    with duckdb.connect(world.wiring().catalog.path, read_only=True) as con:
        members = con.sql(blocks("by_hand.sql")["members"]).to_arrow_table()
    with duckdb.connect(file) as con:
        con.register("members", members)
        con.execute("create table kept as select * from members")
    return int(members.num_rows)
