"""Read a Shopify shop through its Admin API, and keep tags of its customers equal to segments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_shopify.destination import ShopifyTags
from hub_shopify.settings import ShopifyConfig, ShopifyTagsConfig
from hub_shopify.source import Shopify

__all__ = ["Shopify", "ShopifyConfig", "ShopifyTags", "ShopifyTagsConfig", "hub_destinations", "hub_sources"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``shopify``."""
    return [ShopifyTags]


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the source ``shopify``."""
    return [Shopify]
