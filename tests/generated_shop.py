"""A generated shop of any size, as data frames, with many times that lie exactly on a bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pyarrow as pa

from hub import api
from hub.catalog import Catalog, CatalogSettings, Session

AS_OF = datetime(2026, 3, 1, 12)
BOUNDS = (0, 1, 7, 14, 15, 30, 60, 90, 180, 365)
TYPES = ("shoes", "boots", "socks", "laces", None)


@dataclass(frozen=True)
class Frames:
    """The shop's tables; ``customer_id`` says whose a row is."""

    customers: pd.DataFrame
    consents: pd.DataFrame
    orders: pd.DataFrame
    order_lines: pd.DataFrame
    carts: pd.DataFrame
    cart_lines: pd.DataFrame
    events: pd.DataFrame
    engagement: pd.DataFrame
    traits: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return vars(self)


class _Chance:
    """Draws that repeat with the seed."""

    def __init__(self, seed: int, people: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.ids = np.array([f"c{number}" for number in range(people)])

    def who(self, count: int) -> Any:
        """Draw people, the first ones more often than the last."""
        return self.ids[(len(self.ids) * self.rng.random(count) ** 2).astype(int)]

    def times(self, count: int, days: int) -> Any:
        """Draw times up to so many days ago; a fifth lies exactly on a bound."""
        seconds = self.rng.integers(0, days * 86_400, count)
        bounds = self.rng.choice([bound for bound in BOUNDS if bound < days], count) * 86_400
        seconds = np.where(self.rng.random(count) < 0.2, bounds, seconds)
        return pd.Timestamp(AS_OF) - pd.to_timedelta(seconds, unit="s")

    def pick(self, count: int, values: Any, shares: Any = None) -> Any:
        return self.rng.choice(np.array(values, dtype=object), count, p=shares)


def generate(seed: int, people: int = 5_000) -> Frames:
    chance = _Chance(seed, people)
    orders = _orders(chance, 3 * people)
    carts = _carts(chance, people // 2)
    return Frames(
        _customers(chance),
        _consents(chance, people // 2),
        orders,
        _lines(chance, orders["order_id"], "order_id", gift_cards=True),
        carts,
        _lines(chance, carts["cart_id"], "cart_id", gift_cards=False),
        _events(chance, 6 * people),
        _engagement(chance, 8 * people),
        _traits(chance, people),
    )


def _customers(chance: _Chance) -> pd.DataFrame:
    count = len(chance.ids)
    born = pd.Timestamp("1940-01-01") + pd.to_timedelta(chance.rng.integers(0, 27_000, count), unit="D")
    return pd.DataFrame(
        {
            "customer_id": chance.ids,
            "email": [f"{each}@example.com" for each in chance.ids],
            "created_at": pd.Timestamp(AS_OF) - pd.Timedelta(days=900),
            "birth_date": np.where(chance.rng.random(count) < 0.7, born.strftime("%Y-%m-%d"), None),
            "gender": chance.pick(count, ["f", "m", "F", None]),
            "locale": chance.pick(count, ["de-DE", "de_AT", "DE", "da", None]),
            "country": chance.pick(count, ["DK", "DE", "SE", None]),
            "city": chance.pick(count, ["Aarhus", "Berlin", None]),
            "postcode": chance.pick(count, ["8000", "80 10", "10115", None]),
            "tags": [
                None if tags == "" else tags.split(",")
                for tags in chance.pick(count, ["", "club", "Staff", "club,wholesale"])
            ],
        }
    )


def _consents(chance: _Chance, count: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "subject": chance.who(count),
            "channel": "email",
            "status": chance.pick(count, ["subscribed", "unsubscribed"], [0.8, 0.2]),
            "basis": "opt_in_single",
            "recorded_at": chance.times(count, 60),
            "dated_by": chance.pick(count, ["record", "file"], [0.8, 0.2]),
        }
    )
    return frame.drop_duplicates("subject").assign(customer_id=lambda each: each["subject"])


def _orders(chance: _Chance, count: int) -> pd.DataFrame:
    total = chance.rng.integers(0, 400, count)
    refunded = np.where(chance.rng.random(count) < 0.1, np.minimum(total, 50), np.nan)
    return pd.DataFrame(
        {
            "order_id": [f"o{number}" for number in range(count)],
            "customer_id": chance.who(count),
            "placed_at": chance.times(count, 800),
            "total": total,
            "refunded": refunded,
            "discount": np.where(chance.rng.random(count) < 0.3, 5.0, np.nan),
            "status": chance.pick(count, ["paid", "pending", "cancelled", "refunded"], [0.8, 0.1, 0.05, 0.05]),
            "test": chance.pick(count, [True, False, None], [0.02, 0.5, 0.48]),
        }
    )


def _lines(chance: _Chance, parents: Any, key: str, *, gift_cards: bool) -> pd.DataFrame:
    parents = np.repeat(parents.to_numpy(), chance.rng.integers(0, 4, len(parents)))
    count = len(parents)
    frame = pd.DataFrame(
        {
            key: parents,
            "line": [str(number) for number in range(count)],
            "product_type": chance.pick(count, TYPES, [0.3, 0.3, 0.2, 0.15, 0.05]),
            "quantity": chance.rng.integers(1, 4, count),
            "unit_price": np.where(chance.rng.random(count) < 0.95, chance.rng.integers(1, 40, count) * 5.0, np.nan),
        }
    )
    return frame.assign(gift_card=chance.rng.random(count) < 0.05) if gift_cards else frame


def _carts(chance: _Chance, count: int) -> pd.DataFrame:
    created = chance.times(count, 40)
    later = created + pd.to_timedelta(chance.rng.integers(0, 5 * 86_400, count), unit="s")
    updated = pd.Series(later).where(chance.rng.random(count) < 0.4)
    done = pd.Series(later + pd.Timedelta(hours=1)).where(chance.rng.random(count) < 0.3)
    return pd.DataFrame(
        {
            "cart_id": [f"k{number}" for number in range(count)],
            "customer_id": chance.who(count),
            "created_at": created,
            "updated_at": updated,
            "completed_at": done,
            "total": np.where(chance.rng.random(count) < 0.8, chance.rng.integers(0, 300, count), np.nan),
            "step": chance.pick(count, ["shipping", "payment", None]),
        }
    )


def _events(chance: _Chance, count: int) -> pd.DataFrame:
    names = ["page_view", "view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"]
    return pd.DataFrame(
        {
            "event_id": [f"e{number:06}" for number in range(count)],
            "customer_id": chance.who(count),
            "name": chance.pick(count, names, [0.4, 0.4, 0.08, 0.06, 0.04, 0.02]),
            "happened_at": chance.times(count, 100),
            "url": chance.pick(count, ["https://x.example/sale/a", "https://x.example/SALE/b", "https://x.example/c"]),
            "product_id": chance.pick(count, ["p1", "p2", "p3", None]),
            "product_type": chance.pick(count, TYPES),
            "engagement_ms": np.where(chance.rng.random(count) < 0.7, chance.rng.integers(0, 300_000, count), np.nan),
            "traffic_source": chance.pick(count, ["google / cpc", "google / organic", "newsletter", None]),
        }
    )


def _engagement(chance: _Chance, count: int) -> pd.DataFrame:
    kind = chance.pick(count, ["sent", "opened", "clicked", "bounced"], [0.5, 0.3, 0.15, 0.05])
    machine = np.where(kind == "opened", chance.pick(count, [True, False, None], [0.3, 0.5, 0.2]), None)
    frame = pd.DataFrame(
        {
            "customer_id": chance.who(count),
            "kind": kind,
            "campaign": chance.pick(count, ["Spring", "summer", "autumn"]),
            "happened_at": chance.times(count, 200),
            "machine": machine,
        }
    )
    frame["subject"] = frame["customer_id"]
    return frame.drop_duplicates(["subject", "kind", "campaign", "happened_at"])


def _traits(chance: _Chance, count: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "subject": chance.who(count),
            "name": chance.pick(count, ["Sport", "nps"]),
            "value": chance.pick(count, ["running", "Hiking, chess", "9", "10", "3.5", "none"]),
            "recorded_at": chance.times(count, 200),
        }
    )
    return frame.drop_duplicates(["subject", "name"]).assign(customer_id=lambda each: each["subject"])


@contextmanager
def loaded(frames: Frames, folder: Path) -> Iterator[Session]:
    """Load the frames through a source of a real catalog and open it."""
    now = AS_OF.replace(tzinfo=UTC)
    settings = CatalogSettings(country="DK", currency="DKK", sources=(("shop", "shop"),), memory_limit="2GB")
    catalog = Catalog(folder, settings, b"k" * 32)
    tables = {
        name: pa.Table.from_pandas(_as_given(name, frame), preserve_index=False)
        for name, frame in frames.tables.items()
    }
    with catalog.writer(now) as writer:
        writer.load("shop", "shop", "all", api.Stream(tables=tuple(tables), kind="changes"), [api.Page(tables)])
        writer.rebuild()
    with catalog.session(now, now) as session:
        yield session


def _as_given(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as a source would give it."""
    if name in {"consents", "engagement", "traits"}:
        return frame.drop(columns="customer_id")
    if name == "events":
        return frame.rename(columns={"customer_id": "user_id"}).assign(analytics_consent=True)
    return frame
