"""A shop whose customers buy as the models say, in a real catalog: what tests of predictions begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from hub import api
from hub.catalog import Catalog, CatalogSettings, Session
from hub.segments import Definition, SegmentResult, run_segments
from tests.kept_catalogs import fill_or_copy

AS_OF = datetime(2026, 3, 1, 12)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)

PAPER = (0.243, 4.414, 0.793, 2.426)
"""r, alpha, a and b (weeks) as published for the CDNOW sample."""
SPENDING = (6.25, 3.74, 15.44)
"""p, q and gamma as published for it."""


@dataclass
class Buyers:
    """Simulated customers: per customer the weeks from the first purchase to now, and to each purchase."""

    ages: Any
    times: list[list[float]]
    worths: list[list[float]]

    @property
    def repeats(self) -> Any:
        return np.array([len(each) - 1 for each in self.times], dtype=float)

    @property
    def recency(self) -> Any:
        return np.array([each[-1] for each in self.times])


def simulate(seed: int, size: int, parameters: Any = PAPER, spending: Any = SPENDING, weeks: float = 78.0) -> Buyers:
    """Let customers buy by the story of BG/NBD and Gamma-Gamma, told purchase by purchase."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = parameters
    p, q, gamma = spending
    ages = rng.uniform(weeks / 3, weeks, size)
    rates, leaving, scales = rng.gamma(r, 1 / alpha, size), rng.beta(a, b, size), rng.gamma(q, 1 / gamma, size)
    times, worths = [], []
    for age, rate, leaves, scale in zip(ages, rates, leaving, scales, strict=True):
        bought = [0.0]
        while (after := bought[-1] + rng.exponential(1 / rate)) <= age:
            bought.append(after)
            if rng.random() < leaves:
                break
        times.append(bought)
        worths.append(list(rng.gamma(p, 1 / scale, len(bought))))
    return Buyers(ages, times, worths)


@dataclass
class PredictedShop:
    """Rows of a shop, loaded into a catalog when asked."""

    as_of: datetime = AS_OF
    orders: list[dict[str, Any]] = field(default_factory=list)
    carts: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    people: dict[str, None] = field(default_factory=dict)

    def order(self, name: str, age: timedelta, total: Any = 50, **more: Any) -> None:
        """Add a paid order placed so long ago."""
        self.people.setdefault(name)
        row = {"order_id": f"o{len(self.orders)}", "customer_id": name, "placed_at": self.as_of - age}
        unless = {"refunded": None, "status": "paid", "test": None, "cart_id": None}
        self.orders.append(row | {"total": f"{total:.2f}"} | unless | more)

    def cart(self, name: str, age: timedelta, total: Any = 50, **more: Any) -> None:
        """Add a cart begun, and last changed, so long ago."""
        self.people.setdefault(name)
        row = {"cart_id": f"k{len(self.carts)}", "customer_id": name, "created_at": self.as_of - age}
        unless = {"updated_at": None, "completed_at": None, "recovery_url": None, "step": None}
        self.carts.append(row | {"total": None if total is None else f"{total:.2f}"} | unless | more)

    def line(self, quantity: int | None, price: Any) -> None:
        """Add a line to the last cart."""
        row = {"cart_id": self.carts[-1]["cart_id"], "line": f"{len(self.lines)}", "quantity": quantity}
        self.lines.append(row | {"unit_price": None if price is None else f"{price:.2f}"})

    def buyers(self, buyers: Buyers, prefix: str = "c") -> None:
        """Add simulated customers, their times in whole seconds."""
        for number, (age, times, worths) in enumerate(zip(buyers.ages, buyers.times, buyers.worths, strict=True)):
            for time, worth in zip(times, worths, strict=True):
                ago = timedelta(seconds=round((age - time) * WEEK / timedelta(seconds=1)))
                self.order(f"{prefix}{number}", ago, max(worth, 0.01))

    @contextmanager
    def session(self, *, backwards: bool = False, as_of: datetime | None = None) -> Iterator[Session]:
        """Load the rows into a catalog and open it."""
        with TemporaryDirectory() as folder:
            now = self.as_of.replace(tzinfo=UTC)
            settings = CatalogSettings(country="DK", currency="DKK", sources=(("shop", "shop"),), memory_limit="1GB")
            catalog = Catalog(Path(folder), settings, b"k" * 32)
            told = [self.as_of, list(self.people), self.orders, self.carts, self.lines, backwards]
            fill_or_copy(catalog.path, told, lambda: self._fill(catalog, now, backwards))
            with catalog.session((as_of or self.as_of).replace(tzinfo=UTC), now) as session:
                yield session

    def _fill(self, catalog: Catalog, now: datetime, backwards: bool) -> None:
        tables = self._tables(backwards)
        with catalog.writer(now) as writer:
            stream = api.Stream(tables=tuple(tables), kind="changes")
            writer.load("shop", "shop", "all", stream, [api.Page(tables)])
            writer.set_reach("shop", dict.fromkeys(tables, api.Reach(None, now)))
            writer.rebuild()

    def _tables(self, backwards: bool) -> dict[str, pa.Table]:
        known = self.as_of - 5000 * DAY
        customers = [{"customer_id": name, "email": f"{name}@example.com", "created_at": known} for name in self.people]
        rows = {"customers": customers, "orders": self.orders, "carts": self.carts, "cart_lines": self.lines}
        step = -1 if backwards else 1
        return {name: pa.Table.from_pylist(found[::step]) for name, found in rows.items() if found}


def people_of(session: Session) -> dict[int, str]:
    """Return everybody's name by person_id."""
    return dict(session.con.execute("select person_id, customer_id from people").fetchall())


def ran(session: Session, definition: Definition) -> SegmentResult:
    """Run a segment; a failure is the test's failure."""
    result = run_segments(session, [definition])[definition.name]
    if result.error is not None:
        raise result.error
    return result


def evidence(session: Session, definition: Definition) -> dict[str, dict[str, Any]]:
    """Return the evidence of a segment's members by name."""
    result = ran(session, definition)
    assert result.table is not None, result.refused
    names = people_of(session)
    answer = session.con.execute(f"select * from {result.table}")
    columns = [column[0] for column in answer.description or ()]
    return {names[row[0]]: dict(zip(columns[1:], row[1:], strict=True)) for row in answer.fetchall()}


def shop_of(seed: int = 1, size: int = 600, **more: Any) -> PredictedShop:
    """Return a shop of simulated customers."""
    shop = PredictedShop()
    shop.buyers(simulate(seed, size, **more))
    return shop
