"""A shop in memory, with the temporary views that segments read: a stand-alone session for tests of strategies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from hub import api
from hub.keys import install_keyed_hash
from hub.segments import Definition, SegmentResult, explain, run_segments

AS_OF = datetime.fromisoformat("2026-03-01T12:00:00")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)

ANN, BOB, CAT, DAN, EVE, FAY, GUS, HAL = range(1, 9)
GOLDEN = {
    ANN: [(10, 120, False), (60, 90, False), (150, 200, False), (300, 80, False)],
    BOB: [(20, 30, True), (90, 25, True), (200, 35, True)],
    CAT: [(400, 500, False)],
    DAN: [(100, 40, False)],
    EVE: [(15, 60, False)],
    FAY: [(190, 70, False), (240, 65, True)],
    GUS: [],
    HAL: [(5, 20, False), (30, 22, True)],
}
"""Per person the orders: age in days, net, discounted."""

MONEY = pa.decimal128(18, 2)
TIME = pa.timestamp("us")
_ORDERS = pa.schema(
    [
        ("person_id", pa.int64()),
        ("system", pa.string()),
        ("order_id", pa.string()),
        ("placed_at", TIME),
        ("total", MONEY),
        ("refunded", MONEY),
        ("discount", MONEY),
        ("discount_codes", pa.list_(pa.string())),
        ("status", pa.string()),
        ("test", pa.bool_()),
        ("cart_id", pa.string()),
    ]
)
_CARTS = pa.schema(
    [
        ("person_id", pa.int64()),
        ("system", pa.string()),
        ("cart_id", pa.string()),
        ("created_at", TIME),
        ("updated_at", TIME),
        ("completed_at", TIME),
        ("total", MONEY),
        ("recovery_url", pa.string()),
        ("step", pa.string()),
    ]
)
_LINES = pa.schema(
    [
        ("system", pa.string()),
        ("cart_id", pa.string()),
        ("quantity", pa.float64()),
        ("unit_price", MONEY),
        ("product_type", pa.string()),
    ]
)
_PEOPLE = pa.schema(
    [
        ("person_id", pa.int64()),
        ("email", pa.string()),
        ("phone", pa.string()),
        ("customer_id", pa.string()),
        ("created_at", TIME),
    ]
)
_SEEN = pa.schema([("person_id", pa.int64()), ("happened_at", TIME)])

_VIEWS = """
create temporary view orders as
select *, total - coalesce(refunded, 0) as net,
    status in ('pending', 'paid') and not coalesce(test, false) as counted,
    coalesce(discount, 0) > 0 or len(coalesce(discount_codes, [])) > 0 as discounted
from stored_orders where placed_at <= getvariable('as_of');
create temporary view purchases as
select person_id, placed_at, net, discount, discounted from orders where counted and person_id is not null;
create temporary view order_totals as
select person_id, count(*) as orders, sum(net) as spend, avg(net) as avg_order, min(placed_at) as first_order_at,
    max(placed_at) as last_order_at, count(*) filter (discounted) as discounted_orders,
    count(*) filter (not discounted) as full_price_orders, arg_min(net, placed_at) as first_net, min(net) as least_net
from purchases group by person_id;
create temporary view order_gaps as
select person_id, median(date_diff('microsecond', before, placed_at) / 86400000000.0) as median_days,
    bool_or(placed_at::date = before::date) as same_day
