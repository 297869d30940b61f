"""A shop of named people in a real catalog: what tests of strategies that read many tables begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub import api
from hub.catalog import Catalog, CatalogSettings, Session
from hub.segments import Definition, Explanation, SegmentResult, explain, run_segments
from tests.kept_catalogs import fill_or_copy

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)

Row = dict[str, Any]
CHILDREN = {"orders": "order_lines", "carts": "cart_lines"}


class Shop:
    """Collects rows of named people per source, then answers about segments; a name is also the customer's id."""

    def __init__(self, folder: Path, as_of: datetime = AS_OF, timezone: str = "UTC") -> None:
        self.as_of = as_of
        self.timezone = timezone
        self.rows: dict[str, dict[str, list[Row]]] = {"shop": {}}
        self.reaches: dict[str, api.Reach] = {}
        self._folder = folder
        self._stack = ExitStack()
        self._session: Session | None = None

    # What is in it.

    def add(self, table: str, row: Row, source: str = "shop") -> None:
        """Add a row to a table of a source; naming a table without rows makes the source give it."""
        self.gives(table, source=source)
        self.rows[source][table].append(row)

    def gives(self, *tables: str, source: str = "shop") -> None:
        """Let a source give tables, empty so far."""
        for table in tables:
            self.rows.setdefault(source, {}).setdefault(table, [])

    def ago(self, age: timedelta) -> str:
        return (self.as_of - age).isoformat()

    def person(self, name: str, **more: Any) -> None:
        """Add a customer, known for 5,000 days."""
        self.add("customers", who(name) | {"created_at": self.ago(5000 * DAY)} | more)

    def people(self, *names: str) -> None:
        for name in names:
            self.person(name)

    def order(self, name: str | None, age: timedelta, total: Any = 100, *lines: Row, **more: Any) -> None:
        """Add a paid order placed so long ago, with its lines."""
        self.gives("orders", "order_lines")
        number = f"o{len(self.rows['shop']['orders'])}"
        row = {"order_id": number, "placed_at": self.ago(age), "total": str(total), "status": "paid"}
        self.add("orders", (who(name) if name else {}) | row | more)
        for line, values in enumerate(lines, 1):
            self.add("order_lines", {"order_id": more.get("order_id", number), "line": str(line)} | texts(values))

    def cart(self, name: str, age: timedelta, total: Any = 100, *lines: Row, **more: Any) -> None:
        """Add a cart begun, and last changed, so long ago, with its lines."""
        self.gives("carts", "cart_lines")
        number = f"k{len(self.rows['shop']['carts'])}"
        row = {"cart_id": number, "created_at": self.ago(age), "total": None if total is None else str(total)}
        self.add("carts", who(name) | row | more)
        for line, values in enumerate(lines, 1):
            self.add("cart_lines", {"cart_id": more.get("cart_id", number), "line": str(line)} | texts(values))

    def event(self, name: str | None, age: timedelta, event: str = "view_item", **more: Any) -> None:
        """Add something a signed-in customer did; without a name a stranger, by ``visitor_id``."""
        number = f"e{len(self.rows['shop'].get('events', []))}"
        row = {"event_id": number, "name": event, "happened_at": self.ago(age), "analytics_consent": "true"}
        self.add("events", ({"user_id": name} if name else {}) | row | texts(more))

    def mail(self, name: str, age: timedelta, kind: str = "sent", campaign: str = "spring", **more: Any) -> None:
        """Add what somebody did with a mail; ``machine`` is unknown unless given, ``source`` is the mailing tool."""
        source = more.pop("source", "shop")
        row = {"subject": f"{name}@example.com", "kind": kind, "campaign": campaign, "happened_at": self.ago(age)}
        self.add("engagement", row | texts(more), source)

    def trait(self, name: str, trait: str, value: str | None, age: timedelta | None = DAY, **more: Any) -> None:
        """Add an answer."""
        source = more.pop("source", "shop")
        at = None if age is None else self.ago(age)
        self.add("traits", {"subject": name, "name": trait, "value": value, "recorded_at": at} | more, source)

    # What segments say.

    @property
    def session(self) -> Session:
        """The catalog, loaded with the rows so far and opened."""
        if self._session is None:
            self._session = self._stack.enter_context(self._open())
        return self._session

    @contextmanager
    def _open(self) -> Iterator[Session]:
        now = self.as_of
        settings = CatalogSettings(
            country="DK",
            currency="DKK",
            timezone=self.timezone,
            sources=tuple((name, "shop") for name in self.rows),
            memory_limit="500MB",
        )
        catalog = Catalog(self._folder, settings, b"k" * 32)
        told = [self.rows, self.reaches, self.as_of, self.timezone]
        fill_or_copy(catalog.path, told, lambda: self._fill(catalog))
        with catalog.session(now, now) as session:
            yield session

    def _fill(self, catalog: Catalog) -> None:
        with catalog.writer(self.as_of) as writer:
            for source, tables in self.rows.items():
                if tables:
                    stream = api.Stream(tables=tuple(tables), kind="changes")
                    writer.load(source, "shop", "all", stream, [api.Page(dict(tables))])
                reaches = {table: self.reaches.get(table, api.Reach(None, self.as_of)) for table in tables}
                writer.set_reach(source, reaches)
            writer.rebuild()

    def close(self) -> None:
        self._stack.close()
        self._session = None

    def result(self, definition: Definition, *others: Definition) -> SegmentResult:
        """Run a segment; a failure is the test's failure."""
        results = run_segments(self.session, [definition, *others], [definition.name])
        for each in results.values():
            if each.error is not None:
                raise each.error
        return results[definition.name]

    def members(self, definition: Definition, *others: Definition) -> set[str]:
        """Return the names of who is in a segment."""
        return set(self.evidence(definition, *others))

    def evidence(self, definition: Definition, *others: Definition) -> dict[str, Row]:
        """Return the evidence by name."""
        result = self.result(definition, *others)
        assert result.table is not None, result.refused
        answer = self.session.con.execute(f"select * from {result.table}")
        columns = [column[0] for column in answer.description or ()]
        rows = answer.fetchall()
        assert len(rows) == result.members
        names = self.names
        return {names[row[0]]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}

    def notes(self, definition: Definition) -> tuple[str, ...]:
        return self.result(definition).notes

    def explained(self, definition: Definition, name: str, *others: Definition) -> Explanation:
        """Explain a person, after checking that it agrees with the segment."""
        (person,) = [number for number, each in self.names.items() if each == name]
        told = explain(self.session, [definition, *others], definition.name, person)
        assert told.member == (name in self.members(definition, *others)), told.reason
        return told

    def reason(self, definition: Definition, name: str, *others: Definition) -> str:
        return self.explained(definition, name, *others).reason

    @property
    def names(self) -> dict[int, str]:
        """Return everybody's name by person_id: of a customer the id, of a visitor the visitor's."""
        rows = self.session.con.execute(
            "select p.person_id, coalesce(p.customer_id, split_part(p.email, '@', 1), split_part(p.person_ref, ':', 3)) "
            "from people as p"
        ).fetchall()
        return dict(rows)


def who(name: str) -> Row:
    return {"customer_id": name, "email": f"{name}@example.com"}


def texts(values: Row) -> Row:
    """Write values as a source would."""
    return {name: value if value is None or isinstance(value, list) else str(value) for name, value in values.items()}


def line(kind: str | None = None, price: Any = 10, quantity: int = 1, **more: Any) -> Row:
    """Return a line of an order or a cart."""
    return {"product_type": kind, "unit_price": price, "quantity": quantity} | more


@contextmanager
def a_shop(**settings: Any) -> Iterator[Shop]:
    """Make a shop whose folder goes at the end; for tests that make many."""
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder), **settings)
        try:
            yield shop
        finally:
            shop.close()
