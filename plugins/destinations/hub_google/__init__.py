"""Keep a Customer Match list of Google Ads equal to a segment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_google.destination import Google
from hub_google.settings import GoogleConfig

__all__ = ["Google", "GoogleConfig", "hub_destinations"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``google``."""
    return [Google]
