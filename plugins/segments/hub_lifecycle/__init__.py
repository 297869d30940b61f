"""Cut people by where they stand with the shop: not yet, now, no longer, due again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_lifecycle.contacts import AcquisitionChannel, JourneyStage, NeverPurchased
from hub_lifecycle.recency import Active, AtRisk, Inactive, Lapsed, Lost, WinBack
from hub_lifecycle.reordering import DueToReorder

__all__ = [
    "AcquisitionChannel",
    "Active",
    "AtRisk",
    "DueToReorder",
    "Inactive",
    "JourneyStage",
    "Lapsed",
    "Lost",
    "NeverPurchased",
    "WinBack",
]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [
        Active,
        AtRisk,
        Inactive,
        Lapsed,
        Lost,
        NeverPurchased,
        JourneyStage,
        WinBack,
        DueToReorder,
        AcquisitionChannel,
    ]
