"""JSON lines of a Shopify bulk operation through the source ``shopify``, beside a loop that only decodes them.

The source reads JSON with DuckDB, so the loop does, too: it takes every key of every line out as Arrow and drops it.
The peak memory is that of a process of its own, for a file and for one five times as long.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from figures import Figure, interleaved, seconds
from memory import high_water
from world import CLIENT, NOW, blocks

from hub.config import load_client, load_workspace
from hub.ledger import Ledger
from hub.plugins import Plugins
from hub.sync.lines import close_line
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_shopify.stand_in import ACCESS_TOKEN, Limits, Shop, ShopifyStandIn

BUDGET = 0.25
MORE = 0.25
SHORTER = 5
_CHUNK = 1_000_000
_CLIENT_FILE = """
name = "Bench"
country = "DK"
currency = "EUR"

[sources.shop]
plugin = "shopify"
store = "bench"
address = "{address}"
"""


def figures(folder: Path, lines: int, times: int) -> Iterator[Figure]:
    """Read the lines of one operation, and compare with decoding; then compare the memory of two lengths."""
    folder.mkdir(parents=True)
    file = folder / "orders.jsonl"
    write_lines(file, lines)
    with served(file) as address:
        yield _rate(folder / "shop", file, lines, times, address)
    yield _memory(folder, file, lines)


def write_lines(file: Path, lines: int) -> None:
    """Write what a bulk operation would: orders and their lines."""
    sql = blocks("lines.sql")
    with duckdb.connect() as con, file.open("wb") as whole:
        for start in range(0, lines, _CHUNK):
            part = file.with_suffix(".part")
            chosen = sql["orders"].replace("$from", str(start)).replace("$until", str(min(start + _CHUNK, lines)))
            con.execute(sql["written"].replace("{lines}", chosen).replace("{file}", str(part)))
            with part.open("rb") as written:
                shutil.copyfileobj(written, whole)
            part.unlink()


def _rate(folder: Path, file: Path, lines: int, times: int, address: str) -> Figure:
    wiring = wire(folder, address)
    with wiring.open_ledger() as ledger:
        begun = time.perf_counter()
        cursor, cached, kept = _fetch(wiring, ledger, folder)
        fetched = time.perf_counter() - begun
        rows = []

        def read() -> None:
            os.link(kept, cached)
            rows.append(_read(wiring, ledger, cursor))

        pairs = interleaved(read, lambda: _decode(file), times)
    plain = _plain_loop(file, min(lines, 100_000)) * lines / min(lines, 100_000)
    share = 1 / pairs.ratio()
    return Figure(
        f"Shopify, {lines:,} JSON lines to rows, {file.stat().st_size / 1e6:,.0f} MB",
        f"{share:.0%} (processor {1 / pairs.ratio('cpu'):.0%})",
        f"≥ {BUDGET:.0%} of the rate of decoding alone",
        share >= BUDGET and set(rows) == {lines},
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))} in DuckDB and about "
        f"{seconds(plain)} in Python's json; begun and fetched before in {seconds(fetched)}",
    )


def _memory(folder: Path, file: Path, lines: int) -> Figure:
    short = folder / "short.jsonl"
    write_lines(short, lines // SHORTER)
    few, many = (_peak(folder / f"memory-{each.stem}", each) for each in (short, file))
    more = many / few - 1
    return Figure(
        f"Shopify, memory, {lines:,} against {lines // SHORTER:,} JSON lines",
        f"{more:+.0%}",
        f"≤ +{MORE:.0%}",
        more <= MORE,
        f"{many / 1e6:,.0f} MB against {few / 1e6:,.0f} MB",
    )


def wire(folder: Path, address: str) -> Wiring:
    """Wire a client to the shop that is served at an address."""
    (folder / "clients").mkdir(parents=True)
    (folder / "hub.toml").touch()
    (folder / "clients" / f"{CLIENT}.toml").write_text(_CLIENT_FILE.format(address=address), encoding="utf-8")
    workspace = load_workspace(folder)
    environ = {f"HUB_SECRET__{CLIENT.upper()}__SHOP__ACCESS_TOKEN": ACCESS_TOKEN}
    around = Surroundings(environ=environ, sleep=lambda _seconds: None, monotonic=_always_later())
    return Wiring(workspace, load_client(workspace, CLIENT), Plugins(folder), around)


def _always_later() -> Any:
    """Return a clock by which every pause is over: waiting for Shopify is no part of the figure."""
    moment = 0.0

    def monotonic() -> float:
        nonlocal moment
        moment += 1000.0
        return moment

    return monotonic


def _fetch(wiring: Wiring, ledger: Ledger, folder: Path) -> tuple[Any, Path, Path]:
    """Read until the file is there; return the cursor kept by then, the file, and a second name of it."""
    source = wiring.source("shop", ledger)
    try:
        for page in source.read("orders", None, NOW):
            if page.tables:
                break
    finally:
        close_line(source)
    [cached] = [path for path in source.shop.cache.iterdir() if path.is_file()]
    kept = folder / "kept"
    cached.rename(kept)
    return page.cursor, cached, kept


def _read(wiring: Wiring, ledger: Ledger, cursor: Any) -> int:
    source = wiring.source("shop", ledger)
    try:
        pages = source.read("orders", cursor, NOW)
        return sum(rows.num_rows for page in pages for rows in page.tables.values())
    finally:
        close_line(source)


def _decode(file: Path) -> None:
    with duckdb.connect() as con:
        con.execute("set variable file = $file", {"file": str(file)})
        query = blocks("lines.sql")["decoded"].replace("$file", "getvariable('file')")
        for _ in con.sql(query).to_arrow_reader(10_000):
            pass


def _plain_loop(file: Path, lines: int) -> float:
    begun = time.perf_counter()
    with file.open("rb") as opened:
        for _, line in zip(range(lines), opened, strict=False):
            json.loads(line)
    return time.perf_counter() - begun


@contextmanager
def served(file: Path) -> Iterator[str]:
    """Serve a shop whose orders are those lines, in a process of its own."""
    command = [sys.executable, __file__, "serve", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def _peak(folder: Path, file: Path) -> int:
    with served(file) as address:
        command = [sys.executable, __file__, "read", str(folder), address]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _main(what: str, *rest: str) -> None:
    if what == "serve":
        stand_in = ShopifyStandIn(Shop(), prepared={"orders": Path(rest[0])}, limits=Limits(bulk_polls=1))
        print(stand_in.start(), flush=True)
        sys.stdin.read()
        stand_in.stop()
        return
    wiring = wire(Path(rest[0]), rest[1])
    with wiring.open_ledger() as ledger:
        _read(wiring, ledger, None)
    print(high_water())


if __name__ == "__main__":
    _main(*sys.argv[1:])
