"""The Shopify source keeps the contract that third parties are held to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.api import StandIn
from hub.testing import SourceConformance
from hub_shopify import Shopify
from hub_shopify.stand_in import Limits, ShopifyStandIn


class SmallShop(ShopifyStandIn):
    """A shop whose bulk operations are done at the first look, so that nobody sleeps."""

    def __init__(self) -> None:
        super().__init__(size=40, limits=Limits(bulk_polls=1))


class TestShopify(SourceConformance):
    plugin = Shopify
    settings = {"store": "acme"}
    stand_in = SmallShop
    tables = ("customers", "consents", "orders", "order_lines", "carts", "cart_lines", "products")

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        """Return what the shop holds: requests and bulk operations are told apart from it."""
        assert served is not None
        told = served.state()
        return {name: told[name] for name in ("customers", "orders", "abandoned_checkouts", "tagged_customers")}


class TestShopifyByClientIdAndSecret(TestShopify):
    settings = {"store": "acme.myshopify.com", "client_id": "app-of-acme"}
