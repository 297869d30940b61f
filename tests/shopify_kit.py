"""A shop behind the Shopify stand-in, and a client of the Admin API that knows nothing of hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from hub_shopify.stand_in import ACCESS_TOKEN, Shop, ShopifyStandIn

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SPECS = Path(os.environ["HUB_SPECS"], "shopify") if "HUB_SPECS" in os.environ else None
NO_SPECS = "Shopify's own schemas are not at hand (HUB_SPECS is not set)"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


class Client:
    """What a program does that speaks to the Admin API."""

    def __init__(self, stand_in: ShopifyStandIn, address: str, version: str, token: str) -> None:
        self.stand_in = stand_in
        self.shop = stand_in.shop
        self.address = address
        self.version = version
        self.token = token
        self.http = httpx.Client(base_url=address, timeout=10, verify=False, trust_env=False)  # no certificates to load

    def post(self, query: str, /, **variables: Any) -> httpx.Response:
        """Send a query and return the whole response."""
        return self.http.post(
            f"/admin/api/{self.version}/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": self.token},
        )

    def said(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """Send a query and return the body."""
        body: dict[str, Any] = self.post(query, **variables).json()
        return body

    def ask(self, query: str, /, **variables: Any) -> Any:
        """Send a query and return its data, which must come without errors."""
        body = self.said(query, **variables)
        assert "errors" not in body, body["errors"]
        return body["data"]

    def ids(self, root: str, query: str, *, first: int = 250) -> list[str]:
        """Return the ids of a list that a search finds."""
        text = f"query($q: String, $n: Int) {{ {root}(first: $n, query: $q) {{ nodes {{ id }} }} }}"
        return [node["id"] for node in self.ask(text, q=query, n=first)[root]["nodes"]]

    def codes(self, query: str, /, **variables: Any) -> list[str | None]:
        """Return the codes of a query's errors."""
        return [error.get("extensions", {}).get("code") for error in self.said(query, **variables)["errors"]]

    def counts(self) -> dict[str, Any]:
        """Return what the stand-in says of itself."""
        return dict(self.stand_in.state())


@contextmanager
def serving(
    shop: Shop | None = None, *, version: str = "2026-10", token: str = ACCESS_TOKEN, **how: Any
) -> Iterator[Client]:
    """Serve a shop with the stand-in's own schema, unless told otherwise."""
    stand_in = ShopifyStandIn(shop, **{"specs": None, **how})
    client = Client(stand_in, stand_in.start(), version, token)
    try:
        yield client
    finally:
        client.http.close()
        stand_in.stop()
