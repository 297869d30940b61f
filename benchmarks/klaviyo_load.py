"""The first sync of everybody into Klaviyo's stand-in without its limits, beside a loop that posts the same bodies.

The stand-in is a process of its own, and so is the sync whose memory is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
from figures import Figure, interleaved, seconds
from first_sync import AIM, BATCH, BUDGET, keep_members
from memory import high_water
from world import CLIENT, World, blocks

from hub_klaviyo.stand_in import API_KEY, KlaviyoStandIn

BEYOND = 300_000_000
"""Bytes of memory beside DuckDB's own."""
_LIMIT, _DUCKDB = "1GB", 1_000_000_000
_SECRET = f"HUB_SECRET__{CLIENT.upper()}__VENDOR__API_KEY"
_HEADERS = {"Authorization": f"Klaviyo-API-Key {API_KEY}", "revision": "2026-07-15"}
_SEGMENT = "hub_segment"


def figures(world: World, folder: Path, times: int) -> Iterator[Figure]:
    """Sync into a new list again and again, each time with a new ledger; then once more in a child."""
    rows = folder / "profiles.duckdb"
    size = keep_members(world, rows)
    with stand_in() as address:
        klaviyo = wired(world.folder, world.people, world.orders, address)
        klaviyo.now = world.now
        yield _rate(klaviyo, rows, size, times)
        klaviyo.forget_deliveries()
        yield _memory(klaviyo, size)


def wired(folder: Path, people: int, orders: int, address: str) -> World:
    """Write the client's file so that its destination is Klaviyo at an address."""
    os.environ[_SECRET] = API_KEY
    made = World(folder, people, orders, address, vendor="klaviyo")
    made.use_segments(made.BUYERS)
    return made


def _rate(world: World, rows: Path, size: int, times: int) -> Figure:
    accepted: list[int] = []
    posted: list[int] = []

    def sync() -> None:
        world.forget_deliveries()
        [done] = world.sync().syncs
        accepted.append(done.accepted + done.delivered)

    def loop() -> None:
        with httpx.Client(base_url=world.address, headers=_HEADERS, trust_env=False) as client:
            posted.append(_post(client, rows))

    loop()
    pairs = interleaved(sync, loop, times)
    share = 1 / pairs.ratio()
    return Figure(
        f"first sync into Klaviyo's stand-in, {size:,} members",
        f"{share:.0%} (processor {1 / pairs.ratio('cpu'):.0%})",
        f"≥ {BUDGET:.0%} of a loop's rate (aim {AIM:.0%})",
        share >= BUDGET and accepted == [size] * times and posted == [size] * (times + 1),
        f"{seconds(pairs.middle('left'))} ({size / pairs.middle('left'):,.0f} members/s) "
        f"against {seconds(pairs.middle('right'))}",
    )


def _post(client: httpx.Client, rows: Path) -> int:
    """Read rows, build Klaviyo's bodies and post them, onto a list of the loop's own; return how many went."""
    made = {"data": {"type": "list", "attributes": {"name": "loop"}}}
    list_id = client.post("/api/lists", json=made).raise_for_status().json()["data"]["id"]
    count = 0
    with duckdb.connect(rows, read_only=True) as con:
        for batch in con.sql(blocks("by_hand.sql")["rows"]).to_arrow_reader(BATCH):
            emails, names, countries, orders = (column.to_pylist() for column in batch.columns)
            profiles = [
                {
                    "type": "profile",
                    "attributes": {
                        "email": email,
                        "location": {"country": country},
                        "properties": {"name": name, "orders": bought, _SEGMENT: "loop"},
                    },
                }
                for email, name, country, bought in zip(emails, names, countries, orders, strict=True)
            ]
            job = {
                "data": {
                    "type": "profile-bulk-import-job",
                    "attributes": {"profiles": {"data": profiles}},
                    "relationships": {"lists": {"data": [{"type": "list", "id": list_id}]}},
                }
            }
            client.post("/api/profile-bulk-import-jobs", json=job).raise_for_status()
            count += len(profiles)
    return count


def _memory(world: World, size: int) -> Figure:
    workspace = world.folder / "hub.toml"
    workspace.write_text(f'memory_limit = "{_LIMIT}"\n', encoding="utf-8")
    sizes = (str(world.people), str(world.orders))
    command = [sys.executable, __file__, "sync", str(world.folder), *sizes, world.address]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    workspace.write_text("", encoding="utf-8")
    beyond = int(told) - _DUCKDB
    return Figure(
        f"memory of that, {size:,} members",
        f"{beyond / 1e6:,.0f} MB beyond DuckDB's {_LIMIT}",
        f"≤ {BEYOND / 1e6:,.0f} MB",
        beyond <= BEYOND,
        f"{int(told) / 1e6:,.0f} MB",
    )


@contextmanager
def stand_in() -> Iterator[str]:
    """Run the stand-in in a process of its own and yield its address."""
    process = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _main(step: str, *about: str) -> None:
    if step == "serve":
        serving = KlaviyoStandIn(limits=False, job_seconds=0)
        print(serving.start(), flush=True)
        sys.stdin.read()
        return
    folder, people, orders, address = about
    [done] = wired(Path(folder), int(people), int(orders), address).sync().syncs
    if done.accepted + done.delivered != done.cleared:
        raise SystemExit(f"the sync went wrong: {done}")
    print(high_water())


if __name__ == "__main__":
    _main(*sys.argv[1:])
