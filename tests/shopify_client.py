"""A shop behind the stand-in, and hub reading it as a client's file says: over HTTP, in a time that only sleeping moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.api import Finding, Page
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.check import check_online
from hub.sync.lines import close_line
from hub.sync.numbers import RunNumbers
from hub.sync.run import pull_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_shopify.stand_in import ACCESS_TOKEN, ALL_SCOPES, CLIENT_SECRET, Limits, Shop, ShopifyStandIn

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERMANENT = {"HUB_SECRET__ACME__SHOP__ACCESS_TOKEN": ACCESS_TOKEN}
GRANT = {"HUB_SECRET__ACME__SHOP__CLIENT_SECRET": CLIENT_SECRET}


class Clock:
    """A time that goes on only when somebody sleeps, or is told to."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.seconds = 0.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] | None = None
        self._turn = threading.Lock()

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        with self._turn:
            self.slept.append(seconds)
            self.seconds += seconds
        if self.on_sleep is not None:
            self.on_sleep()

    def go(self, **how_long: float) -> None:
        with self._turn:
            self.seconds += timedelta(**how_long).total_seconds()

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Bench:
    """A client with one source, a shop, and the stand-in between them."""

    folder: Path
    clock: Clock
    shop: Shop
    stand_in: ShopifyStandIn
    address: str = ""
    credential: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: PERMANENT)
    settings: str = ""
    currency: str = "DKK"
    rest: str = ""
    told: list[tuple[str, int, int | None]] = field(default_factory=list)

    def wiring(self, stop: threading.Event | None = None) -> Wiring:
        """Wire the client as a new process would."""
        (self.folder / "clients").mkdir(exist_ok=True)
        (self.folder / "hub.toml").touch()
        (self.folder / "clients" / "acme.toml").write_text(
            'name = "Acme"\ncountry = "DK"\ntimezone = "Europe/Copenhagen"\n'
            + (f'currency = "{self.currency}"\n' if self.currency else "")
            + f'[sources.shop]\nplugin = "shopify"\nstore = "acme"\nsystem = "shop"\naddress = "{self.address}"\n'
            f"{self.credential}\n{self.settings}\n{self.rest}\n",
            encoding="utf-8",
        )
        opened = load_workspace(self.folder)
        around = Surroundings(
            clock=self.clock,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            stop=stop or threading.Event(),
            environ=self.environ,
            progress=lambda what, done, total: self.told.append((what, done, total)),
        )
        return Wiring(opened, load_client(opened, "acme"), Plugins(self.folder), around)

    def pull(self) -> RunNumbers:
        """Pull, and fail with the source's own words."""
        numbers = self.pull_anyhow()
        assert all(source.status == "ok" for source in numbers.sources), numbers.sources
        return numbers

    def pull_anyhow(self, stop: threading.Event | None = None) -> RunNumbers:
        """Pull a second later, however it ends: a read is of what changed before it began."""
        self.clock.go(seconds=1)
        return pull_client(self.wiring(stop))

    def check(self) -> list[Finding]:
        """Return what a check finds."""
        return [finding for _, finding in check_online(self.wiring())]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the catalog as it is now."""
        with self.wiring().catalog.session(self.clock(), self.clock()) as session:
            return session.con.execute(query).fetchall()

    def rows(self, table: str, *columns: str, order: str = "all") -> list[tuple[Any, ...]]:
        """Return a table's rows."""
        return self.ask(f"select {', '.join(columns)} from {table} order by {order}")

    def read(self, stream: str, since: Any = None) -> list[Page]:
        """Read one stream to its end, storing nothing, and return its pages with their rows as lists."""
        with self.source() as source:
            return [_solid(page) for page in source.read(stream, since, self.clock())]

    def cursor(self, stream: str) -> Any:
        """Return what hub keeps of a stream."""
        with self.wiring().catalog.writer(self.clock()) as writer:
            return writer.cursor("shop", stream)

    def cache(self) -> Path:
        """Return the folder where the source may keep files."""
        return self.wiring().folder / "cache" / "shop"

    @contextmanager
    def source(self) -> Iterator[Any]:
        """Make the source as a run does."""
        wiring = self.wiring()
        with wiring.open_ledger() as ledger:
            source = wiring.source("shop", ledger)
            try:
                yield source
            finally:
                close_line(source)

    def asked(self, name: str) -> Any:
        """Return one of the stand-in's numbers."""
        return self.stand_in.state()[name]


def _solid(page: Page) -> Page:
    from dataclasses import replace

    tables = {
        name: rows.to_pylist() if hasattr(rows, "to_pylist") else list(rows) for name, rows in page.tables.items()
    }
    remaining = [replace(each, keys=each.keys.read_all()[0].to_pylist()) for each in page.remaining]
    return replace(page, tables=tables, remaining=remaining)


@contextmanager
def bench(
    folder: Path,
    shop: Shop | None = None,
    *,
    clock: Clock | None = None,
    scopes: Sequence[str] = ALL_SCOPES,
    limits: Limits | None = None,
    **options: Any,
) -> Iterator[Bench]:
    """Serve an empty shop (or the one given) and wire a client to it."""
    clock = clock or Clock()
    shop = shop or Shop(now=clock)
    stand_in = ShopifyStandIn(shop, scopes=scopes, limits=limits or Limits(), **options)
    made = Bench(folder, clock, shop, stand_in, stand_in.start())
    try:
        yield made
    finally:
        stand_in.stop()
