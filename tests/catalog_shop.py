"""A catalog in a temporary folder, filled with plain rows: what the catalog's tests begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.api import TABLES, Page, Stream
from hub.catalog import Catalog, CatalogSettings, OptOut, Session, StreamReport, Writer
from hub.config.models import Guards

KEY = b"k" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = tuple(TABLES)
Rows = Mapping[str, Any]
_SHOPS: list[Shop] = []


def days(number: float) -> datetime:
    """Return the instant so many days before now."""
    return NOW - timedelta(days=number)


class Shop:
    """One client's catalog; ``sources`` are (name, system), the first wins.

    As in a run, sources that are loaded one after the other are merged once, after the last; what is asked one after
    the other is asked in one session. Whoever wants the catalog itself finds it closed.
    """

    def __init__(self, folder: Path, sources: Sequence[tuple[str, str]] = (("shop", "shop"),), **settings: Any) -> None:
        for other in _SHOPS:
            if other._folder == folder:
                other.close()
        values: dict[str, Any] = {"country": "DK", "currency": "DKK"} | settings
        self._catalog = Catalog(folder, CatalogSettings(sources=tuple(sources), **values), KEY)
        self._folder = folder
        self._open = ExitStack()
        self._writing: tuple[Writer, datetime, set[str]] | None = None
        self._asking: tuple[Session, datetime] | None = None
        self.systems = dict(sources)
        self.blocks: list[OptOut] = []
        _SHOPS.append(self)

    @property
    def catalog(self) -> Catalog:
        """The catalog, with all that was loaded merged, and held by nobody."""
        self.close()
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self.close()
        self._catalog = catalog

    @property
    def folder(self) -> Path:
        """Where the file lies, closed."""
        self.close()
        return self._folder

    def close(self) -> None:
        """Merge what was loaded, and let go of the file."""
        opened, writing = self._open, self._writing
        self._open, self._writing, self._asking = ExitStack(), None, None
        with opened:
            if writing:
                writing[0].rebuild()

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
        """Load pages of one stream; they are merged before anybody looks, by the session where ``rebuild`` is False."""
        made = [page if isinstance(page, Page) else Page(page) for page in pages]
        writer = self._writer(source, now)
        try:
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
        except BaseException:
            self._let_go()
            raise
        if not rebuild:
            self._let_go()
        return report

    def _writer(self, source: str, now: datetime) -> Writer:
        """Return the writer of a run that has not read the source yet."""
        if self._writing is None or self._writing[1] != now or source in self._writing[2]:
            self.close()
            self._writing = (self._open.enter_context(self._catalog.writer(now)), now, set())
        self._writing[2].add(source)
        return self._writing[0]

    def _let_go(self) -> None:
        """Close the file without merging, as a run does that failed."""
        self._writing = None
        self.close()

    @contextmanager
    def session(self, as_of: datetime = NOW) -> Iterator[Session]:
        """Open the catalog as of an instant."""
        with self.catalog.session(as_of, NOW) as session:
            yield session

    def ask(self, query: str, as_of: datetime = NOW) -> list[tuple[Any, ...]]:
        """Return the answer to a query."""
        if self._asking is None or self._asking[1] != as_of:
            self.close()
            self._asking = (self._open.enter_context(self._catalog.session(as_of, NOW)), as_of)
        return self._asking[0].con.execute(query).fetchall()

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
        shop = Shop(Path(folder), sources, **settings)
        try:
            yield shop
        finally:
            shop.close()


def close_all() -> None:
    """Close every shop of a test: what it loaded last must merge, too."""
    while _SHOPS:
        _SHOPS.pop().close()


def order(order_id: str, age: float, total: Any = 10, **values: Any) -> dict[str, Any]:
    """Return a paid order placed so many days ago."""
    return {"order_id": order_id, "placed_at": days(age), "total": str(total), "status": "paid"} | values


def erasure(addresses: Iterable[str], recorded_at: datetime) -> pa.Table:
    """Return the ledger's erasures as the catalog gets them."""
    from hub.keys import keyed_hash

    keys = [keyed_hash(KEY, address) for address in addresses]
    times = pa.array([recorded_at.replace(tzinfo=None)] * len(keys), pa.timestamp("us"))
    return pa.table({"address_key": pa.array(keys, pa.string()), "recorded_at": times})
