"""The Shopify destination keeps the contract that third parties are held to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from hub.api import Member, StandIn
from hub.testing import DestinationConformance
from hub_shopify import ShopifyTags
from hub_shopify.stand_in import Shop, ShopifyStandIn


class ThirtyCustomers(ShopifyStandIn):
    """A shop of thirty customers, whose numbers are the same each time; requests are held against Shopify's schema."""

    def __init__(self) -> None:
        shop = Shop()
        for number in range(30):
            shop.add_customer(email=f"p{number}@example.com")
        super().__init__(shop)


class TestShopifyTags(DestinationConformance):
    plugin = ShopifyTags
    settings = {"store": "acme"}
    stand_in = ThirtyCustomers
    audience: ClassVar[str] = "Conformance VIP"  # a tag has no comma
    numbers: ClassVar[list[int]] = list(ThirtyCustomers().shop.customers)

    def member(self, number: int) -> Member:
        """Return a member who is a customer of the shop; above thirty one that nobody knows."""
        known = self.numbers[number - 1] if number <= len(self.numbers) else 10**12 + number
        return Member(f"{number:032x}", attributes=self.attributes, customer_id=str(known))

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        """Return what the shop holds: that it was asked changes nothing."""
        assert served is not None
        return served.state()["tagged_customers"]


class TestShopifyTagsByClientIdAndSecret(TestShopifyTags):
    settings = {"store": "acme.myshopify.com", "client_id": "app-of-acme"}
