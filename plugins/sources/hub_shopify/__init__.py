"""Read a Shopify shop through its Admin API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_shopify.settings import ShopifyConfig
from hub_shopify.source import Shopify

__all__ = ["Shopify", "ShopifyConfig", "hub_sources"]


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the source ``shopify``."""
    return [Shopify]
