"""The Shopify stand-in over real HTTP: lists, pages, filters, versions, tokens, scopes, tags."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import shopify

from hub_shopify.stand_in import ACCESS_TOKEN, Shop, ShopifyStandIn

NOW = datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


class Client:
    """What a program that speaks to the Admin API does."""

    def __init__(self, address: str, token: str = ACCESS_TOKEN, version: str = "2026-10") -> None:
        self.http = httpx.Client(base_url=address, headers={"X-Shopify-Access-Token": token}, timeout=10)
        self.version = version

    def post(self, query: str, **variables: Any) -> httpx.Response:
        body = {"query": query, "variables": variables}
        return self.http.post(f"/admin/api/{self.version}/graphql.json", json=body)

    def ask(self, query: str, **variables: Any) -> Any:
        said = self.post(query, **variables).json()
        assert "errors" not in said, said
        return said["data"]


Serve = Callable[..., Client]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[ShopifyStandIn] = []

    def start(shop: Shop | None = None, *, version: str = "2026-10", **how: Any) -> Client:
        stand_in = ShopifyStandIn(shop, **{"specs": None, **how})
        started.append(stand_in)
        client = Client(stand_in.start(), version=version)
        client.stand_in = stand_in  # type: ignore[attr-defined]
        return client

    yield start
    for each in started:
        each.stop()


def test_shopifys_own_client_library_reads_the_shop(
    serve: Serve, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(now=clock)
    shop.add_customer(email="ada@example.com")
    port = serve(shop).http.base_url.port
    # The library puts the shop's name in front of a domain: this spells 127.0.0.1.
    for name, value in {"protocol": "http", "myshopify_domain": "0.0.1", "port": port}.items():
        monkeypatch.setattr(shopify.Session, name, value)

    with shopify.Session.temp("127", "2026-10", ACCESS_TOKEN):
        said = json.loads(shopify.GraphQL().execute("{ customers(first: 5) { nodes { email } } }"))

    assert said["data"] == {"customers": {"nodes": [{"email": "ada@example.com"}]}}
