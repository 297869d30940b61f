"""Keep a Klaviyo list equal to a segment, or record an event for each person who newly enters it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_klaviyo.destination import Klaviyo
from hub_klaviyo.events import KlaviyoEvents
from hub_klaviyo.settings import KlaviyoConfig

__all__ = ["Klaviyo", "KlaviyoConfig", "KlaviyoEvents", "hub_destinations"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``klaviyo``."""
    return [Klaviyo]
