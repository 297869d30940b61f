"""Keep a Klaviyo list equal to a segment, record events of who enters it, and read what Klaviyo knows of people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_klaviyo.destination import Klaviyo
from hub_klaviyo.events import KlaviyoEvents
from hub_klaviyo.settings import KlaviyoConfig, KlaviyoSourceConfig
from hub_klaviyo.source import KlaviyoSource

__all__ = [
    "Klaviyo",
    "KlaviyoConfig",
    "KlaviyoEvents",
    "KlaviyoSource",
    "KlaviyoSourceConfig",
    "hub_destinations",
    "hub_sources",
]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``klaviyo``."""
    return [Klaviyo]


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the source ``klaviyo``."""
    return [KlaviyoSource]
