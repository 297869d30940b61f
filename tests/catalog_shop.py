"""A catalog in a temporary folder, filled with plain rows: what the catalog's tests begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.api import TABLES, Page, Stream
from hub.catalog import Catalog, CatalogSettings, OptOut, Session, StreamReport
from hub.config.models import Guards

KEY = b"k" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = tuple(TABLES)
Rows = Mapping[str, Any]


def days(number: float) -> datetime:
    """Return the instant so many days before now."""
    return NOW - timedelta(days=number)


class Shop:
    """One client's catalog; ``sources`` are (name, system), the first wins."""

    def __init__(self, folder: Path, sources: Sequence[tuple[str, str]] = (("shop", "shop"),), **settings: Any) -> None:
        values: dict[str, Any] = {"country": "DK", "currency": "DKK"} | settings
        self.catalog = Catalog(folder, CatalogSettings(sources=tuple(sources), **values), KEY)
        self.folder = folder
        self.systems = dict(sources)
        self.blocks: list[OptOut] = []

    def load(
        self,
        *pages: Page | Rows,
        source: str = "shop",
        stream: str = "all",
        kind: Any = "changes",
        guards: Guards | None = None,
        accept_shrink: Mapping[str, int] | None = None,
        erasures: pa.Table | None = None,
        now: datetime = NOW,
        rebuild: bool = True,
    ) -> StreamReport:
        """Load pages of one stream and rebuild; a session rebuilds by itself where that was left out."""
        made = [page if isinstance(page, Page) else Page(page) for page in pages]
        with self.catalog.writer(now) as writer:
            report = writer.load(
                source,
                self.systems[source],
                stream,
                Stream(ALL, kind),
                made,
                guards=guards,
                accept_shrink=accept_shrink,
                erasures=erasures,
                on_blocks=self.blocks.extend,
            )
            if rebuild:
                writer.rebuild()
        return report

    @contextmanager
    def session(self, as_of: datetime = NOW) -> Iterator[Session]:
        """Open the catalog as of an instant."""
        with self.catalog.session(as_of, NOW) as session:
            yield session

    def ask(self, query: str, as_of: datetime = NOW) -> list[tuple[Any, ...]]:
        """Return the answer to a query."""
        with self.session(as_of) as session:
            return session.con.execute(query).fetchall()

    def facts(self, *columns: str, as_of: datetime = NOW) -> dict[str, dict[str, Any]]:
        """Return the facts by person_ref."""
        with self.session(as_of) as session:
            session.prepare_facts(columns or None)
            answer = session.con.execute("select p.person_ref, f.* from facts as f join people as p using (person_id)")
            names = [part[0] for part in answer.description or ()]
            return {row[0]: dict(zip(names[2:], row[2:], strict=True)) for row in answer.fetchall()}

    def persons(self) -> list[frozenset[tuple[str, str | None, str]]]:
        """Return the addresses of each person, as sets."""
        rows = self.ask(
            "select list(distinct struct_pack(k := kind, s := system, v := value)) from identities group by person_id"
        )
        return sorted(
            (frozenset((part["k"], part["s"], part["v"]) for part in row[0]) for row in rows),
            key=lambda p: sorted(map(str, p)),
        )


@contextmanager
def a_shop(sources: Sequence[tuple[str, str]] = (("shop", "shop"),), **settings: Any) -> Iterator[Shop]:
    """Make a shop whose folder goes when the test ends; for tests that make many."""
    with tempfile.TemporaryDirectory() as folder:
        yield Shop(Path(folder), sources, **settings)


def order(order_id: str, age: float, total: Any = 10, **values: Any) -> dict[str, Any]:
    """Return a paid order placed so many days ago."""
    return {"order_id": order_id, "placed_at": days(age), "total": str(total), "status": "paid"} | values


def erasure(addresses: Iterable[str], recorded_at: datetime) -> pa.Table:
    """Return the ledger's erasures as the catalog gets them."""
    from hub.keys import keyed_hash

    keys = [keyed_hash(KEY, address) for address in addresses]
    times = pa.array([recorded_at.replace(tzinfo=None)] * len(keys), pa.timestamp("us"))
    return pa.table({"address_key": pa.array(keys, pa.string()), "recorded_at": times})
