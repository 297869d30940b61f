"""The golden example of the definitions, through the real catalog."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hub import api
from hub.catalog import Catalog, CatalogSettings, Session
from hub.segments import Definition, explain, run_segments
from hub_carts import CartAbandoners, FunnelStage
from hub_lifecycle import Active, AtRisk, DueToReorder, Inactive, JourneyStage, Lapsed, Lost, NeverPurchased, WinBack
from hub_people import Geographic, Tags
from hub_purchases import (
    CouponLovers,
    FirstTime,
    FrequentBuyers,
    FullPrice,
    HighSpenders,
    LowSpenders,
    NewCustomers,
    OccasionalBuyers,
    OneAndDone,
    OneTime,
    ProductLine,
    Repeat,
)
from hub_rfm import Rfm
from hub_sql import Sql
from tests.segment_shop import AS_OF, GOLDEN, defined

NAMES = ("ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal")
TABLES = ("customers", "orders", "order_lines", "carts", "cart_lines")
PARENTS = {"order_lines": ("orders", "order_id"), "cart_lines": ("carts", "cart_id")}
COUNTRIES = {"ann": "DK", "bob": "DK", "cat": "DK", "dan": "DK", "eve": "SE"}
TAGS = {"ann": ["club"], "bob": ["club", "staff"], "cat": ["vip", "Club"]}
KINDS = {"ann": "shoes", "bob": "hats"}
STRATEGIES = (
    HighSpenders,
    LowSpenders,
    OneTime,
    CouponLovers,
    Inactive,
    NeverPurchased,
    CartAbandoners,
    OneAndDone,
    Repeat,
    FrequentBuyers,
    OccasionalBuyers,
    FullPrice,
    FirstTime,
    NewCustomers,
    Active,
    AtRisk,
    Lapsed,
    Lost,
    WinBack,
    DueToReorder,
)
EXPECTED = {
    "high-spenders": {"ann"},
    "low-spenders": {"hal"},
    "one-time": {"cat", "dan", "eve"},
    "coupon-lovers": {"bob"},
    "inactive": {"cat", "fay"},
    "never-purchased": {"gus"},
    "cart-abandoners": {"fay", "gus"},
    "vip-without-coupons": {"ann"},
    "one-and-done": {"cat", "dan"},
    "repeat": {"ann", "bob", "fay", "hal"},
    "frequent-buyers": {"ann", "bob"},
    "occasional-buyers": {"dan", "eve", "fay", "hal"},
    "full-price": {"ann"},
    "first-time": {"eve"},
    "new-customers": {"eve"},
    "active": {"ann", "bob", "eve", "hal"},
    "at-risk": {"dan"},
    "lapsed": {"fay"},
    "lost": {"cat"},
    "win-back": {"fay"},
    "due-to-reorder": set(),
    "prospects": {"gus"},
    "loyal": {"ann"},
    "stopped-at-the-cart": {"cat", "fay", "gus"},
    "bought-shoes": {"ann"},
    "never-bought-shoes": {"bob"},
    "dormant": {"cat", "fay"},
    "danes": {"ann", "bob", "cat", "dan"},
    "club-without-staff": {"ann", "cat"},
    "three-orders": {"ann", "bob"},
}
SEGMENTS = [
    *(defined(strategy) for strategy in STRATEGIES),
    Definition("vip-without-coupons", None, all=("high-spenders",), none=("coupon-lovers",)),
    defined(JourneyStage, "prospects", stages=["prospect"]),
    defined(JourneyStage, "loyal", stages=["loyal"]),
    defined(FunnelStage, "stopped-at-the-cart", stages=["cart"]),
    defined(ProductLine, "bought-shoes", product_types=["shoes"]),
    defined(ProductLine, "never-bought-shoes", product_types=["shoes"], bought=False),
    defined(Rfm, "dormant", groups=["dormant"], scoring="fixed"),
    defined(Geographic, "danes", countries=["DK"]),
    defined(Tags, "club-without-staff", any_of=["club"], none_of=["staff"]),
    defined(Sql, "three-orders", query="select person_id from facts where orders >= $least", parameters={"least": 3}),
]
Row = tuple[str, dict[str, Any]]


def when(age: timedelta) -> str:
    return f"{(AS_OF - age).isoformat()}Z"


def rows() -> list[Row]:
    """Return the example's rows as a shop's source would give them, with places, tags, lines and four carts beside."""
    made: list[Row] = []
    number = 1000
    for customer, (name, orders) in enumerate(zip(NAMES, GOLDEN.values(), strict=True), 1):
        who = {"customer_id": str(customer), "email": f"{name}@example.com"}
        known = {"created_at": when(timedelta(days=500)), "country": COUNTRIES.get(name), "tags": TAGS.get(name)}
        made.append(("customers", who | known))
        for age, net, discounted in orders:
            number += 1
            order = {"order_id": str(number), "placed_at": when(timedelta(days=age)), "total": str(net)}
            made.append(("orders", who | order | {"discount": "1.00" if discounted else "0.00", "status": "paid"}))
            if name in KINDS:
                line = {"order_id": str(number), "line": "1", "product_type": KINDS[name], "quantity": "1"}
                made.append(("order_lines", line | {"unit_price": str(net)}))
    for cart, (name, hours) in enumerate([("fay", 3), ("gus", 100), ("hal", 24 * 6), ("cat", 24 * 9)], 1):
        who = {"customer_id": str(NAMES.index(name) + 1), "email": f"{name}@example.com"}
        made.append(("carts", who | {"cart_id": f"k{cart}", "created_at": when(timedelta(hours=hours)), "total": "80"}))
        made.append(("cart_lines", {"cart_id": f"k{cart}", "line": "1", "quantity": "2", "unit_price": "40"}))
    return made


def seen_elsewhere(row: Row) -> Row:
    """Return a row as the shop's second door shows it: other forms of ids, another spelling, gaps."""
    table, values = row
    changed = dict(values)
    if "email" in changed:
        changed["email"] = f" {changed['email'].upper()} "
    if "customer_id" in changed:
        changed["customer_id"] = f"gid://shopify/Customer/{changed['customer_id']}"
    if "order_id" in changed:
        changed["order_id"] = f"gid://shopify/Order/{changed['order_id']}"
        changed.pop("customer_id", None)
    return table, changed