from (select *, lag(placed_at) over (partition by person_id order by placed_at) as before from purchases)
where before is not null group by person_id;
create temporary view carts as
with visible as (
    select * replace (case when updated_at <= getvariable('as_of') then updated_at end as updated_at),
        coalesce(completed_at <= getvariable('as_of'), false) as completed
    from stored_carts where created_at <= getvariable('as_of')
), changed as (select *, coalesce(updated_at, created_at) as changed_at from visible)
select *, not completed and not exists (
    select 1 from orders where orders.person_id = changed.person_id and counted and placed_at > changed_at
) as open
from changed;
create temporary view customers as select person_id, null::varchar[] as tags from stored_people;
create temporary view cart_lines as select * from stored_lines;
create temporary view people as
select *, coalesce('email:' || email, 'phone:' || phone, 'customer:' || customer_id) as person_ref
from stored_people where coalesce(created_at <= getvariable('as_of'), true);
create temporary view events as select * from stored_events where happened_at <= getvariable('as_of');
create temporary view engagement as select * from stored_engagement where happened_at <= getvariable('as_of');
"""
_FACTS = """
with bought as (
    select person_id, count(*) as orders, sum(net) as spend, min(placed_at) as first_order_at,
        max(placed_at) as last_order_at
    from orders where counted group by all
), spaced as (
    select person_id, date_diff('microsecond', lag(placed_at) over (partition by person_id order by placed_at), placed_at)
        / 86400000000.0 as gap from orders where counted
), paced as (select person_id, median(gap) as median_days_between_orders from spaced where gap is not null group by all), seen as (select person_id, max(happened_at) as last_seen_at from events group by all),
read as (select person_id, max(happened_at) as last_engaged_at from engagement group by all)
select people.person_id, coalesce(orders, 0) as orders, coalesce(spend, 0) as spend, first_order_at, last_order_at,
    last_seen_at, last_engaged_at, median_days_between_orders
from people left join bought using (person_id) left join paced using (person_id) left join seen using (person_id) left join read using (person_id)
"""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the one database of this process: opening one takes longer than filling a shop.

    Whatever a shop makes is temporary, which is to say its connection's own.
    """
    return duckdb.connect(config={"threads": 1})


