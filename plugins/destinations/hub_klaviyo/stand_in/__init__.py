"""A Klaviyo account on this machine: real lists and profiles, documented limits, imports that take time."""

from __future__ import annotations

from collections.abc import Iterable

from hub import api
from hub_klaviyo.stand_in.server import API_KEY, KlaviyoStandIn

__all__ = ["API_KEY", "KlaviyoStandIn", "hub_stand_ins"]


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the Klaviyo stand-in."""
    return [KlaviyoStandIn]
