"""A workspace with one made-up shop of any size, wired as a user would wire it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from hub.api import Page, Reach, Stream
from hub.catalog import Reading
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.numbers import RunNumbers
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIENT = "bench"
PAGE = 500_000

SIX = ("high-spenders", "low-spenders", "one-time", "coupon-lovers", "inactive", "cart-abandoners")

_CLIENT_FILE = """
name = "Bench"
timezone = "Europe/Copenhagen"
country = "DK"
currency = "EUR"

[sources.shop]
plugin = "csv"
folder = "exports"

[destinations.vendor]
plugin = "{vendor}"
address = "{address}"

[syncs.everyone]
segment = "{segment}"
destination = "vendor"
audience = "everyone"
attributes = {{ name = "first_name", country = "country", orders = "orders" }}
"""
Settings = Mapping[str, str | int]


@dataclass(slots=True)
class World:
    """One shop's workspace; ``now`` moves on with every sync."""

    BUYERS: ClassVar[Mapping[str, Settings]] = {"buyers": {"plugin": "inactive", "inactive": "1d"}}
    """Everybody: each bought at least once, and nobody today."""

    folder: Path
    people: int
    orders: int = 0
    address: str = "http://127.0.0.1:9"
    now: datetime = NOW
    vendor: str = "loopback"

    def use_segments(self, segments: Mapping[str, Settings]) -> None:
        """Write the client's file with these segments; the first is synced."""
        told = {
            name: "\n".join(
                (f"[segments.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()))
            )
            for name, settings in segments.items()
        }
        self.write_segments(told)

    def write_segments(self, segments: Mapping[str, str]) -> None:
        """Write the client's file with these segments, each as TOML; the first is synced."""
        text = _CLIENT_FILE.format(vendor=self.vendor, address=self.address, segment=next(iter(segments)))
        text += "".join(f"\n{told}\n" for told in segments.values())
        (self.folder / "clients" / f"{CLIENT}.toml").write_text(text, encoding="utf-8")

    def wiring(self) -> Wiring:
        """Read the configuration and get ready to work, as a command does."""
        workspace = load_workspace(self.folder)
        around = Surroundings(clock=lambda: self.now)
        return Wiring(workspace, load_client(workspace, CLIENT), Plugins(self.folder), around)

    def sync(self) -> RunNumbers:
        """Do what ``hub sync bench --no-pull --force`` does, a quarter of an hour after the last time."""
        self.now += timedelta(minutes=15)
        return run_client(self.wiring(), RunOptions("sync", pull=False, force=True))

    def fill(self, sizes: Mapping[str, int]) -> None:
        """Load so many rows of each table, page by page, the way a source does."""
        wiring = self.wiring()
        with wiring.catalog.writer(NOW) as writer:
            for name, size in sizes.items():
                pages = _pages(name, self.people, size)
                writer.load("shop", "shop", name, Stream((name,), "snapshot"), pages)
                writer.set_reach("shop", {name: Reach(fresh_until=NOW)})
            writer.set_reading(Reading("shop", tuple(wiring.plugins.load("source", "csv").streams)), "shop")
            writer.rebuild()

    def forget_deliveries(self) -> None:
        """Start with an empty ledger again."""
        for path in self.wiring().folder.glob("ledger.sqlite*"):
            path.unlink()


def make_world(
    folder: Path, people: int, orders: int, *, address: str = "http://127.0.0.1:9", memory_limit: str | None = None
) -> World:
    """Write a workspace and fill its catalog, page by page, the way a source does."""
    for name in ("clients", "plugins", "exports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    limit = f'memory_limit = "{memory_limit}"\n' if memory_limit else ""
    (folder / "hub.toml").write_text(limit, encoding="utf-8")
    plugin = (HERE / "loopback_plugin.py").read_text(encoding="utf-8")
    (folder / "plugins" / "loopback.py").write_text(plugin, encoding="utf-8")
    world = World(folder, people, orders, address)
    world.use_segments(world.BUYERS)
    carts = people // 20
    world.fill({"customers": people, "consents": people, "orders": orders, "carts": carts, "cart_lines": carts})
    return world


def _pages(name: str, people: int, size: int) -> Iterator[Page]:
    sql = blocks("world.sql")[name]
    with duckdb.connect() as con:
        for start in range(0, size, PAGE):
            values: dict[str, Any] = {"from": start, "until": min(start + PAGE, size)}
            values |= {name: known for name, known in (("people", people), ("size", size)) if f"${name}" in sql}
            rows: pa.Table = con.sql(sql, params=values).to_arrow_table()
            yield Page({name: rows})


def blocks(file: str) -> dict[str, str]:
    """Read the named blocks of a file of SQL beside this module."""
    text = (HERE / file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