class Shop:
    """Collect rows, then be the session over them."""

    def __init__(self, as_of: datetime = AS_OF, people: Iterable[int] = ()) -> None:
        self.as_of = as_of
        self.now = as_of
        self.timezone = "UTC"
        self.tables: set[str] = {"orders", "carts", "cart_lines", "customers"}
        self.reaches: dict[str, list[tuple[str, datetime | None, datetime | None]]] = {}
        self.asked: list[frozenset[str] | None] = []
        self._rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("orders", "carts", "lines", "people", "events", "engagement")
        }
        self._con: duckdb.DuckDBPyConnection | None = None
        for person in people:
            self.person(person)

    def person(self, person: int, **more: Any) -> None:
        """Add a contact."""
        self._rows["people"].append({"person_id": person, "email": f"p{person}@example.com"} | more)

    def order(self, person: int | None, age: timedelta, total: Any, **more: Any) -> None:
        """Add a paid order placed ``age`` before the shop's instant."""
        rows = self._rows["orders"]
        row = {"person_id": person, "system": "shop", "order_id": f"o{len(rows)}", "status": "paid", "test": None}
        rows.append(row | {"placed_at": self.as_of - age, "total": Decimal(str(total))} | more)

    def cart(self, person: int | None, age: timedelta, total: Any = 100, **more: Any) -> None:
        """Add a cart begun, and last changed, ``age`` before the shop's instant."""
        rows = self._rows["carts"]
        value = None if total is None else Decimal(str(total))
        row = {"person_id": person, "system": "shop", "cart_id": f"c{len(rows)}", "created_at": self.as_of - age}
        rows.append(row | {"total": value} | more)

    def line(self, cart_id: str, quantity: float | None, unit_price: Any, kind: str | None = None) -> None:
        """Add a line to a cart."""
        price = None if unit_price is None else Decimal(str(unit_price))
        row = {"system": "shop", "cart_id": cart_id, "quantity": quantity, "unit_price": price, "product_type": kind}
        self._rows["lines"].append(row)

    def event(self, person: int, age: timedelta) -> None:
        """Add a visit."""
        self.tables.add("events")
        self._rows["events"].append({"person_id": person, "happened_at": self.as_of - age})

    def click(self, person: int, age: timedelta) -> None:
        """Add an engagement with a mail."""
        self.tables.add("engagement")
        self._rows["engagement"].append({"person_id": person, "happened_at": self.as_of - age})

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The connection, opened over the rows collected so far."""
        if self._con is None:
            self._con = self._open()
        return self._con

    def reach(self, table: str) -> Sequence[tuple[str, datetime | None, datetime | None]]:
        """Return what a test said about the table."""
        return self.reaches.get(table, [])

    def prepare_facts(self, columns: Iterable[str] | None) -> None:
        """Make facts with exactly the columns asked for so far, so that a forgotten one is noticed."""
        self.asked.append(None if columns is None else frozenset(columns))
        wanted = None if None in self.asked else frozenset().union(*(each or () for each in self.asked))
        names = [column[0] for column in self.con.execute(f"{_FACTS} limit 0").description]
        chosen = [name for name in names if name == "person_id" or wanted is None or name in wanted]
        self.con.execute(f"create or replace temporary table facts as select {', '.join(chosen)} from ({_FACTS})")

    def _open(self) -> duckdb.DuckDBPyConnection:
        con = _database().cursor()
        con.execute("set TimeZone='UTC'")
        con.execute("set variable as_of = $as_of", {"as_of": self.as_of})
        schemas = {"orders": _ORDERS, "carts": _CARTS, "lines": _LINES, "people": _PEOPLE}
        for name, rows in self._rows.items():
            con.register("incoming", pa.Table.from_pylist(rows, schemas.get(name, _SEEN)))
            con.execute(f"create temporary table stored_{name} as select * from incoming")
            con.unregister("incoming")
        install_keyed_hash(con, b"k" * 32)
        con.execute(_VIEWS)
        con.execute("set enable_external_access = false")
        return con


def golden() -> Shop:
    """Return the golden example of the definitions."""
    shop = Shop(people=GOLDEN)
    for person, orders in GOLDEN.items():
        for age, net, discounted in orders:
            shop.order(person, age * DAY, net, discount=Decimal(1) if discounted else None)
    return shop


def defined(strategy: type[api.Segment[Any]], name: str | None = None, **settings: Any) -> Definition:
    """Configure a strategy as a client's file would."""
    return Definition(name or strategy.name, strategy(strategy.Config.model_validate(settings)))


def run(shop: Shop, *definitions: Definition) -> dict[str, SegmentResult]:
    """Run segments; a failure in any of them is the test's failure."""
    results = run_segments(shop, definitions)
    for result in results.values():
        if result.error is not None:
            raise result.error
    return results


def members(shop: Shop, definition: Definition, *others: Definition) -> list[int]:
    """Return who is in a segment, in order."""
    result = run(shop, definition, *others)[definition.name]
    rows = shop.con.execute(f"select person_id from {result.table} order by person_id").fetchall()
    assert len(rows) == result.members
    return [row[0] for row in rows]


def members_of_each(shop: Shop, *definitions: Definition) -> list[list[int]]:
    """Return who is in each of some segments, after one run of all."""
    results = run(shop, *definitions)
    tables = [results[definition.name].table for definition in definitions]
    return [
        [row[0] for row in shop.con.execute(f"select person_id from {table} order by person_id").fetchall()]
        for table in tables
    ]


def evidence(shop: Shop, definition: Definition) -> dict[int, dict[str, Any]]:
    """Return the evidence per member."""
    result = run(shop, definition)[definition.name]
    answer = shop.con.execute(f"select * from {result.table}")
    names = [column[0] for column in answer.description]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in answer.fetchall()}


def reason(shop: Shop, definition: Definition, person: int, *others: Definition) -> str:
    """Return the sentence that explains a person, after checking that it agrees with the segment."""
    told = explain(shop, [definition, *others], definition.name, person)
    assert told.member == (person in members(shop, definition, *others))
    return told.reason
