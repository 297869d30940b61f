"""Cut customers by what they bought: how much, how often, at which price, which products, in which season."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_purchases.counting import FirstTime, NewCustomers, OneAndDone, OneTime, Repeat
from hub_purchases.items import HighValueItems, LowValueItems
from hub_purchases.lines import CrossSell, ProductLine
from hub_purchases.seasons import Seasonal
from hub_purchases.spending import (
    CouponLovers,
    FrequentBuyers,
    FullPrice,
    HighSpenders,
    LowSpenders,
    OccasionalBuyers,
)

__all__ = [
    "CouponLovers",
    "CrossSell",
    "FirstTime",
    "FrequentBuyers",
    "FullPrice",
    "HighSpenders",
    "HighValueItems",
    "LowSpenders",
    "LowValueItems",
    "NewCustomers",
    "OccasionalBuyers",
    "OneAndDone",
    "OneTime",
    "ProductLine",
    "Repeat",
    "Seasonal",
]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [
        HighSpenders,
        LowSpenders,
        OneTime,
        OneAndDone,
        Repeat,
        FrequentBuyers,
        OccasionalBuyers,
        CouponLovers,
        FullPrice,
        HighValueItems,
        LowValueItems,
        ProductLine,
        CrossSell,
        Seasonal,
        FirstTime,
        NewCustomers,
    ]
