"""A Klaviyo account on this machine: real lists, profiles and events, documented limits, imports that take time."""

from __future__ import annotations

from collections.abc import Iterable

from hub import api
from hub_klaviyo.stand_in.lived_in import LivedInKlaviyo
from hub_klaviyo.stand_in.server import API_KEY, KlaviyoStandIn

__all__ = ["API_KEY", "KlaviyoStandIn", "LivedInKlaviyo", "hub_stand_ins"]


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the Klaviyo stand-in."""
    return [LivedInKlaviyo]