def units(arriving: list[Row]) -> list[list[Row]]:
    """Put lines beside their order or cart, as in every source; everything else arrives by itself."""
    lines = {(table, values[PARENTS[table][1]]): (table, values) for table, values in arriving if table in PARENTS}
    together = []
    for table, values in arriving:
        if table in PARENTS:
            continue
        children = [
            lines[child, values[key]]
            for child, (parent, key) in PARENTS.items()
            if parent == table and (child, values[key]) in lines
        ]
        together.append([(table, values), *children])
    return together


def pages(arriving: list[Row], size: int) -> Iterator[api.Page]:
    """Cut what arrives into pages of a size."""
    waiting = units(arriving)
    for first in range(0, len(waiting), size):
        tables: dict[str, list[dict[str, Any]]] = {}
        for unit in waiting[first : first + size]:
            for table, values in unit:
                tables.setdefault(table, []).append(values)
        yield api.Page(tables)


@contextmanager
def catalog_of(folder: Path, doors: dict[str, list[Row]], order: tuple[str, ...], size: int) -> Iterator[Session]:
    settings_ = CatalogSettings(
        country="DK", currency="DKK", sources=tuple((name, "acme") for name in sorted(doors)), memory_limit="500MB"
    )
    catalog = Catalog(folder, settings_, b"k" * 32)
    now = AS_OF.replace(tzinfo=UTC)
    with catalog.writer(now) as writer:
        for source in order:
            stream = api.Stream(tables=TABLES, kind="changes")
            writer.load(source, "acme", "all", stream, pages(doors[source], size))
            writer.set_reach(source, dict.fromkeys(TABLES, api.Reach(None, now)))
        writer.rebuild()
    with catalog.session(now, now) as session:
        yield session


def found(session: Session) -> dict[str, set[str]]:
    """Return who is in each segment, by name."""
    answer: dict[str, set[str]] = {}
    for name, result in run_segments(session, SEGMENTS).items():
        assert result.error is None, result.error
        assert result.notes == ()
        members = session.con.execute(f"select email from {result.table} join people using (person_id)").fetchall()
        answer[name] = {email.partition("@")[0] for (email,) in members}
        assert len(answer[name]) == result.members
    return answer


def test_through_one_source(tmp_path: Path) -> None:
    with catalog_of(tmp_path, {"shop": rows()}, ("shop",), 100) as session:
        assert found(session) == EXPECTED


def test_explanations_agree_with_the_members(tmp_path: Path) -> None:
    with catalog_of(tmp_path, {"shop": rows()}, ("shop",), 100) as session:
        for name in NAMES:
            (person,) = session.find(f"{name}@example.com")
            for segment, members in EXPECTED.items():
                told = explain(session, SEGMENTS, segment, person)
                assert told.member == (name in members), told.reason


@pytest.mark.parametrize("door", ["shop", "api"])
def test_through_the_second_door_alone_it_is_the_same(tmp_path: Path, door: str) -> None:
    doors = {door: [seen_elsewhere(row) for row in rows()]}

    with catalog_of(tmp_path, doors, (door,), 7) as session:
        assert found(session) == EXPECTED


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.randoms(use_true_random=False), st.permutations(["shop", "api"]), st.integers(5, 40))
def test_through_two_sources_of_one_system_in_any_order(chance: random.Random, order: list[str], size: int) -> None:
    doors = {
        "shop": chance.sample(rows(), len(rows())),
        "api": [seen_elsewhere(row) for row in chance.sample(rows(), len(rows()))],
    }

    with TemporaryDirectory() as folder, catalog_of(Path(folder), doors, tuple(order), size) as session:
        assert found(session) == EXPECTED
