"""How much of what analytics saw is known to the shop, as a pull tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.catalog import Matches
from hub.sync.pull import match_notes
from tests.catalog_shop import NOW, Shop, days, order


def event(number: int, **values: Any) -> dict[str, Any]:
    return {"event_id": str(number), "name": "purchase", "happened_at": days(1), "analytics_consent": True} | values


def test_a_rebuild_counts_what_was_found_and_what_may_not_be_attributed(tmp_path: Path) -> None:
    shop = Shop(tmp_path, (("shop", "shop"), ("web", "shop")))
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "ada@shop.example"}],
            "orders": [order("77", 5, name="#1001", customer_id="1"), order("78", 5, name="#1002")],
        }
    )
    shop.load(
        {
            "events": [
                event(1, visitor_id="v", transaction_id="1001"),
                event(2, visitor_id="w", transaction_id="1002"),
                event(3, visitor_id="x", user_id="1"),
                event(4, visitor_id="x", user_id="1"),
                event(5, user_id="99", analytics_consent=False),
                event(6, transaction_id="77", analytics_consent=None, country="DK"),
                event(7, visitor_id="y", name="page_view"),
                event(8, visitor_id="z", user_id="not of this shop"),
            ]
        },
        source="web",
        rebuild=False,
    )

    with shop.catalog.writer(NOW) as writer:
        first, second = writer.rebuild(), writer.rebuild()

    assert first.matches == (
        Matches("web", 8, 2, visitors=5, known_visitors=2, user_ids=3, known_user_ids=1, transactions=3,
                known_transactions=2),
    )  # fmt: skip
    assert second.matches == ()


FEW = {"user_ids": 0, "known_user_ids": 0, "transactions": 19, "known_transactions": 0}


@pytest.mark.parametrize(
    ("counts", "says", "asks"),
    [
        (FEW, "0 of 19 transactions are orders of the shop", False),
        (FEW | {"transactions": 20, "known_transactions": 10}, "10 of 20 transactions", False),
        (FEW | {"transactions": 20, "known_transactions": 9}, "9 of 20 transactions", True),
        (FEW | {"transactions": 0, "user_ids": 21, "known_user_ids": 0}, "0 of 21 customer ids are the shop's", True),
    ],
)
def test_a_poor_match_asks_what_may_be_wrong(counts: dict[str, int], says: str, asks: bool) -> None:
    notes = list(match_notes(Matches("web", 1000, 0, visitors=50, known_visitors=7, **counts)))

    assert says in notes[0]
    assert "7 of 50 browsers are its customers'" in notes[0]
    assert any("`system`" in note for note in notes) is asks


def test_what_may_not_be_attributed_is_counted() -> None:
    *_, told = match_notes(Matches("web", 1000, 250, visitors=0, known_visitors=0, **FEW))

    assert told == "250 of 1,000 events have no consent to analytics: counted, and attributed to nobody"
