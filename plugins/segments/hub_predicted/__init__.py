"""Predict who is lost, who returns, who will be worth the most, and which carts come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_predicted.carts import LikelyToRecover
from hub_predicted.customers import LikelyLost, LikelyToReturn, TopPredictedValue

__all__ = ["LikelyLost", "LikelyToRecover", "LikelyToReturn", "TopPredictedValue"]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [LikelyLost, LikelyToReturn, TopPredictedValue, LikelyToRecover]
