"""A small shop whose catalog strategies are run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.api import Page, Stream
from hub.catalog import Catalog, CatalogSettings, Session

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PEOPLE = 24
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class SampleShop:
    """Two dozen people who bought, left carts, looked around, read mails and answered, or did none of it.

    ``rows`` may be changed before the first ``session``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.rows: dict[str, list[dict[str, Any]]] = sample_rows()

    @contextmanager
    def session(self, *, backwards: bool = False, as_of: datetime = AS_OF) -> Iterator[Session]:
        """Load the rows into a catalog of their own, in either order, and open it as of an instant."""
        self._number += 1
        settings = CatalogSettings(country="DK", currency="DKK", sources=[("shop", "shop")])
        catalog = Catalog(self._folder / f"catalog-{self._number}", settings, b"k" * 32)
        with catalog.writer(AS_OF) as writer:
            names = sorted(self.rows, reverse=backwards)
            for name in names:
                if name in ("order_lines", "cart_lines"):
                    continue
                tables = {table: self.rows[table] for table in (name, _CHILDREN.get(name)) if table is not None}
                given = {table: list(reversed(rows)) if backwards else rows for table, rows in tables.items()}
                writer.load("shop", "shop", name, Stream(tuple(given), "snapshot"), [Page(given)])
            writer.rebuild()
        with catalog.session(as_of, AS_OF) as session:
            yield session


_CHILDREN = {"orders": "order_lines", "carts": "cart_lines"}


def sample_rows() -> dict[str, list[dict[str, Any]]]:
    """Return the shop's rows by table; always the same ones."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in (
            "customers", "consents", "orders", "order_lines", "carts", "cart_lines", "products", "events",
            "engagement", "traits",
        )
    }  # fmt: skip
    for person in range(1, _PEOPLE + 1):
        _add_person(rows, person)
    for product in range(3):
        rows["products"].append({"product_id": f"p{product}", "title": f"Shoe {product}", "product_type": "shoes"})
    return rows


def _add_person(rows: dict[str, list[dict[str, Any]]], person: int) -> None:
    email = f"p{person}@example.com"
    who = {"customer_id": f"c{person}", "email": email}
    rows["customers"].append(
        who | {"first_name": f"P{person}", "country": "DK", "created_at": _ago(500 - person), "tags": ["vip"]}
    )
    rows["consents"].append(
        {"subject": email, "channel": "email", "status": "subscribed", "basis": "opt_in_single",
         "recorded_at": _ago(400), "dated_by": "record"}
    )  # fmt: skip
    for number in range(person % 5):
        _add_order(rows, who, person, number)
    if person % 3 == 0:
        _add_cart(rows, who, person)
    if person % 4 == 0:
        rows["events"].append(
            {"event_id": f"e{person}", "visitor_id": f"v{person}", "user_id": f"c{person}", "name": "view_item",
             "session_id": f"s{person}", "happened_at": _ago(person), "product_id": "p1", "product_type": "shoes"}
        )  # fmt: skip
        rows["engagement"].append(
            {"subject": email, "kind": "opened", "campaign": "spring", "happened_at": _ago(person), "machine": False}
        )
        rows["traits"].append({"subject": email, "name": "size", "value": str(person), "recorded_at": _ago(30)})


def _add_order(rows: dict[str, list[dict[str, Any]]], who: Mapping[str, Any], person: int, number: int) -> None:
    order = f"o{person}-{number}"
    discount = 10 if (person + number) % 3 == 0 else 0
    total = 20 * person + 7 * number
    rows["orders"].append(
        {**who, "order_id": order, "placed_at": _ago(20 + 13 * person * (number + 1) % 600), "currency": "DKK",
         "total": total, "discount": discount, "status": "paid"}
    )  # fmt: skip
    rows["order_lines"].append(
        {
            "order_id": order,
            "line": "1",
            "product_id": "p1",
            "product_type": "shoes",
            "quantity": 1,
            "unit_price": total,
        }
    )


def _add_cart(rows: dict[str, list[dict[str, Any]]], who: Mapping[str, Any], person: int) -> None:
    cart = f"k{person}"
    rows["carts"].append(
        {**who, "cart_id": cart, "created_at": _ago(person / 6), "total": 15 * person, "currency": "DKK",
         "recovery_url": f"https://shop.example/cart/{cart}"}
    )  # fmt: skip
    rows["cart_lines"].append(
        {
            "cart_id": cart,
            "line": "1",
            "product_id": "p2",
            "product_type": "shoes",
            "quantity": 1,
            "unit_price": 15 * person,
        }
    )


def _ago(days: float) -> datetime:
    return AS_OF - timedelta(days=days)
