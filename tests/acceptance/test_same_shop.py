"""One shop, read through its API, through its exports and through both, has the same people in every segment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.segments import run_segments
from hub.sync.run import pull_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_shopify.stand_in import ACCESS_TOKEN, ShopifyStandIn
from tests.shopify_exports import write_exports
from tests.shopify_kit import NOW

HEAD = 'name = "Acme"\ntimezone = "Europe/Copenhagen"\ncountry = "DK"\ncurrency = "DKK"\n'
API = '[sources.api]\nplugin = "shopify"\nsystem = "shop"\nstore = "acme"\naddress = "{address}"\n'
CSV = '[sources.files]\nplugin = "csv"\nsystem = "shop"\nfolder = "exports/{folder}"\n'
TWO_MONTHS = timedelta(days=60)
ALL_SCOPES = ("read_customers", "read_orders", "read_products", "read_all_orders")


@pytest.fixture
def stand_in() -> Iterator[ShopifyStandIn]:
    made = ShopifyStandIn(size=150, seed=7, now=lambda: NOW, scopes=ALL_SCOPES, specs=None)
    for number, customer in enumerate(made.shop.customers.values()):
        if customer.phone:
            # The orders' export names no customer: who has no e-mail is known there by a phone of their own.
            customer.phone = f"+4520{number:06}"
            for order in made.shop.orders_of(customer.number):
                order.phone = customer.phone if order.phone else None
    made.address = made.start()  # type: ignore[attr-defined]
    yield made
    made.stop()


@pytest.fixture
def workspace(tmp_path: Path, stand_in: ShopifyStandIn) -> Path:
    """Make a workspace with the exports of the stand-in's shop: all of them, and those older than two months."""
    for name in ("clients", "plugins"):
        (tmp_path / name).mkdir()
    (tmp_path / "hub.toml").touch()
    write_exports(stand_in.shop, tmp_path / "exports" / "all")
    write_exports(stand_in.shop, tmp_path / "exports" / "old", keep=lambda placed: placed <= NOW - TWO_MONTHS)
    return tmp_path


def strategies(workspace: Path) -> list[str]:
    """Return the names of all built-in strategies that need no setting."""
    plugins = Plugins(workspace)
    found = []
    for name in sorted(entry.name for entry in plugins.entries("segment")):
        with suppress(ValidationError):
            plugins.load("segment", name).Config()
            found.append(name)
    return found


def members(workspace: Path, client: str, *sources: str) -> dict[str, set[str]]:
    """Pull a client with these sources, and return who is in each segment, by address."""
    wanted = strategies(workspace)
    segments = "".join(f'[segments.{name}]\nplugin = "{name}"\n' for name in wanted)
    (workspace / "clients" / f"{client}.toml").write_text(HEAD + "".join(sources) + segments)
    opened = load_workspace(workspace)
    environ = {f"HUB_SECRET__{client.upper()}__API__ACCESS_TOKEN": ACCESS_TOKEN}
    around = Surroundings(clock=lambda: NOW, environ=environ)
    wiring = Wiring(opened, load_client(opened, client), Plugins(workspace), around)
    pulled = pull_client(wiring)
    assert [(source.name, source.status.value) for source in pulled.sources if source.trouble] == []
    found: dict[str, set[str]] = {}
    with wiring.catalog.session(NOW, NOW) as session:
        for name, result in run_segments(session, wiring.definitions).items():
            found[name] = {"insufficient data"} if result.table is None or result.error else set()
            if result.table is not None and not result.error:
                query = f"select p.person_ref from {result.table} join people as p using (person_id)"
                found[name] = {reference for (reference,) in session.con.execute(query).fetchall()}
    return found


def test_api_exports_and_both_put_the_same_people_into_every_segment(workspace: Path, stand_in: ShopifyStandIn) -> None:
    address = stand_in.address  # type: ignore[attr-defined]
    api = members(workspace, "api", API.format(address=address))
    files = members(workspace, "files", CSV.format(folder="all"))
    stand_in.scopes = tuple(scope for scope in ALL_SCOPES if scope != "read_all_orders")
    both = members(workspace, "both", API.format(address=address), CSV.format(folder="old"))

    filled = {name for name, people in api.items() if people}
    assert filled >= {"high-spenders", "one-time", "coupon-lovers", "inactive", "cart-abandoners", "never-purchased"}
    differing = {
        (name, door, tuple(sorted(found[name] ^ people)))
        for door, found in (("files", files), ("both", both))
        for name, people in api.items()
        if found[name] != people
    }
    assert differing == set()
