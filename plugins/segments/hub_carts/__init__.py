"""Find carts that were left, and people by what they looked at and how far they came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_carts.abandoned import CartAbandoners
from hub_carts.browsing import BrowseAbandoners, TimeOnSite, Viewed
from hub_carts.funnel import FunnelStage

__all__ = ["BrowseAbandoners", "CartAbandoners", "FunnelStage", "TimeOnSite", "Viewed"]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [CartAbandoners, BrowseAbandoners, TimeOnSite, Viewed, FunnelStage]
