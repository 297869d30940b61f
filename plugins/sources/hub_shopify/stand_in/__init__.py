"""A Shopify shop on this machine, behind Shopify's Admin API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from hub import api
from hub_shopify.stand_in.access import ALL_SCOPES
from hub_shopify.stand_in.context import Limits
from hub_shopify.stand_in.faults import FAULTS, Faults
from hub_shopify.stand_in.generate import generate
from hub_shopify.stand_in.server import Server
from hub_shopify.stand_in.service import Service
from hub_shopify.stand_in.shop import About, Shop
from hub_shopify.stand_in.tokens import Tokens

__all__ = ["ACCESS_TOKEN", "ALL_SCOPES", "CLIENT_SECRET", "About", "Limits", "Shop", "ShopifyStandIn"]

ACCESS_TOKEN = "shpat_00000000000000000000000000sandbox"  # noqa: S105 - the stand-in's own, good for nothing else
CLIENT_SECRET = "shpss_00000000000000000000000000sandbox"  # noqa: S105 - the same
_SIZE = 300
_DESCRIPTIONS = "HUB_SPECS"  # a folder with Shopify's own schemas in `shopify/`


class ShopifyStandIn(api.StandIn):
    """Serve a shop: one handed in, or one made of ``size`` customers from ``seed``.

    ``now`` is the clock of a shop that is made: tokens, the bucket, and times of changes follow it. ``scopes`` are
    those the app was granted, ``limits`` Shopify's. ``specs`` is a folder with ``admin-<version>.graphql.gz``: then
    queries are checked against Shopify's own schema; by default the one in ``HUB_SPECS``, where that is set.
    ``prepared`` are files of JSON lines by root field, which bulk operations answer with instead of the shop.
    """

    plugin = "shopify"
    faults = FAULTS
    secrets = MappingProxyType({"access_token": ACCESS_TOKEN, "client_secret": CLIENT_SECRET})

    def __init__(
        self,
        shop: Shop | None = None,
        *,
        size: int = _SIZE,
        seed: int = 1,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        scopes: Sequence[str] = ALL_SCOPES,
        limits: Limits | None = None,
        specs: Path | Literal["at hand"] | None = "at hand",
        prepared: Mapping[str, Path] | None = None,
    ) -> None:
        self.shop = shop if shop is not None else generate(Shop(now=now), size=size, seed=seed)
        self._faults = Faults()
        self._tokens = Tokens(ACCESS_TOKEN, CLIENT_SECRET, self.shop.now)
        self._service = Service(
            self.shop,
            self._tokens,
            self._faults,
            scopes=scopes,
            limits=limits or Limits(),
            specs=_at_hand() if specs == "at hand" else specs,
            prepared=prepared or {},
        )
        self._server = Server(self._service, self._faults)

    def start(self, port: int = 0) -> str:
        """Start serving and return the address."""
        self._service.address = self._server.start(port)
        return self._service.address

    def stop(self) -> None:
        """Stop serving and remove the files of bulk operations; the shop stays readable."""
        self._server.stop()
        self._service.bulk.close()

    def fault(self, name: str, **parameters: Any) -> None:
        """Ask for a fault from now on."""
        self._faults.ask(name, parameters)
        if name == "expired-token":
            self._tokens.expire()

    def heal(self) -> None:
        """End all faults; the permanent token is good again."""
        self._faults.heal()
        self._tokens.restore()

    def state(self) -> Mapping[str, Any]:
        """Return requests and points, bulk operations, and the customers with tags."""
        with self.shop.lock:
            tagged = [customer for customer in self.shop.customers.values() if customer.tags]
            customers = [
                {"id": customer.id, "name": customer.display_name, "tags": list(customer.tags)} for customer in tagged
            ]
        return {
            **self._service.counts,
            "points_available": int(self._service.bucket.available),
            "restore_rate": self._service.bucket.restore_rate,
            "customers": len(self.shop.customers),
            "orders": len(self.shop.orders),
            "abandoned_checkouts": len(self.shop.checkouts),
            "faults": self._faults.active(),
            "bulk_operations": [
                {
                    "id": operation.id,
                    "status": operation.status,
                    "objects": operation.object_count,
                    "looks": operation.looks,
                    "problem": operation.problem,
                    "query": operation.query,
                }
                for operation in self._service.bulk.all()
            ],
            "tagged_customers": customers,
        }


def _at_hand() -> Path | None:
    folder = os.environ.get(_DESCRIPTIONS)
    return Path(folder, "shopify") if folder else None


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the shop."""
    return [ShopifyStandIn]
