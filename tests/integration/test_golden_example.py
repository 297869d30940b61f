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
from hub_carts import CartAbandoners
from hub_lifecycle import Inactive, NeverPurchased
from hub_purchases import CouponLovers, HighSpenders, LowSpenders, OneTime
from tests.segment_shop import AS_OF, GOLDEN, defined

NAMES = ("ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal")
TABLES = ("customers", "orders", "carts", "cart_lines")
STRATEGIES = (HighSpenders, LowSpenders, OneTime, CouponLovers, Inactive, NeverPurchased, CartAbandoners)
EXPECTED = {
    "high-spenders": {"ann"},
    "low-spenders": {"hal"},
    "one-time": {"cat", "dan", "eve"},
    "coupon-lovers": {"bob"},
    "inactive": {"cat", "fay"},
    "never-purchased": {"gus"},
    "cart-abandoners": {"fay", "gus"},
    "vip-without-coupons": {"ann"},
}
SEGMENTS = [
    *(defined(strategy) for strategy in STRATEGIES),
    Definition("vip-without-coupons", None, all=("high-spenders",), none=("coupon-lovers",)),
]
Row = tuple[str, dict[str, Any]]


def when(age: timedelta) -> str:
    return f"{(AS_OF - age).isoformat()}Z"


def rows() -> list[Row]:
    """Return the example's rows as a shop's source would give them, with four carts beside."""
    made: list[Row] = []
    number = 1000
    for customer, (name, orders) in enumerate(zip(NAMES, GOLDEN.values(), strict=True), 1):
        who = {"customer_id": str(customer), "email": f"{name}@example.com"}
        made.append(("customers", who | {"created_at": when(timedelta(days=500))}))
        for age, net, discounted in orders:
            number += 1
            order = {"order_id": str(number), "placed_at": when(timedelta(days=age)), "total": str(net)}
            made.append(("orders", who | order | {"discount": "1.00" if discounted else "0.00", "status": "paid"}))
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
        changed.pop("customer_id")
    return table, changed


def units(arriving: list[Row]) -> list[list[Row]]:
    """Put each cart's lines beside it, as in every source; everything else arrives by itself."""
    lines = {values["cart_id"]: (table, values) for table, values in arriving if table == "cart_lines"}
    return [
        [(table, values), lines[values["cart_id"]]] if table == "carts" else [(table, values)]
        for table, values in arriving
        if table != "cart_lines"
    ]


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
            for table in TABLES:
                writer.set_reach(source, table, api.Reach(None, now))
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
