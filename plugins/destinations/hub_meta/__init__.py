"""Keep a custom audience at Meta (Facebook, Instagram) equal to a segment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_meta.destination import Meta
from hub_meta.settings import MetaConfig

__all__ = ["Meta", "MetaConfig", "hub_destinations"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``meta``."""
    return [Meta]
