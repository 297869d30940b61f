"""The strategies that predict keep the contract that third parties are held to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from hub.testing import SampleShop, SegmentConformance
from hub_predicted import LikelyLost, LikelyToRecover, LikelyToReturn, TopPredictedValue
from tests.predicted_shop import AS_OF, WEEK, simulate


def written(age: timedelta) -> str:
    return f"{(AS_OF - age).isoformat()}Z"


def add_buyers(shop: SampleShop) -> None:
    """Add customers enough to fit the models to."""
    made = simulate(2, 600)
    for number, (age, times, worths) in enumerate(zip(made.ages, made.times, made.worths, strict=True)):
        who = {"customer_id": f"b{number}", "email": f"b{number}@example.com"}
        shop.rows["customers"].append(who | {"created_at": written(5000 * timedelta(days=1))})
        for place, (time, worth) in enumerate(zip(times, worths, strict=True)):
            row: dict[str, Any] = {"order_id": f"b{number}-{place}", "status": "paid", "total": f"{worth:.2f}"}
            shop.rows["orders"].append(who | row | {"placed_at": written((age - time) * WEEK)})


class TestLikelyLost(SegmentConformance):
    plugin = LikelyLost
    fill = staticmethod(add_buyers)  # type: ignore[assignment]


class TestLikelyToReturn(SegmentConformance):
    plugin = LikelyToReturn
    settings = {"frozen": "month"}
    fill = staticmethod(add_buyers)  # type: ignore[assignment]


class TestTopPredictedValue(SegmentConformance):
    plugin = TopPredictedValue
    fill = staticmethod(add_buyers)  # type: ignore[assignment]


class TestLikelyToRecover(SegmentConformance):
    plugin = LikelyToRecover

    def fill(self, shop: SampleShop) -> None:
        rng = np.random.default_rng(4)
        for number in range(700):
            who = {"customer_id": f"k{number}", "email": f"k{number}@example.com"}
            age = timedelta(hours=float(rng.uniform(2, 60 * 24)))
            shop.rows["customers"].append(who | {"created_at": written(5000 * timedelta(days=1))})
            cart = {"cart_id": f"left{number}", "created_at": written(age), "total": f"{rng.integers(10, 200)}.00"}
            shop.rows["carts"].append(who | cart)
            later = age - timedelta(hours=float(rng.uniform(1, 100)))
            if rng.random() < 0.3 and later > timedelta(0):
                order = {"order_id": f"late{number}", "status": "paid", "total": "50.00", "placed_at": written(later)}
                shop.rows["orders"].append(who | order)
