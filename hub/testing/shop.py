"""A small shop whose catalog strategies are run on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from hub.api import Page, Stream
from hub.catalog import Catalog, CatalogSettings, Session, Writer

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PEOPLE = 24
_SETTINGS = CatalogSettings(country="DK", currency="DKK", sources=[("shop", "shop")])


class SampleShop:
    """Two dozen people who bought, left carts, looked around, read mails and answered, or did none of it.

    ``rows`` may be changed before the first ``session``. Equal rows are loaded once for all tests of a run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.rows: dict[str, list[dict[str, Any]]] = sample_rows()

    @contextmanager
    def session(self, *, backwards: bool = False, as_of: datetime = AS_OF) -> Iterator[Session]:
        """Load the rows into a catalog of their own, in either order, and open it as of an instant."""
        catalog = Catalog(self._folder / self._name(backwards), _SETTINGS, b"k" * 32)
        if not catalog.exists:
            with catalog.writer(AS_OF) as writer:
                self._load(writer, backwards)
        with catalog.session(as_of, AS_OF) as session:
            yield session

    def _name(self, backwards: bool) -> str:
        told = sha256(json.dumps(self.rows, default=str).encode()).hexdigest()[:16]
        return f"shop-{os.getpid()}-{told}-{'backwards' if backwards else 'forwards'}"

    def _load(self, writer: Writer, backwards: bool) -> None:
        for name in sorted(set(self.rows) - set(_CHILDREN.values()), reverse=backwards):
            tables = [name] + ([_CHILDREN[name]] if name in _CHILDREN else [])
            given = {table: self.rows[table][:: -1 if backwards else 1] for table in tables}
            writer.load("shop", "shop", name, Stream(tuple(given), "snapshot"), [Page(given)])
        writer.rebuild()


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
             "session_id": f"s{person}", "happened_at": _ago(person), "product_id": "p1", "product_type": "shoes",
             "analytics_consent": True}
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
